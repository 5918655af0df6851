//! A challenger that shows the nodes of every step in a move of their own.

use narrows_bisection::players::{Challenger, Choice, FirstDifference, Follower};
use narrows_bisection::{Call, Trace, Witness};
use narrows_challenger::node::Temper;
use narrows_commitment::{Digest, TensorRoot, Tile};
use narrows_program::Program;

/// Disputes what differs, and prepares every step, however small.
#[derive(Debug, Clone, Copy, Default)]
pub struct Careful;

impl Temper for Careful {
    fn disputes(&self, agrees: bool) -> bool {
        !agrees
    }

    fn respond(&self, program: &Program, trace: &Trace, follower: &Follower) -> Option<Call> {
        Challenger { program, trace, choice: *self }.respond(follower)
    }
}

impl Choice for Careful {
    fn child(&mut self, claimed: &[Digest], own: &[Digest]) -> Option<usize> {
        FirstDifference.child(claimed, own)
    }

    fn operator(&mut self, claimed: &[TensorRoot], own: &[TensorRoot]) -> Option<usize> {
        FirstDifference.operator(claimed, own)
    }

    fn element(&mut self, claimed: &[Tile], own: &[Tile], size: usize) -> Option<(usize, usize)> {
        FirstDifference.element(claimed, own, size)
    }

    fn segment(&mut self, claimed: &[i64], own: &[i64]) -> Option<usize> {
        FirstDifference.segment(claimed, own)
    }

    fn prepares(&mut self, _: &Witness, _: &Witness) -> bool {
        true
    }
}
