//! What a claim commits to, true or not: every output's tiles and trees, and what may be stated of a layer's operators.

use std::collections::BTreeSet;

use narrows_bisection::Trace;
use narrows_commitment::{Digest, Domain, TILE_BYTES, TensorRoot, TensorTree, TraceRoot, Tree, tagged};
use narrows_program::{LayerIndex, OperatorIndex, Program, Source};

use super::evaluate::{Stated, run};
use super::programs::input;

/// A tensor as it is committed: whole tiles, and a tree that may hold more than they give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tensor {
    /// The real tiles' bytes.
    pub bytes: Vec<u8>,
    /// The tree that was committed.
    pub tree: TensorTree,
}

impl Tensor {
    /// As the specification wants it: padded with zeros.
    pub fn of(values: &[u8]) -> Self {
        let mut bytes = values.to_vec();
        bytes.resize(values.len().div_ceil(TILE_BYTES) * TILE_BYTES, 0);
        Self { tree: TensorTree::of_bytes(&bytes), bytes }
    }

    /// With a byte behind the last element that is not zero.
    fn stained(values: &[u8]) -> Self {
        let mut bytes = Self::of(values).bytes;
        *bytes.last_mut().expect("a tile") = 1;
        Self { tree: TensorTree::of_bytes(&bytes), bytes }
    }

    /// With a first padding leaf that is not the constant, or one `skipped` leaves further.
    fn overgrown(values: &[u8], skipped: u64) -> Self {
        let tensor = Self::of(values);
        let count = tensor.tree.tile_count();
        let leaf = |i| if i == count + skipped { FAKE } else { tensor.tree.node(0, i) };
        Self { tree: TensorTree::of_leaves((0..=count + skipped).map(leaf).collect()), ..tensor }
    }

    /// The root.
    pub fn root(&self) -> TensorRoot {
        TensorRoot(self.tree.root())
    }

    /// Its tile `index`.
    pub fn tile(&self, index: u64) -> &[u8] {
        &self.bytes[index as usize * TILE_BYTES..][..TILE_BYTES]
    }

    /// How many it has.
    pub fn tiles(&self) -> u64 {
        (self.bytes.len() / TILE_BYTES) as u64
    }
}

/// A leaf that nobody knows a preimage of.
const FAKE: Digest = Digest([0xfa; 32]);

/// All that a claim may be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// What is wrong with it, in words.
    pub label: String,
    /// Its values; what they cannot say (padding) is in `stated`.
    pub trace: Trace,
    input: Tensor,
    constants: Vec<Tensor>,
    /// Every operator's output: first those that the roots commit to, then others that could be stated of local operators.
    stated: Vec<Vec<Tensor>>,
    /// The tree over layers.
    pub tree: Tree,
    program: Program,
}

impl Claimed {
    /// The claim of these outputs.
    pub fn new(program: &Program, label: String, outputs: Vec<Vec<u8>>) -> Self {
        let tensors: Vec<Tensor> = outputs.iter().map(|output| Tensor::of(output)).collect();
        let constants = program.constants().iter().map(|constant| Tensor::of(&constant.bytes)).collect();
        let mut claimed = Self {
            label,
            trace: Trace::new(program, input(), outputs).expect("lengths"),
            input: Tensor::of(&input()),
            constants,
            tree: Tree::new(vec![FAKE]),
            stated: vec![tensors],
            program: program.clone(),
        };
        claimed.plant();
        claimed
    }

    /// The right claim.
    pub fn truth(program: &Program) -> Self {
        Self::new(program, "the truth".into(), run(program, &input(), |_, _| {}))
    }

    /// Makes the tree over layers from the committed outputs.
    fn plant(&mut self) {
        let leaves = (0..self.program.header().layers).map(|i| self.layer_leaf(LayerIndex(i))).collect();
        self.tree = Tree::new(leaves);
    }

    fn layer_leaf(&self, layer: LayerIndex) -> Digest {
        let roots: Vec<TensorRoot> = self.exports(layer).collect();
        if let [only] = roots[..] {
            return only.0;
        }
        let joined: Vec<u8> = roots.iter().flat_map(|root| root.0.0).collect();
        tagged(Domain::Exports, &[&[roots.len() as u8], &joined])
    }

    /// The roots of what a layer exports.
    pub fn exports(&self, layer: LayerIndex) -> impl Iterator<Item = TensorRoot> {
        self.program.layer(layer).exported().map(|index| self.output(0, index).root())
    }

    /// The trace root.
    pub fn root(&self) -> TraceRoot {
        TraceRoot(self.tree.root())
    }

    /// The path that shows the last layer's leaf, which posting carries.
    pub fn output_path(&self) -> Vec<Digest> {
        self.tree.path(u64::from(self.program.header().layers) - 1)
    }

    /// Whether it can be posted at all: the public output is committed as the specification wants it.
    fn is_postable(&self) -> bool {
        let last = self.program.header().layers - 1;
        self.tree.node(0, last.into()) == TensorTree::of_bytes(self.trace.output()).root()
    }

    /// The output of operator `index`, as `stated`.
    pub fn output(&self, stated: Stated, index: OperatorIndex) -> &Tensor {
        &self.stated[stated][index.0 as usize]
    }

