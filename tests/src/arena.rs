//! A place to play disputes: a program, a claim, two players, and a chain that is Solidity and Rust at once.

use narrows_bisection::game::ids;
use narrows_bisection::players::{Challenger, Choice, Executor, FirstDifference, Follower};
use narrows_bisection::signature::{self, SigningKey};
use narrows_bisection::{
    Account, BlockTime, Call, ClaimId, Event, JobId, MatchId, MatchState, Parameters, Phase, Posted, Refusal,
    Side, Trace, Wei,
};
use narrows_commitment::{Digest, TensorRoot, TensorTree, TraceRoot, keccak};
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
    claims: u64,
}

/// A claim that stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claimed {
    /// Its id.
    pub id: ClaimId,
    /// What it says.
    pub posted: Posted,
    /// Its place among the job's commitments.
    pub number: u64,
}

/// A match as it begins, and what was shown in it.
#[derive(Debug, Clone)]
pub struct Dispute {
    /// Its id.
    pub id: MatchId,
    /// The match, followed from its events.
    pub follower: Follower,
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
pub type Player<'a> = dyn FnMut(&Follower) -> Option<Call> + 'a;

/// The executor that answers from `trace`.
pub fn answering<'a>(program: &'a Program, trace: &'a Trace) -> Box<Player<'a>> {
    Box::new(move |follower| Executor { program, trace }.respond(follower))
}

/// The challenger that names the first difference from `trace`.
pub fn honest<'a>(program: &'a Program, trace: &'a Trace) -> Box<Player<'a>> {
    choosing(program, trace, FirstDifference)
}

/// The challenger that chooses by `choice`.
pub fn choosing<'a>(program: &'a Program, trace: &'a Trace, choice: impl Choice + 'a) -> Box<Player<'a>> {
    let mut challenger = Challenger { program, trace, choice };
    Box::new(move |follower| challenger.respond(follower))
}

