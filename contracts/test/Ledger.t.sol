// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Game} from "../sol/Game.sol";
import {IGame} from "../sol/IGame.sol";
import {IReferee} from "../sol/IReferee.sol";
import {IRegistry} from "../sol/IRegistry.sol";
import {Fixture} from "./Fixture.sol";
import {Naive} from "./Naive.sol";

/// Parameters, jobs, claims and their money.
contract LedgerTest is Fixture {
    uint256 private constant STAKE = 1 ether + 1 + CLAIM_FEE;

    function test_the_parameters_and_their_hash() public view {
        IGame.Parameters memory p = game.parameters();
        same(keccak256(abi.encode(p)), keccak256(abi.encode(params())), "parameters");
        bytes memory words = abi.encode(1000, 100, 200, 10, 20, 60, 300, 12, 30_000_000);
        words = bytes.concat(words, abi.encode(1 ether + 1, 1 gwei, 7, 1 << 30, 0.05 ether));
        same(game.parametersHash(), keccak256(words), "hash");
    }

    function _deploy(IGame.Parameters memory p, bool good) private {
        if (!good) vm.expectRevert(IGame.BadParameters.selector);
        new Game(IRegistry(address(1)), IReferee(address(2)), p);
    }

    function test_attack_26_parameters_out_of_range() public {
        for (uint256 i; i < 24; ++i) {
            IGame.Parameters memory p = params();
            if (i == 0) p.windowSeconds = 0;
            if (i == 1) p.windowSeconds = 1 << 31;
            if (i == 2) p.executorClockSeconds = 0;
            if (i == 3) p.executorClockSeconds = 1 << 31;
            if (i == 4) p.challengerClockSeconds = 0;
            if (i == 5) p.challengerClockSeconds = 1 << 31;
            if (i == 6) p.graceSeconds = 1 << 31;
            if (i == 7) p.slackSeconds = 1 << 31;
            if (i == 8) p.revealSeconds = 0;
            if (i == 9) p.revealSeconds = 1 << 31;
            if (i == 10) p.rewardSeconds = 0;
            if (i == 11) p.rewardSeconds = 1 << 31;
            if (i == 12) p.blockSeconds = 0;
            if (i == 13) p.blockSeconds = 1 << 31;
            if (i == 14) p.blockGas = 0;
            if (i == 15) p.blockGas = 1 << 32;
            if (i == 16) p.executorBond = 1;
            if (i == 17) p.feeCap = 0;
            if (i == 18) p.feeCap = 1 << 64;
            if (i == 19) p.attackerBudget = 1 << 92;
            if (i == 20) (p.graceSeconds, p.slackSeconds, p.executorBond, p.delayFee, p.workPrice) = (0, 0, 2, 0, 0);
            if (i == 21) (p.windowSeconds, p.revealSeconds, p.rewardSeconds) = ((1 << 31) - 1, 1, (1 << 31) - 1);
            if (i == 22) (p.executorBond, p.delayFee, p.workPrice) = _most();
            if (i == 23) p.attackerBudget = 0;
            _deploy(p, i >= 20);
        }
    }

    function _most() private pure returns (uint128, uint128, uint128) {
        return (type(uint128).max, type(uint128).max, type(uint128).max);
    }

    function test_attack_15_a_budget_that_could_fill_the_chain() public {
        IGame.Parameters memory p = params();
        // 2 * 1 gwei * 100 * 30,000,000 / (10 * 12)
        p.attackerBudget = 0.05 ether;
        _deploy(p, true);
        p.attackerBudget = 0.05 ether + 1;
        _deploy(p, false);
        (p.attackerBudget, p.blockSeconds, p.feeCap) = ((1 << 92) - 1, (1 << 31) - 1, 1);
        _deploy(p, false);
        (p.feeCap, p.executorClockSeconds, p.blockGas) = ((1 << 64) - 1, (1 << 31) - 1, (1 << 32) - 1);
        _deploy(p, true);
    }

    // Jobs.

    function _postJob(bytes32 program, bytes memory data, uint64 deadline, bytes4 why) private {
        send(REQUESTER, 1, abi.encodeCall(game.postJob, (program, data, bytes32(uint256(9)), deadline)), why);
    }

    function test_attack_07_a_job_binds_program_and_input() public {
        _postJob(~programRoot, "", 0, IGame.UnknownProgram.selector);
        _postJob(programRoot, bytes.concat(input, hex"00"), 0, IGame.WrongLength.selector);
        _postJob(programRoot, "", 0, IGame.WrongLength.selector);
        _postJob(programRoot, input, now_(), IGame.TooLate.selector);
        _postJob(programRoot, input, now_() + 1, 0);
        bytes32 inputRoot = Naive.tensorRoot(Naive.leavesOf(input));
        bytes memory parts = abi.encode(block.chainid, game, REQUESTER, programRoot, inputRoot, uint256(9));
        IGame.Job memory j = game.job(keccak256(parts));
        holds(j.requester == REQUESTER && j.deadline == now_() + 1 && j.fee == 1 && !j.settled, "job");
        holds(j.programRoot == programRoot && j.inputRoot == inputRoot && j.committed == 0 && j.next == 0, "job");
        _postJob(programRoot, input, now_() + 7, IGame.Exists.selector);
        same(uint160(game.job(~keccak256(parts)).requester), 0, "unknown");
    }

    // Claims.

    function test_attack_07_a_claim_binds_everything() public {
        bytes32 id = postClaim();
        IGame.Posted memory p = posts[id];
        bytes memory parts = abi.encode(block.chainid, game, jobId, EXECUTOR, p.traceRoot, p.outputRoot);
        same(id, keccak256(bytes.concat(parts, game.parametersHash())), "claim id");
        IGame.Claim memory c = game.claim(id);
        same(c.windowEnd, now_() + 1000, "window end");
        // L = 3, T = 3, b = 1: moves = 2 (3 + 1) + 8.
        same(c.hardEnd, now_() + 1000 + 100 + 200 + 16 * 10 + 20, "hard end");
        holds(c.status == IGame.Status.Pending && c.number == 0 && c.openings == 0 && c.openMatches == 0, "claim");
        holds(!c.byRoots && c.point == 0 && c.refutedAt == 0 && c.best == address(0), "not refuted");
        same(game.entry(jobId, 0), id, "entry");
        same(game.job(jobId).committed, 1, "committed");
        same(game.burned(), CLAIM_FEE, "the claim fee is burned");
        same(uint256(game.claim(~id).status), 0, "unknown");
    }

    function _commitClaim(bytes32 job, uint256 value, bytes4 why) private {
        send(EXECUTOR, value, abi.encodeCall(game.commitClaim, (job, bytes32("c"))), why);
    }

    function test_commitments_are_refused_in_the_order_of_checks() public {
        _commitClaim(~jobId, 0, IGame.UnknownJob.selector);
        _commitClaim(jobId, 0, IGame.WrongValue.selector);
        _commitClaim(jobId, STAKE - 1, IGame.WrongValue.selector);
        _commitClaim(jobId, STAKE + 1, IGame.WrongValue.selector);
        vm.warp(TIME + 99_999);
        _commitClaim(jobId, STAKE, 0);
        bytes32 entry_ = keccak256(abi.encode(EXECUTOR, bytes32("c"), TIME + 99_999));
        same(game.entry(jobId, 0), entry_, "entry");
        same(game.entry(jobId, 1), 0, "no other");
        wait(1);
        _commitClaim(jobId, 0, IGame.JobClosed.selector);
        send(STRANGER, abi.encodeCall(game.lapse, (jobId, 0, EXECUTOR, bytes32("c"), 0)), IGame.UnknownCommitment.selector);
    }

    function send(address from, bytes memory data, bytes4 why) private {
        send(from, 0, data, why);
    }

    function _post(uint64 number, uint64 at_, bytes32 trace, bytes memory output, bytes32[] memory path, bytes4 why)
        private
    {
        bytes memory data = abi.encodeCall(game.postClaim, (jobId, number, at_, SALT, trace, output, path));
        send(EXECUTOR, 0, data, why);
    }

    function test_claims_are_refused_in_the_order_of_checks() public {
        IGame.Posted memory p = posted();
        bytes memory output = said[OPERATORS - 1];
        bytes32[] memory path = Naive.path(traceLeaves(), LAYERS - 1);
        bytes memory data = abi.encodeCall(game.postClaim, (~jobId, 0, now_(), SALT, p.traceRoot, output, path));
        send(EXECUTOR, data, IGame.UnknownJob.selector);
        uint64 start = now_();
        commitClaim(claimCommitment(p));
        _post(0, start, p.traceRoot, bytes.concat(output, hex"00"), path, IGame.WrongLength.selector);
        _post(0, start, p.traceRoot, "", path, IGame.WrongLength.selector);
        _post(1, start, p.traceRoot, output, path, IGame.UnknownCommitment.selector);
        _post(0, start - 1, p.traceRoot, output, path, IGame.UnknownCommitment.selector);
        _post(0, start, ~p.traceRoot, output, path, IGame.UnknownCommitment.selector);
        send(STRANGER, postClaimCall(0, start), IGame.UnknownCommitment.selector);
        // The block of the commitment itself.
        _post(0, start, p.traceRoot, output, path, IGame.NotYet.selector);
        wait(60);
        _post(0, start, p.traceRoot, output, path, IGame.TooLate.selector);
        wait(type(uint32).max);
        _post(0, start, p.traceRoot, output, path, IGame.TooLate.selector);
        vm.warp(start + 59);
        _post(0, start, p.traceRoot, output, none, IGame.BadOpening.selector);
        bytes32[] memory bent = Naive.path(traceLeaves(), LAYERS - 1);
        bent[1] ^= bytes32(uint256(1));
        _post(0, start, p.traceRoot, output, bent, IGame.BadOpening.selector);
        _post(0, start, p.traceRoot, output, path, 0);
        // Posted, it is no commitment any more.
        _post(0, start, p.traceRoot, output, path, IGame.UnknownCommitment.selector);
        // The same claim again, under another commitment.
        commitClaim(claimCommitment(p));
        wait(1);
        _post(1, start + 59, p.traceRoot, output, path, IGame.Exists.selector);
    }

    function test_attack_03_the_output_is_not_the_last_leaf() public {
        IGame.Posted memory p = posted();
        bytes memory output = said[OPERATORS - 1];
        output[3] ^= 0x01;
        p.outputRoot = Naive.tensorRoot(Naive.leavesOf(output));
        commitClaim(claimCommitment(p));
        wait(1);
        _post(0, now_() - 1, p.traceRoot, output, Naive.path(traceLeaves(), LAYERS - 1), IGame.BadOpening.selector);
    }

    function test_attack_17_an_output_is_not_copied_from_the_pool() public {
        IGame.Posted memory p = posted();
        uint64 start = now_();
        commitClaim(claimCommitment(p));
        wait(1);
        // Who sees the roots in the pool commits to them too late: in the same block its posting is refused.
        p.executor = STRANGER;
        bytes memory data = abi.encodeCall(game.commitClaim, (jobId, claimCommitment(p)));
        send(STRANGER, STAKE, data, 0);
        send(STRANGER, postClaimCall(1, now_()), IGame.NotYet.selector);
        send(EXECUTOR, postClaimCall(0, start));
        // A copy of the commitment itself is somebody else's.
        send(STRANGER, postClaimCall(0, start), IGame.UnknownCommitment.selector);
    }

    function lapse(uint64 number, bytes32 commitment, uint64 at_, bytes4 why) private {
        send(STRANGER, abi.encodeCall(game.lapse, (jobId, number, EXECUTOR, commitment, at_)), why);
    }

    function test_a_commitment_that_is_not_posted_lapses() public {
        uint64 start = now_();
        commitClaim("c");
        bytes memory data = abi.encodeCall(game.lapse, (~jobId, 0, EXECUTOR, bytes32("c"), start));
        send(STRANGER, data, IGame.UnknownJob.selector);
        lapse(0, "d", start, IGame.UnknownCommitment.selector);
        lapse(1, "c", start, IGame.UnknownCommitment.selector);
        wait(59);
        lapse(0, "c", start, IGame.NotYet.selector);
        wait(1);
        lapse(0, "c", start, 0);
        same(game.owed(EXECUTOR), 0.5 ether, "half");
        same(game.burned(), 0.5 ether + 1 + CLAIM_FEE, "the rest");
        same(game.entry(jobId, 0), bytes32(uint256(1)), "entry");
        lapse(0, "c", start, IGame.UnknownCommitment.selector);
        send(STRANGER, abi.encodeCall(game.advance, (jobId)));
        same(game.job(jobId).next, 1, "next");
        wait(100_000);
        send(STRANGER, abi.encodeCall(game.refund, (jobId)));
        drained();
    }

    function finalise(bytes32 id, bytes4 why) private {
        send(STRANGER, 0, abi.encodeCall(game.finalise, (posts[id])), why);
    }

    // Openings.

    function test_openings_are_refused_in_the_order_of_checks() public {
        bytes32 id = postClaim();
        IGame.Posted memory p = posts[id];
        p.executor = STRANGER;
        send(STRANGER, 0, abi.encodeCall(game.open, (p, bytes32(0))), IGame.UnknownClaim.selector);
        bytes memory data = abi.encodeCall(game.open, (posts[id], bytes32(0)));
        send(STRANGER, 0, data, IGame.WrongValue.selector);
        send(STRANGER, bond() + 1, data, IGame.WrongValue.selector);
        send(STRANGER, bond() - 1, data, IGame.WrongValue.selector);
        send(STRANGER, 0, abi.encodeCall(game.commit, (~id, bytes32(0))), IGame.UnknownClaim.selector);
        wait(1000);
        send(STRANGER, 0, data, IGame.TooLate.selector);
        send(STRANGER, 0, abi.encodeCall(game.commit, (id, bytes32(0))), IGame.ClaimClosed.selector);
        finalise(id, 0);
        send(STRANGER, 0, data, IGame.ClaimClosed.selector);
        send(STRANGER, 0, abi.encodeCall(game.commit, (id, bytes32(0))), IGame.ClaimClosed.selector);
    }

    function test_attack_14_opening_in_the_windows_last_second() public {
        bytes32 claimId = postClaim();
        wait(999);
        openMatch(claimId);
        wait(1);
        finalise(claimId, IGame.NotYet.selector);
        same(game.claim(claimId).openMatches, 1, "one open match");
        // A commitment is no match, and as long as one is open it may be made.
        commit(claimId, STRANGER, 0);
        same(game.claim(claimId).openMatches, 1, "still one");
        same(game.claim(claimId).openings, 2, "two openings");
    }

    function test_attack_15_many_matches_against_one_honest_claim() public {
        bytes32 claimId = postClaim();
        bytes32[] memory ids = new bytes32[](40);
        for (uint256 i; i < 40; ++i) {
            ids[i] = openMatch(claimId);
            reveal(ids[i]);
        }
        same(game.claim(claimId).openings, 40, "openings");
        wait(210);
        for (uint256 i; i < 40; ++i) timeout(ids[i]);
        same(game.owed(EXECUTOR), 40 * 7, "paid for each");
        wait(790);
        finalise(claimId, 0);
        drained();
    }

    function test_attack_16_a_challenge_of_ones_own_claim_costs_half_the_bond() public {
        lie(0, 0);
        bytes32 claimId = postClaim();
        bytes32 id = openMatch(claimId, EXECUTOR, 0);
        wait(110);
        timeout(id);
        reclaim(id);
        same(game.owed(EXECUTOR), 0.5 ether + bond(), "half is gone");
        same(game.burned(), 0.5 ether + 1 + CLAIM_FEE, "burned");
    }

    // Amounts beyond 128 bits.

    function test_attack_26_amounts_that_nobody_can_pay() public {
        IGame.Parameters memory p = params();
        p.workPrice = type(uint128).max;
        p.delayFee = type(uint128).max;
        game = new Game(registry, IReferee(game.referee()), p);
        bytes memory h = header();
        // work 2^31: the fee is twice the price.
        for (uint256 i; i < 8; ++i) h[24 + i] = i == 4 ? bytes1(0x80) : bytes1(0);
        programRoot = registry.register(h, Naive.root(layersLeaves()));
        jobId = postJob(0, uint64(TIME + 100_000));
        vm.deal(EXECUTOR, type(uint256).max);
        uint256 fee = 2 * uint256(type(uint128).max);
        send(EXECUTOR, 1 ether + 1 + fee, abi.encodeCall(game.commitClaim, (jobId, bytes32(0))), IGame.WrongValue.selector);
        vm.deal(REQUESTER, type(uint256).max);
        bytes memory data = abi.encodeCall(game.postJob, (programRoot, input, bytes32("x"), uint64(TIME + 1)));
        send(REQUESTER, 1 << 128, data, IGame.WrongValue.selector);
        p.workPrice = 1;
        game = new Game(registry, IReferee(game.referee()), p);
        jobId = postJob(0, uint64(TIME + 100_000));
        // ceil(2^31 / 2^30)
        IGame.Posted memory claim_ = posted();
        send(EXECUTOR, 1 ether + 3, abi.encodeCall(game.commitClaim, (jobId, claimCommitment(claim_))), 0);
        same(game.burned(), 2, "the claim fee");
        wait(1);
        send(EXECUTOR, postClaimCall(0, now_() - 1));
        vm.deal(CHALLENGER, type(uint256).max);
        uint256 stake = bond() - 7 + type(uint128).max;
        send(CHALLENGER, stake, abi.encodeCall(game.open, (claim_, bytes32(0))), IGame.WrongValue.selector);
    }
}
