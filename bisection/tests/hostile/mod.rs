//! A program of one layer that nobody checked, and a game about it.

#![allow(dead_code, reason = "each test file uses a part")]

pub mod trees;

use std::sync::LazyLock;

use narrows_bisection::game::ids;
use narrows_bisection::{
    Account, Block, BlockTime, Call, ClaimId, Event, Game, Match, MatchState, Opened, Phase, Posted, Refusal,
    Refutation, Wei, Witness,
};
use narrows_commitment::{
    Digest, Domain, LayersRoot, TensorRoot, TensorTree, TraceRoot, Tree, tagged, tile_at, tile_siblings,
};
use narrows_program::{OperatorIndex, Program};

use crate::game_support::*;

/// The only layer of a program: how many operators it says it has, of which `export` is exported, from `first` on.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    pub first: u32,
    pub count: u8,
    pub export: u8,
}

pub const ALONE: Shape = Shape { first: 0, count: 1, export: 0 };

impl Shape {
    pub fn head(&self) -> Vec<u8> {
        [&self.first.to_be_bytes()[..], &[self.count, 1, self.export]].concat()
    }

    /// All of its operators are the same.
    pub fn operators(&self, operator: &[u8]) -> Tree {
        Tree::new(vec![tagged(Domain::Operator, &[operator]); self.count.into()])
    }

    /// What is stated of its operators' outputs: the output of the exported one, and anything of the others.
    pub fn roots(&self, output: Digest) -> Vec<TensorRoot> {
        let root = |position| if position == self.export { output } else { SALT };
        (0..self.count).map(|position| TensorRoot(root(position))).collect()
    }
}

/// The legal program of one operator, and the lie that is claimed of it: element 1.
pub static LEGAL: LazyLock<(Program, Vec<u8>)> = LazyLock::new(|| {
    let program = single(2);
    let output = doctored(&program, (0, 1)).output().to_vec();
    (program, output)
});

/// The legal operator's bytes: its descriptor, and the root of its records.
pub fn legal() -> Vec<u8> {
    LEGAL.0.operator_bytes(OperatorIndex(0))
}

/// As many constants' roots behind a descriptor as its kinds ask for, and before them the word of a third operand if the
/// descriptor says that there is one.
pub fn with_roots(descriptor: &[u8], third: &[u8]) -> Vec<u8> {
    let bytes = legal();
    let extended = descriptor[7] == 1;
    let roots = 1 + [5, 6].iter().filter(|at| descriptor[**at] == 1).count();
    let roots = roots + usize::from(extended && third[1] == 1);
    let word = if extended { third } else { &[] };
    [&descriptor[..192], word, &bytes[192..].repeat(roots)].concat()
}

/// Who plays by the rules: the game alone, or another implementation beside it.
pub trait Rules {
    fn game(&self) -> &Game;
    /// Its chain and its own account.
    fn place(&self) -> (u64, Account);
    /// When the trial begins.
    fn begin(&self) -> u64;
    fn apply(&mut self, block: Block, from: Account, value: Wei, call: &Call) -> Result<Vec<Event>, Refusal>;
}

impl Rules for Game {
    fn game(&self) -> &Game {
        self
    }

    fn place(&self) -> (u64, Account) {
        (CHAIN, GAME)
    }

    fn begin(&self) -> u64 {
        START
    }

    fn apply(&mut self, block: Block, from: Account, value: Wei, call: &Call) -> Result<Vec<Event>, Refusal> {
        let before = self.clone();
        let result = Game::apply(self, block, from, value, call);
        assert!(result.is_ok() || *self == before, "{} changed something", call.name());
        result
    }
}

/// The game alone, empty.
pub fn game() -> Game {
    Game::new(CHAIN, GAME, parameters()).expect("good parameters")
}

