//! A mirror of the chain with one claim on it, and matches that walk to an element of both sides' choice.

use std::collections::BTreeMap;

use narrows_bisection::game::ids;
use narrows_bisection::players::{Challenger, Choice, Executor, Follower};
use narrows_bisection::record::Entry;
use narrows_bisection::refute::refutation;
use narrows_bisection::signature::{self, SigningKey};
use narrows_bisection::{
    Account, Block, BlockTime, Call, ClaimId, Event, Game, JobId, Match, MatchId, MatchState, Parameters,
    Phase, Posted, Refusal, Side, Standing, Trace, Wei, Witness,
};
use narrows_commitment::{Digest, TensorRoot, TensorTree, Tile};
use narrows_program::{LayerIndex, OperatorIndex, Program};

use super::program::*;

pub const CHAIN: u64 = 31337;
pub const GAME: Account = Account([0x6a; 20]);
pub const REQUESTER: Account = Account([1; 20]);
pub const CHALLENGER: Account = Account([3; 20]);
pub const STRANGER: Account = Account([4; 20]);

pub const FEE: Wei = Wei(77);
pub const NOTHING: Wei = Wei(0);
/// What checking costs: 96,910 terms at 2^20 wei for 2^30 of them, rounded up.
pub const CLAIM_FEE: u128 = 95;
/// What a claim takes along.
pub const STAKE: Wei = Wei(1_001 + CLAIM_FEE);
/// When the first claim is posted; it was committed to a second before.
pub const START: u64 = 1_000;
pub const JOB_DEADLINE: BlockTime = BlockTime(START + 10_000);
pub const SALT: Digest = Digest([5; 32]);
pub const OWN_SALT: Digest = Digest([6; 32]);
/// Sums in several segments, in a layer of several operators, in a tensor with a reveal: a match about it goes through
/// every phase.
pub const TARGET: (u32, u32) = (2, 150);

/// Odd bonds, so that halves are rounded.
pub fn parameters() -> Parameters {
    Parameters {
        window_seconds: 100,
        executor_clock_seconds: 50,
        challenger_clock_seconds: 40,
        grace_seconds: 5,
        slack_seconds: 7,
        reveal_seconds: 30,
        reward_seconds: 20,
        block_seconds: 12,
        block_gas: 30_000_000,
        executor_bond: Wei(1_001),
        fee_cap: Wei(3),
        delay_fee: Wei(17),
        work_price: Wei(1 << 20),
        attacker_budget: Wei(1_000_000),
    }
}

pub fn key(seed: u8) -> SigningKey {
    SigningKey::from_slice(&[seed; 32]).expect("a key")
}

pub fn account(seed: u8) -> Account {
    signature::account(key(seed).verifying_key())
}

/// Whose the first claim is.
pub fn executor() -> Account {
    account(7)
}

/// Insured gas of one answer, by hand.
pub fn answer_gas(bits: u8) -> u128 {
    50_000 + 1_600 * (1 << bits)
}

/// The challenger's bond by hand: three levels of layers, and at most five of a tensor.
pub fn bond(bits: u8) -> Wei {
    let rounds = 2 * u128::from(3u8.div_ceil(bits));
    Wei(2 * (rounds * answer_gas(bits) + 300_000) * 3 + 17)
}

/// The first thing that differs, or else the first thing; whether a step is prepared.
struct Insistent(bool);

fn first<T: PartialEq>(claimed: &[T], own: &[T]) -> usize {
    claimed.iter().zip(own).position(|(claimed, own)| claimed != own).unwrap_or(0)
}

impl Choice for Insistent {
    fn child(&mut self, claimed: &[Digest], own: &[Digest]) -> Option<usize> {
        Some(first(claimed, own))
    }

    fn operator(&mut self, claimed: &[TensorRoot], own: &[TensorRoot]) -> Option<usize> {
        Some(first(claimed, own))
    }

    fn element(&mut self, claimed: &[Tile], own: &[Tile], size: usize) -> Option<(usize, usize)> {
        let tile = first(claimed, own);
        Some((tile, first(&claimed[tile], &own[tile]) / size))
    }

    fn segment(&mut self, claimed: &[i64], own: &[i64]) -> Option<usize> {
        Some(first(claimed, own))
    }

    fn prepares(&mut self, _: &Witness, _: &Witness) -> bool {
        self.0
    }
}

/// A game with one claim and matches about it, of which `number` is looked at.
#[derive(Clone)]
pub struct World {
    pub game: Game,
    pub program: Program,
    /// The claimed trace.
    pub claimed: Trace,
    /// The challenger's.
    pub own: Trace,
    pub posted: Posted,
    pub job: JobId,
    pub claim: ClaimId,
    pub number: u64,
    pub now: u64,
    pub base_fee: u128,
    pub history: Vec<Entry>,
    /// Whether the challenger prepares its step.
    pub prepares: bool,
    followers: BTreeMap<MatchId, Follower>,
}

