//! The executor: the native integer engine, and the node that runs models for fees and defends its claims.

#![deny(unsafe_code)]

pub mod adversary;
pub mod engine;
pub mod node;
