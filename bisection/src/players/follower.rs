//! Following a match by its events alone, so that a node can resume from the chain's log.

use narrows_commitment::{Digest, TILE_BYTES, TensorRoot, Tree, padding, tensor_depth, tile_count};
use narrows_program::{LayerIndex, OperatorIndex, Program};

use crate::game::ids;
use crate::{
    BlockTime, ClaimId, ClaimedNodes, Event, MatchId, MatchState, Parameters, Phase, Posted, Seat, Seated,
    Side, Standing, StateHash,
};

mod known;

/// What a match has shown so far.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shown {
    /// Nodes of the claimed trace's tree.
    pub claimed: ClaimedNodes,
    /// The nodes of the last reveal, until one of them is picked.
    pub nodes: Vec<Digest>,
    /// The stated output roots of the disputed layer's operators; empty when there are none.
    pub roots: Vec<TensorRoot>,
    /// The tiles under the node, 128 bytes each.
    pub tiles: Vec<u8>,
    /// The stated partial values.
    pub sums: Vec<i64>,
}

/// One match, followed from its opening on: the state of it, and what was shown.
///
/// It trusts the chain with times and clocks, and with the digest of what a preparation showed. Everything else in a state
/// follows from what was shown; an event that says otherwise is no event of this match, and from then on the follower is
/// lost: see [`Follower::is_lost`].
#[derive(Debug, Clone)]
pub struct Follower {
    id: MatchId,
    claim: ClaimId,
    number: u64,
    posted: Posted,
    seated: Seated,
    grace_seconds: u32,
    clock_seconds: u32,
    state: MatchState,
    /// The state that a verdict ended whose event said no word.
    ended: Option<MatchState>,
    lost: bool,
    shown: Shown,
}

impl Follower {
    /// A follower of the match about `posted` that `opened` announced at `opened_at`; `None` when that announces no match.
    #[must_use]
    pub fn new(
        program: &Program,
        parameters: &Parameters,
        opened_at: BlockTime,
        posted: Posted,
        opened: &Event,
    ) -> Option<Self> {
        let Event::MatchOpened { match_id, claim, challenger, number, commitment, bond } = opened else {
            return None;
        };
        let seat = Seat { commitment: *commitment, opened_at, bond: *bond };
        let seated = Seated { challenger: *challenger, seat };
        let header = program.header();
        let state = MatchState {
            node: posted.trace_root.0,
            scope: program.layers_root().0,
            challenger: *challenger,
            seat: ids::seat(&seat),
            ..MatchState::start(header.layers, header.reveal_bits, parameters, opened_at)
        };
        Some(Self {
            id: *match_id,
            claim: *claim,
            number: *number,
            posted,
            seated,
            grace_seconds: parameters.grace_seconds,
            clock_seconds: parameters.challenger_clock_seconds,
            state,
            ended: None,
            lost: false,
            shown: Shown::default(),
        })
    }

    /// Takes note of an event; those of other matches, and those that are no moves, are ignored.
    pub fn observe(&mut self, program: &Program, event: &Event) {
        let (about, word) = match event {
            Event::Revealed { match_id, word, .. }
            | Event::Picked { match_id, word, .. }
            | Event::SubTraced { match_id, word, .. }
            | Event::OperatorPicked { match_id, word, .. }
            | Event::TilesRevealed { match_id, word, .. }
            | Event::Prepared { match_id, word, .. }
            | Event::Named { match_id, word, .. }
            | Event::Folded { match_id, word, .. } => (*match_id, Some(*word)),
            Event::MatchWon { match_id, .. }
            | Event::MatchLost { match_id, .. }
            | Event::Reclaimed { match_id } => (*match_id, None),
            _ => return,
        };
        if about != self.id || self.lost {
            return;
        }
        match word {
            None => self.end(event),
            Some(word) => {
                let next = self.next(program, event).and_then(|next| with_clocks(next, word));
                match next {
                    Some(next) => self.state = next,
                    None => self.lost = true,
                }
            }
        }
    }

