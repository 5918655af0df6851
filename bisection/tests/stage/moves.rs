//! Every move that a match's present state leaves to anybody, and calls that answer it out of turn.

use narrows_bisection::game::ids;
use narrows_bisection::{Call, Match, MatchState, Opened, Phase, Witness};
use narrows_commitment::{Digest, TILE_BYTES, Tree, node_over, padding, tile_leaf};
use narrows_program::{LayerIndex, Operator, OperatorIndex, Reference, Source};

use super::claimed::Tensor;
use super::evaluate::{Stated, address, b_address, combine, fold, record_address, statements, sums, third};
use super::scene::{Scene, sign};

/// Who has to send a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum By {
    Anyone,
    Challenger,
    Executor,
}

/// A call about a match.
#[derive(Debug, Clone, PartialEq)]
pub struct Move {
    pub by: By,
    /// Whether the executor's side owes it: an answer.
    pub answers: bool,
    pub call: Call,
}

fn answer(by: By, call: Call) -> Move {
    Move { by, answers: true, call }
}

fn choice(call: Call) -> Move {
    Move { by: By::Challenger, answers: false, call }
}

/// Levels that a reveal or a pick covers (PROTOCOL 4.2).
fn levels(scene: &Scene, state: &MatchState) -> u32 {
    let below = match state.phase {
        Phase::LayerE | Phase::LayerC => state.remaining,
        _ => state.remaining.saturating_sub(2),
    };
    u32::from(scene.program.header().reveal_bits.min(below))
}

impl Scene {
    /// Which of the claim's statements the match goes by; the first one's where the list is none.
    pub fn stated(&self, state: &MatchState) -> Stated {
        let layer = match state.phase {
            Phase::SubC => LayerIndex(state.place),
            _ => self.program.layer_of(OperatorIndex(state.place)).0,
        };
        self.claimed.stated_by(layer, state.list)
    }

    fn operator(&self, state: &MatchState) -> &Operator {
        self.program.operator(OperatorIndex(state.place))
    }

    /// The disputed tensor.
    fn tensor(&self, state: &MatchState) -> &Tensor {
        self.claimed.output(self.stated(state), OperatorIndex(state.place))
    }

    /// The nodes that the present reveal shows, or the present pick picks from.
    pub fn nodes(&self, state: &MatchState) -> Vec<Digest> {
        let (level, index) = (u32::from(state.remaining), u64::from(state.position));
        let bits = levels(self, state);
        match state.phase {
            Phase::LayerE | Phase::LayerC => self.claimed.tree.descendants(level, index, bits),
            _ => self.tensor(state).tree.descendants(level, index, bits),
        }
    }

    pub fn reveal(&self, at: &Match, nodes: Vec<Digest>) -> Call {
        let state = &at.state;
        Call::Reveal { claim: self.claim, number: at.number, footing: state.shown(), nodes }
    }

    /// The pick of `child`, with all that it has to show.
    pub fn pick(&self, at: &Match, child: u32) -> Call {
        let (state, nodes) = (&at.state, self.nodes(&at.state));
        let bits = levels(self, state);
        let position = (u64::from(state.position) << bits) + u64::from(child);
        let in_layers = matches!(state.phase, Phase::LayerE | Phase::LayerC);
        let enters =
            in_layers && u32::from(state.remaining) == bits && position < self.program.layers().len() as u64;
        let (node, siblings) = (nodes[child as usize], Tree::new(nodes).path(child.into()));
        if enters {
            let entered = self.program.layer(LayerIndex(position as u32));
            let operator = match entered.count {
                1 => self.operators[entered.first.0 as usize].clone(),
                _ => self.trees[position as usize].root().0.to_vec(),
            };
            let path = self.program.layers_tree().path(position);
            self.entering(at, child, node, siblings, [entered.head(), operator], path)
        } else {
            self.picking(at, child, node, siblings)
        }
    }

    /// Any pick inside a tree.
    pub fn picking(&self, at: &Match, child: u32, node: Digest, siblings: Vec<Digest>) -> Call {
        let (claim, number, footing) = (self.claim, at.number, at.state.picked());
        Call::Pick { claim, number, footing, child, node, siblings }
    }

