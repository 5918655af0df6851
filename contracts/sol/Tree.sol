// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @title Keccak trees over tiles (SPEC 3): the twin of the Rust crate narrows-commitment.
/// @notice Functions that check an opening answer true or false; what a false one means is the caller's to say.
library Tree {
    uint256 internal constant TILE_BYTES = 128;
    /// The deepest tree that any part of the system accepts.
    uint256 internal constant MAX_DEPTH = 32;

    // The first byte of what is hashed (SPEC 3, PROTOCOL 4.2).
    uint8 internal constant LEAF = 0;
    uint8 internal constant EXPORTS = 2;
    uint8 internal constant OPERATOR = 3;
    uint8 internal constant LAYER = 6;
    uint8 internal constant STATEMENT = 7;

    /// `padding(2)`.
    bytes32 private constant PADDING_2 = 0x435818341f0c4c79331136159190921d467fd57a5d76dab61967fc6130cb8793;

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

    /// Depth of the tree of a tensor of so many tiles, at least one: 0 for one, otherwise at least 2.
    function tensorDepth(uint256 tiles) internal pure returns (uint256 depth) {
        depth = depthFor(tiles);
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
        return _up(level, nodes.length, depth, keccak256(hex"04"));
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
        if (depth < 2) return _up(level, count, depth, keccak256(hex"04"));
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
            return _up(level, count, depth - 2, PADDING_2);
        }
    }

    /// Hashes four leaves each to `count` nodes of level 2, in memory at `level`, where the leaves are; before them is a byte to
    /// spare.
    function _fours(uint256 level, uint256 count) private pure {
        assembly ("memory-safe") {
            let from := sub(level, 1)
            // As in `foldUp`.
            for { let end := add(level, shl(5, count)) } lt(level, end) { level := add(level, 32) } {
                mstore8(from, 1)
                mstore(level, keccak256(from, 129))
                from := add(from, 128)
            }
        }
    }

    /// Hashes the `count` nodes in memory at `level` up, beside which stands `pad`; behind them is free memory, before them a
    /// byte to spare.
    function _up(uint256 level, uint256 count, uint256 depth, bytes32 pad) private pure returns (bytes32 top) {
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

    /// The node that the leaf of `tile` at `index` leads to in its tensor's tree: by the first three of `path` to the node above
    /// four leaves, by the others from there; as `climb` does, where there are not three.
    function climbTile(uint256 index, bytes calldata tile, bytes32[] calldata path)
        internal
        pure
        returns (bytes32 node)
    {
        node = tagged(LEAF, tile);
        if (path.length < 3) return climb(index, node, path);
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
        return climb(index >> 2, node, path);
    }

    /// Siblings on a tile's way to the root of a tensor's tree of `depth` levels: three at the bottom, then one a level.
    function tileSiblings(uint256 depth) internal pure returns (uint256 count) {
        assembly ("memory-safe") {
            count := add(depth, lt(1, depth))
        }
    }

    /// Whether a tensor's tree of `depth` levels has a tile `index` to which `path` may lead.
    function leadsToTile(uint256 depth, uint256 index, bytes32[] calldata path) internal pure returns (bool) {
        return depth <= MAX_DEPTH && path.length == tileSiblings(depth) && index >> depth == 0;
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
        ok = ok && level == depth && index == 0 && depth <= MAX_DEPTH;
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
            return (true, 0, uint32(bytes4(indices)), tagged(LEAF, tiles));
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
        node = climb(index, node, path);
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
