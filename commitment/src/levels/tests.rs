//! Trees against a twin that hashes one node after the other, its padding written out.

use proptest::prelude::*;
use sha3::{Digest as _, Keccak256};

use super::*;
use crate::Tree;

fn reference(domain: u8, parts: [&[u8]; 2]) -> Digest {
    let hasher = Keccak256::new().chain_update([domain]);
    Digest(hasher.chain_update(parts[0]).chain_update(parts[1]).finalize().into())
}

fn reference_leaves(bytes: &[u8]) -> Vec<Digest> {
    let mut bytes = bytes.to_vec();
    bytes.resize(bytes.len().next_multiple_of(TILE_BYTES).max(TILE_BYTES), 0);
    bytes.chunks(TILE_BYTES).map(|tile| reference(0, [tile, &[]])).collect()
}

/// All levels of the complete tree over `leaves`, padding leaves and their parents among them.
fn twin(mut leaves: Vec<Digest>) -> Vec<Vec<Digest>> {
    leaves.resize(leaves.len().next_power_of_two(), reference(4, [&[], &[]]));
    let mut levels = vec![leaves];
    while levels[levels.len() - 1].len() > 1 {
        let below = &levels[levels.len() - 1];
        levels.push(below.chunks(2).map(|pair| reference(1, [&pair[0].0, &pair[1].0])).collect());
    }
    levels
}

fn noise(len: usize) -> Vec<u8> {
    let mut seed = len as u64 + 1;
    let byte = |_| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 56) as u8
    };
    (0..len).map(byte).collect()
}

#[track_caller]
fn assert_twins(tree: &Tree, levels: &[Vec<Digest>]) {
    assert_eq!(tree.depth() as usize, levels.len() - 1);
    for (level, nodes) in (0..).zip(levels) {
        for (index, node) in (0..).zip(nodes) {
            assert_eq!(tree.node(level, index), *node, "level {level}, node {index} of {}", nodes.len());
        }
    }
    assert_eq!(tree.root(), levels[levels.len() - 1][0]);
}

fn check(lanes: Lanes, bytes: &[u8]) {
    let leaves = reference_leaves(bytes);
    let tree = Tree::of_bytes_with_lanes(lanes, bytes);
    assert_eq!(tree.leaf_count(), leaves.len() as u64);
    assert_eq!(Tree::with_lanes(lanes, leaves.clone()), tree);
    assert_eq!(root_of_bytes(lanes, bytes), tree.root());
    assert_twins(&tree, &twin(leaves));
}

#[test]
fn trees_of_every_small_leaf_count_are_their_twins() {
    for lanes in Lanes::all_available() {
        for leaves in 1..=70 {
            check(lanes, &noise(leaves * TILE_BYTES));
            check(lanes, &noise(leaves * TILE_BYTES - 1));
            check(lanes, &noise((leaves - 1) * TILE_BYTES + 1));
        }
    }
}

#[test]
fn trees_around_a_block_and_beyond_one_thread_are_their_twins() {
    let block = BLOCK;
    let top = 1 << BLOCK_LEVELS;
    for tiles in [block - 1, block, block + 1, block + top, block + top + 1, 3 * block, 3 * block + 1] {
        check(Lanes::best(), &noise(tiles * TILE_BYTES));
        check(Lanes::best(), &noise(tiles * TILE_BYTES + 77));
    }
    for tiles in [PARALLEL_TILES, PARALLEL_TILES + 1] {
        check(Lanes::best(), &noise(tiles * TILE_BYTES));
        check(Lanes::best(), &noise(tiles * TILE_BYTES + 77));
    }
    for tiles in [2 * PARALLEL_TILES, 2 * PARALLEL_TILES + 1, 3 * PARALLEL_TILES + 1025] {
        check(Lanes::best(), &noise(tiles * TILE_BYTES - 5));
    }
}

#[test]
fn the_root_alone_is_the_trees_at_every_length() {
    for len in 0..=2000 {
        let bytes = noise(len);
        assert_eq!(Tree::root_of_bytes(&bytes), Tree::of_bytes(&bytes).root(), "{len} bytes");
    }
}

#[test]
fn no_number_of_threads_changes_a_digest() {
    let bytes = noise((5 * PARALLEL_TILES / 2) * TILE_BYTES + 1);
    let trees = [1, 2, 5].map(|threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads start");
        pool.install(|| (Tree::of_bytes(&bytes), Tree::root_of_bytes(&bytes)))
    });
    assert_eq!(trees[0], trees[1]);
    assert_eq!(trees[0], trees[2]);
    assert_eq!(trees[0].0.root(), trees[0].1);
}

#[test]
fn many_roots_are_each_tensors_own() {
    for sizes in [&[][..], &[0], &[1, 300, 128], &[200_000, 5, 0, 70_000, 4096 * TILE_BYTES + 1]] {
        let tensors: Vec<Vec<u8>> = sizes.iter().map(|len| noise(*len)).collect();
        let slices: Vec<&[u8]> = tensors.iter().map(Vec::as_slice).collect();
        let own: Vec<_> = tensors.iter().map(|bytes| Tree::root_of_bytes(bytes)).collect();
        assert_eq!(Tree::roots_of_bytes(&slices), own, "{sizes:?}");
    }
}

#[test]
fn zeros_fill_the_last_tile_and_never_add_one() {
    let bytes = noise(9 * TILE_BYTES + 40);
    let root = Tree::root_of_bytes(&bytes);
    let longer = |len: usize| {
        let mut bytes = bytes.clone();
        bytes.resize(len, 0);
        Tree::root_of_bytes(&bytes)
    };
    assert_eq!(longer(10 * TILE_BYTES), root);
    // A tile of zeros is not padding.
    assert_ne!(longer(10 * TILE_BYTES + 1), root);
    assert_ne!(longer(16 * TILE_BYTES), root);
    assert_eq!(Tree::root_of_bytes(&[]), reference(0, [&[0; TILE_BYTES], &[]]));
}

#[test]
fn attack_05_every_bit_of_the_bytes_moves_the_root() {
    let bytes = noise(11 * TILE_BYTES + 3);
    let root = Tree::root_of_bytes(&bytes);
    for bit in 0..bytes.len() * 8 {
        let mut bent = bytes.clone();
        bent[bit / 8] ^= 1 << (bit % 8);
        assert_ne!(Tree::root_of_bytes(&bent), root, "bit {bit}");
    }
}

#[test]
fn padding_is_known_beyond_the_deepest_tree() {
    let mut node = reference(4, [&[], &[]]);
    for level in 0..crate::MAX_DEPTH + 5 {
        assert_eq!(padding(level), node, "level {level}");
        node = reference(1, [&node.0, &node.0]);
    }
}

#[test]
#[should_panic(expected = "at least one leaf")]
fn no_leaves_make_no_tree() {
    let _ = Tree::new(Vec::new());
}

proptest! {
    #[test]
    fn any_tree_is_its_twin(bytes in prop::collection::vec(any::<u8>(), 0..300 * TILE_BYTES)) {
        for lanes in Lanes::all_available() {
            check(lanes, &bytes);
        }
    }

    #[test]
    fn any_larger_tree_is_its_twin(len in 70 * TILE_BYTES..6000 * TILE_BYTES) {
        let bytes = noise(len);
        let levels = twin(reference_leaves(&bytes));
        prop_assert_eq!(Tree::root_of_bytes(&bytes), levels[levels.len() - 1][0]);
    }
}
