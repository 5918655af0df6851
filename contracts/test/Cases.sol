// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IGame} from "../sol/IGame.sol";
import {IReferee} from "../sol/IReferee.sol";
import {Referee} from "../sol/Referee.sol";
import {Base} from "./Base.sol";
import {Model, Op, Window} from "./Model.sol";
import {Naive} from "./Naive.sol";
import {Witness, Packed} from "./Packed.sol";

/// Operators drawn at random with operands committed somewhere, and how the game asks the referee about them.
abstract contract Cases is Base {
    struct Case {
        Op op;
        bytes operator;
        uint256 e;
        bytes a;
        bytes b;
        bytes records;
        /// The table or the divisors.
        bytes third;
        bytes32 trace;
        bytes32 list;
        bytes32 input;
        Witness w;
        /// Instead of it, if there is any.
        bytes packed;
    }

    /// The layers of the trace, the operators of the layer, and the place of the operator in the program.
    uint256 internal constant LAYERS = 5;
    uint256 internal constant OPERATORS = 6;
    uint256 internal constant PLACE = 77;

    Referee internal referee;

    function setUp() public {
        referee = new Referee();
    }

    // Asking, as the game does.

    function word(Case memory c, uint256 tile, uint256 element, uint256 subject) internal pure returns (uint256) {
        c;
        return tile << 16 | PLACE << 48 | OPERATORS << 184 | element << 192 | subject << 200;
    }

    function ask(bytes memory call, Case memory c) internal view returns (bool done, bytes memory answer) {
        call = bytes.concat(call, abi.encode(IReferee.Context("claim", LAYERS, c.input, 0)));
        return address(referee).staticcall(call);
    }

    function posted(Case memory c) internal pure returns (IGame.Posted memory) {
        return IGame.Posted("job", address(0xe), c.trace, "output");
    }

    function footing(uint256 word_) internal pure returns (IGame.Footing memory) {
        return IGame.Footing(word_, "seat");
    }

    /// Names the case's element, of which the claim says `value`.
    function name(Case memory c, int256 value) private view returns (bool, bytes memory) {
        uint256 size = Model.size(c.op.outType);
        bytes memory tile = noise(5, 128);
        Model.put(tile, c.e % (128 / size), c.op.outType, value);
        uint256 tiles = (Model.elements(c.op) * size + 127) / 128;
        IGame.Footing memory s = footing(word(c, c.e / (128 / size), 0, tiles));
        uint8 element = uint8(c.e % (128 / size));
        bytes32[] memory none;
        bytes memory call =
            abi.encodeCall(IGame.name, (posted(c), 0, s, c.list, tile, 0, none, element, c.operator, c.packed.length == 0 ? Packed.all(c.w) : c.packed));
        return ask(call, c);
    }

    function judged(Case memory c, int256 value) internal view returns (uint8 phase, bytes32 point) {
        (bool done, bytes memory answer) = name(c, value);
        if (!done) {
            assembly ("memory-safe") {
                revert(add(answer, 32), mload(answer))
            }
        }
        uint256 e;
        int256 said;
        (phase, e, said, point) = abi.decode(answer, (uint8, uint256, int256, bytes32));
        same(e, c.e, "element");
        same(said, value, "value");
    }

    function refused(Case memory c, bytes4 refusal) internal view {
        (bool done, bytes memory why) = name(c, 0);
        holds(!done, "refused");
        same(bytes32(bytes4(why)), bytes32(refusal), "refusal");
    }

    // Drawing.

    function u32s(uint256 seed, uint256 salt, uint256 below) private pure returns (uint32) {
        return uint32(pick(seed, salt, below));
    }

    function draw(uint256 seed) private pure returns (Op memory op) {
        op.fold = 1 + uint8(pick(seed, 0, 6));
        op.outType = 1 + uint8(pick(seed, 1, 3));
        op.aType = 1 + uint8(pick(seed, 2, 3));
        op.aKind = uint8(pick(seed, 3, 4));
        bool single = op.fold == 4 || op.fold == 5;
        bool two = single || op.fold == 1;
        if (two) (op.bType, op.bKind) = (1 + uint8(pick(seed, 4, 3)), uint8(pick(seed, 6, 4)));
        if (pick(seed, 5, 2) == 0) (op.aType, op.bType) = (1 + uint8(pick(seed, 7, 2)), two ? 1 : 0);
        for (uint256 i; i < 4; ++i) {
            op.out[i] = 1 + u32s(seed, 10 + i, 3);
            op.a[1 + i] = u32s(seed, 20 + i, 40);
            op.b[1 + i] = two ? u32s(seed, 30 + i, 40) : 0;
            op.p[i] = u32s(seed, 40 + i, 4);
        }
        op.red = [1 + u32s(seed, 50, 3), 1 + u32s(seed, 51, 3), 1 + u32s(seed, 52, 300)];
        if (single) op.red = [uint32(1), 1, 1];
        op.a[0] = u32s(seed, 60, 50);
        (op.a[5], op.a[6], op.a[7]) = (u32s(seed, 61, 60), u32s(seed, 62, 60), u32s(seed, 63, 4));
        if (two) {
            op.b[0] = u32s(seed, 64, 50);
            (op.b[5], op.b[6], op.b[7]) = (u32s(seed, 65, 60), u32s(seed, 66, 60), u32s(seed, 67, 4));
        }
        if (pick(seed, 68, 2) == 0) (op.a[7], op.b[7]) = (1, two ? 1 : 0);
        if (op.fold < 5) {
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
        if (op.fold == 5) (op.scaleA, op.scaleB) = (int32(u32s(seed, 84, 40)), 1 + int32(u32s(seed, 85, 90)));
        (op.lo, op.hi) = op.outType == 1 ? (int32(-128), int32(127)) : (int32(-32768), int32(32767));
        if (op.outType == 3) (op.lo, op.hi) = (type(int32).min, type(int32).max);
        op.split = uint32(Model.terms(op));
        op.way = 1 + uint8(pick(seed, 87, 4));
        if (op.way == 2) {
            (op.thirdType, op.thirdKind) = (op.outType, 1);
            op.lo = 50 - int32(u32s(seed, 88, 100));
            op.hi = op.lo + int32(u32s(seed, 89, 300));
        } else if (op.way == 3) {
            (op.thirdType, op.thirdKind) = (1 + uint8(pick(seed, 88, 3)), 1 + uint8(pick(seed, 89, 3)));
            op.lift = uint8(pick(seed, 98, 31));
            for (uint256 i; i < 5; ++i) op.third[i] = u32s(seed, 100 + i, 30);
        }
    }

    function _extent(uint32[8] memory map, Op memory op) private pure returns (uint256 n) {
        n = map[0] + 1;
        for (uint256 i; i < 4; ++i) n += map[1 + i] * (op.out[i] - 1);
        for (uint256 i; i < 3; ++i) n += map[5 + i] * (op.red[i] - 1);
    }

    function make(uint256 seed) internal pure returns (Case memory c) {
        Op memory op = draw(seed);
        uint256 elements = _extent(op.a, op);
        for (uint256 i; i < 2; ++i) if (op.windows[i].limit != 0) elements += (op.windows[i].limit - 1) * op.windows[i].stride;
        c.op = op;
        c.a = noise(seed ^ 1, elements * Model.size(op.aType));
        uint256 further = op.fold == 5 ? uint256(int256((op.scaleB - 1) * op.scaleA)) : 0;
        c.b = noise(seed ^ 2, (_extent(op.b, op) + further) * (op.bType == 0 ? 1 : Model.size(op.bType)));
        // One input is one tensor.
        if (op.bType != 0 && op.aKind == 0 && op.bKind == 0) op.bKind = 1;
        _records(c, seed);
        c.e = pick(seed, 90, Model.elements(op));
        if (op.way == 2) c.third = noise(seed ^ 3, uint256(int256(op.hi - op.lo + 1)) * Model.size(op.thirdType));
        if (op.way == 3) _divisors(c, seed);
        finish(c, seed, 0, Model.terms(op));
    }

    /// Noise, but for the divisor that is read, which is at least 1 and often 1 or the greatest.
    function _divisors(Case memory c, uint256 seed) private pure {
        Op memory op = c.op;
        uint256 n = op.third[0] + 1;
        for (uint256 i; i < 4; ++i) n += op.third[1 + i] * (op.out[i] - 1);
        c.third = noise(seed ^ 3, n * Model.size(op.thirdType));
        uint256 most = 2 ** (8 * Model.size(op.thirdType) - 1) - 1;
        uint256 which = pick(seed, 110, 4);
        uint256 divisor = which == 0 ? 1 : which == 1 ? most : 1 + pick(seed, 111, most);
        Model.put(c.third, Model.thirdAddress(op, c.e, 0, c.records), op.thirdType, int256(divisor));
    }

    function _records(Case memory c, uint256 seed) private pure {
        uint256 records = 1;
        for (uint256 i; i < 4; ++i) records += (c.op.out[i] - 1) * c.op.p[i];
        for (uint256 i; i < records; ++i) {
            uint256 r = pick(seed, 5000 + i, type(uint256).max);
            bytes memory record = Model.record(int32(uint32(r)), 1 | uint32(r >> 33), uint8(1 + (r >> 64) % 62));
            c.records = bytes.concat(c.records, record);
        }
    }

    /// Commits to the operands, and opens what the terms from … to need.
    function finish(Case memory c, uint256 seed, uint256 from, uint256 to) internal pure {
        Op memory op = c.op;
        op.depths[1] = uint8(Naive.tensorDepth((c.a.length + 127) / 128));
        op.depths[2] = op.bType == 0 ? 0 : uint8(Naive.tensorDepth((c.b.length + 127) / 128));
        op.depths[3] = uint8(Naive.tensorDepth((c.records.length + 127) / 128));
        bytes32[] memory layers = new bytes32[](LAYERS);
        bytes32[] memory list = new bytes32[](OPERATORS);
        for (uint256 i; i < LAYERS; ++i) layers[i] = keccak256(abi.encode(seed, "layer", i));
        for (uint256 i; i < OPERATORS; ++i) list[i] = keccak256(abi.encode(seed, "list", i));
        bytes32[3] memory roots = [Naive.tensorRoot(Naive.leavesOf(c.a)), 0, Naive.tensorRoot(Naive.leavesOf(c.records))];
        if (op.bType != 0) roots[1] = Naive.tensorRoot(Naive.leavesOf(c.b));
        bytes32[] memory others = new bytes32[](pick(seed, 95, 4));
        for (uint256 i; i < others.length; ++i) others[i] = keccak256(abi.encode(seed, "other", i));
        if (op.aKind == 0) c.input = roots[0];
        if (op.bType != 0 && op.bKind == 0) c.input = roots[1];
        if (op.aKind == 2) (op.aIndex, op.aRank, op.aExports) = _export(layers, roots[0], 3, others, seed);
        if (op.bKind == 2) (op.bIndex, op.bRank, op.bExports) = _export(layers, roots[1], 1, others, ~seed);
        if (op.aKind == 3) (list[4], op.aIndex) = (roots[0], 4);
        if (op.bKind == 3) (list[5], op.bIndex) = (roots[1], 5);
        bytes32 third;
        if (op.thirdType != 0) {
            third = Naive.tensorRoot(Naive.leavesOf(c.third));
            op.thirdDepth = uint8(Naive.tensorDepth((c.third.length + 127) / 128));
            if (op.thirdKind == 2) {
                (op.thirdIndex, op.thirdRank, op.thirdExports) = _export(layers, third, 2, others, seed);
            }
            if (op.thirdKind == 3) (list[3], op.thirdIndex) = (third, 3);
        }
        (c.trace, c.list) = (Naive.root(layers), Naive.root(list));
        c.operator = Model.operatorBytes(op, roots, third);
        _open(c, seed, from, to);
        if (op.thirdType != 0 && op.thirdKind == 2) c.w.third.rootPath = join(others, Naive.path(layers, 2));
        if (op.thirdType != 0 && op.thirdKind == 3) c.w.third.rootPath = Naive.path(list, 3);
        if (op.aKind == 2) c.w.a.rootPath = join(others, Naive.path(layers, 3));
        if (op.aKind == 3) c.w.a.rootPath = Naive.path(list, 4);
        if (op.bKind == 2) c.w.b.rootPath = join(others, Naive.path(layers, 1));
        if (op.bKind == 3) c.w.b.rootPath = Naive.path(list, 5);
    }

    function _export(bytes32[] memory layers, bytes32 root, uint256 layer, bytes32[] memory others, uint256 seed)
        private
        pure
        returns (uint32, uint8, uint8)
    {
        bytes32[] memory all = new bytes32[](others.length + 1);
        uint256 rank = pick(seed, 96, all.length);
        for (uint256 i; i < all.length; ++i) all[i] = i == rank ? root : others[i < rank ? i : i - 1];
        layers[layer] = Naive.exportsLeaf(all);
        return (uint32(layer), uint8(rank), uint8(all.length));
    }

    function join(bytes32[] memory x, bytes32[] memory y) internal pure returns (bytes32[] memory z) {
        z = new bytes32[](x.length + y.length);
        for (uint256 i; i < z.length; ++i) z[i] = i < x.length ? x[i] : y[i - x.length];
    }

    function _open(Case memory c, uint256 seed, uint256 from, uint256 to) private pure {
        bytes32[] memory none;
        bool[] memory known = new bool[]((c.records.length + 127) / 128);
        known[Model.recordAddress(c.op, c.e) * 16 / 128] = true;
        c.w.params = Naive.open(c.records, known, none);
        bool[] memory aKnown = new bool[]((c.a.length + 127) / 128);
        bool[] memory bKnown = new bool[]((c.b.length + 127) / 128);
        bool any;
        for (uint256 t = from; t < to; ++t) {
            (bool inside, uint256 address_) = Model.aAddress(c.op, c.e, t);
            if (inside) aKnown[address_ * Model.size(c.op.aType) / 128] = any = true;
            if (c.op.bType != 0) bKnown[Model.bAddress(c.op, c.e, t, c.a) * Model.size(c.op.bType) / 128] = true;
        }
        // Tiles that nobody reads may be opened too.
        if (!any || pick(seed, 91, 4) == 0) aKnown[pick(seed, 92, aKnown.length)] = true;
        c.w.a = Naive.open(c.a, aKnown, none);
        if (c.op.bType != 0) c.w.b = Naive.open(c.b, bKnown, none);
        if (c.op.thirdType == 0) return;
        known = new bool[]((c.third.length + 127) / 128);
        int256 acc = Model.settled(c.op, Model.fold(c.op, c.e, 0, Model.terms(c.op), c.a, c.b));
        known[Model.thirdAddress(c.op, c.e, acc, c.records) * Model.size(c.op.thirdType) / 128] = true;
        c.w.third = Naive.open(c.third, known, none);
    }

    function right(Case memory c) internal pure returns (bool ok, int256 value) {
        int256 acc = Model.fold(c.op, c.e, 0, Model.terms(c.op), c.a, c.b);
        return Model.ended(c.op, c.e, acc, c.records, c.third);
    }
}
