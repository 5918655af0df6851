//! Roots and leaves of openings, held to the trees' own and to a hash by hand.

use narrows_commitment::{
    Digest, MultiProof, TensorRoot, Tile, Tree, keccak, tile_leaf, verify_many, verify_path,
};

use super::{climb, export_leaf, root_of_many};

#[test]
fn roots_are_what_the_openings_are_checked_against() {
    let bytes: Vec<u8> = (0..128 * 11).map(|i| (i % 251) as u8).collect();
    let tree = Tree::of_bytes(&bytes);
    let tile = |index: u32| -> Tile { narrows_commitment::tile_at(&bytes, index.into()) };
    for mask in 1u32..1 << 11 {
        let indices: Vec<u32> = (0..11).filter(|index| mask >> index & 1 == 1).collect();
        let wide: Vec<u64> = indices.iter().map(|index| u64::from(*index)).collect();
        let tiles: Vec<Tile> = indices.iter().map(|index| tile(*index)).collect();
        let proof = tree.multi_proof(&wide);
        assert_eq!(root_of_many(4, &indices, &tiles, &proof), Ok(tree.root()));
        let leaves: Vec<(u64, Digest)> = wide.iter().copied().zip(tiles.iter().map(tile_leaf)).collect();
        assert_eq!(verify_many(&tree.root(), 4, &leaves, &proof), Ok(()));
    }
    let proof = tree.multi_proof(&[2, 5]);
    let tiles = [tile(2), tile(5)];
    assert!(root_of_many(4, &[5, 2], &tiles, &proof).is_err());
    assert!(root_of_many(4, &[2, 2], &tiles, &proof).is_err());
    assert!(root_of_many(4, &[2, 16], &tiles, &proof).is_err());
    assert!(root_of_many(4, &[2], &tiles, &proof).is_err());
    assert!(root_of_many(4, &[], &[], &proof).is_err());
    assert!(root_of_many(3, &[2, 5], &tiles, &proof).is_err());
    assert!(root_of_many(33, &[2, 5], &tiles, &proof).is_err());
    assert!(root_of_many(4, &[2, 5], &tiles, &MultiProof(proof.0[1..].to_vec())).is_err());
    assert!(root_of_many(4, &[2, 5], &tiles, &MultiProof([&proof.0[..], &proof.0[..1]].concat())).is_err());
    for index in 0..11 {
        let (leaf, path) = (tree.node(0, index), tree.path(index));
        assert_eq!(climb(index, leaf, &path), tree.root());
        assert_eq!(verify_path(&tree.root(), 4, index, leaf, &path), Ok(()));
        assert_ne!(climb(index ^ 1, leaf, &path), tree.root());
    }
    // Where an index has no more bits, the node is on the left.
    let zero = Digest::default();
    let by_hand =
        (0..198).fold(climb(3, zero, &[zero; 2]), |node, _| narrows_commitment::inner(&node, &zero));
    assert_eq!(climb(3, zero, &[zero; 200]), by_hand);
}

#[test]
fn export_leaves_by_hand() {
    let root = |byte| TensorRoot(Digest([byte; 32]));
    assert_eq!(export_leaf(&[root(7)]), Digest([7; 32]));
    let mut preimage = vec![2, 3];
    preimage.extend([7; 32]);
    preimage.extend([8; 32]);
    preimage.extend([9; 32]);
    assert_eq!(export_leaf(&[root(7), root(8), root(9)]), keccak(&preimage));
}
