//! After the end of a claim: everybody takes what is its own, and nothing stays behind.

use narrows_bisection::refute::{find_point, reward_opening};
use narrows_bisection::{Account, Call, ClaimStatus, Event, Phase, Refusal};
use narrows_commitment::Digest;
use narrows_program::{ElementIndex, OperatorIndex};

use super::money::{ACCOUNTS, Purse};
use super::position::{Position, Step};
use super::{Cast, REWARD_SECONDS, Role};
use crate::stage::scene::{CHALLENGERS, FEE, NOTHING, SALT, STRANGER, Scene, executor};

/// What decides how a closed claim is settled.
pub fn key(scene: &Scene, at: &Position) -> Vec<u8> {
    let claim = at.claim(scene);
    let mut key = vec![claim.status as u8];
    key.extend(claim.point.0);
    for who in 0..3 {
        let one = at.at(scene, who);
        let answers = one.map_or(0, |one| if one.state.phase == Phase::Lost { one.state.answers } else { 0 });
        let in_time = one.is_some_and(|one| one.seated.seat.opened_at < claim.refuted_at);
        let phase = one.map_or(0, |one| one.state.phase as u8);
        let number = one.map_or(0, |one| one.number as u8);
        key.extend([phase, answers, u8::from(in_time), number]);
    }
    let purse = Purse::of(&at.game);
    key.extend(purse.owed.iter().flat_map(|owed| owed.to_be_bytes()));
    key
}

/// The `refute` calls to try in every position: of all elements when none is at fault, else of one that is.
pub fn refutations(scene: &Scene, all: bool) -> Vec<Call> {
    let elements = scene.elements();
    let of = |at: OperatorIndex, tile, element, signed| {
        let refutation = Box::new(scene.refutation(at, tile, element, signed));
        Call::Refute { posted: scene.posted, refutation }
    };
    if all {
        // An honest executor signs what its trace says; so whatever is signed is true.
        let signed = |at| (!scene.hangs_on_roots(at)).then_some(0);
        return elements.into_iter().map(|(at, tile, place)| of(at, tile, place, signed(at))).collect();
    }
    let truth = &scene.truth;
    let wrong = |(at, tile, place): &(OperatorIndex, u32, u8)| {
        let size = scene.program.operator(*at).dtype.bytes();
        let at_byte = *tile as usize * 128 + usize::from(*place) * size;
        let own = truth.operator(*at).get(at_byte..at_byte + size).unwrap_or(&[0; 4][..size]);
        &scene.claimed.output(0, *at).bytes[at_byte..at_byte + size] != own
    };
    let first = elements.into_iter().find(wrong);
    let call = first.map(|(at, tile, place)| {
        let signed = (!scene.hangs_on_roots(at)).then_some(0);
        of(at, tile, place, signed)
    });
    call.into_iter().collect()
}

/// Everything that was tried, when.
pub type Tried = Vec<(u64, Step)>;

/// A closed game that is being settled.
struct Settling<'a> {
    scene: &'a Scene,
    at: Position,
    tried: Tried,
}

impl Settling<'_> {
    fn send(&mut self, from: Account, about: Option<usize>, call: Call) -> Result<Vec<Event>, Refusal> {
        let step = Step::Call { from, value: NOTHING, about, call };
        let played = self.at.play(self.scene, &step);
        self.tried.push((self.at.now, step));
        let (next, events) = played?;
        self.at = next;
        Ok(events)
    }
}

