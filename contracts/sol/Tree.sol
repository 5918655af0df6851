// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @title Keccak trees over tiles (SPEC 3): the twin of the Rust crate narrows-commitment.
/// @notice Functions that check an opening answer true or false; what a false one means is the caller's to say.
library Tree {
    uint256 internal constant TILE_BYTES = 128;
    /// The deepest tree that any part of the system accepts.
    uint256 internal constant MAX_DEPTH = 32;

    /// keccak(0x00 | tile) of the 128 bytes at `offset` of the calldata.
    function leafAt(uint256 offset) internal pure returns (bytes32 leaf) {
        assembly ("memory-safe") {
            let buffer := mload(0x40)
            mstore8(buffer, 0)
            calldatacopy(add(buffer, 1), offset, 128)
            leaf := keccak256(buffer, 129)
        }
    }

    function leafOf(bytes calldata tile) internal pure returns (bytes32) {
        assert(tile.length == TILE_BYTES);
        uint256 offset;
        assembly ("memory-safe") {
            offset := tile.offset
        }
        return leafAt(offset);
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
        for (uint256 i; i < level; ++i) {
            node = inner(node, node);
        }
    }

    /// ceil(log2(leaves)), 0 for a single leaf.
    function depthFor(uint256 leaves) internal pure returns (uint256 depth) {
        while (uint256(1) << depth < leaves) ++depth;
    }

    /// Tiles that `length` bytes fill: at least one.
    function tileCount(uint256 length) internal pure returns (uint256) {
        return length == 0 ? 1 : (length - 1) / TILE_BYTES + 1;
    }

    /// The ancestor that 2^k siblings hash up to, k >= 0.
    function foldUp(bytes32[] calldata nodes) internal pure returns (bytes32 top) {
        assert(nodes.length != 0 && nodes.length & (nodes.length - 1) == 0);
        assembly ("memory-safe") {
            // Each level replaces the one below it, from the left: a pair's prefix may take the byte before the pair, which
            // belongs to one that is hashed already.
            let level := add(mload(0x40), 32)
            let size := shl(5, nodes.length)
            calldatacopy(level, nodes.offset, size)
            for {} gt(size, 32) { size := shr(1, size) } {
                let to := level
                let end := sub(add(level, size), 1)
                for { let from := sub(level, 1) } lt(from, end) { from := add(from, 64) } {
                    mstore8(from, 1)
                    mstore(to, keccak256(from, 65))
                    to := add(to, 32)
                }
            }
            top := mload(level)
        }
    }

    /// Whether `leaf` stands at `index` under `root` in a tree of `depth` levels; `path` goes from the leaf upwards.
    function opens(bytes32 root, uint256 depth, uint256 index, bytes32 leaf, bytes32[] calldata path)
        internal
        pure
        returns (bool)
    {
        if (depth > MAX_DEPTH || path.length != depth || index >> depth != 0) return false;
        assembly ("memory-safe") {
            let buffer := mload(0x40)
            mstore8(buffer, 1)
            let end := add(path.offset, shl(5, path.length))
            for { let cursor := path.offset } lt(cursor, end) { cursor := add(cursor, 32) } {
                // An odd index puts the node on the right, its sibling on the left.
                let odd := shl(5, and(index, 1))
                mstore(add(add(buffer, 1), odd), leaf)
                mstore(sub(add(buffer, 33), odd), calldataload(cursor))
                leaf := keccak256(buffer, 65)
                index := shr(1, index)
            }
        }
        return leaf == root;
    }

    /// Whether `tiles` (128 bytes each, at least one) stand at `indices` (be32 each, as many, strictly increasing) under
    /// `root`. `proof` is consumed from the leaves up, left to right in each level: a known node whose sibling is known
    /// takes nothing, any other takes the next proof node as its sibling; all are used.
    function opensMany(
        bytes32 root,
        uint256 depth,
        bytes calldata indices,
        bytes calldata tiles,
        bytes32[] calldata proof
    ) internal pure returns (bool ok) {
        assert(tiles.length != 0 && tiles.length == indices.length * 32 && tiles.length % TILE_BYTES == 0);
        if (depth > MAX_DEPTH) return false;
        assembly ("memory-safe") {
            let buffer := mload(0x40)
            // Pairs of words (index, digest); each level replaces the one below it.
            let nodes := add(buffer, 160)
            let end := nodes
            ok := 1
            mstore8(buffer, 0)
            {
                let previous := not(0)
                let tile := tiles.offset
                let last := add(indices.offset, indices.length)
                for { let cursor := indices.offset } lt(cursor, last) { cursor := add(cursor, 4) } {
                    let index := shr(224, calldataload(cursor))
                    ok := and(ok, and(sgt(index, previous), iszero(shr(depth, index))))
                    previous := index
                    calldatacopy(add(buffer, 1), tile, 128)
                    tile := add(tile, 128)
                    mstore(end, index)
                    mstore(add(end, 32), keccak256(buffer, 129))
                    end := add(end, 64)
                }
            }
            mstore8(buffer, 1)
            let next := proof.offset
            // While there is more than one known node in a level.
            for {} and(iszero(iszero(depth)), gt(sub(end, nodes), 64)) { depth := sub(depth, 1) } {
                let to := nodes
                for { let from := nodes } lt(from, end) {} {
                    let index := mload(from)
                    let odd := shl(5, and(index, 1))
                    mstore(add(add(buffer, 1), odd), mload(add(from, 32)))
                    from := add(from, 64)
                    switch and(iszero(odd), and(lt(from, end), eq(mload(from), add(index, 1))))
                    case 1 {
                        mstore(add(buffer, 33), mload(add(from, 32)))
                        from := add(from, 64)
                    }
                    default {
                        // Reading past the proof is harmless: `next` then passes its end and never equals it again.
                        mstore(sub(add(buffer, 33), odd), calldataload(next))
                        next := add(next, 32)
                    }
                    mstore(to, shr(1, index))
                    mstore(add(to, 32), keccak256(buffer, 65))
                    to := add(to, 64)
                }
                end := to
            }
            // Then it is a path.
            let index := mload(nodes)
            let node := mload(add(nodes, 32))
            for {} depth { depth := sub(depth, 1) } {
                let odd := shl(5, and(index, 1))
                mstore(add(add(buffer, 1), odd), node)
                mstore(sub(add(buffer, 33), odd), calldataload(next))
                node := keccak256(buffer, 65)
                next := add(next, 32)
                index := shr(1, index)
            }
            ok := and(ok, eq(next, add(proof.offset, shl(5, proof.length))))
            ok := and(ok, eq(node, root))
        }
    }

    /// The root of the tree over the tiles of `data`, the last one filled with zeros.
    function ofBytes(bytes calldata data) internal pure returns (bytes32 root) {
        uint256 count = tileCount(data.length);
        bytes32 pad = keccak256(hex"04");
        assembly ("memory-safe") {
            let buffer := mload(0x40)
            let nodes := add(buffer, 160)
            let end := add(nodes, shl(5, count))
            mstore8(buffer, 0)
            {
                let from := data.offset
                for { let to := nodes } lt(to, end) { to := add(to, 32) } {
                    let rest := sub(add(data.offset, data.length), from)
                    if lt(rest, 128) {
                        // Beyond the calldata's end there are zeros.
                        calldatacopy(add(buffer, 1), calldatasize(), 128)
                        calldatacopy(add(buffer, 1), from, rest)
                    }
                    if gt(rest, 127) { calldatacopy(add(buffer, 1), from, 128) }
                    mstore(to, keccak256(buffer, 129))
                    from := add(from, 128)
                }
            }
            mstore8(buffer, 1)
            for {} gt(count, 1) { count := shr(1, add(count, 1)) } {
                // An odd level's last node has the padding node beside it.
                mstore(end, pad)
                let to := nodes
                for { let from := nodes } lt(from, end) { from := add(from, 64) } {
                    mcopy(add(buffer, 1), from, 64)
                    mstore(to, keccak256(buffer, 65))
                    to := add(to, 32)
                }
                end := to
                mstore(add(buffer, 1), pad)
                mstore(add(buffer, 33), pad)
                pad := keccak256(buffer, 65)
            }
            root := mload(nodes)
        }
    }
}
