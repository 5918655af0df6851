//! The challenger: the burn engine, and the watchtower node that re-runs claims and disputes false ones.

#![forbid(unsafe_code)]

pub mod engine;
pub mod node;
