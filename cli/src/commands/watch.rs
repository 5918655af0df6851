//! `narrows watch`.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Args;
use narrows_challenger::engine::Backend;
use narrows_challenger::node::{Griefer, Honest, Temper, WatchtowerNode};
use narrows_contracts::{Chain as _, Inbox};
use tracing_subscriber::filter::LevelFilter;

use crate::node::board::Board;
use crate::node::config::{NodeArgs, Special};
use crate::node::drive::{Node, drive};
use crate::node::source::HttpSource;
use crate::node::stop::Stop;
use crate::node::{chain, log, serve};

/// How long a watchtower waits for a trace that nobody serves yet, in milliseconds.
const TRACE_WAIT_MS: u64 = 3000;

/// `narrows watch`.
#[derive(Debug, Args)]
pub struct WatchArgs {
    #[command(flatten)]
    node: NodeArgs,
    /// The tensor library's backend that claims are re-run on: ndarray (if not given), flex, or cuda or wgpu in builds
    /// with the feature of that name.
    #[arg(long)]
    backend: Option<Backend>,
    /// Who serves the traces of claims, as http://host:8700; may be given again. A wrong claim whose trace can be had falls in
    /// one transaction.
    #[arg(long = "traces", value_name = "URL")]
    traces: Vec<String>,
    /// How long to wait for a trace that nobody serves yet, in milliseconds.
    #[arg(long, value_name = "MS")]
    trace_wait_ms: Option<u64>,
    /// Disputes every claim, right or wrong, and loses its bonds. For tests.
    #[arg(long, hide = true)]
    dangerously_grieve_for_tests: bool,
}

/// Runs until it is asked to stop.
pub async fn run(args: &WatchArgs, json: bool) -> Result<()> {
    log::begin(json, LevelFilter::INFO);
    let traces = args.traces.clone();
    let flags = Special { serve: None, backend: args.backend, traces, trace_wait_ms: args.trace_wait_ms };
    let settings = args.node.settle(flags)?;
    let secret = settings.secret();
    let (account, poll) = (settings.key.account(), settings.rpc.poll);
    let special = &settings.special;
    let wait = Duration::from_millis(special.trace_wait_ms.unwrap_or(TRACE_WAIT_MS));
    let source = HttpSource::new(&special.traces, settings.programs.clone(), wait)?;
    let backend = special.backend.unwrap_or_default();
    let mut chain = chain::connect(settings.rpc, &settings.deployment)?;
    let journal = settings.journal.display().to_string();
    let journal = Inbox::open(&settings.journal).with_context(|| journal)?;
    let temper: Arc<dyn Temper> = if args.dangerously_grieve_for_tests {
        tracing::error!("this watchtower disputes what is right, as it was told to");
        Arc::new(Griefer { turns: vec![3, 1, 2] })
    } else {
        Arc::new(Honest)
    };
    let (programs, resumed) = (settings.programs.len(), journal.1.len());
    let node = WatchtowerNode::new(account, settings.programs, backend, temper, secret, journal);
    let node = if special.traces.is_empty() { node } else { node.with_source(Arc::new(source)) };
    let (board, stop) = (Board::default(), Stop::listen()?);
    if let Some(address) = settings.metrics {
        serve::figures(address, board.clone(), stop.clone()).await?;
    }
    let game = chain.game();
    tracing::info!(%account, chain = chain.chain_id(), %game, %backend, programs, resumed, "watchtower begins");
    drive(Node::Watchtower(Box::new(node)), account, &mut chain, &board, poll, stop).await
}
