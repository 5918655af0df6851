//! A compilation's report, for people.

use narrows_compiler::{Closeness, Report, TestReport};
use serde_json::json;

use crate::output::{Output, dim, grouped, printable};

/// More operators than this are not all listed, but so many at either end.
const MOST_SHOWN: usize = 400;
const SHOWN_FIRST: usize = 120;
const SHOWN_LAST: usize = 20;

/// Prints what the program's operators and layers are and how close it is to its source.
pub fn show(out: Output, report: &Report) {
    out.line(dim(format!(
        "  {:>5} {:>4}  {:<30}{:>12}{:>6}{:>8}{:>11}{:>11}{:>9}",
        "layer", "op", "source nodes", "shape", "type", "terms", "range", "scale", "SNR"
    )));
    let mut layer = None;
    let count = report.operators.len();
    for (index, operator) in report.operators.iter().enumerate() {
        if count > MOST_SHOWN && (SHOWN_FIRST..count - SHOWN_LAST).contains(&index) {
            if index == SHOWN_FIRST {
                let left = count - SHOWN_FIRST - SHOWN_LAST;
                out.line(dim(format!(
                    "         … {} operators more; --json has them all",
                    grouped(left as u128)
                )));
            }
            continue;
        }
        let names = match (operator.nodes.is_empty(), operator.role.is_empty()) {
            (true, true) => "(reorder)".into(),
            (true, false) => format!("({})", operator.role),
            (false, true) => operator.nodes.join(" + "),
            (false, false) => format!("{}: {}", operator.nodes.join(" + "), operator.role),
        };
        let shape: Vec<String> = operator.shape.iter().map(u32::to_string).collect();
        let noise = operator.signal_to_noise_db.map_or_else(|| "-".into(), |db| format!("{db:.1} dB"));
        let range = operator.least.abs().max(operator.greatest.abs());
        let begins = layer != Some(operator.layer);
        layer = Some(operator.layer);
        out.line(format_args!(
            "  {:>5} {index:>4}{} {:<30}{:>12}{:>6}{:>8}{:>11}{:>11}{noise:>9}",
            if begins { operator.layer.to_string() } else { String::new() },
            if operator.exported { '*' } else { ' ' },
            printable(&names, 29),
            shape.join("x"),
            format!("{:?}", operator.dtype).to_lowercase(),
            operator.terms,
            format!("±{range:.2}"),
            format!("{:.5}", operator.scale),
        ));
    }
    out.line(dim("         * is exported"));
    summary(out, report);
}

/// Prints what a program is as a whole and how close it is to its source.
pub fn summary(out: Output, report: &Report) {
    out.line(dim(format!(
        "  {} operators in {} layers ({}); {} bytes are hashed for an honest run",
        report.operators.len(),
        report.layers,
        report.layering,
        grouped(report.exported_bytes.into())
    )));
    if !report.vanished.is_empty() {
        let names: Vec<&str> = report.vanished.iter().map(|v| v.node.as_str()).collect();
        out.line(dim(format!("  moved no data or dropped: {}", printable(&names.join(", "), 200))));
    }
    out.line(format_args!(
        "  profile {}, {} multiply-adds, {} bytes of constants, program {}",
        serde_json::to_value(report.profile)
            .ok()
            .and_then(|v| v.as_str().map(str::to_owned))
            .unwrap_or_default(),
        grouped(report.terms.into()),
        grouped(report.constant_bytes.into()),
        crate::output::short(&report.program_root),
    ));
    if let Some(softmax) = &report.dropped_softmax {
        out.line(dim(format!(
            "  left out: the softmax {softmax} at the end, which keeps the order of the outputs"
        )));
    }
    out.line(format_args!("  on {} calibration samples: {}", report.compared_samples, close(&report.output)));
    for advice in &report.worst {
        let names = if advice.nodes.is_empty() { "a copy".into() } else { advice.nodes.join(" + ") };
        let (names, db) = (printable(&names, 40), advice.signal_to_noise_db);
        out.line(format_args!(
            "  noisy: operator {} ({names}), {db:.1} dB: {}",
            advice.operator, advice.remedy
        ));
    }
    if let Some(test) = &report.test {
        show_test(out, test);
    }
    out.event("compiled", json!({ "report": report }));
}

fn close(output: &Closeness) -> String {
    format!(
        "cosine of the output with float {:.5} in the mean, {:.5} at least, greatest error {:.4}",
        output.mean_cosine, output.least_cosine, output.greatest_error
    )
}

fn show_test(out: Output, test: &TestReport) {
    let percent = |count: usize| format!("{:.2} %", 100.0 * test.part(count));
    let what = match test.answers == test.samples {
        true => format!("{} test samples", test.samples),
        false => format!("{} answers for {} test samples", grouped(test.answers as u128), test.samples),
    };
    let agreement = percent(test.agreeing);
    match (test.float_right, test.integer_right) {
        (Some(float), Some(integer)) => out.line(format_args!(
            "  on {what} never used for calibration: float top-1 {}, integer top-1 {}, agreement {agreement}",
            percent(float),
            percent(integer),
        )),
        _ => {
            out.line(format_args!("  on {what} never used for calibration: agreement with float {agreement}"))
        }
    }
    if let (Some(float), Some(integer)) = (test.float_perplexity, test.integer_perplexity) {
        let change = 100.0 * (integer / float - 1.0);
        out.line(format_args!("  perplexity: float {float:.4}, integer {integer:.4} ({change:+.3} %)"));
    }
    out.line(format_args!("  on them: {}", close(&test.output)));
}
