//! A whole program: operators in layers, constants, and the digests that bind them.

use narrows_commitment::{Digest, Domain, LayersRoot, ProgramRoot, TensorRoot, TensorTree, Tree, tagged};

use crate::layer::Layers;
use crate::parts::SharedParts;
use crate::{
    Bytes, Constant, ConstantIndex, HEADER_BYTES, Header, Illegal, Layer, LayerIndex, Meta, Operator,
    OperatorIndex, ProgramParts, Reference, Source, TensorType, descriptor, legal,
};

/// A legal program with its digests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    parts: SharedParts,
    meta_bytes: Vec<u8>,
    header: Header,
    layers: Layers,
    constant_roots: Vec<TensorRoot>,
    operator_leaves: Vec<Digest>,
    layers_tree: Tree,
    root: ProgramRoot,
}

impl Program {
    /// Checks legality and computes the digests.
    ///
    /// # Errors
    /// The first rule of SPEC 5 that is broken.
    pub fn new(parts: ProgramParts) -> Result<Self, Illegal> {
        let meta_bytes = serde_json::to_vec(&parts.meta).expect("meta holds strings and integers only");
        Self::with_meta_bytes(parts.held(Bytes::from), meta_bytes)
    }

    pub(crate) fn with_meta_bytes(parts: SharedParts, meta_bytes: Vec<u8>) -> Result<Self, Illegal> {
        let header = legal::check(&parts, &meta_bytes)?;
        let layers = Layers::new(&parts);
        let tensors: Vec<&[u8]> = parts.constants.iter().map(|constant| &*constant.bytes).collect();
        let constant_roots: Vec<_> =
            TensorTree::roots_of_bytes(&tensors).into_iter().map(TensorRoot).collect();
        let operator_leaf =
            |index| tagged(Domain::Operator, &[&operator_bytes(&parts, &layers, &constant_roots, index)]);
        let operator_leaves: Vec<_> = (0..header.operators).map(OperatorIndex).map(operator_leaf).collect();
        let layer_leaves = layers.list.iter().map(|layer| layer_leaf(layer, &operator_leaves));
        let layers_tree = Tree::new(layer_leaves.collect());
        let root = tagged(Domain::Program, &[&descriptor::header_bytes(&header), &layers_tree.root().0]);
        let root = ProgramRoot(root);
        Ok(Self { parts, meta_bytes, header, layers, constant_roots, operator_leaves, layers_tree, root })
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

    /// The root of the tree over the layers.
    #[must_use]
    pub fn layers_root(&self) -> LayersRoot {
        LayersRoot(self.layers_tree.root())
    }

    /// The tree over the layers.
    #[must_use]
    pub fn layers_tree(&self) -> &Tree {
        &self.layers_tree
    }

    /// The layers, in order.
    #[must_use]
    pub fn layers(&self) -> &[Layer] {
        &self.layers.list
    }

    /// The layer `index`.
    ///
    /// # Panics
    /// When there is no such layer.
    #[must_use]
    pub fn layer(&self, index: LayerIndex) -> &Layer {
        &self.layers.list[index.0 as usize]
    }

    /// The layer of operator `index`, and its position there.
    ///
    /// # Panics
    /// When there is no such operator.
    #[must_use]
    pub fn layer_of(&self, index: OperatorIndex) -> (LayerIndex, u8) {
        self.layers.place(index)
    }

    /// The leaf of layer `index` in the tree over the layers (SPEC 3).
    ///
    /// # Panics
    /// When there is no such layer.
    #[must_use]
    pub fn layer_leaf(&self, index: LayerIndex) -> Digest {
        assert!(index.0 < self.header.layers, "there is no layer {index}");
        self.layers_tree.node(0, u64::from(index.0))
    }

    /// Bytes of the tensors that layers export: what is hashed for one evaluation that nobody disputes.
    #[must_use]
    pub fn exported_bytes(&self) -> u64 {
        let exported = self.layers.list.iter().flat_map(Layer::exported);
        exported.map(|index| self.operator(index).output_bytes()).sum()
    }

    /// The operators, in order of evaluation.
    #[must_use]
    pub fn operators(&self) -> &[Operator] {
        &self.parts.operators
    }

    /// The operator `index`.
    ///
    /// # Panics
    /// When there is no such operator.
    #[must_use]
    pub fn operator(&self, index: OperatorIndex) -> &Operator {
        &self.parts.operators[index.0 as usize]
    }

    /// How operator `reader` names `source` in its encoding.
    ///
    /// # Panics
    /// When there is no such reader, or it does not read the operator that `source` names.
    #[must_use]
    pub fn reference(&self, reader: OperatorIndex, source: Source) -> Reference {
        self.layers.reference(self.layers.place(reader).0, source)
    }

    /// The encoded descriptor of operator `index` (SPEC 4.2).
    ///
    /// # Panics
    /// When there is no such operator.
    #[must_use]
    pub fn descriptor(&self, index: OperatorIndex) -> Vec<u8> {
        descriptor::encode(&self.parts, &self.layers, index)
    }

    /// The operator bytes of operator `index`: its descriptor and its constants' tensor roots (SPEC 4.2).
    ///
    /// # Panics
    /// When there is no such operator.
    #[must_use]
    pub fn operator_bytes(&self, index: OperatorIndex) -> Vec<u8> {
        operator_bytes(&self.parts, &self.layers, &self.constant_roots, index)
    }

    /// The leaf of operator `index` in its layer's tree of operators (SPEC 3).
    ///
    /// # Panics
    /// When there is no such operator.
    #[must_use]
    pub fn operator_leaf(&self, index: OperatorIndex) -> Digest {
        self.operator_leaves[index.0 as usize]
    }

    /// The tree over the operator leaves of layer `index`.
    ///
    /// # Panics
    /// When there is no such layer.
    #[must_use]
    pub fn operators_tree(&self, index: LayerIndex) -> Tree {
        operators_tree(self.layer(index), &self.operator_leaves)
    }

    /// The constants.
    #[must_use]
    pub fn constants(&self) -> &[Constant<Bytes>] {
        &self.parts.constants
    }

    /// The constant `index`.
    ///
    /// # Panics
    /// When there is no such constant.
    #[must_use]
    pub fn constant(&self, index: ConstantIndex) -> &Constant<Bytes> {
        &self.parts.constants[index.0 as usize]
    }

    /// The tensor root of constant `index`.
    ///
    /// # Panics
    /// When there is no such constant.
    #[must_use]
    pub fn constant_root(&self, index: ConstantIndex) -> TensorRoot {
        self.constant_roots[index.0 as usize]
    }

    /// The tree of constant `index`, hashed anew at each call: only a step's witness needs it.
    ///
    /// # Panics
    /// When there is no such constant.
    #[must_use]
    pub fn constant_tree(&self, index: ConstantIndex) -> TensorTree {
        TensorTree::of_bytes(&self.constant(index).bytes)
    }

    /// The meta section.
    #[must_use]
    pub fn meta(&self) -> &Meta {
        &self.parts.meta
    }

    /// A copy of the parts, to be changed and checked again.
    #[must_use]
    pub fn parts(&self) -> ProgramParts {
        self.parts.clone().held(|bytes| bytes.to_vec())
    }

    /// Type and number of elements of the tensor that `source` names.
    ///
    /// # Panics
    /// When there is no such tensor.
    #[must_use]
    pub fn tensor(&self, source: Source) -> TensorType {
        self.parts.tensor(source).expect("the program has the tensor")
    }

    /// What to call operator `index` before a person.
    #[must_use]
    pub fn operator_label(&self, index: OperatorIndex) -> String {
        self.named(index.0).unwrap_or_else(|| format!("operator {index}"))
    }

    /// What to call layer `index` before a person: its operator's name, or the first and the last that have one.
    ///
    /// # Panics
    /// When there is no such layer.
    #[must_use]
    pub fn layer_label(&self, index: LayerIndex) -> String {
        let mut names = self.layer(index).operators().filter_map(|operator| self.named(operator));
        match (names.next(), names.next_back()) {
            (Some(first), Some(last)) => format!("{first} … {last}"),
            (Some(only), None) => only,
            (None, _) => format!("layer {index}"),
        }
    }

    fn named(&self, operator: u32) -> Option<String> {
        let label = self.parts.meta.operators.get(operator as usize).map(crate::OperatorMeta::label);
        label.filter(|label| !label.is_empty())
    }

    /// The program file's bytes (SPEC 4.3).
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = b"NRWS".to_vec();
        out.extend_from_slice(&self.header_bytes());
        self.layers.list.iter().for_each(|layer| layer.describe(&mut out));
        for index in 0..self.header.operators {
            out.extend_from_slice(&self.descriptor(OperatorIndex(index)));
        }
        out.extend_from_slice(&(self.parts.constants.len() as u32).to_be_bytes());
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

/// An operator's descriptor and its constants' tensor roots: of a, b, params and table, in this order (SPEC 4.2).
fn operator_bytes(
    parts: &SharedParts,
    layers: &Layers,
    constant_roots: &[TensorRoot],
    index: OperatorIndex,
) -> Vec<u8> {
    let op = &parts.operators[index.0 as usize];
    let mut out = descriptor::encode(parts, layers, index);
    for source in op.sources() {
        if let Source::Constant(constant) = source {
            out.extend_from_slice(&constant_roots[constant.0 as usize].0.0);
        }
    }
    out
}

fn operators_tree(layer: &Layer, operator_leaves: &[Digest]) -> Tree {
    let operators = layer.operators();
    Tree::new(operator_leaves[operators.start as usize..operators.end as usize].to_vec())
}

fn layer_leaf(layer: &Layer, operator_leaves: &[Digest]) -> Digest {
    tagged(Domain::Layer, &[&layer.head(), &operators_tree(layer, operator_leaves).root().0])
}
