//! A node's journal: every event it took from a chain, kept in sled and flushed before the node acts on it.
//!
//! A node's state is a function of its inbox, so recovery after a kill is replay. The chain stays the authority: an inbox that
//! the chain no longer confirms is refused, not silently repaired.

use std::path::Path;

use crate::{Chain, ChainError, LoggedEvent};

/// How often, and how long apart, a journal that is still locked is tried.
const LOCK_ATTEMPTS: u32 = 40;
const LOCK_PAUSE: std::time::Duration = std::time::Duration::from_millis(50);

/// Why a journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InboxError {
    /// The disk, or another process that holds the journal.
    #[error("the journal cannot be used: {0}; free the disk, or stop the other node that holds it")]
    Storage(#[from] sled::Error),
    /// Bytes that are no event.
    #[error(
        "entry {0} of the journal is damaged; delete the journal's folder, the node will fetch everything again"
    )]
    Damaged(u64),
    /// The chain tells another story than before.
    #[error(
        "the chain no longer confirms event {0} of the journal (a reorganisation, or another chain); delete the journal's folder to follow it anew"
    )]
    Diverged(u64),
    /// The chain knows fewer events than were taken from it.
    #[error(
        "the chain does not show event {0} of the journal: its node is behind, or the chain was made anew; wait until the node has caught up, or delete the journal's folder"
    )]
    Behind(u64),
    /// The chain.
    #[error(transparent)]
    Chain(#[from] ChainError),
}

impl InboxError {
    /// Whether the same may succeed later without anybody's doing.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Behind(_) => true,
            Self::Chain(error) => error.is_transient(),
            Self::Storage(_) | Self::Damaged(_) | Self::Diverged(_) => false,
        }
    }
}

/// Events taken so far, in order.
#[derive(Debug)]
pub struct Inbox {
    db: sled::Db,
    seen: u64,
    /// Whether this process has compared all that an earlier one took.
    compared: bool,
}

impl Inbox {
    /// Opens, or begins, the journal at `path`; gives the events taken so far, for replay.
    ///
    /// # Errors
    /// When the folder cannot be used or holds something else.
    pub fn open(path: &Path) -> Result<(Self, Vec<LoggedEvent>), InboxError> {
        // sled lets go of its lock a moment after it is dropped: a node that restarts at once waits for it.
        let mut attempts = 0;
        loop {
            match sled::open(path) {
                Err(sled::Error::Io(_)) if attempts < LOCK_ATTEMPTS => {
                    attempts += 1;
                    std::thread::sleep(LOCK_PAUSE);
                }
                db => return Self::from_db(db?),
            }
        }
    }

    /// A journal that goes with the process.
    ///
    /// # Errors
    /// When the temporary folder cannot be used.
    pub fn temporary() -> Result<Self, InboxError> {
        Ok(Self::from_db(sled::Config::new().temporary(true).open()?)?.0)
    }

    fn from_db(db: sled::Db) -> Result<(Self, Vec<LoggedEvent>), InboxError> {
        let mut events = Vec::new();
        for (expected, entry) in db.iter().enumerate() {
            let (key, value) = entry?;
            let damaged = InboxError::Damaged(expected as u64);
            if key.as_ref() != (expected as u64).to_be_bytes() {
                return Err(damaged);
            }
            events.push(serde_json::from_slice(&value).map_err(|_| damaged)?);
        }
        Ok((Self { db, seen: events.len() as u64, compared: events.is_empty() }, events))
    }

    /// Takes what is new on `chain`; it is on disk before this returns. What was taken before a failure is given, and the
    /// failure shows at the next call.
    ///
    /// # Errors
    /// When the chain or the disk fails, or the chain no longer confirms the events taken.
    pub fn fetch(&mut self, chain: &dyn Chain) -> Result<Vec<LoggedEvent>, InboxError> {
        self.confirm(chain)?;
        let mut taken = Vec::new();
        loop {
            // A chain answers with a bounded number at a time.
            match chain.events_from(self.seen).map_err(InboxError::from).and_then(|more| self.keep(more)) {
                Ok(more) if more.is_empty() => return Ok(taken),
                Ok(more) => taken.extend(more),
                Err(error) if taken.is_empty() => return Err(error),
                Err(_) => return Ok(taken),
            }
        }
    }

