//! Programs that break every rule: the registry cannot see their layers, so the game must bear them.

mod game_support;

use std::sync::LazyLock;

use game_support::*;
use narrows_bisection::game::ids;
use narrows_bisection::{
    Block, BlockTime, Call, Event, Footing, Game, Opened, Phase, Posted, Refusal, Refutation, Seat, Seated,
    Standing, Wei, Witness,
};
use narrows_commitment::{
    Digest, Domain, LayersRoot, MultiProof, TensorRoot, TraceRoot, Tree, tagged, tile_at,
};
use narrows_program::{OperatorIndex, Program};
use proptest::prelude::*;

/// The only layer of a program: how many operators it says it has, of which `export` is exported, from `first` on.
#[derive(Debug, Clone, Copy)]
struct Shape {
    first: u32,
    count: u8,
    export: u8,
}

const ALONE: Shape = Shape { first: 0, count: 1, export: 0 };

impl Shape {
    fn head(&self) -> Vec<u8> {
        [&self.first.to_be_bytes()[..], &[self.count, 1, self.export]].concat()
    }

    /// All of its operators are the same.
    fn operators(&self, operator: &[u8]) -> Tree {
        Tree::new(vec![tagged(Domain::Operator, &[operator]); self.count.into()])
    }

    /// What is stated of its operators' outputs: the output of the exported one, and anything of the others.
    fn roots(&self, output: Digest) -> Vec<TensorRoot> {
        let root = |position| if position == self.export { output } else { SALT };
        (0..self.count).map(|position| TensorRoot(root(position))).collect()
    }
}

/// The legal program of one operator, and the lie that is claimed of it: element 1.
static LEGAL: LazyLock<(Program, Vec<u8>)> = LazyLock::new(|| {
    let program = single(2);
    let output = doctored(&program, (0, 1)).output().to_vec();
    (program, output)
});

/// The legal operator's bytes: its descriptor, and the root of its records.
fn legal() -> Vec<u8> {
    LEGAL.0.operator_bytes(OperatorIndex(0))
}

/// As many constants' roots behind a descriptor as its kinds ask for, and before them the word of a third operand if the
/// descriptor says that there is one.
fn with_roots(descriptor: &[u8], third: &[u8]) -> Vec<u8> {
    let bytes = legal();
    let extended = descriptor[7] == 1;
    let roots = 1 + [5, 6].iter().filter(|at| descriptor[**at] == 1).count();
    let roots = roots + usize::from(extended && third[1] == 1);
    let word = if extended { third } else { &[] };
    [&descriptor[..192], word, &bytes[192..].repeat(roots)].concat()
}

/// A game with a claim on a program of this layer, and a match about it.
struct Trial {
    game: Game,
    shape: Shape,
    operator: Vec<u8>,
    output: Vec<u8>,
    tree: Tree,
    posted: Posted,
    claim: narrows_bisection::ClaimId,
    /// Where the claimed tensor's tree is.
    level: u32,
    index: u64,
    /// The sums that were stated.
    stated: Option<Vec<i64>>,
}

impl Trial {
    fn new(shape: Shape, operator: &[u8]) -> Self {
        let (legal, output) = (&LEGAL.0, LEGAL.1.clone());
        let tree = Tree::of_bytes(&output);
        let root = shape.operators(operator).root();
        let layers_root = LayersRoot(tagged(Domain::Layer, &[&shape.head(), &root.0]));
        let header = legal.header_bytes().to_vec();
        let program = ids::program_root(&header, layers_root);
        let game = Game::new(CHAIN, GAME, parameters()).expect("good parameters");
        let input_root = TensorRoot(Tree::of_bytes(&input()).root());
        let job = ids::job_id(CHAIN, GAME, REQUESTER, program, input_root, SALT);
        let root = tree.root();
        let posted =
            Posted { job, executor: executor(), trace_root: TraceRoot(root), output_root: TensorRoot(root) };
        let claim = game.claim_id(&posted);
        let level = tree.depth();
        let operator = operator.to_vec();
        let mut trial =
            Self { game, shape, operator, output, tree, posted, claim, level, index: 0, stated: None };
        trial.send(STRANGER, NOTHING, START, &Call::Register { header, layers_root }).expect("registers");
        let (input, deadline) = (input(), JOB_DEADLINE);
        trial
            .send(REQUESTER, NOTHING, START, &Call::PostJob { program, input, salt: SALT, deadline })
            .expect("posts");
        let commitment = ids::claim_commitment(SALT, &posted);
        // 1,200 terms, 1.2 wei.
        trial
            .send(executor(), Wei(1_001 + 2), START, &Call::CommitClaim { job, commitment })
            .expect("commits");
        let call = Call::PostClaim {
            job,
            number: 0,
            committed_at: BlockTime(START),
            salt: SALT,
            trace_root: posted.trace_root,
            output: trial.output.clone(),
            path: Vec::new(),
        };
        trial.send(executor(), NOTHING, START + 1, &call).expect("claims");
        let bond = trial.game.program(program).and_then(|p| p.bond(&parameters())).expect("small");
        trial.send(CHALLENGER, bond, START + 1, &Call::Open { posted, commitment: SALT }).expect("opens");
        trial
    }

