//! The operators without weights to speak of, on one sample at a time. Sums are kept in 64 bits.

use crate::graph::{Binary, Norm, Op, Reduction, Tensor};
use crate::moves;
use crate::unroll::sampler;
use crate::window::Window;

/// An operator's output, of the given shape, from its inputs and their shapes.
///
/// # Panics
/// For a product or a convolution, which run on a device.
pub(crate) fn apply(op: &Op, inputs: &[(&[f32], &[usize])], shape: &[usize]) -> Vec<f32> {
    let (x, from) = inputs[0];
    match op {
        Op::Affine { scale, offset } => {
            let (scale, offset) = (broadcast(scale, shape), broadcast(offset, shape));
            x.iter().enumerate().map(|(i, x)| x * scale.at(i) + offset.at(i)).collect()
        }
        Op::Clip { low, high } => x.iter().map(|x| x.max(*low).min(*high)).collect(),
        Op::Binary(op) => {
            let (b, from_b) = inputs[1];
            let (a, b) = (moves::expand(x, from, shape), moves::expand(b, from_b, shape));
            a.iter().zip(&b).map(|(&a, &b)| binary(*op, a, b)).collect()
        }
        Op::Function(function) => x.iter().map(|&x| function.apply(f64::from(x)) as f32).collect(),
        Op::Mask { keep, other } => {
            let (keep, other) = (broadcast(keep, shape), broadcast(other, shape));
            let chosen = |(i, &x)| if keep.at(i) != 0.0 { x } else { other.at(i) };
            x.iter().enumerate().map(chosen).collect()
        }
        Op::Select => {
            let expand = |(x, from): (&[f32], &[usize])| moves::expand(x, from, shape);
            let (condition, a, b) = (expand(inputs[0]), expand(inputs[1]), expand(inputs[2]));
            condition
                .iter()
                .zip(a.iter().zip(&b))
                .map(|(c, (&a, &b))| if *c != 0.0 { a } else { b })
                .collect()
        }
        Op::Softmax { axis, log } => rows(x, from, &[*axis], |row| softmax(row, *log)),
        Op::Norm(norm) => normalise(norm, x, from),
        Op::Reduce { reduction, axes, .. } => {
            grouped(x, from, axes).chunks(each(from, axes)).map(|row| reduce(*reduction, row)).collect()
        }
        Op::ArgMax { axis, .. } => grouped(x, from, &[*axis])
            .chunks(from[*axis])
            .map(|row| {
                (0..row.len()).reduce(|best, i| if row[i] > row[best] { i } else { best }).unwrap_or(0) as f32
            })
            .collect(),
        Op::MaxPool(window) => {
            pool(x, window, |taps, _| taps.iter().copied().fold(f32::NEG_INFINITY, f32::max))
        }
        Op::AveragePool { window, count_padding } => pool(x, window, |taps, whole| {
            let sum: f64 = taps.iter().map(|&v| f64::from(v)).sum();
            (sum / if *count_padding { whole } else { taps.len() } as f64) as f32
        }),
        Op::Embedding(table) => lookup(table, x),
        Op::Reshape => x.to_vec(),
        // Of whole numbers a no-op, of others what ONNX says of a cast to integers.
        Op::Cast => x.iter().map(|x| x.trunc()).collect(),
        Op::Transpose { order } => moves::transpose(x, from, order),
        Op::Slice { starts, steps } => moves::slice(x, from, starts, steps, shape),
        Op::Expand => moves::expand(x, from, shape),
        Op::Concat { axis } => moves::concat(inputs, *axis),
        Op::Pad { before } => moves::pad(x, from, before, shape, 0.0),
        Op::Repeat { factors } => moves::repeat(x, from, factors),
        Op::Noise { step } => sampler::real_noise([x[0], x[1]], *step, shape.iter().product()),
        Op::Conv(_) | Op::Linear(_) | Op::MatMul => unreachable!("it runs on the device"),
    }
}

/// A constant under the shape of an activation, without copies where it is one number.
enum Spread {
    One(f32),
    All(Vec<f32>),
}

impl Spread {
    fn at(&self, index: usize) -> f32 {
        match self {
            Self::One(value) => *value,
            Self::All(values) => values[index],
        }
    }
}

fn broadcast(tensor: &Tensor, shape: &[usize]) -> Spread {
    match tensor.values[..] {
        [value] => Spread::One(value),
        _ => Spread::All(moves::expand(&tensor.values, &tensor.shape, shape)),
    }
}

fn binary(op: Binary, a: f32, b: f32) -> f32 {
    match op {
        Binary::Add => a + b,
        Binary::Sub => a - b,
        Binary::Mul => a * b,
        Binary::Div => a / b,
        Binary::Min => a.min(b),
        Binary::Max => a.max(b),
        Binary::Equal => f32::from(a == b),
    }
}

