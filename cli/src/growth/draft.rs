//! Programs written by hand: operators of 8-bit tensors of rows and columns, added one after another.

use anyhow::{Context as _, Result};
use narrows_program::{
    Constant, ConstantIndex, DType, Finalise, Fold, IndexMap, Meta, Operand, Operator, OperatorIndex, Params,
    Program, ProgramParts, Source, TensorType, Window, record,
};

/// Terms of a segment, for most operators.
const SPLIT: u32 = 1024;

/// A tensor of rows and columns.
#[derive(Debug, Clone, Copy)]
pub struct Matrix {
    /// What makes it.
    pub source: Source,
    /// Its element type.
    pub dtype: DType,
    /// Rows.
    pub rows: u32,
    /// Columns.
    pub columns: u32,
}

/// A matrix of weights in a constant, stored row by row: one row makes one column of a product.
#[derive(Debug, Clone, Copy)]
pub struct Weights {
    /// The constant.
    pub constant: ConstantIndex,
    /// Where the matrix begins in it.
    pub base: u32,
    /// Columns of the product.
    pub columns: u32,
}

/// A program in the making.
#[derive(Debug)]
pub struct Draft {
    input: TensorType,
    operators: Vec<Operator>,
    groups: Vec<u8>,
    constants: Vec<Constant>,
    /// The record of the identity, and that of a half, where some operator reads them.
    same: Option<ConstantIndex>,
    half: Option<ConstantIndex>,
}

impl Draft {
    /// A program that reads an 8-bit matrix, and the matrix.
    pub fn new(rows: u32, columns: u32) -> (Self, Matrix) {
        let input = TensorType { dtype: DType::I8, elements: u64::from(rows) * u64::from(columns) };
        let (operators, groups, constants) = (Vec::new(), Vec::new(), Vec::new());
        let draft = Self { input, operators, groups, constants, same: None, half: None };
        (draft, Matrix { source: Source::Input, dtype: DType::I8, rows, columns })
    }

    /// Adds a constant.
    pub fn constant(&mut self, dtype: DType, bytes: Vec<u8>) -> ConstantIndex {
        self.constants.push(Constant { dtype, bytes });
        ConstantIndex(self.constants.len() as u32 - 1)
    }

    /// Adds one record: times m, divided by 2^s.
    pub fn record(&mut self, m: u32, s: u8) -> ConstantIndex {
        self.constant(DType::Params, record::encode(0, m, s).to_vec())
    }

    fn same(&mut self) -> ConstantIndex {
        let known = self.same.unwrap_or_else(|| self.record(2, 1));
        *self.same.insert(known)
    }

    fn half(&mut self) -> ConstantIndex {
        let known = self.half.unwrap_or_else(|| self.record(1, 1));
        *self.half.insert(known)
    }

    /// Makes a layer of the operators that are in none yet.
    pub fn layer(&mut self) {
        let grouped: usize = self.groups.iter().map(|count| usize::from(*count)).sum();
        let count = u8::try_from(self.operators.len() - grouped).expect("a layer has at most 32 operators");
        self.groups.push(count);
    }

    /// The program.
    ///
    /// # Errors
    /// When it is not legal.
    pub fn finish(self, name: String) -> Result<Program> {
        let meta = Meta { name, ..Meta::default() };
        let Self { input, operators, groups, constants, .. } = self;
        let parts = ProgramParts { input, operators, groups, constants, reveal_bits: 4, meta };
        Program::new(parts).context("a synthetic program is not legal")
    }

    /// Adds an operator of 8 bits that sums `terms` neighbours of each row of `a` for each of `columns` columns, requantised by
    /// `record`: what differs is changed by `with`.
    fn add(
        &mut self,
        a: Matrix,
        (terms, columns): (u32, u32),
        record: ConstantIndex,
        with: impl FnOnce(&mut Operator),
    ) -> Matrix {
        let mut operator = Operator {
            fold: Fold::Sum,
            dtype: DType::I8,
            out: [1, 1, a.rows, columns],
            red: [1, 1, terms],
            a: operand(a, [0, 0, a.columns, 0], 1),
            windows: [Window::default(); 2],
            pad: 0,
            b: None,
            scale_a: 0,
            scale_b: 0,
            finalise: Finalise::Requantise,
            params: Params { constant: record, out: [0; 4] },
            lo: -128,
            hi: 127,
            split: SPLIT,
        };
        with(&mut operator);
        let (dtype, rows) = (operator.dtype, a.rows);
        let source = Source::Operator(OperatorIndex(self.operators.len() as u32));
        self.operators.push(operator);
        Matrix { source, dtype, rows, columns }
    }

