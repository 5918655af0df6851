// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Tree} from "../sol/Tree.sol";
import {Base} from "./Base.sol";
import {Naive} from "./Naive.sol";

/// The library reads calldata, so it is called from outside.
contract TreeCaller {
    function tagged(uint8 domain, bytes calldata data) external pure returns (bytes32) {
        return Tree.tagged(domain, data);
    }

    function foldUp(bytes32[] calldata nodes) external pure returns (bytes32) {
        return Tree.foldUp(nodes);
    }

    function ofNodes(bytes32[] calldata nodes, uint256 depth) external pure returns (bytes32) {
        return Tree.ofNodes(nodes, depth);
    }

    function opens(bytes32 root, uint256 depth, uint256 index, bytes32 leaf, bytes32[] calldata path)
        external
        pure
        returns (bool)
    {
        return Tree.opens(root, depth, index, leaf, path);
    }

    function rootOfMany(uint256 depth, bytes calldata indices, bytes calldata tiles, bytes32[] calldata proof)
        external
        pure
        returns (bool, bytes32)
    {
        return Tree.rootOfMany(depth, indices, tiles, proof);
    }

    function ofBytes(bytes calldata data, uint256 depth) external pure returns (bytes32) {
        return Tree.ofBytes(data, depth);
    }
}

