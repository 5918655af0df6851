//! The embedded chain behind the seam.

use narrows_bisection::{
    Account, BlockTime, ClaimId, JobId, MatchId, Parameters, Registered, StateHash, Wei,
};
use narrows_commitment::{Digest, ProgramRoot};
use revm::primitives::{Address, TxKind};

use super::evm::{Execution, Message, TRANSACTION_GAS};
use super::records::{Head, LogRecord};
use super::store::Change;
use super::{EmbeddedChain, succeed, wei};
use crate::bindings;
use crate::views::{self, ClaimView, JobView};
use crate::{Chain, ChainError, LoggedEvent, MAX_EVENTS, Receipt, Transaction};

/// Gas of any transaction, and the least of a byte of calldata that is not zero (EIP-7623).
const BASE_GAS: u64 = 21_000;
const FLOOR_GAS: u64 = 40;

impl Chain for EmbeddedChain {
    fn parameters(&self) -> Parameters {
        self.config.parameters
    }

    fn now(&self) -> BlockTime {
        self.head.time
    }

    fn chain_id(&self) -> u64 {
        self.config.chain_id
    }

    fn game(&self) -> Account {
        self.config.game
    }

    /// As many as always fit: nobody hands transactions on here, so it is gas that ends them, which the floor for bytes that
    /// are not zero takes first.
    fn max_transaction_bytes(&self) -> usize {
        ((TRANSACTION_GAS - BASE_GAS) / FLOOR_GAS) as usize
    }

    fn send(&mut self, tx: Transaction) -> Result<Receipt, ChainError> {
        let name = tx.call.name();
        if tx.value.0 > 0 && !tx.call.is_payable() {
            return Err(ChainError::NotPayable { call: name });
        }
        let (target, data) = bindings::encode(&tx.call);
        let to = TxKind::Call(Address::new(self.account_of(target).0));
        let message = Message { name, from: tx.from, to, value: tx.value, data: &data };
        let Execution { result, state } = self.execute(&message)?;
        let (gas_used, logs) = (result.tx_gas_used(), result.logs().to_vec());
        succeed(name, result)?;

        let mut head = Head { block: self.head.block + 1, ..self.head };
        let sender = Address::new(tx.from.0);
        let mut change = Change::default();
        change.state(&state);
        let mut events = Vec::with_capacity(logs.len());
        for log in logs {
            events.push(self.read(&log)?);
            change.log(head.logs, &LogRecord { block: head.block, time: head.time, sender, log });
            head.logs += 1;
        }
        self.write(change, head)?;
        let Head { block, time, base_fee, .. } = head;
        Ok(Receipt { events, gas_used, calldata_bytes: data.len(), block, time, base_fee })
    }

    fn events_from(&self, cursor: u64) -> Result<Vec<LoggedEvent>, ChainError> {
        let end = self.head.logs.min(cursor.saturating_add(MAX_EVENTS as u64));
        let logged = |index| {
            let LogRecord { block, time, sender, log } = self.store.log(index)?;
            Ok(LoggedEvent { block, time, sender: Account(sender.into()), event: self.read(&log)? })
        };
        (cursor..end).map(logged).collect()
    }

    fn program(&self, program: ProgramRoot) -> Result<Option<Registered>, ChainError> {
        self.ask(&views::program(program))
    }

    fn job(&self, job: JobId) -> Result<Option<JobView>, ChainError> {
        self.ask(&views::job(job))
    }

    fn entry(&self, job: JobId, number: u64) -> Result<Option<Digest>, ChainError> {
        self.ask(&views::entry(job, number))
    }

    fn claim(&self, claim: ClaimId) -> Result<Option<ClaimView>, ChainError> {
        self.ask(&views::claim(claim))
    }

    fn match_state(&self, id: MatchId) -> Result<Option<StateHash>, ChainError> {
        self.ask(&views::match_state(id))
    }

    fn owed(&self, account: Account) -> Result<Wei, ChainError> {
        self.ask(&views::owed(account))
    }

    fn locked(&self) -> Result<Wei, ChainError> {
        self.ask(&views::locked())
    }

    fn burned(&self) -> Result<Wei, ChainError> {
        self.ask(&views::burned())
    }

    fn balance(&self, account: Account) -> Result<Wei, ChainError> {
        wei(self.store.account(Address::new(account.0))?.balance)
    }
}
