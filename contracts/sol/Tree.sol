// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @title Keccak trees over tiles (SPEC 3): the twin of the Rust crate narrows-commitment.
/// @notice Functions that check an opening answer true or false; what a false one means is the caller's to say.
library Tree {
    /// The deepest tree that any part of the system accepts.
    uint256 internal constant MAX_DEPTH = 32;

    // The first byte of what is hashed (SPEC 3, PROTOCOL 4.2).
    uint8 internal constant EXPORTS = 2;
    uint8 internal constant OPERATOR = 3;
    uint8 internal constant LAYER = 6;
    uint8 internal constant STATEMENT = 7;


    /// keccak(domain | data).
    function tagged(uint8 domain, bytes calldata data) internal pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            let buffer := mload(0x40)
            mstore8(buffer, domain)
            calldatacopy(add(buffer, 1), data.offset, data.length)
            hash := keccak256(buffer, add(data.length, 1))
        }
    }

    function inner(bytes32 left, bytes32 right) internal pure returns (bytes32 node) {
        assembly ("memory-safe") {
            let buffer := mload(0x40)
            mstore8(buffer, 1)
            mstore(add(buffer, 1), left)
            mstore(add(buffer, 33), right)
            node := keccak256(buffer, 65)
        }
    }

    /// The constant node of `level` that stands beyond a tree's last leaf.
    function padding(uint256 level) internal pure returns (bytes32 node) {
        node = keccak256(hex"04");
        for (; level != 0; --level) node = inner(node, node);
    }

    /// ceil(log2(leaves)), 0 for a single leaf, of at least one leaf and at most 2^32: the bits of leaves - 1.
    function depthFor(uint256 leaves) internal pure returns (uint256 depth) {
        assembly ("memory-safe") {
            let rest := sub(leaves, 1)
            depth := shl(4, lt(0xffff, rest))
            depth := or(depth, shl(3, lt(0xff, shr(depth, rest))))
            depth := or(depth, shl(2, lt(0xf, shr(depth, rest))))
            depth := or(depth, shl(1, lt(3, shr(depth, rest))))
            rest := shr(depth, rest)
            // 0, 1, or 2 and 3: so many bits.
            depth := add(depth, add(lt(0, rest), lt(1, rest)))
        }
    }

    /// The ancestor that 2^k siblings hash up to, k >= 0.
    function foldUp(bytes32[] calldata nodes) internal pure returns (bytes32 top) {
        assembly ("memory-safe") {
            // Each level replaces the one below it, from the left: a pair's prefix may take the byte before the pair, which
            // belongs to one that is hashed already.
            let level := add(mload(0x40), 32)
            let size := shl(5, nodes.length)
            calldatacopy(level, nodes.offset, size)
            // Two pairs at a time, and the last one alone.
            for {} gt(size, 64) { size := shr(1, size) } {
                let end := add(level, shr(1, size))
                let from := sub(level, 1)
                for { let to := level } lt(to, end) { to := add(to, 64) } {
                    mstore8(from, 1)
                    mstore(to, keccak256(from, 65))
                    from := add(from, 64)
                    mstore8(from, 1)
                    mstore(add(to, 32), keccak256(from, 65))
                    from := add(from, 64)
                }
            }
            top := mload(level)
            if eq(size, 64) {
                mstore8(sub(level, 1), 1)
                top := keccak256(sub(level, 1), 65)
            }
        }
    }

    /// The root over `nodes`, at least one and at most 2^depth, in a tree of `depth` levels.
    function ofNodes(bytes32[] calldata nodes, uint256 depth) internal pure returns (bytes32) {
        uint256 level;
        assembly ("memory-safe") {
            level := add(mload(0x40), 32)
            calldatacopy(level, nodes.offset, shl(5, nodes.length))
        }
        return up(level, nodes.length, depth, keccak256(hex"04"));
    }

    /// Hashes the `count` nodes in memory at `level` up, beside which stands `pad`; behind them is free memory, before them a
    /// byte to spare.
    function up(uint256 level, uint256 count, uint256 depth, bytes32 pad) internal pure returns (bytes32 top) {
        assembly ("memory-safe") {
            let full := iszero(sub(count, shl(depth, 1)))
            for {} depth { depth := sub(depth, 1) } {
                // An odd level's last node has the padding node beside it.
                if iszero(full) { mstore(add(level, shl(5, count)), pad) }
                count := shr(1, add(count, 1))
                let end := add(level, shl(5, count))
                let from := sub(level, 1)
                // As in `foldUp`.
                for { let to := level } lt(to, end) { to := add(to, 32) } {
                    mstore8(from, 1)
                    mstore(to, keccak256(from, 65))
                    from := add(from, 64)
                }
                if full { continue }
                mstore8(end, 1)
                mstore(add(end, 1), pad)
                mstore(add(end, 33), pad)
                pad := keccak256(end, 65)
            }
            top := mload(level)
        }
    }

    /// The node that `leaf` at `index` leads to, by the siblings from the leaf upwards.
    function climb(uint256 index, bytes32 leaf, bytes32[] calldata path) internal pure returns (bytes32 node) {
        node = leaf;
        assembly ("memory-safe") {
            let next := path.offset
            let end := add(next, shl(5, path.length))
            // A pair of nodes at a multiple of 64: which side one is on is bit 5 of its address. Before it stands the domain.
            let pair := and(add(mload(0x40), 95), not(63))
            let from := sub(pair, 1)
            mstore8(from, 1)
            // An odd index puts the node on the right, its sibling on the left.
            index := shl(5, index)
            if and(sub(end, next), 32) {
                let at := or(pair, and(index, 32))
                mstore(at, node)
                mstore(xor(at, 32), calldataload(next))
                node := keccak256(from, 65)
                next := add(next, 32)
                index := shr(1, index)
            }
            // Two levels at a time.
            for {} lt(next, end) { next := add(next, 64) } {
                let at := or(pair, and(index, 32))
                mstore(at, node)
                mstore(xor(at, 32), calldataload(next))
                at := or(pair, and(shr(1, index), 32))
                mstore(at, keccak256(from, 65))
                mstore(xor(at, 32), calldataload(add(next, 32)))
                node := keccak256(from, 65)
                index := shr(2, index)
            }
        }
    }

    /// Whether a tree of `depth` levels has a leaf `index` to which `path` may lead.
    function leads(uint256 depth, uint256 index, bytes32[] calldata path) internal pure returns (bool) {
        return depth <= MAX_DEPTH && path.length == depth && index >> depth == 0;
    }

    /// Whether `leaf` stands at `index` under `root` in a tree of `depth` levels; `path` goes from the leaf upwards.
    function opens(bytes32 root, uint256 depth, uint256 index, bytes32 leaf, bytes32[] calldata path)
        internal
        pure
        returns (bool)
    {
        return leads(depth, index, path) && climb(index, leaf, path) == root;
    }
}
