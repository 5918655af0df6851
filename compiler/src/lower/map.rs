//! Functions of one activation: affine maps, clips, tables, masks of constants.

use narrows_program::{DType, Fold};

use super::forms::Form;
use super::{End, Job, Lowering, Read, Stored};
use crate::curve;
use crate::error::CompileError;
use crate::fuse::{Field, Stage};
use crate::graph::Tensor;
use crate::requantise::Scale;
use crate::view::View;

/// Above this many constants, each costing a record of 16 bytes, they are added as a tensor.
const MOST_RECORDS: usize = 1 << 12;
/// Binary exponent of the greatest factor or constant of scores, in steps: more says no more, since the exponential has
/// long been 0.
const SCORE_LIMIT: f64 = (1u64 << 22) as f64;
/// What a curve's table leaves free on either side, as a part of the calibrated range.
const CURVE_MARGIN: f64 = 0.125;

/// A table begins and ends at multiples of so many steps, so that the last bits of the float run, which machines do not
/// do alike, seldom reach it.
const CURVE_EDGE: u32 = 64;

/// What an accumulator of a stage is requantised to, and how it ends.
#[derive(Debug, Clone)]
pub(super) struct Target {
    /// The real value of a step: the output's, or the table index's.
    pub step: f64,
    /// The output.
    pub form: Form,
    index: Option<(End, i64, i64)>,
}

impl Target {
    /// No more than a form.
    pub fn plain(form: Form) -> Self {
        Self { step: form.scale.real(), form, index: None }
    }

    /// A form, after another end than a requantisation.
    pub fn ending(form: Form, end: End) -> Self {
        Self { index: Some((end, form.lo, form.hi)), ..Self::plain(form) }
    }

    /// Lets an operator end so.
    pub fn end(&self, job: &mut Job) {
        job.form = self.form;
        (job.lo, job.hi) = (self.form.lo, self.form.hi);
        if let Some((end, lo, hi)) = &self.index {
            (job.end, job.lo, job.hi) = (end.clone(), *lo, *hi);
        }
    }
}

