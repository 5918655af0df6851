//! A replayed dispute, told move by move.

use std::collections::BTreeMap;
use std::fmt;

use narrows_program::{LayerIndex, SegmentIndex};

use crate::record::{Entry, Head, Outcome};
use crate::referee::Descriptor;
use crate::{Account, BlockTime, Call, ClaimId, Game, Match, MatchId, Phase, Side};

use super::doubt::{Doubt, Finding, element};

/// The most characters of a label that are shown.
const LABEL_CHARS: usize = 80;

/// In what part somebody made a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mover {
    /// Who asked for the run.
    Requester,
    /// Whose claim it is.
    Executor,
    /// Who disputes it.
    Challenger,
    /// Somebody else.
    Anyone,
}

/// One call of the dispute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// When.
    pub time: BlockTime,
    /// Who, by the part it plays.
    pub mover: Mover,
    /// Who.
    pub account: Account,
    /// The contract function's name.
    pub call: &'static str,
    /// The match, by its number among its claim's; `None` for calls about no match.
    pub match_number: Option<u64>,
    /// Whether it is about the recorded claim, not about another one on the same job.
    pub of_the_claim: bool,
    /// The match's phase before it.
    pub before: Option<Phase>,
    /// The match's phase after it.
    pub after: Option<Phase>,
    /// What is in doubt after it.
    pub doubt: Doubt,
    /// The disputed layer's label, once the layer is known and if it has one: printable, and cut to a line's length.
    pub label: Option<String>,
    /// What decided the match, if this call did.
    pub finding: Option<Finding>,
    /// What it cost, where that is recorded.
    pub gas: Option<u64>,
}

/// A dispute, replayed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Story {
    /// The claim.
    pub claim: ClaimId,
    /// Its calls, in order.
    pub steps: Vec<Step>,
    /// How it ended: replayed, and equal to what is recorded.
    pub outcome: Outcome,
}

impl Story {
    /// What decided the claim, if a match did.
    #[must_use]
    pub fn finding(&self) -> Option<Finding> {
        self.steps.last().filter(|step| step.of_the_claim).and_then(|step| step.finding)
    }

    /// All recorded gas of each part; a call whose gas is not recorded counts nothing.
    #[must_use]
    pub fn gas_by_mover(&self) -> BTreeMap<Mover, u64> {
        let mut sums = BTreeMap::new();
        for step in &self.steps {
            let sum: &mut u64 = sums.entry(step.mover).or_default();
            *sum = sum.saturating_add(step.gas.unwrap_or_default());
        }
        sums
    }
}

/// A match as it was before a call.
pub(super) struct Before(Option<(MatchId, Match)>);

impl Before {
    pub fn of(game: &Game, call: &Call) -> Self {
        let id = match call {
            Call::Reveal { match_id, .. }
            | Call::Pick { match_id, .. }
            | Call::RevealTile { match_id, .. }
            | Call::Name { match_id, .. }
            | Call::Fold { match_id, .. }
            | Call::Segment { match_id, .. }
            | Call::Timeout { match_id }
            | Call::Reclaim { match_id } => *match_id,
            _ => return Self(None),
        };
        Self(game.match_of(id).map(|one| (id, *one)))
    }
}

/// Makes a story of calls, one by one.
pub(super) struct Teller<'a> {
    head: &'a Head,
    /// Each match's disputed operator, from the pick that reached it.
    descriptors: BTreeMap<MatchId, Descriptor>,
    steps: Vec<Step>,
}

impl<'a> Teller<'a> {
    pub fn new(head: &'a Head) -> Self {
        Self { head, descriptors: BTreeMap::new(), steps: Vec::new() }
    }

    pub fn finish(self, outcome: Outcome) -> Story {
        Story { claim: self.head.claim, steps: self.steps, outcome }
    }

    /// Adds a call that stood.
    pub fn tell(&mut self, entry: &Entry, before: &Before, game: &Game) {
        let id = before.0.as_ref().map(|(id, _)| *id).or_else(|| opened(entry));
        if let (Some(id), Call::Pick { descriptor, .. }) = (id, &entry.call)
            && let Some(descriptor) = Descriptor::decode(descriptor)
        {
            self.descriptors.insert(id, descriptor);
        }
        let descriptor = id.and_then(|id| self.descriptors.get(&id)).copied();
        let after = id.and_then(|id| game.match_of(id));
        let was = before.0.as_ref().map(|(_, one)| one);
        let claim = after.map(|one| one.claim).or_else(|| claim_of(entry));
        let doubt = after.map_or(Doubt::Nothing, |one| Doubt::of(game, one, descriptor.as_ref()));
        let layer = after.filter(|one| one.state.tiles > 0).map(|one| one.state.layer);
        self.steps.push(Step {
            time: entry.time,
            mover: mover(entry, after, claim, game),
            account: entry.sender,
            call: entry.call.name(),
            match_number: after.map(|one| one.number),
            of_the_claim: claim.is_none_or(|claim| claim == self.head.claim),
            before: was.map(|one| one.state.phase),
            after: after.map(|one| one.state.phase),
            doubt,
            label: layer.and_then(|layer| label(&self.head.labels, layer)),
            finding: was.zip(after).and_then(|(was, after)| finding(entry, was, after, descriptor.as_ref())),
            gas: entry.gas_used,
        });
    }
}

