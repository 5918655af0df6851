//! What a node tells of itself: whether it is well, and how much it has done, in Prometheus' text form.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use narrows_bisection::{ClaimStatus, Ledger, Wei};

/// After so long without a tick that succeeded, a node is not well. A tick may wait for a transaction, or run a model.
const PATIENCE: Duration = Duration::from_secs(120);

/// A node's figures; clones share one board.
#[derive(Debug, Clone, Default)]
pub struct Board(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    last_tick: Option<Instant>,
    last_error: Option<String>,
    ticks: u64,
    failures: u64,
    /// Transactions that stood, and their gas, by call.
    sent: BTreeMap<&'static str, (u64, u64)>,
    refused: BTreeMap<(&'static str, String), u64>,
    skipped: u64,
    agreed: u64,
    differed: u64,
    jobs: u64,
    claims: BTreeMap<&'static str, u64>,
    open_matches: u64,
    balance: Wei,
    owed: Wei,
    served: u64,
}

impl Board {
    /// A thread that panicked while it held the board left it whole: every change is one call.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A tick succeeded.
    pub fn ticked(&self, ledger: &Ledger) {
        let mut state = self.lock();
        state.last_tick = Some(Instant::now());
        state.last_error = None;
        state.ticks += 1;
        state.jobs = ledger.jobs.len() as u64;
        state.claims = BTreeMap::from([("pending", 0), ("refuted", 0), ("final", 0)]);
        for claim in ledger.claims.values() {
            *state.claims.entry(status(claim.status)).or_default() += 1;
        }
        state.open_matches = ledger.matches.values().filter(|one| one.open).count() as u64;
    }

    /// A tick failed.
    pub fn failed(&self, error: &str) {
        let mut state = self.lock();
        state.failures += 1;
        state.last_error = Some(error.to_owned());
    }

    /// A transaction stood.
    pub fn sent(&self, call: &'static str, gas: u64) {
        let mut state = self.lock();
        let entry = state.sent.entry(call).or_default();
        *entry = (entry.0 + 1, entry.1.saturating_add(gas));
    }

    /// A transaction was refused.
    pub fn refused(&self, call: &'static str, refusal: String) {
        *self.lock().refused.entry((call, refusal)).or_default() += 1;
    }

    /// A job or a claim was passed over.
    pub fn skipped(&self) {
        self.lock().skipped += 1;
    }

    /// A claim was re-run.
    pub fn checked(&self, agrees: bool) {
        let mut state = self.lock();
        if agrees {
            state.agreed += 1;
        } else {
            state.differed += 1;
        }
    }

    /// What the account holds, and is owed.
    pub fn holds(&self, balance: Wei, owed: Wei) {
        let mut state = self.lock();
        (state.balance, state.owed) = (balance, owed);
    }

    /// A trace was handed out.
    pub fn served(&self) {
        self.lock().served += 1;
    }

    /// Whether the node is well, and why, as JSON.
    pub fn health(&self) -> (bool, String) {
        let state = self.lock();
        let since = state.last_tick.map(|at| at.elapsed());
        let well = since.is_some_and(|since| since < PATIENCE);
        let status = match (well, since) {
            (true, _) => "ok",
            (false, Some(_)) => "stuck",
            (false, None) => "starting",
        };
        let said = serde_json::json!({
            "status": status,
            "seconds_since_tick": since.map(|since| since.as_secs()),
            "last_error": state.last_error,
        });
        (well, said.to_string())
    }

    /// All figures, in Prometheus' text form.
    pub fn metrics(&self) -> String {
        let state = self.lock();
        let mut page = Page::default();
        let none: [(&str, String); 0] = [];
        page.figure(
            "narrows_ticks_total",
            "counter",
            "Looks at the chain that succeeded.",
            [(&none, state.ticks)],
        );
        page.figure(
            "narrows_tick_failures_total",
            "counter",
            "Looks at the chain that failed.",
            [(&none, state.failures)],
        );
        let calls = |pick: fn(&(u64, u64)) -> u64| {
            state.sent.iter().map(move |(call, sums)| ([("call", (*call).to_owned())], pick(sums)))
        };
        page.figure(
            "narrows_transactions_total",
            "counter",
            "Transactions that stood.",
            calls(|sums| sums.0),
        );
        page.figure(
            "narrows_gas_used_total",
            "counter",
            "Gas of transactions that stood.",
            calls(|sums| sums.1),
        );
        let refused = state.refused.iter().map(|((call, refusal), count)| {
            ([("call", (*call).to_owned()), ("refusal", refusal.clone())], *count)
        });
        page.figure("narrows_refusals_total", "counter", "Transactions that the contracts refused.", refused);
        page.figure(
            "narrows_skipped_total",
            "counter",
            "Jobs and claims passed over.",
            [(&none, state.skipped)],
        );
        let checked = [("true", state.agreed), ("false", state.differed)];
        let checked = checked.map(|(agrees, count)| ([("agrees", agrees.to_owned())], count));
        page.figure("narrows_checked_claims_total", "counter", "Claims re-run.", checked);
        page.figure("narrows_jobs", "gauge", "Jobs announced.", [(&none, state.jobs)]);
        let claims = state.claims.iter().map(|(status, count)| ([("status", (*status).to_owned())], *count));
        page.figure("narrows_claims", "gauge", "Claims by status.", claims);
        page.figure("narrows_open_matches", "gauge", "Matches being played.", [(&none, state.open_matches)]);
        page.figure("narrows_balance_wei", "gauge", "What the account holds.", [(&none, state.balance.0)]);
        page.figure("narrows_owed_wei", "gauge", "What the game owes the account.", [(&none, state.owed.0)]);
        page.figure("narrows_traces_served_total", "counter", "Traces handed out.", [(&none, state.served)]);
        let since = state.last_tick.map(|at| at.elapsed().as_secs());
        let since = since.map(|since| (&none, since));
        page.figure("narrows_seconds_since_tick", "gauge", "Since the last look that succeeded.", since);
        page.0
    }
}

/// The status as metrics and tables name it.
pub fn status(status: ClaimStatus) -> &'static str {
    match status {
        ClaimStatus::Pending => "pending",
        ClaimStatus::Refuted => "refuted",
        ClaimStatus::Final => "final",
    }
}

