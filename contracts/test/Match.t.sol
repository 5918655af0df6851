// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IGame} from "../sol/IGame.sol";
import {MatchWord, Phase} from "../sol/MatchWord.sol";
import {Fixture} from "./Fixture.sol";
import {Model} from "./Model.sol";
import {Naive} from "./Naive.sol";

/// Whole matches, played to their verdicts.
contract MatchTest is Fixture {
    uint256 private constant REWARD = 0.5 ether + 0.1 ether + 1;
    uint256 private constant COMPENSATION = 0.05 ether;

    function won(bytes32 id) private view {
        same(phase(id), Phase.WON, "won");
        same(uint256(game.claim(game.matchOf(id).claimId).status), uint256(IGame.Status.Refuted), "refuted");
        same(game.owed(CHALLENGER), REWARD, "reward and bond");
        same(game.owed(EXECUTOR), 0, "executor");
        same(game.job(jobId).pending, 0, "pending");
    }

    function lost(bytes32 id) private view {
        same(phase(id), Phase.LOST, "lost");
        same(uint256(game.claim(game.matchOf(id).claimId).status), uint256(IGame.Status.Pending), "pending");
        same(game.claim(game.matchOf(id).claimId).openMatches, 0, "open matches");
        same(game.owed(EXECUTOR), COMPENSATION, "compensation");
        same(game.owed(CHALLENGER), 0, "challenger");
    }

    function nameAt(uint256 layer, uint256 element) private returns (bytes32 id) {
        uint256 inTile = 128 / Model.size(op(layer).outType);
        id = open(postClaim());
        walk(id, layer, element / inTile);
        revealTile(id);
        name(id, element % inTile);
    }

    function test_attack_01_one_wrong_element_in_the_max_layer() public {
        lie(1, 0);
        won(nameAt(1, 0));
    }

    function test_attack_01_one_wrong_element_in_the_pair_layer() public {
        lie(2, 79);
        won(nameAt(2, 79));
    }

    function test_attack_01_one_wrong_element_in_the_dot_layer_first_segment() public {
        lie(0, 0);
        _foldLie(0, 0);
    }

    function test_attack_01_one_wrong_element_in_the_dot_layer_last_segment() public {
        lie(0, 159);
        _foldLie(159, 2);
    }

    /// The liar moves one partial value until the finalised value is the one it claimed.
    function _foldLie(uint256 e, uint256 index) private {
        bytes32 id = nameAt(0, e);
        fold(id, sumsOf(0, e), IGame.FoldMismatch.selector);
        int64[] memory sums = liar(e, index);
        fold(id, sums, 0);
        same(phase(id), Phase.SEG, "segment");
        segment(id, sums, index);
        won(id);
    }

    function test_attack_02_a_wrong_input_of_a_right_output() public {
        lie(0, 77);
        bytes32 id = nameAt(0, 77);
        same(phase(id), Phase.FOLD_E, "fold");
        wait(110);
        game.timeout(id);
        won(id);
    }

    function test_attack_03_the_output_is_not_the_last_leaf() public {
        bytes32[] memory leaves = layerLeaves();
        bytes memory output = said[2];
        output[3] ^= 0x01;
        bytes32[] memory path = Naive.path(leaves, 2);
        bytes32 root = Naive.root(leaves);
        vm.expectRevert(IGame.BadOpening.selector);
        vm.prank(EXECUTOR);
        game.postClaim{value: 1 ether + 1}(jobId, root, output, path);
    }

    function test_attack_04_withheld_children() public {
        lie(0, 0);
        bytes32 id = open(postClaim());
        wait(109);
        vm.expectRevert(IGame.NotYet.selector);
        game.timeout(id);
        wait(1);
        game.timeout(id);
        conserved();
        won(id);
        same(word(id).layer(), 0, "layer");
    }

    function test_attack_04_withheld_children_are_supplied_by_the_challenger() public {
        lie(1, 3);
        bytes32 id = open(postClaim());
        while (phase(id) < Phase.DATA_E) pickTowards(id, 1, 0);
        name(id, 3);
        won(id);
    }

    function test_attack_05_a_trace_padding_leaf_that_is_not_the_constant() public {
        layerLie = keccak256("not padding");
        bytes32 id = open(postClaim());
        reveal(id);
        pickTowards(id, 3, 0);
        reveal(id);
        pickTowards(id, 3, 0);
        won(id);
    }

    function test_attack_05_a_padding_tile_that_is_not_the_constant() public {
        tileLie = Naive.leaf(new bytes(128));
        bytes32 id = open(postClaim());
        while (phase(id) <= Phase.TILE_C) pickTowards(id, 0, 3);
        won(id);
    }

    function test_attack_05_a_byte_in_a_last_tiles_padding() public {
        lie(0, 160);
        bytes32 id = open(postClaim());
        walk(id, 0, 2);
        nameRefused(id, 33, IGame.PaddingHonest.selector);
        name(id, 32);
        won(id);
    }

    function test_attack_05_children_of_another_arity() public {
        bytes32 id = open(postClaim());
        bytes32[] memory all = Naive.descendants(layerLeaves(), 2, 0, 2);
        bytes32[] memory one = new bytes32[](1);
        one[0] = game.matchOf(id).node;
        bytes32 s = state(id);
        vm.expectRevert(IGame.WrongCount.selector);
        game.reveal(id, s, all);
        vm.expectRevert(IGame.WrongCount.selector);
        game.reveal(id, s, one);
        vm.expectRevert(IGame.WrongCount.selector);
        game.reveal(id, s, new bytes32[](0));
    }

    function test_attack_10_partial_sums_that_telescope() public {
        lie(0, 64);
        tellTruth(); // an honest claim: the sums are the lie
        bytes32 id = nameAt(0, 64);
        int64[] memory sums = sumsOf(0, 64);
        sums[0] += 7;
        sums[2] -= 7;
        fold(id, sums, 0);
        segment(id, sums, 2);
        won(id);
    }

    function test_attack_11_the_edges_of_an_honest_layer_stand() public {
        bytes32 claimId = postClaim();
        uint256[4] memory edges = [uint256(0), 3, 8, 11];
        for (uint256 i; i < 4; ++i) {
            bytes32 id = open(claimId);
            walk(id, 1, 0);
            revealTile(id);
            nameRefused(id, 12, IGame.PaddingHonest.selector);
            name(id, edges[i]);
            same(phase(id), Phase.LOST, "lost");
        }
    }

    function test_attack_12_an_honest_claim_stands_at_every_leaf() public {
        uint256 paid;
        bytes32 claimId = postClaim();
        for (uint256 layer; layer < LAYERS; ++layer) {
            uint256 inTile = 128 / Model.size(op(layer).outType);
            for (uint256 tile; tile * inTile < Model.elements(op(layer)); ++tile) {
                bytes32 id = open(claimId);
                walk(id, layer, tile);
                revealTile(id);
                name(id, 0);
                if (layer == 0) {
                    int64[] memory sums = sumsOf(0, tile * inTile);
                    fold(id, sums, 0);
                    segment(id, sums, tile);
                }
                same(phase(id), Phase.LOST, "lost");
                paid += COMPENSATION;
                same(game.owed(EXECUTOR), paid, "compensation");
            }
        }
        wait(1000);
        game.finalise(claimId);
        conserved();
        same(game.owed(EXECUTOR), paid + 1 ether + 1 + 1 ether, "bond and fee");
    }

    function test_attack_12_honest_padding_is_refused() public {
        bytes32 id = open(postClaim());
        reveal(id);
        pickTowards(id, 3, 0);
        reveal(id);
        bytes32 s = state(id);
        bytes32[] memory nodes = children(id);
        vm.expectRevert(IGame.PaddingHonest.selector);
        vm.prank(CHALLENGER);
        game.pick(id, s, nodes, 1, "", new bytes32[](0));
        // Stalled there, the challenger loses.
        wait(210);
        game.timeout(id);
        conserved();
        lost(id);
    }

    function test_attack_13_a_challenger_that_stalls_loses() public {
        lie(0, 0);
        bytes32 id = open(postClaim());
        reveal(id);
        wait(209);
        vm.expectRevert(IGame.NotYet.selector);
        game.timeout(id);
        wait(1);
        game.timeout(id);
        conserved();
        lost(id);
    }

    function test_attack_13_a_later_fault_loses_if_it_follows_from_an_earlier_one() public {
        // Layer 2 is right given the lie in layer 0: there is no fault to find in it.
        lie(0, 5);
        bytes memory data = said[2];
        Model.put(data, 5, 3, _pairValue(5));
        Model.put(data, 45, 3, _pairValue(45));
        said[2] = data;
        lost(nameAt(2, 5));
    }

    function _pairValue(uint256 e) private view returns (int256) {
        int256 acc = Model.fold(op(2), e, 0, 1, said[0], input);
        return Model.finaliseBy(op(2), e, acc, constants[3]);
    }

    function test_the_state_after_each_move() public {
        lie(2, 70);
        bytes32 id = open(postClaim());
        MatchWord w = word(id);
        same(w.phase(), Phase.LAYER_E, "phase");
        same(w.remaining(), 2, "remaining");
        same(w.turnStart(), TIME, "turn");
        same(game.matchOf(id).operator, 0, "no operator");
        walk(id, 2, 2);
        w = word(id);
        same(w.phase(), Phase.DATA_E, "phase");
        same(w.remaining(), 0, "remaining");
        same(w.position(), 2, "position");
        same(w.layer(), 2, "layer");
        same(w.tiles(), 3, "tiles");
        same(game.matchOf(id).operator, Model.operatorLeaf(Model.descriptor(op(2))), "operator");
        same(game.matchOf(id).node, Naive.leaf(tileOf(id)), "node");
        nameRefused(id, 32, IGame.WrongIndex.selector);
        name(id, 6);
        won(id);
    }

    function test_names_more_than_one_segment() public {
        lie(0, 100);
        bytes32 id = nameAt(0, 100);
        MatchWord w = word(id);
        same(w.phase(), Phase.FOLD_E, "phase");
        same(w.element(), 36, "element");
        same(w.value(), Model.valueAt(said[0], 100, 2), "value");
    }

    function test_fold_refusals() public {
        lie(0, 100);
        bytes32 id = nameAt(0, 100);
        fold(id, new int64[](2), IGame.WrongCount.selector);
        fold(id, new int64[](4), IGame.WrongCount.selector);
        int64[] memory sums = sumsOf(0, 100);
        sums[1] = 1 << 62;
        fold(id, sums, IGame.OutOfRange.selector);
        sums[1] = -1 << 62;
        fold(id, sums, IGame.OutOfRange.selector);
        sums[1] = type(int64).min;
        fold(id, sums, IGame.OutOfRange.selector);
        sums[1] = (1 << 62) - 1;
        fold(id, sums, IGame.FoldMismatch.selector);
    }
}
