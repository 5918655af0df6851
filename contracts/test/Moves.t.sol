// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IGame} from "../sol/IGame.sol";
import {MatchWord, Phase} from "../sol/MatchWord.sol";
import {Fixture} from "./Fixture.sol";
import {Model, Op} from "./Model.sol";
import {Naive} from "./Naive.sol";

/// Who may move when: phases, states, senders, clocks, guards.
contract MovesTest is Fixture {
    bytes32[] private nothing;

    function call(bytes32 id, bytes32 s, uint256 move) private view returns (bytes memory) {
        IGame.Witness memory w;
        if (move == 0) return abi.encodeCall(game.reveal, (id, s, nothing));
        if (move == 1) return abi.encodeCall(game.pick, (id, s, nothing, 0, "", nothing));
        if (move == 2) return abi.encodeCall(game.revealTile, (id, s, ""));
        if (move == 3) return abi.encodeCall(game.name, (id, s, "", 0, "", w));
        if (move == 4) return abi.encodeCall(game.fold, (id, s, "", "", w.a));
        return abi.encodeCall(game.segment, (id, s, "", "", 0, w));
    }

    /// The refusals of an otherwise empty move, by sender.
    function refusal(bytes32 id, bytes32 s, uint256 move, address sender) private returns (bytes4) {
        bytes memory data = call(id, s, move);
        vm.prank(sender);
        (bool done, bytes memory why) = address(game).call(data);
        holds(!done, "an empty move is refused");
        return bytes4(why);
    }

    /// Each move in each phase: the wrong phase comes before everything else, then state, sender, guard.
    function test_attack_08_every_move_in_every_phase() public {
        lie(0, 4);
        bytes32 id = open(postClaim());
        for (uint256 i; i < 12; ++i) {
            uint8 p = phase(id);
            for (uint256 move; move < 6; ++move) {
                bool legal = move == 0
                    ? p == Phase.LAYER_E || p == Phase.TILE_E
                    : move == 1
                        ? p <= Phase.TILE_C
                        : move == 2
                            ? p == Phase.DATA_E
                            : move == 3
                                ? p == Phase.DATA_E || p == Phase.NAME
                                : move == 4 ? p == Phase.FOLD_E : p == Phase.SEG;
                _check(id, move, legal);
            }
            _advance(id);
        }
        same(phase(id), Phase.WON, "played to its end");
    }

    function _check(bytes32 id, uint256 move, bool legal) private forgetful {
        bytes32 s = state(id);
        if (!legal) {
            answers(refusal(id, ~s, move, STRANGER), IGame.WrongPhase.selector, "phase");
            return;
        }
        answers(refusal(id, ~s, move, STRANGER), IGame.WrongState.selector, "state");
        if (move != 0 && move != 2) answers(refusal(id, s, move, STRANGER), IGame.NotYourMove.selector, "sender");
        if (move == 4) answers(refusal(id, s, move, CHALLENGER), IGame.NotYourMove.selector, "executor's");
        else if (move != 0 && move != 2) answers(refusal(id, s, move, EXECUTOR), IGame.NotYourMove.selector, "challenger's");
        bytes4 guard = move < 2
            ? IGame.WrongCount.selector
            : move < 4 ? IGame.WrongLength.selector : IGame.WrongDescriptor.selector;
        answers(refusal(id, s, move, move == 4 ? EXECUTOR : CHALLENGER), guard, "guard");
    }

    function answers(bytes4 left, bytes4 right, string memory what) private pure {
        same(bytes32(left), bytes32(right), what);
    }

    function _advance(bytes32 id) private forgetful {
        uint8 p = phase(id);
        if (p == Phase.LAYER_E || p == Phase.TILE_E) reveal(id);
        else if (p == Phase.LAYER_C || p == Phase.TILE_C) pickTowards(id, 0, 0);
        else if (p == Phase.DATA_E) revealTile(id);
        else if (p == Phase.NAME) name(id, 4);
        else if (p == Phase.FOLD_E) fold(id, liar(4, 1), 0);
        else if (p == Phase.SEG) segment(id, liar(4, 1), 1);
    }

    function test_attack_08_no_move_after_the_verdict() public {
        lie(1, 0);
        bytes32 claimId = postClaim();
        bytes32 id = open(claimId);
        bytes32 other = open(claimId);
        walk(id, 1, 0);
        name(id, 0);
        same(phase(id), Phase.WON, "won");
        for (uint256 move; move < 6; ++move) {
            answers(refusal(id, state(id), move, EXECUTOR), IGame.WrongPhase.selector, "over");
        }
        vm.expectRevert(IGame.WrongPhase.selector);
        game.timeout(id);
        vm.expectRevert(IGame.WrongPhase.selector);
        game.reclaim(id);
        // The claim's other match is overtaken.
        answers(refusal(other, state(other), 0, EXECUTOR), IGame.ClaimClosed.selector, "claim");
        wait(110);
        vm.expectRevert(IGame.ClaimClosed.selector);
        game.timeout(other);
        vm.expectRevert(IGame.ClaimClosed.selector);
        game.finalise(claimId);
        game.reclaim(other);
        conserved();
        same(game.owed(CHALLENGER), 0.5 ether + 2 * (0.1 ether + 1), "reward, bond and bond");
    }

    function test_attack_17_a_move_names_the_state_that_it_answers() public {
        bytes32 claimId = postClaim();
        bytes32 id = open(claimId);
        bytes32 other = open(claimId);
        bytes32 s = state(id);
        bytes32[] memory nodes = children(id);
        holds(s != state(other), "states differ between matches");
        vm.expectRevert(IGame.WrongState.selector);
        game.reveal(other, s, nodes);
        // A byte-identical copy from the pool plays the same move, once.
        vm.prank(STRANGER);
        game.reveal(id, s, nodes);
        vm.expectRevert(IGame.WrongPhase.selector);
        vm.prank(EXECUTOR);
        game.reveal(id, s, nodes);
        s = state(id);
        vm.expectRevert(IGame.NotYourMove.selector);
        vm.prank(STRANGER);
        game.pick(id, s, nodes, 0, "", nothing);
    }

    function test_attack_18_only_the_executor_states_partial_values() public {
        bytes32 id = open(postClaim());
        walk(id, 0, 1);
        revealTile(id);
        name(id, 9);
        int64[] memory sums = sumsOf(0, 73);
        sums[0] += 1;
        sums[1] -= 1;
        bytes memory packed = pack(sums);
        bytes memory d = Model.descriptor(op(0));
        IGame.Opened memory record = recordOf(0, 73);
        bytes32 s = state(id);
        vm.expectRevert(IGame.NotYourMove.selector);
        vm.prank(CHALLENGER);
        game.fold(id, s, d, packed, record);
        sums = sumsOf(0, 73);
        fold(id, sums, 0);
        IGame.Witness memory w = witness(0, 73, 0, 40);
        s = state(id);
        vm.expectRevert(IGame.WrongStatement.selector);
        vm.prank(CHALLENGER);
        game.segment(id, s, d, packed, 0, w);
        packed = pack(sums);
        vm.expectRevert(IGame.WrongIndex.selector);
        vm.prank(CHALLENGER);
        game.segment(id, s, d, packed, 3, w);
        // The tiles of the segment's own b are needed: another segment's do not do.
        w = witness(0, 73, 0, 1);
        IGame.Opened memory b = witness(0, 0, 0, 1).b;
        w.b = b;
        vm.expectRevert(IGame.WitnessMissing.selector);
        vm.prank(CHALLENGER);
        game.segment(id, s, d, packed, 0, w);
        w.params = record;
        vm.expectRevert(IGame.WitnessExtra.selector);
        vm.prank(CHALLENGER);
        game.segment(id, s, d, packed, 0, w);
        segment(id, sums, 0);
        same(phase(id), Phase.LOST, "lost");
    }

    function test_attack_19_either_the_move_or_the_timeout_is_legal() public {
        for (uint256 d; d < 4; ++d) {
            lie(1, d + 1);
            bytes32 id = open(postClaim());
            wait(108 + d); // the executor's last second is 109: grace 10, clock 100
            bytes32 s = state(id);
            bytes32[] memory nodes = children(id);
            if (d < 2) {
                vm.expectRevert(IGame.NotYet.selector);
                game.timeout(id);
                vm.prank(EXECUTOR);
                game.reveal(id, s, nodes);
                same(word(id).withPhase(1).turnClock(), 2 - d, "what is left");
            } else {
                vm.expectRevert(IGame.TooLate.selector);
                vm.prank(EXECUTOR);
                game.reveal(id, s, nodes);
                vm.expectRevert(IGame.TooLate.selector);
                vm.prank(CHALLENGER);
                game.pick(id, s, nodes, 0, "", nothing);
                game.timeout(id);
                same(phase(id), Phase.WON, "won");
            }
            conserved();
        }
    }

    function test_attack_20_time_is_charged_once_and_never_comes_back() public {
        lie(1, 0);
        bytes32 id = open(postClaim());
        same(word(id).turnClock(), 100, "executor's clock");
        wait(10);
        reveal(id);
        same(word(id).withPhase(1).turnClock(), 100, "within the grace");
        same(word(id).turnClock(), 200, "challenger's clock");
        wait(0);
        pickTowards(id, 1, 0);
        wait(60);
        reveal(id);
        same(word(id).withPhase(1).turnClock(), 50, "60 less the grace");
        wait(211 - 1 - 1);
        pickTowards(id, 1, 0);
        same(word(id).withPhase(2).turnClock(), 1, "199 of 200");
        wait(60);
        vm.expectRevert(IGame.TooLate.selector);
        this.tryReveal(id);
        game.timeout(id);
        same(phase(id), Phase.WON, "won");
        same(word(id).withPhase(1).turnClock(), 0, "run out");
    }

    function tryReveal(bytes32 id) external {
        bytes32 s = state(id);
        game.revealTile(id, s, tileOf(id));
    }

    /// A challenger that supplies the nodes itself spends the executor's time, not its own.
    function test_attack_20_supplied_nodes_are_charged_to_the_executor() public {
        bytes32 id = open(postClaim());
        wait(50);
        pickTowards(id, 0, 0);
        same(word(id).withPhase(1).turnClock(), 60, "executor's clock");
        same(word(id).withPhase(2).turnClock(), 200, "challenger's clock");
    }

    function test_attack_22_delays_spread_over_moves_add_up() public {
        bytes32 id = open(postClaim());
        uint256 left = 100;
        while (phase(id) < Phase.DATA_E) {
            if (word(id).executorsTurn()) {
                wait(30);
                left -= 20;
            }
            pickOrReveal(id);
            same(word(id).withPhase(1).turnClock(), left, "clock");
        }
    }

    function pickOrReveal(bytes32 id) private {
        if (word(id).executorsTurn()) reveal(id);
        else pickTowards(id, 0, 0);
    }

    function refusePick(bytes32 id, bytes32[] memory nodes, uint32 child, bytes memory d, bytes32[] memory path, bytes4 why)
        private
    {
        bytes32 s = state(id);
        vm.expectRevert(why);
        vm.prank(CHALLENGER);
        game.pick(id, s, nodes, child, d, path);
    }

    function test_picks_that_are_refused() public {
        bytes32 id = open(postClaim());
        bytes32[] memory nodes = children(id);
        refusePick(id, nodes, 2, "", nothing, IGame.WrongCount.selector);
        refusePick(id, nodes, type(uint32).max, "", nothing, IGame.WrongCount.selector);
        (nodes[0], nodes[1]) = (nodes[1], nodes[0]);
        refusePick(id, nodes, 0, "", nothing, IGame.BadOpening.selector);
        nodes = children(id);
        refusePick(id, nodes, 0, hex"00", nothing, IGame.WitnessExtra.selector);
        refusePick(id, nodes, 0, "", new bytes32[](1), IGame.WitnessExtra.selector);
        pickTowards(id, 1, 0);
        nodes = children(id);
        bytes memory d = Model.descriptor(op(1));
        bytes32[] memory path = Naive.path(descriptorLeaves(), 1);
        refusePick(id, nodes, 1, bytes.concat(d, hex"00"), path, IGame.WrongLength.selector);
        refusePick(id, nodes, 1, "", path, IGame.WrongLength.selector);
        refusePick(id, nodes, 1, d, new bytes32[](1), IGame.BadOpening.selector);
        refusePick(id, nodes, 0, d, path, IGame.BadOpening.selector);
        d[100] ^= 0x01;
        refusePick(id, nodes, 1, d, path, IGame.BadOpening.selector);
        pickTowards(id, 0, 0);
        nodes = children(id);
        refusePick(id, nodes, 0, hex"00", nothing, IGame.WitnessExtra.selector);
    }

    function test_names_that_are_refused() public {
        lie(1, 2);
        bytes32 id = open(postClaim());
        walk(id, 1, 0);
        bytes32 s = state(id);
        IGame.Witness memory w = witness(1, 2);
        bytes memory d = Model.descriptor(op(1));
        bytes memory tile = tileOf(id);
        bytes memory other = tileOf(id);
        other[127] ^= 0x80;
        _refuseName(id, s, other, 2, d, w, IGame.BadOpening.selector);
        _refuseName(id, s, new bytes(127), 2, d, w, IGame.WrongLength.selector);
        _refuseName(id, s, tile, 2, Model.descriptor(op(2)), w, IGame.WrongDescriptor.selector);
        _refuseName(id, s, tile, 2, "", w, IGame.WrongDescriptor.selector);
        _refuseName(id, s, tile, 128, d, w, IGame.WrongIndex.selector);
        _refuseName(id, s, tile, 127, d, w, IGame.PaddingHonest.selector);
        w.a.tiles[0] ^= 0x01;
        _refuseName(id, s, tile, 2, d, w, IGame.BadOpening.selector);
        name(id, 2);
        same(phase(id), Phase.WON, "won");
    }

    function _refuseName(
        bytes32 id,
        bytes32 s,
        bytes memory tile,
        uint8 element,
        bytes memory d,
        IGame.Witness memory w,
        bytes4 why
    ) private {
        vm.expectRevert(why);
        vm.prank(CHALLENGER);
        game.name(id, s, tile, element, d, w);
    }

    /// Whatever gas a step is given, it ends with the right verdict or changes nothing.
    function test_attack_29_a_step_out_of_gas_is_no_verdict() public {
        lie(1, 2);
        bytes32 id = open(postClaim());
        walk(id, 1, 0);
        bytes memory step = abi.encodeCall(
            game.name, (id, state(id), tileOf(id), 2, Model.descriptor(op(1)), witness(1, 2))
        );
        bytes32 before = state(id);
        uint256 refused_;
        for (uint256 gas = 100_000; phase(id) != Phase.WON; gas += 1000) {
            same(state(id), before, "nothing changed");
            vm.prank(CHALLENGER);
            (bool done,) = address(game).call{gas: gas}(step);
            holds(done == (phase(id) == Phase.WON), "done or not");
            if (!done) ++refused_;
            conserved();
        }
        holds(refused_ > 10, "the first were too little");
    }

    /// Time is the timestamp's: blocks may come as they like.
    function test_attack_21_clocks_are_seconds() public {
        bytes32 id = open(postClaim());
        vm.roll(block.number + 1_000_000);
        vm.expectRevert(IGame.NotYet.selector);
        game.timeout(id);
        wait(110);
        game.timeout(id);
        same(phase(id), Phase.WON, "won");
    }

    function test_a_witness_where_none_is_asked_for() public {
        bytes32 id = open(postClaim());
        walk(id, 0, 0);
        IGame.Witness memory w;
        w.params.root = bytes32(uint256(1));
        sendName(id, 0, w, IGame.WitnessExtra.selector);
        sendName(id, 64, w, IGame.WrongIndex.selector);
    }
}

