//! The seam to a chain: what a node says to the contracts and what it reads from them.

use narrows_bisection::{
    Account, BadParameters, BlockTime, Call, ClaimId, Event, JobId, MatchId, Parameters, Refusal, Registered,
    StateHash, Wei,
};
use narrows_commitment::{Digest, ProgramRoot};
use serde::{Deserialize, Serialize};

use crate::bindings::DecodeError;
use crate::embedded::StorageError;
use crate::rpc::RpcError;
use crate::views::{ClaimView, JobView};

/// The most events that one [`Chain::events_from`] answers with.
pub const MAX_EVENTS: usize = 1 << 16;

/// The most transactions that a node hands to one [`Chain::send_all`].
pub const MAX_TOGETHER: usize = 64;

/// The most bytes of a transaction that a public chain's nodes hand on, envelope and signature included: what geth and most
/// others hold to unless told otherwise.
pub const MAX_TRANSACTION_BYTES: usize = 128 * 1024;

/// More than all of a signed transaction (EIP-1559) but its calldata takes: 1 + 4 + 9 + 9 + 17 + 17 + 5 + 21 + 17 + 4 + 1 + 67
/// bytes at the most.
const ENVELOPE_BYTES: usize = 192;

/// Refuses a call for which a transaction of `limit` bytes has no room.
///
/// # Errors
/// [`ChainError::TooLong`].
pub fn check_size(call: &Call, limit: usize) -> Result<(), ChainError> {
    check_bytes(call.name(), crate::bindings::encode(call).1.len(), limit)
}

/// As [`check_size`], of so many bytes of calldata.
pub(crate) fn check_bytes(call: &'static str, calldata: usize, limit: usize) -> Result<(), ChainError> {
    let bytes = calldata + ENVELOPE_BYTES;
    if bytes <= limit { Ok(()) } else { Err(ChainError::TooLong { call, bytes, limit }) }
}

/// A call with its sender and the money that goes with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// Who sends it.
    pub from: Account,
    /// What is paid in: the fee, or a bond.
    pub value: Wei,
    /// What is called.
    pub call: Call,
}

/// What a transaction did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// What the contracts announced, in order.
    pub events: Vec<Event>,
    /// Gas as a public chain would charge it: intrinsic gas, the floor for calldata and refunds included.
    pub gas_used: u64,
    /// Bytes of calldata.
    pub calldata_bytes: usize,
    /// The block that holds it.
    pub block: u64,
    /// That block's time.
    pub time: BlockTime,
    /// That block's base fee, per gas: what a lost challenge is reckoned by (PROTOCOL 4.8).
    pub base_fee: Wei,
}

/// An event with where it was announced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoggedEvent {
    /// The block.
    pub block: u64,
    /// Its time.
    pub time: BlockTime,
    /// Who sent the transaction.
    pub sender: Account,
    /// What was announced.
    pub event: Event,
}

