//! PROTOCOL 4.2 as a table of its own: who may call what when, and what a move does to the clocks.

use narrows_bisection::{Call, Claim, ClaimStatus, Match, Phase, Refusal, Side};
use narrows_commitment::{Digest, Domain, tagged};

use crate::stage::moves::{By, Move};
use crate::stage::scene::Scene;

/// (t >= windowEnd and openMatches = 0) or t >= hardEnd.
pub fn is_finalisable(claim: &Claim, now: u64) -> bool {
    (now >= claim.window_end.0 && claim.open_matches == 0) || now >= claim.hard_end.0
}

/// The phases in which a move is legal.
fn phases(call: &Call) -> &'static [Phase] {
    match call {
        Call::Reveal { .. } => &[Phase::LayerE, Phase::TileE],
        Call::Pick { .. } => &[Phase::LayerE, Phase::LayerC, Phase::TileE, Phase::TileC],
        Call::Enter { .. } => &[Phase::LayerE, Phase::LayerC],
        Call::SubTrace { .. } => &[Phase::SubE],
        Call::PickOperator { .. } => &[Phase::SubC],
        Call::RevealTiles { .. } => &[Phase::DataE],
        Call::Prepare { .. } => &[Phase::DataE, Phase::Name],
        Call::Name { .. } => &[Phase::DataE, Phase::Name, Phase::Ready],
        Call::Fold { .. } => &[Phase::FoldE],
        Call::Segment { .. } => &[Phase::Seg],
        other => panic!("{} is no move", other.name()),
    }
}

fn side(phase: Phase) -> Option<Side> {
    use Phase::{DataE, FoldE, LayerC, LayerE, Name, Ready, Seg, SubC, SubE, TileC, TileE};
    match phase {
        LayerE | SubE | TileE | DataE | FoldE => Some(Side::Executor),
        LayerC | SubC | TileC | Name | Seg | Ready => Some(Side::Challenger),
        _ => None,
    }
}

/// The first second in which the present turn's move is too late.
fn turn_end(scene: &Scene, at: &Match) -> Option<u64> {
    let clock = match side(at.state.phase)? {
        Side::Executor => at.state.executor_clock,
        Side::Challenger => at.state.challenger_clock,
    };
    Some(at.state.turn_start.0 + u64::from(scene.parameters.grace_seconds) + u64::from(clock))
}

/// What is refused before the guard, of a call whose evidence gives the state; `None` when the guard is reached.
pub fn refusal(
    scene: &Scene,
    claim: &Claim,
    at: &Match,
    one: &Move,
    proper: bool,
    now: u64,
) -> Option<Refusal> {
    let own_seat = one.by == By::Challenger;
    // A sub-trace's evidence gives SUB_E's scope, which is the layer's leaf, and no list.
    let stray = matches!(&one.call, Call::SubTrace { layer, .. }
        if at.state.list != Digest::default() || at.state.scope != tagged(Domain::Layer, &[layer]));
    if stray || (own_seat && !proper) {
        return Some(Refusal::WrongState);
    }
    if !phases(&one.call).contains(&at.state.phase) {
        return Some(Refusal::WrongPhase);
    }
    let judged = matches!(
        one.call,
        Call::Prepare { .. } | Call::Name { .. } | Call::Fold { .. } | Call::Segment { .. }
    );
    if judged && (claim.status != ClaimStatus::Pending || now >= claim.hard_end.0) {
        return Some(Refusal::ClaimClosed);
    }
    if one.by == By::Executor && !proper {
        return Some(Refusal::NotYourMove);
    }
    (now >= turn_end(scene, at).expect("it is being played")).then_some(Refusal::TooLate)
}

/// What the timeout is answered with; `None` when it stands.
pub fn timeout_refusal(scene: &Scene, claim: &Claim, at: &Match, now: u64) -> Option<Refusal> {
    let Some(end) = turn_end(scene, at) else { return Some(Refusal::WrongPhase) };
    if claim.status != ClaimStatus::Pending || now >= claim.hard_end.0 {
        return Some(Refusal::ClaimClosed);
    }
    (now < end).then_some(Refusal::NotYet)
}

/// What reclaiming is answered with; `None` when it stands.
pub fn reclaim_refusal(claim: &Claim, at: &Match) -> Option<Refusal> {
    if side(at.state.phase).is_none() && at.state.phase != Phase::Won {
        return Some(Refusal::WrongPhase);
    }
    (claim.status == ClaimStatus::Pending).then_some(Refusal::NotYet)
}

/// A move was made at `now`: in time, of its phase, and charged to the side whose turn it was.
pub fn check_move(scene: &Scene, was: &Match, is: &Match, call: &Call, now: u64) {
    let (before, after) = (was.state, is.state);
    let name = call.name();
    let turn = side(before.phase).unwrap_or_else(|| panic!("{name} after the end"));
    let end = turn_end(scene, was).expect("it is being played");
    let answers = match call {
        Call::Timeout { .. } => {
            assert!(now >= end, "a timeout before the turn's end");
            assert_eq!(after.phase, if turn == Side::Executor { Phase::Won } else { Phase::Lost });
            0
        }
        _ => {
            assert!(now < end, "{name} after the turn's end");
            assert!(phases(call).contains(&before.phase), "{name} in {:?}", before.phase);
            let answers = matches!(
                call,
                Call::Reveal { .. } | Call::SubTrace { .. } | Call::RevealTiles { .. } | Call::Fold { .. }
            );
            u8::from(answers)
        }
    };
    assert_eq!(after.answers, before.answers + answers, "{name}: answers");
    assert_eq!(after.turn_start.0, now, "{name}: the next turn begins");
    let over_grace =
        now.saturating_sub(before.turn_start.0).saturating_sub(scene.parameters.grace_seconds.into());
    let left = |clock: u32, charged: bool| match charged {
        true => clock.saturating_sub(over_grace as u32),
        false => clock,
    };
    let expected = (
        left(before.executor_clock, turn == Side::Executor),
        left(before.challenger_clock, turn == Side::Challenger),
    );
    assert_eq!((after.executor_clock, after.challenger_clock), expected, "{name}: clocks");
    assert_eq!(was.seated, is.seated, "{name}: the seat");
    assert_eq!(before.seat, after.seat, "{name}: the seat's digest");
}
