// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// What every move reads of its claim, in one slot, from the least significant bit: status 2, byRoots 1, pointOpen 1,
/// revealBits 4, rounds 8, layers 24, windowEnd 40, hardEnd 40, openings 32, openMatches 32, number 32, refutedAt 40. The
/// registry keeps layers below 2^24; seconds stay below 2^40 for 34,000 years.
type ClaimWord is uint256;

using ClaimWords for ClaimWord global;

library ClaimWords {
    uint8 internal constant PENDING = 1;
    uint8 internal constant FINAL = 2;
    uint8 internal constant REFUTED = 3;

    uint256 private constant BY_ROOTS = 1 << 2;
    uint256 private constant POINT_OPEN = 1 << 3;
    uint256 private constant REVEAL_BITS = 4;
    uint256 private constant ROUNDS = 8;
    uint256 private constant LAYERS = 16;
    uint256 private constant WINDOW_END = 40;
    uint256 private constant HARD_END = 80;
    uint256 private constant OPENINGS = 120;
    uint256 private constant OPEN_MATCHES = 152;
    uint256 private constant NUMBER = 184;
    uint256 private constant REFUTED_AT = 216;

    function start(
        uint256 revealBits_,
        uint256 rounds_,
        uint256 layers_,
        uint256 windowEnd_,
        uint256 hardEnd_,
        uint256 number_
    ) internal pure returns (ClaimWord) {
        assert(revealBits_ < 1 << 4 && rounds_ < 1 << 8 && layers_ < 1 << 24);
        assert(windowEnd_ < 1 << 40 && hardEnd_ < 1 << 40 && number_ < 1 << 32);
        return ClaimWord.wrap(
            uint256(PENDING) | revealBits_ << REVEAL_BITS | rounds_ << ROUNDS | layers_ << LAYERS
                | windowEnd_ << WINDOW_END | hardEnd_ << HARD_END | number_ << NUMBER
        );
    }

    /// 0 for an unknown claim.
    function status(ClaimWord w) internal pure returns (uint256) {
        return ClaimWord.unwrap(w) & 3;
    }

    /// Refuted by evidence that hangs on its roots alone.
    function byRoots(ClaimWord w) internal pure returns (bool) {
        return ClaimWord.unwrap(w) & BY_ROOTS != 0;
    }

    /// Refuted, and the reward is open to commitments.
    function pointOpen(ClaimWord w) internal pure returns (bool) {
        return ClaimWord.unwrap(w) & POINT_OPEN != 0;
    }

    /// b of the program's header.
    function revealBits(ClaimWord w) internal pure returns (uint256) {
        return ClaimWord.unwrap(w) >> REVEAL_BITS & 15;
    }

    /// R of the program.
    function rounds(ClaimWord w) internal pure returns (uint256) {
        return uint8(ClaimWord.unwrap(w) >> ROUNDS);
    }

    function layers(ClaimWord w) internal pure returns (uint256) {
        return uint24(ClaimWord.unwrap(w) >> LAYERS);
    }

    function windowEnd(ClaimWord w) internal pure returns (uint64) {
        return uint40(ClaimWord.unwrap(w) >> WINDOW_END);
    }

    function hardEnd(ClaimWord w) internal pure returns (uint64) {
        return uint40(ClaimWord.unwrap(w) >> HARD_END);
    }

    /// Matches and reward commitments opened.
    function openings(ClaimWord w) internal pure returns (uint64) {
        return uint32(ClaimWord.unwrap(w) >> OPENINGS);
    }

    /// Matches that are not lost.
    function openMatches(ClaimWord w) internal pure returns (uint64) {
        return uint32(ClaimWord.unwrap(w) >> OPEN_MATCHES);
    }

    /// Its place among the job's commitments.
    function number(ClaimWord w) internal pure returns (uint64) {
        return uint32(ClaimWord.unwrap(w) >> NUMBER);
    }

    /// When its reward was opened.
    function refutedAt(ClaimWord w) internal pure returns (uint64) {
        return uint40(ClaimWord.unwrap(w) >> REFUTED_AT);
    }

    /// Whether nothing can be said against it any more.
    function finalisable(ClaimWord w, uint256 time) internal pure returns (bool) {
        return (time >= windowEnd(w) && openMatches(w) == 0) || time >= hardEnd(w);
    }

    function finalised(ClaimWord w) internal pure returns (ClaimWord) {
        return ClaimWord.wrap(ClaimWord.unwrap(w) ^ (PENDING ^ FINAL));
    }

    /// Refuted; by a verdict that knows the right value if a point is open since `time`.
    function refuted(ClaimWord w, bool byRoots_, bool pointOpen_, uint256 time) internal pure returns (ClaimWord) {
        uint256 word = ClaimWord.unwrap(w) | REFUTED;
        if (byRoots_) word |= BY_ROOTS;
        if (pointOpen_) word |= POINT_OPEN | uint256(uint40(time)) << REFUTED_AT;
        return ClaimWord.wrap(word);
    }

    /// The reward is given away.
    function collected(ClaimWord w) internal pure returns (ClaimWord) {
        return ClaimWord.wrap(ClaimWord.unwrap(w) & ~POINT_OPEN);
    }

    /// A match or a commitment more.
    function opened(ClaimWord w, bool match_) internal pure returns (ClaimWord) {
        assert(openings(w) < type(uint32).max);
        return ClaimWord.wrap(ClaimWord.unwrap(w) + (1 << OPENINGS) + (match_ ? 1 << OPEN_MATCHES : 0));
    }

    /// A match less.
    function closed(ClaimWord w) internal pure returns (ClaimWord) {
        assert(openMatches(w) != 0);
        return ClaimWord.wrap(ClaimWord.unwrap(w) - (1 << OPEN_MATCHES));
    }
}