    fn send(
        &mut self,
        sender: narrows_bisection::Account,
        value: Wei,
        now: u64,
        call: &Call,
    ) -> Result<Vec<Event>, Refusal> {
        let before = self.game.clone();
        let block = Block { time: BlockTime(now), base_fee: Wei(2) };
        let result = self.game.apply(block, sender, value, call);
        assert!(result.is_ok() || self.game == before, "{} changed something", call.name());
        result
    }

    fn phase(&self) -> Phase {
        self.game.match_of(ids::match_id(self.claim, 0)).expect("a match").state.phase
    }

    fn opened(&self, bytes: &[u8], tiles: std::ops::Range<u64>) -> Opened {
        let tree = Tree::of_bytes(bytes);
        let indices: Vec<u64> = tiles.collect();
        Opened {
            root_path: Vec::new(),
            indices: indices.iter().map(|index| *index as u32).collect(),
            tiles: indices.iter().flat_map(|index| tile_at(bytes, *index)).collect(),
            proof: tree.multi_proof(&indices),
        }
    }

    fn witness(&self, choice: u8, whole: bool) -> Witness {
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

    /// The next move, steered by `choice`.
    fn advance(&mut self, choice: u8) {
        let this = *self.game.match_of(ids::match_id(self.claim, 0)).expect("a match");
        let state = this.state;
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
                let levels = u32::from(state.levels()).min(self.level);
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
                    siblings: self.tree.path(leaf)[..self.level as usize].to_vec(),
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
                let Some(sums) = self.stated.clone() else { return };
                let index = u32::from(choice) % 3;
                let witness = Box::new(self.witness(choice, false));
                (CHALLENGER, Call::Segment { posted, number, footing, list, operator, sums, index, witness })
            }
            _ => return,
        };
        let result = self.send(sender, NOTHING, START + 2, &call);
        if let (Ok(_), Call::Fold { sums, .. }) = (&result, call) {
            self.stated = Some(sums);
        }
    }

    /// The whole of it in one call, steered by `choice`.
    fn refute(&mut self, choice: u8) -> Result<Vec<Event>, Refusal> {
        let operators = self.shape.operators(&self.operator);
        let position = u64::from(self.shape.export);
        let tile = u64::from(choice) % 10;
        let refutation = Refutation {
            layer: self.shape.head(),
            operator: self.operator.clone(),
            position: self.shape.export.into(),
            operator_path: operators.path(position),
            tile_index: tile as u32,
            tile: tile_at(&self.output, tile).to_vec(),
            tile_path: self.tree.path(tile),
            element: choice % 32,
            witness: self.witness(choice | 1, true),
            ..Refutation::default()
        };
        let call = Call::Refute { posted: self.posted, refutation: Box::new(refutation) };
        self.send(STRANGER, NOTHING, START + 2, &call)
    }
}

/// Plays such a program as far as it goes, and refutes it at once; gives the match's last phase.
fn play(shape: Shape, operator: &[u8], choices: &[u8]) -> Phase {
    let mut trial = Trial::new(shape, operator);
    for choice in choices {
        trial.advance(*choice);
    }
    let mut refuted = Trial::new(shape, operator);
    for choice in choices.iter().take(3) {
        let _ = refuted.refute(*choice);
    }
    trial.phase()
}

