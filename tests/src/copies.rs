//! Programs of operators that copy: the smallest ones of any number of layers and any size.

use narrows_bisection::Trace;
use narrows_program::{
    Constant, ConstantIndex, DType, Finalise, Fold, IndexMap, Meta, Operand, Operator, OperatorIndex, Params,
    Program, ProgramParts, Source, TensorType, Window, record,
};

/// `layers` layers of one operator, each copying `elements` i8 values.
///
/// # Panics
/// When the numbers are beyond a program's limits.
#[must_use]
pub fn program(layers: u32, elements: u32) -> Program {
    grouped(&vec![1; layers as usize], elements)
}

/// Layers of as many operators as `groups` says, each copying the one before.
///
/// # Panics
/// When the numbers are beyond a program's limits.
#[must_use]
pub fn grouped(groups: &[u8], elements: u32) -> Program {
    let operators = groups.iter().map(|count| u32::from(*count)).sum();
    let operator = |index: u32| Operator {
        fold: Fold::Sum,
        dtype: DType::I8,
        out: [1, 1, 1, elements],
        red: [1; 3],
        a: Operand {
            source: if index == 0 { Source::Input } else { Source::Operator(OperatorIndex(index - 1)) },
            dtype: DType::I8,
            map: IndexMap { out: [0, 0, 0, 1], ..IndexMap::default() },
        },
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
    Program::new(ProgramParts {
        input: TensorType { dtype: DType::I8, elements: u64::from(elements) },
        operators: (0..operators).map(operator).collect(),
        groups: groups.to_vec(),
        constants: vec![Constant { dtype: DType::Params, bytes: record::encode(0, 2, 1).to_vec() }],
        reveal_bits: 4,
        meta: Meta::default(),
    })
    .expect("legal")
}

/// Some input.
#[must_use]
pub fn input(elements: u32) -> Vec<u8> {
    (0..elements).map(|i| (i * 37 + 11) as u8).collect()
}

/// The true trace.
///
/// # Panics
/// When the input is not the program's.
#[must_use]
pub fn truth(program: &Program, input: &[u8]) -> Trace {
    let outputs = vec![input.to_vec(); program.operators().len()];
    Trace::new(program, input.to_vec(), outputs).expect("lengths")
}
