//! What an operator needs at run time, in an order that suits its loops.

use std::collections::BTreeMap;
use std::sync::Arc;

use narrows_program::{
    Bytes, ConstantIndex, DType, Finalise, Fold, IndexMap, Operator, Program, Source, TensorType,
};

use super::arch::Kernel;
use super::gemm::{Gemm, Shared};
use super::kernel;
use super::lazy::Lazy;
use super::pack::{Order, Pack};
use super::values::Records;

/// Neighbouring terms that are worth being folded side by side.
const LEAST_RUN: usize = 8;

/// A tensor, by what makes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The program's input.
    Input,
    /// A constant.
    Constant(usize),
    /// An earlier operator's output.
    Output(usize),
}

/// An index map in machine words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Map {
    pub base: usize,
    pub out: [usize; 4],
    pub red: [usize; 3],
}

/// A window in machine words; limit 0 for none.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    pub limit: i64,
    pub stride: usize,
    pub out_step: i64,
    pub red_step: i64,
    pub offset: i64,
}

/// An operand's tensor and map.
#[derive(Debug, Clone, Copy)]
pub(super) struct Operand {
    pub source: Place,
    pub dtype: DType,
    pub map: Map,
}

/// How an operator's elements end (SPEC 2.3).
#[derive(Debug, Clone, Copy)]
pub(super) enum End {
    Requantise,
    /// By a table of the output's type.
    Table(Place),
    /// Divided by an element of `by`, after a lift of so many bits.
    Divide {
        by: Operand,
        lift: u32,
    },
    Root,
}

/// How an operator runs.
#[derive(Debug, Clone)]
pub(super) enum Way {
    /// A dot product whose a does not move with o3 and whose b rows are contiguous. Products are summed in 32 bits in
    /// blocks of so many terms, or in 64 bits.
    Rows { block: Option<usize> },
    /// Outputs that differ in o3 side by side. `narrow`: an element's accumulator provably fits 32 bits.
    Lanes { narrow: bool },
    /// One output after another, its terms side by side; products are summed as `Rows` does.
    Reduce { block: Option<usize> },
    /// A product of matrices, in the kernel's tiles.
    Gemm(Arc<Gemm>),
}

/// An operator, planned.
#[derive(Debug, Clone)]
pub(super) struct Planned {
    pub fold: Fold,
    pub dtype: DType,
    /// Bytes of an output element.
    pub width: usize,
    pub out: [usize; 4],
    pub red: [usize; 3],
    pub terms: usize,
    pub a: Operand,
    pub windows: [Window; 2],
    pub pad: i32,
    pub b: Option<Operand>,
    pub scale_a: i32,
    pub scale_b: i32,
    pub records: Arc<Records>,
    pub params: [usize; 4],
    pub end: End,
    pub lo: i64,
    pub hi: i64,
    /// Whether no output is negative.
    pub positive: bool,
    pub way: Way,
    /// How operand b is copied before the operator reads it; its map then speaks of the copy.
    pub pack: Option<Pack>,
    /// The copy, if b is a constant and the copy is kept: made at its first use.
    pub packed: Option<Lazy<Vec<u8>>>,
    /// Whether accumulators, multipliers and what is clamped all fit 32 bits, their signs included.
    pub tame: bool,
}

/// A whole program, planned.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub input: TensorType,
    pub operators: Vec<Planned>,
    /// The program's own constants: nothing of them is copied before its first use.
    pub constants: Vec<Bytes>,
}

