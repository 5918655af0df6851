// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IGame} from "../sol/IGame.sol";
import {Phase} from "../sol/MatchWord.sol";
import {Base} from "./Base.sol";
import {Model} from "./Model.sol";
import {Witness} from "./Packed.sol";
import {Prepared} from "./Prepared.sol";
import {Track} from "./Setting.sol";

/// Plays legal moves of all parties in any order, and keeps its own account of the money. Nothing that it sends may be
/// refused.
contract Handler is Prepared {
    struct Commitment {
        bytes32 hash;
        uint64 at_;
        uint64 number;
        bool open;
        uint256 variant;
    }

    bytes32[] public claims;
    bytes32[] public matches;
    Commitment[] private commitments;
    mapping(bytes32 => uint256) private variants;
    mapping(bytes32 => IGame.Status) private lastStatus;
    mapping(bytes32 => bool) private over;
    mapping(bytes32 => bool) private collected;
    uint256 public moves;

    /// Times do not last from one call of the fuzzer to the next.
    uint256 private clock;

    constructor() {
        setUp();
        clock = now_();
    }

    /// What the claims of this variant lie about.
    function _say(uint256 variant) private {
        tellTruth();
        if (variant == 1) lie(1, 3);
        if (variant == 2) lie(0, 200);
        if (variant == 3) lie(4, 2);
        if (variant == 4) lie(2, 81);
    }

    modifier counted() {
        ++moves;
        vm.warp(clock);
        _;
        clock = now_();
    }

    // Money.

    /// What the game has to hold for those whose claims, matches, jobs and commitments are not settled.
    function expectedLocked() external view returns (uint256 sum) {
        IGame.Job memory j = game.job(jobId);
        if (!j.settled) sum += j.fee;
        for (uint256 i; i < commitments.length; ++i) if (commitments[i].open) sum += params().executorBond;
        for (uint256 i; i < claims.length; ++i) {
            IGame.Claim memory c = game.claim(claims[i]);
            if (c.status == IGame.Status.Pending) sum += params().executorBond;
            if (c.point != 0) sum += params().executorBond / 2;
        }
        for (uint256 i; i < matches.length; ++i) {
            if (_staked(matches[i])) sum += bond();
        }
        address[4] memory all = [REQUESTER, EXECUTOR, CHALLENGER, STRANGER];
        for (uint256 i; i < 4; ++i) sum += game.owed(all[i]);
    }

    /// Whether the challenger's bond is still in the game.
    function _staked(bytes32 id) private view returns (bool) {
        uint256 p = tracks[id].phase;
        return p <= Phase.WON || p == Phase.READY;
    }

    function actual() external view returns (uint256 locked, uint256 burned, uint256 balance) {
        return (game.locked(), game.burned(), address(game).balance);
    }

    /// Statuses only go from Pending to one of the ends, and an ended match stays as it is.
    function monotone() external returns (bool) {
        for (uint256 i; i < claims.length; ++i) {
            IGame.Status before = lastStatus[claims[i]];
            IGame.Status now__ = status(claims[i]);
            if (now__ == IGame.Status.None) return false;
            if (uint256(before) > 1 && now__ != before) return false;
            lastStatus[claims[i]] = now__;
        }
        for (uint256 i; i < matches.length; ++i) {
            if (game.matchState(matches[i]) != stateHash(matches[i])) return false;
            bool ended = !_staked(matches[i]);
            if (over[matches[i]] && !ended) return false;
            over[matches[i]] = ended;
        }
        return true;
    }

    // Moves.

    function passTime(uint256 seconds_) external counted {
        // Seconds mostly, so that not every clock runs out.
        wait(seconds_ % 4 == 0 ? seconds_ / 4 % 90 : seconds_ / 4 % 12);
    }

    function commitTo(uint256 variant) external counted {
        if (commitments.length >= 6 || game.job(jobId).settled || now_() >= game.job(jobId).deadline) return;
        _say(variant % 5);
        bytes32 hash = claimCommitment(posted());
        uint64 number = commitClaim(hash);
        commitments.push(Commitment(hash, now_(), number, true, variant % 5));
    }

    function post(uint256 which) external counted {
        if (commitments.length == 0) return;
        Commitment storage c = commitments[which % commitments.length];
        if (!c.open || now_() <= c.at_) return;
        if (now_() >= c.at_ + 60) {
            send(STRANGER, abi.encodeCall(game.lapse, (jobId, c.number, EXECUTOR, c.hash, c.at_)));
            c.open = false;
            return;
        }
        _say(c.variant);
        for (uint256 i; i < claims.length; ++i) if (variants[claims[i]] == c.variant) return;
        IGame.Posted memory p = posted();
        bytes32 id = abi.decode(send(EXECUTOR, postClaimCall(c.number, c.at_)), (bytes32));
        c.open = false;
        posts[id] = p;
        variants[id] = c.variant;
        claims.push(id);
    }

    function challenge(uint256 which, uint256 who) external counted {
        if (claims.length == 0 || matches.length >= 12) return;
        bytes32 id = claims[which % claims.length];
        if (status(id) != IGame.Status.Pending || now_() >= game.claim(id).windowEnd) return;
        address challenger = who % 2 == 0 ? CHALLENGER : STRANGER;
        matches.push(openMatch(id, challenger, ownCommitment(id, challenger)));
    }

    function commitOnly(uint256 which) external counted {
        if (claims.length == 0 || matches.length >= 12) return;
        bytes32 id = claims[which % claims.length];
        IGame.Claim memory c = game.claim(id);
        bool finalisable = (now_() >= c.windowEnd && c.openMatches == 0) || now_() >= c.hardEnd;
        if (c.status != IGame.Status.Pending || finalisable) return;
        matches.push(commit(id, REQUESTER, ownCommitment(id, REQUESTER)));
    }

    /// Up to eight moves of one match, so that there is time to play some to their end.
    function move(uint256 which, uint256 goal, bool supplied, uint256 times) external counted {
        if (matches.length == 0) return;
        for (uint256 i; i <= times % 8; ++i) _move(matches[which % matches.length], goal, supplied);
    }

    function _move(bytes32 id, uint256 goal, bool supplied) private {
        Track storage t = tracks[id];
        IGame.Claim memory c = game.claim(t.claimId);
        if (!_staked(id)) return;
        if (c.status != IGame.Status.Pending) {
            reclaim(id);
            return;
        }
        if (t.phase == Phase.WON || now_() >= c.hardEnd) return;
        _say(variants[t.claimId]);
        uint256 left = executorsTurn(id) ? t.executorClock : t.challengerClock;
        if (now_() >= t.turnStart + 10 + left) {
            timeout(id);
            return;
        }
        _play(id, goal, supplied);
    }

    function _play(bytes32 id, uint256 goal, bool supplied) private {
        Track storage t = tracks[id];
        uint256 target = [uint256(0), 1, 3, 4, 7][goal % 5];
        (uint256 layer, uint256 position) = layerOf(target);
        uint256 p = t.phase;
        bool given = p == Phase.LAYER_E || p == Phase.TILE_E || p == Phase.DATA_E;
        if (given && supplied) ++p;
        if (p == Phase.LAYER_E || p == Phase.TILE_E) {
            reveal(id);
        } else if (p == Phase.LAYER_C || p == Phase.TILE_C) {
            // Of the second half of the tree only the first leaf is none of padding.
            if (t.position << t.remaining >= 4) layer = 4;
            pickTowards(id, layer, t.subject == 0 ? 0 : goal % t.subject);
        } else if (p == Phase.SUB_E) {
            if (supplied) subTrace(id, STRANGER, subRoots(t.place), signedSubTrace(t.claimId, t.place));
            else subTrace(id);
        } else if (p == Phase.SUB_C) {
            pickOperator(id, position % countOf(t.place));
        } else if (p == Phase.DATA_E) {
            revealTiles(id);
        } else if (p == Phase.NAME && supplied && isWhole(t.place, 0)) {
            (Witness memory up, uint256[3] memory levels) = rootsOf(t.place);
            prepare(id, up, levels);
        } else if (p == Phase.NAME || p == Phase.READY) {
            _name(id, goal);
        } else if (p == Phase.FOLD_E) {
            fold(id, _sums(id));
        } else {
            int64[] memory sums = _sums(id);
            segment(id, sums, goal % sums.length);
        }
    }

    /// What the executor states: the truth if that leads to what it claims.
    function _sums(bytes32 id) private view returns (int64[] memory) {
        uint256 operator = tracks[id].place;
        uint256 e = named(id);
        int256 claimed = Model.valueAt(said[operator], e, op(operator).outType);
        return recomputed(said, operator, e) == claimed ? sumsOf(operator, e) : liar(operator, e, 0);
    }

    function _name(bytes32 id, uint256 goal) private {
        Track storage t = tracks[id];
        uint256 perTile = 128 / Model.size(op(t.place).outType);
        uint256 first = (t.position << t.remaining) * perTile;
        uint256 e = first + goal % 7;
        if (e >= Model.elements(op(t.place))) e = first;
        if (t.phase == Phase.READY && isWhole(t.place, e)) name(id, e, underRoots(t.place, e));
        else name(id, e);
    }

    function refuteIt(uint256 which) external counted {
        if (claims.length == 0) return;
        bytes32 id = claims[which % claims.length];
        IGame.Claim memory c = game.claim(id);
        bool finalisable = (now_() >= c.windowEnd && c.openMatches == 0) || now_() >= c.hardEnd;
        uint256 variant = variants[id];
        if (c.status != IGame.Status.Pending || finalisable || variant == 0 || which % 10 != 0) return;
        _say(variant);
        bytes memory signature = variant == 3 ? signedSubTrace(id, 2) : bytes("");
        uint256 operator = [uint256(0), 1, 0, 4, 2][variant];
        uint256 e = [uint256(0), 3, 200, 2, 81][variant];
        send(STRANGER, refuteCall(id, refutation(operator, e, signature)));
    }

    function finish(uint256 which) external counted {
        if (claims.length == 0) return;
        bytes32 id = claims[which % claims.length];
        IGame.Claim memory c = game.claim(id);
        bool finalisable = (now_() >= c.windowEnd && c.openMatches == 0) || now_() >= c.hardEnd;
        if (c.status == IGame.Status.Pending && finalisable) {
            send(STRANGER, abi.encodeCall(game.finalise, (posts[id])));
        } else if (c.point != 0 && now_() >= c.refutedAt + 300) {
            send(STRANGER, abi.encodeCall(game.collectReward, (id)));
        }
    }

    function takeReward(uint256 which) external counted {
        if (matches.length == 0) return;
        bytes32 id = matches[which % matches.length];
        Track storage t = tracks[id];
        IGame.Claim memory c = game.claim(t.claimId);
        bool better = c.best == address(0) || t.number < c.bestNumber;
        if (c.point == 0 || now_() >= c.refutedAt + 300 || t.seat.openedAt >= c.refutedAt || !better) return;
        // Only for what `refuteIt` names is the point known here.
        uint256 variant = variants[t.claimId];
        uint256 operator = [uint256(0), 1, 0, 4, 2][variant];
        uint256 e = [uint256(0), 3, 200, 2, 81][variant];
        _say(variant);
        if (keccak256(abi.encode(pointOf(operator, e))) != c.point) return;
        send(t.challenger, openRewardCall(id, pointOf(operator, e)));
    }

    /// May be refused: whether it is due is the game's to know.
    function settle(uint256 which) external counted {
        bytes memory call = which % 3 == 0 || claims.length == 0
            ? abi.encodeCall(game.refund, (jobId))
            : which % 3 == 1
                ? abi.encodeCall(game.advance, (jobId))
                : abi.encodeCall(game.award, (posts[claims[which % claims.length]]));
        (bool done,) = address(game).call(call);
        done;
    }

    function withdrawAll(uint256 who) external counted {
        address account = [REQUESTER, EXECUTOR, CHALLENGER, STRANGER][who % 4];
        if (game.owed(account) != 0) send(account, abi.encodeCall(game.withdraw, ()));
    }
}

