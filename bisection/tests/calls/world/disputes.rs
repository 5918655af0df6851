//! Calls about matches, refutations and rewards.

use narrows_bisection::refute::{committed_state, find_point, reward_opening};
use narrows_bisection::{Account, Call, ClaimStatus, Match, MatchState, Phase, Posted};
use narrows_commitment::Digest;
use narrows_program::{ElementIndex, OperatorIndex};

use super::{Sent, World};
use crate::stage::moves::By;
use crate::stage::scene::{CHALLENGERS, Machine, NOTHING, SALT, Scene};

impl<M: Machine> World<'_, M> {
    pub(super) fn own_commitment(&mut self, claim: usize, challenger: Account) -> Digest {
        let scene = &self.claims[claim];
        match self.rng.below(4) {
            0 => scene.own_commitment(challenger, &scene.claimed.trace),
            1 => Digest::default(),
            _ => scene.own_commitment(challenger, &scene.truth),
        }
    }

    pub(super) fn open(&mut self) -> Option<Sent> {
        let (claim, challenger) = (self.claim()?, *self.rng.pick(&CHALLENGERS));
        let commitment = self.own_commitment(claim, challenger);
        let scene = &self.claims[claim];
        Some((challenger, scene.bond, Call::Open { posted: scene.posted, commitment }))
    }

    pub(super) fn commit(&mut self) -> Option<Sent> {
        let (claim, challenger) = (self.claim()?, *self.rng.pick(&CHALLENGERS));
        let commitment = self.own_commitment(claim, challenger);
        Some((challenger, NOTHING, Call::Commit { claim: self.claims[claim].claim, commitment }))
    }

    pub(super) fn reclaim(&mut self) -> Option<Sent> {
        let game = self.machine.game();
        let mut due = Vec::new();
        for (at, scene) in self.claims.iter().enumerate() {
            let claim = game.claim(scene.claim).expect("stands");
            let all = (0..claim.openings).map(|number| *scene.at(game, number));
            let left = all.filter(|one| one.state.phase == Phase::Won || one.state.phase.turn().is_some());
            due.extend(left.filter(|_| claim.status != ClaimStatus::Pending).map(|one| (at, one)));
        }
        if due.is_empty() || self.rng.chance(40) {
            return self.about_match(Scene::reclaim);
        }
        let (at, one) = *self.rng.pick(&due);
        Some((self.anyone(), NOTHING, self.claims[at].reclaim(&one)))
    }

    pub(super) fn about_match(&mut self, call: impl Fn(&Scene, &Match) -> Call) -> Option<Sent> {
        let (claim, one) = self.a_match()?;
        Some((self.anyone(), NOTHING, call(&self.claims[claim], &one)))
    }

    pub(super) fn sender(&mut self, by: By, one: &Match, posted: &Posted) -> Account {
        match by {
            By::Anyone => self.anyone(),
            By::Challenger => one.seated.challenger,
            By::Executor => posted.executor,
        }
    }

    pub(super) fn make_move(&mut self) -> Option<Sent> {
        let (claim, one) = self.a_match()?;
        let moves = self.claims[claim].moves(&one);
        if moves.is_empty() {
            return None;
        }
        // The first move is the answer, where one is owed; half of the time that is it.
        let at = if moves[0].answers && self.rng.chance(50) { 0 } else { self.rng.below(moves.len()) };
        let posted = self.claims[claim].posted;
        Some((self.sender(moves[at].by, &one, &posted), NOTHING, moves[at].call.clone()))
    }

    pub(super) fn stray(&mut self) -> Option<Sent> {
        let (claim, one) = self.a_match()?;
        let strays = self.claims[claim].strays(&one);
        let stray = self.rng.pick(&strays).clone();
        let posted = self.claims[claim].posted;
        Some((self.sender(stray.by, &one, &posted), NOTHING, stray.call))
    }

    pub(super) fn refute(&mut self) -> Option<Sent> {
        let claim = self.claim()?;
        let from = self.anyone();
        let scene = &self.claims[claim];
        let elements = scene.elements();
        let wrong = elements.iter().filter(|(at, tile, place)| {
            let size = scene.program.operator(*at).dtype.bytes();
            let byte = *tile as usize * 128 + usize::from(*place) * size;
            let own = scene.truth.operator(*at).get(byte..byte + size).unwrap_or(&[0; 4][..size]);
            &scene.claimed.output(0, *at).bytes[byte..byte + size] != own
        });
        let wrong: Vec<_> = wrong.copied().collect();
        let from_wrong = !wrong.is_empty() && self.rng.chance(50);
        let (at, tile, place) = *self.rng.pick(if from_wrong { &wrong } else { &elements });
        let signed = !scene.hangs_on_roots(at) || self.rng.chance(20);
        let signed = signed.then(|| self.rng.below(scene.claimed.statements()));
        let refutation = Box::new(scene.refutation(at, tile, place, signed));
        Some((from, NOTHING, Call::Refute { posted: scene.posted, refutation }))
    }

    pub(super) fn refute_copy(&mut self) -> Option<Sent> {
        let (first, second) = (self.claim()?, self.claim()?);
        let from = self.anyone();
        let (mut original, mut copy) = (self.claims[first].posted, self.claims[second].posted);
        if self.rng.chance(70) {
            // A claim that fell by its roots, and one of the same roots that stands.
            let claim = |scene: &Scene| *self.machine.game().claim(scene.claim).expect("stands");
            let fallen = self.claims.iter().filter(|scene| claim(scene).by_roots).map(|scene| scene.posted);
            let standing = self.claims.iter().filter(|scene| claim(scene).status == ClaimStatus::Pending);
            let standing: Vec<Posted> = standing.map(|scene| scene.posted).collect();
            for one in fallen {
                let twin = standing.iter().find(|s| (s.job, s.trace_root) == (one.job, one.trace_root));
                (original, copy) = twin.map_or((original, copy), |twin| (one, *twin));
            }
        }
        Some((from, NOTHING, Call::RefuteCopy { original, copy }))
    }

    pub(super) fn open_reward(&mut self) -> Option<Sent> {
        let game = self.machine.game();
        let due = |scene: &&Scene| game.claim(scene.claim).expect("stands").point != Digest::default();
        let scenes: Vec<&Scene> = self.claims.iter().filter(due).collect();
        let scene = *scenes.get(self.rng.recent(scenes.len())?)?;
        let claim = game.claim(scene.claim).expect("stands");
        let in_time = |number: &u64| scene.at(game, *number).seated.seat.opened_at < claim.refuted_at;
        let seats: Vec<u64> = (0..claim.openings).filter(in_time).collect();
        let number = match seats.len() {
            1.. if self.rng.chance(80) => *self.rng.pick(&seats),
            _ => self.rng.recent(claim.openings as usize)? as u64,
        };
        let one = scene.at(game, number);
        let state: MatchState = match one.state.phase {
            Phase::Committed => committed_state(&one.seated),
            _ => one.state,
        };
        let all = (0..scene.program.header().operators).map(OperatorIndex);
        // What the claimed trace makes of it, if one's own does not know the point.
        let point = [&scene.truth, &scene.claimed.trace]
            .into_iter()
            .find_map(|trace| find_point(&scene.program, trace, all.clone(), claim.point))?;
        let claims =
            one.seated.seat.commitment == scene.own_commitment(one.seated.challenger, &scene.claimed.trace);
        let own = if claims { &scene.claimed.trace } else { &scene.truth };
        let (operator, element) = (OperatorIndex(point.operator), ElementIndex(point.element));
        let (_, tile, path) = reward_opening(&scene.program, own, operator, element);
        let call = Call::OpenReward {
            claim: scene.claim,
            number,
            standing: state.standing(),
            node: state.node,
            seat: one.seated.seat,
            point,
            salt: SALT,
            depth: own.own_tree().depth() as u8,
            tile,
            path,
        };
        Some((one.seated.challenger, NOTHING, call))
    }
}
