//! A small world for tests: a hand-made program, and a mirror of the chain with one claim on which matches are played.

mod program;

use k256::ecdsa::SigningKey;
use narrows_commitment::Digest;
use narrows_program::{OperatorIndex, Program};

use crate::game::ids;
use crate::record::Entry;
use crate::{
    Account, Block, BlockTime, Call, ClaimId, Event, Game, JobId, MatchId, MatchState, Parameters, Phase,
    Posted, Refusal, Side, Trace, Wei, signature,
};

use super::{Challenger, Choice, Executor, FirstDifference, Follower};

pub use program::{doctored, grouped, input, lies, program, run, shift, single, truth, visible_lies};

pub const CHAIN: u64 = 31337;
pub const GAME: Account = Account([0x6a; 20]);
pub const REQUESTER: Account = Account([1; 20]);
pub const CHALLENGER: Account = Account([3; 20]);
pub const STRANGER: Account = Account([4; 20]);
pub const FEE: Wei = Wei(77);
pub const NOTHING: Wei = Wei(0);
pub const BASE_FEE: Wei = Wei(11);
pub const SALT: Digest = Digest([5; 32]);

pub fn key() -> SigningKey {
    SigningKey::from_slice(&[7; 32]).expect("a key")
}

pub fn executor() -> Account {
    signature::account(key().verifying_key())
}

pub fn parameters() -> Parameters {
    Parameters { executor_bond: Wei(1_001), delay_fee: Wei(13), ..Parameters::default() }
}

/// A mirror of the chain with one claim on it.
#[derive(Clone)]
pub struct World {
    pub game: Game,
    pub program: Program,
    pub posted: Posted,
    pub job: JobId,
    pub claim: ClaimId,
    pub now: u64,
    pub history: Vec<Entry>,
}

impl World {
    /// A chain with the program registered, a job posted, and `claimed` claimed.
    pub fn new(program: &Program, claimed: &Trace) -> Self {
        Self::claiming(program, claimed.root().0, claimed.output(), claimed.output_path())
    }

    /// The same for a trace root that no trace has.
    pub fn claiming(program: &Program, root: Digest, output: &[u8], path: Vec<Digest>) -> Self {
        let game = Game::new(CHAIN, GAME, parameters()).expect("good parameters");
        let nobody = Posted {
            job: JobId::default(),
            executor: executor(),
            trace_root: narrows_commitment::TraceRoot(root),
            output_root: narrows_commitment::TensorRoot(
                narrows_commitment::TensorTree::of_bytes(output).root(),
            ),
        };
        let mut world = Self {
            game,
            program: program.clone(),
            posted: nobody,
            job: JobId::default(),
            claim: ClaimId::default(),
            now: 1_000,
            history: Vec::new(),
        };
        let register =
            Call::Register { header: program.header_bytes().to_vec(), layers_root: program.layers_root() };
        world.send(REQUESTER, NOTHING, &register).expect("registers");
        let post = Call::PostJob {
            program: program.root(),
            input: input(),
            salt: SALT,
            deadline: BlockTime(100_000),
        };
        let events = world.send(REQUESTER, FEE, &post).expect("posts a job");
        let [Event::JobPosted { job, .. }] = events[..] else { panic!("no job") };
        world.job = job;
        world.posted.job = job;
        (world.posted, world.claim) = world.claim_by(executor(), output, path);
        world
    }

    /// Commits to and posts a claim of the world's trace root by `account`.
    pub fn claim_by(&mut self, account: Account, output: &[u8], path: Vec<Digest>) -> (Posted, ClaimId) {
        let posted = Posted { executor: account, ..self.posted };
        let registered = *self.game.program(self.program.root()).expect("registered");
        let fee = registered.claim_fee(&parameters()).expect("small");
        let stake = Wei(parameters().executor_bond.0 + fee.0);
        let commitment = ids::claim_commitment(SALT, &posted);
        let commit = Call::CommitClaim { job: self.job, commitment };
        let events = self.send(account, stake, &commit).expect("commits");
        let Some(Event::ClaimCommitted { number, committed_at, .. }) = events.first().cloned() else {
            panic!("no commitment")
        };
        self.now += 1;
        let post = Call::PostClaim {
            job: self.job,
            number,
            committed_at,
            salt: SALT,
            trace_root: posted.trace_root,
            output: output.to_vec(),
            path,
        };
        let events = self.send(account, NOTHING, &post).expect("posts a claim");
        let Some(Event::ClaimPosted { claim, .. }) = events.first() else { panic!("no claim") };
        (posted, *claim)
    }

