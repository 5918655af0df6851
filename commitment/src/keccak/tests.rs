//! Every width of this machine against the `sha3` crate.

use proptest::prelude::*;
use sha3::{Digest as _, Keccak256};

use super::*;
use crate::TILE_BYTES;

/// What a leaf or a node must be: the crate that knows nothing of lanes.
fn reference(domain: u8, body: &[u8]) -> Digest {
    Digest(Keccak256::new().chain_update([domain]).chain_update(body).finalize().into())
}

fn reference_node(pair: &[Digest; 2]) -> Digest {
    reference(1, &[pair[0].0, pair[1].0].concat())
}

fn leaves(lanes: Lanes, tiles: &[Tile]) -> Vec<Digest> {
    // Neither zero nor a digest of anything: a lane that is not written shows.
    let mut leaves = vec![Digest([0xA5; 32]); tiles.len()];
    lanes.tile_leaves(tiles, &mut leaves);
    leaves
}

fn nodes(lanes: Lanes, pairs: &[[Digest; 2]]) -> Vec<Digest> {
    let mut nodes = vec![Digest([0xA5; 32]); pairs.len()];
    lanes.inner_nodes(pairs, &mut nodes);
    nodes
}

/// A node's pair whose 64 bytes are the first of `tile`.
fn pair(tile: &Tile) -> [Digest; 2] {
    let half = |at: usize| {
        let mut digest = [0; 32];
        digest.copy_from_slice(&tile[at..at + 32]);
        Digest(digest)
    };
    [half(0), half(32)]
}

/// The four leaves whose bytes are those of `tile`.
fn four(tile: &Tile) -> [Digest; 4] {
    let (parts, _) = tile.as_chunks();
    std::array::from_fn(|at| Digest(parts[at]))
}

fn quads(lanes: Lanes, fours: &[[Digest; 4]]) -> Vec<Digest> {
    let mut nodes = vec![Digest([0xA5; 32]); fours.len()];
    lanes.quad_nodes(fours, &mut nodes);
    nodes
}

/// Bytes without a pattern that lanes or words could share.
fn noise(count: usize) -> Vec<Tile> {
    let mut seed = 0x9E37_79B9_7F4A_7C15_u64;
    let mut byte = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed >> 32) as u8
    };
    (0..count).map(|_| std::array::from_fn(|_| byte())).collect()
}

fn check(tiles: &[Tile]) {
    let pairs: Vec<_> = tiles.iter().map(pair).collect();
    let wanted_leaves: Vec<_> = tiles.iter().map(|tile| reference(0, tile)).collect();
    let fours: Vec<_> = tiles.iter().map(four).collect();
    let wanted_nodes: Vec<_> = pairs.iter().map(reference_node).collect();
    let wanted_quads: Vec<_> = tiles.iter().map(|tile| reference(1, tile)).collect();
    for lanes in Lanes::all_available() {
        assert_eq!(quads(lanes, &fours), wanted_quads, "{lanes:?}, {} nodes above four", fours.len());
        assert_eq!(leaves(lanes, tiles), wanted_leaves, "{lanes:?}, {} tiles", tiles.len());
        assert_eq!(nodes(lanes, &pairs), wanted_nodes, "{lanes:?}, {} nodes", pairs.len());
    }
}

#[test]
fn every_batch_length_gives_the_reference() {
    let tiles = noise(100);
    (0..=tiles.len()).for_each(|count| check(&tiles[..count]));
}

#[test]
fn every_offset_of_a_batch_gives_the_reference() {
    let tiles = noise(40);
    (0..tiles.len()).for_each(|first| check(&tiles[first..]));
}

#[test]
fn constant_bodies_give_the_reference() {
    for byte in [0x00, 0xFF, 0x80, 0x01] {
        check(&[[byte; TILE_BYTES]; 17]);
    }
}

