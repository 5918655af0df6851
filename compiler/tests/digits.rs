//! The digits fixture, and the MNIST model where it is at hand, from file to report.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod common;

use std::collections::BTreeSet;

use burn::tensor::Device;
use common::{Naive, digits, shared_model};
use narrows_compiler::{
    Engine, Graph, Options, Profile, Report, Samples, Step, compile, decode_output, encode_input,
};
use narrows_program::Program;
use onnx_ir::{Message, ModelProto};

fn load() -> (Graph, Samples, Samples) {
    let graph = Graph::load(&digits("digits.onnx"), &Default::default()).unwrap();
    let shape = graph.value(graph.input).shape.clone();
    let calibration = Samples::load(&digits("calibration.npz"), &shape).unwrap();
    let test = Samples::load(&digits("test.npz"), &shape).unwrap();
    (graph, calibration, test)
}

fn report(profile: Profile, tests: usize) -> Report {
    let (graph, calibration, mut test) = load();
    test.inputs.truncate(tests);
    test.labels.as_mut().unwrap().truncate(tests);
    let options = Options { profile: Some(profile), ..Options::default() };
    let compiled = compile(&graph, &calibration, &options, &mut |_| {}).unwrap();
    let report = compiled.report(&calibration, Some(&test), &Naive, &mut |_| {}).unwrap();
    print(&report);
    report
}

fn print(report: &Report) {
    for operator in &report.operators {
        let (nodes, db) = (operator.nodes.join("+"), operator.signal_to_noise_db.unwrap_or(f64::NAN));
        println!("{nodes:40} {:?} {:10.6} {db:.1} dB", operator.dtype, operator.scale);
    }
    println!("{:?} {:?}", report.profile, report.test);
}

fn names(file: &[u8]) -> BTreeSet<String> {
    let model = ModelProto::parse_from_bytes(file).unwrap();
    model.graph.node.iter().map(|node| node.name.clone()).collect()
}

fn reported(report: &Report) -> BTreeSet<String> {
    let operators = report.operators.iter().flat_map(|operator| operator.nodes.clone());
    operators.chain(report.vanished.iter().map(|v| v.node.clone())).collect()
}

#[test]
fn fast_keeps_the_accuracy_of_digits() {
    let report = report(Profile::Fast, 600);
    let test = report.test.unwrap();
    assert_eq!((test.samples, test.float_right), (600, Some(594)), "as measured with ONNX Runtime");
    let right = test.integer_right.unwrap() as i64;
    assert!((right - 594).abs() * 1000 <= 3 * 600, "{right} of 600, more than 0.3 points from 594");
    assert!(test.agreeing >= 597, "{} of 600 agree", test.agreeing);
    for operator in &report.operators {
        assert!(operator.signal_to_noise_db.unwrap() > 28.0, "{:?}", operator.nodes);
    }
}

#[test]
fn standard_is_closer_and_exact_closest() {
    let (standard, exact) = (report(Profile::Standard, 100), report(Profile::Exact, 100));
    for (report, least) in [(standard, 33.0), (exact, 70.0)] {
        assert_eq!(report.test.unwrap().agreeing, 100);
        for operator in &report.operators {
            assert!(operator.signal_to_noise_db.unwrap() > least, "{:?}", operator.nodes);
        }
    }
}

#[test]
fn names_are_those_of_the_file() {
    let report = report(Profile::Fast, 1);
    assert_eq!(reported(&report), names(&std::fs::read(digits("digits.onnx")).unwrap()));
    let operators: Vec<String> = report.operators.iter().map(|operator| operator.nodes.join(" + ")).collect();
    let expected = [
        "conv1 + bn1 + relu1",
        "conv2 + bn2 + relu2",
        "pool1",
        "conv3 + bn3",
        "residual + relu3",
        "pool2",
        "fc1 + relu4",
        "fc2",
    ];
    assert_eq!(operators, expected);
    let vanished: Vec<&str> = report.vanished.iter().map(|v| v.node.as_str()).collect();
    assert_eq!(vanished, ["flatten", "log_softmax"]);
    let json = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), report);
}

