// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IGame} from "../sol/IGame.sol";
import {Phase} from "../sol/MatchWord.sol";
import {Cases} from "./Cases.sol";
import {Model, Op} from "./Model.sol";
import {Naive} from "./Naive.sol";
import {Opened, Witness, Packed} from "./Packed.sol";

/// Operators drawn at random, judged by the model.
contract RefereeTest is Cases {
    function testFuzz_step(uint256 seed) public view {
        _step(seed);
    }

    /// The same again, for there are many kinds.
    function testFuzz_attack_27_step_of_every_kind(uint256 seed) public view {
        _step(~seed);
    }

    function _step(uint256 seed) private view {
        Case memory c = make(seed);
        (bool ok, int256 value) = right(c);
        if (!ok) {
            refused(c, IGame.OutOfRange.selector);
            return;
        }
        (uint8 phase, bytes32 point) = judged(c, value);
        same(phase, Phase.LOST, "right");
        same(point, 0, "no point");
        int256 wrong = value ^ 1;
        (phase, point) = judged(c, wrong);
        same(phase, Phase.WON, "wrong");
        uint256 size = Model.size(c.op.outType);
        // The noise that stands before the element.
        bytes memory before = new bytes(c.e % (128 / size) * size);
        bytes memory tile = noise(5, 128);
        for (uint256 i; i < before.length; ++i) before[i] = tile[i];
        bytes memory where = abi.encode(PLACE, c.op.depths[0], size, c.e, value, keccak256(before));
        same(point, keccak256(where), "point");
    }

    function testFuzz_segments_and_fold(uint256 seed) public view {
        Case memory c = make(seed);
        c.op.split = 1 + uint32(pick(seed, 86, Model.terms(c.op)));
        finish(c, seed, 0, Model.terms(c.op));
        Opened memory record = c.w.params;
        Opened memory third = c.w.third;
        Opened memory none;
        (c.w.params, c.w.third) = (none, none);
        uint256 k = Model.terms(c.op);
        bytes memory sums;
        for (uint256 i; i * c.op.split < k; ++i) {
            uint256 end = (i + 1) * c.op.split < k ? (i + 1) * c.op.split : k;
            int256 partial_ = Model.fold(c.op, c.e, i * c.op.split, end, c.a, c.b);
            // An operator drawn at random may be beyond the bounds of a legal one.
            if (partial_ >= 1 << 62 || partial_ <= -1 << 62) return;
            sums = bytes.concat(sums, bytes8(uint64(int64(partial_))));
        }
        for (uint256 i; i < 6 && i * 8 < sums.length; ++i) {
            holds(_segment(c, sums, i), "right");
            sums[i * 8 + 7] ^= 0x01;
            holds(!_segment(c, sums, i), "wrong");
            sums[i * 8 + 7] ^= 0x01;
        }
        (bool ok, int256 value) = right(c);
        same(bytes32(_fold(c, sums, record, third, value)), ok ? bytes4(0) : IGame.OutOfRange.selector, "fold");
        if (!ok) return;
        same(bytes32(_fold(c, sums, record, third, value ^ 1)), IGame.FoldMismatch.selector, "another value");
        bytes4 extra = c.op.thirdType == 0 ? IGame.WitnessExtra.selector : IGame.BadOpening.selector;
        Opened memory bent = Opened(new bytes32[](9), third.indices, third.tiles, third.proof);
        same(bytes32(_fold(c, sums, record, bent, value)), bytes32(extra), "a third that is none");
        (c.w.third, c.w.params) = (third, none);
        if (c.op.thirdType == 0) c.w.third = record;
        bytes memory segment = abi.encodeCall(IGame.segment, (posted(c), 0, _named(c, 0), c.list, c.operator, sums, 0, Packed.all(c.w)));
        (bool done, bytes memory why) = ask(segment, c);
        holds(!done && bytes4(why) == IGame.WitnessExtra.selector, "a segment reads no third");
    }

    function _named(Case memory c, int256 value) private pure returns (IGame.Footing memory) {
        uint256 perTile = 128 / Model.size(c.op.outType);
        return footing(word(c, c.e / perTile, c.e % perTile, uint32(int32(value))));
    }

    function _segment(Case memory c, bytes memory sums, uint256 index) private view returns (bool) {
        IGame.Footing memory s = _named(c, 0);
        bytes memory call =
            abi.encodeCall(IGame.segment, (posted(c), 0, s, c.list, c.operator, sums, uint32(index), Packed.all(c.w)));
        (bool done, bytes memory answer) = ask(call, c);
        holds(done, "segment");
        return abi.decode(answer, (bool));
    }

    function _fold(
        Case memory c,
        bytes memory sums,
        Opened memory record,
        Opened memory third,
        int256 value
    ) private view returns (bytes4) {
        IGame.Footing memory s = _named(c, value);
        bytes memory call = abi.encodeCall(IGame.fold, (posted(c), 0, s, c.list, address(0), c.operator, sums, Packed.ending(record, third), ""));
        (bool done, bytes memory why) = ask(call, c);
        return done ? bytes4(0) : bytes4(why);
    }

    function _bit(bytes memory data, uint256 seed, uint256 salt) private pure {
        data[pick(seed, salt, data.length)] ^= bytes1(uint8(1 << pick(seed, salt + 1, 8)));
    }

    function _bit(bytes32[] memory nodes, uint256 seed, uint256 salt) private pure returns (bool) {
        if (nodes.length == 0) return false;
        nodes[pick(seed, salt, nodes.length)] ^= bytes32(uint256(1) << pick(seed, salt + 1, 256));
        return true;
    }

    function testFuzz_an_altered_bit_is_refused(uint256 seed) public view {
        for (uint256 part; part < 5; ++part) {
            Case memory c = make(seed);
            uint256 which = pick(seed, 200 + part, 4);
            if (which == 1 && c.op.bType == 0 || which == 3 && c.op.thirdType == 0) which = 0;
            Opened memory o = which == 0 ? c.w.a : which == 1 ? c.w.b : which == 2 ? c.w.params : c.w.third;
            bool altered = true;
            if (part == 0) _bit(o.tiles, seed, 210);
            else if (part == 1) _bit(o.indices, seed, 210);
            else if (part == 2) altered = _bit(o.proof, seed, 210);
            else if (part == 3) altered = _bit(o.rootPath, seed, 210);
            else o.rootPath = join(o.rootPath, new bytes32[](1));
            if (altered) refused(c, IGame.BadOpening.selector);
        }
    }

    function test_counts() public view {
        Case memory c = make(3);
        c.w.a.tiles = bytes.concat(c.w.a.tiles, hex"00");
        refused(c, IGame.WrongCount.selector);
        c = make(3);
        c.w.a.tiles = bytes.concat(c.w.a.tiles, new bytes(128));
        refused(c, IGame.WrongCount.selector);
        c = make(3);
        c.w.a.indices = bytes.concat(c.w.a.indices, hex"00000001");
        refused(c, IGame.WrongCount.selector);
        c = make(3);
        (c.w.a.indices, c.w.a.tiles) = (new bytes(0), new bytes(0));
        refused(c, IGame.WrongCount.selector);
        c = make(3);
        (c.w.a.indices, c.w.a.tiles) = (new bytes(4 * 193), new bytes(128 * 193));
        refused(c, IGame.WrongCount.selector);
        (c.w.a.indices, c.w.a.tiles) = (new bytes(4 * 192), new bytes(128 * 192));
        refused(c, IGame.BadOpening.selector);
    }

    /// Openings end where the bytes do.
    function test_lengths() public view {
        Case memory c = make(3);
        bytes memory good = Packed.all(c.w);
        c.packed = bytes.concat(good, hex"00");
        refused(c, IGame.WrongLength.selector);
        for (uint256 less = 1; less < good.length; less += less < 40 ? 1 : 97) {
            bytes memory short = new bytes(good.length - less);
            for (uint256 i; i < short.length; ++i) short[i] = good[i];
            c.packed = short;
            refused(c, IGame.WrongLength.selector);
        }
        // None at all are four that are empty, as these are.
        c.packed = new bytes(24);
        refused(c, IGame.WrongCount.selector);
        c.packed = new bytes(23);
        refused(c, IGame.WrongLength.selector);
        Witness memory empty;
        (c.packed, c.w) = ("", empty);
        refused(c, IGame.WrongCount.selector);
    }

    /// A dot of two long rows, of which one tile is held back.
    function test_a_missing_tile() public view {
        Case memory c = rows();
        (, int256 value) = right(c);
        (uint8 phase,) = judged(c, value);
        same(phase, Phase.LOST, "row");
        for (uint256 gone; gone < 5; ++gone) {
            c = rows();
            bool[] memory known = new bool[](5);
            for (uint256 i; i < 5; ++i) known[i] = i != gone;
            c.w.a = Naive.open(c.a, known, new bytes32[](0));
            refused(c, IGame.WitnessMissing.selector);
            c = rows();
            c.w.b = Naive.open(c.b, known, new bytes32[](0));
            refused(c, IGame.WitnessMissing.selector);
        }
    }

    function rows() private pure returns (Case memory c) {
        Op memory op;
        (op.fold, op.outType, op.aType, op.bType, op.bKind) = (1, 3, 1, 1, 1);
        op.out = [uint32(1), 1, 1, 1];
        op.red = [uint32(1), 1, 600];
        (op.a[0], op.a[7], op.b[0], op.b[7]) = (3, 1, 40, 1);
        (op.lo, op.hi, op.split) = (type(int32).min, type(int32).max, 600);
        (c.op, c.a, c.b, c.records) = (op, noise(1, 640), noise(2, 640), Model.record(-5, 7, 3));
        finish(c, 1, 0, 600);
    }

    function test_what_is_not_read_must_be_empty() public view {
        Case memory c = rows();
        c.op.fold = 2;
        (c.op.bType, c.op.bKind) = (0, 0);
        finish(c, 1, 0, 600);
        refused(c, IGame.WitnessExtra.selector);
        Opened memory none;
        c.w.b = none;
        (, int256 value) = right(c);
        (uint8 phase,) = judged(c, value);
        same(phase, Phase.LOST, "sum");
        c.w.b.rootPath = new bytes32[](1);
        refused(c, IGame.WitnessExtra.selector);
    }

    function test_kinds_and_exports_that_do_not_exist() public view {
        for (uint256 i; i < 5; ++i) {
            Case memory c = rows();
            if (i == 0) c.op.aKind = 4;
            if (i == 1) (c.op.aKind, c.op.aExports, c.op.aRank) = (2, 0, 0);
            if (i == 2) (c.op.aKind, c.op.aExports, c.op.aRank) = (2, 1, 1);
            if (i == 3) (c.op.aKind, c.op.aExports) = (2, 9);
            if (i == 4) (c.op.aKind, c.op.aIndex) = (3, 8);
            bytes32[3] memory roots = [bytes32(0), Naive.tensorRoot(Naive.leavesOf(c.b)), Naive.tensorRoot(Naive.leavesOf(c.records))];
            c.operator = Model.operatorBytes(c.op, roots);
            refused(c, IGame.BadOpening.selector);
        }
    }

    function test_no_legal_fold() public view {
        Case memory c = rows();
        c.op.fold = 7;
        finish(c, 1, 0, 600);
        refused(c, IGame.WrongDescriptor.selector);
        c = rows();
        c.op.way = 5;
        finish(c, 1, 0, 600);
        refused(c, IGame.WrongDescriptor.selector);
        // A table and a division without a third operand.
        for (uint8 way = 2; way < 4; ++way) {
            c = rows();
            c.op.way = way;
            finish(c, 1, 0, 600);
            refused(c, IGame.WrongDescriptor.selector);
        }
        c = rows();
        // K = 0: red[1] of word 1.
        c.operator[55] = 0;
        refused(c, IGame.WrongDescriptor.selector);
        c = rows();
        Opened memory none;
        for (uint8 fold = 1; fold < 6; fold += fold == 1 ? 3 : 1) {
            c = rows();
            (c.op.fold, c.op.bType, c.op.bKind) = (fold, 0, 0);
            finish(c, 1, 0, 600);
            c.w.b = none;
            refused(c, IGame.WrongDescriptor.selector);
        }
    }

    /// The widest legal witness: 192 tiles of each operand fit a transaction.
    function test_attack_29_the_largest_witness() public view {
        Op memory op;
        (op.fold, op.outType, op.aType, op.bType, op.bKind) = (1, 3, 2, 1, 1);
        op.out = [uint32(1), 1, 1, 1];
        op.red = [uint32(1), 1, 12_288];
        (op.a[7], op.b[7]) = (1, 1);
        (op.lo, op.hi, op.split) = (type(int32).min, type(int32).max, 12_288);
        Case memory c;
        (c.op, c.a, c.b, c.records) = (op, noise(1, 192 * 128), noise(2, 96 * 128), Model.record(-5, 7, 3));
        finish(c, 1, 0, 12_288);
        (, int256 value) = right(c);
        (uint8 phase,) = judged(c, value);
        same(phase, Phase.LOST, "right");
        // The referee's call: a transaction has 16.7 M, of which 36,864 bytes of tiles take 1.5 M.
        holds(vm.lastCallGas().gasTotalUsed < 5_000_000, "it fits a transaction");
    }
}
