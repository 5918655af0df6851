//! The depth-first search of all plays, and what must hold in every position of them.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt;

use narrows_bisection::{Block, BlockTime, Call, ClaimStatus, Refusal, Wei};
use narrows_commitment::{Digest, keccak};

use super::position::{Position, Step, short};
use super::reduced::Parts;
use super::{Cast, money, settle, spec};
use crate::stage::moves::By;
use crate::stage::scene::{BASE_FEE, CHALLENGERS, NOTHING, STRANGER, Scene, executor};

/// What is known of a position once all that follows it was played.
#[derive(Debug, Clone)]
pub struct Known {
    /// A digest of what can follow; equal digests, equal futures (see [`super::reduced`]).
    pub class: u128,
    /// The most moves that can follow in a single match.
    pub longest: u8,
    /// Of the match's steps, one for each that differs in what it announces or in what follows.
    pub chosen: Vec<u16>,
}

/// What a walk found.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Games walked.
    pub games: u64,
    /// Different positions with a pending claim.
    pub positions: u64,
    /// Steps played, refused ones aside.
    pub steps: u64,
    /// Calls that were tried where they must be refused.
    pub probes: u64,
    /// Ends of the claim, by how.
    pub ends: BTreeMap<String, u64>,
    /// The most moves of one match.
    pub longest: u8,
}

impl Report {
    pub fn add(&mut self, other: &Self) {
        self.games += other.games;
        self.positions += other.positions;
        self.steps += other.steps;
        self.probes += other.probes;
        self.longest = self.longest.max(other.longest);
        other.ends.iter().for_each(|(end, count)| *self.ends.entry(end.clone()).or_default() += count);
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { games, positions, steps, probes, ends, longest } = self;
        write!(f, "{games} games, {positions} positions, {steps} steps, {probes} probes, ")?;
        write!(f, "at most {longest} moves, ends {ends:?}")
    }
}

/// One game, being walked.
pub struct Walk<'a> {
    pub scene: &'a Scene,
    pub cast: &'a Cast,
    /// Whether every position is also tried with calls that must be refused.
    pub probing: bool,
    /// The classes of single matches: to join positions by, or to compare with what is joined.
    pub parts: Option<&'a Parts>,
    /// Whether positions are joined.
    pub reducing: bool,
    pub seen: HashMap<u128, Known>,
    /// The joined form of every position, if `parts` are given.
    pub image: HashSet<u128>,
    pub report: Report,
    /// One in so many endings is kept as a sample: the steps that led there.
    pub sampled: u64,
    pub samples: Vec<Vec<u16>>,
    path: Vec<u16>,
    settled: BTreeSet<Vec<u8>>,
    refuted: HashSet<(bool, u64)>,
    /// `refute` calls of every element, when they must find no fault; of the first fault, when there is one.
    refutations: Vec<Call>,
}

impl<'a> Walk<'a> {
    pub fn new(scene: &'a Scene, cast: &'a Cast) -> Self {
        let refutations = settle::refutations(scene, cast.honest_executor);
        Self {
            scene,
            cast,
            probing: false,
            parts: None,
            reducing: false,
            seen: HashMap::new(),
            image: HashSet::new(),
            report: Report { games: 1, ..Report::default() },
            sampled: 0,
            samples: Vec::new(),
            path: Vec::new(),
            settled: BTreeSet::new(),
            refuted: HashSet::new(),
            refutations,
        }
    }

