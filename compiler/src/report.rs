//! How close a program is to its float model, operator by operator and on a test set.

use narrows_program::{DType, LayerIndex, OperatorIndex, Program, Source};
use serde::{Deserialize, Serialize};

use crate::calibrate::run_batches;
use crate::compile::{Compiled, check_samples};
use crate::error::CompileError;
use crate::float::FloatModel;
use crate::layers::LayersOption;
use crate::lower::Output;
use crate::profile::Profile;
use crate::progress::{Progress, Step};
use crate::public::{decode_output, encode_input, real_values};
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
    /// The source nodes it computes, by their own names; empty for a copy into another order.
    pub nodes: Vec<String>,
    /// Those nodes' operators.
    pub operators: Vec<String>,
    /// Output shape: height, width, channels.
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

/// A source node with no operator of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vanished {
    /// The node's name in the source.
    pub node: String,
    /// Its operator.
    pub operator: String,
}

/// The comparison of the two models' greatest outputs on a test set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestReport {
    /// Number of samples.
    pub samples: usize,
    /// Samples on which both models' greatest output is the same.
    pub agreeing: usize,
    /// Samples that the float model gets right, when there are labels.
    pub float_right: Option<usize>,
    /// Samples that the program gets right, when there are labels.
    pub integer_right: Option<usize>,
}

impl TestReport {
    /// A count as a part of the samples.
    #[must_use]
    pub fn part(&self, count: usize) -> f64 {
        count as f64 / self.samples.max(1) as f64
    }
}

/// Power of an operator's float output and of its difference from the integer one.
#[derive(Debug, Clone, Copy, Default)]
struct Power {
    signal: f64,
    noise: f64,
}

impl Power {
    fn add(&mut self, float: &[f32], integer: &[f32]) {
        for (&float, &integer) in float.iter().zip(integer) {
            let (float, integer) = (f64::from(float), f64::from(integer));
            self.signal += float * float;
            self.noise += (float - integer) * (float - integer);
        }
    }

    fn decibels(self) -> Option<f64> {
        (self.signal > 0.0 && self.noise > 0.0).then(|| 10.0 * (self.signal / self.noise).log10())
    }
}

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
        let powers = self.compare(&model, compared, engine, progress)?;
        let test = match test {
            None => None,
            Some(test) => Some(self.test(&model, test, engine, progress)?),
        };
        let program = self.program();
        let operators = self.outputs.iter().zip(powers).enumerate();
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
            operators: operators
                .map(|(index, (output, power))| self.operator(index, output, power))
                .collect(),
            vanished: self.plan.vanished.iter().map(|&node| self.vanished(node)).collect(),
            test,
        })
    }

    fn operator(&self, index: usize, output: &Output, power: Power) -> OperatorReport {
        let at = OperatorIndex(index as u32);
        let operator = self.program().operator(at);
        let (layer, position) = self.program().layer_of(at);
        let meta = &self.program().meta().operators[index];
        let range = self.ranges[self.plan.stages[output.stage].output.0];
        OperatorReport {
            layer,
            exported: self.program().layer(layer).is_exported(position),
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

    fn vanished(&self, node: usize) -> Vanished {
        let node = &self.graph.nodes[node];
        Vanished { node: node.name.clone(), operator: node.operator.clone() }
    }

    fn compare(
        &self,
        model: &FloatModel<'_>,
        samples: &[Vec<f32>],
        engine: &dyn Engine,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Vec<Power>, CompileError> {
        let mut powers = vec![Power::default(); self.outputs.len()];
        let total = samples.len();
        run_batches(self.graph, model, samples, |first, values| {
            for at in 0..values.samples() {
                let outputs = self.run(engine, &samples[first + at])?;
                for (index, output) in self.outputs.iter().enumerate().filter(|(_, o)| !o.is_move) {
                    let stored = output.stored;
                    let float = values.sample(self.plan.stages[output.stage].output, at);
                    let tensor = self.program().tensor(Source::Operator(OperatorIndex(index as u32)));
                    let integer = real_values(&outputs[index], tensor, stored.scale);
                    powers[index].add(&stored.layout.store(float), &integer);
                }
                progress(Progress { step: Step::Comparing, done: first + at + 1, total });
            }
            Ok(())
        })?;
        Ok(powers)
    }

    fn test(
        &self,
        model: &FloatModel<'_>,
        test: &Samples,
        engine: &dyn Engine,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<TestReport, CompileError> {
        check_samples("test", self.graph, &test.inputs)?;
        let labels = test.labels.as_deref();
        if labels.is_some_and(|labels| labels.len() != test.inputs.len()) {
            let detail = "there is not one label for each; load both from one file".into();
            return Err(CompileError::Samples { what: "test", detail });
        }
        let (mut agreeing, mut float_right, mut integer_right) = (0, 0, 0);
        run_batches(self.graph, model, &test.inputs, |first, values| {
            for at in 0..values.samples() {
                let float = greatest(values.sample(self.graph.output, at));
                let outputs = self.run(engine, &test.inputs[first + at])?;
                let output = outputs.last().map_or(&[][..], Vec::as_slice);
                let integer = greatest(&decode_output(self.program(), output)?);
                let label = labels.map(|labels| labels[first + at]);
                agreeing += usize::from(float == integer);
                float_right += usize::from(label == Some(float));
                integer_right += usize::from(label == Some(integer));
                progress(Progress { step: Step::Testing, done: first + at + 1, total: test.inputs.len() });
            }
            Ok(())
        })?;
        Ok(TestReport {
            samples: test.inputs.len(),
            agreeing,
            float_right: labels.map(|_| float_right),
            integer_right: labels.map(|_| integer_right),
        })
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

/// The place of the greatest value, the first of equals.
fn greatest(values: &[f32]) -> usize {
    let mut best = 0;
    for (at, value) in values.iter().enumerate() {
        if *value > values[best] {
            best = at;
        }
    }
    best
}
