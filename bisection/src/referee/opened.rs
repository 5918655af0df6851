//! Opened tiles, checked against the roots that the claim and the program fixed (PROTOCOL 4.5).

use narrows_commitment::{
    Digest, Domain, TILE_BYTES, TensorRoot, Tile, Top, TraceRoot, climb, depth_for, join, leads,
    root_of_many, tagged, verify_path,
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

impl View {
    /// Checks that `opened` is a node of the tensor that `operand` names.
    pub(super) fn open_top(&self, operand: &Operand, opened: &Opened) -> Result<Top, Refusal> {
        let &[index] = opened.indices.as_slice() else { return Err(Refusal::WrongCount) };
        let node = Digest(opened.tiles.as_slice().try_into().map_err(|_| Refusal::WrongCount)?);
        let proof = &opened.proof.0;
        let levels = u32::try_from(proof.len()).map_err(|_| Refusal::BadOpening)?;
        let level = operand.depth.checked_sub(levels).ok_or(Refusal::BadOpening)?;
        if !leads(levels, index.into(), proof) {
            return Err(Refusal::BadOpening);
        }
        // Below level 2 a tensor's tree has no nodes but leaves, and the root of one tile alone needs no siblings.
        if level < 2 && operand.depth != 0 {
            return Err(Refusal::BadOpening);
        }
        let root = TensorRoot(climb(index.into(), node, proof));
        if !self.holds(operand, root, &opened.root_path) {
            return Err(Refusal::BadOpening);
        }
        Ok(Top { level, index, node })
    }

    /// Checks that `opened` are tiles of the tensor that `operand` names.
    pub(super) fn open<'a>(&self, operand: &Operand, opened: &'a Opened) -> Result<Tiles<'a>, Refusal> {
        let tiles = counted(opened)?;
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

/// The tiles, as many as indices.
fn counted(opened: &Opened) -> Result<&[Tile], Refusal> {
    let (tiles, rest) = opened.tiles.as_chunks::<TILE_BYTES>();
    if !rest.is_empty() || tiles.len() != opened.indices.len() {
        return Err(Refusal::WrongCount);
    }
    if !(1..=MAX_TILES).contains(&tiles.len()) {
        return Err(Refusal::WrongCount);
    }
    Ok(tiles)
}

impl<'a> Tiles<'a> {
    /// The tiles of `operand` that `opened` holds, and the node that they and the whole proof lead to.
    pub fn under(opened: &'a Opened, operand: &Operand) -> Result<(Top, Self), Refusal> {
        let tiles = counted(opened)?;
        let joined = join(&opened.indices, tiles, &opened.proof.0);
        let (top, path) = joined.map_err(|_| Refusal::BadOpening)?;
        if !opened.root_path.is_empty() {
            return Err(Refusal::BadOpening);
        }
        Ok((top.climbed(path), Tiles { indices: &opened.indices, tiles, dtype: operand.dtype }))
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