#[test]
fn one_odd_body_shows_in_its_own_lane_only() {
    let odd_leaf = reference(0, &[0xFF; TILE_BYTES]);
    let leaf = reference(0, &[0; TILE_BYTES]);
    let (ones, zeros) = ([Digest([0xFF; 32]); 2], [Digest([0; 32]); 2]);
    for lanes in Lanes::all_available() {
        for count in 1..=2 * lanes.width() {
            for lane in 0..count {
                let mut tiles = vec![[0; TILE_BYTES]; count];
                tiles[lane] = [0xFF; TILE_BYTES];
                let mut pairs = vec![zeros; count];
                pairs[lane] = ones;
                let mut wanted = vec![leaf; count];
                wanted[lane] = odd_leaf;
                assert_eq!(leaves(lanes, &tiles), wanted, "{lanes:?}: lane {lane} of {count}");
                let mut wanted = vec![reference_node(&zeros); count];
                wanted[lane] = reference_node(&ones);
                assert_eq!(nodes(lanes, &pairs), wanted, "{lanes:?}: lane {lane} of {count}");
            }
        }
    }
}

#[test]
fn every_single_bit_in_every_lane_gives_the_reference() {
    let bit_set = |bit: usize| {
        let mut tile = [0; TILE_BYTES];
        tile[bit / 8] = 1 << (bit % 8);
        tile
    };
    let tiles: Vec<_> = (0..8 * TILE_BYTES).map(bit_set).collect();
    let wanted: Vec<_> = tiles.iter().map(|tile| reference(0, tile)).collect();
    let pairs: Vec<_> = tiles[..512].iter().map(pair).collect();
    let wanted_nodes: Vec<_> = pairs.iter().map(reference_node).collect();
    for lanes in Lanes::all_available() {
        // Beginning one body later moves every bit to the next lane.
        for first in 0..lanes.width() {
            assert_eq!(leaves(lanes, &tiles[first..]), wanted[first..], "{lanes:?} from bit {first}");
            assert_eq!(nodes(lanes, &pairs[first..]), wanted_nodes[first..], "{lanes:?} from bit {first}");
        }
    }
}

#[test]
fn a_node_is_not_a_leaf_and_its_children_do_not_commute() {
    let [left, right] = pair(&noise(1)[0]);
    for lanes in Lanes::all_available() {
        let [there, back] = nodes(lanes, &[[left, right], [right, left]])[..] else { panic!("two nodes") };
        assert_ne!(there, back, "{lanes:?}");
        let mut tile = [0; TILE_BYTES];
        tile[..32].copy_from_slice(&left.0);
        tile[32..64].copy_from_slice(&right.0);
        assert!(!leaves(lanes, &[tile, tile]).contains(&there), "{lanes:?}");
        assert_ne!(quads(lanes, &[four(&tile); 2]), leaves(lanes, &[tile; 2]), "{lanes:?}");
    }
}

#[test]
fn as_many_digests_as_bodies_or_a_panic() {
    for lanes in Lanes::all_available() {
        for (bodies, digests) in [(0, 1), (1, 0), (7, 8), (8, 7), (9, 8), (8, 9)] {
            let (tiles, pairs) = (vec![[0; TILE_BYTES]; bodies], vec![[Digest::default(); 2]; bodies]);
            let refused = |hash: &dyn Fn(&mut [Digest])| {
                let mut digests = vec![Digest::default(); digests];
                std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| hash(&mut digests))).is_err()
            };
            assert!(refused(&|digests| lanes.tile_leaves(&tiles, digests)), "{lanes:?}: {bodies}, {digests}");
            assert!(refused(&|digests| lanes.inner_nodes(&pairs, digests)), "{lanes:?}: {bodies}, {digests}");
            let fours = vec![[Digest::default(); 4]; bodies];
            assert!(refused(&|digests| lanes.quad_nodes(&fours, digests)), "{lanes:?}: {bodies}, {digests}");
        }
    }
}

#[test]
fn the_widest_comes_first_and_the_portable_last() {
    let all = Lanes::all_available();
    println!("fastest here: {}", Lanes::best().name());
    assert!(all.is_sorted_by(|wide, narrow| wide.width() > narrow.width()), "{all:?}");
    assert_eq!(all.first(), Some(&Lanes::best()));
    assert_eq!(all.last().map(|lanes| (lanes.name(), lanes.width())), Some(("portable", 1)));
}

proptest! {
    #[test]
    fn any_bodies_give_the_reference(bytes in prop::collection::vec(any::<u8>(), 0..24 * TILE_BYTES)) {
        check(bytes.as_chunks().0);
    }
}