pub fn register(program: &Program) -> Call {
    Call::Register { header: program.header_bytes().to_vec(), layers_root: program.layers_root() }
}

pub fn post_job(program: &Program, salt: u8) -> Call {
    let (salt, deadline) = (Digest([salt; 32]), JOB_DEADLINE);
    Call::PostJob { program: program.root(), input: input(), salt, deadline }
}

/// What a claim of `trace` by `executor` says.
pub fn posted(job: JobId, executor: Account, trace: &Trace) -> Posted {
    let output_root = TensorRoot(TensorTree::of_bytes(trace.output()).root());
    Posted { job, executor, trace_root: trace.root(), output_root }
}

impl World {
    /// The same, with a challenger that prepares its step.
    pub fn preparing(self) -> Self {
        Self { prepares: true, ..self }
    }

    /// A claim that lies at `target`, or an honest one that is disputed there; one match is open.
    pub fn new(reveal_bits: u8, target: (u32, u32), lies: bool) -> Self {
        Self::with(program(reveal_bits), target, lies)
    }

    pub fn with(program: Program, target: (u32, u32), lies: bool) -> Self {
        let (right, wrong) = (truth(&program), doctored(&program, target));
        let (claimed, own) = if lies { (wrong, right) } else { (right, wrong) };
        let mut world = Self::posted(program, claimed, own);
        world.open(CHALLENGER).expect("opens");
        world
    }

    /// The claim alone.
    pub fn posted(program: Program, claimed: Trace, own: Trace) -> Self {
        let mut world = Self::job(program, claimed, own);
        let trace = world.claimed.clone();
        assert_eq!(world.claim_by(executor(), &trace), world.posted);
        world
    }

    /// A posted job.
    pub fn job(program: Program, claimed: Trace, own: Trace) -> Self {
        let game = Game::new(CHAIN, GAME, parameters()).expect("good parameters");
        let job = ids::job_id(CHAIN, GAME, REQUESTER, program.root(), claimed.input_root(), Digest([7; 32]));
        let posted = posted(job, executor(), &claimed);
        let claim = ids::claim_id(CHAIN, GAME, &posted, &parameters());
        let mut world = Self {
            game,
            program,
            claimed,
            own,
            posted,
            job,
            claim,
            number: 0,
            now: START - 1,
            base_fee: 2,
            history: Vec::new(),
            prepares: false,
            followers: BTreeMap::new(),
        };
        world.send(REQUESTER, NOTHING, &register(&world.program)).expect("registers");
        world.send(REQUESTER, FEE, &post_job(&world.program, 7)).expect("posts a job");
        world
    }

    /// Commits to a claim of `trace` now; gives its number.
    pub fn commit_claim(&mut self, executor: Account, trace: &Trace) -> u64 {
        let commitment = ids::claim_commitment(SALT, &posted(self.job, executor, trace));
        let fee = self.game.program(self.program.root()).and_then(|p| p.claim_fee(&parameters()));
        let stake = Wei(1_001 + fee.expect("small").0);
        let call = Call::CommitClaim { job: self.job, commitment };
        let events = self.send(executor, stake, &call).expect("commits");
        let [Event::ClaimCommitted { number, .. }] = events[..] else { panic!("{events:?}") };
        number
    }

    pub fn post_claim(&self, number: u64, committed_at: u64, trace: &Trace) -> Call {
        Call::PostClaim {
            job: self.job,
            number,
            committed_at: BlockTime(committed_at),
            salt: SALT,
            trace_root: trace.root(),
            output: trace.output().to_vec(),
            path: trace.output_path(),
        }
    }

    /// Commits to a claim of `trace` now, and posts it a second later.
    pub fn claim_by(&mut self, executor: Account, trace: &Trace) -> Posted {
        let number = self.commit_claim(executor, trace);
        let call = self.post_claim(number, self.now, trace);
        self.now += 1;
        self.send(executor, NOTHING, &call).expect("posts");
        posted(self.job, executor, trace)
    }

