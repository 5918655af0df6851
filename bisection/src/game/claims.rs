//! Claims: an executor stakes a bond on a trace (PROTOCOL 3).

use narrows_commitment::{Digest, TensorRoot, TraceRoot, Tree, verify_path};
use serde::{Deserialize, Serialize};

use crate::{Account, BlockTime, ClaimId, Event, JobId, Refusal};

use super::{Game, Message, Registered, ids};

/// What has become of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClaimStatus {
    /// It may be challenged, or a challenge of it is being played.
    Pending,
    /// A challenger won.
    Refuted,
    /// It stood.
    Final,
}

/// An output that an executor stakes its bond on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// What it answers.
    pub job: JobId,
    /// Whose it is.
    pub executor: Account,
    /// The trace on trial.
    pub trace_root: TraceRoot,
    /// The root of the output's bytes.
    pub output_root: TensorRoot,
    /// What has become of it.
    pub status: ClaimStatus,
    /// The first moment at which it cannot be challenged any more.
    pub window_end: BlockTime,
    /// The first moment at which it is final whatever is still being played.
    pub hard_end: BlockTime,
    /// Matches opened.
    pub matches: u64,
    /// Matches that are being played.
    pub open_matches: u64,
}

impl Game {
    pub(super) fn post_claim(
        &mut self,
        message: &Message,
        job_id: JobId,
        trace_root: TraceRoot,
        output: &[u8],
        path: &[Digest],
    ) -> Result<Vec<Event>, Refusal> {
        let job = self.jobs.get(&job_id).ok_or(Refusal::UnknownJob)?;
        if job.settled || message.now >= job.deadline {
            return Err(Refusal::JobClosed);
        }
        if message.value != self.parameters.executor_bond {
            return Err(Refusal::WrongValue);
        }
        let program = *self.program_of(job);
        if output.len() as u64 != program.header.output.bytes() {
            return Err(Refusal::WrongLength);
        }
        let output_root = TensorRoot(Tree::of_bytes(output).root());
        let last = u64::from(program.header.layers - 1);
        verify_path(&trace_root.0, program.layers_depth(), last, output_root.0, path)
            .map_err(|_| Refusal::BadOpening)?;
        let executor = message.sender;
        let (chain, game) = (self.chain_id, self.address);
        let id = ids::claim_id(chain, game, job_id, executor, trace_root, output_root, &self.parameters);
        if self.claims.contains_key(&id) {
            return Err(Refusal::Exists);
        }
        let (window_end, hard_end) = self.ends(message.now, &program);
        self.money.stake(message.value);
        self.job_mut(job_id).pending += 1;
        let status = ClaimStatus::Pending;
        let claim = Claim {
            job: job_id,
            executor,
            trace_root,
            output_root,
            status,
            window_end,
            hard_end,
            matches: 0,
            open_matches: 0,
        };
        self.claims.insert(id, claim);
        let output = output.to_vec();
        Ok(vec![Event::ClaimPosted {
            claim: id,
            job: job_id,
            executor,
            trace_root,
            window_end,
            hard_end,
            output,
        }])
    }

    /// windowEnd and hardEnd of a claim posted now.
    fn ends(&self, now: BlockTime, program: &Registered) -> (BlockTime, BlockTime) {
        let p = &self.parameters;
        let clocks = u64::from(p.executor_clock_seconds) + u64::from(p.challenger_clock_seconds);
        let tail = clocks + program.moves() * u64::from(p.grace_seconds) + u64::from(p.slack_seconds);
        let window_end = now.0.saturating_add(u64::from(p.window_seconds));
        (BlockTime(window_end), BlockTime(window_end.saturating_add(tail)))
    }

    pub(super) fn finalise(&mut self, message: &Message, id: ClaimId) -> Result<Vec<Event>, Refusal> {
        let claim = self.claims.get_mut(&id).ok_or(Refusal::UnknownClaim)?;
        if claim.status != ClaimStatus::Pending {
            return Err(Refusal::ClaimClosed);
        }
        let unchallenged = message.now >= claim.window_end && claim.open_matches == 0;
        if !unchallenged && message.now < claim.hard_end {
            return Err(Refusal::NotYet);
        }
        claim.status = ClaimStatus::Final;
        let Claim { job: job_id, executor, .. } = *claim;
        let job = self.job_mut(job_id);
        job.pending -= 1;
        let earned = (!job.settled).then_some(job.fee);
        job.settled = true;
        self.money.owe(executor, self.parameters.executor_bond);
        if let Some(fee) = earned {
            self.money.owe(executor, fee);
        }
        Ok(vec![Event::ClaimFinal { claim: id, job: job_id }])
    }

    pub(super) fn claim_mut(&mut self, id: ClaimId) -> &mut Claim {
        self.claims.get_mut(&id).expect("a match's claim exists")
    }

    pub(super) fn program_of(&self, job: &super::Job) -> &Registered {
        self.programs.get(&job.program).expect("a job's program is registered")
    }
}
