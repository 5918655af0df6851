//! Turns an ONNX model and calibration samples into a fixed-point program, with a fidelity report.
//!
//! The way through: [`Graph::load`] reads and checks a model, [`Samples::load`] its calibration
//! set, [`compile`] makes a legal [`Program`](narrows_program::Program), and [`Compiled::report`]
//! compares it with the float model, run by an [`Engine`] that the caller brings.
//! [`encode_input`] and [`decode_output`] stand between real numbers and a program.
//!
//! Floats are used here and nowhere else in the workspace's rules: what leaves is integers.

mod attributes;
mod build;
mod calibrate;
mod compile;
mod constant;
mod curve;
mod error;
mod explain;
mod float;
mod fold;
mod function;
mod fuse;
mod graph;
mod judge;
mod layers;
pub mod limits;
mod lower;
mod moves;
mod npy;
mod onnx;
mod operators;
mod overrides;
mod profile;
mod progress;
mod public;
mod recognise;
mod report;
mod requantise;
mod samples;
mod unroll;
mod view;
mod window;

pub use compile::{Compiled, Options, compile};
pub use constant::{Constant, ConstantData};
pub use error::{CompileError, Dimensions, Names};
pub use float::{FloatModel, FloatValues};
pub use function::erf;
pub use graph::{
    Binary, Conv, Function, Graph, Kind, Linear, Node, Norm, Op, Origin, Reduction, Tensor, Value, ValueId,
};
pub use judge::TestReport;
pub use layers::{LayersOption, ParseLayersError};
pub use onnx::{DimensionSizes, ModelOptions, ParseFixedError, ParseShapeError};
pub use operators::SUPPORTED_OPERATORS;
pub use overrides::{Override, Overrides};
pub use profile::Profile;
pub use progress::{Progress, Step};
pub use public::{decode_output, encode_input};
pub use report::{Advice, Closeness, Engine, OperatorReport, Report, Vanished};
pub use samples::Samples;
pub use unroll::{Generation, Sampler, shared_name};
pub use window::Window;