    /// The state after a move that `event` announces, clocks aside; notes what it shows.
    fn next(&mut self, program: &Program, event: &Event) -> Option<MatchState> {
        let now = self.state;
        let answered = MatchState { answers: now.answers.saturating_add(1), ..now };
        match (now.phase, event) {
            (Phase::LayerE | Phase::TileE, Event::Revealed { nodes, .. }) => {
                let bits = bits(&now);
                if nodes.len() != 1 << bits {
                    return None;
                }
                if now.phase == Phase::LayerE {
                    let (level, first) = (u32::from(now.remaining) - bits, u64::from(now.position) << bits);
                    self.shown.claimed.learn(level, first, nodes);
                }
                self.shown.nodes.clone_from(nodes);
                let phase = if now.phase == Phase::LayerE { Phase::LayerC } else { Phase::TileC };
                Some(MatchState { phase, ..answered })
            }
            (
                Phase::LayerE | Phase::LayerC | Phase::TileE | Phase::TileC,
                Event::Picked { word, node, .. },
            ) => self.picked(program, *word, *node),
            (Phase::SubE, Event::SubTraced { roots, .. }) if roots.len() == usize::from(now.operators) => {
                self.shown.roots.clone_from(roots);
                let list = Tree::new(roots.iter().map(|root| root.0).collect()).root();
                Some(MatchState { phase: Phase::SubC, node: list, list, ..answered })
            }
            (Phase::SubC, Event::OperatorPicked { position, .. }) => {
                let root = self.shown.roots.get(usize::try_from(*position).ok()?)?;
                let layer = program.layers().get(now.place as usize)?;
                let operator = OperatorIndex(layer.first.0 + position);
                Some(entered(program, operator, MatchState { node: root.0, ..now }))
            }
            (Phase::DataE, Event::TilesRevealed { tiles, .. }) if is_whole(tiles, &now) => {
                self.shown.tiles.clone_from(tiles);
                Some(MatchState { phase: Phase::Name, ..answered })
            }
            (Phase::DataE | Phase::Name, Event::Prepared { list, .. }) => {
                let operator = program.operators().get(now.place as usize)?;
                let whole = operator.terms() <= u64::from(operator.split);
                whole.then_some(MatchState { phase: Phase::Ready, list: *list, ..now })
            }
            (Phase::DataE | Phase::Name, Event::Named { element, value, .. }) => {
                let size = program.operators().get(now.place as usize)?.dtype.bytes();
                let in_tile = (TILE_BYTES / size) as u32;
                let position = element / in_tile;
                let under =
                    position < now.subject && position.checked_shr(now.remaining.into())? == now.position;
                under.then_some(MatchState {
                    phase: Phase::FoldE,
                    remaining: 0,
                    position,
                    element: u8::try_from(element % in_tile).ok()?,
                    subject: *value as u32,
                    node: Digest::default(),
                    ..now
                })
            }
            (Phase::FoldE, Event::Folded { sums, .. }) => {
                self.shown.sums.clone_from(sums);
                Some(MatchState { phase: Phase::Seg, node: ids::statement(sums), ..answered })
            }
            _ => None,
        }
    }

    /// Which child was picked, the word says.
    fn picked(&mut self, program: &Program, word: Digest, node: Digest) -> Option<MatchState> {
        let now = self.state;
        let bits = bits(&now);
        let in_layers = matches!(now.phase, Phase::LayerE | Phase::LayerC);
        let remaining = now.remaining - bits as u8;
        let said =
            MatchState::from_parts(&Standing { word, ..self.standing() }, node, now.challenger, now.seat)?;
        let position = match said.phase {
            // Entered: the word has gone on to the operator, or holds the layer in both.
            Phase::TileE | Phase::DataE if in_layers => {
                program.operators().get(said.place as usize)?;
                program.layer_of(OperatorIndex(said.place)).0.0
            }
            _ => said.position,
        };
        // Under the node, and what was revealed there.
        let child = position.checked_sub(u32::try_from(u64::from(now.position) << bits).ok()?)?;
        if child >> bits != 0 || self.shown.nodes.get(child as usize).is_some_and(|shown| *shown != node) {
            return None;
        }
        if in_layers {
            self.shown.claimed.learn(remaining.into(), position.into(), &[node]);
        }
        self.shown.nodes.clear();
        let next = MatchState { remaining, position, node, ..now };
        if u64::from(position) << remaining >= u64::from(now.subject) {
            return (node != padding(remaining.into())).then_some(MatchState { phase: Phase::Won, ..next });
        }
        if !in_layers {
            return Some(MatchState { phase: tile_phase(remaining), ..next });
        }
        if remaining > 0 {
            return Some(MatchState { phase: Phase::LayerE, ..next });
        }
        let layer = program.layers().get(position as usize)?;
        let next = MatchState { place: position, operators: layer.count, ..next };
        if layer.count == 1 {
            return Some(entered(program, layer.first, next));
        }
        let scope = program.layer_leaf(LayerIndex(position));
        Some(MatchState { phase: Phase::SubE, scope, ..next })
    }

