//! How many bits weights and activations get.

use narrows_program::DType;
use serde::{Deserialize, Serialize};

use crate::graph::{Graph, Op};

/// A choice of integer types, by fidelity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// 8-bit weights and activations: for convolutional networks.
    Fast,
    /// 8-bit weights, 16-bit activations, a residual stream of 32: for transformers.
    Standard,
    /// As standard with 16-bit weights.
    Exact,
}

/// What the output's scale leaves free above the greatest calibrated value: it has 16 bits and can
/// spare one.
const OUTPUT_MARGIN: f64 = 2.0;
/// The same for 16-bit activations; 8-bit ones have no bit to spare.
const WIDE_MARGIN: f64 = 1.25;

impl Profile {
    /// Its name in a program's meta and on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Standard => "standard",
            Self::Exact => "exact",
        }
    }

    /// The profile of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Fast, Self::Standard, Self::Exact].into_iter().find(|p| p.name() == name)
    }

    /// The profile for a graph when nobody chooses one: [`Self::Standard`] where 8-bit activations are known to ruin the
    /// output (products of two activations, a softmax inside, normalisations, embeddings), else [`Self::Fast`].
    #[must_use]
    pub fn suited(graph: &Graph) -> Self {
        let delicate = |op: &Op| matches!(op, Op::MatMul | Op::Norm(_) | Op::Embedding(_));
        let inner =
            |op: &Op, output| matches!(op, Op::Softmax { .. }) && graph.readers(output).next().is_some();
        let found = graph.nodes.iter().any(|node| delicate(&node.op) || inner(&node.op, node.output));
        if found { Self::Standard } else { Self::Fast }
    }

    pub(crate) fn weights(self) -> DType {
        match self {
            Self::Fast | Self::Standard => DType::I8,
            Self::Exact => DType::I16,
        }
    }

    pub(crate) fn activations(self) -> DType {
        match self {
            Self::Fast => DType::I8,
            Self::Standard | Self::Exact => DType::I16,
        }
    }

    /// The type, in every profile, of what 8 bits hold badly: the model's output, whose ranks
    /// matter, and maps that spread their channels.
    pub(crate) fn wide(self) -> DType {
        DType::I16
    }

    /// Most entries of a function's table.
    pub(crate) fn table_entries(self) -> u32 {
        match self {
            Self::Fast => 1 << 12,
            Self::Standard | Self::Exact => 1 << 16,
        }
    }

    /// How far past the greatest calibrated value the scale of a type reaches.
    pub(crate) fn margin(dtype: DType, is_output: bool) -> f64 {
        match (is_output, dtype) {
            (true, _) => OUTPUT_MARGIN,
            (false, DType::I8) => 1.0,
            (false, _) => WIDE_MARGIN,
        }
    }
}
