//! Every refusal: what is named and the remedy that is given.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod common;

use std::path::Path;

use common::digits;
use common::model::{Dim, Model, float, int, ints, tensor, text};
use narrows_compiler::{CompileError, Graph, Kind, ModelOptions, SUPPORTED_OPERATORS};
use onnx_ir::{Message, TensorProto};

#[track_caller]
fn refused(model: &Model, parts: &[&str]) -> CompileError {
    let error = model.graph().expect_err("a refusal");
    says(&error, parts);
    error
}

#[track_caller]
fn says(error: &CompileError, parts: &[&str]) {
    let text = error.to_string();
    for part in parts {
        assert!(text.contains(part), "{text:?} does not say {part:?}");
    }
}

fn image() -> Model {
    Model::new(&[1, 2, 6, 6])
}

fn conv(attributes: Vec<onnx_ir::AttributeProto>) -> Model {
    image().floats("w", &[2, 2, 3, 3], &[0.1; 36]).node("Conv", &["x", "w"], "y", attributes)
}

fn pool(attributes: Vec<onnx_ir::AttributeProto>) -> Model {
    let mut all = vec![ints("kernel_shape", &[2, 2])];
    all.extend(attributes);
    image().node("MaxPool", &["x"], "y", all)
}

fn gemm(attributes: Vec<onnx_ir::AttributeProto>) -> Model {
    Model::new(&[1, 3]).floats("w", &[3, 2], &[4.0; 6]).node("Gemm", &["x", "w"], "y", attributes)
}

#[test]
fn an_unknown_operator_is_named_with_its_node_and_all_that_is_supported() {
    let error = refused(&image().node("Loop", &["x"], "y", vec![]), &["Loop", "n_y", "not supported"]);
    says(&error, SUPPORTED_OPERATORS);
    assert!(SUPPORTED_OPERATORS.is_sorted_by_key(|name| name.to_lowercase()), "in alphabetical order");
    assert!(matches!(error, CompileError::UnsupportedOperator { .. }));
    let mut model = image().node("Relu", &["x"], "y", vec![]);
    model.0.graph.mut_or_insert_default().node[0].domain = "com.example".into();
    refused(&model, &["com.example.Relu"]);
}

#[test]
fn a_node_without_a_name_is_named_by_its_output() {
    let mut model = image().node("Loop", &["x"], "y", vec![]);
    model.0.graph.mut_or_insert_default().node[0].name.clear();
    refused(&model, &["node y uses"]);
}

#[test]
fn attributes_that_are_not_handled_are_named() {
    let cases: Vec<(Model, &str)> = vec![
        (conv(vec![int("mystery", 1)]), "mystery"),
        (conv(vec![text("auto_pad", "SOMETIMES")]), "auto_pad"),
        (conv(vec![text("auto_pad", "SAME_UPPER"), ints("pads", &[1, 1, 1, 1])]), "pads"),
        (conv(vec![ints("pads", &[1, 1])]), "pads"),
        (conv(vec![ints("pads", &[-1, 0, 0, 0])]), "pads"),
        (conv(vec![ints("pads", &[5000, 0, 0, 0])]), "pads"),
        (conv(vec![ints("strides", &[0, 1])]), "strides"),
        (conv(vec![ints("strides", &[1])]), "strides"),
        (conv(vec![ints("dilations", &[9, 9])]), "kernel_shape"),
        (conv(vec![text("group", "two")]), "group"),
        (conv(vec![int("group", 1), int("group", 1)]), "group"),
        (pool(vec![ints("dilations", &[2, 2])]), "dilations"),
        (pool(vec![ints("pads", &[2, 2, 0, 0])]), "pads"),
        (pool(vec![int("storage_order", 1)]), "storage_order"),
        (gemm(vec![int("transA", 2)]), "transA"),
        (gemm(vec![int("transB", 2)]), "transB"),
        (gemm(vec![float("alpha", f32::NAN)]), "alpha"),
        (gemm(vec![float("alpha", f32::MAX)]), "alpha"),
        (Model::new(&[1, 3]).node("Softmax", &["x"], "y", vec![int("axis", 2)]), "axis"),
        (Model::new(&[1, 3]).node("Flatten", &["x"], "y", vec![int("axis", -9)]), "axis"),
    ];
    for (index, (model, attribute)) in cases.into_iter().enumerate() {
        let error = model.graph().expect_err(&format!("case {index} is compiled"));
        says(&error, &[attribute, "n_y"]);
        assert!(matches!(error, CompileError::UnsupportedAttribute { .. }), "{index}: {error}");
    }
    let whole = pool(vec![int("ceil_mode", 1), ints("strides", &[2, 2])]);
    assert!(whole.graph().is_ok(), "ceil_mode that changes nothing");
}

