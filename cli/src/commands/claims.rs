//! `narrows claims` and `narrows disputes`: what is going on.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use narrows_bisection::{
    BlockTime, ClaimEntry, ClaimId, ClaimStatus, Event, Ledger, MatchEntry, MatchId, MatchState, Parameters,
    Promise, Side, Standing,
};
use narrows_commitment::Digest;
use narrows_contracts::{Chain as _, RpcChain};
use serde_json::json;
use tracing_subscriber::filter::LevelFilter;

use crate::node::board::status;
use crate::node::chain::{RpcArgs, connect, ledger};
use crate::node::log;
use crate::output::{Output, dim, ether, short};

/// `narrows claims` and `narrows disputes`.
#[derive(Debug, Args)]
pub struct ListArgs {
    #[command(flatten)]
    rpc: RpcArgs,
    /// Where the contracts stand, as `narrows deploy` wrote it.
    #[arg(long, value_name = "FILE", default_value = "deployment.toml")]
    deployment: PathBuf,
    /// Only what is not decided yet.
    #[arg(long)]
    pending: bool,
}

fn look(args: &ListArgs) -> Result<(RpcChain, Ledger)> {
    log::begin(false, LevelFilter::WARN);
    let chain = connect(args.rpc.config(), &args.deployment)?;
    let ledger = ledger(&chain)?;
    Ok((chain, ledger))
}

/// Seconds from now, for people.
fn from_now(now: BlockTime, time: BlockTime) -> String {
    match time.0.checked_sub(now.0) {
        Some(seconds) => format!("in {seconds} s"),
        None => format!("{} s ago", now.0 - time.0),
    }
}

/// Lists jobs and the claims on them.
pub fn claims(args: &ListArgs, out: Output) -> Result<()> {
    let (chain, ledger) = look(args)?;
    let now = chain.now();
    for (id, job) in ledger.jobs.iter().filter(|(_, job)| !args.pending || !job.closed) {
        let closed =
            if job.closed { "closed".into() } else { format!("deadline {}", from_now(now, job.deadline)) };
        out.heading(&format!("job {id}"));
        out.line(format_args!("  program {}, fee {}, {closed}", job.program, ether(job.fee.0)));
        out.event(
            "job",
            json!({
                "job": id, "program": job.program, "requester": job.requester, "fee_wei": job.fee,
                "deadline": job.deadline, "closed": job.closed, "commitments": job.commitments.len(),
            }),
        );
        if !job.commitments.is_empty() {
            out.line(dim(format!(
                "  {:>3}  {:<68}{:<17}{:<10}{:>14}{:>14}{:>9}",
                "no.", "claim", "executor", "status", "window ends", "latest end", "matches"
            )));
        }
        for (number, made) in &job.commitments {
            match made.promise {
                Promise::Kept(claim) => {
                    let open = ledger.open_matches(claim).count();
                    ledger
                        .claims
                        .get(&claim)
                        .iter()
                        .for_each(|entry| show_claim(out, now, claim, entry, open));
                }
                Promise::Open | Promise::Lapsed => {
                    let lapsed = made.promise == Promise::Lapsed;
                    let status = if lapsed { "lapsed" } else { "committed" };
                    out.line(format_args!("  {number:>3}  {:<68}{:<17}{status}", "-", short(made.executor)));
                    let executor = made.executor;
                    out.event(
                        "commitment",
                        json!({ "number": number, "executor": executor, "lapsed": lapsed }),
                    );
                }
            }
        }
    }
    if ledger.jobs.is_empty() {
        out.line("  no jobs so far; post one with `narrows job`");
    }
    Ok(())
}

fn show_claim(out: Output, now: BlockTime, claim: ClaimId, entry: &ClaimEntry, open: usize) {
    let ClaimEntry { posted, number, window_end, hard_end, .. } = entry;
    let status = status(entry.status);
    let (window, hard) = (from_now(now, *window_end), from_now(now, *hard_end));
    let executor = short(posted.executor);
    out.line(format_args!(
        "  {number:>3}  {:<68}{executor:<17}{status:<10}{window:>14}{hard:>14}{open:>9}",
        claim.to_string()
    ));
    out.event(
        "claim",
        json!({
            "claim": claim, "job": posted.job, "number": number, "executor": posted.executor,
            "trace_root": posted.trace_root, "status": status, "window_end": window_end, "hard_end": hard_end,
            "open_matches": open, "output_bytes": entry.output.len(),
        }),
    );
}

