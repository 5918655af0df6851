//! What is stored, and operators before their loops are found.

use narrows_program::{ConstantIndex, DType, Fold, Source, Window};

use super::forms::Form;
use super::nest::{Nest, Order, Reduction, nest};
use crate::view::View;

/// A stored tensor with what its integers mean.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    /// Where it is.
    pub source: Source,
    /// Type and scale, and the range of its integers.
    pub form: Form,
    /// How it reads in logical order.
    pub view: View,
}

impl Stored {
    pub(super) fn read(&self) -> Read {
        self.with(self.view.clone())
    }

    pub(super) fn with(&self, view: View) -> Read {
        Read { source: self.source, dtype: self.form.dtype, view }
    }

    pub(super) fn shape(&self) -> Vec<usize> {
        self.view.shape()
    }

    /// The real value of a step.
    pub(super) fn step(&self) -> f64 {
        self.form.scale.real()
    }

    pub(super) fn reach(&self) -> u128 {
        self.form.reach()
    }
}

/// An operand before its loops are found: its view has the output's dimensions and then the reduction's.
#[derive(Debug, Clone)]
pub(super) struct Read {
    pub(super) source: Source,
    pub(super) dtype: DType,
    pub(super) view: View,
}

/// How an operator ends.
#[derive(Debug, Clone)]
pub(super) enum End {
    Requantise,
    /// A table, and the first value that it is read for.
    Table(ConstantIndex),
    Divide {
        by: Read,
        lift: u8,
    },
    Root,
}

/// An operator before its loops are found.
#[derive(Debug, Clone)]
pub(super) struct Job {
    pub(super) fold: Fold,
    pub(super) a: Read,
    pub(super) b: Option<Read>,
    pub(super) scales: (i32, i32),
    pub(super) records: Read,
    pub(super) end: End,
    pub(super) windows: Vec<Window>,
    /// Dimensions of the output; what views have behind are the reduction's.
    pub(super) rank: usize,
    pub(super) order: Order,
    pub(super) reduction: Reduction,
    /// What it clamps to, or a table's range.
    pub(super) lo: i64,
    pub(super) hi: i64,
    pub(super) form: Form,
}

impl Job {
    /// The operands' views: a, records, b, divisor. Records and divisors do not change along the reduction.
    pub(super) fn views(&self) -> Vec<View> {
        let shape = self.a.view.shape();
        let whole = |read: &Read| read.view.and_repeated(&shape[read.view.dims.len()..]);
        let mut views = vec![self.a.view.clone(), whole(&self.records)];
        views.extend(self.b.as_ref().map(|b| b.view.clone()));
        if let End::Divide { by, .. } = &self.end {
            views.push(whole(by));
        }
        views
    }

    pub(super) fn nest(&self) -> Option<Nest> {
        let views = self.views();
        nest(&views.iter().collect::<Vec<_>>(), self.rank, &self.order, self.reduction)
    }
}
