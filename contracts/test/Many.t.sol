// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Tensor} from "../sol/Tensor.sol";
import {Tree} from "../sol/Tree.sol";
import {Naive} from "./Naive.sol";
import {Opened} from "./Packed.sol";
import {Trees} from "./TreeCaller.sol";

/// Openings of many tiles of a tensor at once, and what passes for a node or a tile that is none.
contract ManyTest is Trees {
    struct Opening {
        bytes32 root;
        uint256 depth;
        bytes indices;
        bytes tiles;
        bytes32[] proof;
    }

    function opens(Opening memory o) private view forgetful returns (bool) {
        (bool ok, bytes32 root) = tree.rootOfMany(o.depth, o.indices, o.tiles, o.proof);
        return ok && root == o.root;
    }

    function copy(Opening memory o) private pure returns (Opening memory) {
        return abi.decode(abi.encode(o), (Opening));
    }

    function opening(bytes memory data, bytes32[] memory leaves, bool[] memory known)
        private
        pure
        returns (Opening memory o)
    {
        Opened memory opened = Naive.open(data, known, new bytes32[](0));
        (o.indices, o.tiles, o.proof) = (opened.indices, opened.tiles, opened.proof);
        (o.root, o.depth) = (Naive.tensorRoot(leaves), Naive.tensorDepth(leaves.length));
    }

    /// Which of `count` tiles: a third of them, whole fours, one, all but one, or neighbours.
    function marks(uint256 seed, uint256 count) private pure returns (bool[] memory known) {
        known = new bool[](count);
        uint256 way = pick(seed, 1, 5);
        uint256 one = pick(seed, 2, count);
        uint256 end = one + 1 + pick(seed, 3, count - one);
        for (uint256 i; i < count; ++i) {
            if (way == 0) known[i] = pick(seed, 1000 + i, 3) == 0;
            if (way == 1) known[i] = i / 4 == one / 4 || pick(seed, 1000 + i / 4, 2) == 0;
            if (way == 3) known[i] = i != one || count == 1;
            if (way == 4) known[i] = one <= i && i < end;
        }
        if (way != 3) known[one] = true;
    }

    function testFuzz_many(uint256 seed, uint16 size) public view {
        bytes memory data = noise(seed, 1 + size % (70 * 128));
        bytes32[] memory leaves = Naive.leavesOf(data);
        bool[] memory known = marks(seed, leaves.length);
        Opening memory good = opening(data, leaves, known);
        holds(opens(good), "opens");
        _altered(good, seed);
        _nodes(good, leaves);
    }

    function _altered(Opening memory good, uint256 seed) private view {
        Opening memory o = copy(good);
        o.tiles[pick(seed, 4, o.tiles.length)] ^= bytes1(uint8(1 << (seed % 8)));
        holds(!opens(o), "an altered tile");
        o = copy(good);
        for (uint256 i; i < 32; ++i) {
            uint256 place = pick(seed, 5, o.indices.length / 4) * 4 + i / 8;
            o.indices[place] ^= bytes1(uint8(1 << (i % 8)));
            holds(!opens(o), "an altered index");
            o.indices[place] ^= bytes1(uint8(1 << (i % 8)));
        }
        for (uint256 depth; depth < 40; ++depth) {
            o.depth = depth;
            holds(opens(o) == (depth == good.depth), "another depth");
        }
        o.depth = good.depth;
        for (uint256 more = 1; more < 5; ++more) {
            o.proof = resized(good.proof, good.proof.length + more);
            holds(!opens(o), "proof nodes too many");
        }
        for (uint256 i; i < good.proof.length; ++i) {
            o.proof = bent(good.proof, i, seed);
            holds(!opens(o), "an altered proof");
            o.proof = resized(good.proof, i);
            holds(!opens(o), "proof nodes too few");
        }
    }

    /// Without its last nodes a proof leads to a node below the root, as long as that is above all tiles.
    function _nodes(Opening memory o, bytes32[] memory leaves) private view {
        uint256 first = _index(o.indices, 0);
        uint256 last = _index(o.indices, o.indices.length - 4);
        for (uint256 level = o.depth;; --level) {
            bytes32[] memory proof = resized(o.proof, o.proof.length - (o.depth - level));
            (bool ok, uint256 found, uint256 index, bytes32 node) = tree.nodeOfMany(o.indices, o.tiles, proof);
            holds(ok && found == level && index == first >> level, "where");
            same(node, Naive.tensorNode(leaves, level, first >> level), "node");
            if (level <= 2 || (first ^ last) >> (level - 1) != 0) return _tooFew(o, proof);
        }
    }

    /// With fewer nodes than those of `proof` there is no node above all tiles; one tile may be a tensor's only one.
    function _tooFew(Opening memory o, bytes32[] memory proof) private view {
        for (uint256 i; i < proof.length; ++i) {
            (bool ok,,,) = tree.nodeOfMany(o.indices, o.tiles, resized(proof, i));
            holds(ok == (i == 0 && o.tiles.length == 128), "no node");
        }
    }

    function _index(bytes memory indices, uint256 from) private pure returns (uint256 index) {
        for (uint256 i; i < 4; ++i) index = index << 8 | uint8(indices[from + i]);
    }

    /// The tiles of `data` that are set in `mask`, opened, and with a proof node too many or too few refused.
    function _exact(bytes memory data, bytes32[] memory leaves, uint256 mask) private view forgetful {
        bool[] memory known = new bool[](leaves.length);
        for (uint256 i; i < known.length; ++i) known[i] = mask >> i & 1 == 1;
        Opening memory o = opening(data, leaves, known);
        holds(opens(o), "opens");
        bytes32[] memory proof = o.proof;
        o.proof = resized(proof, proof.length + 1);
        holds(!opens(o), "a proof node too many");
        if (proof.length == 0) return;
        o.proof = resized(proof, proof.length - 1);
        holds(!opens(o), "a proof node too few");
        o.proof = bent(proof, mask % proof.length, mask);
        holds(!opens(o), "an altered proof");
    }

    function test_every_subset_of_few_tiles() public view {
        for (uint256 count = 1; count < 9; ++count) {
            bytes memory data = noise(count, count * 128);
            bytes32[] memory leaves = Naive.leavesOf(data);
            for (uint256 mask = 1; mask < 1 << count; ++mask) _exact(data, leaves, mask);
        }
    }

    /// Neighbours wherever they begin: those that fill a subtree, and others; the last four have two.
    function test_neighbours() public view {
        bytes memory data = noise(22, 22 * 128);
        bytes32[] memory leaves = Naive.leavesOf(data);
        uint256[7] memory sizes = [uint256(1), 2, 3, 4, 8, 9, 16];
        for (uint256 i; i < sizes.length; ++i) {
            uint256 run = (1 << sizes[i]) - 1;
            for (uint256 first; first + sizes[i] <= 22; ++first) _exact(data, leaves, run << first);
        }
    }

    /// The first tile, the last, all, and all but these, of tensors whose last four are complete and not.
    function test_the_ends_of_tensors_of_every_size() public view {
        for (uint256 count = 1; count <= 70; count += count < 20 ? 1 : 7) {
            bytes memory data = noise(count, count * 128);
            bytes32[] memory leaves = Naive.leavesOf(data);
            uint256 all = (1 << count) - 1;
            uint256 last = 1 << (count - 1);
            _exact(data, leaves, 1);
            _exact(data, leaves, last);
            _exact(data, leaves, all);
            if (count > 2) _exact(data, leaves, all ^ last ^ 1);
        }
    }

    /// One tile: no proof, or three nodes and more.
    function test_one_tile_has_no_proof_of_one_node_or_two() public view {
        bytes memory tile = noise(1, 128);
        for (uint256 index; index < 5; ++index) {
            bytes memory indices = abi.encodePacked(uint32(index));
            for (uint256 count; count < 36; ++count) {
                bytes32[] memory proof = random(index, count);
                (bool ok, uint256 level, uint256 place, bytes32 node) = tree.nodeOfMany(indices, tile, proof);
                holds(ok == (count == 0 || count > 2), "ok");
                if (!ok) continue;
                holds(count == 0 ? level == 0 && place == index : level == count - 1 && place == index >> level, "where");
                same(node, Naive.climbTile(index, Naive.leaf(tile), proof), "node");
            }
            (bool whole,) = tree.rootOfMany(0, indices, tile, new bytes32[](0));
            holds(whole == (index == 0), "a tensor of one tile has no second");
        }
    }

    function test_many_refuses_indices_out_of_order() public view {
        bytes memory data = noise(1, 256);
        bytes32[] memory all = Naive.leavesOf(data);
        bytes memory turned = bytes.concat(Naive.tileAt(data, 1), Naive.tileAt(data, 0));
        bytes32 root = Naive.tensorRoot(all);
        bytes32[] memory proof = new bytes32[](2);
        proof[0] = proof[1] = keccak256(hex"04");
        holds(opens(Opening(root, 2, hex"0000000000000001", data, proof)), "in order");
        bytes memory twice = bytes.concat(Naive.tileAt(data, 0), Naive.tileAt(data, 0));
        // Each of the two would lead to the root by itself.
        proof = new bytes32[](6);
        for (uint256 i; i < 6; ++i) proof[i] = keccak256(hex"04");
        (proof[0], proof[3]) = (all[0], all[1]);
        for (uint256 count; count <= 6; ++count) {
            holds(!opens(Opening(root, 2, hex"0000000100000000", turned, resized(proof, count))), "turned");
        }
        proof[0] = all[1];
        for (uint256 count; count <= 6; ++count) {
            holds(!opens(Opening(root, 2, hex"0000000000000000", twice, resized(proof, count))), "twice");
        }
    }

    /// The same across fours, and in what would be a whole subtree.
    function test_many_refuses_fours_out_of_order() public view {
        bytes memory data = noise(2, 1024);
        bytes32[] memory all = Naive.leavesOf(data);
        bytes32 root = Naive.tensorRoot(all);
        bytes memory turned = bytes.concat(Naive.tileAt(data, 5), Naive.tileAt(data, 1));
        bytes32[] memory proof = new bytes32[](6);
        (proof[0], proof[1], proof[2]) = (all[4], all[6], all[7]);
        (proof[3], proof[4], proof[5]) = (all[0], all[2], all[3]);
        for (uint256 count; count <= 6; ++count) {
            holds(!opens(Opening(root, 3, hex"0000000500000001", turned, resized(proof, count))), "turned");
        }
        bytes memory indices;
        for (uint32 i; i < 8; ++i) indices = bytes.concat(indices, bytes4(i));
        bytes32[] memory nothing = new bytes32[](0);
        holds(opens(Opening(root, 3, indices, data, nothing)), "in order");
        for (uint256 i; i < 7; ++i) {
            bytes memory order = bytes.concat(indices);
            (order[4 * i + 3], order[4 * i + 7]) = (order[4 * i + 7], order[4 * i + 3]);
            bytes memory tiles = bytes.concat(data);
            for (uint256 j; j < 128; ++j) {
                (tiles[128 * i + j], tiles[128 * i + 128 + j]) = (tiles[128 * i + 128 + j], tiles[128 * i + j]);
            }
            holds(!opens(Opening(root, 3, order, tiles, nothing)), "neighbours turned");
            order = bytes.concat(indices);
            order[4 * i + 7] = order[4 * i + 3];
            holds(!opens(Opening(root, 3, order, data, nothing)), "one of them twice");
        }
    }

    /// The node that `node`, the last of its level, leads to, and the siblings on the way, all of them on the left.
    function _last(bytes32 node, uint256 levels) private pure returns (bytes32, bytes32[] memory proof) {
        proof = random(5, levels);
        for (uint256 i; i < levels; ++i) node = Naive.inner(proof[i], node);
        return (node, proof);
    }

    /// Indices of which the last begins anew: as sums of 32 bits they would be neighbours.
    function test_attack_09_indices_do_not_begin_anew_beyond_the_last() public view {
        bytes memory data = noise(3, 512);
        (bytes32 node, bytes32[] memory proof) = _last(Naive.tensorRoot(Naive.leavesOf(data)), 30);
        holds(opens(Opening(node, 32, hex"fffffffcfffffffdfffffffeffffffff", data, proof)), "the last four");
        holds(!opens(Opening(node, 32, hex"fffffffcfffffffdffffffff00000000", data, proof)), "the first after the last");
        holds(!opens(Opening(node, 32, hex"fffffffcfffffffdfffffffe00000000", data, proof)), "the last, named the first");
        holds(!opens(Opening(node, 32, hex"fffffffdfffffffeffffffff00000000", data, proof)), "moved by one");
        // The whole of eight, and a part of four.
        data = noise(4, 1024);
        (node, proof) = _last(Naive.tensorRoot(Naive.leavesOf(data)), 29);
        bytes memory eight = hex"fffffff8fffffff9fffffffafffffffbfffffffcfffffffdfffffffeffffffff";
        holds(opens(Opening(node, 32, eight, data, proof)), "the last eight");
        for (uint256 i = 28; i < 32; ++i) eight[i] = 0;
        holds(!opens(Opening(node, 32, eight, data, proof)), "the last, named the first");
        data = noise(5, 256);
        bytes32[4] memory leaves = [bytes32("w"), "x", Naive.leaf(Naive.tileAt(data, 0)), Naive.leaf(Naive.tileAt(data, 1))];
        (node, proof) = _last(Naive.four(leaves), 30);
        bytes32[] memory all = new bytes32[](32);
        (all[0], all[1]) = ("w", "x");
        for (uint256 i; i < 30; ++i) all[2 + i] = proof[i];
        holds(opens(Opening(node, 32, hex"fffffffeffffffff", data, all)), "the last two");
        holds(!opens(Opening(node, 32, hex"ffffffff00000000", data, all)), "the first after the last");
        holds(!opens(Opening(node, 32, hex"fffffffe00000000", data, all)), "the last, named the first");
        holds(!opens(Opening(node, 32, hex"ffffffffffffffff", data, all)), "the last twice");
    }

    /// The bytes of a node are no tile's, and a tile's leaf is no node's: the first byte tells them apart. How many children
    /// a node has, their number of bytes tells.
    function test_attack_09_second_preimage_across_domains() public view {
        bytes32[] memory all = random(1, 4);
        bytes memory level = abi.encodePacked(all[0], all[1], all[2], all[3]);
        bytes32 node = Naive.tensorNode(all, 2, 0);
        same(keccak256(bytes.concat(hex"01", level)), node, "a node of four");
        holds(tree.tagged(0, level) != node, "four nodes are no tile");
        holds(tree.tagged(0, level) != Naive.node(all, 2, 0), "nor are they two by two");
        holds(Naive.node(all, 2, 0) != node, "two nodes of two are no node of four");
        holds(Naive.inner(all[0], all[1]) != node && Naive.inner(node, node) != node, "nor are two nodes");
        bytes32[] memory path = new bytes32[](1);
        path[0] = Naive.node(all, 1, 1);
        holds(!tree.opens(Naive.root(all), 2, 0, Naive.node(all, 1, 0), path), "an inner node is no leaf");
        // What four nodes of level 2 lead to, had they been leaves, is not what they lead to.
        bytes32[] memory leaves = random(2, 16);
        bytes32[] memory fours = Naive.tensorDescendants(leaves, 4, 0, 2);
        same(Naive.root(fours), Naive.tensorRoot(leaves), "four nodes of level 2");
        holds(Naive.tensorRoot(fours) != Naive.tensorRoot(leaves), "they are no leaves");
        // A tile that consists of four leaves, where their node is.
        _offered(leaves, fours, abi.encodePacked(leaves[0], leaves[1], leaves[2], leaves[3]));
    }

    /// Offers `tile`, whose bytes are those of node 0 of `fours`, as a tile of the tensor over `leaves`.
    function _offered(bytes32[] memory leaves, bytes32[] memory fours, bytes memory tile) private view {
        bytes32 root = Naive.tensorRoot(leaves);
        bytes32[] memory above = Naive.path(fours, 0);
        for (uint256 depth; depth < 6; ++depth) {
            for (uint256 way; way < 3; ++way) {
                bytes32[] memory path = resized(Naive.tilePath(leaves, 0), Tensor.tileSiblings(depth));
                // The node's own siblings, and its level's nodes in the place of leaves.
                if (way == 1) path = resized(above, path.length);
                if (way == 2) for (uint256 i; i < 3 && i < path.length; ++i) path[i] = fours[i + 1];
                bool leads = tree.leadsToTile(depth, 0, path);
                holds(!leads || tree.climbTile(0, tile, path) != root, "no tile");
                holds(!opens(Opening(root, depth, hex"00000000", tile, path)), "nor among many");
            }
        }
    }

    /// Tiles hashed two by two from the bottom on are no tensor: neither one of them opens, nor many, nor all.
    function test_attack_09_a_binary_tree_is_no_tensors() public view {
        for (uint256 count = 2; count < 18; ++count) _binary(count);
    }

    function _binary(uint256 count) private view forgetful {
        bytes memory data = noise(count, count * 128);
        bytes32[] memory leaves = Naive.leavesOf(data);
        uint256 depth = Naive.tensorDepth(count);
        bytes32 root = Naive.node(leaves, depth, 0);
        holds(root != Naive.tensorRoot(leaves) && tree.ofBytes(data, depth) != root, "another root");
        bool[] memory known = new bool[](count);
        for (uint256 i; i < count; ++i) {
            bytes memory tile = Naive.tileAt(data, i);
            bytes32[] memory path = new bytes32[](depth);
            for (uint256 level; level < depth; ++level) path[level] = Naive.node(leaves, level, (i >> level) ^ 1);
            same(tree.climb(i, leaves[i], path), root, "two by two it leads there");
            holds(!tree.leadsToTile(depth, i, path), "but is no tile's path");
            for (uint256 more; more < 3; ++more) {
                bytes32[] memory longer = resized(path, depth + more);
                if (more != 0) holds(tree.climbTile(i, tile, longer) != root, "nor with nodes more");
                holds(!opens(Opening(root, depth, abi.encodePacked(uint32(i)), tile, longer)), "nor among many");
            }
            known[i] = true;
            Opening memory o = opening(data, leaves, known);
            holds(opens(o), "the right tree");
            o.root = root;
            holds(!opens(o), "the first few, and all");
        }
    }

    /// Beyond the last four stands the constant, and not a node of four padding leaves.
    function test_attack_09_no_padding_but_the_constant() public view {
        bytes memory data = noise(9, 9 * 128);
        bytes32[] memory leaves = Naive.leavesOf(data);
        bytes32[4] memory pads;
        for (uint256 i; i < 4; ++i) pads[i] = keccak256(hex"04");
        bytes32 padding = Naive.tensorNode(leaves, 2, 3);
        same(padding, Tree.padding(2), "the constant");
        holds(padding != Naive.four(pads), "not four of padding");
        bytes32[] memory path = Naive.tilePath(leaves, 8);
        same(path[3], padding, "beside the last four");
        bytes memory tile = Naive.tileAt(data, 8);
        same(tree.climbTile(8, tile, path), tree.ofBytes(data, 4), "the root");
        path[3] = Naive.four(pads);
        holds(tree.climbTile(8, tile, path) != tree.ofBytes(data, 4), "another");
    }
}
