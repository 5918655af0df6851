// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Descriptor} from "./Descriptor.sol";
import {Exports} from "./Exports.sol";
import {IGame} from "./IGame.sol";
import {Tensor} from "./Tensor.sol";
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

/// The nodes above the tiles of a, b, params and third: of each its level, its index there and itself; zeros of what an
/// operator does not read (PROTOCOL 4.5).
struct Tops {
    uint256[12] words;
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
    uint256 private constant HEADER_BYTES = 6;
    /// Of a record.
    uint256 internal constant RECORD_BYTES = 16;

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
        return Operand(Descriptor.KIND_CONSTANT, d.u32(20), 0, 0, d.rootAt(place), d.u8(11), RECORD_BYTES);
    }

    /// The table or the divisor, of an operator that has one.
    function operandThird(bytes calldata d) internal pure returns (Operand memory) {
        uint256 size = Descriptor.sizeOf(d.thirdType());
        bytes32 root = d.rootAt(d.length - 32);
        return Operand(d.thirdKind(), d.u32(200), d.u8(195), d.u8(196), root, d.u8(194), size);
    }

    /// Where each of `count` openings lies that are packed one behind the other in `packed`; in nothing place all, each is empty.
    function split(bytes calldata packed, uint256[4] memory openings, uint256 count) internal pure {
        bool exact;
        assembly ("memory-safe") {
            let place := packed.offset
            // Beyond the calldata all is 0.
            if iszero(packed.length) { place := calldatasize() }
            for { let i := 0 } lt(i, count) { i := add(i, 1) } {
                mstore(add(openings, shl(5, i)), place)
                let header := shr(208, calldataload(place))
                place := add(place, mul(iszero(iszero(packed.length)), HEADER_BYTES))
                place := add(place, add(shl(2, shr(40, header)), and(shr(24, header), 0xffff)))
                place := add(place, shl(5, add(and(shr(8, header), 0xffff), and(header, 0xff))))
            }
            exact := or(iszero(packed.length), eq(place, add(packed.offset, packed.length)))
        }
        if (!exact) revert IGame.WrongLength();
    }

    /// The tiles of the opening at `place`, which stand under the operand's root.
    function open(Scene memory scene, Operand memory operand, uint256 place) internal pure returns (Tiles memory) {
        (bytes calldata indices, bytes calldata data, bytes32[] calldata proof, bytes32[] calldata path) = _at(place);
        _count(indices, data);
        (bool ok, bytes32 root) = Tensor.rootOfMany(operand.depth, indices, data, proof);
        if (!ok || !_committed(scene, operand, root, path)) revert IGame.BadOpening();
        return _tiles(indices, data, operand.size);
    }

    /// The tiles of the opening at `place`, of elements of `size` bytes. The node that they lead to becomes the one of operand `which`.
    function openUnder(Tops memory tops, uint256 which, uint256 size, uint256 place)
        internal
        pure
        returns (Tiles memory)
    {
        (bytes calldata indices, bytes calldata data, bytes32[] calldata proof, bytes32[] calldata path) = _at(place);
        _count(indices, data);
        (bool ok, uint256 level, uint256 index, bytes32 node) = Tensor.nodeOfMany(indices, data, proof);
        if (!ok || path.length != 0) revert IGame.BadOpening();
        _note(tops, which, level, index, node);
        return _tiles(indices, data, size);
    }

    /// The opening at `place` is of one node under the operand's root, which becomes the one of operand `which`.
    function openTop(Scene memory scene, Operand memory operand, Tops memory tops, uint256 which, uint256 place)
        internal
        pure
    {
        (bytes calldata indices, bytes calldata data, bytes32[] calldata proof, bytes32[] calldata path) = _at(place);
        if (indices.length != 4 || data.length != 32) revert IGame.WrongCount();
        uint256 index = uint32(bytes4(indices));
        if (proof.length > operand.depth || !Tree.leads(proof.length, index, proof)) revert IGame.BadOpening();
        uint256 level;
        unchecked {
            level = operand.depth - proof.length;
        }
        // Below level 2 a tensor's tree has no nodes but leaves, and the root of one tile alone needs no siblings.
        if (level < 2 && operand.depth != 0) revert IGame.BadOpening();
        bytes32 node = bytes32(data);
        if (!_committed(scene, operand, Tree.climb(index, node, proof), path)) revert IGame.BadOpening();
        _note(tops, which, level, index, node);
    }

    /// keccak of all words.
    function digest(Tops memory tops) internal pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            hash := keccak256(mload(tops), 384)
        }
    }

    function _note(Tops memory tops, uint256 which, uint256 level, uint256 index, bytes32 node) private pure {
        uint256 word = which * 3;
        (tops.words[word], tops.words[word + 1], tops.words[word + 2]) = (level, index, uint256(node));
    }

    /// What lies at `place`: be8(indices) | be16(bytes of tiles) | be16(proof) | be8(root path), and what they count.
    function _at(uint256 place)
        private
        pure
        returns (
            bytes calldata indices,
            bytes calldata data,
            bytes32[] calldata proof,
            bytes32[] calldata path
        )
    {
        assembly ("memory-safe") {
            let header := shr(208, calldataload(place))
            indices.offset := add(place, HEADER_BYTES)
            indices.length := shl(2, shr(40, header))
            data.offset := add(indices.offset, indices.length)
            data.length := and(shr(24, header), 0xffff)
            proof.offset := add(data.offset, data.length)
            proof.length := and(shr(8, header), 0xffff)
            path.offset := add(proof.offset, shl(5, proof.length))
            path.length := and(header, 0xff)
        }
    }

    /// Refuses other numbers of tiles than there are indices, and than may be opened.
    function _count(bytes calldata indices, bytes calldata data) private pure {
        unchecked {
            // Of no bytes, nothing is below the limit.
            if (data.length != indices.length << 5 || data.length - 1 >= MAX_TILES * Tensor.TILE_BYTES) {
                revert IGame.WrongCount();
            }
        }
    }

    function _tiles(bytes calldata indices, bytes calldata data, uint256 size) private pure returns (Tiles memory tiles) {
        assembly ("memory-safe") {
            mstore(tiles, indices.offset)
            mstore(add(tiles, 0x40), data.offset)
        }
        tiles.count = indices.length / 4;
        tiles.size = size;
    }

    /// Whether there is nothing in the opening at `place`.
    function isEmpty(uint256 place) internal pure returns (bool empty) {
        assembly ("memory-safe") {
            empty := iszero(shr(208, calldataload(place)))
        }
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
            uint256 index = first / Tensor.TILE_BYTES;
            uint256 slot = _find(tiles, index);
            first %= Tensor.TILE_BYTES;
            pointer = tiles.tiles + slot * Tensor.TILE_BYTES + first;
            available = Tensor.TILE_BYTES - first;
            // Indices increase: that of the last tile that is needed tells whether all up to it are there.
            uint256 more = available < span ? (span - available - 1) / Tensor.TILE_BYTES + 1 : 0;
            if (more >= tiles.count - slot) more = tiles.count - slot - 1;
            if (_indexAt(tiles, slot + more) != index + more) {
                uint256 next;
                while (_indexAt(tiles, slot + next + 1) == index + next + 1) ++next;
                more = next;
            }
            slot += more;
            available += more * Tensor.TILE_BYTES;
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
