// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Arithmetic} from "./Arithmetic.sol";
import {ClaimWord, ClaimWords} from "./ClaimWord.sol";
import {Descriptor} from "./Descriptor.sol";
import {IReferee} from "./IReferee.sol";
import {IRegistry} from "./IRegistry.sol";
import {Ledger} from "./Ledger.sol";
import {MatchWord, MatchWords, Phase} from "./MatchWord.sol";
import {Opening} from "./Opening.sol";
import {Tree} from "./Tree.sol";

/// @title Matches (PROTOCOL 4): a challenger narrows a claim down to one element, and the referee recomputes it.
contract Game is Ledger {
    using Descriptor for bytes;

    struct StoredMatch {
        MatchWord word;
        bytes32 node;
        bytes32 operator;
        bytes32 claimId;
        address challenger;
    }

    /// Who may send a move.
    enum By {
        Anyone,
        Challenger,
        Executor
    }

    /// A move under way: what stood when it was sent.
    struct Move {
        bytes32 matchId;
        bytes32 claimId;
        ClaimWord claim;
        MatchWord word;
        bytes32 node;
        bytes32 operator;
    }

    uint256 private constant MAX_ELEMENTS = (1 << 31) - 1;
    uint256 private constant MAX_TERMS = 1 << 24;
    uint256 private constant MAX_SPLIT = 1 << 16;

    IReferee public immutable referee;

    mapping(bytes32 => StoredMatch) private matches;

    constructor(IRegistry registry_, IReferee referee_, Parameters memory p) Ledger(registry_, p) {
        referee = referee_;
    }

    function open(bytes32 claimId, bytes32 commitment) external payable returns (bytes32 matchId) {
        StoredClaim storage its = claims[claimId];
        ClaimWord claimWord = its.word;
        if (claimWord.status() == 0) revert UnknownClaim();
        if (claimWord.status() != ClaimWords.PENDING) revert ClaimClosed();
        if (block.timestamp >= claimWord.windowEnd()) revert TooLate();
        _stake();
        uint64 number = claimWord.matches();
        its.word = claimWord.opened();
        matchId = keccak256(abi.encode(claimId, number));
        StoredMatch storage stored = matches[matchId];
        uint256 depth = Tree.depthFor(claimWord.layers());
        stored.word = MatchWords.start(
            depth == 0 ? Phase.LAYER_C : Phase.LAYER_E,
            depth,
            block.timestamp,
            executorClockSeconds,
            challengerClockSeconds
        );
        stored.node = its.traceRoot;
        stored.claimId = claimId;
        stored.challenger = msg.sender;
        emit MatchOpened(matchId, claimId, msg.sender, number, commitment);
    }

    /// LAYER_E, TILE_E: descendants of the current node.
    function reveal(bytes32 matchId, bytes32 state, bytes32[] calldata nodes) external {
        Move memory move = _begin(matchId, _either(Phase.LAYER_E, Phase.TILE_E), state, By.Anyone);
        if (nodes.length != 1 << _bits(move)) revert WrongCount();
        if (Tree.foldUp(nodes) != move.node) revert BadOpening();
        emit Revealed(matchId, nodes);
        // Each C phase follows its E phase.
        _end(move, move.word.withPhase(move.word.phase() + 1));
    }

    /// LAYER_C, TILE_C, and the E phases before them: the first descendant that differs (PROTOCOL 4.3).
    function pick(
        bytes32 matchId,
        bytes32 state,
        bytes32[] calldata nodes,
        uint32 child,
        bytes calldata descriptor,
        bytes32[] calldata path
    ) external {
        uint256 phases = _either(Phase.LAYER_E, Phase.LAYER_C) | _either(Phase.TILE_E, Phase.TILE_C);
        Move memory move = _begin(matchId, phases, state, By.Challenger);
        uint256 bits = _bits(move);
        if (nodes.length != 1 << bits || child >= nodes.length) revert WrongCount();
        if (Tree.foldUp(nodes) != move.node) revert BadOpening();

        bool inLayers = move.word.phase() <= Phase.LAYER_C;
        uint256 leaves = inLayers ? move.claim.layers() : move.word.tiles();
        uint256 remaining = move.word.remaining() - bits;
        uint256 position = (move.word.position() << bits) + child;
        if (position > type(uint32).max) revert WrongDescriptor();
        bytes32 node = nodes[child];
        MatchWord next = move.word.withNode(remaining, position);
        _storeNode(matchId, node);
        emit Picked(matchId, child);

        if (_beyond(position, remaining, leaves)) {
            if (node == Tree.padding(remaining)) revert PaddingHonest();
            return _end(move, next.withPhase(Phase.WON));
        }
        if (inLayers && remaining == 0) return _end(move, _enterLayer(move, next, position, descriptor, path));
        if (descriptor.length != 0 || path.length != 0) revert WitnessExtra();
        if (remaining == 0) next = next.withPhase(Phase.DATA_E);
        else next = next.withPhase(inLayers ? Phase.LAYER_E : Phase.TILE_E);
        _end(move, next);
    }

    /// DATA_E: the disputed tile.
    function revealTile(bytes32 matchId, bytes32 state, bytes calldata tile) external {
        Move memory move = _begin(matchId, 1 << Phase.DATA_E, state, By.Anyone);
        _checkTile(move, tile);
        emit TileRevealed(matchId, tile);
        _end(move, move.word.withPhase(Phase.NAME));
    }

    /// NAME, and DATA_E before it: the first element that differs, proved at once if its fold is one segment (PROTOCOL 4.4).
    function name(
        bytes32 matchId,
        bytes32 state,
        bytes calldata tile,
        uint8 element,
        bytes calldata descriptor,
        Witness calldata witness
    ) external {
        Move memory move = _begin(matchId, _either(Phase.DATA_E, Phase.NAME), state, By.Challenger);
        _checkTile(move, tile);
        _checkOperator(move, descriptor);
        if (element >= Tree.TILE_BYTES / descriptor.elementBytes()) revert WrongIndex();
        uint256 e = _element(move, descriptor, element);
        int256 value = _read(tile, element, descriptor.elementBytes());

        if (e >= descriptor.elements()) {
            if (value == 0) revert PaddingHonest();
            return _end(move, move.word.withPhase(Phase.WON));
        }
        if (descriptor.terms() <= descriptor.split()) {
            int256 right = referee.step(_roots(move, descriptor), descriptor, e, witness);
            return _end(move, move.word.withPhase(right == value ? Phase.LOST : Phase.WON));
        }
        if (!Opening.isEmpty(witness)) revert WitnessExtra();
        // Below 2^31 and of at most 4 bytes: `_enterLayer` has seen to it.
        emit Named(matchId, uint32(e), int32(value));
        _end(move, move.word.withPhase(Phase.FOLD_E).withNamed(element, value));
    }

    /// FOLD_E: the executor's statement of the named element's partial values.
    function fold(
        bytes32 matchId,
        bytes32 state,
        bytes calldata descriptor,
        bytes calldata sums,
        Opened calldata params
    ) external {
        Move memory move = _begin(matchId, 1 << Phase.FOLD_E, state, By.Executor);
        _checkOperator(move, descriptor);
        uint256 e = _element(move, descriptor, move.word.element());
        int256 value = referee.fold(_roots(move, descriptor), descriptor, e, sums, params);
        if (value != move.word.value()) revert FoldMismatch();
        _storeNode(matchId, _statement(sums));
        emit Folded(matchId, sums);
        _end(move, move.word.withPhase(Phase.SEG));
    }

    /// SEG: one partial value, recomputed.
    function segment(
        bytes32 matchId,
        bytes32 state,
        bytes calldata descriptor,
        bytes calldata sums,
        uint32 index,
        Witness calldata witness
    ) external {
        Move memory move = _begin(matchId, 1 << Phase.SEG, state, By.Challenger);
        _checkOperator(move, descriptor);
        if (_statement(sums) != move.node) revert WrongStatement();
        if (index >= sums.length / 8) revert WrongIndex();
        uint256 e = _element(move, descriptor, move.word.element());
        int256 right = referee.segment(_roots(move, descriptor), descriptor, e, index, witness);
        int256 stated = int64(uint64(bytes8(sums[uint256(index) * 8:])));
        _end(move, move.word.withPhase(right == stated ? Phase.LOST : Phase.WON));
    }

    /// Ends a match whose turn has run out.
    function timeout(bytes32 matchId) external {
        Move memory move;
        _enter(move, matchId, (1 << Phase.WON) - 1);
        if (block.timestamp < move.word.turnEnd(graceSeconds)) revert NotYet();
        _end(move, move.word.withPhase(move.word.executorsTurn() ? Phase.WON : Phase.LOST));
    }

    /// Returns the bond of a match that was overtaken by its claim's end.
    function reclaim(bytes32 matchId) external {
        StoredMatch storage stored = matches[matchId];
        MatchWord word = stored.word;
        if (word.phase() == 0) revert UnknownMatch();
        if (!word.isOpen()) revert WrongPhase();
        if (claims[stored.claimId].word.status() == ClaimWords.PENDING) revert NotYet();
        stored.word = word.withPhase(Phase.RECLAIMED);
        owed[stored.challenger] += challengerBond;
        emit Reclaimed(matchId);
    }

    function matchOf(bytes32 matchId) external view returns (Match memory) {
        StoredMatch storage s = matches[matchId];
        return Match(s.challenger, s.claimId, MatchWord.unwrap(s.word), s.node, s.operator);
    }

    /// What every move checks before its guard: the first half, which the timeout shares. `phases` is a set of codes.
    function _enter(Move memory move, bytes32 matchId, uint256 phases) private view {
        StoredMatch storage stored = matches[matchId];
        move.matchId = matchId;
        move.word = stored.word;
        uint8 phase = move.word.phase();
        if (phase == 0) revert UnknownMatch();
        if (phases >> phase & 1 == 0) revert WrongPhase();
        move.claimId = stored.claimId;
        move.claim = claims[move.claimId].word;
        if (move.claim.status() != ClaimWords.PENDING || block.timestamp >= move.claim.hardEnd()) revert ClaimClosed();
    }

    /// All that a move checks before its guard.
    function _begin(bytes32 matchId, uint256 phases, bytes32 state, By by) private view returns (Move memory move) {
        _enter(move, matchId, phases);
        StoredMatch storage stored = matches[matchId];
        move.node = stored.node;
        // Before the layer is known it is 0.
        if (move.word.phase() > Phase.LAYER_C) move.operator = stored.operator;
        if (state != keccak256(abi.encode(matchId, move.word, move.node, move.operator))) revert WrongState();
        if (by == By.Challenger && msg.sender != stored.challenger) revert NotYourMove();
        if (by == By.Executor && msg.sender != claims[move.claimId].executor) revert NotYourMove();
        if (block.timestamp >= move.word.turnEnd(graceSeconds)) revert TooLate();
    }

    /// After the guard: the clock is charged, and a verdict moves the money (PROTOCOL 4.6). `next` has the new phase.
    function _end(Move memory move, MatchWord next) private {
        matches[move.matchId].word = next.charged(move.word.executorsTurn(), block.timestamp, graceSeconds);
        uint8 phase = next.phase();
        if (phase == Phase.WON) {
            _refute(claims[move.claimId], matches[move.matchId].challenger);
            emit MatchWon(move.matchId, move.claimId);
        } else if (phase == Phase.LOST) {
            _acquit(claims[move.claimId]);
            emit MatchLost(move.matchId, move.claimId);
        }
    }

    /// The pick that reaches a layer leaf: the dispute goes on in that layer's output.
    function _enterLayer(
        Move memory move,
        MatchWord next,
        uint256 layer,
        bytes calldata descriptor,
        bytes32[] calldata path
    ) private returns (MatchWord) {
        if (descriptor.length != Descriptor.BYTES) revert WrongLength();
        bytes32 operator = descriptor.operatorLeaf();
        bytes32 layersRoot = registry.layersRoot(_programRoot(move));
        bytes32 leaf = Descriptor.layerLeaf(operator, layer);
        if (!Tree.opens(layersRoot, Tree.depthFor(move.claim.layers()), layer, leaf, path)) revert BadOpening();
        if (!_isSized(descriptor)) revert WrongDescriptor();
        matches[move.matchId].operator = operator;
        uint256 depth = descriptor.outputDepth();
        return next.withLayer(layer, descriptor.outputTiles()).withNode(depth, 0)
            .withPhase(depth == 0 ? Phase.DATA_E : Phase.TILE_E);
    }

    /// Whether a descriptor keeps to the limits of SPEC 5 on which the arithmetic here rests. Those of legal programs do.
    function _isSized(bytes calldata descriptor) private pure returns (bool) {
        return _within(descriptor.u8(2), 1, 3) && _within(descriptor.u8(3), 1, 3) && _within(descriptor.u8(4), 0, 3)
            && _within(descriptor.elements(), 1, MAX_ELEMENTS) && _within(descriptor.terms(), 1, MAX_TERMS)
            && _within(descriptor.split(), 1, MAX_SPLIT);
    }

    /// Whether a node's first leaf is padding: position * 2^remaining >= leaves, which are fewer than 2^32.
    function _beyond(uint256 position, uint256 remaining, uint256 leaves) private pure returns (bool) {
        return position != 0 && (remaining >= 32 || position << remaining >= leaves);
    }

    function _checkTile(Move memory move, bytes calldata tile) private pure {
        if (tile.length != Tree.TILE_BYTES) revert WrongLength();
        if (Tree.leafOf(tile) != move.node) revert BadOpening();
    }

    /// A descriptor with the operator's leaf has 192 bytes: the layer's descriptor had.
    function _checkOperator(Move memory move, bytes calldata descriptor) private pure {
        if (descriptor.operatorLeaf() != move.operator) revert WrongDescriptor();
    }

    /// The index in the disputed tensor of element `element` of the disputed tile.
    function _element(Move memory move, bytes calldata descriptor, uint256 element) private pure returns (uint256) {
        return move.word.position() * (Tree.TILE_BYTES / descriptor.elementBytes()) + element;
    }

    function _read(bytes calldata tile, uint256 element, uint256 size) private pure returns (int256) {
        uint256 offset;
        assembly ("memory-safe") {
            offset := tile.offset
        }
        return Arithmetic.read(offset + element * size, size);
    }

    /// keccak(0x07 | sums).
    function _statement(bytes calldata sums) private pure returns (bytes32) {
        return keccak256(abi.encodePacked(uint8(7), sums));
    }

    /// The roots that a step is judged under; those that the descriptor does not name are not read.
    function _roots(Move memory move, bytes calldata descriptor) private view returns (IReferee.Roots memory roots) {
        uint256 kinds = 1 << descriptor.aKind();
        if (descriptor.bType() != 0) kinds |= 1 << descriptor.bKind();
        StoredClaim storage its = claims[move.claimId];
        if (kinds >> Descriptor.KIND_INPUT & 1 != 0) roots.input = jobs[its.jobId].inputRoot;
        if (kinds >> Descriptor.KIND_LAYER & 1 != 0) roots.trace = its.traceRoot;
        roots.traceDepth = Tree.depthFor(move.claim.layers());
        roots.constants = registry.constantsRoot(_programRoot(move));
        roots.constantsDepth = Tree.depthFor(move.claim.constants());
    }

    function _programRoot(Move memory move) private view returns (bytes32) {
        return jobs[claims[move.claimId].jobId].programRoot;
    }

    function _storeNode(bytes32 matchId, bytes32 node) private {
        matches[matchId].node = node;
    }

    /// k: the levels that a reveal goes down.
    function _bits(Move memory move) private pure returns (uint256) {
        uint256 remaining = move.word.remaining();
        uint256 bits = move.claim.revealBits();
        return bits < remaining ? bits : remaining;
    }

    function _either(uint8 phase, uint8 other) private pure returns (uint256) {
        return 1 << phase | 1 << other;
    }

    function _within(uint256 value, uint256 least, uint256 greatest) private pure returns (bool) {
        return least <= value && value <= greatest;
    }
}
