//! What a node knows of the chain, from its events and their blocks' times alone: jobs, claims and matches.

use std::collections::BTreeMap;

use narrows_commitment::{Digest, ProgramRoot, TensorRoot};
use narrows_program::Program;

use crate::game::{Best, ClaimStatus};
use crate::players::Follower;
use crate::{Account, BlockTime, ClaimId, Event, JobId, MatchId, Parameters, Posted, Seat, Seated, Wei};

/// How many other matches a challenger learns from, whatever somebody opens.
pub const MAX_TEACHERS: usize = 32;

/// A job as announced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobEntry {
    /// Who asked.
    pub requester: Account,
    /// The program to run.
    pub program: ProgramRoot,
    /// The root of the input's bytes.
    pub input_root: TensorRoot,
    /// The input's canonical bytes.
    pub input: Vec<u8>,
    /// What is paid.
    pub fee: Wei,
    /// Until when executors may commit to claims.
    pub deadline: BlockTime,
    /// Commitments to claims, by number.
    pub commitments: BTreeMap<u64, CommitmentEntry>,
    /// Awarded or refunded.
    pub closed: bool,
}

/// An executor's commitment to a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommitmentEntry {
    /// Who committed.
    pub executor: Account,
    /// keccak(salt, executor, jobId, traceRoot, outputRoot).
    pub commitment: Digest,
    /// When.
    pub committed_at: BlockTime,
    /// What became of it.
    pub promise: Promise,
}

/// What became of a commitment to a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Promise {
    /// Neither posted nor lapsed so far.
    Open,
    /// The claim was posted.
    Kept(ClaimId),
    /// It was not.
    Lapsed,
}

/// A claim as announced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimEntry {
    /// What it says.
    pub posted: Posted,
    /// Its commitment's number.
    pub number: u64,
    /// The claimed output's canonical bytes.
    pub output: Vec<u8>,
    /// When it was posted.
    pub posted_at: BlockTime,
    /// Until when matches may be opened.
    pub window_end: BlockTime,
    /// When everything about it is over.
    pub hard_end: BlockTime,
    /// How it stands.
    pub status: ClaimStatus,
    /// Who could open the reward, by number: bare commitments and opened matches.
    pub seats: BTreeMap<u64, Seated>,
    /// How it was refuted.
    pub refuted: Option<Refuted>,
}

/// A claim's refutation as announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refuted {
    /// When.
    pub at: BlockTime,
    /// The point at which commitments may be opened; 0 when the reward was paid at once.
    pub point: Digest,
    /// The lowest commitment that was opened.
    pub best: Option<Best>,
    /// Whether the reward was collected, or paid at once.
    pub collected: bool,
}

