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

    function warp(uint256 time) external;
    /// What `block.timestamp` is now; via_ir reads the opcode once a function.
    function getBlockTimestamp() external view returns (uint256);
    function prank(address sender) external;
    function deal(address account, uint256 amount) external;
    function expectRevert(bytes4 refusal) external;
    function roll(uint256 number) external;
    function lastCallGas() external view returns (Gas memory);
}
