//! How each side plays a match. Players are pure: they see the chain's state and what was shown, and give the next move.

mod challenger;
mod executor;
mod follower;

pub use challenger::{Challenger, Choice, FirstDifference};
pub use executor::{Executor, forge_sums, true_sums};
pub use follower::Follower;
