// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Descriptor} from "./Descriptor.sol";
import {Exports} from "./Exports.sol";
import {IGame} from "./IGame.sol";
import {Tree} from "./Tree.sol";

/// The roots that a step is judged under.
struct Scene {
    bytes32 traceRoot;
    uint256 traceDepth;
    bytes32 inputRoot;
    /// The root of the layer's sub-trace, 0 when there is none, and the depth of its tree.
    bytes32 list;
    uint256 listDepth;
}

/// Where an operand's tensor is committed, how deep its tree is and how wide its elements.
struct Operand {
    uint8 kind;
    uint256 index;
    uint256 rank;
    uint256 exports;
    /// What the operator bytes say of a constant.
    bytes32 constantRoot;
    uint256 depth;
    uint256 size;
}

/// Tiles that stand, to be read where they lie in the calldata.
struct Tiles {
    /// Where the indices begin, be32 each, strictly increasing.
    uint256 indices;
    uint256 count;
    /// Where the tiles begin.
    uint256 tiles;
    /// Bytes of an element.
    uint256 size;
    /// The tile that was read last: reads mostly go forward.
    uint256 cursor;
}

/// @title Opened tiles, checked against the roots that the claim and the program fixed (PROTOCOL 4.5).
library Opening {
    using Descriptor for bytes;

    uint256 internal constant MAX_TILES = 192;
    uint8 private constant PARAMS_TYPE = 16;

    function operandA(bytes calldata d) internal pure returns (Operand memory) {
        uint256 size = Descriptor.sizeOf(d.aType());
        return Operand(d.aKind(), d.u32(12), d.u8(28), d.u8(29), d.rootAt(d.rootsFrom()), d.u8(9), size);
    }

    function operandB(bytes calldata d) internal pure returns (Operand memory) {
        uint256 size = Descriptor.sizeOf(d.bType());
        uint256 place = d.rootsFrom();
        if (d.aKind() == Descriptor.KIND_CONSTANT) place += 32;
        return Operand(d.bKind(), d.u32(16), d.u8(30), d.u8(31), d.rootAt(place), d.u8(10), size);
    }

    /// The records: always a constant, whose root stands last but for a constant third operand's.
    function operandParams(bytes calldata d) internal pure returns (Operand memory) {
        uint256 place = d.length - 32;
        if (d.hasThird() && d.thirdKind() == Descriptor.KIND_CONSTANT) place -= 32;
        uint256 size = Descriptor.sizeOf(PARAMS_TYPE);
        return Operand(Descriptor.KIND_CONSTANT, d.u32(20), 0, 0, d.rootAt(place), d.u8(11), size);
    }

    /// The table or the divisor, of an operator that has one.
    function operandThird(bytes calldata d) internal pure returns (Operand memory) {
        uint256 size = Descriptor.sizeOf(d.thirdType());
        bytes32 root = d.rootAt(d.length - 32);
        return Operand(d.thirdKind(), d.u32(200), d.u8(195), d.u8(196), root, d.u8(194), size);
    }

    function open(Scene memory scene, Operand memory operand, IGame.Opened calldata opened)
        internal
        pure
        returns (Tiles memory tiles)
    {
        bytes calldata indices = opened.indices;
        bytes calldata data = opened.tiles;
        uint256 count = data.length / Tree.TILE_BYTES;
        if (data.length % Tree.TILE_BYTES != 0 || indices.length != count * 4 || count == 0 || count > MAX_TILES) {
            revert IGame.WrongCount();
        }
        (bool ok, bytes32 root) = Tree.rootOfMany(operand.depth, indices, data, opened.proof);
        if (!ok || !_committed(scene, operand, root, opened.rootPath)) revert IGame.BadOpening();
        assembly ("memory-safe") {
            mstore(tiles, indices.offset)
            mstore(add(tiles, 0x40), data.offset)
        }
        tiles.count = count;
        tiles.size = operand.size;
    }

    /// Whether there is nothing in it.
    function isEmpty(IGame.Opened calldata opened) internal pure returns (bool) {
        return opened.rootPath.length == 0 && opened.indices.length == 0 && opened.tiles.length == 0
            && opened.proof.length == 0;
    }

    function isEmpty(IGame.Witness calldata witness) internal pure returns (bool) {
        return isEmpty(witness.a) && isEmpty(witness.b) && isEmpty(witness.params) && isEmpty(witness.third);
    }

    /// Where element `at` lies, and how many bytes from there on lie side by side: at least its tile's, and of the tiles
    /// opened after it so many as are needed for `span` bytes.
    function locate(Tiles memory tiles, uint256 element, uint256 span)
        internal
        pure
        returns (uint256 pointer, uint256 available)
    {
        // Below 2^72: an address is a sum of ten products of 32-bit fields, an element has at most 16 bytes. The rest
        // stays within the calldata, or counts tiles.
        unchecked {
            uint256 first = element * tiles.size;
            uint256 index = first / Tree.TILE_BYTES;
            uint256 slot = _find(tiles, index);
            first %= Tree.TILE_BYTES;
            pointer = tiles.tiles + slot * Tree.TILE_BYTES + first;
            available = Tree.TILE_BYTES - first;
            while (available < span && slot + 1 < tiles.count && _indexAt(tiles, slot + 1) == index + 1) {
                ++slot;
                ++index;
                available += Tree.TILE_BYTES;
            }
            tiles.cursor = slot;
        }
    }

    /// Whether `root` is that of the tensor that the operand names.
    function _committed(Scene memory scene, Operand memory operand, bytes32 root, bytes32[] calldata path)
        private
        pure
        returns (bool)
    {
        if (operand.kind == Descriptor.KIND_EXPORT) {
            if (operand.rank >= operand.exports) return false;
            uint256 others = operand.exports - 1;
            if (path.length < others) return false;
            bytes32 leaf = Exports.leafWith(root, operand.rank, path[:others]);
            return Tree.opens(scene.traceRoot, scene.traceDepth, operand.index, leaf, path[others:]);
        }
        if (operand.kind == Descriptor.KIND_LOCAL) {
            return Tree.opens(scene.list, scene.listDepth, operand.index, root, path);
        }
        if (path.length != 0) return false;
        if (operand.kind == Descriptor.KIND_CONSTANT) return root == operand.constantRoot;
        return operand.kind == Descriptor.KIND_INPUT && root == scene.inputRoot;
    }

    /// The slot of tile `index` among the opened ones.
    function _find(Tiles memory tiles, uint256 index) private pure returns (uint256 slot) {
        // Slots are below MAX_TILES.
        unchecked {
            slot = tiles.cursor;
            if (_indexAt(tiles, slot) == index) return slot;
            ++slot;
            if (slot < tiles.count && _indexAt(tiles, slot) == index) return slot;
            slot = 0;
            uint256 end = tiles.count;
            while (slot < end) {
                uint256 middle = (slot + end) / 2;
                if (_indexAt(tiles, middle) < index) slot = middle + 1;
                else end = middle;
            }
            if (slot == tiles.count || _indexAt(tiles, slot) != index) revert IGame.WitnessMissing();
        }
    }

    function _indexAt(Tiles memory tiles, uint256 slot) private pure returns (uint256 index) {
        assembly ("memory-safe") {
            index := shr(224, calldataload(add(mload(tiles), shl(2, slot))))
        }
    }
}
