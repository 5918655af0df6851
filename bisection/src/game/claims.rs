//! Claims: an executor commits to a trace and stakes a bond on it (PROTOCOL 3).

use narrows_commitment::{Digest, TensorRoot, TensorTree, TraceRoot, verify_path};
use serde::{Deserialize, Serialize};

use crate::{Account, BlockTime, ClaimId, Event, JobId, Posted, Refusal, Wei};

use super::jobs::LAPSED;
use super::{Best, Game, Job, Message, Registered, ids};

/// What has become of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClaimStatus {
    /// It may be challenged, or a challenge of it is being played.
    Pending,
    /// It was proved wrong, or its executor fell silent.
    Refuted,
    /// It stood.
    Final,
}

/// An output that an executor stakes its bond on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// What it says. The contract keeps only its hash, the claim's id.
    pub posted: Posted,
    /// Its commitment's place among the job's.
    pub number: u64,
    /// What has become of it.
    pub status: ClaimStatus,
    /// The first moment at which it cannot be challenged any more.
    pub window_end: BlockTime,
    /// The first moment at which it is final whatever is still being played.
    pub hard_end: BlockTime,
    /// Matches opened and rewards committed to.
    pub openings: u64,
    /// Matches that are being played, or were when it was refuted.
    pub open_matches: u64,
    /// Whether the evidence that refuted it hangs on its roots alone.
    pub by_roots: bool,
    /// Where a verdict knows the right value and nobody has collected the reward: the point's hash; else 0.
    pub point: Digest,
    /// When the verdict was that gave `point`; 0 without one.
    pub refuted_at: BlockTime,
    /// The lowest reward commitment that was opened.
    pub best: Option<Best>,
}

impl Claim {
    /// Whether `finalise` is due: (t >= windowEnd and openMatches = 0) or t >= hardEnd.
    #[must_use]
    pub fn is_finalisable(&self, now: BlockTime) -> bool {
        (now >= self.window_end && self.open_matches == 0) || now >= self.hard_end
    }

    /// Refuses a verdict that no longer counts: the claim has ended, or is to be final whatever is being played.
    pub(super) fn playable(&self, now: BlockTime) -> Result<(), Refusal> {
        if self.status != ClaimStatus::Pending {
            return Err(Refusal::ClaimClosed);
        }
        if now >= self.hard_end {
            return Err(Refusal::ClaimClosed);
        }
        Ok(())
    }

    /// Whether it may still be refuted at once: Pending and not finalisable.
    pub(super) fn is_open(&self, now: BlockTime) -> bool {
        self.status == ClaimStatus::Pending && !self.is_finalisable(now)
    }
}

/// The commitment that a claim reveals.
pub(super) struct Promised {
    pub number: u64,
    pub committed_at: BlockTime,
    pub salt: Digest,
}

impl Game {
    pub(super) fn commit_claim(
        &mut self,
        message: &Message,
        id: JobId,
        commitment: Digest,
    ) -> Result<Vec<Event>, Refusal> {
        let job = self.jobs.get(&id).ok_or(Refusal::UnknownJob)?;
        if job.settled {
            return Err(Refusal::JobClosed);
        }
        if message.block.time >= job.deadline {
            return Err(Refusal::JobClosed);
        }
        let fee = self.program_of(job).claim_fee(&self.parameters).ok_or(Refusal::WrongValue)?;
        let due = self.parameters.executor_bond.0.checked_add(fee.0).ok_or(Refusal::WrongValue)?;
        if message.value != Wei(due) {
            return Err(Refusal::WrongValue);
        }
        let (executor, committed_at) = (message.sender, message.block.time);
        let job = self.job_mut(id);
        let number = job.committed;
        job.committed += 1;
        self.entries.insert((id, number), ids::entry(executor, commitment, committed_at));
        self.money.stake(message.value);
        self.money.burn(fee);
        Ok(vec![Event::ClaimCommitted { job: id, executor, number, commitment, committed_at }])
    }

    pub(super) fn post_claim(
        &mut self,
        message: &Message,
        job_id: JobId,
        promised: &Promised,
        trace_root: TraceRoot,
        output: &[u8],
        path: &[Digest],
    ) -> Result<Vec<Event>, Refusal> {
        let job = self.jobs.get(&job_id).ok_or(Refusal::UnknownJob)?;
        let program = *self.program_of(job);
        if output.len() as u64 != program.header.output.bytes() {
            return Err(Refusal::WrongLength);
        }
        let output_root = TensorRoot(TensorTree::of_bytes(output).root());
        let posted = Posted { job: job_id, executor: message.sender, trace_root, output_root };
        let &Promised { number, committed_at, salt } = promised;
        let entry = ids::entry(message.sender, ids::claim_commitment(salt, &posted), committed_at);
        if self.entry(job_id, number) != Some(entry) {
            return Err(Refusal::UnknownCommitment);
        }
        if message.block.time <= committed_at {
            return Err(Refusal::NotYet);
        }
        if message.block.time >= self.reveal_end(committed_at) {
            return Err(Refusal::TooLate);
        }
        let last = u64::from(program.header.layers - 1);
        verify_path(&trace_root.0, program.layers_depth(), last, output_root.0, path)
            .map_err(|_| Refusal::BadOpening)?;
        let id = self.claim_id(&posted);
        if self.claims.contains_key(&id) {
            return Err(Refusal::Exists);
        }
        let (window_end, hard_end) = self.ends(message.block.time, &program);
        let claim = Claim {
            posted,
            number,
            status: ClaimStatus::Pending,
            window_end,
            hard_end,
            openings: 0,
            open_matches: 0,
            by_roots: false,
            point: Digest::default(),
            refuted_at: BlockTime(0),
            best: None,
        };
        self.entries.insert((job_id, number), id.0);
        self.claims.insert(id, claim);
        let output = output.to_vec();
        Ok(vec![Event::ClaimPosted { claim: id, posted, number, window_end, hard_end, output }])
    }

