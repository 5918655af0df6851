//! Two activations, element by element.

use narrows_program::{DType, Fold};

use super::forms::Form;
use super::map::Target;
use super::{End, Lowering, Stored};
use crate::error::CompileError;
use crate::fuse::Stage;
use crate::graph::{Kind, ValueId};
use crate::view::View;

/// Greatest factor of a pair.
const FACTOR_LIMIT: f64 = (1u32 << 30) as f64;
/// Greatest accumulator of a pair.
const PAIR_LIMIT: f64 = (1u64 << 60) as f64;

/// Greatest factor in a product of integers.
const INTEGER_FACTOR: i64 = 1 << 28;

impl Lowering<'_> {
    /// `a * ka + b * kb` with real factors, both read as the output's shape.
    pub(super) fn added(
        &mut self,
        role: &'static str,
        value: Option<ValueId>,
        (a, ka): (&Stored, f64),
        (b, kb): (&Stored, f64),
        target: &Target,
    ) -> Result<Stored, CompileError> {
        let factors = (ka * a.step() / target.step, kb * b.step() / target.step);
        let (scales, bits) = self.factors(factors, (a.reach(), b.reach()))?;
        let shape = a.shape();
        let records = self.records(&[Self::shifting(0, bits)], &[], &shape);
        let mut job = self.job(Fold::Pair, a.read(), records, target.form);
        job.b = Some(b.read());
        job.scales = scales;
        target.end(&mut job);
        self.emit(role, value, job)
    }

    /// Two real factors as integers, and the bits by which they are too great: the record is a shift alone, so that all
    /// precision is in the factors.
    pub(super) fn factors(
        &self,
        (fa, fb): (f64, f64),
        (a, b): (u128, u128),
    ) -> Result<((i32, i32), i32), CompileError> {
        let lifted = |factor: f64, bits: i32| (factor * 2f64.powi(bits)).round();
        let fits = |bits: &i32| {
            let (fa, fb) = (lifted(fa, *bits).abs(), lifted(fb, *bits).abs());
            fa.max(fb) <= FACTOR_LIMIT && fa * a as f64 + fb * b as f64 <= PAIR_LIMIT
        };
        let bits = (0..=40).rev().find(fits).ok_or_else(|| {
            self.fail(
                "its inputs are so large beside its calibrated outputs that no factor fits; \
                 calibrate with samples like those it will run on",
            )
        })?;
        Ok(((lifted(fa, bits) as i32, lifted(fb, bits) as i32), bits))
    }

    /// Both inputs of a stage, broadcast to its output.
    fn operands(&mut self, stage: &Stage, narrow: bool) -> Result<(Stored, Stored), CompileError> {
        let shape = self.shape(stage.output).to_vec();
        let mut broadcast = |id: ValueId| {
            let stored = if narrow { self.factor(id)? } else { self.value(id)? };
            let view = stored.view.expand(&shape);
            Ok::<_, CompileError>(Stored { view, ..stored })
        };
        Ok((broadcast(stage.inputs[0])?, broadcast(stage.inputs[1])?))
    }

    pub(super) fn sum(&mut self, stage: &Stage, sign: f64) -> Result<Stored, CompileError> {
        let (a, b) = self.operands(stage, false)?;
        let target = self.target(stage)?;
        // The operand that names every element once says in which order the sum is stored.
        if sign > 0.0 && repeats(&a.view) && !repeats(&b.view) {
            return self.added("", Some(stage.output), (&b, 1.0), (&a, 1.0), &target);
        }
        self.added("", Some(stage.output), (&a, 1.0), (&b, sign), &target)
    }

    pub(super) fn multiply(&mut self, stage: &Stage) -> Result<Stored, CompileError> {
        let (a, b) = self.operands(stage, true)?;
        // Beyond, products of integers are beyond their type as well.
        let mut clamped = |x: Stored| {
            let form = Form { lo: -INTEGER_FACTOR, hi: INTEGER_FACTOR, ..x.form };
            let apart = a.reach() * b.reach() >= 1 << 58 && x.reach() > INTEGER_FACTOR as u128;
            if apart { self.converted("clamped", &x, form) } else { Ok(x) }
        };
        let (a, b) = (clamped(a.clone())?, clamped(b.clone())?);
        let (a, b) = if repeats(&a.view) && !repeats(&b.view) { (b, a) } else { (a, b) };
        let target = self.target(stage)?;
        self.product(stage, &a, &b, &target)
    }

    /// The product of two tensors read alike, with the stage's uniform factor and offset.
    fn product(
        &mut self,
        stage: &Stage,
        a: &Stored,
        b: &Stored,
        target: &Target,
    ) -> Result<Stored, CompileError> {
        let (factor, offset) = uniform(stage);
        let unit = a.step() * b.step() * factor;
        let record = self.record(unit, offset, target.step, a.reach() * b.reach())?;
        let shape = a.shape();
        let records = self.records(&[record], &[], &shape);
        let mut job = self.job(Fold::Dot, a.read(), records, target.form);
        job.b = Some(b.read());
        target.end(&mut job);
        self.emit("", Some(stage.output), job)
    }

    /// By a divisor that is positive over the calibration set: divided exactly, the divisor held above half its least
    /// value. By any other: multiplied with its reciprocal from a table.
    pub(super) fn divide(&mut self, stage: &Stage) -> Result<Stored, CompileError> {
        let range = self.ranges[stage.inputs[1].0];
        if range.least <= 0.0 {
            return self.by_reciprocal(stage);
        }
        let shape = self.shape(stage.output).to_vec();
        let a = self.factor(stage.inputs[0])?;
        let a = Stored { view: a.view.expand(&shape), ..a };
        let target = self.target(stage)?;
        let whole = self.value(stage.inputs[1])?;
        let scale = self.scale_reaching(range.magnitude() * 2.0, f64::from(1u32 << 26))?;
        let least = (f64::from(range.least) / 2.0 / scale.real()).floor().max(1.0) as i64;
        let form = Form { dtype: DType::I32, scale, lo: least, hi: 1 << 26 };
        let divisor = self.converted("divisor", &whole, form)?;
        let view = divisor.view.expand(&shape);
        // A quotient step of the calibrated greatest quotient's 2^-24 at most, as far as the bound allows.
        let unit = |lift: u8| a.step() / form.scale.real() / f64::from(1u32 << lift);
        let room = |lift: &u8| {
            let lifted = (a.reach() << *lift) + (1 << 26);
            let quotient = lifted / least as u128 + 1;
            lifted < 1 << 61 && quotient < 1 << 44
        };
        let lift = (0..=30).rev().find(room).unwrap_or(0);
        let quotient = ((a.reach() << lift) + (1 << 26)) / least as u128 + 1;
        let record = self.record(unit(lift), 0.0, target.step, quotient)?;
        let records = self.records(&[record], &[], &shape);
        let mut job = self.job(Fold::Sum, a.read(), records, target.form);
        target.end(&mut job);
        job.end = End::Divide { by: divisor.with(view), lift };
        self.emit("", Some(stage.output), job)
    }

    fn by_reciprocal(&mut self, stage: &Stage) -> Result<Stored, CompileError> {
        let (a, b) = self.operands(stage, true)?;
        let target = self.target(stage)?;
        let narrow = self.factor(stage.inputs[1])?;
        let (lo, hi) = (narrow.form.lo.max(-(1 << 15)), narrow.form.hi.min((1 << 15) - 1));
        let step = narrow.step();
        // Of divisors below a few steps nothing is known but that the quotient is great.
        let scale = self.scale_reaching(1.0 / (4.0 * step), f64::from(1u32 << 26))?;
        let form = Form { dtype: DType::I32, scale, lo: -(1 << 26), hi: 1 << 26 };
        let (form, table) =
            self.table(form, lo..=hi, |at| 1.0 / (if at == 0 { 1.0 } else { at as f64 } * step));
        let shape = narrow.shape();
        let records = self.identity(&shape);
        let mut job = self.job(Fold::Sum, narrow.read(), records, form);
        (job.end, job.lo, job.hi) = (End::Table(table), lo, hi);
        let reciprocal = self.emit("reciprocal", None, job)?;
        let view = reciprocal.view.expand(&b.shape());
        self.product(stage, &a, &Stored { view, ..reciprocal }, &target)
    }

    /// The greater of two (sign 1), `b + max(a - b, 0)`, or the less (sign -1), `b - max(b - a, 0)`.
    pub(super) fn extreme(&mut self, stage: &Stage, sign: f64) -> Result<Stored, CompileError> {
        let (a, b) = self.operands(stage, false)?;
        let target = self.target(stage)?;
        let greatest = self.greatest(&stage.inputs);
        let difference = self.difference((&a, sign), (&b, -sign), greatest, true)?;
        self.added("", Some(stage.output), (&difference, sign), (&b, 1.0), &target)
    }

    /// What the calibrated magnitudes of activations sum up to.
    fn greatest(&self, ids: &[ValueId]) -> f64 {
        ids.iter().map(|id| self.ranges[id.0].magnitude()).sum()
    }

    /// A weighted difference of two tensors in 32 bits, negative ones as 0 where asked.
    fn difference(
        &mut self,
        (a, ka): (&Stored, f64),
        (b, kb): (&Stored, f64),
        greatest: f64,
        positive: bool,
    ) -> Result<Stored, CompileError> {
        let integers = a.form.scale == super::one() && b.form.scale == super::one();
        let most = (a.step() * a.reach() as f64 + b.step() * b.reach() as f64).min(4.0 * greatest);
        let whole = Form::whole(DType::I32, super::one());
        let mut form = if integers {
            whole
        } else {
            let scale = self.scale_reaching(most, f64::from(1u32 << 30))?;
            Form { dtype: DType::I32, scale, lo: -(1 << 30), hi: 1 << 30 }
        };
        if positive {
            form.lo = 0;
        }
        let target = Target::plain(form);
        self.added("difference", None, (a, ka), (b, kb), &target)
    }

    /// 1 where equal: the difference, clamped to one step, looked up.
    pub(super) fn equal(&mut self, stage: &Stage) -> Result<Stored, CompileError> {
        let (a, b) = self.operands(stage, false)?;
        let integer = |id: ValueId| self.graph.value(id).kind == Kind::Integer;
        if !stage.inputs.iter().all(|id| integer(*id)) {
            return Err(self.fail("equality is compiled for integers; cast its inputs"));
        }
        let shape = a.shape();
        let (form, table) = self.table(Form::integer(), -1..=1, |index| f64::from(u8::from(index == 0)));
        let records = self.identity(&shape);
        let mut job = self.job(Fold::Pair, a.read(), records, form);
        job.b = Some(b.read());
        job.scales = (1, -1);
        (job.end, job.lo, job.hi) = (End::Table(table), -1, 1);
        self.emit("", Some(stage.output), job)
    }

    /// `condition ? a : b` as `b + condition * (a - b)`.
    pub(super) fn select(&mut self, stage: &Stage) -> Result<Stored, CompileError> {
        let shape = self.shape(stage.output).to_vec();
        let mut broadcast = |id: ValueId| {
            let stored = self.value(id)?;
            let view = stored.view.expand(&shape);
            Ok::<_, CompileError>(Stored { view, ..stored })
        };
        let (condition, a) = (broadcast(stage.inputs[0])?, broadcast(stage.inputs[1])?);
        let b = broadcast(stage.inputs[2])?;
        // Any number that is not 0 counts as 1.
        let (form, table) = self.table(Form::integer(), -1..=1, |index| f64::from(u8::from(index != 0)));
        let records = self.identity(&shape);
        let mut job = self.job(Fold::Sum, condition.read(), records, form);
        (job.end, job.lo, job.hi) = (End::Table(table), -1, 1);
        let condition = self.emit("condition", None, job)?;
        let greatest = self.greatest(&stage.inputs[1..]);
        let difference = self.difference((&a, 1.0), (&b, -1.0), greatest, false)?;
        let records = self.identity(&shape);
        let mut job = self.job(Fold::Dot, difference.read(), records, difference.form);
        job.b = Some(condition.read());
        let chosen = self.emit("chosen", None, job)?;
        let target = self.target(stage)?;
        self.added("", Some(stage.output), (&chosen, 1.0), (&b, 1.0), &target)
    }
}

/// The one factor and the one offset of a stage that takes no others.
pub(super) fn uniform(stage: &Stage) -> (f64, f64) {
    let of = |field: &crate::fuse::Field| field.uniform().expect("the stage took one number");
    (of(&stage.scale), of(&stage.offset))
}

/// Whether a view names an element twice.
fn repeats(view: &View) -> bool {
    view.dims.iter().flatten().any(|factor| factor.size > 1 && factor.step == 0)
}
