//! Building what the referee reads: the tiles of one element's operands, opened to where they are committed.

use std::collections::{BTreeMap, BTreeSet};

use narrows_commitment::{Digest, TILE_BYTES, TensorRoot, TensorTree, Tree, inner, tile_at};
use narrows_program::{
    ConstantIndex, DType, Finalise, IndexMap, Operand, OperatorIndex, Program, Reference, Source, record,
};

use crate::referee::{Descriptor, Record, Term, finalise, partial_with};
use crate::{Opened, Refusal, Trace, Witness};

/// Nodes of the claimed trace's tree that were shown.
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

    /// Learns node `index` at `level`, its siblings on the way up, and what they hash to.
    pub fn learn_path(&mut self, level: u32, index: u64, node: Digest, siblings: &[Digest]) {
        let (mut level, mut index, mut node) = (level, index, node);
        self.0.insert((level, index), node);
        for sibling in siblings {
            self.0.insert((level, index ^ 1), *sibling);
            node = if index.is_multiple_of(2) { inner(&node, sibling) } else { inner(sibling, &node) };
            (level, index) = (level + 1, index / 2);
            self.0.insert((level, index), node);
        }
    }

    /// Learns all that `other`, about the same claim, holds.
    pub fn merge(&mut self, other: &Self) {
        self.0.extend(&other.0);
    }

    /// The 2^`bits` neighbouring nodes at `level` from node `first` on, if all are known.
    #[must_use]
    pub fn row(&self, level: u32, first: u64, bits: u32) -> Option<Vec<Digest>> {
        (first..first + (1 << bits)).map(|index| self.0.get(&(level, index)).copied()).collect()
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
    /// The stated roots of the disputed layer's operators; `None` when they are those of `trace`, or there is no list.
    pub list: Option<&'a [TensorRoot]>,
}

impl WitnessSource<'_> {
    /// The witness for `element` of `operator`, whole (with its record, and the table's entry or the divisor) or one segment
    /// of it (without).
    ///
    /// # Panics
    /// When there is no such element, or the trace is not of this program.
    #[must_use]
    pub fn witness(&self, operator: OperatorIndex, element: u64, segment: Option<u32>) -> Witness {
        let descriptor = descriptor(self.program, operator);
        let parts = self.program.operator(operator);
        let range = segment.map_or(0..descriptor.terms(), |index| descriptor.segment(index));
        let (mut a, mut b) = (BTreeSet::new(), BTreeSet::new());
        let acc = partial_with(&descriptor, element, range, |term| match term {
            Term::A(address) => {
                a.insert(tile(parts.a.dtype, address));
                self.value(&parts.a, address)
            }
            Term::B(address) => {
                let operand = parts.b.as_ref().ok_or(Refusal::WrongDescriptor)?;
                b.insert(tile(operand.dtype, address));
                self.value(operand, address)
            }
        });
        let acc = acc.expect("a legal program's fold has terms, a known kind and its operands");
        if a.is_empty() {
            // Every window is missed.
            a.insert(0);
        }
        let a = self.open(operator, parts.a.source, &a);
        let b = parts.b.map_or_else(Opened::default, |operand| self.open(operator, operand.source, &b));
        let (params, third) = match segment {
            None => (open_record(self.program, operator, element), self.third(operator, element, acc)),
            Some(_) => Default::default(),
        };
        Witness { a, b, params, third }
    }

    /// Opens the table's entry or the divisor that finalising the accumulator `acc` of `element` reads; empty when it reads
    /// neither.
    ///
    /// # Panics
    /// When there is no such element, or the trace is not of this program.
    #[must_use]
    pub fn third(&self, operator: OperatorIndex, element: u64, acc: i128) -> Opened {
        let Some(operand) = third_operand(self.program, operator) else { return Opened::default() };
        let mut read = BTreeSet::new();
        // Only where it reads matters here: by a false trace what it reads may be no divisor.
        let _ = self.finalise(operator, element, acc, |address| {
            read.insert(tile(operand.dtype, address));
        });
        self.open(operator, operand.source, &read)
    }

    /// The element whose accumulator is `acc`, by the trace; `reading` hears which address of the third operand is read.
    pub(crate) fn finalise(
        &self,
        operator: OperatorIndex,
        element: u64,
        acc: i128,
        mut reading: impl FnMut(u128),
    ) -> Result<i64, Refusal> {
        let record = record_of(self.program, operator, element);
        let third = third_operand(self.program, operator);
        finalise(&descriptor(self.program, operator), element, acc, record, |address| {
            reading(address);
            self.value(&third.ok_or(Refusal::WrongDescriptor)?, address)
        })
    }

    /// What the trace and the program hold at an address of an operand.
    pub(crate) fn value(&self, operand: &Operand, address: u128) -> Result<i64, Refusal> {
        let bytes = match operand.source {
            Source::Input => self.trace.input(),
            Source::Constant(index) => &self.program.constant(index).bytes,
            Source::Operator(index) => self.trace.operator(index),
        };
        let value = usize::try_from(address).ok().and_then(|address| operand.dtype.read(bytes, address));
        value.ok_or(Refusal::WitnessMissing)
    }

    /// Opens `tiles` of `source`.
    fn open(&self, reader: OperatorIndex, source: Source, tiles: &BTreeSet<u32>) -> Opened {
        match source {
            Source::Input => opened(self.trace.input(), self.trace.input_tree(), Vec::new(), tiles),
            Source::Constant(index) => constant(self.program, index, tiles),
            Source::Operator(index) => {
                let path = self.root_path(reader, source, index);
                opened(self.trace.operator(index), self.trace.operator_tree(index), path, tiles)
            }
        }
    }

    /// How the output root of the operator `index`, which `reader` reads, is shown to be committed (PROTOCOL 4.5).
    fn root_path(&self, reader: OperatorIndex, source: Source, index: OperatorIndex) -> Vec<Digest> {
        match self.program.reference(reader, source) {
            Reference::Input | Reference::Constant(_) => Vec::new(),
            Reference::Export { layer, .. } => {
                let others = self.program.layer(layer).exported().filter(|exported| *exported != index);
                let others = others.map(|exported| self.trace.operator_root(exported).0);
                others.chain(self.claimed.path(self.trace.tree(), u64::from(layer.0))).collect()
            }
            Reference::Local { position } => {
                let list = match self.list {
                    Some(roots) => Tree::new(roots.iter().map(|root| root.0).collect()),
                    None => self.trace.sub_tree(self.program.layer_of(reader).0),
                };
                list.path(u64::from(position))
            }
        }
    }
}

