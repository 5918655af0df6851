//! A chain with one program, and who plays on it.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use narrows_bisection::game::ids;
use narrows_bisection::players::{Challenger, Choice, Executor, Follower};
use narrows_bisection::refute::{self, committed_state};
use narrows_bisection::signature::{self, SigningKey};
use narrows_bisection::{
    Account, BlockTime, Call, ClaimId, Event, JobId, MatchState, Parameters, Phase, Posted, Refutation,
    Registered, Seat, Seated, Side, Trace, Wei,
};
use narrows_commitment::{Digest, TensorRoot, TensorTree, depth_for, keccak};
use narrows_contracts::{Chain as _, EmbeddedChain, Receipt, Transaction};
use narrows_program::{ElementIndex, LayerIndex, OperatorIndex, Program};

use super::{Spent, witness_bytes};
use crate::meter::Stopwatch;

const REQUESTER: Account = Account([0x51; 20]);
const CHALLENGER: Account = Account([0x53; 20]);
/// What hides the challenger's commitments: random in earnest.
const SALT: Digest = Digest([0x5a; 32]);
/// More moves than any match has.
const MAX_MOVES: usize = 400;

/// A claim that stands.
#[derive(Debug, Clone, Copy)]
pub struct Claimed {
    /// Its id.
    pub id: ClaimId,
    /// What it says.
    pub posted: Posted,
}

/// A match that is over, or a refutation that stood.
#[derive(Debug)]
pub struct Fought {
    /// How it ended: `Won`, `Lost`, or `Committed` for a refutation without a match.
    pub phase: Phase,
    /// The state that stands under the challenger's seat.
    state: MatchState,
    seat: Seat,
    number: u64,
    /// The point at which commitments are opened; zero when there is none.
    pub point: Digest,
    follower: Option<Follower>,
}

impl Fought {
    /// The operator at which a match ended; `None` for a refutation.
    pub fn operator(&self) -> Option<OperatorIndex> {
        self.follower.as_ref().map(|_| OperatorIndex(self.state.place))
    }
}

/// A chain with one program registered, and what every call on it cost.
pub struct Venue<'a> {
    /// The chain.
    pub chain: EmbeddedChain,
    /// Every call, in order.
    pub spent: Vec<Spent>,
    program: &'a Program,
    registered: Registered,
    key: SigningKey,
    salts: u64,
    /// Computing since the last call.
    thought: Duration,
    /// Finding the last refutation.
    found: Duration,
}

impl<'a> Venue<'a> {
    /// A new chain in the temporary folder; everybody has more money than any stake takes.
    pub fn new(program: &'a Program, parameters: Parameters) -> Result<Self> {
        let mut chain = EmbeddedChain::temporary(parameters)?;
        let key = SigningKey::from_slice(&keccak(b"narrows executor").0).context("a digest that is a key")?;
        for account in [REQUESTER, CHALLENGER, signature::account(key.verifying_key())] {
            chain.fund(account, Wei(1 << 120))?;
        }
        let header = program.header_bytes().to_vec();
        let call = Call::Register { header, layers_root: program.layers_root() };
        let sent = chain.send(Transaction { from: REQUESTER, value: Wei(0), call: call.clone() })?;
        let registered = chain.program(program.root())?.context("the program is not registered")?;
        let mut venue = Self {
            chain,
            spent: Vec::new(),
            program,
            registered,
            key,
            salts: 0,
            thought: Duration::ZERO,
            found: Duration::ZERO,
        };
        venue.note(&call, None, None, &sent);
        Ok(venue)
    }

    /// What the contracts know of the program.
    pub fn registered(&self) -> &Registered {
        &self.registered
    }

    /// The executor's account.
    pub fn executor(&self) -> Account {
        signature::account(self.key.verifying_key())
    }

    fn note(&mut self, call: &Call, side: Option<Side>, phase: Option<Phase>, receipt: &Receipt) {
        let (gas, calldata) = (receipt.gas_used, receipt.calldata_bytes);
        let thought = std::mem::take(&mut self.thought);
        let (call, witness) = (call.name(), witness_bytes(call));
        self.spent.push(Spent { call, phase, gas, calldata, witness, side, thought });
    }

    fn side(&self, account: Account) -> Option<Side> {
        if account == self.executor() {
            Some(Side::Executor)
        } else {
            (account == CHALLENGER).then_some(Side::Challenger)
        }
    }

    fn send(&mut self, from: Account, value: Wei, phase: Option<Phase>, call: Call) -> Result<Receipt> {
        let receipt = self.chain.send(Transaction { from, value, call: call.clone() })?;
        self.note(&call, self.side(from), phase, &receipt);
        Ok(receipt)
    }

