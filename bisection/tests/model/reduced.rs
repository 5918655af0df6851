//! Three matches side by side, joined by what they can still do.
//!
//! **What matches share.** A call about a match reads, of all that is not its own, the claim's status and its ends, the time
//! and the program; it writes its own state, openMatches, money, and, by a verdict, the claim's status. (The walk compares
//! this on every step: `Position::compare`.) While the claim is pending, status, ends and program are constant. So the
//! steps that a match has at a time, and what they announce and lead to, do not depend on the other matches: they are those of
//! the game in which the match is alone, at the same time.
//!
//! **Classes.** The walk of that single game gives every position of it (a match's state at a time) a *class*: a digest of
//! whether the match is there, whether an honest player forbids the tick, and of the set of its futures, each with what
//! others can see of it: that time passes, or that a move was made; what it pays (a lost match) or whether it ends the
//! claim, and knows the right value; and the class that follows. It is computed from the end, so positions of equal class are
//! bisimilar: whatever can happen from one can happen from the other, second for second.
//!
//! **Joining.** A position of the whole game is the time and its matches' classes, those of adversaries in any order (they differ
//! in name only). Positions with equal keys have equal futures up to that, because each match's futures are, the tick is the
//! one step they take together (allowed when all allow it), and `finalise` depends on the time and on which matches are
//! there. So it is enough to follow one position of each key, and of each match's steps one of each future. What must hold
//! in every position is said of status, money and who may move; none of it tells joined positions apart.
//!
//! A position whose match is not among those of the single game stops the walk with a panic: that would be a dependence.
//! `model_check.rs` also walks a small game in full and compares: the joined forms of its positions are exactly the keys that
//! the reduced walk visits.

use std::collections::HashMap;

use narrows_commitment::keccak;

use super::position::{Position, short};
use super::walk::{Known, Report, Walk};
use super::{Cast, Role};
use crate::stage::scene::Scene;

/// The positions of single matches, by the challenger's role.
pub struct Parts {
    honest: HashMap<u128, Known>,
    adversary: HashMap<u128, Known>,
}

impl Parts {
    /// Walks the games of one challenger.
    pub fn new(scene: &Scene, start: &Position, honest_executor: bool, with_honest: bool) -> (Self, Report) {
        let mut report = Report::default();
        let mut walk = |role| {
            let cast = Cast { honest_executor, challengers: vec![role] };
            let mut walk = Walk::new(scene, &cast);
            walk.walk(start);
            report.add(&walk.report);
            walk.seen
        };
        let adversary = walk(Role::Adversary);
        let honest = if with_honest { walk(Role::Honest) } else { HashMap::new() };
        (Self { honest, adversary }, report)
    }

    fn known(&self, scene: &Scene, cast: &Cast, at: &Position, who: usize) -> &Known {
        let mut bytes = at.now.to_be_bytes().to_vec();
        bytes.extend(at.match_key(scene, who));
        let of = match cast.challengers[who] {
            Role::Honest => &self.honest,
            Role::Adversary => &self.adversary,
        };
        of.get(&short(keccak(&bytes))).expect("a match is where it could be alone")
    }

    /// The time and the classes, adversaries' in order.
    pub fn key(&self, scene: &Scene, cast: &Cast, at: &Position) -> u128 {
        let mut classes: Vec<(Role, u128)> = (0..cast.challengers.len())
            .map(|who| (cast.challengers[who], self.known(scene, cast, at, who).class))
            .collect();
        classes.sort_unstable();
        let mut bytes = at.now.to_be_bytes().to_vec();
        for (role, class) in classes {
            bytes.push(role as u8);
            bytes.extend(class.to_be_bytes());
        }
        short(keccak(&bytes))
    }

    /// One step of the match of `who` for each future.
    pub fn chosen(&self, scene: &Scene, cast: &Cast, at: &Position, who: usize) -> Vec<u16> {
        self.known(scene, cast, at, who).chosen.clone()
    }

    /// Classes of all single positions.
    pub fn classes(&self) -> usize {
        let all = self.honest.values().chain(self.adversary.values()).map(|known| known.class);
        all.collect::<std::collections::HashSet<_>>().len()
    }
}
