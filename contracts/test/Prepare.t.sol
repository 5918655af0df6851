// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IGame} from "../sol/IGame.sol";
import {Phase} from "../sol/MatchWord.sol";
import {Naive} from "./Naive.sol";
import {Opened, Witness} from "./Packed.sol";
import {Prepared} from "./Prepared.sol";
import {Track} from "./Setting.sol";

/// A step in two moves (PROTOCOL 4.5), of operator 2: it opens one tile of each operand and one of records.
contract PrepareTest is Prepared {
    uint256 private constant OPERATOR = 2;
    uint256 private constant ELEMENT = 70;

    /// A node of each operand in the place of a tile: of a at level `a`, of the records at level `params`, of b its root.
    function _above(uint256 a, uint256 params) private view returns (Witness memory up) {
        Witness memory w = witnessOf(OPERATOR, ELEMENT);
        (up.a, up.b, up.params) = (_node(w.a, a), _node(w.b, 2), _node(w.params, params));
    }

    /// The node of `level` above a tile, and its siblings from there.
    function _node(Opened memory o, uint256 level) private pure returns (Opened memory up) {
        uint256 index = uint32(bytes4(o.indices));
        up.rootPath = o.rootPath;
        up.indices = abi.encodePacked(uint32(index >> level));
        up.tiles = abi.encodePacked(Naive.climbTile(index, Naive.leaf(o.tiles), _part(o.proof, 0, level + 1)));
        up.proof = _part(o.proof, level + 1, o.proof.length);
    }

    /// The tiles, and their siblings below those nodes.
    function _below(uint256 a, uint256 params) private view returns (Witness memory low) {
        Witness memory w = witnessOf(OPERATOR, ELEMENT);
        low.a = Opened(none, w.a.indices, w.a.tiles, _part(w.a.proof, 0, a + 1));
        low.b = Opened(none, w.b.indices, w.b.tiles, _part(w.b.proof, 0, 3));
        low.params = Opened(none, w.params.indices, w.params.tiles, _part(w.params.proof, 0, params + 1));
    }

    function _part(bytes32[] memory all, uint256 from, uint256 to) private pure returns (bytes32[] memory part) {
        part = new bytes32[](to - from);
        for (uint256 i; i < part.length; ++i) part[i] = all[from + i];
    }

    function _prepare(bytes32 id, uint256 a, uint256 params) private {
        prepare(id, _above(a, params), [a, 2, params]);
    }

    function _judge(bytes32 id, uint256 a, uint256 params, bool lies) private {
        send(CHALLENGER, nameCall(id, ELEMENT, _below(a, params)));
        turn(id, false);
        Track storage t = tracks[id];
        (t.position, t.remaining) = (ELEMENT / 32, 0);
        t.phase = lies ? Phase.WON : Phase.LOST;
        check(id);
        holds((status(t.claimId) == IGame.Status.Refuted) == lies, "the claim");
    }

    /// A match in NAME or, if no tile is shown, in DATA_E.
    function _begin(bool lies, bool tiles) private returns (bytes32 id) {
        if (lies) lie(OPERATOR, ELEMENT);
        id = openMatch(postClaim());
        walk(id, OPERATOR, ELEMENT / 32);
        if (tiles) revealTiles(id);
    }

    function test_a_prepared_step_is_judged() public {
        // Of b there is a root alone to show, of a and the records that and the node of four below it.
        uint8[4] memory depths = op(OPERATOR).depths;
        holds(depths[1] == 3 && depths[2] == 2 && depths[3] == 3, "depths");
        uint256 state = vm.snapshotState();
        for (uint256 i; i < 4; ++i) {
            for (uint256 levels; levels < 4; ++levels) {
                vm.revertToState(state);
                (uint256 a, uint256 params) = (2 + levels % 2, 2 + levels / 2);
                bytes32 id = _begin(i % 2 == 0, i < 2);
                wait(13);
                _prepare(id, a, params);
                wait(14);
                _judge(id, a, params, i % 2 == 0);
            }
        }
    }

    /// Of one tile the leaf is the root, and is shown as it is.
    function test_a_leaf_is_the_top_of_one_tile() public {
        lie(1, 3);
        bytes32 id = openMatch(postClaim());
        walk(id, 1, 0);
        (Witness memory up, uint256[3] memory levels) = rootsOf(single);
        holds(levels[0] == 3 && levels[2] == 0 && up.params.proof.length == 0, "one tile of records");
        Witness memory low = underRoots(single, 3);
        same(bytes32(up.params.tiles), Naive.leaf(low.params.tiles), "its leaf");
        up.params.proof = new bytes32[](1);
        refuse(CHALLENGER, prepareCall(id, up), IGame.BadOpening.selector);
        up.params.proof = none;
        up.params.indices[3] ^= 0x01;
        refuse(CHALLENGER, prepareCall(id, up), IGame.BadOpening.selector);
        up.params.indices[3] ^= 0x01;
        prepare(id, up, levels);
        for (uint256 count = 1; count < 4; ++count) {
            low.params.proof = new bytes32[](count);
            refuse(CHALLENGER, nameCall(id, 3, low), IGame.BadOpening.selector);
        }
        low.params.proof = none;
        name(id, 3, low);
        same(tracks[id].phase, Phase.WON, "won");
    }

    /// The operator with one tile of records; no constant, or the compiler unfolds more than its stack holds.
    uint256 private single = 1;

    /// An executor may commit to a tensor's tiles hashed two by two: then there would be nodes of level 1, and leaves with one
    /// sibling. Neither is shown, and under the node of level 2 lie no four leaves.
    function test_attack_09_tops_below_the_node_of_four() public {
        twos = true;
        bytes32 id = _begin(true, true);
        bytes32[] memory leaves = tileLeaves(0);
        uint256 index = uint32(bytes4(witnessOf(OPERATOR, ELEMENT).a.indices));
        bytes32[] memory path = Naive.path(leaves, index);
        Witness memory up = _above(3, 3);
        for (uint256 i; i < 4; ++i) {
            uint256 level = (i + 3) % 4;
            up.a.indices = abi.encodePacked(uint32(index >> level));
            up.a.tiles = abi.encodePacked(Naive.node(leaves, level, index >> level));
            up.a.proof = _part(path, level, 3);
            // It does lead to the root that is committed.
            bytes32 root = Naive.climb(index >> level, bytes32(up.a.tiles), up.a.proof);
            same(root, rootOf(0), "the root");
            if (level < 2) refuse(CHALLENGER, prepareCall(id, up), IGame.BadOpening.selector);
        }
        prepare(id, up, [uint256(2), 2, 3]);
        Witness memory low = _below(2, 3);
        refuse(CHALLENGER, nameCall(id, ELEMENT, low), IGame.BadOpening.selector);
        for (uint256 count; count < 4; ++count) {
            low.a.proof = _part(path, 0, count);
            refuse(CHALLENGER, nameCall(id, ELEMENT, low), IGame.BadOpening.selector);
        }
    }

    /// Nor are nodes of the right tree shown below level 2, as if it had them.
    function test_attack_09_tops_that_are_leaves() public {
        bytes32 id = _begin(true, true);
        Witness memory w = witnessOf(OPERATOR, ELEMENT);
        for (uint256 operand; operand < 3; ++operand) {
            Witness memory up = _above(2, 2);
            Opened memory from = operand == 0 ? w.a : operand == 1 ? w.b : w.params;
            Opened memory to = operand == 0 ? up.a : operand == 1 ? up.b : up.params;
            (to.indices, to.tiles) = (from.indices, abi.encodePacked(Naive.leaf(from.tiles)));
            for (uint256 count; count < 5; ++count) {
                to.proof = new bytes32[](count);
                for (uint256 i; i < count && i < from.proof.length; ++i) to.proof[i] = from.proof[i];
                refuse(CHALLENGER, prepareCall(id, up), IGame.BadOpening.selector);
            }
        }
        _prepare(id, 2, 2);
    }

    bool private twos;

    function rootOf(uint256 operator) internal view override returns (bytes32) {
        if (twos && operator == 0) return Naive.root(tileLeaves(0));
        return super.rootOf(operator);
    }

    function test_a_prepared_verdict_opens_the_reward() public {
        bytes32 id = _begin(true, true);
        _prepare(id, 2, 2);
        _judge(id, 2, 2, true);
        holds(game.claim(tracks[id].claimId).point != 0, "a point");
        holds(!game.claim(tracks[id].claimId).byRoots, "the layer has a sub-trace");
        reclaim(id);
    }

    function test_who_prepares_and_stalls_loses() public {
        bytes32 id = _begin(true, true);
        _prepare(id, 2, 2);
        refuse(EXECUTOR, revealTilesCall(id, tilesNow(id)), IGame.WrongPhase.selector);
        refuse(CHALLENGER, prepareCall(id, _above(2, 2)), IGame.WrongPhase.selector);
        refuse(STRANGER, nameCall(id, ELEMENT, _below(2, 2)), IGame.WrongState.selector);
        refuse(STRANGER, timeoutCall(id), IGame.NotYet.selector);
        wait(210);
        refuse(CHALLENGER, nameCall(id, ELEMENT, _below(2, 2)), IGame.TooLate.selector);
        timeout(id);
        same(tracks[id].phase, Phase.LOST, "lost");
    }

    function test_attack_09_preparations_that_are_refused() public {
        bytes32 id = _begin(true, true);
        for (uint256 i; i < 12; ++i) {
            Witness memory up = _above(2, 2);
            bytes4 why = IGame.BadOpening.selector;
            if (i == 0) up.a.tiles[0] ^= 0x01;
            if (i == 1) up.a.indices[3] ^= 0x01;
            if (i == 2) up.a.indices[0] ^= 0x80;
            if (i == 3) up.params.proof[0] ^= bytes32(uint256(1));
            if (i == 4) up.a.rootPath[0] ^= bytes32(uint256(1));
            if (i == 5) up.params.proof = new bytes32[](0);
            if (i == 6) up.params.proof = new bytes32[](33);
            if (i == 7) up.b.rootPath = new bytes32[](1);
            if (i > 7) why = IGame.WrongCount.selector;
            if (i == 8) up.a.indices = bytes.concat(up.a.indices, hex"00000001");
            if (i == 9) up.a.tiles = new bytes(128);
            if (i == 10) up.b.indices = "";
            if (i == 11) (why, up.third.indices) = (IGame.WitnessExtra.selector, hex"00000000");
            refuse(CHALLENGER, prepareCall(id, up), why);
        }
        Witness memory nothing;
        refuse(CHALLENGER, prepareCall(id, nothing), IGame.WrongCount.selector);
        // An element of several segments is named without a witness.
        bytes32 other = openMatch(tracks[id].claimId);
        walk(other, 0, 0);
        refuse(CHALLENGER, prepareCall(other, nothing), IGame.WitnessExtra.selector);
    }

    function test_attack_09_prepared_names_that_are_refused() public {
        bytes32 id = _begin(true, true);
        _prepare(id, 2, 3);
        for (uint256 i; i < 15; ++i) {
            Witness memory low = _below(2, 3);
            bytes4 why = IGame.BadOpening.selector;
            if (i == 0) low.a.tiles[5] ^= 0x01;
            if (i == 1) low.a.indices[3] ^= 0x02;
            if (i == 2) low.a.proof[0] ^= bytes32(uint256(1));
            if (i == 3) low.a.proof = new bytes32[](0);
            if (i == 4) low.b.rootPath = new bytes32[](1);
            if (i == 5) (low.a, low.b) = (low.b, low.a);
            if (i == 6) low = witnessOf(OPERATOR, ELEMENT);
            if (i == 7) (why, low.params.tiles) = (IGame.WrongCount.selector, "");
            if (i == 8) (why, low.third.indices) = (IGame.WitnessExtra.selector, hex"00000000");
            if (i == 9) low.a.indices[3] ^= 0x04;
            if (i == 10) low.a.proof = _part(low.a.proof, 0, 2);
            if (i == 11) low.a.proof = witnessOf(OPERATOR, ELEMENT).a.proof;
            if (i == 12) (low.a.proof[0], low.a.proof[1]) = (low.a.proof[1], low.a.proof[0]);
            if (i == 13) low.params.proof = _part(low.params.proof, 0, 3);
            if (i == 14) low.params.proof[3] ^= bytes32(uint256(1));
            refuse(CHALLENGER, nameCall(id, ELEMENT, low), why);
        }
        _judge(id, 2, 3, true);
    }
}