    /// Plays everything that can follow `at`, which is pending.
    pub fn walk(&mut self, at: &Position) -> Known {
        let players = self.cast.challengers.len();
        let joined = self.parts.map(|parts| parts.key(self.scene, self.cast, at));
        let key = match joined {
            Some(joined) if self.reducing => joined,
            _ => at.key(self.scene, players),
        };
        if let Some(known) = self.seen.get(&key) {
            return known.clone();
        }
        self.image.extend(joined);
        self.report.positions += 1;
        money::check_stakes(self.scene, at, &at.claim(self.scene));
        if self.probing {
            self.report.probes += probe(self.scene, at);
        }
        let mut futures = Vec::new();
        let mut known = Known { class: 0, longest: 0, chosen: Vec::new() };
        let mut index = 0;
        for who in 0..players {
            let steps = at.match_steps(self.scene, self.cast, who);
            let chosen =
                self.parts.filter(|_| self.reducing).map(|p| p.chosen(self.scene, self.cast, at, who));
            for (i, step) in steps.iter().enumerate() {
                if chosen.as_ref().is_none_or(|chosen| chosen.contains(&(i as u16))) {
                    self.path.push(index + i as u16);
                    if let Some((future, longest)) = self.follow(at, step) {
                        let opening = matches!(step, Step::Call { call: Call::Open { .. }, .. });
                        known.longest = known.longest.max(longest + u8::from(!opening));
                        if !futures.contains(&future) {
                            futures.push(future);
                            known.chosen.push(i as u16);
                        }
                    }
                    self.path.pop();
                }
            }
            index += steps.len() as u16;
        }
        self.refute(at);
        let steps = at.claim_steps(self.scene, self.cast);
        assert!(index > 0 || !steps.is_empty(), "nobody can do anything in {:?}", at.claim(self.scene));
        for (i, step) in steps.iter().enumerate() {
            self.path.push(index + i as u16);
            let (future, longest) = self.follow(at, step).expect("what concerns the claim stands");
            known.longest = known.longest.max(longest);
            futures.push(future);
            self.path.pop();
        }
        known.class = class(at, self.scene, futures);
        self.report.longest = self.report.longest.max(known.longest);
        self.seen.insert(key, known.clone());
        known
    }

    /// Plays a step and all that follows; what that announces and leads to, or `None` when it is refused for good reason.
    fn follow(&mut self, at: &Position, step: &Step) -> Option<(Future, u8)> {
        let next = match at.play(self.scene, step) {
            Ok((next, _)) => next,
            Err(refusal) => {
                let looks = matches!(step.name(), "pick" | "name");
                assert!(looks && refusal == Refusal::PaddingHonest, "{}: {refusal}", step.name());
                return None;
            }
        };
        self.report.steps += 1;
        let claim = next.claim(self.scene);
        if claim.status == ClaimStatus::Pending {
            // Of what a step announces, its effect on the claim and on money alone matter to others.
            let paid = next.game.owed(executor()).0 - at.game.owed(executor()).0;
            let known = self.walk(&next);
            return Some((Future { step: effect(step), paid, class: known.class }, known.longest));
        }
        self.end(&next, step.name());
        let knows = claim.point != Digest::default();
        Some((Future { step: effect(step), paid: u128::from(knows), class: u128::MAX }, 0))
    }

    /// The claim is over: by the right verdict, and every wei finds its owner.
    fn end(&mut self, at: &Position, by: &str) {
        let claim = at.claim(self.scene);
        let liar = self.scene.claimed.root() != self.scene.truth.root();
        let guarded = self.cast.challengers.contains(&super::Role::Honest);
        if self.cast.honest_executor {
            assert_eq!(claim.status, ClaimStatus::Final, "an honest claim was refuted by {by}");
        }
        if liar && guarded {
            let status = claim.status;
            assert_eq!(status, ClaimStatus::Refuted, "{} stands by {by}", self.scene.claimed.label);
        }
        let end = format!("{:?} by {by}", claim.status);
        *self.report.ends.entry(end).or_default() += 1;
        let total: u64 = self.report.ends.values().sum();
        if self.sampled > 0 && total.is_multiple_of(self.sampled) {
            self.samples.push(self.path.clone());
        }
        if self.probing {
            self.report.probes += probe(self.scene, at);
        }
        if self.settled.insert(settle::key(self.scene, at)) {
            settle::settle(self.scene, self.cast, at);
        }
    }

    /// One-call refutations: of a true claim every one finds no fault; of a lie the first fault ends it.
    fn refute(&mut self, at: &Position) {
        let claim = at.claim(self.scene);
        let closed = spec::is_finalisable(&claim, at.now);
        let calls = std::mem::take(&mut self.refutations);
        // It names no match's state, so that one position of each second is as good as all.
        if !self.refuted.insert((closed, at.now)) {
            self.refutations = calls;
            return;
        }
        if self.cast.honest_executor {
            let mut game = at.game.clone();
            let expected = if closed { Refusal::ClaimClosed } else { Refusal::NoFault };
            for call in &calls {
                let block = Block { time: BlockTime(at.now), base_fee: BASE_FEE };
                assert_eq!(game.apply(block, STRANGER, NOTHING, call), Err(expected), "an honest claim");
                self.report.probes += 1;
            }
            assert!(game == at.game, "a refused refutation changed something");
        } else {
            for call in &calls {
                let (from, value) = (STRANGER, NOTHING);
                let step = Step::Call { from, value, about: None, call: call.clone() };
                match at.play(self.scene, &step) {
                    Ok((next, _)) => {
                        assert!(!closed, "refuted when it could be final");
                        self.report.steps += 1;
                        // It is no step of `Position::steps`, so no sample.
                        let sampled = std::mem::take(&mut self.sampled);
                        self.end(&next, "refute");
                        self.sampled = sampled;
                    }
                    Err(refusal) => assert!(closed && refusal == Refusal::ClaimClosed, "refute: {refusal}"),
                }
            }
        }
        self.refutations = calls;
    }
}

