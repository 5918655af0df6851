// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Arithmetic} from "../sol/Arithmetic.sol";
import {Base} from "./Base.sol";
import {Model, Op} from "./Model.sol";

/// The library reads calldata, so it is called from outside.
contract ArithmeticCaller {
    function read(bytes calldata data, uint256 from, uint256 size) external pure returns (int256) {
        return Arithmetic.read(_pointer(data) + from, size);
    }

    function sum(bytes calldata data, uint256 step, uint256 size, uint256 count) external pure returns (int256) {
        return Arithmetic.sum(_pointer(data), step, size, count);
    }

    function greatest(bytes calldata data, uint256 step, uint256 size, uint256 count) external pure returns (int256) {
        return Arithmetic.greatest(_pointer(data), step, size, count);
    }

    function dot(bytes calldata a, uint256 stepA, uint256 sizeA, bytes calldata b, uint256 stepB, uint256 sizeB, uint256 count)
        external
        pure
        returns (int256)
    {
        return Arithmetic.dot(_pointer(a), stepA, sizeA, _pointer(b), stepB, sizeB, count);
    }

    function requantise(int256 acc, bytes calldata record, int256 lo, int256 hi) external pure returns (int256) {
        return Arithmetic.requantise(acc, _pointer(record), lo, hi);
    }

    function _pointer(bytes calldata data) private pure returns (uint256 pointer) {
        assembly ("memory-safe") {
            pointer := data.offset
        }
    }
}

