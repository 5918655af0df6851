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

    /// A move under way. Node and context are the match's, first as it stands, then as the move leaves it; the claim's word is
    /// there only for moves that need it.
    struct Move {
        bytes32 claimId;
        bytes32 matchId;
        bytes32 state;
        ClaimWord claim;
        MatchWord word;
        bytes32 node;
        bytes32 context;
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
    function _stand(Move memory move, uint256 word, bytes32 node, bytes32 context, uint256 phases) internal pure {
        if (_state(word, node, context) != move.state) revert WrongState();
        move.word = MatchWord.wrap(word);
        (move.node, move.context) = (node, context);
        if (phases >> move.word.phase() & 1 == 0) revert WrongPhase();
    }

    /// And a verdict still counts.
    function _live(Move memory move) internal view {
        ClaimWord claimed = claims[move.claimId].word;
        move.claim = claimed;
        if (claimed.status() != ClaimWords.PENDING) revert ClaimClosed();
        if (block.timestamp >= claimed.hardEnd()) revert ClaimClosed();
    }

    /// And its turn has not run out.
    function _inTime(Move memory move) internal view {
        if (block.timestamp >= move.word.turnEnd(graceSeconds)) revert TooLate();
    }

    /// All that a move from which no verdict follows checks before its guard.
    function _begin(Move memory move, uint256 word, bytes32 node, bytes32 context, uint256 phases) internal view {
        _stand(move, word, node, context, phases);
        _inTime(move);
    }

    /// All that a move which may end the match checks before its guard.
    function _beginLive(Move memory move, uint256 word, bytes32 node, bytes32 context, uint256 phases) internal view {
        _stand(move, word, node, context, phases);
        _live(move);
        _inTime(move);
    }

    /// A statement without a signature is its sender's: the executor's, or none.
    function _statedBy(Posted calldata posted, bytes calldata signature) internal view {
        if (signature.length == 0 && msg.sender != posted.executor) revert NotYourMove();
    }

    /// After the guard: the clock of the side whose turn it was is charged, and the state stored. `next` has the new phase.
    function _turn(Move memory move, MatchWord next) internal returns (MatchWord) {
        next = next.charged(move.word.executorsTurn(), block.timestamp, graceSeconds);
        _store(move, next);
        return next;
    }

    function _store(Move memory move, MatchWord word) internal {
        matchState[move.matchId] = _state(MatchWord.unwrap(word), move.node, move.context);
    }

    /// A verdict that knows no right value.
    function _decide(Move memory move, bool won, Posted calldata posted, address challenger) internal {
        MatchWord next = _turn(move, move.word.withPhase(won ? Phase.WON : Phase.LOST));
        if (won) _won(move, posted.jobId, 0, false, challenger);
        else _lost(move, next, posted.executor);
    }

    /// The challenger won; its bond waits for `reclaim`.
    function _won(Move memory move, bytes32 jobId, bytes32 point, bool byRoots, address challenger) internal {
        emit MatchWon(move.matchId, move.claimId);
        _refute(move.claimId, move.claim, jobId, point, byRoots, challenger);
    }

    /// The challenger lost: its bond pays for the executor's answers, the rest is burned.
    function _lost(Move memory move, MatchWord word, address executor) internal {
        claims[move.claimId].word = move.claim.closed();
        // What `open` took.
        uint256 bond = _bond(move.claim);
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

    function _checkPath(bytes32[] calldata path) internal pure {
        if (path.length > Tree.MAX_DEPTH) revert WrongCount();
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

    /// keccak(challenger, ground).
    function _context(address challenger, bytes32 ground) internal pure returns (bytes32 context) {
        assembly ("memory-safe") {
            mstore(0, and(challenger, 0xffffffffffffffffffffffffffffffffffffffff))
            mstore(0x20, ground)
            context := keccak256(0, 0x40)
        }
    }

    /// The context of a match of the sender's.
    function _context(bytes32 scope, bytes32 list, bytes32 seat) internal view returns (bytes32) {
        return _context(msg.sender, _ground(scope, list, seat));
    }

    /// keccak(scope, list, seat).
    function _ground(bytes32 scope, bytes32 list, bytes32 seat) internal pure returns (bytes32 ground) {
        assembly ("memory-safe") {
            let buffer := mload(0x40)
            mstore(buffer, scope)
            mstore(add(buffer, 0x20), list)
            mstore(add(buffer, 0x40), seat)
            ground := keccak256(buffer, 0x60)
        }
    }

    /// The context, all of which is shown.
    function _contextOf(Standing calldata standing, address challenger, bytes32 seat) internal pure returns (bytes32) {
        return _context(challenger, _ground(standing.scope, standing.list, seat));
    }

    /// keccak(commitment, openedAt, bond).
    function _seat(Seat calldata seat) internal pure returns (bytes32 digest) {
        assembly ("memory-safe") {
            let buffer := mload(0x40)
            calldatacopy(buffer, seat, 0x60)
            digest := keccak256(buffer, 0x60)
        }
    }

    /// The same, of what names the challenger first.
    function _seat(Seated calldata seated) internal pure returns (bytes32 digest) {
        assembly ("memory-safe") {
            let buffer := mload(0x40)
            calldatacopy(buffer, add(seated, 0x20), 0x60)
            digest := keccak256(buffer, 0x60)
        }
    }

    /// keccak(word, node, context).
    function _state(uint256 word, bytes32 node, bytes32 context) internal pure returns (bytes32 state) {
        assembly ("memory-safe") {
            let buffer := mload(0x40)
            mstore(buffer, word)
            mstore(add(buffer, 0x20), node)
            mstore(add(buffer, 0x40), context)
            state := keccak256(buffer, 0x60)
        }
    }
}
