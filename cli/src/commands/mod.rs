//! The commands beside the demonstration.

pub mod bench;
pub mod check;
pub mod claims;
pub mod compile;
pub mod deploy;
pub mod economics;
pub mod executor;
pub mod gas;
pub mod growth;
pub mod inspect;
pub mod job;
pub mod replay;
pub mod run;
pub mod watch;
