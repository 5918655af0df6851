//! The demonstration: a model is run, a lie about it is caught, and the liar pays.

mod cast;
mod digits;
mod model;
mod play;
mod scenes;
mod text;

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::Args;
use narrows_challenger::engine::Backend;

use crate::lies::Cheat;
use crate::output::Output;
use model::ModelChoice;

/// `narrows demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Which model: a network that reads digits, or one that writes text.
    #[arg(long, value_enum, default_value = "digits")]
    pub model: ModelChoice,
    /// How the cheating executor lies.
    #[arg(long, value_enum, default_value = "layer")]
    pub cheat: Cheat,
    /// Let somebody dispute an honest claim (with --cheat none).
    #[arg(long)]
    pub griefer: bool,
    /// Let the cheating executor hand out its trace, so that it is refuted in one transaction instead of a match.
    #[arg(long)]
    pub served: bool,
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
    ensure!(
        !args.griefer || args.cheat == Cheat::None,
        "--griefer disputes an honest claim: give --cheat none with it"
    );
    ensure!(
        !args.served || !matches!(args.cheat, Cheat::None | Cheat::Withhold),
        "--served hands out a lie's trace: give --cheat layer, output, weight or copy with it"
    );
    let model = match args.model {
        ModelChoice::Digits => digits::load(out)?,
        ModelChoice::Chargpt => text::load(out)?,
    };
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