    /// Asks whether the events taken are still the chain's: all of them once in a process, for while it was down anything may
    /// have been reorganised; from then on the last.
    fn confirm(&mut self, chain: &dyn Chain) -> Result<(), InboxError> {
        let mut next = if self.compared { self.seen.saturating_sub(1) } else { 0 };
        while next < self.seen {
            let shown = chain.events_from(next)?;
            if shown.is_empty() {
                return Err(InboxError::Behind(next));
            }
            for (at, event) in (next..self.seen).zip(&shown) {
                let taken = self.db.get(at.to_be_bytes())?.ok_or(InboxError::Damaged(at))?;
                if encode(event) != taken.as_ref() {
                    return Err(InboxError::Diverged(at));
                }
            }
            next += shown.len() as u64;
        }
        self.compared = true;
        Ok(())
    }

    /// Writes what follows, and waits for the disk.
    fn keep(&mut self, events: Vec<LoggedEvent>) -> Result<Vec<LoggedEvent>, InboxError> {
        if events.is_empty() {
            return Ok(events);
        }
        let mut batch = sled::Batch::default();
        for (key, event) in (self.seen..).zip(&events) {
            batch.insert(&key.to_be_bytes(), encode(event));
        }
        self.db.apply_batch(batch)?;
        self.db.flush()?;
        self.seen += events.len() as u64;
        Ok(events)
    }

    /// Events taken so far.
    #[must_use]
    pub const fn seen(&self) -> u64 {
        self.seen
    }
}