impl Plan {
    /// Plans every operator of a program for `kernel`, without reading weights. Of the engine, this alone reads
    /// programs.
    pub fn new(program: &Program, kernel: Kernel) -> Self {
        let mut records: BTreeMap<ConstantIndex, Arc<Records>> = BTreeMap::new();
        // Copies of constants may take as much room again as the constants, however many operators share one.
        let constant = |index: usize| &program.constants()[index];
        let mut room: usize = program.constants().iter().map(|c| c.bytes.len()).sum();
        let elements = |place: Place| match place {
            Place::Input => program.header().input.elements as usize,
            Place::Constant(index) => constant(index).tensor().elements as usize,
            Place::Output(index) => program.operators()[index].elements() as usize,
        };
        // Tables, too, are read once, however many operators end in one.
        let mut positive_tables: BTreeMap<usize, bool> = BTreeMap::new();
        let mut shared = Shared::default();
        let mut operators: Vec<Planned> = Vec::with_capacity(program.operators().len());
        for op in program.operators() {
            let list = records
                .entry(op.params.constant)
                .or_insert_with(|| Arc::new(Records::new(program.constant(op.params.constant))));
            let mut operator = Planned::new(op, list.clone());
            operator.positive = match operator.end {
                End::Table(Place::Constant(index)) => *positive_tables.entry(index).or_insert_with(|| {
                    let table = constant(index);
                    (0..elements(Place::Constant(index)))
                        .all(|entry| table.dtype.read(&table.bytes, entry).is_some_and(|entry| entry >= 0))
                }),
                _ => operator.lo >= 0,
            };
            let positive = |place| matches!(place, Place::Output(earlier) if operators[earlier].positive);
            operator.choose(kernel, elements, positive, &mut shared);
            if let (Some(pack), Some(b)) = (&operator.pack, &operator.b)
                && matches!(b.source, Place::Constant(_))
                && pack.len() * b.dtype.bytes() <= room
            {
                room -= pack.len() * b.dtype.bytes();
                operator.packed = Some(Lazy::default());
            }
            operators.push(operator);
        }
        let constants = program.constants().iter().map(|constant| constant.bytes.clone()).collect();
        Self { input: program.header().input, operators, constants }
    }
}

impl Planned {
    fn new(op: &Operator, records: Arc<Records>) -> Self {
        let window = |w: &narrows_program::Window| Window {
            limit: i64::from(w.limit),
            stride: w.stride as usize,
            out_step: i64::from(w.out_step),
            red_step: i64::from(w.red_step),
            offset: i64::from(w.offset),
        };
        let place = |source: Source| match source {
            Source::Input => Place::Input,
            Source::Constant(index) => Place::Constant(index.0 as usize),
            Source::Operator(index) => Place::Output(index.0 as usize),
        };
        let operand = |operand: &narrows_program::Operand| {
            let IndexMap { base, out, red } = operand.map;
            let map = Map { base: base as usize, out: wide(out), red: wide(red) };
            Operand { source: place(operand.source), dtype: operand.dtype, map }
        };
        let end = match &op.finalise {
            Finalise::Requantise => End::Requantise,
            Finalise::Table(table) => End::Table(place(Source::Constant(*table))),
            Finalise::Divide { by, lift } => End::Divide { by: operand(by), lift: u32::from(*lift) },
            Finalise::Root => End::Root,
        };
        let mut operator = Self {
            fold: op.fold,
            dtype: op.dtype,
            width: op.dtype.bytes(),
            out: wide(op.out),
            red: wide(op.red),
            terms: op.terms() as usize,
            a: operand(&op.a),
            windows: [window(&op.windows[0]), window(&op.windows[1])],
            pad: op.pad,
            b: op.b.as_ref().map(operand),
            scale_a: op.scale_a,
            scale_b: op.scale_b,
            records,
            params: wide(op.params.out),
            end,
            lo: i64::from(op.lo),
            hi: i64::from(op.hi),
            positive: false,
            way: Way::Lanes { narrow: false },
            pack: None,
            packed: None,
            tame: false,
        };
        operator.merge();
        operator
    }

