//! A program small enough to follow by hand, for examples and tests.
//!
//! ```
//! use narrows_program::{Program, example};
//!
//! let program = Program::new(example::parts()).expect("legal");
//! assert_eq!(program.layers().len(), 2);
//! assert_eq!(program.header().input.elements, example::INPUT.len() as u64);
//! ```

use crate::{
    Constant, ConstantIndex, DType, Finalise, Fold, IndexMap, Meta, Operand, Operator, OperatorIndex, Params,
    ProgramParts, Source, TensorType, Window, record,
};

/// An input, as canonical bytes.
pub const INPUT: [u8; 4] = [1, 2, 3, 4];

/// What both layers make of [`INPUT`]: 1 * 0 + 2 * 1 + 3 * 2 + 4 * 3 is 20, and no element is less than the one before it.
pub const OUTPUT: [u8; 3] = [20, 60, 100];

/// Two layers over four elements of 8 bits: a linear one, of the rows (0 1 2 3), (4 5 6 7) and (8 9 10 11) and two segments a
/// dot product; then the maximum of each element and the one before it.
#[must_use]
pub fn parts() -> ProgramParts {
    let linear = Operator {
        fold: Fold::Dot,
        dtype: DType::I8,
        out: [1, 1, 1, 3],
        red: [1, 1, 4],
        a: Operand {
            source: Source::Input,
            dtype: DType::I8,
            map: IndexMap { red: [0, 0, 1], ..IndexMap::default() },
        },
        windows: [Window::default(); 2],
        pad: 0,
        b: Some(Operand {
            source: Source::Constant(ConstantIndex(0)),
            dtype: DType::I8,
            map: IndexMap { base: 0, out: [0, 0, 0, 4], red: [0, 0, 1] },
        }),
        scale_a: 0,
        scale_b: 0,
        finalise: Finalise::Requantise,
        params: Params { constant: ConstantIndex(1), out: [0; 4] },
        lo: -128,
        hi: 127,
        split: 2,
    };
    let pool = Operator {
        fold: Fold::Max,
        out: [3, 1, 1, 1],
        red: [2, 1, 1],
        a: Operand { source: Source::Operator(OperatorIndex(0)), dtype: DType::I8, map: IndexMap::default() },
        windows: [Window { limit: 3, stride: 1, out_step: 1, red_step: 1, offset: 1 }, Window::default()],
        pad: -128,
        b: None,
        ..linear
    };
    ProgramParts {
        input: TensorType { dtype: DType::I8, elements: 4 },
        operators: vec![linear, pool],
        groups: vec![1, 1],
        constants: vec![
            Constant { dtype: DType::I8, bytes: (0..12).collect() },
            Constant { dtype: DType::Params, bytes: record::encode(0, 2, 1).to_vec() },
        ],
        reveal_bits: 4,
        meta: Meta::default(),
    }
}
