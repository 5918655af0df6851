//! Keccak in batches and the trees over it, beside the `sha3` crate.
//!
//! An element is one permutation on one thread: a tile's leaf or an inner node.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use narrows_commitment::{Digest, Lanes, TILE_BYTES, TensorTree, inner, tile_leaf};

/// Hashes in a batch: what they read and write stays in the first-level cache.
const BATCH: usize = 64;

/// Bytes of the large tree's tensor.
const TENSOR: usize = 16 << 20;

fn permutations(c: &mut Criterion) {
    let tiles: Vec<_> = (0..BATCH).map(|i| [i as u8; TILE_BYTES]).collect();
    let pairs: Vec<_> = tiles.iter().map(|tile| [tile_leaf(tile), Digest::default()]).collect();
    let mut digests = vec![Digest::default(); BATCH];
    for lanes in Lanes::all_available() {
        let mut group = c.benchmark_group(format!("keccak::{}", lanes.name()));
        group.throughput(Throughput::Elements(BATCH as u64));
        group.bench_function(BenchmarkId::new("tile_leaves", lanes.width()), |b| {
            b.iter(|| lanes.tile_leaves(&tiles, &mut digests));
        });
        group.bench_function(BenchmarkId::new("inner_nodes", lanes.width()), |b| {
            b.iter(|| lanes.inner_nodes(&pairs, &mut digests));
        });
        group.finish();
    }
    let mut group = c.benchmark_group("keccak::sha3");
    group.throughput(Throughput::Elements(BATCH as u64));
    group.bench_function(BenchmarkId::new("tile_leaf", 1), |b| {
        b.iter(|| tiles.iter().zip(&mut digests).for_each(|(tile, leaf)| *leaf = tile_leaf(tile)));
    });
    group.bench_function(BenchmarkId::new("inner", 1), |b| {
        b.iter(|| pairs.iter().zip(&mut digests).for_each(|([l, r], node)| *node = inner(l, r)));
    });
    group.finish();
}

fn trees(c: &mut Criterion) {
    let bytes: Vec<u8> = (0..TENSOR).map(|i| ((i * 31) >> 3) as u8).collect();
    let mut group = c.benchmark_group("commitment::tree");
    group.sample_size(20).throughput(Throughput::Bytes(TENSOR as u64));
    for threads in [1, 2] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads start");
        let name = |what| BenchmarkId::new(what, format!("16MiB/{threads}_threads"));
        group.bench_function(name("of_bytes"), |b| pool.install(|| b.iter(|| TensorTree::of_bytes(&bytes))));
        group.bench_function(name("root_of_bytes"), |b| {
            pool.install(|| b.iter(|| TensorTree::root_of_bytes(&bytes)));
        });
    }
    group.finish();
}

criterion_group!(benches, permutations, trees);
criterion_main!(benches);
