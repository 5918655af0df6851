//! Programs that take no time: copies in several groupings, and one whose elements are disputed segment by segment.

use narrows_program::{
    Constant, ConstantIndex, DType, Finalise, Fold, IndexMap, Meta, Operand, Operator, OperatorIndex, Params,
    Program, ProgramParts, Source, TensorType, Window, record,
};

use crate::copies;

/// How many programs there are.
pub const PROGRAMS: usize = 4;
/// Elements of the input of the program with segments.
const WIDE: u32 = 192;

/// Program `index` below [`PROGRAMS`].
///
/// # Panics
/// When there is none.
#[must_use]
pub fn program(index: usize) -> Program {
    match index {
        0 => copies::grouped(&[1, 2, 1], 200),
        1 => copies::grouped(&[3, 2], 40),
        2 => copies::grouped(&[1], 130),
        3 => segmented(),
        _ => panic!("there are {PROGRAMS} programs"),
    }
}

/// Input `job` of a program.
#[must_use]
pub fn input(program: &Program, job: u8) -> Vec<u8> {
    let elements = program.header().input.elements;
    (0..elements).map(|i| (i * 37 + 11 + 13 * u64::from(job)) as u8).collect()
}

fn operand(source: Source, out: [u32; 4], red: [u32; 3]) -> Operand {
    Operand { source, dtype: DType::I8, map: IndexMap { base: 0, out, red } }
}

fn op(index: u32) -> Source {
    Source::Operator(OperatorIndex(index))
}

/// Layers of 1, 3 and 2 operators: a copy; a product of 192 terms, a maximum of 96 and a copy of the product, the last two
/// exported; a pair of both, and a product of it. At most 64 terms make a segment.
fn segmented() -> Program {
    let weights = |count: u32| (0..count).map(|i| (i * 73 + 5) as u8).collect();
    let plain = Operator {
        fold: Fold::Sum,
        dtype: DType::I8,
        out: [1, 1, 1, WIDE],
        red: [1; 3],
        a: operand(Source::Input, [0, 0, 0, 1], [0; 3]),
        windows: [Window::default(); 2],
        pad: 0,
        b: None,
        scale_a: 0,
        scale_b: 0,
        finalise: Finalise::Requantise,
        params: Params { constant: ConstantIndex(0), out: [0; 4] },
        lo: -128,
        hi: 127,
        split: 64,
    };
    let wide = Params { constant: ConstantIndex(1), out: [0; 4] };
    let product = Operator {
        fold: Fold::Dot,
        out: [1, 1, 1, 8],
        red: [1, 1, WIDE],
        a: operand(op(0), [0; 4], [0, 0, 1]),
        b: Some(operand(Source::Constant(ConstantIndex(2)), [0, 0, 0, WIDE], [0, 0, 1])),
        params: wide,
        ..plain
    };
    let maximum = Operator {
        fold: Fold::Max,
        out: [1, 1, 1, 2],
        red: [1, 1, 96],
        a: operand(op(0), [0, 0, 0, 96], [0, 0, 1]),
        pad: -128,
        ..plain
    };
    let copy = Operator { out: [1, 1, 1, 8], a: operand(op(1), [0, 0, 0, 1], [0; 3]), ..plain };
    let pair = Operator {
        fold: Fold::Pair,
        out: [1, 1, 1, 8],
        a: operand(op(3), [0, 0, 0, 1], [0; 3]),
        b: Some(operand(op(2), [0; 4], [0; 3])),
        scale_a: 3,
        scale_b: -1,
        finalise: Finalise::Requantise,
        ..plain
    };
    let last = Operator {
        fold: Fold::Dot,
        out: [1, 1, 1, 8],
        red: [1, 1, 8],
        a: operand(op(4), [0; 4], [0, 0, 1]),
        b: Some(operand(Source::Constant(ConstantIndex(3)), [0, 0, 0, 8], [0, 0, 1])),
        params: wide,
        ..plain
    };
    let records = |shift| Constant { dtype: DType::Params, bytes: record::encode(0, 2, shift).to_vec() };
    Program::new(ProgramParts {
        input: TensorType { dtype: DType::I8, elements: u64::from(WIDE) },
        operators: vec![plain, product, maximum, copy, pair, last],
        groups: vec![1, 3, 2],
        constants: vec![
            records(1),
            records(11),
            Constant { dtype: DType::I8, bytes: weights(8 * WIDE) },
            Constant { dtype: DType::I8, bytes: weights(64) },
        ],
        reveal_bits: 1,
        meta: Meta::default(),
    })
    .expect("legal")
}
