// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @title Jobs, claims, matches and money (PROTOCOL 2–5).
/// @notice The protocol's text is bisection/PROTOCOL.md; this file holds its names and types, and nothing else.
interface IGame {
    /// PROTOCOL 2, in the order that is hashed.
    struct Parameters {
        uint32 windowSeconds;
        uint32 executorClockSeconds;
        uint32 challengerClockSeconds;
        uint32 graceSeconds;
        uint32 slackSeconds;
        uint128 executorBond;
        uint128 challengerBond;
    }

    /// Tiles of one tensor, opened to where the tensor is committed (PROTOCOL 4.5).
    struct Opened {
        bytes32 root;
        bytes32[] rootPath;
        bytes indices;
        bytes tiles;
        bytes32[] proof;
    }

    /// What the referee reads of the operands and of the records of one element.
    struct Witness {
        Opened a;
        Opened b;
        Opened params;
    }

    /// A request for one run; `requester` is 0 for an unknown job.
    struct Job {
        address requester;
        uint64 deadline;
        uint32 pending;
        bool settled;
        uint256 fee;
        bytes32 programRoot;
        bytes32 inputRoot;
    }

    enum Status {
        None,
        Pending,
        Final,
        Refuted
    }

    /// An executor's word about a job; `status` is None for an unknown claim.
    struct Claim {
        Status status;
        address executor;
        bytes32 jobId;
        bytes32 traceRoot;
        uint64 windowEnd;
        uint64 hardEnd;
        uint64 matches;
        uint64 openMatches;
    }

    /// A dispute (PROTOCOL 4.1); `challenger` is 0 for an unknown match.
    struct Match {
        address challenger;
        bytes32 claimId;
        uint256 word;
        bytes32 node;
        bytes32 operator;
    }

    error BadParameters();
    error UnknownProgram();
    error UnknownJob();
    error UnknownClaim();
    error UnknownMatch();
    error Exists();
    error JobClosed();
    error ClaimClosed();
    error WrongPhase();
    error WrongState();
    error WrongLength();
    error WrongValue();
    error WrongCount();
    error WrongIndex();
    error WrongDescriptor();
    error WrongStatement();
    error NotYourMove();
    error TooLate();
    error NotYet();
    error BadOpening();
    error PaddingHonest();
    error OutOfRange();
    error FoldMismatch();
    error WitnessMissing();
    error WitnessExtra();
    error NothingOwed();
    error TransferFailed();

    event JobPosted(
        bytes32 indexed jobId,
        address indexed requester,
        bytes32 indexed programRoot,
        bytes32 inputRoot,
        uint256 fee,
        uint64 deadline,
        bytes input
    );
    event ClaimPosted(
        bytes32 indexed claimId,
        bytes32 indexed jobId,
        address indexed executor,
        bytes32 traceRoot,
        uint64 windowEnd,
        uint64 hardEnd,
        bytes output
    );
    event MatchOpened(
        bytes32 indexed matchId, bytes32 indexed claimId, address indexed challenger, uint64 number, bytes32 commitment
    );
    event Revealed(bytes32 indexed matchId, bytes32[] nodes);
    event Picked(bytes32 indexed matchId, uint32 child);
    event TileRevealed(bytes32 indexed matchId, bytes tile);
    event Named(bytes32 indexed matchId, uint32 element, int32 value);
    event Folded(bytes32 indexed matchId, bytes sums);
    event MatchWon(bytes32 indexed matchId, bytes32 claimId);
    event MatchLost(bytes32 indexed matchId, bytes32 claimId);
    event ClaimFinal(bytes32 indexed claimId, bytes32 jobId);
    event JobRefunded(bytes32 indexed jobId);
    event Reclaimed(bytes32 indexed matchId);
    event Withdrawn(address indexed account, uint256 amount);

    // Jobs and claims (PROTOCOL 3).
    function postJob(bytes32 programRoot, bytes calldata input, bytes32 salt, uint64 deadline)
        external
        payable
        returns (bytes32 jobId);
    function postClaim(bytes32 jobId, bytes32 traceRoot, bytes calldata output, bytes32[] calldata path)
        external
        payable
        returns (bytes32 claimId);
    function finalise(bytes32 claimId) external;
    function refund(bytes32 jobId) external;
    function reclaim(bytes32 matchId) external;
    function withdraw() external;

    // A match (PROTOCOL 4.2).
    function open(bytes32 claimId, bytes32 commitment) external payable returns (bytes32 matchId);
    function reveal(bytes32 matchId, bytes32 state, bytes32[] calldata nodes) external;
    function pick(
        bytes32 matchId,
        bytes32 state,
        bytes32[] calldata nodes,
        uint32 child,
        bytes calldata descriptor,
        bytes32[] calldata path
    ) external;
    function revealTile(bytes32 matchId, bytes32 state, bytes calldata tile) external;
    function name(
        bytes32 matchId,
        bytes32 state,
        bytes calldata tile,
        uint8 element,
        bytes calldata descriptor,
        Witness calldata witness
    ) external;
    /// @param sums be64 two's complement each, joined.
    function fold(
        bytes32 matchId,
        bytes32 state,
        bytes calldata descriptor,
        bytes calldata sums,
        Opened calldata params
    ) external;
    function segment(
        bytes32 matchId,
        bytes32 state,
        bytes calldata descriptor,
        bytes calldata sums,
        uint32 index,
        Witness calldata witness
    ) external;
    function timeout(bytes32 matchId) external;

    // What stands.
    function job(bytes32 jobId) external view returns (Job memory);
    function claim(bytes32 claimId) external view returns (Claim memory);
    function matchOf(bytes32 matchId) external view returns (Match memory);
    /// What `withdraw` would pay to `account`.
    function owed(address account) external view returns (uint256);
    /// All fees and bonds not yet settled, and all amounts owed.
    function locked() external view returns (uint256);
    /// What verdicts took from everybody; it stays here for ever.
    function burned() external view returns (uint256);
    function parameters() external view returns (Parameters memory);
    /// keccak of the parameters in order, a part of every claim's id.
    function parametersHash() external view returns (bytes32);
}
