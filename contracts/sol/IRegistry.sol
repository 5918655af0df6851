// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @title The programs that jobs may name (PROTOCOL 3).
interface IRegistry {
    /// What the header and the roots of a program say; `layers` is 0 for a program that is not registered.
    struct Program {
        uint32 layers;
        uint32 constants;
        uint8 inputType;
        uint8 outputType;
        uint8 revealBits;
        uint8 greatestDepth;
        uint32 inputElements;
        uint32 outputElements;
        bytes32 layersRoot;
        bytes32 constantsRoot;
    }

    /// The header is not that of any legal program.
    error BadHeader();

    event Registered(bytes32 indexed programRoot);

    /// Stores a program; registering it again is no error.
    /// @param header SPEC 4.1, 64 bytes.
    function register(bytes calldata header, bytes32 layersRoot_, bytes32 constantsRoot_)
        external
        returns (bytes32 programRoot);

    function program(bytes32 programRoot) external view returns (Program memory);

    /// The root of the tree of layer descriptors.
    function layersRoot(bytes32 programRoot) external view returns (bytes32);

    /// The root of the tree of constants.
    function constantsRoot(bytes32 programRoot) external view returns (bytes32);
}