#[test]
fn a_program_tells_how_to_use_it() {
    let (graph, calibration, _) = load();
    let compiled = compile(&graph, &calibration, &Options::default(), &mut |_| {}).unwrap();
    let program = Program::decode(&compiled.into_program().encode()).unwrap();
    let meta = program.meta();
    assert_eq!((meta.input.name.as_str(), &meta.input.shape[..]), ("image", &[1, 1, 8, 8][..]));
    assert_eq!((meta.output.name.as_str(), &meta.output.shape[..]), ("log_probs", &[1, 10][..]));
    assert_eq!(meta.operators.len(), program.operators().len());
    let sample = Samples::load(&digits("sample.npy"), &graph.value(graph.input).shape).unwrap();
    let input = encode_input(&program, &sample.inputs[0]).unwrap();
    let output = Naive.run(&program, &input).unwrap().pop().unwrap();
    let values = decode_output(&program, &output).unwrap();
    let best = (0..10).max_by(|&a, &b| values[a].total_cmp(&values[b])).unwrap();
    assert_eq!(best, 7, "the sample is a seven");
    assert!(encode_input(&program, &sample.inputs[0][1..]).is_err());
    assert!(decode_output(&program, &output[1..]).is_err());
    assert!(decode_output(&program, &output[2..]).is_err());
}

#[test]
fn the_program_depends_on_its_inputs_alone() {
    let (graph, calibration, _) = load();
    let root = |calibration: &Samples, device: Device| {
        let options = Options { device, ..Options::default() };
        compile(&graph, calibration, &options, &mut |_| {}).unwrap().program().root()
    };
    let first = root(&calibration, Device::flex());
    assert_eq!(first, root(&calibration, Device::flex()), "again");
    #[allow(deprecated, reason = "a second backend, which rounds otherwise, is what is wanted")]
    let other = Device::ndarray();
    assert_eq!(first, root(&calibration, other), "by another backend");
    let fewer = Samples::of(calibration.inputs[1..].to_vec());
    assert_ne!(first, root(&fewer, Device::flex()), "the calibration set is bound");
}

#[test]
fn progress_comes_to_its_end() {
    let (graph, calibration, mut test) = load();
    test.inputs.truncate(3);
    test.labels = None;
    let mut last = Vec::new();
    let mut note = |p: narrows_compiler::Progress| {
        if p.done == p.total {
            last.push((p.step, p.total));
        }
    };
    let compiled = compile(&graph, &calibration, &Options::default(), &mut note).unwrap();
    let report = compiled.report(&test, Some(&test), &Naive, &mut note).unwrap();
    assert_eq!(last, [(Step::Calibrating, 100), (Step::Comparing, 3), (Step::Testing, 3)]);
    assert_eq!(report.test.unwrap().float_right, None);
}

#[test]
fn engines_that_fail_or_lie_about_sizes_are_named() {
    struct Bad(Result<Vec<Vec<u8>>, String>);
    impl Engine for Bad {
        fn run(&self, _: &Program, _: &[u8]) -> Result<Vec<Vec<u8>>, String> {
            self.0.clone()
        }
    }
    let (graph, calibration, _) = load();
    let compiled = compile(&graph, &calibration, &Options::default(), &mut |_| {}).unwrap();
    for bad in [Err("no memory".into()), Ok(Vec::new()), Ok(vec![vec![0]; 8])] {
        let error = compiled.report(&calibration, None, &Bad(bad), &mut |_| {}).unwrap_err();
        assert!(error.to_string().contains("engine"), "{error}");
    }
}

/// The digits of the fixture at the size and normalisation of the MNIST model.
fn enlarged(samples: &Samples, count: usize) -> Samples {
    let enlarge = |small: &Vec<f32>| -> Vec<f32> {
        let at = |row: usize, column: usize| {
            let inside = (2..26).contains(&row) && (2..26).contains(&column);
            let pixel = if inside { small[(row - 2) / 3 * 8 + (column - 2) / 3] } else { 0.0 };
            (pixel - 0.1307) / 0.3081
        };
        (0..784).map(|i| at(i / 28, i % 28)).collect()
    };
    Samples::of(samples.inputs.iter().take(count).map(enlarge).collect())
}

#[test]
fn a_real_model_keeps_its_names_and_answers() {
    let Some(path) = shared_model("mnist.onnx") else { return };
    let graph = Graph::load(&path, &Default::default()).unwrap();
    let (_, calibration, test) = load();
    let (calibration, test) = (enlarged(&calibration, 20), enlarged(&test, 60));
    for (profile, agreeing) in [(Profile::Fast, 57), (Profile::Exact, 60)] {
        let options = Options { profile: Some(profile), ..Options::default() };
        let compiled = compile(&graph, &calibration, &options, &mut |_| {}).unwrap();
        let report = compiled.report(&calibration, Some(&test), &Naive, &mut |_| {}).unwrap();
        print(&report);
        assert_eq!(reported(&report), names(&std::fs::read(&path).unwrap()));
        assert!(report.test.unwrap().agreeing >= agreeing);
    }
}
