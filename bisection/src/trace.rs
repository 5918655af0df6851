//! An execution's trace: every layer's output and the trees over them.

use narrows_commitment::{ProgramRoot, TensorRoot, Tile, TraceRoot, Tree, keccak, tile_at};
use narrows_program::{LayerIndex, Program, TileIndex};

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
    /// A wrong number of layers.
    #[error(
        "the trace has {given} layers where the program has {expected}; give a trace of this very program"
    )]
    Layers {
        /// Layers by the program.
        expected: usize,
        /// Layers that were given.
        given: usize,
    },
    /// The file is no trace file, or its bytes were changed.
    #[error("the trace file is {0}; write it again with `narrows run --trace`")]
    File(&'static str),
    /// The trace belongs to another program.
    #[error("the trace is of program {trace}, not of {program}; give the program it was made with")]
    Program {
        /// The program that the trace names.
        trace: ProgramRoot,
        /// The program that was given.
        program: ProgramRoot,
    },
}

/// The input, all layer outputs, and their trees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    input: Vec<u8>,
    input_tree: Tree,
    outputs: Vec<Vec<u8>>,
    trees: Vec<Tree>,
    tree: Tree,
}

impl Trace {
    /// Commits to the outputs that an engine gave for `input`, all in canonical bytes.
    ///
    /// # Errors
    /// When the lengths are not the program's.
    pub fn new(program: &Program, input: Vec<u8>, outputs: Vec<Vec<u8>>) -> Result<Self, TraceError> {
        let check = |what: &dyn Fn() -> String, expected: u64, given: usize| match given as u64 == expected {
            true => Ok(()),
            false => Err(TraceError::Length { what: what(), expected, given: given as u64 }),
        };
        check(&|| "the input".into(), program.header().input.bytes(), input.len())?;
        if outputs.len() != program.layers().len() {
            return Err(TraceError::Layers { expected: program.layers().len(), given: outputs.len() });
        }
        for (index, (layer, output)) in program.layers().iter().zip(&outputs).enumerate() {
            check(&|| format!("the output of layer {index}"), layer.output_bytes(), output.len())?;
        }
        let trees: Vec<Tree> = outputs.iter().map(|bytes| Tree::of_bytes(bytes)).collect();
        let tree = Tree::new(trees.iter().map(Tree::root).collect());
        Ok(Self { input_tree: Tree::of_bytes(&input), input, outputs, trees, tree })
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

    /// The input's canonical bytes.
    #[must_use]
    pub fn input(&self) -> &[u8] {
        &self.input
    }

    /// The input's root.
    #[must_use]
    pub fn input_root(&self) -> TensorRoot {
        TensorRoot(self.input_tree.root())
    }

    /// The input's tree.
    #[must_use]
    pub fn input_tree(&self) -> &Tree {
        &self.input_tree
    }

    /// The output of layer `layer`.
    ///
    /// # Panics
    /// When there is no such layer, as the other accessors by layer do.
    #[must_use]
    pub fn layer(&self, layer: LayerIndex) -> &[u8] {
        &self.outputs[layer.0 as usize]
    }

    /// The tree over the output of layer `layer`.
    #[must_use]
    pub fn layer_tree(&self, layer: LayerIndex) -> &Tree {
        &self.trees[layer.0 as usize]
    }

    /// One tile of the output of layer `layer`.
    #[must_use]
    pub fn tile(&self, layer: LayerIndex, tile: TileIndex) -> Tile {
        tile_at(self.layer(layer), u64::from(tile.0))
    }

    /// Every layer's output.
    #[must_use]
    pub fn outputs(&self) -> &[Vec<u8>] {
        &self.outputs
    }

    /// The public output: the last layer's.
    #[must_use]
    pub fn output(&self) -> &[u8] {
        &self.outputs[self.outputs.len() - 1]
    }

    /// The path that shows the public output under the trace root.
    #[must_use]
    pub fn output_path(&self) -> Vec<narrows_commitment::Digest> {
        self.tree.path(self.outputs.len() as u64 - 1)
    }

    /// The first layer whose output differs from `other`'s, a trace of the same program.
    #[must_use]
    pub fn first_difference(&self, other: &Self) -> Option<LayerIndex> {
        let differs = self.outputs.iter().zip(&other.outputs).position(|(a, b)| a != b);
        differs.map(|index| LayerIndex(index as u32))
    }

    /// The bytes of a trace file: `NRWT | programRoot | input | outputs | keccak of all before`.
    #[must_use]
    pub fn encode(&self, program: &Program) -> Vec<u8> {
        let mut out = b"NRWT".to_vec();
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
        let body = bytes.strip_prefix(b"NRWT").ok_or(TraceError::File("not a trace file"))?;
        let (root, body) = body.split_first_chunk::<32>().ok_or(TraceError::File("truncated"))?;
        let named = ProgramRoot(narrows_commitment::Digest(*root));
        if named != program.root() {
            return Err(TraceError::Program { trace: named, program: program.root() });
        }
        let (tensors, seal) = body.split_last_chunk::<32>().ok_or(TraceError::File("truncated"))?;
        if keccak(&bytes[..bytes.len() - 32]).0 != *seal {
            return Err(TraceError::File("truncated or altered"));
        }
        let mut rest = tensors;
        let mut take = |count: u64| {
            let cut = usize::try_from(count).ok().and_then(|n| rest.split_at_checked(n));
            let (head, tail) = cut.ok_or(TraceError::File("truncated"))?;
            rest = tail;
            Ok(head.to_vec())
        };
        let input = take(program.header().input.bytes())?;
        let outputs = program.layers().iter().map(|l| take(l.output_bytes())).collect::<Result<_, _>>()?;
        if !rest.is_empty() {
            return Err(TraceError::File("followed by other bytes"));
        }
        Self::new(program, input, outputs)
    }
}
