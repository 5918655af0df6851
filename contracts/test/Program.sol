// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IGame} from "../sol/IGame.sol";
import {Base} from "./Base.sol";
import {Model, Op, Window} from "./Model.sol";
import {Naive} from "./Naive.sol";
import {Opened, Witness} from "./Packed.sol";

/// A small program of eight operators in five layers (so three padding leaves), and an executor that says of its trace what
/// a test wants.
///
/// Layer 0: operator 0, a dot i8 x i8 -> i16, 320 elements (5 tiles), K = 100 in 3 segments.
/// Layer 1: operator 1, a max over a padded 3 x 3 window with stride 2 of the first 40 elements of operator 0, 12 of i8.
/// Layer 2 exports the first and the last of: operator 2, a pair of operator 0 and the input, 80 of i32 (3 tiles);
/// operator 3, sums of 8 neighbours of operator 2, 10 of i16; operator 4, a dot of operators 3 and 2, 8 of i8, K = 10 in 3
/// segments.
/// Layer 3 exports the second of: operator 5, sums of 2 of operator 4, 4 of i8; operator 6, a pair of 5 and 1, 4 of i16.
/// Layer 4: operator 7, a pair of operators 6 and 2, 4 of i32, the output.
abstract contract Program is Base {
    uint256 internal constant LAYERS = 5;
    uint256 internal constant OPERATORS = 8;

    bytes internal input;
    bytes[6] internal constants;
    bytes32[6] internal constantRoots;
    /// What the operators output, and what the executor says that they do.
    bytes[8] internal truth;
    bytes[8] internal said;
    /// A lie about the first padding leaf of the trace, or of operator 0's tensor; 0 for none.
    bytes32 internal layerLie;
    bytes32 internal tileLie;

    function revealBits() internal pure virtual returns (uint8) {
        return 1;
    }

    function compile() internal {
        input = noise(1, 240);
        constants[0] = noise(2, 4000);
        for (uint256 i; i < 40; ++i) {
            constants[1] = bytes.concat(constants[1], Model.record(int64(int256(i * 37)) - 700, uint32(3 + i), 7));
            constants[3] = bytes.concat(constants[3], Model.record(5 - int64(int256(i)), uint32(1 + i), 1));
        }
        constants[2] = Model.record(0, 1, 5);
        constants[4] = Model.record(-9, 3, 12);
        constants[5] = Model.record(1 << 20, 5, 35);
        for (uint256 i; i < 6; ++i) constantRoots[i] = Naive.tensorRoot(Naive.leavesOf(constants[i]));
        for (uint256 i; i < OPERATORS; ++i) truth[i] = _run(i);
        tellTruth();
    }

    function op(uint256 i) internal pure returns (Op memory o) {
        (o.lo, o.hi) = (-128, 127);
        if (i == 0) {
            (o.fold, o.outType, o.aType, o.bType, o.aKind, o.bKind) = (1, 2, 1, 1, 0, 1);
            o.depths = [3, 2, 5, 3];
            (o.aIndex, o.bIndex, o.params, o.split) = (0, 0, 1, 40);
            o.out = [uint32(1), 1, 8, 40];
            o.red = [uint32(1), 1, 100];
            o.a = [uint32(0), 0, 0, 20, 0, 0, 0, 1];
            o.b = [uint32(0), 0, 0, 0, 100, 0, 0, 1];
            o.p = [uint32(0), 0, 0, 1];
            (o.lo, o.hi) = (-32768, 32767);
        } else if (i == 1) {
            (o.fold, o.outType, o.aType, o.aKind, o.aExports) = (3, 1, 2, 2, 1);
            o.depths = [0, 3, 0, 0];
            (o.params, o.split) = (2, 9);
            o.out = [uint32(3), 4, 1, 1];
            o.red = [uint32(3), 3, 1];
            o.pad = -32768;
            o.windows[0] = Window(5, 8, 2, 1, 1);
            o.windows[1] = Window(8, 1, 2, 1, 1);
        } else if (i == 2) {
            (o.fold, o.outType, o.aType, o.bType, o.aKind, o.aExports) = (4, 3, 2, 1, 2, 1);
            o.depths = [2, 3, 2, 3];
            (o.params, o.split) = (3, 1);
            o.out = [uint32(1), 1, 2, 40];
            o.red = [uint32(1), 1, 1];
            o.a = [uint32(0), 0, 0, 0, 1, 0, 0, 0];
            o.b = [uint32(7), 0, 0, 40, 1, 0, 0, 0];
            o.p = [uint32(0), 0, 0, 1];
            (o.scaleA, o.scaleB) = (3, -5);
            (o.lo, o.hi) = (type(int32).min, type(int32).max);
        } else {
            _smaller(o, i);
        }
    }

    function _smaller(Op memory o, uint256 i) private pure {
        if (i == 3) {
            (o.fold, o.outType, o.aType, o.aKind, o.aIndex) = (2, 2, 3, 3, 0);
            o.depths = [0, 2, 0, 0];
            (o.params, o.split) = (4, 8);
            o.out = [uint32(1), 1, 1, 10];
            o.red = [uint32(1), 1, 8];
            o.a = [uint32(0), 0, 0, 0, 8, 0, 0, 1];
            (o.lo, o.hi) = (-32768, 32767);
        } else if (i == 4) {
            (o.fold, o.outType, o.aType, o.bType, o.aKind, o.bKind) = (1, 1, 2, 3, 3, 3);
            o.depths = [0, 0, 2, 0];
            (o.aIndex, o.bIndex, o.params, o.split) = (1, 0, 5, 4);
            o.out = [uint32(1), 1, 1, 8];
            o.red = [uint32(1), 1, 10];
            o.a = [uint32(0), 0, 0, 0, 0, 0, 0, 1];
            o.b = [uint32(0), 0, 0, 0, 8, 0, 0, 1];
        } else if (i == 5) {
            (o.fold, o.outType, o.aType, o.aKind, o.aIndex, o.aRank, o.aExports) = (2, 1, 1, 2, 2, 1, 2);
            (o.params, o.split) = (2, 2);
            o.out = [uint32(1), 1, 1, 4];
            o.red = [uint32(1), 1, 2];
            o.a = [uint32(0), 0, 0, 0, 2, 0, 0, 1];
        } else if (i == 6) {
            (o.fold, o.outType, o.aType, o.bType, o.aKind, o.bKind) = (4, 2, 1, 1, 3, 2);
            (o.bIndex, o.bExports, o.params, o.split) = (1, 1, 2, 1);
            o.out = [uint32(1), 1, 1, 4];
            o.red = [uint32(1), 1, 1];
            o.a = [uint32(0), 0, 0, 0, 1, 0, 0, 0];
            o.b = [uint32(8), 0, 0, 0, 1, 0, 0, 0];
            (o.scaleA, o.scaleB, o.lo, o.hi) = (1000, 77, -32768, 32767);
        } else {
            (o.fold, o.outType, o.aType, o.bType, o.aKind, o.bKind) = (4, 3, 2, 3, 2, 2);
            (o.aIndex, o.aExports, o.bIndex, o.bRank, o.bExports) = (3, 1, 2, 0, 2);
            o.depths = [0, 0, 2, 0];
            (o.params, o.split) = (2, 1);
            o.out = [uint32(1), 1, 1, 4];
            o.red = [uint32(1), 1, 1];
            o.a = [uint32(0), 0, 0, 0, 1, 0, 0, 0];
            o.b = [uint32(40), 0, 0, 0, 1, 0, 0, 0];
            (o.scaleA, o.scaleB) = (-3, 2);
            (o.lo, o.hi) = (type(int32).min, type(int32).max);
        }
    }

    // Layers.

    function firstOf(uint256 layer) internal pure returns (uint256) {
        return [0, 1, 2, 5, 7, 8][layer];
    }

    function countOf(uint256 layer) internal pure returns (uint256) {
        return firstOf(layer + 1) - firstOf(layer);
    }

    function exportsOf(uint256 layer) internal pure returns (uint8[] memory positions) {
        positions = new uint8[](layer == 2 ? 2 : 1);
        if (layer == 2) positions[1] = 2;
        if (layer == 3) positions[0] = 1;
    }

    function layerOf(uint256 operator) internal pure returns (uint256 layer, uint256 position) {
        while (operator >= firstOf(layer + 1)) ++layer;
        position = operator - firstOf(layer);
    }

    function isExported(uint256 operator) internal pure returns (bool) {
        return operator != 3 && operator != 5;
    }

    function head(uint256 layer) internal pure returns (bytes memory) {
        return Model.head(firstOf(layer), countOf(layer), exportsOf(layer));
    }

    function operatorBytes(uint256 i) internal view returns (bytes memory) {
        Op memory o = op(i);
        bytes32[3] memory roots;
        if (o.aKind == 1) roots[0] = constantRoots[o.aIndex];
        if (o.bKind == 1) roots[1] = constantRoots[o.bIndex];
        roots[2] = constantRoots[o.params];
        return Model.operatorBytes(o, roots);
    }

    function operatorLeaves(uint256 layer) internal view returns (bytes32[] memory leaves) {
        leaves = new bytes32[](countOf(layer));
        for (uint256 i; i < leaves.length; ++i) leaves[i] = Model.operatorLeaf(operatorBytes(firstOf(layer) + i));
    }

    function layersLeaves() internal view returns (bytes32[] memory leaves) {
        leaves = new bytes32[](LAYERS);
        for (uint256 i; i < LAYERS; ++i) leaves[i] = Model.layerLeaf(head(i), Naive.root(operatorLeaves(i)));
    }

    function header() internal pure returns (bytes memory h) {
        h = abi.encodePacked(uint32(4), uint32(LAYERS), uint32(OPERATORS), uint8(1), uint8(3), revealBits(), uint8(3));
        h = abi.encodePacked(h, uint32(240), uint32(4), uint64(10_000), keccak256("meta"));
    }

    // The trace.

    function dataOf(bytes[8] storage tensors, uint8 kind, uint256 index, uint256 rank, uint256 layer)
        private
        view
        returns (bytes memory)
    {
        if (kind == 0) return input;
        if (kind == 1) return constants[index];
        if (kind == 3) return tensors[firstOf(layer) + index];
        return tensors[firstOf(index) + exportsOf(index)[rank]];
    }

    function operandA(bytes[8] storage tensors, uint256 i) internal view returns (bytes memory) {
        (uint256 layer,) = layerOf(i);
        return dataOf(tensors, op(i).aKind, op(i).aIndex, op(i).aRank, layer);
    }

    function operandB(bytes[8] storage tensors, uint256 i) internal view returns (bytes memory) {
        (uint256 layer,) = layerOf(i);
        if (op(i).bType == 0) return "";
        return dataOf(tensors, op(i).bKind, op(i).bIndex, op(i).bRank, layer);
    }

    function _run(uint256 i) private view returns (bytes memory out) {
        Op memory o = op(i);
        out = new bytes(Model.elements(o) * Model.size(o.outType));
        for (uint256 e; e < Model.elements(o); ++e) Model.put(out, e, o.outType, recomputed(truth, i, e));
    }

    /// What element `e` of operator `i` is by the operands in `tensors`.
    function recomputed(bytes[8] storage tensors, uint256 i, uint256 e) internal view returns (int256) {
        Op memory o = op(i);
        int256 acc = Model.fold(o, e, 0, Model.terms(o), operandA(tensors, i), operandB(tensors, i));
        return Model.finaliseBy(o, e, acc, constants[o.params]);
    }

    function tellTruth() internal {
        for (uint256 i; i < OPERATORS; ++i) said[i] = truth[i];
    }

    /// Says another value of one element; of padding too.
    function lie(uint256 operator, uint256 element) internal {
        uint256 size = Model.size(op(operator).outType);
        bytes memory data = said[operator];
        if (element * size >= data.length) data = bytes.concat(data, new bytes((element + 1) * size - data.length));
        data[element * size] ^= 0x01;
        said[operator] = data;
    }

    function tileLeaves(uint256 operator) internal view virtual returns (bytes32[] memory leaves) {
        leaves = Naive.leavesOf(said[operator]);
        if (operator == 0 && tileLie != 0) leaves = _append(leaves, tileLie);
    }

    function rootOf(uint256 operator) internal view virtual returns (bytes32) {
        return Naive.tensorRoot(tileLeaves(operator));
    }

    function exportRoots(uint256 layer) internal view returns (bytes32[] memory roots) {
        uint8[] memory positions = exportsOf(layer);
        roots = new bytes32[](positions.length);
        for (uint256 i; i < roots.length; ++i) roots[i] = rootOf(firstOf(layer) + positions[i]);
    }

    function traceLeaves() internal view returns (bytes32[] memory leaves) {
        leaves = new bytes32[](LAYERS);
        for (uint256 i; i < LAYERS; ++i) leaves[i] = Naive.exportsLeaf(exportRoots(i));
        if (layerLie != 0) leaves = _append(leaves, layerLie);
    }

    /// The roots of a layer's sub-trace.
    function subRoots(uint256 layer) internal view returns (bytes32[] memory roots) {
        roots = new bytes32[](countOf(layer));
        for (uint256 i; i < roots.length; ++i) roots[i] = rootOf(firstOf(layer) + i);
    }

    function _append(bytes32[] memory leaves, bytes32 leaf) private pure returns (bytes32[] memory more) {
        more = new bytes32[](leaves.length + 1);
        for (uint256 i; i < leaves.length; ++i) more[i] = leaves[i];
        more[leaves.length] = leaf;
    }

    // Witnesses, from what the executor said.

    /// How the tensor that an operand of an operator in `layer` names is committed.
    function rootPath(uint8 kind, uint256 index, uint256 rank, uint256 layer)
        internal
        view
        returns (bytes32[] memory path)
    {
        if (kind < 2) return path;
        if (kind == 3) return Naive.path(subRoots(layer), index);
        bytes32[] memory roots = exportRoots(index);
        bytes32[] memory under = Naive.path(traceLeaves(), index);
        path = new bytes32[](roots.length - 1 + under.length);
        for (uint256 i; i + 1 < roots.length; ++i) path[i] = roots[i < rank ? i : i + 1];
        for (uint256 i; i < under.length; ++i) path[roots.length - 1 + i] = under[i];
    }

    function recordOf(uint256 i, uint256 e) internal view returns (Opened memory) {
        Op memory o = op(i);
        bytes memory records = constants[o.params];
        bool[] memory known = new bool[]((records.length + 127) / 128);
        known[Model.recordAddress(o, e) * 16 / 128] = true;
        return Naive.open(records, known, new bytes32[](0));
    }

    function witnessOf(uint256 i, uint256 e) internal view returns (Witness memory w) {
        w = witnessOf(i, e, 0, Model.terms(op(i)));
        w.params = recordOf(i, e);
    }

    /// What the terms from … to of an element need; without record.
    function witnessOf(uint256 i, uint256 e, uint256 from, uint256 to) internal view returns (Witness memory w) {
        Op memory o = op(i);
        (uint256 layer,) = layerOf(i);
        if (to > Model.terms(o)) to = Model.terms(o);
        bytes memory a = operandA(said, i);
        bytes memory b = operandB(said, i);
        bool[] memory aKnown = new bool[]((a.length + 127) / 128);
        bool[] memory bKnown = new bool[]((b.length + 127) / 128);
        bool any;
        for (uint256 t = from; t < to; ++t) {
            (bool inside, uint256 address_) = Model.aAddress(o, e, t);
            if (inside) aKnown[address_ * Model.size(o.aType) / 128] = any = true;
            if (o.bType != 0) bKnown[Model.bAddress(o, e, t) * Model.size(o.bType) / 128] = true;
        }
        if (!any) aKnown[0] = true;
        w.a = Naive.open(a, aKnown, rootPath(o.aKind, o.aIndex, o.aRank, layer));
        if (o.bType != 0) w.b = Naive.open(b, bKnown, rootPath(o.bKind, o.bIndex, o.bRank, layer));
    }

    /// The true partial values, given what was said of the operands.
    function sumsOf(uint256 i, uint256 e) internal view returns (int64[] memory sums) {
        Op memory o = op(i);
        uint256 k = Model.terms(o);
        bytes memory a = operandA(said, i);
        bytes memory b = operandB(said, i);
        sums = new int64[]((k + o.split - 1) / o.split);
        for (uint256 j; j < sums.length; ++j) {
            uint256 end = (j + 1) * o.split < k ? (j + 1) * o.split : k;
            sums[j] = int64(Model.fold(o, e, j * o.split, end, a, b));
        }
    }

    /// Partial values of which that of segment `index` is moved so that they lead to what was said.
    function liar(uint256 i, uint256 e, uint256 index) internal view returns (int64[] memory sums) {
        sums = sumsOf(i, e);
        Op memory o = op(i);
        bytes memory records = constants[o.params];
        uint256 start = Model.recordAddress(o, e) * 16;
        int256 claimed = Model.valueAt(said[i], e, o.outType);
        int256 bias = Model.valueAt(records, start / 4, 3);
        int256 m = Model.valueAt(records, start / 4 + 2, 3);
        int256 acc = claimed * int256(1 << uint8(records[start + 12])) / m - bias;
        int256 others;
        for (uint256 j; j < sums.length; ++j) if (j != index) others += sums[j];
        for (int256 d = -2; d <= 2; ++d) {
            sums[index] = int64(acc + d - others);
            if (Model.finaliseBy(o, e, acc + d, records) == claimed) return sums;
        }
        revert NotTrue("a lie is near");
    }

    function pack(int64[] memory sums) internal pure returns (bytes memory packed) {
        for (uint256 i; i < sums.length; ++i) packed = bytes.concat(packed, bytes8(uint64(sums[i])));
    }
}
