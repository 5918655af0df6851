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
import {Tensor} from "./Tensor.sol";
import {Tree} from "./Tree.sol";

/// @title Matches (PROTOCOL 4): a challenger narrows a claim down to one element, and the referee recomputes it.
/// @notice One function a move, in the order of the protocol's table.
contract Game is Match {
    using Descriptor for bytes;

    uint256 private constant PLAYED = (1 << Phase.WON) - 2 | 1 << Phase.READY;
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
        ).withProgram(claimed.layers(), claimed.revealBits());
        bytes32 scope = registry.layersRootOf(jobs[posted.jobId].programRoot);
        bytes32 seat = keccak256(abi.encode(commitment, block.timestamp, msg.value));
        matchState[matchId] = _state(MatchWord.unwrap(word), posted.traceRoot, _context(scope, 0, seat));
        emit MatchOpened(matchId, claimId, msg.sender, number, commitment, msg.value);
    }

    function commit(bytes32 claimId, bytes32 commitment) external returns (bytes32 matchId) {
        ClaimWord claimed = _open(claimId);
        uint64 number = claimed.openings();
        claims[claimId].word = claimed.opened(false);
        matchId = _matchId(claimId, number);
        bytes32 seat = keccak256(abi.encode(commitment, block.timestamp, 0));
        matchState[matchId] = _state(Phase.COMMITTED, 0, _context(0, 0, seat));
        emit Committed(claimId, msg.sender, number, commitment);
    }

    /// LAYER_E, TILE_E: descendants of the current node.
    function reveal(bytes32 claimId, uint64 number, Footing calldata footing, bytes32[] calldata nodes) external {
        Move memory move = _find(claimId, number);
        unchecked {
            // A power of two; of no nodes, nothing is cut.
            if (nodes.length - 1 >= MAX_NODES || nodes.length & (nodes.length - 1) != 0) revert WrongCount();
        }
        _begin(move, footing.word, Tree.foldUp(nodes), footing.rest, 1 << Phase.LAYER_E | 1 << Phase.TILE_E);
        if (nodes.length != 1 << move.word.levels()) revert WrongCount();
        MatchWord next = _turn(move, move.word.turned().answered());
        emit Revealed(move.matchId, MatchWord.unwrap(next), nodes);
    }

    /// LAYER_C, TILE_C, and the E phases before them: the first descendant that differs, if it is no layer (PROTOCOL 4.3).
    function pick(
        bytes32 claimId,
        uint64 number,
        Footing calldata footing,
        uint32 child,
        bytes32 node,
        bytes32[] calldata siblings
    ) external {
        Move memory move = _find(claimId, number);
        _checkPath(siblings);
        uint256 phases = 1 << Phase.LAYER_E | 1 << Phase.LAYER_C | 1 << Phase.TILE_E | 1 << Phase.TILE_C;
        _begin(move, footing.word, Tree.climb(child, node, siblings), _context(msg.sender, footing.rest), phases);
        MatchWord next = _descend(move, child, siblings);
        uint256 remaining = next.remaining();
        move.node = node;
        if (_beyond(next.position(), remaining, next.subject())) {
            if (node == Tree.padding(remaining)) revert PaddingHonest();
            _live(move);
            next = _turn(move, next.withPhase(Phase.WON));
            emit Picked(move.matchId, MatchWord.unwrap(next), node);
            _won(move, claims[claimId].link, 0, false, msg.sender);
            return;
        }
        bool inLayers = next.phase() <= Phase.LAYER_C;
        // Of a layer the program has to be shown.
        if (inLayers && remaining == 0) revert WrongLength();
        next = _turn(move, next.withPhase(inLayers ? Phase.LAYER_E : remaining > 2 ? Phase.TILE_E : Phase.DATA_E));
        emit Picked(move.matchId, MatchWord.unwrap(next), node);
    }

    /// LAYER_C, and LAYER_E before it: the first layer that differs.
    function enter(
        bytes32 claimId,
        uint64 number,
        Footing calldata footing,
        uint32 child,
        bytes32 node,
        bytes32[] calldata siblings,
        bytes calldata layer,
        bytes calldata operator,
        bytes32[] calldata path
    ) external {
        Move memory move = _find(claimId, number);
        _checkPath(siblings);
        _checkPath(path);
        bytes32 operators = Entry.operatorsRoot(layer, operator);
        bytes32 leaf = Layer.leaf(layer, operators);
        uint256 index = (MatchWord.wrap(footing.word).position() << siblings.length) + child;
        bytes32 context = _context(Tree.climb(index, leaf, path), 0, footing.rest);
        uint256 phases = 1 << Phase.LAYER_E | 1 << Phase.LAYER_C;
        _begin(move, footing.word, Tree.climb(child, node, siblings), context, phases);
        MatchWord next = _descend(move, child, siblings);
        if (next.remaining() != 0) revert WitnessExtra();
        if (!Tree.leads(Tree.depthFor(next.subject()), index, path)) revert BadOpening();
        next = Entry.layer(next, layer, operator);
        move.node = node;
        move.context = _context(next.phase() == Phase.SUB_E ? leaf : operators, 0, footing.rest);
        next = _turn(move, next);
        emit Picked(move.matchId, MatchWord.unwrap(next), node);
    }

    /// SUB_E: the executor's statement of the output roots of the disputed layer's operators.
    function subTrace(
        Posted calldata posted,
        uint64 number,
        Footing calldata footing,
        address challenger,
        bytes calldata layer,
        bytes32[] calldata roots,
        bytes calldata signature
    ) external {
        Move memory move = _find(_claimId(posted), number);
        (bytes calldata head,) = Layer.split(layer);
        if (!Layer.isHead(head)) revert WrongCount();
        if (roots.length <= Layer.position(head, Layer.exports(head) - 1)) revert WrongCount();
        bytes32 scope = Tree.tagged(Tree.LAYER, layer);
        bytes32 context = _context(challenger, _ground(scope, 0, footing.rest));
        _stand(move, footing.word, Exports.leafAmong(head, roots), context, 1 << Phase.SUB_E);
        _statedBy(posted, signature);
        _inTime(move);
        if (roots.length != move.word.operators()) revert WrongCount();
        bytes32 list = Tree.ofNodes(roots, Tree.depthFor(roots.length));
        move.node = list;
        move.context = _context(challenger, _ground(scope, list, footing.rest));
        if (signature.length != 0) _ask(move, 0, list);
        MatchWord next = _turn(move, move.word.turned().answered());
        emit SubTraced(move.matchId, MatchWord.unwrap(next), roots);
    }

    /// SUB_C: the first operator of the layer that differs.
    function pickOperator(
        bytes32 claimId,
        uint64 number,
        Footing calldata footing,
        uint32 position,
        bytes calldata layer,
        bytes calldata operator,
        bytes32[] calldata operatorPath,
        bytes32 root,
        bytes32[] calldata rootPath
    ) external {
        Move memory move = _find(claimId, number);
        _checkPath(rootPath);
        bytes32 list = Tree.climb(position, root, rootPath);
        bytes32 context = _context(Tree.tagged(Tree.LAYER, layer), list, footing.rest);
        _begin(move, footing.word, list, context, 1 << Phase.SUB_C);
        if (position >= move.word.operators()) revert WrongIndex();
        uint256 depth = Tree.depthFor(move.word.operators());
        // What has the scope's hash is the layer that was picked: it was well-formed.
        (bytes calldata head, bytes32 operatorsRoot) = Layer.split(layer);
        bytes32 leaf = operator.operatorLeaf();
        if (!Tree.opens(operatorsRoot, depth, position, leaf, operatorPath)) revert BadOpening();
        if (rootPath.length != depth) revert BadOpening();
        if (!operator.isOperator()) revert WrongDescriptor();
        move.node = root;
        move.context = _context(leaf, list, footing.rest);
        MatchWord next = _turn(move, Entry.operator(move.word, Layer.first(head) + position, operator));
        emit OperatorPicked(move.matchId, MatchWord.unwrap(next), position);
    }

    /// DATA_E: the tiles under the current node.
    function revealTiles(bytes32 claimId, uint64 number, Footing calldata footing, bytes calldata tiles) external {
        Move memory move = _find(claimId, number);
        MatchWord word = MatchWord.wrap(footing.word);
        uint256 most = word.realTiles() * Tensor.TILE_BYTES;
        if (tiles.length == 0 || tiles.length % Tensor.TILE_BYTES != 0 || tiles.length > most) revert WrongCount();
        _begin(move, footing.word, Tensor.ofBytes(tiles, word.remaining()), footing.rest, 1 << Phase.DATA_E);
        if (tiles.length != most) revert WrongLength();
        MatchWord next = _turn(move, word.turned().answered());
        emit TilesRevealed(move.matchId, MatchWord.unwrap(next), tiles);
    }

    /// NAME, and DATA_E before it: the nodes above the tiles that the next move opens (PROTOCOL 4.5).
    function prepare(
        Posted calldata posted,
        uint64 number,
        Footing calldata footing,
        bytes32 list,
        bytes32 node,
        bytes calldata operator,
        bytes calldata witness
    ) external {
        // The referee reads it.
        witness;
        Move memory move = _find(_claimId(posted), number);
        bytes32 scope = operator.operatorLeaf();
        bytes32 context = _context(scope, list, footing.rest);
        _beginLive(move, footing.word, node, context, 1 << Phase.DATA_E | 1 << Phase.NAME);
        bytes32 tops = _ask(move, _inputOf(posted, operator), 0)[0];
        move.context = _context(scope, tops, footing.rest);
        MatchWord next = _turn(move, move.word.withPhase(Phase.READY));
        emit Prepared(move.matchId, MatchWord.unwrap(next), tops);
    }

    /// NAME, READY, and DATA_E before them: the first element that differs, proved at once if its fold is one segment
    /// (PROTOCOL 4.4).
    function name(
        Posted calldata posted,
        uint64 number,
        Footing calldata footing,
        bytes32 list,
        bytes calldata tile,
        uint8 slot,
        bytes32[] calldata siblings,
        uint8 element,
        bytes calldata operator,
        bytes calldata witness
    ) external {
        // The referee reads it.
        witness;
        Move memory move = _find(_claimId(posted), number);
        _checkPath(siblings);
        bytes32 node = Tensor.climbTile(slot, tile, siblings);
        bytes32 context = _context(operator.operatorLeaf(), list, footing.rest);
        _beginLive(move, footing.word, node, context, 1 << Phase.DATA_E | 1 << Phase.NAME | 1 << Phase.READY);
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
        if (phase == Phase.WON) _won(move, posted.jobId, answer[3], next.operators() == 1, msg.sender);
        else _lost(move, next, posted.executor);
    }

    /// FOLD_E: the executor's statement of the named element's partial values.
    function fold(
        Posted calldata posted,
        uint64 number,
        Footing calldata footing,
        bytes32 list,
        address challenger,
        bytes calldata operator,
        bytes calldata sums,
        bytes calldata ending,
        bytes calldata signature
    ) external {
        // The referee reads it.
        ending;
        Move memory move = _find(_claimId(posted), number);
        bytes32 context = _context(challenger, _ground(operator.operatorLeaf(), list, footing.rest));
        _stand(move, footing.word, 0, context, 1 << Phase.FOLD_E);
        _live(move);
        _statedBy(posted, signature);
        _inTime(move);
        _ask(move, _inputOfThird(posted, operator), 0);
        move.node = Tree.tagged(Tree.STATEMENT, sums);
        MatchWord next = _turn(move, move.word.turned().answered());
        emit Folded(move.matchId, MatchWord.unwrap(next), sums);
    }

    /// SEG: one partial value, recomputed.
    function segment(
        Posted calldata posted,
        uint64 number,
        Footing calldata footing,
        bytes32 list,
        bytes calldata operator,
        bytes calldata sums,
        uint32 index,
        bytes calldata witness
    ) external {
        // The referee reads them.
        (index, witness);
        Move memory move = _find(_claimId(posted), number);
        bytes32 context = _context(operator.operatorLeaf(), list, footing.rest);
        _beginLive(move, footing.word, Tree.tagged(Tree.STATEMENT, sums), context, 1 << Phase.SEG);
        bool right = _ask(move, _inputOf(posted, operator), 0)[0] != 0;
        _decide(move, !right, posted, msg.sender);
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
        bytes32 context = _contextOf(standing, seated.challenger, _seat(seated));
        _stand(move, standing.word, node, context, PLAYED);
        _live(move);
        if (block.timestamp < move.word.turnEnd(graceSeconds)) revert NotYet();
        _decide(move, move.word.executorsTurn(), posted, seated.challenger);
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
        bytes32 context = _contextOf(standing, seated.challenger, _seat(seated));
        _stand(move, standing.word, node, context, PLAYED | 1 << Phase.WON);
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
        bytes32 context = _contextOf(standing, msg.sender, _seat(seat));
        if (_state(standing.word, node, context) != move.state) revert WrongState();
        if (seat.openedAt >= claimed.refutedAt()) revert TooLate();
        if (its.best != address(0) && number >= its.bestNumber) revert NotBetter();
        _ask(move, bytes32(uint256(uint160(msg.sender))), its.link);
        its.best = msg.sender;
        its.bestNumber = number;
        emit RewardOpened(claimId, number, msg.sender);
    }

    /// The word at descendant `child` of the current node, k levels below it; the phase stays.
    function _descend(Move memory move, uint32 child, bytes32[] calldata siblings) private pure returns (MatchWord) {
        uint256 bits = move.word.levels();
        if (siblings.length != bits) revert WrongCount();
        if (child >> bits != 0) revert WrongCount();
        unchecked {
            // k is at most `remaining`.
            return move.word.withNode(move.word.remaining() - bits, (move.word.position() << bits) + child);
        }
    }
}
