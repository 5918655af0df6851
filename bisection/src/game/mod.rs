//! The whole protocol as one deterministic state machine: the mirror of the contracts `Registry` and `Game`.
//!
//! Blocks, senders and values are arguments; events and refusals are what comes back. The order of checks is that of
//! `PROTOCOL.md`. Nothing that a caller says can make it panic, and a refused call changes nothing.
//!
//! It keeps whole [`Match`]es for those who want to look, but judges a call as the contract does, that has only their
//! hashes: by what the call carries.

use std::collections::BTreeMap;

use narrows_commitment::{Digest, LayersRoot, ProgramRoot};

use crate::{
    Account, BadParameters, Block, Call, ClaimId, Event, JobId, MatchId, Parameters, Posted, Refusal, Wei,
};

mod claims;
mod evidence;
mod header;
pub mod ids;
mod jobs;
mod layer;
mod matches;
mod money;
mod moves;
mod refutation;
mod registry;
mod rewards;
#[cfg(test)]
mod tests;

pub use claims::{Claim, ClaimStatus};
pub use header::parse as parse_header;
pub use jobs::Job;
pub use matches::Match;
pub use registry::Registered;
pub use rewards::Best;

use money::Money;

/// The state of the contracts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Game {
    chain_id: u64,
    address: Account,
    parameters: Parameters,
    programs: BTreeMap<ProgramRoot, Registered>,
    jobs: BTreeMap<JobId, Job>,
    /// What became of each commitment to a claim: keccak(executor, commitment, t), then the claim's id, or 1.
    entries: BTreeMap<(JobId, u64), Digest>,
    claims: BTreeMap<ClaimId, Claim>,
    matches: BTreeMap<MatchId, Match>,
    money: Money,
}

/// Who calls, when, and with what value.
#[derive(Debug, Clone, Copy)]
struct Message {
    block: Block,
    sender: Account,
    value: Wei,
}

impl Game {
    /// Deploys the contracts, empty.
    ///
    /// # Errors
    /// When a parameter is out of its range.
    pub fn new(chain_id: u64, address: Account, parameters: Parameters) -> Result<Self, BadParameters> {
        parameters.check()?;
        Ok(Self {
            chain_id,
            address,
            parameters,
            programs: BTreeMap::new(),
            jobs: BTreeMap::new(),
            entries: BTreeMap::new(),
            claims: BTreeMap::new(),
            matches: BTreeMap::new(),
            money: Money::default(),
        })
    }

    /// Plays one call in `block` and gives what it announces.
    ///
    /// # Errors
    /// As PROTOCOL 3 and 4 say; then nothing has changed. A call that takes no value and is given some is refused with
    /// [`Refusal::WrongValue`], as are sums of 2^128 wei and more, which no chain has.
    ///
    /// # Panics
    /// When the money does not add up: a mistake of this module, whatever was called.
    pub fn apply(
        &mut self,
        block: Block,
        sender: Account,
        value: Wei,
        call: &Call,
    ) -> Result<Vec<Event>, Refusal> {
        if !call.is_payable() && value.0 > 0 {
            return Err(Refusal::WrongValue);
        }
        if !self.money.holds(value) {
            return Err(Refusal::WrongValue);
        }
        let events = self.dispatch(&Message { block, sender, value }, call)?;
        self.money.check();
        Ok(events)
    }

