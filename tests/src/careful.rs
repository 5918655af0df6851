//! A challenger that shows the nodes of every step in a move of their own.

use narrows_bisection::players::{Challenger, Choice, Follower};
use narrows_bisection::{Call, Trace, Witness};
use narrows_challenger::node::Temper;
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
    fn prepares(&mut self, _: &Witness, _: &Witness) -> bool {
        true
    }
}
