//! Where a game stands, and every step that leads on.

use std::sync::Arc;

use narrows_bisection::game::ids;
use narrows_bisection::players::{Challenger, Choice, Executor, FirstDifference, Follower};
use narrows_bisection::{
    Account, Block, BlockTime, Call, Claim, ClaimStatus, Event, Game, Match, Phase, Refusal, Side, Wei,
    Witness,
};
use narrows_commitment::{Digest, keccak};

use super::{Cast, Role, money, spec};
use crate::stage::moves::{By, Move};
use crate::stage::scene::{BASE_FEE, CHALLENGERS, NOTHING, STRANGER, Scene, executor};

/// A game, a time, and who sits where.
#[derive(Debug, Clone)]
pub struct Position {
    pub game: Game,
    pub now: u64,
    /// Each challenger's match, by its number and as a player follows it.
    pub seats: [Option<(u64, Arc<Follower>)>; 3],
}

/// Something that happens.
#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "calls are the rule, and a box would only be opened again")]
pub enum Step {
    /// A second passes.
    Tick,
    /// A call is made; it is about the match of this challenger.
    Call { from: Account, value: Wei, about: Option<usize>, call: Call },
}

/// The honest choice, which prepares every step.
struct Preparing;

impl Choice for Preparing {
    fn prepares(&mut self, _: &Witness, _: &Witness) -> bool {
        true
    }
}

impl Step {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Tick => "tick",
            Self::Call { call, .. } => call.name(),
        }
    }
}

impl Position {
    pub fn new(game: Game, now: u64) -> Self {
        Self { game, now, seats: [const { None }; 3] }
    }

    pub fn claim(&self, scene: &Scene) -> Claim {
        *self.game.claim(scene.claim).expect("the claim stands")
    }

    pub fn is_pending(&self, scene: &Scene) -> bool {
        self.claim(scene).status == ClaimStatus::Pending
    }

    /// The match of challenger `who`.
    pub fn at(&self, scene: &Scene, who: usize) -> Option<&Match> {
        self.seats[who].as_ref().map(|(number, _)| scene.at(&self.game, *number))
    }

    /// All that a later step can read of the match of `who`: its word, list and node. The node of a phase before FOLD_E follows
    /// from the word, list and claim, the scope does from the word, and the seat is fixed but for the second of opening, which
    /// only the reward reads. A match that is over offers one thing, its bond.
    pub fn match_key(&self, scene: &Scene, who: usize) -> [u8; 97] {
        let mut key = [0; 97];
        if let Some(at) = self.at(scene, who) {
            key[0] = at.state.phase as u8;
            if at.state.phase.turn().is_some() {
                key[1..33].copy_from_slice(&at.state.word().0);
                key[33..65].copy_from_slice(&at.state.list.0);
                key[65..].copy_from_slice(&at.state.node.0);
            }
        }
        key
    }

    /// All that a later step can read, while the claim is pending.
    pub fn key(&self, scene: &Scene, challengers: usize) -> u128 {
        let mut bytes = Vec::with_capacity(8 + 97 * 3);
        bytes.extend(self.now.to_be_bytes());
        (0..challengers).for_each(|who| bytes.extend(self.match_key(scene, who)));
        short(keccak(&bytes))
    }

    /// Whether nobody honest lets this second pass.
    pub fn is_urgent(&self, scene: &Scene, cast: &Cast) -> bool {
        (0..cast.challengers.len()).any(|who| self.is_urgent_for(scene, cast, who))
    }

    /// Whether somebody honest has to act in the match of `who`, or open it, before this second is over.
    pub fn is_urgent_for(&self, scene: &Scene, cast: &Cast, who: usize) -> bool {
        let (claim, next) = (self.claim(scene), BlockTime(self.now + 1));
        let honest = cast.challengers[who] == Role::Honest;
        let Some(at) = self.at(scene, who) else { return honest && next >= claim.window_end };
        let Some(deadline) = at.deadline(&scene.parameters) else { return false };
        if next >= claim.hard_end {
            return false;
        }
        match at.state.phase.turn() {
            // An honest challenger does not wait any longer than it must.
            Some(Side::Executor) if honest => BlockTime(self.now) >= deadline,
            Some(Side::Executor) => cast.honest_executor && next >= deadline,
            Some(Side::Challenger) => honest && next >= deadline,
            None => false,
        }
    }

