// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Game} from "../sol/Game.sol";
import {IGame} from "../sol/IGame.sol";
import {IReferee} from "../sol/IReferee.sol";
import {IRegistry} from "../sol/IRegistry.sol";
import {Phase} from "../sol/MatchWord.sol";
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

contract LedgerTest is Fixture {
    function test_the_parameters_and_their_hash() public view {
        IGame.Parameters memory p = game.parameters();
        same(keccak256(abi.encode(p)), keccak256(abi.encode(params())), "parameters");
        bytes memory words = abi.encode(1000, 100, 200, 10, 20, 1 ether + 1, 0.1 ether + 1);
        same(game.parametersHash(), keccak256(words), "hash");
    }

    function test_attack_26_parameters_out_of_range() public {
        for (uint256 i; i < 12; ++i) {
            IGame.Parameters memory p = params();
            if (i == 0) p.windowSeconds = 0;
            if (i == 1) p.windowSeconds = 1 << 31;
            if (i == 2) p.executorClockSeconds = 0;
            if (i == 3) p.executorClockSeconds = 1 << 31;
            if (i == 4) p.challengerClockSeconds = 0;
            if (i == 5) p.challengerClockSeconds = 1 << 31;
            if (i == 6) p.graceSeconds = 1 << 31;
            if (i == 7) p.slackSeconds = 1 << 31;
            if (i == 8) p.executorBond = 1;
            if (i == 9) p.challengerBond = 1;
            if (i < 10) vm.expectRevert(IGame.BadParameters.selector);
            if (i == 10) (p.graceSeconds, p.slackSeconds, p.executorBond, p.challengerBond) = (0, 0, 2, 2);
            if (i == 11) p.windowSeconds = (1 << 31) - 1;
            new Game(IRegistry(address(1)), IReferee(address(2)), p);
        }
    }

    function test_attack_07_a_job_binds_program_and_input() public {
        vm.expectRevert(IGame.UnknownProgram.selector);
        game.postJob(~programRoot, input, 0, uint64(TIME + 1));
        vm.expectRevert(IGame.WrongLength.selector);
        game.postJob(programRoot, bytes.concat(input, hex"00"), 0, uint64(TIME + 1));
        vm.expectRevert(IGame.WrongLength.selector);
        game.postJob(programRoot, "", 0, uint64(TIME + 1));
        vm.expectRevert(IGame.TooLate.selector);
        game.postJob(programRoot, input, 0, uint64(TIME));
        bytes32 id = game.postJob(programRoot, input, bytes32(uint256(5)), uint64(TIME + 1));
        bytes32 inputRoot = Naive.root(Naive.leavesOf(input));
        same(game.job(id).inputRoot, inputRoot, "input root");
        bytes memory parts = abi.encode(block.chainid, game, this, programRoot, inputRoot, uint256(5));
        same(id, keccak256(parts), "job id");
        vm.expectRevert(IGame.Exists.selector);
        game.postJob(programRoot, input, bytes32(uint256(5)), uint64(TIME + 7));
    }

    function test_attack_07_a_claim_binds_everything() public {
        bytes32 id = postClaim();
        bytes32 trace = Naive.root(layerLeaves());
        bytes32 output = Naive.root(Naive.leavesOf(said[2]));
        bytes memory parts = abi.encode(block.chainid, game, jobId, EXECUTOR, trace, output, game.parametersHash());
        same(id, keccak256(parts), "claim id");
        IGame.Claim memory c = game.claim(id);
        same(c.windowEnd, TIME + 1000, "window end");
        // L = 2, T = 2, b = 1: moves = 2 (2 + 2) + 6.
        same(c.hardEnd, TIME + 1000 + 100 + 200 + 14 * 10 + 20, "hard end");
        same(c.traceRoot, trace, "trace");
        holds(c.executor == EXECUTOR && c.jobId == jobId && c.status == IGame.Status.Pending, "claim");
        same(game.job(jobId).pending, 1, "pending");
    }

    function refuseClaim(bytes32 job, uint256 value, bytes memory output, bytes32[] memory path, bytes4 refusal) private {
        bytes32 root = Naive.root(layerLeaves());
        vm.expectRevert(refusal);
        vm.prank(EXECUTOR);
        game.postClaim{value: value}(job, root, output, path);
    }

    function test_claims_that_are_refused_in_the_order_of_checks() public {
        bytes memory output = said[2];
        bytes memory longer = bytes.concat(output, hex"00");
        bytes32[] memory path = Naive.path(layerLeaves(), 2);
        bytes32[] memory none = new bytes32[](0);
        uint256 bond = params().executorBond;
        refuseClaim(~jobId, 0, longer, none, IGame.UnknownJob.selector);
        refuseClaim(jobId, bond + 1, longer, none, IGame.WrongValue.selector);
        refuseClaim(jobId, bond, longer, none, IGame.WrongLength.selector);
        refuseClaim(jobId, bond, output, none, IGame.BadOpening.selector);
        postClaim();
        refuseClaim(jobId, bond, output, path, IGame.Exists.selector);
        vm.warp(TIME + 100_000);
        refuseClaim(jobId, 0, longer, none, IGame.JobClosed.selector);
    }

    function test_finalise_at_the_windows_end() public {
        bytes32 id = postClaim();
        wait(999);
        vm.expectRevert(IGame.NotYet.selector);
        game.finalise(id);
        wait(1);
        vm.prank(STRANGER);
        game.finalise(id);
        conserved();
        same(game.owed(EXECUTOR), 2 ether + 1, "bond and fee");
        holds(game.job(jobId).settled && game.job(jobId).pending == 0, "settled");
    }

    function test_attack_25_settlement_twice_and_for_nobody() public {
        bytes32 id = postClaim();
        wait(1000);
        game.finalise(id);
        vm.expectRevert(IGame.ClaimClosed.selector);
        game.finalise(id);
        vm.expectRevert(IGame.UnknownClaim.selector);
        game.finalise(~id);
        vm.expectRevert(IGame.JobClosed.selector);
        game.refund(jobId);
        vm.expectRevert(IGame.UnknownJob.selector);
        game.refund(~jobId);
        vm.expectRevert(IGame.UnknownMatch.selector);
        game.reclaim(id);
        vm.expectRevert(IGame.UnknownMatch.selector);
        game.timeout(id);
        vm.expectRevert(IGame.NothingOwed.selector);
        vm.prank(STRANGER);
        game.withdraw();
        conserved();
    }

    function test_attack_25_a_second_claim_earns_no_second_fee() public {
        bytes32 first = postClaim();
        lie(1, 0);
        bytes32 second = postClaim();
        wait(1000);
        game.finalise(second);
        conserved();
        same(game.owed(EXECUTOR), 2 ether + 1, "the first final claim");
        game.finalise(first);
        conserved();
        same(game.owed(EXECUTOR), 3 ether + 2, "only its bond");
    }

    function test_refund_waits_for_deadline_and_claims() public {
        vm.warp(TIME + 99_999);
        bytes32 id = postClaim();
        vm.expectRevert(IGame.NotYet.selector);
        game.refund(jobId);
        wait(1);
        vm.expectRevert(IGame.NotYet.selector);
        game.refund(jobId);
        bytes32 other = postJob(2 ether, uint64(vm.getBlockTimestamp() + 1));
        vm.expectRevert(IGame.NotYet.selector);
        game.refund(other);
        wait(1);
        game.refund(other);
        conserved();
        same(game.owed(REQUESTER), 2 ether, "refund");
        vm.expectRevert(IGame.JobClosed.selector);
        game.refund(other);
        wait(1000);
        game.finalise(id);
        conserved();
    }

    function test_opening_is_refused_in_the_order_of_checks() public {
        bytes32 id = postClaim();
        vm.expectRevert(IGame.UnknownClaim.selector);
        game.open(~id, 0);
        vm.expectRevert(IGame.WrongValue.selector);
        game.open(id, 0);
        vm.expectRevert(IGame.WrongValue.selector);
        game.open{value: 0.1 ether + 2}(id, 0);
        wait(1000);
        vm.expectRevert(IGame.TooLate.selector);
        game.open(id, 0);
        game.finalise(id);
        vm.expectRevert(IGame.ClaimClosed.selector);
        game.open(id, 0);
    }

    function test_attack_14_opening_in_the_windows_last_second() public {
        bytes32 claimId = postClaim();
        wait(999);
        bytes32 id = open(claimId);
        wait(1);
        vm.expectRevert(IGame.NotYet.selector);
        game.finalise(claimId);
        same(id, keccak256(abi.encode(claimId, uint256(0))), "match id");
        same(open_(claimId), 1, "one open match");
    }

    function open_(bytes32 claimId) private view returns (uint256) {
        return game.claim(claimId).openMatches;
    }

    function test_attack_15_many_matches_against_one_honest_claim() public {
        bytes32 claimId = postClaim();
        bytes32[] memory ids = new bytes32[](40);
        for (uint256 i; i < 40; ++i) {
            ids[i] = open(claimId);
            reveal(ids[i]);
        }
        same(game.claim(claimId).matches, 40, "matches");
        wait(210);
        for (uint256 i; i < 40; ++i) game.timeout(ids[i]);
        conserved();
        same(game.owed(EXECUTOR), 40 * 0.05 ether, "paid for each");
        wait(790);
        game.finalise(claimId);
        conserved();
    }

    function test_attack_16_a_challenge_of_ones_own_claim_costs_half_the_bond() public {
        lie(0, 0);
        bytes32 claimId = postClaim();
        vm.prank(EXECUTOR);
        bytes32 id = game.open{value: 0.1 ether + 1}(claimId, 0);
        wait(110);
        game.timeout(id);
        conserved();
        same(game.owed(EXECUTOR), 0.5 ether + 0.1 ether + 1, "half is gone");
        same(game.burned(), 0.5 ether + 1, "burned");
    }

    function test_hard_end_and_reclaim() public {
        bytes32 claimId = postClaim();
        bytes32 id = open(claimId);
        bytes32 lost = open(claimId);
        reveal(lost);
        vm.expectRevert(IGame.NotYet.selector);
        game.reclaim(id);
        vm.warp(game.claim(claimId).hardEnd - 1);
        vm.expectRevert(IGame.NotYet.selector);
        game.finalise(claimId);
        game.timeout(lost);
        wait(1);
        vm.expectRevert(IGame.ClaimClosed.selector);
        game.timeout(id);
        bytes32 s = state(id);
        vm.expectRevert(IGame.ClaimClosed.selector);
        game.reveal(id, s, new bytes32[](2));
        vm.expectRevert(IGame.NotYet.selector);
        game.reclaim(id);
        game.finalise(claimId);
        conserved();
        vm.prank(STRANGER);
        game.reclaim(id);
        conserved();
        same(phase(id), Phase.RECLAIMED, "phase");
        same(game.owed(CHALLENGER), 0.1 ether + 1, "bond");
        vm.expectRevert(IGame.WrongPhase.selector);
        game.reclaim(id);
        vm.expectRevert(IGame.WrongPhase.selector);
        game.reclaim(lost);
    }

    function test_withdraw() public {
        postClaim();
        bytes32 id = postClaimOf(1);
        wait(1000);
        game.finalise(id);
        uint256 before = EXECUTOR.balance;
        vm.prank(EXECUTOR);
        game.withdraw();
        conserved();
        same(EXECUTOR.balance - before, 2 ether + 1, "paid");
        vm.expectRevert(IGame.NothingOwed.selector);
        vm.prank(EXECUTOR);
        game.withdraw();
    }

    function postClaimOf(uint256 layer) private returns (bytes32) {
        lie(layer, 1);
        return postClaim();
    }

    function test_attack_24_recipients_with_a_will_of_their_own() public {
        Recipient recipient = new Recipient(game);
        vm.deal(address(this), 10 ether);
        bytes32 id = recipient.postJob{value: 1 ether}(programRoot, input, uint64(TIME + 1));
        wait(1);
        game.refund(id);
        recipient.set(Recipient.Way.Revert);
        vm.expectRevert(IGame.TransferFailed.selector);
        recipient.withdraw();
        recipient.set(Recipient.Way.Burn);
        vm.expectRevert(IGame.TransferFailed.selector);
        recipient.withdraw{gas: 1_000_000}();
        same(game.owed(address(recipient)), 1 ether, "still owed");
        conserved();
        recipient.set(Recipient.Way.Reenter);
        recipient.withdraw();
        same(bytes32(recipient.seen()), bytes32(IGame.NothingOwed.selector), "nothing the second time");
        same(address(recipient).balance, 1 ether, "paid once");
        conserved();
    }

    function test_attack_24_a_huge_answer_is_not_copied() public {
        Recipient recipient = new Recipient(game);
        vm.deal(address(this), 10 ether);
        bytes32 id = recipient.postJob{value: 1 ether}(programRoot, input, uint64(TIME + 1));
        wait(1);
        game.refund(id);
        recipient.set(Recipient.Way.Shout);
        // The recipient's memory costs it about 2 M gas; copying it again would double that.
        recipient.withdraw{gas: 3_200_000}();
        same(address(recipient).balance, 1 ether, "paid");
    }

    /// In = out + locked + burned after every call of a random sequence, refused ones among them.
    function testFuzz_attack_23_conservation(uint256 seed) public {
        bytes32 claimId = postClaim();
        bytes32 id = open(claimId);
        for (uint256 i; i < 30; ++i) {
            uint256 what = pick(seed, i, 10);
            if (what == 0) wait(pick(seed, 100 + i, 300));
            bytes memory call = what == 1
                ? abi.encodeCall(game.finalise, claimId)
                : what == 2
                    ? abi.encodeCall(game.timeout, id)
                    : what == 3
                        ? abi.encodeCall(game.reclaim, id)
                        : what == 4 ? abi.encodeCall(game.refund, jobId) : abi.encodeCall(game.withdraw, ());
            if (what == 5) call = abi.encodeCall(game.reveal, (id, state(id), new bytes32[](2)));
            uint256 value;
            if (what >= 6 && what < 8) (call, value) = (abi.encodeCall(game.open, (claimId, 0)), 0.1 ether + 1);
            address[3] memory who = [EXECUTOR, CHALLENGER, REQUESTER];
            vm.prank(who[pick(seed, 200 + i, 3)]);
            (bool done, bytes memory answer) = address(game).call{value: value}(call);
            if (done && what >= 6 && what < 8) id = abi.decode(answer, (bytes32));
            conserved();
        }
    }
}
