// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IGame} from "../sol/IGame.sol";
import {IReferee} from "../sol/IReferee.sol";
import {Referee} from "../sol/Referee.sol";
import {Base} from "./Base.sol";
import {Model, Op, Window} from "./Model.sol";
import {Naive} from "./Naive.sol";

/// Operators drawn at random, judged by the model.
contract RefereeTest is Base {
    struct Case {
        Op op;
        bytes d;
        uint256 e;
        bytes a;
        bytes b;
        bytes records;
        IReferee.Roots roots;
        IGame.Witness w;
    }

    Referee private referee;

    function setUp() public {
        referee = new Referee();
    }

    function step(Case memory c) private view returns (int256) {
        return referee.step(c.roots, c.d, c.e, c.w);
    }

    function u32s(uint256 seed, uint256 salt, uint256 below) private pure returns (uint32) {
        return uint32(pick(seed, salt, below));
    }

    function draw(uint256 seed) private pure returns (Op memory op) {
        op.fold = 1 + uint8(pick(seed, 0, 4));
        op.outType = 1 + uint8(pick(seed, 1, 3));
        op.aType = 1 + uint8(pick(seed, 2, 3));
        op.aKind = pick(seed, 3, 2) == 0 ? 0 : 2;
        bool two = op.fold == 1 || op.fold == 4;
        if (two) (op.bType, op.bKind) = (1 + uint8(pick(seed, 4, 3)), 1);
        if (pick(seed, 5, 2) == 0) (op.aType, op.bType) = (1, two ? 1 : 0);
        for (uint256 i; i < 4; ++i) {
            op.out[i] = 1 + u32s(seed, 10 + i, 3);
            op.a[1 + i] = u32s(seed, 20 + i, 40);
            op.b[1 + i] = two ? u32s(seed, 30 + i, 40) : 0;
            op.p[i] = u32s(seed, 40 + i, 4);
        }
        op.red = [1 + u32s(seed, 50, 3), 1 + u32s(seed, 51, 3), 1 + u32s(seed, 52, 300)];
        if (op.fold == 4) op.red = [uint32(1), 1, 1];
        op.a[0] = u32s(seed, 60, 50);
        (op.a[5], op.a[6], op.a[7]) = (u32s(seed, 61, 60), u32s(seed, 62, 60), u32s(seed, 63, 4));
        if (two) {
            op.b[0] = u32s(seed, 64, 50);
            (op.b[5], op.b[6], op.b[7]) = (u32s(seed, 65, 60), u32s(seed, 66, 60), u32s(seed, 67, 4));
        }
        if (pick(seed, 68, 2) == 0) (op.a[7], op.b[7]) = (1, two ? 1 : 0);
        if (op.fold != 4) {
            for (uint256 i; i < 2; ++i) {
                if (pick(seed, 70 + i, 2) == 0) continue;
                op.windows[i] = Window(
                    1 + u32s(seed, 72 + i, 5), 1 + u32s(seed, 74 + i, 30), 1 + uint16(pick(seed, 76 + i, 2)),
                    1 + uint16(pick(seed, 78 + i, 2)), uint16(pick(seed, 80 + i, 4))
                );
            }
        }
        if (op.fold == 3) op.pad = op.aType == 1 ? -128 : op.aType == 2 ? -32768 : type(int32).min;
        else if (pick(seed, 82, 3) == 0) op.pad = int32(int256(pick(seed, 83, 256))) - 128;
        if (op.fold == 4) (op.scaleA, op.scaleB) = (int32(u32s(seed, 84, 1 << 31)), -int32(u32s(seed, 85, 1 << 31)));
        (op.lo, op.hi) = (type(int32).min, type(int32).max);
        op.split = 1 + u32s(seed, 86, uint32(Model.terms(op)));
    }

    function _extent(uint32[8] memory map, Op memory op) private pure returns (uint256 n) {
        n = map[0] + 1;
        for (uint256 i; i < 4; ++i) n += map[1 + i] * (op.out[i] - 1);
        for (uint256 i; i < 3; ++i) n += map[5 + i] * (op.red[i] - 1);
    }

    function make(uint256 seed) private pure returns (Case memory c) {
        Op memory op = draw(seed);
        uint256 elements = _extent(op.a, op);
        for (uint256 i; i < 2; ++i) if (op.windows[i].limit != 0) elements += (op.windows[i].limit - 1) * op.windows[i].stride;
        c.op = op;
        c.a = noise(seed ^ 1, elements * Model.size(op.aType));
        c.b = noise(seed ^ 2, _extent(op.b, op) * (op.bType == 0 ? 1 : Model.size(op.bType)));
        uint256 records = 1;
        for (uint256 i; i < 4; ++i) records += (op.out[i] - 1) * op.p[i];
        for (uint256 i; i < records; ++i) {
            uint256 r = pick(seed, 5000 + i, type(uint256).max);
            c.records = bytes.concat(c.records, Model.record(int32(uint32(r)), 1 | uint32(r >> 33), uint8(1 + (r >> 64) % 62)));
        }
        c.e = pick(seed, 90, Model.elements(op));
        bytes32[] memory aLeaves = Naive.leavesOf(c.a);
        bytes32[] memory bLeaves = Naive.leavesOf(c.b);
        bytes32[] memory pLeaves = Naive.leavesOf(c.records);
        op.depths[1] = uint8(Naive.depth(aLeaves.length));
        if (op.bType != 0) op.depths[2] = uint8(Naive.depth(bLeaves.length));
        op.depths[3] = uint8(Naive.depth(pLeaves.length));
        bytes32[] memory constants = new bytes32[](3);
        (constants[0], constants[1], constants[2]) = (Naive.root(bLeaves), Naive.root(pLeaves), keccak256("other"));
        op.params = 1;
        c.roots.constants = Naive.root(constants);
        c.roots.constantsDepth = 2;
        bytes32[] memory layers = new bytes32[](5);
        for (uint256 i; i < 5; ++i) layers[i] = keccak256(abi.encode(seed, "layer", i));
        layers[3] = Naive.root(aLeaves);
        if (op.aKind == 0) {
            c.roots.input = layers[3];
        } else {
            c.roots.trace = Naive.root(layers);
            c.roots.traceDepth = 3;
            op.aIndex = 3;
        }
        c.d = Model.descriptor(op);
        bool[] memory known = new bool[](pLeaves.length);
        known[Model.recordAddress(op, c.e) * 16 / 128] = true;
        c.w.params = Naive.open(c.records, known, Naive.path(constants, 1));
        _operands(c, 0, Model.terms(op), Naive.path(layers, 3), Naive.path(constants, 0), seed);
    }

    function _operands(Case memory c, uint256 from, uint256 to, bytes32[] memory aPath, bytes32[] memory bPath, uint256 seed)
        private
        pure
    {
        bool[] memory aKnown = new bool[]((c.a.length + 127) / 128);
        bool[] memory bKnown = new bool[]((c.b.length + 127) / 128);
        bool any;
        for (uint256 t = from; t < to; ++t) {
            (bool inside, uint256 address_) = Model.aAddress(c.op, c.e, t);
            if (inside) aKnown[address_ * Model.size(c.op.aType) / 128] = any = true;
            if (c.op.bType != 0) bKnown[Model.bAddress(c.op, c.e, t) * Model.size(c.op.bType) / 128] = true;
        }
        // Tiles that nobody reads may be opened too.
        if (!any || pick(seed, 91, 4) == 0) aKnown[pick(seed, 92, aKnown.length)] = true;
        c.w.a = Naive.open(c.a, aKnown, c.op.aKind == 0 ? new bytes32[](0) : aPath);
        if (c.op.bType != 0) c.w.b = Naive.open(c.b, bKnown, bPath);
    }

    function right(Case memory c) private pure returns (int256) {
        int256 acc = Model.fold(c.op, c.e, 0, Model.terms(c.op), c.a, c.b);
        return Model.finaliseBy(c.op, c.e, acc, c.records);
    }

    function testFuzz_step(uint256 seed) public view {
        Case memory c = make(seed);
        same(step(c), right(c), "step");
    }

    function testFuzz_segments_and_fold(uint256 seed) public view {
        Case memory c = make(seed);
        IGame.Opened memory record = c.w.params;
        IGame.Opened memory none;
        c.w.params = none;
        uint256 k = Model.terms(c.op);
        bytes memory sums;
        bool small = true;
        for (uint256 i; i * c.op.split < k; ++i) {
            uint256 end = (i + 1) * c.op.split < k ? (i + 1) * c.op.split : k;
            int256 partial_ = Model.fold(c.op, c.e, i * c.op.split, end, c.a, c.b);
            if (partial_ >= 1 << 62 || partial_ <= -1 << 62) small = false;
            if (!small) break;
            if (i < 6) same(referee.segment(c.roots, c.d, c.e, i, c.w), partial_, "segment");
            sums = bytes.concat(sums, bytes8(uint64(int64(partial_))));
        }
        // An operator drawn at random may be beyond the bounds of a legal one.
        if (small) same(referee.fold(c.roots, c.d, c.e, sums, record), right(c), "fold");
    }

    function refused(Case memory c, bytes4 refusal) private {
        vm.expectRevert(refusal);
        referee.step(c.roots, c.d, c.e, c.w);
    }

    function _bit(bytes memory data, uint256 seed, uint256 salt) private pure {
        data[pick(seed, salt, data.length)] ^= bytes1(uint8(1 << pick(seed, salt + 1, 8)));
    }

    function _bit(bytes32[] memory nodes, uint256 seed, uint256 salt) private pure returns (bool) {
        if (nodes.length == 0) return false;
        nodes[pick(seed, salt, nodes.length)] ^= bytes32(uint256(1) << pick(seed, salt + 1, 256));
        return true;
    }

    function testFuzz_an_altered_bit_is_refused(uint256 seed) public {
        for (uint256 part; part < 5; ++part) {
            Case memory c = make(seed);
            uint256 which = pick(seed, 200 + part, 3);
            if (which == 1 && c.op.bType == 0) which = 0;
            IGame.Opened memory o = which == 0 ? c.w.a : which == 1 ? c.w.b : c.w.params;
            bool altered = true;
            if (part == 0) _bit(o.tiles, seed, 210);
            else if (part == 1) _bit(o.indices, seed, 210);
            else if (part == 2) altered = _bit(o.proof, seed, 210);
            else if (part == 3) altered = _bit(o.rootPath, seed, 210);
            else o.root ^= bytes32(uint256(1) << pick(seed, 210, 256));
            if (altered) refused(c, IGame.BadOpening.selector);
        }
    }

    function test_counts() public {
        Case memory c = make(3);
        c.w.a.tiles = bytes.concat(c.w.a.tiles, hex"00");
        refused(c, IGame.WrongCount.selector);
        c = make(3);
        c.w.a.tiles = bytes.concat(c.w.a.tiles, new bytes(128));
        refused(c, IGame.WrongCount.selector);
        c = make(3);
        c.w.a.indices = bytes.concat(c.w.a.indices, hex"00");
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

    function test_a_descriptor_of_another_length() public {
        Case memory c = make(3);
        c.d = bytes.concat(c.d, hex"00");
        refused(c, IGame.WrongLength.selector);
    }

    /// A dot of two long rows, of which one tile is held back.
    function test_a_missing_tile() public {
        Case memory c = rows();
        same(step(c), right(c), "row");
        for (uint256 gone; gone < 5; ++gone) {
            c = rows();
            bool[] memory known = new bool[](5);
            for (uint256 i; i < 5; ++i) known[i] = i != gone;
            c.w.a = Naive.open(c.a, known, new bytes32[](0));
            refused(c, IGame.WitnessMissing.selector);
            c = rows();
            c.w.b = Naive.open(c.b, known, c.w.b.rootPath);
            refused(c, IGame.WitnessMissing.selector);
        }
    }

    function rows() private pure returns (Case memory c) {
        Op memory op;
        (op.fold, op.outType, op.aType, op.bType, op.bKind) = (1, 3, 1, 1, 1);
        op.out = [uint32(1), 1, 1, 1];
        op.red = [uint32(1), 1, 600];
        (op.a[0], op.a[7], op.b[0], op.b[7]) = (3, 1, 40, 1);
        (op.lo, op.hi, op.split, op.params) = (type(int32).min, type(int32).max, 600, 1);
        op.depths = [0, 3, 3, 0];
        (c.op, c.a, c.b, c.records) = (op, noise(1, 640), noise(2, 640), Model.record(-5, 7, 3));
        bytes32[] memory constants = new bytes32[](2);
        constants[0] = Naive.root(Naive.leavesOf(c.b));
        constants[1] = Naive.root(Naive.leavesOf(c.records));
        c.roots.input = Naive.root(Naive.leavesOf(c.a));
        c.roots.constants = Naive.root(constants);
        c.roots.constantsDepth = 1;
        c.d = Model.descriptor(op);
        bool[] memory known = new bool[](1);
        known[0] = true;
        c.w.params = Naive.open(c.records, known, Naive.path(constants, 1));
        _operands(c, 0, 600, new bytes32[](0), Naive.path(constants, 0), 1);
    }

    function test_what_is_not_read_must_be_empty() public {
        Case memory c = rows();
        IGame.Witness memory w = c.w;
        vm.expectRevert(IGame.WitnessExtra.selector);
        referee.segment(c.roots, c.d, 0, 0, w);
        c.op.fold = 2;
        c.op.bType = 0;
        c.d = Model.descriptor(c.op);
        refused(c, IGame.WitnessExtra.selector);
        IGame.Opened memory none;
        c.w.b = none;
        same(step(c), right(c), "sum");
        c.w.b.root = bytes32(uint256(1));
        refused(c, IGame.WitnessExtra.selector);
    }

    function test_no_legal_fold() public {
        Case memory c = rows();
        c.op.fold = 5;
        c.d = Model.descriptor(c.op);
        refused(c, IGame.WrongDescriptor.selector);
        c = rows();
        c.op.red = [uint32(1), 0, 600];
        c.d = Model.descriptor(c.op);
        refused(c, IGame.WrongDescriptor.selector);
        c = rows();
        IGame.Opened memory none;
        (c.op.bType, c.w.b) = (0, none);
        c.d = Model.descriptor(c.op);
        refused(c, IGame.WrongDescriptor.selector);
    }
}
