//! What is prepared once for a program: its operators' regions, and the constants that runs read.

use std::collections::HashMap;

use burn::tensor::{Device, Tensor};
use narrows_program::{ConstantIndex, Fold, Operator, Program, Source};

use super::block::{Block, Sides};
use super::exact::Carrier;
use super::ints::{Ints, stored};
use super::product::Weights;
use super::region::{region_count, regions};
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
        let mut weights = match op.b.map(|b| b.source) {
            Some(Source::Constant(index)) if op.fold == Fold::Dot => {
                let constant = program.constant(index);
                Some(Weights::new(stored(constant.dtype, &constant.bytes, device)))
            }
            _ => None,
        };
        let blocks = regions(op, lengths)
            .map(|region| Block::new(program, op, &sides, region, weights.as_mut(), device));
        step.blocks = Some(blocks.collect::<Result<_, _>>()?);
        Ok(step)
    }

    fn reads_b(&self) -> bool {
        self.blocks.as_ref().is_none_or(|blocks| blocks.iter().any(Block::reads_b))
    }

    /// The operator's output, stored in its type.
    pub fn run(
        &self,
        program: &Program,
        get: &dyn Fn(Source) -> Ints<1>,
        device: &Device,
    ) -> Result<Ints<1>, EngineError> {
        let parts = match &self.blocks {
            Some(blocks) => blocks.iter().map(|block| Ok(block.run(get))).collect(),
            None => regions(&self.op, self.lengths)
                .map(|region| Ok(Block::new(program, &self.op, &self.sides, region, None, device)?.run(get)))
                .collect::<Result<Vec<_>, EngineError>>(),
        };
        let mut parts = parts?;
        Ok(if parts.len() == 1 { parts.remove(0) } else { Tensor::cat(parts, 0) })
    }
}
