//! The nodes above the tiles of a step, and what is left below them (PROTOCOL 4.5), by the trees' shape alone.

use narrows_bisection::{Opened, Witness};
use narrows_commitment::{Digest, MultiProof, keccak, tile_leaf};

/// The level at which neighbours' indices become one, and the one.
fn meeting(indices: &[u32]) -> Option<(u32, u32)> {
    let (first, last) = (*indices.first()?, *indices.last()?);
    let level = u32::BITS - (first ^ last).leading_zeros();
    Some((level, first.checked_shr(level).unwrap_or(0)))
}

/// How much of the proof is used below that level: every node at a lower level that has no sibling among its neighbours.
fn used(indices: &[u32]) -> usize {
    let (level, _) = meeting(indices).unwrap_or_default();
    let at = |level: u32| {
        let mut nodes: Vec<u32> = indices.iter().map(|index| index >> level).collect();
        nodes.dedup();
        nodes
    };
    (0..level).map(|level| at(level).iter().filter(|node| !at(level).contains(&(*node ^ 1))).count()).sum()
}

/// The node in which the tiles meet.
fn node(opened: &Opened) -> Digest {
    let (tiles, _) = opened.tiles.as_chunks::<128>();
    let mut row: Vec<(u32, Digest)> =
        opened.indices.iter().copied().zip(tiles.iter().map(tile_leaf)).collect();
    let mut rest = opened.proof.0[..used(&opened.indices)].iter();
    while row.len() > 1 {
        let mut above: Vec<(u32, Digest)> = Vec::new();
        for (index, digest) in &row {
            let sibling = row.iter().find(|(other, _)| *other == index ^ 1).map(|(_, other)| *other);
            // Of two known ones, the left makes the pair.
            if sibling.is_some() && index % 2 == 1 {
                continue;
            }
            let sibling = sibling.unwrap_or_else(|| *rest.next().expect("a sibling"));
            let (left, right) = if index % 2 == 0 { (*digest, sibling) } else { (sibling, *digest) };
            above.push((index / 2, keccak(&[&[1], &left.0[..], &right.0].concat())));
        }
        row = above;
    }
    row[0].1
}

fn each(witness: &Witness, half: impl Fn(&Opened) -> Opened) -> Witness {
    let half = |opened: &Opened| if opened.indices.is_empty() { Opened::default() } else { half(opened) };
    let Witness { a, b, params, third } = witness;
    Witness { a: half(a), b: half(b), params: half(params), third: half(third) }
}

/// What `prepare` shows of a step's witness.
pub fn above(witness: &Witness) -> Witness {
    each(witness, |opened| Opened {
        root_path: opened.root_path.clone(),
        indices: vec![meeting(&opened.indices).expect("tiles").1],
        tiles: node(opened).0.to_vec(),
        proof: MultiProof(opened.proof.0[used(&opened.indices)..].to_vec()),
    })
}

/// What is left for `name`.
pub fn below(witness: &Witness) -> Witness {
    each(witness, |opened| Opened {
        root_path: Vec::new(),
        proof: MultiProof(opened.proof.0[..used(&opened.indices)].to_vec()),
        ..opened.clone()
    })
}

/// keccak(level, index, node, …) of a, b, params and third, whose trees have these depths.
pub fn digest(depths: [u32; 4], witness: &Witness) -> Digest {
    let Witness { a, b, params, third } = witness;
    let mut bytes = Vec::new();
    for (opened, depth) in [a, b, params, third].into_iter().zip(depths) {
        let Some((level, index)) = meeting(&opened.indices) else {
            bytes.extend([0; 96]);
            continue;
        };
        let above = opened.proof.0.len() - used(&opened.indices);
        assert_eq!(level, depth - above as u32, "the proof goes on to the root");
        for number in [level, index] {
            bytes.extend([0; 28]);
            bytes.extend(number.to_be_bytes());
        }
        bytes.extend(node(opened).0);
    }
    keccak(&bytes)
}
