// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IGame} from "../sol/IGame.sol";
import {Phase} from "../sol/MatchWord.sol";
import {Model, Op} from "./Model.sol";
import {Naive} from "./Naive.sol";
import {Setting, Track} from "./Setting.sol";
import {Opened, Witness, Packed} from "./Packed.sol";

/// Both sides' moves. A function with `Call` in its name gives the calldata; the one without sends it, and writes down what
/// must have become of the match.
abstract contract Fixture is Setting {
    function revealCall(bytes32 id, bytes32[] memory nodes) internal view returns (bytes memory) {
        Track storage t = tracks[id];
        return abi.encodeCall(game.reveal, (t.claimId, t.number, shown(id), nodes));
    }

    function reveal(bytes32 id) internal {
        send(EXECUTOR, revealCall(id, children(id)));
        turn(id, true);
        tracks[id].phase += 1;
        check(id);
    }

    struct Entry {
        bytes layer;
        bytes operator;
        bytes32[] path;
    }

    /// What a pick of `position` needs, if it reaches a layer.
    function entry(bytes32 id, uint256 position) internal view returns (Entry memory e) {
        if (tracks[id].phase > Phase.LAYER_C || tracks[id].remaining != bits(id) || position >= LAYERS) return e;
        bool alone = countOf(position) == 1;
        e.layer = head(position);
        e.operator =
            alone ? operatorBytes(firstOf(position)) : abi.encodePacked(Naive.root(operatorLeaves(position)));
        e.path = Naive.path(layersLeaves(), position);
    }

    function pickCall(bytes32 id, uint256 child, Entry memory e) internal view returns (bytes memory) {
        Track storage t = tracks[id];
        bytes32[] memory nodes = children(id);
        bytes32[] memory siblings = Naive.path(nodes, child);
        if (e.path.length == 0 && e.layer.length == 0) {
            return abi.encodeCall(game.pick, (t.claimId, t.number, picked(id), uint32(child), nodes[child], siblings));
        }
        return abi.encodeCall(
            game.enter,
            (
                t.claimId,
                t.number,
                seatedOn(id),
                uint32(child),
                nodes[child],
                siblings,
                e.layer,
                e.operator,
                e.path
            )
        );
    }

    /// Picks on the way to layer `layer`, or to tile `tile`.
    function pickTowards(bytes32 id, uint256 layer, uint256 tile) internal {
        Track storage t = tracks[id];
        uint256 k = bits(id);
        uint256 goal = t.phase <= Phase.LAYER_C ? layer : tile;
        uint256 child = (goal >> (t.remaining - k)) & ((1 << k) - 1);
        uint256 position = (t.position << k) + child;
        bytes32 node = children(id)[child];
        send(t.challenger, pickCall(id, child, entry(id, position)));
        bool inLayers = t.phase <= Phase.LAYER_C;
        uint256 count = inLayers ? LAYERS : t.subject;
        turn(id, false);
        (t.remaining, t.position, t.node) = (t.remaining - k, position, node);
        if (position << t.remaining >= count) {
            t.phase = Phase.WON;
        } else if (!inLayers) {
            t.phase = t.remaining > 2 ? Phase.TILE_E : Phase.DATA_E;
        } else if (t.remaining != 0) {
            t.phase = Phase.LAYER_E;
        } else {
            t.operators = countOf(position);
            if (t.operators == 1) {
                entered(id, firstOf(position), node);
            } else {
                (t.phase, t.place, t.scope) = (Phase.SUB_E, position, layersLeaves()[position]);
            }
        }
        check(id);
    }

    function entered(bytes32 id, uint256 operator, bytes32 node) internal {
        Track storage t = tracks[id];
        Op memory o = op(operator);
        (t.place, t.node, t.scope) = (operator, node, Model.operatorLeaf(operatorBytes(operator)));
        (t.remaining, t.position) = (o.depths[0], 0);
        t.subject = (Model.elements(o) * Model.size(o.outType) + 127) / 128;
        t.phase = t.remaining > 2 ? Phase.TILE_E : Phase.DATA_E;
    }

    function wholeLayer(uint256 layer) internal view returns (bytes memory) {
        return bytes.concat(head(layer), Naive.root(operatorLeaves(layer)));
    }

    function subTraceCall(bytes32 id, bytes32[] memory roots, bytes memory signature)
        internal
        view
        returns (bytes memory)
    {
        Track storage t = tracks[id];
        bytes memory layer = wholeLayer(t.place);
        IGame.Posted memory p = posts[t.claimId];
        return abi.encodeCall(game.subTrace, (p, t.number, seatedOn(id), t.challenger, layer, roots, signature));
    }

    function subTrace(bytes32 id) internal {
        subTrace(id, EXECUTOR, subRoots(tracks[id].place), "");
    }

    function subTrace(bytes32 id, address sender, bytes32[] memory roots, bytes memory signature) internal {
        send(sender, subTraceCall(id, roots, signature));
        turn(id, true);
        Track storage t = tracks[id];
        t.list = t.node = Naive.root(roots);
        t.phase = Phase.SUB_C;
        check(id);
    }

    function pickOperatorCall(bytes32 id, uint256 position) internal view returns (bytes memory) {
        Track storage t = tracks[id];
        bytes32[] memory roots = subRoots(t.place);
        return abi.encodeCall(
            game.pickOperator,
            (
                t.claimId,
                t.number,
                seatedOn(id),
                uint32(position),
                wholeLayer(t.place),
                operatorBytes(firstOf(t.place) + position),
                Naive.path(operatorLeaves(t.place), position),
                roots[position],
                Naive.path(roots, position)
            )
        );
    }

    function pickOperator(bytes32 id, uint256 position) internal {
        Track storage t = tracks[id];
        send(t.challenger, pickOperatorCall(id, position));
        turn(id, false);
        entered(id, firstOf(t.place) + position, subRoots(t.place)[position]);
        check(id);
    }

    /// Reveals, states and picks until tiles are on the table.
    function walk(bytes32 id, uint256 operator, uint256 tile) internal {
        (uint256 layer, uint256 position) = layerOf(operator);
        while (tracks[id].phase < Phase.DATA_E) {
            if (tracks[id].phase == Phase.SUB_E) subTrace(id);
            else if (tracks[id].phase == Phase.SUB_C) pickOperator(id, position);
            else if (executorsTurn(id)) reveal(id);
            else pickTowards(id, layer, tile);
        }
    }

    /// The real tiles under the current node.
    function tilesNow(bytes32 id) internal view returns (bytes memory tiles) {
        Track storage t = tracks[id];
        bytes memory data = said[t.place];
        uint256 first = t.position << t.remaining;
        for (uint256 i = first; i < first + (1 << t.remaining) && i < t.subject; ++i) {
            tiles = bytes.concat(tiles, Naive.tileAt(data, i));
        }
    }

    function revealTilesCall(bytes32 id, bytes memory tiles) internal view returns (bytes memory) {
        Track storage t = tracks[id];
        return abi.encodeCall(game.revealTiles, (t.claimId, t.number, shown(id), tiles));
    }

    function revealTiles(bytes32 id) internal {
        send(EXECUTOR, revealTilesCall(id, tilesNow(id)));
        turn(id, true);
        tracks[id].phase = Phase.NAME;
        check(id);
    }

    /// Names element `e` of the disputed tensor.
    function nameCall(bytes32 id, uint256 e, Witness memory w) internal view returns (bytes memory) {
        Track storage t = tracks[id];
        uint256 perTile = 128 / Model.size(op(t.place).outType);
        uint256 slot = e / perTile - (t.position << t.remaining);
        bytes32[] memory siblings = Naive.tilePathTo(tileLeaves(t.place), e / perTile, t.remaining);
        return abi.encodeCall(
            game.name,
            (
                posts[t.claimId],
                t.number,
                seatedOn(id),
                t.list,
                Naive.tileAt(said[t.place], e / perTile),
                uint8(slot),
                siblings,
                uint8(e % perTile),
                operatorBytes(t.place),
                Packed.all(w)
            )
        );
    }

    function isWhole(uint256 operator, uint256 e) internal pure returns (bool) {
        return e < Model.elements(op(operator)) && Model.terms(op(operator)) <= op(operator).split;
    }

    function name(bytes32 id, uint256 e) internal {
        Witness memory w;
        if (isWhole(tracks[id].place, e)) w = witnessOf(tracks[id].place, e);
        name(id, e, w);
    }

    function name(bytes32 id, uint256 e, Witness memory w) internal {
        Track storage t = tracks[id];
        Op memory o = op(t.place);
        send(t.challenger, nameCall(id, e, w));
        turn(id, false);
        int256 value = Model.valueAt(abi.encodePacked(said[t.place], new bytes(128)), e, o.outType);
        uint256 perTile = 128 / Model.size(o.outType);
        (t.position, t.remaining) = (e / perTile, 0);
        if (e >= Model.elements(o)) {
            t.phase = Phase.WON;
        } else if (isWhole(t.place, e)) {
            t.phase = recomputed(said, t.place, e) == value ? Phase.LOST : Phase.WON;
        } else {
            (t.phase, t.node, t.element) = (Phase.FOLD_E, 0, e % perTile);
            t.subject = uint32(int32(value));
        }
        check(id);
    }

    /// The index in its tensor of the element that was named.
    function named(bytes32 id) internal view returns (uint256) {
        Track storage t = tracks[id];
        return t.position * (128 / Model.size(op(t.place).outType)) + t.element;
    }

    function foldCall(bytes32 id, int64[] memory sums, bytes memory signature) internal view returns (bytes memory) {
        Track storage t = tracks[id];
        Opened memory record = recordOf(t.place, named(id));
        bytes memory packed = pack(sums);
        IGame.Posted memory p = posts[t.claimId];
        bytes memory d = operatorBytes(t.place);
        Opened memory none;
        return abi.encodeCall(
            game.fold, (p, t.number, seatedOn(id), t.list, t.challenger, d, packed, Packed.ending(record, none), signature)
        );
    }

    function fold(bytes32 id, int64[] memory sums) internal {
        fold(id, EXECUTOR, sums, "");
    }

    function fold(bytes32 id, address sender, int64[] memory sums, bytes memory signature) internal {
        send(sender, foldCall(id, sums, signature));
        turn(id, true);
        Track storage t = tracks[id];
        (t.phase, t.node) = (Phase.SEG, keccak256(bytes.concat(hex"07", pack(sums))));
        check(id);
    }

    function segmentCall(bytes32 id, int64[] memory sums, uint256 index, Witness memory w)
        internal
        view
        returns (bytes memory)
    {
        Track storage t = tracks[id];
        bytes memory packed = pack(sums);
        bytes memory d = operatorBytes(t.place);
        IGame.Posted memory p = posts[t.claimId];
        return abi.encodeCall(game.segment, (p, t.number, seatedOn(id), t.list, d, packed, uint32(index), Packed.all(w)));
    }

    function segment(bytes32 id, int64[] memory sums, uint256 index) internal {
        Track storage t = tracks[id];
        uint256 split = op(t.place).split;
        Witness memory w = witnessOf(t.place, named(id), index * split, (index + 1) * split);
        int64 right = sumsOf(t.place, named(id))[index];
        send(t.challenger, segmentCall(id, sums, index, w));
        turn(id, false);
        t.phase = right == sums[index] ? Phase.LOST : Phase.WON;
        check(id);
    }

    function timeoutCall(bytes32 id) internal view returns (bytes memory) {
        Track storage t = tracks[id];
        return abi.encodeCall(game.timeout, (posts[t.claimId], t.number, standing(id), seated(id), t.node));
    }

    function timeout(bytes32 id) internal {
        send(STRANGER, timeoutCall(id));
        bool won = executorsTurn(id);
        turn(id, false);
        tracks[id].phase = won ? Phase.WON : Phase.LOST;
        check(id);
    }

    function reclaimCall(bytes32 id) internal view returns (bytes memory) {
        Track storage t = tracks[id];
        return abi.encodeCall(game.reclaim, (t.claimId, t.number, standing(id), seated(id), t.node));
    }

    function reclaim(bytes32 id) internal {
        send(STRANGER, reclaimCall(id));
        tracks[id].phase = Phase.RECLAIMED;
        check(id);
    }

    // Refutations and rewards.

    /// The refutation of element `e` of `operator`, under the list that was signed if there is a signature.
    function refutation(uint256 operator, uint256 e, bytes memory signature)
        internal
        view
        returns (IGame.Refutation memory r)
    {
        (uint256 layer, uint256 position) = layerOf(operator);
        uint256 perTile = 128 / Model.size(op(operator).outType);
        (r.layerIndex, r.layer, r.layerPath) = (uint32(layer), head(layer), Naive.path(layersLeaves(), layer));
        (r.operator, r.position) = (operatorBytes(operator), uint32(position));
        r.operatorPath = Naive.path(operatorLeaves(layer), position);
        if (isExported(operator)) {
            r.tracePath = Naive.path(traceLeaves(), layer);
            if (exportsOf(layer).length > 1) r.exports = exportRoots(layer);
        }
        if (signature.length != 0) {
            (r.list, r.signature) = (Naive.root(subRoots(layer)), signature);
            if (!isExported(operator)) r.listPath = Naive.path(subRoots(layer), position);
        }
        r.tileIndex = uint32(e / perTile);
        r.tile = Naive.tileAt(said[operator], e / perTile);
        r.tilePath = Naive.tilePath(tileLeaves(operator), e / perTile);
        r.element = uint8(e % perTile);
        if (e < Model.elements(op(operator))) r.witness = Packed.all(witnessOf(operator, e));
    }

    function refuteCall(bytes32 claimId, IGame.Refutation memory r) internal view returns (bytes memory) {
        return abi.encodeCall(game.refute, (posts[claimId], r));
    }

    /// EIP-712, written out.
    function typed(uint256 chain, address contract_, bytes32 structHash) internal pure returns (bytes32) {
        bytes32 kind =
            keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
        bytes32 domain = keccak256(abi.encode(kind, keccak256("Narrows"), keccak256("1"), chain, contract_));
        return keccak256(abi.encodePacked(hex"1901", domain, structHash));
    }

    function subTraceHash(bytes32 claimId, uint256 layer, bytes32 root) internal pure returns (bytes32) {
        bytes32 kind = keccak256("SubTrace(bytes32 claimId,uint32 layer,bytes32 root)");
        return keccak256(abi.encode(kind, claimId, layer, root));
    }

    function sumsHash(bytes32 claimId, uint256 operator, uint256 e, bytes memory packed)
        internal
        pure
        returns (bytes32)
    {
        bytes32 kind = keccak256("Sums(bytes32 claimId,uint32 operator,uint32 element,bytes32 statement)");
        return keccak256(abi.encode(kind, claimId, operator, e, keccak256(bytes.concat(hex"07", packed))));
    }

    function signed(uint256 key, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }

    function signedSubTrace(bytes32 claimId, uint256 layer) internal view returns (bytes memory) {
        bytes32 root = Naive.root(subRoots(layer));
        return signed(EXECUTOR_KEY, typed(block.chainid, address(game), subTraceHash(claimId, layer, root)));
    }

    function signedSums(bytes32 id, bytes memory packed) internal view returns (bytes memory) {
        bytes32 hash = sumsHash(tracks[id].claimId, tracks[id].place, named(id), packed);
        return signed(EXECUTOR_KEY, typed(block.chainid, address(game), hash));
    }

    /// What element `e` of `operator` ought to be, given what was said of its operands.
    function pointOf(uint256 operator, uint256 e) internal view returns (IGame.Point memory) {
        Op memory o = op(operator);
        int32 value = int32(recomputed(said, operator, e));
        uint256 size = Model.size(o.outType);
        uint256 start = e * size;
        bytes memory before = new bytes(start % 128);
        for (uint256 i; i < before.length; ++i) before[i] = truth[operator][start - before.length + i];
        return IGame.Point(uint32(operator), o.depths[0], uint8(size), uint32(e), value, keccak256(before));
    }

    /// The root over all operators' true outputs.
    function ownLeaves() internal view returns (bytes32[] memory leaves) {
        leaves = new bytes32[](OPERATORS);
        for (uint256 i; i < OPERATORS; ++i) leaves[i] = Naive.tensorRoot(Naive.leavesOf(truth[i]));
    }

    function ownCommitment(bytes32 claimId, address challenger) internal view returns (bytes32) {
        return keccak256(abi.encode(SALT, challenger, claimId, 3, Naive.root(ownLeaves())));
    }

    function openRewardCall(bytes32 id, IGame.Point memory point) internal view returns (bytes memory) {
        Track storage t = tracks[id];
        uint256 tile = point.element * point.elementBytes / 128;
        bytes memory data = truth[point.operator];
        bytes32[] memory below = Naive.tilePath(Naive.leavesOf(data), tile);
        bytes32[] memory above = Naive.path(ownLeaves(), point.operator);
        bytes32[] memory path = new bytes32[](below.length + above.length);
        for (uint256 i; i < path.length; ++i) path[i] = i < below.length ? below[i] : above[i - below.length];
        bytes memory found = Naive.tileAt(data, tile);
        return abi.encodeCall(
            game.openReward, (t.claimId, t.number, standing(id), t.node, t.seat, point, SALT, 3, found, path)
        );
    }
}