/// Four levels a reveal: the trace's two levels in one, the tiles' in one.
contract WideMovesTest is Fixture {
    function revealBits() internal pure override returns (uint8) {
        return 4;
    }

    function test_two_reveals_lead_to_the_tile() public {
        lie(2, 40);
        bytes32 id = open(postClaim());
        reveal(id);
        pickTowards(id, 2, 1);
        same(phase(id), Phase.TILE_E, "tile");
        reveal(id);
        pickTowards(id, 2, 1);
        same(phase(id), Phase.DATA_E, "data");
        name(id, 8);
        same(phase(id), Phase.WON, "won");
    }

    function test_fewer_moves_fewer_graces() public {
        // moves = 2 (1 + 1) + 6
        same(game.claim(postClaim()).hardEnd, TIME + 1000 + 300 + 10 * 10 + 20, "hard end");
    }
}

/// Programs of one layer whose descriptor is no legal one's: registered like any other, and entered by nobody.
contract IllegalTest is Fixture {
    function refused(Op memory o, bytes4 why) private {
        bytes memory d = Model.descriptor(o);
        bytes memory header = abi.encodePacked(uint32(1), uint32(1), uint32(1), uint8(1), uint8(1), uint8(4), uint8(0));
        header = abi.encodePacked(header, uint32(160), uint32(10), uint64(0), keccak256("meta"));
        bytes32 program = registry.register(header, Model.layerLeaf(d, 0), 0);
        bytes memory output = noise(1, 10);
        bytes32[] memory nodes = Naive.leavesOf(output);
        bytes32[] memory path;
        bytes32 job = game.postJob(program, input, 0, uint64(TIME + 1));
        vm.deal(address(this), 1000 ether);
        bytes32 claimId = game.postClaim{value: 1 ether + 1}(job, nodes[0], output, path);
        bytes32 id = open(claimId);
        same(phase(id), Phase.LAYER_C, "one layer: its leaf is the root");
        bytes32 s = state(id);
        if (why != 0) vm.expectRevert(why);
        vm.prank(CHALLENGER);
        game.pick(id, s, nodes, 0, d, path);
        if (why == 0) same(phase(id), Phase.DATA_E, "entered");
    }

    function good() private pure returns (Op memory o) {
        (o.fold, o.outType, o.aType, o.split) = (2, 1, 1, 16);
        o.out = [uint32(1), 1, 1, 10];
        o.red = [uint32(1), 1, 16];
    }

    function test_attack_28_descriptors_beyond_the_limits() public {
        refused(good(), 0);
        for (uint256 i; i < 12; ++i) {
            Op memory o = good();
            if (i == 0) o.outType = 0;
            if (i == 1) o.outType = 16;
            if (i == 2) o.aType = 16;
            if (i == 3) o.aType = 0;
            if (i == 4) o.bType = 16;
            if (i == 5) o.out[2] = 0;
            if (i == 6) o.out = [uint32(1 << 31), 1, 1, 1];
            if (i == 7) o.out = [uint32(1 << 31), 1 << 31, 1 << 31, 1 << 31];
            if (i == 8) o.red[0] = 0;
            if (i == 9) o.red = [uint32(1 << 12), 1 << 12, 2];
            if (i == 10) o.split = 0;
            if (i == 11) o.split = (1 << 16) + 1;
            refused(o, IGame.WrongDescriptor.selector);
        }
    }
}
