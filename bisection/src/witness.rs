//! Building what the referee reads: the tiles of one element's operands, opened under the claimed roots.

use std::collections::{BTreeMap, BTreeSet};

use narrows_commitment::{Digest, TensorRoot, Tree, inner, tile_at};
use narrows_program::{ConstantIndex, LayerIndex, Program, Source};

use crate::referee::Descriptor;
use crate::{Opened, Trace, Witness};

/// Nodes of the claimed trace's tree that were shown in a match.
///
/// Layers before the disputed one equal the challenger's own, so these nodes and its own tree are all that it needs to open
/// any of them under the claimed root.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClaimedNodes(BTreeMap<(u32, u64), Digest>);

impl ClaimedNodes {
    /// Learns 2^k neighbouring nodes at `level` from node `first` on, and their ancestors up to the common one.
    pub fn learn(&mut self, level: u32, first: u64, nodes: &[Digest]) {
        let mut nodes = nodes.to_vec();
        let (mut level, mut first) = (level, first);
        loop {
            for (offset, node) in nodes.iter().enumerate() {
                self.0.insert((level, first + offset as u64), *node);
            }
            if nodes.len() < 2 {
                return;
            }
            nodes = nodes.chunks_exact(2).map(|pair| inner(&pair[0], &pair[1])).collect();
            (level, first) = (level + 1, first / 2);
        }
    }

    /// The siblings of leaf `index` up to the claimed root, from what was shown and else from `own`.
    #[must_use]
    pub fn path(&self, own: &Tree, index: u64) -> Vec<Digest> {
        let sibling = |level: u32| {
            let at = (index >> level) ^ 1;
            self.0.get(&(level, at)).copied().unwrap_or_else(|| own.node(level, at))
        };
        (0..own.depth()).map(sibling).collect()
    }
}

/// What a witness is built from: the program, the builder's own trace, and what was shown of the claimed one.
#[derive(Debug, Clone, Copy)]
pub struct WitnessSource<'a> {
    /// The program.
    pub program: &'a Program,
    /// The builder's own trace.
    pub trace: &'a Trace,
    /// What was shown of the claimed trace; empty when the traces are the same.
    pub claimed: &'a ClaimedNodes,
}

impl WitnessSource<'_> {
    /// The witness for `element` of `layer`, whole (with its record) or one segment of it (without).
    #[must_use]
    pub fn witness(&self, layer: LayerIndex, element: u64, segment: Option<u32>) -> Witness {
        let operator = self.program.layer(layer);
        let descriptor = descriptor(self.program, layer);
        let terms = || segment.map_or(0..descriptor.terms(), |index| descriptor.segment(index));
        let a = terms().filter_map(|t| descriptor.a_address(element, t));
        let a = self.open(operator.a.source, operator.a.dtype.bytes(), a);
        let b = operator.b.map_or_else(Opened::default, |b| {
            self.open(b.source, b.dtype.bytes(), terms().map(|t| descriptor.b_address(element, t)))
        });
        let params = match segment {
            None => open_record(self.program, layer, element),
            Some(_) => Opened::default(),
        };
        Witness { a, b, params }
    }

    /// Opens the tiles that hold the elements at `addresses`; tile 0 when there are none.
    fn open(&self, source: Source, size: usize, addresses: impl Iterator<Item = u128>) -> Opened {
        let tile = |address: u128| (address * size as u128 / 128) as u32;
        let mut tiles: BTreeSet<u32> = addresses.map(tile).collect();
        if tiles.is_empty() {
            tiles.insert(0);
        }
        match source {
            Source::Input => opened(self.trace.input(), self.trace.input_tree(), Vec::new(), &tiles),
            Source::Constant(index) => constant(self.program, index, &tiles),
            Source::Layer(layer) => {
                let path = self.claimed.path(self.trace.tree(), u64::from(layer.0));
                opened(self.trace.layer(layer), self.trace.layer_tree(layer), path, &tiles)
            }
        }
    }
}

/// Opens the requantisation record of `element` of `layer`.
#[must_use]
pub fn open_record(program: &Program, layer: LayerIndex, element: u64) -> Opened {
    let address = descriptor(program, layer).record_address(element);
    constant(program, program.layer(layer).params.constant, &BTreeSet::from([(address / 8) as u32]))
}

pub(crate) fn descriptor(program: &Program, layer: LayerIndex) -> Descriptor {
    Descriptor::decode(&program.descriptor(layer)).expect("an encoded descriptor has its length")
}

fn constant(program: &Program, index: ConstantIndex, tiles: &BTreeSet<u32>) -> Opened {
    let bytes = &program.constant(index).bytes;
    let path = program.constants_tree().path(u64::from(index.0));
    opened(bytes, &Tree::of_bytes(bytes), path, tiles)
}

fn opened(bytes: &[u8], tree: &Tree, root_path: Vec<Digest>, tiles: &BTreeSet<u32>) -> Opened {
    let indices: Vec<u64> = tiles.iter().map(|i| u64::from(*i)).collect();
    Opened {
        root: TensorRoot(tree.root()),
        root_path,
        indices: tiles.iter().copied().collect(),
        tiles: indices.iter().flat_map(|i| tile_at(bytes, *i)).collect(),
        proof: tree.multi_proof(&indices),
    }
}