    /// Chooses how the operator runs; `elements` gives a tensor's size, `positive` says whether no value of it is negative.
    fn choose(
        &mut self,
        kernel: Kernel,
        elements: impl Fn(Place) -> usize,
        positive: impl Fn(Place) -> bool,
        shared: &mut Shared,
    ) {
        let bound = self.accumulator_bound();
        let narrow = bound <= i32::MAX as u128;
        let clamped = matches!(self.end, End::Requantise | End::Table(_));
        self.tame = narrow && clamped && self.records.narrow && self.records.quotients_fit(bound);
        self.way = match self.fold {
            Fold::ArgMax => Way::Reduce { block: None },
            Fold::Sum | Fold::Max if self.reduces() => Way::Reduce { block: None },
            _ => Way::Lanes { narrow },
        };
        let (Fold::Dot, Some(mut b)) = (self.fold, self.b) else { return };
        let moves = |operand: &Operand, out: &[usize; 4]| out[3] > 1 && operand.map.out[3] != 0;
        let windowed = self.windows.iter().any(|w| w.limit > 0);
        if moves(&self.a, &self.out) && !moves(&b, &self.out) && !windowed {
            std::mem::swap(&mut self.a, &mut b);
            self.b = Some(b);
        }
        if self.terms == 1 {
            return;
        }
        let sizes = [elements(self.a.source), elements(b.source)];
        if let Some(gemm) = Gemm::new(self, kernel, sizes, positive(self.a.source), shared) {
            self.way = Way::Gemm(Arc::new(gemm));
            return;
        }
        let block = kernel::block(self.a.dtype, b.dtype);
        if moves(&self.a, &self.out) {
            if self.reduces() && b.map.red[2] == 1 {
                self.way = Way::Reduce { block };
                return;
            }
            let even = matches!(b.map.out[3], 0 | 1) || self.out[3] == 1;
            self.pack = (!even).then(|| Pack::new(&mut b.map, self.out, self.red, Order::Lanes));
        } else {
            let dense = b.map.is_dense(&self.red);
            if !dense && !matches!(b.source, Place::Constant(_)) && b.map.out[3] == 1 {
                // Lanes read b as it stands; rows would copy it at every run.
                return;
            }
            self.pack = (!dense).then(|| Pack::new(&mut b.map, self.out, self.red, Order::Rows));
            self.way = Way::Rows { block };
        }
        // A copy much larger than its tensor would cost more than it saves.
        if let Some(pack) = self.pack.take_if(|pack| pack.len() > 2 * elements(b.source)) {
            self.way = Way::Lanes { narrow };
            b.map = pack.source_map();
        }
        self.b = Some(b);
    }

    /// Whether the terms of an element stand next to each other in a, and neighbouring outputs' do not.
    fn reduces(&self) -> bool {
        let map = &self.a.map;
        self.red[2] >= LEAST_RUN && map.red[2] == 1 && (self.out[3] == 1 || map.out[3] != 1)
    }

    /// The greatest magnitude of an accumulator, and of every partial one (SPEC 5, bound): terms are summed in any
    /// order, and no sum of some of them exceeds the sum of their magnitudes.
    fn accumulator_bound(&self) -> u128 {
        let magnitude = |dtype: DType| u128::from(dtype.min().unsigned_abs());
        let (a, b) = (magnitude(self.a.dtype), self.b.map_or(1, |b| magnitude(b.dtype)));
        match self.fold {
            Fold::Dot | Fold::Sum => self.terms as u128 * a * b,
            Fold::Max => a - 1,
            Fold::Gather => b,
            Fold::ArgMax => (a + 1) << 24,
            Fold::Pair => {
                a * u128::from(self.scale_a.unsigned_abs()) + b * u128::from(self.scale_b.unsigned_abs())
            }
        }
    }

    /// The tensors that the operator reads.
    pub fn sources(&self) -> impl Iterator<Item = Place> {
        [Some(self.a.source), self.b.map(|b| b.source), self.third()].into_iter().flatten()
    }

    /// The table or the divisors.
    pub fn third(&self) -> Option<Place> {
        match &self.end {
            End::Table(table) => Some(*table),
            End::Divide { by, .. } => Some(by.source),
            End::Requantise | End::Root => None,
        }
    }

    /// Bytes of the output.
    pub fn output_bytes(&self) -> usize {
        self.out.iter().product::<usize>() * self.width
    }
}

impl Map {
    /// Whether all terms of an element stand next to each other, in order.
    fn is_dense(&self, red: &[usize; 3]) -> bool {
        let steps = [red[1] * red[2], red[2], 1];
        (0..3).all(|axis| red[axis] == 1 || self.red[axis] == steps[axis])
    }
}

fn wide<const N: usize>(values: [u32; N]) -> [usize; N] {
    values.map(|v| v as usize)
}
