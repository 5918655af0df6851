// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {ClaimWord, ClaimWords} from "../sol/ClaimWord.sol";
import {IGame} from "../sol/IGame.sol";
import {Base} from "./Base.sol";

contract ClaimWordTest is Base {
    function testFuzz_fields(uint8 bits, uint24 layers, uint24 constants, uint48 windowEnd, uint48 hardEnd, uint8 opened)
        public
        pure
    {
        ClaimWord w = ClaimWords.start(bits, layers, constants, windowEnd, hardEnd);
        for (uint256 i; i < opened; ++i) w = w.opened();
        for (uint256 i; i < opened / 2; ++i) w = w.closed();
        w = w.withStatus(ClaimWords.REFUTED).withStatus(ClaimWords.FINAL);
        same(w.status(), ClaimWords.FINAL, "status");
        same(w.revealBits(), bits, "bits");
        same(w.layers(), layers, "layers");
        same(w.constants(), constants, "constants");
        same(w.windowEnd(), windowEnd, "window end");
        same(w.hardEnd(), hardEnd, "hard end");
        same(w.matches(), opened, "matches");
        same(w.openMatches(), opened - opened / 2, "open matches");
    }

    function test_statuses_are_those_of_the_interface() public pure {
        same(uint256(IGame.Status.None), 0, "none");
        same(uint256(IGame.Status.Pending), ClaimWords.PENDING, "pending");
        same(uint256(IGame.Status.Final), ClaimWords.FINAL, "final");
        same(uint256(IGame.Status.Refuted), ClaimWords.REFUTED, "refuted");
    }
}
