// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Layer} from "./Layer.sol";
import {Tree} from "./Tree.sol";

/// @title The leaves of a trace (SPEC 3): the only export's root, or keccak(0x02 | n | roots).
library Exports {
    /// The leaf of the exports among a layer's `roots`; there is one for each position that `head` names.
    function leafAmong(bytes calldata head, bytes32[] calldata roots) internal pure returns (bytes32 leaf) {
        uint256 n = Layer.exports(head);
        if (n == 1) return roots[Layer.position(head, 0)];
        uint256 to = _begin(n);
        unchecked {
            for (uint256 i; i < n; ++i) {
                bytes32 root = roots[Layer.position(head, i)];
                assembly ("memory-safe") {
                    mstore(to, root)
                    to := add(to, 32)
                }
            }
        }
        return _hash(n);
    }

    /// The leaf of `roots`, at least one and at most 255.
    function leafOf(bytes32[] calldata roots) internal pure returns (bytes32) {
        if (roots.length == 1) return roots[0];
        uint256 to = _begin(roots.length);
        assembly ("memory-safe") {
            calldatacopy(to, roots.offset, shl(5, roots.length))
        }
        return _hash(roots.length);
    }

    /// The leaf of n exports, of which `root` is the one at `rank` < n and `others` are the rest in order.
    function leafWith(bytes32 root, uint256 rank, bytes32[] calldata others) internal pure returns (bytes32) {
        if (others.length == 0) return root;
        uint256 to = _begin(others.length + 1);
        assembly ("memory-safe") {
            let before := shl(5, rank)
            calldatacopy(to, others.offset, before)
            mstore(add(to, before), root)
            calldatacopy(add(add(to, before), 32), add(others.offset, before), sub(shl(5, others.length), before))
        }
        return _hash(others.length + 1);
    }

    /// Puts 0x02 | n into free memory; the roots belong behind it.
    function _begin(uint256 n) private pure returns (uint256 to) {
        assembly ("memory-safe") {
            let buffer := mload(0x40)
            mstore8(buffer, 2)
            mstore8(add(buffer, 1), n)
            to := add(buffer, 2)
        }
    }

    function _hash(uint256 n) private pure returns (bytes32 leaf) {
        assembly ("memory-safe") {
            leaf := keccak256(mload(0x40), add(2, shl(5, n)))
        }
    }
}
