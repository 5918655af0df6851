//! `narrows job`.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use narrows_bisection::{BlockTime, Call, Event, Wei};
use narrows_commitment::{Digest, keccak};
use narrows_contracts::{Chain as _, Transaction, check_size};
use serde_json::json;
use tracing_subscriber::filter::LevelFilter;

use crate::node::chain::{FeeArgs, KeyArgs, RpcArgs, connect, key};
use crate::node::log;
use crate::output::{Output, ether, good};
use crate::{files, money};

/// `narrows job`.
#[derive(Debug, Args)]
pub struct JobArgs {
    #[command(flatten)]
    rpc: RpcArgs,
    /// Where the contracts stand, as `narrows deploy` wrote it.
    #[arg(long, value_name = "FILE", default_value = "deployment.toml")]
    deployment: PathBuf,
    #[command(flatten)]
    key: KeyArgs,
    #[command(flatten)]
    fees: FeeArgs,
    /// The program to run; it is registered if the chain does not know it.
    #[arg(long, value_name = "FILE")]
    program: PathBuf,
    /// The input: a .npy of the source model's shape, or canonical bytes (.bin). It is published.
    #[arg(long, value_name = "FILE")]
    input: PathBuf,
    /// What the job pays, as 0.01eth.
    #[arg(long, value_name = "AMOUNT", value_parser = money::amount)]
    fee: Wei,
    /// For how long executors may commit to claims, in seconds from now.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..1 << 32))]
    deadline: u64,
}

/// Posts a job.
pub fn run(args: &JobArgs, out: Output) -> Result<()> {
    log::begin(false, LevelFilter::WARN);
    let program = files::program(&args.program)?;
    let input = files::input(&program, &args.input)?;
    let key = key(args.key.key_file.as_deref(), args.key.key_env.as_deref())?;
    let from = key.account();
    let mut config = args.rpc.config();
    args.fees.apply(&mut config);
    config.keys = vec![key];
    // Before anything is paid for: a job that cannot be posted registers no program either.
    let call = |input, salt, deadline| Call::PostJob { program: program.root(), input, salt, deadline };
    let zero = call(input.clone(), Digest::default(), BlockTime(0));
    check_size(&zero, config.max_transaction_bytes)
        .with_context(|| format!("an input of {} bytes cannot be published", input.len()))?;
    let mut chain = connect(config, &args.deployment)?;
    if chain.program(program.root())?.is_none() {
        let header = program.header_bytes().to_vec();
        let call = Call::Register { header, layers_root: program.layers_root() };
        let receipt = chain.send(Transaction { from, value: Wei(0), call })?;
        out.line(format_args!("  program {} registered, {} gas", program.root(), receipt.gas_used));
        out.event("registered", json!({ "program": program.root(), "gas": receipt.gas_used }));
    }
    // Two jobs of one requester about one input are told apart by this alone.
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .context("the computer's clock is before 1970; set it")?;
    let salt =
        keccak(&[&from.0[..], &now.as_nanos().to_be_bytes(), &std::process::id().to_be_bytes()].concat());
    let deadline = BlockTime(chain.now().0.saturating_add(args.deadline));
    let receipt = chain.send(Transaction { from, value: args.fee, call: call(input, salt, deadline) })?;
    let posted = receipt.events.iter().find_map(|event| match event {
        Event::JobPosted { job, .. } => Some(*job),
        _ => None,
    });
    let job = posted.context("the chain took a job and announced none; check the deployment")?;
    ensure!(chain.job(job)?.is_some(), "the chain announced job {job} and does not know it; check its node");
    out.line(format_args!("  {} job {job}", good("posted:")));
    let fee = ether(args.fee.0);
    out.line(format_args!(
        "  pays {fee} for the first right claim until {}, {} gas",
        deadline.0, receipt.gas_used
    ));
    out.event(
        "job",
        json!({ "job": job, "fee_wei": args.fee, "deadline": deadline, "gas": receipt.gas_used }),
    );
    Ok(())
}
