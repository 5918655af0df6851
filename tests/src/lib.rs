//! What the end-to-end, differential and adversarial tests share.

pub mod arena;
pub mod careful;
pub mod chargpt;
pub mod copies;
pub mod digits;
pub mod mirror;
pub mod oracle;
pub mod random_program;
pub mod rationed;
pub mod referees;
pub mod rust_referee;
pub mod sim;
pub mod stage;
pub mod twin;
pub mod vectors;
