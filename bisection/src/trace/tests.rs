//! Traces: what is hashed, by hand, and files that were bent.

use narrows_commitment::{Digest, TensorTree, Tree, keccak};
use narrows_program::{LayerIndex, OperatorIndex};

use super::*;
use crate::players::world::{doctored, input, program, truth};

fn root_of(trace: &Trace, operator: u32) -> Digest {
    TensorTree::of_bytes(trace.operator(OperatorIndex(operator))).root()
}

#[test]
fn leaves_are_those_of_the_specification() {
    let (program, trace) = (program(2), truth(&program(2)));
    assert_eq!(trace.layer_leaf(LayerIndex(0)), root_of(&trace, 0));
    // Layer 1 exports its operators 1 and 3; operator 2 is read inside only.
    let exports = [&[2u8, 2][..], &root_of(&trace, 1).0, &root_of(&trace, 3).0].concat();
    assert_eq!(trace.layer_leaf(LayerIndex(1)), keccak(&exports));
    assert_eq!(trace.layer_leaf(LayerIndex(2)), root_of(&trace, 5));
    assert_eq!(trace.layer_leaf(LayerIndex(4)), TensorTree::of_bytes(trace.output()).root());
    let leaves = (0..5).map(|layer| trace.layer_leaf(LayerIndex(layer))).collect();
    assert_eq!(trace.root().0, Tree::new(leaves).root());
    let roots = |range: std::ops::Range<u32>| Tree::new(range.map(|i| root_of(&trace, i)).collect());
    assert_eq!(trace.sub_tree(LayerIndex(1)).root(), roots(1..4).root());
    assert_eq!(trace.sub_tree(LayerIndex(4)).root(), roots(7..9).root());
    assert_eq!(trace.own_root(), roots(0..9).root());
    assert_eq!(trace.own_tree().depth(), 4);
    let path = trace.output_path();
    let leaf = trace.layer_leaf(LayerIndex(4));
    assert!(narrows_commitment::verify_path(&trace.root().0, 3, 4, leaf, &path).is_ok());
    assert_eq!(program.layers().len(), 5);
}

#[test]
fn the_honest_path_hashes_exports_alone() {
    let (program, trace) = (program(2), truth(&program(2)));
    let asked = std::cell::RefCell::new(Vec::new());
    let root = exports_root(&program, &|index| {
        asked.borrow_mut().push(index.0);
        trace.operator(index)
    });
    assert_eq!(root, trace.root());
    assert_eq!(*asked.borrow(), [0, 1, 3, 5, 6, 8], "neither 2, 4 nor 7");
}

#[test]
fn exports_say_all_that_a_claim_says() {
    let (program, trace) = (program(2), truth(&program(2)));
    let exports = Exports::new(&program, &|index| trace.operator(index));
    assert_eq!((exports.root(), exports.output()), (trace.root(), trace.output()));
    assert_eq!(exports.output_root(), trace.operator_root(OperatorIndex(8)));
    assert_eq!(exports.output_path(), trace.output_path());
    let hashed: usize =
        [0, 1, 3, 5, 6, 8].map(|index| trace.operator(OperatorIndex(index)).len()).iter().sum();
    assert_eq!(exports.hashed_bytes(), hashed as u64);
    assert_eq!(exports.hashed_bytes(), program.exported_bytes());
    // What is not exported changes nothing, what is changes the root.
    let of = |doctored: u32| {
        let mut outputs = trace.outputs().to_vec();
        outputs[doctored as usize][0] ^= 1;
        Exports::new(&program, &|index| &outputs[index.0 as usize]).root()
    };
    assert_eq!(of(2), trace.root());
    assert_ne!(of(3), trace.root());
    assert_ne!(of(8), trace.root());
}

#[test]
fn a_local_operator_shows_in_the_own_root_only_or_through_what_reads_it() {
    let (program, own) = (program(2), truth(&program(2)));
    let mut outputs = own.outputs().to_vec();
    outputs[2][0] ^= 1;
    let inside = Trace::new(&program, input(), outputs).expect("lengths");
    assert_eq!(inside.root(), own.root());
    assert_ne!(inside.own_root(), own.own_root());
    assert_eq!(own.first_difference(&inside), Some(OperatorIndex(2)));
    assert_eq!(own.first_layer_difference(&inside), None);
    let through = doctored(&program, 2, 0, 90);
    assert_eq!(own.first_layer_difference(&through), Some(LayerIndex(1)));
}

#[test]
fn what_was_asked_for_makes_no_difference() {
    let (one, other) = (truth(&program(2)), truth(&program(2)));
    let _ = one.own_root();
    assert_eq!(one, other);
    assert_ne!(one, doctored(&program(2), 8, 0, 1));
}

#[test]
fn wrong_lengths_are_refused() {
    let (program, trace) = (program(2), truth(&program(2)));
    let outputs = || trace.outputs().to_vec();
    let mut short = outputs();
    short[2].pop();
    assert!(matches!(
        Trace::new(&program, input(), short),
        Err(TraceError::Length { expected: 24, given: 23, .. })
    ));
    let mut few = outputs();
    few.pop();
    assert_eq!(Trace::new(&program, input(), few), Err(TraceError::Operators { expected: 9, given: 8 }));
    let long = [input(), vec![0]].concat();
    assert!(matches!(Trace::new(&program, long, outputs()), Err(TraceError::Length { expected: 256, .. })));
}

#[test]
fn attack_36_a_file_survives_and_altered_bytes_are_refused() {
    let (program, trace) = (program(2), truth(&program(2)));
    let bytes = trace.encode(&program);
    assert_eq!(Trace::decode(&program, &bytes).as_ref(), Ok(&trace));
    assert_eq!(bytes[..8], *b"NRWT\0\0\0\x02");
    for at in 0..bytes.len() {
        let mut bent = bytes.clone();
        bent[at] ^= 0x10;
        assert!(Trace::decode(&program, &bent).is_err(), "byte {at}");
    }
    for end in (0..bytes.len()).step_by(7) {
        assert!(Trace::decode(&program, &bytes[..end]).is_err(), "truncated to {end}");
    }
    let reseal = |body: &[u8]| [body, &keccak(body).0].concat();
    let body = &bytes[..bytes.len() - 32];
    let longer = reseal(&[body, &[0]].concat());
    assert_eq!(Trace::decode(&program, &longer), Err(TraceError::File("followed by other bytes")));
    assert_eq!(Trace::decode(&program, &reseal(&body[..body.len() - 1])), Err(TraceError::File("truncated")));
    let mut old = bytes.clone();
    old[7] = 1;
    assert_eq!(Trace::decode(&program, &old), Err(TraceError::Version(1)));
    let other = super::super::players::world::program(3);
    assert!(matches!(Trace::decode(&other, &bytes), Err(TraceError::Program { .. })));
}
