// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Arithmetic} from "../sol/Arithmetic.sol";
import {Descriptor} from "../sol/Descriptor.sol";
import {Base} from "./Base.sol";
import {Model, Op} from "./Model.sol";

/// The libraries read calldata, so they are called from outside.
contract KindsCaller {
    function divide(int256 n, int256 divisor) external pure returns (int256) {
        return Arithmetic.divide(n, divisor);
    }

    function root(uint256 value) external pure returns (uint256) {
        return Arithmetic.root(value);
    }

    function requantiseRoot(int256 acc, bytes calldata record, int256 lo, int256 hi) external pure returns (int256) {
        return Arithmetic.requantiseRoot(acc, _pointer(record), lo, hi);
    }

    function first(bytes calldata data, uint256 step, uint256 size, uint256 count)
        external
        pure
        returns (int256, uint256)
    {
        return Arithmetic.first(_pointer(data), step, size, count);
    }

    function isOperator(bytes calldata d) external pure returns (bool) {
        return Descriptor.isOperator(d);
    }

    function isSized(bytes calldata d) external pure returns (bool) {
        return Descriptor.isSized(d);
    }

    function lift(bytes calldata d) external pure returns (uint256) {
        return Descriptor.lift(d);
    }

    function _pointer(bytes calldata data) private pure returns (uint256 pointer) {
        assembly ("memory-safe") {
            pointer := data.offset
        }
    }
}

