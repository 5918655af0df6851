//! The executor's side: answering what is asked of its trace.

use narrows_commitment::tile_at;
use narrows_program::{LayerIndex, OperatorIndex, Program};

use crate::referee::{Term, combine, partial_with};
use crate::witness::{descriptor, open_record};
use crate::{Call, ClaimedNodes, Phase, Trace, WitnessSource};

use super::follower::{Follower, bits, whole_layer};
use super::forge::forge_sums;

/// Plays the executor from the trace that it claimed, true or not.
#[derive(Debug, Clone, Copy)]
pub struct Executor<'a> {
    /// The program.
    pub program: &'a Program,
    /// The claimed trace.
    pub trace: &'a Trace,
}

impl Executor<'_> {
    /// The answer to the match's state; `None` when it is not the executor's turn, or nothing can be answered.
    ///
    /// A sub-trace is what the trace holds, so its exports give the claimed leaf whatever else is wrong with it. For a named
    /// element that its own inputs contradict, it forges partial sums that lead to the claimed value: what a liar who
    /// defends itself would do. From a true trace nothing is ever forged.
    #[must_use]
    pub fn respond(&self, follower: &Follower) -> Option<Call> {
        if follower.is_lost() {
            return None;
        }
        let state = follower.state();
        let (posted, claim, number) = (*follower.posted(), follower.claim(), follower.number());
        let (level, index) = (u32::from(state.remaining), u64::from(state.position));
        match state.phase {
            Phase::LayerE => {
                let nodes = self.trace.tree().descendants(level, index, bits(state));
                Some(Call::Reveal { claim, number, footing: state.shown(), nodes })
            }
            Phase::SubE => {
                let layer = LayerIndex(state.place);
                let roots = self.trace.sub_roots(layer);
                let layer = whole_layer(self.program, layer);
                let (footing, challenger) = (state.seated(), state.challenger);
                let signature = Vec::new();
                Some(Call::SubTrace { posted, number, footing, challenger, layer, roots, signature })
            }
            Phase::TileE => {
                let tree = self.trace.operator_tree(follower.operator()?);
                let nodes = tree.descendants(level, index, bits(state));
                Some(Call::Reveal { claim, number, footing: state.shown(), nodes })
            }
            Phase::DataE => {
                let bytes = self.trace.operator(follower.operator()?);
                let first = index << level;
                let tiles = first..first + state.real_tiles();
                let tiles = tiles.flat_map(|tile| tile_at(bytes, tile)).collect();
                Some(Call::RevealTiles { claim, number, footing: state.shown(), tiles })
            }
            Phase::FoldE => self.fold(follower),
            _ => None,
        }
    }

    fn fold(&self, follower: &Follower) -> Option<Call> {
        let index = follower.operator()?;
        let element = u64::from(follower.element(self.program)?.0);
        let state = follower.state();
        let nothing = ClaimedNodes::default();
        let source =
            WitnessSource { program: self.program, trace: self.trace, claimed: &nothing, list: None };
        let sums = true_sums(self.program, self.trace, index, element);
        let sums = forge_sums(&source, index, element, sums, i64::from(state.value()))?;
        let acc = combine(&descriptor(self.program, index), &sums);
        Some(Call::Fold {
            posted: *follower.posted(),
            number: follower.number(),
            footing: state.seated(),
            list: state.list,
            challenger: state.challenger,
            operator: self.program.operator_bytes(index),
            sums,
            params: Box::new(open_record(self.program, index, element)),
            third: Box::new(source.third(index, element, acc)),
            signature: Vec::new(),
        })
    }
}

/// The partial values of `element` of `operator`, from the outputs of `trace`; the nearest of 64 bits, where a false trace
/// leads beyond them.
///
/// # Panics
/// When the trace is not of this program, or there is no such element.
#[must_use]
pub fn true_sums(program: &Program, trace: &Trace, operator: OperatorIndex, element: u64) -> Vec<i64> {
    let parts = program.operator(operator);
    let descriptor = descriptor(program, operator);
    let nothing = ClaimedNodes::default();
    let source = WitnessSource { program, trace, claimed: &nothing, list: None };
    let read = |term| match (term, &parts.b) {
        (Term::A(address), _) => source.value(&parts.a, address),
        (Term::B(address), Some(b)) => source.value(b, address),
        (Term::B(_), None) => unreachable!("an operator without b reads no b"),
    };
    let partial = |index: u32| {
        let sum = partial_with(&descriptor, element, descriptor.segment(index), read);
        let sum = sum.expect("a legal program's fold has terms in range and a known kind");
        sum.clamp(i64::MIN.into(), i64::MAX.into()) as i64
    };
    (0..descriptor.segments() as u32).map(partial).collect()
}
