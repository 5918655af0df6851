//! A small world for the game's tests: hand-built programs, their traces by a naive interpreter, and a match that can be
//! walked to any phase. Nothing here calls what it judges: witnesses and values are made from the specification.

#![allow(dead_code, reason = "each test file uses a part")]

use std::collections::BTreeSet;

use narrows_bisection::game::ids;
use narrows_bisection::record::Entry;
use narrows_bisection::{
    Account, BlockTime, Call, ClaimId, Event, Game, JobId, Match, MatchId, MatchState, Opened, Parameters,
    Phase, Refusal, StateHash, Wei, Witness,
};
use narrows_commitment::{Digest, MultiProof, TensorRoot, TraceRoot, Tree, tile_at};
use narrows_program::{
    Constant, ConstantIndex, DType, Fold, IndexMap, LayerIndex, Meta, Operand, Operator, Params, Program,
    ProgramParts, Source, TensorType, Window, record,
};

pub const CHAIN: u64 = 31337;
pub const GAME: Account = Account([0x6a; 20]);
pub const REQUESTER: Account = Account([1; 20]);
pub const EXECUTOR: Account = Account([2; 20]);
pub const CHALLENGER: Account = Account([3; 20]);
pub const STRANGER: Account = Account([4; 20]);

pub const FEE: Wei = Wei(77);
pub const NOTHING: Wei = Wei(0);
/// When everything is posted.
pub const START: u64 = 1_000;
pub const JOB_DEADLINE: BlockTime = BlockTime(START + 10_000);

/// Odd bonds, so that halves are rounded.
pub fn parameters() -> Parameters {
    Parameters {
        window_seconds: 100,
        executor_clock_seconds: 50,
        challenger_clock_seconds: 40,
        grace_seconds: 5,
        slack_seconds: 7,
        executor_bond: Wei(1_001),
        challenger_bond: Wei(101),
    }
}

/// A sum of `source` over `terms` elements from `step * o` on, with a bias of its own for each output element.
fn sum(source: Source, elements: u32, terms: u32, step: u32) -> Operator {
    Operator {
        fold: Fold::Sum,
        dtype: DType::I8,
        out: [1, 1, 1, elements],
        red: [1, 1, terms],
        a: Operand {
            source,
            dtype: DType::I8,
            map: IndexMap { base: 0, out: [0, 0, 0, step], red: [0, 0, 1] },
        },
        windows: [Window::default(); 2],
        pad: 0,
        b: None,
        scale_a: 0,
        scale_b: 0,
        params: Params { constant: ConstantIndex(0), out: [0, 0, 0, 1] },
        lo: -128,
        hi: 127,
        split: 128,
    }
}

/// 300 input elements, and `layers` layers that copy and sum in turn: even ones copy 300 elements (one segment), odd ones
/// sum all 300 (three segments) into 300 elements; the last has 10 elements in one tile.
pub fn program(layers: u32, reveal_bits: u8) -> Program {
    let source =
        |layer: u32| layer.checked_sub(1).map_or(Source::Input, |before| Source::Layer(LayerIndex(before)));
    let layer = |i: u32| match (i + 1 == layers, i % 2) {
        (true, _) => sum(source(i), 10, 1, 1),
        (_, 0) => sum(source(i), 300, 1, 1),
        _ => sum(source(i), 300, 300, 0),
    };
    let records = (0..300).flat_map(|i| record::encode(i * 37 % 101 - 50, 3, 2)).collect();
    Program::new(ProgramParts {
        input: TensorType { dtype: DType::I8, elements: 300 },
        layers: (0..layers).map(layer).collect(),
        constants: vec![Constant { dtype: DType::Params, bytes: records }],
        reveal_bits,
        meta: Meta::default(),
    })
    .expect("legal")
}

pub fn input() -> Vec<u8> {
    (0..300u32).map(|i| (i * i * 7 + i) as u8).collect()
}

/// The sum that element `e` folds over the terms `range`.
pub fn fold(op: &Operator, a: &[u8], e: u64, range: std::ops::Range<u64>) -> i64 {
    let start = e * u64::from(op.a.map.out[3]);
    range.map(|t| i64::from(a[(start + t) as usize] as i8)).sum()
}

/// What a right executor computes for every layer, given the outputs before it.
fn evaluate(op: &Operator, a: &[u8], constants: &[Constant]) -> Vec<u8> {
    let element = |e: u64| {
        let bytes = &constants[0].bytes[e as usize * 16..][..16];
        let (bias, m, s) = record::decode(bytes.try_into().expect("16 bytes")).expect("a record");
        let acc = fold(op, a, e, 0..op.terms());
        let y = ((acc + bias) * i64::from(m) + (1 << (s - 1))) >> s;
        y.clamp(op.lo.into(), op.hi.into()) as i8 as u8
    };
    (0..op.elements()).map(element).collect()
}

