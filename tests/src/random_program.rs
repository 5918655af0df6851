//! Random legal programs with an input, biased to extremes: types' least and greatest values, records at the bound,
//! windows that mostly miss, strides of every kind, tables, divisions and roots; cut into layers of every kind: of one
//! operator, of several, of all.
//!
//! A program is read off a list of random words, and an exhausted list goes on with zeros, the simplest choices: so
//! proptest shrinks a failing program by shrinking the list.

use std::ops::RangeInclusive;

use narrows_program::{
    Constant, ConstantIndex, DType, Finalise, Fold, IndexMap, Meta, Operand, Operator, OperatorIndex, Params,
    Program, ProgramParts, Source, TensorType, Window,
};
use proptest::collection::vec;
use proptest::prelude::*;

mod ending;

/// Random legal programs with an input each: one to six operators of any folds.
pub fn program() -> impl Strategy<Value = (Program, Vec<u8>)> {
    program_of(None, 1..=6)
}

/// As [`program`], with a number of operators in `operators`, all with this fold.
pub fn program_with(
    fold: Fold,
    operators: RangeInclusive<usize>,
) -> impl Strategy<Value = (Program, Vec<u8>)> {
    program_of(Some(fold), operators)
}

fn program_of(
    fold: Option<Fold>,
    operators: RangeInclusive<usize>,
) -> impl Strategy<Value = (Program, Vec<u8>)> {
    let words = vec(any::<u32>(), 0..1600);
    (operators, words)
        .prop_map(move |(operators, words)| build(&mut Draw { words, next: 0 }, fold, operators))
}

/// A stream of choices.
struct Draw {
    words: Vec<u32>,
    next: usize,
}

impl Draw {
    fn word(&mut self) -> u32 {
        self.next += 1;
        self.words.get(self.next - 1).copied().unwrap_or(0)
    }

    /// A number in 0 … `most`.
    fn upto(&mut self, most: u64) -> u64 {
        let wide = u64::from(self.word()) << 32 | u64::from(self.word());
        if most == u64::MAX { wide } else { wide % (most + 1) }
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.upto(from.len() as u64 - 1) as usize]
    }

    /// True once in `n` times; false when the words are exhausted.
    fn once_in(&mut self, n: u64) -> bool {
        self.upto(n - 1) == n - 1
    }

    /// A dimension, small and often 1.
    fn dimension(&mut self) -> u32 {
        self.pick(&[1, 2, 3, 1, 4, 1, 2, 5, 7])
    }

    /// Canonical bytes of a tensor: random, or extremes only, or a mixture.
    fn tensor(&mut self, tensor: TensorType) -> Vec<u8> {
        let kind = self.upto(4);
        let mut state = u64::from(self.word());
        let mut out = Vec::new();
        for _ in 0..tensor.elements {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let (extreme, random) = (state >> 33, (state >> 20) as i64);
            let (least, greatest) = (tensor.dtype.min(), tensor.dtype.max());
            let value = match (kind, extreme % 4) {
                (0, _) | (1, 2..) => least + random.rem_euclid(greatest - least + 1),
                (2, _) => least,
                (3, _) => [least, greatest, least, least][extreme as usize % 4],
                (_, which) => [least, greatest, -1, 0][which as usize],
            };
            tensor.dtype.write(value, &mut out);
        }
        out
    }
}

/// Sizes of the input and of constants that serve as one: mostly small, so that programs are quick to evaluate.
fn elements(draw: &mut Draw) -> u64 {
    let most = draw.pick(&[240, 240, 1500]);
    1 + draw.upto(most)
}

