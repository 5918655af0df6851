//! Openings that stand, and every way of bending them.

use proptest::prelude::*;

use super::*;

fn bytes(len: usize, seed: u8) -> Vec<u8> {
    (0..len).map(|i| (i as u8).wrapping_mul(31).wrapping_add((i >> 7) as u8 ^ seed)).collect()
}

#[test]
fn depth_is_the_ceiling_of_the_logarithm() {
    for (leaves, depth) in [(1, 0), (2, 1), (3, 2), (4, 2), (5, 3), (8, 3), (9, 4), (1 << 20, 20)] {
        assert_eq!(depth_for(leaves), depth, "{leaves} leaves");
    }
}

#[test]
fn the_empty_keccak_is_the_known_one() {
    let known = "0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470";
    assert_eq!(keccak(&[]).to_string(), known);
    assert_eq!(known.parse::<Digest>(), Ok(keccak(&[])));
    assert!("0x12".parse::<Digest>().is_err());
}

#[test]
fn attack_09_no_preimage_serves_two_domains() {
    // A leaf's preimage is 129 bytes and an inner node's 65, and their first bytes differ.
    let (left, right) = (keccak(b"l"), keccak(b"r"));
    let mut tile = [0; TILE_BYTES];
    tile[..32].copy_from_slice(&left.0);
    tile[32..64].copy_from_slice(&right.0);
    assert_ne!(tile_leaf(&tile), inner(&left, &right));
    assert_ne!(tile_leaf(&[0; TILE_BYTES]), padding(0));
    // An inner node offered as a leaf one level up does not open in a tree of the program's depth.
    let tree = Tree::of_bytes(&bytes(512, 1));
    let short = tree.path(0)[1..].to_vec();
    assert!(verify_path(&tree.root(), 2, 0, tree.node(1, 0), &short).is_err());
}

#[test]
fn attack_05_every_single_bit_of_an_opening_matters() {
    let data = bytes(128 * 6 + 5, 3);
    let tree = Tree::of_bytes(&data);
    for index in 0..tree.leaf_count() {
        let tile = tile_at(&data, index);
        let path = tree.path(index);
        let check = |tile: &Tile, path: &[Digest], index| {
            verify_path(&tree.root(), tree.depth(), index, tile_leaf(tile), path)
        };
        assert_eq!(check(&tile, &path, index), Ok(()));
        for bit in 0..TILE_BYTES * 8 {
            let mut bent = tile;
            bent[bit / 8] ^= 1 << (bit % 8);
            assert!(check(&bent, &path, index).is_err());
        }
        for bit in 0..path.len() * 256 {
            let mut bent = path.clone();
            bent[bit / 256].0[bit % 256 / 8] ^= 1 << (bit % 8);
            assert!(check(&tile, &bent, index).is_err());
        }
        for other in (0..16).filter(|other| *other != index) {
            assert!(check(&tile, &path, other).is_err());
        }
        assert!(check(&tile, &path[1..], index).is_err());
    }
}

#[test]
fn descendants_fold_up_to_their_ancestor() {
    let tree = Tree::of_bytes(&bytes(128 * 11, 9));
    for (level, index, bits) in [(4, 0, 4), (4, 0, 1), (2, 2, 2), (3, 1, 2)] {
        let nodes = tree.descendants(level, index, bits);
        assert_eq!(fold_up(&nodes), Some(tree.node(level, index)));
    }
    assert_eq!(fold_up(&[keccak(b"a"), keccak(b"b"), keccak(b"c")]), None);
    assert_eq!(fold_up(&[]), None);
}

proptest! {
    #[test]
    fn many_leaves_open_together(len in 1usize..4000, picks in prop::collection::btree_set(0u64..32, 1..12), flip in any::<u32>()) {
        let data = bytes(len, 7);
        let tree = Tree::of_bytes(&data);
        let picks: Vec<u64> = picks.into_iter().filter(|i| *i < tree.leaf_count()).collect();
        prop_assume!(!picks.is_empty());
        let leaves: Vec<_> = picks.iter().map(|&i| (i, tile_leaf(&tile_at(&data, i)))).collect();
        let proof = tree.multi_proof(&picks);
        let (root, depth) = (tree.root(), tree.depth());
        prop_assert_eq!(verify_many(&root, depth, &leaves, &proof), Ok(()));

        let mut bent = leaves.clone();
        let at = flip as usize % bent.len();
        bent[at].1.0[flip as usize / 7 % 32] ^= 1 << (flip % 8);
        prop_assert!(verify_many(&root, depth, &bent, &proof).is_err());
        let mut longer = proof.clone();
        longer.0.push(root);
        prop_assert!(verify_many(&root, depth, &leaves, &longer).is_err());
        if !proof.0.is_empty() {
            let mut bent = proof.clone();
            let at = flip as usize % bent.0.len();
            bent.0[at].0[flip as usize / 7 % 32] ^= 1 << (flip % 8);
            prop_assert!(verify_many(&root, depth, &leaves, &bent).is_err());
        }
        let mut twice = leaves.clone();
        twice.push(leaves[leaves.len() - 1]);
        prop_assert!(verify_many(&root, depth, &twice, &proof).is_err());
    }
}
