//! One step of a decoder, repeated: a program that reads a prompt and generates what follows, token by token.
//!
//! The model is one step with a cache, as exporters write it: it reads one token, its position and, for each layer, the
//! keys and values so far, and gives logits and the keys and values with the new ones behind. Here the step's nodes are
//! copied for each position; caches and tokens go from one copy to the next, and the sampler is part of the graph. So a
//! generation is a program like any other: its trace runs from token to token, its caches are tensors of it, and a dispute
//! narrows to a token, a layer and a step. Weights are shared by all copies.

mod interface;
pub(crate) mod sampler;

use std::collections::BTreeMap;
use std::path::Path;

use crate::attributes::{Attribute, Attributes};
use crate::constant::{Constant, ConstantData, element};
use crate::error::CompileError;
use crate::limits::{MAX_NODES, MAX_TOKENS};
use crate::onnx::{self, RawModel, RawNode};

use interface::Interface;
pub use sampler::Sampler;

/// What stands before the name of everything that belongs to one position: `@12/`.
pub(crate) fn prefix(step: usize) -> String {
    format!("@{step}/")
}

/// The name without the position it belongs to: copies of one node share it.
#[must_use]
pub fn shared_name(name: &str) -> &str {
    let copy = name.strip_prefix('@').and_then(|rest| rest.split_once('/'));
    match copy {
        Some((step, rest)) if !step.is_empty() && step.bytes().all(|b| b.is_ascii_digit()) => rest,
        _ => name,
    }
}

/// How a step is repeated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Generation {
    /// Tokens that the input has room for. A shorter prompt is filled with -1, and generation begins earlier.
    pub prompt: usize,
    /// Tokens generated after them.
    pub tokens: usize,
    /// How a token is chosen from its logits.
    pub sampler: Sampler,
}

impl Generation {
    /// Positions at which the step runs: the last token is chosen, and read by nobody.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.prompt + self.tokens - 1
    }
}

/// Decodes one step and repeats it. The model's input is then the prompt (and the seed, for a sampler that takes one), its
/// output the prompt and what follows.
pub(crate) fn decode(bytes: &[u8], path: &Path, generation: &Generation) -> Result<RawModel, CompileError> {
    let fail = |detail: String| CompileError::Graph { path: path.into(), detail };
    if generation.prompt == 0 || generation.tokens == 0 || generation.prompt + generation.tokens > MAX_TOKENS
    {
        return Err(fail(format!(
            "a generation of {} tokens after {} is asked for; at least 1 each, and {MAX_TOKENS} together, are compiled",
            generation.tokens, generation.prompt
        )));
    }
    let model = onnx::parse(bytes, path)?;
    let graph = onnx::graph(&model, path)?;
    let opset = onnx::check_opset(&model).map_err(fail)?;
    let interface = Interface::of(graph).map_err(fail)?;
    let constants = onnx::initializers(graph, path)?;
    let nodes = onnx::raw_nodes(graph)?;
    if nodes.len().saturating_mul(generation.steps()) > MAX_NODES {
        return Err(fail(format!(
            "{} nodes at {} positions are more than {MAX_NODES}; generate fewer tokens",
            nodes.len(),
            generation.steps()
        )));
    }
    let mut unrolled = Unrolled { generation, interface: &interface, nodes: Vec::new(), constants };
    let chosen: Vec<String> = (0..generation.steps()).map(|step| unrolled.step(step, &nodes)).collect();
    let output = unrolled.join(&chosen);
    let Unrolled { nodes, constants, .. } = unrolled;
    let nodes = onnx::topological(nodes, INPUT, &constants).map_err(fail)?;
    let read = generation.prompt + generation.sampler.seed_elements();
    Ok(RawModel {
        name: graph.name.clone(),
        opset,
        input: INPUT.into(),
        input_shape: vec![1, read],
        input_type: element::INT32,
        output,
        nodes,
        constants,
    })
}

/// The name of the model's input.
const INPUT: &str = "prompt";
/// What stands in a prompt where there is no token.
const NO_TOKEN: i64 = -1;

struct Unrolled<'a> {
    generation: &'a Generation,
    interface: &'a Interface,
    nodes: Vec<RawNode>,
    constants: BTreeMap<String, Constant>,
}