/// Rules with a claim on a program of this layer, and a match about it.
pub struct Trial<M = Game> {
    pub rules: M,
    begin: u64,
    pub shape: Shape,
    pub operator: Vec<u8>,
    pub output: Vec<u8>,
    pub tree: TensorTree,
    pub posted: Posted,
    pub claim: ClaimId,
    /// Where the claimed tensor's tree is.
    pub level: u32,
    pub index: u64,
    /// The sums that were stated.
    pub stated: Option<Vec<i64>>,
}

impl Trial {
    /// By the game alone.
    pub fn new(shape: Shape, operator: &[u8]) -> Self {
        Self::of(game(), shape, operator)
    }
}

impl<M: Rules> Trial<M> {
    pub fn of(rules: M, shape: Shape, operator: &[u8]) -> Self {
        Self::under(rules, shape, operator, shape.operators(operator).root())
    }

    /// The same, whose operators' tree is said to have this root.
    pub fn under(rules: M, shape: Shape, operator: &[u8], root: Digest) -> Self {
        Self::disputed(rules, shape, operator, root, |_| SALT)
    }

    /// The same, of which the challenger commits so to its own run.
    pub fn disputed(
        rules: M,
        shape: Shape,
        operator: &[u8],
        root: Digest,
        commitment: impl FnOnce(ClaimId) -> Digest,
    ) -> Self {
        let (legal, output) = (&LEGAL.0, LEGAL.1.clone());
        let tree = TensorTree::of_bytes(&output);
        let layers_root = LayersRoot(tagged(Domain::Layer, &[&shape.head(), &root.0]));
        let header = legal.header_bytes().to_vec();
        let program = ids::program_root(&header, layers_root);
        let ((chain, game), begin) = (rules.place(), rules.begin());
        let input_root = TensorRoot(TensorTree::of_bytes(&input()).root());
        let job = ids::job_id(chain, game, REQUESTER, program, input_root, SALT);
        let root = tree.root();
        let posted =
            Posted { job, executor: executor(), trace_root: TraceRoot(root), output_root: TensorRoot(root) };
        let claim = rules.game().claim_id(&posted);
        let level = tree.depth();
        let operator = operator.to_vec();
        let mut trial = Self {
            rules,
            begin,
            shape,
            operator,
            output,
            tree,
            posted,
            claim,
            level,
            index: 0,
            stated: None,
        };
        trial.send(STRANGER, NOTHING, 0, &Call::Register { header, layers_root }).expect("registers");
        let (input, deadline) = (input(), BlockTime(begin + 10_000));
        trial
            .send(REQUESTER, NOTHING, 0, &Call::PostJob { program, input, salt: SALT, deadline })
            .expect("posts");
        let hidden = ids::claim_commitment(SALT, &posted);
        // 1,200 terms, 1.2 wei.
        trial
            .send(executor(), Wei(1_001 + 2), 0, &Call::CommitClaim { job, commitment: hidden })
            .expect("commits");
        let call = Call::PostClaim {
            job,
            number: 0,
            committed_at: BlockTime(begin),
            salt: SALT,
            trace_root: posted.trace_root,
            output: trial.output.clone(),
            path: Vec::new(),
        };
        trial.send(executor(), NOTHING, 1, &call).expect("claims");
        let bond = trial.rules.game().program(program).and_then(|p| p.bond(&parameters())).expect("small");
        trial
            .send(CHALLENGER, bond, 1, &Call::Open { posted, commitment: commitment(claim) })
            .expect("opens");
        trial
    }

    /// Sends a call so many seconds after the beginning.
    pub fn send(
        &mut self,
        from: Account,
        value: Wei,
        after: u64,
        call: &Call,
    ) -> Result<Vec<Event>, Refusal> {
        self.send_at(from, value, after, Wei(2), call)
    }

    /// The same, at this base fee.
    pub fn send_at(
        &mut self,
        from: Account,
        value: Wei,
        after: u64,
        base_fee: Wei,
        call: &Call,
    ) -> Result<Vec<Event>, Refusal> {
        let block = Block { time: BlockTime(self.begin + after), base_fee };
        self.rules.apply(block, from, value, call)
    }

