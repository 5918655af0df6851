//! The nodes above the tiles of a step, and what is left below them (PROTOCOL 4.5), by the trees' shape alone.

use narrows_bisection::{Call, Match, MatchState, Opened, Witness};
use narrows_commitment::{Digest, MultiProof, keccak, tile_leaf};
use narrows_program::OperatorIndex;

use super::evaluate::Stated;
use super::scene::Scene;

/// The level at which the tiles' nodes become one, and its index there: a tile alone without a proof is a tensor of one.
fn meeting(opened: &Opened) -> Option<(u32, u32)> {
    let (first, last) = (*opened.indices.first()?, *opened.indices.last()?);
    if opened.indices.len() == 1 && opened.proof.0.is_empty() {
        return Some((0, first));
    }
    let level = 2 + u32::BITS - ((first / 4) ^ (last / 4)).leading_zeros();
    Some((level, first.checked_shr(level).unwrap_or(0)))
}

/// How much of the proof is used below that level: every leaf that is missing of four, and every node at a lower level that
/// has no sibling among its neighbours.
fn used(opened: &Opened) -> usize {
    let Some((2.., _)) = meeting(opened) else { return 0 };
    let level = meeting(opened).unwrap_or_default().0;
    let at = |level: u32| {
        let mut nodes: Vec<u32> = opened.indices.iter().map(|index| index >> level).collect();
        nodes.dedup();
        nodes
    };
    let alone = |level: u32| at(level).iter().filter(|node| !at(level).contains(&(*node ^ 1))).count();
    at(2).len() * 4 - opened.indices.len() + (2..level).map(alone).sum::<usize>()
}

/// The node in which the tiles meet.
fn node(opened: &Opened) -> Digest {
    let (tiles, _) = opened.tiles.as_chunks::<128>();
    let leaves: Vec<(u32, Digest)> =
        opened.indices.iter().copied().zip(tiles.iter().map(tile_leaf)).collect();
    if used(opened) == 0 && leaves.len() == 1 {
        return leaves[0].1;
    }
    let mut rest = opened.proof.0[..used(opened)].iter();
    let mut fours: Vec<u32> = opened.indices.iter().map(|index| index / 4).collect();
    fours.dedup();
    let mut four = |four: u32| {
        let mut bytes = vec![1];
        for index in four * 4..four * 4 + 4 {
            let known = leaves.iter().find(|(at, _)| *at == index).map(|(_, leaf)| *leaf);
            bytes.extend(known.unwrap_or_else(|| *rest.next().expect("a leaf beside")).0);
        }
        (four, keccak(&bytes))
    };
    let mut row: Vec<(u32, Digest)> = fours.into_iter().map(&mut four).collect();
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
        indices: vec![meeting(opened).expect("tiles").1],
        tiles: node(opened).0.to_vec(),
        proof: MultiProof(opened.proof.0[used(opened)..].to_vec()),
    })
}

/// What is left for `name`.
pub fn below(witness: &Witness) -> Witness {
    each(witness, |opened| Opened {
        root_path: Vec::new(),
        proof: MultiProof(opened.proof.0[..used(opened)].to_vec()),
        ..opened.clone()
    })
}

/// keccak(level, index, node, …) of a, b, params and third, whose trees have these depths.
pub fn digest(depths: [u32; 4], witness: &Witness) -> Digest {
    let Witness { a, b, params, third } = witness;
    let mut bytes = Vec::new();
    for (opened, depth) in [a, b, params, third].into_iter().zip(depths) {
        let Some((level, index)) = meeting(opened) else {
            bytes.extend([0; 96]);
            continue;
        };
        let above = opened.proof.0.len() - used(opened);
        assert_eq!(level, depth - above as u32, "the proof goes on to the root");
        for number in [level, index] {
            bytes.extend([0; 28]);
            bytes.extend(number.to_be_bytes());
        }
        bytes.extend(node(opened).0);
    }
    keccak(&bytes)
}

impl Scene {
    /// Shows the nodes above the tiles that `element` of tile `slot` reads; `None` where that is no step.
    pub fn prepare(&self, at: &Match, slot: u64, element: u8) -> Option<Call> {
        let state = &at.state;
        let witness = self.step(state, self.stated(state), slot, element)?;
        Some(Call::Prepare {
            posted: self.posted,
            number: at.number,
            footing: state.seated(),
            list: state.list,
            node: state.node,
            operator: self.operators[state.place as usize].clone(),
            witness: Box::new(above(&witness)),
        })
    }

    /// Names an element under the nodes that were shown, or padding; `None` for others.
    pub fn name_ready(&self, at: &Match, slot: u64, element: u8) -> Option<Call> {
        // The list tells no statement apart any more; the node and what was shown do, as far as it matters.
        let (level, index) = (u32::from(at.state.remaining), u64::from(at.state.position));
        let output = |stated| &self.claimed.output(stated, OperatorIndex(at.state.place)).tree;
        let fits = |stated: &Stated| output(*stated).node(level, index) == at.state.node;
        let found = (0..self.claimed.statements()).filter(fits).find_map(|stated| {
            let Some(witness) = self.step(&at.state, stated, slot, element) else {
                let padding = Witness::default();
                return Some((stated, padding));
            };
            (digest(self.depths(&at.state), &witness) == at.state.list).then(|| (stated, below(&witness)))
        });
        found.map(|(stated, witness)| self.naming(at, stated, slot, element, witness))
    }

    /// The depths of the trees of a, b, params and third.
    fn depths(&self, state: &MatchState) -> [u32; 4] {
        let bytes = &self.operators[state.place as usize];
        [bytes[9], bytes[10], bytes[11], if bytes[7] == 1 { bytes[194] } else { 0 }].map(u32::from)
    }
}
