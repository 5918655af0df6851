//! A hand-made program whose matches go through every phase, and a naive interpreter of it by SPEC 2 alone.

use narrows_bisection::Trace;
use narrows_program::{
    Constant, ConstantIndex, DType, Finalise, Fold, IndexMap, Meta, Operand, Operator, OperatorIndex, Params,
    Program, ProgramParts, Source, TensorType, Window, record,
};

fn operand(source: Source, dtype: DType, step: u32) -> Operand {
    Operand { source, dtype, map: IndexMap { base: 0, out: [0, 0, 0, step], red: [0, 0, 1] } }
}

/// A sum of `terms` elements of `a` from `step * e` on.
fn sum(a: Source, from: DType, dtype: DType, elements: u32, terms: u32, step: u32) -> Operator {
    Operator {
        fold: Fold::Sum,
        dtype,
        out: [1, 1, 1, elements],
        red: [1, 1, terms],
        a: operand(a, from, step),
        windows: [Window::default(); 2],
        pad: 0,
        b: None,
        scale_a: 0,
        scale_b: 0,
        finalise: Finalise::Requantise,
        params: Params { constant: ConstantIndex(0), out: [0, 0, 0, 1] },
        lo: dtype.min() as i32,
        hi: dtype.max() as i32,
        split: 128,
    }
}

/// 5 a - 3 b, element by element.
fn pair(a: Source, from: DType, b: (Source, DType), dtype: DType, elements: u32) -> Operator {
    let b = Some(operand(b.0, b.1, 1));
    Operator { fold: Fold::Pair, b, scale_a: 5, scale_b: -3, ..sum(a, from, dtype, elements, 1, 1) }
}

const fn op(index: u32) -> Source {
    Source::Operator(OperatorIndex(index))
}

/// Five layers over 1,200 input bytes:
/// 0: a copy (10 tiles); 1–3, one layer: a copy that nobody else reads, 300 sums of 300 terms of it (5 tiles of i16, three
/// segments), and a pair of both copies (19 tiles); 4: a pair of that layer's two exports (10 tiles of i32); 5: 10 sums of
/// 300 terms; 6: their copy in a byte each.
pub fn program(reveal_bits: u8) -> Program {
    grouped(reveal_bits, &[1, 3, 1, 1, 1])
}

/// The same operators in other layers.
pub fn grouped(reveal_bits: u8, groups: &[u8]) -> Program {
    cut(reveal_bits, groups, 7)
}

/// The first copy alone.
pub fn single(reveal_bits: u8) -> Program {
    cut(reveal_bits, &[1], 1)
}

fn cut(reveal_bits: u8, groups: &[u8], operators: usize) -> Program {
    use DType::{I8, I16, I32};
    let mut all = vec![
        sum(Source::Input, I8, I8, 1_200, 1, 1),
        sum(op(0), I8, I8, 1_200, 1, 1),
        sum(op(1), I8, I16, 300, 300, 3),
        pair(op(0), I8, (op(1), I8), I16, 1_200),
        pair(op(2), I16, (op(3), I16), I32, 300),
        sum(op(4), I32, I32, 10, 300, 0),
        sum(op(5), I32, I8, 10, 1, 1),
    ];
    all.truncate(operators);
    let records = (0..1_200).flat_map(|i| record::encode(i * 37 % 101 - 50, 3, 2)).collect();
    Program::new(ProgramParts {
        input: TensorType { dtype: I8, elements: 1_200 },
        operators: all,
        groups: groups.to_vec(),
        constants: vec![Constant { dtype: DType::Params, bytes: records }],
        reveal_bits,
        meta: Meta::default(),
    })
    .expect("legal")
}

pub fn input() -> Vec<u8> {
    (0..1_200u32).map(|i| (i * i * 7 + i) as u8).collect()
}

/// Element `e` of `op`, whose operands walk along their last axis only.
fn element(program: &Program, op: &Operator, input: &[u8], outputs: &[Vec<u8>], e: u64) -> i64 {
    let read = |operand: &Operand, t: u64| {
        let bytes = match operand.source {
            Source::Input => input,
            Source::Constant(index) => &program.constant(index).bytes[..],
            Source::Operator(index) => &outputs[index.0 as usize],
        };
        let at = e * u64::from(operand.map.out[3]) + t * u64::from(operand.map.red[2]);
        operand.dtype.read(bytes, at as usize).expect("in range")
    };
    let term = |t| match &op.b {
        None => read(&op.a, t),
        Some(b) => read(&op.a, t) * i64::from(op.scale_a) + read(b, t) * i64::from(op.scale_b),
    };
    let acc: i64 = (0..op.terms()).map(term).sum();
    let bytes = &program.constants()[0].bytes[e as usize * 16..][..16];
    let (bias, m, s) = record::decode(bytes.try_into().expect("16 bytes")).expect("a record");
    (((acc + bias) * i64::from(m) + (1 << (s - 1))) >> s).clamp(op.lo.into(), op.hi.into())
}

/// Runs the program; `doctor` may change each output before the next operator reads it.
pub fn run(program: &Program, mut doctor: impl FnMut(u32, &mut Vec<u8>)) -> Trace {
    let mut outputs: Vec<Vec<u8>> = Vec::new();
    for (index, op) in program.operators().iter().enumerate() {
        let mut output = Vec::new();
        (0..op.elements())
            .for_each(|e| op.dtype.write(element(program, op, &input(), &outputs, e), &mut output));
        doctor(index as u32, &mut output);
        outputs.push(output);
    }
    Trace::new(program, input(), outputs).expect("lengths")
}

/// The right trace.
pub fn truth(program: &Program) -> Trace {
    run(program, |_, _| {})
}

/// The trace that is wrong at element (operator, e), by one, and follows from that afterwards.
pub fn doctored(program: &Program, target: (u32, u32)) -> Trace {
    let dtype = program.operator(OperatorIndex(target.0)).dtype;
    run(program, |index, output| {
        if index == target.0 {
            let at = target.1 as usize;
            let value = dtype.read(output, at).expect("exists");
            let mut moved = Vec::new();
            dtype.write(if value < dtype.max() { value + 1 } else { value - 1 }, &mut moved);
            output[at * dtype.bytes()..][..dtype.bytes()].copy_from_slice(&moved);
        }
    })
}
