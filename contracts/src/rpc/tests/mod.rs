//! The chain behind a node that misbehaves, and behind a real one.

mod answers;
mod anvil;
mod follow;
mod mock;
mod send;
mod server;