#[test]
fn constants_must_fit_their_node() {
    let w = |dims: &[i64], values: &[f32]| image().floats("w", dims, values);
    let cases: Vec<(Model, &str)> = vec![
        (w(&[2, 3, 3, 3], &[0.1; 54]).node("Conv", &["x", "w"], "y", vec![]), "groups"),
        (w(&[3, 1, 3, 3], &[0.1; 27]).node("Conv", &["x", "w"], "y", vec![int("group", 2)]), "groups"),
        (w(&[2, 2, 3], &[0.1; 12]).node("Conv", &["x", "w"], "y", vec![]), "2-D"),
        (
            w(&[2, 2, 3, 3], &[0.1; 36]).node("Conv", &["x", "w"], "y", vec![ints("kernel_shape", &[3, 2])]),
            "kernel_shape",
        ),
        (
            w(&[2, 2, 1, 1], &[0.1; 4]).floats("b", &[3], &[0.0; 3]).node(
                "Conv",
                &["x", "w", "b"],
                "y",
                vec![],
            ),
            "[2] is expected",
        ),
        (w(&[2, 2, 1, 1], &[0.1, 0.2, f32::NAN, 0.0]).node("Conv", &["x", "w"], "y", vec![]), "NaN"),
        (w(&[2], &[0.1; 2]).node("Add", &["x", "w"], "y", vec![]), "do not broadcast"),
        (w(&[0], &[]).node("Add", &["x", "w"], "y", vec![]), "do not broadcast"),
        (w(&[], &[f32::NAN]).node("Mul", &["x", "w"], "y", vec![]), "NaN"),
        (w(&[], &[0.0]).node("Div", &["x", "w"], "y", vec![]), "divides by"),
        (w(&[36, 2], &[0.1; 72]).node("MatMul", &["x", "w"], "y", vec![]), "do not fit 6 inputs"),
        (w(&[3, 6, 2], &[0.1; 36]).node("MatMul", &["x", "w"], "y", vec![]), "do not broadcast"),
        (w(&[36, 2], &[0.1; 72]).node("Gemm", &["x", "w"], "y", vec![]), "Flatten"),
        (Model::new(&[1, 3]).node("MatMul", &["x", "x"], "y", vec![]), "do not multiply"),
        (image().node("Conv", &["x"], "y", vec![]), "1 inputs"),
        (image().node("MaxPool", &["x"], "y", vec![]), "kernel_shape"),
        (
            image().floats("l", &[], &[2.0]).node("Clip", &["x", "l"], "y", vec![float("max", 1.0)]),
            "leave no",
        ),
        (image().floats("l", &[2], &[2.0; 2]).node("Clip", &["x", "l"], "y", vec![]), "min"),
        (image().ints("s", &[1, 7, -1]).node("Reshape", &["x", "s"], "y", vec![]), "cannot become"),
        (image().ints("s", &[1, -1, -1]).node("Reshape", &["x", "s"], "y", vec![]), "cannot become"),
        (image().ints("s", &[1, 2, 1, 1, 6, 1, 6]).node("Reshape", &["x", "s"], "y", vec![]), "6 dimensions"),
        (image().node("Reshape", &["x", "x"], "y", vec![]), "constant is expected"),
        (image().node("Constant", &[], "c", vec![]).node("Relu", &["x"], "y", vec![]), "no value"),
        (image().node("Relu", &["x"], "r", vec![]).node("Relu", &["z"], "y", vec![]), "nothing produces"),
    ];
    for (index, (model, part)) in cases.into_iter().enumerate() {
        let error = model.graph().expect_err(&format!("case {index} is compiled"));
        says(&error, &[part]);
    }
}

#[test]
fn a_normalisation_without_a_finite_factor_is_refused() {
    let model = image().floats("g", &[2], &[1.0; 2]).floats("v", &[2], &[-1.0; 2]).node(
        "BatchNormalization",
        &["x", "g", "g", "g", "v"],
        "y",
        vec![],
    );
    refused(&model, &["n_y", "variance -1"]);
    let model = image().floats("g", &[2], &[1.0; 2]).node(
        "BatchNormalization",
        &["x", "g", "g", "g", "g"],
        "y",
        vec![int("training_mode", 1)],
    );
    refused(&model, &["n_y", "training_mode"]);
}

