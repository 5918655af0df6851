//! The transition table (PROTOCOL 4.2–4.4): who may move in which phase, and one function a move.

use narrows_commitment::{Digest, TILE_BYTES, Tile, depth_for, fold_up, padding, tile_leaf, verify_path};
use narrows_program::{DType, LayerIndex, limits};

use crate::referee::{self, Descriptor, View};
use crate::{Call, Event, MatchId, MatchState, Opened, Phase, Refusal, Side, StateHash, Witness};

use super::{Claim, Job, Registered, ids};

/// Who may send a move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    Anyone,
    Challenger,
    Executor,
}

/// A row of the table: when a move is legal, whose it is, and the state that it names.
pub(super) struct Rule {
    pub phases: &'static [Phase],
    pub by: By,
    /// `None` for the timeout, which names no state.
    pub state: Option<StateHash>,
}

/// The row of `call`; no phase at all for a call that is no move.
pub(super) fn rule(call: &Call) -> Rule {
    use Phase::{DataE, FoldE, LayerC, LayerE, Name, Seg, TileC, TileE};
    let row = |phases, by, state: &StateHash| Rule { phases, by, state: Some(*state) };
    match call {
        Call::Reveal { state, .. } => row(&[LayerE, TileE], By::Anyone, state),
        Call::Pick { state, .. } => row(&[LayerC, TileC, LayerE, TileE], By::Challenger, state),
        Call::RevealTile { state, .. } => row(&[DataE], By::Anyone, state),
        Call::Name { state, .. } => row(&[Name, DataE], By::Challenger, state),
        Call::Fold { state, .. } => row(&[FoldE], By::Executor, state),
        Call::Segment { state, .. } => row(&[Seg], By::Challenger, state),
        Call::Timeout { .. } => Rule {
            phases: &[LayerE, LayerC, TileE, TileC, DataE, Name, FoldE, Seg],
            by: By::Anyone,
            state: None,
        },
        _ => Rule { phases: &[], by: By::Anyone, state: None },
    }
}

/// What a move sees.
pub(super) struct Table<'a> {
    pub id: MatchId,
    pub state: MatchState,
    pub claim: &'a Claim,
    pub job: &'a Job,
    pub program: &'a Registered,
    /// Whose turn it is.
    pub side: Side,
    /// Whether the turn has run out.
    pub expired: bool,
}

/// The state after a move, clocks aside, and what the move announces.
type Next = Result<(MatchState, Vec<Event>), Refusal>;

