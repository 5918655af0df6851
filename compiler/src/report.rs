//! How close a program is to its float model, operator by operator and on a test set.

use narrows_program::{DType, LayerIndex, OperatorIndex, Program, Source};
use serde::{Deserialize, Serialize};

use crate::calibrate::run_batches;
use crate::compile::{Compiled, check_samples};
use crate::error::CompileError;
use crate::float::FloatModel;
use crate::judge::{Judge, TestReport};
use crate::layers::LayersOption;
use crate::lower::Output;
use crate::profile::Profile;
use crate::progress::{Progress, Step};
use crate::public::{decode_output, encode_input, logical, real_values};
use crate::samples::Samples;

/// Most calibration samples that operators are compared on.
const COMPARED_SAMPLES: usize = 256;

/// Something that runs programs. This crate depends on none: the caller brings one.
pub trait Engine {
    /// Runs a program on canonical input bytes and gives every operator's canonical output bytes, in order.
    ///
    /// # Errors
    /// What went wrong, for a person.
    fn run(&self, program: &Program, input: &[u8]) -> Result<Vec<Vec<u8>>, String>;
}

/// How close a program is to its source. Floats in it were measured and are not reproducible to
/// the last bit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The source's name for the model.
    pub model: String,
    /// Integer types.
    pub profile: Profile,
    /// The program's root.
    pub program_root: String,
    /// Number of calibration samples that the operators were compared on.
    pub compared_samples: usize,
    /// Terms folded by one inference.
    pub terms: u64,
    /// Bytes of weights and records.
    pub constant_bytes: u64,
    /// How the operators were cut into layers.
    pub layering: LayersOption,
    /// Number of layers.
    pub layers: usize,
    /// Bytes that layers export: what an honest executor hashes for one inference.
    pub exported_bytes: u64,
    /// Each operator of the program, in order.
    pub operators: Vec<OperatorReport>,
    /// The outputs on those samples.
    pub output: Closeness,
    /// The operators that are furthest from their floats, the worst first, and what would help.
    pub worst: Vec<Advice>,
    /// A softmax at the end that the program leaves out: the greatest outputs stay the greatest.
    pub dropped_softmax: Option<String>,
    /// Source nodes with no operator: they move no data or were dropped.
    pub vanished: Vec<Vanished>,
    /// The comparison on the test set, when one was given.
    pub test: Option<TestReport>,
}

/// One operator of the program.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OperatorReport {
    /// Its layer.
    pub layer: LayerIndex,
    /// Whether its layer exports it.
    pub exported: bool,
    /// What it does for them; empty where it does all, or the last part.
    pub role: String,
    /// The source nodes it computes, by their own names; empty for a copy into another order.
    pub nodes: Vec<String>,
    /// Those nodes' operators.
    pub operators: Vec<String>,
    /// Output shape, in the source's order.
    pub shape: Vec<u32>,
    /// Output type.
    pub dtype: DType,
    /// The real value of one step of the output.
    pub scale: f32,
    /// The least value of the float output over the calibration set.
    pub least: f32,
    /// The greatest value of the float output over the calibration set.
    pub greatest: f32,
    /// Terms in an element's fold.
    pub terms: u64,
    /// Terms in a segment.
    pub split: u32,
    /// Power of the float output over that of the difference, in decibels; none when there is no
    /// difference, no signal, or no float output to compare with.
    pub signal_to_noise_db: Option<f64>,
}

/// How close outputs are to the float model's.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Closeness {
    /// Mean over samples of the cosine between the two outputs.
    pub mean_cosine: f64,
    /// The least of them.
    pub least_cosine: f64,
    /// The greatest difference of any element.
    pub greatest_error: f64,
}

/// An operator far from its float, and what would bring it closer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Advice {
    /// Which operator.
    pub operator: OperatorIndex,
    /// Its source nodes.
    pub nodes: Vec<String>,
    /// Its signal-to-noise ratio in decibels.
    pub signal_to_noise_db: f64,
    /// What to do.
    pub remedy: String,
}

/// A source node with no operator of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vanished {
    /// The node's name in the source.
    pub node: String,
    /// Its operator.
    pub operator: String,
}

/// Power of an operator's float output and of its difference from the integer one.
#[derive(Debug, Clone, Copy, Default)]
struct Power {
    signal: f64,
    noise: f64,
}

