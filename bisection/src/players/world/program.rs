//! A hand-made program with every kind of layer, and a naive interpreter of it, which follows SPEC 2 by itself and calls nothing
//! of this crate.

use std::collections::BTreeSet;

use narrows_program::{
    Constant, ConstantIndex, DType, Finalise, Fold, IndexMap, Meta, Operand, Operator, OperatorIndex, Params,
    Program, ProgramParts, Source, TensorType, Window, record,
};

use crate::Trace;

fn operand(source: Source, dtype: DType, base: u32, out: [u32; 4], red: [u32; 3]) -> Operand {
    Operand { source, dtype, map: IndexMap { base, out, red } }
}

fn op(index: u32) -> Source {
    Source::Operator(OperatorIndex(index))
}

/// Five layers of 1, 3, 2, 1 and 2 operators: a convolution with windows; a maximum pool, a local sum in segments and a
/// pair of both, two of the three exported; a linear map in segments and a pair with the other export; a copy; a maximum in
/// segments and a sum of it.
pub fn program(reveal_bits: u8) -> Program {
    grouped(reveal_bits, &[1, 3, 2, 1, 2])
}

/// The convolution alone.
pub fn single(reveal_bits: u8) -> Program {
    let mut parts = program(reveal_bits).parts();
    parts.operators.truncate(1);
    parts.operators[0].params.constant = ConstantIndex(0);
    if let Some(b) = &mut parts.operators[0].b {
        b.source = Source::Constant(ConstantIndex(1));
    }
    parts.groups = vec![1];
    parts.constants = parts.constants[1..3].to_vec();
    Program::new(parts).expect("legal")
}