    /// Any pick of a layer.
    pub fn entering(
        &self,
        at: &Match,
        child: u32,
        node: Digest,
        siblings: Vec<Digest>,
        [layer, operator]: [Vec<u8>; 2],
        path: Vec<Digest>,
    ) -> Call {
        Call::Enter {
            claim: self.claim,
            number: at.number,
            footing: at.state.seated(),
            child,
            node,
            siblings,
            layer,
            operator,
            path,
        }
    }

    pub fn sub_trace(&self, at: &Match, layer: LayerIndex, stated: Stated, signed: bool) -> Call {
        let list = self.claimed.list(stated, layer).root();
        let digest = ids::sub_trace_digest(self.chain_id, self.address, self.claim, layer.0, list);
        Call::SubTrace {
            posted: self.posted,
            number: at.number,
            footing: at.state.seated(),
            challenger: at.state.challenger,
            layer: self.layers[layer.0 as usize].clone(),
            roots: self.claimed.roots(stated, layer),
            signature: if signed { sign(digest) } else { Vec::new() },
        }
    }

    pub fn pick_operator(&self, at: &Match, position: u32) -> Call {
        let layer = LayerIndex(at.state.place);
        let list = self.claimed.list(self.stated(&at.state), layer);
        let first = self.program.layer(layer).first.0;
        Call::PickOperator {
            claim: self.claim,
            number: at.number,
            footing: at.state.seated(),
            position,
            layer: self.layers[layer.0 as usize].clone(),
            operator: self.operators[(first + position) as usize].clone(),
            operator_path: self.trees[layer.0 as usize].path(position.into()),
            root: narrows_commitment::TensorRoot(list.node(0, position.into())),
            root_path: list.path(position.into()),
        }
    }

    /// The real tiles under the node.
    fn tiles_under(&self, state: &MatchState) -> std::ops::Range<u64> {
        let first = u64::from(state.position) << state.remaining;
        first..self.tensor(state).tiles().min(first + (1 << state.remaining))
    }

    pub fn reveal_tiles(&self, at: &Match) -> Call {
        let state = &at.state;
        let tiles = self.tiles_under(state).flat_map(|tile| self.tensor(state).tile(tile).to_vec()).collect();
        Call::RevealTiles { claim: self.claim, number: at.number, footing: state.shown(), tiles }
    }

    /// What recomputing `element` of tile `slot` under the node reads; `None` where that is no step.
    pub fn step(&self, state: &MatchState, stated: Stated, slot: u64, element: u8) -> Option<Witness> {
        let operator = self.operator(state);
        let tile = (u64::from(state.position) << state.remaining) + slot;
        let e = tile * (TILE_BYTES / operator.dtype.bytes()) as u64 + u64::from(element);
        let whole = e < operator.elements() && operator.terms() <= u64::from(operator.split);
        whole.then(|| self.witness(stated, OperatorIndex(state.place), e, None))
    }

    /// Names `element` of tile `slot` under the node, with a witness from the claimed trace if one is due.
    pub fn name(&self, at: &Match, slot: u64, element: u8) -> Call {
        let stated = self.stated(&at.state);
        let witness = self.step(&at.state, stated, slot, element).unwrap_or_default();
        self.naming(at, stated, slot, element, witness)
    }

    /// The name of an element of the tensor as it is stated, with this witness.
    pub fn naming(&self, at: &Match, stated: Stated, slot: u64, element: u8, witness: Witness) -> Call {
        let state = &at.state;
        let tile = (u64::from(state.position) << state.remaining) + slot;
        let tensor = self.claimed.output(stated, OperatorIndex(state.place));
        let first = u64::from(state.position) << state.remaining;
        let beside = (0..1 << state.remaining).filter(|other| *other != slot);
        Call::Name {
            posted: self.posted,
            number: at.number,
            footing: state.seated(),
            list: state.list,
            tile: tensor.tile(tile).to_vec(),
            slot: slot as u8,
            siblings: beside.map(|other| tensor.tree.node(0, first + other)).collect(),
            element,
            operator: self.operators[state.place as usize].clone(),
            witness: Box::new(witness),
        }
    }

