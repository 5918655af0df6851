// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IGame} from "../sol/IGame.sol";
import {Phase} from "../sol/MatchWord.sol";
import {Fixture, Track} from "./Fixture.sol";
import {Model, Op} from "./Model.sol";
import {Naive} from "./Naive.sol";

/// Who may move when: phases, states, senders, clocks, guards.
contract MovesTest is Fixture {
    uint256 private constant MOVES = 9;

    /// Every move, with as little evidence as it may have; the last is the timeout.
    function call(bytes32 id, uint256 move) private view returns (bytes memory) {
        Track storage t = tracks[id];
        IGame.Posted memory p = posts[t.claimId];
        IGame.Standing memory s = standing(id);
        bytes32 seat = seatHash(id);
        IGame.Witness memory w;
        bytes32[] memory one = new bytes32[](1);
        one[0] = t.node;
        if (move == 0) return abi.encodeCall(game.reveal, (t.claimId, t.number, s, seat, one));
        if (move == 1) {
            return abi.encodeCall(game.pick, (t.claimId, t.number, s, t.seat, 0, t.node, none, "", "", none));
        }
        if (move == 2) return _subTrace(p, t.number, s, seat, one, "");
        if (move == 3) {
            return abi.encodeCall(game.pickOperator, (t.claimId, t.number, s, t.seat, 0, "", "", none, 0, none));
        }
        if (move == 4) return revealTilesCall(id, new bytes(128));
        if (move == 5) return abi.encodeCall(game.name, (p, t.number, s, t.seat, "", 0, none, 0, "", w));
        if (move == 6) return abi.encodeCall(game.fold, (p, t.number, s, seat, "", "", w.a, ""));
        if (move == 7) return abi.encodeCall(game.segment, (p, t.number, s, t.seat, "", "", 0, w));
        return timeoutCall(id);
    }

    function _subTrace(
        IGame.Posted memory p,
        uint64 number,
        IGame.Standing memory s,
        bytes32 seat,
        bytes32[] memory roots,
        bytes memory signature
    ) private pure returns (bytes memory) {
        bytes memory layer = abi.encodePacked(uint32(0), uint8(1), uint8(1), uint8(0), bytes32(0));
        return abi.encodeCall(IGame.subTrace, (p, number, s, seat, layer, roots, signature));
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
        bool known = move < 3 || move == 8 || (move == 3 && t.node == t.list) || (move == 6 && t.node == 0);
        if (!known) return IGame.WrongState.selector;
        if (move == 8) return p < Phase.WON ? IGame.NotYet.selector : IGame.WrongPhase.selector;
        uint256[7] memory legal = [uint256(0x22), 0x66, 0x08, 0x10, 0, 0, 0x200];
        if (legal[move] >> p & 1 == 0) return IGame.WrongPhase.selector;
        if (move == 2 || move == 6) return IGame.NotYourMove.selector;
        return move == 3 ? IGame.WrongDescriptor.selector : IGame.WrongCount.selector;
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
        refuse(EXECUTOR, revealCall(other, children(other)), IGame.ClaimClosed.selector);
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
        IGame.Witness memory w = witnessOf(0, 73, 0, 40);
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

    function test_reveals_that_are_refused() public {
        bytes32 id = openMatch(postClaim());
        bytes32[] memory four = Naive.descendants(traceLeaves(), 3, 0, 2);
        refuse(EXECUTOR, revealCall(id, four), IGame.WrongCount.selector);
        refuse(EXECUTOR, revealCall(id, none), IGame.WrongCount.selector);
        refuse(EXECUTOR, revealCall(id, new bytes32[](3)), IGame.WrongCount.selector);
        refuse(EXECUTOR, revealCall(id, new bytes32[](128)), IGame.WrongCount.selector);
        refuse(EXECUTOR, revealCall(id, new bytes32[](64)), IGame.WrongState.selector);
        bytes32[] memory nodes = children(id);
        (nodes[0], nodes[1]) = (nodes[1], nodes[0]);
        refuse(EXECUTOR, revealCall(id, nodes), IGame.WrongState.selector);
    }

    function _pick(bytes32 id, uint32 child, bytes32 node, bytes32[] memory siblings, bytes4 why) private {
        Track storage t = tracks[id];
        refuse(
            CHALLENGER,
            abi.encodeCall(game.pick, (t.claimId, t.number, standing(id), t.seat, child, node, siblings, "", "", none)),
            why
        );
    }

    function test_picks_that_are_refused() public {
        bytes32 id = openMatch(postClaim());
        bytes32[] memory nodes = children(id);
        bytes32[] memory path = Naive.path(nodes, 0);
        // Beyond the siblings the index is not climbed.
        _pick(id, 2, nodes[0], path, IGame.WrongCount.selector);
        _pick(id, type(uint32).max - 1, nodes[0], path, IGame.WrongCount.selector);
        _pick(id, 1, nodes[0], path, IGame.WrongState.selector);
        _pick(id, 0, nodes[1], path, IGame.WrongState.selector);
        _pick(id, 0, tracks[id].node, none, IGame.WrongCount.selector);
        _pick(id, 0, nodes[0], new bytes32[](33), IGame.WrongCount.selector);
        _pick(id, 0, nodes[0], new bytes32[](32), IGame.WrongState.selector);
        Entry memory e;
        e.layer = hex"00";
        refuse(CHALLENGER, pickCall(id, 0, e), IGame.WitnessExtra.selector);
        (e.layer, e.operator) = ("", hex"00");
        refuse(CHALLENGER, pickCall(id, 0, e), IGame.WitnessExtra.selector);
        (e.operator, e.path) = ("", new bytes32[](1));
        refuse(CHALLENGER, pickCall(id, 0, e), IGame.WitnessExtra.selector);
        pickTowards(id, 1, 0);
        pickTowards(id, 1, 0);
        _entries(id);
    }

    function _entry(bytes32 id, bytes memory layer, bytes memory operator, bytes32[] memory path, bytes4 why) private {
        refuse(CHALLENGER, pickCall(id, 1, Entry(layer, operator, path)), why);
    }

    function _entries(bytes32 id) private {
        Entry memory e = entry(id, 1);
        bytes4 wrong = IGame.WrongLength.selector;
        _entry(id, "", e.operator, e.path, wrong);
        _entry(id, bytes.concat(e.layer, hex"00"), e.operator, e.path, wrong);
        _entry(id, hex"00000001010101", e.operator, e.path, wrong);
        _entry(id, hex"000000010100", e.operator, e.path, wrong);
        _entry(id, hex"00000001000100", e.operator, e.path, wrong);
        _entry(id, hex"00000001210100", e.operator, e.path, wrong);
        _entry(id, hex"0000000102020100", e.operator, e.path, wrong);
        _entry(id, hex"0000000102020101", e.operator, e.path, wrong);
        _entry(id, hex"00000001010200", e.operator, e.path, wrong);
        _entry(id, e.layer, bytes.concat(e.operator, hex"00"), e.path, wrong);
        _entry(id, e.layer, bytes.concat(e.operator, bytes32(0)), e.path, wrong);
        _entry(id, e.layer, new bytes(32), e.path, wrong);
        _entry(id, hex"00000001020100", e.operator, e.path, wrong);
        _entry(id, hex"00000001020100", new bytes(33), e.path, wrong);
        bytes4 bad = IGame.BadOpening.selector;
        _entry(id, hex"00000001020100", new bytes(32), e.path, bad);
        _entry(id, hex"00000002010100", e.operator, e.path, bad);
        _entry(id, e.layer, e.operator, none, bad);
        _entry(id, e.layer, e.operator, new bytes32[](3), bad);
        _entry(id, head(0), operatorBytes(0), Naive.path(layersLeaves(), 0), bad);
        bytes memory bent = e.operator;
        bent[100] ^= 0x01;
        _entry(id, e.layer, bent, e.path, bad);
        pickTowards(id, 1, 0);
        same(tracks[id].phase, Phase.DATA_E, "entered");
    }

    function test_sub_traces_and_operators_that_are_refused() public {
        bytes32 id = openMatch(postClaim());
        while (tracks[id].phase < Phase.SUB_E) pickTowards(id, 2, 0);
        bytes32[] memory roots = subRoots(2);
        bytes32[] memory more = new bytes32[](4);
        bytes32[] memory fewer = new bytes32[](2);
        for (uint256 i; i < 3; ++i) more[i] = roots[i];
        (fewer[0], fewer[1]) = (roots[0], roots[1]);
        refuse(EXECUTOR, subTraceCall(id, more, ""), IGame.WrongCount.selector);
        refuse(EXECUTOR, subTraceCall(id, fewer, ""), IGame.WrongCount.selector);
        _subTraceOf(id, roots, "", IGame.WrongCount.selector);
        _subTraceOf(id, roots, new bytes(31), IGame.WrongCount.selector);
        _subTraceOf(id, roots, head(2), IGame.WrongCount.selector);
        bytes memory layer = wholeLayer(2);
        layer[3] ^= 0x01;
        _subTraceOf(id, roots, layer, IGame.WrongDescriptor.selector);
        layer = wholeLayer(2);
        layer[20] ^= 0x01;
        _subTraceOf(id, roots, layer, IGame.WrongDescriptor.selector);
        // Of four operators, three roots.
        _subTraceOf(id, roots, bytes.concat(hex"0000000204020002", bytes32(0)), IGame.WrongDescriptor.selector);
        // What the claimed leaf does not hash is another state.
        _subTraceOf(id, roots, bytes.concat(hex"0000000203020001", bytes32(0)), IGame.WrongState.selector);
        subTrace(id);
        _operators(id, roots);
    }

    function _subTraceOf(bytes32 id, bytes32[] memory roots, bytes memory layer, bytes4 why) private {
        Track storage t = tracks[id];
        IGame.Posted memory p = posts[t.claimId];
        refuse(EXECUTOR, abi.encodeCall(game.subTrace, (p, t.number, standing(id), seatHash(id), layer, roots, "")), why);
    }

    function _operators(bytes32 id, bytes32[] memory roots) private {
        bytes32[] memory path = Naive.path(operatorLeaves(2), 1);
        bytes32[] memory under = Naive.path(roots, 1);
        bytes memory layer = wholeLayer(2);
        bytes memory d = operatorBytes(3);
        _operator(id, 1, head(2), d, path, roots[1], under, IGame.WrongDescriptor.selector);
        _operator(id, 1, "", d, path, roots[1], under, IGame.WrongDescriptor.selector);
        layer[0] ^= 0x80;
        _operator(id, 1, layer, d, path, roots[1], under, IGame.WrongDescriptor.selector);
        layer = wholeLayer(2);
        _operator(id, 3, layer, d, path, roots[1], under, IGame.WrongIndex.selector);
        _operator(id, type(uint32).max, layer, d, path, roots[1], under, IGame.WrongIndex.selector);
        _operator(id, 0, layer, d, path, roots[1], under, IGame.BadOpening.selector);
        _operator(id, 1, layer, operatorBytes(2), path, roots[1], under, IGame.BadOpening.selector);
        _operator(id, 1, layer, "", path, roots[1], under, IGame.BadOpening.selector);
        _operator(id, 1, layer, d, under, roots[1], under, IGame.BadOpening.selector);
        _operator(id, 1, layer, d, none, roots[1], under, IGame.BadOpening.selector);
        _operator(id, 1, layer, d, path, roots[0], under, IGame.BadOpening.selector);
        _operator(id, 1, layer, d, path, roots[1], path, IGame.BadOpening.selector);
        _operator(id, 1, layer, d, path, roots[1], new bytes32[](3), IGame.BadOpening.selector);
        pickOperator(id, 1);
        same(tracks[id].place, 3, "the operator's index in the program");
    }

    function _operator(
        bytes32 id,
        uint32 position,
        bytes memory layer,
        bytes memory d,
        bytes32[] memory path,
        bytes32 root,
        bytes32[] memory under,
        bytes4 why
    ) private {
        Track storage t = tracks[id];
        bytes memory data = abi.encodeCall(
            game.pickOperator, (t.claimId, t.number, standing(id), t.seat, position, layer, d, path, root, under)
        );
        refuse(CHALLENGER, data, why);
    }

    function test_tiles_that_are_refused() public {
        bytes32 id = openMatch(postClaim());
        walk(id, 2, 0);
        bytes memory tiles = tilesNow(id);
        same(tiles.length, 3 * 128, "three tiles, one of padding");
        refuse(EXECUTOR, revealTilesCall(id, bytes.concat(tiles, new bytes(128))), IGame.WrongCount.selector);
        refuse(EXECUTOR, revealTilesCall(id, bytes.concat(tiles, hex"00")), IGame.WrongCount.selector);
        refuse(EXECUTOR, revealTilesCall(id, Naive.tileAt(tiles, 0)), IGame.WrongState.selector);
        tiles[5] ^= 0x01;
        refuse(EXECUTOR, revealTilesCall(id, tiles), IGame.WrongState.selector);
        revealTiles(id);
        refuse(EXECUTOR, revealTilesCall(id, tilesNow(id)), IGame.WrongPhase.selector);
    }

    /// An executor whose tensor has padding where tiles belong can show fewer tiles, but not count them.
    function test_attack_05_a_tensor_of_too_few_tiles() public {
        said[2] = Naive.tileAt(said[2], 0);
        bytes32[] memory leaves = new bytes32[](4);
        leaves[0] = Naive.leaf(said[2]);
        for (uint256 i = 1; i < 4; ++i) leaves[i] = keccak256(hex"04");
        short = Naive.root(leaves);
        bytes32 id = openMatch(postClaim());
        walk(id, 2, 0);
        refuse(EXECUTOR, revealTilesCall(id, said[2]), IGame.WrongLength.selector);
        wait(110);
        timeout(id);
        same(tracks[id].phase, Phase.WON, "won");
    }

    bytes32 private short;

    function tileLeaves(uint256 operator) internal view override returns (bytes32[] memory leaves) {
        leaves = super.tileLeaves(operator);
        if (operator == 2 && short != 0) {
            leaves = new bytes32[](4);
            leaves[0] = Naive.leaf(said[2]);
            for (uint256 i = 1; i < 4; ++i) leaves[i] = keccak256(hex"04");
        }
    }

    struct Name {
        bytes tile;
        uint8 slot;
        bytes32[] siblings;
        uint8 element;
        bytes operator;
        IGame.Witness witness;
    }

    function _name(bytes32 id, Name memory n, bytes4 why) private {
        Track storage t = tracks[id];
        IGame.Posted memory p = posts[t.claimId];
        bytes memory data = abi.encodeCall(
            game.name,
            (p, t.number, standing(id), t.seat, n.tile, n.slot, n.siblings, n.element, n.operator, n.witness)
        );
        refuse(CHALLENGER, data, why);
    }

    function _good(bytes32 id, uint256 e) private view returns (Name memory n) {
        Track storage t = tracks[id];
        uint256 perTile = 128 / Model.size(op(t.place).outType);
        bytes32[] memory under = Naive.descendants(tileLeaves(t.place), t.remaining, t.position, t.remaining);
        n.slot = uint8(e / perTile);
        n.tile = Naive.tileAt(said[t.place], e / perTile);
        n.siblings = Naive.path(under, n.slot);
        n.element = uint8(e % perTile);
        n.operator = operatorBytes(t.place);
        n.witness = witnessOf(t.place, e);
    }

    function test_names_that_are_refused() public {
        lie(2, 70);
        bytes32 id = openMatch(postClaim());
        walk(id, 2, 2);
        revealTiles(id);
        Name memory n = _good(id, 70);
        n.tile[127] ^= 0x80;
        _name(id, n, IGame.WrongState.selector);
        (n = _good(id, 70)).tile = bytes.concat(n.tile, hex"00");
        _name(id, n, IGame.WrongState.selector);
        (n = _good(id, 70)).slot = 6;
        // Slot 6 climbs as slot 2 does.
        _name(id, n, IGame.WrongIndex.selector);
        (n = _good(id, 70)).siblings = new bytes32[](33);
        _name(id, n, IGame.WrongCount.selector);
        (n = _good(id, 70)).siblings = new bytes32[](3);
        _name(id, n, IGame.WrongState.selector);
        (n = _good(id, 70)).operator = operatorBytes(3);
        _name(id, n, IGame.WrongDescriptor.selector);
        (n = _good(id, 70)).operator = "";
        _name(id, n, IGame.WrongDescriptor.selector);
        (n = _good(id, 70)).element = 32;
        _name(id, n, IGame.WrongIndex.selector);
        (n = _good(id, 70)).element = 31;
        _name(id, n, IGame.PaddingHonest.selector);
        (n = _good(id, 70)).witness.a.tiles[0] ^= 0x01;
        _name(id, n, IGame.BadOpening.selector);
        name(id, 70);
        same(tracks[id].phase, Phase.WON, "won");
    }

    /// An executor may commit to leaves that are no tiles'. The rest of the protocol does not mind.
    function test_attack_09_a_leaf_of_another_length() public {
        odd = true;
        bytes32 id = openMatch(postClaim());
        walk(id, 1, 0);
        Name memory n = _good(id, 0);
        n.tile = bytes.concat(n.tile, hex"00");
        _name(id, n, IGame.WrongLength.selector);
        refuse(EXECUTOR, revealTilesCall(id, n.tile), IGame.WrongCount.selector);
        wait(110);
        timeout(id);
        same(tracks[id].phase, Phase.WON, "won");
    }

    bool private odd;

    function rootOf(uint256 operator) internal view override returns (bytes32) {
        if (odd && operator == 1) return Naive.leaf(bytes.concat(Naive.tileAt(said[1], 0), hex"00"));
        return super.rootOf(operator);
    }

    function test_a_witness_where_none_is_asked_for() public {
        bytes32 id = openMatch(postClaim());
        walk(id, 0, 0);
        for (uint256 i; i < 4; ++i) {
            Name memory n = _good(id, 0);
            IGame.Witness memory w;
            if (i == 0) w.params.proof = new bytes32[](1);
            if (i == 1) w.a.rootPath = new bytes32[](1);
            if (i == 2) w.b.tiles = hex"00";
            if (i == 3) w.b.indices = hex"00";
            n.witness = w;
            _name(id, n, IGame.WitnessExtra.selector);
        }
        name(id, 0);
        same(tracks[id].phase, Phase.FOLD_E, "named");
    }

    function test_folds_that_are_refused() public {
        lie(0, 100);
        bytes32 id = openMatch(postClaim());
        walk(id, 0, 1);
        name(id, 100);
        refuse(EXECUTOR, foldCall(id, new int64[](2), ""), IGame.WrongCount.selector);
        refuse(EXECUTOR, foldCall(id, new int64[](4), ""), IGame.WrongCount.selector);
        int64[] memory sums = sumsOf(0, 100);
        int64[3] memory beyond = [int64(1 << 62), -(1 << 62), type(int64).min];
        for (uint256 i; i < 3; ++i) {
            sums[1] = beyond[i];
            refuse(EXECUTOR, foldCall(id, sums, ""), IGame.OutOfRange.selector);
        }
        sums[1] = (1 << 62) - 1;
        refuse(EXECUTOR, foldCall(id, sums, ""), IGame.FoldMismatch.selector);
        bytes32 place = bytes32(tracks[id].place);
        tracks[id].place = 1;
        refuse(EXECUTOR, foldCall(id, sums, ""), IGame.WrongState.selector);
        tracks[id].place = uint256(place);
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
        refuse(EXECUTOR, revealCall(id, children(id)), IGame.ClaimClosed.selector);
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

/// Four levels a reveal: the trace's three levels in one, the tiles' one in one.
contract WideMovesTest is Fixture {
    function revealBits() internal pure override returns (uint8) {
        return 4;
    }

    function test_two_reveals_lead_to_the_tiles() public {
        lie(0, 317);
        bytes32 id = openMatch(postClaim());
        reveal(id);
        pickTowards(id, 0, 4);
        same(tracks[id].phase, Phase.TILE_E, "tile");
        reveal(id);
        pickTowards(id, 0, 4);
        same(tracks[id].phase, Phase.DATA_E, "data");
        revealTiles(id);
        name(id, 317);
        same(tracks[id].phase, Phase.FOLD_E, "fold");
    }

    function test_fewer_moves_fewer_graces() public {
        // moves = 2 (1 + 1) + 8
        bytes32 id = postClaim();
        same(game.claim(id).hardEnd, uint256(now_()) + 1000 + 300 + 12 * 10 + 20, "hard end");
    }
}

/// Programs of one layer whose operators are no legal one's: registered like any other, and entered by nobody.
contract IllegalTest is Fixture {
    /// A claim on a program of one layer with this leaf, and a match against it.
    function opened(bytes memory layer, bytes32 operatorsRoot) private returns (bytes32 id) {
        bytes memory h = abi.encodePacked(uint32(2), uint32(1), uint32(1), uint8(1), uint8(1), uint8(4), uint8(0));
        h = abi.encodePacked(h, uint32(240), uint32(10), uint64(0), keccak256("meta"));
        bytes32 program = registry.register(h, Model.layerLeaf(layer, operatorsRoot));
        bytes memory output = noise(1, 10);
        bytes32 leaf = Naive.root(Naive.leavesOf(output));
        bytes memory data = abi.encodeCall(game.postJob, (program, input, bytes32(0), now_() + 10));
        bytes32 job = abi.decode(send(REQUESTER, 0, data, 0), (bytes32));
        IGame.Posted memory p = IGame.Posted(job, EXECUTOR, leaf, leaf);
        data = abi.encodeCall(game.commitClaim, (job, claimCommitment(p)));
        send(EXECUTOR, params().executorBond, data, 0);
        wait(1);
        data = abi.encodeCall(game.postClaim, (job, 0, now_() - 1, SALT, leaf, output, none));
        bytes32 claimId = abi.decode(send(EXECUTOR, data), (bytes32));
        posts[claimId] = p;
        uint256 stake = 2 * 300_000 * 1 gwei + 7;
        id = abi.decode(send(CHALLENGER, stake, abi.encodeCall(game.open, (p, bytes32(0))), 0), (bytes32));
        Track storage t = tracks[id];
        (t.claimId, t.challenger, t.phase, t.turnStart) = (claimId, CHALLENGER, Phase.LAYER_C, now_());
        (t.executorClock, t.challengerClock, t.node) = (100, 200, leaf);
        t.seat = IGame.Seat(0, now_(), uint128(stake));
        t.scope = Model.layerLeaf(layer, operatorsRoot);
        check(id);
    }

    function tried(Op memory o, bytes4 why) private {
        bytes memory d = Model.operatorBytes(o, [bytes32(0), 0, 0]);
        uint8[] memory positions = new uint8[](1);
        bytes memory layer = Model.head(0, 1, positions);
        bytes32 id = opened(layer, Model.operatorLeaf(d));
        Track storage t = tracks[id];
        bytes memory data = abi.encodeCall(
            game.pick, (t.claimId, 0, standing(id), t.seat, 0, t.node, none, layer, d, none)
        );
        send(CHALLENGER, 0, data, why);
    }

    function good() private pure returns (Op memory o) {
        (o.fold, o.outType, o.aType, o.split) = (2, 1, 1, 16);
        o.out = [uint32(1), 1, 1, 10];
        o.red = [uint32(1), 1, 16];
    }

    function test_attack_28_descriptors_beyond_the_limits() public {
        tried(good(), 0);
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
            if (i == 11) o.split = (1 << 14) + 1;
            tried(o, IGame.WrongDescriptor.selector);
        }
    }
}