    fn salt(&mut self) -> Digest {
        self.salts += 1;
        keccak(&self.salts.to_be_bytes())
    }

    /// Posts a job for `input`.
    pub fn job(&mut self, input: &[u8]) -> Result<JobId> {
        let deadline = BlockTime(self.chain.now().0 + 1_000_000);
        let salt = self.salt();
        let call = Call::PostJob { program: self.program.root(), input: input.to_vec(), salt, deadline };
        let receipt = self.send(REQUESTER, Wei(1_000_000), None, call)?;
        let [Event::JobPosted { job, .. }] = receipt.events.as_slice() else { bail!("a job announces none") };
        Ok(*job)
    }

    /// Commits to a claim of `trace`, and posts it.
    pub fn claim(&mut self, job: JobId, trace: &Trace) -> Result<Claimed> {
        let output_root = TensorRoot(TensorTree::of_bytes(trace.output()).root());
        let executor = self.executor();
        let posted = Posted { job, executor, trace_root: trace.root(), output_root };
        let parameters = self.chain.parameters();
        let fee = self.registered.claim_fee(&parameters).context("the claim fee is more than money")?;
        let stake = parameters.executor_bond.0.checked_add(fee.0).context("the stake is more than money")?;
        let salt = self.salt();
        let commitment = ids::claim_commitment(salt, &posted);
        let receipt = self.send(executor, Wei(stake), None, Call::CommitClaim { job, commitment })?;
        let [Event::ClaimCommitted { number, committed_at, .. }] = receipt.events.as_slice() else {
            bail!("a commitment announces none")
        };
        let call = Call::PostClaim {
            job,
            number: *number,
            committed_at: *committed_at,
            salt,
            trace_root: trace.root(),
            output: trace.output().to_vec(),
            path: trace.output_path(),
        };
        self.chain.advance(1)?;
        let receipt = self.send(executor, Wei(0), None, call)?;
        let [Event::ClaimPosted { claim, posted, .. }] = receipt.events.as_slice() else {
            bail!("a claim announces none")
        };
        Ok(Claimed { id: *claim, posted: *posted })
    }

    /// Waits for the window's end and makes a claim final.
    pub fn finalise(&mut self, claim: &Claimed) -> Result<()> {
        self.chain.advance(u64::from(self.chain.parameters().window_seconds))?;
        self.send(self.executor(), Wei(0), None, Call::Finalise { posted: claim.posted })?;
        Ok(())
    }

    /// The challenger's commitment to `own`.
    fn commitment(&mut self, claim: &Claimed, own: &Trace) -> Digest {
        let watch = Stopwatch::start();
        let own_root = own.own_root();
        self.thought += watch.stop().processor;
        ids::own_commitment(SALT, CHALLENGER, claim.id, self.depth(), own_root)
    }

    /// Depth of the tree over all operators.
    fn depth(&self) -> u8 {
        depth_for(u64::from(self.program.header().operators)) as u8
    }

    /// Opens a match about `claim` and plays it to its end: `claimed` answers, `own` accuses as `choice` says.
    pub fn fight(
        &mut self,
        claim: &Claimed,
        claimed: &Trace,
        own: &Trace,
        choice: impl Choice,
    ) -> Result<Fought> {
        let parameters = self.chain.parameters();
        let bond = self.registered.bond(&parameters).context("the challenger's bond is more than money")?;
        let commitment = self.commitment(claim, own);
        let open = Call::Open { posted: claim.posted, commitment };
        let receipt = self.send(CHALLENGER, bond, None, open)?;
        let [event] = receipt.events.as_slice() else { bail!("a match announces none") };
        let follower = Follower::new(self.program, &parameters, receipt.time, claim.posted, event);
        let mut follower = follower.context("a match announces none")?;
        // A commitment counts for the reward from the block after it.
        self.chain.advance(1)?;
        let executor = Executor { program: self.program, trace: claimed };
        let mut challenger = Challenger { program: self.program, trace: own, choice };
        for _ in 0..MAX_MOVES {
            let phase = follower.state().phase;
            let watch = Stopwatch::start();
            let (account, call) = match phase.turn() {
                Some(Side::Executor) => (self.executor(), executor.respond(&follower)),
                Some(Side::Challenger) => (CHALLENGER, challenger.respond(&follower)),
                None => bail!("the match ended unnoticed"),
            };
            self.thought += watch.stop().processor;
            let call = call.with_context(|| format!("no move in {phase:?}"))?;
            let receipt = self.send(account, Wei(0), Some(phase), call)?;
            receipt.events.iter().for_each(|event| follower.observe(self.program, event));
            if follower.state().phase.turn().is_none() {
                return self.ended(claim, follower, &receipt);
            }
        }
        bail!("the match does not end in {MAX_MOVES} moves")
    }

