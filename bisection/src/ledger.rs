//! What a node knows of the chain, from its events alone: jobs, claims and matches.

use std::collections::BTreeMap;

use narrows_commitment::{ProgramRoot, TraceRoot};

use crate::game::ClaimStatus;
use crate::{Account, BlockTime, ClaimId, Event, JobId, MatchId, Wei};

/// A job as announced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobEntry {
    /// Who asked.
    pub requester: Account,
    /// The program to run.
    pub program: ProgramRoot,
    /// The input's canonical bytes.
    pub input: Vec<u8>,
    /// What is paid.
    pub fee: Wei,
    /// Until when claims are taken.
    pub deadline: BlockTime,
    /// Answered or refunded.
    pub closed: bool,
}

/// A claim as announced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimEntry {
    /// The job.
    pub job: JobId,
    /// Who claims.
    pub executor: Account,
    /// The claimed trace.
    pub trace_root: TraceRoot,
    /// The claimed output's canonical bytes.
    pub output: Vec<u8>,
    /// Until when matches may be opened.
    pub window_end: BlockTime,
    /// When everything about it is over.
    pub hard_end: BlockTime,
    /// How it stands.
    pub status: ClaimStatus,
}

/// A match as announced, with all that was shown in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MatchEntry {
    /// The disputed claim.
    pub claim: ClaimId,
    /// Who disputes it.
    pub challenger: Account,
    /// Still played: neither won, lost nor reclaimed.
    pub open: bool,
    /// Its moves, for a [`crate::players::Follower`].
    pub moves: Vec<Event>,
}

/// Jobs, claims and matches, by event.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ledger {
    /// All jobs.
    pub jobs: BTreeMap<JobId, JobEntry>,
    /// All claims.
    pub claims: BTreeMap<ClaimId, ClaimEntry>,
    /// All matches.
    pub matches: BTreeMap<MatchId, MatchEntry>,
}

impl Ledger {
    /// Takes note of an event. Events about unknown things are ignored: a chain that sends them is the node's to judge.
    pub fn observe(&mut self, event: &Event) {
        match event {
            Event::JobPosted { job, requester, program, fee, deadline, input, .. } => {
                let entry = JobEntry {
                    requester: *requester,
                    program: *program,
                    input: input.clone(),
                    fee: *fee,
                    deadline: *deadline,
                    closed: false,
                };
                self.jobs.insert(*job, entry);
            }
            Event::ClaimPosted { claim, job, executor, trace_root, window_end, hard_end, output } => {
                let entry = ClaimEntry {
                    job: *job,
                    executor: *executor,
                    trace_root: *trace_root,
                    output: output.clone(),
                    window_end: *window_end,
                    hard_end: *hard_end,
                    status: ClaimStatus::Pending,
                };
                self.claims.insert(*claim, entry);
            }
            Event::MatchOpened { match_id, claim, challenger, .. } => {
                let entry =
                    MatchEntry { claim: *claim, challenger: *challenger, open: true, moves: Vec::new() };
                self.matches.insert(*match_id, entry);
            }
            Event::Revealed { match_id, .. }
            | Event::Picked { match_id, .. }
            | Event::TileRevealed { match_id, .. }
            | Event::Named { match_id, .. }
            | Event::Folded { match_id, .. } => {
                if let Some(entry) = self.matches.get_mut(match_id) {
                    entry.moves.push(event.clone());
                }
            }
            Event::MatchWon { match_id, claim } => {
                self.close(*match_id);
                self.decide(*claim, ClaimStatus::Refuted);
            }
            Event::MatchLost { match_id, .. } | Event::Reclaimed { match_id } => self.close(*match_id),
            Event::ClaimFinal { claim, job } => {
                self.decide(*claim, ClaimStatus::Final);
                self.settle(*job);
            }
            Event::JobRefunded { job } => self.settle(*job),
            Event::Registered { .. } | Event::Withdrawn { .. } => {}
        }
    }

    fn close(&mut self, match_id: MatchId) {
        if let Some(entry) = self.matches.get_mut(&match_id) {
            entry.open = false;
        }
    }

    fn decide(&mut self, claim: ClaimId, status: ClaimStatus) {
        if let Some(entry) = self.claims.get_mut(&claim) {
            entry.status = status;
        }
    }

    fn settle(&mut self, job: JobId) {
        if let Some(entry) = self.jobs.get_mut(&job) {
            entry.closed = true;
        }
    }

    /// The matches that are still played about `claim`.
    pub fn open_matches(&self, claim: ClaimId) -> impl Iterator<Item = (MatchId, &MatchEntry)> {
        self.matches.iter().filter(move |(_, m)| m.claim == claim && m.open).map(|(id, m)| (*id, m))
    }
}
