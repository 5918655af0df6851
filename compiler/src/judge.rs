//! The two models' answers on a test set: which agree, which are right, and how likely they hold what is right.

use serde::{Deserialize, Serialize};

use crate::error::CompileError;
use crate::graph::{Graph, Kind};
use crate::report::{Closeness, Comparison};
use crate::samples::Samples;

/// The comparison of the two models' answers on a test set. A classifier answers once a sample, by its greatest output; a
/// model with an output `[batch, positions, classes]` once a position; one whose outputs are whole numbers once a number.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TestReport {
    /// Number of samples.
    pub samples: usize,
    /// Number of answers.
    pub answers: usize,
    /// Answers that are the same of both models.
    pub agreeing: usize,
    /// Answers that the float model gets right, when the right ones are known.
    pub float_right: Option<usize>,
    /// Answers that the program gets right, when the right ones are known.
    pub integer_right: Option<usize>,
    /// The float model's perplexity: e to the mean of -ln of the probability of what is right; for models of one answer a position.
    pub float_perplexity: Option<f64>,
    /// The program's perplexity, by the softmax of its outputs as real numbers.
    pub integer_perplexity: Option<f64>,
    /// The outputs as vectors.
    pub output: Closeness,
}

impl TestReport {
    /// A count as a part of the answers.
    #[must_use]
    pub fn part(&self, count: usize) -> f64 {
        count as f64 / self.answers.max(1) as f64
    }
}

/// Answers collected sample by sample.
pub(crate) struct Judge<'a> {
    test: &'a Samples,
    /// Elements of the output that make one answer.
    each: usize,
    whole: bool,
    samples: usize,
    answers: usize,
    agreeing: usize,
    float: Score,
    integer: Score,
    comparison: Comparison,
}

/// How one model does.
#[derive(Debug, Clone, Copy, Default)]
struct Score {
    right: usize,
    surprise: f64,
}

impl<'a> Judge<'a> {
    /// A judge of the answers that a graph gives.
    pub fn new(graph: &Graph, test: &'a Samples) -> Result<Self, CompileError> {
        let output = graph.value(graph.output);
        let fail = |detail: String| CompileError::Samples { what: "test", detail };
        let each = match (output.kind, &output.shape[..]) {
            (Kind::Integer, _) => 1,
            (Kind::Real, [_, _, classes]) => *classes,
            (Kind::Real, _) => output.elements(),
        };
        let positions = output.elements() / each;
        if test.labels.as_ref().is_some_and(|labels| labels.len() != test.inputs.len()) {
            return Err(fail("there is not one label for each; load both from one file".into()));
        }
        if let Some(targets) = &test.targets
            && targets.iter().any(|targets| targets.len() != positions)
        {
            return Err(fail(format!(
                "their targets are not {positions} each, one for each answer; mend the file"
            )));
        }
        Ok(Self {
            test,
            each,
            whole: output.kind == Kind::Integer,
            samples: 0,
            answers: 0,
            agreeing: 0,
            float: Score::default(),
            integer: Score::default(),
            comparison: Comparison::default(),
        })
    }

    /// Takes both models' outputs for the next sample, in logical order.
    pub fn add(&mut self, float: &[f32], integer: &[f32]) {
        self.comparison.add(float, integer);
        let sample = self.samples;
        self.samples += 1;
        for (position, (own, other)) in float.chunks(self.each).zip(integer.chunks(self.each)).enumerate() {
            self.answers += 1;
            let answers = match self.whole {
                true => (own[0] as usize, other[0] as usize),
                false => (greatest(own), greatest(other)),
            };
            self.agreeing += usize::from(answers.0 == answers.1);
            if let Some(right) = self.right(sample, position) {
                self.float.add(own, answers.0, right, self.whole);
                self.integer.add(other, answers.1, right, self.whole);
            }
        }
    }

    fn right(&self, sample: usize, position: usize) -> Option<usize> {
        match (&self.test.targets, &self.test.labels) {
            (Some(targets), _) => Some(targets[sample][position]),
            (None, Some(labels)) => Some(labels[sample]),
            (None, None) => None,
        }
    }

    /// What was found.
    pub fn report(self) -> TestReport {
        let known = self.test.targets.is_some() || self.test.labels.is_some();
        let perplexed = self.test.targets.is_some() && !self.whole;
        let perplexity = |score: Score| (score.surprise / self.answers.max(1) as f64).exp();
        TestReport {
            samples: self.samples,
            answers: self.answers,
            agreeing: self.agreeing,
            float_right: known.then_some(self.float.right),
            integer_right: known.then_some(self.integer.right),
            float_perplexity: perplexed.then(|| perplexity(self.float)),
            integer_perplexity: perplexed.then(|| perplexity(self.integer)),
            output: self.comparison.closeness(),
        }
    }
}

impl Score {
    fn add(&mut self, outputs: &[f32], answer: usize, right: usize, whole: bool) {
        self.right += usize::from(answer == right);
        if !whole {
            self.surprise += surprise(outputs, right);
        }
    }
}

/// -ln of the probability that a softmax of outputs gives a class; infinite for one that there is not.
fn surprise(outputs: &[f32], class: usize) -> f64 {
    let Some(&own) = outputs.get(class) else { return f64::INFINITY };
    let most = outputs.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = outputs.iter().map(|&x| f64::from(x - most).exp()).sum();
    sum.ln() - f64::from(own - most)
}

/// The place of the greatest value, the first of equals.
fn greatest(values: &[f32]) -> usize {
    (0..values.len()).reduce(|best, at| if values[at] > values[best] { at } else { best }).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn surprise_is_the_logarithm_of_what_softmax_gives() {
        assert!((surprise(&[0.0, 0.0, 0.0, 0.0], 2) - 4f64.ln()).abs() < 1e-12);
        assert!((surprise(&[1.0, 2.0], 1) - (1.0 + (-1f64).exp()).ln()).abs() < 1e-7);
        assert!((surprise(&[1000.0, 1001.0], 0) - (1.0 + 1f64.exp()).ln()).abs() < 1e-7);
        assert_eq!(surprise(&[1.0], 1), f64::INFINITY);
    }

    #[test]
    fn the_first_of_equals_is_the_greatest() {
        assert_eq!(greatest(&[1.0, 3.0, 3.0]), 1);
        assert_eq!(greatest(&[]), 0);
    }
}
