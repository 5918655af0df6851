//! A place to play disputes: a program, a claim, two players, and a chain that is Solidity and Rust at once.

use narrows_bisection::players::{Challenger, Choice, Executor, FirstDifference, Follower};
use narrows_bisection::{
    Account, BlockTime, Call, ClaimId, Event, JobId, MatchId, MatchState, Parameters, Phase, Refusal, Side,
    Trace, Wei,
};
use narrows_commitment::{Digest, keccak};
use narrows_contracts::{Chain as _, Receipt, Transaction};
use narrows_program::Program;

use crate::twin::TwinChain;

/// Who asks for runs.
pub const REQUESTER: Account = Account([0x11; 20]);
/// Who claims.
pub const EXECUTOR: Account = Account([0x22; 20]);
/// Who disputes.
pub const CHALLENGER: Account = Account([0x33; 20]);
/// Somebody else.
pub const STRANGER: Account = Account([0x44; 20]);

/// What a job pays.
pub const FEE: Wei = Wei(1_000_000);

/// A chain with one program registered.
pub struct Arena {
    /// Both machines.
    pub chain: TwinChain,
    /// The program.
    pub program: Program,
    jobs: u64,
}

/// How a match ended.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The last state.
    pub state: MatchState,
    /// Every accepted move with its receipt.
    pub moves: Vec<(Side, Call, Receipt)>,
}

impl Outcome {
    /// Whether the challenger won.
    #[must_use]
    pub fn won(&self) -> bool {
        self.state.phase == Phase::Won
    }

    /// The name of the last call.
    #[must_use]
    pub fn last(&self) -> &'static str {
        self.moves.last().map_or("", |(_, call, _)| call.name())
    }

    /// All gas of the moves.
    #[must_use]
    pub fn gas(&self) -> u64 {
        self.moves.iter().map(|(_, _, receipt)| receipt.gas_used).sum()
    }
}

/// A side's strategy: the next move, or silence until its clock has run out.
pub type Player<'a> = dyn FnMut(&Follower, &MatchState) -> Option<Call> + 'a;

/// The executor that answers from `trace`.
pub fn answering<'a>(program: &'a Program, trace: &'a Trace) -> Box<Player<'a>> {
    Box::new(move |follower, state| Executor { program, trace }.respond(follower.id(), state))
}

/// The challenger that names the first difference from `trace`.
pub fn honest<'a>(program: &'a Program, trace: &'a Trace) -> Box<Player<'a>> {
    choosing(program, trace, FirstDifference)
}

/// The challenger that chooses by `choice`.
pub fn choosing<'a>(program: &'a Program, trace: &'a Trace, choice: impl Choice + 'a) -> Box<Player<'a>> {
    let mut challenger = Challenger { program, trace, choice };
    Box::new(move |follower, state| challenger.respond(follower, state))
}

/// The side that says nothing.
pub fn silent<'a>() -> Box<Player<'a>> {
    Box::new(|_, _| None)
}

impl Arena {
    /// A new chain with `program` registered and everybody funded.
    ///
    /// # Panics
    /// When the program is refused.
    #[must_use]
    pub fn new(program: Program, parameters: Parameters) -> Self {
        let mut chain = TwinChain::new(parameters);
        [REQUESTER, EXECUTOR, CHALLENGER, STRANGER].into_iter().for_each(|account| chain.fund(account));
        let mut arena = Self { chain, program, jobs: 0 };
        let call = Call::Register {
            header: arena.program.header_bytes().to_vec(),
            layers_root: arena.program.layers_root(),
            constants_root: arena.program.constants_tree().root(),
        };
        arena.send(REQUESTER, Wei(0), call).expect("registered");
        arena
    }

    /// Sends to both machines.
    ///
    /// # Errors
    /// Their common refusal.
    pub fn send(&mut self, from: Account, value: Wei, call: Call) -> Result<Receipt, Refusal> {
        self.chain.both(Transaction { from, value, call })
    }

