//! The native engine: evaluates a whole program, bit for bit as SPEC 2 says.
//!
//! A plan is built once for a program and reads none of its weights: these are packed at their first use, each from where
//! the program holds it, which may be a mapped file. An operator then runs in one of four ways, all exact and all parallel over the
//! output: *gemm* (a product of matrices, by tiles in the kernel's instructions), *rows* (a dot product whose a-terms
//! serve several outputs: gathered once, then multiplied with contiguous rows of b), *reduce* (a fold of neighbouring
//! terms, side by side, one output at a time) and *lanes* (everything else: neighbouring outputs side by side, one term
//! at a time). All but gemm are portable and define the answer; gemm needs a [`Kernel`] of this CPU and gives the same
//! bytes.
//!
//! | module | what it holds |
//! |---|---|
//! | `plan` | what an operator needs at run time: strides, merged dimensions, the way it runs |
//! | `workspace` | memory of a run, and which outputs are kept |
//! | `gemm` | products of matrices: geometry, packed weights, copies of operand a |
//! | `arch` | what depends on the CPU, and all unsafe code |
//! | `pack` | copies of operand b in the order in which rows and lanes read it |
//! | `span` | the terms inside the windows, and where they stand |
//! | `rows`, `reduce`, `lanes`, `pairs` | the portable ways; sums of two 8-bit tensors are lanes with a way of their own |
//! | `kernel` | products of slices |
//! | `lazy` | what is made at its first use |
//! | `finish` | requantisation, tables, divisions, roots, and canonical bytes |
//! | `divide` | floor division by a shared divisor |
//! | `merge`, `tasks` | fewer and longer dimensions; pieces of an output for threads |

mod arch;
mod divide;
mod finish;
mod gemm;
mod kernel;
mod lanes;
mod lazy;
mod merge;
mod pack;
mod pairs;
mod plan;
mod reduce;
mod rows;
mod span;
mod tasks;
mod values;
mod workspace;

#[cfg(test)]
mod equal_tests;
#[cfg(test)]
mod lazy_tests;
#[cfg(test)]
mod naive;
#[cfg(test)]
mod operator_tests;
#[cfg(test)]
mod tests;

use std::convert::Infallible;

use narrows_program::{DType, OperatorIndex, Program};

use arch::Drive;
pub use arch::Kernel;
#[cfg(target_arch = "x86_64")]
pub use arch::{Avx2, Avx512};
#[cfg(target_arch = "aarch64")]
pub use arch::{Neon, NeonDot};
use finish::Ending;
use gemm::Gemm;
use plan::{Place, Plan, Planned, Way};
use values::{View, with_view};
use workspace::{Pool, Scratch};
pub use workspace::{Timing, Workspace};

// Addresses of a legal program and steps between them fit 48 bits, so no sum of a few of them overflows.
const _: () = assert!(usize::BITS >= 64, "the engine counts in 64 bits");

/// Why a program was not evaluated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// The input has another size than the program's.
    #[error(
        "the input has {given} bytes, but the program reads {expected}; give {elements} elements of {dtype:?} \
             as little-endian bytes in row-major order"
    )]
    InputLength {
        /// Bytes that the program reads.
        expected: u64,
        /// Bytes that were given.
        given: u64,
        /// Elements of the input.
        elements: u64,
        /// Type of the input's elements.
        dtype: DType,
    },
    /// A hook changed the size of an operator's output.
    #[error(
        "the hook left {given} bytes in operator {operator}, whose output has {expected}; change bytes, not their number"
    )]
    OutputLength {
        /// The operator.
        operator: OperatorIndex,
        /// Bytes of its output.
        expected: u64,
        /// Bytes that the hook left.
        given: u64,
    },
    /// An operator's output, or its packed weights, do not fit into memory.
    #[error(
        "operator {operator} needs {bytes} bytes for its output or its weights, which this machine does not have; use a \
             larger one"
    )]
    Memory {
        /// The operator.
        operator: OperatorIndex,
        /// Bytes that it asked for.
        bytes: u64,
    },
}

/// Evaluates one program, bit for bit as SPEC 2 says, on any machine.
#[derive(Debug, Clone)]
pub struct Engine {
    plan: Plan,
    kernel: Kernel,
    /// Scratch memory of runs that ended, for the next ones.
    pool: Pool,
}

