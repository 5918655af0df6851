//! A whole program: layers, constants, and the digests that bind them.

use narrows_commitment::{
    Digest, Domain, LayersRoot, ProgramRoot, TensorRoot, Tree, depth_for, keccak, tagged, tile_count,
};

use crate::{ConstantIndex, DType, Illegal, LayerIndex, Meta, Operator, Source, descriptor, legal};

/// Bytes of an encoded header (SPEC 4.1).
pub const HEADER_BYTES: usize = 64;

/// A tensor's element type and number of elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TensorType {
    /// Element type.
    pub dtype: DType,
    /// Number of elements.
    pub elements: u64,
}

impl TensorType {
    /// Bytes of the canonical encoding.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.elements.saturating_mul(self.dtype.bytes() as u64)
    }

    /// Tiles of the canonical encoding.
    #[must_use]
    pub fn tiles(&self) -> u64 {
        tile_count(self.bytes())
    }

    /// Depth of the tensor's tree.
    #[must_use]
    pub fn depth(&self) -> u32 {
        depth_for(self.tiles())
    }
}

/// A weight tensor or a list of requantisation records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Constant {
    /// Element type.
    pub dtype: DType,
    /// Canonical bytes.
    pub bytes: Vec<u8>,
}

impl Constant {
    /// Type and number of elements.
    #[must_use]
    pub fn tensor(&self) -> TensorType {
        TensorType { dtype: self.dtype, elements: (self.bytes.len() / self.dtype.bytes()) as u64 }
    }
}

/// What a program is made of, before it is known to be legal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgramParts {
    /// The input tensor.
    pub input: TensorType,
    /// One operator a layer, in order of evaluation.
    pub layers: Vec<Operator>,
    /// Weights and records.
    pub constants: Vec<Constant>,
    /// Levels of a tree that one reveal covers, b.
    pub reveal_bits: u8,
    /// What people want to know.
    pub meta: Meta,
}

/// The header (SPEC 4.1): what the contracts store of a program beside its two roots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Number of layers.
    pub layers: u32,
    /// Number of constants.
    pub constants: u32,
    /// The input tensor.
    pub input: TensorType,
    /// The output tensor: the last layer's.
    pub output: TensorType,
    /// Levels of a tree that one reveal covers, b.
    pub reveal_bits: u8,
    /// Greatest depth of a layer output's tree.
    pub max_tensor_depth: u8,
    /// Hash of the meta section.
    pub meta_hash: Digest,
}

/// A legal program with its digests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    parts: ProgramParts,
    meta_bytes: Vec<u8>,
    header: Header,
    layers_tree: Tree,
    constants_tree: Tree,
    root: ProgramRoot,
}

impl Program {
    /// Checks legality and computes the digests.
    ///
    /// # Errors
    /// The first rule of SPEC 5 that is broken.
    pub fn new(parts: ProgramParts) -> Result<Self, Illegal> {
        let meta_bytes = serde_json::to_vec(&parts.meta).expect("meta holds strings and integers only");
        Self::with_meta_bytes(parts, meta_bytes)
    }

    pub(crate) fn with_meta_bytes(parts: ProgramParts, meta_bytes: Vec<u8>) -> Result<Self, Illegal> {
        let header = legal::check(&parts, &meta_bytes)?;
        let leaves = (0..header.layers).map(|i| descriptor::layer_leaf(&parts, LayerIndex(i)));
        let layers_tree = Tree::new(leaves.collect());
        let constants = parts.constants.iter().map(|c| Tree::of_bytes(&c.bytes).root());
        let constants_tree = Tree::new(constants.collect());
        let roots: [&[u8]; 3] =
            [&descriptor::header_bytes(&header), &layers_tree.root().0, &constants_tree.root().0];
        let root = ProgramRoot(tagged(Domain::Program, &roots));
        Ok(Self { parts, meta_bytes, header, layers_tree, constants_tree, root })
    }

    /// The digest that names this program.
    #[must_use]
    pub fn root(&self) -> ProgramRoot {
        self.root
    }

    /// The header.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The header's bytes, as hashed into the root.
    #[must_use]
    pub fn header_bytes(&self) -> [u8; HEADER_BYTES] {
        descriptor::header_bytes(&self.header)
    }

    /// The root of the tree of layer descriptors.
    #[must_use]
    pub fn layers_root(&self) -> LayersRoot {
        LayersRoot(self.layers_tree.root())
    }

