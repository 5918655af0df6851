//! What is prepared once for a program: its operators' regions, and the constants that runs read.

use std::collections::HashMap;

use burn::tensor::Device;
use narrows_program::{ConstantIndex, Fold, Operator, Program, Source};
use rayon::prelude::*;

use super::block::{Block, Shared, Sides};
use super::exact::Carrier;
use super::ints::{Ints, canonical, stored};
use super::product::Weights;
use super::region::{Region, region, region_count};
use super::{EngineError, Limits};

/// A planned operator.
#[derive(Debug)]
pub(crate) struct Step {
    op: Operator,
    sides: Sides,
    lengths: [usize; 4],
    /// The regions' plans, unless they are too many or too large.
    blocks: Option<Vec<Block>>,
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
        for op in program.operators() {
            let sides = Sides::new(program, op, carriers);
            let step = Step::new(program, op, sides, limits, &mut room, device)?;
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
        limits: &Limits,
        room: &mut usize,
        device: &Device,
    ) -> Result<Self, EngineError> {
        let lengths = sides.lengths(op, limits);
        let mut step = Self { op: *op, sides, lengths, blocks: None };
        let needed = sides.kept(op);
        if needed > *room || region_count(op, lengths) > limits.regions {
            return Ok(step);
        }
        *room -= needed;
        let weights = match op.b.map(|b| b.source) {
            Some(Source::Constant(index)) if op.fold == Fold::Dot => {
                let constant = program.constant(index);
                Some(Weights::new(stored(constant.dtype, &constant.bytes, device)))
            }
            _ => None,
        };
        let mut shared = Shared::new(weights);
        let blocks = (0..region_count(op, lengths)).map(|index| {
            let region = region(op, lengths, index);
            Block::new(program, op, &sides, region, &mut shared, device)
        });
        step.blocks = Some(blocks.collect::<Result<_, _>>()?);
        Ok(step)
    }

    fn reads_b(&self) -> bool {
        self.blocks.as_ref().is_none_or(|blocks| blocks.iter().any(Block::reads_b))
    }

    /// The operator's output in canonical bytes for each of so many inputs; `get` gives what it reads for one of them.
    ///
    /// Regions are worked on by all threads, each for every input.
    pub fn run(
        &self,
        program: &Program,
        inputs: usize,
        get: &(dyn Fn(usize, Source) -> Ints<1> + Sync),
        device: &Device,
    ) -> Result<Vec<Vec<u8>>, EngineError> {
        let op = &self.op;
        let mut outputs = vec![vec![0; op.elements() as usize * op.dtype.bytes()]; inputs];
        let regions: Vec<Region> =
            (0..region_count(op, self.lengths)).map(|index| region(op, self.lengths, index)).collect();
        let sizes: Vec<usize> = regions.iter().map(|region| region.elements() * op.dtype.bytes()).collect();
        let element = |block: &Block, input: usize, out: &mut [u8]| {
            canonical(block.run(|source| get(input, source)), op.dtype, out)
        };
        // Region after region, the parts of all inputs: regions are contiguous and in order.
        let mut parts = interleaved(&mut outputs, &sizes);
        match &self.blocks {
            Some(blocks) => parts
                .par_iter_mut()
                .enumerate()
                .try_for_each(|(task, part)| element(&blocks[task / inputs], task % inputs, part))?,
            None => parts.par_chunks_mut(inputs).zip(regions).try_for_each(|(parts, region)| {
                let mut alone = Shared::default();
                let block = Block::new(program, op, &self.sides, region, &mut alone, device)?;
                parts.iter_mut().enumerate().try_for_each(|(input, part)| element(&block, input, part))
            })?,
        }
        Ok(outputs)
    }
}

/// Cuts every buffer into parts of these sizes: the first part of each, then the second of each, and so on.
fn interleaved<'a>(buffers: &'a mut [Vec<u8>], sizes: &[usize]) -> Vec<&'a mut [u8]> {
    let mut rests: Vec<&mut [u8]> = buffers.iter_mut().map(Vec::as_mut_slice).collect();
    let mut parts = Vec::with_capacity(rests.len() * sizes.len());
    for size in sizes {
        for rest in &mut rests {
            let (part, left) = std::mem::take(rest).split_at_mut(*size);
            parts.push(part);
            *rest = left;
        }
    }
    parts
}
