//! The commands beside the demonstration.

pub mod check;
pub mod compile;
pub mod gas;
pub mod inspect;
pub mod replay;
pub mod run;
