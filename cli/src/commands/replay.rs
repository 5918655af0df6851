//! `narrows replay`.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Args;
use narrows_bisection::{Record, replay};
use serde_json::json;

use crate::output::{Output, ether, good, short};
use crate::{files, story};

/// `narrows replay`.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// A dispute's record.
    record: PathBuf,
}

/// Judges again and tells the story.
pub fn run(args: &ReplayArgs, out: Output) -> Result<()> {
    let name = || format!("{}", args.record.display());
    let record = Record::decode(&files::read(&args.record)?).with_context(name)?;
    let told = replay(&record).with_context(name)?;
    out.heading(&format!("Claim {} on program {}", short(told.claim), short(record.head.program)));
    story::show(out, &told, &record.head.labels);
    if let Some(finding) = told.finding() {
        out.line(format_args!("  found: {}", story::say(&finding, &record.head.labels)));
    }
    story::verdict(out, told.outcome.verdict);
    for (account, owed) in &told.outcome.owed {
        out.line(format_args!("  owed to {account}: {}", ether(owed.0)));
        out.event("owed", json!({ "account": account, "wei": owed }));
    }
    out.line(format_args!("  burned: {}", ether(told.outcome.burned.0)));
    out.line(good("  every call, hash and step replays as recorded"));
    out.event("replayed", json!({ "burned_wei": told.outcome.burned, "claim": told.claim }));
    Ok(())
}
