//! Which calls of a chain's history a record of one claim holds.

use std::collections::BTreeSet;

use narrows_commitment::ProgramRoot;

use crate::game::ids;
use crate::{Call, ClaimId, Event, JobId};

use super::about::{claim_of, job_of, posted_of};
use super::{Entry, RecordError};

/// The program of `claim`, and the positions in `history` of the calls that its record holds: its program's registration,
/// and all about its job up to the last one about the claim, the award of its fee included.
///
/// Other claims on the job belong to it: their commitments count into the claim's number, and the fee waits for the earlier
/// ones of them. Withdrawals do not: what somebody is owed may come from other jobs.
pub(crate) fn select(
    claim: ClaimId,
    history: &[Entry],
) -> Result<(ProgramRoot, BTreeSet<usize>), RecordError> {
    let missing = |what| RecordError::Missing { claim, what };
    let job = events(history).find_map(|event| match event {
        Event::ClaimPosted { claim: posted, posted: what, .. } if *posted == claim => Some(what.job),
        _ => None,
    });
    let job = job.ok_or(missing("claim"))?;
    let program = events(history).find_map(|event| match event {
        Event::JobPosted { job: posted, program, .. } if *posted == job => Some(*program),
        _ => None,
    });
    let program = program.ok_or(missing("job"))?;
    let mut scope = Scope { job, claims: BTreeSet::new() };
    let mut chosen = BTreeSet::new();
    let mut end = None;
    let mut registered = false;
    for (index, entry) in history.iter().enumerate() {
        let takes = match registers(&entry.call) {
            Some(root) => root == program && !registered,
            None => scope.takes(entry),
        };
        if takes {
            registered |= registers(&entry.call).is_some();
            chosen.insert(index);
            if concerns(entry, claim) {
                end = Some(index);
            }
        }
    }
    if !registered {
        return Err(missing("registration of its program"));
    }
    chosen.retain(|index| Some(*index) <= end);
    Ok((program, chosen))
}

/// The program that a call registers.
fn registers(call: &Call) -> Option<ProgramRoot> {
    match call {
        Call::Register { header, layers_root } => Some(ids::program_root(header, *layers_root)),
        _ => None,
    }
}

/// The job, and its claims so far.
struct Scope {
    job: JobId,
    claims: BTreeSet<ClaimId>,
}

impl Scope {
    /// Whether a call other than a registration is about the job.
    fn takes(&mut self, entry: &Entry) -> bool {
        let mut posts = false;
        for event in &entry.events {
            match event {
                Event::JobPosted { job, .. } => posts |= *job == self.job,
                Event::ClaimPosted { claim, posted, .. } if posted.job == self.job => {
                    self.claims.insert(*claim);
                }
                _ => {}
            }
        }
        posts
            || job_of(&entry.call) == Some(self.job)
            || posted_of(&entry.call).is_some_and(|posted| posted.job == self.job)
            || claim_of(&entry.call).is_some_and(|claim| self.claims.contains(&claim))
    }
}

fn events(history: &[Entry]) -> impl Iterator<Item = &Event> {
    history.iter().flat_map(|entry| &entry.events)
}

/// Whether a call of the claim's job does something about the claim itself.
fn concerns(entry: &Entry, claim: ClaimId) -> bool {
    let announces = |event: &Event| match event {
        Event::ClaimPosted { claim: about, .. }
        | Event::ClaimFinal { claim: about, .. }
        | Event::JobAwarded { claim: about, .. }
        | Event::MatchOpened { claim: about, .. }
        | Event::Committed { claim: about, .. }
        | Event::MatchWon { claim: about, .. }
        | Event::MatchLost { claim: about, .. }
        | Event::ClaimRefuted { claim: about, .. }
        | Event::RewardOpened { claim: about, .. }
        | Event::RewardCollected { claim: about, .. } => *about == claim,
        _ => false,
    };
    claim_of(&entry.call) == Some(claim) || entry.events.iter().any(announces) || moves(entry, claim)
}

/// Whether a call moves a match of the claim, which it names by what the claim says.
fn moves(entry: &Entry, claim: ClaimId) -> bool {
    let number = super::match_number_of(&entry.call);
    let id = number.map(|number| ids::match_id(claim, number));
    entry.events.iter().any(|event| match event {
        Event::SubTraced { match_id, .. }
        | Event::Prepared { match_id, .. }
        | Event::Named { match_id, .. }
        | Event::Folded { match_id, .. } => Some(*match_id) == id,
        _ => false,
    })
}