#[derive(Default)]
struct Page(String);

impl Page {
    /// One figure with its samples. Labels are names of ours, so that nothing in them needs escaping.
    fn figure<L, N>(&mut self, name: &str, kind: &str, help: &str, samples: impl IntoIterator<Item = (L, N)>)
    where
        L: AsRef<[(&'static str, String)]>,
        N: std::fmt::Display,
    {
        // Writing to a String does not fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (labels, number) in samples {
            let labels: Vec<String> =
                labels.as_ref().iter().map(|(key, value)| format!("{key}=\"{value}\"")).collect();
            let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
            let _ = writeln!(self.0, "{name}{labels} {number}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn health_follows_the_ticks() {
        let board = Board::default();
        assert!(!board.health().0, "not before the first look");
        board.failed("nobody answers");
        assert!(board.health().1.contains("nobody answers"));
        board.ticked(&Ledger::default());
        let (well, said) = board.health();
        assert!(well && said.contains("\"ok\"") && !said.contains("nobody"), "{said}");
        board.lock().last_tick = Instant::now().checked_sub(PATIENCE);
        assert!(!board.health().0, "stuck");
    }

    #[test]
    fn metrics_are_lines_of_name_labels_and_number() {
        let board = Board::default();
        board.sent("reveal", 40_000);
        board.sent("reveal", 2);
        board.refused("pick", "WrongState".into());
        board.checked(false);
        board.ticked(&Ledger::default());
        let text = board.metrics();
        for line in [
            "narrows_transactions_total{call=\"reveal\"} 2",
            "narrows_gas_used_total{call=\"reveal\"} 40002",
            "narrows_refusals_total{call=\"pick\",refusal=\"WrongState\"} 1",
            "narrows_checked_claims_total{agrees=\"false\"} 1",
            "narrows_claims{status=\"pending\"} 0",
            "narrows_ticks_total 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in:\n{text}");
        }
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (name, number) = line.rsplit_once(' ').expect("a name and a number");
            assert!(name.starts_with("narrows_") && number.parse::<u128>().is_ok(), "{line}");
        }
    }
}
