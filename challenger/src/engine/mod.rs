//! The challenger's engine: runs a program again in burn and gets exactly the integers of the specification.
//!
//! Whole-tensor operations only. An operator is cut into regions of neighbouring outputs, which all threads work on; each is
//! gathered, folded and finalised. Dot products are float matrix products of integers so small that no sum rounds. Everything
//! else is arithmetic in doubles where their 53 bits hold every intermediate, and in 64-bit integers elsewhere.
//!
//! | module | what it holds |
//! |---|---|
//! | `backend` | the seam to burn's backends |
//! | `plan`, `sides`, `block`, `region`, `limits` | what is prepared once, for a program, an operator and a region, and how operators are cut |
//! | `reads`, `gather`, `spread`, `lookup` | which element serves which term, also where another element says so |
//! | `range`, `held`, `exact`, `chunk` | what operands may hold, and the bounds that make float products exact |
//! | `product`, `channels` | dot products: of matrices, and of one column |
//! | `ints`, `number`, `arithmetic` | integer tensors, digits, what accumulators are carried in, division, roots |
//! | `crew` | how threads share regions |
//! | `elements` | an operator's output while it is made |
//! | `records`, `finish`, `doubles`, `division` | how accumulators become elements: in 64-bit integers, and in doubles where that is exact |
//! | `self_test` | arithmetic that a backend must get right before it is used |
//!
//! Nothing is shared with the executor's engine or with the referee but the program's types.

mod arithmetic;
mod backend;
mod block;
mod channels;
mod chunk;
mod crew;
mod division;
mod doubles;
mod elements;
mod error;
mod exact;
mod finish;
mod gather;
mod held;
mod ints;
mod limits;
mod lookup;
mod number;
mod plan;
mod product;
mod range;
mod reads;
mod records;
mod region;
mod self_test;
mod sides;
mod spread;

#[cfg(test)]
mod tests;

pub use backend::Backend;
pub use error::EngineError;
pub use limits::Limits;
pub use self_test::self_test;

use burn::tensor::Device;
use narrows_program::{Layer, Program, Source};

use crew::awake;
use exact::Carrier;
use ints::{Ints, stored};
use plan::Plan;

/// A program, planned for one backend.
#[derive(Debug)]
pub struct BurnEngine {
    program: Program,
    backend: Backend,
    device: Device,
    plan: Plan,
}

impl BurnEngine {
    /// Plans a program: gathers, weights as float matrices with their exact chunks, records.
    ///
    /// # Errors
    /// [`EngineError::Inexact`] when the backend fails its self-test, which runs once in a process.
    pub fn new(program: &Program, backend: Backend) -> Result<Self, EngineError> {
        Self::with_limits(program, backend, &Limits::default())
    }

    /// As [`BurnEngine::new`], within these limits of memory.
    ///
    /// # Errors
    /// As [`BurnEngine::new`].
    pub fn with_limits(program: &Program, backend: Backend, limits: &Limits) -> Result<Self, EngineError> {
        self_test::once(backend)?;
        Self::planned(program, backend, limits, backend.carriers())
    }

    /// Plans a program for float types whose products are known to be exact.
    fn planned(
        program: &Program,
        backend: Backend,
        limits: &Limits,
        carriers: &[Carrier],
    ) -> Result<Self, EngineError> {
        backend.tune();
        let device = backend.device();
        let plan = Plan::new(program, limits, carriers, &device)?;
        Ok(Self { program: program.clone(), backend, device, plan })
    }

    /// The backend.
    #[must_use]
    pub fn backend(&self) -> Backend {
        self.backend
    }

    /// The program.
    #[must_use]
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// Every operator's output as canonical bytes, in order, for an input's canonical bytes.
    ///
    /// # Errors
    /// [`EngineError::InputSize`] when the input is not of the program's size.
    pub fn run(&self, input: &[u8]) -> Result<Vec<Vec<u8>>, EngineError> {
        let outputs = self.run_all(&[input])?;
        Ok(outputs.into_iter().next().expect("an input has outputs"))
    }

    /// As [`BurnEngine::run`] for several inputs in one pass: every operator is done for all of them before the next one.
    ///
    /// # Errors
    /// [`EngineError::InputSize`] when an input is not of the program's size.
    pub fn run_all(&self, inputs: &[&[u8]]) -> Result<Vec<Vec<Vec<u8>>>, EngineError> {
        self.pass(inputs, &vec![true; self.plan.steps.len()])
    }

    /// As [`BurnEngine::run_all`] with what layers export alone: the outputs of all other operators are left empty, and their
    /// memory is given back when the last operator that reads them is done. It is all that a claim's root takes.
    ///
    /// # Errors
    /// [`EngineError::InputSize`] when an input is not of the program's size.
    pub fn run_exports(&self, inputs: &[&[u8]]) -> Result<Vec<Vec<Vec<u8>>>, EngineError> {
        let mut exported = vec![false; self.plan.steps.len()];
        let layers = self.program.layers().iter();
        layers.flat_map(Layer::exported).for_each(|index| exported[index.0 as usize] = true);
        self.pass(inputs, &exported)
    }

    fn pass(&self, inputs: &[&[u8]], wanted: &[bool]) -> Result<Vec<Vec<Vec<u8>>>, EngineError> {
        let expected = self.program.header().input;
        if let Some(other) = inputs.iter().find(|input| input.len() as u64 != expected.bytes()) {
            return Err(EngineError::InputSize { expected: expected.bytes(), given: other.len() as u64 });
        }
        // From within the pool an operator's regions begin at once: from without, each of them would wait for a thread to wake.
        awake(|| self.each(inputs, wanted))
    }

    /// Operator after operator; runs on a thread of rayon's pool.
    fn each(&self, inputs: &[&[u8]], wanted: &[bool]) -> Result<Vec<Vec<Vec<u8>>>, EngineError> {
        let dtype = self.program.header().input.dtype;
        let operators = self.plan.steps.len();
        let mut outputs: Vec<Vec<Vec<u8>>> = inputs.iter().map(|_| Vec::with_capacity(operators)).collect();
        let inputs: Vec<Ints<1>> = inputs.iter().map(|input| stored(dtype, input, &self.device)).collect();
        // For each operator, its output for each input.
        let mut live: Vec<Vec<Ints<1>>> = Vec::with_capacity(operators);
        for (index, (step, op)) in self.plan.steps.iter().zip(self.program.operators()).enumerate() {
            let get = |input: usize, source| match source {
                Source::Input => inputs[input].clone(),
                Source::Constant(index) => self.plan.constants[&index].clone(),
                Source::Operator(index) => live[index.0 as usize]
                    .get(input)
                    .cloned()
                    .expect("an output is kept until its last reader"),
            };
            let made = step.run(&self.program, inputs.len(), &get, &self.device)?;
            for (outputs, made) in outputs.iter_mut().zip(&made) {
                outputs.push(if wanted[index] { made.canonical() } else { Vec::new() });
            }
            let read = self.plan.last_use[index].is_some();
            live.push(made.into_iter().filter(|_| read).map(|made| made.tensor(&self.device)).collect());
            for source in op.sources() {
                if let Source::Operator(read) = source
                    && self.plan.last_use[read.0 as usize] == Some(index)
                {
                    live[read.0 as usize].clear();
                }
            }
        }
        Ok(outputs)
    }
}