fn encode(event: &LoggedEvent) -> Vec<u8> {
    serde_json::to_vec(event).expect("events hold integers, texts and lists only")
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use narrows_bisection::{
        Account, BlockTime, ClaimId, Event, JobId, MatchId, Parameters, Registered, StateHash, Wei,
    };
    use narrows_commitment::{Digest, ProgramRoot};

    use super::*;
    use crate::rpc::RpcError;
    use crate::{ClaimView, JobView, Receipt, Transaction};

    /// A chain of which only the events are known: these, so many at a time, and after so many an error.
    struct Tale {
        events: Vec<u64>,
        at_once: usize,
        fails_at: RefCell<Option<u64>>,
    }

    impl Tale {
        fn of(events: impl IntoIterator<Item = u64>) -> Self {
            Self { events: events.into_iter().collect(), at_once: 2, fails_at: RefCell::new(None) }
        }
    }

    fn told(number: u64) -> LoggedEvent {
        let event = Event::ClaimLapsed { job: JobId::default(), number };
        LoggedEvent { block: number, time: BlockTime(number), sender: Account::default(), event }
    }

    impl Chain for Tale {
        fn events_from(&self, cursor: u64) -> Result<Vec<LoggedEvent>, ChainError> {
            if self.fails_at.borrow().is_some_and(|at| at <= cursor) {
                self.fails_at.take();
                return Err(RpcError::BadEndpoint("broken").into());
            }
            let rest = self.events.iter().skip(cursor as usize).take(self.at_once);
            Ok(rest.copied().map(told).collect())
        }

        fn parameters(&self) -> Parameters {
            unreachable!("a journal asks for events")
        }
        fn now(&self) -> BlockTime {
            unreachable!("a journal asks for events")
        }
        fn chain_id(&self) -> u64 {
            unreachable!("a journal asks for events")
        }
        fn game(&self) -> Account {
            unreachable!("a journal asks for events")
        }
        fn send(&mut self, _: Transaction) -> Result<Receipt, ChainError> {
            unreachable!("a journal asks for events")
        }
        fn program(&self, _: ProgramRoot) -> Result<Option<Registered>, ChainError> {
            unreachable!("a journal asks for events")
        }
        fn job(&self, _: JobId) -> Result<Option<JobView>, ChainError> {
            unreachable!("a journal asks for events")
        }
        fn entry(&self, _: JobId, _: u64) -> Result<Option<Digest>, ChainError> {
            unreachable!("a journal asks for events")
        }
        fn claim(&self, _: ClaimId) -> Result<Option<ClaimView>, ChainError> {
            unreachable!("a journal asks for events")
        }
        fn match_state(&self, _: MatchId) -> Result<Option<StateHash>, ChainError> {
            unreachable!("a journal asks for events")
        }
        fn owed(&self, _: Account) -> Result<Wei, ChainError> {
            unreachable!("a journal asks for events")
        }
        fn locked(&self) -> Result<Wei, ChainError> {
            unreachable!("a journal asks for events")
        }
        fn burned(&self) -> Result<Wei, ChainError> {
            unreachable!("a journal asks for events")
        }
        fn balance(&self, _: Account) -> Result<Wei, ChainError> {
            unreachable!("a journal asks for events")
        }
    }

    fn all(numbers: impl IntoIterator<Item = u64>) -> Vec<LoggedEvent> {
        numbers.into_iter().map(told).collect()
    }

    #[test]
    fn what_is_taken_is_replayed_and_goes_on() {
        let folder = tempfile::tempdir().expect("a folder");
        let (mut inbox, before) = Inbox::open(folder.path()).expect("a journal");
        assert_eq!(before, []);
        assert_eq!(inbox.fetch(&Tale::of(0..5)).expect("events"), all(0..5));
        assert_eq!(inbox.fetch(&Tale::of(0..5)).expect("events"), []);
        drop(inbox);
        let (mut inbox, before) = Inbox::open(folder.path()).expect("a journal");
        assert_eq!((before, inbox.seen()), (all(0..5), 5));
        assert_eq!(inbox.fetch(&Tale::of(0..9)).expect("events"), all(5..9));
    }

    #[test]
    fn a_failure_loses_nothing_that_was_taken() {
        let tale = Tale { fails_at: RefCell::new(Some(4)), ..Tale::of(0..9) };
        let mut inbox = Inbox::temporary().expect("a journal");
        assert_eq!(inbox.fetch(&tale).expect("what came before it"), all(0..4));
        assert_eq!(inbox.fetch(&tale).expect("the rest"), all(4..9));
        tale.fails_at.replace(Some(0));
        assert!(matches!(inbox.fetch(&tale), Err(InboxError::Chain(_))));
        assert_eq!(inbox.seen(), 9);
    }

    #[test]
    fn attack_31_another_story_is_refused() {
        let mut inbox = Inbox::temporary().expect("a journal");
        inbox.fetch(&Tale::of(0..5)).expect("events");
        let other = inbox.fetch(&Tale::of([0, 1, 2, 3, 44, 5])).expect_err("another story");
        assert!(matches!(other, InboxError::Diverged(4)) && !other.is_transient(), "{other}");
        let behind = inbox.fetch(&Tale::of(0..4)).expect_err("less than was taken");
        assert!(matches!(behind, InboxError::Behind(4)) && behind.is_transient(), "{behind}");
        assert_eq!(inbox.fetch(&Tale::of(0..6)).expect("events"), all([5]), "nothing was spoilt");
    }

    #[test]
    fn attack_36_bent_entries_are_noticed() {
        type Bend = fn(&sled::Db);
        let bends: [Bend; 4] = [
            |db| drop(db.insert(1u64.to_be_bytes(), b"{}").expect("written")),
            |db| drop(db.insert(1u64.to_be_bytes(), b"").expect("written")),
            |db| drop(db.remove(1u64.to_be_bytes()).expect("removed")),
            |db| drop(db.insert([0; 7], b"{}").expect("written")),
        ];
        for bend in bends {
            let folder = tempfile::tempdir().expect("a folder");
            let (mut inbox, _) = Inbox::open(folder.path()).expect("a journal");
            inbox.fetch(&Tale::of(0..3)).expect("events");
            bend(&inbox.db);
            drop(inbox);
            assert!(matches!(Inbox::open(folder.path()), Err(InboxError::Damaged(0 | 1))));
        }
    }
}
