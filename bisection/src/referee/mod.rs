//! The referee: recomputes one element, or one segment of it, from opened tiles (SPEC 2, PROTOCOL 4.4–4.6).
//!
//! The mirror of the contract of the same name. It decodes operator bytes by itself and evaluates term by term; it shares no
//! index map with an engine.

mod descriptor;
mod ending;
mod opened;
mod prepared;
mod step;

pub use descriptor::{Descriptor, Operand, Term, operator_leaf};
pub use ending::{Record, combine, finalise, place, requantise};
pub(crate) use opened::little_endian;
pub use opened::{View, export_leaf};
pub use prepared::{prepare, prepared_step};
pub use step::{partial_with, read_element, settle_fold, step};

#[cfg(test)]
mod kinds_tests;
#[cfg(test)]
mod opened_tests;
#[cfg(test)]
mod prepared_tests;
#[cfg(test)]
mod tests;
