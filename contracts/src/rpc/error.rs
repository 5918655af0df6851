//! Why an endpoint, a node or an account did not do what it was asked.

use narrows_bisection::{Account, Wei};
use narrows_commitment::Digest;

use super::key::KeyError;

/// The most characters of a node's own words that an error repeats.
const MAX_QUOTE: usize = 200;

/// What a node says, fit for a terminal and a log: short, and without control characters.
pub(super) fn quote(text: &str) -> String {
    let mut quoted: String =
        text.chars().take(MAX_QUOTE).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(MAX_QUOTE).is_some() {
        quoted.push('…');
    }
    quoted
}

/// Why JSON-RPC did not do what it was asked. No variant holds a credential: an endpoint is named by scheme, host and
/// port alone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RpcError {
    /// The endpoint's address is of no use.
    #[error("the endpoint is {0}; give the URL of an EVM node, as https://host:port/path")]
    BadEndpoint(&'static str),
    /// No answer came, or the node asked to be left alone, as often as it was tried.
    #[error(
        "{endpoint} did not answer {method} in {attempts} attempts: {reason}; check that the node runs, that the URL is right and that its rate limit suffices"
    )]
    Unreachable {
        /// The node.
        endpoint: String,
        /// What it was asked.
        method: &'static str,
        /// How often.
        attempts: u32,
        /// What happened last.
        reason: String,
    },
    /// The node does not serve us.
    #[error("{endpoint} refuses to serve: HTTP status {status}; check the URL's path and credentials")]
    Denied {
        /// The node.
        endpoint: String,
        /// Its HTTP status.
        status: u16,
    },
    /// The node understands the request and declines it.
    #[error(
        "{endpoint} declines {method}: {message} (code {code}); use a node that serves it, or try again later"
    )]
    Declined {
        /// The node.
        endpoint: String,
        /// What it was asked.
        method: &'static str,
        /// Its JSON-RPC error code.
        code: i64,
        /// Its words, shortened.
        message: String,
    },
    /// What comes back is not what such a node answers.
    #[error(
        "{endpoint} answers {method} with nonsense: {reason}; check that the URL is an EVM node's JSON-RPC, and that the node is healthy"
    )]
    Nonsense {
        /// The node.
        endpoint: String,
        /// What it was asked.
        method: &'static str,
        /// What is wrong with the answer.
        reason: String,
    },
    /// More comes back than is read.
    #[error(
        "{endpoint} answers {method} with more than {limit} bytes; raise the limit, or ask a smaller range"
    )]
    TooLarge {
        /// The node.
        endpoint: String,
        /// What it was asked.
        method: &'static str,
        /// The most bytes that are read.
        limit: usize,
    },
    /// The node serves another chain.
    #[error("{endpoint} serves chain {found}, not {expected}; give an endpoint of chain {expected}")]
    WrongChain {
        /// The node.
        endpoint: String,
        /// The chain that was named.
        expected: u64,
        /// The chain that is there.
        found: u64,
    },
    /// There is no code where a contract should be.
    #[error("there is no contract at {address}, where {contract} should be; check the address and the chain")]
    NoContract {
        /// What should be there.
        contract: &'static str,
        /// Where.
        address: Account,
    },
    /// The code is another's.
    #[error(
        "the contract at {address} is not this build's {contract}; use the build that deployed it, or deploy anew"
    )]
    OtherContract {
        /// What should be there.
        contract: &'static str,
        /// Where.
        address: Account,
    },
    /// The game's parameters and what it binds into claims do not agree.
    #[error("the game at {0} binds other parameters into its claims than it shows; do not use it")]
    OtherParameters(Account),
    /// Gas costs more than one is willing to pay.
    #[error(
        "the base fee of {base_fee} wei a gas is above the cap of {cap}; wait for it to fall, or raise the cap",
        base_fee = base_fee.0, cap = cap.0
    )]
    BaseFee {
        /// The latest block's.
        base_fee: Wei,
        /// The most that is paid.
        cap: Wei,
    },
    /// No key is at hand that signs for this account.
    #[error("there is no key for account {0}; give the file or the variable that holds it")]
    NoKey(Account),
    /// The key cannot be read.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The transaction was handed over and does not stand yet; sending it again waits for the same one.
    #[error(
        "transaction {hash} (nonce {nonce}) does not stand after {seconds} s; send it again to wait on, or raise the fee cap"
    )]
    NotMined {
        /// Its hash, of the latest fee.
        hash: Digest,
        /// Its place among the account's transactions.
        nonce: u64,
        /// How long it was waited for.
        seconds: u64,
    },
    /// The account's transactions were not only this process's.
    #[error(
        "account {account} has sent transactions that this process knows nothing of; read the chain's state and decide again, and let no two processes share a key"
    )]
    Interrupted {
        /// Whose they are.
        account: Account,
    },
    /// The node does not take the transaction.
    #[error("{endpoint} does not take {call}: {message}; check the gas and fee limits")]
    Rejected {
        /// The node.
        endpoint: String,
        /// The contract function.
        call: &'static str,
        /// Its words, shortened.
        message: String,
    },
    /// The transaction was refused in its block, for a reason that is gone.
    #[error(
        "{call} was refused in block {block} for a reason that no longer holds, or ran out of gas; read the chain's state and decide again"
    )]
    Reverted {
        /// The contract function.
        call: &'static str,
        /// The block.
        block: u64,
    },
    /// Events that were delivered are no longer the chain's.
    #[error(
        "the chain was reorganised from block {block}: event {event} and what follows is no longer confirmed; delete the journal's folder, restart with more confirmations, and all will be fetched again"
    )]
    Reorganised {
        /// The first block that changed.
        block: u64,
        /// The first event that changed, counted from 0.
        event: u64,
    },
    /// The computer does not give a thread, or no way to make TLS connections.
    #[error(
        "the JSON-RPC client cannot start: {0}; free threads and memory, and check the system's certificates"
    )]
    Start(String),
}

impl RpcError {
    /// Whether the same may succeed later without anybody's doing.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. }
            | Self::Declined { .. }
            | Self::Nonsense { .. }
            | Self::BaseFee { .. }
            | Self::NotMined { .. }
            | Self::Interrupted { .. }
            | Self::Reverted { .. } => true,
            Self::BadEndpoint(_)
            | Self::Denied { .. }
            | Self::TooLarge { .. }
            | Self::WrongChain { .. }
            | Self::NoContract { .. }
            | Self::OtherContract { .. }
            | Self::OtherParameters(_)
            | Self::NoKey(_)
            | Self::Key(_)
            | Self::Rejected { .. }
            | Self::Reorganised { .. }
            | Self::Start(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_s_words_are_cut_and_cannot_move_the_cursor() {
        assert_eq!(quote("fine"), "fine");
        assert_eq!(quote("a\x1b[2Jb\n"), "a [2Jb ");
        assert_eq!(quote(&"é".repeat(MAX_QUOTE)), "é".repeat(MAX_QUOTE));
        assert_eq!(quote(&"é".repeat(MAX_QUOTE + 1)).chars().count(), MAX_QUOTE + 1);
    }
}
