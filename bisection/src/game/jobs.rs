//! Jobs: somebody pays for a run (PROTOCOL 3).

use narrows_commitment::{Digest, ProgramRoot, TensorRoot, TensorTree};

use crate::{Account, BlockTime, ClaimId, Event, JobId, Refusal, Wei};

use super::{ClaimStatus, Game, Message, ids};

/// What an entry holds once it lapsed.
pub(super) const LAPSED: Digest = {
    let mut one = [0; 32];
    one[31] = 1;
    Digest(one)
};

/// The most entries that one call passes over.
const MAX_STEPS: u64 = 256;

/// A run that somebody asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Job {
    /// Who asks and pays.
    pub requester: Account,
    /// The program to run.
    pub program: ProgramRoot,
    /// The root of the input's bytes.
    pub input_root: TensorRoot,
    /// What the earliest-committed final claim earns.
    pub fee: Wei,
    /// The first moment at which nobody can commit to a claim any more.
    pub deadline: BlockTime,
    /// Whether the fee has been earned or returned.
    pub settled: bool,
    /// Commitments to claims on it.
    pub committed: u64,
    /// All commitments before this number lapsed or were refuted.
    pub next: u64,
}

impl Game {
    pub(super) fn post_job(
        &mut self,
        message: &Message,
        program: ProgramRoot,
        input: &[u8],
        salt: Digest,
        deadline: BlockTime,
    ) -> Result<Vec<Event>, Refusal> {
        let registered = self.programs.get(&program).ok_or(Refusal::UnknownProgram)?;
        if input.len() as u64 != registered.header.input.bytes() {
            return Err(Refusal::WrongLength);
        }
        if message.block.time >= deadline {
            return Err(Refusal::TooLate);
        }
        let (requester, fee) = (message.sender, message.value);
        let input_root = TensorRoot(TensorTree::of_bytes(input).root());
        let job = ids::job_id(self.chain_id, self.address, requester, program, input_root, salt);
        if self.jobs.contains_key(&job) {
            return Err(Refusal::Exists);
        }
        self.money.stake(fee);
        let posted =
            Job { requester, program, input_root, fee, deadline, settled: false, committed: 0, next: 0 };
        self.jobs.insert(job, posted);
        let input = input.to_vec();
        Ok(vec![Event::JobPosted { job, requester, program, input_root, fee, deadline, input }])
    }

    pub(super) fn advance(&mut self, id: JobId) -> Result<Vec<Event>, Refusal> {
        let job = self.jobs.get(&id).ok_or(Refusal::UnknownJob)?;
        if job.settled {
            return Err(Refusal::JobClosed);
        }
        let next = self.advanced(id);
        if next == job.next {
            return Err(Refusal::NotYet);
        }
        self.job_mut(id).next = next;
        Ok(Vec::new())
    }

    pub(super) fn refund(&mut self, message: &Message, id: JobId) -> Result<Vec<Event>, Refusal> {
        let job = *self.jobs.get(&id).ok_or(Refusal::UnknownJob)?;
        if job.settled {
            return Err(Refusal::JobClosed);
        }
        if message.block.time < job.deadline {
            return Err(Refusal::NotYet);
        }
        let next = self.advanced(id);
        if next != job.committed {
            return Err(Refusal::NotYet);
        }
        let job = self.job_mut(id);
        job.next = next;
        job.settled = true;
        let (requester, fee) = (job.requester, job.fee);
        self.money.owe(requester, fee);
        Ok(vec![Event::JobRefunded { job: id }])
    }

    /// Where a job's `next` comes to: past entries that lapsed or were refuted, at most so many at once.
    pub(super) fn advanced(&self, id: JobId) -> u64 {
        let job = &self.jobs[&id];
        let end = job.committed.min(job.next.saturating_add(MAX_STEPS));
        (job.next..end).find(|number| !self.is_over(self.entries[&(id, *number)])).unwrap_or(end)
    }

    /// Whether an entry will never earn the fee.
    fn is_over(&self, entry: Digest) -> bool {
        let refuted = |claim: &super::Claim| claim.status == ClaimStatus::Refuted;
        entry == LAPSED || self.claims.get(&ClaimId(entry)).is_some_and(refuted)
    }

    /// Settles the job in favour of the claim's executor.
    pub(super) fn pay_fee(&mut self, id: JobId, claim: ClaimId, executor: Account) -> Event {
        let job = self.job_mut(id);
        job.settled = true;
        let fee = job.fee;
        self.money.owe(executor, fee);
        Event::JobAwarded { job: id, claim }
    }

    /// The job of a claim.
    pub(super) fn job_mut(&mut self, id: JobId) -> &mut Job {
        self.jobs.get_mut(&id).expect("a claim's job exists")
    }
}