    pub fn fold(&self, at: &Match, sums: Vec<i64>, signed: bool) -> Call {
        let (state, operator) = (&at.state, self.operator(&at.state));
        let e = state.named_element(operator.dtype.bytes()).0;
        let statement = ids::statement(&sums);
        let digest = ids::sums_digest(self.chain_id, self.address, self.claim, state.place, e, statement);
        Call::Fold {
            posted: self.posted,
            number: at.number,
            footing: state.seated(),
            list: state.list,
            challenger: state.challenger,
            operator: self.operators[state.place as usize].clone(),
            params: Box::new(self.record(OperatorIndex(state.place), e.into())),
            third: Box::new(self.third(self.stated(state), OperatorIndex(state.place), e.into(), &sums)),
            sums,
            signature: if signed { sign(digest) } else { Vec::new() },
        }
    }

    /// The partial values that the claim implies for the named element, and all that could be stated of it.
    pub fn possible_sums(&self, state: &MatchState) -> (Vec<i64>, Vec<Vec<i64>>) {
        let operator = self.operator(state);
        let e = u64::from(state.named_element(operator.dtype.bytes()).0);
        let own = sums(&self.program, &self.claimed, self.stated(state), state.place, e);
        let stated = self.stated(state);
        let bytes = |source| &self.claimed.tensor(stated, source).bytes[..];
        let all = statements(&self.program, operator, e, &own, state.value().into(), bytes);
        (own, all)
    }

    /// The partial values that were stated.
    pub fn stated_sums(&self, state: &MatchState) -> Vec<i64> {
        let (_, all) = self.possible_sums(state);
        all.into_iter().find(|sums| ids::statement(sums) == state.node).expect("one that was possible")
    }

    pub fn segment(&self, at: &Match, sums: Vec<i64>, index: u32) -> Call {
        let (state, operator) = (&at.state, self.operator(&at.state));
        let e = u64::from(state.named_element(operator.dtype.bytes()).0);
        let place = OperatorIndex(state.place);
        let segment = Some(index.min(operator.segments() as u32 - 1));
        Call::Segment {
            posted: self.posted,
            number: at.number,
            footing: state.seated(),
            list: state.list,
            operator: self.operators[state.place as usize].clone(),
            sums,
            index,
            witness: Box::new(self.witness(self.stated(state), place, e, segment)),
        }
    }

    pub fn timeout(&self, at: &Match) -> Call {
        let Match { number, seated, state, .. } = *at;
        Call::Timeout { posted: self.posted, number, standing: state.standing(), seated, node: state.node }
    }

    pub fn reclaim(&self, at: &Match) -> Call {
        let Match { number, seated, state, .. } = *at;
        Call::Reclaim { claim: self.claim, number, standing: state.standing(), seated, node: state.node }
    }

    /// What the referee reads of one element, or of one segment of it, from the claimed trace.
    pub fn witness(&self, stated: Stated, at: OperatorIndex, e: u64, segment: Option<u32>) -> Witness {
        let op = self.program.operator(at);
        let terms = segment.map_or(0..op.terms(), |index| op.segment(index.into()));
        let bytes = |source| &self.claimed.tensor(stated, source).bytes[..];
        let open = |operand: &narrows_program::Operand, place: &dyn Fn(u64) -> u64| {
            let size = operand.dtype.bytes() as u64;
            let tile = |t| place(t) * size / TILE_BYTES as u64;
            self.open(stated, at, operand.source, terms.clone().map(tile).collect())
        };
        let whole = || [fold(op, e, 0..op.terms(), bytes)];
        Witness {
            a: open(&op.a, &|t| address(&op.a, op, e, t)),
            b: op.b.as_ref().map_or_else(Opened::default, |b| open(b, &|t| b_address(b, op, e, t, bytes))),
            params: if segment.is_none() { self.record(at, e) } else { Opened::default() },
            third: if segment.is_none() { self.third(stated, at, e, &whole()) } else { Opened::default() },
        }
    }

