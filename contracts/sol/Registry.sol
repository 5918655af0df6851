// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IRegistry} from "./IRegistry.sol";

/// @title The programs that jobs may name (PROTOCOL 3).
/// @notice A root binds what was compiled; whether the program is legal (SPEC 5) is for those to check who stake on it.
contract Registry is IRegistry {
    uint256 private constant HEADER_BYTES = 64;
    uint256 private constant VERSION = 1;
    uint256 private constant MAX_COUNT = 1 << 20;
    uint256 private constant MAX_PUBLIC_ELEMENTS = 1 << 24;
    uint256 private constant MAX_REVEAL_BITS = 6;
    /// 2^31 - 1 elements of 4 bytes fill 2^26 tiles.
    uint256 private constant MAX_TENSOR_DEPTH = 26;

    mapping(bytes32 => Program) private programs;

    function register(bytes calldata header, bytes32 layersRoot_, bytes32 constantsRoot_)
        external
        returns (bytes32 programRoot)
    {
        Program memory parsed = _parse(header);
        parsed.layersRoot = layersRoot_;
        parsed.constantsRoot = constantsRoot_;
        programRoot = keccak256(abi.encodePacked(uint8(5), header, layersRoot_, constantsRoot_));
        programs[programRoot] = parsed;
        emit Registered(programRoot);
    }

    function program(bytes32 programRoot) external view returns (Program memory) {
        return programs[programRoot];
    }

    function layersRoot(bytes32 programRoot) external view returns (bytes32) {
        return programs[programRoot].layersRoot;
    }

    function constantsRoot(bytes32 programRoot) external view returns (bytes32) {
        return programs[programRoot].constantsRoot;
    }

    /// SPEC 4.1, and the ranges of SPEC 5, rule counts.
    function _parse(bytes calldata header) private pure returns (Program memory p) {
        if (header.length != HEADER_BYTES) revert BadHeader();
        uint256 word = uint256(bytes32(header[:32]));
        p.layers = uint32(word >> 192);
        p.constants = uint32(word >> 160);
        p.inputType = uint8(word >> 152);
        p.outputType = uint8(word >> 144);
        p.revealBits = uint8(word >> 136);
        p.greatestDepth = uint8(word >> 128);
        p.inputElements = uint32(word >> 96);
        p.outputElements = uint32(word >> 64);
        bool good = word >> 224 == VERSION && uint64(word) == 0 && _within(p.layers, 1, MAX_COUNT)
            && _within(p.constants, 1, MAX_COUNT) && _within(p.inputType, 1, 3) && _within(p.outputType, 1, 3)
            && _within(p.revealBits, 1, MAX_REVEAL_BITS) && p.greatestDepth <= MAX_TENSOR_DEPTH
            && _within(p.inputElements, 1, MAX_PUBLIC_ELEMENTS) && _within(p.outputElements, 1, MAX_PUBLIC_ELEMENTS);
        if (!good) revert BadHeader();
    }

    function _within(uint256 value, uint256 least, uint256 greatest) private pure returns (bool) {
        return least <= value && value <= greatest;
    }
}
