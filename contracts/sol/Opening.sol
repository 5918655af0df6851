// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Descriptor} from "./Descriptor.sol";
import {IGame} from "./IGame.sol";
import {IReferee} from "./IReferee.sol";
import {Tree} from "./Tree.sol";

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
    uint256 internal constant MAX_TILES = 192;

    /// Where an operand's tensor is committed, how deep its tree is and how wide its elements.
    struct Place {
        uint8 kind;
        uint256 index;
        uint256 depth;
        uint256 size;
    }

    function open(IReferee.Roots calldata roots, Place memory place, IGame.Opened calldata opened)
        internal
        pure
        returns (Tiles memory tiles)
    {
        uint256 count = opened.tiles.length / Tree.TILE_BYTES;
        if (
            opened.tiles.length % Tree.TILE_BYTES != 0 || opened.indices.length != count * 4 || count == 0
                || count > MAX_TILES
        ) revert IGame.WrongCount();
        if (!_committed(roots, place, opened)) revert IGame.BadOpening();
        if (!Tree.opensMany(opened.root, place.depth, opened.indices, opened.tiles, opened.proof)) {
            revert IGame.BadOpening();
        }
        bytes calldata indices = opened.indices;
        bytes calldata data = opened.tiles;
        assembly ("memory-safe") {
            mstore(tiles, indices.offset)
            mstore(add(tiles, 0x40), data.offset)
        }
        tiles.count = count;
        tiles.size = place.size;
    }

    /// Whether there is nothing in it.
    function isEmpty(IGame.Opened calldata opened) internal pure returns (bool) {
        return opened.root == 0 && opened.rootPath.length == 0 && opened.indices.length == 0
            && opened.tiles.length == 0 && opened.proof.length == 0;
    }

    function isEmpty(IGame.Witness calldata witness) internal pure returns (bool) {
        return isEmpty(witness.a) && isEmpty(witness.b) && isEmpty(witness.params);
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

    function _committed(IReferee.Roots calldata roots, Place memory place, IGame.Opened calldata opened)
        private
        pure
        returns (bool)
    {
        if (place.kind == Descriptor.KIND_CONSTANT) {
            return Tree.opens(roots.constants, roots.constantsDepth, place.index, opened.root, opened.rootPath);
        }
        if (place.kind == Descriptor.KIND_LAYER) {
            return Tree.opens(roots.trace, roots.traceDepth, place.index, opened.root, opened.rootPath);
        }
        return place.kind == Descriptor.KIND_INPUT && opened.rootPath.length == 0 && opened.root == roots.input;
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
