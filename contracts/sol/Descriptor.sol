// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Tree} from "./Tree.sol";

/// @title Operator bytes, read field by field where they lie in the calldata (SPEC 4.2).
/// @notice Whoever reads has checked that they are operator bytes. Legality is not checked: of an illegal program nothing
/// is promised but an end. Products of four 32-bit fields stay below 2^128, so they may be unchecked.
library Descriptor {
    uint256 internal constant BYTES = 192;

    uint8 internal constant DOT = 1;
    uint8 internal constant SUM = 2;
    uint8 internal constant MAX = 3;
    uint8 internal constant PAIR = 4;

    uint256 internal constant OUT = 32;
    uint256 internal constant RED = 48;
    uint256 internal constant PAD = 60;
    uint256 internal constant A_MAP = 64;
    uint256 internal constant B_MAP = 96;
    uint256 internal constant WINDOWS = 128;
    uint256 internal constant PARAMS_MAP = 160;
    uint256 internal constant SCALE_A = 176;
    uint256 internal constant SCALE_B = 180;
    uint256 internal constant LO = 184;
    uint256 internal constant HI = 188;

    /// What an operand names (SPEC 4.2).
    uint8 internal constant KIND_INPUT = 0;
    uint8 internal constant KIND_CONSTANT = 1;
    uint8 internal constant KIND_EXPORT = 2;
    uint8 internal constant KIND_LOCAL = 3;

    uint256 private constant MAX_ELEMENTS = (1 << 31) - 1;
    uint256 private constant MAX_TERMS = 1 << 24;
    uint256 private constant MAX_SPLIT = 1 << 14;

    function u8(bytes calldata d, uint256 field) internal pure returns (uint8 value) {
        assembly ("memory-safe") {
            value := byte(0, calldataload(add(d.offset, field)))
        }
    }

    function u16(bytes calldata d, uint256 field) internal pure returns (uint256 value) {
        assembly ("memory-safe") {
            value := shr(240, calldataload(add(d.offset, field)))
        }
    }

    function u32(bytes calldata d, uint256 field) internal pure returns (uint256 value) {
        assembly ("memory-safe") {
            value := shr(224, calldataload(add(d.offset, field)))
        }
    }

    function i32(bytes calldata d, uint256 field) internal pure returns (int256 value) {
        assembly ("memory-safe") {
            value := sar(224, calldataload(add(d.offset, field)))
        }
    }

    function fold(bytes calldata d) internal pure returns (uint8) {
        return u8(d, 0);
    }

    function aType(bytes calldata d) internal pure returns (uint8) {
        return u8(d, 3);
    }

    function bType(bytes calldata d) internal pure returns (uint8) {
        return u8(d, 4);
    }

    function aKind(bytes calldata d) internal pure returns (uint8) {
        return u8(d, 5);
    }

    function bKind(bytes calldata d) internal pure returns (uint8) {
        return u8(d, 6);
    }

    function outputDepth(bytes calldata d) internal pure returns (uint8) {
        return u8(d, 8);
    }

    /// Elements of the output.
    function elements(bytes calldata d) internal pure returns (uint256) {
        unchecked {
            return u32(d, OUT) * u32(d, OUT + 4) * u32(d, OUT + 8) * u32(d, OUT + 12);
        }
    }

    /// Terms of an element, K.
    function terms(bytes calldata d) internal pure returns (uint256) {
        unchecked {
            return u32(d, RED) * u32(d, RED + 4) * u32(d, RED + 8);
        }
    }

    /// Terms of a segment.
    function split(bytes calldata d) internal pure returns (uint256) {
        return u32(d, 24);
    }

    /// Segments of an element.
    function segments(bytes calldata d) internal pure returns (uint256) {
        uint256 size = split(d);
        if (size == 0) size = 1;
        unchecked {
            return (terms(d) + size - 1) / size;
        }
    }

    /// Bytes of an output element.
    function elementBytes(bytes calldata d) internal pure returns (uint256) {
        return sizeOf(u8(d, 2));
    }

    /// Tiles of the output.
    function outputTiles(bytes calldata d) internal pure returns (uint256) {
        unchecked {
            return Tree.tileCount(elements(d) * elementBytes(d));
        }
    }

    /// Bytes of a type (SPEC 1); 1 for an unknown code, which no legal program has.
    function sizeOf(uint8 code) internal pure returns (uint256) {
        if (code == 2) return 2;
        if (code == 3) return 4;
        if (code == 16) return 16;
        return 1;
    }

    /// Whether there are 192 bytes and a root for each of a, b and params that is a constant.
    function isOperator(bytes calldata d) internal pure returns (bool) {
        return d.length >= BYTES && d.length == BYTES + 32 * (_constants(d) + 1);
    }

    /// Whether the numbers keep to the limits of SPEC 5 on which the arithmetic here rests. Those of legal programs do.
    function isSized(bytes calldata d) internal pure returns (bool) {
        return _within(elements(d), 1, MAX_ELEMENTS) && _within(terms(d), 1, MAX_TERMS)
            && _within(split(d), 1, MAX_SPLIT) && _within(u8(d, 2), 1, 3) && _within(aType(d), 1, 3) && bType(d) <= 3;
    }

    /// The tensor root of the constant `index` of those that stand behind the descriptor.
    function rootAt(bytes calldata d, uint256 index) internal pure returns (bytes32 root) {
        assembly ("memory-safe") {
            root := calldataload(add(add(d.offset, 192), shl(5, index)))
        }
    }

    /// keccak(0x03 | operator bytes).
    function operatorLeaf(bytes calldata d) internal pure returns (bytes32) {
        return Tree.tagged(Tree.OPERATOR, d);
    }

    /// How many of a and b are constants.
    function _constants(bytes calldata d) private pure returns (uint256 count) {
        if (aKind(d) == KIND_CONSTANT) count = 1;
        if (bKind(d) == KIND_CONSTANT) ++count;
    }

    function _within(uint256 value, uint256 least, uint256 greatest) private pure returns (bool) {
        return least <= value && value <= greatest;
    }
}
