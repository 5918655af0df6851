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
fn a_tensor_of_several_tiles_has_two_levels_at_least() {
    for (tiles, depth) in [(1, 0), (2, 2), (3, 2), (4, 2), (5, 3), (8, 3), (9, 4), (1 << 20, 20)] {
        assert_eq!(tensor_depth(tiles), depth, "{tiles} tiles");
    }
    assert_eq!([0, 2, 3, 4, 26].map(tile_siblings), [0, 3, 4, 5, 27]);
    let path = |depth: u32| vec![Digest::default(); tile_siblings(depth)];
    assert!(leads_to_tile(MAX_DEPTH, u32::MAX.into(), &path(MAX_DEPTH)));
    assert!(!leads_to_tile(MAX_DEPTH + 1, 0, &path(MAX_DEPTH + 1)), "no tree is so deep");
}

#[test]
fn attack_09_no_preimage_serves_two_domains() {
    // A tile's and four leaves' preimages are 129 bytes and a pair's 65, and a tile's first byte is another.
    let four = [keccak(b"a"), keccak(b"b"), keccak(b"c"), keccak(b"d")];
    let [a, b, c, d] = &four;
    let mut tile = [0; TILE_BYTES];
    tile.as_chunks_mut().0.iter_mut().zip(&four).for_each(|(part, leaf)| *part = leaf.0);
    assert_ne!(tile_leaf(&tile), quad(&four));
    assert_ne!(quad(&four), inner(&inner(a, b), &inner(c, d)));
    assert_ne!(tile_leaf(&[0; TILE_BYTES]), padding(0));
    // A node above four leaves that is offered as a leaf does not open in a tree of the program's depth, nor do two that are
    // above two leaves.
    let tree = TensorTree::of_bytes(&bytes(128 * 5, 1));
    let short = tree.path(0)[3..].to_vec();
    assert_eq!(climb(0, tree.node(2, 0), &short), tree.root());
    assert!(!leads_to_tile(3, 0, &short));
    let binary = Tree::new((0..5).map(|index| tree.node(0, index)).collect());
    assert_ne!(binary.root(), tree.root());
    assert!(!leads_to_tile(3, 0, &binary.path(0)));
}

#[test]
fn attack_05_every_single_bit_of_an_opening_matters() {
    let data = bytes(128 * 6 + 5, 3);
    let tree = TensorTree::of_bytes(&data);
    for index in 0..tree.tile_count() {
        let tile = tile_at(&data, index);
        let path = tree.path(index);
        let opens = |tile: &Tile, path: &[Digest], index| {
            leads_to_tile(tree.depth(), index, path)
                && climb_tile(index, tile_leaf(tile), path) == tree.root()
        };
        assert!(opens(&tile, &path, index));
        for bit in 0..TILE_BYTES * 8 {
            let mut bent = tile;
            bent[bit / 8] ^= 1 << (bit % 8);
            assert!(!opens(&bent, &path, index));
        }
        for bit in 0..path.len() * 256 {
            let mut bent = path.clone();
            bent[bit / 256].0[bit % 256 / 8] ^= 1 << (bit % 8);
            assert!(!opens(&tile, &bent, index));
        }
        for other in (0..16).filter(|other| *other != index) {
            assert!(!opens(&tile, &path, other));
        }
        assert!(!opens(&tile, &path[1..], index));
        assert!(!opens(&tile, &[&path[..], &path[..1]].concat(), index));
    }
}

#[test]
fn paths_of_lists_open_and_bent_ones_do_not() {
    let tree = Tree::new((0..6u8).map(|leaf| keccak(&[leaf])).collect());
    for index in 0..6 {
        let (leaf, path) = (tree.node(0, index), tree.path(index));
        let check = |index, path: &[Digest]| verify_path(&tree.root(), 3, index, leaf, path);
        assert_eq!(check(index, &path), Ok(()));
        assert_eq!(check(index ^ 1, &path), Err(OpeningError::Root));
        assert_eq!(check(index + 8, &path), Err(OpeningError::Index(index + 8)));
        assert_eq!(check(index, &path[1..]), Err(OpeningError::Length { depth: 3, needed: 3, given: 2 }));
        for bit in 0..3 * 256 {
            let mut bent = path.clone();
            bent[bit / 256].0[bit % 256 / 8] ^= 1 << (bit % 8);
            assert_eq!(check(index, &bent), Err(OpeningError::Root));
        }
    }
}

#[test]
fn where_an_index_has_no_more_bits_the_node_is_on_the_left() {
    let zero = Digest::default();
    let by_hand = (0..198).fold(climb(3, zero, &[zero; 2]), |node, _| inner(&node, &zero));
    assert_eq!(climb(3, zero, &[zero; 200]), by_hand);
}