impl Power {
    fn add(&mut self, float: &[f32], integer: &[f32]) {
        // Infinities are masks, which integers hold as far as they go.
        for (&float, &integer) in float.iter().zip(integer).filter(|(float, _)| float.is_finite()) {
            let (float, integer) = (f64::from(float), f64::from(integer));
            self.signal += float * float;
            self.noise += (float - integer) * (float - integer);
        }
    }

    fn decibels(self) -> Option<f64> {
        (self.signal > 0.0 && self.noise > 0.0).then(|| 10.0 * (self.signal / self.noise).log10())
    }
}

/// Cosines and differences, sample by sample.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Comparison {
    samples: usize,
    sum: f64,
    least: Option<f64>,
    greatest_error: f64,
}

impl Comparison {
    pub fn add(&mut self, float: &[f32], integer: &[f32]) {
        let (mut both, mut own, mut other) = (0.0, 0.0, 0.0);
        for (&float, &integer) in float.iter().zip(integer) {
            let (float, integer) = (f64::from(float), f64::from(integer));
            both += float * integer;
            own += float * float;
            other += integer * integer;
            self.greatest_error = self.greatest_error.max((float - integer).abs());
        }
        // Two vectors of zeros are alike.
        let cosine = if own == 0.0 && other == 0.0 { 1.0 } else { both / (own * other).sqrt().max(1e-30) };
        self.samples += 1;
        self.sum += cosine;
        self.least = Some(self.least.map_or(cosine, |least| least.min(cosine)));
    }

    pub fn closeness(self) -> Closeness {
        // As many places as mean anything, which every reader of the report reads alike.
        let short = |value: f64| (value * 1e6).round() / 1e6;
        Closeness {
            mean_cosine: short(self.sum / self.samples.max(1) as f64),
            least_cosine: short(self.least.unwrap_or(1.0)),
            greatest_error: short(self.greatest_error),
        }
    }
}

/// Below this ratio an operator is worth a word.
const CLOSE_DB: f64 = 30.0;
/// Most operators that a report advises on.
const MOST_ADVICE: usize = 5;

