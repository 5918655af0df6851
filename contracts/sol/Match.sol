// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {ClaimWord, ClaimWords} from "./ClaimWord.sol";
import {Descriptor} from "./Descriptor.sol";
import {IReferee} from "./IReferee.sol";
import {IRegistry} from "./IRegistry.sol";
import {Ledger} from "./Ledger.sol";
import {MatchWord, Phase} from "./MatchWord.sol";
import {Tree} from "./Tree.sol";

/// @title What surrounds every move (PROTOCOL 4.1, 4.2 before and after the guard, 4.8); the moves are in Game.sol.
abstract contract Match is Ledger {
    using Descriptor for bytes;

    /// A move under way. The digests are the match's state, first as it stands, then as the move leaves it.
    struct Move {
        bytes32 claimId;
        bytes32 matchId;
        bytes32 state;
        ClaimWord claim;
        MatchWord word;
        bytes32 node;
        bytes32 scope;
        bytes32 list;
        bytes32 seat;
    }

    IReferee public immutable referee;

    mapping(bytes32 => bytes32) public matchState;

    constructor(IRegistry registry_, IReferee referee_, Parameters memory p) Ledger(registry_, p) {
        referee = referee_;
    }

    /// The match that a move is about.
    function _find(bytes32 claimId, uint64 number) internal view returns (Move memory move) {
        move.claimId = claimId;
        move.matchId = _matchId(claimId, number);
        move.state = matchState[move.matchId];
        if (move.state == 0) revert UnknownMatch();
    }

    /// Its state is the given one, and its phase one of `phases`, a set of codes.
    function _stand(Move memory move, Standing calldata standing, bytes32 node, bytes32 seat, uint256 phases)
        internal
        pure
    {
        (bytes32 scope, bytes32 list) = (standing.scope, standing.list);
        if (_state(standing.word, node, scope, list, seat) != move.state) revert WrongState();
        move.word = MatchWord.wrap(standing.word);
        (move.node, move.scope, move.list, move.seat) = (node, scope, list, seat);
        if (phases >> move.word.phase() & 1 == 0) revert WrongPhase();
    }

    /// And it is still played.
    function _enter(Move memory move, Standing calldata standing, bytes32 node, bytes32 seat, uint256 phases)
        internal
        view
    {
        _stand(move, standing, node, seat, phases);
        ClaimWord claimed = claims[move.claimId].word;
        move.claim = claimed;
        if (claimed.status() != ClaimWords.PENDING) revert ClaimClosed();
        if (block.timestamp >= claimed.hardEnd()) revert ClaimClosed();
    }

    /// All that a move checks before its guard. If `only` is not 0, nobody else may send it.
    function _begin(
        Move memory move,
        Standing calldata standing,
        bytes32 node,
        bytes32 seat,
        uint256 phases,
        address only
    ) internal view {
        _enter(move, standing, node, seat, phases);
        if (only != address(0)) {
            if (msg.sender != only) revert NotYourMove();
        }
        if (block.timestamp >= move.word.turnEnd(graceSeconds)) revert TooLate();
    }

    /// After the guard: the clock of the side whose turn it was is charged, and the state stored. `next` has the new phase.
    function _turn(Move memory move, MatchWord next) internal returns (MatchWord) {
        next = next.charged(move.word.executorsTurn(), block.timestamp, graceSeconds);
        _store(move, next);
        return next;
    }

    function _store(Move memory move, MatchWord word) internal {
        matchState[move.matchId] = _state(MatchWord.unwrap(word), move.node, move.scope, move.list, move.seat);
    }

    /// A verdict that knows no right value.
    function _decide(Move memory move, bool won, Posted calldata posted, address challenger, uint256 bond) internal {
        MatchWord next = _turn(move, move.word.withPhase(won ? Phase.WON : Phase.LOST));
        if (won) _won(move, posted.jobId, 0, false, challenger);
        else _lost(move, next, posted.executor, bond);
    }

    /// The challenger won; its bond waits for `reclaim`.
    function _won(Move memory move, bytes32 jobId, bytes32 point, bool byRoots, address challenger) internal {
        emit MatchWon(move.matchId, move.claimId);
        _refute(move.claimId, move.claim, jobId, point, byRoots, challenger);
    }

    /// The challenger lost: its bond pays for the executor's answers, the rest is burned.
    function _lost(Move memory move, MatchWord word, address executor, uint256 bond) internal {
        claims[move.claimId].word = move.claim.closed();
        uint256 compensation = _compensation(move.claim, word.answers(), bond);
        owed[executor] += compensation;
        burned += bond - compensation;
        emit MatchLost(move.matchId, move.claimId);
    }

    /// Puts the call before the referee: its own calldata, and behind it what only the game knows.
    function _ask(Move memory move, bytes32 input, bytes32 given) internal view returns (bytes32[4] memory answer) {
        address judge = address(referee);
        bytes32 claimId = move.claimId;
        uint256 layers = move.claim.layers();
        assembly ("memory-safe") {
            let call_ := mload(0x40)
            let context := add(call_, calldatasize())
            calldatacopy(call_, 0, calldatasize())
            mstore(context, claimId)
            mstore(add(context, 32), layers)
            mstore(add(context, 64), input)
            mstore(add(context, 96), given)
            if iszero(staticcall(gas(), judge, call_, add(calldatasize(), 128), answer, 128)) {
                returndatacopy(call_, 0, returndatasize())
                revert(call_, returndatasize())
            }
        }
    }

    /// The root of the job's input, if the operator reads it; that it is the program's is the referee's to check.
    function _inputOf(Posted calldata posted, bytes calldata operator) internal view returns (bytes32) {
        bool reads = operator.aKind() == Descriptor.KIND_INPUT
            || (operator.bType() != 0 && operator.bKind() == Descriptor.KIND_INPUT);
        return reads ? jobs[posted.jobId].inputRoot : _inputOfThird(posted, operator);
    }

    /// The same, if the operator reads it as its table or divisor, as that of no legal program does.
    function _inputOfThird(Posted calldata posted, bytes calldata operator) internal view returns (bytes32) {
        bool reads = operator.hasThird() && operator.thirdKind() == Descriptor.KIND_INPUT;
        return reads ? jobs[posted.jobId].inputRoot : bytes32(0);
    }

    function _checkSiblings(bytes32[] calldata siblings) internal pure {
        if (siblings.length > Tree.MAX_DEPTH) revert WrongCount();
    }

    /// k: the levels that a reveal goes down. A tensor's last two are shown as tiles.
    function _bits(Move memory move) internal pure returns (uint256) {
        unchecked {
            uint256 levels = move.word.remaining();
            if (move.word.phase() > Phase.LAYER_C) levels -= 2;
            uint256 bits = move.claim.revealBits();
            return bits < levels ? bits : levels;
        }
    }

    /// Whether a node's first leaf is padding: position * 2^remaining >= leaves, which are fewer than 2^32.
    function _beyond(uint256 position, uint256 remaining, uint256 leaves) internal pure returns (bool) {
        if (remaining >= 32) return position != 0;
        return position << remaining >= leaves;
    }

    function _matchId(bytes32 claimId, uint64 index) internal pure returns (bytes32 id) {
        assembly ("memory-safe") {
            mstore(0, claimId)
            mstore(0x20, index)
            id := keccak256(0, 0x40)
        }
    }

    /// The seat of the sender.
    function _seatOf(Seat calldata seat) internal view returns (bytes32 digest) {
        assembly ("memory-safe") {
            let buffer := mload(0x40)
            mstore(buffer, caller())
            calldatacopy(add(buffer, 0x20), seat, 0x60)
            digest := keccak256(buffer, 0x80)
        }
    }

    function _state(uint256 word, bytes32 node, bytes32 scope, bytes32 list, bytes32 seat)
        internal
        pure
        returns (bytes32 state)
    {
        assembly ("memory-safe") {
            let buffer := mload(0x40)
            mstore(buffer, word)
            mstore(add(buffer, 0x20), node)
            mstore(add(buffer, 0x40), scope)
            mstore(add(buffer, 0x60), list)
            mstore(add(buffer, 0x80), seat)
            state := keccak256(buffer, 0xa0)
        }
    }
}
