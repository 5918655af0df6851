//! Every lowering: a graph built by hand, its program run by the naive engine, beside the float run.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod common;

use common::close::{holds, linear, same, scalar, tensor, window};
use common::net::Net;
use common::{Naive, Numbers};
use narrows_compiler::{
    Binary, CompileError, Conv, Function, Kind, Op, Options, Overrides, Profile, Reduction, Samples, Tensor,
    Window, compile,
};
use narrows_program::{DType, Program};

#[test]
fn linear_layers_of_any_rank() {
    let mut numbers = Numbers(1);
    let mut net = Net::new(&[1, 2, 5, 12]);
    let x = net.input();
    let a = net.op(linear(&mut numbers, 12, 9), &[x], &[1, 2, 5, 9]);
    let b = net.op(Op::Clip { low: 0.0, high: f32::INFINITY }, &[a], &[1, 2, 5, 9]);
    net.op(linear(&mut numbers, 9, 4), &[b], &[1, 2, 5, 4]);
    holds(&net, 2, 30.0, 70.0);
}

#[test]
fn functions_end_the_product_before_them() {
    let all = [
        Function::Gelu,
        Function::GeluTanh,
        Function::Erf,
        Function::Tanh,
        Function::Sigmoid,
        Function::Silu,
        Function::HardSwish,
        Function::HardSigmoid { alpha: 0.2, beta: 0.5 },
        Function::LeakyRelu { alpha: 0.1 },
        Function::Elu { alpha: 1.0 },
        Function::Softplus,
        Function::Exp,
        Function::Abs,
        Function::Sin,
        Function::Cos,
    ];
    for function in all {
        let mut numbers = Numbers(3);
        let mut net = Net::new(&[1, 20]);
        let x = net.input();
        let a = net.op(linear(&mut numbers, 20, 16), &[x], &[1, 16]);
        net.op(Op::Function(function), &[a], &[1, 16]);
        let program = holds(&net, 4, 28.0, 60.0);
        assert_eq!(program.operators().len(), 1, "{function:?}");
    }
}

#[test]
fn functions_alone_and_after_each_other() {
    let mut numbers = Numbers(5);
    let mut net = Net::new(&[1, 3, 7]);
    let x = net.input();
    let shift = Op::Affine { scale: scalar(0.5), offset: scalar(1.5) };
    let a = net.op(shift, &[x], &[1, 3, 7]);
    let b = net.op(Op::Function(Function::Sqrt), &[a], &[1, 3, 7]);
    let c = net.op(Op::Function(Function::Reciprocal), &[b], &[1, 3, 7]);
    let d = net.op(Op::Affine { scale: scalar(2.0), offset: scalar(-1.0) }, &[c], &[1, 3, 7]);
    net.op(Op::Clip { low: 0.0, high: 1.0 }, &[d], &[1, 3, 7]);
    let program = holds(&net, 6, 60.0, 60.0);
    assert_eq!(program.operators().len(), 1, "one table does it all");
    for function in [Function::Log, Function::ReciprocalSqrt, Function::Pow { exponent: 1.5 }] {
        let mut net = Net::new(&[1, 9]);
        let x = net.input();
        let a = net.op(linear(&mut numbers, 9, 9), &[x], &[1, 9]);
        let b = net.op(Op::Function(Function::Exp), &[a], &[1, 9]);
        let c = net.op(linear(&mut numbers, 9, 9), &[b], &[1, 9]);
        let d = net.op(Op::Function(Function::Abs), &[c], &[1, 9]);
        let e = net.op(Op::Affine { scale: scalar(1.0), offset: scalar(0.25) }, &[d], &[1, 9]);
        net.op(Op::Function(function), &[e], &[1, 9]);
        holds(&net, 7, 25.0, 50.0);
    }
}

#[test]
fn affine_maps_of_every_shape() {
    for shape in [vec![], vec![6], vec![4, 1], vec![4, 6], vec![3, 1, 6], vec![3, 4, 6]] {
        let mut numbers = Numbers(8);
        let mut net = Net::new(&[3, 4, 6]);
        let x = net.input();
        let op = Op::Affine { scale: tensor(&mut numbers, &shape), offset: tensor(&mut numbers, &[4, 1]) };
        net.op(op, &[x], &[3, 4, 6]);
        holds(&net, 9, 70.0, 70.0);
    }
    // Many constants are a tensor of their own, with and without factors.
    for factors in [false, true] {
        let mut numbers = Numbers(10);
        let mut net = Net::new(&[1, 80, 80]);
        let x = net.input();
        let scale = if factors { tensor(&mut numbers, &[80, 80]) } else { scalar(1.0) };
        net.op(Op::Affine { scale, offset: tensor(&mut numbers, &[80, 80]) }, &[x], &[1, 80, 80]);
        holds(&net, 11, 70.0, 70.0);
    }
}