    /// The tree of layer descriptors.
    #[must_use]
    pub fn layers_tree(&self) -> &Tree {
        &self.layers_tree
    }

    /// The tree of the constants' tensor roots.
    #[must_use]
    pub fn constants_tree(&self) -> &Tree {
        &self.constants_tree
    }

    /// The layers' operators.
    #[must_use]
    pub fn layers(&self) -> &[Operator] {
        &self.parts.layers
    }

    /// The constants.
    #[must_use]
    pub fn constants(&self) -> &[Constant] {
        &self.parts.constants
    }

    /// The meta section.
    #[must_use]
    pub fn meta(&self) -> &Meta {
        &self.parts.meta
    }

    /// The parts, to be changed and checked again.
    #[must_use]
    pub fn parts(&self) -> &ProgramParts {
        &self.parts
    }

    /// The operator of layer `index`.
    ///
    /// # Panics
    /// When there is no such layer.
    #[must_use]
    pub fn layer(&self, index: LayerIndex) -> &Operator {
        &self.parts.layers[index.0 as usize]
    }

    /// The constant `index`.
    ///
    /// # Panics
    /// When there is no such constant.
    #[must_use]
    pub fn constant(&self, index: ConstantIndex) -> &Constant {
        &self.parts.constants[index.0 as usize]
    }

    /// The tensor root of constant `index`.
    #[must_use]
    pub fn constant_root(&self, index: ConstantIndex) -> TensorRoot {
        TensorRoot(self.constants_tree.node(0, u64::from(index.0)))
    }

    /// Type and number of elements of the tensor that `source` names.
    #[must_use]
    pub fn tensor(&self, source: Source) -> TensorType {
        self.parts.tensor(source).expect("references of a legal program exist")
    }

    /// The encoded descriptor of layer `index`.
    #[must_use]
    pub fn descriptor(&self, index: LayerIndex) -> [u8; crate::DESCRIPTOR_BYTES] {
        descriptor::encode(&self.parts, index)
    }

    /// What to call layer `index` before a person.
    #[must_use]
    pub fn layer_label(&self, index: LayerIndex) -> String {
        let named = self.parts.meta.layers.get(index.0 as usize).map(crate::LayerMeta::label);
        named.filter(|label| !label.is_empty()).unwrap_or_else(|| format!("layer {index}"))
    }

    /// The program file's bytes (SPEC 4.3).
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = b"NRWS".to_vec();
        out.extend_from_slice(&self.header_bytes());
        for index in 0..self.header.layers {
            out.extend_from_slice(&self.descriptor(LayerIndex(index)));
        }
        for constant in &self.parts.constants {
            out.push(constant.dtype as u8);
            out.extend_from_slice(&(constant.tensor().elements as u32).to_be_bytes());
            out.extend_from_slice(&constant.bytes);
        }
        out.extend_from_slice(&(self.meta_bytes.len() as u32).to_be_bytes());
        out.extend_from_slice(&self.meta_bytes);
        out
    }
}

impl ProgramParts {
    /// Type and number of elements of the tensor that `source` names, if there is one.
    #[must_use]
    pub fn tensor(&self, source: Source) -> Option<TensorType> {
        match source {
            Source::Input => Some(self.input),
            Source::Constant(index) => self.constants.get(index.0 as usize).map(Constant::tensor),
            Source::Layer(index) => {
                let layer = self.layers.get(index.0 as usize)?;
                Some(TensorType { dtype: layer.dtype, elements: layer.elements() })
            }
        }
    }

    /// The header that these parts ask for; counts must be within limits.
    pub(crate) fn header(&self, meta_bytes: &[u8]) -> Option<Header> {
        let output =
            self.tensor(Source::Layer(LayerIndex(u32::try_from(self.layers.len()).ok()?.checked_sub(1)?)))?;
        let depth = |layer: &Operator| TensorType { dtype: layer.dtype, elements: layer.elements() }.depth();
        Some(Header {
            layers: self.layers.len() as u32,
            constants: u32::try_from(self.constants.len()).ok()?,
            input: self.input,
            output,
            reveal_bits: self.reveal_bits,
            max_tensor_depth: self.layers.iter().map(depth).max()? as u8,
            meta_hash: keccak(meta_bytes),
        })
    }
}
