//! Legality's rule *bound* (SPEC 5): every intermediate of every formula stays below 2^62.

use std::collections::HashMap;

use crate::legal::{Checked, ensure};
use crate::parts::SharedParts;
use crate::{
    Bytes, Constant, ConstantIndex, DType, Finalise, Fold, Operand, Operator, Rule, Source, limits, record,
};
use limits::BOUND;

/// The values that a tensor may hold, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Range {
    least: i64,
    greatest: i64,
}

impl Range {
    /// The values of a type.
    fn of_type(dtype: DType) -> Self {
        Self { least: dtype.min(), greatest: dtype.max() }
    }

    /// The values that an operator may give: a table's entries, or what it clamps to. References must exist.
    ///
    /// Each table is read once, however many operators end in it: `tables` has what was read.
    pub fn of(parts: &SharedParts, op: &Operator, tables: &mut HashMap<ConstantIndex, Self>) -> Self {
        match op.finalise {
            Finalise::Table(table) => {
                *tables.entry(table).or_insert_with(|| Self::held(&parts.constants[table.0 as usize]))
            }
            _ => Self { least: op.lo.into(), greatest: op.hi.into() },
        }
    }

    fn held(constant: &Constant<Bytes>) -> Self {
        let entries = 0..constant.tensor().elements as usize;
        let entries = entries.filter_map(|index| constant.dtype.read(&constant.bytes, index));
        entries.fold(Self { least: i64::MAX, greatest: i64::MIN }, |range, entry| Self {
            least: range.least.min(entry),
            greatest: range.greatest.max(entry),
        })
    }

    fn magnitude(self) -> u128 {
        self.least.unsigned_abs().max(self.greatest.unsigned_abs()).into()
    }
}

/// What a list of well-formed records asks of the values that it requantises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Records {
    /// The greatest magnitude x of which (x + |bias|) m + 2^(s-1) < 2^62 for every record; `None` when there is none.
    biased: Option<u128>,
    /// The same without bias: x m + 2^(s-1) < 2^62.
    plain: Option<u128>,
    /// The greatest |bias|.
    bias: u128,
}

impl Records {
    /// The demands of a constant; it takes nothing where it is not a list of records.
    pub fn new(constant: &Constant<Bytes>) -> Self {
        if constant.dtype != DType::Params {
            return Self { biased: None, plain: None, bias: 0 };
        }
        let mut all = Self { biased: Some(BOUND), plain: Some(BOUND), bias: 0 };
        let (chunks, _) = constant.bytes.as_chunks::<16>();
        for (bias, m, s) in chunks.iter().filter_map(record::decode) {
            let (bias, m, half) = (u128::from(bias.unsigned_abs()), u128::from(m), 1u128 << (s - 1));
            let most = |own: u128| Some((BOUND - 1).checked_sub(own)? / m);
            // `None` is less than any number.
            all.biased = all.biased.min(most(bias * m + half));
            all.plain = all.plain.min(most(half));
            all.bias = all.bias.max(bias);
        }
        all
    }
}

/// Holds an operator to the rule, given its records and the ranges of the operators before it.
pub(crate) fn check(op: &Operator, records: &Records, ranges: &[Range]) -> Checked {
    let range = |operand: &Operand| match operand.source {
        Source::Operator(index) => ranges[index.0 as usize],
        Source::Input | Source::Constant(_) => Range::of_type(operand.dtype),
    };
    let (a, b) = (range(&op.a).magnitude(), op.b.as_ref().map_or(1, |b| range(b).magnitude()));
    let acc = match op.fold {
        Fold::Dot => u128::from(op.terms()) * a * b,
        Fold::Sum => u128::from(op.terms()) * a,
        Fold::Max => a,
        Fold::Pair => a * u128::from(op.scale_a.unsigned_abs()) + b * u128::from(op.scale_b.unsigned_abs()),
        Fold::Gather => b,
        Fold::ArgMax => (a + 1) << ARGMAX_SHIFT,
    };
    within(acc, Some(BOUND - 1), "accumulators")?;
    let value = if op.fold == Fold::ArgMax { u128::from(op.terms()) } else { acc };
    match &op.finalise {
        Finalise::Requantise | Finalise::Table(_) => within(value, records.biased, "accumulators"),
        Finalise::Divide { by, lift } => {
            let divisor = range(by);
            ensure(divisor.least >= 1, Rule::Bound, || {
                format!("divides by values from {} on, and they must be at least 1", divisor.least)
            })?;
            let lifted = (value << lift) + divisor.magnitude() / 2;
            within(lifted, Some(BOUND - 1), "lifted accumulators")?;
            within(lifted / divisor.least.unsigned_abs() as u128 + 1, records.biased, "quotients")
        }
        Finalise::Root => {
            within(value + records.bias, Some(BOUND - 1), "values under a root")?;
            within((value + records.bias).isqrt(), records.plain, "roots")
        }
    }
}

/// Bits that an argmax keeps for the term's place beside its value.
const ARGMAX_SHIFT: u32 = 24;

fn within(reach: u128, most: Option<u128>, what: &str) -> Checked {
    ensure(most.is_some_and(|most| reach <= most), Rule::Bound, || {
        let most = most.map_or("none".into(), |most| most.to_string());
        format!("{what} may reach {reach}, of which {most} is the most")
    })
}