fn build(draw: &mut Draw, fold: Option<Fold>, operators: usize) -> (Program, Vec<u8>) {
    // First, so that the words are never exhausted before it.
    let sizes = sizes(draw, operators);
    let dtype = integer(draw);
    let input = TensorType { dtype, elements: elements(draw) };
    let bytes = draw.tensor(input);
    let mut parts = ProgramParts {
        input,
        operators: vec![],
        groups: vec![],
        constants: vec![],
        reveal_bits: 1 + draw.upto(5) as u8,
        meta: Meta::default(),
    };
    while parts.operators.len() < operators {
        let legal = (0..12).any(|_| {
            let before = parts.clone();
            add_operator(draw, &mut parts, fold);
            let legal = Program::new(parts.clone()).is_ok();
            if !legal {
                parts = before;
            }
            legal
        });
        if !legal {
            break;
        }
    }
    if parts.operators.is_empty() {
        // The words held no legal operator, or there are none: the simplest choices make one.
        add_operator(&mut Draw { words: vec![], next: 0 }, &mut parts, fold);
    }
    parts.groups = cut(&sizes, parts.operators.len());
    (Program::new(parts).expect("legal by construction"), bytes)
}

/// How many operators each layer should have: one each, or a few, or all in one.
fn sizes(draw: &mut Draw, operators: usize) -> Vec<u8> {
    let kind = draw.upto(4);
    let size = |draw: &mut Draw| match kind {
        0 => 1,
        1..=3 => 1 + draw.upto(3) as u8,
        _ => operators as u8,
    };
    (0..operators).map(|_| size(draw)).collect()
}

/// The first of `sizes`, the last of them cut short, that hold `operators` operators together.
fn cut(sizes: &[u8], operators: usize) -> Vec<u8> {
    let mut left = operators as u8;
    let taken = sizes.iter().map(|size| {
        let size = (*size).min(left);
        left -= size;
        size
    });
    taken.filter(|size| *size > 0).collect()
}

fn integer(draw: &mut Draw) -> DType {
    draw.pick(&[DType::I8, DType::I16, DType::I8, DType::I32])
}

fn add_operator(draw: &mut Draw, parts: &mut ProgramParts, fold: Option<Fold>) {
    let folds = [
        Fold::Dot,
        Fold::Sum,
        Fold::Max,
        Fold::Pair,
        Fold::Dot,
        Fold::Gather,
        Fold::Dot,
        Fold::ArgMax,
        Fold::Pair,
    ];
    let fold = fold.unwrap_or_else(|| draw.pick(&folds));
    let mut out: [u32; 4] = std::array::from_fn(|_| draw.dimension());
    let mut red: [u32; 3] = std::array::from_fn(|_| draw.dimension());
    if draw.once_in(6) {
        (out, red) = ([1, 1, out[2], out[3]], [1, 1, 200 + draw.upto(500) as u32]);
    } else if draw.once_in(6) {
        out[3] = 1 + draw.upto(80) as u32;
    }
    if matches!(fold, Fold::Pair | Fold::Gather) {
        red = [1; 3];
    }
    let dtype = integer(draw);
    let (lo, hi) = ending::clip(draw, dtype);
    let mut op = Operator {
        fold,
        dtype,
        out,
        red,
        a: Operand { source: source(draw, parts), dtype: DType::I8, map: IndexMap::default() },
        windows: [Window::default(); 2],
        pad: 0,
        b: None,
        scale_a: 0,
        scale_b: 0,
        finalise: Finalise::Requantise,
        params: Params { constant: ConstantIndex(0), out: [0; 4] },
        lo,
        hi,
        split: draw.pick(&[1 << 14, 1, 2, 7, 64]),
    };
    convolution(draw, parts, &mut op);
    match fold {
        Fold::Dot | Fold::Pair => second_operand(draw, parts, &mut op),
        Fold::Gather => rows(draw, parts, &mut op),
        Fold::Sum | Fold::Max | Fold::ArgMax => {}
    }
    if fold == Fold::Max {
        op.pad = op.a.dtype.min() as i32;
    }
    if fold == Fold::Pair {
        (op.scale_a, op.scale_b) = (scale(draw), scale(draw));
    }
    let terms = u64::from(op.red[0]) * u64::from(op.red[1]) * u64::from(op.red[2]);
    op.split = op.split.max(terms.div_ceil(256) as u32);
    ending::ending(draw, parts, &mut op);
    parts.operators.push(op);
    parts.groups.push(1);
}