impl Engine {
    /// Plans the evaluation of `program` for the fastest kernel of this CPU.
    #[must_use]
    pub fn new(program: &Program) -> Self {
        Self::with(program, Kernel::fastest())
    }

    /// Plans the evaluation of `program` for any CPU. What this engine computes is what every engine must compute.
    #[must_use]
    pub fn portable(program: &Program) -> Self {
        Self::with(program, Kernel::Portable)
    }

    /// Plans the evaluation of `program` for `kernel`: chooses how each operator runs. Its weights are packed at the first
    /// run.
    #[must_use]
    pub fn with(program: &Program, kernel: Kernel) -> Self {
        Self { plan: Plan::new(program, kernel), kernel, pool: Pool::default() }
    }

    /// The kernel that this engine was planned for.
    #[must_use]
    pub fn kernel(&self) -> Kernel {
        self.kernel
    }

    /// Every operator's canonical output bytes, in order; the last is the program's output.
    ///
    /// # Errors
    /// When `input` is not the canonical bytes of the program's input tensor, or an output or packed weights do not fit into
    /// memory.
    pub fn run(&self, input: &[u8]) -> Result<Vec<Vec<u8>>, RunError> {
        self.run_all(input, None)
    }

    /// As [`Engine::run`], but calls `after` with each operator's bytes before any later operator reads them. What `after`
    /// writes there is what later operators read: so tests and demonstrations play an executor that lies consistently.
    ///
    /// # Errors
    /// As [`Engine::run`], and when `after` changes the number of bytes.
    pub fn run_with(
        &self,
        input: &[u8],
        after: &mut dyn FnMut(OperatorIndex, &mut Vec<u8>),
    ) -> Result<Vec<Vec<u8>>, RunError> {
        self.run_all(input, Some(after))
    }

    #[allow(clippy::type_complexity, reason = "the hook's type is public as it stands")]
    fn run_all(
        &self,
        input: &[u8],
        mut after: Option<&mut dyn FnMut(OperatorIndex, &mut Vec<u8>)>,
    ) -> Result<Vec<Vec<u8>>, RunError> {
        self.check(input)?;
        let operators = &self.plan.operators;
        let mut scratch = self.pool.take(&self.plan)?;
        let mut outputs: Vec<Vec<u8>> = Vec::with_capacity(operators.len());
        // Whether an output is as its operator promises, not negative; a hook may break it.
        let mut clipped = vec![true; operators.len()];
        for (position, operator) in operators.iter().enumerate() {
            let index = OperatorIndex(position as u32);
            let mut bytes = zeroed(index, operator.output_bytes())?;
            let operands =
                self.operands(operator, input, |earlier| &outputs[earlier], |earlier| clipped[earlier]);
            self.evaluate(position, operands, &mut bytes, &mut scratch)?;
            if let Some(after) = &mut after {
                after(index, &mut bytes);
                clipped[position] = bytes.iter().all(|byte| byte.cast_signed() >= 0);
            }
            if bytes.len() != operator.output_bytes() {
                let (expected, given) = (operator.output_bytes() as u64, bytes.len() as u64);
                return Err(RunError::OutputLength { operator: index, expected, given });
            }
            outputs.push(bytes);
        }
        self.pool.put(scratch);
        Ok(outputs)
    }

    fn check(&self, input: &[u8]) -> Result<(), RunError> {
        let expected = self.plan.input.bytes();
        if input.len() as u64 == expected {
            return Ok(());
        }
        let (given, elements, dtype) = (input.len() as u64, self.plan.input.elements, self.plan.input.dtype);
        Err(RunError::InputLength { expected, given, elements, dtype })
    }

