//! A chain with the digits program, a job and nodes, and somebody who lets time pass until all is decided.

use std::path::Path;
use std::sync::Arc;

use narrows_bisection::served::Served;
use narrows_bisection::{Account, BlockTime, Call, ClaimId, ClaimStatus, Parameters, Posted, Wei};
use narrows_challenger::engine::Backend;
use narrows_challenger::node::{Temper, TraceSource, WatchtowerNode};
use narrows_commitment::keccak;
use narrows_contracts::{Chain, EmbeddedChain, Inbox, Transaction};
use narrows_executor::node::{Conduct, ExecutorNode, Shelf};
use narrows_program::Program;

use crate::arena::{CHALLENGER, EXECUTOR, FEE, REQUESTER, STRANGER};
use crate::digits;

/// What everybody has at first.
pub const FUNDS: Wei = Wei(10_000_000_000_000_000_000);

/// Ticks in which nobody does anything before all is taken to be over; ten seconds each, longer than any wait.
const QUIET: u32 = 15;

/// A chain with `program` and one job for a digit; on disk if there is a path.
///
/// # Panics
/// When the chain refuses.
#[must_use]
pub fn chain(program: &Program, path: Option<&Path>) -> EmbeddedChain {
    let mut chain = match path {
        Some(path) => EmbeddedChain::create(path, Parameters::default(), BlockTime(1_700_000_000)),
        None => EmbeddedChain::temporary(Parameters::default()),
    }
    .expect("a chain");
    for account in [REQUESTER, EXECUTOR, CHALLENGER, STRANGER] {
        chain.fund(account, FUNDS).expect("funds");
    }
    let header = program.header_bytes().to_vec();
    let register = Call::Register { header, layers_root: program.layers_root() };
    chain.send(Transaction { from: REQUESTER, value: Wei(0), call: register }).expect("registered");
    job(&mut chain, program, digits::input(), 1);
    chain
}

/// Posts a job.
///
/// # Panics
/// When it is refused.
pub fn job(chain: &mut EmbeddedChain, program: &Program, input: Vec<u8>, salt: u8) {
    let deadline = BlockTime(chain.now().0 + 100_000);
    let call = Call::PostJob { program: program.root(), input, salt: keccak(&[salt]), deadline };
    chain.send(Transaction { from: REQUESTER, value: FEE, call }).expect("a job");
}

/// What committing to a claim burns.
///
/// # Panics
/// When the program is not registered.
#[must_use]
pub fn claim_fee(chain: &EmbeddedChain, program: &Program) -> i128 {
    let registered = chain.program(program.root()).expect("a view").expect("registered");
    registered.claim_fee(&chain.parameters()).expect("an amount").0 as i128
}

/// What a challenger stakes.
///
/// # Panics
/// When the program is not registered.
#[must_use]
pub fn bond(chain: &EmbeddedChain, program: &Program) -> i128 {
    let registered = chain.program(program.root()).expect("a view").expect("registered");
    registered.bond(&chain.parameters()).expect("an amount").0 as i128
}

/// What an account has gained since it was funded, in wei.
///
/// # Panics
/// When the chain cannot be read.
#[must_use]
pub fn gain(chain: &EmbeddedChain, account: Account) -> i128 {
    chain.balance(account).expect("a balance").0 as i128 - FUNDS.0 as i128
}

/// An executor of `account` with its journal at a path.
///
/// # Panics
/// When the journal cannot be opened.
#[must_use]
pub fn executor(
    account: Account,
    program: &Arc<Program>,
    conduct: Arc<dyn Conduct>,
    journal: &Path,
) -> ExecutorNode {
    let journal = Inbox::open(journal).expect("a journal");
    ExecutorNode::new(account, vec![Arc::clone(program)], conduct, keccak(b"executor"), journal)
}

/// A watchtower with its journal at a path.
///
/// # Panics
/// When the journal cannot be opened.
#[must_use]
pub fn watchtower(program: &Arc<Program>, temper: Arc<dyn Temper>, journal: &Path) -> WatchtowerNode {
    let journal = Inbox::open(journal).expect("a journal");
    let (programs, secret) = (vec![Arc::clone(program)], keccak(b"secret"));
    WatchtowerNode::new(CHALLENGER, programs, Backend::Flex, temper, secret, journal)
}

/// Asks a shelf in the same process.
pub struct FromShelf(pub Shelf);

impl TraceSource for FromShelf {
    fn fetch(&self, claim: ClaimId, _posted: &Posted) -> Option<Served> {
        self.0.get(claim).map(|served| served.as_ref().clone())
    }
}

/// Lets both nodes act, second by second, until all claims are decided and nobody has anything left to do. The statuses of
/// the claims, by id.
///
/// # Panics
/// When a node fails, or nothing is decided.
pub async fn settle(
    chain: &mut EmbeddedChain,
    executor: &mut ExecutorNode,
    watchtower: &mut WatchtowerNode,
) -> Vec<ClaimStatus> {
    let mut quiet = 0;
    for _ in 0..600 {
        quiet = if step(chain, executor, watchtower).await { quiet + 1 } else { 0 };
        let claims = statuses(executor);
        if quiet >= QUIET && !claims.is_empty() && !claims.contains(&ClaimStatus::Pending) {
            return claims;
        }
    }
    panic!("nothing was decided");
}

/// One tick of both, and the time that passes after it; whether neither did anything.
///
/// # Panics
/// When a node fails.
pub async fn step(
    chain: &mut EmbeddedChain,
    executor: &mut ExecutorNode,
    watchtower: &mut WatchtowerNode,
) -> bool {
    let first = executor.tick(chain).await.expect("a tick");
    let second = watchtower.tick(chain).await.expect("a tick");
    let idle = first.is_empty() && second.is_empty();
    chain.advance(if idle { 10 } else { 1 }).expect("the clock");
    idle
}

/// How all claims stand that a node knows of, by id.
#[must_use]
pub fn statuses(executor: &ExecutorNode) -> Vec<ClaimStatus> {
    executor.ledger().claims.values().map(|claim| claim.status).collect()
}
