//! What recognised nodes stand for and are called, and what real models become.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod common;

use std::path::Path;

use burn::tensor::Device;
use common::{Numbers, shared_model};
use narrows_compiler::{FloatModel, Function, Graph, Kind, Norm, Op};

fn case(name: &str) -> Graph {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/cases").join(format!("{name}.onnx"));
    Graph::load(&path, &Default::default()).unwrap()
}

#[test]
fn a_recognised_node_has_the_last_ones_name_and_lists_all_it_stands_for() {
    let graph = case("ln_pow_div");
    let [node] = &graph.nodes[..] else { panic!("{:?}", graph.nodes) };
    assert_eq!((&node.name[..], &node.operator[..]), ("n8", "Add"));
    let sources: Vec<(&str, &str)> =
        node.sources.iter().map(|origin| (&origin.name[..], &origin.operator[..])).collect();
    assert_eq!(
        sources,
        [
            ("n0", "ReduceMean"),
            ("n1", "Sub"),
            ("n2", "Pow"),
            ("n3", "ReduceMean"),
            ("n4", "Add"),
            ("n5", "Sqrt"),
            ("n6", "Div"),
            ("n7", "Mul"),
            ("n8", "Add")
        ]
    );
    let Op::Norm(Norm { centred: true, axes, epsilon, scale: Some(scale), offset: Some(_) }) = &node.op
    else {
        panic!("{:?}", node.op)
    };
    assert_eq!((&axes[..], *epsilon, &scale.shape[..]), (&[2][..], 1e-3, &[8][..]));
    assert_eq!(node.inputs, [graph.input]);
    assert_eq!(graph.value(graph.output).name, "y");
}

#[test]
fn each_spelling_becomes_the_function_it_is() {
    let cases = [
        ("gelu_a", Function::Gelu),
        ("gelu_b", Function::Gelu),
        ("gelu_c", Function::Gelu),
        ("gelu_tanh_a", Function::GeluTanh),
        ("gelu_tanh_b", Function::GeluTanh),
        ("silu", Function::Silu),
        ("hard_swish_spelled", Function::HardSwish),
        ("sigmoid_spelled", Function::Sigmoid),
    ];
    for (name, function) in cases {
        assert_eq!(case(name).nodes[0].op, Op::Function(function), "{name}");
    }
    assert!(matches!(case("rms").nodes[0].op, Op::Norm(Norm { centred: false, .. })));
    assert!(matches!(case("ln_moments").nodes[0].op, Op::Norm(Norm { centred: true, .. })));
    assert!(matches!(case("log_softmax_spelled").nodes[0].op, Op::Softmax { axis: 2, log: true }));
}

#[test]
fn a_one_hot_product_is_a_lookup_in_a_table_of_its_weights() {
    let graph = case("one_hot_product");
    let Op::Embedding(table) = &graph.nodes[0].op else { panic!("{:?}", graph.nodes) };
    assert_eq!(table.shape, [5, 3], "one row more, for every greater index");
    assert_eq!(graph.value(graph.nodes[0].output).kind, Kind::Real);
    let model = FloatModel::new(&graph, Device::flex());
    let values = model.run(&[&[0.0, 3.0, 4.0, 100.0]]);
    let out = values.sample(graph.output, 0);
    assert_eq!(out[6..9], out[9..12], "all indices past the rows are alike");
    assert_ne!(out[3..6], out[6..9]);
}

#[test]
fn nodes_of_an_unrolled_network_say_where_they_are() {
    let graph = case("lstm_bidirectional");
    let names: Vec<&str> = graph.nodes.iter().map(|node| &node.name[..]).collect();
    for name in ["n0.forward.inputs", "n0.forward.t0.state", "n0.reverse.t4.sigmoid", "n0"] {
        assert!(names.contains(&name), "{name} is not among {names:?}");
    }
    let mut unique = names.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), names.len(), "names are unique");
    assert!(graph.nodes.iter().all(|node| node.sources[0].name == "n0"));
}

#[test]
fn real_models_lose_their_plumbing() {
    if let Some(path) = shared_model("magika.onnx") {
        let graph = Graph::load(&path, &Default::default()).unwrap();
        assert_eq!(graph.value(graph.input).kind, Kind::Integer);
        let norms = graph.nodes.iter().filter(|node| matches!(node.op, Op::Norm(_))).count();
        let lookups = graph.nodes.iter().filter(|node| matches!(node.op, Op::Embedding(_))).count();
        assert_eq!((norms, lookups, graph.nodes.len()), (2, 1, 15));
        assert!(matches!(graph.nodes.last().unwrap().op, Op::Softmax { axis: 1, log: false }));
        let mut numbers = Numbers(1);
        let bytes: Vec<f32> = (0..2048).map(|_| (numbers.next() % 257) as f32).collect();
        let values = FloatModel::new(&graph, Device::flex()).run(&[&bytes]);
        let sum: f32 = values.all(graph.output).iter().sum();
        assert!((sum - 1.0).abs() < 1e-4, "probabilities sum to {sum}");
    }
    if let Some(path) = shared_model("mnist.onnx") {
        let graph = Graph::load(&path, &Default::default()).unwrap();
        assert!(matches!(graph.nodes.last().unwrap().op, Op::Softmax { axis: 1, log: true }));
        assert_eq!(graph.nodes.len(), 13);
    }
}
