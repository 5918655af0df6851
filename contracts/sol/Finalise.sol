// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Arithmetic} from "./Arithmetic.sol";
import {Descriptor} from "./Descriptor.sol";
import {Fold} from "./Fold.sol";
import {IGame} from "./IGame.sol";
import {Opening, Tiles} from "./Opening.sol";

/// @title From an accumulator to the element (SPEC 2.3).
library Finalise {
    using Descriptor for bytes;
    using Opening for Tiles;

    /// The greatest place of an argmax's term, which the low bits of its accumulator hold counted from the end.
    int256 private constant LAST_PLACE = (1 << 24) - 1;

    /// Element `e`, whose accumulator is `acc`, below 2^87 in magnitude.
    function element(bytes calldata d, uint256 e, int256 acc, Tiles memory params, Tiles memory third)
        internal
        pure
        returns (int256)
    {
        Fold.Coordinates memory o = Fold.coordinates(d, e);
        (uint256 record,) = params.locate(Fold.walk(d, Descriptor.PARAMS_MAP, o), 0);
        if (d.fold() == Descriptor.ARG_MAX) acc = LAST_PLACE - (acc & LAST_PLACE);
        (int256 lo, int256 hi) = (d.i32(Descriptor.LO), d.i32(Descriptor.HI));
        uint8 way = d.way();
        if (way == Descriptor.REQUANTISE) return Arithmetic.requantise(acc, record, lo, hi);
        if (way == Descriptor.ROOT) return Arithmetic.requantiseRoot(_bounded(acc), record, lo, hi);
        if (way != Descriptor.TABLE && way != Descriptor.DIVIDE || !d.hasThird()) revert IGame.WrongDescriptor();
        unchecked {
            if (way == Descriptor.TABLE) {
                // Nothing is clamped below lo.
                return _read(third, uint256(Arithmetic.requantise(acc, record, lo, hi) - lo));
            }
            int256 divisor = _read(third, d.u32(Descriptor.THIRD_MAP) + Fold.walk(d, Descriptor.THIRD_MAP + 4, o));
            if (divisor < 1) revert IGame.OutOfRange();
            acc = Arithmetic.divide(_bounded(acc) << d.lift(), divisor);
        }
        if (acc != int64(acc)) revert IGame.OutOfRange();
        return Arithmetic.requantise(acc, record, lo, hi);
    }

    function _read(Tiles memory third, uint256 address_) private pure returns (int256) {
        (uint256 pointer,) = third.locate(address_, 0);
        return Arithmetic.read(pointer, third.size);
    }

    /// A legal program's accumulators are below 2^62.
    function _bounded(int256 acc) private pure returns (int256) {
        if (acc >= 1 << 62 || acc <= -1 << 62) revert IGame.OutOfRange();
        return acc;
    }
}
