//! Reductions and `ArgMax`.

use super::Reader;
use crate::error::CompileError;
use crate::graph::{Function, Kind, Op, Reduction};

impl Reader<'_> {
    pub(super) fn reduce(&mut self, operator: &str) -> Result<(), CompileError> {
        self.arity(1, 2)?;
        let mut x = self.activation(0)?;
        if !matches!(operator, "ReduceMax" | "ReduceMin" | "ReduceSum") {
            self.check_real(x)?;
        }
        let rank = self.shape_of(x).len();
        let keep = self.node.attributes.int("keepdims", 1)? != 0;
        let noop = self.node.attributes.int("noop_with_empty_axes", 0)? != 0;
        let listed = self.listed("axes", 1)?.unwrap_or_default();
        let axes = match (listed.is_empty(), noop) {
            (true, true) => {
                if matches!(operator, "ReduceL1" | "ReduceL2" | "ReduceSumSquare") {
                    return Err(self.fail("it has no axes; name them"));
                }
                self.bind_value(x);
                return Ok(());
            }
            (true, false) => (0..rank).collect(),
            (false, _) => self.axes(&listed, rank)?,
        };
        if operator == "ReduceL1" {
            x = self.emit_like("abs", Op::Function(Function::Abs), x)?;
        }
        let reduction = match operator {
            "ReduceMax" => Reduction::Max,
            "ReduceMean" => Reduction::Mean,
            "ReduceMin" => Reduction::Min,
            "ReduceL2" | "ReduceSumSquare" => Reduction::SumSquare,
            _ => Reduction::Sum,
        };
        let mut id = self.reduced(x, reduction, axes, keep)?;
        if operator == "ReduceL2" {
            id = self.emit_like("sqrt", Op::Function(Function::Sqrt), id)?;
        }
        self.bind_value(id);
        Ok(())
    }

    pub(super) fn reduced(
        &mut self,
        x: crate::graph::ValueId,
        reduction: Reduction,
        axes: Vec<usize>,
        keep: bool,
    ) -> Result<crate::graph::ValueId, CompileError> {
        let (shape, kind) = (reduced_shape(self.shape_of(x), &axes, keep), self.kind_of(x));
        self.emit("reduce", Op::Reduce { reduction, axes, keep }, vec![x], shape, kind)
    }

    pub(super) fn arg_max(&mut self) -> Result<(), CompileError> {
        self.arity(1, 1)?;
        self.node.attributes.only("select_last_index", 0, 0)?;
        let x = self.activation(0)?;
        let axis = self.node.attributes.int("axis", 0)?;
        let axis = self.axis(axis, self.shape_of(x).len())?;
        let keep = self.node.attributes.int("keepdims", 1)? != 0;
        let shape = reduced_shape(self.shape_of(x), &[axis], keep);
        let id = self.emit("argmax", Op::ArgMax { axis, keep }, vec![x], shape, Kind::Integer)?;
        self.bind_value(id);
        Ok(())
    }
}

impl Reader<'_> {
    /// A sampler's noise: of the seed, and of scores that it takes its shape from.
    pub(super) fn noise(&mut self) -> Result<(), CompileError> {
        self.arity(2, 2)?;
        let (seed, scores) = (self.activation(0)?, self.activation(1)?);
        let step = usize::try_from(self.node.attributes.int("step", 0)?).unwrap_or_default();
        let shape = self.shape_of(scores).to_vec();
        let id = self.emit("noise", Op::Noise { step }, vec![seed], shape, Kind::Real)?;
        self.bind_value(id);
        Ok(())
    }
}

fn reduced_shape(shape: &[usize], axes: &[usize], keep: bool) -> Vec<usize> {
    shape
        .iter()
        .enumerate()
        .filter(|(axis, _)| keep || !axes.contains(axis))
        .map(|(axis, &d)| if axes.contains(&axis) { 1 } else { d })
        .collect()
}
