//! Who plays in the demonstration, on what chain, with what money.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use narrows_bisection::served::Served;
use narrows_bisection::signature::{self, SigningKey};
use narrows_bisection::{Account, BlockTime, Call, ClaimId, Event, JobId, Parameters, Posted, Wei};
use narrows_challenger::engine::Backend;
use narrows_challenger::node::{Temper, TraceSource, WatchtowerNode};
use narrows_commitment::{Digest, keccak};
use narrows_contracts::{Chain as _, EmbeddedChain, Inbox, Transaction};
use narrows_executor::node::{Conduct, ExecutorNode, Shelf};
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
pub enum Role {
    /// Asks for runs.
    Requester,
    /// Runs models truly.
    Executor,
    /// Lies.
    Cheat,
    /// Re-runs and disputes.
    Watchtower,
    /// Disputes what is right.
    Griefer,
}

impl Role {
    const ALL: [Self; 5] = [Self::Requester, Self::Executor, Self::Cheat, Self::Watchtower, Self::Griefer];

    /// What to call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Requester => "requester",
            Self::Executor => "honest executor",
            Self::Cheat => "cheating executor",
            Self::Watchtower => "watchtower",
            Self::Griefer => "griefer",
        }
    }

    /// What its key and its node's secret are made of: the demonstration's money is no money.
    fn secret(self) -> Digest {
        keccak(format!("narrows demonstration: {}", self.name()).as_bytes())
    }

    fn key(self) -> SigningKey {
        SigningKey::from_slice(&self.secret().0).expect("these five digests are keys")
    }

    /// Its account.
    pub fn account(self) -> Account {
        signature::account(self.key().verifying_key())
    }
}

/// What the executor of the scene hands out, as the watchtower fetches it.
struct Neighbour(Shelf);

impl TraceSource for Neighbour {
    fn fetch(&self, claim: ClaimId, _posted: &Posted) -> Option<Served> {
        self.0.get(claim).map(|served| Served::clone(&served))
    }
}

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
        for role in Role::ALL {
            chain.fund(role.account(), Wei(10_000_000_000_000_000_000))?;
        }
        let mut stage = Self { chain: Recorder::new(chain), program, jobs: 0 };
        let call = Call::Register {
            header: stage.program.header_bytes().to_vec(),
            layers_root: stage.program.layers_root(),
        };
        stage.chain.send(Transaction { from: Role::Requester.account(), value: Wei(0), call })?;
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
        let receipt = self.chain.send(Transaction { from: Role::Requester.account(), value: FEE, call })?;
        let posted = receipt.events.iter().find_map(|event| match event {
            Event::JobPosted { job, .. } => Some(*job),
            _ => None,
        });
        posted.context("the chain took a job and announced none")
    }

    /// An executor node with a journal that goes with the process.
    pub fn executor(&self, role: Role, conduct: Arc<dyn Conduct>) -> Result<ExecutorNode> {
        let journal = (Inbox::temporary()?, Vec::new());
        let programs = vec![Arc::clone(&self.program)];
        let node = ExecutorNode::new(role.account(), programs, conduct, role.secret(), journal);
        Ok(node.signing(role.key()))
    }

    /// A watchtower node with a journal that goes with the process; with a shelf, it asks there for claimed traces.
    pub fn watchtower(
        &self,
        role: Role,
        backend: Backend,
        temper: Arc<dyn Temper>,
        shelf: Option<Shelf>,
    ) -> Result<WatchtowerNode> {
        let journal = (Inbox::temporary()?, Vec::new());
        let programs = vec![Arc::clone(&self.program)];
        let node = WatchtowerNode::new(role.account(), programs, backend, temper, role.secret(), journal);
        Ok(match shelf {
            Some(shelf) => node.with_source(Arc::new(Neighbour(shelf))),
            None => node,
        })
    }

    /// The claim that answers `job`, once there is one.
    pub fn claim_on(&self, job: JobId) -> Option<ClaimId> {
        self.chain.history.iter().flat_map(|entry| &entry.events).find_map(|event| match event {
            Event::ClaimPosted { claim, posted, .. } if posted.job == job => Some(*claim),
            _ => None,
        })
    }

    /// What everybody holds, and what the contract holds for them or has burned.
    pub fn balances(&self) -> Result<Balances> {
        let held = Role::ALL.map(|role| self.chain.balance(role.account()));
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
        out.line(dim(format!("  {:<20}{:>26}{:>26}{:>26}", "", "before", "after", "change")));
        let names = Role::ALL.iter().map(|role| role.name()).chain(["locked in contract", "burned"]);
        let before = self.held.iter().chain([&self.locked, &self.burned]);
        let now = after.held.iter().chain([&after.locked, &after.burned]);
        for ((name, was), is) in names.zip(before).zip(now) {
            let change = match is.0.cmp(&was.0) {
                std::cmp::Ordering::Less => format!("-{}", ether(was.0 - is.0)),
                std::cmp::Ordering::Equal => "0".into(),
                std::cmp::Ordering::Greater => format!("+{}", ether(is.0 - was.0)),
            };
            out.line(format_args!("  {name:<20}{:>26}{:>26}{change:>26}", ether(was.0), ether(is.0)));
            out.event("balance", json!({ "who": name, "before_wei": was, "after_wei": is }));
        }
        let (was, is) = (self.total(), after.total());
        ensure!(was == is, "money does not add up: {was} wei before, {is} after");
        out.line(format_args!("  {:<20}{:>26}{:>26}{:>26}", "sum", ether(was), ether(is), "adds up"));
        Ok(())
    }
}
