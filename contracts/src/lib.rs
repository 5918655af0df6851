//! The contracts, their bindings, and the chains that run them.
//!
//! [`Chain`] is the seam: a node speaks [`Call`](narrows_bisection::Call)s and hears
//! [`Event`](narrows_bisection::Event)s, whatever chain lies below. [`EmbeddedChain`] runs the committed contracts in
//! this process; [`RpcChain`] speaks JSON-RPC to a node of any EVM chain.

#![forbid(unsafe_code)]

pub mod artifacts;
pub mod bindings;
mod chain;
pub mod embedded;
mod inbox;
mod outbox;
pub mod rpc;
mod views;

pub use chain::{
    Chain, ChainError, LoggedEvent, MAX_EVENTS, MAX_TOGETHER, MAX_TRANSACTION_BYTES, Receipt, Transaction,
    check_size,
};
pub use embedded::{EmbeddedChain, StorageError};
pub use inbox::{Inbox, InboxError};
pub use outbox::{Fate, Outbox, Outcome};
pub use rpc::{RpcChain, RpcConfig, RpcError};
pub use views::{ClaimView, JobView};
