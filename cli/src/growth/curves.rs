//! Which models are measured, and the processes that measure them.

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use narrows_challenger::engine::Backend;
use serde_json::Value;

use super::figures::{Figures, Part, Point};
use super::models::Model;
use super::rows::Sample;

/// Models that differ in one number.
#[derive(Debug)]
pub struct Curve {
    /// Its name, for machines.
    pub name: &'static str,
    /// What grows.
    pub axis: &'static str,
    /// What the models are.
    pub what: &'static str,
    /// What is measured about each.
    pub parts: &'static [Part],
    /// What grows, and the model.
    pub models: Vec<(u64, Model)>,
}

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub struct Scale {
    /// Small models only.
    pub quick: bool,
    /// The binary logarithm of the operators of the longest chain.
    pub largest: u32,
}

const HONEST: &[Part] = &[Part::Run, Part::Check];

/// All curves.
pub fn curves(scale: Scale) -> Vec<Curve> {
    let powers = |from: u32, to: u32, step: usize| (from..=to).step_by(step).map(|log| 1u32 << log);
    let less = |full: u32, quick: u32| if scale.quick { quick } else { full };
    let stack = |width, depth, batch| Model::Stack { width, depth, batch };
    let curve = |name, axis, what, parts, models: Vec<(u32, Model)>| {
        let models = models.into_iter().map(|(at, model)| (u64::from(at), model)).collect();
        Curve { name, axis, what, parts, models }
    };
    let chains: Vec<u32> = powers(4, scale.largest, 2).collect();
    vec![
        curve(
            "width",
            "width",
            "8 products with an activation each, batch 1",
            HONEST,
            powers(6, less(11, 9), 1).map(|width| (width, stack(width, 8, 1))).collect(),
        ),
        curve(
            "depth",
            "products",
            "products of 256 x 256 weights, batch 1",
            HONEST,
            powers(1, less(11, 7), 2).map(|depth| (depth, stack(256, depth, 1))).collect(),
        ),
        curve(
            "tokens",
            "tokens",
            "a block of self-attention, one head of 64",
            HONEST,
            powers(5, less(11, 8), 1).map(|tokens| (tokens, Model::Attention { tokens })).collect(),
        ),
        curve(
            "batch",
            "samples",
            "8 products of 256 x 256 weights, samples computed together",
            HONEST,
            powers(0, less(8, 4), 2).map(|batch| (batch, stack(256, 8, batch))).collect(),
        ),
        curve(
            "operators",
            "operators",
            "residual blocks of four operators, each a layer with 4 KiB of weights of its own",
            &[Part::Load, Part::Run, Part::Check, Part::Dispute],
            chains.iter().map(|operators| (*operators, Model::Chain { operators: *operators })).collect(),
        ),
        curve("claims", "model", "a watchtower node on one core", &[Part::Claims], watched(scale)),
    ]
}

/// The models whose claims a node checks.
fn watched(scale: Scale) -> Vec<(u32, Model)> {
    let stack = |width| Model::Stack { width, depth: 4, batch: 1 };
    let mut models = vec![Model::Digits, stack(64), stack(256), Model::Chain { operators: 1 << 8 }];
    if !scale.quick {
        let large = [stack(1024), stack(2048), Model::Chain { operators: 1 << 12 }];
        models.extend([Model::Attention { tokens: 256 }]);
        models.extend(large);
    }
    (0..).zip(models).collect()
}

/// How the processes measure.
#[derive(Debug, Clone, Copy)]
pub struct How {
    /// Threads of each.
    pub threads: u16,
    /// What re-runs claims.
    pub backend: Backend,
    /// For how long a work is repeated.
    pub effort: Duration,
}

/// Measures every model of a curve, each part in a process of its own; `done` hears of each.
pub fn measure(curve: &Curve, how: How, mut done: impl FnMut(&Sample)) -> Result<Vec<Sample>> {
    let mut samples = Vec::with_capacity(curve.models.len() * curve.parts.len());
    for (at, model) in &curve.models {
        for part in curve.parts {
            let point = Point { model: *model, part: *part };
            let figures = elsewhere(point, how).with_context(|| format!("{part:?} of {model:?}"))?;
            let sample = Sample { at: *at, point, figures };
            done(&sample);
            samples.push(sample);
        }
    }
    Ok(samples)
}

/// Measures a point in another process of this program.
fn elsewhere(point: Point, how: How) -> Result<Figures> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--json", "growth", "--point", &serde_json::to_string(&point)?]);
    command.args(["--threads", &how.threads.to_string(), "--backend", how.backend.name()]);
    command.args(["--seconds", &how.effort.as_secs().to_string()]);
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let events: Vec<Value> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let event = |name: &str| events.iter().find(|event| event["event"] == name);
    if let Some(error) = event("error") {
        bail!("{}", error["message"].as_str().unwrap_or_default());
    }
    let point = event("point").with_context(|| format!("the process ended with {}", output.status))?;
    Ok(serde_json::from_value(point["figures"].clone())?)
}
