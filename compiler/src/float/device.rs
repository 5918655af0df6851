//! The heavy operators on a burn device.

use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Tensor, TensorData};

use crate::graph::{Conv, Op};
use crate::moves;

/// The constants of one node on the device.
pub(super) enum Placed {
    /// The node is not computed there.
    None,
    Conv {
        kernel: Tensor<4>,
        bias: Option<Tensor<1>>,
    },
    Linear {
        matrix: Tensor<2>,
        bias: Option<Tensor<2>>,
    },
    MatMul,
}

/// An array and the shape of one sample of it.
type Input<'a> = (&'a [f32], &'a [usize]);

impl Placed {
    pub(super) fn new(op: &Op, device: &Device) -> Self {
        match op {
            Op::Conv(conv) => {
                let [kh, kw] = conv.window.kernel;
                let per_group = conv.weights.len() / (conv.outputs * kh * kw);
                let kernel = tensor(conv.weights.clone(), [conv.outputs, per_group, kh, kw], device);
                let bias = conv.bias.as_ref().map(|b| tensor(b.clone(), [conv.outputs], device));
                Self::Conv { kernel, bias }
            }
            Op::Linear(linear) => {
                let shape = [linear.outputs, linear.weights.len() / linear.outputs];
                let matrix: Tensor<2> = tensor(linear.weights.clone(), shape, device);
                let bias = linear.bias.as_ref().map(|b| tensor(b.clone(), [1, linear.outputs], device));
                Self::Linear { matrix: matrix.transpose(), bias }
            }
            Op::MatMul => Self::MatMul,
            _ => Self::None,
        }
    }

    /// The node's output for all samples.
    pub(super) fn apply(
        &self,
        op: &Op,
        inputs: &[Input<'_>],
        shape: &[usize],
        samples: usize,
        device: &Device,
    ) -> Vec<f32> {
        let (x, x_shape) = inputs[0];
        match (self, op) {
            (Self::Conv { kernel, bias }, Op::Conv(conv)) => {
                let x = convolve(conv, kernel, bias, (x, x_shape), samples, device);
                values(x)
            }
            (Self::Linear { matrix, bias }, _) => {
                let width = x_shape[x_shape.len() - 1];
                let x: Tensor<2> = tensor(x.to_vec(), [x.len() / width, width], device);
                let y = x.matmul(matrix.clone());
                values(match bias {
                    Some(bias) => y + bias.clone(),
                    None => y,
                })
            }
            (Self::MatMul, _) => {
                let lead = &shape[..shape.len() - 2];
                let side = |(x, from): Input<'_>| -> Tensor<3> {
                    let matrix = &from[from.len() - 2..];
                    let each: usize = from.iter().product();
                    let to = [lead, matrix].concat();
                    let all: Vec<f32> = x.chunks(each).flat_map(|x| moves::expand(x, from, &to)).collect();
                    let batch = samples * lead.iter().product::<usize>();
                    tensor(all, [batch, matrix[0], matrix[1]], device)
                };
                values(side(inputs[0]).matmul(side(inputs[1])))
            }
            _ => unreachable!("constants are placed by the operator they belong to"),
        }
    }
}

fn convolve(
    conv: &Conv,
    kernel: &Tensor<4>,
    bias: &Option<Tensor<1>>,
    (x, shape): Input<'_>,
    samples: usize,
    device: &Device,
) -> Tensor<4> {
    let window = &conv.window;
    let channels = shape[1];
    let x = if conv.spread == [1, 1] { x.to_vec() } else { spread(x, shape, conv) };
    let [height, width] = window.input;
    let x = tensor(x, [samples, channels, height, width], device);
    let mut options = ConvOptions::new(window.stride, [0, 0], window.dilation, conv.groups);
    options.padding = [(window.begin[0], window.end[0]), (window.begin[1], window.end[1])];
    conv2d(x, kernel.clone(), bias.clone(), options)
}

/// Zeros between neighbours.
fn spread(x: &[f32], shape: &[usize], conv: &Conv) -> Vec<f32> {
    let width = shape[shape.len() - 1];
    let height = if shape.len() == 3 { 1 } else { shape[2] };
    let [wide_height, wide_width] = conv.window.input;
    let mut out = vec![0.0; x.len() / (height * width) * wide_height * wide_width];
    for (i, &v) in x.iter().enumerate() {
        let (plane, row, column) = (i / (height * width), i / width % height, i % width);
        out[(plane * wide_height + row * conv.spread[0]) * wide_width + column * conv.spread[1]] = v;
    }
    out
}

fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values, shape), device)
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec::<f32>().expect("the device computes in f32")
}
