//! What a node sends, what it has tried, and when that may be tried again.

use std::collections::BTreeMap;

use narrows_bisection::{Account, BlockTime, Call, Refusal, Wei};

use crate::{Chain, ChainError, MAX_TOGETHER, Receipt, Transaction};

/// What a transaction led to; what a node tells its owner.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// It was accepted.
    Sent(Call, Receipt),
    /// It was refused.
    Refused(Call, Refusal),
}

/// What came of sending a call, for the node's next decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It was accepted.
    Accepted,
    /// The contracts refused it.
    Refused,
    /// No transaction can carry it here: another way to the same end has to be found. The tick's end tells why.
    Impossible,
    /// It failed by itself, for a reason that may pass: it is still due. The tick's end tells why.
    Failed,
}

/// A node's transactions, by what they are about.
///
/// An action that is done is not done again. One that was refused may have been refused for a reason that passes: by a node
/// that is behind, on a branch that is gone, a second too early; so it is tried again, once a block.
#[derive(Debug)]
pub struct Outbox<T> {
    account: Account,
    tried: BTreeMap<T, BlockTime>,
    /// The first error of this tick that was one transaction's own.
    failed: Option<ChainError>,
}

impl<T: Ord> Outbox<T> {
    /// Of a node that sends as `account`.
    #[must_use]
    pub fn new(account: Account) -> Self {
        Self { account, tried: BTreeMap::new(), failed: None }
    }

    /// Ends a tick.
    ///
    /// # Errors
    /// The first error since the last end that stopped one transaction alone.
    pub fn end(&mut self) -> Result<(), ChainError> {
        self.failed.take().map_or(Ok(()), Err)
    }

    /// Whether `what` may be tried at `now`.
    pub fn may(&self, what: &T, now: BlockTime) -> bool {
        self.tried.get(what).is_none_or(|again| now >= *again)
    }

    /// Not again in this process.
    pub fn done(&mut self, what: T) {
        self.tried.insert(what, BlockTime(u64::MAX));
    }

    /// Not before a block has passed.
    pub fn rest(&mut self, chain: &dyn Chain, what: T) {
        let again = chain.now().0.saturating_add(chain.parameters().block_seconds.into());
        self.tried.insert(what, BlockTime(again));
    }

    /// Sends a call.
    ///
    /// # Errors
    /// When the chain fails, rather than this one transaction.
    pub fn send<A: From<Outcome>>(
        &mut self,
        chain: &mut dyn Chain,
        value: Wei,
        call: Call,
        actions: &mut Vec<A>,
    ) -> Result<Fate, ChainError> {
        let sent = chain.send(Transaction { from: self.account, value, call: call.clone() });
        self.take(sent, call, actions)
    }

    fn take<A: From<Outcome>>(
        &mut self,
        sent: Result<Receipt, ChainError>,
        call: Call,
        actions: &mut Vec<A>,
    ) -> Result<Fate, ChainError> {
        match sent {
            Ok(receipt) => {
                actions.push(Outcome::Sent(call, receipt).into());
                Ok(Fate::Accepted)
            }
            Err(ChainError::Refused { refusal, .. }) => {
                actions.push(Outcome::Refused(call, refusal).into());
                Ok(Fate::Refused)
            }
            Err(error) if error.is_its_own() => {
                let fate = if error.is_of_the_call() { Fate::Impossible } else { Fate::Failed };
                self.failed.get_or_insert(error);
                Ok(fate)
            }
            Err(error) => Err(error),
        }
    }

    /// Sends what must stand once; refused, it is tried again in a later block.
    ///
    /// # Errors
    /// As [`Outbox::send`].
    pub fn send_once<A: From<Outcome>>(
        &mut self,
        chain: &mut dyn Chain,
        what: T,
        value: Wei,
        call: Call,
        actions: &mut Vec<A>,
    ) -> Result<(), ChainError> {
        match self.send(chain, value, call, actions)? {
            Fate::Accepted => self.done(what),
            Fate::Refused => self.rest(chain, what),
            Fate::Impossible | Fate::Failed => {}
        }
        Ok(())
    }

    /// Sends what harms nobody twice: a reorganisation may undo what stood, and then it is due again.
    ///
    /// # Errors
    /// As [`Outbox::send`].
    pub fn send_again<A: From<Outcome>>(
        &mut self,
        chain: &mut dyn Chain,
        what: T,
        call: Call,
        actions: &mut Vec<A>,
    ) -> Result<(), ChainError> {
        match self.send(chain, Wei(0), call, actions)? {
            Fate::Accepted | Fate::Refused => self.rest(chain, what),
            Fate::Impossible | Fate::Failed => {}
        }
        Ok(())
    }

    /// Sends moves in different matches together, as by [`Outbox::send_again`].
    ///
    /// # Errors
    /// As [`Outbox::send`]; what was sent beside the one that failed is recorded all the same.
    pub fn send_moves<A: From<Outcome>>(
        &mut self,
        chain: &mut dyn Chain,
        moves: Vec<(T, Call)>,
        actions: &mut Vec<A>,
    ) -> Result<(), ChainError> {
        let mut moves = moves.into_iter();
        loop {
            let (what, calls): (Vec<T>, Vec<Call>) = moves.by_ref().take(MAX_TOGETHER).unzip();
            if calls.is_empty() {
                return Ok(());
            }
            let tx = |call: &Call| Transaction { from: self.account, value: Wei(0), call: call.clone() };
            let sent = chain.send_all(calls.iter().map(tx).collect());
            let mut failed = None;
            for ((what, call), sent) in what.into_iter().zip(calls).zip(sent) {
                match self.take(sent, call, actions) {
                    Ok(Fate::Accepted | Fate::Refused) => self.rest(chain, what),
                    Ok(Fate::Impossible | Fate::Failed) => {}
                    Err(error) => _ = failed.get_or_insert(error),
                }
            }
            failed.map_or(Ok(()), Err)?;
        }
    }
}
