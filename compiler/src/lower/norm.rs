//! Layer normalisation and RMS norm: `c = x - mean`, `R = isqrt(sum of c^2 + eps)`, `y = c * gamma / R + beta`.
//!
//! Everything before the division keeps the input's scale, so a row of small values keeps its precision.

use narrows_program::{DType, Fold};

use super::forms::Form;
use super::map::Target;
use super::{End, Lowering, Stored};
use crate::error::CompileError;
use crate::fuse::{Field, Stage};
use crate::graph::Norm;

/// Most bits of a centred value.
const CENTRED_BITS: u32 = 27;
/// Bits of the mean's fraction, in input steps, where there is room.
const MEAN_BITS: u32 = 8;
/// Bits that the greatest factor takes, at most.
const FACTOR_BITS: i32 = 15;

impl Lowering<'_> {
    pub(super) fn norm(&mut self, stage: &Stage, norm: &Norm) -> Result<Stored, CompileError> {
        let x = self.value(stage.inputs[0])?;
        let shape = x.shape();
        let terms: usize = norm.axes.iter().map(|axis| shape[*axis]).product();
        // Squares of so many bits, `terms` of them, and epsilon: below 2^61.
        let bits = ((60 - usize::BITS.saturating_sub((terms - 1).leading_zeros())) / 2).min(CENTRED_BITS);
        let centred =
            if norm.centred { self.centred(&x, &norm.axes, terms, bits)? } else { self.fitted(&x, bits)? };
        let step = centred.step();
        let epsilon = f64::from(norm.epsilon) * terms as f64 / (step * step);
        if epsilon > (1u64 << 60) as f64 {
            return Err(
                self.fail("its epsilon is far above the values that it normalises; check the samples")
            );
        }
        let epsilon = epsilon.round() as i64;
        let square = terms as u128 * centred.reach() * centred.reach() + epsilon as u128;
        // The root as it is, or halved so often that it fits 32 bits.
        let halvings = (0..8).find(|bits| square.isqrt() >> *bits <= DType::I32.max() as u128);
        let halvings = halvings.ok_or_else(|| self.fail("its rows are too long; split them"))?;
        let least = ((epsilon as u64).isqrt() >> halvings).max(1) as i64;
        let hi = (square.isqrt() >> halvings).min(DType::I32.max() as u128) as i64 + i64::from(halvings > 0);
        let form = Form { dtype: DType::I32, scale: super::one(), lo: least, hi: hi.min(DType::I32.max()) };
        let root = self.root(&centred, &norm.axes, form, Self::shifting(epsilon, halvings))?;
        self.normalised(stage, norm, &centred, &root, (terms, halvings))
    }

    /// The input less its mean, as fine as the input and in at most so many bits.
    fn centred(
        &mut self,
        x: &Stored,
        axes: &[usize],
        terms: usize,
        bits: u32,
    ) -> Result<Stored, CompileError> {
        let room = 31u32.saturating_sub(128 - x.reach().leading_zeros());
        let fine = MEAN_BITS.min(room) as i32;
        let mean_scale = x.step() / 2f64.powi(fine);
        let record = self.record(1.0 / terms as f64, 0.0, 2f64.powi(-fine), x.reach() * terms as u128)?;
        let reach = (x.reach() << fine).min(DType::I32.max() as u128) as i64;
        let scale = self.scale_reaching(mean_scale, 1.0)?;
        let form = Form { dtype: DType::I32, scale, lo: -reach, hi: reach };
        let mean = self.folded("mean", None, Fold::Sum, x, None, axes, form, Some(record))?;
        let mean = Stored { view: mean.view.expand(&x.shape()), ..mean };
        // One step of the centred value is a power of two of the input's, finer where that has few bits.
        let own = 128 - x.reach().leading_zeros();
        // A wide input leaves room above what it was calibrated to, so its differences hardly need more than it.
        let above = if x.form.dtype == DType::I32 { -1 } else { 1 };
        let finer = (bits as i32 - above - own as i32).min(fine);
        let limit = (1i64 << bits) - 1;
        let scale = self.scale_reaching(x.step() * 2f64.powi(-finer), 1.0)?;
        self.added(
            "centred",
            None,
            (x, 1.0),
            (&mean, -1.0),
            &Target::plain(Form { dtype: DType::I32, scale, lo: -limit, hi: limit }),
        )
    }

    /// The input itself, in at most so many bits.
    fn fitted(&mut self, x: &Stored, bits: u32) -> Result<Stored, CompileError> {
        let own = 128 - x.reach().leading_zeros();
        let above = own.saturating_sub(bits + 1);
        if above == 0 {
            return Ok(x.clone());
        }
        let limit = (1i64 << bits) - 1;
        let scale = self.scale_reaching(x.step() * f64::from(1u32 << above), 1.0)?;
        self.converted("fitted", x, Form { dtype: DType::I32, scale, lo: -limit, hi: limit })
    }

    fn root(
        &mut self,
        c: &Stored,
        axes: &[usize],
        form: Form,
        record: [u8; 16],
    ) -> Result<Stored, CompileError> {
        let target = Target::ending(form, End::Root);
        self.folded_to("root", None, Fold::Dot, c, Some(c), axes, &target, Some(record))
    }

    /// `c * gamma / R + beta`. The scale of gamma is chosen so that what remains is a shift.
    fn normalised(
        &mut self,
        stage: &Stage,
        norm: &Norm,
        c: &Stored,
        root: &Stored,
        (terms, halvings): (usize, i32),
    ) -> Result<Stored, CompileError> {
        let shape = c.shape();
        let target = self.target(stage)?;
        let whole = |tensor: &Option<crate::graph::Tensor>, or: f64| {
            tensor.as_ref().map_or_else(|| Field::scalar(or), Field::of)
        };
        let (gamma, beta) = (whole(&norm.scale, 1.0), whole(&norm.offset, 0.0));
        let most = gamma.values.iter().fold(0f64, |most, v| most.max(v.abs())).max(1e-9);
        let least = root.form.lo.unsigned_abs() as u128;
        let lifted = |lift: u8| ((c.reach() << 15) << lift) + root.reach() / 2;
        let fits = |lift: &u8| lifted(*lift) < 1 << 61 && lifted(*lift) / least < 1 << 58;
        let lift =
            (0..=24u8).rev().find(fits).ok_or_else(|| self.fail("its rows are too long; split them"))?;
        // y / step = c g 2^lift / R * unit, and unit is to be 2^-shift.
        let unit = |shift: i32| {
            target.step * 2f64.powi(i32::from(lift) - shift) / (terms as f64).sqrt() * 2f64.powi(halvings)
        };
        let finest = |shift: &i32| (most / unit(*shift)).round() < f64::from(1u32 << FACTOR_BITS);
        let shift = (-20..=40).rev().find(finest).ok_or_else(|| self.fail("its factors are out of scale"))?;
        let quotient = (lifted(lift) / least + 1) as f64;
        let steps: Vec<i64> = gamma.values.iter().map(|g| (g / unit(shift)).round() as i64).collect();
        let mut records = Vec::with_capacity(beta.values.len());
        for beta in &beta.values {
            let bias = beta / target.step * 2f64.powi(shift);
            let multiplier = if shift >= 1 { 1.0 } else { 2f64.powi(1 - shift) };
            if (quotient + bias.abs()) * multiplier > (1u64 << 61) as f64 {
                return Err(self.fail("its offsets are far above its calibrated outputs; check the samples"));
            }
            records.push(Self::shifting(bias.round() as i64, shift));
        }
        let records = self.records(&records, &beta.shape, &shape);
        let view = crate::view::View::dense(&gamma.shape).expand(&shape);
        let factors = self.integers(DType::I16, steps, view);
        let mut job = self.job(Fold::Dot, c.read(), records, target.form);
        job.b = Some(factors);
        target.end(&mut job);
        job.end = End::Divide { by: root.with(root.view.expand(&shape)), lift };
        self.emit("", Some(stage.output), job)
    }
}