    /// The first moment at which a commitment cannot be posted any more.
    fn reveal_end(&self, committed_at: BlockTime) -> BlockTime {
        BlockTime(committed_at.0.saturating_add(u64::from(self.parameters.reveal_seconds)))
    }

    /// windowEnd and hardEnd of a claim posted now.
    fn ends(&self, now: BlockTime, program: &Registered) -> (BlockTime, BlockTime) {
        let p = &self.parameters;
        let clocks = u64::from(p.executor_clock_seconds) + u64::from(p.challenger_clock_seconds);
        let tail = clocks + program.moves() * u64::from(p.grace_seconds) + u64::from(p.slack_seconds);
        let window_end = now.0.saturating_add(u64::from(p.window_seconds));
        (BlockTime(window_end), BlockTime(window_end.saturating_add(tail)))
    }

    pub(super) fn lapse(
        &mut self,
        message: &Message,
        job: JobId,
        number: u64,
        executor: Account,
        commitment: Digest,
        committed_at: BlockTime,
    ) -> Result<Vec<Event>, Refusal> {
        if !self.jobs.contains_key(&job) {
            return Err(Refusal::UnknownJob);
        }
        if self.entry(job, number) != Some(ids::entry(executor, commitment, committed_at)) {
            return Err(Refusal::UnknownCommitment);
        }
        if message.block.time < self.reveal_end(committed_at) {
            return Err(Refusal::NotYet);
        }
        self.entries.insert((job, number), LAPSED);
        let (returned, burnt) = self.halves();
        self.money.owe(executor, returned);
        self.money.burn(burnt);
        Ok(vec![Event::ClaimLapsed { job, number }])
    }

    pub(super) fn finalise(&mut self, message: &Message, posted: &Posted) -> Result<Vec<Event>, Refusal> {
        let id = self.claim_id(posted);
        let claim = self.claims.get_mut(&id).ok_or(Refusal::UnknownClaim)?;
        if claim.status != ClaimStatus::Pending {
            return Err(Refusal::ClaimClosed);
        }
        if !claim.is_finalisable(message.block.time) {
            return Err(Refusal::NotYet);
        }
        claim.status = ClaimStatus::Final;
        let (number, Posted { job, executor, .. }) = (claim.number, *posted);
        self.money.owe(executor, self.parameters.executor_bond);
        let mut events = vec![Event::ClaimFinal { claim: id, job }];
        if !self.jobs[&job].settled {
            let next = self.advanced(job);
            self.job_mut(job).next = next;
            if next == number {
                events.push(self.pay_fee(job, id, executor));
            }
        }
        Ok(events)
    }

    pub(super) fn award(&mut self, posted: &Posted) -> Result<Vec<Event>, Refusal> {
        let id = self.claim_id(posted);
        let claim = *self.claims.get(&id).ok_or(Refusal::UnknownClaim)?;
        if claim.status != ClaimStatus::Final {
            return Err(Refusal::NotYet);
        }
        let Posted { job, executor, .. } = *posted;
        let (settled, before) = (self.jobs[&job].settled, self.jobs[&job].next);
        if settled {
            return Err(Refusal::JobClosed);
        }
        let next = self.advanced(job);
        if next != claim.number && next == before {
            return Err(Refusal::NotYet);
        }
        self.job_mut(job).next = next;
        Ok(if next == claim.number { vec![self.pay_fee(job, id, executor)] } else { Vec::new() })
    }

    /// The executor's bond in halves: what is paid, rounded down, and what is burned.
    pub(super) fn halves(&self) -> (Wei, Wei) {
        let bond = self.parameters.executor_bond.0;
        (Wei(bond / 2), Wei(bond - bond / 2))
    }

    pub(super) fn claim_mut(&mut self, id: ClaimId) -> &mut Claim {
        self.claims.get_mut(&id).expect("a match's claim exists")
    }

    pub(super) fn program_of(&self, job: &Job) -> &Registered {
        self.programs.get(&job.program).expect("a job's program is registered")
    }

    /// The program of a claim's job.
    pub(super) fn program_of_claim(&self, claim: &Claim) -> &Registered {
        self.program_of(&self.jobs[&claim.posted.job])
    }
}
