// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IGame} from "./IGame.sol";

/// @title Judges what a call of the game shows; it keeps nothing.
/// @notice Each function has the name and the arguments of the game's: the game hands on the calldata that it was sent, once it
/// has found that the state is the match's, and puts behind it four words that only it knows. What a function does not
/// ask for is 0. The game is whoever calls.
interface IReferee {
    /// The words behind a call's arguments.
    struct Context {
        bytes32 claimId;
        /// How many layers the program has.
        uint256 layers;
        /// The root of the job's input; of `openReward`, the challenger's address.
        bytes32 input;
        /// Of `subTrace`, the list; of `refute`, the layers root; of `openReward`, the point.
        bytes32 given;
    }

    /// Refuses a signature that is not the executor's. Needs the claim and the list.
    function subTrace(
        IGame.Posted calldata posted,
        uint64 number,
        IGame.Footing calldata footing,
        address challenger,
        bytes calldata layer,
        bytes32[] calldata roots,
        bytes calldata signature
    ) external view;

    /// The digest of the nodes that are shown (PROTOCOL 4.5). Needs layers and input.
    function prepare(
        IGame.Posted calldata posted,
        uint64 number,
        IGame.Footing calldata footing,
        bytes32 list,
        bytes32 node,
        bytes calldata operator,
        bytes calldata witness
    ) external view returns (bytes32 tops);

    /// PROTOCOL 4.4: WON, LOST or FOLD_E, the element that is named and its claimed value; the point is 0 unless the right
    /// value is known. Needs layers and input.
    function name(
        IGame.Posted calldata posted,
        uint64 number,
        IGame.Footing calldata footing,
        bytes32 list,
        bytes calldata tile,
        uint8 slot,
        bytes32[] calldata siblings,
        uint8 element,
        bytes calldata operator,
        bytes calldata witness
    ) external view returns (uint8 phase, uint256 e, int256 value, bytes32 point);

    /// Refuses sums that do not lead to the claimed value, or that nobody answers for. Needs the claim, layers and input.
    function fold(
        IGame.Posted calldata posted,
        uint64 number,
        IGame.Footing calldata footing,
        bytes32 list,
        address challenger,
        bytes calldata operator,
        bytes calldata sums,
        bytes calldata ending,
        bytes calldata signature
    ) external view;

    /// Whether the partial value is right. Needs layers and input.
    function segment(
        IGame.Posted calldata posted,
        uint64 number,
        IGame.Footing calldata footing,
        bytes32 list,
        bytes calldata operator,
        bytes calldata sums,
        uint32 index,
        bytes calldata witness
    ) external view returns (bool right);

    /// PROTOCOL 4.6, from 2 on: the point of the fault, 0 when it is in padding. Needs all of the context.
    function refute(IGame.Posted calldata posted, IGame.Refutation calldata r) external view returns (bytes32 point);

    /// PROTOCOL 4.8, `openReward`, from the point on. Needs the claim, the challenger and the stored point.
    function openReward(
        bytes32 claimId,
        uint64 number,
        IGame.Standing calldata standing,
        bytes32 node,
        IGame.Seat calldata seat,
        IGame.Point calldata point,
        bytes32 salt,
        uint8 depth,
        bytes calldata tile,
        bytes32[] calldata path
    ) external view;
}
