//! Who plays in the demonstration, on what chain, with what money.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use narrows_bisection::{Account, BlockTime, Call, ClaimId, Event, JobId, Parameters, Wei};
use narrows_challenger::engine::Backend;
use narrows_challenger::node::{Temper, WatchtowerNode};
use narrows_commitment::keccak;
use narrows_contracts::{Chain as _, EmbeddedChain, Inbox, Transaction};
use narrows_executor::node::{Conduct, ExecutorNode};
use narrows_program::Program;
use serde_json::json;

use crate::output::{Output, dim, ether};
use crate::recorder::Recorder;

/// What a job pays.
pub const FEE: Wei = Wei(10_000_000_000_000_000);
/// When the embedded chain's clock begins.
const START: BlockTime = BlockTime(1_700_000_000);

/// A role of the demonstration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Role {
    /// What to call it.
    pub name: &'static str,
    /// Its account.
    pub account: Account,
}

/// Asks for runs.
pub const REQUESTER: Role = Role { name: "requester", account: Account([0xa1; 20]) };
/// Runs models truly.
pub const EXECUTOR: Role = Role { name: "honest executor", account: Account([0xa2; 20]) };
/// Lies.
pub const CHEAT: Role = Role { name: "cheating executor", account: Account([0xa3; 20]) };
/// Re-runs and disputes.
pub const WATCHTOWER: Role = Role { name: "watchtower", account: Account([0xa4; 20]) };
/// Disputes what is right.
pub const GRIEFER: Role = Role { name: "griefer", account: Account([0xa5; 20]) };

const ALL: [Role; 5] = [REQUESTER, EXECUTOR, CHEAT, WATCHTOWER, GRIEFER];

/// The stage: a chain with its history, and the program.
pub struct Stage {
    /// The chain.
    pub chain: Recorder,
    /// The program.
    pub program: Arc<Program>,
    jobs: u64,
}

impl Stage {
    /// An embedded chain at `folder`, everybody with 10 ETH, the program registered.
    pub fn new(folder: &Path, program: Arc<Program>) -> Result<Self> {
        let mut chain = EmbeddedChain::create(folder, Parameters::default(), START)?;
        for role in ALL {
            chain.fund(role.account, Wei(10_000_000_000_000_000_000))?;
        }
        let mut stage = Self { chain: Recorder::new(chain), program, jobs: 0 };
        let call = Call::Register {
            header: stage.program.header_bytes().to_vec(),
            layers_root: stage.program.layers_root(),
            constants_root: stage.program.constants_tree().root(),
        };
        stage.chain.send(Transaction { from: REQUESTER.account, value: Wei(0), call })?;
        Ok(stage)
    }

    /// Posts a job for `input`.
    pub fn post_job(&mut self, input: Vec<u8>) -> Result<JobId> {
        self.jobs += 1;
        let call = Call::PostJob {
            program: self.program.root(),
            input,
            salt: keccak(&self.jobs.to_be_bytes()),
            deadline: BlockTime(self.chain.now().0 + 86_400),
        };
        let receipt = self.chain.send(Transaction { from: REQUESTER.account, value: FEE, call })?;
        let posted = receipt.events.iter().find_map(|event| match event {
            Event::JobPosted { job, .. } => Some(*job),
            _ => None,
        });
        posted.context("the chain took a job and announced none")
    }

    /// An executor node with a journal that goes with the process.
    pub fn executor(&self, role: Role, conduct: Arc<dyn Conduct>) -> Result<ExecutorNode> {
        let journal = (Inbox::temporary()?, Vec::new());
        Ok(ExecutorNode::new(role.account, vec![Arc::clone(&self.program)], conduct, journal))
    }

    /// A watchtower node with a journal that goes with the process.
    pub fn watchtower(
        &self,
        role: Role,
        backend: Backend,
        temper: Arc<dyn Temper>,
    ) -> Result<WatchtowerNode> {
        let journal = (Inbox::temporary()?, Vec::new());
        let secret = keccak(role.name.as_bytes());
        let programs = vec![Arc::clone(&self.program)];
        Ok(WatchtowerNode::new(role.account, programs, backend, temper, secret, journal))
    }

    /// The claim that answers `job`, once there is one.
    pub fn claim_on(&self, job: JobId) -> Option<ClaimId> {
        self.chain.history.iter().flat_map(|entry| &entry.events).find_map(|event| match event {
            Event::ClaimPosted { claim, job: answered, .. } if *answered == job => Some(*claim),
            _ => None,
        })
    }

    /// What everybody holds, and what the contract holds for them or has burned.
    pub fn balances(&self) -> Result<Balances> {
        let held = ALL.map(|role| self.chain.balance(role.account));
        let held = held.into_iter().collect::<Result<Vec<_>, _>>()?;
        Ok(Balances { held, locked: self.chain.locked()?, burned: self.chain.burned()? })
    }
}

/// Everybody's money at one moment.
#[derive(Debug, Clone)]
pub struct Balances {
    held: Vec<Wei>,
    locked: Wei,
    burned: Wei,
}

impl Balances {
    fn total(&self) -> u128 {
        self.held.iter().map(|wei| wei.0).sum::<u128>() + self.locked.0 + self.burned.0
    }

    /// Prints both moments side by side, and checks that nothing appeared or vanished.
    pub fn compare(&self, after: &Self, out: Output) -> Result<()> {
        out.line(dim(format!("  {:<20}{:>14}{:>16}{:>16}", "", "before", "after", "change")));
        let names = ALL.iter().map(|role| role.name).chain(["locked in contract", "burned"]);
        let before = self.held.iter().chain([&self.locked, &self.burned]);
        let now = after.held.iter().chain([&after.locked, &after.burned]);
        for ((name, was), is) in names.zip(before).zip(now) {
            let change = match is.0.cmp(&was.0) {
                std::cmp::Ordering::Less => format!("-{}", ether(was.0 - is.0)),
                std::cmp::Ordering::Equal => "0".into(),
                std::cmp::Ordering::Greater => format!("+{}", ether(is.0 - was.0)),
            };
            out.line(format_args!("  {name:<20}{:>14}{:>16}{change:>16}", ether(was.0), ether(is.0)));
            out.event("balance", json!({ "who": name, "before_wei": was, "after_wei": is }));
        }
        let (was, is) = (self.total(), after.total());
        ensure!(was == is, "money does not add up: {was} wei before, {is} after");
        out.line(format_args!("  {:<20}{:>14}{:>16}{:>16}", "sum", ether(was), ether(is), "adds up"));
        Ok(())
    }
}
