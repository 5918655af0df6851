//! Openings as calldata holds them, one behind the other (PROTOCOL 4.5).

use narrows_bisection::{Opened, Witness};
use narrows_commitment::{Digest, MultiProof};

/// A count in so few bytes as the contracts read; one beyond them is cut to the greatest.
fn cut<T: TryFrom<usize>>(count: usize, most: T) -> T {
    T::try_from(count).unwrap_or(most)
}

/// be8(indices) | be16(bytes of tiles) | be16(proof) | be8(root path), and then what they count: indices be32 each, tiles, proof,
/// root path. Openings that are all empty are no bytes.
///
/// What is more than its count can say is cut: an opening of so much is refused whole or cut.
pub(super) fn pack(openings: &[&Opened]) -> Vec<u8> {
    let mut bytes = Vec::new();
    if openings.iter().all(|opened| **opened == Opened::default()) {
        return bytes;
    }
    for Opened { root_path, indices, tiles, proof } in openings {
        let (some, path) = (cut(indices.len(), u8::MAX), cut(root_path.len(), u8::MAX));
        let (length, nodes) = (cut(tiles.len(), u16::MAX), cut(proof.0.len(), u16::MAX));
        bytes.push(some);
        bytes.extend(length.to_be_bytes());
        bytes.extend(nodes.to_be_bytes());
        bytes.push(path);
        bytes.extend(indices[..some.into()].iter().flat_map(|index| index.to_be_bytes()));
        bytes.extend(&tiles[..length.into()]);
        bytes.extend(proof.0[..nodes.into()].iter().flat_map(|node| node.0));
        bytes.extend(root_path[..path.into()].iter().flat_map(|node| node.0));
    }
    bytes
}

/// `None` for bytes that [`pack`] makes of no `N` openings.
pub(super) fn unpack<const N: usize>(bytes: &[u8]) -> Option<[Opened; N]> {
    let mut openings = std::array::from_fn(|_| Opened::default());
    if bytes.is_empty() {
        return Some(openings);
    }
    let mut rest = bytes;
    for opened in &mut openings {
        let (&[some, l0, l1, n0, n1, path], after) = rest.split_first_chunk()?;
        let (indices, after) = after.split_at_checked(usize::from(some) * 4)?;
        let (tiles, after) = after.split_at_checked(u16::from_be_bytes([l0, l1]).into())?;
        let (proof, after) = after.split_at_checked(usize::from(u16::from_be_bytes([n0, n1])) * 32)?;
        let (root_path, after) = after.split_at_checked(usize::from(path) * 32)?;
        let nodes = |bytes: &[u8]| bytes.as_chunks().0.iter().copied().map(Digest).collect();
        *opened = Opened {
            root_path: nodes(root_path),
            indices: indices.as_chunks().0.iter().copied().map(u32::from_be_bytes).collect(),
            tiles: tiles.to_vec(),
            proof: MultiProof(nodes(proof)),
        };
        rest = after;
    }
    let some = openings.iter().any(|opened| *opened != Opened::default());
    (rest.is_empty() && some).then_some(openings)
}

pub(super) fn pack_witness(Witness { a, b, params, third }: &Witness) -> Vec<u8> {
    pack(&[a, b, params, third])
}

pub(super) fn unpack_witness(bytes: &[u8]) -> Option<Witness> {
    let [a, b, params, third] = unpack(bytes)?;
    Some(Witness { a, b, params, third })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> Opened {
        Opened {
            root_path: vec![Digest([4; 32])],
            indices: vec![7, 8],
            tiles: vec![9; 256],
            proof: MultiProof(vec![Digest([5; 32]); 3]),
        }
    }

    #[test]
    fn openings_by_hand() {
        let packed = pack(&[&Opened::default(), &some()]);
        let head = [[0; 6], [2, 1, 0, 0, 3, 1]].concat();
        let expected = [&head[..], &[0, 0, 0, 7, 0, 0, 0, 8], &[9; 256], &[5; 96], &[4; 32]].concat();
        assert_eq!(packed, expected);
        assert_eq!(unpack(&packed), Some([Opened::default(), some()]));
        assert!(pack(&[&Opened::default(), &Opened::default()]).is_empty());
        assert_eq!(unpack(&[]), Some([Opened::default(), Opened::default()]));
    }

    #[test]
    fn other_bytes_are_no_openings() {
        let packed = pack(&[&some(), &some()]);
        for length in 1..packed.len() {
            assert_eq!(unpack::<2>(&packed[..length]), None, "{length} bytes");
        }
        assert_eq!(unpack::<2>(&[&packed[..], &[0]].concat()), None);
        assert_eq!(unpack::<2>(&[0; 12]), None, "no bytes say that");
    }

    #[test]
    fn counts_beyond_their_bytes_are_cut() {
        let many = Opened { indices: vec![1; 300], root_path: vec![Digest::default(); 300], ..some() };
        let [cut] = unpack(&pack(&[&many])).expect("openings");
        assert_eq!((cut.indices.len(), cut.root_path.len()), (255, 255));
        let many = Opened { tiles: vec![1; 70_000], ..some() };
        let [cut] = unpack(&pack(&[&many])).expect("openings");
        assert_eq!(cut.tiles.len(), 65_535);
    }
}
