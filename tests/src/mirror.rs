//! The mirror alone, for what would take the contracts too long.

use narrows_bisection::game::ids;
use narrows_bisection::{
    Account, Block, BlockTime, Call, Event, Game, MatchId, Parameters, Posted, Refusal, Trace, Wei,
};
use narrows_commitment::{Digest, keccak};
use narrows_program::Program;

use crate::arena::{EXECUTOR, FEE, REQUESTER, posted};

/// A game in Rust, with one program and a clock.
pub struct Mirror {
    /// The game.
    pub game: Game,
    /// The program.
    pub program: Program,
    /// The next block's time, in seconds.
    pub time: u64,
}

impl Mirror {
    /// A game with `program` registered.
    ///
    /// # Panics
    /// When the program is refused.
    #[must_use]
    pub fn new(program: Program) -> Self {
        let game = Game::new(1, Account([7; 20]), Parameters::default()).expect("parameters");
        let mut one = Self { game, program, time: 1_700_000_000 };
        let header = one.program.header_bytes().to_vec();
        one.send(REQUESTER, Wei(0), Call::Register { header, layers_root: one.program.layers_root() });
        one
    }

    /// Plays one call.
    ///
    /// # Errors
    /// Its refusal.
    pub fn apply(&mut self, from: Account, value: Wei, call: &Call) -> Result<Vec<Event>, Refusal> {
        let block = Block { time: BlockTime(self.time), base_fee: Wei(1_000_000_000) };
        self.game.apply(block, from, value, call)
    }

    /// Plays one call that must be accepted.
    ///
    /// # Panics
    /// When it is refused.
    pub fn send(&mut self, from: Account, value: Wei, call: Call) -> Vec<Event> {
        let name = call.name();
        self.apply(from, value, &call).unwrap_or_else(|refusal| panic!("{name}: {refusal}"))
    }

    /// A claim of `trace`, on a job of its own; a second passes.
    ///
    /// # Panics
    /// When it is refused.
    pub fn claim(&mut self, trace: &Trace) -> Posted {
        let deadline = BlockTime(self.time + 10_000);
        let (program, input) = (self.program.root(), trace.input().to_vec());
        let call = Call::PostJob { program, input, salt: Digest::default(), deadline };
        let events = self.send(REQUESTER, FEE, call);
        let [Event::JobPosted { job, .. }] = events[..] else { panic!("a job, not {events:?}") };
        let posted = posted(job, EXECUTOR, trace);
        let salt = keccak(b"salt");
        let committed_at = BlockTime(self.time);
        let fee = self.game.program(program).expect("registered").claim_fee(self.game.parameters());
        let stake = Wei(self.game.parameters().executor_bond.0 + fee.expect("an amount").0);
        let commitment = ids::claim_commitment(salt, &posted);
        self.send(EXECUTOR, stake, Call::CommitClaim { job, commitment });
        self.time += 1;
        let (trace_root, output, path) = (trace.root(), trace.output().to_vec(), trace.output_path());
        let call = Call::PostClaim { job, number: 0, committed_at, salt, trace_root, output, path };
        self.send(EXECUTOR, Wei(0), call);
        posted
    }

    /// What a challenger stakes.
    ///
    /// # Panics
    /// Never: the program is registered.
    #[must_use]
    pub fn bond(&self) -> Wei {
        let registered = self.game.program(self.program.root()).expect("registered");
        registered.bond(self.game.parameters()).expect("an amount")
    }

    /// Opens a match; its id, and what announces it.
    ///
    /// # Panics
    /// When it is refused.
    pub fn open(&mut self, from: Account, posted: Posted) -> (MatchId, Event) {
        let bond = self.bond();
        let mut events = self.send(from, bond, Call::Open { posted, commitment: Digest::default() });
        match events.pop() {
            Some(event @ Event::MatchOpened { match_id, .. }) => (match_id, event),
            other => panic!("a match, not {other:?}"),
        }
    }

    /// Returns a match's bond.
    ///
    /// # Panics
    /// When there is no such match.
    #[must_use]
    pub fn reclaim(&self, id: MatchId) -> Call {
        let one = self.game.match_of(id).expect("a match");
        let (standing, node) = (one.state.standing(), one.state.node);
        Call::Reclaim { claim: one.claim, number: one.number, standing, seated: one.seated, node }
    }
}