/// The side that says nothing.
pub fn silent<'a>() -> Box<Player<'a>> {
    Box::new(|_| None)
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
        let mut arena = Self { chain, program, jobs: 0, claims: 0 };
        let call = Call::Register {
            header: arena.program.header_bytes().to_vec(),
            layers_root: arena.program.layers_root(),
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

    /// What an executor has to send with a commitment: its bond and the claim fee.
    ///
    /// # Panics
    /// When the program is not registered.
    #[must_use]
    pub fn stake(&self) -> Wei {
        let registered = self.chain.game.program(self.program.root()).expect("registered");
        let fee = registered.claim_fee(self.chain.game.parameters()).expect("an amount");
        Wei(self.chain.game.parameters().executor_bond.0 + fee.0)
    }

    /// What a challenger stakes on a match.
    ///
    /// # Panics
    /// When the program is not registered.
    #[must_use]
    pub fn bond(&self) -> Wei {
        let registered = self.chain.game.program(self.program.root()).expect("registered");
        registered.bond(self.chain.game.parameters()).expect("an amount")
    }

    /// Commits `executor` to `trace`, in this block.
    ///
    /// # Panics
    /// When it is refused.
    pub fn commit(&mut self, executor: Account, job: JobId, trace: &Trace) -> Commitment {
        self.promise(posted(job, executor, trace))
    }

    /// Commits an executor to saying `posted`, whatever that is, in this block.
    ///
    /// # Panics
    /// When it is refused.
    pub fn promise(&mut self, posted: Posted) -> Commitment {
        self.claims += 1;
        let salt = keccak(&[b"claim".as_slice(), &self.claims.to_be_bytes()].concat());
        let commitment = ids::claim_commitment(salt, &posted);
        let (stake, call) = (self.stake(), Call::CommitClaim { job: posted.job, commitment });
        let receipt = self.send(posted.executor, stake, call).expect("a commitment");
        match receipt.events.as_slice() {
            [Event::ClaimCommitted { number, committed_at, .. }] => {
                Commitment { posted, number: *number, committed_at: *committed_at, salt, commitment }
            }
            other => panic!("expected a commitment, got {other:?}"),
        }
    }

    /// Claims `trace` for `job`: a commitment, a second, the claim.
    ///
    /// # Panics
    /// When it is refused.
    pub fn claim(&mut self, job: JobId, trace: &Trace) -> Claimed {
        self.claim_by(EXECUTOR, job, trace)
    }

    /// As [`Arena::claim`], by somebody else.
    ///
    /// # Panics
    /// When it is refused.
    pub fn claim_by(&mut self, executor: Account, job: JobId, trace: &Trace) -> Claimed {
        let commitment = self.commit(executor, job, trace);
        self.post(&commitment, commitment.post(trace))
    }

    /// Claims a root that need not be any trace's, `output` standing under it by `path`.
    ///
    /// # Panics
    /// When it is refused.
    pub fn claim_root(
        &mut self,
        executor: Account,
        job: JobId,
        trace_root: TraceRoot,
        output: &[u8],
        path: Vec<Digest>,
    ) -> Claimed {
        let output_root = TensorRoot(TensorTree::of_bytes(output).root());
        let commitment = self.promise(Posted { job, executor, trace_root, output_root });
        self.post(&commitment, commitment.reveal(output.to_vec(), path))
    }

    /// A second later, posts what was committed to.
    fn post(&mut self, commitment: &Commitment, call: Call) -> Claimed {
        self.chain.advance(1);
        let receipt = self.send(commitment.posted.executor, Wei(0), call).expect("a claim");
        match receipt.events.as_slice() {
            [Event::ClaimPosted { claim, posted, number, .. }] => {
                Claimed { id: *claim, posted: *posted, number: *number }
            }
            other => panic!("expected a claim, got {other:?}"),
        }
    }

    /// Opens a match about `claim`.
    ///
    /// # Panics
    /// When it is refused.
    pub fn open(&mut self, claim: &Claimed) -> Dispute {
        self.open_by(CHALLENGER, claim, Digest::default())
    }

    /// As [`Arena::open`], by somebody else, with a commitment.
    ///
    /// # Panics
    /// When it is refused.
    pub fn open_by(&mut self, challenger: Account, claim: &Claimed, commitment: Digest) -> Dispute {
        let bond = self.bond();
        let call = Call::Open { posted: claim.posted, commitment };
        let receipt = self.send(challenger, bond, call).expect("a match");
        let [event @ Event::MatchOpened { match_id, .. }] = receipt.events.as_slice() else {
            panic!("expected a match, got {:?}", receipt.events);
        };
        let parameters = *self.chain.game.parameters();
        let follower = Follower::new(&self.program, &parameters, receipt.time, claim.posted, event);
        Dispute { id: *match_id, follower: follower.expect("a match can be followed") }
    }

    /// The state of a match.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn state(&self, id: MatchId) -> MatchState {
        self.chain.game.match_of(id).expect("a match").state
    }

    /// Sends a move, and lets the dispute know what came of it.
    ///
    /// # Errors
    /// The move's refusal.
    pub fn act(&mut self, dispute: &mut Dispute, from: Account, call: Call) -> Result<Receipt, Refusal> {
        let receipt = self.send(from, Wei(0), call)?;
        receipt.events.iter().for_each(|event| dispute.follower.observe(&self.program, event));
        Ok(receipt)
    }

    /// Ends the match's turn, by whoever sends it.
    ///
    /// # Panics
    /// When there is no such match.
    #[must_use]
    pub fn timeout(&self, id: MatchId) -> Call {
        let one = self.chain.game.match_of(id).expect("a match");
        let posted = self.chain.game.claim(one.claim).expect("a match's claim").posted;
        let (standing, node) = (one.state.standing(), one.state.node);
        Call::Timeout { posted, number: one.number, standing, seated: one.seated, node }
    }

    /// Returns the match's bond, by whoever sends it. It knows the state that a verdict left, which events do not tell.
    ///
    /// # Panics
    /// When there is no such match.
    #[must_use]
    pub fn reclaim(&self, id: MatchId) -> Call {
        let one = self.chain.game.match_of(id).expect("a match");
        let (standing, node) = (one.state.standing(), one.state.node);
        Call::Reclaim { claim: one.claim, number: one.number, standing, seated: one.seated, node }
    }

    /// Plays a match to its end; a side that says nothing is timed out by a stranger.
    ///
    /// # Panics
    /// When a player's move is refused.
    pub fn play(
        &mut self,
        dispute: &mut Dispute,
        executor: &mut Player<'_>,
        challenger: &mut Player<'_>,
    ) -> Outcome {
        self.play_until(dispute, executor, challenger, |_| false)
    }

    /// Plays a match until its end, or until `stop` says so of a state.
    ///
    /// # Panics
    /// When a player's move is refused, the match outlasts the protocol's bound, or what is followed is not what stands.
    pub fn play_until(
        &mut self,
        dispute: &mut Dispute,
        executor: &mut Player<'_>,
        challenger: &mut Player<'_>,
        stop: impl Fn(&MatchState) -> bool,
    ) -> Outcome {
        let mut moves = Vec::new();
        for _ in 0..200 {
            let state = self.state(dispute.id);
            let Some(side) = state.phase.turn().filter(|_| !stop(&state)) else {
                return Outcome { state, moves };
            };
            assert_eq!(dispute.follower.state(), &state, "a follower knows the state");
            self.chain.advance(1);
            let (account, answer) = match side {
                Side::Executor => (dispute.follower.posted().executor, executor(&dispute.follower)),
                Side::Challenger => (dispute.follower.seated().challenger, challenger(&dispute.follower)),
            };
            let (account, call) = match answer {
                Some(call) => (account, call),
                None => {
                    self.chain.advance_to(state.deadline(&self.chain.parameters()).expect("a turn"));
                    (STRANGER, dispute.follower.timeout())
                }
            };
            let name = call.name();
            let receipt = self.act(dispute, account, call.clone());
            let receipt = receipt.unwrap_or_else(|refusal| panic!("{name} in {:?}: {refusal}", state.phase));
            moves.push((side, call, receipt));
        }
        panic!("the match outlasts its bound");
    }
}