#[test]
fn two_activations_element_by_element() {
    for binary in [Binary::Add, Binary::Sub, Binary::Mul, Binary::Min, Binary::Max, Binary::Div] {
        for (other, slice) in [(vec![2, 3, 8], false), (vec![3, 1], true), (vec![1, 8], true)] {
            let mut numbers = Numbers(12);
            let mut net = Net::new(&[2, 3, 8]);
            let x = net.input();
            let a = net.op(linear(&mut numbers, 8, 8), &[x], &[2, 3, 8]);
            let mut b = net.op(Op::Function(Function::Exp), &[x], &[2, 3, 8]);
            if slice {
                let mut shape = vec![1; 3 - other.len()];
                shape.extend_from_slice(&other);
                b = net.op(Op::Slice { starts: vec![0; 3], steps: vec![1; 3] }, &[b], &shape);
                b = net.op(Op::Reshape, &[b], &other);
            }
            net.op(Op::Binary(binary), &[a, b], &[2, 3, 8]);
            holds(&net, 13, 30.0, 60.0);
        }
    }
}

#[test]
fn quotients_by_divisors_of_both_signs() {
    let mut net = Net::new(&[1, 6]);
    let x = net.input();
    let a = net.op(Op::Affine { scale: scalar(0.125), offset: scalar(0.0) }, &[x], &[1, 6]);
    let signs = Tensor { shape: vec![6], values: vec![1.0, -1.0, 1.0, -1.0, 1.0, -1.0] };
    let b = net.op(Op::Affine { scale: scalar(0.25), offset: signs }, &[x], &[1, 6]);
    net.op(Op::Binary(Binary::Div), &[a, b], &[1, 6]);
    holds(&net, 14, 50.0, 50.0);
}

#[test]
fn reductions_over_any_axes() {
    use Reduction::{Max, Mean, Min, Sum, SumSquare};
    for reduction in [Sum, Mean, Max, Min, SumSquare] {
        for (axes, keep) in
            [(vec![0], true), (vec![1], false), (vec![2], false), (vec![0, 2], true), (vec![1, 2], false)]
        {
            let mut net = Net::new(&[4, 5, 6]);
            let x = net.input();
            let shape: Vec<usize> = [4, 5, 6]
                .iter()
                .enumerate()
                .filter(|(dim, _)| keep || !axes.contains(dim))
                .map(|(dim, size)| if axes.contains(&dim) { 1 } else { *size })
                .collect();
            net.op(Op::Reduce { reduction, axes: axes.clone(), keep }, &[x], &shape);
            holds(&net, 30, 60.0, 60.0);
        }
    }
}

#[test]
fn integers_stay_exact() {
    let input: Vec<f32> = vec![3.0, 0.0, -7.0, 11.0, 4.0, 11.0, 200.0, 1.0];
    let mut net = Net::integers(&[2, 4]);
    let x = net.input();
    let doubled = net.typed(Op::Binary(Binary::Add), &[x, x], &[2, 4], Kind::Integer);
    let equal = net.typed(Op::Binary(Binary::Equal), &[doubled, x], &[2, 4], Kind::Integer);
    let most = net.typed(Op::Binary(Binary::Max), &[doubled, x], &[2, 4], Kind::Integer);
    net.typed(Op::Select, &[equal, most, doubled], &[2, 4], Kind::Integer);
    same(&net, std::slice::from_ref(&input));
    for (axis, keep) in [(0, true), (1, false)] {
        let mut net = Net::integers(&[2, 4]);
        let x = net.input();
        let shape: &[usize] = if keep { &[1, 4] } else { &[2] };
        net.typed(Op::ArgMax { axis, keep }, &[x], shape, Kind::Integer);
        same(&net, std::slice::from_ref(&input));
    }
    let mut net = Net::integers(&[2, 4]);
    let x = net.input();
    let real = net.op(Op::Cast, &[x], &[2, 4]);
    net.typed(Op::Cast, &[real], &[2, 4], Kind::Integer);
    same(&net, &[input]);
}

