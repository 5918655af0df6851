// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// Tiles of one tensor, opened to where the tensor is committed, before they are packed (PROTOCOL 4.5).
struct Opened {
    bytes32[] rootPath;
    /// be32 each.
    bytes indices;
    bytes tiles;
    bytes32[] proof;
}

/// The openings of an element's operands, records, and table or divisor.
struct Witness {
    Opened a;
    Opened b;
    Opened params;
    Opened third;
}

/// How openings lie in calldata; those that are all empty are no bytes at all.
library Packed {
    function one(Opened memory o) private pure returns (bytes memory) {
        bytes memory head = abi.encodePacked(
            uint8(o.indices.length / 4), uint16(o.tiles.length), uint16(o.proof.length), uint8(o.rootPath.length)
        );
        return bytes.concat(head, o.indices, o.tiles, abi.encodePacked(o.proof), abi.encodePacked(o.rootPath));
    }

    function ending(Opened memory params, Opened memory third) internal pure returns (bytes memory) {
        return _join(one(params), one(third));
    }

    function all(Witness memory w) internal pure returns (bytes memory) {
        return _join(bytes.concat(one(w.a), one(w.b)), bytes.concat(one(w.params), one(w.third)));
    }

    function _join(bytes memory first, bytes memory second) private pure returns (bytes memory packed) {
        packed = bytes.concat(first, second);
        for (uint256 i; i < packed.length; ++i) if (packed[i] != 0) return packed;
        return "";
    }
}
