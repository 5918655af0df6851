//! The transition table (PROTOCOL 4.2–4.4): who may move in which phase, and one function a move.

use narrows_commitment::{
    Digest, TILE_BYTES, TensorRoot, Tile, Tree, depth_for, padding, tile_siblings, verify_path,
};

use crate::referee::{self, Descriptor, View};
use crate::{
    Call, ClaimId, Event, MatchId, MatchState, Opened, Phase, Point, Refusal, Side, Witness, signature,
};

use super::evidence::layer_leaf;
use super::layer::Head;
use super::{Claim, Game, Job, Registered, ids};

/// Who may send a move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    Anyone,
    /// Whose seat it is: the seat that the call gives has the sender for its challenger, and must be the state's.
    Challenger,
    /// The executor, who need not sign what it sends itself.
    ExecutorUnsigned,
    /// Anyone with the executor's signature.
    ExecutorSigned,
}

/// A row of the table: when a move is legal, and whose it is.
pub(super) struct Rule {
    pub phases: &'static [Phase],
    pub by: By,
    /// Whether it is an answer of the executor's side, whose gas a lost challenge pays.
    pub answers: bool,
    /// Whether it is the timeout, which is legal when moves no longer are.
    pub ends_turn: bool,
    /// Whether it is judged by the claim, and so refused once that has ended: what may end in a verdict, and the statement of
    /// partial values. A padding pick is one too, which its guard finds out.
    pub ends: bool,
}

/// The row of `call`; no phase at all for a call that is no move.
pub(super) fn rule(call: &Call) -> Rule {
    use Phase::{DataE, FoldE, LayerC, LayerE, Name, Ready, Seg, SubC, SubE, TileC, TileE};
    let executor = |signature: &[u8]| match signature {
        [] => By::ExecutorUnsigned,
        _ => By::ExecutorSigned,
    };
    let row = |phases, by, answers| Rule { phases, by, answers, ends_turn: false, ends: false };
    let last = |phases, by, answers| Rule { ends: true, ..row(phases, by, answers) };
    match call {
        Call::Reveal { .. } => row(&[LayerE, TileE], By::Anyone, true),
        Call::Pick { .. } => row(&[LayerC, TileC, LayerE, TileE], By::Challenger, false),
        Call::Enter { .. } => row(&[LayerC, LayerE], By::Challenger, false),
        Call::SubTrace { signature, .. } => row(&[SubE], executor(signature), true),
        Call::PickOperator { .. } => row(&[SubC], By::Challenger, false),
        Call::RevealTiles { .. } => row(&[DataE], By::Anyone, true),
        Call::Prepare { .. } => last(&[Name, DataE], By::Challenger, false),
        Call::Name { .. } => last(&[Name, DataE, Ready], By::Challenger, false),
        Call::Fold { signature, .. } => last(&[FoldE], executor(signature), true),
        Call::Segment { .. } => last(&[Seg], By::Challenger, false),
        Call::Timeout { .. } => {
            let phases = &[LayerE, LayerC, SubE, SubC, TileE, TileC, DataE, Name, FoldE, Seg, Ready];
            Rule { ends_turn: true, ..last(phases, By::Anyone, false) }
        }
        _ => row(&[], By::Anyone, false),
    }
}

/// What a move sees.
pub(super) struct Table<'a> {
    pub game: &'a Game,
    pub id: MatchId,
    pub claim_id: ClaimId,
    /// The state that the move answers, with the clocks that the next one has.
    pub state: MatchState,
    pub claim: &'a Claim,
    pub job: &'a Job,
    /// Whose turn it is.
    pub side: Side,
    /// Whether the turn has run out.
    pub expired: bool,
}

/// Where a move leads.
pub(super) struct Next {
    pub state: MatchState,
    /// What the move announces.
    pub events: Vec<Event>,
    /// Where a verdict found the fault, if it knows what is right.
    pub right: Option<Point>,
}

type Judged = Result<Next, Refusal>;

impl Next {
    fn shown(state: MatchState, event: Event) -> Judged {
        Ok(Self { state, events: vec![event], right: None })
    }

    fn verdict(phase: Phase, state: MatchState) -> Self {
        Self { state: MatchState { phase, ..state }, events: Vec::new(), right: None }
    }
}