    /// An operator's operands, given the outputs before it and whether their operators' clips hold of them.
    fn operands<'a>(
        &'a self,
        operator: &Planned,
        input: &'a [u8],
        outputs: impl Fn(usize) -> &'a [u8],
        clipped: impl Fn(usize) -> bool,
    ) -> Operands<'a> {
        let read = |place: Place| match place {
            Place::Input => input,
            Place::Constant(index) => &self.plan.constants[index],
            Place::Output(earlier) => outputs(earlier),
        };
        let unsigned = match operator.a.source {
            Place::Output(earlier) => self.plan.operators[earlier].positive && clipped(earlier),
            Place::Input | Place::Constant(_) => false,
        };
        let b = operator.b.as_ref().map(|b| read(b.source));
        Operands { a: read(operator.a.source), b, third: operator.third().map(read), unsigned }
    }

    /// Writes the canonical output of operator `index` for these operands.
    fn evaluate(
        &self,
        index: usize,
        operands: Operands<'_>,
        out: &mut [u8],
        scratch: &mut Scratch,
    ) -> Result<(), RunError> {
        let operator = &self.plan.operators[index];
        if let Way::Gemm(gemm) = &operator.way {
            let product = self.product(operator, gemm, operands, out, scratch.of(index));
            return product.map_err(|bytes| RunError::Memory {
                operator: OperatorIndex(index as u32),
                bytes: bytes as u64,
            });
        }
        let a = View::new(operator.a.dtype, operands.a);
        let b = operator.b.as_ref().zip(operands.b);
        let fresh;
        let copy: Option<&[u8]> = match (&operator.pack, b) {
            (Some(pack), Some((b, bytes))) => {
                let make = || pack.apply(View::new(b.dtype, bytes));
                Some(match &operator.packed {
                    Some(kept) => {
                        let Ok(kept): Result<_, Infallible> = kept.get(|| Ok(make()));
                        kept
                    }
                    None => {
                        fresh = make();
                        &fresh
                    }
                })
            }
            _ => None,
        };
        let b = b.map(|(b, bytes)| View::new(b.dtype, copy.unwrap_or(bytes)));
        let ending = Ending::new(self.kernel, operator, operands.third);
        match (&operator.way, b) {
            (Way::Rows { block }, Some(b)) => with_view!(b, b => rows::run(ending, a, b, *block, out)),
            (Way::Rows { .. }, None) => unreachable!("only a dot product runs by rows, and it has a b"),
            (Way::Lanes { narrow }, b) => lanes::run(ending, a, b, *narrow, out),
            (Way::Reduce { block }, b) => reduce::run(ending, a, b, *block, out),
            (Way::Gemm(_), _) => unreachable!("products ran above"),
        }
        Ok(())
    }

    /// Writes the canonical output of a product of matrices.
    ///
    /// # Errors
    /// The bytes that its packed weights need, if memory is short.
    fn product(
        &self,
        operator: &Planned,
        gemm: &Gemm,
        operands: Operands<'_>,
        out: &mut [u8],
        (copy, live): (&mut [u8], Option<&mut gemm::Weights>),
    ) -> Result<(), usize> {
        if let Some(signed) = gemm.instead(operands.unsigned) {
            let mut room = Vec::new();
            room.try_reserve_exact(signed.copy_bytes()).map_err(|_| signed.copy_bytes())?;
            room.resize(signed.copy_bytes(), 0);
            return self.product(operator, signed, operands, out, (&mut room, None));
        }
        let Some((b, bytes)) = operator.b.as_ref().zip(operands.b) else { unreachable!("a product has a b") };
        let view = View::new(b.dtype, bytes);
        let constant = gemm.constant.then_some(view);
        let release = || {
            if let Place::Constant(index) = b.source {
                self.plan.constants[index].release();
            }
        };
        let gemm::Packed { packing, weights } = gemm.packed(operator, self.kernel, constant, release)?;
        let finish = gemm.finish(operator, packing, constant);
        let weights = match (weights, live) {
            (Some(weights), _) => weights,
            (None, Some(live)) => {
                packing.fill(self.kernel, view, live);
                live
            }
            (None, None) => unreachable!("b is packed, or there is room for it to be"),
        };
        let change = gemm.change(operator.a.dtype, operands.unsigned);
        let a = if gemm.reads_in_place(change) {
            operands.a
        } else {
            let room = &mut copy[..gemm.copy_bytes()];
            gemm.copy(self.kernel, change, operands.a, room);
            room
        };
        let shifted = change == gemm::Change::Shifted;
        let ending = Ending::new(self.kernel, operator, operands.third);
        Drive { ending, gemm, packing, finish, a, shifted, weights }.run(out);
        Ok(())
    }
}

/// What an operator reads.
struct Operands<'a> {
    a: &'a [u8],
    b: Option<&'a [u8]>,
    /// The table or the divisors.
    third: Option<&'a [u8]>,
    /// Whether no byte of a is negative.
    unsigned: bool,
}

fn zeroed(operator: OperatorIndex, length: usize) -> Result<Vec<u8>, RunError> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(length).map_err(|_| RunError::Memory { operator, bytes: length as u64 })?;
    bytes.resize(length, 0);
    Ok(bytes)
}
