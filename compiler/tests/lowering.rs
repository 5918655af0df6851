//! Small models of every operator, lowered and run by the naive engine, against their float runs.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod common;

use common::model::{Model, float, int, ints, tensor, text};
use common::{Naive, Numbers};
use narrows_compiler::{Graph, Op, Options, Profile, Samples, compile, decode_output, encode_input};
use proptest::prelude::*;

/// Compiles in two profiles and checks each operator and the output against the float run.
fn check(graph: &Graph, seed: u64) -> usize {
    let mut numbers = Numbers(seed);
    let input = graph.value(graph.input).elements();
    let inputs: Vec<Vec<f32>> = (0..6).map(|_| numbers.reals(input)).collect();
    let samples = Samples::of(inputs);
    let mut operators = 0;
    for (profile, least) in [(Profile::Exact, 60.0), (Profile::Fast, 20.0)] {
        let options = Options { profile: Some(profile), split: 7, ..Options::default() };
        let compiled = compile(graph, &samples, &options, &mut |_| {}).unwrap();
        let report = compiled.report(&samples, None, &Naive, &mut |_| {}).unwrap();
        for operator in &report.operators {
            let db = operator.signal_to_noise_db.unwrap_or(f64::INFINITY);
            assert!(db > least, "{profile:?} {:?}: {db} dB of {report:?}", operator.nodes);
        }
        check_output(graph, &compiled, &samples, profile);
        operators = report.operators.len();
    }
    operators
}

/// The decoded output is the float output, element by element in ONNX's order.
fn check_output(
    graph: &Graph,
    compiled: &narrows_compiler::Compiled<'_>,
    samples: &Samples,
    profile: Profile,
) {
    let refs: Vec<&[f32]> = samples.inputs.iter().map(Vec::as_slice).collect();
    let values = narrows_compiler::FloatModel::new(graph, burn::tensor::Device::flex()).run(&refs);
    // A softmax at the end is left out.
    let last = graph.nodes.iter().find(|node| node.output == graph.output).unwrap();
    let compared = if matches!(last.op, Op::Softmax { .. }) { last.inputs[0] } else { graph.output };
    let greatest = values.all(compared).iter().fold(0f32, |m, v| m.max(v.abs()));
    let tolerance = greatest * if profile == Profile::Exact { 0.004 } else { 0.2 };
    for (at, sample) in samples.inputs.iter().enumerate() {
        let program = compiled.program();
        let input = encode_input(program, sample).unwrap();
        let outputs = narrows_compiler::Engine::run(&Naive, program, &input).unwrap();
        let output = decode_output(program, outputs.last().unwrap()).unwrap();
        let float = values.sample(compared, at);
        assert_eq!(output.len(), float.len());
        for (i, (a, b)) in output.iter().zip(float).enumerate() {
            assert!((a - b).abs() <= tolerance, "{profile:?} element {i}: {a} for {b}");
        }
    }
}

#[derive(Debug, Clone)]
struct ConvCase {
    groups: usize,
    per_group: usize,
    outputs: usize,
    kernel: [i64; 2],
    stride: [i64; 2],
    dilation: [i64; 2],
    pads: [i64; 4],
    auto_pad: &'static str,
    size: [i64; 2],
    bias: bool,
    seed: u64,
}

fn conv_cases() -> impl Strategy<Value = ConvCase> {
    let pair = |least: i64, most: i64| prop::array::uniform2(least..=most);
    let auto_pad = prop::sample::select(vec!["NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"]);
    let counts = (1usize..4, 1usize..4, 1usize..4);
    let place = (pair(1, 3), pair(1, 3), pair(1, 2), prop::array::uniform4(0i64..3), pair(5, 9));
    (counts, place, auto_pad, any::<bool>(), any::<u64>()).prop_map(
        |((groups, per_group, each), (kernel, stride, dilation, pads, size), auto_pad, bias, seed)| {
            ConvCase {
                groups,
                per_group,
                outputs: each * groups,
                kernel,
                stride,
                dilation,
                pads,
                auto_pad,
                size,
                bias,
                seed,
            }
        },
    )
}

