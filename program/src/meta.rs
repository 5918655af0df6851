//! What people want to know of a program; nothing is computed from it. Scales are bit patterns of f32 values.

use narrows_commitment::Digest;
use serde::{Deserialize, Serialize};

/// The meta section (SPEC 6), bound into the program's root by its hash.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Meta {
    /// The model's name.
    pub name: String,
    /// Hash of the source file.
    pub source: Digest,
    /// The compiler that wrote the program, and its version.
    pub compiler: String,
    /// Hash of the calibration samples.
    pub calibration: Digest,
    /// The fidelity profile.
    pub profile: String,
    /// Files that belong to the model beside its weights, such as a tokenizer or a description of its pre-processing, and
    /// their hashes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bound: Vec<BoundFile>,
    /// The input tensor.
    pub input: TensorMeta,
    /// The output tensor.
    pub output: TensorMeta,
    /// The operators, in order; may be empty for a program with no source. SPEC 6 names the entry `layers`.
    #[serde(rename = "layers")]
    pub operators: Vec<OperatorMeta>,
}

/// A file that a program is bound to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BoundFile {
    /// Its name, without folders.
    pub name: String,
    /// keccak of its bytes.
    pub hash: Digest,
}

/// A public tensor.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TensorMeta {
    /// Its name in the source model.
    pub name: String,
    /// Its shape in the source model's order of axes.
    pub shape: Vec<u32>,
    /// The f32 bit pattern of its scale: real value = integer x scale.
    pub scale_bits: u32,
}

/// An operator.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperatorMeta {
    /// The source model's nodes that this operator computes, in their own names.
    pub nodes: Vec<String>,
    /// The source model's operator types of those nodes.
    pub operators: Vec<String>,
    /// The f32 bit pattern of its output's scale.
    pub scale_bits: u32,
    /// The output's shape, channels last.
    pub shape: Vec<u32>,
}

impl OperatorMeta {
    /// The nodes' names joined by ` + `.
    #[must_use]
    pub fn label(&self) -> String {
        self.nodes.join(" + ")
    }
}
