// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IGame} from "../sol/IGame.sol";
import {Phase} from "../sol/MatchWord.sol";
import {Fixture} from "./Fixture.sol";
import {Witness} from "./Packed.sol";
import {Track} from "./Setting.sol";

/// Calls with too little gas: wherever they run out, in the game or in its call to the referee (which gets 63/64 of what is
/// left), they revert whole, and never pass for a verdict. Without isolation, so that a call gets the very gas it is given.
contract StarvedTest is Fixture {
    uint256 private constant STEP = 1000;
    /// More than any of these calls takes.
    uint256 private constant PLENTY = 1_000_000;

    /// The partial value that is wrong; no constant, or the compiler unfolds more than its stack holds.
    uint256 private wrong = 1;

    /// All that a call could leave half done.
    function _books(bytes32 claimId, bytes32 id) private view returns (bytes32) {
        uint256[6] memory sums = [
            game.burned(),
            game.locked(),
            address(game).balance,
            game.owed(EXECUTOR),
            game.owed(CHALLENGER),
            game.owed(STRANGER)
        ];
        return keccak256(abi.encode(game.claim(claimId), game.matchState(id), game.job(jobId), sums));
    }

    /// Sends `call` with more and more gas, until it is done, and then undoes it. Before that nothing changes.
    function _starve(bytes32 claimId, bytes32 id, address from, bytes memory call) private forgetful {
        bytes32 before = _books(claimId, id);
        uint256 snapshot = vm.snapshotState();
        uint256 starved;
        for (uint256 gas = STEP;; gas += STEP) {
            holds(gas < PLENTY, "it is done in the end");
            vm.prank(from);
            (bool done,) = address(game).call{gas: gas}(call);
            if (done) break;
            same(_books(claimId, id), before, "nothing has changed");
            ++starved;
        }
        holds(starved > 0, "the first was too little");
        vm.revertToState(snapshot);
        same(_books(claimId, id), before, "it was undone");
    }

    function _pick(bytes32 id, uint256 goal) private {
        uint256 k = bits(id);
        uint256 child = (goal >> (tracks[id].remaining - k)) & ((1 << k) - 1);
        Entry memory e = entry(id, (tracks[id].position << k) + child);
        _starve(tracks[id].claimId, id, CHALLENGER, pickCall(id, child, e));
    }

    function _segment(bytes32 id, int64[] memory sums, uint256 index) private {
        Track storage t = tracks[id];
        uint256 split = op(t.place).split;
        Witness memory w = witnessOf(t.place, named(id), index * split, (index + 1) * split);
        _starve(t.claimId, id, CHALLENGER, segmentCall(id, sums, index, w));
    }

    /// forge-config: default.isolate = false
    function test_attack_29_no_move_with_too_little_gas_changes_anything() public {
        // A dot of local operands in a layer of several: every kind of move is made.
        lie(4, 7);
        bytes32 claimId = postClaim();
        bytes32 id = openMatch(claimId);
        (uint256 layer, uint256 position) = layerOf(4);
        while (tracks[id].phase < Phase.DATA_E) {
            uint256 phase = tracks[id].phase;
            if (phase == Phase.SUB_E) {
                bytes memory signature = signedSubTrace(claimId, layer);
                _starve(claimId, id, STRANGER, subTraceCall(id, subRoots(layer), signature));
                subTrace(id);
            } else if (phase == Phase.SUB_C) {
                _starve(claimId, id, CHALLENGER, pickOperatorCall(id, position));
                pickOperator(id, position);
            } else if (executorsTurn(id)) {
                _starve(claimId, id, EXECUTOR, revealCall(id, children(id)));
                reveal(id);
            } else {
                _pick(id, phase <= Phase.LAYER_C ? layer : 0);
                pickTowards(id, layer, 0);
            }
        }
        _starve(claimId, id, EXECUTOR, revealTilesCall(id, tilesNow(id)));
        revealTiles(id);
        Witness memory nothing;
        _starve(claimId, id, CHALLENGER, nameCall(id, 7, nothing));
        name(id, 7);
        int64[] memory sums = liar(4, 7, wrong);
        _starve(claimId, id, STRANGER, foldCall(id, sums, signedSums(id, pack(sums))));
        fold(id, sums);
        _segment(id, sums, wrong);
        segment(id, sums, wrong);
        same(tracks[id].phase, Phase.WON, "won");
        _starve(claimId, id, STRANGER, reclaimCall(id));
        reclaim(id);
    }

    /// forge-config: default.isolate = false
    function test_attack_29_a_refutation_out_of_gas_is_no_verdict() public {
        lie(4, 0);
        bytes32 claimId = postClaim();
        bytes32 seat = commit(claimId, CHALLENGER, ownCommitment(claimId, CHALLENGER));
        wait(1);
        (uint256 layer,) = layerOf(4);
        bytes memory call = refuteCall(claimId, refutation(4, 0, signedSubTrace(claimId, layer)));
        _starve(claimId, seat, STRANGER, call);
        send(STRANGER, call);
        IGame.Claim memory c = game.claim(claimId);
        holds(c.status == IGame.Status.Refuted, "refuted");
        same(c.point, keccak256(abi.encode(pointOf(4, 0))), "the right point");
        call = openRewardCall(seat, pointOf(4, 0));
        _starve(claimId, seat, CHALLENGER, call);
        send(CHALLENGER, call);
        wait(300);
        call = abi.encodeCall(game.collectReward, (claimId));
        _starve(claimId, seat, STRANGER, call);
        send(STRANGER, call);
        same(game.owed(CHALLENGER), 0.5 ether, "the reward");
    }

    /// forge-config: default.isolate = false
    function test_attack_29_no_gas_convicts_an_honest_claim() public {
        bytes32 claimId = postClaim();
        bytes32 id = openMatch(claimId);
        (uint256 layer,) = layerOf(4);
        _noFault(claimId, id, refuteCall(claimId, refutation(4, 0, signedSubTrace(claimId, layer))));
        walk(id, 1, 0);
        _starve(claimId, id, CHALLENGER, nameCall(id, 2, witnessOf(tracks[id].place, 2)));
        name(id, 2);
        same(tracks[id].phase, Phase.LOST, "the challenger lost");
        holds(status(claimId) == IGame.Status.Pending, "it stands");
    }

    /// With no gas is it done; with enough it is refused for the right reason.
    function _noFault(bytes32 claimId, bytes32 id, bytes memory call) private forgetful {
        bytes32 before = _books(claimId, id);
        bytes4 why;
        for (uint256 gas = STEP; gas < PLENTY && why != IGame.NoFault.selector; gas += STEP) {
            vm.prank(STRANGER);
            (bool done, bytes memory answer) = address(game).call{gas: gas}(call);
            holds(!done, "no verdict");
            same(_books(claimId, id), before, "nothing has changed");
            why = bytes4(answer);
        }
        same(bytes32(why), bytes32(IGame.NoFault.selector), "no fault");
    }
}
