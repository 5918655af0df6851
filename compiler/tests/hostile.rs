//! Damaged files: refused or compiled, but never a panic.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod common;

use std::path::Path;

use common::{Numbers, digits};
use narrows_compiler::{Graph, Options, Samples, compile};

/// Goes as far with the bytes as they allow; whether they still are a model.
fn survive(bytes: &[u8]) -> bool {
    let Ok(graph) = Graph::parse(bytes, Path::new("damaged.onnx"), &Default::default()) else {
        return false;
    };
    let input = graph.value(graph.input).elements();
    let samples = Samples::of(vec![vec![0.5; input]]);
    compile(&graph, &samples, &Options::default(), &mut |_| {}).is_ok()
}

#[test]
fn truncated_models_are_refused() {
    let whole = std::fs::read(digits("digits.onnx")).unwrap();
    assert!(survive(&whole));
    for end in (0..whole.len()).step_by(97) {
        survive(&whole[..end]);
    }
}

#[test]
fn flipped_bits_never_panic() {
    let whole = std::fs::read(digits("digits.onnx")).unwrap();
    let mut numbers = Numbers(1);
    let (mut kept, mut refused) = (0, 0);
    for round in 0..3000 {
        let mut bytes = whole.clone();
        // Most of the file is weights: half of the flips go to the first and last parts of it.
        let span = if round % 2 == 0 { whole.len() } else { 2000 };
        let at = numbers.next() as usize % span;
        let at = if round % 4 == 1 { whole.len() - 1 - at } else { at };
        bytes[at] ^= 1 << (numbers.next() % 8);
        if survive(&bytes) { kept += 1 } else { refused += 1 }
    }
    assert!(kept > 0 && refused > 0, "{kept} still models, {refused} refused");
}

#[test]
fn noise_is_refused() {
    let mut numbers = Numbers(2);
    for length in 0..400 {
        let bytes: Vec<u8> = (0..length).map(|_| numbers.next() as u8).collect();
        assert!(!survive(&bytes));
    }
}

#[test]
fn nested_graphs_do_not_exhaust_the_stack() {
    // An attribute of a node of a graph of an attribute of a node, and so on, 100,000 deep.
    let mut bytes = Vec::new();
    for _ in 0..100_000u32 {
        for (field, _) in [(6u8, "g"), (5, "attribute"), (1, "node")] {
            let mut outer = vec![field << 3 | 2];
            let mut length = bytes.len();
            while length >= 128 {
                outer.push(length as u8 | 128);
                length >>= 7;
            }
            outer.push(length as u8);
            // Appending in reverse keeps this linear; it is turned round below.
            outer.reverse();
            bytes.extend(outer);
        }
    }
    bytes.reverse();
    let mut model = vec![7 << 3 | 2];
    let mut length = bytes.len();
    while length >= 128 {
        model.push(length as u8 | 128);
        length >>= 7;
    }
    model.push(length as u8);
    model.extend(bytes);
    assert!(!survive(&model));
}

#[test]
fn damaged_samples_never_panic() {
    let folder = tempfile::tempdir().unwrap();
    let mut numbers = Numbers(3);
    for file in ["calibration.npz", "sample.npy"] {
        let whole = std::fs::read(digits(file)).unwrap();
        let path = folder.path().join(file);
        let (mut kept, mut refused) = (0, 0);
        let mut load = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            match Samples::load(&path, &[1, 1, 8, 8]) {
                Ok(_) => kept += 1,
                Err(error) => {
                    assert!(error.to_string().contains(file), "{error}");
                    refused += 1;
                }
            }
        };
        for end in (0..whole.len()).step_by(7) {
            load(&whole[..end]);
        }
        for _ in 0..800 {
            let mut bytes = whole.clone();
            bytes[numbers.next() as usize % whole.len()] ^= 1 << (numbers.next() % 8);
            load(&bytes);
        }
        assert!(refused > 0, "{kept} kept");
    }
}