/// A match as announced, with all that was shown in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MatchEntry {
    /// The disputed claim.
    pub claim: ClaimId,
    /// Who disputes it.
    pub challenger: Account,
    /// Its number among the claim's.
    pub number: u64,
    /// Its `MatchOpened`, which a [`crate::players::Follower`] begins with.
    pub opened: Event,
    /// When it was opened.
    pub opened_at: BlockTime,
    /// Still played: neither won, lost nor reclaimed.
    pub open: bool,
    /// When it was won or lost.
    pub ended_at: Option<BlockTime>,
    /// Whether the bond went back.
    pub reclaimed: bool,
    /// All later events about it, for a [`crate::players::Follower`].
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
    /// Takes note of an event in a block of this time. Events about unknown things are ignored: a chain that sends them is
    /// the node's to judge.
    pub fn observe(&mut self, time: BlockTime, event: &Event) {
        match event {
            Event::JobPosted { .. }
            | Event::ClaimCommitted { .. }
            | Event::ClaimLapsed { .. }
            | Event::JobAwarded { .. }
            | Event::JobRefunded { .. } => self.observe_job(event),
            Event::ClaimPosted { .. }
            | Event::ClaimFinal { .. }
            | Event::Committed { .. }
            | Event::ClaimRefuted { .. }
            | Event::RewardOpened { .. }
            | Event::RewardCollected { .. } => self.observe_claim(time, event),
            Event::MatchOpened { match_id, claim, challenger, number, commitment, bond } => {
                let seat = Seat { commitment: *commitment, opened_at: time, bond: *bond };
                self.take_seat(*claim, *number, Seated { challenger: *challenger, seat });
                let entry = MatchEntry {
                    claim: *claim,
                    challenger: *challenger,
                    number: *number,
                    opened: event.clone(),
                    opened_at: time,
                    open: true,
                    ended_at: None,
                    reclaimed: false,
                    moves: Vec::new(),
                };
                self.matches.insert(*match_id, entry);
            }
            Event::Revealed { match_id, .. }
            | Event::Picked { match_id, .. }
            | Event::SubTraced { match_id, .. }
            | Event::OperatorPicked { match_id, .. }
            | Event::TilesRevealed { match_id, .. }
            | Event::Prepared { match_id, .. }
            | Event::Named { match_id, .. }
            | Event::Folded { match_id, .. }
            | Event::MatchWon { match_id, .. }
            | Event::MatchLost { match_id, .. }
            | Event::Reclaimed { match_id } => self.observe_match(time, *match_id, event),
            Event::Registered { .. } | Event::Withdrawn { .. } => {}
        }
    }

    fn observe_job(&mut self, event: &Event) {
        match event {
            Event::JobPosted { job, requester, program, input_root, fee, deadline, input } => {
                let entry = JobEntry {
                    requester: *requester,
                    program: *program,
                    input_root: *input_root,
                    input: input.clone(),
                    fee: *fee,
                    deadline: *deadline,
                    commitments: BTreeMap::new(),
                    closed: false,
                };
                self.jobs.insert(*job, entry);
            }
            Event::ClaimCommitted { job, executor, number, commitment, committed_at } => {
                if let Some(entry) = self.jobs.get_mut(job) {
                    let (executor, commitment, committed_at) = (*executor, *commitment, *committed_at);
                    let made = CommitmentEntry { executor, commitment, committed_at, promise: Promise::Open };
                    entry.commitments.insert(*number, made);
                }
            }
            Event::ClaimLapsed { job, number } => self.resolve(*job, *number, Promise::Lapsed),
            Event::JobAwarded { job, .. } | Event::JobRefunded { job } => {
                if let Some(entry) = self.jobs.get_mut(job) {
                    entry.closed = true;
                }
            }
            _ => {}
        }
    }

    fn observe_claim(&mut self, time: BlockTime, event: &Event) {
        match event {
            Event::ClaimPosted { claim, posted, number, window_end, hard_end, output } => {
                self.resolve(posted.job, *number, Promise::Kept(*claim));
                let entry = ClaimEntry {
                    posted: *posted,
                    number: *number,
                    output: output.clone(),
                    posted_at: time,
                    window_end: *window_end,
                    hard_end: *hard_end,
                    status: ClaimStatus::Pending,
                    seats: BTreeMap::new(),
                    refuted: None,
                };
                self.claims.insert(*claim, entry);
            }
            Event::ClaimFinal { claim, .. } => {
                if let Some(entry) = self.claims.get_mut(claim) {
                    entry.status = ClaimStatus::Final;
                }
            }
            Event::Committed { claim, challenger, number, commitment } => {
                let seat = Seat { commitment: *commitment, opened_at: time, bond: Wei(0) };
                self.take_seat(*claim, *number, Seated { challenger: *challenger, seat });
            }
            Event::ClaimRefuted { claim, point, .. } => {
                if let Some(entry) = self.claims.get_mut(claim) {
                    let collected = *point == Digest::default();
                    entry.status = ClaimStatus::Refuted;
                    entry.refuted = Some(Refuted { at: time, point: *point, best: None, collected });
                }
            }
            Event::RewardOpened { claim, number, challenger } => {
                if let Some(refuted) = self.refuted_mut(*claim) {
                    refuted.best = Some(Best { number: *number, account: *challenger });
                }
            }
            Event::RewardCollected { claim, .. } => {
                if let Some(refuted) = self.refuted_mut(*claim) {
                    refuted.collected = true;
                }
            }
            _ => {}
        }
    }

    fn observe_match(&mut self, time: BlockTime, match_id: MatchId, event: &Event) {
        let Some(entry) = self.matches.get_mut(&match_id) else { return };
        entry.moves.push(event.clone());
        match event {
            Event::MatchWon { .. } | Event::MatchLost { .. } => {
                entry.open = false;
                entry.ended_at = Some(time);
            }
            Event::Reclaimed { .. } => {
                entry.open = false;
                entry.reclaimed = true;
            }
            _ => {}
        }
    }

    fn resolve(&mut self, job: JobId, number: u64, promise: Promise) {
        if let Some(made) = self.jobs.get_mut(&job).and_then(|job| job.commitments.get_mut(&number)) {
            made.promise = promise;
        }
    }

    fn take_seat(&mut self, claim: ClaimId, number: u64, seated: Seated) {
        if let Some(entry) = self.claims.get_mut(&claim) {
            entry.seats.insert(number, seated);
        }
    }

    fn refuted_mut(&mut self, claim: ClaimId) -> Option<&mut Refuted> {
        self.claims.get_mut(&claim)?.refuted.as_mut()
    }

    /// A match as its events show it; `None` when it is unknown.
    #[must_use]
    pub fn follow(&self, program: &Program, parameters: &Parameters, id: MatchId) -> Option<Follower> {
        let entry = self.matches.get(&id)?;
        let posted = self.claims.get(&entry.claim)?.posted;
        let mut follower = Follower::new(program, parameters, entry.opened_at, posted, &entry.opened)?;
        entry.moves.iter().for_each(|event| follower.observe(program, event));
        Some(follower)
    }

    /// As [`Ledger::follow`], knowing also what [`MAX_TEACHERS`] other matches about the same claim have shown.
    #[must_use]
    pub fn follow_learned(
        &self,
        program: &Program,
        parameters: &Parameters,
        id: MatchId,
    ) -> Option<Follower> {
        let mut follower = self.follow(program, parameters, id)?;
        let claim = self.matches.get(&id)?.claim;
        let others = self.matches.iter().filter(|(other, m)| **other != id && m.claim == claim);
        for other in others.take(MAX_TEACHERS).filter_map(|(id, _)| self.follow(program, parameters, *id)) {
            follower.learn(&other.shown().claimed);
        }
        Some(follower)
    }

    /// The matches that are still played about `claim`.
    pub fn open_matches(&self, claim: ClaimId) -> impl Iterator<Item = (MatchId, &MatchEntry)> {
        self.matches.iter().filter(move |(_, m)| m.claim == claim && m.open).map(|(id, m)| (*id, m))
    }
}