/// Opens the requantisation record of `element` of `operator`.
#[must_use]
pub fn open_record(program: &Program, operator: OperatorIndex, element: u64) -> Opened {
    let address = descriptor(program, operator).record_address(element);
    let tiles = BTreeSet::from([tile(DType::Params, address)]);
    constant(program, program.operator(operator).params.constant, &tiles)
}

/// The record of `element` of `operator`.
pub(crate) fn record_of(program: &Program, operator: OperatorIndex, element: u64) -> Record {
    let address = descriptor(program, operator).record_address(element) as usize;
    let (records, _) = program.constant(program.operator(operator).params.constant).bytes.as_chunks::<16>();
    record::decode(&records[address]).expect("a legal program's records are well-formed")
}

/// The table or the divisor of `operator`, as an operand.
fn third_operand(program: &Program, operator: OperatorIndex) -> Option<Operand> {
    let parts = program.operator(operator);
    match parts.finalise {
        Finalise::Requantise | Finalise::Root => None,
        Finalise::Table(table) => {
            Some(Operand { source: Source::Constant(table), dtype: parts.dtype, map: IndexMap::default() })
        }
        Finalise::Divide { by, .. } => Some(by),
    }
}

/// The tile that holds the element at an address.
fn tile(dtype: DType, address: u128) -> u32 {
    (address * dtype.bytes() as u128 / TILE_BYTES as u128) as u32
}

/// The operator as the referee reads it.
pub(crate) fn descriptor(program: &Program, operator: OperatorIndex) -> Descriptor {
    Descriptor::decode(&program.operator_bytes(operator)).expect("an encoded operator has its length")
}

fn constant(program: &Program, index: ConstantIndex, tiles: &BTreeSet<u32>) -> Opened {
    opened(&program.constant(index).bytes, &program.constant_tree(index), Vec::new(), tiles)
}

fn opened(bytes: &[u8], tree: &TensorTree, root_path: Vec<Digest>, tiles: &BTreeSet<u32>) -> Opened {
    let indices: Vec<u64> = tiles.iter().map(|i| u64::from(*i)).collect();
    Opened {
        root_path,
        indices: tiles.iter().copied().collect(),
        tiles: indices.iter().flat_map(|i| tile_at(bytes, *i)).collect(),
        proof: tree.multi_proof(&indices),
    }
}