/// A claim that is committed to and not posted yet.
#[derive(Debug, Clone, Copy)]
pub struct Commitment {
    /// What it will say.
    pub posted: Posted,
    /// Its place among the job's commitments.
    pub number: u64,
    /// When it was made.
    pub committed_at: BlockTime,
    /// What hides it.
    pub salt: Digest,
    /// What is on chain.
    pub commitment: Digest,
}

impl Commitment {
    /// The call that posts the claim.
    #[must_use]
    pub fn post(&self, trace: &Trace) -> Call {
        self.reveal(trace.output().to_vec(), trace.output_path())
    }

    /// The call that posts it with this output and its path.
    #[must_use]
    pub fn reveal(&self, output: Vec<u8>, path: Vec<Digest>) -> Call {
        Call::PostClaim {
            job: self.posted.job,
            number: self.number,
            committed_at: self.committed_at,
            salt: self.salt,
            trace_root: self.posted.trace_root,
            output,
            path,
        }
    }

    /// The call that ends it when it was not posted in time.
    #[must_use]
    pub fn lapse(&self) -> Call {
        let Self { posted: Posted { job, executor, .. }, number, committed_at, commitment, .. } = *self;
        Call::Lapse { job, number, executor, commitment, committed_at }
    }
}

/// A key, and the account that it signs for.
///
/// # Panics
/// Never: a hash is a key.
#[must_use]
pub fn signer(name: &str) -> (SigningKey, Account) {
    let key = SigningKey::from_slice(&keccak(name.as_bytes()).0).expect("a hash is a key");
    let account = signature::account(key.verifying_key());
    (key, account)
}

/// What a claim of `trace` says.
#[must_use]
pub fn posted(job: JobId, executor: Account, trace: &Trace) -> Posted {
    let output_root = TensorRoot(TensorTree::of_bytes(trace.output()).root());
    Posted { job, executor, trace_root: trace.root(), output_root }
}