impl Table<'_> {
    /// The guard of `call`, and where it leads. That its evidence gives the current node is known already.
    pub fn play(&self, call: &Call) -> Judged {
        match call {
            Call::Reveal { nodes, .. } => self.reveal(nodes),
            Call::Pick { child, node, siblings, .. } => self.pick(*child, *node, siblings),
            Call::Enter { child, node, siblings, layer, operator, path, .. } => {
                self.enter(*child, *node, siblings, &Entry { layer, operator, path })
            }
            Call::SubTrace { layer, roots, signature, .. } => self.sub_trace(layer, roots, signature),
            Call::PickOperator { position, layer, operator, operator_path, root, root_path, .. } => {
                let entry = Entry { layer, operator, path: operator_path };
                self.pick_operator(*position, &entry, *root, root_path)
            }
            Call::RevealTiles { tiles, .. } => self.reveal_tiles(tiles),
            Call::Prepare { operator, witness, .. } => self.prepare(operator, witness),
            Call::Name { tile, slot, siblings, element, operator, witness, .. } => {
                self.name(tile, *slot, siblings, *element, operator, witness)
            }
            Call::Fold { operator, sums, params, third, signature, .. } => {
                self.fold(operator, sums, params, third, signature)
            }
            Call::Segment { operator, sums, index, witness, .. } => {
                self.segment(operator, sums, *index, witness)
            }
            Call::Timeout { .. } => self.timeout(),
            _ => Err(Refusal::WrongPhase),
        }
    }

    /// LAYER_E, TILE_E: the descendants of the current node.
    fn reveal(&self, nodes: &[Digest]) -> Judged {
        if nodes.len() != 1 << self.state.levels() {
            return Err(Refusal::WrongCount);
        }
        let phase = if self.state.phase == Phase::LayerE { Phase::LayerC } else { Phase::TileC };
        let next = MatchState { phase, ..self.state };
        Next::shown(next, Event::Revealed { match_id: self.id, word: next.word(), nodes: nodes.to_vec() })
    }

    /// LAYER_C, TILE_C, and the E phases before them: the first descendant that differs, if it is no layer.
    fn pick(&self, child: u32, node: Digest, siblings: &[Digest]) -> Judged {
        let at = MatchState { node, ..self.descend(child, siblings)? };
        let in_layers = matches!(at.phase, Phase::LayerE | Phase::LayerC);
        let next = if begins_beyond(at.position, at.remaining, at.subject) {
            if node == padding(u32::from(at.remaining)) {
                return Err(Refusal::PaddingHonest);
            }
            self.claim.playable(self.state.turn_start)?;
            MatchState { phase: Phase::Won, ..at }
        } else if !in_layers {
            MatchState { phase: tile_phase(at.remaining), ..at }
        } else if at.remaining > 0 {
            MatchState { phase: Phase::LayerE, ..at }
        } else {
            // Of a layer the program has to be shown.
            return Err(Refusal::WrongLength);
        };
        Next::shown(next, Event::Picked { match_id: self.id, word: next.word(), node })
    }

    /// LAYER_C, and LAYER_E before it: the first layer that differs. That it stands under the program's root is known from the
    /// state; that it does so at its depth is not.
    fn enter(&self, child: u32, node: Digest, siblings: &[Digest], entry: &Entry<'_>) -> Judged {
        let at = MatchState { node, ..self.descend(child, siblings)? };
        if at.remaining > 0 {
            return Err(Refusal::WitnessExtra);
        }
        if entry.path.len() != depth_for(at.subject.into()) as usize {
            return Err(Refusal::BadOpening);
        }
        let head = Head::parse(entry.layer).ok_or(Refusal::WrongLength)?;
        let at = MatchState { operators: head.count, ..at };
        let next = match Descriptor::decode(entry.operator).filter(|_| head.count == 1) {
            Some(operator) => enter_operator(at, head.first, &operator, node)?,
            None => {
                let scope = layer_leaf(entry.layer, entry.operator)?;
                MatchState { phase: Phase::SubE, place: at.position, scope, ..at }
            }
        };
        Next::shown(next, Event::Picked { match_id: self.id, word: next.word(), node })
    }

    /// The state at descendant `child` of the current node, k levels below it; phase and node stay.
    fn descend(&self, child: u32, siblings: &[Digest]) -> Result<MatchState, Refusal> {
        let levels = self.state.levels();
        if siblings.len() != usize::from(levels) {
            return Err(Refusal::WrongCount);
        }
        if child >> levels != 0 {
            return Err(Refusal::WrongCount);
        }
        let remaining = self.state.remaining - levels;
        let position = (u64::from(self.state.position) << levels) + u64::from(child);
        let position =
            u32::try_from(position).expect("the node before it is above one of fewer than 2^32 leaves");
        Ok(MatchState { remaining, position, ..self.state })
    }

    /// SUB_E: the executor's statement of its operators' outputs, of which the exported ones are the claimed leaf.
    fn sub_trace(&self, layer: &[u8], roots: &[TensorRoot], signature: &[u8]) -> Judged {
        let (head, _) = Head::parse_whole(layer).ok_or(Refusal::WrongCount)?;
        if roots.len() != usize::from(head.count) {
            return Err(Refusal::WrongCount);
        }
        let list = Tree::new(roots.iter().map(|root| root.0).collect()).root();
        let (chain_id, game) = (self.game.chain_id, self.game.address);
        self.signed(ids::sub_trace_digest(chain_id, game, self.claim_id, self.state.place, list), signature)?;
        let next = MatchState { phase: Phase::SubC, list, node: list, ..self.state };
        Next::shown(next, Event::SubTraced { match_id: self.id, word: next.word(), roots: roots.to_vec() })
    }

    /// SUB_C: the first operator whose output differs.
    fn pick_operator(
        &self,
        position: u32,
        entry: &Entry<'_>,
        root: TensorRoot,
        root_path: &[Digest],
    ) -> Judged {
        if position >= u32::from(self.state.operators) {
            return Err(Refusal::WrongIndex);
        }
        let (head, operators_root) =
            Head::parse_whole(entry.layer).expect("what has the scope's hash is the layer that was entered");
        let (depth, at) = (head.depth(), u64::from(position));
        let leaf = referee::operator_leaf(entry.operator);
        verify_path(&operators_root, depth, at, leaf, entry.path).map_err(|_| Refusal::BadOpening)?;
        // That they lead to the list is known from the state.
        if root_path.len() != depth as usize {
            return Err(Refusal::BadOpening);
        }
        // What has another length stands in no legal program.
        let operator = Descriptor::decode(entry.operator).ok_or(Refusal::WrongDescriptor)?;
        let next = enter_operator(self.state, head.first.wrapping_add(position), &operator, root.0)?;
        Next::shown(next, Event::OperatorPicked { match_id: self.id, word: next.word(), position })
    }

    /// DATA_E: the tiles under the current node.
    fn reveal_tiles(&self, tiles: &[u8]) -> Judged {
        if tiles.len() as u64 != self.state.real_tiles() * TILE_BYTES as u64 {
            return Err(Refusal::WrongLength);
        }
        let next = MatchState { phase: Phase::Name, ..self.state };
        let event = Event::TilesRevealed { match_id: self.id, word: next.word(), tiles: tiles.to_vec() };
        Next::shown(next, event)
    }

    /// NAME, and DATA_E before it: the nodes above the tiles that the next move opens.
    fn prepare(&self, operator: &[u8], witness: &Witness) -> Judged {
        let operator = the_operator(operator);
        if operator.terms() > operator.split() {
            return Err(Refusal::WitnessExtra);
        }
        let list = referee::prepare(&self.view(), &operator, witness)?;
        let next = MatchState { phase: Phase::Ready, list, ..self.state };
        Next::shown(next, Event::Prepared { match_id: self.id, word: next.word(), list })
    }

    /// NAME, READY, and DATA_E before them: the first element that differs, proved at once if its fold is one segment.
    fn name(
        &self,
        tile: &[u8],
        slot: u8,
        siblings: &[Digest],
        element: u8,
        operator: &[u8],
        witness: &Witness,
    ) -> Judged {
        let tile: &Tile = tile.try_into().map_err(|_| Refusal::WrongLength)?;
        if siblings.len() != tile_siblings(self.state.remaining.into()) {
            return Err(Refusal::WrongCount);
        }
        if u64::from(slot) >= self.state.real_tiles() {
            return Err(Refusal::WrongIndex);
        }
        let operator = the_operator(operator);
        let in_tile = TILE_BYTES / operator.element_bytes();
        if usize::from(element) >= in_tile {
            return Err(Refusal::WrongIndex);
        }
        // A real tile's index, and so below 2^32.
        let position = (self.state.position << self.state.remaining) + u32::from(slot);
        let at = MatchState { remaining: 0, position, ..self.state };
        let value = referee::read_element(&operator, tile, element);
        let e = u64::from(position) * in_tile as u64 + u64::from(element);
        if e >= operator.elements() {
            if value == 0 {
                return Err(Refusal::PaddingHonest);
            }
            return Ok(Next::verdict(Phase::Won, at));
        }
        if operator.terms() <= operator.split() {
            let right = match self.state.phase {
                Phase::Ready => referee::prepared_step(self.state.list, &operator, e, witness)?,
                _ => referee::step(&self.view(), &operator, e, None, witness)?,
            };
            if right == value {
                return Ok(Next::verdict(Phase::Lost, at));
            }
            let point = operator.point(self.state.place, e, right, tile);
            return Ok(Next { right: Some(point), ..Next::verdict(Phase::Won, at) });
        }
        if *witness != Witness::default() {
            return Err(Refusal::WitnessExtra);
        }
        let value = i32::try_from(value).expect("elements have at most 4 bytes");
        let named = u32::try_from(e).expect("tensors have fewer than 2^31 elements");
        let next =
            MatchState { phase: Phase::FoldE, element, subject: value as u32, node: Digest::default(), ..at };
        Next::shown(next, Event::Named { match_id: self.id, word: next.word(), element: named, value })
    }

    /// FOLD_E: the executor's statement of the element's partial values.
    fn fold(
        &self,
        operator: &[u8],
        sums: &[i64],
        params: &Opened,
        third: &Opened,
        signature: &[u8],
    ) -> Judged {
        let operator = the_operator(operator);
        if sums.len() as u64 != operator.segments() {
            return Err(Refusal::WrongCount);
        }
        let e = self.state.named_element(operator.element_bytes()).0;
        let value = referee::settle_fold(&self.view(), &operator, e.into(), sums, params, third)?;
        if value != i64::from(self.state.value()) {
            return Err(Refusal::FoldMismatch);
        }
        let node = ids::statement(sums);
        let (chain_id, game) = (self.game.chain_id, self.game.address);
        self.signed(ids::sums_digest(chain_id, game, self.claim_id, self.state.place, e, node), signature)?;
        let next = MatchState { phase: Phase::Seg, node, ..self.state };
        Next::shown(next, Event::Folded { match_id: self.id, word: next.word(), sums: sums.to_vec() })
    }

    /// SEG: one partial value, recomputed.
    fn segment(&self, operator: &[u8], sums: &[i64], index: u32, witness: &Witness) -> Judged {
        let operator = the_operator(operator);
        let stated = usize::try_from(index).ok().and_then(|index| sums.get(index));
        let stated = *stated.ok_or(Refusal::WrongIndex)?;
        let e = self.state.named_element(operator.element_bytes()).0;
        let right = referee::step(&self.view(), &operator, e.into(), Some(index), witness)?;
        let phase = if right == stated { Phase::Lost } else { Phase::Won };
        Ok(Next::verdict(phase, self.state))
    }

    /// Any phase: the turn has run out.
    fn timeout(&self) -> Judged {
        if !self.expired {
            return Err(Refusal::NotYet);
        }
        let phase = match self.side {
            Side::Executor => Phase::Won,
            Side::Challenger => Phase::Lost,
        };
        Ok(Next::verdict(phase, self.state))
    }

    fn program(&self) -> &Registered {
        self.game.program_of(self.job)
    }

    /// Whether a statement counts: sent by the executor itself, which is known by now, or signed by it.
    fn signed(&self, digest: Digest, given: &[u8]) -> Result<(), Refusal> {
        if given.is_empty() || signature::recover(digest, given) == Some(self.claim.posted.executor) {
            return Ok(());
        }
        Err(Refusal::BadSignature)
    }

    fn view(&self) -> View {
        View {
            input_root: self.job.input_root,
            trace_root: self.claim.posted.trace_root,
            layers_depth: self.program().layers_depth(),
            list: self.state.list,
            operators: self.state.operators,
        }
    }
}

