// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {ClaimWord, ClaimWords} from "../sol/ClaimWord.sol";
import {IGame} from "../sol/IGame.sol";
import {MatchWord, MatchWords, Phase} from "../sol/MatchWord.sol";
import {Base} from "./Base.sol";

/// What is packed in one slot.
contract WordsTest is Base {
    /// PROTOCOL 4.1, written out.
    function test_the_matchs_layout() public pure {
        MatchWord w = MatchWords.start(0x09, 0x12, 0x6071829304, 0xa1a2a3a4, 0xb1b2b3b4).withNode(0x13, 0x21222324)
            .withPlace(0x313233).withOperators(0x17).withNamed(0x41, -2);
        for (uint256 i; i < 0x55; ++i) w = w.answered();
        same(
            MatchWord.unwrap(w),
            0x000000_fffffffe_41_17_55_b1b2b3b4_a1a2a3a4_6071829304_313233_21222324_13_09,
            "word"
        );
    }

    function testFuzz_fields_of_a_match(
        uint8 phase,
        uint8 remaining,
        uint32 position,
        uint24 place,
        uint40 time,
        uint32[3] memory clocks,
        uint8 element,
        int32 value
    ) public pure {
        MatchWord w = MatchWords.start(phase, 1, time, clocks[0], clocks[1]).withNode(remaining, position);
        w = w.withPlace(place).withSubject(clocks[2]).withOperators(element);
        same(w.phase(), phase, "phase");
        same(w.remaining(), remaining, "remaining");
        same(w.position(), position, "position");
        same(w.place(), place, "place");
        same(w.turnStart(), time, "turn");
        same(w.subject(), clocks[2], "subject");
        same(w.operators(), element, "operators");
        same(w.withPhase(1).turnClock(), clocks[0], "executor's clock");
        same(w.withPhase(2).turnClock(), clocks[1], "challenger's clock");
        same(w.turnEnd(7), uint256(time) + 7 + (phase & 1 == 1 ? clocks[0] : clocks[1]), "turn end");
        same(MatchWord.unwrap(w.withPhase(7).withPhase(phase)), MatchWord.unwrap(w), "the rest stays");
        w = w.withNamed(element, value);
        same(w.element(), element, "element");
        same(w.value(), value, "value");
        same(w.place(), place, "place");
    }

    function testFuzz_charge(bool executor, uint32 clock, uint32 other, uint32 taken, uint16 grace) public pure {
        uint256 time = 1 << 33;
        MatchWord w = MatchWords.start(1, 0, time, executor ? clock : other, executor ? other : clock);
        w = w.charged(executor, time + taken, grace);
        uint256 over = taken > grace ? uint256(taken) - grace : 0;
        uint256 left = over < clock ? clock - over : 0;
        same(w.withPhase(executor ? 1 : 2).turnClock(), left, "whose turn it was");
        same(w.withPhase(executor ? 2 : 1).turnClock(), other, "the other");
        same(w.turnStart(), time + taken, "turn");
    }

    function test_answers_stay_at_255() public pure {
        MatchWord w = MatchWords.start(1, 0, 0, 0, 0);
        for (uint256 i; i < 300; ++i) {
            same(w.answers(), i < 255 ? i : 255, "answers");
            w = w.answered();
        }
        same(w.operators(), 0, "no carry");
    }

    /// min(2^remaining, tiles - position * 2^remaining), by unbounded integers.
    function testFuzz_real_tiles(uint8 remaining, uint32 position, uint32 tiles) public pure {
        for (uint256 i; i < 4; ++i) {
            if (i == 1) remaining %= 34;
            if (i == 2) position %= 8;
            if (i == 3) (remaining, tiles) = (remaining % 4, tiles % 40);
            MatchWord w = MatchWords.start(7, 0, 0, 0, 0).withNode(remaining, position).withSubject(tiles);
            uint256 width = remaining > 200 ? 1 << 200 : uint256(1) << remaining;
            uint256 first = position * width;
            uint256 rest = first < tiles ? tiles - first : 0;
            same(w.realTiles(), rest < width ? rest : width, "real tiles");
        }
    }

    function test_turns() public pure {
        for (uint256 p = 1; p < Phase.WON; ++p) {
            holds(MatchWord.wrap(p).executorsTurn() == (p % 2 == 1), "the executor's phases are odd");
        }
    }

    function testFuzz_fields_of_a_claim(
        uint8 bits,
        uint8 rounds,
        uint24 layers,
        uint40[3] memory times,
        uint32 number,
        uint8 opened
    ) public pure {
        bits %= 16;
        ClaimWord w = ClaimWords.start(bits, rounds, layers, times[0], times[1], number);
        same(w.status(), ClaimWords.PENDING, "status");
        for (uint256 i; i < opened; ++i) w = w.opened(i % 3 != 0);
        uint256 matches = opened - (uint256(opened) + 2) / 3;
        for (uint256 i; i < matches / 2; ++i) w = w.closed();
        same(w.openings(), opened, "openings");
        same(w.openMatches(), matches - matches / 2, "open matches");
        same(w.finalised().status(), ClaimWords.FINAL, "final");
        holds(!w.byRoots() && !w.pointOpen() && w.refutedAt() == 0, "not refuted");
        w = w.refuted(bits % 2 == 1, bits % 3 == 0, times[2]);
        same(w.status(), ClaimWords.REFUTED, "refuted");
        holds(w.byRoots() == (bits % 2 == 1) && w.pointOpen() == (bits % 3 == 0), "how");
        same(w.refutedAt(), bits % 3 == 0 ? times[2] : 0, "when");
        holds(!w.collected().pointOpen() && w.collected().refutedAt() == w.refutedAt(), "collected");
        same(w.revealBits(), bits, "bits");
        same(w.rounds(), rounds, "rounds");
        same(w.layers(), layers, "layers");
        same(w.windowEnd(), times[0], "window end");
        same(w.hardEnd(), times[1], "hard end");
        same(w.number(), number, "number");
    }

    function test_finalisable() public pure {
        ClaimWord w = ClaimWords.start(1, 1, 1, 100, 200, 0);
        holds(!w.finalisable(99) && w.finalisable(100), "the window");
        w = w.opened(false);
        holds(w.finalisable(100), "a commitment holds nothing up");
        w = w.opened(true);
        holds(!w.finalisable(199) && w.finalisable(200), "the hard end");
        holds(w.closed().finalisable(100), "lost");
    }

    function test_statuses_are_those_of_the_interface() public pure {
        same(uint256(IGame.Status.None), 0, "none");
        same(uint256(IGame.Status.Pending), ClaimWords.PENDING, "pending");
        same(uint256(IGame.Status.Final), ClaimWords.FINAL, "final");
        same(uint256(IGame.Status.Refuted), ClaimWords.REFUTED, "refuted");
    }
}
