//! How each side plays a match. Players are pure: they see what was shown, and give the next move.

mod challenger;
mod executor;
mod follower;
mod forge;

pub use challenger::{Challenger, Choice, FirstDifference, MOST_AT_ONCE};
pub use executor::{Executor, true_sums};
pub use follower::{Follower, Shown};
pub use forge::forge_sums;

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) mod world;