#[test]
fn the_legal_operator_goes_to_the_end() {
    for shape in
        [ALONE, Shape { first: 7, count: 2, export: 1 }, Shape { first: u32::MAX, count: 32, export: 5 }]
    {
        // By showing tiles and by naming at once; element 1 of tile 0 is the lie.
        for choices in [[0, 0, 0, 0, 0, 1, 1], [0, 0, 0, 0, 1, 1, 1]] {
            assert_eq!(play(shape, &legal(), &choices), Phase::Won, "{shape:?}");
        }
        let mut trial = Trial::new(shape, &legal());
        assert_eq!(trial.refute(2), Err(Refusal::NoFault));
        assert_eq!(trial.refute(1), Err(Refusal::NoFault));
        assert_eq!(trial.phase(), Phase::LayerC);
        assert_eq!(
            trial.game.claim(trial.claim).expect("posted").status,
            narrows_bisection::ClaimStatus::Pending
        );
    }
}

#[test]
fn attack_28_a_descriptor_beyond_the_limits_is_refused_where_it_is_entered() {
    let several = Shape { first: 0, count: 3, export: 1 };
    let entered = |operator: &[u8]| {
        // One choice is the pick alone; three reach the pick of the operator.
        let [alone, within] =
            [(ALONE, Phase::LayerC, 1), (several, Phase::SubC, 3)].map(|(shape, before, moves)| {
                let phase = play(shape, operator, &[1; 3][..moves]);
                assert!(phase >= before, "{phase:?}");
                phase != before
            });
        let refuted = Trial::new(ALONE, operator).refute(1) != Err(Refusal::WrongDescriptor);
        assert_eq!([alone, alone], [within, refuted]);
        alone
    };
    let bent = |bends: &[(usize, u32)]| {
        let mut operator = legal();
        for (at, value) in bends {
            operator[*at..*at + 4].copy_from_slice(&value.to_be_bytes());
        }
        entered(&operator)
    };
    let (dims, terms, split) = (32, 48, 24);
    assert!(bent(&[(dims, 1 << 20), (dims + 4, 1 << 10), (dims + 12, 1)]));
    assert!(bent(&[(dims, i32::MAX as u32), (dims + 12, 1)]));
    assert!(!bent(&[(dims, 1 << 31), (dims + 12, 1)]));
    assert!(!bent(&[(dims, u32::MAX), (dims + 4, u32::MAX), (dims + 8, u32::MAX), (dims + 12, u32::MAX)]));
    assert!(!bent(&[(dims, 0)]));
    assert!(bent(&[(terms, 1 << 24)]) && !bent(&[(terms, (1 << 24) + 1)]) && !bent(&[(terms, 0)]));
    assert!(bent(&[(split, 1 << 14)]) && !bent(&[(split, (1 << 14) + 1)]) && !bent(&[(split, 0)]));
    for code in 0..=255u8 {
        for at in [2, 3, 4] {
            let mut operator = legal();
            operator[at] = code;
            let known = (1..=3).contains(&code) || (at == 4 && code == 0);
            assert_eq!(entered(&operator), known, "type {code} at {at}");
        }
    }
}

#[test]
fn attack_28_a_word_of_any_kind_is_refused_without_a_panic() {
    let mut trial = Trial::new(ALONE, &legal());
    let seated = Seated { challenger: CHALLENGER, seat: Seat::default() };
    let (posted, claim, number) = (trial.posted, trial.claim, 0);
    for byte in [0u8, 1, 2, 31, 32, 33, 63, 64, 127, 128, 254, 255] {
        for at in 0..32 {
            let mut standing = Standing::default();
            // The greatest tensor's tiles beneath, so that many tiles could be real.
            for tiles in [0u8, 0xff] {
                standing.word.0[3..7].fill(tiles);
                standing.word.0[at] = byte;
                for given in [128, 5 * 128, 64 * 128] {
                    let (word, rest, tiles) = (standing.word, SALT, vec![7; given]);
                    let footing = Footing { word, rest };
                    let call = Call::RevealTiles { claim, number, footing, tiles };
                    let refusal = trial.send(STRANGER, NOTHING, START + 2, &call).expect_err("no such state");
                    assert!([Refusal::WrongState, Refusal::WrongCount].contains(&refusal), "{refusal:?}");
                }
                for call in [
                    Call::Timeout { posted, number, standing, seated, node: SALT },
                    Call::Reclaim { claim, number, standing, seated, node: SALT },
                ] {
                    let result = trial.send(STRANGER, NOTHING, START + 2, &call);
                    assert_eq!(result, Err(Refusal::WrongState));
                }
            }
        }
    }
}

