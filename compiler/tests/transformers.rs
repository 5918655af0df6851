//! What transformers are made of, lowered by hand-built graphs, beside the float run.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod common;

use common::close::{holds, linear, noise, norm, scalar, tensor};
use common::net::Net;
use common::{Naive, Numbers};
use narrows_compiler::{Binary, Function, Norm, Op, Options, Profile, Samples, Tensor, ValueId, compile};

/// Attention over `[1, tokens, width]`: the order of operators as exporters write it.
fn attention(net: &mut Net, numbers: &mut Numbers, x: ValueId, sizes: [usize; 3], masked: bool) -> ValueId {
    let [tokens, heads, each] = sizes;
    let width = heads * each;
    let row = [1, tokens, width];
    let split = [1, tokens, heads, each];
    let parts: Vec<ValueId> = (0..3)
        .map(|part| {
            let y = net.op(linear(numbers, width, width), &[x], &row);
            let y = net.op(Op::Reshape, &[y], &split);
            let (order, shape) = match part {
                1 => (vec![0, 2, 3, 1], [1, heads, each, tokens]),
                _ => (vec![0, 2, 1, 3], [1, heads, tokens, each]),
            };
            net.op(Op::Transpose { order }, &[y], &shape)
        })
        .collect();
    let square = [1, heads, tokens, tokens];
    let scores = net.op(Op::MatMul, &[parts[0], parts[1]], &square);
    let factor = (each as f32).sqrt().recip();
    let mut scores = net.op(Op::Affine { scale: scalar(factor), offset: scalar(0.0) }, &[scores], &square);
    if masked {
        let keep = (0..tokens * tokens).map(|at| f32::from(at % tokens <= at / tokens)).collect();
        let keep = Tensor { shape: vec![tokens, tokens], values: keep };
        scores = net.op(Op::Mask { keep, other: scalar(f32::NEG_INFINITY) }, &[scores], &square);
    }
    let p = net.op(Op::Softmax { axis: 3, log: false }, &[scores], &square);
    let y = net.op(Op::MatMul, &[p, parts[2]], &[1, heads, tokens, each]);
    let y = net.op(Op::Transpose { order: vec![0, 2, 1, 3] }, &[y], &split);
    let y = net.op(Op::Reshape, &[y], &row);
    net.op(linear(numbers, width, width), &[y], &row)
}

#[test]
fn attention_with_and_without_a_mask() {
    for masked in [false, true] {
        let mut numbers = Numbers(20);
        let mut net = Net::new(&[1, 7, 12]);
        let x = net.input();
        attention(&mut net, &mut numbers, x, [7, 3, 4], masked);
        let program = holds(&net, 21, 30.0, 60.0);
        // Three projections, scores, (mask,) greatest, exponentials, sums, values, one projection: nothing is moved.
        assert_eq!(program.operators().len(), 9 + usize::from(masked));
    }
}

#[test]
fn a_transformer_block() {
    for centred in [true, false] {
        let mut numbers = Numbers(22);
        let mut net = Net::new(&[1, 6, 16]);
        let row = [1, 6, 16];
        let mut x = net.input();
        for _ in 0..2 {
            let y = net.op(norm(&mut numbers, 3, 16, centred), &[x], &row);
            let y = attention(&mut net, &mut numbers, y, [6, 2, 8], false);
            x = net.op(Op::Binary(Binary::Add), &[x, y], &row);
            let y = net.op(norm(&mut numbers, 3, 16, centred), &[x], &row);
            let y = net.op(linear(&mut numbers, 16, 32), &[y], &[1, 6, 32]);
            let y = net.op(Op::Function(Function::Gelu), &[y], &[1, 6, 32]);
            let y = net.op(linear(&mut numbers, 32, 16), &[y], &row);
            x = net.op(Op::Binary(Binary::Add), &[x, y], &row);
        }
        net.op(norm(&mut numbers, 3, 16, centred), &[x], &row);
        holds(&net, 23, 28.0, 60.0);
        assert_eq!(Profile::suited(&net.0), Profile::Standard);
    }
}

#[test]
fn normalisations_of_rows_of_any_size() {
    for centred in [true, false] {
        let mut numbers = Numbers(24);
        let mut net = Net::new(&[1, 8, 16]);
        let x = net.input();
        // Rows whose sizes span four decades keep their precision.
        let sizes = (0..8).map(|row| 10f32.powf(-f32::from(row as u8) / 2.0)).collect();
        let sizes = Tensor { shape: vec![8, 1], values: sizes };
        let a =
            net.op(Op::Affine { scale: sizes, offset: tensor(&mut numbers, &[8, 16]) }, &[x], &[1, 8, 16]);
        let b = net.op(Op::Binary(Binary::Sub), &[a, x], &[1, 8, 16]);
        net.op(norm(&mut numbers, 3, 16, centred), &[b], &[1, 8, 16]);
        holds(&net, 25, 60.0, 60.0);
    }
    // Over several dimensions, without factors, and with a great epsilon.
    let mut net = Net::new(&[1, 3, 4, 5]);
    let x = net.input();
    let op = Norm { centred: true, axes: vec![1, 2, 3], epsilon: 0.5, scale: None, offset: None };
    net.op(Op::Norm(op), &[x], &[1, 3, 4, 5]);
    holds(&net, 26, 60.0, 60.0);
}

