// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IGame} from "../sol/IGame.sol";
import {Phase} from "../sol/MatchWord.sol";
import {Fixture} from "./Fixture.sol";
import {Model} from "./Model.sol";
import {Naive} from "./Naive.sol";
import {Track} from "./Setting.sol";
import {Packed, Witness} from "./Packed.sol";

/// Refutations in one transaction, rewards, copies (PROTOCOL 4.6, 4.8).
contract RefuteTest is Fixture {
    function refuted(bytes32 claimId, uint256 operator, uint256 e, bool byRoots) private {
        bytes memory signature;
        (uint256 layer,) = layerOf(operator);
        if (!byRoots) signature = signedSubTrace(claimId, layer);
        send(STRANGER, refuteCall(claimId, refutation(operator, e, signature)));
        IGame.Claim memory c = game.claim(claimId);
        holds(c.status == IGame.Status.Refuted, "refuted");
        holds(c.byRoots == byRoots, "by roots");
        same(c.refutedAt, now_(), "refuted at");
        same(c.point, keccak256(abi.encode(pointOf(operator, e))), "point");
        same(game.burned(), 0.5 ether + 1 + CLAIM_FEE, "burned");
        wait(300);
        send(STRANGER, abi.encodeCall(game.collectReward, (claimId)));
        same(game.burned(), 1 ether + 1 + CLAIM_FEE, "all of it: nobody had committed");
        vm.warp(TIME + 100_000);
        send(STRANGER, abi.encodeCall(game.refund, (jobId)));
        drained();
    }

    function test_a_layer_of_one() public {
        lie(1, 3);
        refuted(postClaim(), 1, 3, true);
    }

    /// K = 100 in 3 segments: folded whole.
    function test_an_operator_of_several_segments() public {
        lie(0, 319);
        refuted(postClaim(), 0, 319, true);
    }

    function test_one_of_two_exports() public {
        lie(2, 0);
        refuted(postClaim(), 2, 0, true);
    }

    function test_one_that_reads_two_exports() public {
        lie(7, 0);
        refuted(postClaim(), 7, 0, true);
    }

    function test_an_export_that_reads_its_own_layer() public {
        lie(4, 0);
        refuted(postClaim(), 4, 0, false);
    }

    function test_one_that_is_not_exported() public {
        lie(3, 2);
        refuted(postClaim(), 3, 2, false);
    }

    function test_padding() public {
        lie(2, 80);
        bytes32 id = postClaim();
        send(STRANGER, refuteCall(id, refutation(2, 80, "")));
        IGame.Claim memory c = game.claim(id);
        holds(c.byRoots && c.point == 0 && c.refutedAt == 0, "no point");
        same(game.owed(STRANGER), 0.5 ether, "the sender's");
        same(game.burned(), 0.5 ether + 1 + CLAIM_FEE, "burned");
        send(STRANGER, 0, abi.encodeCall(game.collectReward, (id)), IGame.NoReward.selector);
    }

    function test_attack_12_an_honest_claim_has_no_fault() public {
        bytes32 id = postClaim();
        for (uint256 operator; operator < OPERATORS; ++operator) _noFault(id, operator);
        refuse(STRANGER, refuteCall(id, refutation(2, 80, "")), IGame.NoFault.selector);
        refuse(STRANGER, refuteCall(id, refutation(2, 95, "")), IGame.NoFault.selector);
        refuse(STRANGER, refuteCall(id, refutation(1, 12, "")), IGame.NoFault.selector);
        holds(status(id) == IGame.Status.Pending, "it stands");
    }

    function _noFault(bytes32 id, uint256 operator) private forgetful {
        (uint256 layer,) = layerOf(operator);
        bytes memory signature = countOf(layer) > 1 ? signedSubTrace(id, layer) : bytes("");
        uint256 last = Model.elements(op(operator)) - 1;
        refuse(STRANGER, refuteCall(id, refutation(operator, 0, signature)), IGame.NoFault.selector);
        refuse(STRANGER, refuteCall(id, refutation(operator, last, signature)), IGame.NoFault.selector);
    }

    function _bad(bytes32 id, IGame.Refutation memory r, bytes4 why) private {
        refuse(STRANGER, refuteCall(id, r), why);
    }

    function test_refusals_in_the_order_of_checks() public {
        lie(1, 3);
        bytes32 id = postClaim();
        IGame.Refutation memory r = refutation(1, 3, "");
        posts["x"].executor = STRANGER;
        _bad("x", r, IGame.UnknownClaim.selector);
        r.layer = "";
        _bad(id, r, IGame.WrongLength.selector);
        r.layer = hex"00000001010101";
        _bad(id, r, IGame.WrongLength.selector);
        (r = refutation(1, 3, "")).operator = bytes.concat(r.operator, bytes32(0));
        _bad(id, r, IGame.WrongLength.selector);
        (r = refutation(1, 3, "")).operator = new bytes(191);
        _bad(id, r, IGame.WrongLength.selector);
        // K = 0
        (r = refutation(1, 3, "")).operator[51] = 0;
        _bad(id, r, IGame.WrongDescriptor.selector);
        (r = refutation(1, 3, "")).position = 1;
        _bad(id, r, IGame.WrongIndex.selector);
        (r = refutation(1, 3, "")).operatorPath = new bytes32[](1);
        _bad(id, r, IGame.BadOpening.selector);
        (r = refutation(1, 3, "")).operator[100] ^= 0x01;
        _bad(id, r, IGame.BadOpening.selector);
        (r = refutation(1, 3, "")).layerPath = none;
        _bad(id, r, IGame.BadOpening.selector);
        (r = refutation(1, 3, "")).layerIndex = 9;
        _bad(id, r, IGame.BadOpening.selector);
        (r = refutation(1, 3, "")).tile = new bytes(127);
        _bad(id, r, IGame.WrongLength.selector);
        (r = refutation(1, 3, "")).tileIndex = 1;
        _bad(id, r, IGame.WrongIndex.selector);
        (r = refutation(1, 3, "")).tilePath = new bytes32[](1);
        _bad(id, r, IGame.BadOpening.selector);
        _more(id);
    }

    function _more(bytes32 id) private {
        IGame.Refutation memory r = refutation(1, 3, "");
        r.list = bytes32(uint256(1));
        _bad(id, r, IGame.WitnessExtra.selector);
        (r = refutation(1, 3, "")).listPath = new bytes32[](1);
        _bad(id, r, IGame.WitnessExtra.selector);
        (r = refutation(1, 3, "")).signature = new bytes(65);
        _bad(id, r, IGame.BadSignature.selector);
        (r = refutation(1, 3, "")).exports = new bytes32[](1);
        _bad(id, r, IGame.WitnessExtra.selector);
        (r = refutation(1, 3, "")).tile[0] ^= 0x01;
        _bad(id, r, IGame.BadOpening.selector);
        (r = refutation(1, 3, "")).tracePath = none;
        _bad(id, r, IGame.BadOpening.selector);
        (r = refutation(1, 3, "")).element = 128;
        _bad(id, r, IGame.WrongIndex.selector);
        Witness memory w = witnessOf(1, 3);
        w.b.proof = new bytes32[](1);
        (r = refutation(1, 3, "")).witness = Packed.all(w);
        _bad(id, r, IGame.WitnessExtra.selector);
        (w = witnessOf(1, 3)).a.tiles[0] ^= 0x01;
        (r = refutation(1, 3, "")).witness = Packed.all(w);
        _bad(id, r, IGame.BadOpening.selector);
        (r = refutation(1, 2, "")).witness = refutation(1, 3, "").witness;
        _bad(id, r, IGame.NoFault.selector);
        refuted(id, 1, 3, true);
    }

    /// A tile of a tensor of three: its three siblings, in their order, and no others.
    function test_attack_09_tile_paths_that_are_refused() public {
        lie(2, 70);
        bytes32 id = postClaim();
        IGame.Refutation memory r;
        for (uint256 count; count < 6; ++count) {
            (r = refutation(2, 70, "")).tilePath = new bytes32[](count);
            _bad(id, r, IGame.BadOpening.selector);
        }
        for (uint256 i; i < 3; ++i) {
            (r = refutation(2, 70, "")).tilePath[i] ^= bytes32(uint256(1));
            _bad(id, r, IGame.BadOpening.selector);
        }
        r = refutation(2, 70, "");
        (r.tilePath[1], r.tilePath[2]) = (r.tilePath[2], r.tilePath[1]);
        _bad(id, r, IGame.BadOpening.selector);
        (r = refutation(2, 70, "")).tilePath = Naive.path(tileLeaves(2), 2);
        _bad(id, r, IGame.BadOpening.selector);
        (r = refutation(2, 70, "")).tileIndex = 1;
        _bad(id, r, IGame.BadOpening.selector);
        refuted(id, 2, 70, true);
    }

    function test_attack_18_refusals_around_lists() public {
        lie(3, 2);
        bytes32 id = postClaim();
        IGame.Refutation memory r = refutation(3, 2, "");
        // Nothing commits to it.
        _bad(id, r, IGame.BadOpening.selector);
        // A list that the executor has not signed.
        bytes memory good = signedSubTrace(id, 2);
        (r = refutation(3, 2, good)).signature = signedBy(id, 2, 0xbad);
        _bad(id, r, IGame.BadSignature.selector);
        r.signature = signedSubTrace(~id, 2);
        _bad(id, r, IGame.BadSignature.selector);
        r.signature = signedSubTrace(id, 3);
        _bad(id, r, IGame.BadSignature.selector);
        (r = refutation(3, 2, good)).list ^= bytes32(uint256(1));
        _bad(id, r, IGame.BadSignature.selector);
        (r = refutation(3, 2, good)).tracePath = Naive.path(traceLeaves(), 2);
        _bad(id, r, IGame.WitnessExtra.selector);
        (r = refutation(3, 2, good)).exports = exportRoots(2);
        _bad(id, r, IGame.WitnessExtra.selector);
        (r = refutation(3, 2, good)).listPath[0] ^= bytes32(uint256(1));
        _bad(id, r, IGame.BadOpening.selector);
        refuted(id, 3, 2, false);
    }

    function signedBy(bytes32 id, uint256 layer, uint256 key) private view returns (bytes memory) {
        bytes32 root = Naive.root(subRoots(layer));
        return signed(key, typed(block.chainid, address(game), subTraceHash(id, layer, root)));
    }

    function test_refusals_around_exports() public {
        lie(2, 0);
        bytes32 id = postClaim();
        IGame.Refutation memory r = refutation(2, 0, "");
        r.exports = none;
        _bad(id, r, IGame.BadOpening.selector);
        (r = refutation(2, 0, "")).exports = new bytes32[](3);
        _bad(id, r, IGame.BadOpening.selector);
        bytes32[] memory turned = exportRoots(2);
        (turned[0], turned[1]) = (turned[1], turned[0]);
        (r = refutation(2, 0, "")).exports = turned;
        _bad(id, r, IGame.BadOpening.selector);
        turned = exportRoots(2);
        turned[1] ^= bytes32(uint256(1));
        (r = refutation(2, 0, "")).exports = turned;
        _bad(id, r, IGame.BadOpening.selector);
        // A list that is signed does no harm, but then copies do not fall.
        send(STRANGER, refuteCall(id, refutation(2, 0, signedSubTrace(id, 2))));
        holds(!game.claim(id).byRoots, "by a statement");
    }

    /// An operand that is local needs the list, whatever the operator's own output is.
    function test_attack_18_local_operands_count_only_under_a_signed_list() public {
        lie(4, 0);
        bytes32 id = postClaim();
        _bad(id, refutation(4, 0, ""), IGame.BadOpening.selector);
        refuted(id, 4, 0, false);
    }

    function test_a_refutation_ends_the_matches() public {
        lie(1, 3);
        bytes32 id = postClaim();
        bytes32 one = openMatch(id);
        bytes32 two = openMatch(id, STRANGER, 0);
        reveal(one);
        send(STRANGER, refuteCall(id, refutation(1, 3, "")));
        _bad(id, refutation(1, 3, ""), IGame.ClaimClosed.selector);
        reveal(two);
        reclaim(one);
        reclaim(two);
        same(game.owed(CHALLENGER), bond(), "bond");
        same(game.owed(STRANGER), bond(), "bond");
    }

    function test_it_is_too_late_once_the_claim_is_finalisable() public {
        lie(1, 3);
        bytes32 id = postClaim();
        wait(1000);
        _bad(id, refutation(1, 3, ""), IGame.ClaimClosed.selector);
        vm.warp(vm.getBlockTimestamp() - 1);
        openMatch(id);
        wait(1);
        send(STRANGER, refuteCall(id, refutation(1, 3, "")));
    }

    // Copies.

    function _copy(bytes32 original) private returns (bytes32 id, IGame.Posted memory p) {
        p = posts[original];
        p.executor = STRANGER;
        bytes memory call = abi.encodeCall(game.commitClaim, (jobId, claimCommitment(p)));
        uint64 number = abi.decode(send(STRANGER, params().executorBond + CLAIM_FEE, call, 0), (uint64));
        wait(1);
        id = abi.decode(send(STRANGER, postClaimCall(number, now_() - 1)), (bytes32));
        posts[id] = p;
    }

    function _refuteCopy(bytes32 original, bytes32 copy, bytes4 why) private {
        send(REQUESTER, 0, abi.encodeCall(game.refuteCopy, (posts[original], posts[copy])), why);
    }

    function test_a_copy_falls_with_its_original() public {
        lie(1, 3);
        bytes32 original = postClaim();
        (bytes32 copy,) = _copy(original);
        (bytes32 other,) = _other();
        _refuteCopy(original, "x", IGame.UnknownClaim.selector);
        _refuteCopy(original, copy, IGame.NotACopy.selector);
        send(STRANGER, refuteCall(original, refutation(1, 3, "")));
        _refuteCopy(original, other, IGame.NotACopy.selector);
        _refuteCopy("x", copy, IGame.NotACopy.selector);
        _refuteCopy(original, original, IGame.ClaimClosed.selector);
        _refuteCopy(original, copy, 0);
        IGame.Claim memory c = game.claim(copy);
        holds(c.status == IGame.Status.Refuted && !c.byRoots && c.point == 0, "refuted");
        same(game.owed(REQUESTER), 0.5 ether, "the sender's");
        _refuteCopy(original, copy, IGame.ClaimClosed.selector);
        same(game.burned(), 2 * (0.5 ether + 1) + 3 * CLAIM_FEE, "burned");
    }

    /// An honest claim on the same job.
    function _other() private returns (bytes32, IGame.Posted memory) {
        bytes memory lied = said[1];
        tellTruth();
        bytes32 id = postClaim();
        said[1] = lied;
        return (id, posts[id]);
    }

    /// A match by roots alone counts too; one by silence, by statements or by signature does not.
    function test_attack_18_what_copies_fall_by() public {
        lie(1, 3);
        bytes32 first = postClaim();
        (bytes32 copy,) = _copy(first);
        bytes32 id = openMatch(first);
        walk(id, 1, 0);
        name(id, 3);
        _refuteCopy(first, copy, 0);
        tellTruth();
        lie(3, 2);
        first = postClaim();
        (copy,) = _copy(first);
        send(STRANGER, refuteCall(first, refutation(3, 2, signedSubTrace(first, 2))));
        _refuteCopy(first, copy, IGame.NotACopy.selector);
        tellTruth();
        lie(7, 2);
        first = postClaim();
        (copy,) = _copy(first);
        id = openMatch(first);
        wait(110);
        timeout(id);
        _refuteCopy(first, copy, IGame.NotACopy.selector);
    }

    // Rewards.

    function test_the_lowest_opening_gets_the_reward() public {
        lie(1, 3);
        bytes32 claimId = postClaim();
        bytes32 zero = commit(claimId, STRANGER, "junk");
        bytes32 one = commit(claimId, REQUESTER, ownCommitment(claimId, REQUESTER));
        bytes32 two = openMatch(claimId, CHALLENGER, ownCommitment(claimId, CHALLENGER));
        wait(1);
        bytes32 late = commit(claimId, STRANGER, ownCommitment(claimId, STRANGER));
        refuse(CHALLENGER, openRewardCall(two, pointOf(1, 3)), IGame.NoReward.selector);
        send(STRANGER, 0, abi.encodeCall(game.collectReward, (claimId)), IGame.NoReward.selector);
        send(STRANGER, refuteCall(claimId, refutation(1, 3, "")));
        IGame.Point memory p = pointOf(1, 3);
        refuse(STRANGER, openRewardCall(late, p), IGame.TooLate.selector);
        refuse(STRANGER, openRewardCall(zero, p), IGame.BadOpening.selector);
        refuse(REQUESTER, openRewardCall(two, p), IGame.WrongState.selector);
        send(CHALLENGER, openRewardCall(two, p));
        IGame.Claim memory c = game.claim(claimId);
        holds(c.best == CHALLENGER && c.bestNumber == 2, "best");
        refuse(CHALLENGER, openRewardCall(two, p), IGame.NotBetter.selector);
        send(STRANGER, 0, abi.encodeCall(game.collectReward, (claimId)), IGame.NotYet.selector);
        wait(299);
        send(STRANGER, 0, abi.encodeCall(game.collectReward, (claimId)), IGame.NotYet.selector);
        send(REQUESTER, openRewardCall(one, p));
        refuse(CHALLENGER, openRewardCall(two, p), IGame.NotBetter.selector);
        wait(1);
        refuse(STRANGER, openRewardCall(zero, p), IGame.TooLate.selector);
        send(STRANGER, abi.encodeCall(game.collectReward, (claimId)));
        same(game.owed(REQUESTER), 0.5 ether, "the lowest");
        send(STRANGER, 0, abi.encodeCall(game.collectReward, (claimId)), IGame.NoReward.selector);
        refuse(STRANGER, openRewardCall(zero, p), IGame.NoReward.selector);
        same(game.claim(claimId).point, 0, "given away");
        // A bare commitment is no match.
        refuse(STRANGER, reclaimCall(one), IGame.WrongPhase.selector);
        refuse(STRANGER, timeoutCall(one), IGame.WrongPhase.selector);
        reclaim(two);
        vm.warp(TIME + 100_000);
        send(STRANGER, abi.encodeCall(game.refund, (jobId)));
        drained();
    }

    function test_an_opening_after_the_match_is_over() public {
        lie(3, 2);
        bytes32 claimId = postClaim();
        bytes32 lost = openMatch(claimId, STRANGER, ownCommitment(claimId, STRANGER));
        walk(lost, 1, 0);
        name(lost, 0);
        same(tracks[lost].phase, Phase.LOST, "lost elsewhere");
        bytes32 id = openMatch(claimId, CHALLENGER, ownCommitment(claimId, CHALLENGER));
        wait(1);
        walk(id, 3, 0);
        name(id, 2);
        IGame.Point memory p = pointOf(3, 2);
        wait(1);
        // Won and reclaimed, it is opened all the same.
        reclaim(id);
        send(CHALLENGER, openRewardCall(id, p));
        send(STRANGER, openRewardCall(lost, p));
        wait(300);
        send(STRANGER, abi.encodeCall(game.collectReward, (claimId)));
        same(game.owed(STRANGER), 0.5 ether, "the lowest number");
    }

    function _open(bytes32 id, IGame.Point memory p, bytes32 salt, uint8 depth, bytes32[] memory path, bytes4 why)
        private
    {
        Track storage t = tracks[id];
        bytes memory tile = Naive.tileAt(truth[p.operator], p.element * p.elementBytes / 128);
        bytes memory data = abi.encodeCall(
            game.openReward, (t.claimId, t.number, standing(id), t.node, t.seat, p, salt, depth, tile, path)
        );
        refuse(t.challenger, data, why);
    }

    function test_attack_18_forged_openings() public {
        lie(2, 70);
        bytes32 claimId = postClaim();
        bytes32 id = commit(claimId, CHALLENGER, ownCommitment(claimId, CHALLENGER));
        wait(1);
        send(STRANGER, refuteCall(claimId, refutation(2, 70, "")));
        IGame.Point memory p = pointOf(2, 70);
        for (uint256 i; i < 6; ++i) {
            p = pointOf(2, 70);
            if (i == 0) p.operator = 3;
            if (i == 1) p.depth = 3;
            if (i == 2) p.elementBytes = 2;
            if (i == 3) p.element = 71;
            if (i == 4) p.value ^= 1;
            if (i == 5) p.before ^= bytes32(uint256(1));
            refuse(CHALLENGER, openRewardCall(id, p), IGame.WrongStatement.selector);
        }
        p = pointOf(2, 70);
        bytes32[] memory path = new bytes32[](6);
        bytes32[] memory part = Naive.tilePath(Naive.leavesOf(truth[2]), 2);
        for (uint256 i; i < 3; ++i) path[i] = part[i];
        part = Naive.path(ownLeaves(), 2);
        for (uint256 i; i < 3; ++i) path[3 + i] = part[i];
        _open(id, p, ~SALT, 3, path, IGame.BadOpening.selector);
        _open(id, p, SALT, 2, path, IGame.BadOpening.selector);
        _open(id, p, SALT, 4, path, IGame.BadOpening.selector);
        _open(id, p, SALT, 255, path, IGame.BadOpening.selector);
        _open(id, p, SALT, 3, none, IGame.BadOpening.selector);
        _open(id, p, SALT, 3, new bytes32[](5), IGame.BadOpening.selector);
        _open(id, p, SALT, 3, new bytes32[](7), IGame.BadOpening.selector);
        for (uint256 i; i < 6; ++i) {
            path[i] ^= bytes32(uint256(1));
            _open(id, p, SALT, 3, path, IGame.BadOpening.selector);
            path[i] ^= bytes32(uint256(1));
        }
        send(CHALLENGER, openRewardCall(id, p));
    }

    /// A trace that is wrong at the point opens as it was committed, and holds another value.
    function test_attack_18_a_copied_trace_opens_to_nothing() public {
        lie(1, 3);
        bytes32 claimId = postClaim();
        bytes memory right = truth[1];
        truth[1] = said[1];
        bytes32 id = commit(claimId, CHALLENGER, ownCommitment(claimId, CHALLENGER));
        wait(1);
        send(STRANGER, refuteCall(claimId, refutation(1, 3, "")));
        refuse(CHALLENGER, openRewardCall(id, pointOf(1, 3)), IGame.WrongStatement.selector);
        truth[1] = right;
        refuse(CHALLENGER, openRewardCall(id, pointOf(1, 3)), IGame.BadOpening.selector);
    }

    /// One that guessed the value, or committed to constants, holds other bytes before it.
    function test_attack_18_a_guessed_trace_opens_to_nothing() public {
        lie(1, 3);
        bytes32 claimId = postClaim();
        bytes memory right = bytes.concat(truth[1]);
        truth[1][2] ^= 0x01;
        bytes32 id = commit(claimId, CHALLENGER, ownCommitment(claimId, CHALLENGER));
        wait(1);
        send(STRANGER, refuteCall(claimId, refutation(1, 3, "")));
        bytes memory guessed = truth[1];
        truth[1] = right;
        IGame.Point memory p = pointOf(1, 3);
        truth[1] = guessed;
        refuse(CHALLENGER, openRewardCall(id, p), IGame.WrongStatement.selector);
        // What stands behind the element does not matter.
        same(game.claim(claimId).point, keccak256(abi.encode(p)), "the point is the claim's");
    }

    /// A commitment in the verdict's own block was made by who saw it coming.
    function test_attack_17_a_commitment_beside_the_refutation() public {
        lie(1, 3);
        bytes32 claimId = postClaim();
        bytes32 id = commit(claimId, CHALLENGER, ownCommitment(claimId, CHALLENGER));
        send(STRANGER, refuteCall(claimId, refutation(1, 3, "")));
        refuse(CHALLENGER, openRewardCall(id, pointOf(1, 3)), IGame.TooLate.selector);
    }
}
