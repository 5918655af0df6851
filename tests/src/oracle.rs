//! The answer that engines are judged by: SPEC 2 read aloud, one element and one term at a time, in 128 bits.
//!
//! It shares no code with any engine or referee, not even the reading of elements.

use std::ops::Range;

use narrows_program::{DType, Finalise, Fold, Operand, Operator, OperatorIndex, Program, Source, Window};

/// Every operator's canonical output bytes.
///
/// # Panics
/// When `input` is not the program's input: a mistake of the test.
#[must_use]
pub fn run(program: &Program, input: &[u8]) -> Vec<Vec<u8>> {
    assert_eq!(input.len() as u64, program.header().input.bytes(), "the input's size");
    let mut outputs: Vec<Vec<u8>> = Vec::new();
    for index in 0..program.header().operators {
        outputs.push(operator(program, input, &outputs, OperatorIndex(index)));
    }
    outputs
}

/// The canonical output bytes of one operator, given the input and the outputs of the operators before it, true or not.
#[must_use]
pub fn operator(program: &Program, input: &[u8], outputs: &[Vec<u8>], index: OperatorIndex) -> Vec<u8> {
    let op = program.operator(index);
    let bytes = |source: Source| match source {
        Source::Input => input,
        Source::Constant(index) => &program.constant(index).bytes,
        Source::Operator(index) => &outputs[index.0 as usize],
    };
    let (a, b) = (bytes(op.a.source), op.b.map(|b| bytes(b.source)));
    let params = &program.constant(op.params.constant).bytes;
    let third: &[u8] = match op.finalise {
        Finalise::Table(table) => bytes(Source::Constant(table)),
        Finalise::Divide { by, .. } => bytes(by.source),
        Finalise::Requantise | Finalise::Root => &[],
    };
    let elements = (0..op.elements()).map(|e| {
        let acc = fold(op, a, b, e, 0..op.terms());
        finalise(op, params, third, e, acc)
    });
    elements.flat_map(|y| y.to_le_bytes().into_iter().take(op.dtype.bytes())).collect()
}

/// The fold of some terms of an element (SPEC 2.4).
#[must_use]
pub fn fold(op: &Operator, a: &[u8], b: Option<&[u8]>, index: u64, terms: Range<u64>) -> i128 {
    let o = coordinates(op, index);
    let values = terms.map(|t| term(op, a, b, o, t));
    match op.fold {
        Fold::Max | Fold::ArgMax => values.max().expect("a segment has terms"),
        Fold::Dot | Fold::Sum | Fold::Pair | Fold::Gather => values.sum(),
    }
}

/// An element from its accumulator, its records and the bytes of its table or divisor (SPEC 2.3).
#[must_use]
pub fn finalise(op: &Operator, params: &[u8], third: &[u8], index: u64, acc: i128) -> i64 {
    let o = coordinates(op, index);
    let at: i128 = (0..4).map(|i| o[i] * i128::from(op.params.out[i])).sum();
    let record = &params[16 * at as usize..][..16];
    let (bias, m, s) = (little_endian(&record[..8]), unsigned(&record[8..12]), record[12]);
    let unit = 1i128 << s;
    // Euclidean division by a positive number is the floor.
    let scaled = |x: i128| (x * m + unit / 2).div_euclid(unit).max(op.lo.into()).min(op.hi.into());
    let x = match op.fold {
        Fold::ArgMax => (1 << 24) - 1 - acc.rem_euclid(1 << 24),
        _ => acc,
    };
    let y = match op.finalise {
        Finalise::Requantise => scaled(x + bias),
        Finalise::Table(_) => read(op.dtype, third, scaled(x + bias) - i128::from(op.lo)),
        Finalise::Divide { by, lift } => {
            let d = read(by.dtype, third, address(&by, o, [0; 3]));
            scaled((x * (1i128 << lift) + d / 2).div_euclid(d) + bias)
        }
        Finalise::Root => scaled((x + bias).max(0).isqrt()),
    };
    y as i64
}

fn coordinates(op: &Operator, index: u64) -> [i128; 4] {
    let [_, o1, o2, o3] = op.out.map(u64::from);
    [index / (o1 * o2 * o3), index / (o2 * o3) % o1, index / o3 % o2, index % o3].map(i128::from)
}

fn term(op: &Operator, a: &[u8], b: Option<&[u8]>, o: [i128; 4], t: u64) -> i128 {
    let [_, r1, r2] = op.red.map(u64::from);
    let t = [t / (r1 * r2), t / r2 % r1, t % r2].map(i128::from);
    let a = value_of_a(op, a, o, t);
    let from_end = (1 << 24) - 1 - ((t[0] * i128::from(op.red[1]) + t[1]) * i128::from(op.red[2]) + t[2]);
    // In a gather a says which row of b.
    let row = if op.fold == Fold::Gather { a.min(i128::from(op.scale_b) - 1).max(0) } else { 0 };
    let b = op.b.as_ref().zip(b).map(|(operand, bytes)| {
        read(operand.dtype, bytes, address(operand, o, t) + row * i128::from(op.scale_a))
    });
    match (op.fold, b) {
        (Fold::Dot, Some(b)) => a * b,
        (Fold::Pair, Some(b)) => a * i128::from(op.scale_a) + b * i128::from(op.scale_b),
        (Fold::Gather, Some(b)) => b,
        (Fold::Sum | Fold::Max, None) => a,
        (Fold::ArgMax, None) => a * (1 << 24) + from_end,
        (fold, b) => panic!("{fold:?} with b = {b:?} is illegal"),
    }
}

fn value_of_a(op: &Operator, a: &[u8], o: [i128; 4], t: [i128; 3]) -> i128 {
    let mut at = address(&op.a, o, t);
    for w in 0..2 {
        let Window { limit, stride, out_step, red_step, offset } = op.windows[w];
        if limit > 0 {
            let v = o[w] * i128::from(out_step) + t[w] * i128::from(red_step) - i128::from(offset);
            if v < 0 || v >= i128::from(limit) {
                return op.pad.into();
            }
            at += v * i128::from(stride);
        }
    }
    read(op.a.dtype, a, at)
}

fn address(operand: &Operand, o: [i128; 4], t: [i128; 3]) -> i128 {
    let map = &operand.map;
    let out: i128 = (0..4).map(|i| o[i] * i128::from(map.out[i])).sum();
    let red: i128 = (0..3).map(|k| t[k] * i128::from(map.red[k])).sum();
    i128::from(map.base) + out + red
}

fn read(dtype: DType, bytes: &[u8], at: i128) -> i128 {
    let width = dtype.bytes();
    little_endian(&bytes[at as usize * width..][..width])
}

fn unsigned(bytes: &[u8]) -> i128 {
    bytes.iter().rev().fold(0, |value, byte| value << 8 | i128::from(*byte))
}

fn little_endian(bytes: &[u8]) -> i128 {
    let (value, range) = (unsigned(bytes), 1i128 << (8 * bytes.len()));
    if value >= range / 2 { value - range } else { value }
}
