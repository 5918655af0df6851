//! A chain in this process: revm runs the committed contracts under Osaka's rules, sled holds the state.
//!
//! Every transaction is a block of its own. The time of a block is the chain's clock, which moves only by
//! [`EmbeddedChain::advance`]. Gas is counted as on a public chain (intrinsic gas, the calldata floor of EIP-7623, the
//! limit of EIP-7825) and reported, but nobody pays for it, so that money moves only as the protocol says; blocks have
//! a base fee all the same, which contracts read and [`EmbeddedChain::set_base_fee`] sets. A call that is refused leaves no block and no trace. The same calls give the same addresses, identifiers and gas.

mod chain;
mod config;
mod deploy;
mod evm;
mod records;
mod referee;
mod store;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::Path;

use narrows_bisection::{Account, BlockTime, Event, Parameters, Wei};
use revm::ExecuteEvm;
use revm::context::result::{ExecutionResult, HaltReason};
use revm::primitives::{Address, Bytes, Log, TxKind, U256};

use self::config::Config;
use self::evm::{Execution, Message, TRANSACTION_GAS, machine, run};
use self::records::Head;
pub use self::store::StorageError;
use self::store::{Change, Store};
use crate::ChainError;
use crate::artifacts;
use crate::bindings::{self, Target};
use crate::views::Question;

/// The embedded chain's number: no public chain's.
pub const CHAIN_ID: u64 = 0x4e52_5753;

/// The base fee of a new chain: 1 gwei.
const BASE_FEE: Wei = Wei(1_000_000_000);

/// The clock stays below this, so that every end of a window fits the 40 bits that a match keeps of a time.
const END_OF_TIME: u64 = 1 << 39;

/// Who may look: an account that never sends.
const VIEWER: Account = Account([0; 20]);

/// A chain in this process; see the module.
///
/// A transaction is on the disk as a whole or not at all before [`send`](crate::Chain::send) returns, so a kill loses
/// nothing that was answered. Bytes that rot at the end of sled's log lose the transactions that they hold; other
/// damage is an error.
pub struct EmbeddedChain {
    store: Store,
    config: Config,
    head: Head,
}

impl fmt::Debug for EmbeddedChain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedChain").field("config", &self.config).field("head", &self.head).finish()
    }
}

impl EmbeddedChain {
    /// Makes a chain at `path` whose clock stands at `start`, and deploys the contracts.
    ///
    /// # Errors
    /// When there is a chain already, the parameters are out of range, or the disk fails.
    pub fn create(path: &Path, parameters: Parameters, start: BlockTime) -> Result<Self, ChainError> {
        let store = Store::open(path)?;
        if store.config()?.is_some() {
            return Err(StorageError::Exists(path.to_owned()).into());
        }
        Self::deployed(store, parameters, start)
    }

    /// Opens the chain at `path`.
    ///
    /// # Errors
    /// When there is none, it is damaged, it runs other contracts, or it is open elsewhere.
    pub fn open(path: &Path) -> Result<Self, ChainError> {
        if !path.exists() {
            return Err(StorageError::Missing(path.to_owned()).into());
        }
        let store = Store::open(path)?;
        let config = store.config()?.ok_or_else(|| StorageError::Missing(path.to_owned()))?;
        if config.contracts != artifacts::contracts_hash() || config.chain_id != CHAIN_ID {
            return Err(StorageError::OtherContracts.into());
        }
        let head = store.head()?.ok_or(StorageError::Corrupt("head"))?;
        Ok(Self { store, config, head })
    }

    /// A chain that goes when it is dropped, its clock at 1,700,000,000.
    ///
    /// # Errors
    /// When the parameters are out of range, or the disk fails.
    pub fn temporary(parameters: Parameters) -> Result<Self, ChainError> {
        Self::deployed(Store::temporary()?, parameters, BlockTime(1_700_000_000))
    }

    fn deployed(store: Store, parameters: Parameters, start: BlockTime) -> Result<Self, ChainError> {
        parameters.check()?;
        if start.0 >= END_OF_TIME {
            return Err(ChainError::Overflow("the clock"));
        }
        let head = Head { block: 0, time: start, logs: 0, base_fee: BASE_FEE };
        let (config, state) = deploy::deploy(&store, parameters, &head)?;
        let mut change = Change::default();
        change.state(&state);
        change.config(&config);
        change.head(&head);
        store.apply(change)?;
        Ok(Self { store, config, head })
    }

