// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IGame} from "../sol/IGame.sol";
import {Phase} from "../sol/MatchWord.sol";
import {Fixture} from "./Fixture.sol";
import {Model} from "./Model.sol";
import {Naive} from "./Naive.sol";
import {Track} from "./Setting.sol";
import {Witness} from "./Packed.sol";

/// Whole matches, played to their verdicts.
contract MatchTest is Fixture {
    uint256 private constant REWARD = 0.5 ether;

    /// Won, by a verdict that knows the right value or not, by evidence that hangs on the roots or not.
    function won(bytes32 id, bool point, bool byRoots) private {
        Track storage t = tracks[id];
        same(t.phase, Phase.WON, "won");
        IGame.Claim memory c = game.claim(t.claimId);
        holds(c.status == IGame.Status.Refuted, "refuted");
        holds(c.byRoots == byRoots, "by roots");
        same(c.point != 0 ? 1 : 0, point ? 1 : 0, "point");
        same(c.refutedAt, point ? now_() : 0, "refuted at");
        same(game.burned(), 0.5 ether + 1 + CLAIM_FEE, "burned");
        same(game.owed(CHALLENGER), point ? 0 : REWARD, "reward");
        reclaim(id);
        same(game.owed(CHALLENGER), (point ? 0 : REWARD) + bond(), "bond");
        if (point) {
            wait(300);
            send(STRANGER, abi.encodeCall(game.collectReward, (t.claimId)));
        }
        wait(100_000);
        send(STRANGER, abi.encodeCall(game.refund, (jobId)));
        drained();
    }

    function lost(bytes32 id) private {
        Track storage t = tracks[id];
        same(t.phase, Phase.LOST, "lost");
        IGame.Claim memory c = game.claim(t.claimId);
        holds(c.status == IGame.Status.Pending, "pending");
        same(c.openMatches, 0, "open matches");
        same(game.owed(EXECUTOR), 7, "the delay fee: the base fee is 0");
        same(game.owed(CHALLENGER), 0, "challenger");
        wait(1000);
        send(STRANGER, abi.encodeCall(game.finalise, (posts[t.claimId])));
        same(game.owed(EXECUTOR), 7 + 1 ether + params().executorBond, "fee and bond");
        drained();
    }

    function nameAt(uint256 operator, uint256 e) private returns (bytes32 id) {
        id = openMatch(postClaim());
        walk(id, operator, e * Model.size(op(operator).outType) / 128);
        revealTiles(id);
        name(id, e);
    }

    function test_attack_01_one_wrong_element_in_the_max_layer() public {
        lie(1, 0);
        won(nameAt(1, 0), true, true);
    }

    function test_attack_01_one_wrong_element_in_the_pair_of_a_layer_of_three() public {
        lie(2, 79);
        bytes32 id = nameAt(2, 79);
        same(game.claim(tracks[id].claimId).point, keccak256(abi.encode(pointOf(2, 79))), "point");
        won(id, true, false);
    }

    function test_attack_01_one_wrong_element_that_no_root_holds() public {
        // What operator 4 exports of it is wrong too, but follows.
        lie(3, 9);
        for (uint256 e; e < 8; ++e) {
            bytes memory data = said[4];
            Model.put(data, e, 1, recomputed(said, 4, e));
            said[4] = data;
        }
        won(nameAt(3, 9), true, false);
    }

    function test_attack_01_one_wrong_element_of_an_operator_that_reads_two_exports() public {
        lie(7, 3);
        won(nameAt(7, 3), true, true);
    }

    function test_attack_01_one_wrong_element_of_an_operator_that_reads_the_second_of_two_exports() public {
        lie(5, 1);
        for (uint256 e; e < 4; ++e) {
            bytes memory data = said[6];
            Model.put(data, e, 2, recomputed(said, 6, e));
            said[6] = data;
        }
        won(nameAt(5, 1), true, false);
    }

    function test_attack_01_one_wrong_element_in_the_dot_layer_first_segment() public {
        lie(0, 0);
        _foldLie(0, 0, 0);
    }

    function test_attack_01_one_wrong_element_in_the_dot_layer_last_segment() public {
        lie(0, 319);
        _foldLie(0, 319, 2);
    }

    function test_attack_01_one_wrong_element_in_a_dot_of_local_operands() public {
        lie(4, 7);
        _foldLie(4, 7, 1);
    }

    /// The liar moves one partial value until the finalised value is the one it claimed.
    function _foldLie(uint256 operator, uint256 e, uint256 index) private {
        bytes32 id = nameAt(operator, e);
        refuse(EXECUTOR, foldCall(id, sumsOf(operator, e), ""), IGame.FoldMismatch.selector);
        int64[] memory sums = liar(operator, e, index);
        fold(id, sums);
        segment(id, sums, index);
        won(id, false, false);
    }

    function test_attack_02_a_wrong_trace_of_a_right_output() public {
        lie(0, 77);
        bytes32 id = nameAt(0, 77);
        same(tracks[id].phase, Phase.FOLD_E, "fold");
        wait(110);
        timeout(id);
        won(id, false, false);
    }

    function test_attack_04_withheld_children() public {
        lie(0, 0);
        bytes32 id = openMatch(postClaim());
        wait(109);
        refuse(STRANGER, timeoutCall(id), IGame.NotYet.selector);
        wait(1);
        timeout(id);
        won(id, false, false);
    }

    function test_attack_04_a_withheld_sub_trace() public {
        lie(3, 0);
        lie(4, 0);
        bytes32 id = openMatch(postClaim());
        while (tracks[id].phase < Phase.SUB_E) pickTowards(id, 2, 0);
        wait(110);
        timeout(id);
        won(id, false, false);
    }

    function test_attack_04_withheld_children_are_supplied_by_the_challenger() public {
        lie(1, 3);
        bytes32 id = openMatch(postClaim());
        while (tracks[id].phase < Phase.DATA_E) pickTowards(id, 1, 0);
        name(id, 3);
        same(tracks[id].answers, 0, "no answers");
        won(id, true, true);
    }

    function test_attack_05_a_trace_padding_leaf_that_is_not_the_constant() public {
        layerLie = keccak256("not padding");
        bytes32 id = openMatch(postClaim());
        while (tracks[id].phase != Phase.WON) {
            reveal(id);
            pickTowards(id, 5, 0);
        }
        won(id, false, false);
    }

    function test_attack_05_a_padding_tile_that_is_not_the_constant() public {
        tileLie = Naive.leaf(new bytes(128));
        bytes32 id = openMatch(postClaim());
        while (tracks[id].phase < Phase.TILE_E) pickTowards(id, 0, 0);
        pickTowards(id, 0, 4);
        // Its one real tile does not lead to the node: the executor can only fall silent.
        refuse(EXECUTOR, revealTilesCall(id, tilesNow(id)), IGame.WrongState.selector);
        bytes memory two = bytes.concat(tilesNow(id), new bytes(128));
        refuse(EXECUTOR, revealTilesCall(id, two), IGame.WrongCount.selector);
        refuse(EXECUTOR, revealTilesCall(id, ""), IGame.WrongCount.selector);
        wait(110);
        timeout(id);
        won(id, false, false);
    }

    function test_attack_05_a_byte_in_a_last_tiles_padding() public {
        lie(2, 80);
        bytes32 id = openMatch(postClaim());
        walk(id, 2, 0);
        revealTiles(id);
        Witness memory w;
        refuse(CHALLENGER, nameCall(id, 81, w), IGame.PaddingHonest.selector);
        name(id, 80);
        won(id, false, false);
    }

    function test_attack_05_a_byte_in_the_padding_of_a_layer_of_one() public {
        lie(1, 12);
        bytes32 id = openMatch(postClaim());
        walk(id, 1, 0);
        name(id, 12);
        won(id, false, true);
    }

    function test_attack_06_a_sub_trace_that_is_not_the_leafs() public {
        lie(2, 0);
        bytes32 id = openMatch(postClaim());
        while (tracks[id].phase < Phase.SUB_E) pickTowards(id, 2, 0);
        bytes32[] memory roots = subRoots(2);
        roots[0] = Naive.tensorRoot(Naive.leavesOf(truth[2]));
        refuse(EXECUTOR, subTraceCall(id, roots, ""), IGame.WrongState.selector);
        // What is not exported, nothing binds: the challenger finds it where it is wrong.
        roots = subRoots(2);
        roots[1] = keccak256("junk");
        subTrace(id, EXECUTOR, roots, "");
        same(tracks[id].phase, Phase.SUB_C, "stated");
    }

    function test_attack_10_partial_sums_that_telescope() public {
        // An honest claim: the sums are the lie.
        bytes32 id = nameAt(0, 64);
        int64[] memory sums = sumsOf(0, 64);
        sums[0] += 7;
        sums[2] -= 7;
        fold(id, sums);
        segment(id, sums, 2);
        won(id, false, false);
    }

    function test_attack_12_an_honest_claim_stands_at_every_leaf() public {
        uint256 paid;
        bytes32 claimId = postClaim();
        for (uint256 operator; operator < OPERATORS; ++operator) {
            uint256 inTile = 128 / Model.size(op(operator).outType);
            for (uint256 tile; tile * inTile < Model.elements(op(operator)); ++tile) {
                _lose(claimId, operator, tile * inTile);
                paid += 7;
                same(game.owed(EXECUTOR), paid, "compensation");
            }
        }
        wait(1000);
        send(STRANGER, abi.encodeCall(game.finalise, (posts[claimId])));
        same(game.owed(EXECUTOR), paid + 1 ether + 1 + 1 ether, "bond and fee");
        drained();
    }

    function _lose(bytes32 claimId, uint256 operator, uint256 e) private forgetful {
        bytes32 id = openMatch(claimId);
        walk(id, operator, e * Model.size(op(operator).outType) / 128);
        revealTiles(id);
        name(id, e);
        if (tracks[id].phase == Phase.FOLD_E) {
            int64[] memory sums = sumsOf(operator, e);
            fold(id, sums);
            segment(id, sums, e % sums.length);
        }
        same(tracks[id].phase, Phase.LOST, "lost");
    }

    function test_attack_12_honest_padding_is_refused() public {
        bytes32 id = openMatch(postClaim());
        Entry memory nothing;
        for (uint256 i; i < 2; ++i) {
            reveal(id);
            if (i == 1) refuse(CHALLENGER, pickCall(id, 1, nothing), IGame.PaddingHonest.selector);
            pickTowards(id, 4, 0);
        }
        reveal(id);
        refuse(CHALLENGER, pickCall(id, 1, nothing), IGame.PaddingHonest.selector);
        // Stalled there, the challenger loses.
        wait(210);
        timeout(id);
        lost(id);
    }

    function test_attack_13_a_challenger_that_stalls_loses() public {
        lie(0, 0);
        bytes32 id = openMatch(postClaim());
        reveal(id);
        wait(209);
        refuse(STRANGER, timeoutCall(id), IGame.NotYet.selector);
        wait(1);
        timeout(id);
        lost(id);
    }

    function test_attack_13_a_later_fault_loses_if_it_follows_from_an_earlier_one() public {
        // Operator 2 is right given the lie in operator 0: there is no fault to find in it.
        lie(0, 5);
        bytes memory data = said[2];
        Model.put(data, 5, 3, recomputed(said, 2, 5));
        Model.put(data, 45, 3, recomputed(said, 2, 45));
        said[2] = data;
        lost(nameAt(2, 5));
    }

    /// Isolated transactions have no base fee.
    /// forge-config: default.isolate = false
    function test_a_lost_match_pays_for_the_executors_answers() public {
        bytes32 claimId = postClaim();
        uint256[3] memory fees = [uint256(3), 1 gwei, 50 gwei];
        uint256 paid;
        uint256 burned = game.burned();
        for (uint256 i; i < 3; ++i) {
            vm.fee(fees[i]);
            bytes32 id = openMatch(claimId);
            walk(id, 1, 0);
            revealTiles(id);
            name(id, 1);
            same(tracks[id].answers, 4, "three reveals and the tile");
            uint256 due = 4 * answerGas() * (fees[i] < 1 gwei ? fees[i] : 1 gwei) + 7;
            if (due > bond()) due = bond();
            paid += due;
            burned += bond() - due;
            same(game.owed(EXECUTOR), paid, "compensation");
            same(game.burned(), burned, "the rest is burned");
        }
    }
}