    /// The steps that are about the match of `who`: a function of its role, its state and the time.
    pub fn match_steps(&self, scene: &Scene, cast: &Cast, who: usize) -> Vec<Step> {
        let about = Some(who);
        let now = BlockTime(self.now);
        let Some(at) = self.at(scene, who) else {
            let (value, from) = (scene.bond, CHALLENGERS[who]);
            let commitment = match cast.challengers[who] {
                Role::Honest => scene.own_commitment(from, &scene.truth),
                Role::Adversary => Digest::default(),
            };
            let call = Call::Open { posted: scene.posted, commitment };
            let step = Step::Call { from, value, about, call };
            return if now < self.claim(scene).window_end { vec![step] } else { Vec::new() };
        };
        let Some(deadline) = at.deadline(&scene.parameters) else { return Vec::new() };
        let of = |from, call| Step::Call { from, value: NOTHING, about, call };
        if now >= self.claim(scene).hard_end {
            return Vec::new();
        }
        if now >= deadline {
            return vec![of(STRANGER, scene.timeout(at))];
        }
        let (_, follower) = self.seats[who].as_ref().expect("there is a match");
        let mut steps = Vec::new();
        let side = at.state.phase.turn().expect("it is being played");
        if side == Side::Executor && cast.honest_executor {
            let player = Executor { program: &scene.program, trace: &scene.truth };
            let call = player.respond(follower).expect("an honest executor always has an answer");
            steps.push(of(executor(), call));
        }
        if cast.challengers[who] == Role::Honest {
            let (program, trace) = (&scene.program, &scene.truth);
            let call = Challenger { program, trace, choice: FirstDifference }.respond(follower);
            assert!(
                call.is_some() || side == Side::Executor,
                "an honest challenger always has a move: {:?} of {}",
                at.state,
                scene.claimed.label
            );
            // It may prepare a step or make it at once.
            let prepared = Challenger { program, trace, choice: Preparing }.respond(follower);
            let prepared = prepared.filter(|prepared| Some(prepared) != call.as_ref());
            steps.extend(call.into_iter().chain(prepared).map(|call| of(CHALLENGERS[who], call)));
        }
        for Move { by, call, .. } in scene.moves(at) {
            let free = match by {
                By::Challenger => cast.challengers[who] == Role::Adversary,
                By::Anyone | By::Executor => !cast.honest_executor,
            };
            let from = [STRANGER, CHALLENGERS[who], executor()][by as usize];
            if free {
                steps.push(of(from, call));
            }
        }
        steps
    }

    /// The steps that are about the claim: the tick and, in the cases in which it has an effect, `finalise`.
    pub fn claim_steps(&self, scene: &Scene, cast: &Cast) -> Vec<Step> {
        let claim = self.claim(scene);
        let of = |call| Step::Call { from: STRANGER, value: NOTHING, about: None, call };
        let mut steps = Vec::new();
        if spec::is_finalisable(&claim, self.now) {
            steps.push(of(Call::Finalise { posted: scene.posted }));
        }
        if self.now < claim.hard_end.0 && !self.is_urgent(scene, cast) {
            steps.push(Step::Tick);
        }
        steps
    }

    /// Every step, in a fixed order.
    pub fn steps(&self, scene: &Scene, cast: &Cast) -> Vec<Step> {
        let matches = (0..cast.challengers.len()).flat_map(|who| self.match_steps(scene, cast, who));
        matches.chain(self.claim_steps(scene, cast)).collect()
    }

    /// Where a step leads, and what it announces. Everything that the step must not touch is compared, and so is every wei.
    pub fn play(&self, scene: &Scene, step: &Step) -> Result<(Self, Vec<Event>), Refusal> {
        let mut next = self.clone();
        let Step::Call { from, value, about, call } = step else {
            next.now += 1;
            return Ok((next, Vec::new()));
        };
        let block = Block { time: BlockTime(self.now), base_fee: BASE_FEE };
        let events = next.game.apply(block, *from, *value, call)?;
        for event in &events {
            if let Event::MatchOpened { number, .. } = event {
                let who = about.expect("an opening is a challenger's");
                let at = BlockTime(self.now);
                let follower = Follower::new(&scene.program, &scene.parameters, at, scene.posted, event);
                next.seats[who] = Some((*number, Arc::new(follower.expect("a match"))));
            }
        }
        if let Some(who) = *about {
            let (number, follower) = next.seats[who].as_mut().expect("the match is open");
            let follower = Arc::make_mut(follower);
            events.iter().for_each(|event| follower.observe(&scene.program, event));
            let state = scene.at(&next.game, *number).state;
            assert!(!follower.is_lost(), "a follower lost its match after {}", call.name());
            if state.phase.turn().is_some() {
                assert_eq!(*follower.state(), state, "what is followed is what stands");
            } else {
                assert!(follower.conclude(BlockTime(self.now), state.hash()), "the end of {state:?}");
            }
        }
        self.compare(scene, &next, *about, call);
        money::check(scene, self, &next, step, &events);
        Ok((next, events))
    }

    /// Nothing changed but the match that the call is about, and the claim as far as the rules say.
    fn compare(&self, scene: &Scene, next: &Self, about: Option<usize>, call: &Call) {
        for who in (0..3).filter(|who| Some(*who) != about) {
            assert_eq!(self.at(scene, who), next.at(scene, who), "{} touched another match", call.name());
        }
        let (before, after) = (self.claim(scene), next.claim(scene));
        let open = (0..3).filter_map(|who| next.at(scene, who));
        let open = open.filter(|at| !matches!(at.state.phase, Phase::Lost)).count() as u64;
        // A match that is won stays among those that were open; its bond is reclaimed with theirs.
        assert_eq!(after.open_matches, open, "{}: matches that are open", call.name());
        let fixed = |claim: &Claim| (claim.posted, claim.number, claim.window_end, claim.hard_end);
        assert_eq!(fixed(&before), fixed(&after), "{}: what a claim says", call.name());
        let moved = about.filter(|_| !matches!(call, Call::Reclaim { .. }));
        if let Some((who, was)) = moved.and_then(|who| Some((who, self.at(scene, who)?))) {
            spec::check_move(scene, was, next.at(scene, who).expect("a match stays"), call, self.now);
        }
    }

    /// The digest of every match, to compare a replay by.
    pub fn hashes(&self, scene: &Scene) -> Vec<Option<narrows_bisection::StateHash>> {
        let id = |(number, _): &(u64, Arc<Follower>)| ids::match_id(scene.claim, *number);
        self.seats.iter().map(|seat| Some(self.game.match_of(id(seat.as_ref()?))?.state.hash())).collect()
    }
}

/// 128 bits of a digest.
pub fn short(digest: Digest) -> u128 {
    u128::from_be_bytes(digest.0[..16].try_into().expect("16 bytes"))
}
