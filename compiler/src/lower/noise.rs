//! A sampler's noise: three look-ups in tables of a fixed permutation.

use narrows_program::{DType, Fold, record};

use super::forms::Form;
use super::{End, Lowering, Stored};
use crate::error::CompileError;
use crate::fuse::Stage;
use crate::unroll::sampler::{STATES, noise_table, permutation, turn};

/// The greatest half of a seed, and the greatest state.
const TOP: i64 = STATES as i64 - 1;

impl Lowering<'_> {
    /// state = P[P[seed_0 + position] + seed_1], noise of score v = N[state + v's turn], all modulo 2^16: tables stand twice, so
    /// that a sum of two states needs no remainder. States are stored less 2^15, as 16 bits hold them.
    pub(super) fn noise(&mut self, stage: &Stage, step: usize) -> Result<Stored, CompileError> {
        let seed = self.value(stage.inputs[0])?;
        let mix = permutation(1);
        let shift = 1i64 << 15;
        let states = Form { lo: -shift, hi: shift - 1, ..Form::whole(DType::I16, super::one()) };
        let twice = 2 * STATES as i64 - 1;
        let (_, table) =
            self.table(states, 0..=twice, |at| f64::from(mix[at as usize % STATES]) - shift as f64);
        let half = |which: usize| {
            let view = seed.view.slice(&[0, which], &[1, 1], &[1, 1]).expect("one element is a view");
            Stored { view, ..seed.clone() }
        };

        // The seed's halves are within 16 bits from here on.
        let bounded = Form { lo: 0, hi: TOP, ..Form::integer() };
        let low = self.bounded(&half(0), bounded)?;
        let high = self.bounded(&half(1), bounded)?;
        let shape = low.shape();
        let turned = record::encode(i64::from(turn(step, 0).0), 2, 1);
        let records = self.records(&[turned], &[], &shape);
        let mut job = self.job(Fold::Sum, low.read(), records, states);
        (job.end, job.lo, job.hi) = (End::Table(table), 0, twice);
        let first = self.emit("noise: seed", None, job)?;

        let records = self.records(&[record::encode(shift, 2, 1)], &[], &shape);
        let mut job = self.job(Fold::Pair, first.read(), records, states);
        job.b = Some(high.read());
        job.scales = (1, 1);
        (job.end, job.lo, job.hi) = (End::Table(table), 0, twice);
        let state = self.emit("noise: state", None, job)?;

        let out = self.shape(stage.output).to_vec();
        let tokens: usize = out.iter().product();
        let noise = noise_table();
        let form = self.forms.of(stage.output);
        let (form, table) =
            self.table(form, 0..=twice, |at| f64::from(noise[at as usize % STATES]) * form.scale.real());
        let turns: Vec<[u8; 16]> =
            (0..tokens).map(|token| record::encode(shift + i64::from(turn(0, token).1), 2, 1)).collect();
        let records = self.records(&turns, &out, &out);
        let one = state.view.reshape(&vec![1; out.len()]).expect("one element has any shape of ones");
        let state = Stored { view: one.expand(&out), ..state };
        let mut job = self.job(Fold::Sum, state.read(), records, form);
        (job.end, job.lo, job.hi) = (End::Table(table), 0, twice);
        self.emit("", Some(stage.output), job)
    }

    fn bounded(&mut self, x: &Stored, form: Form) -> Result<Stored, CompileError> {
        let records = self.identity(&x.shape());
        let job = self.job(Fold::Sum, x.read(), records, form);
        self.emit("noise: half a seed", None, job)
    }
}
