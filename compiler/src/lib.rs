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
mod error;
mod float;
mod fuse;
mod graph;
mod layers;
mod layout;
pub mod limits;
mod lower;
mod npy;
mod onnx;
mod operators;
mod profile;
mod progress;
mod public;
mod report;
mod requantise;
mod samples;
mod window;

pub use compile::{Compiled, Options, compile};
pub use constant::{Constant, ConstantData};
pub use error::{CompileError, Dimensions, Names};
pub use float::{FloatModel, FloatValues};
pub use graph::{Affine, Conv, Graph, Linear, Node, Op, Value, ValueId};
pub use layers::{LayersOption, ParseLayersError};
pub use onnx::DimensionSizes;
pub use operators::SUPPORTED_OPERATORS;
pub use profile::Profile;
pub use progress::{Progress, Step};
pub use public::{decode_output, encode_input};
pub use report::{Engine, OperatorReport, Report, TestReport, Vanished};
pub use samples::Samples;
pub use window::Window;
