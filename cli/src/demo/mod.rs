//! The demonstration: a model is run, a lie about it is caught, and the liar pays.

mod cast;
mod lies;
mod scenes;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, ValueEnum};
use narrows_challenger::engine::Backend;

use crate::output::Output;

/// A way to lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Cheat {
    /// One changed accumulator in a middle layer, the rest recomputed from it.
    Layer,
    /// A wrong output only.
    Output,
    /// A doctored layer, and no answers.
    Withhold,
    /// One weight bit flipped.
    Weight,
    /// An old claim's output for a new input.
    Copy,
    /// No lie.
    None,
}

/// `narrows demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// How the cheating executor lies.
    #[arg(long, value_enum, default_value = "layer")]
    pub cheat: Cheat,
    /// Let somebody dispute an honest claim (with --cheat none).
    #[arg(long)]
    pub griefer: bool,
    /// The tensor library's backend that the watchtower re-runs claims on.
    #[arg(long, default_value = "ndarray")]
    pub backend: Backend,
    /// Where the dispute's record is written.
    #[arg(long, value_name = "FILE", default_value = "dispute.record.json")]
    pub record: PathBuf,
    /// Where the embedded chain keeps its state; a temporary folder if not given.
    #[arg(long, value_name = "FOLDER")]
    pub chain: Option<PathBuf>,
}

/// Plays it; whether every verdict was the right one.
pub async fn run(args: &DemoArgs, out: Output) -> Result<bool> {
    anyhow::ensure!(
        !args.griefer || args.cheat == Cheat::None,
        "--griefer disputes an honest claim: give --cheat none with it"
    );
    let model = scenes::model(out)?;
    let temporary = tempfile::tempdir()?;
    let folder = args.chain.clone().unwrap_or_else(|| temporary.path().join("chain"));
    let mut stage = cast::Stage::new(&folder, std::sync::Arc::clone(&model.program))?;
    let honest = scenes::honest(&mut stage, &model, args, out).await?;
    let right = match (args.cheat, args.griefer) {
        (Cheat::None, false) => honest,
        (Cheat::None, true) => honest && scenes::griefer(&mut stage, &model, args, out).await?,
        _ => honest && scenes::cheat(&mut stage, &model, args, out).await?,
    };
    out.event("end", serde_json::json!({ "right": right }));
    Ok(right)
}
