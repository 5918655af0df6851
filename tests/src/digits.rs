//! The digits model of `fixtures/`, as a program that is committed there.

use narrows_program::{OperatorIndex, Program};

/// The committed program.
///
/// # Panics
/// When the fixture is damaged.
#[must_use]
pub fn program() -> Program {
    Program::decode(include_bytes!("../../fixtures/digits/digits.narrows")).expect("the fixture is a program")
}

/// A real digit's canonical bytes.
#[must_use]
pub fn input() -> Vec<u8> {
    include_bytes!("../../fixtures/digits/sample.bin").to_vec()
}

/// An operator of several tiles whose elements have several segments.
///
/// # Panics
/// When the fixture has none.
#[must_use]
pub fn segmented_operator(program: &Program) -> OperatorIndex {
    let fits = |one: &narrows_program::Operator| one.segments() > 1 && one.output_bytes() > 128;
    let index =
        program.operators().iter().position(fits).expect("the digits program has a segmented operator");
    OperatorIndex(index as u32)
}