/// Every layer's output, its tree, and the tree over all of them.
#[derive(Clone)]
pub struct Run {
    pub outputs: Vec<Vec<u8>>,
    pub trees: Vec<Tree>,
    pub tree: Tree,
}

impl Run {
    /// A run in which element (layer, e) gets `change` added, and all after it follows from that.
    pub fn new(program: &Program, lie: Option<(u32, u32, u8)>) -> Self {
        let mut outputs: Vec<Vec<u8>> = Vec::new();
        for (i, op) in program.layers().iter().enumerate() {
            let mut output = evaluate(op, outputs.last().unwrap_or(&input()), program.constants());
            if let Some((layer, element, change)) = lie
                && layer as usize == i
            {
                output[element as usize] = output[element as usize].wrapping_add(change);
            }
            outputs.push(output);
        }
        Self::of(outputs)
    }

    /// The run with these very outputs, padded with zeros to whole tiles by the trees; outputs may be longer than legal.
    pub fn of(outputs: Vec<Vec<u8>>) -> Self {
        let trees: Vec<Tree> = outputs.iter().map(|bytes| Tree::of_bytes(bytes)).collect();
        let tree = Tree::new(trees.iter().map(Tree::root).collect());
        Self { outputs, trees, tree }
    }
}

/// A game with one claim and one match, and who knows what.
#[derive(Clone)]
pub struct World {
    pub game: Game,
    pub program: Program,
    pub claimed: Run,
    /// The element that the challenger walks to.
    pub target: (u32, u32),
    pub job: JobId,
    pub claim: ClaimId,
    pub id: MatchId,
    pub now: u64,
    pub history: Vec<Entry>,
}

pub fn register(program: &Program) -> Call {
    Call::Register {
        header: program.header_bytes().to_vec(),
        layers_root: program.layers_root(),
        constants_root: program.constants_tree().root(),
    }
}

pub fn post_job(program: &Program, salt: u8) -> Call {
    Call::PostJob {
        program: program.root(),
        input: input(),
        salt: Digest([salt; 32]),
        deadline: JOB_DEADLINE,
    }
}

pub fn post_claim(job: JobId, run: &Run) -> Call {
    let last = run.outputs.len() - 1;
    Call::PostClaim {
        job,
        trace_root: TraceRoot(run.tree.root()),
        output: run.outputs[last].clone(),
        path: run.tree.path(last as u64),
    }
}

impl World {
    /// A claim that lies at `target` of `layers` layers, or an honest one that is disputed there; one match is open.
    pub fn new(layers: u32, reveal_bits: u8, target: (u32, u32), lies: bool) -> Self {
        let program = program(layers, reveal_bits);
        let claimed = Run::new(&program, lies.then_some((target.0, target.1, 1)));
        Self::with(program, claimed, target)
    }

    pub fn with(program: Program, claimed: Run, target: (u32, u32)) -> Self {
        let mut world = Self::posted(program, claimed, target);
        world.open(CHALLENGER).expect("opens");
        world
    }

    /// The claim alone.
    pub fn posted(program: Program, claimed: Run, target: (u32, u32)) -> Self {
        let game = Game::new(CHAIN, GAME, parameters()).expect("good parameters");
        let input_root = TensorRoot(Tree::of_bytes(&input()).root());
        let job = ids::job_id(CHAIN, GAME, REQUESTER, program.root(), input_root, Digest([7; 32]));
        let output = TensorRoot(claimed.trees[claimed.trees.len() - 1].root());
        let root = TraceRoot(claimed.tree.root());
        let claim = ids::claim_id(CHAIN, GAME, job, EXECUTOR, root, output, &parameters());
        let id = ids::match_id(claim, 0);
        let mut world =
            Self { game, program, claimed, target, job, claim, id, now: START, history: Vec::new() };
        world.send(REQUESTER, NOTHING, &register(&world.program)).expect("registers");
        world.send(REQUESTER, FEE, &post_job(&world.program, 7)).expect("posts a job");
        let call = post_claim(job, &world.claimed);
        world.send(EXECUTOR, parameters().executor_bond, &call).expect("posts a claim");
        world
    }

    /// Sends a call now; keeps it in the history if it stands; checks that a refusal changes nothing.
    pub fn send(&mut self, sender: Account, value: Wei, call: &Call) -> Result<Vec<Event>, Refusal> {
        let before = self.game.clone();
        let result = self.game.apply(BlockTime(self.now), sender, value, call);
        match &result {
            Err(_) => assert!(self.game == before, "a refused call changed something"),
            Ok(events) => self.history.push(Entry {
                time: BlockTime(self.now),
                sender,
                value,
                gas_used: Some(21_000 + self.history.len() as u64),
                call: call.clone(),
                events: events.clone(),
            }),
        }
        assert_eq!(self.game.balance().0, self.game.locked().0 + self.game.burned().0);
        result
    }