/// A tensor that an operator may read: the newest output most often, or an older one (a residual), the input, or a new
/// constant.
fn source(draw: &mut Draw, parts: &mut ProgramParts) -> Source {
    let made = parts.operators.len() as u64;
    match draw.upto(9) {
        0..4 if made > 0 => Source::Operator(OperatorIndex(made as u32 - 1)),
        4..7 if made > 0 => Source::Operator(OperatorIndex(draw.upto(made - 1) as u32)),
        7 => {
            let tensor = TensorType { dtype: integer(draw), elements: elements(draw) };
            constant(draw, parts, tensor)
        }
        _ => Source::Input,
    }
}

fn constant(draw: &mut Draw, parts: &mut ProgramParts, tensor: TensorType) -> Source {
    let bytes = draw.tensor(tensor);
    parts.constants.push(Constant { dtype: tensor.dtype, bytes });
    Source::Constant(ConstantIndex(parts.constants.len() as u32 - 1))
}

/// Operand a: an image read by a convolution with groups, or any strides and windows that fit its tensor.
fn convolution(draw: &mut Draw, parts: &ProgramParts, op: &mut Operator) {
    let tensor = parts.tensor(op.a.source).expect("the source exists");
    op.a.dtype = tensor.dtype;
    let mut room = tensor.elements - 1;
    let windowed = match op.fold {
        Fold::Dot | Fold::Sum | Fold::Max => !draw.once_in(3),
        Fold::Pair => draw.once_in(3),
        Fold::Gather | Fold::ArgMax => false,
    };
    if windowed && draw.once_in(2) && image(draw, tensor, op) {
        return;
    }
    if windowed {
        for axis in 0..2 {
            if !draw.once_in(3) {
                op.windows[axis] = window(draw, op, axis, &mut room);
            }
        }
    }
    op.a.map = map(draw, &op.out, &op.red, &mut room);
}

/// A convolution or pooling of a channels-last image, as SPEC 2.1 writes one; false if no image fits the tensor.
fn image(draw: &mut Draw, tensor: TensorType, op: &mut Operator) -> bool {
    let groups = op.out[2];
    op.red[2] = op.red[2].min(4);
    let channels = groups * op.red[2];
    let pixels = tensor.elements as u32 / channels;
    let width = 1 + draw.upto(7) as u32;
    let height = pixels / width;
    if height == 0 {
        return false;
    }
    op.a.map = IndexMap { base: 0, out: [0, 0, op.red[2], 0], red: [0, 0, 1] };
    for (axis, (limit, stride)) in
        [(height.min(9), width * channels), (width, channels)].into_iter().enumerate()
    {
        let (step, dilation) = (draw.pick(&[1, 1, 2, 3]), draw.pick(&[1, 1, 2]));
        let reach = (op.red[axis] - 1) * dilation;
        // Padding up to the kernel's reach on both sides.
        let padding = draw.upto(u64::from(reach.min(limit))) as u32;
        op.out[axis] = (limit + 2 * padding).saturating_sub(reach + 1) / step + 1;
        op.windows[axis] = Window {
            limit,
            stride,
            out_step: step as u16,
            red_step: dilation as u16,
            offset: padding as u16,
        };
    }
    true
}

/// Any window over `axis` whose greatest address leaves `room`.
fn window(draw: &mut Draw, op: &Operator, axis: usize, room: &mut u64) -> Window {
    let small = |draw: &mut Draw| draw.pick(&[1u16, 2, 1, 3, 5, u16::MAX]);
    let (out_step, red_step) = (small(draw), small(draw));
    let offset = draw.pick(&[0, 1, 0, 2, 3, 9, u16::MAX]);
    let limit = 1 + draw.upto((*room).min(8)) as u32;
    let last =
        u64::from(op.out[axis] - 1) * u64::from(out_step) + u64::from(op.red[axis] - 1) * u64::from(red_step);
    let position = last.saturating_sub(offset.into()).min(u64::from(limit) - 1);
    let stride = match room.checked_div(position) {
        None => draw.pick(&[1, u64::from(u32::MAX)]),
        Some(most) => 1 + draw.upto(most - 1),
    };
    *room -= position * stride;
    Window { limit, stride: stride as u32, out_step, red_step, offset }
}

