//! What constants hold, learned once: operators may share them, so that reading them for each one would take time that neither a
//! program's size nor its work bounds.

use std::collections::HashMap;

use burn::tensor::Device;
use narrows_program::{ConstantIndex, Finalise, Fold, Operator, Program, Source, record};

use super::ints::{Ints, stored};
use super::range::Range;

/// What planning has learned of a program's constants.
#[derive(Debug)]
pub(crate) struct Held<'a> {
    program: &'a Program,
    ranges: HashMap<ConstantIndex, Range>,
    /// How often the records of a list can be halved.
    halvings: HashMap<ConstantIndex, u32>,
    /// Operands b of products, kept while operators that read them are still to be planned, and how many are.
    weights: HashMap<ConstantIndex, (Option<Ints<1>>, usize)>,
}

impl<'a> Held<'a> {
    /// Nothing learned yet.
    pub fn new(program: &'a Program) -> Self {
        let mut weights = HashMap::new();
        for index in program.operators().iter().filter_map(weights_of) {
            weights.entry(index).or_insert((None, 0)).1 += 1;
        }
        Self { program, ranges: HashMap::new(), halvings: HashMap::new(), weights }
    }

    /// What a legal program lets a tensor hold: any value of the input's type, what a constant has, what an operator
    /// clamps to or finds in its table.
    pub fn range(&mut self, source: Source) -> Range {
        let index = match source {
            Source::Input => return Range::of_type(self.program.tensor(source).dtype),
            Source::Constant(index) => index,
            Source::Operator(index) => match self.program.operator(index) {
                Operator { finalise: Finalise::Table(table), .. } => *table,
                op => return Range { least: op.lo.into(), greatest: op.hi.into() },
            },
        };
        *self.ranges.entry(index).or_insert_with(|| Range::held(self.program.constant(index)))
    }

    /// How often a pair's accumulators can be halved, and its records with them, without changing an element: as often as both
    /// scales and every bias can, while the shifts stay at least 1. For x = 2^h y and bias = 2^h c, (x + bias) m + 2^(s-1) over 2^s
    /// is (y + c) m + 2^(s-1-h) over 2^(s-h).
    pub fn halvings(&mut self, op: &Operator) -> u8 {
        if op.fold != Fold::Pair || !matches!(op.finalise, Finalise::Requantise | Finalise::Table(_)) {
            return 0;
        }
        let records = self.halvings.entry(op.params.constant).or_insert_with(|| {
            let (all, _) = self.program.constant(op.params.constant).bytes.as_chunks::<16>();
            let of = |(bias, _, s): (i64, u32, u8)| bias.trailing_zeros().min(u32::from(s) - 1);
            all.iter().map(|r| of(record::decode(r).expect("a legal record"))).min().unwrap_or(0)
        });
        // Scales are of 32 bits.
        (op.scale_a | op.scale_b).trailing_zeros().min(31).min(*records) as u8
    }

    /// Operand b of a product, where it is a constant; to be asked at most once for each operator.
    pub fn weights(&mut self, op: &Operator, device: &Device) -> Option<Ints<1>> {
        let index = weights_of(op)?;
        let (tensor, readers) = self.weights.get_mut(&index)?;
        *readers -= 1;
        let constant = self.program.constant(index);
        let stored = tensor.take().unwrap_or_else(|| stored(constant.dtype, &constant.bytes, device));
        *tensor = (*readers > 0).then(|| stored.clone());
        Some(stored)
    }
}

fn weights_of(op: &Operator) -> Option<ConstantIndex> {
    match op.b.filter(|_| op.fold == Fold::Dot)?.source {
        Source::Constant(index) => Some(index),
        Source::Input | Source::Operator(_) => None,
    }
}