/// What a step means to those outside of its match, and the class of what follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Future {
    step: u8,
    paid: u128,
    class: u128,
}

/// 0: time; 1: a move of a match; 2: the end of the claim by its own course.
fn effect(step: &Step) -> u8 {
    match step {
        Step::Tick => 0,
        Step::Call { about: Some(_), .. } => 1,
        Step::Call { .. } => 2,
    }
}

/// The class of a single match: whether it is there, and the set of its futures.
fn class(at: &Position, scene: &Scene, mut futures: Vec<Future>) -> u128 {
    let phase = at.at(scene, 0).map(|one| one.state.phase);
    // One that is lost, or was not opened in time, will never be heard of again.
    let gone = phase.map_or(at.now >= at.claim(scene).window_end.0, |phase| phase.turn().is_none());
    if gone {
        return 0;
    }
    futures.sort_unstable();
    futures.dedup();
    let mut bytes = vec![u8::from(phase.is_some())];
    for Future { step, paid, class } in futures {
        // `finalise` is the claim's affair: it depends on the other matches too.
        if step != 2 {
            bytes.push(step);
            bytes.extend(paid.to_be_bytes());
            bytes.extend(class.to_be_bytes());
        }
    }
    short(keccak(&bytes))
}

/// Tries everybody's calls in `at` where they must be refused; gives their number.
fn probe(scene: &Scene, at: &Position) -> u64 {
    let (claim, mut game, mut tried) = (at.claim(scene), at.game.clone(), 0);
    let block = Block { time: BlockTime(at.now), base_fee: BASE_FEE };
    let mut refused = |from, value, call: &Call, expected: Refusal| {
        let answer = game.apply(block, from, value, call);
        assert_eq!(answer, Err(expected), "{} at {} of {claim:?}", call.name(), at.now);
        tried += 1;
    };
    for who in 0..3 {
        let Some(one) = at.at(scene, who) else { continue };
        for each in scene.moves(one).into_iter().chain(scene.strays(one)) {
            let owner = [STRANGER, CHALLENGERS[who], executor()][each.by as usize];
            for (proper, from) in [(true, owner), (false, CHALLENGERS[(who + 1) % 3])] {
                let proper = proper || each.by == By::Anyone;
                if let Some(expected) = spec::refusal(scene, &claim, one, &each, proper, at.now) {
                    refused(from, NOTHING, &each.call, expected);
                }
            }
            refused(owner, Wei(1), &each.call, Refusal::WrongValue);
        }
        if let Some(expected) = spec::timeout_refusal(scene, &claim, one, at.now) {
            refused(STRANGER, NOTHING, &scene.timeout(one), expected);
        }
        if let Some(expected) = spec::reclaim_refusal(&claim, one) {
            refused(STRANGER, NOTHING, &scene.reclaim(one), expected);
        }
    }
    let posted = scene.posted;
    let open = Call::Open { posted, commitment: Digest::default() };
    let commit = Call::Commit { claim: scene.claim, commitment: Digest::default() };
    let finalise = Call::Finalise { posted };
    let pending = claim.status == ClaimStatus::Pending;
    if !pending {
        refused(STRANGER, NOTHING, &finalise, Refusal::ClaimClosed);
        refused(STRANGER, scene.bond, &open, Refusal::ClaimClosed);
    } else if !spec::is_finalisable(&claim, at.now) {
        refused(STRANGER, NOTHING, &finalise, Refusal::NotYet);
    }
    if !pending || spec::is_finalisable(&claim, at.now) {
        refused(STRANGER, NOTHING, &commit, Refusal::ClaimClosed);
    }
    if pending && at.now >= claim.window_end.0 {
        refused(STRANGER, scene.bond, &open, Refusal::TooLate);
    } else if pending {
        refused(STRANGER, Wei(scene.bond.0 - 1), &open, Refusal::WrongValue);
    }
    assert!(game == at.game, "a refused call changed something");
    tried
}