#[test]
fn moves_joins_and_frames() {
    // Concatenation along every axis, of views as well.
    for axis in 0..3 {
        let mut numbers = Numbers(33);
        let mut net = Net::new(&[2, 3, 4]);
        let x = net.input();
        let a = net.op(Op::Transpose { order: vec![2, 1, 0] }, &[x], &[4, 3, 2]);
        let b = net.op(Op::Function(Function::Tanh), &[a], &[4, 3, 2]);
        let c = net.op(Op::Affine { scale: scalar(-3.0), offset: scalar(0.5) }, &[a], &[4, 3, 2]);
        let mut shape = [4, 3, 2];
        shape[axis] *= 3;
        let d = net.op(Op::Concat { axis }, &[a, b, c], &shape);
        let last = shape[2];
        net.op(linear(&mut numbers, last, 3), &[d], &[shape[0], shape[1], 3]);
        holds(&net, 34, 30.0, 60.0);
    }
    // Zeros around several dimensions.
    let mut net = Net::new(&[2, 3, 4]);
    let x = net.input();
    let a = net.op(Op::Pad { before: vec![1, 0, 2] }, &[x], &[4, 4, 7]);
    net.op(Op::Affine { scale: scalar(1.0), offset: scalar(1.0) }, &[a], &[4, 4, 7]);
    holds(&net, 35, 60.0, 60.0);
    // Slices, backwards too; broadcasts; repeats.
    let mut net = Net::new(&[2, 3, 8]);
    let x = net.input();
    let a = net.op(Op::Function(Function::Tanh), &[x], &[2, 3, 8]);
    let a = net.op(Op::Slice { starts: vec![1, 2, 1], steps: vec![1, -1, 2] }, &[a], &[1, 3, 3]);
    let b = net.op(Op::Expand, &[a], &[2, 3, 3]);
    let c = net.op(Op::Repeat { factors: vec![2, 1, 3] }, &[b], &[4, 3, 9]);
    let d = net.op(Op::Reshape, &[c], &[12, 9]);
    net.op(Op::Transpose { order: vec![1, 0] }, &[d], &[9, 12]);
    holds(&net, 36, 60.0, 60.0);
    // Five dimensions turned over: more loops than an operator has.
    let mut net = Net::new(&[2, 3, 2, 3, 2]);
    let x = net.input();
    let a = net.op(Op::Clip { low: -0.5, high: 0.5 }, &[x], &[2, 3, 2, 3, 2]);
    let a = net.op(Op::Transpose { order: vec![4, 2, 0, 3, 1] }, &[a], &[2, 2, 2, 3, 3]);
    net.op(Op::Reshape, &[a], &[8, 9]);
    holds(&net, 37, 60.0, 60.0);
}

#[test]
fn images_up_and_down() {
    let mut numbers = Numbers(38);
    let mut net = Net::new(&[1, 3, 6, 5]);
    let x = net.input();
    let conv = |numbers: &mut Numbers, outputs, per_group, groups, window: Window, spread| {
        let taps = window.kernel[0] * window.kernel[1];
        let weights = numbers.reals(outputs * per_group * taps);
        Op::Conv(Conv { weights, bias: Some(numbers.reals(outputs)), outputs, groups, window, spread })
    };
    let first = conv(&mut numbers, 4, 3, 1, window([6, 5], [3, 3], [1, 1], 1), [1, 1]);
    let a = net.op(first, &[x], &[1, 4, 6, 5]);
    let a = net.op(Op::Function(Function::Silu), &[a], &[1, 4, 6, 5]);
    // A transposed convolution by 2, grouped.
    let up = conv(&mut numbers, 4, 2, 2, window([11, 9], [2, 2], [1, 1], 1), [2, 2]);
    let b = net.op(up, &[a], &[1, 4, 12, 10]);
    // The same size by repetition, and both joined along channels.
    let c = net.op(Op::Repeat { factors: vec![1, 1, 2, 2] }, &[a], &[1, 4, 12, 10]);
    let d = net.op(Op::Concat { axis: 1 }, &[b, c], &[1, 8, 12, 10]);
    let down = conv(&mut numbers, 5, 8, 1, window([12, 10], [3, 3], [2, 2], 0), [1, 1]);
    let e = net.op(down, &[d], &[1, 5, 5, 4]);
    let f = net.op(Op::MaxPool(window([5, 4], [2, 2], [1, 1], 1)), &[e], &[1, 5, 6, 5]);
    let mean = Op::AveragePool { window: window([6, 5], [3, 3], [1, 1], 1), count_padding: false };
    let g = net.op(mean, &[f], &[1, 5, 6, 5]);
    let h =
        net.op(Op::Reduce { reduction: Reduction::Mean, axes: vec![2, 3], keep: true }, &[g], &[1, 5, 1, 1]);
    let i = net.op(Op::Reshape, &[h], &[1, 5]);
    net.op(linear(&mut numbers, 5, 3), &[i], &[1, 3]);
    holds(&net, 39, 30.0, 60.0);
    // Repeated images straight into a convolution.
    let mut net = Net::new(&[1, 3, 4, 4]);
    let x = net.input();
    let c = net.op(Op::Repeat { factors: vec![1, 1, 2, 2] }, &[x], &[1, 3, 8, 8]);
    net.op(conv(&mut numbers, 4, 3, 1, window([8, 8], [3, 3], [1, 1], 1), [1, 1]), &[c], &[1, 4, 8, 8]);
    holds(&net, 40, 30.0, 70.0);
    // One dimension of space.
    let mut net = Net::new(&[1, 6, 40]);
    let x = net.input();
    let a =
        net.op(conv(&mut numbers, 8, 6, 1, window([1, 40], [1, 5], [1, 2], 2), [1, 1]), &[x], &[1, 8, 20]);
    let b = net.op(Op::MaxPool(window([1, 20], [1, 2], [1, 2], 0)), &[a], &[1, 8, 10]);
    net.op(Op::Transpose { order: vec![0, 2, 1] }, &[b], &[1, 10, 8]);
    holds(&net, 41, 30.0, 65.0);
}