#[test]
fn inputs_and_dimensions_are_checked() {
    let relu = |dims: &[Dim]| Model::with_dims(dims).node("Relu", &["x"], "y", vec![]);
    use Dim::{Fixed, Named, Unnamed};
    assert!(relu(&[Named("batch"), Fixed(3)]).graph().is_ok());
    assert!(relu(&[Unnamed, Fixed(3)]).graph().is_ok());
    refused(&relu(&[Fixed(1), Named("height"), Fixed(3)]), &["input x", "dimension 1", "height"]);
    refused(&relu(&[Fixed(1), Unnamed]), &["input x", "dimension 1", "unnamed"]);
    refused(
        &relu(&[Fixed(1), Fixed(1), Fixed(1), Fixed(1), Fixed(1), Fixed(1), Fixed(1)]),
        &["input x", "6 dimensions"],
    );
    refused(&relu(&[Fixed(1), Fixed(1 << 62), Fixed(1 << 62)]), &["elements"]);
    let named = relu(&[Named("batch"), Named("n")]).bytes();
    let pinned = |text: &str| {
        let mut options = ModelOptions::default();
        options.pin(text).unwrap();
        Graph::parse(&named, Path::new("named.onnx"), &options)
            .map(|graph| graph.value(graph.input).shape.clone())
    };
    assert_eq!(pinned("n=5").unwrap(), [1, 5]);
    assert_eq!(pinned("x=2x5").unwrap(), [2, 5]);
    says(&pinned("x=5").unwrap_err(), &["input x", "2 dimensions"]);
    says(&pinned("n=5x5").unwrap_err(), &["input x", "one size"]);
    says(&pinned("other=5").unwrap_err(), &["dimension 1", "n"]);
    for text in ["", "x", "=5", "x=", "x=0", "x=5x", "x=-1"] {
        assert!(
            ModelOptions::default().pin(text).unwrap_err().to_string().contains("tokens=1x128"),
            "{text}"
        );
    }

    for (element, kind) in [(1, Kind::Real), (11, Kind::Real), (2, Kind::Integer), (7, Kind::Integer)] {
        let mut typed = relu(&[Fixed(1), Fixed(3)]);
        let graph = typed.0.graph.mut_or_insert_default();
        graph.input[0].type_.mut_or_insert_default().mut_tensor_type().elem_type = element;
        let graph = typed.graph().unwrap();
        assert_eq!(graph.value(graph.input).kind, kind);
    }
    let mut words = relu(&[Fixed(1), Fixed(3)]);
    let graph = words.0.graph.mut_or_insert_default();
    graph.input[0].type_.mut_or_insert_default().mut_tensor_type().elem_type = 8;
    refused(&words, &["input x", "element type is 8"]);
    let mut two = relu(&[Fixed(1), Fixed(3)]);
    let graph = two.0.graph.mut_or_insert_default();
    let mut second = graph.input[0].clone();
    second.name = "z".into();
    graph.input.push(second);
    refused(&two, &["2 inputs", "x, z"]);
    let fixed = |texts: &[&str]| {
        let mut options = ModelOptions::default();
        texts.iter().for_each(|text| options.fix(text).unwrap());
        Graph::parse(&two.bytes(), Path::new("two.onnx"), &options)
    };
    let graph = fixed(&["z=1"]).unwrap();
    assert_eq!(graph.value(graph.input).name, "x");
    says(&fixed(&["z=1", "x=1"]).unwrap_err(), &["no input"]);
    says(&fixed(&["w=1"]).unwrap_err(), &["no input w"]);
    for text in ["", "z", "=1", "z=", "z=one", "z=NaN"] {
        assert!(ModelOptions::default().fix(text).unwrap_err().to_string().contains("mask=1"), "{text}");
    }
    let mut outputs = relu(&[Fixed(1), Fixed(3)]);
    outputs.0.graph.mut_or_insert_default().output.clear();
    refused(&outputs, &["no output"]);
}

