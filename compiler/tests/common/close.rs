//! How close a program is to the floats of its graph, and parts of graphs.

use narrows_compiler::{
    Engine, FloatModel, Graph, Linear, Norm, Op, Options, Profile, Samples, Tensor, Window, compile,
    decode_output, encode_input,
};
use narrows_program::Program;

use super::net::Net;
use super::{Naive, Numbers};

/// Signal over noise of a graph's output in decibels, integers beside floats; the program too.
pub fn noise(graph: &Graph, profile: Profile, inputs: &[Vec<f32>]) -> (f64, Program) {
    let samples = Samples::of(inputs.to_vec());
    let options = Options { profile: Some(profile), split: 50, ..Options::default() };
    let compiled = compile(graph, &samples, &options, &mut |_| {}).unwrap();
    let report = compiled.report(&samples, None, &Naive, &mut |_| {}).unwrap();
    assert!(report.output.least_cosine <= 1.0 + 1e-6);
    let refs: Vec<&[f32]> = inputs.iter().map(Vec::as_slice).collect();
    let floats = FloatModel::new(graph, burn::tensor::Device::flex()).run(&refs);
    let program = compiled.into_program();
    assert_eq!(Program::decode(&program.encode()).as_ref(), Ok(&program));
    let (mut signal, mut noise) = (1e-30, 1e-30);
    for (at, input) in inputs.iter().enumerate() {
        let outputs = Naive.run(&program, &encode_input(&program, input).unwrap()).unwrap();
        let output = decode_output(&program, outputs.last().unwrap()).unwrap();
        let float = floats.sample(graph.output, at);
        assert_eq!(output.len(), float.len());
        for (a, b) in output.iter().zip(float) {
            signal += f64::from(*b).powi(2);
            noise += f64::from(a - b).powi(2);
        }
    }
    (10.0 * (signal / noise).log10(), program)
}

/// Holds a graph to a ratio in the profiles standard and exact.
pub fn holds(net: &Net, seed: u64, standard: f64, exact: f64) -> Program {
    let mut numbers = Numbers(seed);
    let count = net.0.value(net.0.input).elements();
    let inputs: Vec<Vec<f32>> = (0..3).map(|_| numbers.reals(count)).collect();
    let (db, _) = noise(&net.0, Profile::Standard, &inputs);
    assert!(db > standard, "standard: {db} dB");
    let (db, program) = noise(&net.0, Profile::Exact, &inputs);
    assert!(db > exact, "exact: {db} dB");
    program
}

/// Holds a graph of integers to the very same numbers.
pub fn same(net: &Net, inputs: &[Vec<f32>]) -> Program {
    let (db, program) = noise(&net.0, Profile::Standard, inputs);
    assert!(db > 250.0, "{db} dB");
    program
}

/// A tensor of random numbers.
pub fn tensor(numbers: &mut Numbers, shape: &[usize]) -> Tensor {
    Tensor { shape: shape.to_vec(), values: numbers.reals(shape.iter().product()) }
}

/// One number.
pub fn scalar(value: f32) -> Tensor {
    Tensor { shape: Vec::new(), values: vec![value] }
}

/// A matrix product with random weights of a steady size.
pub fn linear(numbers: &mut Numbers, inputs: usize, outputs: usize) -> Op {
    let part = 1.0 / (inputs as f32).sqrt();
    let weights = numbers.reals(inputs * outputs).iter().map(|w| w * part).collect();
    Op::Linear(Linear { weights, bias: Some(numbers.reals(outputs)), outputs })
}

/// A normalisation over the last dimension with random factors.
pub fn norm(numbers: &mut Numbers, rank: usize, size: usize, centred: bool) -> Op {
    let scale =
        Some(Tensor { shape: vec![size], values: numbers.reals(size).iter().map(|v| v + 1.5).collect() });
    let offset = centred.then(|| tensor(numbers, &[size]));
    Op::Norm(Norm { centred, axes: vec![rank - 1], epsilon: 1e-5, scale, offset })
}

/// A window over an image.
pub fn window(input: [usize; 2], kernel: [usize; 2], stride: [usize; 2], pad: usize) -> Window {
    let pads = [0, 1].map(|axis| if input[axis] == 1 { 0 } else { pad });
    let output = [0, 1].map(|axis| (input[axis] + 2 * pads[axis] - kernel[axis]) / stride[axis] + 1);
    Window { kernel, stride, dilation: [1, 1], begin: pads, end: pads, input, output }
}
