// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Arithmetic} from "./Arithmetic.sol";
import {Descriptor} from "./Descriptor.sol";
import {Exports} from "./Exports.sol";
import {IGame} from "./IGame.sol";
import {IReferee} from "./IReferee.sol";
import {Layer} from "./Layer.sol";
import {MatchWord, Phase} from "./MatchWord.sol";
import {Scene} from "./Opening.sol";
import {Opening} from "./Opening.sol";
import {Signature} from "./Signature.sol";
import {Step} from "./Step.sol";
import {Tensor} from "./Tensor.sol";
import {Tree} from "./Tree.sol";

/// @title Judges what a call of the game shows (PROTOCOL 4.2–4.8).
/// @notice It keeps nothing and trusts nothing but the context, which comes from `Game`.
contract Referee is IReferee {
    using Descriptor for bytes;

    function subTrace(
        IGame.Posted calldata posted,
        uint64,
        IGame.Footing calldata footing,
        address,
        bytes calldata,
        bytes32[] calldata,
        bytes calldata signature
    ) external view {
        Context memory context = _context();
        uint256 layer = MatchWord.wrap(footing.word).place();
        bytes32 digest = Signature.subTraceDigest(msg.sender, context.claimId, layer, context.given);
        if (!Signature.isBy(posted.executor, digest, signature)) revert IGame.BadSignature();
    }

    function prepare(
        IGame.Posted calldata posted,
        uint64,
        IGame.Footing calldata footing,
        bytes32 list,
        bytes32,
        bytes calldata operator,
        bytes calldata witness
    ) external pure returns (bytes32) {
        if (operator.terms() > operator.split()) revert IGame.WitnessExtra();
        return Step.prepare(_scene(posted, MatchWord.wrap(footing.word), list, _context()), operator, witness);
    }

    function name(
        IGame.Posted calldata posted,
        uint64,
        IGame.Footing calldata footing,
        bytes32 list,
        bytes calldata tile,
        uint8 slot,
        bytes32[] calldata siblings,
        uint8 element,
        bytes calldata operator,
        bytes calldata witness
    ) external pure returns (uint8, uint256 e, int256 value, bytes32) {
        MatchWord word = MatchWord.wrap(footing.word);
        if (tile.length != Tensor.TILE_BYTES) revert IGame.WrongLength();
        if (siblings.length != Tensor.tileSiblings(word.remaining())) revert IGame.WrongCount();
        if (slot >= word.realTiles()) revert IGame.WrongIndex();
        e = _elementAt(operator, (word.position() << word.remaining()) + slot, element);
        value = _read(tile, element, operator.elementBytes());
        if (e >= operator.elements()) {
            if (value == 0) revert IGame.PaddingHonest();
            return (Phase.WON, e, value, 0);
        }
        if (operator.terms() > operator.split()) {
            if (witness.length != 0) revert IGame.WitnessExtra();
            return (Phase.FOLD_E, e, value, 0);
        }
        int256 right = word.phase() == Phase.READY
            ? Step.prepared(list, operator, e, witness)
            : Step.element(_scene(posted, word, list, _context()), operator, e, witness);
        if (right == value) return (Phase.LOST, e, value, 0);
        return (Phase.WON, e, value, _point(operator, word.place(), e, right, tile));
    }

    function fold(
        IGame.Posted calldata posted,
        uint64,
        IGame.Footing calldata footing,
        bytes32 list,
        address,
        bytes calldata operator,
        bytes calldata sums,
        bytes calldata ending,
        bytes calldata signature
    ) external view {
        Context memory context = _context();
        MatchWord word = MatchWord.wrap(footing.word);
        uint256 e = _elementAt(operator, word.position(), word.element());
        Scene memory scene = _scene(posted, word, list, context);
        if (Step.fold(scene, operator, e, sums, ending) != word.value()) revert IGame.FoldMismatch();
        if (signature.length == 0) return;
        bytes32 statement = Tree.tagged(Tree.STATEMENT, sums);
        bytes32 digest = Signature.sumsDigest(msg.sender, context.claimId, word.place(), e, statement);
        if (!Signature.isBy(posted.executor, digest, signature)) revert IGame.BadSignature();
    }

    function segment(
        IGame.Posted calldata posted,
        uint64,
        IGame.Footing calldata footing,
        bytes32 list,
        bytes calldata operator,
        bytes calldata sums,
        uint32 index,
        bytes calldata witness
    ) external pure returns (bool) {
        MatchWord word = MatchWord.wrap(footing.word);
        if (index >= operator.segments()) revert IGame.WrongIndex();
        uint256 e = _elementAt(operator, word.position(), word.element());
        int256 right = Step.segment(_scene(posted, word, list, _context()), operator, e, index, witness);
        return right == int64(uint64(bytes8(sums[uint256(index) * 8:])));
    }

    function refute(IGame.Posted calldata posted, IGame.Refutation calldata r) external view returns (bytes32) {
        Context memory context = _context();
        bytes calldata operator = r.operator;
        _checkOperator(context, r);
        bytes32 root = _tensorRoot(r);
        _checkSignature(posted.executor, context.claimId, r);
        uint256 layersDepth = Tree.depthFor(context.layers);
        uint256 listDepth = Tree.depthFor(Layer.count(r.layer));
        _checkCommitted(posted.traceRoot, layersDepth, listDepth, r, root);

        uint256 e = _elementAt(operator, r.tileIndex, r.element);
        int256 value = _read(r.tile, r.element, operator.elementBytes());
        if (e >= operator.elements()) {
            if (value == 0) revert IGame.NoFault();
            return 0;
        }
        Scene memory scene = Scene(posted.traceRoot, layersDepth, context.input, r.list, listDepth);
        int256 right = Step.element(scene, operator, e, r.witness);
        if (right == value) revert IGame.NoFault();
        return _point(operator, uint32(Layer.first(r.layer) + r.position), e, right, r.tile);
    }

    function openReward(
        bytes32,
        uint64,
        IGame.Standing calldata,
        bytes32,
        IGame.Seat calldata seat,
        IGame.Point calldata point,
        bytes32 salt,
        uint8 depth,
        bytes calldata tile,
        bytes32[] calldata path
    ) external pure {
        Context memory context = _context();
        if (keccak256(abi.encode(point)) != context.given) revert IGame.WrongStatement();
        uint256 below = Tensor.tileSiblings(point.depth);
        uint256 perTile = Tensor.TILE_BYTES / point.elementBytes;
        if (tile.length != Tensor.TILE_BYTES || path.length != below + depth) revert IGame.BadOpening();
        uint256 index = point.element / perTile;
        bytes32[] calldata half = path[:below];
        if (!Tensor.leadsToTile(point.depth, index, half)) revert IGame.BadOpening();
        bytes32 own = Tensor.climbTile(index, tile, half);
        half = path[below:];
        if (!Tree.leads(depth, point.operator, half)) revert IGame.BadOpening();
        own = Tree.climb(point.operator, own, half);
        if (keccak256(abi.encode(salt, context.input, context.claimId, depth, own)) != seat.commitment) {
            revert IGame.BadOpening();
        }
        uint256 place = point.element % perTile;
        if (_read(tile, place, point.elementBytes) != point.value) revert IGame.WrongStatement();
        if (keccak256(tile[:place * point.elementBytes]) != point.before) revert IGame.WrongStatement();
    }

    /// PROTOCOL 4.6, 2: the operator is the program's.
    function _checkOperator(Context memory context, IGame.Refutation calldata r) private pure {
        bytes calldata layer = r.layer;
        bytes calldata operator = r.operator;
        if (!Layer.isHead(layer) || !operator.isOperator()) revert IGame.WrongLength();
        if (!operator.isSized()) revert IGame.WrongDescriptor();
        if (r.position >= Layer.count(layer)) revert IGame.WrongIndex();
        if (!Tree.leads(Tree.depthFor(Layer.count(layer)), r.position, r.operatorPath)) revert IGame.BadOpening();
        bytes32 leaf = Layer.leaf(layer, Tree.climb(r.position, operator.operatorLeaf(), r.operatorPath));
        if (!Tree.opens(context.given, Tree.depthFor(context.layers), r.layerIndex, leaf, r.layerPath)) {
            revert IGame.BadOpening();
        }
    }

    /// PROTOCOL 4.6, 3: the root of the tensor that holds the tile.
    function _tensorRoot(IGame.Refutation calldata r) private pure returns (bytes32) {
        bytes calldata tile = r.tile;
        if (tile.length != Tensor.TILE_BYTES) revert IGame.WrongLength();
        if (r.tileIndex >= r.operator.outputTiles()) revert IGame.WrongIndex();
        if (!Tensor.leadsToTile(r.operator.outputDepth(), r.tileIndex, r.tilePath)) revert IGame.BadOpening();
        return Tensor.climbTile(r.tileIndex, tile, r.tilePath);
    }

    /// PROTOCOL 4.6, 4: a list is the executor's.
    function _checkSignature(address executor, bytes32 claimId, IGame.Refutation calldata r) private view {
        if (r.signature.length == 0) {
            if (r.list != 0 || r.listPath.length != 0) revert IGame.WitnessExtra();
            return;
        }
        bytes32 digest = Signature.subTraceDigest(msg.sender, claimId, r.layerIndex, r.list);
        if (!Signature.isBy(executor, digest, r.signature)) revert IGame.BadSignature();
    }

    /// PROTOCOL 4.6, 5: the tensor is one that the claim commits to.
    function _checkCommitted(
        bytes32 traceRoot,
        uint256 layersDepth,
        uint256 listDepth,
        IGame.Refutation calldata r,
        bytes32 root
    ) private pure {
        bytes32[] calldata exports = r.exports;
        (bool exported, uint256 rank) = Layer.rankOf(r.layer, r.position);
        if (!exported) {
            if (r.tracePath.length != 0 || exports.length != 0) revert IGame.WitnessExtra();
            if (!Tree.opens(r.list, listDepth, r.position, root, r.listPath)) revert IGame.BadOpening();
            return;
        }
        bytes32 leaf = root;
        uint256 n = Layer.exports(r.layer);
        if (n == 1) {
            if (exports.length != 0) revert IGame.WitnessExtra();
        } else {
            if (exports.length != n || exports[rank] != root) revert IGame.BadOpening();
            leaf = Exports.leafOf(exports);
        }
        if (!Tree.opens(traceRoot, layersDepth, r.layerIndex, leaf, r.tracePath)) revert IGame.BadOpening();
    }

    /// The index in its tensor of element `element` of tile `tile`.
    function _elementAt(bytes calldata operator, uint256 tile, uint256 element) private pure returns (uint256) {
        uint256 perTile = Tensor.TILE_BYTES / operator.elementBytes();
        if (element >= perTile) revert IGame.WrongIndex();
        unchecked {
            return tile * perTile + element;
        }
    }

    function _read(bytes calldata tile, uint256 element, uint256 size) private pure returns (int256) {
        uint256 offset;
        assembly ("memory-safe") {
            offset := tile.offset
        }
        return Arithmetic.read(offset + element * size, size);
    }

    /// Where the fault is, what would be right, and what precedes it in its tile (PROTOCOL 4.8).
    function _point(bytes calldata operator, uint256 index, uint256 e, int256 right, bytes calldata tile)
        private
        pure
        returns (bytes32)
    {
        uint256 size = operator.elementBytes();
        bytes32 before = keccak256(tile[:e % (Tensor.TILE_BYTES / size) * size]);
        return keccak256(abi.encode(index, operator.outputDepth(), size, e, right, before));
    }

    function _scene(IGame.Posted calldata posted, MatchWord word, bytes32 list, Context memory context)
        private
        pure
        returns (Scene memory)
    {
        uint256 listDepth = Tree.depthFor(word.operators());
        return Scene(posted.traceRoot, Tree.depthFor(context.layers), context.input, list, listDepth);
    }

    /// The words that the game put behind the arguments.
    function _context() private pure returns (Context memory context) {
        assembly ("memory-safe") {
            calldatacopy(context, sub(calldatasize(), 128), 128)
        }
    }
}
