//! Opened tiles, checked against the roots that the claim and the program fixed (PROTOCOL 4.5).

use narrows_commitment::{
    Digest, TILE_BYTES, TensorRoot, Tile, TraceRoot, tile_leaf, verify_many, verify_path,
};

use crate::{Opened, Refusal};

use super::descriptor::size_of_code;

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
    /// The program's constants.
    pub constants_root: Digest,
    /// Depth of the constants' tree.
    pub constants_depth: u32,
}

/// Where an operand's tensor is committed, and how deep and of what its tree is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// 0 input, 1 constant, 2 layer.
    pub kind: u8,
    pub index: u32,
    pub depth: u32,
    pub dtype: u8,
}

/// Tiles that stand, to be read by element address.
pub(super) struct Tiles<'a> {
    indices: &'a [u32],
    tiles: &'a [Tile],
    dtype: u8,
}

impl View {
    pub(super) fn open<'a>(&self, place: Place, opened: &'a Opened) -> Result<Tiles<'a>, Refusal> {
        let (tiles, rest) = opened.tiles.as_chunks::<TILE_BYTES>();
        let counted = rest.is_empty() && tiles.len() == opened.indices.len();
        if !counted || !(1..=MAX_TILES).contains(&tiles.len()) {
            return Err(Refusal::WrongCount);
        }
        let under = |root: &Digest, depth| {
            verify_path(root, depth, u64::from(place.index), opened.root.0, &opened.root_path)
                .map_err(|_| Refusal::BadOpening)
        };
        match place.kind {
            0 if opened.root_path.is_empty() && opened.root == self.input_root => {}
            1 => under(&self.constants_root, self.constants_depth)?,
            2 => under(&self.trace_root.0, self.layers_depth)?,
            _ => return Err(Refusal::BadOpening),
        }
        let leaf = |(index, tile): (&u32, &Tile)| (u64::from(*index), tile_leaf(tile));
        let leaves: Vec<_> = opened.indices.iter().zip(tiles).map(leaf).collect();
        verify_many(&opened.root.0, place.depth, &leaves, &opened.proof).map_err(|_| Refusal::BadOpening)?;
        Ok(Tiles { indices: &opened.indices, tiles, dtype: place.dtype })
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
pub(super) fn little_endian(bytes: &[u8]) -> i64 {
    let unsigned = bytes.iter().rev().fold(0u64, |value, byte| value << 8 | u64::from(*byte));
    let unused = 64 - 8 * bytes.len() as u32;
    (unsigned << unused) as i64 >> unused
}
