//! `narrows executor`.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use clap::Args;
use narrows_contracts::{Chain as _, Inbox};
use narrows_executor::node::{Conduct, ExecutorNode, Honest};
use tracing_subscriber::filter::LevelFilter;

use crate::lies::{Cheat, EveryJob};
use crate::node::board::Board;
use crate::node::config::{NodeArgs, Special};
use crate::node::drive::{Node, drive};
use crate::node::stop::Stop;
use crate::node::{chain, log, serve};

/// `narrows executor`.
#[derive(Debug, Args)]
pub struct ExecutorArgs {
    #[command(flatten)]
    node: NodeArgs,
    /// Where the traces of pending claims are served, as 0.0.0.0:8700: whoever can fetch them need not dispute them move by move.
    #[arg(long, value_name = "ADDRESS")]
    serve: Option<SocketAddr>,
    /// Lies about every job, and loses its bond. For tests.
    #[arg(long, value_enum, hide = true, value_name = "HOW")]
    dangerously_cheat_for_tests: Option<Cheat>,
}

/// Runs until it is asked to stop.
pub async fn run(args: &ExecutorArgs, json: bool) -> Result<()> {
    log::begin(json, LevelFilter::INFO);
    let settings = args.node.settle(Special { serve: args.serve, ..Special::default() })?;
    let secret = settings.secret();
    let (account, poll) = (settings.key.account(), settings.rpc.poll);
    let mut chain = chain::connect(settings.rpc, &settings.deployment)?;
    let journal = settings.journal.display().to_string();
    let journal = Inbox::open(&settings.journal).with_context(|| journal)?;
    let conduct: Arc<dyn Conduct> = match args.dangerously_cheat_for_tests {
        Some(cheat) => {
            tracing::error!(?cheat, "this executor LIES, as it was told to");
            Arc::new(EveryJob::new(cheat))
        }
        None => Arc::new(Honest),
    };
    let (programs, resumed) = (settings.programs.len(), journal.1.len());
    let node = ExecutorNode::new(account, settings.programs, conduct, secret, journal);
    let node = node.signing(settings.key.signing().clone());
    let (board, stop) = (Board::default(), Stop::listen()?);
    if let Some(address) = settings.metrics {
        serve::figures(address, board.clone(), stop.clone()).await?;
    }
    if let Some(address) = settings.special.serve {
        serve::traces(address, node.shelf().clone(), board.clone(), stop.clone()).await?;
    }
    let game = chain.game();
    tracing::info!(%account, chain = chain.chain_id(), %game, programs, resumed, "executor begins");
    drive(Node::Executor(Box::new(node)), account, &mut chain, &board, poll, stop).await
}
