//! `narrows gas`.

use anyhow::Result;
use clap::Args;
use serde_json::json;

use crate::gas::targets::{MOVES_OF_OTHERS, WHOLES_OF_OTHERS};
use crate::gas::{Row, Unit, measure};
use crate::output::{Output, bad, dim, good, grouped};

/// `narrows gas`.
#[derive(Debug, Args)]
pub struct GasArgs {}

/// Plays fixed disputes and prints what every call cost, beside its target.
pub fn run(_args: &GasArgs, out: Output) -> Result<()> {
    let rows = measure()?;
    let mut dispute = "";
    for row in &rows {
        if row.dispute != dispute {
            dispute = &row.dispute;
            out.heading(dispute);
            out.line(dim(format!("  {:<36}{:>12}{:>10}{:>10}", "", "gas", "calldata", "target")));
        }
        show(out, row);
        out.event("gas", json!(row));
    }
    out.line(dim(
        "\n  Osaka rules, whole transactions: 21,000 + calldata (with its floor) + execution. K is the inner dimension.",
    ));
    out.line(dim("  For comparison, as published or measured by others:"));
    for peer in MOVES_OF_OTHERS.iter().chain(&WHOLES_OF_OTHERS) {
        out.line(dim(format!("  {:<10} {:<48}{:>12}", peer.name, peer.what, grouped(peer.gas.into()))));
        out.event("peer", json!({ "name": peer.name, "what": peer.what, "gas": peer.gas }));
    }
    Ok(())
}

fn show(out: Output, row: &Row) {
    let bytes = row.calldata.map_or_else(String::new, |bytes| grouped(bytes as u128));
    let unit = match row.unit {
        Unit::Gas => "",
        Unit::Bytes => " bytes",
        Unit::Transactions => " transactions",
    };
    let target = row.target.map_or_else(String::new, |target| grouped(target.into()));
    let line = format!("  {:<36}{:>12}{bytes:>10}{target:>10}{unit}", row.what, grouped(row.amount.into()));
    match row.target {
        Some(target) if row.amount <= target => out.line(format_args!("{line}  {}", good("within"))),
        Some(_) => out.line(format_args!("{line}  {}", bad("over"))),
        None => out.line(line),
    }
}
