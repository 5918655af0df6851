// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {ClaimWord} from "./ClaimWord.sol";
import {IGame} from "./IGame.sol";
import {IRegistry} from "./IRegistry.sol";
import {Tree} from "./Tree.sol";

/// @title Parameters, and what follows from them (PROTOCOL 2).
abstract contract Rules is IGame {
    uint256 private constant ANSWER_GAS = 50_000;
    uint256 private constant ANSWER_GAS_A_NODE = 1_600;
    /// What the answers that are no reveals take together: a sub-trace of 32 roots, the tiles, 256 partial values.
    uint256 private constant OTHER_ANSWERS_GAS = 300_000;
    uint256 private constant OTHER_MOVES = 8;

    bytes32 public immutable parametersHash;
    uint32 internal immutable windowSeconds;
    uint32 internal immutable executorClockSeconds;
    uint32 internal immutable challengerClockSeconds;
    uint32 internal immutable graceSeconds;
    uint32 internal immutable slackSeconds;
    uint32 internal immutable revealSeconds;
    uint32 internal immutable rewardSeconds;
    uint32 private immutable blockSeconds;
    uint64 private immutable blockGas;
    uint128 internal immutable executorBond;
    uint128 private immutable feeCap;
    uint128 private immutable delayFee;
    uint128 private immutable workPrice;
    uint128 private immutable attackerBudget;

    constructor(Parameters memory p) {
        bool timed = _within(p.windowSeconds, 1) && _within(p.executorClockSeconds, 1)
            && _within(p.challengerClockSeconds, 1) && _within(p.graceSeconds, 0) && _within(p.slackSeconds, 0)
            && _within(p.revealSeconds, 1) && _within(p.rewardSeconds, 1) && _within(p.blockSeconds, 1);
        bool sized = p.blockGas >= 1 && p.blockGas < 1 << 32 && p.executorBond >= 2 && p.feeCap >= 1
            && p.feeCap < 1 << 64 && p.attackerBudget < 1 << 92;
        if (!timed || !sized) revert BadParameters();
        // Matches bought for the budget must not fill more than a tenth of all blocks during the executor's clock.
        uint256 flood = uint256(p.attackerBudget) * 10 * p.blockSeconds;
        if (flood > 2 * uint256(p.feeCap) * p.executorClockSeconds * p.blockGas) revert BadParameters();
        parametersHash = keccak256(abi.encode(p));
        windowSeconds = p.windowSeconds;
        executorClockSeconds = p.executorClockSeconds;
        challengerClockSeconds = p.challengerClockSeconds;
        graceSeconds = p.graceSeconds;
        slackSeconds = p.slackSeconds;
        revealSeconds = p.revealSeconds;
        rewardSeconds = p.rewardSeconds;
        blockSeconds = p.blockSeconds;
        blockGas = p.blockGas;
        executorBond = p.executorBond;
        feeCap = p.feeCap;
        delayFee = p.delayFee;
        workPrice = p.workPrice;
        attackerBudget = p.attackerBudget;
    }

    function parameters() external view returns (Parameters memory p) {
        p.windowSeconds = windowSeconds;
        p.executorClockSeconds = executorClockSeconds;
        p.challengerClockSeconds = challengerClockSeconds;
        p.graceSeconds = graceSeconds;
        p.slackSeconds = slackSeconds;
        p.revealSeconds = revealSeconds;
        p.rewardSeconds = rewardSeconds;
        p.blockSeconds = blockSeconds;
        p.blockGas = blockGas;
        p.executorBond = executorBond;
        p.feeCap = feeCap;
        p.delayFee = delayFee;
        p.workPrice = workPrice;
        p.attackerBudget = attackerBudget;
    }

    /// R(program).
    function _rounds(IRegistry.Program memory program) internal pure returns (uint256) {
        uint256 below = program.greatestDepth > 2 ? program.greatestDepth - 2 : 0;
        uint256 bits = program.revealBits;
        unchecked {
            return (Tree.depthFor(program.layers) + bits - 1) / bits + (below + bits - 1) / bits;
        }
    }

    /// hardEnd - windowEnd of a claim on a program with so many rounds.
    function _playSeconds(uint256 rounds) internal view returns (uint256) {
        unchecked {
            return uint256(executorClockSeconds) + challengerClockSeconds + (2 * rounds + OTHER_MOVES) * graceSeconds
                + slackSeconds;
        }
    }

    /// claimFee(program): below 2^162.
    function _claimFee(IRegistry.Program memory program) internal view returns (uint256) {
        unchecked {
            return (uint256(program.work) * workPrice + (1 << 30) - 1) >> 30;
        }
    }

    /// bond(program) of the claim's program: below 2^129.
    function _bond(ClaimWord claim) internal view returns (uint256) {
        unchecked {
            return 2 * (claim.rounds() * _answerGas(claim) + OTHER_ANSWERS_GAS) * feeCap + delayFee;
        }
    }

    /// What a lost match owes to the executor.
    function _compensation(ClaimWord claim, uint256 answers, uint256 bond) internal view returns (uint256) {
        unchecked {
            uint256 price = block.basefee < feeCap ? block.basefee : feeCap;
            uint256 due = answers * _answerGas(claim) * price + delayFee;
            return due < bond ? due : bond;
        }
    }

    function _answerGas(ClaimWord claim) private pure returns (uint256) {
        unchecked {
            return ANSWER_GAS + (ANSWER_GAS_A_NODE << claim.revealBits());
        }
    }

    function _within(uint256 value, uint256 least) private pure returns (bool) {
        return least <= value && value < 1 << 31;
    }
}