/// Lists matches, with whose turn it is and until when, and what became of the rewards.
pub fn disputes(args: &ListArgs, out: Output) -> Result<()> {
    let (chain, ledger) = look(args)?;
    let (now, parameters) = (chain.now(), chain.parameters());
    let fought = |claim: &ClaimId| ledger.matches.values().any(|entry| entry.claim == *claim);
    for (id, claim) in ledger.claims.iter().filter(|(id, claim)| fought(id) || claim.refuted.is_some()) {
        if args.pending && claim.status != ClaimStatus::Pending {
            continue;
        }
        out.heading(&format!("claim {id}: {}", status(claim.status)));
        let matches =
            ledger.matches.iter().filter(|(_, entry)| entry.claim == *id && (entry.open || !args.pending));
        for (index, (id, entry)) in matches.enumerate() {
            if index == 0 {
                let head =
                    format!("{:>3}  {:<44}{:>6}  {:<30}", "no.", "challenger", "moves", "how it stands");
                out.line(dim(format!("  {head}{:<12}{:>14}", "to move", "until")));
            }
            show_match(out, now, &parameters, *id, entry);
        }
        if let Some(refuted) = claim.refuted {
            let best = refuted.best.map(|best| best.account);
            out.line(format_args!(
                "  reward: {}",
                if refuted.collected { "settled" } else { "may be opened and collected" }
            ));
            out.event(
                "refuted",
                json!({ "claim": id, "at": refuted.at, "settled": refuted.collected, "best": best }),
            );
        }
    }
    if ledger.matches.is_empty() {
        out.line("  no matches so far");
    }
    Ok(())
}

fn show_match(out: Output, now: BlockTime, parameters: &Parameters, id: MatchId, entry: &MatchEntry) {
    let stands = state(entry).filter(|_| entry.open);
    let turn = stands.and_then(|state| state.phase.turn());
    let deadline = stands.and_then(|state| state.deadline(parameters));
    let how = stands.map_or_else(|| end(entry).to_owned(), |state| format!("{:?}", state.phase));
    let side = match turn {
        Some(Side::Executor) => "executor",
        Some(Side::Challenger) => "challenger",
        None => "",
    };
    let until = deadline.map(|deadline| from_now(now, deadline)).unwrap_or_default();
    out.line(format_args!(
        "  {:>3}  {:<44}{:>6}  {how:<30}{side:<12}{until:>14}",
        entry.number,
        entry.challenger.to_string(),
        entry.moves.len()
    ));
    out.event(
        "match",
        json!({
            "match": id, "claim": entry.claim, "number": entry.number, "challenger": entry.challenger,
            "moves": entry.moves.len(), "open": entry.open, "end": end(entry),
            "phase": stands.map(|state| state.phase), "turn": turn, "deadline": deadline,
        }),
    );
}

/// What the last event with a word says; before any, nothing but the opening is known.
fn state(entry: &MatchEntry) -> Option<MatchState> {
    let word = entry.moves.iter().rev().find_map(|event| match event {
        Event::Revealed { word, .. }
        | Event::Picked { word, .. }
        | Event::SubTraced { word, .. }
        | Event::OperatorPicked { word, .. }
        | Event::TilesRevealed { word, .. }
        | Event::Prepared { word, .. }
        | Event::Named { word, .. }
        | Event::Folded { word, .. } => Some(*word),
        _ => None,
    })?;
    let standing = Standing { word, ..Standing::default() };
    MatchState::from_parts(&standing, Digest::default(), entry.challenger, Digest::default())
}

fn end(entry: &MatchEntry) -> &'static str {
    let decided = entry.moves.iter().find_map(|event| match event {
        Event::MatchWon { .. } => Some("the challenger won"),
        Event::MatchLost { .. } => Some("the challenger lost"),
        _ => None,
    });
    match (decided, entry.reclaimed) {
        (Some(end), _) => end,
        (None, true) => "overtaken, the bond went back",
        (None, false) => "being played",
    }
}
