// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @title Integers of the trace: reading them, folding runs of them, and requantisation (SPEC 1, 2.2, 2.3).
/// @notice Elements are little-endian two's complement of 1, 2 or 4 bytes, read where they lie in the calldata. Sums
/// are of products of 32-bit integers, fewer than 2^64 for want of gas: below 2^127 in magnitude, so nothing overflows.
library Arithmetic {
    // Every fourth byte.
    uint256 private constant LANES = 0x000000ff000000ff000000ff000000ff000000ff000000ff000000ff000000ff;
    uint256 private constant LANE_SIGNS = 0x0000008000000080000000800000008000000080000000800000008000000080;
    uint256 private constant SIGNS = 0x8080808080808080808080808080808080808080808080808080808080808080;
    uint256 private constant LOW_64 = 0x0000000000000000ffffffffffffffff0000000000000000ffffffffffffffff;
    uint256 private constant LOW_32 = 0x00000000ffffffff00000000ffffffff00000000ffffffff00000000ffffffff;
    uint256 private constant LOW_16 = 0x0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff;
    uint256 private constant LOW_8 = 0x00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff;
    // Every fourth word of 16 bits, and a one in each.
    uint256 private constant WIDE_LANES = 0x000000000000ffff000000000000ffff000000000000ffff000000000000ffff;
    uint256 private constant WIDE_ONES = 0x0000000000000001000000000000000100000000000000010000000000000001;
    uint256 private constant ONES_16 = 0x0001000100010001000100010001000100010001000100010001000100010001;

    /// The integer of `size` bytes at `pointer`.
    function read(uint256 pointer, uint256 size) internal pure returns (int256 value) {
        assembly ("memory-safe") {
            let word := calldataload(pointer)
            value := byte(0, word)
            if gt(size, 1) {
                value := or(value, shl(8, byte(1, word)))
                if gt(size, 2) { value := or(value, or(shl(16, byte(2, word)), shl(24, byte(3, word)))) }
            }
            value := signextend(sub(size, 1), value)
        }
    }

    /// Sum of `count` integers, one every `step` bytes.
    function sum(uint256 pointer, uint256 step, uint256 size, uint256 count) internal pure returns (int256 total) {
        unchecked {
            for (; count != 0; --count) {
                total += read(pointer, size);
                pointer += step;
            }
        }
    }

    /// Greatest of `count` integers, at least one.
    function greatest(uint256 pointer, uint256 step, uint256 size, uint256 count) internal pure returns (int256 most) {
        unchecked {
            most = type(int256).min;
            for (; count != 0; --count) {
                int256 value = read(pointer, size);
                if (value > most) most = value;
                pointer += step;
            }
        }
    }

    /// Sum of `count` products.
    function dot(
        uint256 pointerA,
        uint256 stepA,
        uint256 sizeA,
        uint256 pointerB,
        uint256 stepB,
        uint256 sizeB,
        uint256 count
    ) internal pure returns (int256 total) {
        if (stepA == sizeA && stepB == sizeB && sizeA <= 2 && sizeB <= 2) {
            if (stepA + stepB == 2) return dotBytes(pointerA, pointerB, count);
            return dotWords(pointerA, sizeA, pointerB, sizeB, count);
        }
        unchecked {
            for (; count != 0; --count) {
                total += read(pointerA, sizeA) * read(pointerB, sizeB);
                pointerA += stepA;
                pointerB += stepB;
            }
        }
    }

    /// Sum of `count` products of neighbouring signed bytes, 32 at a time; count is below 2^16.
    /// @dev A word's bytes are taken in four groups of 8 lanes of 32 bits, b's lanes in reversed order; then the top lane
    /// of the product of two groups is the sum of their 8 products. Lanes hold signed integers: the group is the sum of
    /// x_i 2^(32 i) modulo 2^256, borrows included, and so is the accumulator. No lane sum reaches 2^31 in magnitude
    /// (2^16 * 2^14 = 2^30), so adding half of the top lane's unit rounds the lower lanes away.
    function dotBytes(uint256 pointerA, uint256 pointerB, uint256 count) internal pure returns (int256 total) {
        assert(count < 1 << 16);
        assembly ("memory-safe") {
            function products(a, b) -> lanes {
                b := or(shr(128, b), shl(128, b))
                b := or(and(shr(64, b), LOW_64), shl(64, and(b, LOW_64)))
                b := or(and(shr(32, b), LOW_32), shl(32, and(b, LOW_32)))
                // Offset by 128: a signed byte x is held as x + 128, which LANE_SIGNS takes off again.
                a := xor(a, SIGNS)
                b := xor(b, SIGNS)
                lanes := mul(sub(and(a, LANES), LANE_SIGNS), sub(and(b, LANES), LANE_SIGNS))
                a := shr(8, a)
                b := shr(8, b)
                lanes := add(lanes, mul(sub(and(a, LANES), LANE_SIGNS), sub(and(b, LANES), LANE_SIGNS)))
                a := shr(8, a)
                b := shr(8, b)
                lanes := add(lanes, mul(sub(and(a, LANES), LANE_SIGNS), sub(and(b, LANES), LANE_SIGNS)))
                a := shr(8, a)
                b := shr(8, b)
                lanes := add(lanes, mul(sub(and(a, LANES), LANE_SIGNS), sub(and(b, LANES), LANE_SIGNS)))
            }
            let lanes := 0
            for {} gt(count, 31) { count := sub(count, 32) } {
                lanes := add(lanes, products(calldataload(pointerA), calldataload(pointerB)))
                pointerA := add(pointerA, 32)
                pointerB := add(pointerB, 32)
            }
            if count {
                // The bytes of a beyond the run become 0.
                let a := and(calldataload(pointerA), not(shr(shl(3, count), not(0))))
                lanes := add(lanes, products(a, calldataload(pointerB)))
            }
            total := sar(224, add(lanes, shl(223, 1)))
        }
    }

    /// Sum of `count` products of neighbouring signed integers of 1 or 2 bytes, 16 at a time; count is below 2^16.
    /// @dev As `dotBytes`, with 16 integers to a word in lanes of 16 bits, taken in four groups of 4 lanes of 64 bits. An
    /// integer x is held as x + 2^7 or x + 2^15. No lane sum reaches 2^47 (2^16 * 2^30 = 2^46), far below half a lane.
    function dotWords(uint256 pointerA, uint256 sizeA, uint256 pointerB, uint256 sizeB, uint256 count)
        internal
        pure
        returns (int256 total)
    {
        assert(count < 1 << 16);
        assembly ("memory-safe") {
            // 16 integers, the first in the highest lane.
            function load(pointer, size) -> x {
                x := xor(calldataload(pointer), SIGNS)
                switch size
                case 1 {
                    // The first 16 bytes, spread out.
                    x := shr(128, x)
                    x := and(or(x, shl(64, x)), LOW_64)
                    x := and(or(x, shl(32, x)), LOW_32)
                    x := and(or(x, shl(16, x)), LOW_16)
                    x := and(or(x, shl(8, x)), LOW_8)
                }
                default {
                    // The sign is in the second byte: the first one's flips back.
                    x := xor(or(shl(8, and(x, LOW_8)), and(shr(8, x), LOW_8)), mul(ONES_16, 0x80))
                }
            }
            function products(a, offsetA, b, offsetB) -> lanes {
                b := or(shr(128, b), shl(128, b))
                b := or(and(shr(64, b), LOW_64), shl(64, and(b, LOW_64)))
                offsetA := mul(WIDE_ONES, offsetA)
                offsetB := mul(WIDE_ONES, offsetB)
                lanes := mul(sub(and(a, WIDE_LANES), offsetA), sub(and(b, WIDE_LANES), offsetB))
                a := shr(16, a)
                b := shr(16, b)
                lanes := add(lanes, mul(sub(and(a, WIDE_LANES), offsetA), sub(and(b, WIDE_LANES), offsetB)))
                a := shr(16, a)
                b := shr(16, b)
                lanes := add(lanes, mul(sub(and(a, WIDE_LANES), offsetA), sub(and(b, WIDE_LANES), offsetB)))
                a := shr(16, a)
                b := shr(16, b)
                lanes := add(lanes, mul(sub(and(a, WIDE_LANES), offsetA), sub(and(b, WIDE_LANES), offsetB)))
            }
            let offsetA := shl(sub(shl(3, sizeA), 1), 1)
            let offsetB := shl(sub(shl(3, sizeB), 1), 1)
            let lanes := 0
            for {} gt(count, 15) { count := sub(count, 16) } {
                lanes := add(lanes, products(load(pointerA, sizeA), offsetA, load(pointerB, sizeB), offsetB))
                pointerA := add(pointerA, shl(4, sizeA))
                pointerB := add(pointerB, shl(4, sizeB))
            }
            if count {
                // The integers of a beyond the run become 0.
                let beyond := shr(shl(4, count), not(0))
                let a := or(and(load(pointerA, sizeA), not(beyond)), and(mul(ONES_16, offsetA), beyond))
                lanes := add(lanes, products(a, offsetA, load(pointerB, sizeB), offsetB))
            }
            total := sar(192, add(lanes, shl(191, 1)))
        }
    }

    /// The greatest of `count` integers, at least one, and the place of the first such, from 0.
    function first(uint256 pointer, uint256 step, uint256 size, uint256 count)
        internal
        pure
        returns (int256 most, uint256 place)
    {
        unchecked {
            most = type(int256).min;
            for (uint256 i; i < count; ++i) {
                int256 value = read(pointer, size);
                if (value > most) (most, place) = (value, i);
                pointer += step;
            }
        }
    }

    /// floor((n + floor(divisor / 2)) / divisor), of a divisor of at least 1; n is below 2^128.
    function divide(int256 n, int256 divisor) internal pure returns (int256 quotient) {
        unchecked {
            n += divisor / 2;
            quotient = n / divisor;
            // The division cuts towards 0.
            if (n % divisor < 0) --quotient;
        }
    }

    /// The R with R^2 <= value < (R + 1)^2; value is below 2^128.
    function root(uint256 value) internal pure returns (uint256 r) {
        if (value == 0) return 0;
        unchecked {
            uint256 bits;
            assembly ("memory-safe") {
                bits := sub(256, clz(value))
            }
            // From no less than the root Newton's steps fall until they reach it.
            uint256 next = 1 << ((bits + 1) / 2);
            do {
                r = next;
                next = (r + value / r) / 2;
            } while (next < r);
            assert(r * r <= value && value < (r + 1) * (r + 1));
        }
    }

    /// Requantises `acc` by the record at `pointer`: le64(bias) | le32(m) | s (SPEC 2.3).
    /// @dev acc + bias is below 2^128, m below 2^32.
    function requantise(int256 acc, uint256 pointer, int256 lo, int256 hi) internal pure returns (int256) {
        unchecked {
            return _scale(acc + _bias(pointer), pointer, lo, hi);
        }
    }

    /// Requantises the root of acc + bias, of 0 if that is negative.
    function requantiseRoot(int256 acc, uint256 pointer, int256 lo, int256 hi) internal pure returns (int256) {
        unchecked {
            acc += _bias(pointer);
        }
        return _scale(acc > 0 ? int256(root(uint256(acc))) : int256(0), pointer, lo, hi);
    }

    function _bias(uint256 pointer) private pure returns (int256 bias) {
        assembly ("memory-safe") {
            // Eight bytes, turned round: neighbours, then pairs, then fours.
            let x := shr(192, calldataload(pointer))
            x := or(shl(8, and(x, 0x00ff00ff00ff00ff)), and(shr(8, x), 0x00ff00ff00ff00ff))
            x := or(shl(16, and(x, 0x0000ffff0000ffff)), and(shr(16, x), 0x0000ffff0000ffff))
            bias := signextend(7, or(shl(32, and(x, 0xffffffff)), shr(32, x)))
        }
    }

    /// A shift that no legal record has is cut to 1 … 62.
    function _scale(int256 value, uint256 pointer, int256 lo, int256 hi) private pure returns (int256) {
        int256 multiplier;
        uint256 shift;
        assembly ("memory-safe") {
            let record := calldataload(pointer)
            multiplier := or(byte(8, record), shl(8, byte(9, record)))
            multiplier := or(multiplier, or(shl(16, byte(10, record)), shl(24, byte(11, record))))
            shift := byte(12, record)
        }
        if (shift == 0) shift = 1;
        if (shift > 62) shift = 62;
        unchecked {
            // An arithmetic shift right is the floor, for negative numbers too.
            value = (value * multiplier + int256(1 << (shift - 1))) >> shift;
        }
        if (value > hi) value = hi;
        if (value < lo) value = lo;
        return value;
    }
}
