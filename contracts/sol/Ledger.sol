// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {ClaimWord, ClaimWords} from "./ClaimWord.sol";
import {Descriptor} from "./Descriptor.sol";
import {IRegistry} from "./IRegistry.sol";
import {Rules} from "./Rules.sol";
import {Tensor} from "./Tensor.sol";
import {Tree} from "./Tree.sol";

/// @title Jobs, claims and money (PROTOCOL 3 and 4.8); the matches are in Game.sol.
abstract contract Ledger is Rules {
    struct StoredJob {
        address requester;
        uint64 deadline;
        bool settled;
        uint128 fee;
        uint32 committed;
        uint32 next;
        bytes32 programRoot;
        bytes32 inputRoot;
        mapping(uint256 => bytes32) entries;
    }

    struct StoredClaim {
        ClaimWord word;
        /// The job's id; once the reward is open, the point; once it is collected, 0.
        bytes32 link;
        address best;
        uint64 bestNumber;
    }

    /// Steps of `next` in one call.
    uint256 private constant MAX_STEPS = 256;
    bytes32 private constant LAPSED = bytes32(uint256(1));

    IRegistry public immutable registry;

    mapping(bytes32 => StoredJob) internal jobs;
    mapping(bytes32 => StoredClaim) internal claims;

    mapping(address => uint256) public owed;
    uint256 public burned;

    constructor(IRegistry registry_, Parameters memory p) Rules(p) {
        registry = registry_;
    }

    function postJob(bytes32 programRoot, bytes calldata input, bytes32 salt, uint64 deadline)
        external
        payable
        returns (bytes32 jobId)
    {
        IRegistry.Program memory program = registry.program(programRoot);
        if (program.layers == 0) revert UnknownProgram();
        if (input.length != program.inputElements * Descriptor.sizeOf(program.inputType)) revert WrongLength();
        if (block.timestamp >= deadline) revert TooLate();
        bytes32 inputRoot = _rootOf(input);
        jobId = keccak256(abi.encode(block.chainid, address(this), msg.sender, programRoot, inputRoot, salt));
        StoredJob storage its = jobs[jobId];
        if (its.requester != address(0)) revert Exists();
        if (msg.value > type(uint128).max) revert WrongValue();
        its.requester = msg.sender;
        its.deadline = deadline;
        its.fee = uint128(msg.value);
        its.programRoot = programRoot;
        its.inputRoot = inputRoot;
        emit JobPosted(jobId, msg.sender, programRoot, inputRoot, msg.value, deadline, input);
    }

    function commitClaim(bytes32 jobId, bytes32 commitment) external payable returns (uint64 number) {
        StoredJob storage its = _job(jobId);
        if (its.settled || block.timestamp >= its.deadline) revert JobClosed();
        uint256 fee = _claimFee(registry.program(its.programRoot));
        uint256 price = executorBond + fee;
        if (price > type(uint128).max || msg.value != price) revert WrongValue();
        number = its.committed++;
        its.entries[number] = _entryOf(msg.sender, commitment, uint64(block.timestamp));
        burned += fee;
        emit ClaimCommitted(jobId, msg.sender, number, commitment, uint64(block.timestamp));
    }

    function postClaim(
        bytes32 jobId,
        uint64 number,
        uint64 committedAt,
        bytes32 salt,
        bytes32 traceRoot,
        bytes calldata output,
        bytes32[] calldata path
    ) external returns (bytes32 claimId) {
        StoredJob storage its = _job(jobId);
        IRegistry.Program memory program = registry.program(its.programRoot);
        if (output.length != program.outputElements * Descriptor.sizeOf(program.outputType)) revert WrongLength();
        bytes32 outputRoot = _rootOf(output);
        bytes32 commitment = keccak256(abi.encode(salt, msg.sender, jobId, traceRoot, outputRoot));
        if (its.entries[number] != _entryOf(msg.sender, commitment, committedAt)) revert UnknownCommitment();
        if (block.timestamp <= committedAt) revert NotYet();
        if (block.timestamp >= uint256(committedAt) + revealSeconds) revert TooLate();
        uint256 depth = Tree.depthFor(program.layers);
        if (!Tree.opens(traceRoot, depth, program.layers - 1, outputRoot, path)) revert BadOpening();
        claimId = keccak256(
            abi.encode(block.chainid, address(this), jobId, msg.sender, traceRoot, outputRoot, parametersHash)
        );
        StoredClaim storage stored = claims[claimId];
        if (stored.word.status() != 0) revert Exists();
        uint256 windowEnd = block.timestamp + windowSeconds;
        uint256 rounds = _rounds(program);
        uint256 hardEnd = windowEnd + _playSeconds(rounds);
        stored.word = ClaimWords.start(program.revealBits, rounds, program.layers, windowEnd, hardEnd, number);
        stored.link = jobId;
        its.entries[number] = claimId;
        emit ClaimPosted(
            claimId,
            jobId,
            msg.sender,
            number,
            traceRoot,
            outputRoot,
            uint64(windowEnd),
            uint64(hardEnd),
            output
        );
    }

    function lapse(bytes32 jobId, uint64 number, address executor, bytes32 commitment, uint64 committedAt) external {
        StoredJob storage its = _job(jobId);
        if (its.entries[number] != _entryOf(executor, commitment, committedAt)) revert UnknownCommitment();
        if (block.timestamp < uint256(committedAt) + revealSeconds) revert NotYet();
        its.entries[number] = LAPSED;
        _divide(executor);
        emit ClaimLapsed(jobId, number);
    }

    function finalise(Posted calldata posted) external {
        bytes32 claimId = _claimId(posted);
        ClaimWord word = _pending(claimId);
        if (!word.finalisable(block.timestamp)) revert NotYet();
        claims[claimId].word = word.finalised();
        owed[posted.executor] += executorBond;
        emit ClaimFinal(claimId, posted.jobId);
        StoredJob storage its = jobs[posted.jobId];
        if (its.settled) return;
        _advance(its);
        if (its.next == word.number()) _award(its, posted, claimId);
    }

    function award(Posted calldata posted) external {
        bytes32 claimId = _claimId(posted);
        ClaimWord word = _known(claimId);
        if (word.status() != ClaimWords.FINAL) revert NotYet();
        StoredJob storage its = jobs[posted.jobId];
        if (its.settled) revert JobClosed();
        bool moved = _advance(its);
        if (its.next == word.number()) _award(its, posted, claimId);
        else if (!moved) revert NotYet();
    }

    function advance(bytes32 jobId) external {
        StoredJob storage its = _job(jobId);
        if (its.settled) revert JobClosed();
        if (!_advance(its)) revert NotYet();
    }

    function refund(bytes32 jobId) external {
        StoredJob storage its = _job(jobId);
        if (its.settled) revert JobClosed();
        if (block.timestamp < its.deadline) revert NotYet();
        _advance(its);
        if (its.next != its.committed) revert NotYet();
        its.settled = true;
        owed[its.requester] += its.fee;
        emit JobRefunded(jobId);
    }

    function withdraw() external {
        uint256 amount = owed[msg.sender];
        if (amount == 0) revert NothingOwed();
        owed[msg.sender] = 0;
        emit Withdrawn(msg.sender, amount);
        bool paid;
        assembly ("memory-safe") {
            // Whatever the recipient answers, nothing of it is copied.
            paid := call(gas(), caller(), amount, 0, 0, 0, 0)
        }
        if (!paid) revert TransferFailed();
    }

    function refuteCopy(Posted calldata original, Posted calldata copy) external {
        bytes32 copyId = _claimId(copy);
        ClaimWord word = _open(copyId);
        ClaimWord first = claims[_claimId(original)].word;
        bool refuted = first.status() == ClaimWords.REFUTED && first.byRoots();
        if (!refuted || original.jobId != copy.jobId || original.traceRoot != copy.traceRoot) revert NotACopy();
        _refute(copyId, word, copy.jobId, 0, false, msg.sender);
    }

    function collectReward(bytes32 claimId) external {
        StoredClaim storage its = claims[claimId];
        ClaimWord word = its.word;
        if (!word.pointOpen()) revert NoReward();
        if (block.timestamp < uint256(word.refutedAt()) + rewardSeconds) revert NotYet();
        its.word = word.collected();
        its.link = 0;
        address winner = its.best;
        uint256 reward = _reward();
        if (winner == address(0)) burned += reward;
        else owed[winner] += reward;
        emit RewardCollected(claimId, winner, reward);
    }

    function job(bytes32 jobId) external view returns (Job memory) {
        StoredJob storage s = jobs[jobId];
        return
            Job(s.requester, s.deadline, s.committed, s.next, s.settled, s.fee, s.programRoot, s.inputRoot);
    }

    function entry(bytes32 jobId, uint64 number) external view returns (bytes32) {
        return jobs[jobId].entries[number];
    }

    function claim(bytes32 claimId) external view returns (Claim memory c) {
        StoredClaim storage s = claims[claimId];
        ClaimWord w = s.word;
        c.status = Status(w.status());
        c.windowEnd = w.windowEnd();
        c.hardEnd = w.hardEnd();
        c.openings = w.openings();
        c.openMatches = w.openMatches();
        c.number = w.number();
        c.byRoots = w.byRoots();
        if (w.pointOpen()) c.point = s.link;
        c.refutedAt = w.refutedAt();
        c.bestNumber = s.bestNumber;
        c.best = s.best;
    }

    function locked() external view returns (uint256) {
        return address(this).balance - burned;
    }

    /// A claim's id, of what it says.
    function _claimId(Posted calldata posted) internal view returns (bytes32 id) {
        bytes32 rules = parametersHash;
        assembly ("memory-safe") {
            let buffer := mload(0x40)
            mstore(buffer, chainid())
            mstore(add(buffer, 0x20), address())
            // Its four words: with bits that no address has, the id is no claim's.
            calldatacopy(add(buffer, 0x40), posted, 0x80)
            mstore(add(buffer, 0xc0), rules)
            id := keccak256(buffer, 0xe0)
        }
    }

    function _known(bytes32 claimId) internal view returns (ClaimWord word) {
        word = claims[claimId].word;
        if (word.status() == 0) revert UnknownClaim();
    }

    function _pending(bytes32 claimId) internal view returns (ClaimWord word) {
        word = _known(claimId);
        if (word.status() != ClaimWords.PENDING) revert ClaimClosed();
    }

    /// A claim that may still be refuted.
    function _open(bytes32 claimId) internal view returns (ClaimWord word) {
        word = _pending(claimId);
        if (word.finalisable(block.timestamp)) revert ClaimClosed();
    }

    /// The claim is refuted. Without a point the reward is the winner's, with one it is open to commitments.
    function _refute(bytes32 claimId, ClaimWord word, bytes32 jobId, bytes32 point, bool byRoots, address winner)
        internal
    {
        StoredClaim storage its = claims[claimId];
        its.word = word.refuted(byRoots, point != 0, block.timestamp);
        if (point == 0) {
            _divide(winner);
        } else {
            its.link = point;
            burned += executorBond - _reward();
        }
        emit ClaimRefuted(claimId, jobId, point);
    }

    /// What of a slashed bond is not burned.
    function _reward() internal view returns (uint256) {
        return executorBond / 2;
    }

    /// A slashed bond: one half to the winner, the rest burned.
    function _divide(address winner) private {
        owed[winner] += _reward();
        burned += executorBond - _reward();
    }

    /// Moves `next` over what is lapsed or refuted.
    function _advance(StoredJob storage its) private returns (bool moved) {
        uint256 from = its.next;
        uint256 next = from;
        uint256 committed = its.committed;
        for (; next < committed && next - from < MAX_STEPS; ++next) {
            bytes32 it = its.entries[next];
            if (it != LAPSED && claims[it].word.status() != ClaimWords.REFUTED) break;
        }
        moved = next != from;
        if (moved) its.next = uint32(next);
    }

    function _award(StoredJob storage its, Posted calldata posted, bytes32 claimId) private {
        its.settled = true;
        owed[posted.executor] += its.fee;
        emit JobAwarded(posted.jobId, claimId);
    }

    function _job(bytes32 jobId) private view returns (StoredJob storage its) {
        its = jobs[jobId];
        if (its.requester == address(0)) revert UnknownJob();
    }

    function _entryOf(address executor, bytes32 commitment, uint64 committedAt) private pure returns (bytes32) {
        return keccak256(abi.encode(executor, commitment, committedAt));
    }

    function _rootOf(bytes calldata data) private pure returns (bytes32) {
        return Tensor.ofBytes(data, Tensor.depthOf(Tensor.tileCount(data.length)));
    }
}
