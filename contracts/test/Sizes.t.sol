// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Game} from "../sol/Game.sol";
import {IGame} from "../sol/IGame.sol";
import {IReferee} from "../sol/IReferee.sol";
import {IRegistry} from "../sol/IRegistry.sol";
import {Referee} from "../sol/Referee.sol";
import {Registry} from "../sol/Registry.sol";
import {Base} from "./Base.sol";

/// What is deployed keeps to EIP-170, and what deploys it to EIP-3860.
contract SizesTest is Base {
    event log(string line);

    uint256 private constant MOST = 24_576;

    function measure(string memory what, address contract_, uint256 creation) private {
        uint256 size = contract_.code.length;
        emit log(string.concat(what, ": ", vm.toString(size), " bytes"));
        holds(size != 0 && size <= MOST, what);
        holds(creation <= 2 * MOST, "creation");
    }

    function test_every_contract_can_be_deployed() public {
        Registry registry = new Registry();
        Referee referee = new Referee();
        IGame.Parameters memory p =
            IGame.Parameters(1, 1, 1, 0, 0, 1, 1, 1, 1, 2, 1, 0, 0, 0);
        Game game = new Game(IRegistry(registry), IReferee(referee), p);
        measure("Registry", address(registry), type(Registry).creationCode.length);
        measure("Referee", address(referee), type(Referee).creationCode.length);
        measure("Game", address(game), type(Game).creationCode.length + 16 * 32);
        holds(address(game.registry()) == address(registry) && address(game.referee()) == address(referee), "wired");
    }
}
