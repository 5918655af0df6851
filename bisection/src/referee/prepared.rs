//! An element recomputed in two moves: the nodes above its tiles are shown first, and then the tiles (PROTOCOL 4.5).

use narrows_commitment::{Digest, Top, keccak};

use crate::{Opened, Refusal, Witness};

use super::descriptor::{Descriptor, Operand};
use super::opened::{Tiles, View};
use super::step::{Ending, whole};

/// Four operands of which a step may read: a, b, params and third; `None` for one that the operator does not have.
fn operands(descriptor: &Descriptor) -> [Option<Operand>; 4] {
    [Some(descriptor.a()), descriptor.b(), Some(descriptor.params()), descriptor.third()]
}

/// The openings of a witness in the same order.
const fn openings(witness: &Witness) -> [&Opened; 4] {
    [&witness.a, &witness.b, &witness.params, &witness.third]
}

/// keccak(level, index, node, …) of the nodes above the tiles of a, b, params and third, zeros where there is none.
fn digest(tops: &[Option<Top>; 4]) -> Digest {
    let word = |value: u32| [[0; 28].as_slice(), &value.to_be_bytes()].concat();
    let words = |top: &Option<Top>| match top {
        Some(Top { level, index, node }) => [word(*level), word(*index), node.0.to_vec()].concat(),
        None => vec![0; 96],
    };
    keccak(&tops.iter().flat_map(words).collect::<Vec<u8>>())
}

/// The digest of the nodes that `witness` shows of the operands of an element of one segment.
///
/// # Errors
/// When one does not open, or what the operator does not read is shown.
pub fn prepare(view: &View, descriptor: &Descriptor, witness: &Witness) -> Result<Digest, Refusal> {
    let mut tops = [None; 4];
    for ((operand, opened), top) in operands(descriptor).iter().zip(openings(witness)).zip(&mut tops) {
        *top = match operand {
            Some(operand) => Some(view.open_top(operand, opened)?),
            None if *opened != Opened::default() => return Err(Refusal::WitnessExtra),
            None => None,
        };
    }
    Ok(digest(&tops))
}

/// Recomputes `element` from tiles under the nodes of which `list` is the digest.
///
/// # Errors
/// As `step`, and when the tiles are under other nodes.
pub fn prepared_step(
    list: Digest,
    descriptor: &Descriptor,
    element: u64,
    witness: &Witness,
) -> Result<i64, Refusal> {
    let mut tops = [None; 4];
    let mut tiles: [Option<Tiles<'_>>; 4] = Default::default();
    let given = operands(descriptor).into_iter().zip(openings(witness));
    for (which, (operand, opened)) in given.enumerate() {
        match operand {
            Some(operand) => {
                let (top, under) = Tiles::under(opened, &operand)?;
                (tops[which], tiles[which]) = (Some(top), Some(under));
            }
            None if *opened != Opened::default() => return Err(Refusal::WitnessExtra),
            None => {}
        }
    }
    if digest(&tops) != list {
        return Err(Refusal::BadOpening);
    }
    let [a, b, params, third] = tiles;
    let (a, params) = a.zip(params).expect("every operator reads a and has records");
    whole(descriptor, element, &a, b.as_ref(), &Ending { params, third })
}