    pub fn phase(&self) -> Phase {
        self.state().phase
    }

    pub fn state(&self) -> MatchState {
        self.the_match().state
    }

    pub fn the_match(&self) -> Match {
        *self.rules.game().match_of(ids::match_id(self.claim, 0)).expect("a match")
    }

    pub fn opened(&self, bytes: &[u8], tiles: std::ops::Range<u64>) -> Opened {
        let tree = TensorTree::of_bytes(bytes);
        let indices: Vec<u64> = tiles.collect();
        Opened {
            root_path: Vec::new(),
            indices: indices.iter().map(|index| *index as u32).collect(),
            tiles: indices.iter().flat_map(|index| tile_at(bytes, *index)).collect(),
            proof: tree.multi_proof(&indices),
        }
    }

    pub fn witness(&self, choice: u8, whole: bool) -> Witness {
        if choice.is_multiple_of(4) {
            return Witness::default();
        }
        let a = self.opened(&input(), 0..10);
        let records = &LEGAL.0.constants()[0].bytes;
        let b = if self.operator[4] == 0 { Opened::default() } else { a.clone() };
        let params = if whole { self.opened(records, 0..150) } else { Opened::default() };
        let third = if self.operator[7] == 1 && whole { a.clone() } else { Opened::default() };
        Witness { a, b, params, third }
    }

    /// The next move, steered by `choice`; gives why it is refused, if it is.
    pub fn advance(&mut self, choice: u8) -> Option<Refusal> {
        let state = self.state();
        let (posted, claim, number, footing) = (self.posted, self.claim, 0, state.seated());
        let (list, challenger) = (state.list, state.challenger);
        let operators = self.shape.operators(&self.operator);
        let layer = [&self.shape.head()[..], &operators.root().0].concat();
        let operator = self.operator.clone();
        let roots = self.shape.roots(self.tree.root());
        let segments = |operator: &[u8]| {
            let descriptor = narrows_bisection::referee::Descriptor::decode(operator).expect("its length");
            descriptor.segments().min(300) as usize
        };
        let (sender, call) = match state.phase {
            Phase::LayerC => {
                let operator = if self.shape.count == 1 { operator } else { operators.root().0.to_vec() };
                let (layer, path, siblings) = (self.shape.head(), Vec::new(), Vec::new());
                let (node, child) = (state.node, 0);
                let call =
                    Call::Enter { claim, number, footing, child, node, siblings, layer, operator, path };
                (CHALLENGER, call)
            }
            Phase::SubE => {
                let signature = Vec::new();
                (executor(), Call::SubTrace { posted, number, footing, challenger, layer, roots, signature })
            }
            Phase::SubC => {
                let position = u32::from(self.shape.export);
                let list = Tree::new(roots.iter().map(|root| root.0).collect());
                let call = Call::PickOperator {
                    claim,
                    number,
                    footing,
                    position,
                    layer,
                    operator,
                    operator_path: operators.path(position.into()),
                    root: roots[position as usize],
                    root_path: list.path(position.into()),
                };
                (CHALLENGER, call)
            }
            Phase::TileE | Phase::TileC => {
                let levels = u32::from(state.levels()).min(self.level - 2);
                let (level, index) =
                    (self.level - levels, self.index << levels | (u64::from(choice) & ((1 << levels) - 1)));
                let call = Call::Pick {
                    claim,
                    number,
                    footing: state.picked(),
                    child: (index & ((1 << levels) - 1)) as u32,
                    node: self.tree.node(level, index),
                    siblings: (level..self.level)
                        .map(|l| self.tree.node(l, (index >> (l - level)) ^ 1))
                        .collect(),
                };
                (self.level, self.index) = (level, index);
                (CHALLENGER, call)
            }
            Phase::DataE if choice.is_multiple_of(2) => {
                let first = self.index << self.level;
                let tiles = first..first + state.real_tiles().min(16);
                let tiles = tiles.flat_map(|tile| tile_at(&self.output, tile)).collect();
                (STRANGER, Call::RevealTiles { claim, number, footing: state.shown(), tiles })
            }
            Phase::DataE | Phase::Name => {
                let slot = u64::from(choice >> 2) & ((1 << self.level) - 1);
                let tile = self.index << self.level | slot;
                let leaf = tile.min(9);
                let call = Call::Name {
                    posted,
                    number,
                    footing,
                    list,
                    tile: tile_at(&self.output, leaf).to_vec(),
                    slot: slot as u8,
                    siblings: self.tree.path(leaf)[..tile_siblings(self.level)].to_vec(),
                    element: choice % 16,
                    operator,
                    witness: Box::new(self.witness(choice, true)),
                };
                (CHALLENGER, call)
            }
            Phase::FoldE => {
                let sums = vec![i64::from(choice); segments(&operator)];
                let Witness { params, third, .. } = self.witness(1, true);
                let (params, third, signature) = (Box::new(params), Box::new(third), Vec::new());
                let call = Call::Fold {
                    posted,
                    number,
                    footing,
                    list,
                    challenger,
                    operator,
                    sums,
                    params,
                    third,
                    signature,
                };
                (executor(), call)
            }
            Phase::Seg => {
                let sums = self.stated.clone()?;
                let index = u32::from(choice) % 3;
                let witness = Box::new(self.witness(choice, false));
                (CHALLENGER, Call::Segment { posted, number, footing, list, operator, sums, index, witness })
            }
            _ => return None,
        };
        let result = self.send(sender, NOTHING, 2, &call);
        if let (Ok(_), Call::Fold { sums, .. }) = (&result, call) {
            self.stated = Some(sums);
        }
        result.err()
    }

