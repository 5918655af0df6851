// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// The cheatcodes of forge that the tests use.
interface Vm {
    struct Gas {
        uint64 gasLimit;
        uint64 gasTotalUsed;
        uint64 gasMemoryUsed;
        int64 gasRefunded;
        uint64 gasRemaining;
    }

    struct Log {
        bytes32[] topics;
        bytes data;
        address emitter;
    }

    function warp(uint256 time) external;
    /// What `block.timestamp` is now; via_ir reads the opcode once a function.
    function getBlockTimestamp() external view returns (uint256);
    function prank(address sender) external;
    function deal(address account, uint256 amount) external;
    function expectRevert(bytes4 refusal) external;
    function roll(uint256 number) external;
    function lastCallGas() external view returns (Gas memory);
    /// The base fee of the block.
    function fee(uint256 wei_) external;
    function chainId(uint256 id) external;
    function addr(uint256 key) external pure returns (address);
    function sign(uint256 key, bytes32 digest) external pure returns (uint8 v, bytes32 r, bytes32 s);
    function toString(uint256 value) external pure returns (string memory);
    function recordLogs() external;
    function getRecordedLogs() external returns (Log[] memory);
    function snapshotState() external returns (uint256 id);
    function revertToState(uint256 id) external returns (bool);
}