/// The same nine operators in other layers.
pub fn grouped(reveal_bits: u8, groups: &[u8]) -> Program {
    let constant = |index| Source::Constant(ConstantIndex(index));
    let plain = Operator {
        fold: Fold::Sum,
        dtype: DType::I8,
        out: [1; 4],
        red: [1; 3],
        a: operand(Source::Input, DType::I8, 0, [0; 4], [0; 3]),
        windows: [Window::default(); 2],
        pad: 0,
        b: None,
        scale_a: 0,
        scale_b: 0,
        finalise: Finalise::Requantise,
        params: Params { constant: ConstantIndex(0), out: [0, 0, 0, 1] },
        lo: -128,
        hi: 127,
        split: 1024,
    };
    let window = |limit, stride, out_step, offset| Window { limit, stride, out_step, red_step: 1, offset };
    let convolution = Operator {
        fold: Fold::Dot,
        out: [8, 8, 1, 12],
        red: [3, 3, 4],
        a: operand(Source::Input, DType::I8, 0, [0; 4], [0, 0, 1]),
        windows: [window(8, 32, 1, 1), window(8, 4, 1, 1)],
        b: Some(operand(constant(2), DType::I8, 0, [0, 0, 0, 36], [12, 4, 1])),
        params: Params { constant: ConstantIndex(1), out: [0, 0, 0, 1] },
        ..plain
    };
    let pool = Operator {
        fold: Fold::Max,
        out: [4, 4, 1, 12],
        red: [2, 2, 1],
        a: operand(op(0), DType::I8, 0, [192, 24, 0, 1], [96, 12, 0]),
        pad: -128,
        ..plain
    };
    let sum = Operator {
        dtype: DType::I16,
        out: [1, 1, 1, 12],
        red: [8, 8, 1],
        a: operand(op(0), DType::I8, 0, [0, 0, 0, 1], [96, 12, 0]),
        lo: -3_000,
        hi: 32_767,
        split: 20,
        ..plain
    };
    let pair = Operator {
        fold: Fold::Pair,
        dtype: DType::I16,
        out: [4, 4, 1, 12],
        a: operand(op(1), DType::I8, 0, [48, 12, 0, 1], [0; 3]),
        b: Some(operand(op(2), DType::I16, 0, [0, 0, 0, 1], [0; 3])),
        scale_a: 5,
        scale_b: -3,
        finalise: Finalise::Requantise,
        lo: -32_768,
        hi: 32_767,
        ..plain
    };
    let linear = Operator {
        fold: Fold::Dot,
        dtype: DType::I32,
        out: [1, 1, 1, 40],
        red: [1, 1, 192],
        a: operand(op(1), DType::I8, 0, [0; 4], [0, 0, 1]),
        b: Some(operand(constant(3), DType::I8, 0, [0, 0, 0, 192], [0, 0, 1])),
        lo: i32::MIN,
        hi: i32::MAX,
        split: 50,
        ..plain
    };
    let mixed = Operator {
        fold: Fold::Pair,
        dtype: DType::I32,
        out: [1, 1, 1, 40],
        a: operand(op(4), DType::I32, 0, [0, 0, 0, 1], [0; 3]),
        b: Some(operand(op(3), DType::I16, 100, [0, 0, 0, 1], [0; 3])),
        scale_a: 1,
        scale_b: 7,
        finalise: Finalise::Requantise,
        lo: i32::MIN,
        hi: i32::MAX,
        ..plain
    };
    let spread = Operator {
        out: [1, 1, 10, 30],
        a: operand(op(5), DType::I32, 0, [0, 0, 1, 1], [0; 3]),
        params: Params { constant: ConstantIndex(1), out: [0, 0, 0, 1] },
        ..plain
    };
    let greatest = Operator {
        fold: Fold::Max,
        out: [1, 1, 1, 5],
        red: [1, 1, 260],
        a: operand(op(6), DType::I8, 0, [0, 0, 0, 10], [0, 0, 1]),
        pad: -128,
        split: 100,
        ..plain
    };
    let last = Operator {
        dtype: DType::I16,
        out: [1, 1, 1, 10],
        red: [1, 1, 5],
        a: operand(op(7), DType::I8, 0, [0; 4], [0, 0, 1]),
        lo: -32_768,
        hi: 32_767,
        ..plain
    };
    let bytes = |n: u32, f: fn(u32) -> u32| (0..n).map(|i| (f(i) % 251) as u8).collect();
    let records = |m: u32, s: u8| {
        let record = |i: i64| record::encode(i * 37 % 101 - 50, m, s);
        Constant { dtype: DType::Params, bytes: (0..40).flat_map(record).collect() }
    };
    Program::new(ProgramParts {
        input: TensorType { dtype: DType::I8, elements: 256 },
        operators: vec![convolution, pool, sum, pair, linear, mixed, spread, greatest, last],
        groups: groups.to_vec(),
        constants: vec![
            records(3, 2),
            records(1, 9),
            Constant { dtype: DType::I8, bytes: bytes(432, |i| i * i * 31 + i * 7) },
            Constant { dtype: DType::I8, bytes: bytes(7_680, |i| i * i * 17 + i * 5) },
        ],
        reveal_bits,
        meta: Meta::default(),
    })
    .expect("legal")
}

pub fn input() -> Vec<u8> {
    (0..256u32).map(|i| (i * i * 7 + i * 3) as u8).collect()
}

