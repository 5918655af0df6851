// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IGame} from "../sol/IGame.sol";
import {Phase} from "../sol/MatchWord.sol";
import {Fixture} from "./Fixture.sol";
import {Op} from "./Model.sol";
import {Naive} from "./Naive.sol";
import {Opened, Packed, Witness} from "./Packed.sol";
import {Track} from "./Setting.sol";

/// Moves of a step in two (PROTOCOL 4.5).
abstract contract Prepared is Fixture {
    function prepareCall(bytes32 id, Witness memory up) internal view returns (bytes memory) {
        Track storage t = tracks[id];
        IGame.Posted memory p = posts[t.claimId];
        return abi.encodeCall(
            game.prepare, (p, t.number, seatedOn(id), t.list, t.node, operatorBytes(t.place), Packed.all(up))
        );
    }

    /// Shows nodes that lie at these levels of the operands' trees.
    function prepare(bytes32 id, Witness memory up, uint256[3] memory levels) internal {
        send(tracks[id].challenger, prepareCall(id, up));
        turn(id, false);
        (tracks[id].phase, tracks[id].list) = (Phase.READY, digestOf(up, levels));
        check(id);
    }

    /// keccak(level, index, node, …), zeros for what is not read.
    function digestOf(Witness memory up, uint256[3] memory levels) internal pure returns (bytes32) {
        return keccak256(
            bytes.concat(_words(up.a, levels[0]), _words(up.b, levels[1]), _words(up.params, levels[2]), new bytes(96))
        );
    }

    function _words(Opened memory o, uint256 level) private pure returns (bytes memory) {
        if (o.indices.length == 0) return new bytes(96);
        return abi.encode(level, uint32(bytes4(o.indices)), bytes32(o.tiles));
    }

    /// The operands' roots, in the place of nodes: under them lies whatever an element needs.
    function rootsOf(uint256 operator) internal view returns (Witness memory up, uint256[3] memory levels) {
        Op memory o = op(operator);
        levels = [uint256(o.depths[1]), o.depths[2], o.depths[3]];
        Witness memory w = witnessOf(operator, 0);
        up.a = _root(w.a, operandA(said, operator));
        if (o.bType != 0) up.b = _root(w.b, operandB(said, operator));
        up.params = _root(w.params, constants[o.params]);
    }

    function _root(Opened memory o, bytes memory data) private pure returns (Opened memory up) {
        (up.rootPath, up.indices) = (o.rootPath, new bytes(4));
        up.tiles = abi.encodePacked(Naive.tensorRoot(Naive.leavesOf(data)));
    }

    /// What `name` opens under those roots.
    function underRoots(uint256 operator, uint256 e) internal view returns (Witness memory w) {
        w = witnessOf(operator, e);
        (w.a.rootPath, w.b.rootPath, w.params.rootPath) = (none, none, none);
    }
}