    /// Any tensor, as `stated`.
    pub fn tensor(&self, stated: Stated, source: Source) -> &Tensor {
        match source {
            Source::Input => &self.input,
            Source::Constant(index) => &self.constants[index.0 as usize],
            Source::Operator(index) => self.output(stated, index),
        }
    }

    /// How many statements there are to choose from.
    pub fn statements(&self) -> usize {
        self.stated.len()
    }

    /// The roots that a sub-trace of `layer` states.
    pub fn roots(&self, stated: Stated, layer: LayerIndex) -> Vec<TensorRoot> {
        let operators = self.program.layer(layer).operators();
        operators.map(|index| self.output(stated, OperatorIndex(index)).root()).collect()
    }

    /// The tree over them.
    pub fn list(&self, stated: Stated, layer: LayerIndex) -> Tree {
        Tree::new(self.roots(stated, layer).into_iter().map(|root| root.0).collect())
    }

    /// Which statement has this list; the first for 0, which says that there is none.
    pub fn stated_by(&self, layer: LayerIndex, list: Digest) -> Stated {
        let found = (0..self.statements()).find(|stated| self.list(*stated, layer).root() == list);
        found.unwrap_or_default()
    }

    /// Adds a statement for each operator that no root commits to: its first value moved by 1.
    pub fn with_statements(mut self) -> Self {
        for index in 0..self.program.header().operators {
            let (layer, position) = self.program.layer_of(OperatorIndex(index));
            if !self.program.layer(layer).is_exported(position) {
                let mut other = self.stated[0].clone();
                let tensor = &mut other[index as usize];
                tensor.bytes[0] ^= 1;
                tensor.tree = TensorTree::of_bytes(&tensor.bytes);
                self.stated.push(other);
            }
        }
        self
    }
}

/// A value of an operator's output, to be moved by 1.
type Spot = (u32, usize);

fn doctored(program: &Program, spots: &[Spot], follows: bool) -> Claimed {
    let bend = |at: u32, output: &mut Vec<u8>| {
        let size = program.operators()[at as usize].dtype.bytes();
        for (_, e) in spots.iter().filter(|(operator, _)| *operator == at) {
            output[e * size] ^= 1;
        }
    };
    let outputs = if follows {
        run(program, &input(), bend)
    } else {
        let mut outputs = run(program, &input(), |_, _| {});
        outputs.iter_mut().enumerate().for_each(|(at, output)| bend(at as u32, output));
        outputs
    };
    let how = if follows { "and what follows from it" } else { "and right values after it" };
    Claimed::new(program, format!("wrong at {spots:?} {how}"), outputs)
}

/// The first value of every tile of every output, and the last of all.
fn spots(program: &Program) -> Vec<Spot> {
    let mut out = BTreeSet::new();
    for (at, op) in program.operators().iter().enumerate() {
        let in_tile = TILE_BYTES / op.dtype.bytes();
        let elements = op.elements() as usize;
        out.extend((0..elements).step_by(in_tile).chain([elements - 1]).map(|e| (at as u32, e)));
    }
    out.into_iter().collect()
}

/// Every claim that is wrong at one or two leaves and shows it under its root, values first, then padding.
pub fn lies(program: &Program, leaves: usize) -> Vec<Claimed> {
    let (spots, truth) = (spots(program), Claimed::truth(program));
    let mut out = Vec::new();
    for (i, first) in spots.iter().enumerate() {
        out.extend([true, false].map(|follows| doctored(program, &[*first], follows)));
        if leaves > 1 {
            out.extend(spots[i + 1..].iter().map(|second| doctored(program, &[*first, *second], true)));
        }
    }
    out.extend(padding_lies(program));
    let mut seen = BTreeSet::from([truth.root()]);
    out.retain(|claimed| claimed.is_postable() && seen.insert(claimed.root()));
    out.into_iter().map(Claimed::with_statements).collect()
}

/// Right values, and padding that is not the constant: in a tile, in a tensor's tree, in the tree of layers.
fn padding_lies(program: &Program) -> Vec<Claimed> {
    let truth = Claimed::truth(program);
    let mut out = Vec::new();
    for (at, op) in program.operators().iter().enumerate() {
        let values = truth.trace.operator(OperatorIndex(at as u32)).to_vec();
        let mut with = |label: &str, tensor: Tensor| {
            let mut claimed = truth.clone();
            claimed.label = format!("{label} of operator {at}");
            claimed.stated[0][at] = tensor;
            claimed.plant();
            out.push(claimed);
        };
        if !op.output_bytes().is_multiple_of(TILE_BYTES as u64) {
            with("a stain behind the values", Tensor::stained(&values));
        }
        let tree = Tensor::of(&values).tree;
        let padding = (1 << tree.depth()) - tree.tile_count();
        if padding > 0 {
            with("a first padding tile", Tensor::overgrown(&values, 0));
            with("a last padding tile", Tensor::overgrown(&values, padding - 1));
        }
    }
    let layers = u64::from(program.header().layers);
    let width = 1u64 << truth.tree.depth();
    for at in BTreeSet::from([layers, width - 1]).into_iter().filter(|at| (layers..width).contains(at)) {
        let mut claimed = truth.clone();
        claimed.label = format!("padding leaf {at} of the tree of layers");
        let leaf = |i| if i == at { FAKE } else { truth.tree.node(0, i) };
        claimed.tree = Tree::new((0..=at).map(leaf).collect());
        out.push(claimed);
    }
    out
}