    /// Adds a product with weights, requantised by `record`, by `table` if there is one (of 256 entries).
    pub fn dense(
        &mut self,
        a: Matrix,
        weights: Weights,
        record: ConstantIndex,
        table: Option<ConstantIndex>,
    ) -> Matrix {
        let source = Source::Constant(weights.constant);
        self.add(a, (a.columns, weights.columns), record, |operator| {
            operator.fold = Fold::Dot;
            let map = IndexMap { base: weights.base, out: [0, 0, 0, a.columns], red: [0, 0, 1] };
            operator.b = Some(Operand { source, dtype: DType::I8, map });
            operator.finalise = table.map_or(Finalise::Requantise, Finalise::Table);
        })
    }

    /// Adds the product of each row of `a` with each row of `b`.
    pub fn products(&mut self, a: Matrix, b: Matrix, record: ConstantIndex) -> Matrix {
        self.add(a, (a.columns, b.rows), record, |operator| {
            operator.fold = Fold::Dot;
            operator.b = Some(operand(b, [0, 0, 0, b.columns], 1));
        })
    }

    /// Adds a mixture of the rows of `a`, by a square of weights with a row for each row that comes out.
    pub fn mixed(&mut self, a: Matrix, mixture: ConstantIndex, record: ConstantIndex) -> Matrix {
        self.add(a, (a.rows, a.columns), record, |operator| {
            operator.fold = Fold::Dot;
            operator.a.map = IndexMap { base: 0, out: [0, 0, 0, 1], red: [0, 0, a.columns] };
            let map = IndexMap { base: 0, out: [0, 0, a.rows, 0], red: [0, 0, 1] };
            operator.b = Some(Operand { source: Source::Constant(mixture), dtype: DType::I8, map });
        })
    }

    /// Adds the mean of two matrices of one size.
    pub fn mean(&mut self, a: Matrix, b: Matrix) -> Matrix {
        let half = self.half();
        self.add(a, (1, a.columns), half, |operator| {
            operator.fold = Fold::Pair;
            operator.a = operand(a, [0, 0, a.columns, 1], 0);
            operator.b = Some(operand(b, [0, 0, b.columns, 1], 0));
            (operator.scale_a, operator.scale_b) = (1, 1);
        })
    }

    /// Adds the softmax of each row of `scores` times the rows of `values`: greatest, exponentials by `table`, their sum, and
    /// the product divided by it.
    pub fn attended(&mut self, scores: Matrix, values: Matrix, table: ConstantIndex) -> Matrix {
        let (keys, width, same) = (scores.columns, values.columns, self.same());
        let top = self.add(scores, (keys, 1), same, |operator| {
            operator.fold = Fold::Max;
            operator.pad = -128;
        });
        let powers = self.add(scores, (1, keys), same, |operator| {
            operator.fold = Fold::Pair;
            operator.a = operand(top, [0, 0, 1, 0], 0);
            operator.b = Some(operand(scores, [0, 0, keys, 1], 0));
            (operator.scale_a, operator.scale_b) = (1, -1);
            operator.finalise = Finalise::Table(table);
            (operator.lo, operator.hi) = (0, 255);
        });
        let sum = self.add(powers, (keys, 1), same, |operator| {
            operator.dtype = DType::I32;
            // A divisor is at least 1.
            (operator.lo, operator.hi) = (1, i32::MAX);
        });
        self.add(powers, (keys, width), same, |operator| {
            operator.fold = Fold::Dot;
            operator.b = Some(operand(values, [0, 0, 0, 1], width));
            operator.finalise = Finalise::Divide { by: operand(sum, [0, 0, 1, 0], 0), lift: 0 };
            operator.split = 128;
        })
    }
}

fn operand(matrix: Matrix, out: [u32; 4], step: u32) -> Operand {
    let map = IndexMap { base: 0, out, red: [0, 0, step] };
    Operand { source: matrix.source, dtype: matrix.dtype, map }
}