fn shape() -> impl Strategy<Value = Shape> {
    let several = (any::<u32>(), 2..=32u8, any::<u8>()).prop_map(|(first, count, export)| Shape {
        first,
        count,
        export: export % count,
    });
    prop_oneof![Just(ALONE), several]
}

fn edge() -> impl Strategy<Value = u8> {
    prop_oneof![Just(0u8), Just(1), Just(2), Just(3), Just(0x7f), Just(0x80), Just(0xff), any::<u8>()]
}

fn word() -> impl Strategy<Value = u32> {
    prop::sample::select(vec![0u32, 1, 3, 1 << 14, 1 << 24, i32::MAX as u32, 1 << 31, u32::MAX])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn attack_28_an_illegal_operator_never_panics_the_game(
        shape in shape(),
        bends in prop::collection::vec((0usize..192, edge()), 0..8),
        choices in prop::collection::vec(any::<u8>(), 6..14),
    ) {
        let mut descriptor = legal();
        for (at, value) in bends {
            descriptor[at] = value;
        }
        play(shape, &with_roots(&descriptor, &[0; 32]), &choices);
    }

    #[test]
    fn attack_28_a_third_operand_of_any_kind_never_panics_the_game(
        shape in shape(),
        fold in 0u8..8,
        way in 0u8..6,
        scales in (word(), word()),
        mut third in prop::collection::vec(edge(), 32),
        opens in any::<bool>(),
        choices in prop::collection::vec(any::<u8>(), 6..14),
    ) {
        let mut descriptor = legal();
        (descriptor[0], descriptor[1], descriptor[7]) = (fold, way, 1);
        descriptor[176..180].copy_from_slice(&scales.0.to_be_bytes());
        descriptor[180..184].copy_from_slice(&scales.1.to_be_bytes());
        if opens {
            // The input, of which the witness opens all tiles.
            (third[0], third[1], third[2]) = (1 + third[0] % 3, 0, descriptor[9]);
        }
        play(shape, &with_roots(&descriptor, &third), &choices);
    }

    #[test]
    fn attack_28_words_at_their_limits_never_panic_the_game(
        shape in shape(),
        bends in prop::collection::vec((3usize..48, word()), 0..6),
        choices in prop::collection::vec(any::<u8>(), 6..14),
    ) {
        let mut descriptor = legal();
        for (word, value) in bends {
            descriptor[word * 4..word * 4 + 4].copy_from_slice(&value.to_be_bytes());
        }
        play(shape, &with_roots(&descriptor, &[0; 32]), &choices);
    }

    #[test]
    fn attack_28_any_proof_is_refused_without_a_panic(
        indices in prop::collection::vec(word(), 0..4),
        length in 0usize..600,
        proof in 0usize..40,
        path in 0usize..40,
        number in word(),
        byte in edge(),
    ) {
        let mut trial = Trial::new(Shape { first: 3, count: 3, export: 1 }, &legal());
        let opened = Opened {
            root_path: vec![SALT; path],
            indices,
            tiles: vec![byte; length],
            proof: MultiProof(vec![SALT; proof]),
        };
        let witness = Witness { a: opened.clone(), params: opened, ..Witness::default() };
        let mut refutation = Refutation {
            layer_index: number,
            layer: trial.shape.head(),
            layer_path: vec![SALT; path],
            operator: legal(),
            position: number,
            operator_path: vec![SALT; path],
            tile_index: number,
            tile: vec![byte; 128],
            tile_path: vec![SALT; path],
            element: byte,
            witness,
            ..Refutation::default()
        };
        let call = |refutation: &Refutation, posted| Call::Refute { posted, refutation: Box::new(refutation.clone()) };
        let posted = trial.posted;
        prop_assert!(trial.send(STRANGER, NOTHING, START + 2, &call(&refutation, posted)).is_err());
        // With everything right but the witness.
        let operators = trial.shape.operators(&legal());
        (refutation.layer_index, refutation.position, refutation.tile_index) = (0, 1, 0);
        (refutation.layer_path, refutation.operator_path) = (Vec::new(), operators.path(1));
        refutation.tile = tile_at(&trial.output, 0).to_vec();
        refutation.tile_path = trial.tree.path(0);
        let refusal = trial.send(STRANGER, NOTHING, START + 2, &call(&refutation, posted)).expect_err("no proof");
        prop_assert!([Refusal::WrongIndex, Refusal::WrongCount, Refusal::BadOpening].contains(&refusal));
    }
}
