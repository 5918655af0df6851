//! Numbers taken of the rows of an activation: means, sums, greatest values.

use crate::graph::{Graph, Node, Op, ValueId};

/// The rows of `x` along `axes`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub x: ValueId,
    pub axes: Vec<usize>,
}

/// How one number a row is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Without the reduced dimensions.
    Flat,
    /// With them, of length 1: it broadcasts against the rows' activation.
    Kept,
    /// Repeated to the whole shape.
    Whole,
}

impl Row {
    /// Number of elements in a row.
    pub(super) fn length(&self, graph: &Graph) -> usize {
        self.axes.iter().map(|&axis| graph.value(self.x).shape[axis]).product()
    }

    /// What a reduction over these rows is laid out like.
    pub(super) fn reduced(&self, graph: &Graph, node: &Node) -> Form {
        if self.is_kept(graph, node.output) { Form::Kept } else { Form::Flat }
    }

    /// The layout behind a node that passes a row's number on, or `None` where it is mixed up.
    pub(super) fn passed(&self, graph: &Graph, node: &Node, form: Form) -> Option<Form> {
        match node.op {
            Op::Reshape if form != Form::Whole => {
                let squeeze = |id: ValueId| -> Vec<usize> {
                    graph.value(id).shape.iter().copied().filter(|&d| d != 1).collect()
                };
                if self.is_kept(graph, node.output) {
                    return Some(Form::Kept);
                }
                (squeeze(node.inputs[0]) == squeeze(node.output)).then_some(Form::Flat)
            }
            Op::Expand if form == Form::Kept => {
                if self.is_kept(graph, node.output) {
                    return Some(Form::Kept);
                }
                (graph.value(node.output).shape == graph.value(self.x).shape).then_some(Form::Whole)
            }
            Op::Affine { .. } | Op::Clip { .. } | Op::Function(_) => Some(form),
            _ => None,
        }
    }

    /// Whether a value's shape is that of `x` with the axes of length 1, but for missing dimensions in front.
    fn is_kept(&self, graph: &Graph, id: ValueId) -> bool {
        let (shape, of) = (&graph.value(id).shape, &graph.value(self.x).shape);
        let Some(lead) = of.len().checked_sub(shape.len()) else { return false };
        (0..of.len()).all(|axis| {
            let expected = if self.axes.contains(&axis) { 1 } else { of[axis] };
            expected == if axis < lead { 1 } else { shape[axis - lead] }
        })
    }
}
