//! The figures as tables for people, and as pictures.

use super::curves::Curve;
use super::fit::{Line, exponent};
use super::models::Model;
use super::plot::{Chart, Series, draw};
use super::rows::Row;
use super::table::{Table, bytes, time};
use crate::output::grouped;

/// A curve with what was measured.
pub type Measured<'a> = (&'a Curve, Vec<Row>);

/// Points of a curve: what grows, and a figure where there is one.
fn points(rows: &[Row], of: impl Fn(&Row) -> Option<f64>) -> Vec<(f64, f64)> {
    rows.iter().filter_map(|row| Some((row.at as f64, of(row)?))).collect()
}

/// The lines about one curve: a table, and what follows from it.
pub fn lines(curve: &Curve, rows: &[Row]) -> Vec<String> {
    match curve.name {
        "operators" => {
            [program(rows), vec![String::new()], dispute(rows), vec![String::new()], growth(rows)].concat()
        }
        "claims" => claims(rows),
        _ => honest(curve, rows),
    }
}

fn honest(curve: &Curve, rows: &[Row]) -> Vec<String> {
    let mut table = Table::new(&[
        curve.axis,
        "terms",
        "constants",
        "run",
        "run, commit",
        "memory",
        "plan in burn",
        "check",
        "memory of a check",
    ]);
    for row in rows {
        let (Some(run), Some(check)) = (&row.run, &row.check) else { continue };
        table.push(vec![
            grouped(row.at.into()),
            grouped(run.size.terms.into()),
            bytes(run.size.constant_bytes),
            time(run.run.processor_ms),
            time(run.commit.processor_ms),
            bytes(run.peak_bytes),
            time(check.plan.processor_ms),
            time(check.commit.processor_ms),
            bytes(check.peak_bytes),
        ]);
    }
    let mut lines = table.lines();
    let power = |of: fn(&Row) -> Option<f64>| {
        exponent(&points(rows, of)).map_or_else(|| "?".into(), |power| format!("{power:.2}"))
    };
    lines.push(String::new());
    lines.push(format!(
        "Between the last two, in powers of the {}: run and commit {}, check {}, memory of a run {}, of a check {}.",
        curve.axis,
        power(|row| Some(row.run?.commit.processor_ms)),
        power(|row| Some(row.check?.commit.processor_ms)),
        power(|row| Some(row.run?.peak_bytes as f64)),
        power(|row| Some(row.check?.peak_bytes as f64)),
    ));
    lines
}

fn program(rows: &[Row]) -> Vec<String> {
    let mut table = Table::new(&[
        "operators",
        "weights",
        "file",
        "write",
        "read, legality",
        "plan",
        "run, commit",
        "memory",
        "plan in burn",
        "check",
        "memory of a check",
    ]);
    for row in rows {
        let (Some(load), Some(run), Some(check)) = (&row.load, &row.run, &row.check) else { continue };
        table.push(vec![
            grouped(row.at.into()),
            bytes(load.size.constant_bytes),
            bytes(load.file_bytes),
            time(load.encode.processor_ms),
            time(load.decode.processor_ms),
            time(run.plan.processor_ms),
            time(run.commit.processor_ms),
            bytes(run.peak_bytes.max(load.peak_bytes)),
            time(check.plan.processor_ms),
            time(check.commit.processor_ms),
            bytes(check.peak_bytes),
        ]);
    }
    table.lines()
}

fn dispute(rows: &[Row]) -> Vec<String> {
    let mut table = Table::new(&[
        "operators",
        "transactions",
        "at most",
        "gas",
        "calldata",
        "executor's moves",
        "challenger's",
        "its commitment",
        "settlement",
        "at once: gas",
        "calldata",
        "challenger's",
        "memory, both",
    ]);
    for row in rows {
        let Some(dispute) = &row.dispute else { continue };
        let (played, at_once) = (&dispute.interactive, &dispute.at_once);
        table.push(vec![
            grouped(row.at.into()),
            grouped(played.transactions.into()),
            grouped(u128::from(dispute.most_moves) + 1),
            grouped(played.gas.into()),
            grouped(played.calldata.into()),
            time(played.executor_ms),
            time(played.challenger_ms),
            time(played.commitment_ms),
            grouped(dispute.settlement.gas.into()),
            grouped(at_once.gas.into()),
            grouped(at_once.calldata.into()),
            time(at_once.challenger_ms),
            bytes(dispute.peak_bytes),
        ]);
    }
    table.lines()
}

