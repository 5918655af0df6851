//! Opened tiles, checked against the roots that the claim and the program fixed (PROTOCOL 4.5).

use narrows_commitment::{
    Digest, Domain, MAX_DEPTH, MultiProof, OpeningError, TILE_BYTES, TensorRoot, Tile, TraceRoot, depth_for,
    inner, tagged, tile_leaf, verify_path,
};

use crate::{Opened, Refusal};

use super::descriptor::{Operand, size_of_code};

/// The most tiles that are opened of one operand.
const MAX_TILES: usize = 192;

/// The roots that a step is judged under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View {
    /// The job's input.
    pub input_root: TensorRoot,
    /// The claim's trace.
    pub trace_root: TraceRoot,
    /// Depth of the trace's tree.
    pub layers_depth: u32,
    /// The root of the disputed layer's sub-trace, 0 when there is none.
    pub list: Digest,
    /// How many operators the disputed layer has, at least 1.
    pub operators: u8,
}

/// Tiles that stand, to be read by element address.
pub(super) struct Tiles<'a> {
    indices: &'a [u32],
    tiles: &'a [Tile],
    dtype: u8,
}

/// The layer leaf of a trace: the only export's root, or keccak(0x02 | n | roots) (SPEC 3).
///
/// # Panics
/// When there are no exports, or more than 255: a layer has 1 to 32.
#[must_use]
pub fn export_leaf(roots: &[TensorRoot]) -> Digest {
    if let [only] = roots {
        return only.0;
    }
    let n = u8::try_from(roots.len()).expect("a layer has at most 32 exports");
    assert!(n > 0, "a layer exports something");
    let roots: Vec<u8> = roots.iter().flat_map(|root| root.0.0).collect();
    tagged(Domain::Exports, &[&[n], &roots])
}

/// The node that `leaf` at `index` leads to by the siblings of `path`, from the leaf upwards.
#[must_use]
pub fn climb(index: u64, leaf: Digest, path: &[Digest]) -> Digest {
    path.iter().enumerate().fold(leaf, |node, (level, sibling)| {
        // Beyond 64 levels an index is on the left.
        match index.checked_shr(level as u32).unwrap_or(0) & 1 {
            0 => inner(&node, sibling),
            _ => inner(sibling, &node),
        }
    })
}

/// Whether a tree of `depth` levels has a leaf `index` to which `path` may lead.
#[must_use]
pub fn leads(depth: u32, index: u64, path: &[Digest]) -> bool {
    depth <= MAX_DEPTH && path.len() == depth as usize && index >> depth == 0
}

/// The root that the `tiles` at `indices` lead to, in a tree of `depth` levels.
///
/// # Errors
/// When there are none or as many indices as tiles are not given, an index is out of range or out of order, or the proof
/// is too short or too long.
pub fn root_of_many(
    depth: u32,
    indices: &[u32],
    tiles: &[Tile],
    proof: &MultiProof,
) -> Result<Digest, OpeningError> {
    let length = |needed| OpeningError::Length { depth, needed, given: proof.0.len() };
    if depth > MAX_DEPTH || indices.is_empty() || indices.len() != tiles.len() {
        return Err(length(1));
    }
    let mut previous = None;
    for &index in indices {
        if u64::from(index) >> depth != 0 || previous.is_some_and(|p| p >= index) {
            return Err(OpeningError::Index(index.into()));
        }
        previous = Some(index);
    }
    let mut nodes: Vec<(u32, Digest)> =
        indices.iter().zip(tiles).map(|(index, tile)| (*index, tile_leaf(tile))).collect();
    let mut rest = proof.0.iter();
    for _ in 0..depth {
        let mut parents = Vec::with_capacity(nodes.len());
        let mut level = nodes.iter().copied().peekable();
        while let Some((index, node)) = level.next() {
            let parent = match level.next_if(|(next, _)| index % 2 == 0 && *next == index + 1) {
                Some((_, sibling)) => inner(&node, &sibling),
                None => {
                    let sibling = rest.next().ok_or_else(|| length(proof.0.len() + 1))?;
                    if index % 2 == 0 { inner(&node, sibling) } else { inner(sibling, &node) }
                }
            };
            parents.push((index / 2, parent));
        }
        nodes = parents;
    }
    let unused = rest.count();
    if unused > 0 {
        return Err(length(proof.0.len() - unused));
    }
    Ok(nodes[0].1)
}