fn conv_model(case: &ConvCase) -> Model {
    let mut numbers = Numbers(case.seed);
    let [kh, kw] = case.kernel;
    let (outputs, per_group) = (case.outputs as i64, case.per_group as i64);
    let count = (outputs * per_group * kh * kw) as usize;
    let mut attributes = vec![
        ints("kernel_shape", &case.kernel),
        ints("strides", &case.stride),
        ints("dilations", &case.dilation),
        int("group", case.groups as i64),
        text("auto_pad", case.auto_pad),
    ];
    if case.auto_pad == "NOTSET" {
        attributes.push(ints("pads", &case.pads));
    }
    let channels = (case.groups * case.per_group) as i64;
    let mut model = Model::new(&[1, channels, case.size[0], case.size[1]]);
    model = model.floats("w", &[outputs, per_group, kh, kw], &numbers.reals(count));
    let mut inputs = vec!["x", "w"];
    if case.bias {
        model = model.floats("b", &[outputs], &numbers.reals(case.outputs));
        inputs.push("b");
    }
    model.node("Conv", &inputs, "y", attributes)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..Default::default() })]

    #[test]
    fn convolutions(case in conv_cases()) {
        check(&conv_model(&case).graph().unwrap(), case.seed);
    }

    #[test]
    fn pools(
        channels in 1i64..4, kernel in prop::array::uniform2(1i64..=3), stride in prop::array::uniform2(1i64..=3),
        pad in prop::array::uniform4(0i64..3), count in 0i64..2, max in any::<bool>(), seed in any::<u64>(),
    ) {
        let pads = [0, 1, 2, 3].map(|i| pad[i].min(kernel[i % 2] - 1));
        let mut attributes = vec![
            ints("kernel_shape", &kernel), ints("strides", &stride), ints("pads", &pads),
        ];
        if !max {
            attributes.push(int("count_include_pad", count));
        }
        let op = if max { "MaxPool" } else { "AveragePool" };
        let model = Model::new(&[1, channels, 7, 6]).node(op, &["x"], "y", attributes);
        check(&model.graph().unwrap(), seed);
    }
}

/// A convolution of 3 channels to 4 on 6 x 6, padded, named `c`.
fn convolved(numbers: &mut Numbers) -> Model {
    Model::new(&[1, 3, 6, 6]).floats("w", &[4, 3, 3, 3], &numbers.reals(108)).node(
        "Conv",
        &["x", "w"],
        "c",
        vec![ints("pads", &[1, 1, 1, 1])],
    )
}

fn normalised(
    model: Model,
    numbers: &mut Numbers,
    from: &str,
    to: &str,
    channels: i64,
    spread: f32,
) -> Model {
    let n = channels as usize;
    let name = |part: &str| format!("{to}_{part}");
    let gamma: Vec<f32> =
        (0..n).map(|i| (numbers.real() + 1.5) * spread.powi(i as i32 % 3) * [1.0, -1.0][i % 2]).collect();
    let variance: Vec<f32> = (0..n).map(|_| numbers.real().abs() + 0.1).collect();
    let inputs = [from.to_string(), name("g"), name("b"), name("m"), name("v")];
    let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
    model
        .floats(inputs[1], &[channels], &gamma)
        .floats(inputs[2], &[channels], &numbers.reals(n))
        .floats(inputs[3], &[channels], &numbers.reals(n))
        .floats(inputs[4], &[channels], &variance)
        .node("BatchNormalization", &inputs, to, vec![float("epsilon", 1e-4)])
}

#[test]
fn a_normalisation_goes_into_the_product_before_it() {
    let mut numbers = Numbers(1);
    let model = convolved(&mut numbers);
    let model = normalised(model, &mut numbers, "c", "n", 4, 10.0).node("Relu", &["n"], "y", vec![]);
    assert_eq!(check(&model.graph().unwrap(), 2), 1);
}

#[test]
fn a_normalisation_after_anything_else_is_kept() {
    for spread in [1.0, 5.0] {
        let mut numbers = Numbers(3);
        let model = convolved(&mut numbers).node("Relu", &["c"], "r", vec![]);
        let model = normalised(model, &mut numbers, "r", "n", 4, spread)
            .node("Flatten", &["n"], "f", vec![])
            .floats("fw", &[144, 5], &numbers.reals(720))
            .node("MatMul", &["f", "fw"], "y", vec![]);
        assert_eq!(check(&model.graph().unwrap(), 4), 3);
    }
}

#[test]
fn a_normalisation_of_the_input_and_one_of_a_flattened_image() {
    let mut numbers = Numbers(5);
    let model = normalised(Model::new(&[1, 3, 4, 4]), &mut numbers, "x", "n", 3, 2.0)
        .node("MaxPool", &["n"], "p", vec![ints("kernel_shape", &[2, 2]), ints("strides", &[2, 2])])
        .node("Flatten", &["p"], "f", vec![]);
    let model = normalised(model, &mut numbers, "f", "m", 12, 2.0).node("Relu", &["m"], "r", vec![]).node(
        "Add",
        &["r", "f"],
        "y",
        vec![],
    );
    // The last operator puts the flattened image back into ONNX's order.
    assert_eq!(check(&model.graph().unwrap(), 6), 5);
}