#[test]
fn softmax_inside_and_its_logarithm() {
    for (log, axis) in [(false, 1), (false, 2), (true, 2), (true, 1)] {
        let mut numbers = Numbers(27);
        let mut net = Net::new(&[1, 5, 6]);
        let x = net.input();
        let a = net.op(linear(&mut numbers, 6, 6), &[x], &[1, 5, 6]);
        let b = net.op(Op::Softmax { axis, log }, &[a], &[1, 5, 6]);
        net.op(linear(&mut numbers, 6, 4), &[b], &[1, 5, 4]);
        holds(&net, 28, 30.0, 45.0);
    }
    // At the end it is left out: the floats compared are what goes into it.
    let mut numbers = Numbers(29);
    let mut net = Net::new(&[1, 6]);
    let x = net.input();
    let a = net.op(linear(&mut numbers, 6, 6), &[x], &[1, 6]);
    net.op(Op::Softmax { axis: 1, log: true }, &[a], &[1, 6]);
    let samples = Samples::of(vec![numbers.reals(6)]);
    let compiled = compile(&net.0, &samples, &Options::default(), &mut |_| {}).unwrap();
    let report = compiled.report(&samples, None, &Naive, &mut |_| {}).unwrap();
    assert_eq!(compiled.program().operators().len(), 1);
    assert_eq!(report.dropped_softmax.as_deref(), Some("n2"));
    assert!(report.output.least_cosine > 0.99);
}

#[test]
fn embeddings_with_positions() {
    let mut numbers = Numbers(31);
    let mut net = Net::integers(&[1, 5]);
    let x = net.input();
    let e = net.op(Op::Embedding(tensor(&mut numbers, &[20, 8])), &[x], &[1, 5, 8]);
    let positions = Op::Affine { scale: scalar(1.0), offset: tensor(&mut numbers, &[5, 8]) };
    let p = net.op(positions, &[e], &[1, 5, 8]);
    let n = net.op(norm(&mut numbers, 3, 8, true), &[p], &[1, 5, 8]);
    net.op(linear(&mut numbers, 8, 20), &[n], &[1, 5, 20]);
    // An index beyond the rows reads the last.
    let inputs = vec![vec![0.0, 3.0, 19.0, 7.0, 7.0], vec![40.0, 1.0, 2.0, 3.0, 4.0]];
    for (profile, least) in [(Profile::Standard, 35.0), (Profile::Exact, 65.0)] {
        let (db, _) = noise(&net.0, profile, &inputs);
        assert!(db > least, "{profile:?}: {db} dB");
    }
}

#[test]
fn a_mask_of_integers_saturates() {
    // Scores plus (1 - mask) * -3e38, as exporters write it.
    let mut numbers = Numbers(32);
    let mut net = Net::integers(&[1, 6]);
    let x = net.input();
    let e = net.op(Op::Embedding(tensor(&mut numbers, &[4, 6])), &[x], &[1, 6, 6]);
    let real = net.op(Op::Cast, &[x], &[1, 6]);
    let clip = net.op(Op::Clip { low: 0.0, high: 1.0 }, &[real], &[1, 6]);
    let far = net.op(Op::Affine { scale: scalar(3e38), offset: scalar(-3e38) }, &[clip], &[1, 6]);
    let far = net.op(Op::Reshape, &[far], &[1, 1, 6]);
    let scores = net.op(linear(&mut numbers, 6, 6), &[e], &[1, 6, 6]);
    let masked = net.op(Op::Binary(Binary::Add), &[scores, far], &[1, 6, 6]);
    let p = net.op(Op::Softmax { axis: 2, log: false }, &[masked], &[1, 6, 6]);
    net.op(Op::MatMul, &[p, e], &[1, 6, 6]);
    let inputs = vec![vec![1.0, 0.0, 3.0, 0.0, 2.0, 1.0], vec![1.0, 1.0, 1.0, 1.0, 2.0, 0.0]];
    for (profile, least) in [(Profile::Standard, 35.0), (Profile::Exact, 55.0)] {
        let (db, _) = noise(&net.0, profile, &inputs);
        assert!(db > least, "{profile:?}: {db} dB");
    }
}

#[test]
fn a_value_matrix_is_stored_for_its_reader() {
    // 300 tokens: without its own order each term of the last product would stand in a tile of its own.
    let mut numbers = Numbers(42);
    let mut net = Net::new(&[1, 300, 128]);
    let x = net.input();
    attention(&mut net, &mut numbers, x, [300, 2, 64], false);
    let samples = Samples::of(vec![numbers.reals(300 * 128)]);
    let compiled = compile(&net.0, &samples, &Options::default(), &mut |_| {}).unwrap();
    let program = compiled.program();
    assert_eq!(program.operators().len(), 9);
    for operator in program.operators().iter().filter(|operator| operator.b.is_some() && operator.terms() > 1)
    {
        let steps = (operator.a.map.red[2], operator.b.unwrap().map.red[2]);
        assert_eq!(steps, (1, 1), "terms are neighbours");
    }
}
