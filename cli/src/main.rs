//! `narrows`: run a model, claim its output, dispute a false claim, judge a dispute again.

mod claim;
mod commands;
mod demo;
mod dispute;
mod economics;
mod engine;
mod files;
mod gas;
mod growth;
mod lies;
mod meter;
mod money;
mod node;
mod output;
mod picture;
mod recorder;
mod report;
mod story;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use output::Output;

/// Exact, disputable machine-learning inference.
#[derive(Debug, Parser)]
#[command(name = "narrows", version, about, propagate_version = true)]
struct Cli {
    /// One JSON object a line, for machines.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a model, catch a lie about it, slash the liar: everything in one process.
    Demo(demo::DemoArgs),
    /// Turn an ONNX model and sample inputs into a fixed-point program, with a fidelity report.
    Compile(commands::compile::CompileArgs),
    /// Run a program on an input.
    Run(commands::run::RunArgs),
    /// Re-run a claim or a trace in burn, and name the first operator that differs.
    Check(commands::check::CheckArgs),
    /// Time running, committing and checking a program on this machine.
    Bench(commands::bench::BenchArgs),
    /// Show what is in a program, trace, claim or record.
    Inspect(commands::inspect::InspectArgs),
    /// Judge a recorded dispute again, from its record alone.
    Replay(commands::replay::ReplayArgs),
    /// Measure what each call of a dispute costs on chain, beside its target and what others pay.
    Gas(commands::gas::GasArgs),
    /// Measure how time, memory and the cost of disputes grow with the model, on synthetic programs of up to 2^20 operators.
    Growth(commands::growth::GrowthArgs),
    /// What a model costs to check and to dispute, what nuisances cost, and how long anything can take.
    Economics(commands::economics::EconomicsArgs),
    /// Put the contracts on a chain.
    Deploy(commands::deploy::DeployArgs),
    /// Post a job: ask for a run, and pay for it.
    Job(Box<commands::job::JobArgs>),
    /// Run models for fees, claim their outputs, defend the claims: until stopped.
    Executor(Box<commands::executor::ExecutorArgs>),
    /// Re-run every claim, refute or dispute what is wrong: until stopped.
    Watch(Box<commands::watch::WatchArgs>),
    /// List jobs and the claims on them.
    Claims(commands::claims::ListArgs),
    /// List matches and rewards.
    Disputes(commands::claims::ListArgs),
}

/// 0: done, and as it should be. 1: done, and something is wrong (a differing trace, a wrong verdict). 2: not done.
#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let out = Output::new(cli.json);
    let done = match &cli.command {
        Command::Demo(args) => demo::run(args, out).await,
        Command::Compile(args) => commands::compile::run(args, out).map(|()| true),
        Command::Run(args) => commands::run::run(args, out).map(|()| true),
        Command::Check(args) => commands::check::run(args, out),
        Command::Bench(args) => commands::bench::run(args, out).map(|()| true),
        Command::Inspect(args) => commands::inspect::run(args, out).map(|()| true),
        Command::Replay(args) => commands::replay::run(args, out).map(|()| true),
        Command::Gas(args) => commands::gas::run(args, out).map(|()| true),
        Command::Growth(args) => commands::growth::run(args, out).await.map(|()| true),
        Command::Economics(args) => commands::economics::run(args, out).map(|()| true),
        Command::Deploy(args) => commands::deploy::run(args, out).map(|()| true),
        Command::Job(args) => commands::job::run(args, out).map(|()| true),
        Command::Executor(args) => commands::executor::run(args, cli.json).await.map(|()| true),
        Command::Watch(args) => commands::watch::run(args, cli.json).await.map(|()| true),
        Command::Claims(args) => commands::claims::claims(args, out).map(|()| true),
        Command::Disputes(args) => commands::claims::disputes(args, out).map(|()| true),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            // One line: the thing, what is wrong, what to do.
            let text = format!("{error:#}").replace('\n', " ");
            match cli.json {
                true => println!("{}", serde_json::json!({ "event": "error", "message": text })),
                false => eprintln!("{} {text}", console::style("error:").red().bold().for_stderr()),
            }
            ExitCode::from(2)
        }
    }
}
