//! From a seed to a program and an input, step by step as SPEC 7.2 to 7.5 say: legal by construction.

use narrows_program::{
    Constant, ConstantIndex, DType, Finalise, Fold, IndexMap, Meta, Operand, Operator, OperatorIndex, Params,
    ProgramParts, Source, TensorType, Window, record,
};

use super::draw::{Draw, bits};
use super::records::{Demand, layout, records};
use super::{Ending, Kind};

/// Accumulators and lifted accumulators stay this small, so that each kind of record is legal.
const REACH: u128 = 1 << 60;

/// Where the operands come from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// a is the input, b a constant.
    Direct,
    /// a is the output of an operator that makes the input's values smaller, b a constant.
    Prepared,
    /// a is a constant, b the input.
    Swapped,
}

/// A division's operand: the divisor's type, its map, its elements and its range.
struct Divisor {
    dtype: DType,
    map: IndexMap,
    elements: u32,
    lo: i32,
    hi: i32,
}

/// Everything but tensors' contents.
struct Shape {
    kind: Kind,
    out: [u32; 4],
    red: [u32; 3],
    split: u32,
    role: Role,
    windows: [Window; 2],
    a: (IndexMap, u32),
    b: (IndexMap, u32),
    scales: [i32; 2],
    /// Bits of a prepared a's values.
    prepared: u32,
    lo: i32,
    hi: i32,
    divisor: Option<Divisor>,
}

/// The parts of the program of this seed, and its input.
pub(super) fn build(kind: Kind, seed: u64) -> (ProgramParts, Vec<u8>) {
    let mut draw = Draw(seed);
    let shape = shape(&mut draw, kind);
    let (finalise_reach, lift) = reach(&mut draw, &shape);
    let beneath = (kind.ending == Ending::Root).then(|| draw.pick(&[0, 1000, finalise_reach, 1 << 61]));
    let reach = match (&shape.divisor, beneath) {
        (Some(by), _) => ((finalise_reach << lift) + by.hi as u128 / 2) / by.lo as u128 + 1,
        (_, Some(beneath)) => (finalise_reach + beneath).isqrt(),
        _ => finalise_reach,
    };
    let most = shape.lo.unsigned_abs().max(shape.hi.unsigned_abs());
    let target = most.checked_ilog2().map_or(0, |log| i64::from(log) + 1);
    let (steps, count) = layout(&mut draw, shape.out);
    let records = records(&mut draw, &Demand { reach, target, beneath }, count);
    let together = draw.below(2) == 0;
    let reveal_bits = 1 + draw.small(6) as u8;

    let input = input_type(&shape);
    let bytes = draw.tensor(input);
    let mut constants = vec![Constant { dtype: DType::Params, bytes: records }];
    let mut constant = |dtype, bytes| {
        constants.push(Constant { dtype, bytes });
        ConstantIndex(constants.len() as u32 - 1)
    };
    let mut random = |dtype, elements: u32| {
        let bytes = draw.tensor(TensorType { dtype, elements: elements.into() });
        constant(dtype, bytes)
    };
    let operand = match (shape.role, kind.b) {
        (Role::Swapped, _) => Some(random(kind.a, shape.a.1)),
        (_, Some(b)) => Some(random(b, shape.b.1)),
        _ => None,
    };
    let entries = i64::from(shape.hi) - i64::from(shape.lo) + 1;
    let table = (kind.ending == Ending::Table).then(|| random(kind.out, entries as u32));

    let mut operators = Vec::new();
    let mut finalise = match (kind.ending, table) {
        (Ending::Root, _) => Finalise::Root,
        (_, Some(table)) => Finalise::Table(table),
        _ => Finalise::Requantise,
    };
    if let Some(by) = &shape.divisor {
        let params = constant(DType::Params, record::encode(0, 2, 1).to_vec());
        operators.push(Operator {
            dtype: by.dtype,
            lo: by.lo,
            hi: by.hi,
            ..copy(input.dtype, by.elements, params)
        });
        let source = Source::Operator(OperatorIndex(0));
        finalise = Finalise::Divide { by: Operand { source, dtype: by.dtype, map: by.map }, lift };
    }
    let mut a = Source::Input;
    if shape.role == Role::Prepared {
        let less = bits(kind.a) - 1 - shape.prepared;
        let one = if less == 0 { record::encode(0, 2, 1) } else { record::encode(0, 1, less as u8) };
        let params = constant(DType::Params, one.to_vec());
        a = Source::Operator(OperatorIndex(operators.len() as u32));
        let limit = 1i64 << shape.prepared;
        let (lo, hi) = (-limit as i32, (limit - 1) as i32);
        operators.push(Operator { lo, hi, ..copy(kind.a, shape.a.1, params) });
    }
    let other = operand.map_or(Source::Input, Source::Constant);
    let (a, b) = if shape.role == Role::Swapped { (other, Source::Input) } else { (a, other) };
    operators.push(Operator {
        fold: kind.fold,
        dtype: kind.out,
        out: shape.out,
        red: shape.red,
        a: Operand { source: a, dtype: kind.a, map: shape.a.0 },
        windows: shape.windows,
        pad: if kind.fold == Fold::Max { kind.a.min() as i32 } else { 0 },
        b: kind.b.map(|dtype| Operand { source: b, dtype, map: shape.b.0 }),
        scale_a: shape.scales[0],
        scale_b: shape.scales[1],
        finalise,
        params: Params { constant: ConstantIndex(0), out: steps },
        lo: shape.lo,
        hi: shape.hi,
        split: shape.split,
    });
    let count = operators.len();
    let groups = if together { vec![count as u8] } else { vec![1; count] };
    (ProgramParts { input, operators, groups, constants, reveal_bits, meta: Meta::default() }, bytes)
}

