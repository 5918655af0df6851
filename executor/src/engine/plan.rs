//! What a layer needs at run time, in an order that suits its loops.

use std::collections::BTreeMap;
use std::sync::Arc;

use narrows_program::{ConstantIndex, DType, Fold, IndexMap, LayerIndex, Operator, Program, Source};

use super::kernel;
use super::pack::{Order, Pack};
use super::values::{Record, Values};

/// An index map in machine words.
#[derive(Debug, Clone, Copy)]
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
    pub source: Source,
    pub dtype: DType,
    pub map: Map,
}

/// How a layer runs.
#[derive(Debug, Clone, Copy)]
pub(super) enum Way {
    /// A dot product whose a does not move with o3 and whose b rows are contiguous. Products are summed in 32 bits in
    /// blocks of so many terms, or in 64 bits.
    Rows { block: Option<usize> },
    /// Outputs that differ in o3 side by side. `narrow`: an element's accumulator provably fits 32 bits.
    Lanes { narrow: bool },
}

/// A layer, planned.
#[derive(Debug, Clone)]
pub(super) struct Layer {
    pub fold: Fold,
    pub dtype: DType,
    pub out: [usize; 4],
    pub red: [usize; 3],
    pub terms: usize,
    pub a: Operand,
    pub windows: [Window; 2],
    pub pad: i32,
    pub b: Option<Operand>,
    pub scale_a: i32,
    pub scale_b: i32,
    pub records: Arc<[Record]>,
    pub params: [usize; 4],
    pub lo: i64,
    pub hi: i64,
    pub way: Way,
    /// How operand b is copied before the layer reads it; its map then speaks of the copy.
    pub pack: Option<Pack>,
    /// The copy, if b is a constant.
    pub packed: Option<Values>,
    /// The last layer that reads this one's output.
    pub last_reader: Option<LayerIndex>,
}

/// Plans every layer of a program.
pub(super) fn layers(program: &Program, constants: &[Values]) -> Vec<Layer> {
    let mut records: BTreeMap<ConstantIndex, Arc<[Record]>> = BTreeMap::new();
    // Copies of constants may take as much room again as the constants, however many layers share one.
    let mut room: usize = constants.iter().map(Values::len).sum();
    let mut layers: Vec<Layer> = Vec::with_capacity(program.layers().len());
    for (position, op) in program.layers().iter().enumerate() {
        let list = records
            .entry(op.params.constant)
            .or_insert_with(|| Record::list(&program.constant(op.params.constant).bytes).into());
        let mut layer = Layer::new(op, list.clone());
        let elements = |source| program.parts().tensor(source).map_or(0, |t| t.elements as usize);
        layer.choose(elements);
        if let (Some(pack), Some(b)) = (&layer.pack, &layer.b)
            && let Source::Constant(constant) = b.source
            && pack.len() <= room
        {
            room -= pack.len();
            layer.packed = Some(pack.apply(&constants[constant.0 as usize]));
        }
        for source in layer.sources() {
            if let Source::Layer(earlier) = source {
                layers[earlier.0 as usize].last_reader = Some(LayerIndex(position as u32));
            }
        }
        layers.push(layer);
    }
    layers
}

impl Layer {
    fn new(op: &Operator, records: Arc<[Record]>) -> Self {
        let window = |w: &narrows_program::Window| Window {
            limit: i64::from(w.limit),
            stride: w.stride as usize,
            out_step: i64::from(w.out_step),
            red_step: i64::from(w.red_step),
            offset: i64::from(w.offset),
        };
        let operand = |operand: &narrows_program::Operand| {
            let IndexMap { base, out, red } = operand.map;
            let map = Map { base: base as usize, out: wide(out), red: wide(red) };
            Operand { source: operand.source, dtype: operand.dtype, map }
        };
        let mut layer = Self {
            fold: op.fold,
            dtype: op.dtype,
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
            lo: i64::from(op.lo),
            hi: i64::from(op.hi),
            way: Way::Lanes { narrow: false },
            pack: None,
            packed: None,
            last_reader: None,
        };
        layer.merge();
        layer
    }

    /// Joins output dimensions to the innermost one where every operand walks through them evenly. The row-major order
    /// of elements stays: all dimensions between the joined ones are 1.
    fn merge(&mut self) {
        for axis in (0..3).rev() {
            let windowed = axis < 2 && self.windows[axis].limit > 0;
            if windowed {
                return;
            }
            if self.out[axis] == 1 {
                continue;
            }
            let inner = self.out[3];
            let mut strides: Vec<&mut [usize; 4]> = vec![&mut self.a.map.out, &mut self.params];
            strides.extend(self.b.as_mut().map(|b| &mut b.map.out));
            if inner == 1 {
                strides.iter_mut().for_each(|s| s[3] = s[axis]);
            } else if strides.iter().any(|s| s[axis] != inner * s[3]) {
                return;
            }
            self.out[3] *= self.out[axis];
            self.out[axis] = 1;
        }
    }

    /// Chooses how the layer runs; `elements` gives a tensor's size.
    fn choose(&mut self, elements: impl Fn(Source) -> usize) {
        let lanes = Way::Lanes { narrow: self.accumulator_bound() <= i32::MAX as u128 };
        self.way = lanes;
        let (Fold::Dot, Some(mut b)) = (self.fold, self.b) else { return };
        let moves = |operand: &Operand, out: &[usize; 4]| out[3] > 1 && operand.map.out[3] != 0;
        let windowed = self.windows.iter().any(|w| w.limit > 0);
        if moves(&self.a, &self.out) && !moves(&b, &self.out) && !windowed {
            std::mem::swap(&mut self.a, &mut b);
        }
        if moves(&self.a, &self.out) {
            let even = matches!(b.map.out[3], 0 | 1) || self.out[3] == 1;
            self.pack = (!even).then(|| Pack::new(&mut b.map, self.out, self.red, Order::Lanes));
        } else {
            let dense = b.map.is_dense(&self.red);
            self.pack = (!dense).then(|| Pack::new(&mut b.map, self.out, self.red, Order::Rows));
            self.way = Way::Rows { block: kernel::block(self.a.dtype, b.dtype) };
        }
        // A copy much larger than its tensor would cost more than it saves.
        if let Some(pack) = self.pack.take_if(|pack| pack.len() > 2 * elements(b.source)) {
            self.way = lanes;
            b.map = pack.source_map();
        }
        self.b = Some(b);
    }

    /// The greatest magnitude of an accumulator, and of every partial one (SPEC 5, bound): terms are summed in any
    /// order, and no sum of some of them exceeds the sum of their magnitudes.
    fn accumulator_bound(&self) -> u128 {
        let magnitude = |dtype: DType| u128::from(dtype.min().unsigned_abs());
        let (a, b) = (magnitude(self.a.dtype), self.b.map_or(1, |b| magnitude(b.dtype)));
        match self.fold {
            Fold::Dot | Fold::Sum => self.terms as u128 * a * b,
            Fold::Max => a - 1,
            Fold::Pair => {
                a * u128::from(self.scale_a.unsigned_abs()) + b * u128::from(self.scale_b.unsigned_abs())
            }
        }
    }

    /// The tensors that the layer reads.
    pub fn sources(&self) -> impl Iterator<Item = Source> {
        [Some(self.a.source), self.b.map(|b| b.source)].into_iter().flatten()
    }

    /// Bytes of the output.
    pub fn output_bytes(&self) -> usize {
        self.out.iter().product::<usize>() * self.dtype.bytes()
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
