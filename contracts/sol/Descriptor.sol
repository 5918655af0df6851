// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Tensor} from "./Tensor.sol";
import {Tree} from "./Tree.sol";

/// @title Operator bytes, read field by field where they lie in the calldata (SPEC 4.2).
/// @notice Whoever reads has checked that they are operator bytes. Legality is not checked: of an illegal program nothing
/// is promised but an end. Products of four 32-bit fields stay below 2^128, so they may be unchecked.
library Descriptor {
    /// Without the word of a third operand.
    uint256 internal constant BYTES = 192;

    uint8 internal constant DOT = 1;
    uint8 internal constant SUM = 2;
    uint8 internal constant MAX = 3;
    uint8 internal constant PAIR = 4;
    uint8 internal constant GATHER = 5;
    uint8 internal constant ARG_MAX = 6;

    uint8 internal constant REQUANTISE = 1;
    uint8 internal constant TABLE = 2;
    uint8 internal constant DIVIDE = 3;
    uint8 internal constant ROOT = 4;

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
    uint256 internal constant THIRD_MAP = 204;

    /// What an operand names (SPEC 4.2).
    uint8 internal constant KIND_INPUT = 0;
    uint8 internal constant KIND_CONSTANT = 1;
    uint8 internal constant KIND_EXPORT = 2;
    uint8 internal constant KIND_LOCAL = 3;

    uint256 private constant MAX_ELEMENTS = (1 << 31) - 1;
    uint256 private constant MAX_TERMS = 1 << 24;
    uint256 private constant MAX_SPLIT = 1 << 14;
    uint256 private constant MAX_LIFT = 30;

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

    /// How an accumulator becomes an element.
    function way(bytes calldata d) internal pure returns (uint8) {
        return u8(d, 1);
    }

    /// Whether there is a table or a divisor.
    function hasThird(bytes calldata d) internal pure returns (bool) {
        return u8(d, 7) != 0;
    }

    function thirdType(bytes calldata d) internal pure returns (uint8) {
        return u8(d, 192);
    }

    function thirdKind(bytes calldata d) internal pure returns (uint8) {
        return u8(d, 193);
    }

    /// Bits by which a division lifts its accumulator, cut to what a legal program has.
    function lift(bytes calldata d) internal pure returns (uint256 bits) {
        bits = u8(d, 197);
        if (bits > MAX_LIFT) bits = MAX_LIFT;
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
            return Tensor.tileCount(elements(d) * elementBytes(d));
        }
    }

    /// Bytes of a type (SPEC 1); 1 for an unknown code, which no legal program has.
    function sizeOf(uint8 code) internal pure returns (uint256) {
        if (code == 2) return 2;
        if (code == 3) return 4;
        if (code == 16) return 16;
        return 1;
    }

    /// Whether there are 192 bytes, or 224 if byte 7 is 1, and a root for each of a, b, params and the third operand that is a
    /// constant.
    function isOperator(bytes calldata d) internal pure returns (bool) {
        if (d.length < BYTES || u8(d, 7) > 1) return false;
        if (hasThird(d) && d.length < BYTES + 32) return false;
        return d.length == rootsFrom(d) + 32 * _constants(d);
    }

    /// Whether the numbers keep to the limits of SPEC 5 on which the arithmetic here rests. Those of legal programs do.
    function isSized(bytes calldata d) internal pure returns (bool) {
        return _within(elements(d), 1, MAX_ELEMENTS) && _within(terms(d), 1, MAX_TERMS)
            && _within(split(d), 1, MAX_SPLIT) && _within(u8(d, 2), 1, 3) && _within(aType(d), 1, 3) && bType(d) <= 3
            && (!hasThird(d) || _within(thirdType(d), 1, 3));
    }

    /// Where the tensor roots of the constants begin.
    function rootsFrom(bytes calldata d) internal pure returns (uint256) {
        unchecked {
            return BYTES + 32 * uint256(u8(d, 7));
        }
    }

    /// The tensor root that stands at `place`.
    function rootAt(bytes calldata d, uint256 place) internal pure returns (bytes32 root) {
        assembly ("memory-safe") {
            root := calldataload(add(d.offset, place))
        }
    }

    /// keccak(0x03 | operator bytes).
    function operatorLeaf(bytes calldata d) internal pure returns (bytes32) {
        return Tree.tagged(Tree.OPERATOR, d);
    }

    /// How many of a, b, params and the third operand are constants.
    function _constants(bytes calldata d) private pure returns (uint256 count) {
        unchecked {
            count = 1;
            if (aKind(d) == KIND_CONSTANT) ++count;
            if (bKind(d) == KIND_CONSTANT) ++count;
            if (hasThird(d) && thirdKind(d) == KIND_CONSTANT) ++count;
        }
    }

    function _within(uint256 value, uint256 least, uint256 greatest) private pure returns (bool) {
        return least <= value && value <= greatest;
    }
}
