//! Partial values for a value that is not the right one: what a liar states who defends itself.

use narrows_program::{Finalise, Fold, Operator, OperatorIndex};

use crate::WitnessSource;
use crate::referee::{Descriptor, Record, combine, place, requantise};
use crate::witness::{descriptor, record_of};

/// Terms of an argmax hold their place in so many bits, counted from the end.
const PLACES: i128 = 1 << 24;
/// How far accumulators are searched.
const REACH: i128 = 1 << 61;

/// Partial values that finalise to `value`: `sums` themselves if they do, otherwise changed in as few segments as it takes.
///
/// `None` when no accumulator leads there: a value outside the operator's output range, or one that its table does not hold.
///
/// # Panics
/// When there is no such element, or `source` is not of one program.
#[must_use]
pub fn forge_sums(
    source: &WitnessSource<'_>,
    operator: OperatorIndex,
    element: u64,
    sums: Vec<i64>,
    value: i64,
) -> Option<Vec<i64>> {
    let one = Element {
        source,
        operator,
        parts: source.program.operator(operator),
        descriptor: descriptor(source.program, operator),
        record: record_of(source.program, operator, element),
        element,
    };
    let leads = |sums: &[i64]| one.result(combine(&one.descriptor, sums)) == Some(value);
    if leads(&sums) {
        return Some(sums);
    }
    one.targets(value).into_iter().find_map(|target| {
        let reached = one.least(target)?;
        let forged = if one.parts.fold == Fold::ArgMax {
            one.placed(&sums, reached)
        } else {
            one.moved(&sums, reached)
        };
        forged.into_iter().find(|sums| leads(sums) && sums.iter().all(|sum| sum.unsigned_abs() < 1 << 62))
    })
}

/// The element that is lied about.
struct Element<'a> {
    source: &'a WitnessSource<'a>,
    operator: OperatorIndex,
    parts: &'a Operator,
    descriptor: Descriptor,
    record: Record,
    element: u64,
}

impl Element<'_> {
    /// The element that an accumulator ends in; `None` beyond what the referee takes.
    fn result(&self, acc: i128) -> Option<i64> {
        self.source.finalise(self.operator, self.element, acc, |_| ()).ok()
    }

    /// What a value that is finalised comes to before a table is read: this never falls as the value grows.
    fn before_table(&self, value: i128) -> Option<i64> {
        match self.parts.finalise {
            Finalise::Table(_) => Some(requantise(&self.descriptor, value, self.record)),
            _ if self.parts.fold == Fold::ArgMax => self.result(PLACES - 1 - value),
            _ => self.result(value),
        }
    }

    /// What it has to come to for the element to be `value`.
    fn targets(&self, value: i64) -> Vec<i64> {
        let Finalise::Table(table) = self.parts.finalise else { return vec![value] };
        let table = self.source.program.constant(table);
        let entries = (0..).map_while(|index| table.dtype.read(&table.bytes, index));
        let named = entries.zip(i64::from(self.parts.lo)..).filter(|(entry, _)| *entry == value);
        named.map(|(_, index)| index).collect()
    }

    /// The least value that comes to `target`.
    fn least(&self, target: i64) -> Option<i128> {
        let places = self.parts.fold == Fold::ArgMax;
        let (mut low, mut high) = if places { (0, PLACES - 1) } else { (-REACH, REACH) };
        while low < high {
            let middle = (low + high).div_euclid(2);
            // What is beyond the referee's reach lies on the side of its sign.
            let enough = self.before_table(middle).map_or(middle > 0, |result| result >= target);
            if enough { high = middle } else { low = middle + 1 }
        }
        (self.before_table(low) == Some(target)).then_some(low)
    }

    /// Sums of which the last has the greatest term, which stands at `place`.
    fn placed(&self, sums: &[i64], at: i128) -> Vec<Vec<i64>> {
        let greatest = combine(&self.descriptor, sums).div_euclid(PLACES) + 1;
        let term = greatest * PLACES + (PLACES - 1 - at);
        debug_assert_eq!(place(&self.descriptor, term), at, "a term holds its place");
        with_last(sums, term).into_iter().collect()
    }

    /// Sums that join to `acc`: the last alone moved, or, where the greatest counts, all cut to it.
    fn moved(&self, sums: &[i64], acc: i128) -> Vec<Vec<i64>> {
        let last = sums.last().copied().map_or(0, i128::from);
        let additive = with_last(sums, last + acc - combine(&self.descriptor, sums));
        // Every segment above the target has to come down, and one has to reach it.
        let cut = i64::try_from(acc).ok().and_then(|acc| {
            let capped: Vec<i64> = sums.iter().map(|sum| (*sum).min(acc)).collect();
            with_last(&capped, acc.into())
        });
        additive.into_iter().chain(cut).collect()
    }
}

/// `sums` with another last one, if that has 64 bits.
fn with_last(sums: &[i64], last: i128) -> Option<Vec<i64>> {
    let (_, before) = sums.split_last()?;
    Some([before, &[i64::try_from(last).ok()?]].concat())
}
