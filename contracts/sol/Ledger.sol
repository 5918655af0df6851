// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {ClaimWord, ClaimWords} from "./ClaimWord.sol";
import {Descriptor} from "./Descriptor.sol";
import {IGame} from "./IGame.sol";
import {IRegistry} from "./IRegistry.sol";
import {Tree} from "./Tree.sol";

/// @title Parameters, jobs, claims and money (PROTOCOL 2, 3 and 4.6); the matches are in Game.sol.
abstract contract Ledger is IGame {
    struct StoredJob {
        address requester;
        uint64 deadline;
        uint24 pending;
        bool settled;
        uint256 fee;
        bytes32 programRoot;
        bytes32 inputRoot;
    }

    struct StoredClaim {
        ClaimWord word;
        address executor;
        bytes32 jobId;
        bytes32 traceRoot;
    }

    IRegistry public immutable registry;
    bytes32 public immutable parametersHash;
    uint32 internal immutable windowSeconds;
    uint32 internal immutable executorClockSeconds;
    uint32 internal immutable challengerClockSeconds;
    uint32 internal immutable graceSeconds;
    uint32 internal immutable slackSeconds;
    uint128 internal immutable executorBond;
    uint128 internal immutable challengerBond;

    mapping(bytes32 => StoredJob) internal jobs;
    mapping(bytes32 => StoredClaim) internal claims;

    mapping(address => uint256) public owed;
    uint256 public burned;
    /// What came in and has not gone out: the balance, unless somebody forced wei upon the contract.
    uint256 private held;

    constructor(IRegistry registry_, Parameters memory p) {
        bool timed = _within(p.windowSeconds, 1) && _within(p.executorClockSeconds, 1)
            && _within(p.challengerClockSeconds, 1) && _within(p.graceSeconds, 0) && _within(p.slackSeconds, 0);
        if (!timed || p.executorBond < 2 || p.challengerBond < 2) revert BadParameters();
        registry = registry_;
        parametersHash = keccak256(abi.encode(p));
        windowSeconds = p.windowSeconds;
        executorClockSeconds = p.executorClockSeconds;
        challengerClockSeconds = p.challengerClockSeconds;
        graceSeconds = p.graceSeconds;
        slackSeconds = p.slackSeconds;
        executorBond = p.executorBond;
        challengerBond = p.challengerBond;
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
        bytes32 inputRoot = Tree.ofBytes(input);
        jobId = keccak256(abi.encode(block.chainid, address(this), msg.sender, programRoot, inputRoot, salt));
        StoredJob storage stored = jobs[jobId];
        if (stored.requester != address(0)) revert Exists();
        stored.requester = msg.sender;
        stored.deadline = deadline;
        stored.fee = msg.value;
        stored.programRoot = programRoot;
        stored.inputRoot = inputRoot;
        held += msg.value;
        emit JobPosted(jobId, msg.sender, programRoot, inputRoot, msg.value, deadline, input);
    }

    function postClaim(bytes32 jobId, bytes32 traceRoot, bytes calldata output, bytes32[] calldata path)
        external
        payable
        returns (bytes32 claimId)
    {
        StoredJob storage its = jobs[jobId];
        if (its.requester == address(0)) revert UnknownJob();
        if (its.settled || block.timestamp >= its.deadline) revert JobClosed();
        if (msg.value != executorBond) revert WrongValue();
        IRegistry.Program memory program = registry.program(its.programRoot);
        if (output.length != program.outputElements * Descriptor.sizeOf(program.outputType)) revert WrongLength();
        bytes32 outputRoot = Tree.ofBytes(output);
        uint256 depth = Tree.depthFor(program.layers);
        if (!Tree.opens(traceRoot, depth, program.layers - 1, outputRoot, path)) revert BadOpening();
        claimId = keccak256(
            abi.encode(block.chainid, address(this), jobId, msg.sender, traceRoot, outputRoot, parametersHash)
        );
        StoredClaim storage stored = claims[claimId];
        if (stored.word.status() != 0) revert Exists();
        uint256 windowEnd = block.timestamp + windowSeconds;
        uint256 hardEnd = windowEnd + executorClockSeconds + challengerClockSeconds
            + _moves(depth, program.greatestDepth, program.revealBits) * graceSeconds + slackSeconds;
        stored.word =
            ClaimWords.start(program.revealBits, program.layers, program.constants, windowEnd, hardEnd);
        stored.executor = msg.sender;
        stored.jobId = jobId;
        stored.traceRoot = traceRoot;
        ++its.pending;
        held += msg.value;
        emit ClaimPosted(claimId, jobId, msg.sender, traceRoot, uint64(windowEnd), uint64(hardEnd), output);
    }

    function finalise(bytes32 claimId) external {
        StoredClaim storage stored = claims[claimId];
        ClaimWord word = stored.word;
        if (word.status() == 0) revert UnknownClaim();
        if (word.status() != ClaimWords.PENDING) revert ClaimClosed();
        bool unchallenged = block.timestamp >= word.windowEnd() && word.openMatches() == 0;
        if (!unchallenged && block.timestamp < word.hardEnd()) revert NotYet();
        stored.word = word.withStatus(ClaimWords.FINAL);
        StoredJob storage its = jobs[stored.jobId];
        --its.pending;
        uint256 earned = executorBond;
        if (!its.settled) {
            its.settled = true;
            earned += its.fee;
        }
        owed[stored.executor] += earned;
        emit ClaimFinal(claimId, stored.jobId);
    }

    function refund(bytes32 jobId) external {
        StoredJob storage stored = jobs[jobId];
        if (stored.requester == address(0)) revert UnknownJob();
        if (stored.settled) revert JobClosed();
        if (block.timestamp < stored.deadline || stored.pending != 0) revert NotYet();
        stored.settled = true;
        owed[stored.requester] += stored.fee;
        emit JobRefunded(jobId);
    }

    function withdraw() external {
        uint256 amount = owed[msg.sender];
        if (amount == 0) revert NothingOwed();
        owed[msg.sender] = 0;
        held -= amount;
        emit Withdrawn(msg.sender, amount);
        bool paid;
        assembly ("memory-safe") {
            // Whatever the recipient answers, nothing of it is copied.
            paid := call(gas(), caller(), amount, 0, 0, 0, 0)
        }
        if (!paid) revert TransferFailed();
    }

    function job(bytes32 jobId) external view returns (Job memory) {
        StoredJob storage s = jobs[jobId];
        return Job(s.requester, s.deadline, s.pending, s.settled, s.fee, s.programRoot, s.inputRoot);
    }

    function claim(bytes32 claimId) external view returns (Claim memory) {
        StoredClaim storage s = claims[claimId];
        ClaimWord w = s.word;
        Status status = Status(w.status());
        return Claim(
            status, s.executor, s.jobId, s.traceRoot, w.windowEnd(), w.hardEnd(), w.matches(), w.openMatches()
        );
    }

    function locked() external view returns (uint256) {
        return held - burned;
    }

    function parameters() external view returns (Parameters memory) {
        return Parameters(
            windowSeconds,
            executorClockSeconds,
            challengerClockSeconds,
            graceSeconds,
            slackSeconds,
            executorBond,
            challengerBond
        );
    }

    /// A challenger stakes its bond.
    function _stake() internal {
        if (msg.value != challengerBond) revert WrongValue();
        held += msg.value;
    }

    /// The challenger won: half of the executor's bond is its reward, the rest is burned.
    function _refute(StoredClaim storage stored, address challenger) internal {
        stored.word = stored.word.withStatus(ClaimWords.REFUTED);
        --jobs[stored.jobId].pending;
        uint256 reward = executorBond / 2;
        owed[challenger] += reward + challengerBond;
        burned += executorBond - reward;
    }

    /// The challenger lost: half of its bond goes to the executor, the rest is burned.
    function _acquit(StoredClaim storage stored) internal {
        stored.word = stored.word.closed();
        uint256 reward = challengerBond / 2;
        owed[stored.executor] += reward;
        burned += challengerBond - reward;
    }

    /// The most moves that a match may need.
    function _moves(uint256 layersDepth, uint256 greatestDepth, uint256 bits) private pure returns (uint256) {
        return 2 * (_rounds(layersDepth, bits) + _rounds(greatestDepth, bits)) + 6;
    }

    function _rounds(uint256 depth, uint256 bits) private pure returns (uint256) {
        return depth == 0 ? 1 : (depth + bits - 1) / bits;
    }

    function _within(uint256 value, uint256 least) private pure returns (bool) {
        return least <= value && value < 1 << 31;
    }
}
