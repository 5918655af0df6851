// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Game} from "../sol/Game.sol";
import {IGame} from "../sol/IGame.sol";
import {IReferee} from "../sol/IReferee.sol";
import {Naive} from "./Naive.sol";
import {Setting} from "./Setting.sol";

/// What it costs to make others work (attack 35): claims pay by the program's size, inputs have a length.
contract CostTest is Setting {
    uint128 private constant PRICE = 1_000_003;

    /// A game with that price, and a job on a program whose header states `work`.
    function _priced(uint64 work) private {
        IGame.Parameters memory p = params();
        p.workPrice = PRICE;
        game = new Game(registry, IReferee(game.referee()), p);
        bytes memory h = header();
        for (uint256 i; i < 8; ++i) h[24 + i] = bytes1(uint8(work >> (56 - 8 * i)));
        programRoot = registry.register(h, Naive.root(layersLeaves()));
        jobId = postJob(0, uint64(TIME + 100_000));
    }

    function test_attack_35_a_claim_pays_for_the_work_of_checking_it() public {
        uint64[7] memory works = [uint64(0), 1, (1 << 30) - 1, 1 << 30, (1 << 30) + 1, 1 << 45, (1 << 63) - 1];
        uint256 most;
        for (uint256 i; i < 7; ++i) {
            _priced(works[i]);
            uint256 due = (uint256(works[i]) * PRICE + (1 << 30) - 1) >> 30;
            holds(due >= most, "more work is not cheaper");
            most = due;
            bytes memory call = abi.encodeCall(game.commitClaim, (jobId, claimCommitment(posted())));
            if (due > 0) send(EXECUTOR, 1 ether + due, call, IGame.WrongValue.selector);
            send(EXECUTOR, 1 ether + 2 + due, call, IGame.WrongValue.selector);
            send(EXECUTOR, 1 ether + 1 + due, call, 0);
            same(game.burned(), due, "gone at once, whatever becomes of the claim");
        }
        // ceil((2^63 - 1) * 1,000,003 / 2^30): 2^33 price, less a part of a wei.
        same(most, uint256(PRICE) << 33, "the most");
    }

    function test_attack_35_an_input_of_another_length_is_no_job() public {
        bytes memory longer = bytes.concat(input, hex"00");
        bytes memory call = abi.encodeCall(game.postJob, (programRoot, longer, bytes32("l"), uint64(TIME + 1)));
        refuse(REQUESTER, call, IGame.WrongLength.selector);
        call = abi.encodeCall(game.postJob, (programRoot, bytes(""), bytes32("l"), uint64(TIME + 1)));
        refuse(REQUESTER, call, IGame.WrongLength.selector);
        call = abi.encodeCall(game.postJob, (programRoot, input, bytes32("l"), uint64(TIME + 1)));
        send(REQUESTER, call);
    }
}
