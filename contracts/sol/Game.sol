// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {ClaimWord, ClaimWords} from "./ClaimWord.sol";
import {Descriptor} from "./Descriptor.sol";
import {Entry} from "./Entry.sol";
import {Exports} from "./Exports.sol";
import {IReferee} from "./IReferee.sol";
import {IRegistry} from "./IRegistry.sol";
import {Layer} from "./Layer.sol";
import {Match} from "./Match.sol";
import {MatchWord, MatchWords, Phase} from "./MatchWord.sol";
import {Tree} from "./Tree.sol";

/// @title Matches (PROTOCOL 4): a challenger narrows a claim down to one element, and the referee recomputes it.
/// @notice One function a move, in the order of the protocol's table.
contract Game is Match {
    using Descriptor for bytes;

    uint256 private constant PLAYED = (1 << Phase.WON) - 2;
    uint256 private constant MAX_NODES = 64;

    constructor(IRegistry registry_, IReferee referee_, Parameters memory p) Match(registry_, referee_, p) {}

    function open(Posted calldata posted, bytes32 commitment) external payable returns (bytes32 matchId) {
        bytes32 claimId = _claimId(posted);
        ClaimWord claimed = _pending(claimId);
        if (block.timestamp >= claimed.windowEnd()) revert TooLate();
        if (msg.value > type(uint128).max || msg.value != _bond(claimed)) revert WrongValue();
        uint64 number = claimed.openings();
        claims[claimId].word = claimed.opened(true);
        matchId = _matchId(claimId, number);
        uint256 depth = Tree.depthFor(claimed.layers());
        MatchWord word = MatchWords.start(
            depth == 0 ? Phase.LAYER_C : Phase.LAYER_E,
            depth,
            block.timestamp,
            executorClockSeconds,
            challengerClockSeconds
        );
        bytes32 scope = registry.layersRootOf(jobs[posted.jobId].programRoot);
        bytes32 seat = keccak256(abi.encode(msg.sender, commitment, block.timestamp, msg.value));
        matchState[matchId] = _state(MatchWord.unwrap(word), posted.traceRoot, scope, 0, seat);
        emit MatchOpened(matchId, claimId, msg.sender, number, commitment, msg.value);
    }

    function commit(bytes32 claimId, bytes32 commitment) external returns (bytes32 matchId) {
        ClaimWord claimed = _open(claimId);
        uint64 number = claimed.openings();
        claims[claimId].word = claimed.opened(false);
        matchId = _matchId(claimId, number);
        bytes32 seat = keccak256(abi.encode(msg.sender, commitment, block.timestamp, 0));
        matchState[matchId] = _state(Phase.COMMITTED, 0, 0, 0, seat);
        emit Committed(claimId, msg.sender, number, commitment);
    }

    /// LAYER_E, TILE_E: descendants of the current node.
    function reveal(
        bytes32 claimId,
        uint64 number,
        Standing calldata standing,
        bytes32 seat,
        bytes32[] calldata nodes
    ) external {
        Move memory move = _find(claimId, number);
        unchecked {
            // A power of two; of no nodes, nothing is cut.
            if (nodes.length - 1 >= MAX_NODES || nodes.length & (nodes.length - 1) != 0) revert WrongCount();
        }
        _begin(move, standing, Tree.foldUp(nodes), seat, 1 << Phase.LAYER_E | 1 << Phase.TILE_E, address(0));
        if (nodes.length != 1 << _bits(move)) revert WrongCount();
        MatchWord next = _turn(move, move.word.turned().answered());
        emit Revealed(move.matchId, MatchWord.unwrap(next), nodes);
    }

    /// LAYER_C, TILE_C, and the E phases before them: the first descendant that differs (PROTOCOL 4.3).
    function pick(
        bytes32 claimId,
        uint64 number,
        Standing calldata standing,
        Seat calldata seat,
        uint32 child,
        bytes32 node,
        bytes32[] calldata siblings,
        bytes calldata layer,
        bytes calldata operator,
        bytes32[] calldata path
    ) external {
        Move memory move = _find(claimId, number);
        _checkSiblings(siblings);
        uint256 phases = 1 << Phase.LAYER_E | 1 << Phase.LAYER_C | 1 << Phase.TILE_E | 1 << Phase.TILE_C;
        _begin(move, standing, Tree.climb(child, node, siblings), _seatOf(seat), phases, address(0));
        uint256 bits = _bits(move);
        if (siblings.length != bits) revert WrongCount();
        if (child >> bits != 0) revert WrongCount();
        bool inLayers = move.word.phase() <= Phase.LAYER_C;
        uint256 remaining;
        uint256 position;
        unchecked {
            // k is at most `remaining`.
            remaining = move.word.remaining() - bits;
            position = (move.word.position() << bits) + child;
        }
        MatchWord next = move.word.withNode(remaining, position);
        move.node = node;
        bool won = _beyond(position, remaining, inLayers ? move.claim.layers() : move.word.subject());
        if (won) {
            if (node == Tree.padding(remaining)) revert PaddingHonest();
            next = next.withPhase(Phase.WON);
        } else if (inLayers && remaining == 0) {
            (next, move.scope) = Entry.layer(next, move.scope, move.claim.layers(), layer, operator, path);
        } else {
            if (layer.length | operator.length | path.length != 0) revert WitnessExtra();
            next = next.withPhase(inLayers ? Phase.LAYER_E : remaining > 2 ? Phase.TILE_E : Phase.DATA_E);
        }
        next = _turn(move, next);
        emit Picked(move.matchId, MatchWord.unwrap(next), child, node, siblings);
        if (won) _won(move, claims[claimId].link, 0, false, msg.sender);
    }

    /// SUB_E: the executor's statement of the output roots of the disputed layer's operators.
    function subTrace(
        Posted calldata posted,
        uint64 number,
        Standing calldata standing,
        bytes32 seat,
        bytes calldata layer,
        bytes32[] calldata roots,
        bytes calldata signature
    ) external {
        Move memory move = _find(_claimId(posted), number);
        (bytes calldata head,) = Layer.split(layer);
        if (!Layer.isHead(head)) revert WrongCount();
        if (roots.length <= Layer.position(head, Layer.exports(head) - 1)) revert WrongCount();
        address only = signature.length == 0 ? posted.executor : address(0);
        _begin(move, standing, Exports.leafAmong(head, roots), seat, 1 << Phase.SUB_E, only);
        if (Tree.tagged(Tree.LAYER, layer) != move.scope) revert WrongDescriptor();
        if (roots.length != move.word.operators()) revert WrongCount();
        move.list = Tree.ofNodes(roots, Tree.depthFor(roots.length));
        move.node = move.list;
        if (signature.length != 0) _ask(move, 0, move.list);
        MatchWord next = _turn(move, move.word.turned().answered());
        emit SubTraced(move.matchId, MatchWord.unwrap(next), roots);
    }

    /// SUB_C: the first operator of the layer that differs.
    function pickOperator(
        bytes32 claimId,
        uint64 number,
        Standing calldata standing,
        Seat calldata seat,
        uint32 position,
        bytes calldata layer,
        bytes calldata operator,
        bytes32[] calldata operatorPath,
        bytes32 root,
        bytes32[] calldata rootPath
    ) external {
        Move memory move = _find(claimId, number);
        _begin(move, standing, standing.list, _seatOf(seat), 1 << Phase.SUB_C, address(0));
        // What has the scope's hash is the layer that was picked: it was well-formed.
        if (Tree.tagged(Tree.LAYER, layer) != move.scope) revert WrongDescriptor();
        if (position >= move.word.operators()) revert WrongIndex();
        uint256 depth = Tree.depthFor(move.word.operators());
        (bytes calldata head, bytes32 operatorsRoot) = Layer.split(layer);
        move.scope = operator.operatorLeaf();
        if (!Tree.opens(operatorsRoot, depth, position, move.scope, operatorPath)) revert BadOpening();
        if (!Tree.opens(move.list, depth, position, root, rootPath)) revert BadOpening();
        move.node = root;
        if (!operator.isOperator()) revert WrongDescriptor();
        MatchWord next = _turn(move, Entry.operator(move.word, Layer.first(head) + position, operator));
        emit OperatorPicked(move.matchId, MatchWord.unwrap(next), position);
    }

    /// DATA_E: the tiles under the current node.
    function revealTiles(
        bytes32 claimId,
        uint64 number,
        Standing calldata standing,
        bytes32 seat,
        bytes calldata tiles
    ) external {
        Move memory move = _find(claimId, number);
        MatchWord word = MatchWord.wrap(standing.word);
        uint256 most = word.realTiles() * Tree.TILE_BYTES;
        if (tiles.length == 0 || tiles.length % Tree.TILE_BYTES != 0 || tiles.length > most) revert WrongCount();
        _begin(move, standing, Tree.ofBytes(tiles, word.remaining()), seat, 1 << Phase.DATA_E, address(0));
        if (tiles.length != most) revert WrongLength();
        MatchWord next = _turn(move, word.turned().answered());
        emit TilesRevealed(move.matchId, MatchWord.unwrap(next), tiles);
    }

    /// NAME, and DATA_E before it: the first element that differs, proved at once if its fold is one segment (PROTOCOL 4.4).
    function name(
        Posted calldata posted,
        uint64 number,
        Standing calldata standing,
        Seat calldata seat,
        bytes calldata tile,
        uint8 slot,
        bytes32[] calldata siblings,
        uint8 element,
        bytes calldata operator,
        Witness calldata witness
    ) external {
        // The referee reads it.
        witness;
        Move memory move = _find(_claimId(posted), number);
        _checkSiblings(siblings);
        bytes32 node = Tree.climb(slot, Tree.tagged(Tree.LEAF, tile), siblings);
        _begin(move, standing, node, _seatOf(seat), 1 << Phase.DATA_E | 1 << Phase.NAME, address(0));
        bytes32[4] memory answer = _ask(move, _inputOf(posted, operator), 0);
        uint8 phase = uint8(uint256(answer[0]));
        MatchWord next = move.word.withPhase(phase);
        next = next.withNode(0, (move.word.position() << move.word.remaining()) + slot);
        if (phase == Phase.FOLD_E) {
            // Below 2^31 and of at most 4 bytes: the operator is sized.
            int32 value = int32(int256(uint256(answer[2])));
            move.node = 0;
            next = _turn(move, next.withNamed(element, value));
            emit Named(move.matchId, MatchWord.unwrap(next), uint32(uint256(answer[1])), value);
            return;
        }
        next = _turn(move, next);
        if (phase == Phase.WON) _won(move, posted.jobId, answer[3], move.list == 0, msg.sender);
        else _lost(move, next, posted.executor, seat.bond);
    }

    /// FOLD_E: the executor's statement of the named element's partial values.
    function fold(
        Posted calldata posted,
        uint64 number,
        Standing calldata standing,
        bytes32 seat,
        bytes calldata operator,
        bytes calldata sums,
        Opened calldata params,
        Opened calldata third,
        bytes calldata signature
    ) external {
        // The referee reads them.
        (params, third);
        Move memory move = _find(_claimId(posted), number);
        _begin(move, standing, 0, seat, 1 << Phase.FOLD_E, signature.length == 0 ? posted.executor : address(0));
        _ask(move, _inputOfThird(posted, operator), 0);
        move.node = Tree.tagged(Tree.STATEMENT, sums);
        MatchWord next = _turn(move, move.word.turned().answered());
        emit Folded(move.matchId, MatchWord.unwrap(next), sums);
    }

    /// SEG: one partial value, recomputed.
    function segment(
        Posted calldata posted,
        uint64 number,
        Standing calldata standing,
        Seat calldata seat,
        bytes calldata operator,
        bytes calldata sums,
        uint32 index,
        Witness calldata witness
    ) external {
        // The referee reads them.
        (index, witness);
        Move memory move = _find(_claimId(posted), number);
        bytes32 node = Tree.tagged(Tree.STATEMENT, sums);
        _begin(move, standing, node, _seatOf(seat), 1 << Phase.SEG, address(0));
        bool right = _ask(move, _inputOf(posted, operator), 0)[0] != 0;
        _decide(move, !right, posted, msg.sender, seat.bond);
    }

    /// Ends a match whose turn has run out.
    function timeout(
        Posted calldata posted,
        uint64 number,
        Standing calldata standing,
        Seated calldata seated,
        bytes32 node
    ) external {
        Move memory move = _find(_claimId(posted), number);
        _enter(move, standing, node, keccak256(abi.encode(seated)), PLAYED);
        if (block.timestamp < move.word.turnEnd(graceSeconds)) revert NotYet();
        _decide(move, move.word.executorsTurn(), posted, seated.challenger, seated.bond);
    }

    /// Returns the bond of a match that won, or was overtaken by its claim's end.
    function reclaim(
        bytes32 claimId,
        uint64 number,
        Standing calldata standing,
        Seated calldata seated,
        bytes32 node
    ) external {
        Move memory move = _find(claimId, number);
        _stand(move, standing, node, keccak256(abi.encode(seated)), PLAYED | 1 << Phase.WON);
        if (claims[claimId].word.status() == ClaimWords.PENDING) revert NotYet();
        _store(move, move.word.withPhase(Phase.RECLAIMED));
        owed[seated.challenger] += seated.bond;
        emit Reclaimed(move.matchId);
    }

    function refute(Posted calldata posted, Refutation calldata r) external {
        Move memory move;
        move.claimId = _claimId(posted);
        move.claim = _open(move.claimId);
        StoredJob storage its = jobs[posted.jobId];
        bytes32 input = _inputOf(posted, r.operator);
        bytes32 point = _ask(move, input, registry.layersRootOf(its.programRoot))[0];
        _refute(move.claimId, move.claim, posted.jobId, point, r.signature.length == 0, msg.sender);
    }

    function openReward(
        bytes32 claimId,
        uint64 number,
        Standing calldata standing,
        bytes32 node,
        Seat calldata seat,
        Point calldata point,
        bytes32 salt,
        uint8 depth,
        bytes calldata tile,
        bytes32[] calldata path
    ) external {
        // The referee reads them.
        (point, salt, depth, tile, path);
        StoredClaim storage its = claims[claimId];
        ClaimWord claimed = its.word;
        if (!claimed.pointOpen()) revert NoReward();
        if (block.timestamp >= uint256(claimed.refutedAt()) + rewardSeconds) revert TooLate();
        Move memory move = _find(claimId, number);
        if (_state(standing.word, node, standing.scope, standing.list, _seatOf(seat)) != move.state) revert WrongState();
        if (seat.openedAt >= claimed.refutedAt()) revert TooLate();
        if (its.best != address(0) && number >= its.bestNumber) revert NotBetter();
        _ask(move, bytes32(uint256(uint160(msg.sender))), its.link);
        its.best = msg.sender;
        its.bestNumber = number;
        emit RewardOpened(claimId, number, msg.sender);
    }
}