    /// The table's entry or the divisor that partial values lead to.
    fn third(&self, stated: Stated, at: OperatorIndex, e: u64, sums: &[i64]) -> Opened {
        let op = self.program.operator(at);
        third(&self.program, op, e, combine(op, sums)).map_or_else(
            Opened::default,
            |(source, dtype, index)| {
                self.open(stated, at, source, vec![index * dtype.bytes() as u64 / TILE_BYTES as u64])
            },
        )
    }

    fn record(&self, at: OperatorIndex, e: u64) -> Opened {
        let op = self.program.operator(at);
        let tile = record_address(op, e) * 16 / TILE_BYTES as u64;
        self.open(0, at, Source::Constant(op.params.constant), vec![tile])
    }

    fn open(&self, stated: Stated, reader: OperatorIndex, source: Source, mut tiles: Vec<u64>) -> Opened {
        tiles.sort_unstable();
        tiles.dedup();
        let tensor = self.claimed.tensor(stated, source);
        let root_path = match self.program.reference(reader, source) {
            Reference::Input | Reference::Constant(_) => Vec::new(),
            Reference::Export { layer, rank, .. } => {
                let mut roots: Vec<Digest> = self.claimed.exports(layer).map(|root| root.0).collect();
                roots.remove(rank.into());
                roots.into_iter().chain(self.claimed.tree.path(layer.0.into())).collect()
            }
            Reference::Local { position } => {
                let list = self.claimed.list(stated, self.program.layer_of(reader).0);
                list.path(position.into())
            }
        };
        Opened {
            root_path,
            indices: tiles.iter().map(|tile| *tile as u32).collect(),
            tiles: tiles.iter().flat_map(|tile| tensor.tile(*tile).to_vec()).collect(),
            proof: tensor.tree.multi_proof(&tiles),
        }
    }

    /// The first value of a tile, the last real one, and the first and the last of its padding.
    pub fn places(&self, operator: &Operator, tile: u64) -> Vec<u8> {
        let in_tile = (TILE_BYTES / operator.dtype.bytes()) as u64;
        let real = (operator.elements() - tile * in_tile).min(in_tile);
        let mut places = vec![0, real - 1, real.min(in_tile - 1), in_tile - 1];
        places.dedup();
        places.into_iter().map(|place| place as u8).collect()
    }

    /// Whether the claim's tree and its tiles give the present node: a padding tile that is none cannot be shown.
    fn can_show_tiles(&self, state: &MatchState) -> bool {
        let leaf = |tile: u64| match self.tiles_under(state).contains(&tile) {
            true => tile_leaf(self.tensor(state).tile(tile).try_into().expect("a tile")),
            false => padding(0),
        };
        let first = u64::from(state.position) << state.remaining;
        let leaves = (first..first + (1 << state.remaining)).map(leaf).collect();
        node_over(leaves, state.remaining.into()) == state.node
    }

    /// Every way to go on from the match's state, but for the timeout.
    pub fn moves(&self, at: &Match) -> Vec<Move> {
        let state = &at.state;
        match state.phase {
            Phase::LayerE | Phase::TileE => {
                let reveal = answer(By::Anyone, self.reveal(at, self.nodes(state)));
                std::iter::once(reveal).chain(self.picks(at)).collect()
            }
            Phase::LayerC | Phase::TileC => self.picks(at).collect(),
            Phase::SubE => {
                let layer = LayerIndex(state.place);
                let mut lists = Vec::new();
                let mut out = Vec::new();
                for stated in 0..self.claimed.statements() {
                    let list = self.claimed.list(stated, layer).root();
                    if !lists.contains(&list) {
                        lists.push(list);
                        out.push(answer(By::Executor, self.sub_trace(at, layer, stated, false)));
                        if self.signing {
                            out.push(answer(By::Anyone, self.sub_trace(at, layer, stated, true)));
                        }
                    }
                }
                out
            }
            Phase::SubC => {
                (0..u32::from(state.operators)).map(|at_| choice(self.pick_operator(at, at_))).collect()
            }
            Phase::DataE => {
                let shown = self.can_show_tiles(state);
                let reveal = shown.then(|| answer(By::Anyone, self.reveal_tiles(at)));
                reveal.into_iter().chain(self.names(at)).collect()
            }
            Phase::Name | Phase::Ready => self.names(at).collect(),
            Phase::FoldE => {
                let (_, all) = self.possible_sums(state);
                let both = |sums: Vec<i64>| {
                    let signed = self.signing.then(|| answer(By::Anyone, self.fold(at, sums.clone(), true)));
                    std::iter::once(answer(By::Executor, self.fold(at, sums, false))).chain(signed)
                };
                all.into_iter().flat_map(both).collect()
            }
            Phase::Seg => {
                let sums = self.stated_sums(state);
                (0..sums.len() as u32).map(|j| choice(self.segment(at, sums.clone(), j))).collect()
            }
            Phase::Won | Phase::Lost | Phase::Reclaimed | Phase::Committed => Vec::new(),
        }
    }