/// A figure of a dispute that grows with the logarithm.
type Growing = (&'static str, fn(&Row) -> Option<f64>);

const GROWING: [Growing; 6] = [
    ("gas of a match", |row| Some(row.dispute.as_ref()?.interactive.gas as f64)),
    ("transactions of a match", |row| Some(row.dispute.as_ref()?.interactive.transactions as f64)),
    ("bytes of a match's calldata", |row| Some(row.dispute.as_ref()?.interactive.calldata as f64)),
    ("gas of a match's settlement", |row| Some(row.dispute.as_ref()?.settlement.gas as f64)),
    ("gas at once", |row| Some(row.dispute.as_ref()?.at_once.gas as f64)),
    ("bytes of calldata at once", |row| Some(row.dispute.as_ref()?.at_once.calldata as f64)),
];

/// The line of a figure against the binary logarithm of what grows.
fn logarithmic(rows: &[Row], of: fn(&Row) -> Option<f64>) -> Option<Line> {
    let points = points(rows, of);
    Line::through(&points.iter().map(|(at, value)| (at.log2(), *value)).collect::<Vec<_>>())
}

fn growth(rows: &[Row]) -> Vec<String> {
    let mut lines = vec![
        "Lines through these figures, by least squares, n the number of operators:".to_owned(),
        String::new(),
    ];
    for (name, of) in GROWING {
        if let Some(line) = logarithmic(rows, of) {
            lines.push(format!(
                "- {name} = {} + {} log2 n, no figure further than {} from it",
                number(line.start),
                number(line.slope),
                number(line.worst)
            ));
        }
    }
    lines
}

/// A number with a decimal where that matters.
fn number(value: f64) -> String {
    if value.abs() < 100.0 { format!("{value:.1}") } else { grouped(value.round().max(0.0) as u128) }
}

fn claims(rows: &[Row]) -> Vec<String> {
    let mut table = Table::new(&[
        "model",
        "operators",
        "terms",
        "claims",
        "the node, a claim",
        "re-run and hash alone",
        "claims a second",
    ]);
    for row in rows {
        let Some(claims) = &row.claims else { continue };
        let each = |ms: f64| ms / claims.claims as f64;
        table.push(vec![
            name(row.model),
            grouped(claims.size.operators.into()),
            grouped(claims.size.terms.into()),
            grouped(claims.claims.into()),
            time(each(claims.node.processor_ms)),
            time(each(claims.check.processor_ms)),
            format!("{:.1}", 1e3 / each(claims.node.processor_ms)),
        ]);
    }
    table.lines()
}

fn name(model: Model) -> String {
    match model {
        Model::Stack { width, depth, batch } => format!("stack, width {width}, depth {depth}, batch {batch}"),
        Model::Attention { tokens } => format!("attention, {tokens} tokens"),
        Model::Chain { operators } => format!("chain of {operators}"),
        Model::Digits => "digits".into(),
    }
}

/// The picture of the honest path.
pub fn honest_picture(measured: &[Measured<'_>]) -> String {
    const MIB: f64 = 1024.0 * 1024.0;
    let series = |name: &str, points| Series { name: name.into(), points, fitted: false };
    let own = measured.iter().filter(|(curve, _)| curve.name != "claims");
    let charts = own.flat_map(|(curve, rows)| {
        let times = Chart {
            title: format!("{}: processor time, ms", curve.name),
            axis: curve.axis.into(),
            powers: true,
            series: vec![
                series("run", points(rows, |row| Some(row.run?.run.processor_ms))),
                series("run and commit", points(rows, |row| Some(row.run?.commit.processor_ms))),
                series("check in burn", points(rows, |row| Some(row.check?.commit.processor_ms))),
            ],
        };
        let memory = Chart {
            title: format!("{}: most memory held, MiB", curve.name),
            axis: curve.axis.into(),
            powers: true,
            series: vec![
                series("constants", points(rows, |row| Some(row.run?.size.constant_bytes as f64 / MIB))),
                series("run and commit", points(rows, |row| Some(row.run?.peak_bytes as f64 / MIB))),
                series("check in burn", points(rows, |row| Some(row.check?.peak_bytes as f64 / MIB))),
            ],
        };
        [times, memory]
    });
    draw(
        "Time and memory of one core against width, depth, tokens, batch and operators",
        &charts.collect::<Vec<_>>(),
    )
}

/// The picture of disputes.
pub fn dispute_picture(measured: &[Measured<'_>]) -> Option<String> {
    let (_, rows) = measured.iter().find(|(curve, _)| curve.name == "operators")?;
    let series = |name: &str, of: fn(&Row) -> Option<f64>| Series {
        name: name.into(),
        points: points(rows, of),
        fitted: false,
    };
    let with_fit = |name: &str, of: fn(&Row) -> Option<f64>| {
        let own = series(name, of);
        let line = logarithmic(rows, of);
        let fit = line.map(|line| Series {
            name: format!("{} + {} log2 n", number(line.start), number(line.slope)),
            points: own.points.iter().map(|(at, _)| (*at, line.start + line.slope * at.log2())).collect(),
            fitted: true,
        });
        std::iter::once(own).chain(fit).collect::<Vec<_>>()
    };
    let chart =
        |title: &str, powers, series| Chart { title: title.into(), axis: "operators".into(), powers, series };
    let [match_gas, transactions, calldata, _, gas, once_calldata] = GROWING.map(|(_, of)| of);
    let charts = [
        chart("gas of a dispute", false, [with_fit("a match", match_gas), with_fit("at once", gas)].concat()),
        chart("transactions from opening to verdict", false, with_fit("a match", transactions)),
        chart(
            "bytes of calldata",
            false,
            [with_fit("a match", calldata), with_fit("at once", once_calldata)].concat(),
        ),
        chart(
            "computing of each side, processor ms",
            true,
            vec![
                series("executor: run, commit", |row| Some(row.run?.commit.processor_ms)),
                series("moves", |row| Some(row.dispute.as_ref()?.interactive.executor_ms)),
                series("challenger: check", |row| Some(row.check?.commit.processor_ms)),
                series("commitment", |row| Some(row.dispute.as_ref()?.interactive.commitment_ms)),
                series("moves", |row| Some(row.dispute.as_ref()?.interactive.challenger_ms)),
            ],
        ),
    ];
    Some(draw("A dispute against the number of operators, up to 1 GiB of weights", &charts))
}
