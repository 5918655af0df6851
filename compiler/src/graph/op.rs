//! What nodes do.

use crate::window::Window;

/// A constant of real numbers, broadcast as ONNX broadcasts.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// Its dimensions, never more than those of the activation it meets.
    pub shape: Vec<usize>,
    /// Row-major.
    pub values: Vec<f32>,
}

impl Tensor {
    /// A tensor of no dimensions.
    #[must_use]
    pub fn scalar(value: f32) -> Self {
        Self { shape: Vec::new(), values: vec![value] }
    }

    /// The one value that every element has, if so.
    #[must_use]
    pub fn uniform(&self) -> Option<f32> {
        let first = *self.values.first()?;
        self.values.iter().all(|&v| v == first).then_some(first)
    }
}

/// A 2-D convolution of `[1, channels, height, width]`; one of `[1, channels, length]` has height 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Conv {
    /// `[output channel][input channel of its group][kernel row][kernel column]`.
    pub weights: Vec<f32>,
    /// One per output channel.
    pub bias: Option<Vec<f32>>,
    /// Number of output channels.
    pub outputs: usize,
    /// Number of groups.
    pub groups: usize,
    /// The sliding window.
    pub window: Window,
    /// For a transposed convolution, the zeros between neighbouring inputs plus 1, per axis; 1 otherwise. The window is
    /// the one that slides over the input so spread, `window.input` its size then, and the weights are turned to match.
    pub spread: [usize; 2],
}

/// A matrix product of an activation `[…, inputs]` with constant weights, to `[…, outputs]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Linear {
    /// `[output][input]`.
    pub weights: Vec<f32>,
    /// One per output.
    pub bias: Option<Vec<f32>>,
    /// Number of outputs.
    pub outputs: usize,
}

/// Two activations combined element by element, broadcast as ONNX broadcasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binary {
    /// a + b.
    Add,
    /// a - b.
    Sub,
    /// a * b.
    Mul,
    /// a / b.
    Div,
    /// The smaller.
    Min,
    /// The greater.
    Max,
    /// 1 where equal, else 0; of integers.
    Equal,
}

/// A function of one number, applied to each element.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Function {
    /// x (1 + erf(x / sqrt 2)) / 2.
    Gelu,
    /// Gelu by its hyperbolic tangent.
    GeluTanh,
    /// The error function.
    Erf,
    /// Hyperbolic tangent.
    Tanh,
    /// 1 / (1 + exp -x).
    Sigmoid,
    /// x sigmoid(x).
    Silu,
    /// x clamp(x / 6 + 1/2, 0, 1).
    HardSwish,
    /// clamp(alpha x + beta, 0, 1).
    HardSigmoid {
        /// The slope.
        alpha: f32,
        /// The offset.
        beta: f32,
    },
    /// x, or alpha x below 0.
    LeakyRelu {
        /// The slope below 0.
        alpha: f32,
    },
    /// x, or alpha (exp x - 1) below 0.
    Elu {
        /// The factor below 0.
        alpha: f32,
    },
    /// ln(1 + exp x).
    Softplus,
    /// e to the power x.
    Exp,
    /// Natural logarithm.
    Log,
    /// Square root.
    Sqrt,
    /// 1 / x.
    Reciprocal,
    /// 1 / sqrt x.
    ReciprocalSqrt,
    /// x to a constant power.
    Pow {
        /// The exponent.
        exponent: f32,
    },
    /// The magnitude.
    Abs,
    /// Sine, of rotary embeddings.
    Sin,
    /// Cosine.
    Cos,
}

/// How a reduction combines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reduction {
    /// The sum.
    Sum,
    /// The mean.
    Mean,
    /// The greatest.
    Max,
    /// The least.
    Min,
    /// The sum of squares.
    SumSquare,
}

/// A normalisation over the last `axes` dimensions.
#[derive(Debug, Clone, PartialEq)]
pub struct Norm {
    /// Whether the mean is taken away (layer normalisation), or not (RMS norm).
    pub centred: bool,
    /// The normalised dimensions, increasing; usually the last alone.
    pub axes: Vec<usize>,
    /// What is added to the variance.
    pub epsilon: f32,
    /// The factor, of the shape of the normalised dimensions or broadcast to the whole activation.
    pub scale: Option<Tensor>,
    /// The offset, likewise.
    pub offset: Option<Tensor>,
}

