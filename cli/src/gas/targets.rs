//! What others' disputes cost, and what ours should cost at most.

/// A reveal or a pick of four levels, in gas.
pub const MOVE: u64 = 50_000;
/// A sub-trace of 32 roots, in gas.
pub const SUB_TRACE: u64 = 75_000;
/// The final step, in gas: an inner dimension of 1,024 in i8 x i8, or a segment of 256 terms in i16 x i8.
pub const STEP: u64 = 150_000;
/// A whole match from opening to verdict, in gas: 128 operators, 2^14 tiles, an inner dimension of 256.
pub const WHOLE: u64 = 650_000;
/// Transactions of that match.
pub const WHOLE_TRANSACTIONS: u64 = 16;
/// The refuting transaction, in gas, at an inner dimension of 256.
pub const REFUTE_256: u64 = 180_000;
/// The refuting transaction, in gas, at an inner dimension of 1,024.
pub const REFUTE_1024: u64 = 240_000;
/// The commitment before a refutation, in gas.
pub const COMMIT: u64 = 50_000;
/// The largest witness of a match, in bytes.
pub const WITNESS: u64 = 4096;

/// What somebody else's dispute costs, as published or measured by them.
#[derive(Debug, Clone, Copy)]
pub struct Peer {
    /// The system.
    pub name: &'static str,
    /// Of what.
    pub what: &'static str,
    /// Gas.
    pub gas: u64,
}

/// A move of a bisection.
pub const MOVES_OF_OTHERS: [Peer; 3] = [
    Peer { name: "Dave", what: "a move", gas: 118_000 },
    Peer { name: "Optimism", what: "a move", gas: 249_000 },
    Peer { name: "BoLD", what: "a move", gas: 440_000 },
];

/// A whole dispute.
pub const WHOLES_OF_OTHERS: [Peer; 5] = [
    Peer { name: "SI-RVP", what: "a whole dispute, 5 transactions", gas: 830_000 },
    Peer { name: "Succinct", what: "a whole dispute, with a zero-knowledge proof", gas: 870_000 },
    Peer { name: "Dave", what: "a whole dispute", gas: 12_000_000 },
    Peer { name: "Optimism", what: "a whole dispute", gas: 27_800_000 },
    Peer { name: "BoLD", what: "a whole dispute", gas: 30_000_000 },
];