    /// Opens one more match.
    pub fn open(&mut self, challenger: Account) -> Result<MatchId, Refusal> {
        let number = self.game.claim(self.claim).map_or(0, |claim| claim.matches);
        let call = Call::Open { claim: self.claim, commitment: Digest([9; 32]) };
        self.send(challenger, parameters().challenger_bond, &call)?;
        Ok(ids::match_id(self.claim, number))
    }

    pub fn this(&self) -> Match {
        *self.game.match_of(self.id).expect("the match exists")
    }

    pub fn state(&self) -> MatchState {
        self.this().state
    }

    pub fn phase(&self) -> Phase {
        self.state().phase
    }

    pub fn hash(&self) -> StateHash {
        self.state().hash(self.id)
    }

    /// The first moment at which the turn has run out.
    pub fn deadline(&self) -> u64 {
        self.this().deadline(&parameters()).expect("the match is open").0
    }

    /// The tree that the current phase is in.
    fn tree(&self) -> &Tree {
        match self.phase() {
            Phase::LayerE | Phase::LayerC => &self.claimed.tree,
            _ => &self.claimed.trees[self.target.0 as usize],
        }
    }

    /// The nodes that the current phase is about.
    pub fn nodes(&self) -> Vec<Digest> {
        let state = self.state();
        let bits = self.program.header().reveal_bits.min(state.remaining);
        self.tree().descendants(state.remaining.into(), state.position.into(), bits.into())
    }

    pub fn descriptor(&self) -> Vec<u8> {
        self.program.descriptor(LayerIndex(self.target.0)).to_vec()
    }

    pub fn operator(&self) -> &Operator {
        self.program.layer(LayerIndex(self.target.0))
    }

    pub fn tile(&self) -> Vec<u8> {
        let tile = u64::from(self.state().position);
        tile_at(&self.claimed.outputs[self.target.0 as usize], tile).to_vec()
    }

    /// The move of whoever's turn it is, towards the target.
    pub fn next(&self) -> (Account, Call) {
        let state = self.hash();
        match self.phase() {
            Phase::LayerE | Phase::TileE => {
                (EXECUTOR, Call::Reveal { match_id: self.id, state, nodes: self.nodes() })
            }
            Phase::LayerC | Phase::TileC => (CHALLENGER, self.pick()),
            Phase::DataE => (EXECUTOR, Call::RevealTile { match_id: self.id, state, tile: self.tile() }),
            Phase::Name => (CHALLENGER, self.name()),
            Phase::FoldE => (EXECUTOR, self.fold(self.sums(1))),
            Phase::Seg => (CHALLENGER, self.segment(self.history_sums(), 1)),
            over => panic!("no move in {over:?}"),
        }
    }

    /// The pick towards the target, in the C phase or the E phase before it.
    pub fn pick(&self) -> Call {
        let at = self.state();
        let bits = self.program.header().reveal_bits.min(at.remaining);
        let in_layers = matches!(at.phase, Phase::LayerE | Phase::LayerC);
        let leaf = if in_layers { self.target.0 } else { self.target.1 / 128 };
        let child = (leaf >> (at.remaining - bits)) & ((1 << bits) - 1);
        let enters = in_layers && at.remaining == bits && leaf < self.program.header().layers;
        let path = self.program.layers_tree().path(u64::from(leaf));
        Call::Pick {
            match_id: self.id,
            state: self.hash(),
            nodes: self.nodes(),
            child,
            descriptor: if enters { self.descriptor() } else { Vec::new() },
            path: if enters { path } else { Vec::new() },
        }
    }

    /// Naming the target, with a witness if one is due.
    pub fn name(&self) -> Call {
        let op = self.operator();
        let whole = op.terms() <= u64::from(op.split);
        let witness = if whole { self.witness(0..op.terms(), true) } else { Witness::default() };
        Call::Name {
            match_id: self.id,
            state: self.hash(),
            tile: self.tile(),
            element: (self.target.1 % 128) as u8,
            descriptor: self.descriptor(),
            witness: Box::new(witness),
        }
    }

    pub fn fold(&self, sums: Vec<i64>) -> Call {
        let params = Box::new(self.records());
        Call::Fold { match_id: self.id, state: self.hash(), descriptor: self.descriptor(), sums, params }
    }

    pub fn segment(&self, sums: Vec<i64>, index: u32) -> Call {
        let witness = Box::new(self.witness(self.operator().segment(index.into()), false));
        let descriptor = self.descriptor();
        Call::Segment { match_id: self.id, state: self.hash(), descriptor, sums, index, witness }
    }

