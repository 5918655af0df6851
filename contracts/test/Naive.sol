// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IGame} from "../sol/IGame.sol";
import {Opened} from "./Packed.sol";

/// SPEC 3 by its recursive definition, in memory: the twin that sol/Tree.sol and sol/Tensor.sol are judged by. It calls nothing of them.
/// What is heavy is public: compiled once for all tests, and its memory is free again afterwards. A call of
/// it is a call: it uses up a prank.
library Naive {
    /// The leaf of a layer that exports tensors with these roots.
    function exportsLeaf(bytes32[] memory roots) internal pure returns (bytes32) {
        if (roots.length == 1) return roots[0];
        return keccak256(abi.encodePacked(uint8(2), uint8(roots.length), roots));
    }

    function leaf(bytes memory tile) internal pure returns (bytes32) {
        return keccak256(bytes.concat(hex"00", tile));
    }

    function inner(bytes32 left, bytes32 right) internal pure returns (bytes32) {
        return keccak256(bytes.concat(hex"01", left, right));
    }

    /// The node above four leaves of a tensor.
    function four(bytes32[4] memory leaves) internal pure returns (bytes32) {
        return keccak256(bytes.concat(hex"01", leaves[0], leaves[1], leaves[2], leaves[3]));
    }

    function tileAt(bytes memory data, uint256 index) internal pure returns (bytes memory tile) {
        tile = new bytes(128);
        for (uint256 i; i < 128 && index * 128 + i < data.length; ++i) tile[i] = data[index * 128 + i];
    }

    function leavesOf(bytes memory data) public pure returns (bytes32[] memory leaves) {
        leaves = new bytes32[](data.length == 0 ? 1 : (data.length + 127) / 128);
        for (uint256 i; i < leaves.length; ++i) leaves[i] = leaf(tileAt(data, i));
    }

    // Trees of nodes two of which make one: over layers, operators and lists.

    /// The node that `node_` leads to.
    function climb(uint256 index, bytes32 node_, bytes32[] memory siblings) internal pure returns (bytes32) {
        for (uint256 i; i < siblings.length; ++i) {
            node_ = (index >> i) % 2 == 0 ? inner(node_, siblings[i]) : inner(siblings[i], node_);
        }
        return node_;
    }

    function depth(uint256 leaves) internal pure returns (uint256) {
        return leaves <= 1 ? 0 : 1 + depth((leaves + 1) / 2);
    }

    function node(bytes32[] memory leaves, uint256 level, uint256 index) internal pure returns (bytes32) {
        if (level == 0) return index < leaves.length ? leaves[index] : keccak256(hex"04");
        return inner(node(leaves, level - 1, 2 * index), node(leaves, level - 1, 2 * index + 1));
    }

    function root(bytes32[] memory leaves) public pure returns (bytes32) {
        return node(leaves, depth(leaves.length), 0);
    }

    function path(bytes32[] memory leaves, uint256 index) public pure returns (bytes32[] memory nodes) {
        nodes = new bytes32[](depth(leaves.length));
        for (uint256 level; level < nodes.length; ++level) nodes[level] = node(leaves, level, (index >> level) ^ 1);
    }

    /// The 2^bits descendants of a node, `bits` levels below it.
    function descendants(bytes32[] memory leaves, uint256 level, uint256 index, uint256 bits)
        public
        pure
        returns (bytes32[] memory nodes)
    {
        nodes = new bytes32[](1 << bits);
        for (uint256 i; i < nodes.length; ++i) nodes[i] = node(leaves, level - bits, (index << bits) + i);
    }

    // Trees over a tensor's tiles: four leaves make a node of level 2, above which two nodes make one; there is no level 1.

    /// The node that a leaf leads to: by three siblings to the node of its four, by the others from there.
    function climbTile(uint256 index, bytes32 leaf_, bytes32[] memory siblings) internal pure returns (bytes32 node_) {
        if (siblings.length == 0) return leaf_;
        assert(siblings.length >= 3);
        bytes32[4] memory leaves;
        for (uint256 i; i < 4; ++i) leaves[i] = i < index % 4 ? siblings[i] : i == index % 4 ? leaf_ : siblings[i - 1];
        bytes32[] memory others = new bytes32[](siblings.length - 3);
        for (uint256 i; i < others.length; ++i) others[i] = siblings[3 + i];
        return climb(index / 4, four(leaves), others);
    }

    function tensorDepth(uint256 tiles) internal pure returns (uint256) {
        if (tiles <= 1) return 0;
        return tiles <= 4 ? 2 : 1 + tensorDepth((tiles + 1) / 2);
    }

    function tensorNode(bytes32[] memory leaves, uint256 level, uint256 index) internal pure returns (bytes32) {
        assert(level != 1);
        if (level == 0) return node(leaves, 0, index);
        if (level > 2) {
            return inner(tensorNode(leaves, level - 1, 2 * index), tensorNode(leaves, level - 1, 2 * index + 1));
        }
        // Beyond the last leaf's four stands the padding that is hashed two by two.
        if (4 * index >= leaves.length) return node(new bytes32[](0), 2, 0);
        bytes32[4] memory all;
        for (uint256 i; i < 4; ++i) all[i] = node(leaves, 0, 4 * index + i);
        return four(all);
    }

    function tensorRoot(bytes32[] memory leaves) public pure returns (bytes32) {
        return tensorNode(leaves, tensorDepth(leaves.length), 0);
    }

    /// The siblings on the way from a leaf to the root.
    function tilePath(bytes32[] memory leaves, uint256 index) public pure returns (bytes32[] memory) {
        return tilePathTo(leaves, index, tensorDepth(leaves.length));
    }

    /// The siblings on the way from a leaf to the node of `level` above it: the three others of its four, then one a level.
    function tilePathTo(bytes32[] memory leaves, uint256 index, uint256 level)
        public
        pure
        returns (bytes32[] memory nodes)
    {
        if (level == 0) return nodes;
        nodes = new bytes32[](level + 1);
        uint256 first = index - index % 4;
        uint256 count;
        for (uint256 i = first; i < first + 4; ++i) if (i != index) nodes[count++] = tensorNode(leaves, 0, i);
        for (uint256 i = 2; i < level; ++i) nodes[count++] = tensorNode(leaves, i, (index >> i) ^ 1);
    }

    /// The 2^bits descendants of a node, `bits` levels below it.
    function tensorDescendants(bytes32[] memory leaves, uint256 level, uint256 index, uint256 bits)
        public
        pure
        returns (bytes32[] memory nodes)
    {
        nodes = new bytes32[](1 << bits);
        for (uint256 i; i < nodes.length; ++i) nodes[i] = tensorNode(leaves, level - bits, (index << bits) + i);
    }

    /// The proof for the leaves that `known` marks: of each four with a known leaf the unknown ones, then in each level the
    /// unknown siblings of known nodes.
    function tensorProof(bytes32[] memory leaves, bool[] memory known) internal pure returns (bytes32[] memory nodes) {
        uint256 levels = tensorDepth(leaves.length);
        if (levels == 0) return nodes;
        uint256 count;
        bytes32[] memory found = new bytes32[](2 << levels);
        for (uint256 i; i < 1 << levels; ++i) {
            if (_covers(known, 2, i / 4) && !_covers(known, 0, i)) found[count++] = tensorNode(leaves, 0, i);
        }
        for (uint256 level = 2; level < levels; ++level) {
            for (uint256 i; i < 1 << (levels - level); ++i) {
                if (!_covers(known, level, i) || _covers(known, level, i ^ 1)) continue;
                found[count++] = tensorNode(leaves, level, i ^ 1);
            }
        }
        nodes = new bytes32[](count);
        for (uint256 i; i < count; ++i) nodes[i] = found[i];
    }

    function _covers(bool[] memory known, uint256 level, uint256 index) private pure returns (bool) {
        for (uint256 i = index << level; i < (index + 1) << level && i < known.length; ++i) if (known[i]) return true;
        return false;
    }

    /// The tiles of `data` that `known` marks, opened.
    function open(bytes memory data, bool[] memory known, bytes32[] memory rootPath)
        public
        pure
        returns (Opened memory opened)
    {
        bytes32[] memory leaves = leavesOf(data);
        opened.rootPath = rootPath;
        for (uint256 i; i < known.length; ++i) {
            if (!known[i]) continue;
            opened.indices = bytes.concat(opened.indices, bytes4(uint32(i)));
            opened.tiles = bytes.concat(opened.tiles, tileAt(data, i));
        }
        opened.proof = tensorProof(leaves, known);
    }
}
