// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IGame} from "./IGame.sol";

/// @title Recomputes one element, or one segment of it, from opened tiles (PROTOCOL 4.5).
interface IReferee {
    /// The roots that a step is judged under. A root that the descriptor's kinds do not name is not read.
    struct Roots {
        bytes32 input;
        bytes32 trace;
        uint256 traceDepth;
        bytes32 constants;
        uint256 constantsDepth;
    }

    /// The right value of output element `element`.
    function step(Roots calldata roots, bytes calldata descriptor, uint256 element, IGame.Witness calldata witness)
        external
        pure
        returns (int256 value);

    /// The right partial value of segment `index` of `element`; the witness is without record.
    function segment(
        Roots calldata roots,
        bytes calldata descriptor,
        uint256 element,
        uint256 index,
        IGame.Witness calldata witness
    ) external pure returns (int256 value);

    /// The value that stated partial values (be64 each) lead to.
    function fold(
        Roots calldata roots,
        bytes calldata descriptor,
        uint256 element,
        bytes calldata sums,
        IGame.Opened calldata params
    ) external pure returns (int256 value);
}
