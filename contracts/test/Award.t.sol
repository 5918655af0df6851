// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Game} from "../sol/Game.sol";
import {IGame} from "../sol/IGame.sol";
import {IReferee} from "../sol/IReferee.sol";
import {IRegistry} from "../sol/IRegistry.sol";
import {Fixture} from "./Fixture.sol";
import {Naive} from "./Naive.sol";

/// A recipient with a will of its own: it may refuse, burn its gas, answer at length, or call again.
contract Recipient {
    enum Way {
        Accept,
        Revert,
        Burn,
        Shout,
        Reenter
    }

    IGame private immutable game;
    Way public way;
    bytes4 public seen;

    constructor(IGame game_) {
        game = game_;
    }

    function set(Way way_) external {
        way = way_;
    }

    function postJob(bytes32 programRoot, bytes calldata input, uint64 deadline) external payable returns (bytes32) {
        return game.postJob{value: msg.value}(programRoot, input, 0, deadline);
    }

    function withdraw() external {
        game.withdraw();
    }

    receive() external payable {
        if (way == Way.Revert) revert();
        if (way == Way.Burn) while (true) {}
        if (way == Way.Shout) {
            assembly ("memory-safe") {
                return(0, 1000000)
            }
        }
        if (way == Way.Reenter) {
            try game.withdraw() {}
            catch (bytes memory why) {
                seen = bytes4(why);
            }
        }
    }
}

