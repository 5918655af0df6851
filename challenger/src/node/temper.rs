//! Whom a watchtower disputes, and how.

use narrows_bisection::players::{Challenger, Choice, FirstDifference, Follower};
use narrows_bisection::{Call, Phase, Trace};
use narrows_commitment::{Digest, TensorRoot, Tile};
use narrows_program::Program;

/// How a challenger behaves. Every node but a test's is [`Honest`].
pub trait Temper: Send + Sync {
    /// Whether to dispute a claim whose root does (not) agree with one's own.
    fn disputes(&self, agrees: bool) -> bool;

    /// Whether to look for a refutation in one transaction before a match is opened.
    fn refutes(&self) -> bool {
        true
    }

    /// The next move of a match; also asked in the executor's turn, for a challenger may know what would be shown.
    fn respond(&self, program: &Program, trace: &Trace, follower: &Follower) -> Option<Call>;
}

/// Disputes what differs, and names the first difference.
#[derive(Debug, Clone, Copy, Default)]
pub struct Honest;

impl Temper for Honest {
    fn disputes(&self, agrees: bool) -> bool {
        !agrees
    }

    fn respond(&self, program: &Program, trace: &Trace, follower: &Follower) -> Option<Call> {
        Challenger { program, trace, choice: FirstDifference }.respond(follower)
    }
}

/// Disputes every claim, right or wrong, and walks to the leaf that `turns` points at: a nuisance that should only lose money.
///
/// Choice i takes the remainder of byte i of `turns` by the number of children.
#[derive(Debug, Clone, Default)]
pub struct Griefer {
    /// Which child to take at each choice; missing bytes are 0.
    pub turns: Vec<u8>,
}

impl Temper for Griefer {
    fn disputes(&self, _agrees: bool) -> bool {
        true
    }

    fn refutes(&self) -> bool {
        false
    }

    fn respond(&self, program: &Program, trace: &Trace, follower: &Follower) -> Option<Call> {
        // Which choice this is follows from how far the match has come, so that it survives a restart.
        let state = follower.state();
        // What a prepared step shows was chosen when it was prepared.
        let phase = if state.phase == Phase::Ready { Phase::Name } else { state.phase };
        let at = usize::from(phase as u8) + usize::from(state.remaining);
        let turn = usize::from(self.turns.get(at % self.turns.len().max(1)).copied().unwrap_or_default());
        Challenger { program, trace, choice: Turn(turn) }.respond(follower)
    }
}

struct Turn(usize);

impl Choice for Turn {
    /// Among the nodes that are not padding, which the contract would refuse.
    fn child(&mut self, claimed: &[Digest], _own: &[Digest]) -> Option<usize> {
        let real = claimed.len() - claimed.iter().rev().take_while(|node| is_padding(node)).count();
        Some(self.0 % real.max(1))
    }

    fn operator(&mut self, claimed: &[TensorRoot], _own: &[TensorRoot]) -> Option<usize> {
        Some(self.0 % claimed.len().max(1))
    }

    fn element(&mut self, claimed: &[Tile], _own: &[Tile], size: usize) -> Option<(usize, usize)> {
        Some((self.0 % claimed.len().max(1), self.0 % (128 / size)))
    }

    fn segment(&mut self, claimed: &[i64], _own: &[i64]) -> Option<usize> {
        Some(self.0 % claimed.len().max(1))
    }
}

fn is_padding(node: &Digest) -> bool {
    (0..narrows_commitment::MAX_DEPTH).any(|level| narrows_commitment::padding(level) == *node)
}
