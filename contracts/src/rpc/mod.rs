//! Any EVM chain, through a node's JSON-RPC.
//!
//! [`RpcChain`] is [`Chain`](crate::Chain) over HTTP. It trusts the node that it is given with what stands on the chain, as
//! every client without its own node must, but not to be well: answers may be late, lost, repeated, cut, too long or to
//! another question, blocks may be undone, and a node may be behind. What cannot be read right ends in a typed error that
//! names the endpoint, without its credentials, and what to do.
//!
//! | file | what it holds |
//! |---|---|
//! | `config`, `key` | where the node is, what is paid; the key, which is shown to nobody |
//! | `reactor`, `transport`, `client` | a thread for sockets; one bounded request; requests tried again |
//! | `types`, `verdict` | answers and errors, as nodes write them |
//! | `node` | one function a question |
//! | `fees`, `sign`, `flight`, `sender` | a transaction's price, its bytes, its way, and those before it |
//! | `logs`, `follow` | events in ranges, and through reorganisations |
//! | `clock` | what time it is on the chain |
//! | `deploy`, `connect`, `chain` | the contracts put there, checked, and used |

mod chain;
mod client;
mod clock;
mod config;
mod connect;
mod deploy;
mod error;
mod fees;
mod flight;
mod follow;
mod key;
mod logs;
mod node;
mod reactor;
mod sender;
mod sign;
#[cfg(test)]
mod tests;
mod transport;
mod types;
mod verdict;

use std::fmt;
use std::sync::Mutex;

use alloy_primitives::Address;
use narrows_bisection::{Account, Parameters};

use self::clock::Clock;
pub use self::config::RpcConfig;
pub use self::deploy::{Deployment, deploy};
pub use self::error::RpcError;
use self::follow::Follower;
pub use self::key::{Key, KeyError};
use self::node::Node;
use self::sender::Sender;
use crate::bindings::{Target, account};

/// The contracts on a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Contracts {
    registry: Account,
    referee: Account,
    game: Account,
    parameters: Parameters,
}

impl Contracts {
    /// Which of those that announce something stands at an address.
    fn target(&self, at: Address) -> Option<Target> {
        match account(at) {
            at if at == self.registry => Some(Target::Registry),
            at if at == self.game => Some(Target::Game),
            _ => None,
        }
    }

    const fn account_of(&self, target: Target) -> Account {
        match target {
            Target::Registry => self.registry,
            Target::Game => self.game,
        }
    }
}

/// A chain behind JSON-RPC; see the module.
///
/// Its functions block. They may be called from asynchronous code too, whose thread they then hold up.
pub struct RpcChain {
    node: Node,
    contracts: Contracts,
    sender: Sender,
    follower: Mutex<Follower>,
    clock: Mutex<Clock>,
}

impl fmt::Debug for RpcChain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RpcChain")
            .field("config", &self.node.config)
            .field("chain_id", &self.node.chain_id)
            .field("contracts", &self.contracts)
            .finish_non_exhaustive()
    }
}
