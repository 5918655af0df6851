// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Descriptor} from "./Descriptor.sol";
import {Finalise} from "./Finalise.sol";
import {Fold} from "./Fold.sol";
import {IGame} from "./IGame.sol";
import {Opening, Scene, Tiles, Tops} from "./Opening.sol";

/// @title One element, or one segment of it, recomputed from opened tiles (PROTOCOL 4.5).
/// @notice Operator bytes `d` are those of a sized operator.
library Step {
    using Descriptor for bytes;
    using Opening for Tops;

    /// The right value of output element `e`.
    function element(Scene memory scene, bytes calldata d, uint256 e, bytes calldata witness)
        internal
        pure
        returns (int256)
    {
        uint256[4] memory openings;
        Opening.split(witness, openings, 4);
        (Tiles memory a, Tiles memory b) = _operands(scene, d, openings);
        (Tiles memory params, Tiles memory third) = _ending(scene, d, openings[2], openings[3]);
        return _whole(d, e, a, b, params, third);
    }

    /// The digest of the nodes above the tiles that recomputing an element opens.
    function prepare(Scene memory scene, bytes calldata d, bytes calldata witness) internal pure returns (bytes32) {
        uint256[4] memory openings;
        Opening.split(witness, openings, 4);
        Tops memory tops;
        Opening.openTop(scene, Opening.operandA(d), tops, 0, openings[0]);
        if (d.bType() != 0) Opening.openTop(scene, Opening.operandB(d), tops, 1, openings[1]);
        else _nothing(openings[1]);
        Opening.openTop(scene, Opening.operandParams(d), tops, 2, openings[2]);
        if (d.hasThird()) Opening.openTop(scene, Opening.operandThird(d), tops, 3, openings[3]);
        else _nothing(openings[3]);
        return tops.digest();
    }

    /// The right value of output element `e`, from tiles under the nodes whose digest is `list`.
    function prepared(bytes32 list, bytes calldata d, uint256 e, bytes calldata witness)
        internal
        pure
        returns (int256)
    {
        uint256[4] memory openings;
        Opening.split(witness, openings, 4);
        Tops memory tops;
        Tiles memory b;
        Tiles memory third;
        Tiles memory a = Opening.openUnder(tops, 0, Descriptor.sizeOf(d.aType()), openings[0]);
        if (d.bType() != 0) b = Opening.openUnder(tops, 1, Descriptor.sizeOf(d.bType()), openings[1]);
        else _nothing(openings[1]);
        Tiles memory params = Opening.openUnder(tops, 2, Opening.RECORD_BYTES, openings[2]);
        if (d.hasThird()) third = Opening.openUnder(tops, 3, Descriptor.sizeOf(d.thirdType()), openings[3]);
        else _nothing(openings[3]);
        if (tops.digest() != list) revert IGame.BadOpening();
        return _whole(d, e, a, b, params, third);
    }

    /// The right partial value of segment `index` of `e`.
    function segment(Scene memory scene, bytes calldata d, uint256 e, uint256 index, bytes calldata witness)
        internal
        pure
        returns (int256 value)
    {
        uint256[4] memory openings;
        Opening.split(witness, openings, 4);
        _nothing(openings[2]);
        _nothing(openings[3]);
        (Tiles memory a, Tiles memory b) = _operands(scene, d, openings);
        uint256 from = index * d.split();
        uint256 to = from + d.split();
        if (to > d.terms()) to = d.terms();
        value = Fold.accumulate(d, e, from, to, a, b);
        // A legal program's partial values are below 2^62.
        if (value != int64(value)) revert IGame.OutOfRange();
    }

    /// The value that stated partial values (be64 each, one a segment) lead to.
    function fold(Scene memory scene, bytes calldata d, uint256 e, bytes calldata sums, bytes calldata ending)
        internal
        pure
        returns (int256)
    {
        if (sums.length != d.segments() * 8) revert IGame.WrongCount();
        int256 acc = _combine(d, sums);
        uint256[4] memory openings;
        Opening.split(ending, openings, 2);
        (Tiles memory records, Tiles memory other) = _ending(scene, d, openings[0], openings[1]);
        return Finalise.element(d, e, acc, records, other);
    }

    function _whole(
        bytes calldata d,
        uint256 e,
        Tiles memory a,
        Tiles memory b,
        Tiles memory params,
        Tiles memory third
    ) private pure returns (int256) {
        return Finalise.element(d, e, Fold.accumulate(d, e, 0, d.terms(), a, b), params, third);
    }

    function _operands(Scene memory scene, bytes calldata d, uint256[4] memory openings)
        private
        pure
        returns (Tiles memory a, Tiles memory b)
    {
        a = Opening.open(scene, Opening.operandA(d), openings[0]);
        if (d.bType() != 0) b = Opening.open(scene, Opening.operandB(d), openings[1]);
        else _nothing(openings[1]);
    }

    /// What finalising reads: the records, and the table or the divisor.
    function _ending(Scene memory scene, bytes calldata d, uint256 params, uint256 third)
        private
        pure
        returns (Tiles memory records, Tiles memory other)
    {
        records = Opening.open(scene, Opening.operandParams(d), params);
        if (d.hasThird()) other = Opening.open(scene, Opening.operandThird(d), third);
        else _nothing(third);
    }

    /// Refuses an opening of what is not read.
    function _nothing(uint256 place) private pure {
        if (!Opening.isEmpty(place)) revert IGame.WitnessExtra();
    }

    /// Joins the partial values of an element's segments, each below 2^62 in magnitude.
    function _combine(bytes calldata d, bytes calldata sums) private pure returns (int256 acc) {
        bool greatest = d.fold() == Descriptor.MAX || d.fold() == Descriptor.ARG_MAX;
        if (greatest) acc = type(int256).min;
        unchecked {
            for (uint256 i; i < sums.length; i += 8) {
                int256 sum;
                assembly ("memory-safe") {
                    sum := sar(192, calldataload(add(sums.offset, i)))
                }
                if (sum >= 1 << 62 || sum <= -1 << 62) revert IGame.OutOfRange();
                if (!greatest) acc += sum;
                else if (sum > acc) acc = sum;
            }
        }
    }
}
