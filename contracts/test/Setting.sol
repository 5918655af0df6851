// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Game} from "../sol/Game.sol";
import {IGame} from "../sol/IGame.sol";
import {Referee} from "../sol/Referee.sol";
import {Registry} from "../sol/Registry.sol";
import {Phase} from "../sol/MatchWord.sol";
import {Model, Op} from "./Model.sol";
import {Naive} from "./Naive.sol";
import {Program} from "./Program.sol";

/// A match as PROTOCOL 4.1 and 4.2 say that it goes: the tests' own account, to which the game's hash is held.
struct Track {
    bytes32 claimId;
    uint64 number;
    address challenger;
    IGame.Seat seat;
    uint256 phase;
    uint256 remaining;
    uint256 position;
    uint256 place;
    uint256 turnStart;
    uint256 executorClock;
    uint256 challengerClock;
    uint256 answers;
    uint256 operators;
    uint256 element;
    uint256 subject;
    uint256 bits;
    bytes32 node;
    bytes32 scope;
    bytes32 list;
}

/// Deploys everything, registers the program, posts jobs and claims, and keeps account of matches.
abstract contract Setting is Program {
    uint256 internal constant TIME = 1_700_000_000;
    uint256 internal constant EXECUTOR_KEY = 0xe0;

    address internal constant REQUESTER = address(0x1001);
    address internal constant CHALLENGER = address(0x1003);
    address internal constant STRANGER = address(0x1004);
    address internal EXECUTOR;

    Registry internal registry;
    Game internal game;
    bytes32 internal programRoot;
    bytes32 internal jobId;
    bytes32[] internal none;

    mapping(bytes32 => Track) internal tracks;
    mapping(bytes32 => IGame.Posted) internal posts;

    function setUp() public virtual {
        EXECUTOR = vm.addr(EXECUTOR_KEY);
        vm.warp(TIME);
        registry = new Registry();
        game = new Game(registry, new Referee(), params());
        compile();
        programRoot = registry.register(header(), Naive.root(layersLeaves()));
        address[4] memory rich = [REQUESTER, EXECUTOR, CHALLENGER, STRANGER];
        for (uint256 i; i < 4; ++i) vm.deal(rich[i], 1000 ether);
        jobId = postJob(1 ether, uint64(TIME + 100_000));
    }

    function params() internal pure returns (IGame.Parameters memory) {
        return IGame.Parameters({
            windowSeconds: 1000,
            executorClockSeconds: 100,
            challengerClockSeconds: 200,
            graceSeconds: 10,
            slackSeconds: 20,
            revealSeconds: 60,
            rewardSeconds: 300,
            blockSeconds: 12,
            blockGas: 30_000_000,
            executorBond: 1 ether + 1,
            feeCap: 1 gwei,
            delayFee: 7,
            workPrice: 1 << 30,
            attackerBudget: 0.05 ether
        });
    }

    /// PROTOCOL 2, written out for the header: L = 3, T = 3.
    function answerGas() internal pure returns (uint256) {
        return 50_000 + 1600 * 2 ** revealBits();
    }

    function bond() internal pure returns (uint256) {
        uint256 b = revealBits();
        uint256 rounds = (3 + b - 1) / b + (1 + b - 1) / b;
        return 2 * (rounds * answerGas() + 300_000) * 1 gwei + 7;
    }

    /// work * workPrice / 2^30
    uint256 internal constant CLAIM_FEE = 10_000;

    // Sending.

    /// Calls the game and wants the refusal, or none.
    function send(address from, uint256 value, bytes memory call, bytes4 refusal) internal returns (bytes memory) {
        vm.prank(from);
        (bool done, bytes memory answer) = address(game).call{value: value}(call);
        if (refusal == 0 && !done) {
            assembly ("memory-safe") {
                revert(add(answer, 32), mload(answer))
            }
        }
        if (refusal != 0) {
            holds(!done, "a refusal");
            same(bytes32(bytes4(answer)), bytes32(refusal), "the refusal");
        }
        return answer;
    }

    function send(address from, bytes memory call) internal returns (bytes memory) {
        return send(from, 0, call, 0);
    }

    function refuse(address from, bytes memory call, bytes4 refusal) internal {
        send(from, 0, call, refusal);
    }

    function wait(uint256 time) internal {
        vm.warp(vm.getBlockTimestamp() + time);
    }

    function now_() internal view returns (uint64) {
        return uint64(vm.getBlockTimestamp());
    }

    /// Everybody takes what it is owed; then only what was burned is left.
    function drained() internal {
        same(game.locked(), address(game).balance - game.burned(), "locked");
        address[4] memory all = [REQUESTER, EXECUTOR, CHALLENGER, STRANGER];
        for (uint256 i; i < 4; ++i) {
            if (game.owed(all[i]) != 0) send(all[i], abi.encodeCall(game.withdraw, ()));
        }
        same(address(game).balance, game.burned(), "nothing is left but what was burned");
        same(game.locked(), 0, "nothing is locked");
    }

    // Jobs and claims.

    function postJob(uint256 fee, uint64 deadline) internal returns (bytes32) {
        bytes memory call = abi.encodeCall(game.postJob, (programRoot, input, bytes32(fee), deadline));
        return abi.decode(send(REQUESTER, fee, call, 0), (bytes32));
    }

    function posted() internal view returns (IGame.Posted memory p) {
        bytes memory output = said[OPERATORS - 1];
        p = IGame.Posted(jobId, EXECUTOR, Naive.root(traceLeaves()), Naive.tensorRoot(Naive.leavesOf(output)));
    }

    bytes32 internal constant SALT = keccak256("salt");

    function claimCommitment(IGame.Posted memory p) internal pure returns (bytes32) {
        return keccak256(abi.encode(SALT, p.executor, p.jobId, p.traceRoot, p.outputRoot));
    }

    function commitClaim(bytes32 commitment) internal returns (uint64) {
        bytes memory call = abi.encodeCall(game.commitClaim, (jobId, commitment));
        return abi.decode(send(EXECUTOR, params().executorBond + CLAIM_FEE, call, 0), (uint64));
    }

    function postClaimCall(uint64 number, uint64 committedAt) internal view returns (bytes memory) {
        bytes memory output = said[OPERATORS - 1];
        bytes32[] memory leaves = traceLeaves();
        bytes32[] memory path = Naive.path(leaves, LAYERS - 1);
        return abi.encodeCall(game.postClaim, (jobId, number, committedAt, SALT, Naive.root(leaves), output, path));
    }

    /// Commits to the claim, and posts it a second later.
    function postClaim() internal returns (bytes32 id) {
        IGame.Posted memory p = posted();
        uint64 number = commitClaim(claimCommitment(p));
        wait(1);
        id = abi.decode(send(EXECUTOR, postClaimCall(number, now_() - 1)), (bytes32));
        posts[id] = p;
    }

    function status(bytes32 claimId) internal view returns (IGame.Status) {
        return game.claim(claimId).status;
    }

    // Matches.

    function openMatch(bytes32 claimId) internal returns (bytes32) {
        return openMatch(claimId, CHALLENGER, 0);
    }

    function openMatch(bytes32 claimId, address challenger, bytes32 commitment) internal returns (bytes32 id) {
        uint64 number = game.claim(claimId).openings;
        bytes memory call = abi.encodeCall(game.open, (posts[claimId], commitment));
        id = abi.decode(send(challenger, bond(), call, 0), (bytes32));
        same(id, keccak256(abi.encode(claimId, number)), "match id");
        Track storage t = tracks[id];
        (t.claimId, t.number, t.challenger) = (claimId, number, challenger);
        t.seat = IGame.Seat(commitment, now_(), uint128(bond()));
        (t.phase, t.remaining, t.subject, t.bits) = (Phase.LAYER_E, 3, LAYERS, revealBits());
        (t.turnStart, t.executorClock, t.challengerClock) = (now_(), 100, 200);
        (t.node, t.scope) = (posts[claimId].traceRoot, Naive.root(layersLeaves()));
        check(id);
    }

    function commit(bytes32 claimId, address challenger, bytes32 commitment) internal returns (bytes32 id) {
        uint64 number = game.claim(claimId).openings;
        id = abi.decode(send(challenger, abi.encodeCall(game.commit, (claimId, commitment))), (bytes32));
        Track storage t = tracks[id];
        (t.claimId, t.number, t.challenger, t.phase) = (claimId, number, challenger, Phase.COMMITTED);
        t.seat = IGame.Seat(commitment, now_(), 0);
        check(id);
    }

    function word(bytes32 id) internal view returns (uint256 w) {
        Track storage t = tracks[id];
        w = t.phase | t.remaining << 8 | t.position << 16 | t.place << 48 | t.turnStart << 72;
        w |= t.executorClock << 112 | t.challengerClock << 144 | t.answers << 176 | t.operators << 184;
        w |= t.element << 192 | t.subject << 200 | (t.phase == Phase.COMMITTED ? 0 : t.bits << 232);
    }

    function standing(bytes32 id) internal view returns (IGame.Standing memory) {
        return IGame.Standing(word(id), tracks[id].scope, tracks[id].list);
    }

    function seatHash(bytes32 id) internal view returns (bytes32) {
        Track storage t = tracks[id];
        return keccak256(abi.encode(t.seat.commitment, t.seat.openedAt, t.seat.bond));
    }

    function groundHash(bytes32 id) internal view returns (bytes32) {
        return keccak256(abi.encode(tracks[id].scope, tracks[id].list, seatHash(id)));
    }

    function contextHash(bytes32 id) internal view returns (bytes32) {
        return keccak256(abi.encode(tracks[id].challenger, groundHash(id)));
    }

    /// What a reveal, a pick inside a tree, and the moves whose evidence gives the scope carry.
    function shown(bytes32 id) internal view returns (IGame.Footing memory) {
        return IGame.Footing(word(id), contextHash(id));
    }

    function picked(bytes32 id) internal view returns (IGame.Footing memory) {
        return IGame.Footing(word(id), groundHash(id));
    }

    function seatedOn(bytes32 id) internal view returns (IGame.Footing memory) {
        return IGame.Footing(word(id), seatHash(id));
    }

    function seated(bytes32 id) internal view returns (IGame.Seated memory) {
        Track storage t = tracks[id];
        return IGame.Seated(t.challenger, t.seat.commitment, t.seat.openedAt, t.seat.bond);
    }

    function stateHash(bytes32 id) internal view returns (bytes32) {
        Track storage t = tracks[id];
        return keccak256(abi.encode(word(id), t.node, contextHash(id)));
    }

    /// The game's account of a match is the tests' own.
    function check(bytes32 id) internal view {
        same(game.matchState(id), stateHash(id), "match state");
    }

    function executorsTurn(bytes32 id) internal view returns (bool) {
        return tracks[id].phase % 2 == 1;
    }

    /// Whose turn it was pays, and the next one begins.
    function turn(bytes32 id, bool answers) internal {
        Track storage t = tracks[id];
        uint256 taken = now_() - t.turnStart;
        uint256 spent = taken > 10 ? taken - 10 : 0;
        if (executorsTurn(id)) t.executorClock = spent < t.executorClock ? t.executorClock - spent : 0;
        else t.challengerClock = spent < t.challengerClock ? t.challengerClock - spent : 0;
        t.turnStart = now_();
        if (answers) ++t.answers;
    }

    function bits(bytes32 id) internal view returns (uint256) {
        uint256 levels = tracks[id].remaining - (tracks[id].phase <= Phase.LAYER_C ? 0 : 2);
        return levels < revealBits() ? levels : revealBits();
    }

    function children(bytes32 id) internal view returns (bytes32[] memory) {
        Track storage t = tracks[id];
        if (t.phase <= Phase.LAYER_C) return Naive.descendants(traceLeaves(), t.remaining, t.position, bits(id));
        return Naive.tensorDescendants(tileLeaves(t.place), t.remaining, t.position, bits(id));
    }
}
