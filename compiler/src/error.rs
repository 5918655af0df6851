//! The one error type of this crate: each message names the thing and the remedy.

use std::fmt;
use std::path::PathBuf;

use crate::limits::MAX_QUOTED;

/// Why a model, a set of samples or a compilation was refused.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// The file system refused.
    #[error("cannot read {}; check the path and its permissions", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file is larger than any the compiler takes.
    #[error("{} has {bytes} bytes, more than the limit of {limit}; split it", path.display())]
    FileTooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// The bytes are not a whole ONNX model.
    #[error("{} is not a complete ONNX model: {detail}; export or download it again", path.display())]
    NotOnnx {
        /// The file.
        path: PathBuf,
        /// What was wrong.
        detail: String,
    },
    /// The graph as a whole cannot be compiled.
    #[error("the model {} cannot be compiled: {detail}", path.display())]
    Graph {
        /// The file.
        path: PathBuf,
        /// What was wrong and the remedy.
        detail: String,
    },
    /// A dimension of the model's input has no value.
    #[error(
        "input {input} has no fixed size for dimension {axis} ({dimension}); \
         export the model with fixed sizes, or give a size for it"
    )]
    UnknownDimension {
        /// The input's name.
        input: String,
        /// Which dimension, from 0.
        axis: usize,
        /// Its symbolic name, or `unnamed`.
        dimension: String,
    },
    /// The model's input is of a kind that is not compiled.
    #[error("the model's input {input} cannot be compiled: {detail}")]
    Input {
        /// The input's name.
        input: String,
        /// What was wrong and the remedy.
        detail: String,
    },
    /// An initializer or constant does not hold what its header says.
    #[error("the tensor {tensor} is malformed: {detail}; export the model again")]
    Tensor {
        /// The tensor's name.
        tensor: String,
        /// What was wrong.
        detail: String,
    },
    /// An operator that is not compiled.
    #[error("node {node} uses the operator {operator}, which is not supported; supported are: {supported}")]
    UnsupportedOperator {
        /// The operator, with its domain when that is not the standard one.
        operator: String,
        /// The node's name in the source.
        node: String,
        /// Every supported operator.
        supported: Names,
    },
    /// A supported operator with an attribute that is not compiled.
    #[error("node {node} ({operator}) has the attribute {attribute}, which is not supported here: {detail}")]
    UnsupportedAttribute {
        /// The operator.
        operator: String,
        /// The node's name in the source.
        node: String,
        /// The attribute.
        attribute: String,
        /// What is supported.
        detail: String,
    },
    /// A supported operator used in a way that is wrong or not compiled.
    #[error("node {node} ({operator}) cannot be compiled: {detail}")]
    Node {
        /// The operator.
        operator: String,
        /// The node's name in the source.
        node: String,
        /// What was wrong and the remedy.
        detail: String,
    },
    /// A folder of samples holds none.
    #[error("{} holds no .npy or .npz file; put the samples there or name another folder", path.display())]
    NoSamples {
        /// The folder.
        path: PathBuf,
    },
    /// A sample file cannot be read.
    #[error("{} is not a usable sample file: {detail}", path.display())]
    SampleFile {
        /// The file, with the entry for a `.npz`.
        path: PathBuf,
        /// What was wrong and the remedy.
        detail: String,
    },
    /// An array is not of the model's input shape.
    #[error(
        "{} has the shape {found}, but the model takes {expected}; \
         give that shape, or that shape with a leading batch dimension",
        path.display()
    )]
    SampleShape {
        /// The file, with the entry for a `.npz`.
        path: PathBuf,
        /// The array's shape.
        found: Dimensions,
        /// The model's input shape without its batch dimension.
        expected: Dimensions,
    },
    /// A sample holds NaN or an infinity.
    #[error("{} holds {value} in sample {sample}, element {element}; remove or repair that sample", path.display())]
    SampleNotFinite {
        /// The file, with the entry for a `.npz`.
        path: PathBuf,
        /// Index of the sample in the file.
        sample: usize,
        /// Flat index of the element in the sample.
        element: usize,
        /// The value.
        value: f64,
    },
    /// There are no samples to work with, or they are not of the model's input shape.
    #[error("the {what} samples cannot be used: {detail}")]
    Samples {
        /// Which set.
        what: &'static str,
        /// What was wrong and the remedy.
        detail: String,
    },
    /// The values to make into a program's input, or an output's bytes, have another length.
    #[error("{what} has {found} elements, and the program has {expected}; check which program it is for")]
    Length {
        /// What was given.
        what: &'static str,
        /// Its number of elements.
        found: usize,
        /// The program's.
        expected: usize,
    },
    /// A program's meta section does not tell how its input or output is scaled.
    #[error("the program does not tell the {what} of its {which}; use one written by this compiler")]
    Meta {
        /// `input` or `output`.
        which: &'static str,
        /// What is missing or does not fit.
        what: &'static str,
    },
    /// A way to cut layers that there is not.
    #[error(transparent)]
    Layers(#[from] crate::layers::ParseLayersError),
    /// Overrides that do not fit the model.
    #[error("the overrides cannot be used: {detail}")]
    Overrides {
        /// What was wrong and the remedy.
        detail: String,
    },
    /// The model needs a program beyond the protocol's limits.
    #[error("the model makes no legal program: {0}")]
    Illegal(#[from] narrows_program::Illegal),
    /// The engine that was to try the program failed.
    #[error("the engine failed on the compiled program: {detail}; report this, the program is legal")]
    Engine {
        /// What it said.
        detail: String,
    },
    /// The float run produced NaN or an infinity.
    #[error(
        "the value of node {node} is not finite on calibration sample {sample}; check the model's weights and how the samples were normalised"
    )]
    ActivationNotFinite {
        /// The node's name in the source.
        node: String,
        /// Index of the sample.
        sample: usize,
    },
}

/// A list of names, printed with commas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names(pub Vec<String>);

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(", "))
    }
}

/// A shape, printed as `1x8x8`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dimensions(pub Vec<usize>);

impl fmt::Display for Dimensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("scalar");
        }
        for (i, d) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("x")?;
            }
            write!(f, "{d}")?;
        }
        Ok(())
    }
}

/// A name from a file made safe for a message: cut to a bounded length, control characters replaced.
#[must_use]
pub(crate) fn quote(text: &str) -> String {
    let mut out: String =
        text.chars().take(MAX_QUOTED).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if text.chars().nth(MAX_QUOTED).is_some() {
        out.push_str("...");
    }
    out
}
