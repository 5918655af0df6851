//! `narrows gas`.

use anyhow::Result;
use clap::Args;
use serde_json::json;

use crate::gas::{Row, measure};
use crate::output::{Output, dim, grouped};

/// `narrows gas`.
#[derive(Debug, Args)]
pub struct GasArgs {}

/// Plays fixed disputes and prints what every call cost.
pub fn run(_args: &GasArgs, out: Output) -> Result<()> {
    let rows = measure()?;
    out.line(dim(format!("  {:<38}{:<30}{:>12}{:>10}", "dispute", "call", "gas", "calldata")));
    for Row { dispute, call, gas, calldata } in &rows {
        let bytes = calldata.map_or_else(String::new, |bytes| grouped(bytes as u128));
        out.line(format_args!("  {dispute:<38}{call:<30}{:>12}{bytes:>10}", grouped((*gas).into())));
        out.event("gas", json!({ "dispute": dispute, "call": call, "gas": gas, "calldata": calldata }));
    }
    out.line(dim("  Osaka rules, whole transactions: 21,000 + calldata (with its floor) + execution."));
    out.line(dim("  For comparison, as published or measured by others: a bisection move costs 118 k (Dave) to 440 k (BoLD),"));
    out.line(dim(
        "  a whole dispute 0.83 M (SI-RVP), about 12 M (Dave), 27.8 M (Optimism), about 30 M (BoLD).",
    ));
    Ok(())
}
