//! What the model check and the random calls share: small programs, what a claim may commit to, and every call that can be
//! made of it. Nothing here calls what it judges: values, witnesses and refutations are made from the specification.

#![allow(dead_code, reason = "each test uses a part")]

pub mod claimed;
pub mod evaluate;
pub mod moves;
pub mod prepared;
pub mod programs;
pub mod refuting;
pub mod scene;