impl View {
    /// Checks that `opened` are tiles of the tensor that `operand` names.
    pub(super) fn open<'a>(&self, operand: &Operand, opened: &'a Opened) -> Result<Tiles<'a>, Refusal> {
        let (tiles, rest) = opened.tiles.as_chunks::<TILE_BYTES>();
        if !rest.is_empty() || tiles.len() != opened.indices.len() {
            return Err(Refusal::WrongCount);
        }
        if !(1..=MAX_TILES).contains(&tiles.len()) {
            return Err(Refusal::WrongCount);
        }
        let root = root_of_many(operand.depth, &opened.indices, tiles, &opened.proof);
        let root = TensorRoot(root.map_err(|_| Refusal::BadOpening)?);
        if !self.holds(operand, root, &opened.root_path) {
            return Err(Refusal::BadOpening);
        }
        Ok(Tiles { indices: &opened.indices, tiles, dtype: operand.dtype })
    }

    /// Whether `root` is that of the tensor that `operand` names.
    fn holds(&self, operand: &Operand, root: TensorRoot, path: &[Digest]) -> bool {
        let under = |top: Digest, depth, leaf, path: &[Digest]| {
            verify_path(&top, depth, operand.index.into(), leaf, path).is_ok()
        };
        match operand.kind {
            Operand::INPUT => path.is_empty() && root == self.input_root,
            Operand::CONSTANT => path.is_empty() && operand.constant == Some(root),
            Operand::EXPORT => {
                let (rank, exports) = (usize::from(operand.rank), usize::from(operand.exports));
                if rank >= exports || path.len() < exports - 1 {
                    return false;
                }
                let (others, path) = path.split_at(exports - 1);
                let mut roots: Vec<TensorRoot> = others.iter().copied().map(TensorRoot).collect();
                roots.insert(rank, root);
                under(self.trace_root.0, self.layers_depth, export_leaf(&roots), path)
            }
            Operand::LOCAL => under(self.list, depth_for(self.operators.max(1).into()), root.0, path),
            _ => false,
        }
    }
}

impl Tiles<'_> {
    fn slot(&self, address: u128, size: usize) -> Result<(&Tile, usize), Refusal> {
        let byte = address * size as u128;
        let index = u32::try_from(byte / TILE_BYTES as u128).map_err(|_| Refusal::WitnessMissing)?;
        let at = self.indices.binary_search(&index).map_err(|_| Refusal::WitnessMissing)?;
        Ok((&self.tiles[at], (byte % TILE_BYTES as u128) as usize))
    }

    /// The integer at element `address`.
    pub fn read(&self, address: u128) -> Result<i64, Refusal> {
        let size = size_of_code(self.dtype);
        let (tile, at) = self.slot(address, size)?;
        Ok(little_endian(&tile[at..at + size]))
    }

    /// The (bias, multiplier, shift) at record `address`.
    pub fn record(&self, address: u128) -> Result<(i64, u32, u8), Refusal> {
        let (tile, at) = self.slot(address, 16)?;
        let multiplier = little_endian(&tile[at + 8..at + 12]) as u32;
        Ok((little_endian(&tile[at..at + 8]), multiplier, tile[at + 12]))
    }
}

/// Two's complement, least significant byte first, 1 to 8 bytes.
pub(crate) fn little_endian(bytes: &[u8]) -> i64 {
    let unsigned = bytes.iter().rev().fold(0u64, |value, byte| value << 8 | u64::from(*byte));
    let unused = 64 - 8 * bytes.len() as u32;
    (unsigned << unused) as i64 >> unused
}