/// The given axes moved behind the others.
fn order(rank: usize, axes: &[usize]) -> Vec<usize> {
    (0..rank).filter(|axis| !axes.contains(axis)).chain(axes.iter().copied()).collect()
}

fn each(shape: &[usize], axes: &[usize]) -> usize {
    axes.iter().map(|&axis| shape[axis]).product()
}

/// The elements along the given axes next to each other.
fn grouped(x: &[f32], shape: &[usize], axes: &[usize]) -> Vec<f32> {
    moves::transpose(x, shape, &order(shape.len(), axes))
}

/// Changes the elements along the given axes, group by group.
fn rows(x: &[f32], shape: &[usize], axes: &[usize], change: impl Fn(&mut [f32])) -> Vec<f32> {
    let order = order(shape.len(), axes);
    let mut moved = moves::transpose(x, shape, &order);
    moved.chunks_mut(each(shape, axes)).for_each(change);
    let turned: Vec<usize> = order.iter().map(|&axis| shape[axis]).collect();
    let mut back = vec![0; order.len()];
    order.iter().enumerate().for_each(|(to, &from)| back[from] = to);
    moves::transpose(&moved, &turned, &back)
}

fn softmax(row: &mut [f32], log: bool) {
    let greatest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = row.iter().map(|&x| f64::from(x - greatest).exp()).sum();
    for x in row {
        let shifted = f64::from(*x - greatest);
        *x = if log { shifted - sum.ln() } else { shifted.exp() / sum } as f32;
    }
}

fn normalise(norm: &Norm, x: &[f32], shape: &[usize]) -> Vec<f32> {
    let mut out = rows(x, shape, &norm.axes, |row| {
        let n = row.len() as f64;
        let mean = if norm.centred { row.iter().map(|&x| f64::from(x)).sum::<f64>() / n } else { 0.0 };
        let square = row.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / n;
        let factor = 1.0 / (square + f64::from(norm.epsilon)).sqrt();
        row.iter_mut().for_each(|x| *x = ((f64::from(*x) - mean) * factor) as f32);
    });
    if let Some(scale) = &norm.scale {
        let scale = broadcast(scale, shape);
        out.iter_mut().enumerate().for_each(|(i, x)| *x *= scale.at(i));
    }
    if let Some(offset) = &norm.offset {
        let offset = broadcast(offset, shape);
        out.iter_mut().enumerate().for_each(|(i, x)| *x += offset.at(i));
    }
    out
}

fn reduce(reduction: Reduction, row: &[f32]) -> f32 {
    let sum = |f: fn(f64) -> f64| row.iter().map(|&x| f(f64::from(x))).sum::<f64>();
    match reduction {
        Reduction::Sum => sum(|x| x) as f32,
        Reduction::Mean => (sum(|x| x) / row.len() as f64) as f32,
        Reduction::SumSquare => sum(|x| x * x) as f32,
        Reduction::Max => row.iter().copied().fold(f32::NEG_INFINITY, f32::max),
        Reduction::Min => row.iter().copied().fold(f32::INFINITY, f32::min),
    }
}

/// Applies a function to the real taps of each window and to the number of taps with padding.
fn pool(x: &[f32], window: &Window, of: impl Fn(&[f32], usize) -> f32) -> Vec<f32> {
    let ([height, width], [rows, columns]) = (window.input, window.output);
    let place = |axis: usize, at: usize, tap: usize| {
        (at * window.stride[axis] + tap * window.dilation[axis])
            .checked_sub(window.begin[axis])
            .filter(|&place| place < window.input[axis])
    };
    let mut out = Vec::with_capacity(x.len() / (height * width) * rows * columns);
    let mut taps = Vec::with_capacity(window.taps());
    for plane in x.chunks(height * width) {
        for at in 0..rows * columns {
            taps.clear();
            for row in (0..window.kernel[0]).filter_map(|tap| place(0, at / columns, tap)) {
                for column in (0..window.kernel[1]).filter_map(|tap| place(1, at % columns, tap)) {
                    taps.push(plane[row * width + column]);
                }
            }
            out.push(of(&taps, window.taps()));
        }
    }
    out
}

fn lookup(table: &Tensor, indices: &[f32]) -> Vec<f32> {
    let rows = table.shape[0];
    let width = table.values.len() / rows;
    indices
        .iter()
        .flat_map(|&index| {
            // A cast from a float clamps below at 0.
            let row = (index as usize).min(rows - 1);
            &table.values[row * width..(row + 1) * width]
        })
        .copied()
        .collect()
}
