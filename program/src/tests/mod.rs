//! What each test bends is [`example::parts`].

mod encoding;
mod kinds;
mod layers;
mod legality;
mod shared;

use super::*;
use example::parts as small;

/// An operator that reads three i8 elements of `source` one by one and stores them as they are.
fn copy(source: Source) -> Operator {
    let map = IndexMap { out: [0, 0, 0, 1], ..IndexMap::default() };
    Operator {
        fold: Fold::Sum,
        dtype: DType::I8,
        out: [1, 1, 1, 3],
        red: [1; 3],
        a: Operand { source, dtype: DType::I8, map },
        windows: [Window::default(); 2],
        pad: 0,
        b: None,
        scale_a: 0,
        scale_b: 0,
        finalise: Finalise::Requantise,
        params: Params { constant: ConstantIndex(0), out: [0; 4] },
        lo: -128,
        hi: 127,
        split: 1,
    }
}

/// As [`copy`], the sum of two tensors.
fn add(a: Source, b: Source) -> Operator {
    let first = copy(a);
    let b = Operand { source: b, ..first.a };
    Operator { fold: Fold::Pair, b: Some(b), scale_a: 1, scale_b: 1, ..first }
}

fn op(index: u32) -> Source {
    Source::Operator(OperatorIndex(index))
}

/// Seven operators with two residual branches: 2 adds 0 and 1, and 5 adds 2 and 4. Constant 1 is read by operator 3.
pub(super) fn branched(groups: &[u8]) -> ProgramParts {
    let constant = |dtype, bytes: Vec<u8>| Constant { dtype, bytes };
    ProgramParts {
        input: TensorType { dtype: DType::I8, elements: 3 },
        operators: vec![
            copy(Source::Input),
            copy(op(0)),
            add(op(0), op(1)),
            add(op(2), Source::Constant(ConstantIndex(1))),
            copy(op(3)),
            add(op(2), op(4)),
            copy(op(5)),
        ],
        groups: groups.to_vec(),
        constants: vec![
            constant(DType::Params, record::encode(0, 2, 1).to_vec()),
            constant(DType::I8, vec![1, 2, 3]),
        ],
        reveal_bits: 4,
        meta: Meta::default(),
    }
}
