//! `narrows economics`.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use narrows_bisection::Wei;
use serde_json::json;

use crate::economics::{self, Cost, Economics, OTHERS};
use crate::output::{Output, bad, dim, ether, good, grouped, printable};
use crate::{files, money};

/// `narrows economics`.
#[derive(Debug, Args)]
pub struct EconomicsArgs {
    /// The program.
    program: PathBuf,
    /// What gas costs, in gwei.
    #[arg(long, value_name = "GWEI", default_value = "1", value_parser = money::gwei)]
    gas_price: Wei,
    /// Unjust challenges at once against an honest executor.
    #[arg(long, value_name = "N", default_value_t = 16)]
    frivolous: u64,
    /// The game's parameters as JSON; those of the embedded chain if not given.
    #[arg(long, value_name = "FILE.json")]
    parameters: Option<PathBuf>,
}

/// Plays and computes what the model costs to check and to dispute.
pub fn run(args: &EconomicsArgs, out: Output) -> Result<()> {
    let program = files::program(&args.program)?;
    let parameters = files::parameters(args.parameters.as_deref())?;
    let found = economics::of(&program, parameters, args.gas_price, args.frivolous)?;
    check(out, &found);
    dispute(out, &found, args.gas_price);
    stakes(out, &found);
    frivolous(out, &found);
    delay(out, &found);
    flood(out, &found);
    out.event(
        "economics",
        json!({ "program": program.root(), "gas_price_wei": args.gas_price, "found": found }),
    );
    Ok(())
}

fn figure(out: Output, what: &str, amount: impl Into<u128>, unit: &str) {
    out.line(format_args!("  {what:<58}{:>18} {unit}", grouped(amount.into())));
}

fn money_line(out: Output, what: &str, wei: Wei) {
    out.line(format_args!("  {what:<58}{:>24}", ether(wei.0)));
}

fn check(out: Output, found: &Economics) {
    let check = &found.check;
    out.heading("Cost to check one claim");
    figure(out, "work: multiply-adds, comparisons, copies", check.work, "terms");
    figure(out, "weights and records", check.constant_bytes, "bytes");
    figure(out, "input, on chain", check.input_bytes, "bytes");
    figure(out, "output, on chain", check.output_bytes, "bytes");
    figure(out, "hashed on the honest path: what layers export", check.exported_bytes, "bytes");
    figure(out, "a whole trace, where the executor serves it", check.trace_bytes, "bytes");
}

fn dispute(out: Output, found: &Economics, gas_price: Wei) {
    let dispute = &found.dispute;
    out.heading("Cost to dispute, really played on the embedded chain");
    out.line(format_args!(
        "  element {} of operator {} ({}) is wrong: the longest way through the program",
        dispute.element,
        dispute.operator,
        printable(&dispute.label, 60)
    ));
    figure(out, "reveals that a match may need at most, R", dispute.reveal_rounds, "");
    figure(out, "moves that a match may need at most, 2 R + 8", dispute.moves, "");
    out.line(dim(format!(
        "  {:<38}{:>7}{:>12}{:>12}{:>9}{:>9}{:>18}",
        "", "txs", "gas", "calldata", "largest", "witness", "cost"
    )));
    let row = |what: &str, cost: &Cost| {
        out.line(format_args!(
            "  {what:<38}{:>7}{:>12}{:>12}{:>9}{:>9}{:>18}",
            cost.transactions,
            grouped(cost.gas.into()),
            grouped(cost.calldata.into()),
            grouped(cost.largest.into()),
            grouped(cost.witness.into()),
            ether(cost.wei.0)
        ));
    };
    row("match, opening to verdict", &dispute.interactive);
    match &dispute.at_once {
        Some(cost) => row("trace served: commit and refute", cost),
        None => out.line("  trace served: its fold is too wide for one transaction; it takes the match"),
    }
    row("settlement: reward, bond, withdrawal", &dispute.settlement);
    out.line(dim(format!("  at {} wei a gas, both sides together", grouped(gas_price.0))));
}

