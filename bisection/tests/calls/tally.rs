//! What was called and how it was answered, to see that nothing was left out.

use std::collections::BTreeMap;

use narrows_bisection::{Call, Event, Refusal};

/// Counts by call, and by its answer.
#[derive(Debug, Clone, Default)]
pub struct Tally(BTreeMap<&'static str, BTreeMap<String, u64>>);

/// All functions.
pub const CALLS: [&str; 28] = [
    "register",
    "postJob",
    "commitClaim",
    "postClaim",
    "lapse",
    "finalise",
    "award",
    "advance",
    "refund",
    "withdraw",
    "open",
    "commit",
    "reveal",
    "pick",
    "enter",
    "subTrace",
    "pickOperator",
    "revealTiles",
    "prepare",
    "name",
    "fold",
    "segment",
    "timeout",
    "reclaim",
    "refute",
    "refuteCopy",
    "openReward",
    "collectReward",
];

/// All refusals but `TransferFailed`: accounts without code take what they are sent.
pub const REFUSALS: [Refusal; 32] = [
    Refusal::BadHeader,
    Refusal::UnknownProgram,
    Refusal::UnknownJob,
    Refusal::UnknownClaim,
    Refusal::UnknownMatch,
    Refusal::UnknownCommitment,
    Refusal::Exists,
    Refusal::JobClosed,
    Refusal::ClaimClosed,
    Refusal::WrongPhase,
    Refusal::WrongState,
    Refusal::WrongLength,
    Refusal::WrongValue,
    Refusal::WrongCount,
    Refusal::WrongIndex,
    Refusal::WrongDescriptor,
    Refusal::WrongStatement,
    Refusal::NotYourMove,
    Refusal::TooLate,
    Refusal::NotYet,
    Refusal::BadOpening,
    Refusal::BadSignature,
    Refusal::PaddingHonest,
    Refusal::OutOfRange,
    Refusal::FoldMismatch,
    Refusal::WitnessMissing,
    Refusal::WitnessExtra,
    Refusal::NoFault,
    Refusal::NoReward,
    Refusal::NotBetter,
    Refusal::NotACopy,
    Refusal::NothingOwed,
];

/// The answer in a word or two: the refusal, or the names of the events.
pub fn word(answer: &Result<Vec<Event>, Refusal>) -> String {
    match answer {
        Err(refusal) => format!("{refusal:?}"),
        Ok(events) => {
            let name = |event: &Event| {
                let text = format!("{event:?}");
                text.split([' ', '{']).next().unwrap_or_default().to_owned()
            };
            format!("+{}", events.iter().map(name).collect::<Vec<_>>().join(","))
        }
    }
}

impl Tally {
    pub fn note(&mut self, call: &Call, answer: &Result<Vec<Event>, Refusal>) {
        *self.0.entry(call.name()).or_default().entry(word(answer)).or_default() += 1;
    }

    pub fn total(&self) -> u64 {
        self.0.values().flat_map(BTreeMap::values).sum()
    }

    /// Every call stood and was refused, every refusal was given.
    pub fn check(&self) {
        let given = |refusal: &Refusal| {
            let word = format!("{refusal:?}");
            self.0.values().any(|answers| answers.contains_key(&word))
        };
        let stood = |call: &&str| self.0.get(*call).is_some_and(|a| a.keys().any(|w| w.starts_with('+')));
        let refused = |call: &&str| self.0.get(*call).is_some_and(|a| a.keys().any(|w| !w.starts_with('+')));
        let never: Vec<&str> = CALLS.into_iter().filter(|call| !stood(call)).collect();
        assert!(never.is_empty(), "never stood: {never:?}");
        let always: Vec<&str> = CALLS.into_iter().filter(|call| !refused(call)).collect();
        assert!(always.is_empty(), "never refused: {always:?}");
        let missing: Vec<Refusal> = REFUSALS.into_iter().filter(|refusal| !given(refusal)).collect();
        assert!(missing.is_empty(), "refusals never given: {missing:?}");
    }

    /// One line a call.
    pub fn print(&self) {
        for (call, answers) in &self.0 {
            println!("{call}: {answers:?}");
        }
    }

    pub fn add(&mut self, other: &Self) {
        for (call, answers) in &other.0 {
            for (word, count) in answers {
                *self.0.entry(call).or_default().entry(word.clone()).or_default() += count;
            }
        }
    }
}
