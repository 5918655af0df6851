//! Tables that read well on a terminal and as Markdown.

/// Rows under a head, all cells padded to their column's width.
#[derive(Debug)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with this head.
    pub fn new(head: &[&str]) -> Self {
        Self { rows: vec![head.iter().map(|cell| (*cell).to_owned()).collect()] }
    }

    /// Adds a row, as long as the head.
    pub fn push(&mut self, row: Vec<String>) {
        assert_eq!(row.len(), self.rows[0].len(), "a row is as long as the head");
        self.rows.push(row);
    }

    /// The table's lines: first column to the left, numbers to the right.
    pub fn lines(&self) -> Vec<String> {
        let width = |column: usize| self.rows.iter().map(|row| row[column].chars().count()).max();
        let widths: Vec<usize> = (0..self.rows[0].len()).filter_map(width).collect();
        let line = |row: &Vec<String>| {
            let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| match column {
                0 => format!("{cell:<width$}"),
                _ => format!("{cell:>width$}"),
            });
            format!("| {} |", cells.collect::<Vec<_>>().join(" | "))
        };
        let rule = widths.iter().enumerate().map(|(column, width)| match column {
            0 => "-".repeat(*width),
            _ => format!("{}:", "-".repeat(width.saturating_sub(1))),
        });
        let rule = format!("| {} |", rule.collect::<Vec<_>>().join(" | "));
        let mut lines = vec![line(&self.rows[0]), rule];
        lines.extend(self.rows[1..].iter().map(line));
        lines
    }
}

/// Milliseconds in three digits, as seconds where they are many.
pub fn time(ms: f64) -> String {
    match ms {
        ms if ms >= 10_000.0 => format!("{:.1} s", ms / 1e3),
        ms if ms >= 1000.0 => format!("{:.2} s", ms / 1e3),
        ms if ms >= 100.0 => format!("{ms:.0} ms"),
        ms if ms >= 10.0 => format!("{ms:.1} ms"),
        ms if ms >= 1.0 => format!("{ms:.2} ms"),
        ms if ms >= 0.01 => format!("{:.0} µs", ms * 1e3),
        _ => "< 10 µs".into(),
    }
}

/// Bytes in KiB, MiB or GiB, in three digits.
pub fn bytes(count: u64) -> String {
    let count = count as f64;
    let (value, unit) = match count {
        count if count >= 1024f64.powi(3) => (count / 1024f64.powi(3), "GiB"),
        count if count >= 1024f64.powi(2) => (count / 1024f64.powi(2), "MiB"),
        count if count >= 1024.0 => (count / 1024.0, "KiB"),
        count => return format!("{count} B"),
    };
    match value {
        value if value >= 100.0 => format!("{value:.0} {unit}"),
        value if value >= 10.0 => format!("{value:.1} {unit}"),
        value => format!("{value:.2} {unit}"),
    }
}
