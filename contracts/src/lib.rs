//! The contracts, their bindings, and the chains that run them.
//!
//! [`Chain`] is the seam: a node speaks [`Call`](narrows_bisection::Call)s and hears
//! [`Event`](narrows_bisection::Event)s, whatever chain lies below. [`EmbeddedChain`] runs the committed contracts in
//! this process.

#![forbid(unsafe_code)]

pub mod artifacts;
pub mod bindings;
mod chain;
pub mod embedded;
mod inbox;
mod views;

pub use chain::{Chain, ChainError, LoggedEvent, MAX_EVENTS, Receipt, Transaction, is_payable};
pub use embedded::{EmbeddedChain, StorageError};
pub use inbox::{Inbox, InboxError};
pub use views::{ClaimView, JobView, MatchView};
