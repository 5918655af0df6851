//! Trees against a twin that hashes one node after the other, its padding written out.

use proptest::prelude::*;
use sha3::{Digest as _, Keccak256};

use super::*;
use crate::{TensorTree, Tree, node_over};

fn reference(domain: u8, parts: &[&[u8]]) -> Digest {
    let hasher = Keccak256::new().chain_update([domain]);
    Digest(parts.iter().fold(hasher, |hasher, part| hasher.chain_update(part)).finalize().into())
}

fn reference_leaves(bytes: &[u8]) -> Vec<Digest> {
    let mut bytes = bytes.to_vec();
    bytes.resize(bytes.len().next_multiple_of(TILE_BYTES).max(TILE_BYTES), 0);
    bytes.chunks(TILE_BYTES).map(|tile| reference(0, &[tile])).collect()
}

/// All levels of the complete binary tree over `nodes`, beside which stands `padding`.
fn twin(mut nodes: Vec<Digest>, padding: Digest) -> Vec<Vec<Digest>> {
    nodes.resize(nodes.len().next_power_of_two(), padding);
    let mut levels = vec![nodes];
    while levels[levels.len() - 1].len() > 1 {
        let below = &levels[levels.len() - 1];
        levels.push(below.chunks(2).map(|pair| reference(1, &[&pair[0].0, &pair[1].0])).collect());
    }
    levels
}

/// All levels of the complete tensor's tree over `leaves`, nothing at level 1.
fn tensor_twin(mut leaves: Vec<Digest>) -> Vec<Vec<Digest>> {
    if leaves.len() == 1 {
        return vec![leaves];
    }
    let pad = reference(4, &[]);
    let pair = reference(1, &[&pad.0, &pad.0]);
    leaves.resize(leaves.len().next_multiple_of(4), pad);
    let four = |four: &[Digest]| reference(1, &[&four[0].0, &four[1].0, &four[2].0, &four[3].0]);
    let above = twin(leaves.chunks(4).map(four).collect(), reference(1, &[&pair.0, &pair.0]));
    leaves.resize(above[0].len() * 4, pad);
    [vec![leaves, Vec::new()], above].concat()
}

fn top(levels: &[Vec<Digest>]) -> Digest {
    levels[levels.len() - 1][0]
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
fn assert_twins(depth: u32, node: impl Fn(u32, u64) -> Digest, levels: &[Vec<Digest>]) {
    assert_eq!(depth as usize, levels.len() - 1);
    for (level, nodes) in (0..).zip(levels) {
        for (index, twin) in (0..).zip(nodes) {
            assert_eq!(node(level, index), *twin, "level {level}, node {index} of {}", nodes.len());
        }
    }
}

fn check(lanes: Lanes, bytes: &[u8]) {
    let leaves = reference_leaves(bytes);
    let levels = tensor_twin(leaves.clone());
    let tree = TensorTree::of_bytes_with_lanes(lanes, bytes);
    assert_eq!(tree.tile_count(), leaves.len() as u64);
    assert_eq!(tree.root(), top(&levels));
    assert_eq!(TensorTree::of_leaves(leaves.clone()), tree);
    assert_eq!(root_of_bytes(lanes, bytes), tree.root());
    for level in tree.depth()..tree.depth() + 3 {
        let beside = (tree.depth()..level).fold(tree.root(), |node, level| inner(&node, &padding(level)));
        if tree.depth() > 0 {
            assert_eq!(
                node_over(leaves.clone(), level),
                beside,
                "level {level} over {} leaves",
                leaves.len()
            );
        }
    }
    assert_twins(tree.depth(), |level, index| tree.node(level, index), &levels);
    let list = Tree::with_lanes(lanes, leaves.clone());
    assert_eq!(list.leaf_count(), leaves.len() as u64);
    let levels = twin(leaves, reference(4, &[]));
    assert_eq!(list.root(), top(&levels));
    assert_twins(list.depth(), |level, index| list.node(level, index), &levels);
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
        assert_eq!(TensorTree::root_of_bytes(&bytes), TensorTree::of_bytes(&bytes).root(), "{len} bytes");
    }
}

#[test]
fn no_number_of_threads_changes_a_digest() {
    let bytes = noise((5 * PARALLEL_TILES / 2) * TILE_BYTES + 1);
    let trees = [1, 2, 5].map(|threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads start");
        pool.install(|| (TensorTree::of_bytes(&bytes), TensorTree::root_of_bytes(&bytes)))
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
        let own: Vec<_> = tensors.iter().map(|bytes| TensorTree::root_of_bytes(bytes)).collect();
        assert_eq!(TensorTree::roots_of_bytes(&slices), own, "{sizes:?}");
    }
}

#[test]
fn zeros_fill_the_last_tile_and_never_add_one() {
    let bytes = noise(9 * TILE_BYTES + 40);
    let root = TensorTree::root_of_bytes(&bytes);
    let longer = |len: usize| {
        let mut bytes = bytes.clone();
        bytes.resize(len, 0);
        TensorTree::root_of_bytes(&bytes)
    };
    assert_eq!(longer(10 * TILE_BYTES), root);
    // A tile of zeros is not padding.
    assert_ne!(longer(10 * TILE_BYTES + 1), root);
    assert_ne!(longer(16 * TILE_BYTES), root);
    assert_eq!(TensorTree::root_of_bytes(&[]), reference(0, &[&[0; TILE_BYTES]]));
}

#[test]
fn attack_05_every_bit_of_the_bytes_moves_the_root() {
    let bytes = noise(11 * TILE_BYTES + 3);
    let root = TensorTree::root_of_bytes(&bytes);
    for bit in 0..bytes.len() * 8 {
        let mut bent = bytes.clone();
        bent[bit / 8] ^= 1 << (bit % 8);
        assert_ne!(TensorTree::root_of_bytes(&bent), root, "bit {bit}");
    }
}

#[test]
fn padding_is_known_beyond_the_deepest_tree() {
    let mut node = reference(4, &[]);
    for level in 0..crate::MAX_DEPTH + 5 {
        assert_eq!(padding(level), node, "level {level}");
        node = reference(1, &[&node.0, &node.0]);
    }
}

#[test]
fn a_node_over_few_leaves_has_padding_beside_them() {
    let leaves = reference_leaves(&noise(4 * TILE_BYTES));
    let (pad, above) = (padding(0), padding(2));
    assert_eq!(node_over(leaves[..1].to_vec(), 0), leaves[0]);
    assert_eq!(node_over(leaves[..1].to_vec(), 1), inner(&leaves[0], &pad));
    assert_eq!(node_over(leaves[..2].to_vec(), 1), inner(&leaves[0], &leaves[1]));
    assert_eq!(node_over(leaves[..1].to_vec(), 2), quad(&[leaves[0], pad, pad, pad]));
    assert_eq!(node_over(leaves[..3].to_vec(), 2), quad(&[leaves[0], leaves[1], leaves[2], pad]));
    assert_eq!(
        node_over(leaves[..3].to_vec(), 3),
        inner(&quad(&[leaves[0], leaves[1], leaves[2], pad]), &above)
    );
    assert_ne!(quad(&[pad; 4]), above, "beyond the last four there is the constant");
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
        prop_assert_eq!(TensorTree::root_of_bytes(&bytes), top(&tensor_twin(reference_leaves(&bytes))));
    }
}