/// Strides whose greatest address uses at most `room`, and what is left of it as the base, or 0.
fn map(draw: &mut Draw, out: &[u32; 4], red: &[u32; 3], room: &mut u64) -> IndexMap {
    let mut map = IndexMap::default();
    if draw.once_in(3) {
        // Row-major over the terms, then the outputs, as far as there is room.
        dense(out, red, room, &mut map);
    } else {
        let first = draw.upto(6) as usize;
        for turn in 0..7 {
            let index = (first + turn) % 7;
            let dimension = if index < 4 { out[index] } else { red[index - 4] };
            let last = u64::from(dimension - 1);
            let stride = match room.checked_div(last) {
                None => draw.pick(&[0, 1, u64::from(u32::MAX)]),
                Some(most) => {
                    let any = draw.upto(most);
                    draw.pick(&[most.min(1), 0, most.min(2), most, any])
                }
            };
            *room -= last * stride;
            *(if index < 4 { &mut map.out[index] } else { &mut map.red[index - 4] }) = stride as u32;
        }
    }
    map.base = if draw.once_in(2) { *room as u32 } else { 0 };
    map
}

fn dense(out: &[u32; 4], red: &[u32; 3], room: &mut u64, map: &mut IndexMap) {
    let mut stride = 1u64;
    let terms = red.iter().zip(&mut map.red).rev();
    for (dimension, target) in terms.chain(out.iter().zip(&mut map.out).rev()) {
        let reach = u64::from(dimension - 1) * stride;
        if reach > *room {
            return;
        }
        *room -= reach;
        *target = stride as u32;
        stride *= u64::from(*dimension);
    }
}

/// Operand b: weights made to measure, or any tensor through a map that fits it.
fn second_operand(draw: &mut Draw, parts: &mut ProgramParts, op: &mut Operator) {
    let source = if draw.once_in(3) {
        source(draw, parts)
    } else {
        let weights = op.out[2] * op.out[3] * op.red.iter().product::<u32>();
        let tensor = TensorType { dtype: integer(draw), elements: u64::from(weights).min(1 << 14) };
        constant(draw, parts, tensor)
    };
    let tensor = parts.tensor(source).expect("the source exists");
    let mut room = tensor.elements - 1;
    let map = map(draw, &op.out, &op.red, &mut room);
    op.b = Some(Operand { source, dtype: tensor.dtype, map });
}

/// Operand b of a gather: rows, neighbours or overlapping or one and the same, of a constant or any tensor.
fn rows(draw: &mut Draw, parts: &mut ProgramParts, op: &mut Operator) {
    let source = if draw.once_in(2) {
        source(draw, parts)
    } else {
        let tensor = TensorType { dtype: integer(draw), elements: elements(draw) };
        constant(draw, parts, tensor)
    };
    let tensor = parts.tensor(source).expect("the source exists");
    let mut room = tensor.elements - 1;
    let any = 1 + draw.upto(room);
    let rows = draw.pick(&[2, 1, 5, any, 127, any]).min(room + 1);
    let step = match room.checked_div(rows - 1) {
        // A single row: its step is never taken.
        None => draw.pick(&[0, 1, i32::MAX as u64]),
        Some(most) => {
            let any = draw.upto(most);
            draw.pick(&[most.min(1), most, any, 0])
        }
    };
    room -= (rows - 1) * step;
    (op.scale_a, op.scale_b) = (step as i32, rows as i32);
    let map = map(draw, &op.out, &op.red, &mut room);
    op.b = Some(Operand { source, dtype: tensor.dtype, map });
}

fn scale(draw: &mut Draw) -> i32 {
    let any = draw.word() as i32;
    draw.pick(&[1, -1, 0, 1 << 14, -(1 << 20), any >> 4, any, i32::MIN, i32::MAX])
}
