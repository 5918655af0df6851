//! How many permutations a second one core makes: Narrows' tiles and nodes beside a plain permutation of as many
//! states at a time, Plonky3's.
//!
//!     cd benchmarks/keccak && cargo run --release [-- --rounds 200] [--json]
//!
//! They take turns, so that all meet the same weather; figures are medians of the rounds. The peer permutes its
//! states again and again: it reads no message and writes no digest. Before anything is timed, both have to give
//! the `sha3` crate's digest of a tile. That crate's speed is in the workspace's bench (`--bench keccak`): compiled
//! for one CPU, as everything here, it is slower than it need be.

use std::hint::black_box;
use std::process::ExitCode;
use std::time::Instant;

use narrows_commitment::{Digest, Domain, Lanes, TILE_BYTES, Tile, tile_leaf};
use p3_keccak::{KeccakF, VECTOR_LEN};
use p3_symmetric::Permutation;

/// Permutations of a turn's inner loop: what they read and write stays in the first-level cache.
const BATCH: usize = 64;

/// Batches of a turn, about a millisecond.
const TURN: usize = 256;

/// The states of Plonky3's permutation: word `i` of state `lane` at `[i][lane]`. Aligned, which it need not be and is
/// faster with.
#[repr(align(64))]
struct States([[u64; VECTOR_LEN]; 25]);

struct Row {
    name: String,
    /// Permutations a second of each round.
    rates: Vec<f64>,
}

impl Row {
    fn of(name: impl Into<String>) -> Self {
        Self { name: name.into(), rates: Vec::new() }
    }

    fn turn(&mut self, mut batch: impl FnMut()) {
        let begun = Instant::now();
        for _ in 0..TURN {
            batch();
        }
        self.rates.push((TURN * BATCH) as f64 / begun.elapsed().as_secs_f64());
    }

    fn median(&self) -> f64 {
        let mut rates = self.rates.clone();
        rates.sort_by(f64::total_cmp);
        rates[rates.len() / 2]
    }
}

/// Rows in the order: our tiles, our nodes, the plain permutation.
fn measure(lanes: Lanes, rounds: usize) -> [Row; 3] {
    let tiles: Vec<Tile> = (0..BATCH).map(|i| [i as u8; TILE_BYTES]).collect();
    let pairs: Vec<[Digest; 2]> = tiles.iter().map(|tile| [tile_leaf(tile), Digest::default()]).collect();
    let mut digests = vec![Digest::default(); BATCH];
    let mut states = absorbed(&tiles[1]);
    let mut rows = [
        Row::of(format!("Narrows, tiles ({}, {} at a time)", lanes.name(), lanes.width())),
        Row::of(format!("Narrows, nodes ({}, {} at a time)", lanes.name(), lanes.width())),
        Row::of(format!("Plonky3's permutation ({VECTOR_LEN} at a time)")),
    ];
    // The first round warms up and does not count.
    for round in 0..=rounds {
        rows[0].turn(|| lanes.tile_leaves(black_box(&tiles), &mut digests));
        rows[1].turn(|| lanes.inner_nodes(black_box(&pairs), &mut digests));
        rows[2].turn(|| {
            for _ in 0..BATCH / VECTOR_LEN {
                KeccakF.permute_mut(black_box(&mut states.0));
            }
        });
        if round == 0 {
            rows.iter_mut().for_each(|row| row.rates.clear());
        }
    }
    black_box((digests, states));
    rows
}

/// States that have taken in a tile's leaf: its domain byte, its bytes and the padding of Keccak-256.
fn absorbed(tile: &Tile) -> States {
    let mut block = [0; 136];
    block[0] = Domain::Tile as u8;
    block[1..=TILE_BYTES].copy_from_slice(tile);
    block[TILE_BYTES + 1] ^= 0x01;
    block[135] ^= 0x80;
    let mut states = States([[0; VECTOR_LEN]; 25]);
    for (word, bytes) in states.0.iter_mut().zip(block.as_chunks().0) {
        *word = [u64::from_le_bytes(*bytes); VECTOR_LEN];
    }
    states
}

/// Whether our batches and Plonky3's permutation give the `sha3` crate's digest of a tile, in every lane.
fn all_agree(lanes: Lanes) -> bool {
    let tile: Tile = std::array::from_fn(|i| i as u8);
    let expected = tile_leaf(&tile);
    let mut ours = [Digest::default(); BATCH];
    lanes.tile_leaves(&[tile; BATCH], &mut ours);
    let mut states = absorbed(&tile);
    KeccakF.permute_mut(&mut states.0);
    let words = expected.0.as_chunks::<8>().0;
    ours.iter().all(|digest| *digest == expected)
        && states.0.iter().zip(words).all(|(lane, bytes)| *lane == [u64::from_le_bytes(*bytes); VECTOR_LEN])
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let json = arguments.iter().any(|argument| argument == "--json");
    let after = arguments.iter().position(|argument| argument == "--rounds").map(|at| arguments.get(at + 1));
    let Ok(rounds @ 1..) = after.map_or(Ok(200), |n| n.map_or("", String::as_str).parse::<usize>()) else {
        eprintln!("error: --rounds takes a whole number from 1, such as --rounds 200");
        return ExitCode::from(2);
    };
    let lanes = Lanes::best();
    if !all_agree(lanes) {
        eprintln!("error: the digests of one tile differ; nothing was timed");
        return ExitCode::FAILURE;
    }
    let rows = measure(lanes, rounds);
    let plain = rows[2].median();
    if !json {
        println!("{:40} {:>10} {:>11}", "one core", "M a second", "x Plonky3's");
    }
    for row in &rows {
        let (name, rate) = (&row.name, row.median());
        let ratio = rate / plain;
        if json {
            println!(r#"{{"what":"{name}","permutations_a_second":{rate:.0},"of_plonky3":{ratio:.3}}}"#);
        } else {
            println!("{name:40} {:>10.1} {ratio:>11.2}", rate / 1e6);
        }
    }
    ExitCode::SUCCESS
}
