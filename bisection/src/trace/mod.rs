//! An execution's trace in two levels: what layers export, and every operator's output (SPEC 3).

mod exports;

use std::sync::OnceLock;

use narrows_commitment::{
    Digest, ProgramRoot, TensorRoot, TensorTree, Tile, TraceRoot, Tree, keccak, tile_at,
};
use narrows_program::{Layer, LayerIndex, OperatorIndex, Program, TileIndex};

use exports::exports_leaf;
pub use exports::{Exports, exports_root, root_of_exports};

/// What a trace file begins with.
const MAGIC: &[u8; 4] = b"NRWT";
/// The version of a trace file's form.
const VERSION: u32 = 2;
/// Bytes of a file before the input: magic, version and program root.
const FILE_HEAD: usize = 4 + 4 + 32;

/// Why something is not a trace of a program.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TraceError {
    /// A wrong number of bytes.
    #[error("{what} has {given} bytes where the program has {expected}; give a trace of this very program")]
    Length {
        /// Which tensor.
        what: String,
        /// Bytes by the program.
        expected: u64,
        /// Bytes that were given.
        given: u64,
    },
    /// A wrong number of operators.
    #[error(
        "the trace has {given} operators where the program has {expected}; give a trace of this very program"
    )]
    Operators {
        /// Operators by the program.
        expected: usize,
        /// Operators that were given.
        given: usize,
    },
    /// The file is no trace file, or its bytes were changed.
    #[error("the trace file is {0}; write it again with `narrows run --trace`")]
    File(&'static str),
    /// The file is of a version that this program does not read.
    #[error("the trace file is of version {0}, not {VERSION}; write it again with `narrows run --trace`")]
    Version(u32),
    /// The trace belongs to another program.
    #[error("the trace is of program {trace}, not of {program}; give the program it was made with")]
    Program {
        /// The program that the trace names.
        trace: ProgramRoot,
        /// The program that was given.
        program: ProgramRoot,
    },
}

/// The input, every operator's output, and the trees over them.
///
/// Only what layers export is hashed at once; the input's tree and other operators' are built when somebody asks for them.
#[derive(Debug, Clone)]
pub struct Trace {
    input: Vec<u8>,
    input_tree: OnceLock<TensorTree>,
    outputs: Vec<Vec<u8>>,
    trees: Vec<OnceLock<TensorTree>>,
    /// Each layer's first operator.
    firsts: Vec<u32>,
    tree: Tree,
}

impl PartialEq for Trace {
    /// Which trees have been built makes no difference.
    fn eq(&self, other: &Self) -> bool {
        (&self.input, &self.outputs, &self.firsts, &self.tree)
            == (&other.input, &other.outputs, &other.firsts, &other.tree)
    }
}

impl Eq for Trace {}

impl Trace {
    /// Commits to the outputs that an engine gave for `input`, one an operator, all in canonical bytes.
    ///
    /// # Errors
    /// When the lengths are not the program's.
    pub fn new(program: &Program, input: Vec<u8>, outputs: Vec<Vec<u8>>) -> Result<Self, TraceError> {
        let check = |what: &dyn Fn() -> String, expected: u64, given: usize| match given as u64 == expected {
            true => Ok(()),
            false => Err(TraceError::Length { what: what(), expected, given: given as u64 }),
        };
        check(&|| "the input".into(), program.header().input.bytes(), input.len())?;
        if outputs.len() != program.operators().len() {
            return Err(TraceError::Operators { expected: program.operators().len(), given: outputs.len() });
        }
        for (index, (operator, output)) in program.operators().iter().zip(&outputs).enumerate() {
            check(&|| format!("the output of operator {index}"), operator.output_bytes(), output.len())?;
        }
        let trees: Vec<OnceLock<TensorTree>> = outputs.iter().map(|_| OnceLock::new()).collect();
        let root = |index: OperatorIndex| {
            let at = index.0 as usize;
            trees[at].get_or_init(|| TensorTree::of_bytes(&outputs[at])).root()
        };
        let leaf = |layer: &Layer| exports_leaf(&layer.exported().map(root).collect::<Vec<_>>());
        let tree = Tree::new(program.layers().iter().map(leaf).collect());
        let firsts = program.layers().iter().map(|layer| layer.first.0).collect();
        Ok(Self { input, input_tree: OnceLock::new(), outputs, trees, firsts, tree })
    }

    /// The trace root.
    #[must_use]
    pub fn root(&self) -> TraceRoot {
        TraceRoot(self.tree.root())
    }

    /// The tree over layer leaves.
    #[must_use]
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// The leaf of layer `layer`.
    ///
    /// # Panics
    /// When there is no such layer, as the other accessors by layer do.
    #[must_use]
    pub fn layer_leaf(&self, layer: LayerIndex) -> Digest {
        assert!((layer.0 as usize) < self.firsts.len(), "layer {layer} is not in the trace");
        self.tree.node(0, u64::from(layer.0))
    }

    /// The input's canonical bytes.
    #[must_use]
    pub fn input(&self) -> &[u8] {
        &self.input
    }

    /// The input's root.
    #[must_use]
    pub fn input_root(&self) -> TensorRoot {
        TensorRoot(self.input_tree().root())
    }

    /// The input's tree, built when it is first asked for.
    #[must_use]
    pub fn input_tree(&self) -> &TensorTree {
        self.input_tree.get_or_init(|| TensorTree::of_bytes(&self.input))
    }

    /// The output of operator `operator`, in canonical bytes.
    ///
    /// # Panics
    /// When there is no such operator, as the other accessors by operator do.
    #[must_use]
    pub fn operator(&self, operator: OperatorIndex) -> &[u8] {
        &self.outputs[operator.0 as usize]
    }