#[test]
fn one_of_several_outputs_is_chosen_by_name() {
    let mut model = image().node("Relu", &["x"], "y", vec![]).node("Sin", &["x"], "z", vec![]);
    let graph = model.0.graph.mut_or_insert_default();
    let mut second = graph.output[0].clone();
    second.name = "z".into();
    graph.output.push(second);
    refused(&model, &["2 outputs", "y, z"]);
    let choose = |name: &str| {
        let options = ModelOptions { output: Some(name.into()), ..Default::default() };
        Graph::parse(&model.bytes(), Path::new("two.onnx"), &options)
    };
    let graph = choose("z").unwrap();
    assert_eq!(graph.nodes.iter().map(|node| &node.name[..]).collect::<Vec<_>>(), ["n_z"]);
    says(&choose("w").unwrap_err(), &["no output w", "y, z"]);
}

#[test]
fn what_depends_on_the_input_and_may_not_says_so() {
    let tokens = || {
        let mut model = Model::new(&[1, 4]);
        let graph = model.0.graph.mut_or_insert_default();
        graph.input[0].type_.mut_or_insert_default().mut_tensor_type().elem_type = 7;
        model
    };
    let row = || Model::new(&[1, 4]);
    let cases: Vec<(Model, &str)> = vec![
        (row().node("Gather", &["x", "x"], "y", vec![]), "both its data and its indices"),
        (row().node("Pow", &["x", "x"], "y", vec![]), "both its base and its exponent"),
        (row().floats("w", &[3, 2], &[0.0; 6]).node("Gather", &["w", "x"], "y", vec![]), "not integers"),
        (tokens().node("Sigmoid", &["x"], "y", vec![]), "cast them to float"),
        (
            tokens().floats("w", &[4, 2], &[0.5; 8]).node("MatMul", &["x", "w"], "y", vec![]),
            "cast them to float",
        ),
        (tokens().ints("c", &[0, 2, 1, 3]).node("Equal", &["x", "c"], "y", vec![]), "0, 1, 2"),
        (
            tokens()
                .ints("zero", &[0])
                .floats("low", &[], &[f32::MIN])
                .node("Equal", &["x", "zero"], "padding", vec![])
                .node("Cast", &["padding"], "real", vec![int("to", 1)])
                .node("Mul", &["real", "low"], "y", vec![]),
            "fill the mask's input",
        ),
        (row().node("Equal", &["x", "x"], "y", vec![]), "only integers"),
        (row().node("Not", &["x"], "y", vec![]), "truth values"),
        (row().node("Cast", &["x"], "y", vec![int("to", 9)]), "truth values"),
        (row().node("Cast", &["x"], "y", vec![int("to", 10)]), "element type 10"),
        (row().node("Where", &["x", "x", "x"], "y", vec![]), "truth values"),
        (
            row().ints("p", &[0, 1, 0, 1]).node("Pad", &["x", "p"], "y", vec![text("mode", "mirror")]),
            "mirror",
        ),
        (row().ints("s", &[0]).ints("e", &[0]).node("Slice", &["x", "s", "e"], "y", vec![]), "empty"),
        (row().ints("i", &[4]).node("Gather", &["x", "i"], "y", vec![int("axis", 1)]), "out of the 4"),
        (row().ints("n", &[1, 2]).node("Split", &["x", "n"], "y", vec![int("axis", 1)]), "do not cut 4"),
        (row().node("Softmax", &["x"], "y", vec![int("axis", 9)]), "axis"),
        (row().node("Transpose", &["x"], "y", vec![ints("perm", &[0, 0])]), "perm"),
        (
            image().node("Resize", &["x", "", "s"], "y", vec![]).floats("s", &[4], &[1.0, 1.0, 1.5, 1.0]),
            "whole factors",
        ),
        (
            image().node("Resize", &["x", "", "s"], "y", vec![text("mode", "linear")]).floats(
                "s",
                &[1],
                &[1.0],
            ),
            "linear",
        ),
        (
            row().floats("c", &[1], &[1.0]).node("LayerNormalization", &["c", "c"], "d", vec![]).node(
                "Add",
                &["x", "d"],
                "y",
                vec![],
            ),
            "simplify the model",
        ),
        (
            row().floats("e", &[0], &[]).ints("p", &[1, 1]).node(
                "Pad",
                &["e", "p"],
                "y",
                vec![text("mode", "edge")],
            ),
            "nothing to pad from",
        ),
        (
            Model::new(&[2, 3, 4]).floats("w", &[2, 4, 0], &[]).node("MatMul", &["x", "w"], "y", vec![]),
            "do not fit",
        ),
        (
            row()
                .floats("e", &[0], &[])
                .ints("s", &[0])
                .ints("t", &[5])
                .ints("a", &[0])
                .ints("back", &[-1])
                .node("Slice", &["e", "s", "t", "a", "back"], "y", vec![]),
            "does not depend",
        ),
        (row().node("Identity", &["x"], "y", vec![]), "nothing to compile"),
    ];
    for (index, (model, part)) in cases.into_iter().enumerate() {
        let error = model.graph().expect_err(&format!("case {index} is compiled"));
        says(&error, &[part]);
    }
}