/// The disputed operator: its leaf is the state's scope, as was found when the state was compared.
fn the_operator(operator: &[u8]) -> Descriptor {
    Descriptor::decode(operator).expect("what has the scope's hash is the operator that was entered")
}

/// What a pick that reaches an operator shows of the program.
struct Entry<'a> {
    layer: &'a [u8],
    operator: &'a [u8],
    path: &'a [Digest],
}

/// The dispute goes on in the output, of root `node`, of the operator at `index` in the program.
fn enter_operator(
    at: MatchState,
    index: u32,
    operator: &Descriptor,
    node: Digest,
) -> Result<MatchState, Refusal> {
    if !operator.is_sized() {
        return Err(Refusal::WrongDescriptor);
    }
    let remaining = operator.output_depth();
    Ok(MatchState {
        phase: tile_phase(remaining),
        remaining,
        position: 0,
        // The word holds 24 bits; an index of a legal program has 20.
        place: index & 0xff_ffff,
        subject: u32::try_from(operator.output_tiles()).expect("2^31 elements of 4 bytes fill 2^26 tiles"),
        node,
        scope: operator.operator_leaf(),
        ..at
    })
}

/// The phase in which the executor owes what is under a node of a tensor's tree.
const fn tile_phase(remaining: u8) -> Phase {
    if remaining > 2 { Phase::TileE } else { Phase::DataE }
}

/// Whether the node's first leaf is padding: position * 2^remaining >= leaves.
fn begins_beyond(position: u32, remaining: u8, leaves: u32) -> bool {
    let width = 1u128.checked_shl(remaining.into()).unwrap_or(u128::MAX);
    u128::from(position).checked_mul(width).is_none_or(|first| first >= u128::from(leaves))
}