fn stakes(out: Output, found: &Economics) {
    let stakes = &found.stakes;
    out.heading("Stakes");
    money_line(out, "executor's bond, on each claim", stakes.executor_bond);
    money_line(out, "claim fee, burned with each claim", stakes.claim_fee);
    money_line(out, "challenger's bond, on each match", stakes.challenger_bond);
    money_line(out, "a refuted claim: reward of whoever knew better", stakes.reward);
    money_line(out, "a refuted claim: burned", stakes.burned);
}

fn frivolous(out: Output, found: &Economics) {
    let crowd = &found.frivolous;
    out.heading(&format!(
        "{} unjust challenges at once against an honest executor",
        grouped(crowd.matches.into())
    ));
    if crowd.played == crowd.matches {
        out.line(dim(format!(
            "  {} matches played to their end on the rules' mirror, one of them on the embedded chain for its gas",
            grouped(crowd.played.into())
        )));
    } else {
        out.line(dim(format!(
            "  {} matches played to their end on the rules' mirror, one of them on the embedded chain for its gas; the sums are \
             multiplied to {}",
            grouped(crowd.played.into()),
            grouped(crowd.matches.into())
        )));
    }
    figure(out, "answers in one match", crowd.answers, "");
    figure(out, "gas of these answers", crowd.answering_gas, "gas");
    figure(out, "gas of the challenger's opening and moves in one match", crowd.attacking_gas, "gas");
    money_line(out, "executor: bond and claim fee, bound", crowd.capital);
    money_line(out, "executor: outlay for answers before anything comes back", crowd.outlay);
    money_line(out, "executor: paid by the lost bonds", crowd.compensation);
    money_line(out, "attackers: bonds, bound", crowd.attackers_capital);
    money_line(out, "attackers: lost, bonds and gas", crowd.attackers_loss);
    if let Some(ratio) = crowd.ratio_thousandths {
        let ratio = format!("{}.{:03}", grouped((ratio / 1000).into()), ratio % 1000);
        out.line(format_args!(
            "  {:<58}{ratio:>18}",
            "griefing ratio: attackers' loss over the executor's outlay"
        ));
    }
}

fn delay(out: Output, found: &Economics) {
    let delay = &found.delay;
    out.heading("Delay, from posting a claim");
    figure(out, "nobody disputes: the window", delay.undisputed, "s");
    figure(out, "refuted in one transaction, at the latest", delay.at_once, "s");
    figure(out, "any matches, at the latest: hardEnd", delay.hard_end, "s");
    out.line(dim(format!(
        "  hardEnd - windowEnd = both clocks + {} moves x grace + slack = {} s, for 1 challenger as for 10,000",
        delay.moves,
        grouped(delay.after_window.into())
    )));
    out.line(dim(
        "  At a window of 120 s and 30 s a move (clocks 1 s each, no slack), beside what others published:",
    ));
    figure(out, "this program, refuted in one transaction", delay.at_once_published, "s");
    figure(out, "this program, the match played above", delay.played_published, "s");
    figure(out, "this program, any match, by hardEnd's formula", delay.hard_end_published, "s");
    for other in OTHERS {
        figure(out, other.name, other.seconds, "s");
        out.event("peer", json!({ "name": other.name, "seconds": other.seconds }));
    }
}

fn flood(out: Output, found: &Economics) {
    let flood = &found.flood;
    out.heading("Flood check");
    money_line(out, "attacker's budget x 10 x seconds a block", flood.attack);
    money_line(out, "at most: 2 x fee cap x executor's clock x gas a block", flood.room);
    figure(out, "matches that the attacker's budget buys", flood.matches, "");
    figure(out, "answers that they force, all together", flood.forced_gas, "gas");
    figure(out, "blocks while the executor's clock runs", flood.block_gas, "gas");
    let part = format!("{}.{} %", flood.thousandths / 10, flood.thousandths % 10);
    let within = if flood.thousandths <= 100 { good("within a tenth") } else { bad("more than a tenth") };
    out.line(format_args!("  {:<58}{part:>18}  {within}", "part of these blocks"));
}