#[test]
fn overrides_set_single_tensors_and_must_fit() {
    let mut numbers = Numbers(50);
    let mut net = Net::new(&[1, 10]);
    let x = net.input();
    let a = net.op(linear(&mut numbers, 10, 8), &[x], &[1, 8]);
    net.op(linear(&mut numbers, 8, 4), &[a], &[1, 4]);
    let samples = Samples::of(vec![numbers.reals(10), numbers.reals(10)]);
    let with = |json: &str| {
        let overrides = serde_json::from_str::<Overrides>(json).unwrap();
        let options = Options { profile: Some(Profile::Fast), overrides, ..Options::default() };
        compile(&net.0, &samples, &options, &mut |_| {}).map(narrows_compiler::Compiled::into_program)
    };
    let first = |program: &Program| (program.operators()[0].dtype, program.meta().operators[0].scale_bits);
    let plain = with("{}").unwrap();
    assert_eq!(first(&plain).0, DType::I8);
    let wide = with(r#"{"n1": {"dtype": "i16"}}"#).unwrap();
    assert_eq!(first(&wide).0, DType::I16);
    let scale = |program: &Program| f32::from_bits(first(program).1);
    let twice = with(r#"{"n1": {"margin": 2.0}}"#).unwrap();
    assert_eq!(scale(&twice), 2.0 * scale(&plain));
    let far = with(r#"{"n1": {"range": 127.0}}"#).unwrap();
    assert_eq!(scale(&far), 1.0);
    for bad in [r#"{"n9": {}}"#, r#"{"n1": {"margin": 0}}"#, r#"{"n1": {"dtype": "params"}}"#] {
        assert!(matches!(with(bad), Err(CompileError::Overrides { .. })), "{bad}");
    }
    assert!(serde_json::from_str::<Overrides>(r#"{"n1": {"scale": 1}}"#).is_err(), "an unknown word");
}

#[test]
fn a_report_is_drawn() {
    let mut numbers = Numbers(51);
    let mut net = Net::new(&[1, 10]);
    let x = net.input();
    let a = net.op(linear(&mut numbers, 10, 8), &[x], &[1, 8]);
    net.op(Op::Softmax { axis: 1, log: false }, &[a], &[1, 8]);
    net.0.nodes[0].sources[0].name = "a <b> & \u{7}c".into();
    let samples = Samples::of(vec![numbers.reals(10)]);
    let compiled = compile(&net.0, &samples, &Options::default(), &mut |_| {}).unwrap();
    let report = compiled.report(&samples, None, &Naive, &mut |_| {}).unwrap();
    let picture = report.to_svg();
    assert!(picture.starts_with("<svg ") && picture.trim_end().ends_with("</svg>"));
    assert!(picture.contains("a &lt;b&gt; &amp; \u{fffd}c"), "names cannot break out");
    assert_eq!(picture.matches(" dB</text>").count(), 1, "one operator is compared");
}