/// Who gets the fee, and withdrawals.
contract AwardTest is Fixture {
    function send(address from, bytes memory data, bytes4 why) private {
        send(from, 0, data, why);
    }

    function lapse(uint64 number, bytes32 commitment, uint64 at_, bytes4 why) private {
        send(STRANGER, abi.encodeCall(game.lapse, (jobId, number, EXECUTOR, commitment, at_)), why);
    }

    function finalise(bytes32 id, bytes4 why) private {
        send(STRANGER, 0, abi.encodeCall(game.finalise, (posts[id])), why);
    }

    function award(bytes32 id, bytes4 why) private {
        send(STRANGER, 0, abi.encodeCall(game.award, (posts[id])), why);
    }

    function test_the_fee_goes_to_the_earliest_committed_claim_that_becomes_final() public {
        // 0 will be refuted, 1 lapses, 2 and 3 stand; they are finalised out of order.
        lie(1, 0);
        bytes32 first = postClaim();
        tellTruth();
        uint64 start = now_();
        commitClaim("c");
        bytes32 second = postClaim();
        lie(7, 2);
        bytes32 third = postClaim();
        bytes32 id = openMatch(first);
        wait(1000);
        finalise(first, IGame.NotYet.selector);
        finalise(third, 0);
        same(game.owed(EXECUTOR), 1 ether + 1, "bond alone: it is not its turn");
        same(game.job(jobId).next, 0, "nothing to pass over");
        award(third, IGame.NotYet.selector);
        award(second, IGame.NotYet.selector);
        send(STRANGER, 0, abi.encodeCall(game.advance, (jobId)), IGame.NotYet.selector);
        finalise(second, 0);
        award(second, IGame.NotYet.selector);
        _settle(id, start, second, third);
        drained();
    }

    function _settle(bytes32 id, uint64 start, bytes32 second, bytes32 third) private {
        lapse(1, "c", start, 0);
        award(second, IGame.NotYet.selector);
        // The executor of the first falls silent, at last.
        timeout(id);
        reclaim(id);
        same(game.owed(EXECUTOR), 2 ether + 2 + 0.5 ether, "two bonds and half of one");
        award(third, 0);
        same(game.job(jobId).next, 2, "the second's turn");
        same(game.owed(EXECUTOR), 2 ether + 2 + 0.5 ether, "moved, not awarded");
        award(third, IGame.NotYet.selector);
        award(second, 0);
        same(game.owed(EXECUTOR), 3 ether + 2 + 0.5 ether, "the fee");
        holds(game.job(jobId).settled, "settled");
        award(second, IGame.JobClosed.selector);
        award(third, IGame.JobClosed.selector);
        send(STRANGER, 0, abi.encodeCall(game.advance, (jobId)), IGame.JobClosed.selector);
        send(STRANGER, 0, abi.encodeCall(game.refund, (jobId)), IGame.JobClosed.selector);
    }

    function test_award_knows_its_claims() public {
        bytes32 id = postClaim();
        award(id, IGame.NotYet.selector);
        posts[bytes32("x")].executor = STRANGER;
        award("x", IGame.UnknownClaim.selector);
        finalise("x", IGame.UnknownClaim.selector);
        finalise(id, IGame.NotYet.selector);
        wait(1000);
        finalise(id, 0);
        holds(status(id) == IGame.Status.Final, "final");
        same(game.owed(EXECUTOR), 2 ether + 1, "bond and fee");
        finalise(id, IGame.ClaimClosed.selector);
        drained();
    }

    function test_next_moves_at_most_256_at_once() public {
        uint64 start = now_();
        for (uint256 i; i < 260; ++i) commitClaim("c");
        wait(60);
        for (uint64 i; i < 258; ++i) lapse(i, "c", start, 0);
        bytes32 id = postClaim();
        send(STRANGER, abi.encodeCall(game.advance, (jobId)));
        same(game.job(jobId).next, 256, "256");
        send(STRANGER, abi.encodeCall(game.advance, (jobId)));
        same(game.job(jobId).next, 258, "258");
        send(STRANGER, 0, abi.encodeCall(game.advance, (jobId)), IGame.NotYet.selector);
        lapse(258, "c", start, 0);
        wait(1000);
        finalise(id, 0);
        same(game.job(jobId).next, 259, "an open commitment");
        lapse(259, "c", start, 0);
        award(id, 0);
        holds(game.job(jobId).settled, "settled");
        drained();
    }

    function test_refund_waits_for_the_deadline_and_for_claims() public {
        bytes memory refund = abi.encodeCall(game.refund, (jobId));
        send(STRANGER, abi.encodeCall(game.refund, (~jobId)), IGame.UnknownJob.selector);
        send(STRANGER, abi.encodeCall(game.advance, (~jobId)), IGame.UnknownJob.selector);
        send(STRANGER, refund, IGame.NotYet.selector);
        vm.warp(TIME + 99_999);
        lie(1, 0);
        bytes32 id = postClaim();
        // At the deadline, with a claim that stands for now.
        send(STRANGER, refund, IGame.NotYet.selector);
        send(STRANGER, refuteCall(id, refutation(1, 0, "")));
        send(STRANGER, refund);
        same(game.job(jobId).next, 1, "advanced");
        same(game.owed(REQUESTER), 1 ether, "refund");
        send(STRANGER, refund, IGame.JobClosed.selector);
        wait(300);
        send(STRANGER, abi.encodeCall(game.collectReward, (id)));
        drained();
    }

    // Withdrawals.

    function test_withdraw() public {
        bytes32 id = postClaim();
        wait(1000);
        finalise(id, 0);
        uint256 before = EXECUTOR.balance;
        send(EXECUTOR, abi.encodeCall(game.withdraw, ()));
        same(EXECUTOR.balance - before, 2 ether + 1, "paid");
        send(EXECUTOR, 0, abi.encodeCall(game.withdraw, ()), IGame.NothingOwed.selector);
        send(STRANGER, 0, abi.encodeCall(game.withdraw, ()), IGame.NothingOwed.selector);
    }

    function test_calls_that_take_no_value_take_none() public {
        bytes[4] memory calls = [
            abi.encodeCall(game.withdraw, ()),
            abi.encodeCall(game.advance, (jobId)),
            abi.encodeCall(game.commit, (jobId, bytes32(0))),
            abi.encodeCall(game.collectReward, (jobId))
        ];
        for (uint256 i; i < 4; ++i) {
            vm.prank(STRANGER);
            (bool done, bytes memory why) = address(game).call{value: 1}(calls[i]);
            holds(!done && why.length == 0, "the ABI refuses");
        }
        vm.prank(STRANGER);
        (bool sent,) = address(game).call{value: 1}("");
        holds(!sent, "no gifts");
    }

    function test_attack_24_recipients_with_a_will_of_their_own() public {
        Recipient recipient = new Recipient(game);
        vm.deal(address(this), 10 ether);
        bytes32 id = recipient.postJob{value: 1 ether}(programRoot, input, now_() + 1);
        wait(1);
        send(STRANGER, abi.encodeCall(game.refund, (id)));
        recipient.set(Recipient.Way.Revert);
        vm.expectRevert(IGame.TransferFailed.selector);
        recipient.withdraw();
        recipient.set(Recipient.Way.Burn);
        vm.expectRevert(IGame.TransferFailed.selector);
        recipient.withdraw{gas: 1_000_000}();
        same(game.owed(address(recipient)), 1 ether, "still owed");
        recipient.set(Recipient.Way.Reenter);
        recipient.withdraw();
        same(bytes32(recipient.seen()), bytes32(IGame.NothingOwed.selector), "nothing the second time");
        same(address(recipient).balance, 1 ether, "paid once");
    }

    function test_attack_24_a_huge_answer_is_not_copied() public {
        Recipient recipient = new Recipient(game);
        vm.deal(address(this), 10 ether);
        bytes32 id = recipient.postJob{value: 1 ether}(programRoot, input, now_() + 1);
        wait(1);
        send(STRANGER, abi.encodeCall(game.refund, (id)));
        recipient.set(Recipient.Way.Shout);
        // The recipient's memory costs it about 2 M gas; copying it again would double that.
        recipient.withdraw{gas: 3_200_000}();
        same(address(recipient).balance, 1 ether, "paid");
    }
}
