//! Jobs: somebody pays for a run (PROTOCOL 3).

use narrows_commitment::{Digest, ProgramRoot, TensorRoot, Tree};

use crate::{Account, BlockTime, Event, JobId, Refusal, Wei};

use super::{Game, Message, ids};

/// A run that somebody asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Job {
    /// Who asks and pays.
    pub requester: Account,
    /// The program to run.
    pub program: ProgramRoot,
    /// The root of the input's bytes.
    pub input_root: TensorRoot,
    /// What the first final claim earns.
    pub fee: Wei,
    /// The first moment at which no claim can be posted any more.
    pub deadline: BlockTime,
    /// Whether the fee has been earned or returned.
    pub settled: bool,
    /// Claims on it that are pending.
    pub pending: u64,
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
        if message.now >= deadline {
            return Err(Refusal::TooLate);
        }
        let (requester, fee) = (message.sender, message.value);
        let input_root = TensorRoot(Tree::of_bytes(input).root());
        let job = ids::job_id(self.chain_id, self.address, requester, program, input_root, salt);
        if self.jobs.contains_key(&job) {
            return Err(Refusal::Exists);
        }
        self.money.stake(fee);
        let posted = Job { requester, program, input_root, fee, deadline, settled: false, pending: 0 };
        self.jobs.insert(job, posted);
        Ok(vec![Event::JobPosted {
            job,
            requester,
            program,
            input_root,
            fee,
            deadline,
            input: input.to_vec(),
        }])
    }

    pub(super) fn refund(&mut self, message: &Message, id: JobId) -> Result<Vec<Event>, Refusal> {
        let job = self.jobs.get_mut(&id).ok_or(Refusal::UnknownJob)?;
        if job.settled {
            return Err(Refusal::JobClosed);
        }
        if message.now < job.deadline || job.pending > 0 {
            return Err(Refusal::NotYet);
        }
        job.settled = true;
        self.money.owe(job.requester, job.fee);
        Ok(vec![Event::JobRefunded { job: id }])
    }

    /// The job of a claim.
    pub(super) fn job_mut(&mut self, id: JobId) -> &mut Job {
        self.jobs.get_mut(&id).expect("a claim's job exists")
    }
}
