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
        uint32 revealSeconds;
        uint32 rewardSeconds;
        uint32 blockSeconds;
        uint64 blockGas;
        uint128 executorBond;
        uint128 feeCap;
        uint128 delayFee;
        uint128 workPrice;
        uint128 attackerBudget;
    }

    /// What a claim says; its id is a hash of this (PROTOCOL 3).
    struct Posted {
        bytes32 jobId;
        address executor;
        bytes32 traceRoot;
        bytes32 outputRoot;
    }

    /// What a move carries of its match's state (PROTOCOL 4.1): the word, and the digest of what neither the sender nor the
    /// evidence gives.
    struct Footing {
        uint256 word;
        bytes32 rest;
    }

    /// What a call without evidence carries of it; the node and the seat come beside it.
    struct Standing {
        uint256 word;
        bytes32 scope;
        bytes32 list;
    }

    /// A challenger's seat, as it gives it itself.
    struct Seat {
        bytes32 commitment;
        uint64 openedAt;
        uint128 bond;
    }

    /// A challenger's seat, as anybody gives it.
    struct Seated {
        address challenger;
        bytes32 commitment;
        uint64 openedAt;
        uint128 bond;
    }

    /// Where a verdict found the fault, and what would have been right (PROTOCOL 4.8).
    struct Point {
        uint32 operator;
        uint8 depth;
        uint8 elementBytes;
        uint32 element;
        int32 value;
        bytes32 before;
    }

    /// A whole refutation in one transaction (PROTOCOL 4.6).
    struct Refutation {
        uint32 layerIndex;
        bytes layer;
        bytes32[] layerPath;
        bytes operator;
        uint32 position;
        bytes32[] operatorPath;
        bytes32[] tracePath;
        bytes32[] exports;
        bytes32 list;
        bytes32[] listPath;
        bytes signature;
        uint32 tileIndex;
        bytes tile;
        bytes32[] tilePath;
        uint8 element;
        /// Openings of a, b, params and third, packed (PROTOCOL 4.5).
        bytes witness;
    }

    /// A request for one run; `requester` is 0 for an unknown job.
    struct Job {
        address requester;
        uint64 deadline;
        uint32 committed;
        uint32 next;
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
        uint64 windowEnd;
        uint64 hardEnd;
        /// Matches and reward commitments opened, and matches that count against the claim.
        uint64 openings;
        uint64 openMatches;
        /// Its place among the job's commitments.
        uint64 number;
        /// Refuted by evidence that hangs on its roots alone.
        bool byRoots;
        /// While the reward is open: where the fault is, and since when; 0 otherwise.
        bytes32 point;
        uint64 refutedAt;
        /// The lowest number that opened at the point, and who did; `best` is 0 while nobody did.
        uint64 bestNumber;
        address best;
    }

    error BadParameters();
    error UnknownProgram();
    error UnknownJob();
    error UnknownClaim();
    error UnknownMatch();
    error UnknownCommitment();
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
    error BadSignature();
    error PaddingHonest();
    error OutOfRange();
    error FoldMismatch();
    error WitnessMissing();
    error WitnessExtra();
    error NoFault();
    error NoReward();
    error NotBetter();
    error NotACopy();
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
    event ClaimCommitted(
        bytes32 indexed jobId, address indexed executor, uint64 number, bytes32 commitment, uint64 committedAt
    );
    event ClaimPosted(
        bytes32 indexed claimId,
        bytes32 indexed jobId,
        address indexed executor,
        uint64 number,
        bytes32 traceRoot,
        bytes32 outputRoot,
        uint64 windowEnd,
        uint64 hardEnd,
        bytes output
    );
    event ClaimLapsed(bytes32 indexed jobId, uint64 number);
    event ClaimFinal(bytes32 indexed claimId, bytes32 jobId);
    event JobAwarded(bytes32 indexed jobId, bytes32 claimId);
    event JobRefunded(bytes32 indexed jobId);
    event MatchOpened(
        bytes32 indexed matchId,
        bytes32 indexed claimId,
        address indexed challenger,
        uint64 number,
        bytes32 commitment,
        uint256 bond
    );
    event Committed(bytes32 indexed claimId, address indexed challenger, uint64 number, bytes32 commitment);
    event Revealed(bytes32 indexed matchId, uint256 word, bytes32[] nodes);
    event Picked(bytes32 indexed matchId, uint256 word, bytes32 node);
    event SubTraced(bytes32 indexed matchId, uint256 word, bytes32[] roots);
    event OperatorPicked(bytes32 indexed matchId, uint256 word, uint32 position);
    event TilesRevealed(bytes32 indexed matchId, uint256 word, bytes tiles);
    event Prepared(bytes32 indexed matchId, uint256 word, bytes32 list);
    event Named(bytes32 indexed matchId, uint256 word, uint32 element, int32 value);
    event Folded(bytes32 indexed matchId, uint256 word, bytes sums);
    event MatchWon(bytes32 indexed matchId, bytes32 claimId);
    event MatchLost(bytes32 indexed matchId, bytes32 claimId);
    event ClaimRefuted(bytes32 indexed claimId, bytes32 jobId, bytes32 point);
    event RewardOpened(bytes32 indexed claimId, uint64 number, address challenger);
    event RewardCollected(bytes32 indexed claimId, address winner, uint256 amount);
    event Reclaimed(bytes32 indexed matchId);
    event Withdrawn(address indexed account, uint256 amount);

    // Jobs and claims (PROTOCOL 3).
    function postJob(bytes32 programRoot, bytes calldata input, bytes32 salt, uint64 deadline)
        external
        payable
        returns (bytes32 jobId);
    function commitClaim(bytes32 jobId, bytes32 commitment) external payable returns (uint64 number);
    function postClaim(
        bytes32 jobId,
        uint64 number,
        uint64 committedAt,
        bytes32 salt,
        bytes32 traceRoot,
        bytes calldata output,
        bytes32[] calldata path
    ) external returns (bytes32 claimId);
    function lapse(bytes32 jobId, uint64 number, address executor, bytes32 commitment, uint64 committedAt) external;
    function finalise(Posted calldata posted) external;
    function award(Posted calldata posted) external;
    function advance(bytes32 jobId) external;
    function refund(bytes32 jobId) external;
    function withdraw() external;

    // A match (PROTOCOL 4.2).
    function open(Posted calldata posted, bytes32 commitment) external payable returns (bytes32 matchId);
    function commit(bytes32 claimId, bytes32 commitment) external returns (bytes32 matchId);
    function reveal(bytes32 claimId, uint64 number, Footing calldata footing, bytes32[] calldata nodes) external;
    function pick(
        bytes32 claimId,
        uint64 number,
        Footing calldata footing,
        uint32 child,
        bytes32 node,
        bytes32[] calldata siblings
    ) external;
    function enter(
        bytes32 claimId,
        uint64 number,
        Footing calldata footing,
        uint32 child,
        bytes32 node,
        bytes32[] calldata siblings,
        bytes calldata layer,
        bytes calldata operator,
        bytes32[] calldata path
    ) external;
    /// @param layer the head of the layer's leaf, and the operators root behind it.
    function subTrace(
        Posted calldata posted,
        uint64 number,
        Footing calldata footing,
        address challenger,
        bytes calldata layer,
        bytes32[] calldata roots,
        bytes calldata signature
    ) external;
    /// @param layer as for `subTrace`.
    function pickOperator(
        bytes32 claimId,
        uint64 number,
        Footing calldata footing,
        uint32 position,
        bytes calldata layer,
        bytes calldata operator,
        bytes32[] calldata operatorPath,
        bytes32 root,
        bytes32[] calldata rootPath
    ) external;
    function revealTiles(bytes32 claimId, uint64 number, Footing calldata footing, bytes calldata tiles) external;
    /// @param witness as for `name`, but each opens one node of the operand's tree.
    function prepare(
        Posted calldata posted,
        uint64 number,
        Footing calldata footing,
        bytes32 list,
        bytes32 node,
        bytes calldata operator,
        bytes calldata witness
    ) external;
    /// @param witness openings of a, b, params and third, packed (PROTOCOL 4.5).
    function name(
        Posted calldata posted,
        uint64 number,
        Footing calldata footing,
        bytes32 list,
        bytes calldata tile,
        uint8 slot,
        bytes32[] calldata siblings,
        uint8 element,
        bytes calldata operator,
        bytes calldata witness
    ) external;
    /// @param sums be64 two's complement each, joined.
    /// @param ending openings of params and third, packed (PROTOCOL 4.5).
    function fold(
        Posted calldata posted,
        uint64 number,
        Footing calldata footing,
        bytes32 list,
        address challenger,
        bytes calldata operator,
        bytes calldata sums,
        bytes calldata ending,
        bytes calldata signature
    ) external;
    /// @param witness as for `name`.
    function segment(
        Posted calldata posted,
        uint64 number,
        Footing calldata footing,
        bytes32 list,
        bytes calldata operator,
        bytes calldata sums,
        uint32 index,
        bytes calldata witness
    ) external;
    function timeout(
        Posted calldata posted,
        uint64 number,
        Standing calldata standing,
        Seated calldata seated,
        bytes32 node
    ) external;
    function reclaim(
        bytes32 claimId,
        uint64 number,
        Standing calldata standing,
        Seated calldata seated,
        bytes32 node
    ) external;

    // Refutations and rewards (PROTOCOL 4.6, 4.8).
    function refute(Posted calldata posted, Refutation calldata r) external;
    function refuteCopy(Posted calldata original, Posted calldata copy) external;
    function openReward(
        bytes32 claimId,
        uint64 number,
        Standing calldata standing,
        bytes32 node,
        Seat calldata seat,
        Point calldata point,
        bytes32 salt,
        uint8 depth,
        bytes calldata tile,
        bytes32[] calldata path
    ) external;
    function collectReward(bytes32 claimId) external;

    // What stands.
    function job(bytes32 jobId) external view returns (Job memory);
    /// keccak(executor, commitment, t), then the claim's id, or 1 if it lapsed; 0 for an unknown one.
    function entry(bytes32 jobId, uint64 number) external view returns (bytes32);
    function claim(bytes32 claimId) external view returns (Claim memory);
    /// keccak(word, node, context); 0 for an unknown match.
    function matchState(bytes32 matchId) external view returns (bytes32);
    /// What `withdraw` would pay to `account`.
    function owed(address account) external view returns (uint256);
    /// All fees and bonds not yet settled, and all amounts owed.
    function locked() external view returns (uint256);
    /// What was taken from everybody; it stays here for ever.
    function burned() external view returns (uint256);
    function parameters() external view returns (Parameters memory);
    /// keccak of the parameters in order, a part of every claim's id.
    function parametersHash() external view returns (bytes32);
}