    fn dispatch(&mut self, message: &Message, call: &Call) -> Result<Vec<Event>, Refusal> {
        match call {
            Call::Register { header, layers_root } => self.register(header, *layers_root),
            Call::PostJob { program, input, salt, deadline } => {
                self.post_job(message, *program, input, *salt, *deadline)
            }
            Call::CommitClaim { job, commitment } => self.commit_claim(message, *job, *commitment),
            Call::PostClaim { job, number, committed_at, salt, trace_root, output, path } => {
                let promised = claims::Promised { number: *number, committed_at: *committed_at, salt: *salt };
                self.post_claim(message, *job, &promised, *trace_root, output, path)
            }
            Call::Lapse { job, number, executor, commitment, committed_at } => {
                self.lapse(message, *job, *number, *executor, *commitment, *committed_at)
            }
            Call::Finalise { posted } => self.finalise(message, posted),
            Call::Award { posted } => self.award(posted),
            Call::Advance { job } => self.advance(*job),
            Call::Refund { job } => self.refund(message, *job),
            Call::Withdraw => {
                let amount = self.money.withdraw(message.sender)?;
                Ok(vec![Event::Withdrawn { account: message.sender, amount }])
            }
            Call::Open { posted, commitment } => self.open(message, posted, *commitment),
            Call::Commit { claim, commitment } => self.commit(message, *claim, *commitment),
            Call::Reveal { .. }
            | Call::Pick { .. }
            | Call::Enter { .. }
            | Call::SubTrace { .. }
            | Call::PickOperator { .. }
            | Call::RevealTiles { .. }
            | Call::Prepare { .. }
            | Call::Name { .. }
            | Call::Fold { .. }
            | Call::Segment { .. }
            | Call::Timeout { .. } => self.play(message, call),
            Call::Reclaim { .. } => self.reclaim(message, call),
            Call::Refute { posted, refutation } => self.refute(message, posted, refutation),
            Call::RefuteCopy { original, copy } => self.refute_copy(message, original, copy),
            Call::OpenReward { claim, number, standing, node, seat, point, salt, depth, tile, path } => {
                let shown = rewards::Shown { point, salt: *salt, depth: *depth, tile, path };
                self.open_reward(message, *claim, *number, standing, *node, seat, &shown)
            }
            Call::CollectReward { claim } => self.collect_reward(message, *claim),
        }
    }

    fn register(&mut self, header: &[u8], layers_root: LayersRoot) -> Result<Vec<Event>, Refusal> {
        let registered = Registered { header: header::parse(header)?, layers_root };
        let program = ids::program_root(header, layers_root);
        self.programs.insert(program, registered);
        Ok(vec![Event::Registered { program }])
    }

    /// The id of the claim that says `posted`.
    #[must_use]
    pub fn claim_id(&self, posted: &Posted) -> ClaimId {
        ids::claim_id(self.chain_id, self.address, posted, &self.parameters)
    }

    /// The chain's number.
    #[must_use]
    pub const fn chain_id(&self) -> u64 {
        self.chain_id
    }

    /// The account of the contract `Game`.
    #[must_use]
    pub const fn address(&self) -> Account {
        self.address
    }

    /// What was fixed when the game was deployed.
    #[must_use]
    pub const fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// A registered program.
    #[must_use]
    pub fn program(&self, root: ProgramRoot) -> Option<&Registered> {
        self.programs.get(&root)
    }

    /// A job.
    #[must_use]
    pub fn job(&self, id: JobId) -> Option<&Job> {
        self.jobs.get(&id)
    }

    /// What became of commitment `number` to a claim on `job`: its hash, then the claim's id, or 1 once it lapsed.
    #[must_use]
    pub fn entry(&self, job: JobId, number: u64) -> Option<Digest> {
        self.entries.get(&(job, number)).copied()
    }

    /// A claim.
    #[must_use]
    pub fn claim(&self, id: ClaimId) -> Option<&Claim> {
        self.claims.get(&id)
    }

    /// A match.
    #[must_use]
    pub fn match_of(&self, id: MatchId) -> Option<&Match> {
        self.matches.get(&id)
    }

    /// All jobs, by id.
    pub fn jobs(&self) -> impl Iterator<Item = (JobId, &Job)> {
        self.jobs.iter().map(|(id, job)| (*id, job))
    }

    /// All claims, by id.
    pub fn claims(&self) -> impl Iterator<Item = (ClaimId, &Claim)> {
        self.claims.iter().map(|(id, claim)| (*id, claim))
    }

    /// All matches, by id.
    pub fn matches(&self) -> impl Iterator<Item = (MatchId, &Match)> {
        self.matches.iter().map(|(id, one)| (*id, one))
    }

    /// What `account` may withdraw.
    #[must_use]
    pub fn owed(&self, account: Account) -> Wei {
        self.money.owed(account)
    }

    /// Everybody who may withdraw something, and how much.
    #[must_use]
    pub fn creditors(&self) -> BTreeMap<Account, Wei> {
        self.money.creditors()
    }

    /// All fees, bonds and rewards that are not settled, and all amounts owed.
    #[must_use]
    pub fn locked(&self) -> Wei {
        self.money.locked()
    }

    /// What was burned: it stays in the contract for ever.
    #[must_use]
    pub fn burned(&self) -> Wei {
        self.money.burned()
    }

    /// What came in less what went out.
    #[must_use]
    pub fn balance(&self) -> Wei {
        self.money.balance()
    }
}