contract ArithmeticTest is Base {
    ArithmeticCaller private arithmetic;

    function setUp() public {
        arithmetic = new ArithmeticCaller();
    }

    function _width(uint256 size) private pure returns (uint8) {
        return size == 4 ? 3 : uint8(size);
    }

    function testFuzz_read(uint256 seed) public view {
        bytes memory data = noise(seed, 64);
        for (uint256 size = 1; size <= 4; size *= 2) {
            for (uint256 i; i < 10; ++i) {
                same(arithmetic.read(data, i * size, size), Model.valueAt(data, i, _width(size)), "read");
            }
        }
    }

    function test_extremes_are_read() public view {
        same(arithmetic.read(hex"80", 0, 1), -128, "i8 least");
        same(arithmetic.read(hex"7fff", 0, 1), 127, "i8 greatest");
        same(arithmetic.read(hex"0080ffff", 0, 2), -32768, "i16 least");
        same(arithmetic.read(hex"ff7fffff", 0, 2), 32767, "i16 greatest");
        same(arithmetic.read(hex"00000080ff", 0, 4), type(int32).min, "i32 least");
        same(arithmetic.read(hex"ffffff7fff", 0, 4), type(int32).max, "i32 greatest");
    }

    function testFuzz_folds(uint256 seed, uint8 steps, uint8 many) public view {
        uint256 sizeA = 1 << pick(seed, 1, 3);
        uint256 sizeB = 1 << pick(seed, 2, 3);
        (uint256 stepA, uint256 stepB) = (uint256(steps % 4), uint256(steps / 4 % 4));
        uint256 count = 1 + many % 100;
        bytes memory a = noise(seed, 1600);
        bytes memory b = noise(~seed, 1600);
        int256 sum;
        int256 most = type(int256).min;
        int256 dot;
        for (uint256 i; i < count; ++i) {
            int256 x = Model.valueAt(a, i * stepA, _width(sizeA));
            sum += x;
            if (x > most) most = x;
            dot += x * Model.valueAt(b, i * stepB, _width(sizeB));
        }
        same(arithmetic.sum(a, stepA * sizeA, sizeA, count), sum, "sum");
        same(arithmetic.greatest(a, stepA * sizeA, sizeA, count), most, "greatest");
        same(arithmetic.dot(a, stepA * sizeA, sizeA, b, stepB * sizeB, sizeB, count), dot, "dot");
    }

    function testFuzz_dot_of_bytes(uint256 seed, uint16 many) public view {
        uint256 count = 1 + many % 700;
        bytes memory a = noise(seed, 700);
        bytes memory b = noise(~seed, 700);
        int256 dot;
        for (uint256 i; i < count; ++i) dot += int256(int8(uint8(a[i]))) * int8(uint8(b[i]));
        same(arithmetic.dot(a, 1, 1, b, 1, 1, count), dot, "dot");
    }

    function testFuzz_dot_of_words(uint256 seed, uint16 many) public view {
        uint256 count = 1 + many % 300;
        bytes memory a = noise(seed, 700);
        bytes memory b = noise(~seed, 700);
        for (uint256 sizes = 1; sizes < 4; ++sizes) {
            uint256 sizeA = 1 + sizes % 2;
            uint256 sizeB = 1 + sizes / 2;
            int256 dot;
            for (uint256 i; i < count; ++i) {
                dot += Model.valueAt(a, i, uint8(sizeA)) * Model.valueAt(b, i, uint8(sizeB));
            }
            same(arithmetic.dot(a, sizeA, sizeA, b, sizeB, sizeB, count), dot, "dot");
        }
    }

    /// All pairs of extremes of 16 and 8 bits, over as many terms as 192 tiles hold, and every rest.
    function test_attack_27_the_wide_lanes_do_not_overflow() public view {
        int256[4] memory wide = [int256(-32768), 32767, -1, 255];
        int256[4] memory narrow = [int256(-128), 127, -1, 0];
        for (uint256 i; i < 4; ++i) {
            bytes memory a = _filled(12_288, 2, wide[i]);
            for (uint256 j; j < 4; ++j) {
                _extremes(a, wide[i], 2, narrow[j], 1);
                _extremes(a, wide[i], 2, wide[j], 2);
            }
        }
    }

    function _extremes(bytes memory a, int256 x, uint256 sizeA, int256 y, uint256 sizeB) private view forgetful {
        bytes memory b = _filled(12_288, sizeB, y);
        for (uint256 count = 12_288 - 17; count <= 12_288; ++count) {
            same(arithmetic.dot(a, sizeA, sizeA, b, sizeB, sizeB, count), int256(count) * x * y, "dot");
            same(arithmetic.dot(b, sizeB, sizeB, a, sizeA, sizeA, count), int256(count) * x * y, "turned");
        }
    }

    function _filled(uint256 count, uint256 size, int256 value) private pure returns (bytes memory data) {
        data = new bytes(count * size);
        for (uint256 i; i < data.length; ++i) data[i] = bytes1(uint8(uint256(value) >> (8 * (i % size))));
    }

    /// Every lane at its extreme, over more terms than 192 tiles hold.
    function test_attack_27_the_lanes_do_not_overflow() public view {
        bytes memory least = new bytes(24_576);
        bytes memory greatest = new bytes(24_576);
        for (uint256 i; i < least.length; ++i) (least[i], greatest[i]) = (0x80, 0x7f);
        for (uint256 count = least.length - 33; count <= least.length; ++count) {
            same(arithmetic.dot(least, 1, 1, least, 1, 1, count), int256(count) * 16384, "-128 * -128");
        }
        same(arithmetic.dot(least, 1, 1, greatest, 1, 1, 24_576), -24_576 * 128 * 127, "-128 * 127");
        same(arithmetic.dot(greatest, 1, 1, greatest, 1, 1, 24_576), 24_576 * 127 * 127, "127 * 127");
    }

    function testFuzz_requantise(int64 bias, uint32 m, uint8 s, int64 acc, int32 lo, int32 hi) public view {
        bias /= 2;
        if (m == 0) m = 1;
        s = 1 + s % 62;
        if (lo > hi) (lo, hi) = (hi, lo);
        Op memory op;
        (op.lo, op.hi) = (lo, hi);
        int256 right = Model.finalise(op, acc, bias, int256(uint256(m)), s);
        same(arithmetic.requantise(acc, Model.record(bias, m, s), lo, hi), right, "requantise");
    }

    function test_attack_27_ties_go_up() public view {
        // (acc * 1 + 1) / 2, floored: 0.5 -> 1, -0.5 -> 0, -1.5 -> -1.
        bytes memory half = Model.record(0, 1, 1);
        int256[5] memory accs = [int256(1), -1, -3, 3, -2];
        int256[5] memory rights = [int256(1), 0, -1, 2, -1];
        for (uint256 i; i < 5; ++i) same(arithmetic.requantise(accs[i], half, -128, 127), rights[i], "tie");
        bytes memory identity = Model.record(0, 2, 1);
        same(arithmetic.requantise(-32768, identity, -32768, 32767), -32768, "identity");
        same(arithmetic.requantise(-32769, identity, -32768, 32767), -32768, "lo");
        same(arithmetic.requantise(5000, identity, 0, 0), 0, "lo = hi");
        bytes memory far = Model.record(-1, 1, 62);
        same(arithmetic.requantise(0, far, -128, 127), 0, "-2^-62");
        same(arithmetic.requantise(1 - (1 << 61), far, -128, 127), 0, "a half");
        same(arithmetic.requantise(-(1 << 61), far, -128, 127), -1, "below a half");
    }
}
