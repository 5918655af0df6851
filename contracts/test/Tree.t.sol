// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Tensor} from "../sol/Tensor.sol";
import {Tree} from "../sol/Tree.sol";
import {Naive} from "./Naive.sol";
import {Trees} from "./TreeCaller.sol";

/// Trees of layers, operators and lists, roots of tensors, and paths in both.
contract TreeTest is Trees {
    function test_leaf_and_inner() public view {
        bytes memory tile = noise(7, 128);
        same(tree.tagged(0, tile), Naive.leaf(tile), "leaf");
        same(Tree.inner(bytes32(uint256(1)), bytes32(uint256(2))), Naive.inner(bytes32(uint256(1)), bytes32(uint256(2))), "inner");
    }

    function test_padding_and_depth() public pure {
        bytes32[] memory one = new bytes32[](1);
        one[0] = keccak256(hex"04");
        for (uint256 level; level < 8; ++level) same(Tree.padding(level), Naive.node(one, level, 0), "padding");
        for (uint256 n = 1; n < 70; ++n) same(Tree.depthFor(n), Naive.depth(n), "depth");
        same(Tree.depthFor(1 << 20), 20, "2^20");
        same(Tree.depthFor((1 << 20) + 1), 21, "2^20 + 1");
    }

    /// One tile needs no tree; any other tensor has four leaves at least, and is else as deep as a list of as many.
    function test_depth_of_a_tensor() public pure {
        same(Tensor.depthOf(1), 0, "one tile");
        for (uint256 n = 1; n < 300; ++n) same(Tensor.depthOf(n), Naive.tensorDepth(n), "depth");
        for (uint256 depth = 2; depth < 32; ++depth) {
            same(Tensor.depthOf(1 << depth), depth, "2^n");
            same(Tensor.depthOf((1 << depth) + 1), depth + 1, "2^n + 1");
        }
    }

    function test_siblings_of_a_tile() public pure {
        bytes32[] memory one = new bytes32[](1);
        same(Tensor.tileSiblings(0), 0, "none");
        for (uint256 depth = 2; depth < 8; ++depth) {
            same(Tensor.tileSiblings(depth), Naive.tilePathTo(one, 0, depth).length, "siblings");
        }
        same(Tensor.tileSiblings(32), 33, "the deepest");
        // Of no tensor.
        same(Tensor.tileSiblings(1), 1, "a tree of one level");
    }

    function test_fold_up_every_arity() public view {
        for (uint256 bits; bits < 7; ++bits) {
            bytes32[] memory nodes = random(bits, 1 << bits);
            same(tree.foldUp(nodes), Naive.node(nodes, bits, 0), "fold");
        }
    }

    /// Fewer leaves than the tree has room for, in a tree as deep as it likes.
    function test_padding_fills_the_tree() public view {
        for (uint256 depth; depth < 6; ++depth) {
            for (uint256 count = 1; count <= 1 << depth; ++count) {
                bytes32[] memory nodes = random(depth, count);
                same(tree.ofNodes(nodes, depth), Naive.node(nodes, depth, 0), "nodes");
            }
        }
        bytes memory three = noise(9, 384);
        same(tree.ofBytes(three, 2), Naive.tensorRoot(Naive.leavesOf(three)), "tiles");
        same(tree.ofBytes(three, 7), Naive.tensorNode(Naive.leavesOf(three), 7, 0), "deeper");
    }

    /// The same of tiles, of which one alone may stand without a tree.
    function test_padding_fills_the_tree_of_a_tensor() public view {
        for (uint256 count = 1; count <= 33; ++count) _fills(count);
    }

    function _fills(uint256 count) private view forgetful {
        bytes memory data = noise(count, count * 128 - count);
        bytes32[] memory leaves = Naive.leavesOf(data);
        same(leaves.length, count, "tiles");
        if (count == 1) same(tree.ofBytes(data, 0), leaves[0], "one tile");
        uint256 least = Naive.tensorDepth(count);
        for (uint256 depth = least < 2 ? 2 : least; depth < 8; ++depth) {
            same(tree.ofBytes(data, depth), Naive.tensorNode(leaves, depth, 0), "tiles");
        }
        // Of no tensor.
        if (count < 3) same(tree.ofBytes(data, 1), Naive.node(leaves, 1, 0), "two by two");
    }

    function testFuzz_root_of_bytes(uint256 seed, uint16 length) public view {
        bytes memory data = noise(seed, length % 9000);
        _rootOf(data);
    }

    function test_root_of_bytes_at_tile_edges() public view {
        for (uint256 tiles = 1; tiles < 18; ++tiles) {
            for (uint256 d; d < 3; ++d) _rootOf(noise(tiles, tiles * 128 - 1 + d));
        }
        _rootOf("");
    }

    function _rootOf(bytes memory data) private view {
        bytes32[] memory leaves = Naive.leavesOf(data);
        same(tree.ofBytes(data, Naive.tensorDepth(leaves.length)), Naive.tensorRoot(leaves), "root");
    }

    function testFuzz_path(uint256 seed, uint8 size, uint8 place) public view {
        bytes32[] memory all = random(seed, 1 + size % 40);
        uint256 index = place % all.length;
        bytes32 root = Naive.root(all);
        bytes32[] memory path = Naive.path(all, index);
        holds(tree.opens(root, path.length, index, all[index], path), "opens");
        holds(!tree.opens(root, path.length, index, ~all[index], path), "another leaf");
        holds(!tree.opens(root, path.length, index + (1 << path.length), all[index], path), "an index beyond the tree");
        holds(!tree.opens(root, path.length + 1, index, all[index], path), "another depth");
        if (path.length == 0) return;
        holds(!tree.opens(root, path.length, index ^ 1, all[index], path), "another index");
        path[pick(seed, 1, path.length)] ^= bytes32(uint256(1) << (seed % 256));
        holds(!tree.opens(root, path.length, index, all[index], path), "an altered path");
    }

    /// A tile of a tensor whose root and depth are known, as a refutation opens it.
    struct Place {
        bytes32 root;
        uint256 depth;
        uint256 index;
        bytes tile;
        bytes32[] path;
    }

    function _opens(Place memory p) private view returns (bool) {
        return tree.leadsToTile(p.depth, p.index, p.path) && tree.climbTile(p.index, p.tile, p.path) == p.root;
    }

    function _place(uint256 seed, uint256 count, uint256 index) private pure returns (Place memory) {
        bytes memory data = noise(seed, count * 128);
        bytes32[] memory leaves = Naive.leavesOf(data);
        uint256 depth = Naive.tensorDepth(count);
        return Place(Naive.tensorRoot(leaves), depth, index, Naive.tileAt(data, index), Naive.tilePath(leaves, index));
    }

    function testFuzz_tile_path(uint256 seed, uint8 size, uint8 place) public view {
        Place memory p = _place(seed, 1 + size % 70, place % (1 + size % 70));
        holds(_opens(p), "opens");
        bytes32[] memory path = p.path;
        p.tile[pick(seed, 1, 128)] ^= bytes1(uint8(1 << (seed % 8)));
        holds(!_opens(p), "an altered tile");
        p = _place(seed, 1 + size % 70, p.index);
        p.path = resized(path, path.length + 1);
        holds(!_opens(p), "a sibling too many");
        p.path = path;
        for (uint256 depth; depth < 40; ++depth) {
            p.depth = depth;
            holds(_opens(p) == (depth == Naive.tensorDepth(1 + size % 70)), "another depth");
        }
        p.depth = Naive.tensorDepth(1 + size % 70);
        uint256 index = p.index;
        for (uint256 bit; bit < 32; ++bit) {
            p.index = index ^ (1 << bit);
            holds(!_opens(p), "another index");
        }
        p.index = index;
        for (uint256 i; i < path.length; ++i) {
            p.path = bent(path, i, seed);
            holds(!_opens(p), "an altered sibling");
            p.path = resized(path, i);
            holds(!_opens(p), "siblings too few");
        }
        p.path = path;
        holds(_opens(p), "opens still");
    }

    /// Every tile of every small tensor, and every node above it on the way.
    function test_every_tile_leads_to_every_node_above_it() public view {
        for (uint256 count = 1; count < 18; ++count) {
            for (uint256 index; index < count; ++index) _climbs(count, index);
        }
    }

    function _climbs(uint256 count, uint256 index) private view forgetful {
        bytes memory data = noise(count, count * 128);
        bytes32[] memory leaves = Naive.leavesOf(data);
        bytes memory tile = Naive.tileAt(data, index);
        bytes32[] memory path = Naive.tilePath(leaves, index);
        same(tree.climbTile(index, tile, resized(path, 0)), leaves[index], "the leaf");
        for (uint256 level = 2; level <= Naive.tensorDepth(count); ++level) {
            bytes32[] memory part = resized(path, level + 1);
            bytes32 node = Naive.tensorNode(leaves, level, index >> level);
            same(tree.climbTile(index, tile, part), node, "a node");
            same(Naive.climbTile(index, leaves[index], part), node, "by the definition too");
            holds(tree.leadsToTile(level, index, part) == (index >> level == 0), "whether it leads");
        }
        // Of no tensor: fewer than three siblings are climbed two by two.
        for (uint256 few = 1; few < 3; ++few) {
            bytes32[] memory some = random(count, few);
            same(tree.climbTile(index, tile, some), Naive.climb(index, leaves[index], some), "few");
            holds(!tree.leadsToTile(2, index, some) && !tree.leadsToTile(0, 0, some), "no tile's path");
        }
    }

    /// A path of the deepest tree, and none deeper.
    function test_the_deepest_path() public view {
        bytes memory tile = noise(1, 128);
        uint256[4] memory places = [uint256(0), (1 << 32) - 1, 0x9abcdef1, 0x12345678];
        for (uint256 i; i < 4; ++i) {
            bytes32[] memory path = random(i, 33);
            holds(tree.leadsToTile(32, places[i], path), "32 levels");
            same(tree.climbTile(places[i], tile, path), Naive.climbTile(places[i], Naive.leaf(tile), path), "climbs");
            holds(!tree.leadsToTile(32, places[i] + (1 << 32), path), "beyond");
            holds(!tree.leadsToTile(33, places[i], resized(path, 34)), "33 levels");
            holds(!tree.leadsToTile(type(uint256).max, places[i], path), "no such depth");
        }
    }
}
