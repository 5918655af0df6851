// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// What every move reads of its claim, in one slot, from the least significant bit: status 8, revealBits 8, layers 24,
/// constants 24, windowEnd 48, hardEnd 48, matches 48, openMatches 48. The registry keeps layers and constants below
/// 2^24; seconds stay below 2^48 for nine million years.
type ClaimWord is uint256;

using ClaimWords for ClaimWord global;

library ClaimWords {
    uint8 internal constant PENDING = 1;
    uint8 internal constant FINAL = 2;
    uint8 internal constant REFUTED = 3;

    uint256 private constant MATCHES = 160;
    uint256 private constant OPEN_MATCHES = 208;

    function start(uint8 revealBits_, uint256 layers_, uint256 constants_, uint256 windowEnd_, uint256 hardEnd_)
        internal
        pure
        returns (ClaimWord)
    {
        assert(layers_ < 1 << 24 && constants_ < 1 << 24 && windowEnd_ < 1 << 48 && hardEnd_ < 1 << 48);
        return ClaimWord.wrap(
            uint256(PENDING) | uint256(revealBits_) << 8 | layers_ << 16 | constants_ << 40 | windowEnd_ << 64
                | hardEnd_ << 112
        );
    }

    /// 0 for an unknown claim.
    function status(ClaimWord w) internal pure returns (uint8) {
        return uint8(ClaimWord.unwrap(w));
    }

    function revealBits(ClaimWord w) internal pure returns (uint256) {
        return uint8(ClaimWord.unwrap(w) >> 8);
    }

    function layers(ClaimWord w) internal pure returns (uint256) {
        return uint24(ClaimWord.unwrap(w) >> 16);
    }

    function constants(ClaimWord w) internal pure returns (uint256) {
        return uint24(ClaimWord.unwrap(w) >> 40);
    }

    function windowEnd(ClaimWord w) internal pure returns (uint64) {
        return uint48(ClaimWord.unwrap(w) >> 64);
    }

    function hardEnd(ClaimWord w) internal pure returns (uint64) {
        return uint48(ClaimWord.unwrap(w) >> 112);
    }

    /// Matches opened.
    function matches(ClaimWord w) internal pure returns (uint64) {
        return uint48(ClaimWord.unwrap(w) >> MATCHES);
    }

    /// Matches that are being played.
    function openMatches(ClaimWord w) internal pure returns (uint64) {
        return uint48(ClaimWord.unwrap(w) >> OPEN_MATCHES);
    }

    function withStatus(ClaimWord w, uint8 status_) internal pure returns (ClaimWord) {
        return ClaimWord.wrap(ClaimWord.unwrap(w) & ~uint256(type(uint8).max) | status_);
    }

    /// A match more.
    function opened(ClaimWord w) internal pure returns (ClaimWord) {
        assert(matches(w) < type(uint48).max);
        return ClaimWord.wrap(ClaimWord.unwrap(w) + (1 << MATCHES) + (1 << OPEN_MATCHES));
    }

    /// An open match less.
    function closed(ClaimWord w) internal pure returns (ClaimWord) {
        assert(openMatches(w) != 0);
        return ClaimWord.wrap(ClaimWord.unwrap(w) - (1 << OPEN_MATCHES));
    }
}