#[test]
fn residual_sums_clips_and_biases() {
    let mut numbers = Numbers(7);
    let model = convolved(&mut numbers)
        .floats("cb", &[1, 4, 1, 1], &numbers.reals(4))
        .node("Add", &["c", "cb"], "d", vec![])
        .floats("lo", &[], &[-0.5])
        .floats("hi", &[], &[2.0])
        .node("Clip", &["d", "lo", "hi"], "e", vec![])
        .floats("w2", &[4, 1, 3, 3], &numbers.reals(36))
        .node("Conv", &["e", "w2"], "g", vec![int("group", 4), text("auto_pad", "SAME_UPPER")])
        .node("Add", &["g", "e"], "s", vec![])
        .node("Relu", &["s"], "r", vec![])
        .node("Clip", &["e"], "k", vec![float("min", -0.25), float("max", 1.0)])
        .node("Add", &["r", "k"], "t", vec![])
        .node("GlobalAveragePool", &["t"], "u", vec![])
        .node("Flatten", &["u"], "v", vec![])
        .floats("fw", &[5, 4], &numbers.reals(20))
        .floats("fb", &[1, 5], &numbers.reals(5))
        .node(
            "Gemm",
            &["v", "fw", "fb"],
            "z",
            vec![int("transB", 1), float("alpha", 0.5), float("beta", 2.0)],
        )
        .node("Softmax", &["z"], "y", vec![int("axis", 1)]);
    assert_eq!(check(&model.graph().unwrap(), 8), 7);
}

#[test]
fn reshapes_move_data_only_where_they_must() {
    let mut numbers = Numbers(9);
    // Channels stay: nothing moves. A vector becomes an image: nothing moves.
    let model = Model::new(&[1, 18])
        .ints("image", &[1, 2, 3, 3])
        .node("Reshape", &["x", "image"], "a", vec![])
        .floats("w", &[4, 2, 2, 2], &numbers.reals(32))
        .node("Conv", &["a", "w"], "b", vec![])
        .ints("row", &[0, 4, 1, -1])
        .node("Reshape", &["b", "row"], "c", vec![])
        .floats("w2", &[3, 4, 1, 2], &numbers.reals(24))
        .node("Conv", &["c", "w2"], "y", vec![]);
    assert_eq!(check(&model.graph().unwrap(), 10), 2);
    // Channels change: one copy.
    let model = convolved(&mut numbers)
        .ints("other", &[1, 2, 8, 9])
        .node("Reshape", &["c", "other"], "d", vec![])
        .floats("w2", &[3, 2, 2, 2], &numbers.reals(24))
        .node("Conv", &["d", "w2"], "y", vec![]);
    assert_eq!(check(&model.graph().unwrap(), 11), 3);
    // The output is reshaped from one image into another: one copy, straight into the other's order.
    let model =
        convolved(&mut numbers).ints("other", &[1, 2, 8, 9]).node("Reshape", &["c", "other"], "y", vec![]);
    assert_eq!(check(&model.graph().unwrap(), 12), 2);
    // An image flattened for the output: one copy, into ONNX's order.
    let model = convolved(&mut numbers).node("Flatten", &["c"], "y", vec![]);
    assert_eq!(check(&model.graph().unwrap(), 13), 2);
}

#[test]
fn constants_may_come_through_nodes() {
    let mut numbers = Numbers(14);
    let weights = common::model::float_tensor("", &[2, 6], &numbers.reals(12));
    let model = Model::new(&[1, 6])
        .node("Constant", &[], "k", vec![tensor("value", weights)])
        .node("Constant", &[], "shape", vec![ints("value_ints", &[6, -1])])
        .node("Reshape", &["k", "shape"], "w", vec![])
        .node("Identity", &["w"], "v", vec![])
        .node("Dropout", &["x"], "d", vec![])
        .node("MatMul", &["d", "v"], "m", vec![])
        .node("Constant", &[], "b", vec![float("value_float", 0.25)])
        .node("Add", &["b", "m"], "y", vec![]);
    assert_eq!(check(&model.graph().unwrap(), 15), 1);
}

#[test]
fn large_folds_are_split_within_the_referees_reach() {
    // A pool over 60 x 60 places, each in a tile of its own, and a product over 4,000 inputs.
    let mut numbers = Numbers(16);
    let model = Model::new(&[1, 130, 60, 60])
        .node("GlobalAveragePool", &["x"], "p", vec![])
        .node("Flatten", &["p"], "f", vec![])
        .floats("w", &[130, 4000], &numbers.reals(520_000))
        .node("MatMul", &["f", "w"], "m", vec![])
        .floats("v", &[4000, 3], &numbers.reals(12_000))
        .node("MatMul", &["m", "v"], "y", vec![]);
    let graph = model.graph().unwrap();
    let samples = Samples::of(vec![numbers.reals(130 * 3600)]);
    let options = Options { split: 1 << 20, ..Options::default() };
    let compiled = compile(&graph, &samples, &options, &mut |_| {}).unwrap();
    let splits: Vec<u32> = compiled.program().operators().iter().map(|operator| operator.split).collect();
    assert_eq!(splits, [192, 16_384, 16_384], "a tile a place, at most 192 of them");
    let options = Options { split: 1, ..Options::default() };
    let compiled = compile(&graph, &samples, &options, &mut |_| {}).unwrap();
    let splits: Vec<u32> = compiled.program().operators().iter().map(|operator| operator.split).collect();
    assert_eq!(splits, [15, 1, 16], "at most 256 segments");
}
