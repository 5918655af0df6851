// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Tree} from "./Tree.sol";

/// @title A tensor's tree: leaves of tiles, nodes above four leaves each, and a binary tree over those (SPEC 3).
/// @notice The twin of what narrows-commitment has for tensors; nodes above four leaves are of level 2, there is no level 1.
library Tensor {
    uint256 internal constant TILE_BYTES = 128;

    /// The first byte of what a tile's leaf hashes.
    uint8 internal constant LEAF = 0;
    /// `padding(2)`.
    bytes32 private constant PADDING_2 = 0x435818341f0c4c79331136159190921d467fd57a5d76dab61967fc6130cb8793;

    /// Depth of the tree of a tensor of so many tiles, at least one: 0 for one, otherwise at least 2.
    function depthOf(uint256 tiles) internal pure returns (uint256 depth) {
        depth = Tree.depthFor(tiles);
        assembly ("memory-safe") {
            depth := add(depth, eq(depth, 1))
        }
    }

    /// Tiles that `length` bytes fill: at least one.
    function tileCount(uint256 length) internal pure returns (uint256) {
        unchecked {
            return length == 0 ? 1 : (length - 1) / TILE_BYTES + 1;
        }
    }

    /// The root over the tiles of `data`, the last one filled with zeros, at most 2^depth, in a tensor's tree of `depth` levels.
    function ofBytes(bytes calldata data, uint256 depth) internal pure returns (bytes32) {
        uint256 count = tileCount(data.length);
        uint256 level;
        assembly ("memory-safe") {
            let buffer := mload(0x40)
            level := add(buffer, 160)
            mstore8(buffer, 0)
            let to := level
            let from := data.offset
            for { let end := add(from, and(data.length, not(127))) } lt(from, end) { from := add(from, 128) } {
                calldatacopy(add(buffer, 1), from, 128)
                mstore(to, keccak256(buffer, 129))
                to := add(to, 32)
            }
            if lt(to, add(level, shl(5, count))) {
                // The rest, and zeros: so is what lies beyond the calldata's end.
                calldatacopy(add(buffer, 1), calldatasize(), 128)
                calldatacopy(add(buffer, 1), from, and(data.length, 127))
                mstore(to, keccak256(buffer, 129))
            }
        }
        // Of no legal tensor, a tree of one level is binary.
        if (depth < 2) return Tree.up(level, count, depth, keccak256(hex"04"));
        if (count & 3 != 0) {
            bytes32 pad = keccak256(hex"04");
            assembly ("memory-safe") {
                let to := add(level, shl(5, count))
                mstore(to, pad)
                mstore(add(to, 32), pad)
                mstore(add(to, 64), pad)
            }
        }
        unchecked {
            count = (count + 3) / 4;
            _fours(level, count);
            return Tree.up(level, count, depth - 2, PADDING_2);
        }
    }

    /// Hashes four leaves each to `count` nodes of level 2, in memory at `level`, where the leaves are; before them is a byte to
    /// spare.
    function _fours(uint256 level, uint256 count) private pure {
        assembly ("memory-safe") {
            let from := sub(level, 1)
            // As in `Tree.foldUp`.
            for { let end := add(level, shl(5, count)) } lt(level, end) { level := add(level, 32) } {
                mstore8(from, 1)
                mstore(level, keccak256(from, 129))
                from := add(from, 128)
            }
        }
    }

    /// The node that the leaf of `tile` at `index` leads to in its tensor's tree: by the first three of `path` to the node above
    /// four leaves, by the others from there; as `Tree.climb` does, where there are not three.
    function climbTile(uint256 index, bytes calldata tile, bytes32[] calldata path)
        internal
        pure
        returns (bytes32 node)
    {
        node = Tree.tagged(LEAF, tile);
        if (path.length < 3) return Tree.climb(index, node, path);
        assembly ("memory-safe") {
            let buffer := mload(0x40)
            let first := add(buffer, 1)
            mstore8(buffer, 1)
            // The siblings before the leaf, the leaf, and the others behind it.
            let at := and(shl(5, index), 96)
            calldatacopy(first, path.offset, at)
            mstore(add(first, at), node)
            calldatacopy(add(add(first, 32), at), add(path.offset, at), sub(96, at))
            node := keccak256(buffer, 129)
            path.offset := add(path.offset, 96)
            path.length := sub(path.length, 3)
        }
        return Tree.climb(index >> 2, node, path);
    }

    /// Siblings on a tile's way to the root of a tensor's tree of `depth` levels: three at the bottom, then one a level.
    function tileSiblings(uint256 depth) internal pure returns (uint256 count) {
        assembly ("memory-safe") {
            count := add(depth, lt(1, depth))
        }
    }

    /// Whether a tensor's tree of `depth` levels has a tile `index` to which `path` may lead.
    function leadsToTile(uint256 depth, uint256 index, bytes32[] calldata path) internal pure returns (bool) {
        return depth <= Tree.MAX_DEPTH && path.length == tileSiblings(depth) && index >> depth == 0;
    }

    /// The root under which `tiles` (128 bytes each, at least one) stand at `indices` (be32 each, as many, strictly
    /// increasing) in a tensor's tree of `depth` levels, if `ok`; `proof` as in `nodeOfMany`.
    function rootOfMany(uint256 depth, bytes calldata indices, bytes calldata tiles, bytes32[] calldata proof)
        internal
        pure
        returns (bool ok, bytes32 root)
    {
        uint256 level;
        uint256 index;
        (ok, level, index, root) = nodeOfMany(indices, tiles, proof);
        ok = ok && level == depth && index == 0 && depth <= Tree.MAX_DEPTH;
    }

    /// The node above all `tiles` (128 bytes each, at least one, at most 255) that `proof` leads to, its level (the leaves' is
    /// 0) and its index there, if `ok`. The tiles stand at `indices` (be32 each, as many, strictly increasing). `proof` is
    /// consumed from the leaves up, left to right in each level: each leaf that is missing of four takes the next proof node,
    /// above them each node whose sibling is not known takes it as its sibling; all are used. One tile and no proof are a
    /// tensor of one tile.
    function nodeOfMany(bytes calldata indices, bytes calldata tiles, bytes32[] calldata proof)
        internal
        pure
        returns (bool ok, uint256 level, uint256 index, bytes32 node)
    {
        assert(tiles.length != 0 && tiles.length == indices.length * 32);
        if (proof.length == 0 && indices.length == 4) {
            return (true, 0, uint32(bytes4(indices)), Tree.tagged(LEAF, tiles));
        }
        uint256 next;
        (ok, level, index, node, next) = _join(indices, tiles, proof);
        bytes32[] calldata path = proof;
        assembly ("memory-safe") {
            path.length := sub(path.length, shr(5, sub(next, path.offset)))
            path.offset := next
        }
        // Where siblings were read past the proof, there is no way up.
        if (!ok || path.length > proof.length) return (false, 0, 0, 0);
        // Then it is a path.
        node = Tree.climb(index, node, path);
        unchecked {
            (level, index) = (level + path.length, index >> path.length);
        }
    }

    /// Joins `tiles`, which stand at `indices`, first four and then two at a time until there is one node above all. What is
    /// missing are the first nodes of `proof`; those that follow are at `next`.
    function _join(bytes calldata indices, bytes calldata tiles, bytes32[] calldata proof)
        private
        pure
        returns (bool ok, uint256 level, uint256 index, bytes32 node, uint256 next)
    {
        assembly ("memory-safe") {
            let leaf := mload(0x40)
            mstore8(leaf, 0)
            let buffer := add(leaf, 160)
            mstore8(buffer, 1)
            // Pairs of words (index, digest); each level replaces the one below it.
            let nodes := add(buffer, 160)
            let end := nodes
            next := proof.offset
            ok := 1
            {
                let tile := tiles.offset
                let cursor := indices.offset
                let last := add(cursor, indices.length)
                index := shr(224, calldataload(cursor))
                let first := add(buffer, 1)
                for {} lt(cursor, last) { end := add(end, 64) } {
                    let four := shr(2, index)
                    mstore(end, four)
                    let to := first
                    for {} eq(shr(2, index), four) {} {
                        // The leaves before it that are missing. Past the proof too: then it is refused in the end.
                        let missing := sub(add(first, shl(5, and(index, 3))), to)
                        calldatacopy(to, next, missing)
                        next := add(next, missing)
                        to := add(to, missing)
                        calldatacopy(add(leaf, 1), tile, 128)
                        mstore(to, keccak256(leaf, 129))
                        to := add(to, 32)
                        tile := add(tile, 128)
                        cursor := add(cursor, 4)
                        let following := not(0)
                        if lt(cursor, last) {
                            following := shr(224, calldataload(cursor))
                            if iszero(gt(following, index)) {
                                // Out of order.
                                ok := 0
                                cursor := last
                                following := not(0)
                            }
                        }
                        index := following
                    }
                    let missing := sub(add(first, 128), to)
                    calldatacopy(to, next, missing)
                    next := add(next, missing)
                    mstore(add(end, 32), keccak256(buffer, 129))
                }
            }
            level := 2
            // Different indices of 32 bits become one within 32 levels.
            for {} and(ok, gt(sub(end, nodes), 64)) { level := add(level, 1) } {
                let to := nodes
                for { let from := nodes } lt(from, end) {} {
                    index := mload(from)
                    let odd := shl(5, and(index, 1))
                    mstore(add(add(buffer, 1), odd), mload(add(from, 32)))
                    from := add(from, 64)
                    switch and(iszero(odd), and(lt(from, end), eq(mload(from), add(index, 1))))
                    case 1 {
                        mstore(add(buffer, 33), mload(add(from, 32)))
                        from := add(from, 64)
                    }
                    default {
                        mstore(sub(add(buffer, 33), odd), calldataload(next))
                        next := add(next, 32)
                    }
                    mstore(to, shr(1, index))
                    mstore(add(to, 32), keccak256(buffer, 65))
                    to := add(to, 64)
                }
                end := to
            }
            index := mload(nodes)
            node := mload(add(nodes, 32))
        }
    }
}