    pub fn bond(&self) -> Wei {
        self.game.program(self.program.root()).expect("registered").bond(&parameters()).expect("small")
    }

    /// Sends a call now; keeps it in the history if it stands; a refusal must change nothing.
    pub fn send(&mut self, sender: Account, value: Wei, call: &Call) -> Result<Vec<Event>, Refusal> {
        let before = self.game.clone();
        let block = Block { time: BlockTime(self.now), base_fee: BASE_FEE };
        let result = self.game.apply(block, sender, value, call);
        match &result {
            Err(_) => assert!(self.game == before, "a refused call changed something"),
            Ok(events) => self.history.push(Entry {
                block,
                sender,
                value,
                gas_used: Some(21_000 + self.history.len() as u64),
                call: call.clone(),
                events: events.clone(),
            }),
        }
        result
    }

    /// Opens a match and follows it.
    pub fn open(&mut self, commitment: Digest) -> Follower {
        let (bond, posted, at) = (self.bond(), self.posted, BlockTime(self.now));
        let events = self.send(CHALLENGER, bond, &Call::Open { posted, commitment }).expect("opens");
        Follower::new(&self.program, &parameters(), at, posted, &events[0]).expect("a match")
    }

    pub fn state(&self, id: MatchId) -> MatchState {
        self.game.match_of(id).expect("the match exists").state
    }

    /// Plays a match to its end. A side that says nothing is timed out by a stranger. At every step the follower's state must be
    /// the chain's. Gives the phases gone through, the calls, and the disputed operator.
    pub fn play(
        &mut self,
        follower: &mut Follower,
        executor_moves: &mut dyn FnMut(&Follower) -> Option<Call>,
        challenger_moves: &mut dyn FnMut(&Follower) -> Option<Call>,
    ) -> Played {
        let mut played = Played::default();
        for step in 0..60 {
            let state = self.state(follower.id());
            assert!(!follower.is_lost(), "lost in {:?}", state.phase);
            played.phases.push(state.phase);
            let Some(side) = state.phase.turn() else {
                assert!(follower.conclude(BlockTime(self.now), state.hash()), "the end in {state:?}");
                assert_eq!(*follower.state(), state);
                return played;
            };
            assert_eq!(*follower.state(), state);
            played.operator = follower.operator().or(played.operator);
            // Within the grace and beyond it, so that both clocks are charged now and then.
            self.now += [2, 7, 1, 8, 5, 6][step % 6];
            let early = if side == Side::Executor { challenger_moves(follower) } else { None };
            let answer = match (side, early) {
                (_, Some(call)) => Some((CHALLENGER, call)),
                (Side::Executor, None) => executor_moves(follower).map(|call| (executor(), call)),
                (Side::Challenger, None) => challenger_moves(follower).map(|call| (CHALLENGER, call)),
            };
            let (sender, call) = answer.unwrap_or_else(|| {
                self.now = state.deadline(&parameters()).expect("open").0;
                (STRANGER, follower.timeout())
            });
            let result = self.send(sender, NOTHING, &call);
            let events =
                result.unwrap_or_else(|refusal| panic!("{} in {:?}: {refusal}", call.name(), state.phase));
            events.iter().for_each(|event| follower.observe(&self.program, event));
            played.calls.push(call.name());
        }
        panic!("the match outlasts its bound");
    }

    /// The executor answering from `claimed` against a challenger with `own` that chooses by `choice`.
    pub fn dispute(&mut self, claimed: &Trace, own: &Trace, choice: impl Choice) -> Played {
        let program = self.program.clone();
        let answering = Executor { program: &program, trace: claimed };
        let mut challenging = Challenger { program: &program, trace: own, choice };
        let mut follower = self.open(SALT);
        self.play(&mut follower, &mut |f| answering.respond(f), &mut |f| challenging.respond(f))
    }

    pub fn honest_dispute(&mut self, claimed: &Trace, own: &Trace) -> Played {
        self.dispute(claimed, own, FirstDifference)
    }
}

/// How a match went.
#[derive(Debug, Default)]
pub struct Played {
    pub phases: Vec<Phase>,
    pub calls: Vec<&'static str>,
    pub operator: Option<OperatorIndex>,
}

impl Played {
    pub fn end(&self) -> Phase {
        self.phases[self.phases.len() - 1]
    }

    pub fn last(&self) -> &'static str {
        self.calls[self.calls.len() - 1]
    }
}
