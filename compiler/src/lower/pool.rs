//! Pools over windows of images.

use narrows_program::Fold;

use super::binary::uniform;
use super::nest::{Order, Reduction};
use super::{Lowering, Stored};
use crate::error::CompileError;
use crate::fuse::Stage;
use crate::view::View;
use crate::window::Window;

impl Lowering<'_> {
    pub(super) fn max_pool(&mut self, stage: &Stage, window: &Window) -> Result<Stored, CompileError> {
        let x = self.value(stage.inputs[0])?;
        let step = self.target(stage)?.step;
        let record = self.record(x.step(), 0.0, step, x.reach())?;
        self.pool(Fold::Max, stage, window, x, (&[record], &[]))
    }

    pub(super) fn average_pool(
        &mut self,
        stage: &Stage,
        window: &Window,
        count_padding: bool,
    ) -> Result<Stored, CompileError> {
        let x = self.value(stage.inputs[0])?;
        let step = self.target(stage)?.step;
        let accumulator = window.taps() as u128 * x.reach();
        let (factor, offset) = uniform(stage);
        let record = |taps: usize| self.record(x.step() * factor / taps as f64, offset, step, accumulator);
        // Where padding does not count, the divisor depends on the place.
        if window.is_padded() && !count_padding {
            let [oh, ow] = window.output;
            let records = (0..oh * ow).map(|at| record(window.real_taps([at / ow, at % ow])));
            let records = records.collect::<Result<Vec<_>, _>>()?;
            return self.pool(Fold::Sum, stage, window, x, (&records, &[oh, ow]));
        }
        let record = record(window.taps())?;
        self.pool(Fold::Sum, stage, window, x, (&[record], &[]))
    }

    fn pool(
        &mut self,
        fold: Fold,
        stage: &Stage,
        window: &Window,
        x: Stored,
        (records, by): (&[[u8; 16]], &[usize]),
    ) -> Result<Stored, CompileError> {
        let channels = x.shape()[1];
        let x = self.image(x, channels)?;
        let [oh, ow] = window.output;
        let out = [1, channels, oh, ow];
        let mut a = View::repeated(&out).and_repeated(&window.kernel);
        a.base = x.view.base;
        a.dims[1].clone_from(&x.view.dims[1]);
        let records = self.records(records, by, &out);
        let target = self.target(stage)?;
        let mut job = self.job(fold, x.with(a), records, target.form);
        job.rank = out.len();
        job.order = Order::Windows(vec![2, 3]);
        job.reduction = Reduction::Windows(2);
        job.windows = self.windows(window, &x)?;
        target.end(&mut job);
        let made = self.emit("", Some(stage.output), job)?;
        self.reshaped(made, stage.output)
    }
}
