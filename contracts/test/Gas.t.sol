// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IGame} from "../sol/IGame.sol";
import {Opened, Witness, Packed} from "./Packed.sol";
import {Priced} from "./Priced.sol";

/// What whole transactions cost, the calldata floor of EIP-7623 included. `forge test --match-contract Gas -vv` prints.
contract GasTest is Priced {
    function _total(string memory what, uint256 most) private {
        emit log(string.concat(vm.toString(total), " gas: ", what));
        holds(total <= most, what);
    }

    function test_gas_i8_256_won() public {
        build(Shape(256, 256, 1, true, 0, false));
        walk();
        name(77, witness);
        holds(status() == IGame.Status.Refuted, "won");
        holds(spent <= 131_500, "step");
        _total("the whole match", 710_000);
    }

    function test_gas_i8_256_won_half_of_the_bytes_zero() public {
        build(Shape(256, 256, 1, true, 128, false));
        walk();
        name(77, witness);
        holds(status() == IGame.Status.Refuted, "won");
        _total("the whole match", 705_000);
    }

    function test_gas_i8_256_lost() public {
        build(Shape(256, 256, 1, false, 0, false));
        walk();
        name(77, witness);
        holds(status() == IGame.Status.Pending, "lost");
        _total("the whole match", 725_000);
    }

    function test_gas_i8_256_in_a_layer_of_32() public {
        build(Shape(256, 256, 1, true, 0, true));
        walk();
        name(77, witness);
        holds(status() == IGame.Status.Refuted, "won");
        _total("the whole match", 850_000);
    }

    function test_gas_i8_256_refuted() public {
        build(Shape(256, 256, 1, true, 0, false));
        total = 0;
        send("commit", CHALLENGER, address(game), 0, abi.encodeCall(game.commit, (claimId, keccak256("commitment"))));
        refute();
        holds(status() == IGame.Status.Refuted, "refuted");
        holds(spent <= 180_000, "refute");
        _total("commit and refute", 215_000);
    }

    function test_gas_i8_1024_won_whole() public {
        build(Shape(1024, 1024, 1, true, 0, false));
        walk();
        name(77, witness);
        holds(status() == IGame.Status.Refuted, "won");
        holds(spent <= 192_500, "step");
    }

    function test_gas_i8_1024_refuted() public {
        build(Shape(1024, 1024, 1, true, 0, false));
        refute();
        holds(status() == IGame.Status.Refuted, "refuted");
        holds(spent <= 240_000, "refute");
    }

    function test_gas_i8_1024_in_segments() public {
        _segments(Shape(1024, 256, 1, true, 0, false));
    }

    function test_gas_i16_1024_in_segments() public {
        _segments(Shape(1024, 256, 2, true, 0, false));
    }

    function _segments(Shape memory shape_) private {
        build(shape_);
        walk();
        Witness memory none;
        name(77, none);
        follow();
        // The first partial value is off by what leads to the claimed value.
        int64 rest = int64(allSum - firstSum);
        int64 first = lead() - rest;
        bytes memory sums = abi.encodePacked(first, rest, int64(0), int64(0));
        Opened memory record = witness.params;
        bytes memory call =
            _foldCall(sums, record, none.third);
        send("fold", posted.executor, address(game), 0, call);
        follow();
        Witness memory w = witness;
        w.params = none.params;
        call = abi.encodeCall(game.segment, (posted, 0, seated(), list, operator, sums, 0, Packed.all(w)));
        send("segment of 256 terms", CHALLENGER, address(game), 0, call);
        holds(status() == IGame.Status.Refuted, "won");
        holds(spent <= 150_000, "segment");
        _total("the whole match", 860_000);
    }

    function _foldCall(bytes memory sums, Opened memory record, Opened memory third)
        private
        returns (bytes memory)
    {
        return
            abi.encodeCall(game.fold, (posted, 0, seated(), list, CHALLENGER, operator, sums, Packed.ending(record, third), ""));
    }

    /// A sum that finalises to the claimed value: the record of the element is known.
    function lead() private view returns (int64) {
        uint256 i = e % op().out[3] % 8;
        int256 m = int256(12345 + i);
        return int64(((right ^ 1) << 25) / m - (int256(1000 * i) - 3000));
    }
}