    /// The right partial values of the target.
    pub fn true_sums(&self) -> Vec<i64> {
        let op = self.operator();
        let e = u64::from(self.target.1);
        (0..op.segments()).map(|j| fold(op, self.source(), e, op.segment(j))).collect()
    }

    /// Partial values that lead to the claimed value: the right ones if they do, else with segment `wrong` moved.
    pub fn sums(&self, wrong: usize) -> Vec<i64> {
        let claimed = i64::from(self.claimed.outputs[self.target.0 as usize][self.target.1 as usize] as i8);
        let mut sums = self.true_sums();
        let (bias, m, s) = self.record();
        let reaches =
            |acc: i64| (((acc + bias) * i64::from(m) + (1 << (s - 1))) >> s).clamp(-128, 127) == claimed;
        let total: i64 = sums.iter().sum();
        let off = (0..2_000).flat_map(|off| [off, -off]).find(|off| reaches(total + off));
        let off = off.expect("some accumulator gives the value");
        sums[wrong] += off;
        sums
    }

    fn record(&self) -> (i64, u32, u8) {
        let bytes = &self.program.constants()[0].bytes[self.target.1 as usize * 16..][..16];
        record::decode(bytes.try_into().expect("16 bytes")).expect("a record")
    }

    /// The sums that were stated in this match.
    pub fn history_sums(&self) -> Vec<i64> {
        let stated =
            self.history.iter().rev().flat_map(|entry| &entry.events).find_map(|event| match event {
                Event::Folded { match_id, sums } if *match_id == self.id => Some(sums.clone()),
                _ => None,
            });
        stated.expect("sums were stated")
    }

    /// The tensor that the target's layer reads.
    fn source(&self) -> &[u8] {
        let before = (self.target.0 as usize).checked_sub(1);
        before.map_or(&INPUT, |before| &self.claimed.outputs[before])
    }

    fn witness(&self, terms: std::ops::Range<u64>, whole: bool) -> Witness {
        let start = u64::from(self.target.1) * u64::from(self.operator().a.map.out[3]);
        let indices: BTreeSet<u64> = terms.map(|t| (start + t) / 128).collect();
        let bytes = self.source();
        let root_path = match self.target.0.checked_sub(1) {
            None => Vec::new(),
            Some(before) => self.claimed.tree.path(u64::from(before)),
        };
        let a = opened(bytes, indices, root_path);
        let params = if whole { self.records() } else { Opened::default() };
        Witness { a, b: Opened::default(), params }
    }

    pub fn records(&self) -> Opened {
        let tile = u64::from(self.target.1) * 16 / 128;
        opened(&self.program.constants()[0].bytes, [tile].into(), self.program.constants_tree().path(0))
    }

    /// Makes the next move, which stands.
    pub fn step(&mut self) -> Vec<Event> {
        let (sender, call) = self.next();
        self.send(sender, NOTHING, &call).unwrap_or_else(|refusal| panic!("{}: {refusal:?}", call.name()))
    }

    /// Moves until `phase`.
    pub fn to(mut self, phase: Phase) -> Self {
        for _ in 0..100 {
            if self.phase() == phase {
                return self;
            }
            self.step();
        }
        panic!("{phase:?} was not reached");
    }

    /// Every wei by account, locked and burned.
    pub fn money(&self) -> [u128; 5] {
        let owed = |account| self.game.owed(account).0;
        let (locked, burned) = (self.game.locked().0, self.game.burned().0);
        [owed(REQUESTER), owed(EXECUTOR), owed(CHALLENGER), locked, burned]
    }
}

static INPUT: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(input);

/// Opens tiles of a tensor.
pub fn opened(bytes: &[u8], indices: BTreeSet<u64>, root_path: Vec<Digest>) -> Opened {
    let tree = Tree::of_bytes(bytes);
    let indices: Vec<u64> = indices.into_iter().collect();
    let MultiProof(proof) = tree.multi_proof(&indices);
    Opened {
        root: TensorRoot(tree.root()),
        root_path,
        tiles: indices.iter().flat_map(|index| tile_at(bytes, *index)).collect(),
        indices: indices.iter().map(|index| *index as u32).collect(),
        proof: MultiProof(proof),
    }
}

/// The phases of a match that is being played.
pub const OPEN_PHASES: [Phase; 8] = [
    Phase::LayerE,
    Phase::LayerC,
    Phase::TileE,
    Phase::TileC,
    Phase::DataE,
    Phase::Name,
    Phase::FoldE,
    Phase::Seg,
];

/// A match about a summing layer of an honest claim or a lie, in `phase`; every phase can be reached.
pub fn in_phase(phase: Phase, lies: bool) -> World {
    World::new(5, 1, (1, 150), lies).to(phase)
}
