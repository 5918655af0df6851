//! What a person sets otherwise than the profile, tensor by tensor.

use std::collections::BTreeMap;
use std::path::Path;

use narrows_program::DType;
use serde::{Deserialize, Serialize};

use crate::error::CompileError;
use crate::graph::{Graph, read_file};

/// What is set for the output of one node.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Override {
    /// Its type: `i8`, `i16` or `i32`.
    #[serde(default)]
    pub dtype: Option<DType>,
    /// How far past the greatest calibrated magnitude its scale reaches, as a factor.
    #[serde(default)]
    pub margin: Option<f64>,
    /// The greatest magnitude, in place of the calibrated one.
    #[serde(default)]
    pub range: Option<f64>,
}

/// Overrides by the names of source nodes.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Overrides(pub BTreeMap<String, Override>);

impl Overrides {
    /// Reads a JSON file: an object of node names, each with any of `dtype`, `margin` and `range`.
    ///
    /// # Errors
    /// [`CompileError::Io`], [`CompileError::FileTooLarge`] or [`CompileError::Overrides`].
    pub fn load(path: &Path) -> Result<Self, CompileError> {
        let bytes = read_file(path)?;
        serde_json::from_slice(&bytes).map_err(|e| CompileError::Overrides {
            detail: format!("{} is not such a file: {e}", path.display()),
        })
    }

    /// Refuses names that the graph does not have, and numbers that are no margins or ranges.
    pub(crate) fn check(&self, graph: &Graph) -> Result<(), CompileError> {
        for (name, wish) in &self.0 {
            let known = graph.nodes.iter().flat_map(|node| &node.sources).any(|origin| origin.name == *name);
            let positive = |n: Option<f64>| n.is_none_or(|n| n.is_finite() && n > 0.0);
            let whole = wish.dtype.is_none_or(DType::is_integer);
            let detail = if !known {
                format!("the model has no node {name}; give names from the report")
            } else if !(positive(wish.margin) && positive(wish.range) && whole) {
                format!(
                    "node {name} is given a number that is not positive, or a type that holds no activations"
                )
            } else {
                continue;
            };
            return Err(CompileError::Overrides { detail });
        }
        Ok(())
    }

    /// What is set for an output that any of these nodes makes; the last one's word counts.
    pub(crate) fn of<'a>(&self, names: impl Iterator<Item = &'a str>) -> Override {
        names.filter_map(|name| self.0.get(name)).last().copied().unwrap_or_default()
    }
}
