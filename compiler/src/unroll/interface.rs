//! What a step reads and gives, by the names that exporters use.

use onnx_ir::{GraphProto, ValueInfoProto};

use crate::error::quote;

/// The inputs and outputs of one step.
#[derive(Debug)]
pub(super) struct Interface {
    pub token: String,
    /// Inputs that take the position.
    pub positions: Vec<String>,
    /// Inputs that take a mask over the positions so far: all ones.
    pub masks: Vec<String>,
    pub caches: Vec<Cache>,
    pub logits: String,
}

/// Keys or values of one layer.
#[derive(Debug)]
pub(super) struct Cache {
    pub past: String,
    pub present: String,
    /// Its dimensions; `None` for the number of positions so far.
    dims: Vec<Option<usize>>,
}

impl Cache {
    /// The shape after so many positions.
    pub fn shape(&self, positions: usize) -> Vec<usize> {
        self.dims.iter().map(|dim| dim.unwrap_or(positions)).collect()
    }
}

impl Interface {
    /// Reads a graph's inputs and outputs.
    pub fn of(graph: &GraphProto) -> Result<Self, String> {
        let constants: Vec<&str> = graph.initializer.iter().map(|tensor| tensor.name.as_str()).collect();
        let inputs = graph.input.iter().filter(|input| !constants.contains(&input.name.as_str()));
        let outputs: Vec<&str> = graph.output.iter().map(|output| output.name.as_str()).collect();
        let (mut tokens, mut positions, mut masks, mut caches) = (vec![], vec![], vec![], vec![]);
        for input in inputs {
            let name = input.name.clone();
            match name.as_str() {
                "tokens" | "token" | "input_ids" => tokens.push(name),
                "position" | "positions" | "position_ids" | "cache_position" => positions.push(name),
                "attention_mask" => masks.push(name),
                _ if name.starts_with("past") => caches.push(cache(input, &outputs)?),
                _ => {
                    return Err(format!(
                        "its input {} is none of a step's: tokens (or input_ids), position (or position_ids), \
                         attention_mask, past…; export one step with its cache",
                        quote(&name)
                    ));
                }
            }
        }
        let [token] = &tokens[..] else {
            return Err(format!("it has {} inputs for tokens, and a step reads one", tokens.len()));
        };
        if caches.is_empty() {
            return Err("it has no inputs named past…; export one step with its cache".into());
        }
        if !outputs.contains(&"logits") {
            return Err("it has no output named logits; name it so".into());
        }
        Ok(Self { token: token.clone(), positions, masks, caches, logits: "logits".into() })
    }
}

fn cache(input: &ValueInfoProto, outputs: &[&str]) -> Result<Cache, String> {
    let past = input.name.clone();
    let tail = past.trim_start_matches("past_key_values").trim_start_matches("past");
    let present = outputs.iter().find(|name| {
        let own = name.strip_prefix("present_key_values").or_else(|| name.strip_prefix("present"));
        own == Some(tail)
    });
    let present = present
        .ok_or_else(|| format!("it has no output present{} for its input {}", quote(tail), quote(&past)))?;
    let shape = input.type_.as_ref().filter(|kind| kind.has_tensor_type()).and_then(|kind| {
        let tensor = kind.tensor_type();
        tensor.shape.as_ref().map(|shape| shape.dim.iter().collect::<Vec<_>>())
    });
    let shape =
        shape.ok_or_else(|| format!("its input {} has no shape; export it with one", quote(&past)))?;
    let mut dims = Vec::with_capacity(shape.len());
    for (axis, dim) in shape.iter().enumerate() {
        let fixed = dim.has_dim_value().then(|| dim.dim_value()).filter(|size| *size > 0);
        dims.push(match fixed.map(usize::try_from) {
            Some(size) => Some(size.map_err(|_| format!("its input {} is too large", quote(&past)))?),
            // The batch is 1 where it is open.
            None if axis == 0 => Some(1),
            None => None,
        });
    }
    match dims.iter().filter(|dim| dim.is_none()).count() {
        1 => Ok(Cache { past, present: (*present).to_owned(), dims }),
        open => Err(format!(
            "its input {} has {open} open dimensions beside the batch, and the number of positions alone may be open; \
             export it with the others fixed",
            quote(&past)
        )),
    }
}
