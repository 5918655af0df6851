//! Making a story of calls, one by one.

use std::collections::BTreeMap;

use narrows_program::{LayerIndex, SegmentIndex, TileIndex};

use crate::game::ids;
use crate::record::{Entry, Head, Outcome, claim_of, match_number_of, posted_of};
use crate::{Account, Call, ClaimId, Event, Game, Match, MatchId, Phase, Refutation};

use super::doubt::{Doubt, Finding, Place, element};
use super::story::{Mover, Step, Story};

/// The claim that a call about one carries or names.
fn about(head: &Head, call: &Call) -> Option<ClaimId> {
    let id = |posted| ids::claim_id(head.chain_id, head.game, posted, &head.parameters);
    claim_of(call).or_else(|| posted_of(call).map(id))
}

/// A match as it was before a call.
pub(super) struct Before(Option<(MatchId, Match)>);

impl Before {
    pub fn of(game: &Game, head: &Head, call: &Call) -> Self {
        let id =
            about(head, call).zip(match_number_of(call)).map(|(claim, number)| ids::match_id(claim, number));
        Self(id.and_then(|id| game.match_of(id).map(|one| (id, *one))))
    }
}

/// Makes a story of calls, one by one.
pub(super) struct Teller<'a> {
    head: &'a Head,
    /// Which claim came of a job's commitment.
    numbers: BTreeMap<u64, ClaimId>,
    /// Whose a claim is.
    executors: BTreeMap<ClaimId, Account>,
    /// What each match's calls have told.
    places: BTreeMap<MatchId, Place>,
    steps: Vec<Step>,
}

impl<'a> Teller<'a> {
    pub fn new(head: &'a Head, entries: &[Entry]) -> Self {
        let (mut numbers, mut executors) = (BTreeMap::new(), BTreeMap::new());
        for event in entries.iter().flat_map(|entry| &entry.events) {
            if let Event::ClaimPosted { claim, posted, number, .. } = event {
                numbers.insert(*number, *claim);
                executors.insert(*claim, posted.executor);
            }
        }
        Self { head, numbers, executors, places: BTreeMap::new(), steps: Vec::new() }
    }

    pub fn finish(self, outcome: Outcome) -> Story {
        Story { claim: self.head.claim, steps: self.steps, outcome }
    }

    /// Adds a call that stood.
    pub fn tell(&mut self, entry: &Entry, before: &Before, game: &Game) {
        let was = before.0.as_ref().map(|(_, one)| one);
        let id = before.0.as_ref().map(|(id, _)| *id).or_else(|| opened(entry));
        let after = id.and_then(|id| game.match_of(id));
        let place = id.map_or_else(Place::default, |id| self.place(id, &entry.call, was));
        let layers = game.program(self.head.program).map_or(0, |program| program.header.layers);
        let doubt = after.map_or(Doubt::Nothing, |one| Doubt::of(&one.state, layers, &place));
        let claim = self.claim(entry, after);
        let labels = &self.head.labels;
        let (layer, operator) =
            (place.layer.map(|(index, ..)| index), place.operator.map(|(index, _)| index));
        let finding = match &entry.call {
            Call::Refute { refutation, .. } => refuted(refutation),
            Call::RefuteCopy { original, .. } => {
                let Head { chain_id, game, parameters, .. } = self.head;
                Some(Finding::Copy(ids::claim_id(*chain_id, *game, original, parameters)))
            }
            _ => was.zip(after).and_then(|(was, after)| finding(entry, was, after, &place)),
        };
        self.steps.push(Step {
            time: entry.block.time,
            mover: self.mover(entry, after, claim),
            account: entry.sender,
            call: entry.call.name(),
            match_number: after.map(|one| one.number),
            of_the_claim: claim.is_none_or(|claim| claim == self.head.claim) && !self.is_another(entry),
            before: was.map(|one| one.state.phase),
            after: after.map(|one| one.state.phase),
            doubt,
            layer: layer.map(|index| (index, labels.layer(index))),
            operator: operator.map(|index| (index, labels.operator(index))),
            finding,
            gas: entry.gas_used,
        });
    }

