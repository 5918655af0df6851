//! What is prepared once for a program: its operators' regions, and the constants that runs read.

use std::collections::HashMap;

use burn::tensor::Device;
use narrows_program::{ConstantIndex, Operator, Program, Source};

use super::block::{Block, Shared};
use super::crew::shared;
use super::elements::{Elements, Part};
use super::exact::Carrier;
use super::held::Held;
use super::ints::{Ints, stored};
use super::product::Weights;
use super::region::{Region, Runs, region, region_count};
use super::sides::Sides;
use super::{EngineError, Limits};

/// A planned operator.
#[derive(Debug)]
pub(crate) struct Step {
    op: Operator,
    sides: Sides,
    lengths: [usize; 4],
    /// How many regions are worked on at a time at most.
    at_once: usize,
    /// The regions' plans, and which runs of elements they are of, unless they are too many or too large.
    blocks: Option<(Vec<Block>, Vec<Runs>)>,
}

/// A planned program.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The operators, in order.
    pub steps: Vec<Step>,
    /// The constants that runs read.
    pub constants: HashMap<ConstantIndex, Ints<1>>,
    /// For each operator, the last operator that reads it, if one does.
    pub last_use: Vec<Option<usize>>,
}

impl Plan {
    /// Plans every operator of a program, for a device whose products in `carriers` are exact.
    pub fn new(
        program: &Program,
        limits: &Limits,
        carriers: &[Carrier],
        device: &Device,
    ) -> Result<Self, EngineError> {
        let mut plan = Self { steps: vec![], constants: HashMap::new(), last_use: vec![] };
        let mut room = limits.kept;
        let mut held = Held::new(program);
        for op in program.operators() {
            let sides = Sides::new(program, op, &mut held, carriers);
            let step = Step::new(program, op, sides, &mut held, limits, &mut room, device)?;
            plan.hold(program, &step, device);
            plan.steps.push(step);
        }
        plan.last_use = vec![None; program.operators().len()];
        for (reader, op) in program.operators().iter().enumerate() {
            for source in op.sources() {
                if let Source::Operator(read) = source {
                    plan.last_use[read.0 as usize] = Some(reader);
                }
            }
        }
        Ok(plan)
    }

    fn hold(&mut self, program: &Program, step: &Step, device: &Device) {
        let b = step.op.b.filter(|_| step.reads_b());
        let operands = std::iter::once(step.op.a).chain(b).map(|operand| operand.source);
        for source in operands.chain(step.op.finalise.source()) {
            if let Source::Constant(index) = source {
                let constant = program.constant(index);
                self.constants
                    .entry(index)
                    .or_insert_with(|| stored(constant.dtype, &constant.bytes, device));
            }
        }
    }
}

impl Step {
    fn new(
        program: &Program,
        op: &Operator,
        sides: Sides,
        held: &mut Held<'_>,
        limits: &Limits,
        room: &mut usize,
        device: &Device,
    ) -> Result<Self, EngineError> {
        let lengths = sides.lengths(op, limits);
        let needed = sides.kept(op);
        let planned = needed <= *room && region_count(op, lengths) <= limits.regions;
        let at_once = sides.at_once(op, lengths, limits, planned);
        let mut step = Self { op: *op, sides, lengths, at_once, blocks: None };
        if !planned {
            return Ok(step);
        }
        *room -= needed;
        let mut shared = Shared::new(held.weights(op, device).map(Weights::new));
        let regions = step.regions();
        let runs = regions.iter().map(|region| region.runs(op.out)).collect();
        let plan = |region| Block::new(program, op, &sides, region, &mut shared, device);
        step.blocks = Some((regions.into_iter().map(plan).collect::<Result<_, _>>()?, runs));
        Ok(step)
    }

    fn reads_b(&self) -> bool {
        self.blocks.as_ref().is_none_or(|(blocks, _)| blocks.iter().any(Block::reads_b))
    }

    fn regions(&self) -> Vec<Region> {
        let count = region_count(&self.op, self.lengths);
        (0..count).map(|index| region(&self.op, self.lengths, index)).collect()
    }

    /// The operator's output for each of so many inputs; `get` gives what it reads for one of them.
    ///
    /// Regions are worked on by all threads, each for every input.
    pub fn run(
        &self,
        program: &Program,
        inputs: usize,
        get: &(dyn Fn(usize, Source) -> Ints<1> + Sync),
        device: &Device,
    ) -> Result<Vec<Elements>, EngineError> {
        let op = &self.op;
        let zeros = |_| Elements::zeros(op.dtype, op.elements() as usize);
        let mut outputs: Vec<Elements> = (0..inputs).map(zeros).collect();
        let regions = if self.blocks.is_none() { self.regions() } else { Vec::new() };
        let made = regions.iter().map(|region| region.runs(op.out)).collect();
        let runs = self.blocks.as_ref().map_or(&made, |(_, runs)| runs);
        let fill = |block: &Block, input: usize, part: &mut Part<'_>| {
            part.fill(block.run(|source| get(input, source)), block.first())
        };
        // Region after region, the parts of all inputs.
        let mut of_inputs: Vec<_> = outputs.iter_mut().map(|output| output.parts(runs).into_iter()).collect();
        let mut parts: Vec<Vec<Part<'_>>> = Vec::with_capacity(runs.len());
        parts.extend(runs.iter().map(|_| of_inputs.iter_mut().filter_map(Iterator::next).collect()));
        match &self.blocks {
            Some((blocks, _)) => {
                let tasks = parts.iter_mut().zip(blocks);
                let tasks =
                    tasks.flat_map(|(parts, block)| parts.iter_mut().enumerate().map(move |p| (block, p)));
                let tasks: Vec<_> = tasks.collect();
                shared(tasks, self.at_once, |(block, (input, part))| fill(block, input, part))?;
            }
            None => {
                let tasks = parts.into_iter().zip(regions).collect();
                shared(tasks, self.at_once, |(mut parts, region)| {
                    let mut alone = Shared::default();
                    let block = Block::new(program, op, &self.sides, region, &mut alone, device)?;
                    parts.iter_mut().enumerate().try_for_each(|(input, part)| fill(&block, input, part))
                })?;
            }
        }
        Ok(outputs)
    }
}
