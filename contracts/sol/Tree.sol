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

    /// Eight words of 32 bits: ones, and 0 to 7.
    uint256 private constant INDEX_ONES = 0x0000000100000001000000010000000100000001000000010000000100000001;
    uint256 private constant INDEX_STEPS = 0x0000000000000001000000020000000300000004000000050000000600000007;

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
        return _up(level, nodes.length, depth);
    }

    /// The root over the tiles of `data`, the last one filled with zeros, at most 2^depth, in a tree of `depth` levels.
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
        return _up(level, count, depth);
    }

    /// Hashes the `count` nodes in memory at `level` up; behind them is free memory, before them a byte to spare.
    function _up(uint256 level, uint256 count, uint256 depth) private pure returns (bytes32 top) {
        bytes32 pad = keccak256(hex"04");
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

    /// The root under which `tiles` (128 bytes each, at least one) stand at `indices` (be32 each, as many, strictly
    /// increasing) in a tree of `depth` levels, if `ok`; `proof` as in `nodeOfMany`.
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
    /// consumed from the leaves up, left to right in each level: a known node whose sibling is known takes nothing, any
    /// other takes the next proof node as its sibling; all are used.
    function nodeOfMany(bytes calldata indices, bytes calldata tiles, bytes32[] calldata proof)
        internal
        pure
        returns (bool ok, uint256 level, uint256 index, bytes32 node)
    {
        assert(tiles.length != 0 && tiles.length == indices.length * 32 && tiles.length % TILE_BYTES == 0);
        uint256 nodes = _leaves(tiles);
        uint256 next;
        assembly ("memory-safe") {
            index := shr(224, calldataload(indices.offset))
            next := proof.offset
        }
        if (_isRun(indices, index)) {
            // All that is under one node.
            assembly ("memory-safe") {
                ok := 1
                // As in `foldUp`.
                for { let size := shl(3, indices.length) } gt(size, 32) {} {
                    size := shr(1, size)
                    let last := add(nodes, size)
                    let from := sub(nodes, 1)
                    for { let to := nodes } lt(to, last) { to := add(to, 32) } {
                        mstore8(from, 1)
                        mstore(to, keccak256(from, 65))
                        from := add(from, 64)
                    }
                    level := add(level, 1)
                    index := shr(1, index)
                }
                node := mload(nodes)
            }
        } else {
            (ok, level, index, node, next) = _join(indices, nodes, next);
        }
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

    /// Puts the leaves of whole `tiles` into free memory, with a byte to spare before them.
    function _leaves(bytes calldata tiles) private pure returns (uint256 nodes) {
        assembly ("memory-safe") {
            let buffer := mload(0x40)
            nodes := add(buffer, 160)
            mstore8(buffer, 0)
            let to := nodes
            let end := add(tiles.offset, tiles.length)
            for { let from := tiles.offset } lt(from, end) { from := add(from, 128) } {
                calldatacopy(add(buffer, 1), from, 128)
                mstore(to, keccak256(buffer, 129))
                to := add(to, 32)
            }
        }
    }

    /// Whether `indices`, of which `first` is the first, are 2^k neighbours under one node k levels above them.
    function _isRun(bytes calldata indices, uint256 first) private pure returns (bool run) {
        assembly ("memory-safe") {
            let count := shr(2, indices.length)
            // Eight indices to a word: the last of them, needed or not, must not carry into the one before it.
            if and(lt(first, 0xfffffff8), iszero(and(or(count, first), sub(count, 1)))) {
                let expected := add(mul(first, INDEX_ONES), INDEX_STEPS)
                switch lt(count, 8)
                case 1 { run := iszero(shr(sub(256, shl(5, count)), xor(expected, calldataload(indices.offset)))) }
                default {
                    run := 1
                    let end := add(indices.offset, indices.length)
                    for { let cursor := indices.offset } lt(cursor, end) { cursor := add(cursor, 32) } {
                        run := and(run, eq(expected, calldataload(cursor)))
                        expected := add(expected, shl(3, INDEX_ONES))
                    }
                }
            }
        }
    }

    /// Joins the leaves in memory at `leaves`, which stand at `indices`, level by level until there is one node above all; siblings
    /// are read from calldata at `next` on.
    function _join(bytes calldata indices, uint256 leaves, uint256 next)
        private
        pure
        returns (bool ok, uint256 level, uint256 index, bytes32 node, uint256 rest)
    {
        assembly ("memory-safe") {
            let buffer := mload(0x40)
            // Pairs of words (index, digest), behind the leaves; each level replaces the one below it.
            let nodes := add(leaves, shl(3, indices.length))
            let end := nodes
            ok := 1
            {
                let previous := not(0)
                let last := add(indices.offset, indices.length)
                for { let cursor := indices.offset } lt(cursor, last) { cursor := add(cursor, 4) } {
                    index := shr(224, calldataload(cursor))
                    ok := and(ok, sgt(index, previous))
                    previous := index
                    mstore(end, index)
                    mstore(add(end, 32), mload(leaves))
                    leaves := add(leaves, 32)
                    end := add(end, 64)
                }
            }
            mstore8(buffer, 1)
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
                        // Past the proof too: then it is refused in the end.
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
            rest := next
        }
    }
}