impl Compiled<'_> {
    /// Compares the program, run by an engine, with the float model: every operator on the
    /// calibration samples, and the outputs on a test set if one is given.
    ///
    /// # Errors
    /// [`CompileError::Samples`] for unusable samples, [`CompileError::Engine`] when the engine
    /// fails or gives other tensors than the program has.
    pub fn report(
        &self,
        calibration: &Samples,
        test: Option<&Samples>,
        engine: &dyn Engine,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Report, CompileError> {
        check_samples("calibration", self.graph, &calibration.inputs)?;
        let model = FloatModel::new(self.graph, self.device.clone());
        let compared = &calibration.inputs[..calibration.inputs.len().min(COMPARED_SAMPLES)];
        let (powers, output) = self.compare(&model, compared, engine, progress)?;
        let test = match test {
            None => None,
            Some(test) => Some(self.test(&model, test, engine, progress)?),
        };
        let program = self.program();
        let operators = self.outputs.iter().zip(powers).enumerate();
        let operators: Vec<OperatorReport> =
            operators.map(|(index, (output, power))| self.operator(index, output, power)).collect();
        Ok(Report {
            model: self.graph.name.clone(),
            profile: self.profile,
            program_root: program.root().to_string(),
            compared_samples: compared.len(),
            terms: program.header().work,
            constant_bytes: program.constants().iter().map(|c| c.bytes.len() as u64).sum(),
            layering: self.layers,
            layers: program.layers().len(),
            exported_bytes: program.exported_bytes(),
            output,
            worst: self.worst(&operators),
            dropped_softmax: self.plan.softmax.map(|node| self.graph.nodes[node].name.clone()),
            operators,
            vanished: self.plan.vanished.iter().flat_map(|&node| self.vanished(node)).collect(),
            test,
        })
    }

    fn operator(&self, index: usize, output: &Output, power: Power) -> OperatorReport {
        let at = OperatorIndex(index as u32);
        let operator = self.program().operator(at);
        let (layer, position) = self.program().layer_of(at);
        let meta = &self.program().meta().operators[index];
        // Of a part of a stage the stage's own range is told.
        let range = self.ranges[output.value.unwrap_or(self.plan.stages[output.stage].output).0];
        OperatorReport {
            layer,
            exported: self.program().layer(layer).is_exported(position),
            role: output.role.into(),
            nodes: meta.nodes.clone(),
            operators: meta.operators.clone(),
            shape: meta.shape.clone(),
            dtype: operator.dtype,
            scale: f32::from_bits(meta.scale_bits),
            least: range.least,
            greatest: range.greatest,
            terms: operator.terms(),
            split: operator.split,
            signal_to_noise_db: power.decibels(),
        }
    }

    fn worst(&self, operators: &[OperatorReport]) -> Vec<Advice> {
        let noisy = operators.iter().enumerate().filter_map(|(index, operator)| {
            let db = operator.signal_to_noise_db.filter(|db| *db < CLOSE_DB)?;
            Some((OperatorIndex(index as u32), operator, db))
        });
        let mut noisy: Vec<_> = noisy.collect();
        noisy.sort_by(|a, b| a.2.total_cmp(&b.2));
        noisy.truncate(MOST_ADVICE);
        let advice = noisy.into_iter().map(|(index, operator, db)| {
            let remedy = match (self.profile, operator.dtype) {
                (Profile::Fast, DType::I8) => "override its type to i16, or take the profile standard",
                (Profile::Fast | Profile::Standard, _) => {
                    "take the profile exact, or calibrate with more samples"
                }
                (Profile::Exact, _) => "calibrate with more samples, or override its range",
            };
            let nodes = operator.nodes.clone();
            Advice { operator: index, nodes, signal_to_noise_db: db, remedy: remedy.into() }
        });
        advice.collect()
    }

    fn vanished(&self, node: usize) -> impl Iterator<Item = Vanished> + '_ {
        let sources = self.graph.nodes[node].sources.iter();
        sources.map(|origin| Vanished { node: origin.name.clone(), operator: origin.operator.clone() })
    }

    fn compare(
        &self,
        model: &FloatModel<'_>,
        samples: &[Vec<f32>],
        engine: &dyn Engine,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(Vec<Power>, Closeness), CompileError> {
        let mut powers = vec![Power::default(); self.outputs.len()];
        let mut comparison = Comparison::default();
        let total = samples.len();
        run_batches(self.graph, model, samples, |first, values| {
            for at in 0..values.samples() {
                let outputs = self.run(engine, &samples[first + at])?;
                for (index, output) in self.outputs.iter().enumerate() {
                    let Some(value) = output.value else { continue };
                    let tensor = self.program().tensor(Source::Operator(OperatorIndex(index as u32)));
                    let integer = real_values(&outputs[index], tensor, output.stored.form.scale);
                    powers[index].add(values.sample(value, at), &logical(&output.stored.view, &integer));
                }
                let last = outputs.last().map_or(&[][..], Vec::as_slice);
                let integer = decode_output(self.program(), last)?;
                comparison.add(values.sample(self.plan.compared, at), &integer);
                progress(Progress { step: Step::Comparing, done: first + at + 1, total });
            }
            Ok(())
        })?;
        Ok((powers, comparison.closeness()))
    }

    fn test(
        &self,
        model: &FloatModel<'_>,
        test: &Samples,
        engine: &dyn Engine,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<TestReport, CompileError> {
        check_samples("test", self.graph, &test.inputs)?;
        let mut judge = Judge::new(self.graph, test)?;
        run_batches(self.graph, model, &test.inputs, |first, values| {
            for at in 0..values.samples() {
                let float = values.sample(self.plan.compared, at);
                let outputs = self.run(engine, &test.inputs[first + at])?;
                let output = outputs.last().map_or(&[][..], Vec::as_slice);
                judge.add(float, &decode_output(self.program(), output)?);
                progress(Progress { step: Step::Testing, done: first + at + 1, total: test.inputs.len() });
            }
            Ok(())
        })?;
        Ok(judge.report())
    }

    /// Runs the engine and checks that it gives the tensors that the program has.
    fn run(&self, engine: &dyn Engine, sample: &[f32]) -> Result<Vec<Vec<u8>>, CompileError> {
        let program = self.program();
        let input = encode_input(program, sample)?;
        let fail = |detail| CompileError::Engine { detail };
        let outputs = engine.run(program, &input).map_err(fail)?;
        let sizes = program.operators().iter().map(|operator| operator.output_bytes());
        if !outputs.iter().map(|output| output.len() as u64).eq(sizes) {
            return Err(fail("its outputs are not of the program's sizes".into()));
        }
        Ok(outputs)
    }
}