    /// Gives `amount` to an account that holds no contract, out of nothing.
    ///
    /// # Errors
    /// When the account holds a contract, the balance would overflow, or the disk fails.
    pub fn fund(&mut self, account: Account, amount: Wei) -> Result<(), ChainError> {
        let address = Address::new(account.0);
        let mut info = self.store.account(address)?;
        if !info.is_empty_code_hash() {
            return Err(ChainError::HoldsCode(account));
        }
        // Half the range, so that no sum of two balances leaves it.
        let total = wei(info.balance)?.0.checked_add(amount.0).filter(|total| *total < 1 << 127);
        info.balance = U256::from(total.ok_or(ChainError::Overflow("the balance"))?);
        let mut change = Change::default();
        change.account(address, &info);
        Ok(self.store.apply(change)?)
    }

    /// Moves the clock forward.
    ///
    /// # Errors
    /// When the clock would leave its range, or the disk fails.
    pub fn advance(&mut self, seconds: u64) -> Result<(), ChainError> {
        let time = self.head.time.0.checked_add(seconds).filter(|time| *time < END_OF_TIME);
        let time = BlockTime(time.ok_or(ChainError::Overflow("the clock"))?);
        self.write(Change::default(), Head { time, ..self.head })
    }

    /// The base fee of the next block, in wei a gas.
    #[must_use]
    pub const fn base_fee(&self) -> Wei {
        self.head.base_fee
    }

    /// Sets the base fee of the blocks from now on: what a lost challenge is reckoned by (PROTOCOL 4.8).
    ///
    /// # Errors
    /// When it is 2^64 wei or more, or the disk fails.
    pub fn set_base_fee(&mut self, base_fee: Wei) -> Result<(), ChainError> {
        if u64::try_from(base_fee.0).is_err() {
            return Err(ChainError::Overflow("the base fee"));
        }
        self.write(Change::default(), Head { base_fee, ..self.head })
    }

    /// The number of the last block.
    #[must_use]
    pub const fn block(&self) -> u64 {
        self.head.block
    }

    /// The address of `Registry`.
    #[must_use]
    pub const fn registry(&self) -> Account {
        self.config.registry
    }

    fn write(&mut self, mut change: Change, head: Head) -> Result<(), ChainError> {
        change.head(&head);
        self.store.apply(change)?;
        self.head = head;
        Ok(())
    }

    /// Executes in the block after the last; nothing is written.
    fn execute(&self, message: &Message<'_>) -> Result<Execution, ChainError> {
        let nonce = self.store.account(Address::new(message.from.0))?.nonce;
        let mut evm = machine(&self.store, self.head.block + 1, &self.head);
        let result = run(&mut evm, message, nonce)?;
        Ok(Execution::new(result, evm.finalize()))
    }

    /// The account of a contract.
    const fn account_of(&self, target: Target) -> Account {
        match target {
            Target::Registry => self.config.registry,
            Target::Game => self.config.game,
        }
    }

    /// Asks a contract without changing anything.
    fn ask<T>(&self, question: &Question<T>) -> Result<T, ChainError> {
        let Question { target, name, data, read } = question;
        let to = TxKind::Call(Address::new(self.account_of(*target).0));
        let message = Message { name, from: VIEWER, to, value: Wei(0), data };
        let answer = succeed(name, self.execute(&message)?.result)?;
        Ok(read(&answer)?)
    }

    /// The event that a stored or a new log is.
    fn read(&self, log: &Log) -> Result<Event, ChainError> {
        let contract = match Account(log.address.into()) {
            address if address == self.config.registry => Target::Registry,
            address if address == self.config.game => Target::Game,
            other => return Err(ChainError::Nonsense(format!("a log of the contract {other}"))),
        };
        Ok(bindings::decode_log(contract, log)?)
    }
}

/// An amount that this system can name.
fn wei(value: U256) -> Result<Wei, ChainError> {
    u128::try_from(value).map(Wei).map_err(|_| ChainError::Overflow("the balance"))
}

/// The output of an execution that stands, or why it does not.
fn succeed(name: &'static str, result: ExecutionResult) -> Result<Bytes, ChainError> {
    match result {
        ExecutionResult::Success { output, .. } => Ok(output.into_data()),
        ExecutionResult::Revert { output, .. } => Err(match bindings::decode_refusal(&output) {
            Some(refusal) => ChainError::Refused { call: name, refusal },
            None => ChainError::Nonsense(format!("{name} reverts with {output}")),
        }),
        ExecutionResult::Halt { reason: HaltReason::OutOfGas(_), .. } => {
            Err(ChainError::OutOfGas { call: name, limit: TRANSACTION_GAS })
        }
        ExecutionResult::Halt { reason, .. } => {
            Err(ChainError::Nonsense(format!("{name} halts: {reason:?}")))
        }
    }
}
