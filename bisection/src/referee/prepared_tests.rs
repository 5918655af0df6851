//! The lowest node above some tiles, held to the trees' own openings.

use narrows_commitment::{
    Digest, MultiProof, TensorRoot, TensorTree, Tile, Top, TraceRoot, Tree, climb, join, root_of_many,
    tile_leaf,
};

use crate::{Opened, Refusal, Witness};

use super::{Operand, View};

fn tile(index: u32) -> Tile {
    let mut tile = [0; 128];
    tile[..4].copy_from_slice(&index.to_be_bytes());
    tile
}

fn tree(tiles: u32) -> TensorTree {
    TensorTree::of_leaves((0..tiles).map(|index| tile_leaf(&tile(index))).collect())
}

/// Every set of tiles of a small tree, with its proof.
fn sets(tiles: u32) -> impl Iterator<Item = (Vec<u32>, Vec<Tile>, Vec<Digest>)> {
    (1..1u32 << tiles).map(move |set| {
        let indices: Vec<u32> = (0..tiles).filter(|index| set >> index & 1 == 1).collect();
        let wide: Vec<u64> = indices.iter().map(|index| u64::from(*index)).collect();
        let proof = tree(tiles).multi_proof(&wide).0;
        (indices.clone(), indices.into_iter().map(tile).collect(), proof)
    })
}

#[test]
fn tiles_meet_in_the_lowest_node_above_them_all() {
    for tiles in 1..=11 {
        let tree = tree(tiles);
        for (indices, data, proof) in sets(tiles) {
            let (top, rest) = join(&indices, &data, &proof).expect("the siblings are there");
            assert_eq!(tree.node(top.level, top.index.into()), top.node);
            let under = |index: &u32| index >> top.level == top.index;
            assert!(indices.iter().all(under), "all are under it");
            let lower = |index: &u32| index >> (top.level - 1);
            let together = top.level > 2 && indices.iter().all(|index| lower(index) == lower(&indices[0]));
            assert!(!together, "a lower one is above all of {indices:?}");
            assert_eq!(top.level + rest.len() as u32, tree.depth());
            assert_eq!(climb(top.index.into(), top.node, rest), tree.root());
        }
    }
}

#[test]
fn halves_say_together_what_the_whole_says() {
    let root_path = vec![Digest([7; 32]); 3];
    for (indices, data, proof) in sets(7) {
        let whole = Opened {
            root_path: root_path.clone(),
            indices: indices.clone(),
            tiles: data.iter().flatten().copied().collect(),
            proof: MultiProof(proof.clone()),
        };
        let (above, below) = whole.halves();
        assert_eq!(above.root_path, root_path);
        assert_eq!((above.indices.len(), above.tiles.len()), (1, 32));
        assert_eq!([&below.proof.0[..], &above.proof.0].concat(), proof);
        assert_eq!((&below.indices, &below.tiles), (&whole.indices, &whole.tiles));
        assert!(below.root_path.is_empty());
        assert_eq!(below.bytes() + above.bytes(), whole.bytes() + 4 + 32);
        assert!(root_of_many(3, &indices, &data, &whole.proof).is_ok());
    }
    assert_eq!(Opened::default().halves(), Default::default(), "of nothing, nothing");
    assert_eq!(Witness::default().bytes(), 0);
}

#[test]
fn what_is_no_set_of_tiles_meets_nowhere() {
    let (indices, data, proof) = sets(8).find(|(indices, ..)| *indices == [1, 2, 6]).expect("a set");
    assert!(join(&indices, &data, &proof).is_ok());
    for (indices, count) in [
        (vec![], 0),
        (vec![1, 2], 3),
        (vec![1, 2, 6], 2),
        (vec![2, 1, 6], 3),
        (vec![1, 1, 6], 3),
        (vec![6, 6, 6], 3),
        (vec![1, 6, 2], 3),
    ] {
        assert!(join(&indices, &data[..count], &proof).is_err(), "{indices:?}");
        // However long the proof.
        let long = vec![Digest::default(); 300];
        assert!(join(&indices, &data[..count], &long).is_err(), "{indices:?}");
    }
    // A row that is out of order leads to no root, if its proof has the right length too.
    let four = tree(4);
    for order in [[0, 1], [2, 2]] {
        let proof = MultiProof(vec![four.node(0, 3); 4]);
        for length in 0..=4 {
            let proof = MultiProof(proof.0[..length].to_vec());
            let back = [order[1], order[0]];
            assert!(root_of_many(2, &back, &data[..2], &proof).is_err(), "{back:?}, {length}");
        }
    }
    // No tree has 33 levels, whatever the proof.
    let long = MultiProof(vec![Digest::default(); 34]);
    assert!(root_of_many(33, &indices[..1], &data[..1], &long).is_err());
    for length in 0..3 {
        assert!(join(&indices, &data, &proof[..length]).is_err(), "{length} siblings");
    }
}

/// Of a tensor whose root is that of a binary tree, which an executor may state, no lower node is shown than of any other.
#[test]
fn attack_09_only_nodes_above_four_leaves_are_shown() {
    let leaves: Vec<Digest> = (0..8).map(|index| tile_leaf(&tile(index))).collect();
    let binary = Tree::new(leaves);
    let root = TensorRoot(binary.root());
    let kind = Operand::INPUT;
    let operand = |depth| Operand { kind, index: 0, rank: 0, exports: 0, depth, dtype: 1, constant: None };
    let view = View {
        input_root: root,
        trace_root: TraceRoot(Digest::default()),
        layers_depth: 0,
        list: Digest::default(),
        operators: 1,
    };
    let shown = |depth: u32, level: u32, index: u32| {
        let opened = Opened {
            indices: vec![index],
            tiles: binary.node(level, 0).0.to_vec(),
            proof: MultiProof(binary.path(0)[level as usize..].to_vec()),
            ..Opened::default()
        };
        view.open_top(&operand(depth), &opened)
    };
    for level in 0..=3 {
        let top = Top { level, index: 0, node: binary.node(level, 0) };
        assert_eq!(
            shown(3, level, 0),
            if level < 2 { Err(Refusal::BadOpening) } else { Ok(top) },
            "level {level}"
        );
        // Beyond the tree, where the way up is the same.
        assert_eq!(shown(3, level, 8 >> level), Err(Refusal::BadOpening));
        // As if it were the root of one tile.
        let alone = Top { level: 0, ..top };
        assert_eq!(shown(0, level, 0), if level < 3 { Err(Refusal::BadOpening) } else { Ok(alone) });
    }
}
