//! Many frivolous matches at once, on the mirror of the contracts.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};
use narrows_bisection::game::ids;
use narrows_bisection::players::{Challenger, Executor, Follower};
use narrows_bisection::{
    Account, Block, BlockTime, Call, ClaimId, Event, Game, Parameters, Phase, Posted, Side, Trace, Wei,
};
use narrows_commitment::{Digest, TensorRoot, TensorTree};
use narrows_program::{ElementIndex, OperatorIndex, Program};

use super::frivolous::is_answer;
use super::toward::Toward;

const CHAIN: u64 = 1;
const GAME: Account = Account([0x60; 20]);
const EXECUTOR: Account = Account([0xe0; 20]);

/// Many frivolous matches against one claim.
pub struct Crowd {
    /// The executor's answers in all of them.
    pub answers: u64,
    /// What the executor has bound: its bond and the claim fee.
    pub capital: Wei,
    /// The challengers' bonds, all together.
    pub bonds: Wei,
    /// What the lost matches owe the executor.
    pub compensation: Wei,
}

/// The mirror with an honest claim on it.
struct Mirror<'a> {
    game: Game,
    block: Block,
    program: &'a Program,
    truth: &'a Trace,
    posted: Posted,
    claim: ClaimId,
    capital: Wei,
}

impl<'a> Mirror<'a> {
    fn new(program: &'a Program, parameters: Parameters, base_fee: Wei, truth: &'a Trace) -> Result<Self> {
        let game = Game::new(CHAIN, GAME, parameters)?;
        let output_root = TensorRoot(TensorTree::of_bytes(truth.output()).root());
        let trace_root = truth.root();
        let posted = Posted { job: Default::default(), executor: EXECUTOR, trace_root, output_root };
        let block = Block { time: BlockTime(1_700_000_000), base_fee };
        let claim = ClaimId::default();
        let mut mirror = Self { game, block, program, truth, posted, claim, capital: Wei(0) };
        let header = program.header_bytes().to_vec();
        mirror.apply(EXECUTOR, Wei(0), &Call::Register { header, layers_root: program.layers_root() })?;
        let (input, deadline) = (truth.input().to_vec(), BlockTime(mirror.block.time.0 + 1_000_000));
        let salt = Digest::default();
        let call = Call::PostJob { program: program.root(), input, salt, deadline };
        let events = mirror.apply(EXECUTOR, Wei(0), &call)?;
        let [Event::JobPosted { job, .. }] = events.as_slice() else { bail!("a job announces none") };
        mirror.posted.job = *job;
        mirror.claim()?;
        Ok(mirror)
    }

    fn apply(&mut self, sender: Account, value: Wei, call: &Call) -> Result<Vec<Event>> {
        let applied = self.game.apply(self.block, sender, value, call);
        applied.with_context(|| format!("{} on the mirror", call.name()))
    }

    fn claim(&mut self) -> Result<()> {
        let parameters = *self.game.parameters();
        let registered = self.game.program(self.program.root()).context("the program is not registered")?;
        let fee = registered.claim_fee(&parameters).context("the claim fee is more than money")?;
        self.capital =
            Wei(parameters.executor_bond.0.checked_add(fee.0).context("the stake is more than money")?);
        let salt = Digest::default();
        let commitment = ids::claim_commitment(salt, &self.posted);
        let job = self.posted.job;
        self.apply(EXECUTOR, self.capital, &Call::CommitClaim { job, commitment })?;
        let committed_at = self.block.time;
        self.block.time.0 += 1;
        let call = Call::PostClaim {
            job,
            number: 0,
            committed_at,
            salt,
            trace_root: self.posted.trace_root,
            output: self.truth.output().to_vec(),
            path: self.truth.output_path(),
        };
        self.apply(EXECUTOR, Wei(0), &call)?;
        self.claim = self.game.claim_id(&self.posted);
        Ok(())
    }

    fn open(&mut self, challenger: Account, bond: Wei) -> Result<Follower> {
        let call = Call::Open { posted: self.posted, commitment: Digest::default() };
        let events = self.apply(challenger, bond, &call)?;
        let [event] = events.as_slice() else { bail!("a match announces none") };
        let parameters = self.game.parameters();
        let follower = Follower::new(self.program, parameters, self.block.time, self.posted, event);
        follower.context("a match announces none")
    }
}

impl Crowd {
    /// Opens `matches` against an honest claim, and plays all of them side by side until they are lost.
    pub fn play(
        program: &Program,
        parameters: Parameters,
        base_fee: Wei,
        matches: u64,
        truth: &Trace,
        operator: OperatorIndex,
        element: ElementIndex,
    ) -> Result<Self> {
        let mut mirror = Mirror::new(program, parameters, base_fee, truth)?;
        let registered = mirror.game.program(program.root()).context("the program is not registered")?;
        let bond = registered.bond(&parameters).context("the challenger's bond is more than money")?;
        let mut open = BTreeMap::new();
        for index in 0..matches {
            let mut account = [0xc0; 20];
            account[..8].copy_from_slice(&index.to_be_bytes());
            let choice = Toward::new(program, operator, element);
            let follower = mirror.open(Account(account), bond)?;
            open.insert(index, (follower, Challenger { program, trace: truth, choice }));
        }
        let executor = Executor { program, trace: truth };
        let mut answers = 0;
        // All matches move side by side, so that the executor has answered everything before the first is lost.
        while !open.is_empty() {
            let mut over = Vec::new();
            for (index, (follower, challenger)) in &mut open {
                let (sender, call) = match follower.state().phase.turn() {
                    Some(Side::Executor) => (EXECUTOR, executor.respond(follower)),
                    Some(Side::Challenger) => (follower.challenger(), challenger.respond(follower)),
                    None => bail!("a match ended unnoticed"),
                };
                let call = call.with_context(|| format!("no move in {:?}", follower.state().phase))?;
                answers += u64::from(is_answer(call.name()));
                let events = mirror.apply(sender, Wei(0), &call)?;
                events.iter().for_each(|event| follower.observe(program, event));
                match follower.state().phase {
                    Phase::Lost => over.push(*index),
                    Phase::Won => bail!("an honest claim lost; report this with the program"),
                    _ => {}
                }
            }
            over.iter().for_each(|index| drop(open.remove(index)));
        }
        let bonds =
            bond.0.checked_mul(u128::from(matches)).map(Wei).context("the bonds are more than money")?;
        Ok(Self { answers, capital: mirror.capital, bonds, compensation: mirror.game.owed(EXECUTOR) })
    }
}
