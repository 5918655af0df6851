//! The ways to cut a program into layers, on the digits model and on one that needs copies.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod common;

use common::model::{Model, ints};
use common::{Naive, Numbers, digits};
use narrows_compiler::{CompileError, Engine, Graph, LayersOption, Options, Samples, compile, encode_input};
use narrows_program::{OperatorIndex, Program, Source};

fn load() -> (Graph, Samples) {
    let graph = Graph::load(&digits("digits.onnx"), &Default::default()).unwrap();
    let shape = graph.value(graph.input).shape.clone();
    let calibration = Samples::load(&digits("calibration.npz"), &shape).unwrap();
    (graph, calibration)
}

fn program(graph: &Graph, samples: &Samples, layers: LayersOption) -> Program {
    let options = Options { layers, ..Options::default() };
    compile(graph, samples, &options, &mut |_| {}).unwrap().into_program()
}

const EVERY: [LayersOption; 5] = [
    LayersOption::Auto,
    LayersOption::Node,
    LayersOption::Block,
    LayersOption::Count(2),
    LayersOption::Count(5),
];

#[test]
fn options_change_where_digits_is_cut_and_nothing_else() {
    let (graph, samples) = load();
    let programs = EVERY.map(|layers| program(&graph, &samples, layers));
    let groups = programs.each_ref().map(|program| program.parts().groups.clone());
    // conv1, conv2, pool1, conv3, residual, pool2, fc1, fc2: only pool1 is read twice.
    let expected = [vec![8], vec![1; 8], vec![1, 1, 1, 2, 1, 1, 1], vec![2; 4], vec![5, 3]];
    assert_eq!(groups, expected);
    let exported = programs.each_ref().map(Program::exported_bytes);
    let bytes: Vec<u64> = programs[0].operators().iter().map(|operator| operator.output_bytes()).collect();
    assert_eq!(bytes, [1024, 2048, 512, 512, 512, 128, 64, 20]);
    let of = |exports: &[usize]| exports.iter().map(|at| bytes[*at]).sum::<u64>();
    let every: Vec<usize> = (0..8).collect();
    // Of the pairs, the second exports both of its operators: the residual sum reads pool1 and conv3.
    let expected = [of(&[7]), of(&every), of(&[0, 1, 2, 4, 5, 6, 7]), of(&[1, 2, 3, 5, 7]), of(&[4, 7])];
    assert_eq!(exported, expected);
    let input = encode_input(&programs[0], &samples.inputs[0]).unwrap();
    let outputs = Naive.run(&programs[0], &input).unwrap();
    for (program, option) in programs.iter().zip(EVERY) {
        assert!(exported[0] <= program.exported_bytes(), "auto exports least, {option} less");
        assert_eq!(program.operators(), programs[0].operators(), "{option}");
        assert_eq!(program.constants(), programs[0].constants(), "{option}");
        assert_eq!(program.meta(), programs[0].meta(), "{option}");
        assert_eq!(Naive.run(program, &input).unwrap(), outputs, "{option}");
        assert_eq!(Program::decode(&program.encode()).as_ref(), Ok(program), "{option}");
    }
    assert_eq!(program(&graph, &samples, LayersOption::default()), programs[0], "auto is the default");
}

#[test]
fn a_report_says_what_is_exported() {
    let (graph, samples) = load();
    let options = Options { layers: LayersOption::Count(2), ..Options::default() };
    let compiled = compile(&graph, &samples, &options, &mut |_| {}).unwrap();
    let few = Samples::of(samples.inputs[..2].to_vec());
    let report = compiled.report(&few, None, &Naive, &mut |_| {}).unwrap();
    assert_eq!((report.layering, report.layers), (LayersOption::Count(2), 4));
    assert_eq!(report.exported_bytes, 2048 + 512 + 512 + 128 + 20);
    let layers: Vec<u32> = report.operators.iter().map(|operator| operator.layer.0).collect();
    assert_eq!(layers, [0, 0, 1, 1, 2, 2, 3, 3]);
    let exported: Vec<bool> = report.operators.iter().map(|operator| operator.exported).collect();
    assert_eq!(exported, [false, true, true, true, false, true, false, true]);
    assert_eq!(report.terms, compiled.program().header().work);
}

#[test]
fn a_copy_stands_in_the_layer_of_the_node_that_needs_it() {
    // A flattened image read as a row of another shape has to be put in ONNX's order first.
    let mut numbers = Numbers(21);
    let model = Model::new(&[1, 3, 4, 4])
        .node("MaxPool", &["x"], "p", vec![ints("kernel_shape", &[2, 2]), ints("strides", &[2, 2])])
        .ints("shape", &[1, 2, 3, 2])
        .node("Reshape", &["p", "shape"], "r", vec![])
        .node("MaxPool", &["r"], "q", vec![ints("kernel_shape", &[2, 1])])
        .node("Flatten", &["q"], "f", vec![])
        .floats("w", &[8, 5], &numbers.reals(40))
        .node("MatMul", &["f", "w"], "y", vec![]);
    let graph = model.graph().unwrap();
    let samples = Samples::of((0..4).map(|_| numbers.reals(48)).collect());
    let node = program(&graph, &samples, LayersOption::Node);
    assert_eq!(node.parts().groups, [1, 2, 1]);
    let copy = OperatorIndex(1);
    assert!(node.meta().operators[1].nodes.is_empty(), "operator 1 is the copy");
    assert_eq!(node.operator(OperatorIndex(2)).a.source, Source::Operator(copy));
    let (layer, position) = node.layer_of(copy);
    assert!(!node.layer(layer).is_exported(position));
    let auto = program(&graph, &samples, LayersOption::Auto);
    assert!(auto.exported_bytes() < node.exported_bytes());
}

#[test]
fn layers_of_no_or_too_many_operators_are_refused() {
    let (graph, samples) = load();
    for count in [0, 33, 255] {
        let options = Options { layers: LayersOption::Count(count), ..Options::default() };
        let error = compile(&graph, &samples, &options, &mut |_| {}).err().unwrap();
        assert!(matches!(error, CompileError::Layers(_)), "{error}");
        assert!(error.to_string().contains(&format!("'{count}'")), "{error}");
    }
}
