// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Arithmetic} from "./Arithmetic.sol";
import {Descriptor} from "./Descriptor.sol";
import {Fold} from "./Fold.sol";
import {IGame} from "./IGame.sol";
import {IReferee} from "./IReferee.sol";
import {Opening, Tiles} from "./Opening.sol";

/// @title Recomputes one element, or one segment of it, from opened tiles (PROTOCOL 4.5).
/// @notice It keeps nothing and trusts nothing: roots and descriptor come from `Game`, the rest from whoever moves.
contract Referee is IReferee {
    using Descriptor for bytes;
    using Opening for Tiles;

    uint8 private constant PARAMS_TYPE = 16;

    function step(Roots calldata roots, bytes calldata descriptor, uint256 element, IGame.Witness calldata witness)
        external
        pure
        returns (int256)
    {
        _checkLength(descriptor);
        (Tiles memory a, Tiles memory b) = _operands(roots, descriptor, witness);
        Tiles memory params = _record(roots, descriptor, witness.params);
        int256 acc = Fold.accumulate(descriptor, element, 0, descriptor.terms(), a, b);
        return _finalise(descriptor, element, acc, params);
    }

    function segment(
        Roots calldata roots,
        bytes calldata descriptor,
        uint256 element,
        uint256 index,
        IGame.Witness calldata witness
    ) external pure returns (int256) {
        _checkLength(descriptor);
        if (!Opening.isEmpty(witness.params)) revert IGame.WitnessExtra();
        (Tiles memory a, Tiles memory b) = _operands(roots, descriptor, witness);
        uint256 from = index * descriptor.split();
        uint256 to = from + descriptor.split();
        if (to > descriptor.terms()) to = descriptor.terms();
        int256 value = Fold.accumulate(descriptor, element, from, to, a, b);
        // A legal program's partial values are below 2^62.
        if (value != int64(value)) revert IGame.OutOfRange();
        return value;
    }

    function fold(
        Roots calldata roots,
        bytes calldata descriptor,
        uint256 element,
        bytes calldata sums,
        IGame.Opened calldata params
    ) external pure returns (int256) {
        _checkLength(descriptor);
        if (sums.length != descriptor.segments() * 8) revert IGame.WrongCount();
        int256 acc = _combine(descriptor, sums);
        return _finalise(descriptor, element, acc, _record(roots, descriptor, params));
    }

    function _checkLength(bytes calldata descriptor) private pure {
        if (descriptor.length != Descriptor.BYTES) revert IGame.WrongLength();
    }

    function _operands(Roots calldata roots, bytes calldata d, IGame.Witness calldata witness)
        private
        pure
        returns (Tiles memory a, Tiles memory b)
    {
        a = Opening.open(roots, Opening.Place(d.aKind(), d.u32(12), d.u8(9), Descriptor.sizeOf(d.u8(3))), witness.a);
        if (d.bType() != 0) {
            uint256 size = Descriptor.sizeOf(d.bType());
            b = Opening.open(roots, Opening.Place(d.bKind(), d.u32(16), d.u8(10), size), witness.b);
        } else if (!Opening.isEmpty(witness.b)) {
            revert IGame.WitnessExtra();
        }
    }

    function _record(Roots calldata roots, bytes calldata d, IGame.Opened calldata params)
        private
        pure
        returns (Tiles memory)
    {
        uint256 size = Descriptor.sizeOf(PARAMS_TYPE);
        return Opening.open(roots, Opening.Place(Descriptor.KIND_CONSTANT, d.u32(20), d.u8(11), size), params);
    }

    /// Joins the partial values of an element's segments, each below 2^62 in magnitude.
    function _combine(bytes calldata d, bytes calldata sums) private pure returns (int256 acc) {
        bool greatest = d.fold() == Descriptor.MAX;
        if (greatest) acc = type(int256).min;
        for (uint256 i; i < sums.length; i += 8) {
            int256 sum = int64(uint64(bytes8(sums[i:i + 8])));
            if (sum >= 1 << 62 || sum <= -1 << 62) revert IGame.OutOfRange();
            if (!greatest) acc += sum;
            else if (sum > acc) acc = sum;
        }
    }

    function _finalise(bytes calldata d, uint256 element, int256 acc, Tiles memory params)
        private
        pure
        returns (int256)
    {
        uint256 record = Fold.walk(d, Descriptor.PARAMS_MAP, Fold.coordinates(d, element));
        (uint256 pointer,) = params.locate(record, 0);
        return Arithmetic.requantise(acc, pointer, d.i32(Descriptor.LO), d.i32(Descriptor.HI));
    }
}