    /// Sends a call now; keeps it in the history if it stands; checks that a refusal changes nothing.
    pub fn send(&mut self, sender: Account, value: Wei, call: &Call) -> Result<Vec<Event>, Refusal> {
        let before = self.game.clone();
        let block = Block { time: BlockTime(self.now), base_fee: Wei(self.base_fee) };
        let result = self.game.apply(block, sender, value, call);
        match &result {
            Err(_) => assert!(self.game == before, "a refused call changed something"),
            Ok(events) => {
                self.history.push(Entry {
                    block,
                    sender,
                    value,
                    gas_used: Some(21_000 + self.history.len() as u64),
                    call: call.clone(),
                    events: events.clone(),
                });
                events.iter().for_each(|event| self.follow(event));
            }
        }
        assert_eq!(self.game.balance().0, self.game.locked().0 + self.game.burned().0);
        result
    }

    fn follow(&mut self, event: &Event) {
        if let Event::MatchOpened { match_id, claim, .. } = event {
            let posted = self.game.claim(*claim).expect("posted").posted;
            let at = BlockTime(self.now);
            let follower = Follower::new(&self.program, &parameters(), at, posted, event).expect("a match");
            self.followers.insert(*match_id, follower);
        }
        self.followers.values_mut().for_each(|follower| follower.observe(&self.program, event));
    }

    /// What `challenger` commits to: its right trace.
    pub fn own_commitment(&self, challenger: Account) -> Digest {
        let own = truth(&self.program);
        let depth = own.own_tree().depth() as u8;
        ids::own_commitment(OWN_SALT, challenger, self.claim, depth, own.own_root())
    }

    pub fn bond(&self) -> Wei {
        let registered = self.game.program(self.program.root()).expect("registered");
        registered.bond(&parameters()).expect("small")
    }

    /// Opens one more match, and looks at it.
    pub fn open(&mut self, challenger: Account) -> Result<u64, Refusal> {
        let commitment = self.own_commitment(challenger);
        let call = Call::Open { posted: self.posted, commitment };
        let events = self.send(challenger, self.bond(), &call)?;
        let [Event::MatchOpened { number, .. }] = events[..] else { panic!("{events:?}") };
        self.number = number;
        Ok(number)
    }

    pub fn id(&self) -> MatchId {
        ids::match_id(self.claim, self.number)
    }

    pub fn this(&self) -> Match {
        *self.game.match_of(self.id()).expect("the match exists")
    }

    pub fn state(&self) -> MatchState {
        self.this().state
    }

    pub fn phase(&self) -> Phase {
        self.state().phase
    }

    pub fn status(&self) -> narrows_bisection::ClaimStatus {
        self.claim_entry().status
    }

    pub fn claim_entry(&self) -> narrows_bisection::Claim {
        *self.game.claim(self.claim).expect("the claim exists")
    }

    /// The first moment at which the turn has run out.
    pub fn deadline(&self) -> u64 {
        self.this().deadline(&parameters()).expect("the match is open").0
    }

    pub fn hard_end(&self) -> u64 {
        self.claim_entry().hard_end.0
    }

    pub fn follower(&self) -> &Follower {
        &self.followers[&self.id()]
    }

    /// The move of whoever's turn it is, towards the target.
    pub fn next(&self) -> (Account, Call) {
        let (program, follower) = (&self.program, self.follower());
        let (sender, call) = match self.phase().turn() {
            Some(Side::Executor) => {
                let executor = self.claim_entry().posted.executor;
                (executor, Executor { program, trace: &self.claimed }.respond(follower))
            }
            Some(Side::Challenger) => {
                let mut challenger =
                    Challenger { program, trace: &self.own, choice: Insistent(self.prepares) };
                (self.this().seated.challenger, challenger.respond(follower))
            }
            None => panic!("no move in {:?}", self.phase()),
        };
        (sender, call.unwrap_or_else(|| panic!("silence in {:?}", self.phase())))
    }

    /// The challenger's move in an E phase, supplying itself what the executor would show.
    pub fn early(&self) -> Call {
        let mut shown = self.clone();
        shown.step();
        let (_, mut call) = shown.next();
        *carried(&mut call).expect("a move").1[0] = self.state().word();
        call
    }

    pub fn timeout(&self) -> Call {
        let Match { number, seated, state, .. } = self.this();
        let posted = self.claim_entry().posted;
        Call::Timeout { posted, number, standing: state.standing(), seated, node: state.node }
    }

    pub fn reclaim(&self) -> Call {
        let Match { claim, number, seated, state } = self.this();
        Call::Reclaim { claim, number, standing: state.standing(), seated, node: state.node }
    }

    pub fn finalise(&self) -> Call {
        Call::Finalise { posted: self.posted }
    }

    /// Makes the next move, which stands.
    pub fn step(&mut self) -> Vec<Event> {
        let (sender, call) = self.next();
        self.send(sender, NOTHING, &call).unwrap_or_else(|refusal| panic!("{}: {refusal:?}", call.name()))
    }