/// The match that a call opened.
fn opened(entry: &Entry) -> Option<MatchId> {
    entry.events.iter().find_map(|event| match event {
        crate::Event::MatchOpened { match_id, .. } => Some(*match_id),
        _ => None,
    })
}

/// The claim that a call about no match is about.
fn claim_of(entry: &Entry) -> Option<ClaimId> {
    entry.events.iter().find_map(|event| match event {
        crate::Event::ClaimPosted { claim, .. } | crate::Event::ClaimFinal { claim, .. } => Some(*claim),
        _ => None,
    })
}

fn mover(entry: &Entry, one: Option<&Match>, claim: Option<ClaimId>, game: &Game) -> Mover {
    let claim = claim.and_then(|id| game.claim(id));
    match &entry.call {
        Call::PostJob { .. } => Mover::Requester,
        Call::PostClaim { .. } | Call::Fold { .. } => Mover::Executor,
        Call::Open { .. } | Call::Pick { .. } | Call::Name { .. } | Call::Segment { .. } => Mover::Challenger,
        _ if claim.is_some_and(|claim| claim.executor == entry.sender) => Mover::Executor,
        _ if one.is_some_and(|one| one.challenger == entry.sender) => Mover::Challenger,
        _ => Mover::Anyone,
    }
}

/// A label as it can be shown on a terminal.
fn label(labels: &[String], layer: LayerIndex) -> Option<String> {
    let label = labels.get(usize::try_from(layer.0).ok()?).filter(|label| !label.is_empty())?;
    let printable = |c: char| if c.is_control() { '?' } else { c };
    Some(label.chars().take(LABEL_CHARS).map(printable).collect())
}

/// What a call decided, `was` being the match before it.
fn finding(entry: &Entry, was: &Match, after: &Match, descriptor: Option<&Descriptor>) -> Option<Finding> {
    let stood = match after.state.phase {
        Phase::Won => false,
        Phase::Lost => true,
        _ => return None,
    };
    let layer = was.state.layer;
    match &entry.call {
        Call::Timeout { .. } => was.state.phase.turn().map(Finding::Silence),
        Call::Pick { .. } if was.state.tiles == 0 => Some(Finding::PaddedLayer),
        Call::Pick { .. } => Some(Finding::PaddedTensor(layer)),
        Call::Name { element: named, .. } => {
            let descriptor = descriptor?;
            let index = element(was, descriptor, *named);
            let padding = u64::from(index.0) >= descriptor.elements();
            Some(if padding { Finding::PaddedTensor(layer) } else { Finding::Element(layer, index, stood) })
        }
        Call::Segment { index, .. } => {
            let named = element(was, descriptor?, was.state.element);
            Some(Finding::Segment(layer, named, SegmentIndex(*index), stood))
        }
        _ => None,
    }
}

impl fmt::Display for Mover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Requester => "requester",
            Self::Executor => "executor",
            Self::Challenger => "challenger",
            Self::Anyone => "anyone",
        })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ending = |stood: &bool| if *stood { "is right" } else { "is wrong" };
        match self {
            Self::Silence(Side::Executor) => f.write_str("the executor ran out of time"),
            Self::Silence(Side::Challenger) => f.write_str("the challenger ran out of time"),
            Self::PaddedLayer => f.write_str("the trace's padding is wrong"),
            Self::PaddedTensor(layer) => write!(f, "the padding of layer {layer} is wrong"),
            Self::Element(layer, element, stood) => {
                write!(f, "element {element} of layer {layer} {}", ending(stood))
            }
            Self::Segment(layer, element, segment, stood) => {
                let ending = ending(stood);
                write!(f, "partial value {segment} of element {element} of layer {layer} {ending}")
            }
        }
    }
}

impl Step {
    /// What is in doubt, in words; empty when nothing is.
    #[must_use]
    pub fn doubt_text(&self) -> String {
        let many = |count: u64, one: &str| if count == 1 { one.to_string() } else { format!("{one}s") };
        let layer = |layer: LayerIndex| match &self.label {
            Some(label) => format!("layer {layer} ({label})"),
            None => format!("layer {layer}"),
        };
        match self.doubt {
            Doubt::Nothing => String::new(),
            Doubt::Layers(span) => format!("{} {} ({span})", span.count, many(span.count, "layer")),
            Doubt::Tiles(at, span) => {
                format!("{} {} ({span}) of {}", span.count, many(span.count, "tile"), layer(at))
            }
            Doubt::Tile(at, tile) => format!("tile {tile} of {}", layer(at)),
            Doubt::Element { layer: at, element, value, terms, segments } => {
                let at = layer(at);
                format!("element {element} = {value} of {at}, {terms} terms in {segments} segments")
            }
        }
    }
}

impl fmt::Display for Step {
    /// One line for a terminal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "t={} {:<10} {:<10}", self.time.0, self.mover, self.call)?;
        if let Some(number) = self.match_number {
            write!(f, " match {number}")?;
        }
        if let Some(after) = self.after {
            match self.before {
                Some(before) => write!(f, " {before:?} -> {after:?}")?,
                None => write!(f, " -> {after:?}")?,
            }
        }
        match (&self.finding, self.doubt) {
            (Some(finding), _) => write!(f, ": {finding}")?,
            (None, Doubt::Nothing) => {}
            (None, _) => write!(f, ": {} in doubt", self.doubt_text())?,
        }
        self.gas.map_or(Ok(()), |gas| write!(f, "; {gas} gas"))
    }
}
