//! Choosing a lie that matters: one that changes the answer.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use clap::ValueEnum;
use narrows_bisection::Trace;
use narrows_executor::adversary::{
    CopiedClaim, DoctoredOperator, FlippedWeight, Withholding, WrongOutput, shift_element,
};
use narrows_executor::engine::Engine;
use narrows_executor::node::{Conduct, Honest};
use narrows_program::{DType, OperatorIndex, Program, Source};

use crate::files::integers;

/// A way to lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Cheat {
    /// One changed element in a middle layer, the rest recomputed from it.
    Layer,
    /// A wrong output only.
    Output,
    /// A doctored layer, and no answers.
    Withhold,
    /// One weight bit flipped.
    Weight,
    /// An old claim's output for a new input.
    Copy,
    /// No lie.
    None,
}

/// What an output says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Of scores: the first greatest one's index.
    Label(usize),
    /// Of whole numbers, such as the tokens of a text: all of them.
    Tokens(Vec<i64>),
}

impl Answer {
    /// Reads an output.
    pub fn of(program: &Program, output: &[u8]) -> Self {
        let values = integers(program.header().output.dtype, output);
        let whole =
            program.header().output.dtype == DType::I32 && program.meta().output.scale_bits == 1f32.to_bits();
        if whole {
            return Self::Tokens(values);
        }
        let greatest = (0..values.len()).max_by_key(|i| (values[*i], std::cmp::Reverse(*i)));
        Self::Label(greatest.unwrap_or_default())
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Label(label) => write!(f, "label {label}"),
            Self::Tokens(tokens) => write!(f, "{} tokens", tokens.len()),
        }
    }
}

/// The operator at which a dispute about `claimed` must end: in the first layer whose leaf differs, the first that differs.
pub fn first_fault(program: &Program, truth: &Trace, claimed: &Trace) -> Option<OperatorIndex> {
    let layer = program.layer(truth.first_layer_difference(claimed)?);
    let mut operators = layer.operators().map(OperatorIndex);
    operators.find(|index| truth.operator(*index) != claimed.operator(*index))
}

/// A conduct for `cheat` whose claim about `input` has another answer than the truth where that is possible.
pub fn choose(program: &Program, input: &[u8], cheat: Cheat) -> Result<Arc<dyn Conduct>> {
    Ok(match cheat {
        Cheat::Layer => Arc::new(doctored(program, input)?),
        Cheat::Withhold => Arc::new(Withholding(doctored(program, input)?)),
        Cheat::Output => Arc::new(WrongOutput),
        Cheat::Weight => Arc::new(flipped(program, input)?),
        Cheat::Copy => Arc::new(CopiedClaim::default()),
        Cheat::None => Arc::new(Honest),
    })
}

/// A node that lies about every job, each lie chosen for its input. For tests of a whole deployment.
pub struct EveryJob {
    cheat: Cheat,
    copied: CopiedClaim,
}

impl EveryJob {
    /// Lies so.
    pub fn new(cheat: Cheat) -> Self {
        Self { cheat, copied: CopiedClaim::default() }
    }
}

impl Conduct for EveryJob {
    fn trace(&self, program: &Program, input: Vec<u8>) -> Result<Trace, String> {
        if self.cheat == Cheat::Copy {
            return self.copied.trace(program, input);
        }
        let lie = choose(program, &input, self.cheat).map_err(|error| format!("{error:#}"))?;
        lie.trace(program, input)
    }

    fn answers(&self) -> bool {
        self.cheat != Cheat::Withhold
    }
}

/// The operators, from the middle outwards.
fn from_the_middle(program: &Program) -> Vec<OperatorIndex> {
    let count = program.operators().len() as u32;
    let mut order: Vec<u32> = (0..count).collect();
    order.sort_by_key(|operator| operator.abs_diff(count / 2));
    order.into_iter().map(OperatorIndex).collect()
}

/// One element of a middle operator, set to an end of its range so that the answer changes.
fn doctored(program: &Program, input: &[u8]) -> Result<DoctoredOperator> {
    let truth = Engine::new(program).run(input)?;
    doctor_one_of(program, input, &truth, from_the_middle(program))
}

/// One element of an operator that belongs to a position of a generation, set to an end of its range so that the text changes.
pub fn at_position(program: &Program, input: &[u8], position: usize) -> Result<Arc<dyn Conduct>> {
    let truth = Engine::new(program).run(input)?;
    let prefix = format!("@{position}/");
    let there = |at: &OperatorIndex| {
        let nodes = program.meta().operators.get(at.0 as usize).map(|operator| &operator.nodes);
        nodes.is_some_and(|nodes| nodes.iter().any(|node| node.starts_with(&prefix)))
    };
    let operators: Vec<OperatorIndex> =
        (0..program.header().operators).map(OperatorIndex).filter(there).collect();
    anyhow::ensure!(!operators.is_empty(), "the program has no operator of position {position}");
    // From the position's middle outwards, as for a whole program.
    let middle = operators[operators.len() / 2].0;
    let mut order = operators;
    order.sort_by_key(|at| at.0.abs_diff(middle));
    Ok(Arc::new(doctor_one_of(program, input, &truth, order)?))
}

/// The first lie that changes the answer, at the first operator of several segments where there is one.
fn doctor_one_of(
    program: &Program,
    input: &[u8],
    truth: &[Vec<u8>],
    order: Vec<OperatorIndex>,
) -> Result<DoctoredOperator> {
    let engine = Engine::new(program);
    let honest = Answer::of(program, &truth[truth.len() - 1]);
    let mut fallback = None;
    for at in order {
        let operator = program.operator(at);
        if operator.segments() < 2 {
            continue;
        }
        for element in 0..operator.elements() as usize {
            let own = operator.dtype.read(&truth[at.0 as usize], element).context("an element")?;
            for end in [i64::from(operator.hi), i64::from(operator.lo)].into_iter().filter(|end| *end != own)
            {
                let lie = DoctoredOperator { operator: at, element, delta: end - own };
                let outputs = engine.run_with(input, &mut |index, bytes| {
                    if index == at {
                        shift_element(operator.dtype, bytes, element, end - own);
                    }
                })?;
                let last = &outputs[outputs.len() - 1];
                if Answer::of(program, last) != honest {
                    return Ok(lie);
                }
                if fallback.is_none() && last != &truth[truth.len() - 1] {
                    fallback = Some(lie);
                }
            }
        }
    }
    fallback.context(
        "no operator of several segments can be doctored so that the output changes; try --cheat output",
    )
}

/// The first weight whose highest bit, flipped, changes the answer; or else the output.
fn flipped(program: &Program, input: &[u8]) -> Result<FlippedWeight> {
    let honest = Engine::new(program).run(input)?;
    let mut fallback = None;
    for operator in from_the_middle(program) {
        let Some(Source::Constant(constant)) = program.operator(operator).b.map(|b| b.source) else {
            continue;
        };
        let bytes = program.constant(constant).bytes.len();
        for byte in (0..bytes).step_by((bytes / 64).max(1)) {
            let lie = FlippedWeight { operator, byte, bit: 6 };
            let trace = lie.trace(program, input.to_vec()).map_err(anyhow::Error::msg)?;
            if trace.output() == honest[honest.len() - 1] {
                continue;
            }
            fallback.get_or_insert(lie);
            if Answer::of(program, trace.output()) != Answer::of(program, &honest[honest.len() - 1]) {
                return Ok(lie);
            }
        }
    }
    fallback.context("no weight matters to this input; try --cheat output")
}
