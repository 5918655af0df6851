// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {MatchWord, MatchWords, Phase} from "../sol/MatchWord.sol";
import {Base} from "./Base.sol";

contract MatchWordTest is Base {
    /// PROTOCOL 4.1, written out.
    function test_the_layout() public pure {
        MatchWord w = MatchWords.start(0x09, 0x12, 0x6071829304, 0xa1a2a3a4, 0xb1b2b3b4).withNode(0x13, 0x21222324)
            .withLayer(0x313233, 0xc1c2c3c4).withNamed(0x41, -2);
        same(
            MatchWord.unwrap(w),
            0x00_fffffffe_41_c1c2c3c4_b1b2b3b4_a1a2a3a4_6071829304_313233_21222324_13_09,
            "word"
        );
    }

    function testFuzz_fields(
        uint8 phase,
        uint8 remaining,
        uint32 position,
        uint24 layer,
        uint40 time,
        uint32[3] memory clocks,
        uint8 element,
        int32 value
    ) public pure {
        MatchWord w = MatchWords.start(phase, 1, time, clocks[0], clocks[1]).withNode(remaining, position);
        w = w.withLayer(layer, clocks[2]).withNamed(element, value);
        same(w.phase(), phase, "phase");
        same(w.remaining(), remaining, "remaining");
        same(w.position(), position, "position");
        same(w.layer(), layer, "layer");
        same(w.turnStart(), time, "turn");
        same(w.tiles(), clocks[2], "tiles");
        same(w.element(), element, "element");
        same(w.value(), value, "value");
        same(w.withPhase(1).turnClock(), clocks[0], "executor's clock");
        same(w.withPhase(2).turnClock(), clocks[1], "challenger's clock");
        same(MatchWord.unwrap(w.withPhase(7).withPhase(phase)), MatchWord.unwrap(w), "the rest stays");
    }

    function testFuzz_charge(bool executor, uint32 clock, uint32 other, uint32 taken, uint16 grace) public pure {
        uint256 time = 1 << 33;
        MatchWord w = MatchWords.start(1, 0, time, executor ? clock : other, executor ? other : clock);
        w = w.charged(executor, time + taken, grace);
        uint256 over = taken > grace ? uint256(taken) - grace : 0;
        uint256 left = over < clock ? clock - over : 0;
        same(w.withPhase(executor ? 1 : 2).turnClock(), left, "who moved");
        same(w.withPhase(executor ? 2 : 1).turnClock(), other, "who did not");
        same(w.turnStart(), time + taken, "turn");
    }

    function test_turns() public pure {
        uint8[4] memory executors = [Phase.LAYER_E, Phase.TILE_E, Phase.DATA_E, Phase.FOLD_E];
        uint8[4] memory challengers = [Phase.LAYER_C, Phase.TILE_C, Phase.NAME, Phase.SEG];
        for (uint256 i; i < 4; ++i) {
            holds(MatchWord.wrap(executors[i]).executorsTurn(), "executor");
            holds(!MatchWord.wrap(challengers[i]).executorsTurn(), "challenger");
            holds(MatchWord.wrap(executors[i]).isOpen() && MatchWord.wrap(challengers[i]).isOpen(), "open");
        }
        holds(!MatchWord.wrap(Phase.WON).isOpen() && !MatchWord.wrap(Phase.LOST).isOpen(), "over");
        holds(!MatchWord.wrap(Phase.RECLAIMED).isOpen(), "over");
    }
}
