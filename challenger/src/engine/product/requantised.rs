//! What a product takes over of its sums' requantisation.

use std::iter;

use burn::tensor::{DType as Type, Device, Tensor};
use narrows_program::{Operator, Program};

use super::weights::Weights;
use super::{Axes, Matrix, Right};
use crate::engine::backend::products_outrun_passes;
use crate::engine::doubles::EXACT;
use crate::engine::exact::Carrier;
use crate::engine::records::{Record, Records, start};
use crate::engine::records::{less, over};
use crate::engine::region::Region;
use crate::engine::sides::Sides;

impl Matrix {
    /// Takes over two steps of [`Doubles`](crate::engine::doubles::Doubles) where sums stay exact, for they and every sum on the way are
    /// integers over 2^s: multiplies operand b with the records' m / 2^s, so that sums come out multiplied, and gives it what is
    /// subtracted from them, c, as one term more. Which of both it does.
    pub fn requantise(
        &mut self,
        program: &Program,
        op: &Operator,
        sides: &Sides,
        (first, nearest): (i32, bool),
        weights: Option<&mut Weights>,
        device: &Device,
    ) -> [bool; 2] {
        let region = &self.region;
        // Not of the operator's rows either: each would keep columns of its own.
        let rows = sides.b.map_or(vec![], |b| Axes::new(&sides.a, &b, &Region::whole(op)).rows);
        let of_columns = (0..4).all(|a| {
            op.params.out[a] == 0 || !rows.contains(&a) && (region.len[a] == 1 || self.columns.contains(&a))
        });
        if self.scheme.carrier != Carrier::F64 || self.scheme.pairs() > 1 || !of_columns {
            return [false; 2];
        }
        let len: [usize; 4] =
            std::array::from_fn(|a| if self.columns.contains(&a) { region.len[a] } else { 1 });
        // A product is not halved.
        let records = Records::new(program, op, &Region { start: region.start, len }, 0, device);
        let reach = self.reach();
        let exact = |(bias, m, s): &Record, more: bool| {
            let sum = reach.saturating_add(if more { bias.unsigned_abs().into() } else { 0 });
            let first = if more { u128::from(first.unsigned_abs()) * 2 + 1 } else { 0 };
            sum.saturating_mul(m.unsigned_abs().into()).saturating_add(first << (s - 1)) <= EXACT
        };
        if !records.list.iter().all(|record| exact(record, false)) {
            return [false; 2];
        }
        let factors: Vec<f64> = records.list.iter().map(|(_, m, s)| over((*m).into(), *s)).collect();
        let [matrices, rows, terms, cols] = self.sizes;
        match &mut self.right {
            Right::Gathered(_, scale) if factors.iter().all(|factor| *factor == factors[0]) => {
                *scale = factors[0];
                [true, false]
            }
            Right::Gathered(..) => [false; 2],
            Right::Weights(key, parts) => {
                // A term more is a copy of operand a, which a pass over the sums has to be worth.
                let more = products_outrun_passes(device)
                    && !nearest
                    && (matrices, parts.len()) == (1, 1)
                    && terms <= 2 * cols
                    && records.list.iter().all(|record| exact(record, true));
                let moved: [usize; 4] =
                    std::array::from_fn(|a| if op.params.out[a] == 0 { 1 } else { len[a] });
                let row = |values: Vec<f64>| {
                    let spread = records.doubles(values).reshape::<4, _>(moved).expand::<4, _>(len);
                    spread.reshape([1, 1, cols])
                };
                let made = || {
                    let factors = row(factors);
                    let mut parts: Vec<Tensor<3>> =
                        parts.iter().map(|part| part.clone() * factors.clone()).collect();
                    if more {
                        let less = records.list.iter().map(|record| -less(record, first, nearest)).collect();
                        parts = vec![Tensor::cat(vec![parts.remove(0), row(less)], 1)];
                    }
                    parts
                };
                *parts = match weights {
                    Some(weights) => weights
                        .scaled
                        .entry((key.clone(), start(op, region), first, more))
                        .or_insert_with(made)
                        .clone(),
                    None => made(),
                };
                if more {
                    self.ones = Some(Tensor::ones([matrices, rows, 1], (device, Type::F64)));
                    self.chunks = iter::once(0..terms + 1).collect();
                }
                [true, more]
            }
        }
    }
}
