// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Arithmetic} from "./Arithmetic.sol";
import {Descriptor} from "./Descriptor.sol";
import {IGame} from "./IGame.sol";
import {Opening, Tiles} from "./Opening.sol";

/// @title Folds the terms of one output element (SPEC 2.1, 2.2), a run of neighbouring terms at a time.
/// @notice Addresses are sums of at most ten products of two 32-bit numbers, so all arithmetic may be unchecked.
library Fold {
    using Descriptor for bytes;
    using Opening for Tiles;

    /// The output element's coordinates.
    struct Coordinates {
        uint256 o0;
        uint256 o1;
        uint256 o2;
        uint256 o3;
    }

    /// A stretch of terms of one row t2 (t0 and t1 are the same), and where its operands stand.
    struct Run {
        uint256 count;
        /// False when a window is missed: then each a is `pad`.
        bool inside;
        uint256 aAddress;
        uint256 bAddress;
        /// The first term's place among all of the element's.
        uint256 place;
    }

    /// An argmax's terms hold the value above so many bits, and in them how far the term is from this place.
    uint256 private constant PLACE_BITS = 24;
    uint256 private constant LAST_PLACE = (1 << PLACE_BITS) - 1;

    /// The fold of the terms from <= t < to of `element`.
    function accumulate(bytes calldata d, uint256 element, uint256 from, uint256 to, Tiles memory a, Tiles memory b)
        internal
        pure
        returns (int256 acc)
    {
        if (from >= to) revert IGame.WrongDescriptor();
        Coordinates memory o = coordinates(d, element);
        if (d.fold() == Descriptor.MAX || d.fold() == Descriptor.ARG_MAX) acc = type(int256).min;
        unchecked {
            uint256 r1 = d.u32(Descriptor.RED + 4);
            uint256 r2 = d.u32(Descriptor.RED + 8);
            uint256 aBase = d.u32(Descriptor.A_MAP) + walk(d, Descriptor.A_MAP + 4, o);
            uint256 bBase = d.u32(Descriptor.B_MAP) + walk(d, Descriptor.B_MAP + 4, o);
            uint256 t2 = from % r2;
            uint256 t1 = from / r2 % r1;
            uint256 t0 = from / r2 / r1;
            Run memory run;
            while (from < to) {
                run.count = _least(r2 - t2, to - from);
                run.aAddress = aBase + _reduce(d, Descriptor.A_MAP + 20, t0, t1, t2);
                run.bAddress = bBase + _reduce(d, Descriptor.B_MAP + 20, t0, t1, t2);
                (bool inside, uint256 windows) = _windows(d, o, t0, t1);
                run.inside = inside;
                run.aAddress += windows;
                run.place = from;
                from += run.count;
                acc = _foldRun(d, acc, run, a, b);
                t2 = 0;
                if (++t1 == r1) {
                    t1 = 0;
                    ++t0;
                }
            }
        }
    }

    function coordinates(bytes calldata d, uint256 element) internal pure returns (Coordinates memory o) {
        uint256 dim0 = d.u32(Descriptor.OUT);
        uint256 dim1 = d.u32(Descriptor.OUT + 4);
        uint256 dim2 = d.u32(Descriptor.OUT + 8);
        uint256 dim3 = d.u32(Descriptor.OUT + 12);
        assembly ("memory-safe") {
            // None of a sized operator's is 0.
            mstore(add(o, 0x60), mod(element, dim3))
            element := div(element, dim3)
            mstore(add(o, 0x40), mod(element, dim2))
            element := div(element, dim2)
            mstore(add(o, 0x20), mod(element, dim1))
            mstore(o, mod(div(element, dim1), dim0))
        }
    }

    /// Sum of the four strides at `at` times the coordinates.
    function walk(bytes calldata d, uint256 field, Coordinates memory o) internal pure returns (uint256) {
        unchecked {
            return d.u32(field) * o.o0 + d.u32(field + 4) * o.o1 + d.u32(field + 8) * o.o2 + d.u32(field + 12) * o.o3;
        }
    }

    function _reduce(bytes calldata d, uint256 field, uint256 t0, uint256 t1, uint256 t2) private pure returns (uint256) {
        unchecked {
            return d.u32(field) * t0 + d.u32(field + 4) * t1 + d.u32(field + 8) * t2;
        }
    }

    /// Whether both windows are met, and what they add to a's address.
    function _windows(bytes calldata d, Coordinates memory o, uint256 t0, uint256 t1)
        private
        pure
        returns (bool inside, uint256 address_)
    {
        (bool met0, uint256 add0) = _window(d, Descriptor.WINDOWS, o.o0, t0);
        (bool met1, uint256 add1) = _window(d, Descriptor.WINDOWS + 16, o.o1, t1);
        unchecked {
            return (met0 && met1, add0 + add1);
        }
    }

    function _window(bytes calldata d, uint256 field, uint256 o, uint256 t) private pure returns (bool, uint256) {
        uint256 limit = d.u32(field);
        if (limit == 0) return (true, 0);
        unchecked {
            uint256 moved = o * d.u16(field + 8) + t * d.u16(field + 10);
            uint256 offset = d.u16(field + 12);
            if (moved < offset || moved - offset >= limit) return (false, 0);
            return (true, (moved - offset) * d.u32(field + 4));
        }
    }

    /// Joins a run's terms to `acc`, in as many parts as the opened tiles are scattered in.
    function _foldRun(bytes calldata d, int256 acc, Run memory run, Tiles memory a, Tiles memory b)
        private
        pure
        returns (int256)
    {
        unchecked {
            uint8 fold = d.fold();
            uint256 strideA = d.u32(Descriptor.A_MAP + 28);
            uint256 strideB = d.u32(Descriptor.B_MAP + 28);
            while (run.count != 0) {
                uint256 count = run.count;
                uint256 pointerA;
                uint256 pointerB;
                if (run.inside) (pointerA, count) = _side(a, run.aAddress, strideA, count);
                if (fold == Descriptor.DOT || fold == Descriptor.PAIR) {
                    if (d.bType() == 0) revert IGame.WrongDescriptor();
                    (pointerB, count) = _side(b, run.bAddress, strideB, count);
                } else if (fold == Descriptor.GATHER) {
                    if (d.bType() == 0) revert IGame.WrongDescriptor();
                    // One term at a time: each names its own row.
                    (pointerB, count) = (_row(d, run, pointerA, a.size, b), 1);
                } else if (fold != Descriptor.SUM && fold != Descriptor.MAX && fold != Descriptor.ARG_MAX) {
                    revert IGame.WrongDescriptor();
                }
                run.count -= count;
                run.aAddress += count * strideA;
                run.bAddress += count * strideB;
                if (fold == Descriptor.DOT) {
                    acc += run.inside
                        ? Arithmetic.dot(pointerA, strideA * a.size, a.size, pointerB, strideB * b.size, b.size, count)
                        : _dotPad(d, pointerB, strideB * b.size, b.size, count);
                    continue;
                }
                if (fold == Descriptor.MAX) {
                    int256 most = run.inside
                        ? Arithmetic.greatest(pointerA, strideA * a.size, a.size, count)
                        : d.i32(Descriptor.PAD);
                    if (most > acc) acc = most;
                    continue;
                }
                if (fold == Descriptor.GATHER) {
                    acc += Arithmetic.read(pointerB, b.size);
                    continue;
                }
                if (fold == Descriptor.ARG_MAX) {
                    (int256 value, uint256 ahead) = (d.i32(Descriptor.PAD), 0);
                    if (run.inside) (value, ahead) = Arithmetic.first(pointerA, strideA * a.size, a.size, count);
                    int256 term = (value << PLACE_BITS) + int256(LAST_PLACE - run.place - ahead);
                    if (term > acc) acc = term;
                    run.place += count;
                    continue;
                }
                int256 sumA = run.inside
                    ? Arithmetic.sum(pointerA, strideA * a.size, a.size, count)
                    : d.i32(Descriptor.PAD) * int256(count);
                if (fold == Descriptor.SUM) {
                    acc += sumA;
                    continue;
                }
                int256 sumB = Arithmetic.sum(pointerB, strideB * b.size, b.size, count);
                acc += sumA * d.i32(Descriptor.SCALE_A) + sumB * d.i32(Descriptor.SCALE_B);
            }
            return acc;
        }
    }

    /// Where the element of b lies in the row that a run's first term of a names, cut to the first or the last.
    function _row(bytes calldata d, Run memory run, uint256 pointerA, uint256 sizeA, Tiles memory b)
        private
        pure
        returns (uint256 pointer)
    {
        int256 row = run.inside ? Arithmetic.read(pointerA, sizeA) : d.i32(Descriptor.PAD);
        unchecked {
            int256 last = d.i32(Descriptor.SCALE_B) - 1;
            if (row > last) row = last;
            if (row < 0) row = 0;
            // Below 0, where no legal program's rows go, there is no tile either.
            (pointer,) = b.locate(uint256(int256(run.bAddress) + row * d.i32(Descriptor.SCALE_A)), 0);
        }
    }

    /// Where an operand's first term lies, and how many terms lie in one stretch with it, `count` at most.
    function _side(Tiles memory tiles, uint256 address_, uint256 stride, uint256 count)
        private
        pure
        returns (uint256 pointer, uint256)
    {
        unchecked {
            uint256 step = stride * tiles.size;
            uint256 available;
            (pointer, available) = tiles.locate(address_, count * step);
            if (step == 0) return (pointer, count);
            return (pointer, _least(count, (available - 1) / step + 1));
        }
    }

    /// A dot's terms where a is `pad`: 0 in a legal program, so b is opened and not read.
    function _dotPad(bytes calldata d, uint256 pointer, uint256 step, uint256 size, uint256 count)
        private
        pure
        returns (int256)
    {
        int256 pad = d.i32(Descriptor.PAD);
        if (pad == 0) return 0;
        unchecked {
            return pad * Arithmetic.sum(pointer, step, size, count);
        }
    }

    function _least(uint256 x, uint256 y) private pure returns (uint256) {
        return x < y ? x : y;
    }
}