    /// Moves until `phase`.
    pub fn to(mut self, phase: Phase) -> Self {
        for _ in 0..100 {
            if self.phase() == phase {
                return self;
            }
            self.step();
        }
        panic!("{phase:?} was not reached");
    }

    /// Moves until the match is over; gives the last move's events.
    pub fn finish(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        while self.phase().turn().is_some() {
            events = self.step();
        }
        events
    }

    /// Every wei by account, locked and burned.
    pub fn money(&self) -> [u128; 5] {
        let owed = |account| self.game.owed(account).0;
        let (locked, burned) = (self.game.locked().0, self.game.burned().0);
        [owed(REQUESTER), owed(executor()), owed(CHALLENGER), locked, burned]
    }

    /// The executor's signature under the sub-trace of `layer` of its claim.
    pub fn signed_list(&self, layer: u32) -> (Digest, Vec<u8>) {
        let list = self.claimed.sub_tree(LayerIndex(layer)).root();
        let digest = ids::sub_trace_digest(CHAIN, GAME, self.claim, layer, list);
        (list, signature::sign(digest, &key(7)).to_vec())
    }

    /// Refutes the claimed trace at once, with the executor's signature where that is needed.
    pub fn refute(&self) -> Call {
        let layer = self.own.first_layer_difference(&self.claimed).expect("it lies").0;
        let signed = Some(self.signed_list(layer));
        let refutation = refutation(&self.program, &self.own, &self.claimed, signed).expect("a fault");
        Call::Refute { posted: self.posted, refutation: Box::new(refutation) }
    }

    /// Opens the commitment `number` at `target`, by the right trace.
    pub fn open_reward(&self, number: u64, target: (u32, u32)) -> Call {
        let own = truth(&self.program);
        let (operator, element) = (OperatorIndex(target.0), narrows_program::ElementIndex(target.1));
        let (point, tile, path) =
            narrows_bisection::refute::reward_opening(&self.program, &own, operator, element);
        let Match { state, seated, .. } =
            *self.game.match_of(ids::match_id(self.claim, number)).expect("seated");
        Call::OpenReward {
            claim: self.claim,
            number,
            standing: state.standing(),
            node: state.node,
            seat: seated.seat,
            point,
            salt: OWN_SALT,
            depth: own.own_tree().depth() as u8,
            tile,
            path,
        }
    }
}

/// The number that a call about a match carries, and the digests of its state: first the word.
pub fn carried(call: &mut Call) -> Option<(&mut u64, Vec<&mut Digest>)> {
    match call {
        Call::Reveal { number, footing, .. }
        | Call::Pick { number, footing, .. }
        | Call::Enter { number, footing, .. }
        | Call::SubTrace { number, footing, .. }
        | Call::PickOperator { number, footing, .. }
        | Call::RevealTiles { number, footing, .. } => {
            Some((number, vec![&mut footing.word, &mut footing.rest]))
        }
        Call::Prepare { number, footing, list, .. }
        | Call::Name { number, footing, list, .. }
        | Call::Fold { number, footing, list, .. }
        | Call::Segment { number, footing, list, .. } => {
            Some((number, vec![&mut footing.word, &mut footing.rest, list]))
        }
        Call::Timeout { number, standing, .. }
        | Call::Reclaim { number, standing, .. }
        | Call::OpenReward { number, standing, .. } => {
            let Standing { word, scope, list } = standing;
            Some((number, vec![word, scope, list]))
        }
        _ => None,
    }
}

/// The phases of a match that is being played about an element of several segments.
pub const OPEN_PHASES: [Phase; 10] = [
    Phase::LayerE,
    Phase::LayerC,
    Phase::SubE,
    Phase::SubC,
    Phase::TileE,
    Phase::TileC,
    Phase::DataE,
    Phase::Name,
    Phase::FoldE,
    Phase::Seg,
];

/// A match about a lie, or an honest claim, in `phase`; every phase can be reached.
pub fn in_phase(phase: Phase, lies: bool) -> World {
    World::new(1, TARGET, lies).to(phase)
}

/// An element of one segment: of the pair of two exports of a layer before.
pub const ALONE: (u32, u32) = (4, 200);

/// A match about a lie, or an honest claim, whose step is prepared.
pub fn ready(lies: bool) -> World {
    World::new(1, ALONE, lies).preparing().to(Phase::Ready)
}

/// Every phase, of a lie and of an honest claim.
pub fn everywhere() -> impl Iterator<Item = World> {
    [true, false].into_iter().flat_map(|lies| {
        let world = World::new(1, TARGET, lies);
        OPEN_PHASES.map(|phase| world.clone().to(phase)).into_iter().chain([ready(lies)])
    })
}
