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
    /// The chain.
    #[error(transparent)]
    Chain(#[from] ChainError),
}

/// Events taken so far, in order.
#[derive(Debug)]
pub struct Inbox {
    db: sled::Db,
    seen: u64,
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
        Ok((Self { db, seen: events.len() as u64 }, events))
    }

    /// Takes what is new on `chain`; it is on disk before this returns.
    ///
    /// # Errors
    /// When the chain or the disk fails, or the chain no longer confirms the last event taken.
    pub fn fetch(&mut self, chain: &dyn Chain) -> Result<Vec<LoggedEvent>, InboxError> {
        let from = self.seen.saturating_sub(1);
        let mut events = chain.events_from(from)?.into_iter();
        if self.seen > 0 {
            let last = self.db.get(from.to_be_bytes())?.ok_or(InboxError::Damaged(from))?;
            let confirmed = events.next().map(|event| encode(&event));
            if confirmed.as_deref() != Some(last.as_ref()) {
                return Err(InboxError::Diverged(from));
            }
        }
        let mut events: Vec<LoggedEvent> = events.collect();
        // A chain answers with a bounded number at a time.
        loop {
            let more = chain.events_from(self.seen + events.len() as u64)?;
            if more.is_empty() {
                break;
            }
            events.extend(more);
        }
        let mut batch = sled::Batch::default();
        for (offset, event) in events.iter().enumerate() {
            batch.insert(&(self.seen + offset as u64).to_be_bytes(), encode(event));
        }
        if !events.is_empty() {
            self.db.apply_batch(batch)?;
            self.db.flush()?;
        }
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
