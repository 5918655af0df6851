//! Softmax: exponentials of the distance to a row's greatest value, from a table, and their sum.

use narrows_program::{DType, Fold};

use super::forms::{Form, SCORE_EXPONENT};
use super::values::Soft;
use super::{End, Lowering, Stored};
use crate::error::CompileError;
use crate::fuse::Stage;
use crate::requantise::Scale;

/// Entries of the exponentials' table: distances of up to 16; the last entry is 0.
const ENTRIES: i64 = 1 << 14;
/// The greatest exponential.
const GREATEST: i64 = (1 << 15) - 1;
/// Entries of the logarithms' table.
const LOGARITHMS: i64 = 1 << 16;

impl Lowering<'_> {
    /// A softmax is left as exponentials and their sums until something reads it.
    pub(super) fn softmax(&mut self, stage: &Stage, axis: usize, log: bool) -> Result<(), CompileError> {
        let mut scores = self.value(stage.inputs[0])?;
        if scores.form.scale != Scale::power_of_two(SCORE_EXPONENT) {
            scores = self.converted("scores", &scores, Form::scores())?;
        }
        let shape = scores.shape();
        let top = self.folded("greatest", None, Fold::Max, &scores, None, &[axis], scores.form, None)?;
        let spread = |stored: &Stored| Stored { view: stored.view.expand(&shape), ..stored.clone() };
        let scale = Scale::power_of_two(-15);
        let form = Form { lo: 0, ..Form::whole(DType::I16, scale) };
        let step = 2f64.powi(SCORE_EXPONENT);
        let (form, table) = self.table(form, 0..=ENTRIES - 1, |index| match index {
            0 => 1.0,
            index if index == ENTRIES - 1 => 0.0,
            index => (-(index as f64) * step).exp(),
        });
        assert_eq!(form.hi, GREATEST, "the greatest of a row counts in full");
        let records = self.identity(&shape);
        let mut job = self.job(Fold::Pair, scores.read(), records, form);
        job.b = Some(spread(&top).read());
        job.scales = (-1, 1);
        (job.end, job.lo, job.hi) = (End::Table(table), 0, ENTRIES - 1);
        let parts = self.emit("exponentials", None, job)?;
        let count = shape[axis] as i64;
        let most = GREATEST * count;
        if most > DType::I32.max() {
            return Err(self.fail("its axis has more than 65,536 positions; shorten it"));
        }
        // The greatest of a row alone makes so much.
        let sums = Form { dtype: DType::I32, scale, lo: GREATEST, hi: most };
        let sums = self.folded("sums", None, Fold::Sum, &parts, None, &[axis], sums, None)?;
        if !log {
            self.values.set_soft(stage.output, Soft { parts, sums });
            return Ok(());
        }
        // log p = (x - top) - log(sum): a table of the logarithm, its index finer for few terms.
        let form = self.forms.of(stage.output);
        let index_step = (most - GREATEST).max(LOGARITHMS) as f64 / (LOGARITHMS - 2) as f64;
        let logarithm = Form::whole(DType::I32, Scale::power_of_two(-20));
        let unit = f64::from(GREATEST as i32);
        let (logarithm, table) = self
            .table(logarithm, 0..=LOGARITHMS - 1, |index| ((index as f64 * index_step + unit) / unit).ln());
        let record = self.record(1.0, -unit, index_step, sums.reach())?;
        let row = sums.shape();
        let records = self.records(&[record], &[], &row);
        let mut job = self.job(Fold::Sum, sums.read(), records, logarithm);
        (job.end, job.lo, job.hi) = (End::Table(table), 0, LOGARITHMS - 1);
        let logarithm = self.emit("logarithms", None, job)?;
        let distance = Form { hi: 0, ..scores.form };
        let plain = super::map::Target::plain;
        let distance =
            self.added("distances", None, (&scores, 1.0), (&spread(&top), -1.0), &plain(distance))?;
        let stored =
            self.added("", Some(stage.output), (&distance, 1.0), (&spread(&logarithm), -1.0), &plain(form))?;
        self.values.set(stage.output, stored);
        Ok(())
    }
}