/// The value of element `e` of `op`, by SPEC 2 word for word.
fn element(program: &Program, op: &Operator, input: &[u8], outputs: &[Vec<u8>], e: u64) -> i64 {
    let [_, o1, o2, o3] = op.out.map(u64::from);
    let out = [e / o3 / o2 / o1, e / o3 / o2 % o1, e / o3 % o2, e % o3];
    let read = |operand: &Operand, address: u64| {
        let bytes = match operand.source {
            Source::Input => input,
            Source::Constant(index) => &program.constant(index).bytes[..],
            Source::Operator(index) => &outputs[index.0 as usize],
        };
        i128::from(operand.dtype.read(bytes, address as usize).expect("in range"))
    };
    let walk = |map: &IndexMap, red: [u64; 3]| {
        let outs = map.out.iter().zip(out).map(|(s, o)| u64::from(*s) * o);
        let reds = map.red.iter().zip(red).map(|(s, t)| u64::from(*s) * t);
        u64::from(map.base) + outs.chain(reds).sum::<u64>()
    };
    let [_, r1, r2] = op.red.map(u64::from);
    let terms = (0..op.terms()).map(|t| {
        let red = [t / r2 / r1, t / r2 % r1, t % r2];
        let mut address = Some(walk(&op.a.map, red));
        for (axis, window) in op.windows.iter().enumerate().filter(|(_, window)| window.limit > 0) {
            let v = (out[axis] * u64::from(window.out_step) + red[axis] * u64::from(window.red_step)) as i64
                - i64::from(window.offset);
            let inside = (0..i64::from(window.limit)).contains(&v);
            address = address.filter(|_| inside).map(|at| at + v as u64 * u64::from(window.stride));
        }
        let a = address.map_or(i128::from(op.pad), |address| read(&op.a, address));
        let b = || op.b.map_or(0, |b| read(&b, walk(&b.map, red)));
        match op.fold {
            Fold::Dot => a * b(),
            Fold::Sum | Fold::Max => a,
            Fold::Pair => a * i128::from(op.scale_a) + b() * i128::from(op.scale_b),
            Fold::Gather | Fold::ArgMax => unreachable!("these programs have neither"),
        }
    });
    let acc = if op.fold == Fold::Max { terms.max().expect("a term") } else { terms.sum() };
    let at: u64 = op.params.out.iter().zip(out).map(|(s, o)| u64::from(*s) * o).sum();
    let bytes = &program.constant(op.params.constant).bytes[at as usize * 16..][..16];
    let (bias, m, s) = record::decode(bytes.try_into().expect("16 bytes")).expect("a record");
    let scaled = ((acc + i128::from(bias)) * i128::from(m) + (1 << (s - 1))).div_euclid(1 << s);
    scaled.clamp(op.lo.into(), op.hi.into()) as i64
}

/// Runs the program; `doctor` may change each output before the next operator reads it.
pub fn run(program: &Program, input: &[u8], mut doctor: impl FnMut(u32, &mut Vec<u8>)) -> Trace {
    let mut outputs: Vec<Vec<u8>> = Vec::new();
    for (index, op) in program.operators().iter().enumerate() {
        let mut output = Vec::new();
        (0..op.elements())
            .for_each(|e| op.dtype.write(element(program, op, input, &outputs, e), &mut output));
        doctor(index as u32, &mut output);
        outputs.push(output);
    }
    Trace::new(program, input.to_vec(), outputs).expect("lengths")
}

/// The right trace.
pub fn truth(program: &Program) -> Trace {
    run(program, &input(), |_, _| {})
}

/// Moves element `e` of `bytes` by `delta`, the other way at the end of the type's range.
pub fn shift(dtype: DType, bytes: &mut [u8], e: usize, delta: i64) {
    let value = dtype.read(bytes, e).expect("exists");
    let moved =
        if (dtype.min()..=dtype.max()).contains(&(value + delta)) { value + delta } else { value - delta };
    let mut out = Vec::new();
    dtype.write(moved, &mut out);
    bytes[e * dtype.bytes()..][..dtype.bytes()].copy_from_slice(&out);
}

/// The trace that is wrong at element `e` of operator `at`, and follows from that afterwards.
pub fn doctored(program: &Program, at: u32, e: usize, delta: i64) -> Trace {
    let dtype = program.operator(OperatorIndex(at)).dtype;
    run(program, &input(), |index, output| {
        if index == at {
            shift(dtype, output, e, delta);
        }
    })
}

/// Lies at the first, a middle or the last element of every operator.
pub fn lies(program: &Program) -> Vec<(u32, Trace)> {
    let out = visible_lies(program);
    let operators: BTreeSet<u32> = out.iter().map(|(index, _)| *index).collect();
    assert_eq!(operators.len(), program.operators().len(), "a lie at every operator");
    out
}

/// Those lies of them that show under the trace root.
pub fn visible_lies(program: &Program) -> Vec<(u32, Trace)> {
    let own = truth(program);
    let mut out = Vec::new();
    for (index, op) in program.operators().iter().enumerate() {
        let last = op.elements() as usize - 1;
        for e in BTreeSet::from([0, last / 2, last]) {
            let mut traces = [1, 90, 20_000]
                .into_iter()
                .filter(|delta| *delta <= op.dtype.max())
                .map(|delta| doctored(program, index as u32, e, delta));
            out.extend(traces.find(|trace| trace.root() != own.root()).map(|trace| (index as u32, trace)));
        }
    }
    out
}
