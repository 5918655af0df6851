//! The executor's side: answering what is asked of its trace.

use narrows_commitment::tile_at;
use narrows_program::{LayerIndex, Operand, OperatorIndex, Program, Source};

use crate::referee::{Descriptor, Term, combine, finalise, partial_with};
use crate::witness::{descriptor, open_record};
use crate::{Call, Phase, Trace};

use super::follower::{Follower, bits, whole_layer};

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
        let (standing, seat) = (state.standing(), state.seat);
        let (level, index) = (u32::from(state.remaining), u64::from(state.position));
        match state.phase {
            Phase::LayerE => {
                let nodes = self.trace.tree().descendants(level, index, bits(self.program, state));
                Some(Call::Reveal { claim, number, standing, seat, nodes })
            }
            Phase::SubE => {
                let layer = LayerIndex(state.place);
                let roots = self.trace.sub_roots(layer);
                let layer = whole_layer(self.program, layer);
                Some(Call::SubTrace { posted, number, standing, seat, layer, roots, signature: Vec::new() })
            }
            Phase::TileE => {
                let tree = self.trace.operator_tree(follower.operator()?);
                let nodes = tree.descendants(level, index, bits(self.program, state));
                Some(Call::Reveal { claim, number, standing, seat, nodes })
            }
            Phase::DataE => {
                let bytes = self.trace.operator(follower.operator()?);
                let first = index << level;
                let tiles = first..first + state.real_tiles();
                let tiles = tiles.flat_map(|tile| tile_at(bytes, tile)).collect();
                Some(Call::RevealTiles { claim, number, standing, seat, tiles })
            }
            Phase::FoldE => self.fold(follower),
            _ => None,
        }
    }

    fn fold(&self, follower: &Follower) -> Option<Call> {
        let index = follower.operator()?;
        let element = u64::from(follower.element(self.program)?.0);
        let state = follower.state();
        let sums = true_sums(self.program, self.trace, index, element);
        let record = record(self.program, index, element)?;
        let sums = forge_sums(&descriptor(self.program, index), record, sums, i64::from(state.value()))?;
        Some(Call::Fold {
            posted: *follower.posted(),
            number: follower.number(),
            standing: state.standing(),
            seat: state.seat,
            operator: self.program.operator_bytes(index),
            sums,
            params: Box::new(open_record(self.program, index, element)),
            signature: Vec::new(),
        })
    }
}

/// The record of `element` of `operator`: bias, multiplier, shift.
fn record(program: &Program, operator: OperatorIndex, element: u64) -> Option<(i64, u32, u8)> {
    let address = usize::try_from(descriptor(program, operator).record_address(element)).ok()?;
    let (records, _) = program.constant(program.operator(operator).params.constant).bytes.as_chunks::<16>();
    narrows_program::record::decode(records.get(address)?)
}

/// The partial values of `element` of `operator`, from the outputs of `trace`.
///
/// # Panics
/// When the trace is not of this program, or there is no such element.
#[must_use]
pub fn true_sums(program: &Program, trace: &Trace, operator: OperatorIndex, element: u64) -> Vec<i64> {
    let parts = program.operator(operator);
    let descriptor = descriptor(program, operator);
    let bytes = |source| match source {
        Source::Input => trace.input(),
        Source::Constant(index) => &program.constant(index).bytes,
        Source::Operator(index) => trace.operator(index),
    };
    let value = |operand: &Operand, address: u128| {
        let read = operand.dtype.read(bytes(operand.source), address as usize);
        Ok(read.expect("addresses of a legal program are in range"))
    };
    let read = |term| match (term, &parts.b) {
        (Term::A(address), _) => value(&parts.a, address),
        (Term::B(address), Some(b)) => value(b, address),
        (Term::B(_), None) => unreachable!("an operator without b reads no b"),
    };
    let partial = |index: u32| {
        let sum = partial_with(&descriptor, element, descriptor.segment(index), read);
        let sum = sum.expect("a legal program's fold has terms and a known kind");
        i64::try_from(sum).expect("partial values of a legal program stay below 2^62")
    };
    (0..descriptor.segments() as u32).map(partial).collect()
}

/// Partial values that finalise to `value`: `sums` themselves if they do, otherwise changed in the last segment.
///
/// `None` when no accumulator leads there (a value outside the operator's output range).
#[must_use]
pub fn forge_sums(
    descriptor: &Descriptor,
    record: (i64, u32, u8),
    sums: Vec<i64>,
    value: i64,
) -> Option<Vec<i64>> {
    let result = |acc: i128| finalise(descriptor, acc, record);
    let true_acc = combine(descriptor, &sums);
    if result(true_acc) == value {
        return Some(sums);
    }
    // finalise never falls as acc grows: search the least acc that reaches the value.
    let limit = 1i128 << 61;
    let (mut low, mut high) = (-limit, limit);
    while low < high {
        let middle = (low + high).div_euclid(2);
        if result(middle) >= value { high = middle } else { low = middle + 1 }
    }
    if result(low) != value {
        return None;
    }
    let forged = |at: usize, sum: i128| {
        let mut forged = sums.clone();
        forged[at] = i64::try_from(sum).ok().filter(|s| s.unsigned_abs() < 1 << 62)?;
        (result(combine(descriptor, &forged)) == value).then_some(forged)
    };
    let last = sums.len() - 1;
    let additive = i128::from(sums[last]) + low - true_acc;
    forged(last, additive).or_else(|| {
        // For max, every segment above the target has to come down, and one has to reach it.
        let target = i64::try_from(low).ok()?;
        let mut capped: Vec<i64> = sums.iter().map(|sum| (*sum).min(target)).collect();
        capped[last] = target;
        (result(combine(descriptor, &capped)) == value).then_some(capped)
    })
}