    /// The tree over the output of operator `operator`, built when it is first asked for.
    #[must_use]
    pub fn operator_tree(&self, operator: OperatorIndex) -> &TensorTree {
        self.trees[operator.0 as usize].get_or_init(|| TensorTree::of_bytes(self.operator(operator)))
    }

    /// The root of the output of operator `operator`.
    #[must_use]
    pub fn operator_root(&self, operator: OperatorIndex) -> TensorRoot {
        TensorRoot(self.operator_tree(operator).root())
    }

    /// One tile of the output of operator `operator`.
    #[must_use]
    pub fn tile(&self, operator: OperatorIndex, tile: TileIndex) -> Tile {
        tile_at(self.operator(operator), u64::from(tile.0))
    }

    /// The output roots of the operators of layer `layer`, in order: what a sub-trace states.
    #[must_use]
    pub fn sub_roots(&self, layer: LayerIndex) -> Vec<TensorRoot> {
        let at = layer.0 as usize;
        let end = self.firsts.get(at + 1).copied().unwrap_or(self.outputs.len() as u32);
        (self.firsts[at]..end).map(|index| self.operator_root(OperatorIndex(index))).collect()
    }

    /// The tree over the output roots of the operators of layer `layer`.
    #[must_use]
    pub fn sub_tree(&self, layer: LayerIndex) -> Tree {
        Tree::new(self.sub_roots(layer).into_iter().map(|root| root.0).collect())
    }

    /// The tree over all operators' output roots.
    #[must_use]
    pub fn own_tree(&self) -> Tree {
        let indices = 0..self.outputs.len() as u32;
        Tree::new(indices.map(|index| self.operator_root(OperatorIndex(index)).0).collect())
    }

    /// The root of [`Trace::own_tree`], which a challenger commits to.
    #[must_use]
    pub fn own_root(&self) -> Digest {
        self.own_tree().root()
    }

    /// Every operator's output.
    #[must_use]
    pub fn outputs(&self) -> &[Vec<u8>] {
        &self.outputs
    }

    /// The public output: the last operator's.
    #[must_use]
    pub fn output(&self) -> &[u8] {
        &self.outputs[self.outputs.len() - 1]
    }

    /// The path that shows the public output under the trace root.
    #[must_use]
    pub fn output_path(&self) -> Vec<Digest> {
        self.tree.path(self.firsts.len() as u64 - 1)
    }

    /// The first operator whose output differs from `other`'s, a trace of the same program.
    #[must_use]
    pub fn first_difference(&self, other: &Self) -> Option<OperatorIndex> {
        let differs = self.outputs.iter().zip(&other.outputs).position(|(a, b)| a != b);
        differs.map(|index| OperatorIndex(index as u32))
    }

    /// The first layer whose leaf differs from `other`'s, a trace of the same program: where the trace roots part.
    #[must_use]
    pub fn first_layer_difference(&self, other: &Self) -> Option<LayerIndex> {
        let mut layers = (0..self.firsts.len() as u32).map(LayerIndex);
        layers.find(|layer| self.layer_leaf(*layer) != other.layer_leaf(*layer))
    }

    /// The bytes of a trace file:
    /// `NRWT | be32(version = 2) | programRoot | input | every operator's output | keccak of all before`.
    #[must_use]
    pub fn encode(&self, program: &Program) -> Vec<u8> {
        let tensors: usize = self.outputs.iter().map(Vec::len).sum();
        let mut out = Vec::with_capacity(FILE_HEAD + self.input.len() + tensors + 32);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&VERSION.to_be_bytes());
        out.extend_from_slice(&program.root().0.0);
        out.extend_from_slice(&self.input);
        self.outputs.iter().for_each(|output| out.extend_from_slice(output));
        let seal = keccak(&out);
        out.extend_from_slice(&seal.0);
        out
    }

    /// Reads a trace file of `program`.
    ///
    /// # Errors
    /// When the file is not a trace of this program, or was altered.
    pub fn decode(program: &Program, bytes: &[u8]) -> Result<Self, TraceError> {
        let truncated = TraceError::File("truncated");
        let body = bytes.strip_prefix(MAGIC).ok_or(TraceError::File("not a trace file"))?;
        let (version, body) = body.split_first_chunk::<4>().ok_or(truncated.clone())?;
        let version = u32::from_be_bytes(*version);
        if version != VERSION {
            return Err(TraceError::Version(version));
        }
        let (root, body) = body.split_first_chunk::<32>().ok_or(truncated.clone())?;
        let named = ProgramRoot(Digest(*root));
        if named != program.root() {
            return Err(TraceError::Program { trace: named, program: program.root() });
        }
        let (tensors, seal) = body.split_last_chunk::<32>().ok_or(truncated.clone())?;
        if keccak(&bytes[..bytes.len() - 32]).0 != *seal {
            return Err(TraceError::File("truncated or altered"));
        }
        let mut rest = tensors;
        let mut take = |count: u64| {
            let cut = usize::try_from(count).ok().and_then(|n| rest.split_at_checked(n));
            let (head, tail) = cut.ok_or(truncated.clone())?;
            rest = tail;
            Ok(head.to_vec())
        };
        let input = take(program.header().input.bytes())?;
        let outputs = program
            .operators()
            .iter()
            .map(|op| take(op.output_bytes()))
            .collect::<Result<_, TraceError>>()?;
        if !rest.is_empty() {
            return Err(TraceError::File("followed by other bytes"));
        }
        Self::new(program, input, outputs)
    }
}

#[cfg(test)]
mod tests;
