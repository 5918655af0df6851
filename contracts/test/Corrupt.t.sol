// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IGame} from "../sol/IGame.sol";
import {Phase} from "../sol/MatchWord.sol";
import {Fixture} from "./Fixture.sol";

/// Every bit of the calldata that decides, turned over: what comes of it is a refusal, or the same verdict, and never a
/// verdict against who is right.
contract CorruptTest is Fixture {
    error Outcome(uint256 status, bytes32 state);

    /// Sends, looks, and takes it back.
    function attempt(address from, bytes calldata call, bytes32 claimId, bytes32 id) external {
        vm.prank(from);
        (bool done,) = address(game).call(call);
        if (!done) revert Outcome(0, 0);
        revert Outcome(uint256(status(claimId)), game.matchState(id));
    }

    /// The claim's status after each altered call, counted: refused, pending, -, refuted.
    function turnEvery(address from, bytes memory call, bytes32 claimId, bytes32 id) private returns (uint256[4] memory seen) {
        for (uint256 bit; bit < call.length * 8; ++bit) {
            // A third of all bits, other ones of each byte.
            if (bit % 3 != 0) continue;
            seen[_try(from, call, bit, claimId, id)] += 1;
        }
    }

    function _try(address from, bytes memory call, uint256 bit, bytes32 claimId, bytes32 id)
        private
        forgetful
        returns (uint256 outcome)
    {
        call[bit / 8] ^= bytes1(uint8(1 << (bit % 8)));
        try this.attempt(from, call, claimId, id) {}
        catch (bytes memory why) {
            assembly ("memory-safe") {
                outcome := mload(add(why, 36))
            }
        }
        call[bit / 8] ^= bytes1(uint8(1 << (bit % 8)));
    }

    function test_every_bit_of_a_step_against_an_honest_claim() public {
        bytes32 claimId = postClaim();
        bytes32 id = openMatch(claimId);
        walk(id, 2, 1);
        revealTiles(id);
        bytes memory step = nameCall(id, 40, witnessOf(2, 40));
        uint256[4] memory seen = turnEvery(CHALLENGER, step, claimId, id);
        same(seen[3], 0, "never refuted");
        holds(seen[0] > seen[1] * 10, "nearly all are refused");
        send(CHALLENGER, step);
        holds(status(claimId) == IGame.Status.Pending, "lost");
    }

    function test_every_bit_of_a_step_against_a_liar() public {
        lie(1, 3);
        bytes32 claimId = postClaim();
        bytes32 id = openMatch(claimId);
        walk(id, 1, 0);
        bytes memory step = nameCall(id, 3, witnessOf(1, 3));
        uint256[4] memory seen = turnEvery(CHALLENGER, step, claimId, id);
        // Another element that the same tiles prove right, or its padding: the challenger's own mistake.
        holds(seen[1] <= 8, "hardly ever lost");
        holds(seen[0] > seen[1] * 10, "nearly all are refused");
        send(CHALLENGER, step);
        holds(status(claimId) == IGame.Status.Refuted, "won");
    }

    function test_every_bit_of_a_refutation_of_an_honest_claim() public {
        bytes32 claimId = postClaim();
        bytes memory call = refuteCall(claimId, refutation(4, 3, signedSubTrace(claimId, 2)));
        uint256[4] memory seen = turnEvery(STRANGER, call, claimId, 0);
        same(seen[1] + seen[2] + seen[3], 0, "always refused");
    }

    function test_every_bit_of_a_refutation_of_a_liar() public {
        lie(4, 3);
        bytes32 claimId = postClaim();
        bytes memory call = refuteCall(claimId, refutation(4, 3, signedSubTrace(claimId, 2)));
        uint256[4] memory seen = turnEvery(STRANGER, call, claimId, 0);
        same(seen[1] + seen[2], 0, "refused or refuted");
        holds(seen[0] > seen[3] * 10, "nearly all are refused");
        send(STRANGER, call);
        holds(status(claimId) == IGame.Status.Refuted, "refuted");
    }

    function test_every_bit_of_a_segment_against_an_honest_claim() public {
        bytes32 claimId = postClaim();
        bytes32 id = openMatch(claimId);
        walk(id, 4, 0);
        name(id, 5);
        int64[] memory sums = sumsOf(4, 5);
        fold(id, sums);
        bytes memory call = segmentCall(id, sums, 2, witnessOf(4, 5, 8, 10));
        uint256[4] memory seen = turnEvery(CHALLENGER, call, claimId, id);
        same(seen[3], 0, "never refuted");
        segment(id, sums, 2);
        same(tracks[id].phase, Phase.LOST, "lost");
    }

    /// Nobody but the executor can bend what it states.
    function test_every_bit_of_a_signed_sub_trace() public {
        bytes32 claimId = postClaim();
        bytes32 id = openMatch(claimId);
        while (tracks[id].phase < Phase.SUB_E) pickTowards(id, 2, 0);
        bytes memory call = subTraceCall(id, subRoots(2), signedSubTrace(claimId, 2));
        uint256[4] memory seen = turnEvery(STRANGER, call, claimId, id);
        // Bits of the padding behind the signature and the layer are nobody's.
        holds(seen[1] <= 150, "what is not read");
        subTrace(id, STRANGER, subRoots(2), signedSubTrace(claimId, 2));
    }
}
