// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Tensor} from "../sol/Tensor.sol";
import {Tree} from "../sol/Tree.sol";
import {Base} from "./Base.sol";

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

    function climb(uint256 index, bytes32 leaf, bytes32[] calldata path) external pure returns (bytes32) {
        return Tree.climb(index, leaf, path);
    }

    function climbTile(uint256 index, bytes calldata tile, bytes32[] calldata path) external pure returns (bytes32) {
        return Tensor.climbTile(index, tile, path);
    }

    function leadsToTile(uint256 depth, uint256 index, bytes32[] calldata path) external pure returns (bool) {
        return Tensor.leadsToTile(depth, index, path);
    }

    function nodeOfMany(bytes calldata indices, bytes calldata tiles, bytes32[] calldata proof)
        external
        pure
        returns (bool, uint256, uint256, bytes32)
    {
        return Tensor.nodeOfMany(indices, tiles, proof);
    }

    function rootOfMany(uint256 depth, bytes calldata indices, bytes calldata tiles, bytes32[] calldata proof)
        external
        pure
        returns (bool, bytes32)
    {
        return Tensor.rootOfMany(depth, indices, tiles, proof);
    }

    function ofBytes(bytes calldata data, uint256 depth) external pure returns (bytes32) {
        return Tensor.ofBytes(data, depth);
    }
}

/// What the tests of trees share.
abstract contract Trees is Base {
    TreeCaller internal tree;

    function setUp() public {
        tree = new TreeCaller();
    }

    function random(uint256 seed, uint256 count) internal pure returns (bytes32[] memory all) {
        all = new bytes32[](count);
        for (uint256 i; i < count; ++i) all[i] = keccak256(abi.encode(seed, i));
    }

    function resized(bytes32[] memory from, uint256 length) internal pure returns (bytes32[] memory to) {
        to = new bytes32[](length);
        for (uint256 i; i < length && i < from.length; ++i) to[i] = from[i];
    }

    /// One bit of one node turned over.
    function bent(bytes32[] memory nodes, uint256 index, uint256 seed) internal pure returns (bytes32[] memory other) {
        other = resized(nodes, nodes.length);
        other[index] ^= bytes32(uint256(1) << (seed % 256));
    }
}