/// SPEC 7.2: the draws that shape the operator.
fn shape(draw: &mut Draw, kind: Kind) -> Shape {
    let fold = kind.fold;
    let (o0, o1, o2) = (1 + draw.small(6), 1 + draw.small(6), 1 + draw.small(4));
    let out = [o0, o1, o2, 200u32.div_ceil(o0 * o1 * o2)];
    let red = match fold {
        Fold::Pair | Fold::Gather => [1; 3],
        _ if draw.once_in(8) => [1, 1, 65 + draw.small(200)],
        _ => [1 + draw.small(3), 1 + draw.small(3), 1 + draw.small(9)],
    };
    let split = draw.pick(&[1 << 14, 64, 64, 7]);
    let role = draw.pick(&[Role::Direct, Role::Prepared, Role::Swapped]);
    let role = match (role, fold, kind.b) {
        (_, Fold::Dot, Some(DType::I32)) if kind.a == DType::I32 => Role::Prepared,
        (Role::Swapped, _, None) => Role::Direct,
        _ => role,
    };
    let mut windows = [Window::default(); 2];
    if matches!(fold, Fold::Dot | Fold::Sum | Fold::Max | Fold::Pair) {
        for axis in 0..2 {
            if draw.below(2) == 1 {
                windows[axis] = window(draw, fold, out[axis], red[axis]);
            }
        }
    }
    let (map_a, most) = map(draw, out, red);
    let reached = windows.iter().enumerate().map(|(axis, w)| position(w, out[axis], red[axis]) * w.stride);
    let a = (map_a, most + reached.sum::<u32>() + 1 + draw.small(3));
    let mut b = (IndexMap::default(), 0);
    let mut scales = [0; 2];
    if kind.b.is_some() {
        let (map, most) = map(draw, out, red);
        if fold == Fold::Gather {
            let many = draw.pick(&[1, 4, 30, 300]);
            let (rows, step) = (1 + draw.small(many), draw.small(5));
            scales = [step as i32, rows as i32];
        }
        let rows = if fold == Fold::Gather { (scales[1] - 1) as u32 * scales[0] as u32 } else { 0 };
        b = (map, most + rows + 1 + draw.small(3));
    }
    if fold == Fold::Pair {
        scales = [(); 2].map(|()| {
            let any = draw.value(DType::I32);
            (any >> (3 + draw.below(29))) as i32
        });
    }
    let prepared =
        if role == Role::Prepared { (6 + draw.small(10)).min(bits(kind.a) - 1) } else { bits(kind.a) - 1 };
    let (lo, hi) = range(draw, kind);
    let divisor = (kind.ending == Ending::Divide).then(|| divisor(draw, out));
    Shape { kind, out, red, split, role, windows, a, b, scales, prepared, lo, hi, divisor }
}

/// A window over an axis; for max one in which each output finds a term.
fn window(draw: &mut Draw, fold: Fold, out: u32, red: u32) -> Window {
    let (out_step, red_step) = (1 + draw.small(3), 1 + draw.small(2));
    let beyond = if fold == Fold::Max { 1 } else { 3 };
    let offset = draw.small((red - 1) * red_step + beyond);
    let last = ((out - 1) * out_step).saturating_sub(offset);
    let mut limit = red_step.max(last + 1) + draw.small(3);
    if fold != Fold::Max && draw.once_in(3) {
        limit = 1 + draw.small(4);
    }
    let stride = 1 + draw.small(20);
    let [out_step, red_step, offset] = [out_step, red_step, offset].map(|n| n as u16);
    Window { limit, stride, out_step, red_step, offset }
}