impl Lowering<'_> {
    /// How a stage's last operator ends.
    pub(super) fn target(&mut self, stage: &Stage) -> Result<Target, CompileError> {
        let form = self.forms.of(stage.output);
        if stage.curve.is_empty() {
            return Ok(Target { step: form.scale.real(), form, index: None });
        }
        let range = self.ranges[stage.before_curve.0];
        let (least, greatest) = (f64::from(range.least), f64::from(range.greatest));
        let free = (greatest - least).max(1e-6) * CURVE_MARGIN;
        let (mut low, mut high) = (least - free, greatest + free);
        if let Some(curve::Point::Function(function)) = stage.curve.first() {
            let (from, to) = curve::active(*function);
            (low, high) = (low.max(from).min(to), high.min(to).max(from));
        }
        low = low.max(f64::from(stage.low)).min(f64::from(stage.high));
        high = high.min(f64::from(stage.high)).max(low);
        let entries = self.profile.table_entries();
        // A range far from 0 keeps whole steps within 32 bits.
        let width = (high - low).max((low.abs().max(high.abs())) / f64::from(1u32 << 14)).max(1e-9);
        let scale = self.scale_reaching(width, f64::from(entries - 2 * CURVE_EDGE - 3))?;
        let step = scale.real();
        let edge = f64::from(CURVE_EDGE);
        let (lo, hi) = ((low / step / edge).floor() * edge, (high / step / edge).ceil() * edge);
        let (lo, hi) = (lo as i64, hi as i64);
        assert!(hi - lo < i64::from(entries), "a table has its entries");
        let (form, table) =
            self.table(form, lo..=hi, |index| curve::apply(&stage.curve, index as f64 * step));
        Ok(Target { step, form, index: Some((End::Table(table), lo, hi)) })
    }

    /// A table of a function of its index, and the form of its entries.
    pub(super) fn table(
        &mut self,
        form: Form,
        index: std::ops::RangeInclusive<i64>,
        entry: impl Fn(i64) -> f64,
    ) -> (Form, narrows_program::ConstantIndex) {
        let entries: Vec<i64> = index.map(|index| form.quantise(entry(index))).collect();
        let mut bytes = Vec::with_capacity(entries.len() * form.dtype.bytes());
        entries.iter().for_each(|entry| form.dtype.write(*entry, &mut bytes));
        let bound = |order: fn(i64, i64) -> i64| entries.iter().copied().reduce(order);
        let lo = bound(i64::min).expect("a table has an entry");
        let hi = bound(i64::max).expect("a table has an entry");
        (Form { lo, hi, ..form }, self.constant(form.dtype, bytes))
    }

    /// An affine map with constants of any shape, a clip, a function, a cast.
    pub(super) fn map(&mut self, stage: &Stage) -> Result<Stored, CompileError> {
        let x = self.value(stage.inputs[0])?;
        let target = self.target(stage)?;
        let (mut scale, mut offset) = (stage.scale.clone(), stage.offset.clone());
        if target.form == Form::scores().bounded(stage.low, stage.high) {
            let most = SCORE_LIMIT * target.step;
            for field in [&mut scale, &mut offset] {
                field.values.iter_mut().for_each(|v| *v = v.clamp(-most, most));
            }
        }
        if !scale.values.iter().chain(&offset.values).all(|v| v.is_finite()) {
            return Err(self.fail("its constants are not finite"));
        }
        let many = offset.values.len() > MOST_RECORDS;
        if let (Some(factor), true) = (scale.uniform(), many) {
            let constant = self.quantised(&offset, &x.shape(), target.form)?;
            return self.added("", Some(stage.output), (&x, factor), (&constant, 1.0), &target);
        }
        if many || scale.values.len() > MOST_RECORDS {
            return self.scaled_and_added(stage, &x, &scale, &offset, &target);
        }
        let joint = scale.zip(&offset, |s, _| s);
        let offset = offset.zip(&joint, |o, _| o);
        self.per_element(stage, &x, &joint, &offset, &target)
    }

    /// A map by signs and records: each constant is a multiplier of its own, so none costs another precision.
    fn per_element(
        &mut self,
        stage: &Stage,
        x: &Stored,
        scale: &Field,
        offset: &Field,
        target: &Target,
    ) -> Result<Stored, CompileError> {
        let shape = x.shape();
        let mut records = Vec::with_capacity(scale.values.len());
        let mut signs = Vec::with_capacity(scale.values.len());
        for (&factor, &bias) in scale.values.iter().zip(&offset.values) {
            let unit = x.step() * factor.abs();
            // A factor that no one can see beside its offset is none.
            let seen = unit * x.reach() as f64 > target.step / 64.0 && Self::bias_fits(bias, unit);
            signs.push(if seen { factor.signum() as i64 } else { 0 });
            let unit = if seen { unit } else { target.step / 256.0 };
            records.push(self.record(unit, bias, target.step, x.reach() * 128)?);
        }
        let plain = signs.iter().all(|sign| *sign == 1);
        let records = self.records(&records, &scale.shape, &shape);
        let mut job = self.job(if plain { Fold::Sum } else { Fold::Dot }, x.read(), records, target.form);
        if !plain {
            let view = View::dense(&scale.shape).expand(&shape);
            job.b = Some(self.integers(DType::I8, signs, view));
        }
        target.end(&mut job);
        self.emit("", Some(stage.output), job)
    }

    /// A map by a tensor of factors and one of offsets: two operators.
    fn scaled_and_added(
        &mut self,
        stage: &Stage,
        x: &Stored,
        scale: &Field,
        offset: &Field,
        target: &Target,
    ) -> Result<Stored, CompileError> {
        let shape = x.shape();
        let factors = self.quantised(scale, &shape, Form::whole(DType::I16, super::one()))?;
        let most = scale.values.iter().fold(0f64, |most, v| most.max(v.abs()));
        let scale = self.scale_reaching(x.step() * x.reach() as f64 * most, f64::from(1u32 << 26))?;
        let form = Form { dtype: DType::I32, scale, lo: -(1 << 26), hi: 1 << 26 };
        let unit = x.step() * factors.step();
        let record = self.record(unit, 0.0, form.scale.real(), x.reach() << 15)?;
        let records = self.records(&[record], &[], &shape);
        let mut job = self.job(Fold::Dot, x.read(), records, form);
        job.b = Some(factors.read());
        let scaled = self.emit("scaled", None, job)?;
        let constant = self.quantised(offset, &shape, target.form)?;
        self.added("", Some(stage.output), (&scaled, 1.0), (&constant, 1.0), target)
    }

    /// Constants as a tensor: in 16 bits, or in the 32 of a form that has as many.
    pub(super) fn quantised(
        &mut self,
        field: &Field,
        shape: &[usize],
        like: Form,
    ) -> Result<Stored, CompileError> {
        let most = field.values.iter().fold(0f64, |most, v| most.max(v.abs()));
        let form = if like.dtype == DType::I32 && like.scale.real() * 1e9 > most {
            Form::whole(DType::I32, like.scale)
        } else {
            Form::whole(DType::I16, self.scale_reaching(most, DType::I16.max() as f64)?)
        };
        let view = View::dense(&field.shape).expand(shape);
        let steps: Vec<i64> = field.values.iter().map(|v| form.quantise(*v)).collect();
        let Read { source, view, .. } = self.integers(form.dtype, steps, view);
        let form = Form { lo: form.dtype.min(), ..form };
        Ok(Stored { source, form, view })
    }

    /// `keep ? x : other` for constants.
    pub(super) fn mask(
        &mut self,
        stage: &Stage,
        keep: &Tensor,
        other: &Tensor,
    ) -> Result<Stored, CompileError> {
        let x = self.value(stage.inputs[0])?;
        let target = self.target(stage)?;
        let keep = Field::of(keep).zip(&Field::scalar(0.0), |k, _| f64::from(k != 0.0));
        let limit = target.form.scale.real() * target.form.reach() as f64;
        let other = Field::of(other);
        let bound = |v: f64| if v.is_nan() { 0.0 } else { v.clamp(-limit, limit) };
        let other = other.zip(&keep, |o, k| if k != 0.0 { 0.0 } else { bound(o) });
        let shape = self.shape(stage.output).to_vec();
        let x = Stored { view: x.view.expand(&shape), ..x };
        if target.form.dtype == DType::I32 {
            let lowest = other.values.iter().all(|o| *o == 0.0 || *o <= -limit);
            if lowest && target.form.lo == Form::scores().lo {
                // Far below everything, where it is clamped to. So great a factor leaves the other none but 1.
                let x = match x.form.scale == target.form.scale {
                    true => x,
                    false => self.converted("scores", &x, Form::scores())?,
                };
                let view = View::dense(&other.shape).expand(&shape);
                let steps = other.values.iter().map(|o| -4 * i64::from(*o < 0.0)).collect::<Vec<_>>();
                let Read { source, view, .. } = self.integers(DType::I8, steps, view);
                let form = Form { lo: -128, hi: 127, dtype: DType::I8, scale: Scale::power_of_two(20) };
                let far = Stored { source, form, view };
                return self.added("", Some(stage.output), (&x, 1.0), (&far, 1.0), &target);
            }
        }
        if other.values.len() <= MOST_RECORDS {
            let keep = keep.zip(&other, |k, _| k);
            let other = other.zip(&keep, |o, _| o);
            return self.per_element(stage, &x, &keep, &other, &target);
        }
        self.scaled_and_added(stage, &x, &keep, &other, &target)
    }
}
