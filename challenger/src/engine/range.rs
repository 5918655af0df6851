//! The values that an operand may hold: they decide how many digits its products need.

use narrows_program::{Bytes, Constant, DType, Finalise, Program, Source};

/// The values of a tensor, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Range {
    /// The least value.
    pub least: i64,
    /// The greatest value.
    pub greatest: i64,
}

impl Range {
    /// What a legal program lets a tensor hold: any value of the input's type, what a constant has, what an operator
    /// clamps to or finds in its table.
    pub fn of(program: &Program, source: Source) -> Self {
        match source {
            Source::Input => Self::of_type(program.tensor(source).dtype),
            Source::Constant(index) => Self::held(program.constant(index)),
            Source::Operator(index) => {
                let op = program.operator(index);
                match op.finalise {
                    Finalise::Table(table) => Self::held(program.constant(table)),
                    Finalise::Requantise | Finalise::Divide { .. } | Finalise::Root => {
                        Self { least: op.lo.into(), greatest: op.hi.into() }
                    }
                }
            }
        }
    }

    /// Every value of a type.
    pub fn of_type(dtype: DType) -> Self {
        Self { least: dtype.min(), greatest: dtype.max() }
    }

    fn held(constant: &Constant<Bytes>) -> Self {
        let elements = constant.tensor().elements as usize;
        let values = (0..elements).filter_map(|index| constant.dtype.read(&constant.bytes, index));
        let none = Self { least: i64::MAX, greatest: i64::MIN };
        values.fold(none, |all, v| Self { least: all.least.min(v), greatest: all.greatest.max(v) })
    }

    /// The greatest magnitude.
    pub fn magnitude(self) -> u64 {
        self.least.unsigned_abs().max(self.greatest.unsigned_abs())
    }
}