impl Unrolled<'_> {
    /// Copies the step for one position; the name of the token chosen there.
    fn step(&mut self, step: usize, nodes: &[RawNode]) -> String {
        let at = prefix(step);
        let token = self.token(step);
        let mut known: BTreeMap<&str, String> = BTreeMap::new();
        known.insert(&self.interface.token, token);
        let interface = self.interface;
        for name in &interface.positions {
            known
                .insert(name, self.constant(&at, name, vec![1, 1], ConstantData::Integer(vec![step as i64])));
        }
        for name in &interface.masks {
            let ones = ConstantData::Integer(vec![1; step + 1]);
            known.insert(name, self.constant(&at, name, vec![1, step + 1], ones));
        }
        for cache in &interface.caches {
            let name = match step {
                0 => self.constant(&at, &cache.past, cache.shape(0), ConstantData::Float(Vec::new())),
                _ => format!("{}{}", prefix(step - 1), cache.present),
            };
            known.insert(&cache.past, name);
        }
        let rename = |name: &String, constants: &BTreeMap<String, Constant>| match known.get(name.as_str()) {
            Some(known) => known.clone(),
            None if name.is_empty() || constants.contains_key(name) => name.clone(),
            None => format!("{at}{name}"),
        };
        for node in nodes {
            let mut inputs: Vec<String> =
                node.inputs.iter().map(|name| rename(name, &self.constants)).collect();
            let mut operator = node.operator.clone();
            let mut attributes = node.attributes.clone();
            // Nothing is before the first position: joining it is doing nothing.
            if step == 0 && operator == "Concat" {
                inputs.retain(|name| !self.constants.get(name).is_some_and(Constant::is_empty));
                if let [_] = inputs[..] {
                    (operator, attributes) = ("Identity".into(), Attributes::of("Identity", &node.name, []));
                }
            }
            self.nodes.push(RawNode {
                name: format!("{at}{}", node.name),
                operator,
                inputs,
                outputs: node.outputs.iter().map(|name| rename(name, &self.constants)).collect(),
                attributes,
            });
        }
        self.choose(step, &format!("{at}{}", self.interface.logits))
    }

    /// The token that the step at a position reads: the prompt's, and where that ends the one chosen before.
    fn token(&mut self, step: usize) -> String {
        let at = prefix(step);
        if step >= self.generation.prompt {
            return chosen(step - 1);
        }
        let given = self.slice(&at, "prompt", step, 1);
        if step == 0 {
            return given;
        }
        let none = self.shared("none", vec![1], ConstantData::Integer(vec![NO_TOKEN]));
        let absent = self.add(&at, "prompt/absent", "Equal", &[&given, &none], []);
        self.add(&at, "token", "Where", &[&absent, &chosen(step - 1), &given], [])
    }

    /// Adds the sampler of a position.
    fn choose(&mut self, step: usize, logits: &str) -> String {
        let at = prefix(step);
        let scored = match self.generation.sampler {
            Sampler::Greedy => logits.to_owned(),
            Sampler::Seeded { temperature } => {
                let scale = self.shared("temperature", vec![], ConstantData::Float(vec![1.0 / temperature]));
                let cooled = self.add(&at, "sampler/cooled", "Mul", &[logits, &scale], []);
                let seed =
                    self.slice(&at, "seed", self.generation.prompt, self.generation.sampler.seed_elements());
                let step = [("step", Attribute::Int(step as i64))];
                let noise = self.add(&at, "sampler/noise", sampler::NOISE, &[&seed, &cooled], step);
                self.add(&at, "sampler/scores", "Add", &[&cooled, &noise], [])
            }
        };
        let along = [("axis", Attribute::Int(-1)), ("keepdims", Attribute::Int(0))];
        self.add(&at, "chosen", "ArgMax", &[&scored], along)
    }

    /// The whole text: what each position read, and the last token chosen.
    fn join(&mut self, chosen: &[String]) -> String {
        let tokens: Vec<String> = (0..chosen.len())
            .map(|step| match step {
                step if step >= self.generation.prompt => chosen[step - 1].clone(),
                0 => format!("{}prompt", prefix(0)),
                step => format!("{}token", prefix(step)),
            })
            .chain(chosen.last().cloned())
            .collect();
        let names: Vec<&str> = tokens.iter().map(String::as_str).collect();
        self.add("", "text", "Concat", &names, [("axis", Attribute::Int(1))])
    }

    /// Elements of the input.
    fn slice(&mut self, at: &str, name: &str, from: usize, count: usize) -> String {
        let integers = |values: Vec<i64>| ConstantData::Integer(values);
        let starts = self.constant(at, &format!("{name}.from"), vec![1], integers(vec![from as i64]));
        let ends = self.constant(at, &format!("{name}.to"), vec![1], integers(vec![(from + count) as i64]));
        let axes = self.shared("axis", vec![1], integers(vec![1]));
        self.add(at, name, "Slice", &[INPUT, &starts, &ends, &axes], [])
    }

    fn add<const N: usize>(
        &mut self,
        at: &str,
        name: &str,
        operator: &str,
        inputs: &[&str],
        attributes: [(&str, Attribute); N],
    ) -> String {
        let name = format!("{at}{name}");
        self.nodes.push(RawNode {
            name: name.clone(),
            operator: operator.into(),
            inputs: inputs.iter().map(|input| (*input).to_owned()).collect(),
            outputs: vec![name.clone()],
            attributes: Attributes::of(operator, &name, attributes),
        });
        name
    }

    fn constant(&mut self, at: &str, name: &str, shape: Vec<usize>, data: ConstantData) -> String {
        let name = format!("{at}{name}");
        self.constants.insert(name.clone(), Constant { shape, data });
        name
    }

    /// A constant of the sampler's that all positions use.
    fn shared(&mut self, name: &str, shape: Vec<usize>, data: ConstantData) -> String {
        self.constant("@/", name, shape, data)
    }
}

fn chosen(step: usize) -> String {
    format!("{}chosen", prefix(step))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lose_their_position_and_nothing_else() {
        assert_eq!(shared_name("@12/block0/key"), "block0/key");
        for name in ["block0", "@/one", "@x/one", "@12", "12/one", "a@12/b"] {
            assert_eq!(shared_name(name), name);
        }
        assert_eq!(shared_name(&format!("{}name", prefix(7))), "name");
    }
}
