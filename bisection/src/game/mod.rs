//! The whole protocol as one deterministic state machine: the mirror of the contracts `Registry` and `Game`.
//!
//! Times, senders and values are arguments; events and refusals are what comes back. The order of checks is that of
//! `PROTOCOL.md`. Nothing that a caller says can make it panic, and a refused call changes nothing.

use std::collections::BTreeMap;

use narrows_commitment::{Digest, LayersRoot, ProgramRoot, depth_for};
use narrows_program::Header;

use crate::{
    Account, BadParameters, BlockTime, Call, ClaimId, Event, JobId, MatchId, Parameters, Refusal, Wei,
};

mod claims;
mod header;
pub mod ids;
mod jobs;
mod matches;
mod money;
mod moves;

pub use claims::{Claim, ClaimStatus};
pub use header::parse as parse_header;
pub use jobs::Job;
pub use matches::Match;

use money::Money;

/// A program as the registry keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Registered {
    /// The header, well-formed.
    pub header: Header,
    /// The root of the tree of layer descriptors.
    pub layers_root: LayersRoot,
    /// The root of the tree of constants.
    pub constants_root: Digest,
}

impl Registered {
    /// Depth of the tree of layers, L.
    #[must_use]
    pub fn layers_depth(&self) -> u32 {
        depth_for(u64::from(self.header.layers))
    }

    /// Depth of the tree of constants.
    #[must_use]
    pub fn constants_depth(&self) -> u32 {
        depth_for(u64::from(self.header.constants))
    }

    /// The most moves that a match may need, by the formula of PROTOCOL 3.
    #[must_use]
    pub fn moves(&self) -> u64 {
        let bits = u32::from(self.header.reveal_bits);
        let rounds = |depth: u32| u64::from(depth.div_ceil(bits).max(1));
        2 * (rounds(self.layers_depth()) + rounds(u32::from(self.header.max_tensor_depth))) + 6
    }
}

/// The state of the contracts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Game {
    chain_id: u64,
    address: Account,
    parameters: Parameters,
    programs: BTreeMap<ProgramRoot, Registered>,
    jobs: BTreeMap<JobId, Job>,
    claims: BTreeMap<ClaimId, Claim>,
    matches: BTreeMap<MatchId, Match>,
    money: Money,
}

/// Who calls, when, and with what value.
#[derive(Debug, Clone, Copy)]
struct Message {
    now: BlockTime,
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
            claims: BTreeMap::new(),
            matches: BTreeMap::new(),
            money: Money::default(),
        })
    }

    /// Plays one call at time `now` and gives what it announces.
    ///
    /// # Errors
    /// As PROTOCOL 3 and 4 say; then nothing has changed. A call that takes no value and is given some is refused with
    /// [`Refusal::WrongValue`], as are sums of 2^128 wei and more, which no chain has.
    ///
    /// # Panics
    /// When the money does not add up: a mistake of this module, whatever was called.
    pub fn apply(
        &mut self,
        now: BlockTime,
        sender: Account,
        value: Wei,
        call: &Call,
    ) -> Result<Vec<Event>, Refusal> {
        let payable = matches!(call, Call::PostJob { .. } | Call::PostClaim { .. } | Call::Open { .. });
        if (!payable && value.0 > 0) || !self.money.holds(value) {
            return Err(Refusal::WrongValue);
        }
        let events = self.dispatch(&Message { now, sender, value }, call)?;
        self.money.check();
        Ok(events)
    }

    fn dispatch(&mut self, message: &Message, call: &Call) -> Result<Vec<Event>, Refusal> {
        match call {
            Call::Register { header, layers_root, constants_root } => {
                self.register(header, *layers_root, *constants_root)
            }
            Call::PostJob { program, input, salt, deadline } => {
                self.post_job(message, *program, input, *salt, *deadline)
            }
            Call::PostClaim { job, trace_root, output, path } => {
                self.post_claim(message, *job, *trace_root, output, path)
            }
            Call::Open { claim, commitment } => self.open(message, *claim, *commitment),
            Call::Reveal { match_id, .. }
            | Call::Pick { match_id, .. }
            | Call::RevealTile { match_id, .. }
            | Call::Name { match_id, .. }
            | Call::Fold { match_id, .. }
            | Call::Segment { match_id, .. }
            | Call::Timeout { match_id } => self.play(message, *match_id, call),
            Call::Finalise { claim } => self.finalise(message, *claim),
            Call::Refund { job } => self.refund(message, *job),
            Call::Reclaim { match_id } => self.reclaim(*match_id),
            Call::Withdraw => {
                let amount = self.money.withdraw(message.sender)?;
                Ok(vec![Event::Withdrawn { account: message.sender, amount }])
            }
        }
    }

    fn register(
        &mut self,
        header: &[u8],
        layers_root: LayersRoot,
        constants_root: Digest,
    ) -> Result<Vec<Event>, Refusal> {
        let registered = Registered { header: header::parse(header)?, layers_root, constants_root };
        let program = ids::program_root(header, layers_root, constants_root);
        self.programs.insert(program, registered);
        Ok(vec![Event::Registered { program }])
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

    /// All fees and bonds that are not settled, and all amounts owed.
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
