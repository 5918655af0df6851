//! Arithmetic that a backend must get right on this machine before the engine uses it.
//!
//! Each check runs the engine's own steps on the values where a careless backend goes wrong: sums at the last exact
//! float, shifts of negative numbers, quotients and roots one off a boundary, 64-bit values that a narrower default type
//! would wrap, casts at the edges. The expected values are computed on the host, in 128 bits.

mod doubles;
mod endings;
mod products;
mod values;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

use burn::tensor::{DType as Type, Device};

use super::exact::Carrier;
use super::ints::Ints;
use super::{Backend, EngineError};

/// What is tested: a device, and a float type whose products the engine would use there.
#[derive(Debug, Clone)]
struct Subject {
    device: Device,
    carrier: Carrier,
}

type Check = fn(&Subject) -> Result<(), String>;

const CHECKS: [Check; 21] = [
    products::products,
    products::weighed,
    products::chunks,
    products::batches,
    products::integers,
    values::splits,
    values::casts,
    values::folds,
    values::gathers,
    values::ties,
    values::rows,
    endings::requantise,
    endings::tables,
    endings::quotients,
    endings::roots,
    doubles::rounding,
    doubles::divisions,
    doubles::quotients,
    doubles::nearest,
    doubles::saturation,
    doubles::folds,
];

/// Checks that a backend computes exactly what the engine asks of it.
///
/// # Errors
/// [`EngineError::Inexact`] with the first check that fails. A backend that panics, as one does which lacks a type or
/// finds no device, fails too.
pub fn self_test(backend: Backend) -> Result<(), EngineError> {
    let all = || {
        let device = backend.device();
        backend.carriers().iter().try_for_each(|carrier| {
            let subject = Subject { device: device.clone(), carrier: *carrier };
            CHECKS.iter().try_for_each(|check| check(&subject))
        })
    };
    let done = catch_unwind(AssertUnwindSafe(all));
    let done = done.unwrap_or_else(|_| Err("it stops in the middle of a check".into()));
    done.map_err(|check| EngineError::Inexact { backend, check })
}

/// The result of the self-test, run at most once in a process for each backend.
pub(crate) fn once(backend: Backend) -> Result<(), EngineError> {
    static RESULTS: [OnceLock<Result<(), EngineError>>; Backend::ALL.len()] =
        [const { OnceLock::new() }; Backend::ALL.len()];
    RESULTS[backend as usize].get_or_init(|| self_test(backend)).clone()
}

fn same<const D: usize>(what: &str, got: Ints<D>, expected: &[i128]) -> Result<(), String> {
    if got.dtype() != Type::I64 {
        return Err(format!("{what}: {:?} instead of 64-bit integers", got.dtype()));
    }
    let data = got.try_into_data().map_err(|e| format!("{what}: {e}"))?;
    let got = data.as_slice::<i64>().map_err(|e| format!("{what}: {e:?}"))?;
    let differ = got.len() != expected.len() || got.iter().zip(expected).any(|(g, e)| i128::from(*g) != *e);
    if !differ {
        return Ok(());
    }
    let first = got.iter().zip(expected).position(|(g, e)| i128::from(*g) != *e);
    Err(match first {
        Some(at) => format!("{what}: {} instead of {} at {at}", got[at], expected[at]),
        None => format!("{what}: {} elements instead of {}", got.len(), expected.len()),
    })
}

#[cfg(test)]
mod tests {
    use super::super::ints::ints;
    use super::*;
    use burn::tensor::IntDType;

    #[test]
    fn a_wrong_integer_a_missing_one_and_a_narrow_type_are_seen() {
        for backend in Backend::ALL {
            let device = backend.device();
            let tensor = || ints(vec![5, i64::MIN], &device);
            assert_eq!(same("x", tensor(), &[5, i64::MIN.into()]), Ok(()));
            assert!(same("x", tensor(), &[5, 0]).is_err());
            assert!(same("x", tensor(), &[5]).is_err());
            assert!(same("x", ints(vec![7], &device).cast(IntDType::I32), &[7]).is_err());
        }
    }
}
