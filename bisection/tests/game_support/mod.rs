//! What the game's tests share: a program with a naive interpreter, and a chain that matches are walked on by the players.

#![allow(dead_code, unused_imports, reason = "each test file uses a part")]

mod guards;
mod program;
mod world;

pub use guards::*;
pub use program::*;
pub use world::*;
