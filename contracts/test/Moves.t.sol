// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IGame} from "../sol/IGame.sol";
import {Phase} from "../sol/MatchWord.sol";
import {Fixture} from "./Fixture.sol";
import {Model, Op} from "./Model.sol";
import {Naive} from "./Naive.sol";
import {Track} from "./Setting.sol";
import {Witness} from "./Packed.sol";

/// Who may move when: phases, states, senders, clocks.
contract MovesTest is Fixture {
    uint256 private constant MOVES = 9;

    /// Every move, with as little evidence as it may have; the last is the timeout.
    function call(bytes32 id, uint256 move) private view returns (bytes memory) {
        Track storage t = tracks[id];
        IGame.Posted memory p = posts[t.claimId];
        IGame.Footing memory s = seatedOn(id);
        bytes32[] memory one = new bytes32[](1);
        one[0] = t.node;
        if (move == 0) return abi.encodeCall(game.reveal, (t.claimId, t.number, shown(id), one));
        if (move == 1) {
            return abi.encodeCall(game.pick, (t.claimId, t.number, picked(id), 0, t.node, none));
        }
        if (move == 2) return _subTrace(id, p, one);
        if (move == 3) {
            bytes memory layer = _layer(id);
            return abi.encodeCall(game.pickOperator, (t.claimId, t.number, s, 0, layer, "", none, t.list, none));
        }
        if (move == 4) return revealTilesCall(id, new bytes(128));
        if (move == 5) return abi.encodeCall(game.name, (p, t.number, s, t.list, "", 0, none, 0, "", ""));
        if (move == 6) return _fold(id, p, s);
        if (move == 7) return abi.encodeCall(game.segment, (p, t.number, s, t.list, "", "", 0, ""));
        return timeoutCall(id);
    }

    /// The disputed layer while there is one.
    function _layer(bytes32 id) private view returns (bytes memory) {
        uint256 p = tracks[id].phase;
        return wholeLayer(p == Phase.SUB_E || p == Phase.SUB_C ? tracks[id].place : 0);
    }

    function _subTrace(bytes32 id, IGame.Posted memory p, bytes32[] memory one) private view returns (bytes memory) {
        Track storage t = tracks[id];
        bytes memory layer = _layer(id);
        bytes32[] memory roots = t.phase == Phase.SUB_E ? subRoots(t.place) : one;
        if (t.phase != Phase.SUB_E) layer = abi.encodePacked(uint32(0), uint8(1), uint8(1), uint8(0), bytes32(0));
        return abi.encodeCall(IGame.subTrace, (p, t.number, seatedOn(id), t.challenger, layer, roots, ""));
    }

    function _fold(bytes32 id, IGame.Posted memory p, IGame.Footing memory s) private view returns (bytes memory) {
        Track storage t = tracks[id];
        bytes memory d = t.phase == Phase.FOLD_E ? operatorBytes(t.place) : bytes("");
        return abi.encodeCall(IGame.fold, (p, t.number, s, t.list, t.challenger, d, "", "", ""));
    }

    function refusal(address sender, bytes memory data) private returns (bytes4) {
        vm.prank(sender);
        (bool done, bytes memory why) = address(game).call(data);
        holds(!done, "refused");
        return bytes4(why);
    }

    function test_attack_08_every_move_in_every_phase() public {
        lie(4, 4);
        uint256 seen;
        bytes32 claimId = postClaim();
        for (uint256 i; i < 2; ++i) {
            uint256 operator = i * 4;
            bytes32 id = openMatch(claimId);
            while (tracks[id].phase < Phase.WON) {
                seen |= 1 << tracks[id].phase;
                _everyMove(id);
                _advance(id, operator);
            }
            _everyMove(id);
        }
        same(seen, 0x7fe, "all phases");
    }

    function _everyMove(bytes32 id) private forgetful {
        uint256 p = tracks[id].phase;
        for (uint256 move; move < MOVES; ++move) {
            bytes4 why = refusal(CHALLENGER, call(id, move));
            if (move == 4) {
                // There may be no tiles yet.
                holds(why == IGame.WrongCount.selector || why == IGame.WrongState.selector, "tiles");
                continue;
            }
            same(bytes32(why), bytes32(_expected(id, p, move)), "refusal");
            bool challengers = move == 1 || move == 3 || move == 5 || move == 7;
            if (challengers) same(bytes32(refusal(EXECUTOR, call(id, move))), IGame.WrongState.selector, "seat");
        }
    }

    /// What refuses an empty move by the challenger: the state, the phase, the sender, the guard, in this order.
    function _expected(bytes32 id, uint256 p, uint256 move) private view returns (bytes4) {
        Track storage t = tracks[id];
        // Which of the calls above give the current node.
        bool known = move < 2 || move == 8 || (move == 2 && t.phase == Phase.SUB_E)
            || (move == 3 && t.phase == Phase.SUB_C) || (move == 6 && t.phase == Phase.FOLD_E);
        if (!known) return IGame.WrongState.selector;
        if (move == 8) return p < Phase.WON ? IGame.NotYet.selector : IGame.WrongPhase.selector;
        uint256[7] memory legal = [uint256(0x22), 0x66, 0x08, 0x10, 0, 0, 0x200];
        if (legal[move] >> p & 1 == 0) return IGame.WrongPhase.selector;
        if (move == 2 || move == 6) return IGame.NotYourMove.selector;
        return move == 3 ? IGame.BadOpening.selector : IGame.WrongCount.selector;
    }

    function _advance(bytes32 id, uint256 operator) private forgetful {
        uint256 p = tracks[id].phase;
        (uint256 layer, uint256 position) = layerOf(operator);
        if (p == Phase.SUB_E) subTrace(id);
        else if (p == Phase.SUB_C) pickOperator(id, position);
        else if (p == Phase.LAYER_E || p == Phase.TILE_E) reveal(id);
        else if (p == Phase.LAYER_C || p == Phase.TILE_C) pickTowards(id, layer, 0);
        else if (p == Phase.DATA_E) revealTiles(id);
        else if (p == Phase.NAME) name(id, 4);
        else if (p == Phase.FOLD_E) fold(id, operator == 4 ? liar(4, 4, 1) : sumsOf(0, 4));
        else segment(id, operator == 4 ? liar(4, 4, 1) : sumsOf(0, 4), 1);
    }

    function test_attack_08_no_move_after_the_verdict() public {
        lie(1, 0);
        bytes32 claimId = postClaim();
        bytes32 id = openMatch(claimId);
        bytes32 other = openMatch(claimId);
        walk(id, 1, 0);
        name(id, 0);
        for (uint256 move; move < MOVES; ++move) {
            bytes4 why = refusal(CHALLENGER, call(id, move));
            holds(why == IGame.WrongPhase.selector || why == IGame.WrongState.selector, "over");
        }
        // The claim's other match is overtaken.
        // Moves that end nothing may go on; the bond goes back all the same.
        reveal(other);
        wait(110);
        refuse(STRANGER, timeoutCall(other), IGame.ClaimClosed.selector);
        refuse(STRANGER, abi.encodeCall(game.finalise, (posts[claimId])), IGame.ClaimClosed.selector);
        reclaim(other);
        reclaim(id);
        refuse(STRANGER, reclaimCall(id), IGame.WrongPhase.selector);
        same(game.owed(CHALLENGER), 2 * bond(), "both bonds");
    }

    function test_attack_17_a_move_answers_a_state() public {
        bytes32 claimId = postClaim();
        bytes32 id = openMatch(claimId);
        bytes32 other = openMatch(claimId, STRANGER, 0);
        bytes32[] memory nodes = children(id);
        bytes memory first = revealCall(id, nodes);
        tracks[other].number = 0;
        refuse(EXECUTOR, revealCall(other, nodes), IGame.WrongState.selector);
        tracks[other].number = 1;
        // A byte-identical copy from the pool plays the same move, once.
        send(STRANGER, first);
        refuse(EXECUTOR, first, IGame.WrongState.selector);
        turn(id, true);
        tracks[id].phase = Phase.LAYER_C;
        check(id);
        Entry memory nothing;
        refuse(STRANGER, pickCall(id, 0, nothing), IGame.WrongState.selector);
        tracks[id].number = 7;
        refuse(CHALLENGER, pickCall(id, 0, nothing), IGame.UnknownMatch.selector);
        tracks[id].number = 0;
        // Every part of the state counts.
        for (uint256 i; i < 8; ++i) {
            Track memory whole = tracks[id];
            if (i == 0) tracks[id].answers += 1;
            if (i == 1) tracks[id].scope ^= bytes32(uint256(1));
            if (i == 2) tracks[id].list = bytes32(uint256(1));
            if (i == 3) tracks[id].seat.commitment = bytes32(uint256(1));
            if (i == 4) tracks[id].seat.bond += 1;
            if (i == 5) tracks[id].seat.openedAt += 1;
            if (i == 6) tracks[id].subject = 1;
            if (i == 7) tracks[id].challengerClock += 1;
            refuse(CHALLENGER, pickCall(id, 0, nothing), IGame.WrongState.selector);
            tracks[id] = whole;
        }
        pickTowards(id, 0, 0);
    }

    function test_attack_18_statements_are_the_executors() public {
        bytes32 claimId = postClaim();
        bytes32 id = openMatch(claimId);
        while (tracks[id].phase < Phase.SUB_E) pickTowards(id, 2, 0);
        bytes32[] memory roots = subRoots(2);
        refuse(CHALLENGER, subTraceCall(id, roots, ""), IGame.NotYourMove.selector);
        bytes memory good = signedSubTrace(claimId, 2);
        bytes32 root = Naive.root(roots);
        _refusedSignatures(id, good, subTraceHash(claimId, 2, root), true);
        _badSubTrace(id, subTraceHash(~claimId, 2, root));
        _badSubTrace(id, subTraceHash(claimId, 3, root));
        _badSubTrace(id, subTraceHash(claimId, 2, ~root));
        // The executor's own word needs no signature, but a wrong one is refused.
        refuse(EXECUTOR, subTraceCall(id, roots, new bytes(65)), IGame.BadSignature.selector);
        subTrace(id, STRANGER, roots, good);
    }

    function _badSubTrace(bytes32 id, bytes32 hash) private {
        bytes memory signature = signed(EXECUTOR_KEY, typed(block.chainid, address(game), hash));
        refuse(STRANGER, subTraceCall(id, subRoots(2), signature), IGame.BadSignature.selector);
    }

    function _try(bytes32 id, bool list, bytes memory signature) private {
        int64[] memory sums;
        if (!list) sums = sumsOf(tracks[id].place, named(id));
        bytes memory data = list ? subTraceCall(id, subRoots(2), signature) : foldCall(id, sums, signature);
        refuse(CHALLENGER, data, IGame.BadSignature.selector);
    }

    /// Other chains, games and keys; other bytes of a good signature.
    function _refusedSignatures(bytes32 id, bytes memory good, bytes32 hash, bool list) private {
        _try(id, list, signed(EXECUTOR_KEY, typed(block.chainid + 1, address(game), hash)));
        _try(id, list, signed(EXECUTOR_KEY, typed(block.chainid, address(registry), hash)));
        _try(id, list, signed(EXECUTOR_KEY, hash));
        _try(id, list, signed(0xbad, typed(block.chainid, address(game), hash)));
        _try(id, list, bytes.concat(good, hex"00"));
        bytes memory bent = bytes.concat(good);
        assembly ("memory-safe") {
            mstore(bent, 64)
        }
        _try(id, list, bent);
        for (uint256 i; i < 65; ++i) {
            bent = bytes.concat(good);
            bent[i] ^= bytes1(uint8(1 << (i % 8)));
            _try(id, list, bent);
        }
        // The twin with the other s and v, which ecrecover takes.
        uint256 order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;
        bent = bytes.concat(good);
        uint256 s;
        assembly ("memory-safe") {
            s := mload(add(bent, 64))
            mstore(add(bent, 64), sub(order, s))
        }
        bent[64] = bytes1(55 - uint8(bent[64]));
        _try(id, list, bent);
        // v of 0 and 1, and nobody's signature.
        bent = bytes.concat(good);
        bent[64] = bytes1(uint8(bent[64]) - 27);
        _try(id, list, bent);
        _try(id, list, bytes.concat(new bytes(64), hex"1b"));
    }

    function test_attack_18_partial_values_are_the_executors() public {
        bytes32 claimId = postClaim();
        bytes32 id = openMatch(claimId);
        walk(id, 0, 1);
        name(id, 73);
        int64[] memory sums = sumsOf(0, 73);
        refuse(CHALLENGER, foldCall(id, sums, ""), IGame.NotYourMove.selector);
        bytes memory packed = pack(sums);
        _refusedSignatures(id, signedSums(id, packed), sumsHash(claimId, 0, 73, packed), false);
        bytes32[4] memory hashes = [
            sumsHash(~claimId, 0, 73, packed),
            sumsHash(claimId, 1, 73, packed),
            sumsHash(claimId, 0, 72, packed),
            sumsHash(claimId, 0, 73, pack(new int64[](3)))
        ];
        for (uint256 i; i < 4; ++i) _try(id, false, signed(EXECUTOR_KEY, typed(block.chainid, address(game), hashes[i])));
        fold(id, STRANGER, sums, signedSums(id, packed));
        _segments(id, sums);
    }

    function _segments(bytes32 id, int64[] memory sums) private {
        int64[] memory others = sumsOf(0, 73);
        (others[0], others[1]) = (others[0] + 1, others[1] - 1);
        Witness memory w = witnessOf(0, 73, 0, 40);
        refuse(CHALLENGER, segmentCall(id, others, 0, w), IGame.WrongState.selector);
        refuse(CHALLENGER, segmentCall(id, sums, 3, w), IGame.WrongIndex.selector);
        refuse(CHALLENGER, segmentCall(id, sums, type(uint32).max, w), IGame.WrongIndex.selector);
        // The tiles of the segment's own b are needed.
        w.b = witnessOf(0, 0, 0, 1).b;
        refuse(CHALLENGER, segmentCall(id, sums, 0, w), IGame.WitnessMissing.selector);
        w.params = recordOf(0, 73);
        refuse(CHALLENGER, segmentCall(id, sums, 0, w), IGame.WitnessExtra.selector);
        segment(id, sums, 0);
        same(tracks[id].phase, Phase.LOST, "lost");
    }

    function test_attack_19_either_the_move_or_the_timeout_is_legal() public {
        for (uint256 d; d < 4; ++d) {
            lie(1, d + 1);
            bytes32 id = openMatch(postClaim());
            wait(108 + d); // the executor's last second is 109: grace 10, clock 100
            if (d < 2) {
                refuse(STRANGER, timeoutCall(id), IGame.NotYet.selector);
                reveal(id);
                same(tracks[id].executorClock, 2 - d, "what is left");
            } else {
                Entry memory nothing;
                refuse(EXECUTOR, revealCall(id, children(id)), IGame.TooLate.selector);
                refuse(CHALLENGER, pickCall(id, 0, nothing), IGame.TooLate.selector);
                timeout(id);
                same(tracks[id].phase, Phase.WON, "won");
            }
        }
    }

    function test_attack_20_time_is_charged_once_and_never_comes_back() public {
        lie(1, 0);
        bytes32 id = openMatch(postClaim());
        wait(10);
        reveal(id);
        same(tracks[id].executorClock, 100, "within the grace");
        pickTowards(id, 1, 0);
        wait(60);
        reveal(id);
        same(tracks[id].executorClock, 50, "60 less the grace");
        wait(209);
        pickTowards(id, 1, 0);
        same(tracks[id].challengerClock, 1, "199 of 200");
        wait(60);
        refuse(EXECUTOR, revealCall(id, children(id)), IGame.TooLate.selector);
        timeout(id);
        same(tracks[id].executorClock, 0, "run out");
    }

    /// A challenger that supplies the nodes itself spends the executor's time, not its own.
    function test_attack_20_supplied_nodes_are_charged_to_the_executor() public {
        bytes32 id = openMatch(postClaim());
        wait(50);
        pickTowards(id, 0, 0);
        same(tracks[id].executorClock, 60, "executor's clock");
        same(tracks[id].challengerClock, 200, "challenger's clock");
    }

    function test_attack_22_delays_spread_over_moves_add_up() public {
        bytes32 id = openMatch(postClaim());
        uint256 left = 100;
        while (tracks[id].phase < Phase.DATA_E) {
            if (executorsTurn(id)) {
                wait(30);
                left -= 20;
                reveal(id);
            } else {
                pickTowards(id, 0, 0);
            }
            same(tracks[id].executorClock, left, "clock");
        }
    }

    /// Whatever gas a step is given, it ends with the right verdict or changes nothing.
    function test_attack_29_a_step_out_of_gas_is_no_verdict() public {
        lie(1, 2);
        bytes32 id = openMatch(postClaim());
        walk(id, 1, 0);
        bytes memory step = nameCall(id, 2, witnessOf(1, 2));
        bytes32 claimId = tracks[id].claimId;
        uint256 refused_;
        for (uint256 gas = 60_000; status(claimId) != IGame.Status.Refuted; gas += 1000) {
            check(id);
            vm.prank(CHALLENGER);
            (bool done,) = address(game).call{gas: gas}(step);
            holds(done == (status(claimId) == IGame.Status.Refuted), "done or not");
            if (!done) ++refused_;
        }
        holds(refused_ > 10, "the first were too little");
        same(game.claim(claimId).point, keccak256(abi.encode(pointOf(1, 2))), "the right point");
    }

    /// Time is the timestamp's: blocks may come as they like.
    function test_attack_21_clocks_are_seconds() public {
        bytes32 id = openMatch(postClaim());
        vm.roll(block.number + 1_000_000);
        refuse(STRANGER, timeoutCall(id), IGame.NotYet.selector);
        wait(110);
        timeout(id);
        same(tracks[id].phase, Phase.WON, "won");
    }

    function test_the_delay_is_bounded_by_the_hard_end() public {
        bytes32 claimId = postClaim();
        bytes32 id = openMatch(claimId);
        bytes32 lost = openMatch(claimId);
        reveal(lost);
        refuse(STRANGER, reclaimCall(id), IGame.NotYet.selector);
        vm.warp(game.claim(claimId).hardEnd - 1);
        refuse(STRANGER, abi.encodeCall(game.finalise, (posts[claimId])), IGame.NotYet.selector);
        timeout(lost);
        wait(1);
        refuse(STRANGER, timeoutCall(id), IGame.ClaimClosed.selector);
        refuse(EXECUTOR, revealCall(id, children(id)), IGame.TooLate.selector);
        IGame.Refutation memory r = refutation(1, 0, "");
        refuse(STRANGER, refuteCall(claimId, r), IGame.ClaimClosed.selector);
        refuse(STRANGER, abi.encodeCall(game.commit, (claimId, 0)), IGame.ClaimClosed.selector);
        refuse(STRANGER, reclaimCall(id), IGame.NotYet.selector);
        send(STRANGER, abi.encodeCall(game.finalise, (posts[claimId])));
        reclaim(id);
        refuse(STRANGER, reclaimCall(id), IGame.WrongPhase.selector);
        refuse(STRANGER, reclaimCall(lost), IGame.WrongPhase.selector);
        same(game.owed(CHALLENGER), bond(), "bond");
        drained();
    }
}
