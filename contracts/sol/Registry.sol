// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IRegistry} from "./IRegistry.sol";

/// @title The programs that jobs may name (PROTOCOL 3).
/// @notice A root binds what was compiled; whether the program is legal (SPEC 5) is for those to check who stake on it.
contract Registry is IRegistry {
    uint256 private constant HEADER_BYTES = 64;
    uint256 private constant VERSION = 4;
    uint256 private constant MAX_COUNT = 1 << 20;
    uint256 private constant MAX_PUBLIC_ELEMENTS = 1 << 24;
    uint256 private constant MAX_REVEAL_BITS = 6;
    /// 2^31 - 1 elements of 4 bytes fill 2^26 tiles.
    uint256 private constant MAX_TENSOR_DEPTH = 26;
    uint256 private constant MAX_WORK = (1 << 63) - 1;

    mapping(bytes32 => Program) private programs;

    function register(bytes calldata header, bytes32 layersRoot) external returns (bytes32 programRoot) {
        Program memory parsed = _parse(header);
        parsed.layersRoot = layersRoot;
        programRoot = keccak256(abi.encodePacked(uint8(5), header, layersRoot));
        programs[programRoot] = parsed;
        emit Registered(programRoot);
    }

    function program(bytes32 programRoot) external view returns (Program memory) {
        return programs[programRoot];
    }

    function layersRootOf(bytes32 programRoot) external view returns (bytes32) {
        return programs[programRoot].layersRoot;
    }

    /// SPEC 4.1, and the ranges of SPEC 5, rule counts.
    function _parse(bytes calldata header) private pure returns (Program memory p) {
        if (header.length != HEADER_BYTES) revert BadHeader();
        uint256 word = uint256(bytes32(header[:32]));
        p.layers = uint32(word >> 192);
        p.operators = uint32(word >> 160);
        p.inputType = uint8(word >> 152);
        p.outputType = uint8(word >> 144);
        p.revealBits = uint8(word >> 136);
        p.greatestDepth = uint8(word >> 128);
        p.inputElements = uint32(word >> 96);
        p.outputElements = uint32(word >> 64);
        p.work = uint64(word);
        // A layer has at least one operator and at most 32.
        bool good = word >> 224 == VERSION && _within(p.operators, 1, MAX_COUNT)
            && _within(p.layers, (uint256(p.operators) + 31) / 32, p.operators) && _within(p.inputType, 1, 3)
            && _within(p.outputType, 1, 3) && _within(p.revealBits, 1, MAX_REVEAL_BITS)
            && p.greatestDepth <= MAX_TENSOR_DEPTH && _within(p.inputElements, 1, MAX_PUBLIC_ELEMENTS)
            && _within(p.outputElements, 1, MAX_PUBLIC_ELEMENTS) && p.work <= MAX_WORK;
        if (!good) revert BadHeader();
    }

    function _within(uint256 value, uint256 least, uint256 greatest) private pure returns (bool) {
        return least <= value && value <= greatest;
    }
}