/// Why a chain did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// The contracts refuse the call (PROTOCOL 3 and 4); nothing changed.
    #[error(
        "{call} is {refusal}; PROTOCOL.md says what {call} needs: read the chain's present state and try again"
    )]
    Refused {
        /// The contract function.
        call: &'static str,
        /// Its reason.
        refusal: Refusal,
    },
    /// The call takes no money.
    #[error("{call} takes no value: send it with 0 wei")]
    NotPayable {
        /// The contract function.
        call: &'static str,
    },
    /// The call needs more gas than a transaction may have; nothing changed.
    #[error(
        "{call} needs more than the {limit} gas of a transaction; compile the program with a smaller split, fewer reveal bits or a smaller input"
    )]
    OutOfGas {
        /// The contract function.
        call: &'static str,
        /// The most gas that a transaction may have.
        limit: u64,
    },
    /// The call is longer than a transaction may be; nothing was sent.
    #[error(
        "{call} needs a transaction of {bytes} bytes, and this chain's nodes take {limit} (--max-transaction-bytes); compile the model for a smaller input or output, or use a chain whose nodes take more"
    )]
    TooLong {
        /// The contract function.
        call: &'static str,
        /// Bytes that its transaction would have.
        bytes: usize,
        /// The most bytes of a transaction.
        limit: usize,
    },
    /// The sender does not hold the value.
    #[error("account {account} holds {balance} wei and needs {needed}; fund it", balance = balance.0, needed = needed.0)]
    InsufficientFunds {
        /// The sender.
        account: Account,
        /// What it would pay.
        needed: Wei,
        /// What it holds.
        balance: Wei,
    },
    /// The chain answered something that no deployment of these contracts answers.
    #[error("the chain answers nonsense: {0}; check the addresses, and that the contracts are this build's")]
    Nonsense(String),
    /// The chain's own state cannot be read or written.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The parameters are out of range.
    #[error(transparent)]
    Parameters(#[from] BadParameters),
    /// The chain answered bytes that these contracts do not.
    #[error("the chain answers nonsense: {0}")]
    Decode(#[from] DecodeError),
    /// The clock or an amount would leave its range.
    #[error("{0} would overflow; use a smaller number")]
    Overflow(&'static str),
    /// An account that holds a contract cannot be given money from nowhere: its books would no longer balance.
    #[error("account {0} holds a contract; fund an account that does not")]
    HoldsCode(Account),
    /// The node behind a JSON-RPC endpoint, the way to it, or the account that signs.
    #[error(transparent)]
    Rpc(#[from] RpcError),
}

impl ChainError {
    /// Whether the same may succeed later without anybody's doing: the way to the chain fails, or the chain is slow.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Rpc(error) => error.is_transient(),
            _ => false,
        }
    }

    /// Whether it is one transaction's own, so that others may fare better.
    #[must_use]
    pub const fn is_its_own(&self) -> bool {
        match self {
            Self::InsufficientFunds { .. }
            | Self::OutOfGas { .. }
            | Self::TooLong { .. }
            | Self::NotPayable { .. } => true,
            Self::Rpc(error) => {
                matches!(
                    error,
                    RpcError::NotMined { .. } | RpcError::Rejected { .. } | RpcError::Reverted { .. }
                )
            }
            _ => false,
        }
    }

    /// Whether it is the call itself that cannot be sent here, however often it is tried.
    #[must_use]
    pub const fn is_of_the_call(&self) -> bool {
        matches!(
            self,
            Self::OutOfGas { .. }
                | Self::TooLong { .. }
                | Self::NotPayable { .. }
                | Self::Rpc(RpcError::Rejected { .. })
        )
    }
}

/// A chain with the contracts deployed. Everything that a node does goes through here.
pub trait Chain {
    /// What the game was deployed with.
    fn parameters(&self) -> Parameters;

    /// The time that the next block would have; on a chain that others make, the best estimate of it.
    fn now(&self) -> BlockTime;

    /// The chain's number (EIP-155), bound into every identifier.
    fn chain_id(&self) -> u64;

    /// The address of `Game`, bound into every identifier.
    fn game(&self) -> Account;

    /// The most bytes that a transaction may have, envelope and signature included.
    fn max_transaction_bytes(&self) -> usize {
        MAX_TRANSACTION_BYTES
    }

    /// Refuses a call that no transaction here is long enough for: to be asked before money is bound to its being sent.
    ///
    /// # Errors
    /// [`ChainError::TooLong`].
    fn check_size(&self, call: &Call) -> Result<(), ChainError> {
        check_size(call, self.max_transaction_bytes())
    }

    /// Sends a transaction and waits until it stands: its events are then among those of [`Chain::events_from`].
    ///
    /// # Errors
    /// When it is refused, cannot be paid, or the chain fails. A refused call changes nothing. After any other error the
    /// same transaction may be sent again: it is not carried out twice by that.
    fn send(&mut self, tx: Transaction) -> Result<Receipt, ChainError>;

    /// Sends transactions of which none depends on another, as one after the other by [`Chain::send`], and answers for each.
    /// A chain on which a transaction takes time to stand has them all on their way at once: so one who is challenged in
    /// many matches answers them together, not one every few blocks.
    fn send_all(&mut self, txs: Vec<Transaction>) -> Vec<Result<Receipt, ChainError>> {
        txs.into_iter().map(|tx| self.send(tx)).collect()
    }

    /// The events after the first `cursor`, in order, at most [`MAX_EVENTS`]; empty when there are no more.
    ///
    /// # Errors
    /// When the chain fails or holds a log that is not an event of PROTOCOL 5.
    fn events_from(&self, cursor: u64) -> Result<Vec<LoggedEvent>, ChainError>;

    /// A registered program, if it is known. The registry keeps no hash of the meta section: `meta_hash` is 0.
    ///
    /// # Errors
    /// When the chain fails or answers nonsense; so for every view below.
    fn program(&self, program: ProgramRoot) -> Result<Option<Registered>, ChainError>;

    /// A job, if it is known.
    ///
    /// # Errors
    /// As [`Chain::program`].
    fn job(&self, job: JobId) -> Result<Option<JobView>, ChainError>;

    /// What stands for a job's claim of this number: keccak(executor, commitment, time), then the claim's id, or 1 once
    /// the commitment has lapsed; `None` while there is none.
    ///
    /// # Errors
    /// As [`Chain::program`].
    fn entry(&self, job: JobId, number: u64) -> Result<Option<Digest>, ChainError>;

    /// A claim, if it is known.
    ///
    /// # Errors
    /// As [`Chain::program`].
    fn claim(&self, claim: ClaimId) -> Result<Option<ClaimView>, ChainError>;

    /// The hash of a match's state, if it is known; the state itself follows from the events.
    ///
    /// # Errors
    /// As [`Chain::program`].
    fn match_state(&self, id: MatchId) -> Result<Option<StateHash>, ChainError>;

    /// What the game owes an account: what `withdraw` pays.
    ///
    /// # Errors
    /// As [`Chain::program`].
    fn owed(&self, account: Account) -> Result<Wei, ChainError>;

    /// Fees and bonds not settled, and all amounts owed (PROTOCOL 4.8).
    ///
    /// # Errors
    /// As [`Chain::program`].
    fn locked(&self) -> Result<Wei, ChainError>;

    /// What claims and verdicts have burned so far.
    ///
    /// # Errors
    /// As [`Chain::program`].
    fn burned(&self) -> Result<Wei, ChainError>;

    /// What an account holds on the chain itself.
    ///
    /// # Errors
    /// As [`Chain::program`].
    fn balance(&self, account: Account) -> Result<Wei, ChainError>;
}
