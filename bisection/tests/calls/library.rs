//! The programs that are called about.

use narrows_bisection::Trace;
use narrows_program::Program;

use crate::stage::claimed::{Claimed, lies};
use crate::stage::programs::{
    chain, divided, exports, fold, local, long, looked_up, padded, pairs, segments, tiles,
};

/// Programs with what may be claimed of them: the truth first.
pub struct Library(pub(super) Vec<(Program, Trace, Vec<Claimed>)>);

impl Library {
    pub fn new() -> Self {
        let programs = [
            chain(3, 1),
            pairs(2, 2),
            exports(1),
            local(2),
            segments(3),
            fold(1),
            tiles(1),
            long(2),
            padded(2),
            divided(2),
            looked_up(1),
        ];
        let shelf = |program: Program| {
            let truth = Claimed::truth(&program);
            let trace = truth.trace.clone();
            let claims = std::iter::once(truth.with_statements()).chain(lies(&program, 1)).collect();
            (program, trace, claims)
        };
        Self(programs.into_iter().map(shelf).collect())
    }
}
