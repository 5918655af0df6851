// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// A match's packed state (PROTOCOL 4.1), from the least significant bit: phase 8, remaining 8, position 32, place 24,
/// turnStart 40, executorClock 32, challengerClock 32, answers 8, operators 8, element 8, subject 32, revealBits 8; the
/// rest zero.
type MatchWord is uint256;

using MatchWords for MatchWord global;

/// The codes of PROTOCOL 4.2. While a match runs, the executor's phases are odd and the challenger's even.
library Phase {
    uint8 internal constant LAYER_E = 1;
    uint8 internal constant LAYER_C = 2;
    uint8 internal constant SUB_E = 3;
    uint8 internal constant SUB_C = 4;
    uint8 internal constant TILE_E = 5;
    uint8 internal constant TILE_C = 6;
    uint8 internal constant DATA_E = 7;
    uint8 internal constant NAME = 8;
    uint8 internal constant FOLD_E = 9;
    uint8 internal constant SEG = 10;
    uint8 internal constant WON = 11;
    uint8 internal constant LOST = 12;
    uint8 internal constant RECLAIMED = 13;
    uint8 internal constant COMMITTED = 14;
    uint8 internal constant READY = 16;
}

/// @notice Writers keep what they do not name; a value too wide for its field is cut to it.
library MatchWords {
    uint256 private constant REMAINING = 8;
    uint256 private constant POSITION = 16;
    uint256 private constant PLACE = 48;
    uint256 private constant TURN_START = 72;
    uint256 private constant EXECUTOR_CLOCK = 112;
    uint256 private constant CHALLENGER_CLOCK = 144;
    uint256 private constant ANSWERS = 176;
    uint256 private constant OPERATORS = 184;
    uint256 private constant ELEMENT = 192;
    uint256 private constant SUBJECT = 200;
    uint256 private constant REVEAL_BITS = 232;

    /// A match at its beginning, at the root of the trace.
    function start(uint8 phase_, uint256 levels_, uint256 time, uint32 executorClock, uint32 challengerClock)
        internal
        pure
        returns (MatchWord)
    {
        return MatchWord.wrap(
            uint256(phase_) | uint256(uint8(levels_)) << REMAINING | uint256(uint40(time)) << TURN_START
                | uint256(executorClock) << EXECUTOR_CLOCK | uint256(challengerClock) << CHALLENGER_CLOCK
        );
    }

    function phase(MatchWord w) internal pure returns (uint8) {
        return uint8(MatchWord.unwrap(w));
    }

    /// Levels below the current node.
    function remaining(MatchWord w) internal pure returns (uint256) {
        return uint8(MatchWord.unwrap(w) >> REMAINING);
    }

    /// The current node's index at its level.
    function position(MatchWord w) internal pure returns (uint256) {
        return uint32(MatchWord.unwrap(w) >> POSITION);
    }

    /// The disputed layer's index, then the disputed operator's.
    function place(MatchWord w) internal pure returns (uint256) {
        return uint24(MatchWord.unwrap(w) >> PLACE);
    }

    function turnStart(MatchWord w) internal pure returns (uint256) {
        return uint40(MatchWord.unwrap(w) >> TURN_START);
    }

    /// Seconds that the side whose turn it is has left.
    function turnClock(MatchWord w) internal pure returns (uint256) {
        return uint32(MatchWord.unwrap(w) >> (executorsTurn(w) ? EXECUTOR_CLOCK : CHALLENGER_CLOCK));
    }

    /// Moves that the executor's side has made, up to 255.
    function answers(MatchWord w) internal pure returns (uint256) {
        return uint8(MatchWord.unwrap(w) >> ANSWERS);
    }

    /// Operators of the disputed layer; 0 before it is known.
    function operators(MatchWord w) internal pure returns (uint256) {
        return uint8(MatchWord.unwrap(w) >> OPERATORS);
    }

    /// The named element's place in its tile.
    function element(MatchWord w) internal pure returns (uint256) {
        return uint8(MatchWord.unwrap(w) >> ELEMENT);
    }

    /// Leaves of the tree that is narrowed down: the program's layers, then the disputed tensor's tiles; then the named
    /// element's claimed value.
    function subject(MatchWord w) internal pure returns (uint256) {
        return uint32(MatchWord.unwrap(w) >> SUBJECT);
    }

    /// b of the program's header.
    function revealBits(MatchWord w) internal pure returns (uint256) {
        return uint8(MatchWord.unwrap(w) >> REVEAL_BITS);
    }

    /// k: the levels that a reveal goes down. A tensor's last two are shown as tiles.
    function levels(MatchWord w) internal pure returns (uint256) {
        unchecked {
            uint256 below = remaining(w);
            if (phase(w) > Phase.LAYER_C) below -= 2;
            uint256 bits = revealBits(w);
            return bits < below ? bits : below;
        }
    }

    /// The subject as a value.
    function value(MatchWord w) internal pure returns (int256) {
        return int32(uint32(subject(w)));
    }

    /// Tiles of the disputed tensor that lie under the current node.
    function realTiles(MatchWord w) internal pure returns (uint256) {
        unchecked {
            uint256 below = remaining(w);
            if (below >= 32) return position(w) == 0 ? subject(w) : 0;
            uint256 first = position(w) << below;
            if (first >= subject(w)) return 0;
            uint256 rest = subject(w) - first;
            return rest < 1 << below ? rest : 1 << below;
        }
    }

    function executorsTurn(MatchWord w) internal pure returns (bool) {
        return MatchWord.unwrap(w) & 1 == 1;
    }

    /// The first second in which the turn's side is too late.
    function turnEnd(MatchWord w, uint256 grace) internal pure returns (uint256) {
        unchecked {
            return turnStart(w) + grace + turnClock(w);
        }
    }

    function withPhase(MatchWord w, uint8 phase_) internal pure returns (MatchWord) {
        return _put(w, 0, type(uint8).max, phase_);
    }

    /// Of an executor's phase: the challenger's, which follows it.
    function turned(MatchWord w) internal pure returns (MatchWord) {
        unchecked {
            return MatchWord.wrap(MatchWord.unwrap(w) + 1);
        }
    }

    function withNode(MatchWord w, uint256 remaining_, uint256 index) internal pure returns (MatchWord) {
        return _put(w, REMAINING, type(uint40).max, uint256(uint8(remaining_)) | uint256(uint32(index)) << 8);
    }

    function withPlace(MatchWord w, uint256 place_) internal pure returns (MatchWord) {
        return _put(w, PLACE, type(uint24).max, place_);
    }

    function withOperators(MatchWord w, uint256 count) internal pure returns (MatchWord) {
        return _put(w, OPERATORS, type(uint8).max, count);
    }

    function withSubject(MatchWord w, uint256 tiles) internal pure returns (MatchWord) {
        return _put(w, SUBJECT, type(uint32).max, tiles);
    }

    /// Of a program with so many layers, whose reveals go down so many levels.
    function withProgram(MatchWord w, uint256 layers, uint256 revealBits_) internal pure returns (MatchWord) {
        return _put(w, SUBJECT, type(uint40).max, uint256(uint32(layers)) | uint256(uint8(revealBits_)) << 32);
    }

    function withNamed(MatchWord w, uint256 element_, int256 value_) internal pure returns (MatchWord) {
        uint256 both = uint256(uint8(element_)) | uint256(uint32(int32(value_))) << 8;
        return _put(w, ELEMENT, type(uint40).max, both);
    }

    /// One more move of the executor's side.
    function answered(MatchWord w) internal pure returns (MatchWord) {
        unchecked {
            return answers(w) == type(uint8).max ? w : MatchWord.wrap(MatchWord.unwrap(w) + (1 << ANSWERS));
        }
    }

    /// The turn's side pays for what it took beyond the grace, and the next turn begins.
    function charged(MatchWord w, bool executors, uint256 time, uint256 grace) internal pure returns (MatchWord) {
        unchecked {
            uint256 shift = executors ? EXECUTOR_CLOCK : CHALLENGER_CLOCK;
            uint256 clock = uint32(MatchWord.unwrap(w) >> shift);
            uint256 free = turnStart(w) + grace;
            if (time > free) {
                uint256 spent = time - free;
                // Only a timeout finds more spent than there was.
                w = _put(w, shift, type(uint32).max, spent < clock ? clock - spent : 0);
            }
            return _put(w, TURN_START, type(uint40).max, time);
        }
    }

    function _put(MatchWord w, uint256 shift, uint256 mask, uint256 field) private pure returns (MatchWord) {
        return MatchWord.wrap(MatchWord.unwrap(w) & ~(mask << shift) | (field & mask) << shift);
    }
}
