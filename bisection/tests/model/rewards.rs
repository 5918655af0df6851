//! After a verdict that knows the right value: three seats of every kind, and every order and second of opening and collecting.

use std::collections::HashSet;

use narrows_bisection::refute::{committed_state, reward_opening};
use narrows_bisection::{
    Account, Block, BlockTime, Call, ClaimStatus, Event, Game, MatchState, Phase, Refusal, Seat, Seated,
    Trace, Wei,
};
use narrows_commitment::Digest;
use narrows_program::{ElementIndex, OperatorIndex, Program};

use super::position::{Position, Step};
use super::{Cast, REWARD_SECONDS, Role, Timing, begin, settle};
use crate::stage::claimed::{Claimed, lies};
use crate::stage::scene::{BASE_FEE, CHALLENGERS, NOTHING, SALT, STRANGER, Scene};

/// What a commitment is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Knows {
    /// The right trace.
    Right,
    /// The claimed trace.
    Wrong,
    /// The right value at the point, and nothing else of its tile: what costs nothing to commit to.
    Guessed,
    /// The digest that the first seat committed to.
    Stolen,
}

/// How somebody sat down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seating {
    /// With a bond, a second before the verdict.
    Playing(Knows),
    /// With a bare commitment, a second before the verdict.
    Bare(Knows),
    /// With a bare commitment to the right trace, in the verdict's second.
    Late,
}

/// All of them.
pub const SEATINGS: [Seating; 8] = [
    Seating::Playing(Knows::Right),
    Seating::Playing(Knows::Wrong),
    Seating::Playing(Knows::Stolen),
    Seating::Bare(Knows::Right),
    Seating::Bare(Knows::Wrong),
    Seating::Bare(Knows::Guessed),
    Seating::Bare(Knows::Stolen),
    Seating::Late,
];

/// Somebody who may open.
struct Sitter {
    number: u64,
    seated: Seated,
    knows: Knows,
    in_time: bool,
}

/// What was walked.
#[derive(Debug, Default)]
pub struct Report {
    pub games: u64,
    pub positions: u64,
    pub calls: u64,
    /// Rewards by the winner's place among the seats; the last burned.
    pub winners: [u64; 4],
}

/// Every game of three seats, the verdict by a stranger's refutation or, where the first seat can, by its match.
pub fn walk(program: &Program) -> Report {
    let mut report = Report::default();
    for first in SEATINGS {
        for second in SEATINGS {
            for third in SEATINGS {
                let by_match = first == Seating::Playing(Knows::Right);
                for played in [false, true].into_iter().filter(|played| !played || by_match) {
                    game(program, [first, second, third], played, &mut report);
                }
            }
        }
    }
    report
}

fn game(program: &Program, seatings: [Seating; 3], played: bool, report: &mut Report) {
    let (scene, mut at) = begin(program, lie(program), Timing::FULL);
    let (operator, element) = first_fault(&scene);
    assert!(operator.0 > 0 && element.0 > 0, "something stands before the point");
    let mut sitters = Vec::new();
    for late in [false, true] {
        for (who, seating) in seatings.into_iter().enumerate().filter(|(_, s)| (*s == Seating::Late) == late)
        {
            sitters.push(sit(&scene, &mut at, who, seating, seatings[0]));
        }
        at.now += u64::from(!late);
    }
    if played {
        win(&scene, &mut at);
    } else {
        let call = settle::refutations(&scene, false).remove(0);
        let step = Step::Call { from: STRANGER, value: NOTHING, about: None, call };
        at = at.play(&scene, &step).expect("refutes").0;
    }
    assert_eq!(at.claim(&scene).status, ClaimStatus::Refuted);
    report.games += 1;
    explore(&scene, at, &sitters, report);
}

/// Opens a match or commits.
fn sit(scene: &Scene, at: &mut Position, who: usize, seating: Seating, first: Seating) -> Sitter {
    let challenger = CHALLENGERS[who];
    let knows = match seating {
        Seating::Playing(knows) | Seating::Bare(knows) => knows,
        Seating::Late => Knows::Right,
    };
    let commitment = match knows {
        Knows::Right => scene.own_commitment(challenger, &scene.truth),
        Knows::Wrong => scene.own_commitment(challenger, &scene.claimed.trace),
        Knows::Guessed => scene.own_commitment(challenger, &guessed(scene)),
        Knows::Stolen => {
            let of = match first {
                Seating::Bare(Knows::Wrong) | Seating::Playing(Knows::Wrong) => &scene.claimed.trace,
                Seating::Bare(Knows::Guessed) => &guessed(scene),
                _ => &scene.truth,
            };
            scene.own_commitment(if who == 0 { STRANGER } else { CHALLENGERS[0] }, of)
        }
    };
    let opens = matches!(seating, Seating::Playing(_));
    let (value, call) = match opens {
        true => (scene.bond, Call::Open { posted: scene.posted, commitment }),
        false => (NOTHING, Call::Commit { claim: scene.claim, commitment }),
    };
    let number = at.claim(scene).openings;
    let about = opens.then_some(who);
    let step = Step::Call { from: challenger, value, about, call };
    *at = at.play(scene, &step).expect("sits down").0;
    let seat = Seat { commitment, opened_at: BlockTime(at.now), bond: value };
    Sitter { number, seated: Seated { challenger, seat }, knows, in_time: seating != Seating::Late }
}