    /// Posts a job for `input`.
    ///
    /// # Panics
    /// When it is refused.
    pub fn job(&mut self, input: &[u8]) -> JobId {
        self.jobs += 1;
        let deadline = BlockTime(self.chain.now().0 + 1_000_000);
        let salt = keccak(&self.jobs.to_be_bytes());
        let call = Call::PostJob { program: self.program.root(), input: input.to_vec(), salt, deadline };
        let receipt = self.send(REQUESTER, FEE, call).expect("a job");
        match receipt.events.as_slice() {
            [Event::JobPosted { job, .. }] => *job,
            other => panic!("expected a job, got {other:?}"),
        }
    }

    /// The call that claims `trace`.
    #[must_use]
    pub fn claim_call(job: JobId, trace: &Trace) -> Call {
        Call::PostClaim {
            job,
            trace_root: trace.root(),
            output: trace.output().to_vec(),
            path: trace.output_path(),
        }
    }

    /// Claims `trace` for `job`.
    ///
    /// # Panics
    /// When it is refused.
    pub fn claim(&mut self, job: JobId, trace: &Trace) -> ClaimId {
        let bond = self.chain.parameters().executor_bond;
        let receipt = self.send(EXECUTOR, bond, Self::claim_call(job, trace)).expect("a claim");
        match receipt.events.as_slice() {
            [Event::ClaimPosted { claim, .. }] => *claim,
            other => panic!("expected a claim, got {other:?}"),
        }
    }

    /// Opens a match about `claim`.
    ///
    /// # Panics
    /// When it is refused.
    pub fn open(&mut self, claim: ClaimId) -> MatchId {
        let bond = self.chain.parameters().challenger_bond;
        let call = Call::Open { claim, commitment: Digest::default() };
        let receipt = self.send(CHALLENGER, bond, call).expect("a match");
        match receipt.events.as_slice() {
            [Event::MatchOpened { match_id, .. }] => *match_id,
            other => panic!("expected a match, got {other:?}"),
        }
    }

    /// The state of a match.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn state(&self, id: MatchId) -> MatchState {
        self.chain.match_state(id).expect("a chain").expect("a match").state
    }

    /// Plays a match to its end; a side that says nothing is timed out by a stranger.
    ///
    /// # Panics
    /// When a player's move is refused.
    pub fn play(&mut self, id: MatchId, executor: &mut Player<'_>, challenger: &mut Player<'_>) -> Outcome {
        self.play_until(id, executor, challenger, |_| false)
    }

    /// Plays a match until its end, or until `stop` says so of a state.
    ///
    /// # Panics
    /// When a player's move is refused, or the match outlasts the protocol's bound.
    pub fn play_until(
        &mut self,
        id: MatchId,
        executor: &mut Player<'_>,
        challenger: &mut Player<'_>,
        stop: impl Fn(&MatchState) -> bool,
    ) -> Outcome {
        let program = self.program.clone();
        let mut follower = Follower::new(&program, id);
        let mut moves = Vec::new();
        for _ in 0..200 {
            let state = self.state(id);
            let Some(side) = state.phase.turn().filter(|_| !stop(&state)) else {
                return Outcome { state, moves };
            };
            self.chain.advance(1);
            let (account, answer) = match side {
                Side::Executor => (EXECUTOR, executor(&follower, &state)),
                Side::Challenger => (CHALLENGER, challenger(&follower, &state)),
            };
            let (account, call) = match answer {
                Some(call) => (account, call),
                None => {
                    self.chain.advance_to(state.deadline(&self.chain.parameters()).expect("a turn"));
                    (STRANGER, Call::Timeout { match_id: id })
                }
            };
            let name = call.name();
            let receipt = self.send(account, Wei(0), call.clone());
            let receipt = receipt.unwrap_or_else(|refusal| panic!("{name} in {:?}: {refusal}", state.phase));
            receipt.events.iter().for_each(|event| follower.observe(&program, event));
            moves.push((side, call, receipt));
        }
        panic!("the match outlasts its bound");
    }
}