#[test]
fn descendants_fold_up_to_their_ancestor() {
    let tree = TensorTree::of_bytes(&bytes(128 * 43, 9));
    let list = Tree::new((0..11u8).map(|leaf| keccak(&[leaf])).collect());
    for (level, index, bits) in [(4, 0, 4), (4, 0, 1), (2, 2, 2), (3, 1, 2)] {
        assert_eq!(fold_up(&list.descendants(level, index, bits)), Some(list.node(level, index)));
        assert_eq!(fold_up(&tree.descendants(level + 2, index, bits)), Some(tree.node(level + 2, index)));
    }
    assert_eq!(fold_up(&[keccak(b"a"), keccak(b"b"), keccak(b"c")]), None);
    assert_eq!(fold_up(&[]), None);
}

/// Every set of tiles of every small tensor opens, by as many nodes as a count of what is missing says.
#[test]
fn every_set_of_tiles_opens() {
    for count in 1..=9u64 {
        let data = bytes(128 * count as usize, 5);
        let tree = TensorTree::of_bytes(&data);
        for set in 1..1u32 << count {
            let picks: Vec<u64> = (0..count).filter(|tile| set >> tile & 1 == 1).collect();
            let (indices, tiles) = opened(&data, &picks);
            let proof = tree.multi_proof(&picks);
            assert_eq!(
                root_of_many(tree.depth(), &indices, &tiles, &proof),
                Ok(tree.root()),
                "{picks:?} of {count}"
            );
            let fours: std::collections::BTreeSet<u64> = picks.iter().map(|tile| tile / 4).collect();
            let missing = if count == 1 { 0 } else { fours.len() * 4 - picks.len() };
            let (top, rest) = join(&indices, &tiles, &proof.0).expect("opens");
            assert!(proof.0.len() >= missing + rest.len());
            assert_eq!(top.node, tree.node(top.level, top.index.into()));
        }
    }
}

fn opened(data: &[u8], picks: &[u64]) -> (Vec<u32>, Vec<Tile>) {
    picks.iter().map(|tile| (*tile as u32, tile_at(data, *tile))).unzip()
}

#[test]
fn a_tile_alone_takes_three_siblings_or_none() {
    let data = bytes(128 * 3, 2);
    let (indices, tiles) = opened(&data, &[1]);
    let path = TensorTree::of_bytes(&data).path(1);
    let leaf = tile_leaf(&tiles[0]);
    assert_eq!(join(&indices, &tiles, &[]), Ok((Top { level: 0, index: 1, node: leaf }, &[][..])));
    for given in 1..3 {
        assert!(join(&indices, &tiles, &path[..given]).is_err());
    }
    let top = Top { level: 2, index: 0, node: TensorTree::of_bytes(&data).root() };
    assert_eq!(join(&indices, &tiles, &path), Ok((top, &[][..])));
    // A leaf is the root of the first tile alone.
    assert!(root_of_many(0, &indices, &tiles, &MultiProof::default()).is_err());
    assert_eq!(root_of_many(0, &[0], &tiles, &MultiProof::default()), Ok(leaf));
    assert!(root_of_many(1, &[0], &tiles, &MultiProof(path[..1].to_vec())).is_err());
}

proptest! {
    #[test]
    fn many_tiles_open_together(len in 1usize..9000, picks in prop::collection::btree_set(0u64..70, 1..24), flip in any::<u32>()) {
        let data = bytes(len, 7);
        let tree = TensorTree::of_bytes(&data);
        let picks: Vec<u64> = picks.into_iter().filter(|i| *i < tree.tile_count()).collect();
        prop_assume!(!picks.is_empty());
        let (indices, tiles) = opened(&data, &picks);
        let proof = tree.multi_proof(&picks);
        let (root, depth) = (tree.root(), tree.depth());
        let opens = |indices: &[u32], tiles: &[Tile], proof: &[Digest]| {
            root_of_many(depth, indices, tiles, &MultiProof(proof.to_vec())) == Ok(root)
        };
        prop_assert!(opens(&indices, &tiles, &proof.0));
        if let [only] = picks[..] {
            prop_assert_eq!(&proof.0, &tree.path(only));
            prop_assert_eq!(climb_tile(only, tile_leaf(&tiles[0]), &proof.0), root);
        }

        let at = flip as usize % tiles.len();
        let mut bent = tiles.clone();
        bent[at][flip as usize / 7 % TILE_BYTES] ^= 1 << (flip % 8);
        prop_assert!(!opens(&indices, &bent, &proof.0));
        let mut moved = indices.clone();
        moved[at] ^= 1 << (flip / 3 % 32);
        prop_assert!(!opens(&moved, &tiles, &proof.0));
        prop_assert!(!opens(&indices, &tiles, &[&proof.0[..], &[root]].concat()));
        prop_assert!(root_of_many(depth + 1, &indices, &tiles, &proof).is_err());
        if !proof.0.is_empty() {
            let mut bent = proof.0.clone();
            let at = flip as usize % bent.len();
            bent[at].0[flip as usize / 7 % 32] ^= 1 << (flip % 8);
            prop_assert!(!opens(&indices, &tiles, &bent));
            prop_assert!(!opens(&indices, &tiles, &proof.0[1..]));
        }
        let last = indices.len() - 1;
        let twice = ([&indices[..], &[indices[last]]].concat(), [&tiles[..], &[tiles[last]]].concat());
        prop_assert!(!opens(&twice.0, &twice.1, &proof.0));
    }
}