    /// An event that says how it ended, but no word.
    fn end(&mut self, event: &Event) {
        let phase = match event {
            Event::MatchWon { .. } => Phase::Won,
            Event::MatchLost { .. } => Phase::Lost,
            _ => {
                self.state.phase = Phase::Reclaimed;
                return;
            }
        };
        if self.state.phase != phase {
            self.ended = Some(self.state);
            self.state.phase = phase;
        }
    }

    /// Makes the state after a verdict exact: verdicts by timeout, name and segment announce no word, so that it takes the
    /// verdict's time and a comparison with the chain's hash to tell them apart.
    ///
    /// True when the state is now the one with this `hash`. Nothing to do, and true, in any other state that has it.
    pub fn conclude(&mut self, at: BlockTime, hash: StateHash) -> bool {
        if let Some(before) = self.ended {
            let mut ends = self.ends(&before, at, self.state.phase).into_iter();
            if let Some(end) = ends.find(|end| end.hash() == hash) {
                (self.state, self.ended) = (end, None);
            }
        }
        self.state.hash() == hash
    }

    /// The states in which the match, `before` a verdict at `at`, may have ended.
    fn ends(&self, before: &MatchState, at: BlockTime, phase: Phase) -> Vec<MatchState> {
        let Some(side) = before.phase.turn() else { return Vec::new() };
        let elapsed = at.0.saturating_sub(before.turn_start.0).saturating_sub(u64::from(self.grace_seconds));
        let left = before.clock(side).saturating_sub(u32::try_from(elapsed).unwrap_or(u32::MAX));
        let mut end = MatchState { phase, turn_start: at, ..*before };
        match side {
            Side::Executor => end.executor_clock = left,
            Side::Challenger => end.challenger_clock = left,
        }
        let named = |slot: u32| {
            let position = (before.position << before.remaining) + slot;
            MatchState { remaining: 0, position, ..end }
        };
        match before.phase {
            Phase::DataE | Phase::Name | Phase::Ready if before.remaining <= 2 => {
                let slots = (0..1u32 << before.remaining).map(named);
                std::iter::once(end).chain(slots).collect()
            }
            _ => vec![end],
        }
    }

    /// Learns nodes of the claimed trace's tree that another match about the same claim has shown, so that the challenger
    /// need not wait for them again.
    pub fn learn(&mut self, claimed: &ClaimedNodes) {
        self.shown.claimed.merge(claimed);
    }
}

/// `next` with the times of `word`, if that is all that the word adds.
fn with_clocks(next: MatchState, word: Digest) -> Option<MatchState> {
    let standing = Standing { word, scope: next.scope, list: next.list };
    let said = MatchState::from_parts(&standing, next.node, next.challenger, next.seat)?;
    let next = MatchState {
        turn_start: said.turn_start,
        executor_clock: said.executor_clock,
        challenger_clock: said.challenger_clock,
        ..next
    };
    (next == said).then_some(next)
}

/// Levels of the tree that one reveal covers in `state`: min(b, remaining) among layers, min(b, remaining - 2) in a tensor.
pub(super) fn bits(state: &MatchState) -> u32 {
    u32::from(state.levels())
}

/// What a layer's leaf is the hash of, its domain byte aside: its head and the root of its operators (SPEC 3).
pub(super) fn whole_layer(program: &Program, layer: LayerIndex) -> Vec<u8> {
    let mut bytes = program.layer(layer).head();
    bytes.extend_from_slice(&program.operators_tree(layer).root().0);
    bytes
}

/// Whether these are the bytes of all tiles under the node that are not padding.
fn is_whole(tiles: &[u8], state: &MatchState) -> bool {
    tiles.len() as u64 == TILE_BYTES as u64 * state.real_tiles()
}

/// TILE_E while more than two levels remain, else DATA_E.
fn tile_phase(remaining: u8) -> Phase {
    if remaining > 2 { Phase::TileE } else { Phase::DataE }
}

/// The state in which the dispute about an operator's output begins (PROTOCOL 4.3, "entered").
fn entered(program: &Program, operator: OperatorIndex, at: MatchState) -> MatchState {
    let tiles = tile_count(program.operator(operator).output_bytes());
    let remaining = tensor_depth(tiles) as u8;
    MatchState {
        phase: tile_phase(remaining),
        remaining,
        position: 0,
        place: operator.0,
        subject: u32::try_from(tiles).expect("tensors have fewer than 2^31 elements"),
        scope: program.operator_leaf(operator),
        ..at
    }
}
