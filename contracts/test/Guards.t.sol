// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IGame} from "../sol/IGame.sol";
import {Phase} from "../sol/MatchWord.sol";
import {Fixture} from "./Fixture.sol";
import {Model, Op} from "./Model.sol";
import {Naive} from "./Naive.sol";
import {Track} from "./Setting.sol";
import {Witness, Packed} from "./Packed.sol";

/// What each move refuses once its state, phase, sender and time are right.
contract GuardsTest is Fixture {
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
            abi.encodeCall(game.pick, (t.claimId, t.number, picked(id), child, node, siblings)),
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
        // A layer whose index the child is, at a level above the layers.
        Entry memory e = Entry(head(0), operatorBytes(0), Naive.path(layersLeaves(), 0));
        refuse(CHALLENGER, pickCall(id, 0, e), IGame.WitnessExtra.selector);
        e.path = new bytes32[](33);
        refuse(CHALLENGER, pickCall(id, 0, e), IGame.WrongCount.selector);
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
        _pick(id, 1, children(id)[1], Naive.path(children(id), 1), wrong);
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
        bytes4 bad = IGame.WrongState.selector;
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
        _subTraceOf(id, roots, layer, IGame.WrongState.selector);
        layer = wholeLayer(2);
        layer[20] ^= 0x01;
        _subTraceOf(id, roots, layer, IGame.WrongState.selector);
        // Of four operators, three roots.
        _subTraceOf(id, roots, bytes.concat(hex"0000000204020002", bytes32(0)), IGame.WrongState.selector);
        // What the claimed leaf does not hash is another state.
        _subTraceOf(id, roots, bytes.concat(hex"0000000203020001", bytes32(0)), IGame.WrongState.selector);
        subTrace(id);
        _operators(id, roots);
    }

    function _subTraceOf(bytes32 id, bytes32[] memory roots, bytes memory layer, bytes4 why) private {
        Track storage t = tracks[id];
        IGame.Posted memory p = posts[t.claimId];
        refuse(EXECUTOR, abi.encodeCall(game.subTrace, (p, t.number, seatedOn(id), t.challenger, layer, roots, "")), why);
    }

    function _operators(bytes32 id, bytes32[] memory roots) private {
        bytes32[] memory path = Naive.path(operatorLeaves(2), 1);
        bytes32[] memory under = Naive.path(roots, 1);
        bytes memory layer = wholeLayer(2);
        bytes memory d = operatorBytes(3);
        _operator(id, 1, head(2), d, path, roots[1], under, IGame.WrongState.selector);
        _operator(id, 1, "", d, path, roots[1], under, IGame.WrongState.selector);
        layer[0] ^= 0x80;
        _operator(id, 1, layer, d, path, roots[1], under, IGame.WrongState.selector);
        layer = wholeLayer(2);
        // Beyond the path the index is not climbed.
        _operator(id, 5, layer, d, path, roots[1], under, IGame.WrongIndex.selector);
        _operator(id, type(uint32).max - 2, layer, d, path, roots[1], under, IGame.WrongIndex.selector);
        _operator(id, 0, layer, d, path, roots[1], under, IGame.WrongState.selector);
        _operator(id, 1, layer, d, path, roots[1], new bytes32[](33), IGame.WrongCount.selector);
        // A node of the list is no root.
        bytes32[] memory above = new bytes32[](1);
        above[0] = under[1];
        bytes32 inner = keccak256(abi.encodePacked(hex"01", roots[0], roots[1]));
        bytes memory first = operatorBytes(2);
        bytes32[] memory firstPath = Naive.path(operatorLeaves(2), 0);
        _operator(id, 0, layer, first, firstPath, inner, above, IGame.BadOpening.selector);
        _operator(id, 1, layer, operatorBytes(2), path, roots[1], under, IGame.BadOpening.selector);
        _operator(id, 1, layer, "", path, roots[1], under, IGame.BadOpening.selector);
        _operator(id, 1, layer, d, under, roots[1], under, IGame.BadOpening.selector);
        _operator(id, 1, layer, d, none, roots[1], under, IGame.BadOpening.selector);
        _operator(id, 1, layer, d, path, roots[0], under, IGame.WrongState.selector);
        _operator(id, 1, layer, d, path, roots[1], path, IGame.WrongState.selector);
        _operator(id, 1, layer, d, path, roots[1], new bytes32[](3), IGame.WrongState.selector);
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
            game.pickOperator, (t.claimId, t.number, seatedOn(id), position, layer, d, path, root, under)
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
        short = Naive.tensorRoot(leaves);
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
        Witness witness;
    }

    function _name(bytes32 id, Name memory n, bytes4 why) private {
        Track storage t = tracks[id];
        IGame.Posted memory p = posts[t.claimId];
        bytes memory data = abi.encodeCall(
            game.name,
            (p, t.number, seatedOn(id), t.list, n.tile, n.slot, n.siblings, n.element, n.operator, Packed.all(n.witness))
        );
        refuse(CHALLENGER, data, why);
    }

    function _good(bytes32 id, uint256 e) private view returns (Name memory n) {
        Track storage t = tracks[id];
        uint256 perTile = 128 / Model.size(op(t.place).outType);
        n.slot = uint8(e / perTile);
        n.tile = Naive.tileAt(said[t.place], e / perTile);
        n.siblings = Naive.tilePathTo(tileLeaves(t.place), e / perTile, t.remaining);
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
        for (uint256 count; count < 6; ++count) {
            (n = _good(id, 70)).siblings = new bytes32[](count);
            _name(id, n, IGame.WrongState.selector);
        }
        n = _good(id, 70);
        for (uint256 i; i < 3; ++i) {
            n.siblings[i] ^= bytes32(uint256(1));
            _name(id, n, IGame.WrongState.selector);
            n.siblings[i] ^= bytes32(uint256(1));
        }
        (n.siblings[0], n.siblings[1]) = (n.siblings[1], n.siblings[0]);
        _name(id, n, IGame.WrongState.selector);
        (n = _good(id, 70)).operator = operatorBytes(3);
        _name(id, n, IGame.WrongState.selector);
        (n = _good(id, 70)).operator = "";
        _name(id, n, IGame.WrongState.selector);
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

    /// An executor may commit to four tiles hashed two by two. No tile leads to such a node, and nobody opens it.
    function test_attack_09_four_tiles_hashed_two_by_two() public {
        twos = true;
        bytes32 id = openMatch(postClaim());
        walk(id, 2, 0);
        refuse(EXECUTOR, revealTilesCall(id, tilesNow(id)), IGame.WrongState.selector);
        Name memory n = _good(id, 70);
        _name(id, n, IGame.WrongState.selector);
        // The two siblings that do lead there.
        n.siblings = Naive.path(tileLeaves(2), n.slot);
        same(n.siblings.length, 2, "two levels");
        _name(id, n, IGame.WrongCount.selector);
        wait(110);
        timeout(id);
        same(tracks[id].phase, Phase.WON, "won");
    }

    bool private odd;
    bool private twos;

    function rootOf(uint256 operator) internal view override returns (bytes32) {
        if (twos && operator == 2) return Naive.root(tileLeaves(2));
        if (odd && operator == 1) return Naive.leaf(bytes.concat(Naive.tileAt(said[1], 0), hex"00"));
        return super.rootOf(operator);
    }

    function test_a_witness_where_none_is_asked_for() public {
        bytes32 id = openMatch(postClaim());
        walk(id, 0, 0);
        for (uint256 i; i < 5; ++i) {
            Name memory n = _good(id, 0);
            Witness memory w;
            if (i == 0) w.params.proof = new bytes32[](1);
            if (i == 1) w.a.rootPath = new bytes32[](1);
            if (i == 2) w.b.tiles = hex"00";
            if (i == 3) w.b.indices = hex"00000000";
            if (i == 4) w.third.proof = new bytes32[](1);
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
        bytes memory h = abi.encodePacked(uint32(4), uint32(1), uint32(1), uint8(1), uint8(1), uint8(4), uint8(0));
        h = abi.encodePacked(h, uint32(240), uint32(10), uint64(0), keccak256("meta"));
        bytes32 program = registry.register(h, Model.layerLeaf(layer, operatorsRoot));
        bytes memory output = noise(1, 10);
        bytes32 leaf = Naive.tensorRoot(Naive.leavesOf(output));
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
        (t.subject, t.bits) = (1, 4);
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
            game.enter, (t.claimId, 0, seatedOn(id), 0, t.node, none, layer, d, none)
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
