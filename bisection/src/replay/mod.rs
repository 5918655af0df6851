//! Judging a recorded dispute again, from its record alone.

use narrows_commitment::ProgramRoot;

use crate::record::{Entry, Head, Labels, Outcome, Record, RecordError, select};
use crate::{Account, BadParameters, ClaimId, Game, Parameters, Refusal};

mod doubt;
mod story;
mod teller;

pub use doubt::{Doubt, Finding, Span};
pub use story::{Mover, Step, Story};

use teller::{Before, Teller};

/// Why a record's story is not what the protocol says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// The record's own form.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// Parameters that no game has.
    #[error("no game has the record's parameters: {0}; record the dispute anew from the chain")]
    Parameters(#[from] BadParameters),
    /// A program other than that of the claim's job.
    #[error(
        "the record is of program {recorded}, its claim of program {replayed}; record the dispute anew from the chain"
    )]
    Program {
        /// By the record's head.
        recorded: ProgramRoot,
        /// By its entries.
        replayed: ProgramRoot,
    },
    /// A call that has nothing to do with the claim, or comes after all that does.
    #[error("entry {entry} ({call}) is no part of the dispute; record the dispute anew from the chain")]
    Stray {
        /// The entry's position, from 0.
        entry: usize,
        /// What it calls.
        call: &'static str,
    },
    /// A call that the protocol refuses.
    #[error(
        "entry {entry} ({call}) is {refusal}: it cannot have stood; record the dispute anew from the chain"
    )]
    Refused {
        /// The entry's position, from 0.
        entry: usize,
        /// What it calls.
        call: &'static str,
        /// Why it is refused.
        refusal: Refusal,
    },
    /// A call that announces other things.
    #[error(
        "entry {entry} ({call}) announces something else than is recorded; record the dispute anew from the chain"
    )]
    Events {
        /// The entry's position, from 0.
        entry: usize,
        /// What it calls.
        call: &'static str,
    },
    /// Another end.
    #[error(
        "the dispute ends otherwise than is recorded: its {0} differs; record the dispute anew from the chain"
    )]
    Outcome(&'static str),
}

/// Plays a record through the rules again: every call must stand and announce what is recorded, and the end must be the
/// recorded one.
///
/// What no rule decides is taken as recorded: the senders, times and base fees, the gas, the labels, and that nothing
/// happened after the last entry.
///
/// # Errors
/// The first thing that is otherwise than recorded: see [`ReplayError`].
pub fn replay(record: &Record) -> Result<Story, ReplayError> {
    record.check_times()?;
    let Record { head, entries, outcome } = record;
    let (replayed, chosen) = select(head.claim, entries)?;
    if replayed != head.program {
        return Err(ReplayError::Program { recorded: head.program, replayed });
    }
    if let Some(entry) = (0..entries.len()).find(|index| !chosen.contains(index)) {
        return Err(ReplayError::Stray { entry, call: entries[entry].call.name() });
    }
    let mut teller = Teller::new(head, entries);
    let end = run(head, entries, |entry, before, after| teller.tell(entry, before, after))?;
    let missing = RecordError::Missing { claim: head.claim, what: "claim" };
    let judged = Outcome::of(&end, head.claim).ok_or(missing)?;
    let differences = [
        ("verdict", judged.verdict == outcome.verdict),
        ("list of who is owed what", judged.owed == outcome.owed),
        ("locked amount", judged.locked == outcome.locked),
        ("burned amount", judged.burned == outcome.burned),
    ];
    match differences.iter().find(|(_, same)| !same) {
        Some((what, _)) => Err(ReplayError::Outcome(what)),
        None => Ok(teller.finish(judged)),
    }
}

/// Plays `entries`; `told` sees the game before and after each.
fn run(
    head: &Head,
    entries: &[Entry],
    mut told: impl FnMut(&Entry, &Before, &Game),
) -> Result<Game, ReplayError> {
    let mut game = Game::new(head.chain_id, head.game, head.parameters)?;
    for (index, entry) in entries.iter().enumerate() {
        let call = entry.call.name();
        let before = Before::of(&game, head, &entry.call);
        let events = game
            .apply(entry.block, entry.sender, entry.value, &entry.call)
            .map_err(|refusal| ReplayError::Refused { entry: index, call, refusal })?;
        if events != entry.events {
            return Err(ReplayError::Events { entry: index, call });
        }
        told(entry, &before, &game);
    }
    Ok(game)
}

impl Record {
    /// The record of `claim`, from a history of the game's calls that stood, in the chain's order; calls about other
    /// things are left out, as are those after the last one about the claim.
    ///
    /// # Errors
    /// When the history lacks the claim, or is not what the protocol says.
    pub fn of_claim(
        chain_id: u64,
        game: Account,
        parameters: Parameters,
        labels: Labels,
        claim: ClaimId,
        history: &[Entry],
    ) -> Result<Self, ReplayError> {
        let (program, chosen) = select(claim, history)?;
        let head = Head { chain_id, game, parameters, program, claim, labels };
        let entries: Vec<Entry> = chosen.into_iter().map(|index| history[index].clone()).collect();
        let end = run(&head, &entries, |_, _, _| {})?;
        let missing = RecordError::Missing { claim, what: "claim" };
        let outcome = Outcome::of(&end, claim).ok_or(missing)?;
        let record = Self { head, entries, outcome };
        record.check_times()?;
        Ok(record)
    }
}

#[cfg(test)]
mod tests;