/// What a node does. Constants are part of it; only activations are inputs.
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    /// Convolution of one activation.
    Conv(Conv),
    /// Matrix product of one activation with constant weights.
    Linear(Linear),
    /// Matrix product of two activations: ONNX `MatMul`, batched and broadcast.
    MatMul,
    /// `x * scale + offset`, each broadcast to x's shape: also addition of, and multiplication by, constants, and batch norm.
    Affine {
        /// Factors.
        scale: Tensor,
        /// Offsets.
        offset: Tensor,
    },
    /// `min(max(x, low), high)`, either bound possibly infinite; `Relu` is `[0, inf]`.
    Clip {
        /// The lower bound.
        low: f32,
        /// The upper bound.
        high: f32,
    },
    /// Two activations, element by element.
    Binary(Binary),
    /// A function of each element.
    Function(Function),
    /// `mask != 0 ? x : other`, mask and other constants broadcast to x's shape.
    Mask {
        /// 1 where x is kept, 0 elsewhere.
        keep: Tensor,
        /// What stands elsewhere.
        other: Tensor,
    },
    /// `condition ? a : b` of three activations, the condition of integers 0 and 1.
    Select,
    /// Softmax along one axis, or its logarithm.
    Softmax {
        /// The axis.
        axis: usize,
        /// Whether the logarithm is taken.
        log: bool,
    },
    /// Layer normalisation or RMS norm.
    Norm(Norm),
    /// A reduction over axes.
    Reduce {
        /// How values are combined.
        reduction: Reduction,
        /// The reduced axes, increasing.
        axes: Vec<usize>,
        /// Whether they stay, with length 1.
        keep: bool,
    },
    /// Which is greatest along an axis, the first of equals.
    ArgMax {
        /// The axis.
        axis: usize,
        /// Whether it stays, with length 1.
        keep: bool,
    },
    /// Maximum over windows of `[1, channels, height, width]`, or of `[1, channels, length]` with height 1; padding never wins.
    MaxPool(Window),
    /// Mean over windows, likewise.
    AveragePool {
        /// The sliding window.
        window: Window,
        /// Whether padding counts in the divisor.
        count_padding: bool,
    },
    /// Rows of a constant `[rows, …]` that an activation of integers names: `[…indices, …]`. An index beyond the rows reads the
    /// first or the last.
    Embedding(Tensor),
    /// The same elements in ONNX's row-major order under another shape, or under the same one.
    Reshape,
    /// Dimensions in another order: output dimension i is input dimension `order[i]`.
    Transpose {
        /// Where each output dimension comes from.
        order: Vec<usize>,
    },
    /// For each dimension where it begins and its step; the output's shape says how many. Steps may be negative.
    Slice {
        /// The first position, per dimension.
        starts: Vec<usize>,
        /// The step, per dimension.
        steps: Vec<isize>,
    },
    /// Dimensions of length 1, or missing ones in front, repeated to the output's shape.
    Expand,
    /// Activations joined along an axis.
    Concat {
        /// The axis.
        axis: usize,
    },
    /// Zeros around an activation; the output's shape says how many stand behind.
    Pad {
        /// Zeros in front, per dimension.
        before: Vec<usize>,
    },
    /// Each element repeated so often along each dimension: nearest resize by whole factors.
    Repeat {
        /// Factors, per dimension.
        factors: Vec<usize>,
    },
    /// Gumbel noise for each of the output's elements, from a seed of two integers of 16 bits, at a position of a
    /// generation: what makes a greatest score a draw.
    Noise {
        /// The position.
        step: usize,
    },
    /// The integers behind real numbers of scale 1, or the reverse: a cast between kinds.
    Cast,
}

impl Op {
    /// Number of weights held, biases aside.
    pub(crate) fn weights(&self) -> usize {
        match self {
            Self::Conv(conv) => conv.weights.len(),
            Self::Linear(linear) => linear.weights.len(),
            Self::Affine { scale, .. } => scale.values.len(),
            Self::Mask { keep, .. } => keep.values.len(),
            Self::Embedding(table) => table.values.len(),
            _ => 0,
        }
    }
}