#[test]
fn graphs_that_are_no_order_are_refused() {
    let cycle = image().node("Add", &["x", "b"], "a", vec![]).node("Relu", &["a"], "b", vec![]).node(
        "Relu",
        &["b"],
        "y",
        vec![],
    );
    refused(&cycle, &["cycle", "n_a"]);
    let twice = image().node("Relu", &["x"], "y", vec![]).node("Relu", &["x"], "y", vec![]);
    refused(&twice, &["two things", "y"]);
    let backwards = image().node("Relu", &["a"], "y", vec![]).node("Relu", &["x"], "a", vec![]);
    let names: Vec<String> = backwards.graph().unwrap().nodes.into_iter().map(|n| n.name).collect();
    assert_eq!(names, ["n_a", "n_y"], "any order in the file will do");
    let unused = image().node("Relu", &["x"], "y", vec![]).node("Relu", &["x"], "z", vec![]);
    assert_eq!(unused.graph().unwrap().nodes.len(), 1, "what the output needs not is dropped");
    let constant = image().floats("y", &[1], &[0.0]).node("Relu", &["x"], "z", vec![]);
    refused(&constant, &["does not depend"]);
    let mut old = image().node("Relu", &["x"], "y", vec![]);
    old.0.opset_import[0].version = 6;
    refused(&old, &["operator set is 6", "operator set 7 to"]);
    old.0.opset_import[0].version = 99;
    refused(&old, &["operator set is 99"]);
}

/// A tensor whose field 14 (data_location) is 1 (EXTERNAL): `onnx-ir` does not name that type.
fn external() -> TensorProto {
    TensorProto::parse_from_bytes(&[14 << 3, 1]).unwrap()
}

#[test]
fn tensors_must_hold_what_they_say() {
    let with = |change: fn(&mut TensorProto)| {
        let mut model = image().floats("w", &[2, 2, 1, 1], &[0.5; 4]).node("Conv", &["x", "w"], "y", vec![]);
        change(&mut model.0.graph.mut_or_insert_default().initializer[0]);
        model
    };
    type Change = fn(&mut TensorProto);
    let cases: [(Change, &str); 8] = [
        (|t| t.dims[0] = 3, "6 elements"),
        (|t| t.dims[0] = -1, "-1"),
        (|t| t.dims = vec![1 << 62, 1 << 62], "more than"),
        (|t| t.dims = vec![1 << 40], "more than"),
        (|t| t.raw_data = vec![0; 15].into(), "15 bytes"),
        (|t| t.raw_data = Vec::new().into(), "its data 0"),
        (|t| t.data_type = 16, "element type 16"),
        (|t| t.data_location = external().data_location, "another file"),
    ];
    for (change, part) in cases {
        let error = refused(&with(change), &["tensor w", part]);
        assert!(matches!(error, CompileError::Tensor { .. }));
    }
    let mut twice = image().floats("w", &[1], &[0.5]).floats("w", &[1], &[0.5]);
    twice = twice.node("Relu", &["x"], "y", vec![]);
    refused(&twice, &["two initializers", "w"]);
    let bad = common::model::float_tensor("inner", &[3], &[0.0]);
    refused(&image().node("Constant", &[], "y", vec![tensor("value", bad)]), &["tensor inner"]);
}

#[test]
fn files_that_are_no_models_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("broken.onnx");
    let whole = std::fs::read(digits("digits.onnx")).unwrap();
    for bytes in [&b""[..], b"not a model at all", &whole[..whole.len() / 2]] {
        std::fs::write(&path, bytes).unwrap();
        let error = Graph::load(&path, &Default::default()).unwrap_err();
        says(&error, &["broken.onnx", "export or download it again"]);
        assert!(matches!(error, CompileError::NotOnnx { .. }));
    }
    let missing = folder.path().join("missing.onnx");
    says(&Graph::load(&missing, &Default::default()).unwrap_err(), &["missing.onnx", "check the path"]);
    assert!(matches!(Graph::load(folder.path(), &Default::default()), Err(CompileError::Io { .. })));
}
