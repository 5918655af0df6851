//! What an operator's regions have in common: its operands, and how they are folded.

use narrows_program::{Finalise, Fold, Operand, Operator, Program, Source, Window};

use super::Limits;
use super::exact::{Carrier, Scheme};
use super::held::Held;
use super::product::{Axes, gathered};
use super::range::Range;
use super::reads::Reads;
use super::region::Region;

/// What an operator's regions have in common.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sides {
    /// What the operands are read by.
    pub a: Reads,
    pub b: Option<Reads>,
    /// How a dot product is exact in floats; other folds have none.
    pub scheme: Option<Scheme>,
    /// The greatest magnitudes of operands a and b.
    magnitudes: [u128; 2],
    /// A pair's scales, halved with its records.
    pub scales: [i32; 2],
    /// How often both are.
    pub halved: u8,
    /// What a divisor may be, if there is one.
    pub divisor: Option<Range>,
    /// Whether the device has doubles.
    pub doubles: bool,
    /// The first float type in which rows that are summed are exact as products with ones.
    pub summed: Option<Carrier>,
}

impl Sides {
    /// An operator's operands, for a device whose products in these float types are exact.
    pub fn new(program: &Program, op: &Operator, held: &mut Held<'_>, carriers: &[Carrier]) -> Self {
        let side = |operand: &Operand, windows| {
            let elements = program.tensor(operand.source).elements;
            Reads { map: operand.map, windows, elements, red: op.red, row: 0 }
        };
        let a = side(&op.a, op.windows);
        let b = op.b.as_ref().map(|b| side(b, [Window::default(); 2]));
        let values = held.range(op.a.source);
        let values_b = op.b.map(|b| held.range(b.source));
        let scheme = values_b.filter(|_| op.fold == Fold::Dot).map(|values_b| {
            let scheme = Scheme::cheapest(op.terms(), values, values_b, carriers);
            scheme.expect("a legal sum stays below 2^62, and that of its digits' magnitudes below twice that")
        });
        let magnitudes = [values.magnitude().into(), values_b.map_or(0, |values| values.magnitude().into())];
        let halved = held.halvings(op);
        let divisor = match &op.finalise {
            Finalise::Divide { by, .. } => Some(held.range(by.source)),
            _ => None,
        };
        let scales = [op.scale_a >> halved, op.scale_b >> halved];
        let greatest = magnitudes[0].max(u128::from(op.pad.unsigned_abs()));
        let exact = |carrier: &&Carrier| {
            let sum = greatest.saturating_mul(op.terms().into());
            greatest <= carrier.widest().into() && sum <= carrier.exact().into()
        };
        let summed = carriers.iter().find(exact).filter(|_| op.fold == Fold::Sum).copied();
        let doubles = carriers.contains(&Carrier::F64);
        Self { a, b, scheme, magnitudes, scales, halved, divisor, doubles, summed }
    }

    fn footprint(&self, op: &Operator, region: &Region) -> (usize, usize) {
        match (&self.scheme, &self.b) {
            (Some(scheme), Some(b)) => gathered(&self.a, b, scheme, region),
            _ => (region.elements().saturating_mul(op.terms() as usize), 0),
        }
    }

    /// The lengths of an operator's regions.
    pub fn lengths(&self, op: &Operator, limits: &Limits) -> [usize; 4] {
        let outputs = limits.outputs_of(op.elements(), op.terms());
        let mut first = Region::whole(op);
        let mut columns = None;
        if let (Some(_), Some(b)) = (&self.scheme, &self.b) {
            columns = limits.by_columns(&self.a, b, &first);
            // Rows are no help where too much is gathered of operand b.
            let axes = Axes::new(&self.a, b, &first).sides().1;
            first = first.cut(&axes, |region| self.footprint(op, region).1 <= limits.weights);
        }
        let mut order = [0, 1, 2, 3];
        order.sort_by_key(|axis| columns.as_ref().is_some_and(|columns| !columns.contains(axis)));
        let left = |region: &Region| columns.is_some() || self.footprint(op, region).0 <= limits.gathered;
        first.cut(&order, |region| region.elements() <= outputs && left(region)).len
    }

    /// How many regions of these lengths may be worked on at a time.
    pub fn at_once(&self, op: &Operator, lengths: [usize; 4], limits: &Limits, planned: bool) -> usize {
        let (left, right) = self.footprint(op, &Region { start: [0; 4], len: lengths });
        // Weights are there already.
        let held = planned && op.b.is_some_and(|b| matches!(b.source, Source::Constant(_)));
        let own = if held { left } else { left.saturating_add(right) };
        (limits.at_once / own.max(1)).max(1)
    }

    /// At most how many elements the plan of all regions keeps.
    pub fn kept(&self, op: &Operator) -> usize {
        let whole = Region::whole(op);
        let (left, right) = self.footprint(op, &whole);
        left.saturating_add(right).saturating_add(whole.elements())
    }

    /// What no accumulator passes in magnitude, by the operands' ranges, nor anything that leads to it; of a dot product, the sum
    /// of products, in whatever digits they are computed.
    pub fn reach(&self, op: &Operator) -> u128 {
        let ([a, b], terms) = (self.magnitudes, u128::from(op.terms()));
        match op.fold {
            Fold::Dot => terms * a * b,
            Fold::Sum => terms * a,
            Fold::Max => a,
            Fold::Pair => {
                let [scale_a, scale_b] = self.scales.map(|scale| u128::from(scale.unsigned_abs()));
                a * scale_a + b * scale_b
            }
            Fold::Gather => b,
            // Each value is ordered together with its place.
            Fold::ArgMax => (a + 1) << 24,
        }
    }
}
