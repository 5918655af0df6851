//! Products of two activations.

use narrows_program::Fold;

use super::binary::uniform;
use super::{End, Lowering, Stored};
use crate::error::CompileError;
use crate::fuse::Stage;
use crate::view::View;

impl Lowering<'_> {
    /// ONNX's `MatMul` of two activations. A softmax on the left, over the terms, is divided after the product: the
    /// probabilities then lose nothing however many there are.
    pub(super) fn matmul(&mut self, stage: &Stage) -> Result<Stored, CompileError> {
        let shape = self.shape(stage.output).to_vec();
        let soft = self.soft(stage.inputs[0]).filter(|soft| {
            let (parts, sums) = (soft.parts.shape(), soft.sums.shape());
            parts.last() != sums.last() || parts.last() == Some(&1)
        });
        let a = match &soft {
            Some(soft) => soft.parts.clone(),
            None => self.factor(stage.inputs[0])?,
        };
        let b = self.factor(stage.inputs[1])?;
        let ranks = (a.view.dims.len(), b.view.dims.len());
        if ranks.0 < 2 || ranks.1 < 2 || shape.len() < 2 {
            return Err(self.fail("a product of vectors is not compiled; give both at least two dimensions"));
        }
        let rank = shape.len();
        let (batch, rows, columns) = (&shape[..rank - 2], shape[rank - 2], shape[rank - 1]);
        let terms = a.shape()[ranks.0 - 1];
        let left = a.view.expand(&[batch, &[rows, terms]].concat()).inserted(rank - 1, columns);
        let right = b.view.expand(&[batch, &[terms, columns]].concat());
        let mut order: Vec<usize> = (0..rank).collect();
        order.swap(rank - 2, rank - 1);
        let right = right.transpose(&order).inserted(rank - 2, rows);
        let target = self.target(stage)?;
        let (factor, offset) = uniform(stage);
        let accumulator = terms as u128 * a.reach() * b.reach();
        let (record, end) = match &soft {
            None => {
                let unit = a.step() * b.step() * factor;
                (self.record(unit, offset, target.step, accumulator)?, None)
            }
            Some(soft) => {
                // Parts over sums is a probability whatever the parts' scale.
                let least = soft.sums.form.lo.unsigned_abs() as u128;
                let half = soft.sums.reach() / 2;
                let room = |lift: &u8| (accumulator << *lift) + half < 1 << 61;
                let lift = (0..=14).rev().find(room).unwrap_or(0);
                let quotient = ((accumulator << lift) + half) / least + 1;
                let unit = b.step() * factor / f64::from(1u32 << lift);
                let by = soft.sums.view.expand(&[batch, &[rows, 1]].concat());
                let by = View { base: by.base, dims: by.dims[..rank - 1].to_vec() };
                let by = soft.sums.with(by.and_repeated(&[columns]));
                (self.record(unit, offset, target.step, quotient)?, Some(End::Divide { by, lift }))
            }
        };
        let records = self.records(&[record], &[], &shape);
        let mut job = self.job(Fold::Dot, a.with(left), records, target.form);
        job.b = Some(b.with(right));
        job.rank = rank;
        target.end(&mut job);
        if let Some(end) = end {
            job.end = end;
        }
        self.emit("", Some(stage.output), job)
    }
}
