//! Committing alone: bytes of tensor a second, on one core.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use narrows_commitment::TensorTree;

fn commit(c: &mut Criterion) {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread starts");
    let mut group = c.benchmark_group("commitment::tree");
    for size in [1 << 12, 1 << 16, 1 << 20] {
        let bytes: Vec<u8> = (0..size).map(|i: usize| ((i * 31) >> 3) as u8).collect();
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_with_input(BenchmarkId::from_parameter(size), &bytes, |b, bytes| {
            pool.install(|| b.iter(|| TensorTree::of_bytes(bytes)))
        });
    }
    group.finish();
    let mut group = c.benchmark_group("commitment::root_of_bytes");
    for size in [1 << 16, 1 << 18, 1 << 20, 1 << 24] {
        let bytes: Vec<u8> = (0..size).map(|i: usize| ((i * 31) >> 3) as u8).collect();
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_with_input(BenchmarkId::from_parameter(size), &bytes, |b, bytes| {
            pool.install(|| b.iter(|| TensorTree::root_of_bytes(bytes)))
        });
    }
    group.finish();
}

criterion_group!(benches, commit);
criterion_main!(benches);