    /// What is known of the place in dispute after `call`.
    fn place(&mut self, id: MatchId, call: &Call, was: Option<&Match>) -> Place {
        let place = self.places.entry(id).or_default();
        match call {
            Call::Enter { child, siblings, layer, operator, .. } => {
                // Its child is the layer.
                let position = was.map_or(0, |one| u64::from(one.state.position) << siblings.len());
                let index = u32::try_from(position | u64::from(*child)).unwrap_or(u32::MAX);
                place.reach_layer(LayerIndex(index), layer);
                if place.layer.is_some_and(|(.., count)| count == 1) {
                    place.reach_operator(0, operator);
                }
            }
            Call::PickOperator { position, operator, .. } => place.reach_operator(*position, operator),
            _ => {}
        }
        *place
    }

    /// The claim that a call is about.
    fn claim(&self, entry: &Entry, one: Option<&Match>) -> Option<ClaimId> {
        let number = |number: &u64| self.numbers.get(number).copied();
        match &entry.call {
            Call::PostClaim { number: at, .. } => number(at),
            Call::CommitClaim { .. } => entry.events.iter().find_map(|event| match event {
                Event::ClaimCommitted { number: at, .. } => number(at),
                _ => None,
            }),
            call => one.map(|one| one.claim).or_else(|| about(self.head, call)),
        }
    }

    /// Whether a call is about a commitment that never became a claim.
    fn is_another(&self, entry: &Entry) -> bool {
        let unposted = |event: &Event| match event {
            Event::ClaimCommitted { number, .. } => !self.numbers.contains_key(number),
            Event::ClaimLapsed { .. } => true,
            _ => false,
        };
        entry.events.iter().any(unposted)
    }

    fn mover(&self, entry: &Entry, one: Option<&Match>, claim: Option<ClaimId>) -> Mover {
        let executor = claim.and_then(|claim| self.executors.get(&claim));
        match &entry.call {
            Call::PostJob { .. } => Mover::Requester,
            Call::CommitClaim { .. } | Call::PostClaim { .. } => Mover::Executor,
            Call::Open { .. }
            | Call::Commit { .. }
            | Call::Pick { .. }
            | Call::Enter { .. }
            | Call::PickOperator { .. }
            | Call::Prepare { .. }
            | Call::Name { .. }
            | Call::Segment { .. }
            | Call::Refute { .. }
            | Call::RefuteCopy { .. }
            | Call::OpenReward { .. } => Mover::Challenger,
            _ if executor == Some(&entry.sender) => Mover::Executor,
            _ if one.is_some_and(|one| one.seated.challenger == entry.sender) => Mover::Challenger,
            _ => Mover::Anyone,
        }
    }
}

/// The match that a call opened.
fn opened(entry: &Entry) -> Option<MatchId> {
    entry.events.iter().find_map(|event| match event {
        Event::MatchOpened { match_id, .. } => Some(*match_id),
        _ => None,
    })
}

/// What a refutation that stood has shown.
fn refuted(refutation: &Refutation) -> Option<Finding> {
    let mut place = Place::default();
    place.reach_layer(LayerIndex(refutation.layer_index), &refutation.layer);
    place.reach_operator(refutation.position, &refutation.operator);
    let (operator, descriptor) = place.operator?;
    let index = element(&descriptor, TileIndex(refutation.tile_index), refutation.element);
    let padding = u64::from(index.0) >= descriptor.elements();
    Some(if padding { Finding::PaddedTensor(operator) } else { Finding::Element(operator, index, false) })
}

/// What a call decided, `was` being the match before it.
fn finding(entry: &Entry, was: &Match, after: &Match, place: &Place) -> Option<Finding> {
    let stood = match after.state.phase {
        Phase::Won => false,
        Phase::Lost => true,
        _ => return None,
    };
    match &entry.call {
        Call::Timeout { .. } => was.state.phase.turn().map(Finding::Silence),
        Call::Pick { .. } => Some(match place.operator {
            None => Finding::PaddedTrace,
            Some((operator, _)) => Finding::PaddedTensor(operator),
        }),
        Call::Name { slot, element: named, .. } => {
            let (operator, descriptor) = place.operator?;
            let first = was.state.position.checked_shl(was.state.remaining.into())?;
            let index = element(&descriptor, TileIndex(first.checked_add(u32::from(*slot))?), *named);
            let padding = u64::from(index.0) >= descriptor.elements();
            Some(if padding {
                Finding::PaddedTensor(operator)
            } else {
                Finding::Element(operator, index, stood)
            })
        }
        Call::Segment { index, .. } => {
            let (operator, descriptor) = place.operator?;
            let named = element(&descriptor, was.state.tile(), was.state.element);
            Some(Finding::Segment(operator, named, SegmentIndex(*index), stood))
        }
        _ => None,
    }
}