/// The arithmetic and the bytes of gather, argmax, tables, divisions and roots at their boundaries.
contract KindsTest is Base {
    KindsCaller private kinds;

    function setUp() public {
        kinds = new KindsCaller();
    }

    /// Roots change at squares, and nowhere else.
    function test_attack_27_roots_at_squares() public view {
        uint256[10] memory rs = [
            uint256(1), 2, 3, 46_340, 65_535, 65_536, (1 << 31) - 1, 1 << 31, 3_037_000_499, (1 << 32) - 1
        ];
        same(kinds.root(0), 0, "0");
        for (uint256 i; i < rs.length; ++i) {
            uint256 r = rs[i];
            same(kinds.root(r * r), r, "a square");
            same(kinds.root(r * r - 1), r - 1, "before a square");
            same(kinds.root(r * r + 2 * r), r, "before the next");
        }
        // The greatest that can come: an accumulator below 2^62 and a bias of 64 bits.
        same(kinds.root((1 << 62) - 1 + (1 << 63) - 1), 3_719_550_786, "the greatest");
    }

    function testFuzz_roots(uint256 value) public view {
        value >>= 128 + value % 128;
        uint256 r = kinds.root(value);
        holds(r * r <= value && value < (r + 1) * (r + 1), "floor of the root");
    }

    function test_every_small_root() public view forgetful {
        uint256 r;
        for (uint256 value; value < 1100; ++value) {
            if ((r + 1) * (r + 1) == value) ++r;
            same(kinds.root(value), r, "small");
        }
    }

    /// What is under a root is cut at 0, and its bias counts under it alone.
    function test_attack_27_the_bias_is_under_the_root() public view {
        bytes memory record = Model.record(-9, 2, 1);
        same(kinds.requantiseRoot(9, record, -128, 127), 0, "0");
        same(kinds.requantiseRoot(8, record, -128, 127), 0, "below 0");
        same(kinds.requantiseRoot(-(1 << 62) + 1, record, -128, 127), 0, "far below 0");
        same(kinds.requantiseRoot(10, record, -128, 127), 1, "1");
        same(kinds.requantiseRoot(24, record, -128, 127), 3, "15");
        same(kinds.requantiseRoot(25, record, -128, 127), 4, "16");
        same(kinds.requantiseRoot(1 << 61, record, -128, 127), 127, "clamped");
        same(kinds.requantiseRoot(0, record, 5, 127), 5, "clamped from below");
        // 3 halved is 1.5, which goes up.
        same(kinds.requantiseRoot(9, Model.record(0, 1, 1), -128, 127), 2, "a tie");
    }

    /// floor((n + floor(D / 2)) / D): ties of an even divisor go up.
    function test_attack_27_divisions_round_once() public view {
        int256[3][14] memory cases = [
            [int256(0), 1, 0],
            [int256(-1), 1, -1],
            [int256(1), 2, 1],
            [int256(-1), 2, 0],
            [int256(-2), 2, -1],
            [int256(-3), 2, -1],
            [int256(1), 3, 0],
            [int256(2), 3, 1],
            [int256(-1), 3, 0],
            [int256(-2), 3, -1],
            [int256(-4), 3, -1],
            [int256(-5), 3, -2],
            [int256((1 << 30) - 1), type(int32).max, 1],
            [-int256(1 << 30), type(int32).max, -1]
        ];
        cases[12][0] = (1 << 30);
        for (uint256 i; i < cases.length; ++i) {
            same(kinds.divide(cases[i][0], cases[i][1]), cases[i][2], vm.toString(i));
        }
    }

    function testFuzz_divisions(int96 n, int32 divisor) public view {
        if (divisor < 1) divisor = divisor == type(int32).min ? int32(1) : 1 - divisor;
        int256 q = kinds.divide(n, divisor);
        int256 rest = int256(n) + divisor / 2 - q * divisor;
        holds(rest >= 0 && rest < divisor, "the remainder is one");
    }

    /// Of equals the first; the least value too.
    function test_attack_27_the_first_of_equals() public view {
        _first(hex"0102030303", 1, 1, 5, 3, 2);
        _first(hex"8080808080", 1, 1, 5, -128, 0);
        _first(hex"80ff80ff7f", 1, 1, 4, -1, 1);
        _first(hex"0505050505", 0, 1, 5, 5, 0);
        // Every second of i16.
        _first(hex"0080ff7fff7f0000ff7f", 4, 2, 3, 32767, 1);
    }

    function _first(bytes memory data, uint256 step, uint256 size, uint256 count, int256 most, uint256 where) private view {
        (int256 value, uint256 place) = kinds.first(data, step, size, count);
        same(value, most, "value");
        same(place, where, "place");
    }

    function _op() private pure returns (Op memory op) {
        (op.fold, op.outType, op.aType, op.split) = (2, 1, 1, 1);
        (op.out, op.red) = ([uint32(1), 1, 1, 1], [uint32(1), 1, 1]);
    }

    function _third() private pure returns (Op memory op) {
        op = _op();
        (op.way, op.thirdType, op.thirdKind) = (3, 1, 3);
    }

    /// Operator bytes are as long as the flag and the kinds say.
    function test_attack_28_the_length_of_operator_bytes() public view {
        bytes32[3] memory roots;
        bytes memory plain = Model.operatorBytes(_op(), roots);
        bytes memory extended = Model.operatorBytes(_third(), roots);
        Op memory op = _third();
        op.thirdKind = 1;
        bytes memory table = Model.operatorBytes(op, roots, 0);
        same(plain.length, 224, "plain");
        same(extended.length, 256, "extended");
        same(table.length, 288, "table");
        bytes[3] memory all = [plain, extended, table];
        for (uint256 i; i < 3; ++i) {
            bytes memory d = all[i];
            holds(kinds.isOperator(d), "as long as it says");
            holds(!kinds.isOperator(bytes.concat(d, bytes32(0))), "a root too many");
            holds(!kinds.isOperator(bytes.concat(d, hex"00")), "a byte too many");
            for (uint256 cut = 1; cut <= 33; cut += 16) {
                bytes memory short = bytes.concat(d);
                assembly ("memory-safe") {
                    mstore(short, sub(mload(short), cut))
                }
                holds(!kinds.isOperator(short), "too short");
            }
            for (uint256 flag; flag < 256; ++flag) {
                if (flag == uint8(d[7])) continue;
                bytes memory bent = bytes.concat(d);
                bent[7] = bytes1(uint8(flag));
                // With the flag alone turned over, a plain operator's last root is read as the word of a third operand.
                holds(!kinds.isOperator(bent), "another flag");
            }
        }
        // Of 224 bytes with the flag there is no record's root.
        bytes memory bare = new bytes(224);
        bare[7] = 0x01;
        holds(!kinds.isOperator(bare), "no root");
        holds(!kinds.isOperator(new bytes(0)) && !kinds.isOperator(new bytes(192)), "nothing");
    }

    function test_attack_28_the_third_operand_is_sized() public view {
        bytes32[3] memory roots;
        bytes memory d = Model.operatorBytes(_third(), roots);
        for (uint256 code; code < 256; ++code) {
            d[192] = bytes1(uint8(code));
            holds(kinds.isSized(d) == (code >= 1 && code <= 3), "third type");
        }
        for (uint256 bits; bits < 256; ++bits) {
            d[197] = bytes1(uint8(bits));
            same(kinds.lift(d), bits < 30 ? bits : 30, "lift");
        }
        // Without a third operand the same place is a root's.
        d = Model.operatorBytes(_op(), [bytes32(0), 0, bytes32(uint256(0xff) << 248)]);
        holds(kinds.isSized(d), "no third operand");
    }
}
