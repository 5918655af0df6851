//! Folds over whole dimensions.

use narrows_program::{DType, Fold};

use super::binary::uniform;
use super::forms::Form;
use super::map::Target;
use super::nest::Reduction as Walk;
use super::{Lowering, Stored, axes_last};
use crate::error::CompileError;
use crate::fuse::Stage;
use crate::graph::{Reduction, ValueId};
use crate::requantise::identity;

impl Lowering<'_> {
    /// A fold over axes, which stay with length 1; the identity where no record is given.
    #[allow(clippy::too_many_arguments, reason = "an operator has as many parts")]
    pub(super) fn folded(
        &mut self,
        role: &'static str,
        value: Option<ValueId>,
        fold: Fold,
        a: &Stored,
        b: Option<&Stored>,
        axes: &[usize],
        form: Form,
        record: Option<[u8; 16]>,
    ) -> Result<Stored, CompileError> {
        self.folded_to(role, value, fold, a, b, axes, &Target::plain(form), record)
    }

    /// As [`Self::folded`], with an end of its own.
    #[allow(clippy::too_many_arguments, reason = "an operator has as many parts")]
    pub(super) fn folded_to(
        &mut self,
        role: &'static str,
        value: Option<ValueId>,
        fold: Fold,
        a: &Stored,
        b: Option<&Stored>,
        axes: &[usize],
        target: &Target,
        record: Option<[u8; 16]>,
    ) -> Result<Stored, CompileError> {
        let (kept, order) = axes_last(a.view.dims.len(), axes);
        let shape = a.shape();
        let out: Vec<usize> = kept.iter().map(|dim| shape[*dim]).collect();
        let records = self.records(&[record.unwrap_or(identity())], &[], &out);
        let mut job = self.job(fold, a.with(a.view.transpose(&order)), records, target.form);
        job.b = b.map(|b| b.with(b.view.transpose(&order)));
        job.rank = kept.len();
        if fold == Fold::ArgMax {
            job.reduction = Walk::Ordered;
        }
        target.end(&mut job);
        let mut stored = self.emit(role, value, job)?;
        axes.iter().for_each(|axis| stored.view.dims.insert(*axis, Vec::new()));
        Ok(stored)
    }

    pub(super) fn reduce(
        &mut self,
        stage: &Stage,
        reduction: Reduction,
        axes: &[usize],
        keep: bool,
    ) -> Result<Stored, CompileError> {
        let x = match reduction {
            Reduction::SumSquare => self.factor(stage.inputs[0])?,
            _ => self.value(stage.inputs[0])?,
        };
        let shape = x.shape();
        let terms: usize = axes.iter().map(|axis| shape[*axis]).product();
        let target = self.target(stage)?;
        let (factor, offset) = uniform(stage);
        let out = Some(stage.output);
        let stored = match reduction {
            Reduction::Sum | Reduction::Mean => {
                let parts = if reduction == Reduction::Mean { terms as f64 } else { 1.0 };
                let unit = x.step() * factor / parts;
                let record = self.record(unit, offset, target.step, x.reach() * terms as u128)?;
                self.folded_to("", out, Fold::Sum, &x, None, axes, &target, Some(record))?
            }
            Reduction::SumSquare => {
                let unit = x.step() * x.step() * factor;
                let record = self.record(unit, offset, target.step, x.reach() * x.reach() * terms as u128)?;
                self.folded_to("", out, Fold::Dot, &x, Some(&x), axes, &target, Some(record))?
            }
            Reduction::Max => {
                let record = self.record(x.step(), 0.0, target.step, x.reach())?;
                self.folded_to("", out, Fold::Max, &x, None, axes, &target, Some(record))?
            }
            Reduction::Min => {
                let form = Form { lo: -x.form.dtype.max(), hi: x.form.dtype.max(), ..x.form };
                let plain = Target::plain(form);
                let negated = self.added("negated", None, (&x, -1.0), (&x, 0.0), &plain)?;
                let most = self.folded("greatest", None, Fold::Max, &negated, None, axes, form, None)?;
                self.added("", out, (&most, -1.0), (&most, 0.0), &target)?
            }
        };
        Ok(without(stored, axes, keep))
    }

    pub(super) fn argmax(&mut self, stage: &Stage, axis: usize, keep: bool) -> Result<Stored, CompileError> {
        let x = self.value(stage.inputs[0])?;
        let last = x.shape()[axis] as i64 - 1;
        let form = Form { dtype: DType::I32, scale: super::one(), lo: 0, hi: last };
        let stored = self.folded("", Some(stage.output), Fold::ArgMax, &x, None, &[axis], form, None)?;
        Ok(without(stored, &[axis], keep))
    }
}

/// Takes away dimensions of length 1, unless they are to stay.
fn without(mut stored: Stored, axes: &[usize], keep: bool) -> Stored {
    if !keep {
        axes.iter().rev().for_each(|axis| drop(stored.view.dims.remove(*axis)));
    }
    stored
}