impl Table<'_> {
    /// The guard of `call`, and where it leads.
    pub fn play(&self, call: &Call) -> Next {
        match call {
            Call::Reveal { nodes, .. } => self.reveal(nodes),
            Call::Pick { nodes, child, descriptor, path, .. } => self.pick(nodes, *child, descriptor, path),
            Call::RevealTile { tile, .. } => self.reveal_tile(tile),
            Call::Name { tile, element, descriptor, witness, .. } => {
                self.name(tile, *element, descriptor, witness)
            }
            Call::Fold { descriptor, sums, params, .. } => self.fold(descriptor, sums, params),
            Call::Segment { descriptor, sums, index, witness, .. } => {
                self.segment(descriptor, sums, *index, witness)
            }
            Call::Timeout { .. } => self.timeout(),
            _ => Err(Refusal::WrongPhase),
        }
    }

    /// LAYER_E, TILE_E: descendants of the current node.
    fn reveal(&self, nodes: &[Digest]) -> Next {
        if nodes.len() != self.arity() {
            return Err(Refusal::WrongCount);
        }
        self.hashes_up(nodes)?;
        let phase = if self.state.phase == Phase::LayerE { Phase::LayerC } else { Phase::TileC };
        let event = Event::Revealed { match_id: self.id, nodes: nodes.to_vec() };
        Ok((MatchState { phase, ..self.state }, vec![event]))
    }

    /// LAYER_C, TILE_C, and the E phases before them: the first descendant that differs.
    fn pick(&self, nodes: &[Digest], child: u32, descriptor: &[u8], path: &[Digest]) -> Next {
        let picked = usize::try_from(child).ok().and_then(|child| nodes.get(child));
        let node = *picked.filter(|_| nodes.len() == self.arity()).ok_or(Refusal::WrongCount)?;
        self.hashes_up(nodes)?;
        let bits = self.bits();
        let remaining = self.state.remaining - bits;
        let position = (u64::from(self.state.position) << bits) + u64::from(child);
        let in_layers = matches!(self.state.phase, Phase::LayerE | Phase::LayerC);
        let leaves = if in_layers { self.program.header.layers } else { self.state.tiles };
        // Below 2^32: the parent covered one of fewer than 2^32 leaves, and this is a node under it.
        let position = u32::try_from(position).map_err(|_| Refusal::WrongDescriptor)?;
        let mut next = MatchState { remaining, position, node, ..self.state };
        let events = vec![Event::Picked { match_id: self.id, child }];
        if begins_beyond(position, remaining, leaves) {
            if node == padding(u32::from(remaining)) {
                return Err(Refusal::PaddingHonest);
            }
            next.phase = Phase::Won;
        } else if !in_layers || remaining > 0 {
            if !descriptor.is_empty() || !path.is_empty() {
                return Err(Refusal::WitnessExtra);
            }
            next.phase = match remaining {
                0 => Phase::DataE,
                _ if in_layers => Phase::LayerE,
                _ => Phase::TileE,
            };
        } else {
            next = self.enter_layer(next, descriptor, path)?;
        }
        Ok((next, events))
    }

    /// The pick that reaches a layer leaf: the dispute goes on in that layer's output.
    fn enter_layer(&self, at: MatchState, descriptor: &[u8], path: &[Digest]) -> Result<MatchState, Refusal> {
        let layer = LayerIndex(at.position);
        let descriptor = Descriptor::decode(descriptor).ok_or(Refusal::WrongLength)?;
        let (root, depth) = (&self.program.layers_root.0, self.program.layers_depth());
        verify_path(root, depth, u64::from(layer.0), descriptor.layer_leaf(layer), path)
            .map_err(|_| Refusal::BadOpening)?;
        if !is_sized(&descriptor) {
            return Err(Refusal::WrongDescriptor);
        }
        let tiles = u32::try_from(descriptor.output_tiles()).map_err(|_| Refusal::WrongDescriptor)?;
        let remaining = u8::try_from(descriptor.output_depth()).map_err(|_| Refusal::WrongDescriptor)?;
        let phase = if remaining == 0 { Phase::DataE } else { Phase::TileE };
        let operator = descriptor.operator_leaf();
        Ok(MatchState { phase, remaining, position: 0, layer, tiles, operator, ..at })
    }

    /// DATA_E: the disputed tile.
    fn reveal_tile(&self, tile: &[u8]) -> Next {
        self.is_node(tile)?;
        let event = Event::TileRevealed { match_id: self.id, tile: tile.to_vec() };
        Ok((MatchState { phase: Phase::Name, ..self.state }, vec![event]))
    }

    /// NAME, and DATA_E before it: the first element that differs, proved at once if its fold is one segment.
    fn name(&self, tile: &[u8], element: u8, descriptor: &[u8], witness: &Witness) -> Next {
        let tile = self.is_node(tile)?;
        let descriptor = self.the_operator(descriptor)?;
        if usize::from(element) >= TILE_BYTES / descriptor.element_bytes() {
            return Err(Refusal::WrongIndex);
        }
        let value = referee::read_element(&descriptor, tile, element);
        let e = self.element(&descriptor, element);
        if e >= descriptor.elements() {
            return if value == 0 { Err(Refusal::PaddingHonest) } else { Ok(self.verdict(Phase::Won)) };
        }
        if descriptor.terms() <= descriptor.split() {
            let right = referee::step(&self.view(), &descriptor, e, None, witness)?;
            return Ok(self.verdict(if right == value { Phase::Lost } else { Phase::Won }));
        }
        if *witness != Witness::default() {
            return Err(Refusal::WitnessExtra);
        }
        let value = i32::try_from(value).expect("elements have at most 4 bytes");
        let named = u32::try_from(e).expect("tensors have fewer than 2^31 elements");
        let event = Event::Named { match_id: self.id, element: named, value };
        Ok((MatchState { phase: Phase::FoldE, element, value, ..self.state }, vec![event]))
    }

    /// FOLD_E: the executor's statement of the element's partial values.
    fn fold(&self, descriptor: &[u8], sums: &[i64], params: &Opened) -> Next {
        let descriptor = self.the_operator(descriptor)?;
        if sums.len() as u64 != descriptor.segments() {
            return Err(Refusal::WrongCount);
        }
        let e = self.element(&descriptor, self.state.element);
        let value = referee::settle_fold(&self.view(), &descriptor, e, sums, params)?;
        if value != i64::from(self.state.value) {
            return Err(Refusal::FoldMismatch);
        }
        let event = Event::Folded { match_id: self.id, sums: sums.to_vec() };
        let node = ids::statement(sums);
        Ok((MatchState { phase: Phase::Seg, node, ..self.state }, vec![event]))
    }

    /// SEG: one partial value, recomputed.
    fn segment(&self, descriptor: &[u8], sums: &[i64], index: u32, witness: &Witness) -> Next {
        let descriptor = self.the_operator(descriptor)?;
        if ids::statement(sums) != self.state.node {
            return Err(Refusal::WrongStatement);
        }
        let stated = usize::try_from(index).ok().and_then(|index| sums.get(index));
        let stated = *stated.ok_or(Refusal::WrongIndex)?;
        if witness.params != Opened::default() {
            return Err(Refusal::WitnessExtra);
        }
        let e = self.element(&descriptor, self.state.element);
        let right = referee::step(&self.view(), &descriptor, e, Some(index), witness)?;
        Ok(self.verdict(if right == stated { Phase::Lost } else { Phase::Won }))
    }

    /// Any phase: the turn has run out.
    fn timeout(&self) -> Next {
        if !self.expired {
            return Err(Refusal::NotYet);
        }
        Ok(self.verdict(match self.side {
            Side::Executor => Phase::Won,
            Side::Challenger => Phase::Lost,
        }))
    }

    fn verdict(&self, phase: Phase) -> (MatchState, Vec<Event>) {
        (MatchState { phase, ..self.state }, Vec::new())
    }

    /// k = min(b, remaining).
    fn bits(&self) -> u8 {
        self.program.header.reveal_bits.min(self.state.remaining)
    }

    /// 2^k.
    fn arity(&self) -> usize {
        1 << self.bits()
    }

    fn hashes_up(&self, nodes: &[Digest]) -> Result<(), Refusal> {
        if fold_up(nodes) == Some(self.state.node) { Ok(()) } else { Err(Refusal::BadOpening) }
    }

    fn is_node<'t>(&self, tile: &'t [u8]) -> Result<&'t Tile, Refusal> {
        let tile: &Tile = tile.try_into().map_err(|_| Refusal::WrongLength)?;
        if tile_leaf(tile) == self.state.node { Ok(tile) } else { Err(Refusal::BadOpening) }
    }

    fn the_operator(&self, descriptor: &[u8]) -> Result<Descriptor, Refusal> {
        let descriptor = Descriptor::decode(descriptor).ok_or(Refusal::WrongDescriptor)?;
        if descriptor.operator_leaf() == self.state.operator {
            Ok(descriptor)
        } else {
            Err(Refusal::WrongDescriptor)
        }
    }

    /// The index in the disputed tensor of element `element` of the disputed tile.
    fn element(&self, descriptor: &Descriptor, element: u8) -> u64 {
        let in_tile = TILE_BYTES / descriptor.element_bytes();
        u64::from(self.state.position) * in_tile as u64 + u64::from(element)
    }

    fn view(&self) -> View {
        View {
            input_root: self.job.input_root,
            trace_root: self.claim.trace_root,
            layers_depth: self.program.layers_depth(),
            constants_root: self.program.constants_root,
            constants_depth: depth_for(u64::from(self.program.header.constants)),
        }
    }
}

/// Whether the node's first leaf is padding: position * 2^remaining >= leaves.
fn begins_beyond(position: u32, remaining: u8, leaves: u32) -> bool {
    let first = u128::from(position).checked_mul(1u128.checked_shl(remaining.into()).unwrap_or(u128::MAX));
    first.is_none_or(|first| first >= u128::from(leaves))
}

/// Whether a descriptor keeps to the limits of SPEC 5 on which the arithmetic here rests. Those of legal programs do.
fn is_sized(descriptor: &Descriptor) -> bool {
    let integer = |code: u8| DType::from_code(code).is_some_and(DType::is_integer);
    let [_, _, output, a, b, ..] = *descriptor.bytes();
    integer(output)
        && integer(a)
        && (b == 0 || integer(b))
        && (1..=limits::MAX_ELEMENTS).contains(&descriptor.elements())
        && (1..=limits::MAX_TERMS).contains(&descriptor.terms())
        && (1..=u64::from(limits::MAX_SPLIT)).contains(&descriptor.split())
}
