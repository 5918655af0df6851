//! The chain behind a node that misbehaves, and behind a real one.

mod answers;
mod anvil;
mod crowd;
mod follow;
mod json;
mod mock;
mod send;
mod server;
mod size;
