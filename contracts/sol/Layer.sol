// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Tree} from "./Tree.sol";

/// @title Layers, as the leaves of the layers tree name them (SPEC 3): be32(first) | count | n | positions | operators root.
/// @notice The head is all of it but the root. Whoever reads a field has checked that the head is well-formed.
library Layer {
    uint256 private constant POSITIONS = 6;
    uint256 private constant MAX_OPERATORS = 32;

    /// Whether `head` has 6 + n bytes, 1 <= n <= count <= 32, and positions that increase and are below count.
    function isHead(bytes calldata head) internal pure returns (bool) {
        unchecked {
            uint256 n = exports(head);
            uint256 all = count(head);
            if (n == 0 || head.length != POSITIONS + n || n > all || all > MAX_OPERATORS) return false;
            uint256 least;
            for (uint256 i; i < n; ++i) {
                uint256 next = position(head, i);
                if (next < least) return false;
                least = next + 1;
            }
            return least <= all;
        }
    }

    /// Cuts a head from the operators root behind it; an empty head when there is no room for both.
    function split(bytes calldata layer) internal pure returns (bytes calldata head, bytes32 operatorsRoot) {
        if (layer.length < 32) return (layer[:0], 0);
        head = layer[:layer.length - 32];
        operatorsRoot = bytes32(layer[layer.length - 32:]);
    }

    /// The index in the program of its first operator.
    function first(bytes calldata head) internal pure returns (uint256) {
        return _word(head) >> 224;
    }

    /// Its operators.
    function count(bytes calldata head) internal pure returns (uint256) {
        return uint8(_word(head) >> 216);
    }

    /// How many of them it exports.
    function exports(bytes calldata head) internal pure returns (uint256) {
        return uint8(_word(head) >> 208);
    }

    /// The place in the layer of export `rank`.
    function position(bytes calldata head, uint256 rank) internal pure returns (uint256 place) {
        assembly ("memory-safe") {
            place := byte(0, calldataload(add(add(head.offset, 6), rank)))
        }
    }

    /// Which of the exports the operator at `place` is, if it is one.
    function rankOf(bytes calldata head, uint256 place) internal pure returns (bool exported, uint256 rank) {
        for (; rank < exports(head); ++rank) {
            if (position(head, rank) == place) return (true, rank);
        }
    }

    /// keccak(0x06 | head | operators root).
    function leaf(bytes calldata head, bytes32 operatorsRoot) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(Tree.LAYER, head, operatorsRoot));
    }

    function _word(bytes calldata head) private pure returns (uint256 word) {
        assembly ("memory-safe") {
            word := calldataload(head.offset)
        }
    }
}