/// The greatest position that a window reaches; 0 if there is none.
fn position(window: &Window, out: u32, red: u32) -> u32 {
    let last = (out - 1) * u32::from(window.out_step) + (red - 1) * u32::from(window.red_step);
    last.saturating_sub(window.offset.into()).min(window.limit.saturating_sub(1))
}

/// A map, and the greatest address that it reaches without windows.
fn map(draw: &mut Draw, out: [u32; 4], red: [u32; 3]) -> (IndexMap, u32) {
    let mut step = |_| draw.pick(&[0, 1, 1, 2, 3, 5]);
    let (out_steps, red_steps) = (out.map(&mut step), red.map(&mut step));
    let base = draw.small(4);
    let reach = |dims: &[u32], steps: &[u32]| dims.iter().zip(steps).map(|(d, s)| (d - 1) * s).sum::<u32>();
    let most = base + reach(&out, &out_steps) + reach(&red, &red_steps);
    (IndexMap { base, out: out_steps, red: red_steps }, most)
}

/// lo and hi: of the output, or of a table's index.
fn range(draw: &mut Draw, kind: Kind) -> (i32, i32) {
    if kind.ending == Ending::Table {
        let entries = match draw.pick(&[256, 256, 0, 0, 0, 2, 1]) {
            0 => 1 + draw.below(300) as i64,
            few => few,
        };
        let least = i64::from(i32::MIN);
        let middle = -(entries / 2);
        let lo = draw.pick(&[0, middle, middle, middle, least, -least - entries]);
        return (lo as i32, (lo + entries - 1) as i32);
    }
    let (least, greatest) = (kind.out.min() as i32, kind.out.max() as i32);
    match draw.below(4) {
        0 | 1 => (least, greatest),
        2 => (0, greatest),
        _ => {
            let (x, y) = (draw.value(kind.out) as i32, draw.value(kind.out) as i32);
            (x.min(y), x.max(y))
        }
    }
}

fn divisor(draw: &mut Draw, out: [u32; 4]) -> Divisor {
    let dtype = draw.pick(&[DType::I8, DType::I16, DType::I32]);
    let base = draw.small(4);
    let steps = out.map(|_| draw.small(3));
    let reach: u32 = out.iter().zip(&steps).map(|(d, s)| (d - 1) * s).sum();
    let lo = draw.pick(&[1, 1, 2, 100]);
    let hi = draw.pick(&[dtype.max() as i32, lo, lo + 27]);
    let map = IndexMap { base, out: steps, red: [0; 3] };
    Divisor { dtype, map, elements: base + reach + 1, lo, hi }
}

/// How great what is finalised may be, X or K, and the lift.
fn reach(draw: &mut Draw, shape: &Shape) -> (u128, u8) {
    let terms: u128 = shape.red.iter().map(|r| u128::from(*r)).product();
    let a = 1u128 << shape.prepared;
    let b = shape.kind.b.map_or(1, |b| 1u128 << (bits(b) - 1));
    let [scale_a, scale_b] = shape.scales.map(|scale| u128::from(scale.unsigned_abs()));
    let reach = match shape.kind.fold {
        Fold::Dot | Fold::Sum => terms * a * b,
        Fold::Max => a,
        Fold::Pair => (a * scale_a + b * scale_b).max(1),
        Fold::Gather => b,
        Fold::ArgMax => terms,
    };
    assert!(reach <= REACH, "the recipe keeps accumulators small");
    let Some(_) = &shape.divisor else { return (reach, 0) };
    let most = (0..=30).rev().find(|lift| reach << lift <= REACH).unwrap_or(0);
    (reach, draw.below(most + 1) as u8)
}

/// The input, which a divisor is copied from too.
fn input_type(shape: &Shape) -> TensorType {
    let (dtype, elements) = match (shape.role, shape.kind.b) {
        (Role::Swapped, Some(b)) => (b, shape.b.1),
        _ => (shape.kind.a, shape.a.1),
    };
    let copied = shape.divisor.as_ref().map_or(0, |by| by.elements);
    TensorType { dtype, elements: elements.max(copied).into() }
}

/// An operator that copies the first elements of the input, with one record.
fn copy(dtype: DType, elements: u32, params: ConstantIndex) -> Operator {
    Operator {
        fold: Fold::Sum,
        dtype,
        out: [1, 1, 1, elements],
        red: [1; 3],
        a: Operand {
            source: Source::Input,
            dtype,
            map: IndexMap { out: [0, 0, 0, 1], ..IndexMap::default() },
        },
        windows: [Window::default(); 2],
        pad: 0,
        b: None,
        scale_a: 0,
        scale_b: 0,
        finalise: Finalise::Requantise,
        params: Params { constant: params, out: [0; 4] },
        lo: dtype.min() as i32,
        hi: dtype.max() as i32,
        split: 1 << 14,
    }
}
