//! What people and machines read: lines on a terminal, or one JSON object a line.

use std::io::Write as _;

use console::{StyledObject, style};
use serde_json::{Value, json};

/// Where output goes.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    json: bool,
}

impl Output {
    /// JSON lines for machines, or text for people.
    pub const fn new(json: bool) -> Self {
        Self { json }
    }

    /// A line for people.
    pub fn line(self, text: impl std::fmt::Display) {
        if !self.json {
            put(&text);
        }
    }

    /// A heading for people.
    pub fn heading(self, text: &str) {
        self.line(format_args!("\n{}", style(text).bold().cyan()));
    }

    /// An event for machines: `{"event": name, …fields}`.
    pub fn event(self, name: &str, mut fields: Value) {
        if self.json {
            if let Value::Object(map) = &mut fields {
                map.insert("event".into(), json!(name));
            }
            put(&fields);
        }
    }
}

/// Writes a line. A reader that has seen enough (`| head`) ends no work.
fn put(text: &dyn std::fmt::Display) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Good news.
pub fn good(text: impl ToString) -> StyledObject<String> {
    style(text.to_string()).green()
}

/// Bad news.
pub fn bad(text: impl ToString) -> StyledObject<String> {
    style(text.to_string()).red()
}

/// What matters less.
pub fn dim(text: impl ToString) -> StyledObject<String> {
    style(text.to_string()).dim()
}

/// A number with its thousands apart.
pub fn grouped(number: u128) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Wei as ether with as many decimals as it has, without floats.
pub fn ether(wei: u128) -> String {
    const UNIT: u128 = 1_000_000_000_000_000_000;
    let decimals = format!("{:018}", wei % UNIT);
    let decimals = decimals.trim_end_matches('0');
    let whole = grouped(wei / UNIT);
    if decimals.is_empty() { format!("{whole} ETH") } else { format!("{whole}.{decimals} ETH") }
}

/// Text from a file or a stranger as it can be shown on a terminal: without control characters, cut to `width`.
pub fn printable(text: &str, width: usize) -> String {
    let shown = text.chars().map(|c| if c.is_control() { '?' } else { c });
    if text.chars().count() <= width {
        return shown.collect();
    }
    shown.take(width.saturating_sub(1)).chain(['…']).collect()
}

/// The first and last characters of a digest.
pub fn short(digest: impl std::fmt::Display) -> String {
    let text = digest.to_string();
    if text.len() > 20 { format!("{}…{}", &text[..10], &text[text.len() - 4..]) } else { text }
}
