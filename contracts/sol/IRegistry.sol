// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @title The programs that jobs may name (PROTOCOL 3).
interface IRegistry {
    /// What the header of a program says, and the root of its layers; `layers` is 0 for a program that is not registered.
    struct Program {
        uint32 layers;
        uint32 operators;
        uint8 inputType;
        uint8 outputType;
        uint8 revealBits;
        uint8 greatestDepth;
        uint32 inputElements;
        uint32 outputElements;
        uint64 work;
        bytes32 layersRoot;
    }

    /// The header is not that of any legal program.
    error BadHeader();

    event Registered(bytes32 indexed programRoot);

    /// Stores a program; registering it again is no error, and announces it again.
    /// @param header SPEC 4.1, 64 bytes.
    function register(bytes calldata header, bytes32 layersRoot) external returns (bytes32 programRoot);

    function program(bytes32 programRoot) external view returns (Program memory);

    /// The root of a program's tree of layers; 0 for a program that is not registered.
    function layersRootOf(bytes32 programRoot) external view returns (bytes32);
}
