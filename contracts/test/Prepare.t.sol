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

    /// A node of each operand in the place of a tile, `levels` above the leaf of a.
    function _above(uint256 levels) private view returns (Witness memory up) {
        Witness memory w = witnessOf(OPERATOR, ELEMENT);
        (up.a, up.b, up.params) = (_node(w.a, levels), _node(w.b, 0), _node(w.params, 0));
    }

    function _node(Opened memory o, uint256 levels) private pure returns (Opened memory up) {
        uint256 index = uint32(bytes4(o.indices));
        bytes32 node = Naive.leaf(o.tiles);
        for (uint256 i; i < levels; ++i) {
            node = index % 2 == 0 ? Naive.inner(node, o.proof[i]) : Naive.inner(o.proof[i], node);
            index /= 2;
        }
        up.rootPath = o.rootPath;
        up.indices = abi.encodePacked(uint32(index));
        up.tiles = abi.encodePacked(node);
        up.proof = new bytes32[](o.proof.length - levels);
        for (uint256 i; i < up.proof.length; ++i) up.proof[i] = o.proof[levels + i];
    }

    /// The tiles, and of a the first `levels` siblings.
    function _below(uint256 levels) private view returns (Witness memory low) {
        Witness memory w = witnessOf(OPERATOR, ELEMENT);
        (low.a.indices, low.a.tiles) = (w.a.indices, w.a.tiles);
        (low.b.indices, low.b.tiles) = (w.b.indices, w.b.tiles);
        (low.params.indices, low.params.tiles) = (w.params.indices, w.params.tiles);
        low.a.proof = new bytes32[](levels);
        for (uint256 i; i < levels; ++i) low.a.proof[i] = w.a.proof[i];
    }

    function _prepare(bytes32 id, uint256 levels) private {
        prepare(id, _above(levels), [levels, 0, 0]);
    }

    function _judge(bytes32 id, uint256 levels, bool lies) private {
        send(CHALLENGER, nameCall(id, ELEMENT, _below(levels)));
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
        uint256 depth = op(OPERATOR).depths[1];
        uint256 state = vm.snapshotState();
        for (uint256 i; i < 4; ++i) {
            for (uint256 levels; levels <= depth; ++levels) {
                vm.revertToState(state);
                bytes32 id = _begin(i % 2 == 0, i < 2);
                wait(13);
                _prepare(id, levels);
                wait(14);
                _judge(id, levels, i % 2 == 0);
            }
        }
    }

    function test_a_prepared_verdict_opens_the_reward() public {
        bytes32 id = _begin(true, true);
        _prepare(id, 0);
        _judge(id, 0, true);
        holds(game.claim(tracks[id].claimId).point != 0, "a point");
        holds(!game.claim(tracks[id].claimId).byRoots, "the layer has a sub-trace");
        reclaim(id);
    }

    function test_who_prepares_and_stalls_loses() public {
        bytes32 id = _begin(true, true);
        _prepare(id, 0);
        refuse(EXECUTOR, revealTilesCall(id, tilesNow(id)), IGame.WrongPhase.selector);
        refuse(CHALLENGER, prepareCall(id, _above(0)), IGame.WrongPhase.selector);
        refuse(STRANGER, nameCall(id, ELEMENT, _below(0)), IGame.WrongState.selector);
        refuse(STRANGER, timeoutCall(id), IGame.NotYet.selector);
        wait(210);
        refuse(CHALLENGER, nameCall(id, ELEMENT, _below(0)), IGame.TooLate.selector);
        timeout(id);
        same(tracks[id].phase, Phase.LOST, "lost");
    }

    function test_attack_09_preparations_that_are_refused() public {
        bytes32 id = _begin(true, true);
        for (uint256 i; i < 12; ++i) {
            Witness memory up = _above(0);
            bytes4 why = IGame.BadOpening.selector;
            if (i == 0) up.a.tiles[0] ^= 0x01;
            if (i == 1) up.a.indices[3] ^= 0x01;
            if (i == 2) up.a.indices[0] ^= 0x80;
            if (i == 3) up.b.proof[0] ^= bytes32(uint256(1));
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
        _prepare(id, 1);
        for (uint256 i; i < 9; ++i) {
            Witness memory low = _below(1);
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
            refuse(CHALLENGER, nameCall(id, ELEMENT, low), why);
        }
        _judge(id, 1, true);
    }
}