/// The right trace but for the value before the point.
fn guessed(scene: &Scene) -> Trace {
    let (operator, _) = first_fault(scene);
    let mut outputs = scene.truth.outputs().to_vec();
    outputs[operator.0 as usize][0] ^= 1;
    Trace::new(&scene.program, scene.truth.input().to_vec(), outputs).expect("lengths")
}

/// The first seat plays its match against an executor that answers all, in one second.
fn win(scene: &Scene, at: &mut Position) {
    let cast =
        Cast { honest_executor: false, challengers: vec![Role::Honest, Role::Adversary, Role::Adversary] };
    while at.at(scene, 0).expect("it plays").state.phase != Phase::Won {
        let step = at.match_steps(scene, &cast, 0).remove(0);
        *at = at.play(scene, &step).expect("stands").0;
    }
}

fn explore(scene: &Scene, start: Position, sitters: &[Sitter], report: &mut Report) {
    let refuted_at = start.claim(scene).refuted_at.0;
    let end = refuted_at + u64::from(REWARD_SECONDS);
    let mut seen = HashSet::new();
    let mut open = vec![(start.game, start.now, None::<u64>, false)];
    while let Some((game, now, best, collected)) = open.pop() {
        if !seen.insert((now, best, collected)) {
            continue;
        }
        report.positions += 1;
        assert_eq!(game.claim(scene.claim).expect("stands").best.map(|best| best.number), best);
        let mut send = |from: Account, call: &Call| {
            report.calls += 1;
            let mut next = game.clone();
            let block = Block { time: BlockTime(now), base_fee: BASE_FEE };
            next.apply(block, from, Wei(0), call).map(|events| (next, events))
        };
        for (who, sitter) in sitters.iter().enumerate() {
            let expected = if collected {
                Err(Refusal::NoReward)
            } else if now >= end || !sitter.in_time {
                Err(Refusal::TooLate)
            } else if best.is_some_and(|best| sitter.number >= best) {
                Err(Refusal::NotBetter)
            } else {
                match sitter.knows {
                    Knows::Right => Ok(()),
                    Knows::Wrong | Knows::Guessed => Err(Refusal::WrongStatement),
                    Knows::Stolen => Err(Refusal::BadOpening),
                }
            };
            let call = opening(scene, &game, sitter);
            let from = sitter.seated.challenger;
            let answer = send(from, &call);
            assert_eq!(
                answer.as_ref().map(|_| ()).map_err(|refusal| *refusal),
                expected,
                "seat {who} at {now}"
            );
            if let Ok((next, events)) = answer {
                let number = sitter.number;
                assert_eq!(events, [Event::RewardOpened { claim: scene.claim, number, challenger: from }]);
                open.push((next, now, Some(number), collected));
                for (refusal, bent) in bends(&call) {
                    let from = if bent == call { STRANGER } else { from };
                    assert_eq!(send(from, &bent).map(|_| ()), Err(refusal), "{bent:?}");
                }
            }
        }
        let expected = match (collected, now >= end) {
            (true, _) => Err(Refusal::NoReward),
            (false, false) => Err(Refusal::NotYet),
            (false, true) => Ok(()),
        };
        let answer = send(STRANGER, &Call::CollectReward { claim: scene.claim });
        assert_eq!(answer.as_ref().map(|_| ()).map_err(|refusal| *refusal), expected, "collecting at {now}");
        if let Ok((next, _)) = answer {
            let half = scene.parameters.executor_bond.0 / 2;
            let winner = best.map(|best| {
                let seat = sitters.iter().position(|sitter| sitter.number == best).expect("a seat");
                let account = sitters[seat].seated.challenger;
                assert_eq!(next.owed(account).0 - game.owed(account).0, half, "the reward");
                CHALLENGERS.iter().position(|one| *one == account).expect("a challenger")
            });
            let burned = next.burned().0 - game.burned().0;
            assert_eq!(burned, if winner.is_none() { half } else { 0 });
            report.winners[winner.unwrap_or(3)] += 1;
            open.push((next, now, best, true));
        }
        if now <= end {
            open.push((game.clone(), now + 1, best, collected));
        }
    }
}