    /// The whole of it in one call, steered by `choice`.
    pub fn refute(&mut self, choice: u8) -> Result<Vec<Event>, Refusal> {
        let path = self.shape.operators(&self.operator).path(self.shape.export.into());
        self.refute_by(path, choice)
    }

    /// The same, by this path of the operator.
    pub fn refute_by(&mut self, operator_path: Vec<Digest>, choice: u8) -> Result<Vec<Event>, Refusal> {
        self.refute_with(self.refutation(operator_path, choice))
    }

    pub fn refutation(&self, operator_path: Vec<Digest>, choice: u8) -> Refutation {
        let tile = u64::from(choice) % 10;
        Refutation {
            layer: self.shape.head(),
            operator: self.operator.clone(),
            position: self.shape.export.into(),
            operator_path,
            tile_index: tile as u32,
            tile: tile_at(&self.output, tile).to_vec(),
            tile_path: self.tree.path(tile),
            element: choice % 32,
            witness: self.witness(choice | 1, true),
            ..Refutation::default()
        }
    }

    pub fn refute_with(&mut self, refutation: Refutation) -> Result<Vec<Event>, Refusal> {
        let call = Call::Refute { posted: self.posted, refutation: Box::new(refutation) };
        self.send(STRANGER, NOTHING, 2, &call)
    }
}

/// Plays such a program as far as it goes, and refutes it at once; gives the match's last phase.
pub fn play(shape: Shape, operator: &[u8], choices: &[u8]) -> Phase {
    play_by(game, shape, operator, choices)
}

/// The same by other rules.
pub fn play_by<M: Rules>(rules: impl Fn() -> M, shape: Shape, operator: &[u8], choices: &[u8]) -> Phase {
    let mut trial = Trial::of(rules(), shape, operator);
    for choice in choices {
        trial.advance(*choice);
    }
    let mut refuted = Trial::of(rules(), shape, operator);
    for choice in choices.iter().take(3) {
        let _ = refuted.refute(*choice);
    }
    trial.phase()
}
