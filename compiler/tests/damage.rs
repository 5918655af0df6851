//! Damaged models of every operator: refused or run in floats, but never a panic.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod common;

use std::path::Path;

use burn::tensor::Device;
use common::Numbers;
use narrows_compiler::{FloatModel, Graph};

/// Larger models that a flipped bit makes are not run.
const MOST_TERMS: u64 = 1 << 20;

#[test]
fn flipped_bits_in_any_operator_never_panic() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/cases");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut numbers = Numbers(3);
    let (mut kept, mut refused) = (0, 0);
    for path in files {
        let whole = std::fs::read(&path).unwrap();
        for _ in 0..60 {
            let mut bytes = whole.clone();
            for _ in 0..=numbers.next() % 3 {
                let at = numbers.next() as usize % bytes.len();
                bytes[at] ^= 1 << (numbers.next() % 8);
            }
            let Ok(graph) = Graph::parse(&bytes, Path::new("damaged.onnx"), &Default::default()) else {
                refused += 1;
                continue;
            };
            kept += 1;
            if graph.terms() < MOST_TERMS {
                let sample = vec![1.0; graph.value(graph.input).elements()];
                let values = FloatModel::new(&graph, Device::flex()).run(&[&sample]);
                assert_eq!(values.all(graph.output).len(), graph.value(graph.output).elements());
            }
        }
    }
    assert!(kept > 500 && refused > 500, "{kept} still models, {refused} refused");
}