/// Plays what is left to do and checks who has what; gives all that it tried, what is refused included.
pub fn settle(scene: &Scene, cast: &Cast, end: &Position) -> Tried {
    let mut one = Settling { scene, at: end.clone(), tried: Vec::new() };
    let status = one.at.claim(scene).status;
    for who in 0..3 {
        let Some(seated) = one.at.at(scene, who).copied() else { continue };
        // A lost match's bond is gone; any other goes back, once.
        let expected = if seated.state.phase == Phase::Lost { Err(Refusal::WrongPhase) } else { Ok(1) };
        let answer = one.send(STRANGER, Some(who), scene.reclaim(&seated));
        assert_eq!(answer.map(|events| events.len()), expected, "reclaiming {:?}", seated.state.phase);
        let seated = *one.at.at(scene, who).expect("a match stays");
        let again = one.send(STRANGER, Some(who), scene.reclaim(&seated));
        assert_eq!(again, Err(Refusal::WrongPhase), "reclaiming twice");
        if cast.challengers.get(who) == Some(&Role::Honest) && status == ClaimStatus::Refuted {
            assert_eq!(seated.state.phase, Phase::Reclaimed, "an honest challenger lost");
        }
    }
    if one.at.claim(scene).point != Digest::default() {
        reward(cast, &mut one);
    }
    let job = *one.at.game.job(scene.job).expect("posted");
    if status == ClaimStatus::Final {
        assert!(job.settled, "the only claim is final, and earns the fee");
        let bond = scene.parameters.executor_bond.0;
        assert!(
            one.at.game.owed(executor()).0 >= bond + FEE.0,
            "an honest executor has its bond and the fee"
        );
    } else {
        one.at.now = one.at.now.max(job.deadline.0);
        one.send(STRANGER, None, Call::Refund { job: scene.job }).expect("nobody earned the fee");
    }
    for who in (0..cast.challengers.len()).filter(|who| cast.challengers[*who] == Role::Honest) {
        if one.at.at(scene, who).is_some() && status == ClaimStatus::Refuted {
            assert!(one.at.game.owed(CHALLENGERS[who]) >= scene.bond, "an honest challenger lost money");
        }
    }
    for account in ACCOUNTS.into_iter().chain([executor()]) {
        if one.at.game.owed(account).0 > 0 {
            one.send(account, None, Call::Withdraw).expect("it is owed");
        }
        assert_eq!(one.send(account, None, Call::Withdraw), Err(Refusal::NothingOwed));
    }
    let purse = Purse::of(&one.at.game);
    assert_eq!((purse.locked, purse.balance), (0, purse.burned), "nothing stays behind");
    one.tried
}

/// The verdict knows the right value: an honest challenger that sat before it opens its commitment in the last second, and is
/// paid; if it cannot, the reward burns.
fn reward(cast: &Cast, one: &mut Settling<'_>) {
    let scene = one.scene;
    let claim = one.at.claim(scene);
    let end = claim.refuted_at.0 + u64::from(REWARD_SECONDS);
    let all = (0..scene.program.header().operators).map(OperatorIndex);
    let found = find_point(&scene.program, &scene.truth, all, claim.point);
    let mut winner = Account::default();
    one.at.now = one.at.now.max(end - 1);
    for (who, role) in cast.challengers.iter().enumerate() {
        let Some(seated) = one.at.at(scene, who).copied() else { continue };
        let (Role::Honest, Some(point)) = (*role, found) else { continue };
        let element = ElementIndex(point.element);
        let (point, tile, path) =
            reward_opening(&scene.program, &scene.truth, OperatorIndex(point.operator), element);
        let call = Call::OpenReward {
            claim: scene.claim,
            number: seated.number,
            standing: seated.state.standing(),
            node: seated.state.node,
            seat: seated.seated.seat,
            point,
            salt: SALT,
            depth: scene.truth.own_tree().depth() as u8,
            tile,
            path,
        };
        let answer = one.send(CHALLENGERS[who], None, call).map(|_| ());
        if seated.seated.seat.opened_at < claim.refuted_at {
            assert_eq!(answer, Ok(()), "an honest commitment opens");
            winner = CHALLENGERS[who];
        } else {
            assert_eq!(answer, Err(Refusal::TooLate), "a commitment in the verdict's second");
        }
    }
    let collect = || Call::CollectReward { claim: scene.claim };
    assert_eq!(one.send(STRANGER, None, collect()), Err(Refusal::NotYet), "collected too early");
    one.at.now = end;
    let events = one.send(STRANGER, None, collect()).expect("collected");
    assert!(
        matches!(events[..], [Event::RewardCollected { winner: paid, .. }] if paid == winner),
        "{events:?}"
    );
    assert_eq!(one.send(STRANGER, None, collect()), Err(Refusal::NoReward), "collected twice");
}
