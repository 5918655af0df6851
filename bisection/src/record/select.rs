//! Which calls of a chain's history a record of one claim holds.

use std::collections::BTreeSet;

use narrows_commitment::ProgramRoot;

use crate::game::ids;
use crate::{Call, ClaimId, Event, JobId, MatchId};

use super::{Entry, RecordError};

/// The program of `claim`, and the positions in `history` of the calls that decide it, up to the verdict: its program's
/// registration, its job, the claim, its matches; and likewise the claim that settled the job before, if one did, since
/// that decides who gets the fee.
pub(crate) fn select(
    claim: ClaimId,
    history: &[Entry],
) -> Result<(ProgramRoot, BTreeSet<usize>), RecordError> {
    let missing = |what| RecordError::Missing { claim, what };
    let job = events(history).find_map(|event| match event {
        Event::ClaimPosted { claim: posted, job, .. } if *posted == claim => Some(*job),
        _ => None,
    });
    let job = job.ok_or(missing("claim"))?;
    let program = events(history).find_map(|event| match event {
        Event::JobPosted { job: posted, program, .. } if *posted == job => Some(*program),
        _ => None,
    });
    let program = program.ok_or(missing("job"))?;
    let verdict = history.iter().position(|entry| entry.events.iter().any(|event| decides(event, claim)));
    let until = verdict.map_or(history.len(), |at| at + 1);
    let mut choice = Choice { program, job, claims: [claim].into(), matches: BTreeSet::new() };
    choice.claims.extend(settler(job, &history[..until]));
    let mut chosen = BTreeSet::new();
    let mut registered = false;
    for (index, entry) in history[..until].iter().enumerate() {
        let registers = choice.registers(&entry.call);
        if (registers && !registered) || (!registers && choice.takes(entry)) {
            chosen.insert(index);
        }
        registered |= registers;
    }
    if !registered {
        return Err(missing("registration of its program"));
    }
    Ok((program, chosen))
}

/// What is being chosen for.
struct Choice {
    program: ProgramRoot,
    job: JobId,
    claims: BTreeSet<ClaimId>,
    matches: BTreeSet<MatchId>,
}

impl Choice {
    fn registers(&self, call: &Call) -> bool {
        match call {
            Call::Register { header, layers_root, constants_root } => {
                ids::program_root(header, *layers_root, *constants_root) == self.program
            }
            _ => false,
        }
    }

    /// Whether a call other than a registration is about the job's posting, the claims or their matches.
    fn takes(&mut self, entry: &Entry) -> bool {
        let posted = |event: &Event| match event {
            Event::JobPosted { job, .. } => *job == self.job,
            Event::ClaimPosted { claim, .. } => self.claims.contains(claim),
            _ => false,
        };
        match &entry.call {
            Call::PostJob { .. } | Call::PostClaim { .. } => entry.events.iter().any(posted),
            Call::Open { claim, .. } => {
                let ours = self.claims.contains(claim);
                let opened = entry.events.iter().filter_map(|event| match event {
                    Event::MatchOpened { match_id, .. } if ours => Some(*match_id),
                    _ => None,
                });
                self.matches.extend(opened);
                ours
            }
            Call::Finalise { claim } => self.claims.contains(claim),
            Call::Reveal { match_id, .. }
            | Call::Pick { match_id, .. }
            | Call::RevealTile { match_id, .. }
            | Call::Name { match_id, .. }
            | Call::Fold { match_id, .. }
            | Call::Segment { match_id, .. }
            | Call::Timeout { match_id }
            | Call::Reclaim { match_id } => self.matches.contains(match_id),
            Call::Register { .. } | Call::Refund { .. } | Call::Withdraw => false,
        }
    }
}

fn events(history: &[Entry]) -> impl Iterator<Item = &Event> {
    history.iter().flat_map(|entry| &entry.events)
}

/// Whether `event` ends `claim`.
fn decides(event: &Event, claim: ClaimId) -> bool {
    match event {
        Event::MatchWon { claim: ended, .. } | Event::ClaimFinal { claim: ended, .. } => *ended == claim,
        _ => false,
    }
}

/// The first claim on `job` that became final.
fn settler(job: JobId, history: &[Entry]) -> Option<ClaimId> {
    events(history).find_map(|event| match event {
        Event::ClaimFinal { claim, job: settled } if *settled == job => Some(*claim),
        _ => None,
    })
}