    fn picks<'a>(&'a self, at: &'a Match) -> impl Iterator<Item = Move> + 'a {
        (0..1u32 << levels(self, &at.state)).map(|child| choice(self.pick(at, child)))
    }

    fn names<'a>(&'a self, at: &'a Match) -> impl Iterator<Item = Move> + 'a {
        let under = self.tiles_under(&at.state);
        let first = under.start;
        let operator = self.operator(&at.state);
        under.flat_map(move |tile| {
            let places = self.places(operator, tile);
            places.into_iter().flat_map(move |place| self.steps(at, tile - first, place))
        })
    }

    /// The ways to name one value: at once or, of the first that there is, prepared too.
    fn steps(&self, at: &Match, slot: u64, element: u8) -> Vec<Move> {
        if at.state.phase == Phase::Ready {
            return self.name_ready(at, slot, element).map(choice).into_iter().collect();
        }
        let prepare = if slot == 0 && element == 0 { self.prepare(at, slot, element) } else { None };
        std::iter::once(self.name(at, slot, element)).chain(prepare).map(choice).collect()
    }

    /// Calls whose evidence gives the match's node, whatever its phase: one of each kind that can.
    ///
    /// A node is a reveal of itself and a pick of itself by no siblings; a word's node 0 is what `fold` answers, a list what
    /// `pickOperator` does; tiles and statements are tried where they fit.
    pub fn strays(&self, at: &Match) -> Vec<Move> {
        let state = &at.state;
        let mut out = vec![
            answer(By::Anyone, self.reveal(at, vec![state.node])),
            choice(self.picking(at, 0, state.node, Vec::new())),
        ];
        let in_tensor = matches!(
            state.phase,
            Phase::TileE | Phase::TileC | Phase::DataE | Phase::Name | Phase::FoldE | Phase::Seg
        );
        if in_tensor && state.node == Digest::default() {
            let (own, _) = self.possible_sums(state);
            out.push(answer(By::Executor, self.fold(at, own.clone(), false)));
            out.push(answer(By::Anyone, self.fold(at, own, true)));
        }
        if matches!(state.phase, Phase::DataE | Phase::Name | Phase::Ready) && self.can_show_tiles(state) {
            out.push(answer(By::Anyone, self.reveal_tiles(at)));
            out.push(choice(self.name(at, 0, 0)));
        }
        if in_tensor || state.phase == Phase::Ready {
            // Whatever it shows: its evidence gives every state with the operator for its scope.
            out.push(choice(Call::Prepare {
                posted: self.posted,
                number: at.number,
                footing: state.seated(),
                list: state.list,
                node: state.node,
                operator: self.operators[state.place as usize].clone(),
                witness: Box::default(),
            }));
        }
        let layers = self.program.layers().len() as u32;
        let leaf = (0..layers).find(|i| self.claimed.tree.node(0, u64::from(*i)) == state.node);
        if let Some(layer) = leaf {
            out.push(answer(By::Executor, self.sub_trace(at, LayerIndex(layer), 0, false)));
            out.push(answer(By::Anyone, self.sub_trace(at, LayerIndex(layer), 0, true)));
        }
        if state.phase == Phase::SubC {
            out.push(choice(self.pick_operator(at, 0)));
        }
        if state.phase == Phase::Seg {
            out.push(choice(self.segment(at, self.stated_sums(state), 0)));
        }
        out
    }
}
