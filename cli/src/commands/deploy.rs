//! `narrows deploy`.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use clap::Args;
use narrows_contracts::rpc;
use serde_json::json;
use tracing_subscriber::filter::LevelFilter;

use crate::files;
use crate::node::chain::{FeeArgs, KeyArgs, RpcArgs, deployment_text, key};
use crate::node::log;
use crate::output::{Output, good};

/// `narrows deploy`.
#[derive(Debug, Args)]
pub struct DeployArgs {
    #[command(flatten)]
    rpc: RpcArgs,
    #[command(flatten)]
    key: KeyArgs,
    #[command(flatten)]
    fees: FeeArgs,
    /// The game's parameters as JSON. Those of the embedded chain, if not given, are too short for a public one.
    #[arg(long, value_name = "FILE.json")]
    parameters: Option<PathBuf>,
    /// Where the deployment is written; there must be no such file yet.
    #[arg(short, long, value_name = "FILE", default_value = "deployment.toml")]
    output: PathBuf,
}

/// Puts the contracts on a chain, and writes where they are.
pub fn run(args: &DeployArgs, out: Output) -> Result<()> {
    log::begin(false, LevelFilter::WARN);
    let path = args.output.display();
    // Checked first, so that no contracts are paid for and then lost.
    ensure!(
        !args.output.exists(),
        "{path}: is there already; move that deployment away, or give -o another name"
    );
    let folder =
        args.output.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    ensure!(folder.is_dir(), "{}: is no folder; make it, or give -o another name", folder.display());
    let parameters = files::parameters(args.parameters.as_deref())?;
    let key = key(args.key.key_file.as_deref(), args.key.key_env.as_deref())?;
    let deployer = key.account();
    let mut config = args.rpc.config();
    args.fees.apply(&mut config);
    config.keys = vec![key];
    let deployment = rpc::deploy(config, deployer, parameters)?;
    out.event(
        "deployed",
        json!({ "deployment": deployment, "deployer": deployer, "parameters": parameters }),
    );
    out.line(format_args!("  chain {}, from block {}", deployment.chain_id, deployment.from_block));
    for (name, account) in
        [("Registry", deployment.registry), ("Referee", deployment.referee), ("Game", deployment.game)]
    {
        out.line(format_args!("  {name:<10}{account}"));
    }
    files::write(&args.output, deployment_text(&deployment).as_bytes())?;
    out.line(format_args!("  {} {path}", good("written:")));
    Ok(())
}
