// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @title Statements that an executor signs instead of sending them (PROTOCOL 4.7, EIP-712).
library Signature {
    bytes32 private constant DOMAIN =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 private constant SUB_TRACE = keccak256("SubTrace(bytes32 claimId,uint32 layer,bytes32 root)");
    bytes32 private constant SUMS =
        keccak256("Sums(bytes32 claimId,uint32 operator,uint32 element,bytes32 statement)");
    bytes32 private constant NAME = keccak256("Narrows");
    bytes32 private constant VERSION = keccak256("1");

    uint256 private constant BYTES = 65;
    /// Half the order of the group, rounded down: of two signatures that differ in the sign of s only one counts.
    uint256 private constant HALF_ORDER = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0;

    /// What is signed of the sub-trace with this root.
    function subTraceDigest(address game, bytes32 claimId, uint256 layer, bytes32 root)
        internal
        view
        returns (bytes32)
    {
        return _typed(game, keccak256(abi.encode(SUB_TRACE, claimId, layer, root)));
    }

    /// What is signed of the partial sums with this statement.
    function sumsDigest(address game, bytes32 claimId, uint256 operator, uint256 element, bytes32 statement)
        internal
        view
        returns (bytes32)
    {
        return _typed(game, keccak256(abi.encode(SUMS, claimId, operator, element, statement)));
    }

    /// Whether `signature` (r | s | v) is `account`'s over `digest`.
    function isBy(address account, bytes32 digest, bytes calldata signature) internal pure returns (bool) {
        if (signature.length != BYTES) return false;
        bytes32 r = bytes32(signature[:32]);
        bytes32 s = bytes32(signature[32:64]);
        uint8 v = uint8(signature[64]);
        if (uint256(s) > HALF_ORDER || (v != 27 && v != 28)) return false;
        address signer = ecrecover(digest, v, r, s);
        return signer != address(0) && signer == account;
    }

    function _typed(address game, bytes32 statement) private view returns (bytes32) {
        bytes32 domain = keccak256(abi.encode(DOMAIN, NAME, VERSION, block.chainid, game));
        return keccak256(abi.encodePacked(hex"1901", domain, statement));
    }
}