/// Opens a seat's commitment at the point of the verdict, which is the claim's first wrong value.
fn opening(scene: &Scene, game: &Game, sitter: &Sitter) -> Call {
    let state: MatchState = match sitter.seated.seat.bond {
        Wei(0) => committed_state(&sitter.seated),
        _ => scene.at(game, sitter.number).state,
    };
    let own: &Trace = match sitter.knows {
        Knows::Wrong => &scene.claimed.trace,
        Knows::Guessed => &guessed(scene),
        Knows::Right | Knows::Stolen => &scene.truth,
    };
    let (operator, element) = first_fault(scene);
    let (_, tile, path) = reward_opening(&scene.program, own, operator, element);
    let (point, _, _) = reward_opening(&scene.program, &scene.truth, operator, element);
    Call::OpenReward {
        claim: scene.claim,
        number: sitter.number,
        standing: state.standing(),
        node: state.node,
        seat: sitter.seated.seat,
        point,
        salt: SALT,
        depth: own.own_tree().depth() as u8,
        tile,
        path,
    }
}

/// A claim whose first fault is the second value of its second output.
fn lie(program: &Program) -> Claimed {
    let wrong = |claimed: &Claimed| {
        let (own, other) = (Claimed::truth(program).trace, &claimed.trace);
        let second = OperatorIndex(1);
        own.first_difference(other) == Some(second) && own.operator(second)[0] == other.operator(second)[0]
    };
    lies(program, 1).into_iter().find(wrong).expect("a lie at the second value")
}

/// The first wrong value of the claim.
fn first_fault(scene: &Scene) -> (OperatorIndex, ElementIndex) {
    for (at, op) in scene.program.operators().iter().enumerate() {
        let index = OperatorIndex(at as u32);
        let (own, claimed) = (scene.truth.operator(index), scene.claimed.trace.operator(index));
        if let Some(byte) = own.iter().zip(claimed).position(|(own, claimed)| own != claimed) {
            return (index, ElementIndex((byte / op.dtype.bytes()) as u32));
        }
    }
    panic!("the claim is right");
}

/// What is wrong with each, alone; the call itself is for a stranger to send.
fn bends(call: &Call) -> Vec<(Refusal, Call)> {
    let mut out = vec![(Refusal::WrongState, call.clone())];
    let mut bend = |refusal, f: &dyn Fn(&mut Call)| {
        let mut bent = call.clone();
        f(&mut bent);
        assert!(bent != *call, "nothing is bent");
        out.push((refusal, bent));
    };
    macro_rules! field {
        ($refusal:ident, $name:ident, $change:expr) => {
            bend(Refusal::$refusal, &|call| {
                let Call::OpenReward { $name, .. } = call else { unreachable!() };
                $change($name)
            })
        };
    }
    field!(NoReward, claim, |claim: &mut narrows_bisection::ClaimId| claim.0.0[0] ^= 1);
    field!(UnknownMatch, number, |number: &mut u64| *number += 9);
    field!(WrongState, standing, |standing: &mut narrows_bisection::Standing| standing.word.0[31] ^= 1);
    field!(WrongState, node, |node: &mut Digest| node.0[5] ^= 1);
    field!(WrongState, seat, |seat: &mut Seat| seat.opened_at.0 -= 1);
    field!(WrongStatement, point, |point: &mut narrows_bisection::Point| point.value ^= 1);
    field!(WrongStatement, point, |point: &mut narrows_bisection::Point| point.before.0[0] ^= 1);
    field!(BadOpening, salt, |salt: &mut Digest| salt.0[0] ^= 1);
    field!(BadOpening, depth, |depth: &mut u8| *depth += 1);
    field!(BadOpening, tile, |tile: &mut Vec<u8>| tile[1] ^= 1);
    field!(BadOpening, tile, |tile: &mut Vec<u8>| tile.truncate(127));
    field!(BadOpening, path, |path: &mut Vec<Digest>| path.truncate(path.len() - 1));
    field!(BadOpening, path, |path: &mut Vec<Digest>| path.push(Digest::default()));
    field!(BadOpening, path, |path: &mut Vec<Digest>| path[0].0[7] ^= 1);
    out
}