contract TreeTest is Base {
    struct Opening {
        bytes32 root;
        uint256 depth;
        bytes indices;
        bytes tiles;
        bytes32[] proof;
    }

    TreeCaller private tree;

    function setUp() public {
        tree = new TreeCaller();
    }

    function opens(Opening memory o) private view returns (bool) {
        (bool ok, bytes32 root) = tree.rootOfMany(o.depth, o.indices, o.tiles, o.proof);
        return ok && root == o.root;
    }

    function leaves(uint256 seed, uint256 count) private pure returns (bytes32[] memory all) {
        all = new bytes32[](count);
        for (uint256 i; i < count; ++i) all[i] = keccak256(abi.encode(seed, i));
    }

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

    function test_fold_up_every_arity() public view {
        for (uint256 bits; bits < 7; ++bits) {
            bytes32[] memory nodes = leaves(bits, 1 << bits);
            same(tree.foldUp(nodes), Naive.node(nodes, bits, 0), "fold");
        }
    }

    /// Fewer leaves than the tree has room for, in a tree as deep as it likes.
    function test_padding_fills_the_tree() public view {
        for (uint256 depth; depth < 6; ++depth) {
            for (uint256 count = 1; count <= 1 << depth; ++count) {
                bytes32[] memory nodes = leaves(depth, count);
                same(tree.ofNodes(nodes, depth), Naive.node(nodes, depth, 0), "nodes");
            }
        }
        bytes memory three = noise(9, 384);
        same(tree.ofBytes(three, 2), Naive.root(Naive.leavesOf(three)), "tiles");
        same(tree.ofBytes(three, 7), Naive.node(Naive.leavesOf(three), 7, 0), "deeper");
    }

    function testFuzz_root_of_bytes(uint256 seed, uint16 length) public view {
        bytes memory data = noise(seed, length % 3000);
        same(tree.ofBytes(data, Naive.depth((data.length + 127) / 128)), Naive.root(Naive.leavesOf(data)), "root");
    }

    function test_root_of_bytes_at_tile_edges() public view {
        for (uint256 tiles = 1; tiles < 10; ++tiles) {
            for (uint256 d; d < 3; ++d) {
                bytes memory data = noise(tiles, tiles * 128 - 1 + d);
                same(tree.ofBytes(data, Naive.depth((data.length + 127) / 128)), Naive.root(Naive.leavesOf(data)), "root");
            }
        }
    }

    function testFuzz_path(uint256 seed, uint8 size, uint8 place) public view {
        bytes32[] memory all = leaves(seed, 1 + size % 40);
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

    function random(uint256 seed, uint256 size) private pure returns (Opening memory o) {
        bytes memory data = noise(seed, 1 + size % 4000);
        bytes32[] memory all = Naive.leavesOf(data);
        bool[] memory known = new bool[](all.length);
        known[pick(seed, 2, known.length)] = true;
        for (uint256 i; i < known.length; ++i) if (pick(seed, 1000 + i, 3) == 0) known[i] = true;
        o.root = Naive.root(all);
        o.depth = Naive.depth(all.length);
        for (uint256 i; i < known.length; ++i) {
            if (!known[i]) continue;
            o.indices = bytes.concat(o.indices, bytes4(uint32(i)));
            o.tiles = bytes.concat(o.tiles, Naive.tileAt(data, i));
        }
        o.proof = Naive.proof(all, known);
    }

    function testFuzz_many(uint256 seed, uint16 size) public view {
        Opening memory o = random(seed, size);
        holds(opens(o), "opens");

        o.tiles[pick(seed, 3, o.tiles.length)] ^= 0x10;
        holds(!opens(o), "an altered tile");
        o = random(seed, size);
        uint256 altered = pick(seed, 4, o.indices.length);
        o.indices[altered] ^= bytes1(uint8(1 << (seed % 8)));
        holds(!opens(o), "an altered index");
        o = random(seed, size);
        o.proof = _resized(o.proof, o.proof.length + 1);
        holds(!opens(o), "a proof node too many");
        o = random(seed, size);
        o.depth += 1;
        holds(!opens(o), "another depth");
        o = random(seed, size);
        o.depth = 33;
        holds(!opens(o), "no such depth");
        o = random(seed, size);
        if (o.proof.length == 0) return;
        o.proof[pick(seed, 5, o.proof.length)] ^= bytes32(uint256(1) << (seed % 256));
        holds(!opens(o), "an altered proof");
        o = random(seed, size);
        o.proof = _resized(o.proof, o.proof.length - 1);
        holds(!opens(o), "a proof node too few");
    }

    function test_many_refuses_indices_out_of_order() public view {
        bytes memory data = noise(1, 256);
        bytes32[] memory all = Naive.leavesOf(data);
        bytes memory turned = bytes.concat(Naive.tileAt(data, 1), Naive.tileAt(data, 0));
        bytes32 root = Naive.root(all);
        holds(opens(Opening(root, 1, hex"0000000000000001", data, new bytes32[](0))), "in order");
        // Each of the two would lead to the root by itself.
        bytes32[] memory proof = new bytes32[](2);
        (proof[0], proof[1]) = (all[0], all[1]);
        holds(!opens(Opening(root, 1, hex"0000000100000000", turned, proof)), "turned");
        bytes memory twice = bytes.concat(Naive.tileAt(data, 0), Naive.tileAt(data, 0));
        proof[0] = all[1];
        holds(!opens(Opening(root, 1, hex"0000000000000000", twice, proof)), "twice");
    }

    /// Four indices of which the last begins anew: as sums of 32 bits they would be neighbours.
    function test_attack_09_indices_do_not_begin_anew_beyond_the_last() public view {
        bytes memory data = noise(3, 512);
        bytes32 node = Naive.root(Naive.leavesOf(data));
        bytes32[] memory proof = new bytes32[](30);
        for (uint256 level; level < 30; ++level) {
            proof[level] = keccak256(abi.encode(level));
            node = Naive.inner(proof[level], node);
        }
        holds(opens(Opening(node, 32, hex"fffffffcfffffffdfffffffeffffffff", data, proof)), "the last four");
        holds(!opens(Opening(node, 32, hex"fffffffcfffffffdffffffff00000000", data, proof)), "the first after the last");
        holds(!opens(Opening(node, 32, hex"fffffffcfffffffdfffffffe00000000", data, proof)), "the last, named the first");
    }

    /// The bytes of an inner node are no tile's, and a tile's leaf is no node's: the first byte tells them apart.
    function test_attack_09_second_preimage_across_domains() public view {
        bytes32[] memory all = leaves(1, 4);
        bytes memory level = abi.encodePacked(all[0], all[1], all[2], all[3]);
        holds(tree.tagged(0, level) != Naive.node(all, 2, 0), "four nodes are no tile");
        holds(keccak256(bytes.concat(hex"01", level)) != Naive.node(all, 2, 0), "nor a node of four");
        bytes32[] memory path = new bytes32[](1);
        path[0] = Naive.node(all, 1, 1);
        holds(!tree.opens(Naive.root(all), 2, 0, Naive.node(all, 1, 0), path), "an inner node is no leaf");
    }

    function _resized(bytes32[] memory from, uint256 length) private pure returns (bytes32[] memory to) {
        to = new bytes32[](length);
        for (uint256 i; i < length && i < from.length; ++i) to[i] = from[i];
    }
}