    fn ended(&self, claim: &Claimed, mut follower: Follower, last: &Receipt) -> Result<Fought> {
        let stands = self.chain.match_state(follower.id())?.context("the chain forgot a match")?;
        ensure!(follower.conclude(last.time, stands), "the match is not what its events say");
        Ok(Fought {
            phase: follower.state().phase,
            state: *follower.state(),
            seat: follower.seated().seat,
            number: follower.number(),
            point: self.point(claim, last),
            follower: Some(follower),
        })
    }

    fn point(&self, claim: &Claimed, receipt: &Receipt) -> Digest {
        let point = receipt.events.iter().find_map(|event| match event {
            Event::ClaimRefuted { claim: id, point, .. } if *id == claim.id => Some(*point),
            _ => None,
        });
        point.unwrap_or_default()
    }

    /// The refutation of `claimed`, with the executor's signature under the disputed layer's sub-trace.
    pub fn refutation(&mut self, claim: &Claimed, claimed: &Trace, own: &Trace) -> Option<Refutation> {
        let layer = own.first_layer_difference(claimed)?;
        let signed = self.signed(claim, claimed, layer);
        let watch = Stopwatch::start();
        let refutation = refute::refutation(self.program, own, claimed, Some(signed));
        self.found = watch.stop().processor;
        refutation
    }

    /// The executor's signature under a sub-trace of its own.
    fn signed(&self, claim: &Claimed, claimed: &Trace, layer: LayerIndex) -> (Digest, Vec<u8>) {
        let list = claimed.sub_tree(layer).root();
        let digest = ids::sub_trace_digest(self.chain.chain_id(), self.chain.game(), claim.id, layer.0, list);
        (list, signature::sign(digest, &self.key).to_vec())
    }

    /// Commits to `own`, and refutes in a later block.
    pub fn refute(&mut self, claim: &Claimed, own: &Trace, refutation: Refutation) -> Result<Fought> {
        let commitment = self.commitment(claim, own);
        let receipt = self.send(CHALLENGER, Wei(0), None, Call::Commit { claim: claim.id, commitment })?;
        let [Event::Committed { number, .. }] = receipt.events.as_slice() else {
            bail!("a commitment announces none")
        };
        let seat = Seat { commitment, opened_at: receipt.time, bond: Wei(0) };
        let state = committed_state(&Seated { challenger: CHALLENGER, seat });
        self.chain.advance(1)?;
        self.thought += std::mem::take(&mut self.found);
        let call = Call::Refute { posted: claim.posted, refutation: Box::new(refutation) };
        let receipt = self.send(CHALLENGER, Wei(0), None, call)?;
        let point = self.point(claim, &receipt);
        Ok(Fought { phase: state.phase, state, seat, number: *number, point, follower: None })
    }

    /// Opens the commitment at the point of the verdict, collects the reward, takes the bond back, and withdraws.
    pub fn settle(
        &mut self,
        claim: &Claimed,
        fought: &Fought,
        own: &Trace,
        operator: OperatorIndex,
        element: ElementIndex,
    ) -> Result<()> {
        if fought.point != Digest::default() {
            let watch = Stopwatch::start();
            let (point, tile, path) = refute::reward_opening(self.program, own, operator, element);
            self.thought += watch.stop().processor;
            let call = Call::OpenReward {
                claim: claim.id,
                number: fought.number,
                standing: fought.state.standing(),
                node: fought.state.node,
                seat: fought.seat,
                point,
                salt: SALT,
                depth: self.depth(),
                tile,
                path,
            };
            self.send(CHALLENGER, Wei(0), None, call)?;
            self.chain.advance(u64::from(self.chain.parameters().reward_seconds))?;
            self.send(CHALLENGER, Wei(0), None, Call::CollectReward { claim: claim.id })?;
        }
        if let Some(follower) = fought.follower.as_ref().filter(|_| fought.phase == Phase::Won) {
            self.send(CHALLENGER, Wei(0), None, follower.reclaim())?;
        }
        if self.chain.owed(CHALLENGER)? > Wei(0) {
            self.send(CHALLENGER, Wei(0), None, Call::Withdraw)?;
        }
        Ok(())
    }

    /// Pays the executor what it is owed.
    pub fn pay_executor(&mut self) -> Result<()> {
        self.send(self.executor(), Wei(0), None, Call::Withdraw)?;
        Ok(())
    }
}