/// In = out + burned + locked, under any order of legal moves.
contract InvariantTest is Base {
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    Handler private handler;

    function setUp() public {
        handler = new Handler();
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    function targetSelectors() public view returns (FuzzSelector[] memory targets) {
        bytes4[16] memory all = [
            Handler.passTime.selector,
            Handler.commitTo.selector,
            Handler.post.selector,
            Handler.challenge.selector,
            Handler.commitOnly.selector,
            Handler.refuteIt.selector,
            Handler.finish.selector,
            Handler.takeReward.selector,
            Handler.settle.selector,
            Handler.withdrawAll.selector,
            // More often than the rest.
            Handler.move.selector,
            Handler.move.selector,
            Handler.move.selector,
            Handler.move.selector,
            Handler.move.selector,
            Handler.move.selector
        ];
        targets = new FuzzSelector[](1);
        targets[0].addr = address(handler);
        targets[0].selectors = new bytes4[](16);
        for (uint256 i; i < 16; ++i) targets[0].selectors[i] = all[i];
    }

    function invariant_attack_23_conservation() public view {
        (uint256 locked, uint256 burned, uint256 balance) = handler.actual();
        same(balance, locked + burned, "balance");
        same(locked, handler.expectedLocked(), "locked is what is staked or owed");
    }

    function invariant_nothing_that_ended_goes_on() public {
        holds(handler.monotone(), "monotone");
    }
}
