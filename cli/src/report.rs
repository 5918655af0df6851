//! A compilation's report, for people.

use narrows_compiler::{Report, TestReport};
use serde_json::json;

use crate::output::{Output, dim, grouped, printable};

/// Prints what the program's operators and layers are and how close it is to its source.
pub fn show(out: Output, report: &Report) {
    out.line(dim(format!(
        "  {:>5} {:>4}  {:<30}{:>12}{:>6}{:>8}{:>11}{:>11}{:>9}",
        "layer", "op", "source nodes", "shape", "type", "terms", "range", "scale", "SNR"
    )));
    let mut layer = None;
    for (index, operator) in report.operators.iter().enumerate() {
        let names = if operator.nodes.is_empty() { "(reorder)".into() } else { operator.nodes.join(" + ") };
        let shape: Vec<String> = operator.shape.iter().map(u32::to_string).collect();
        let noise = operator.signal_to_noise_db.map_or_else(|| "exact".into(), |db| format!("{db:.1} dB"));
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
    out.line(dim(format!(
        "  {} operators in {} layers ({}); * is exported: {} bytes are hashed for an honest run",
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
    if let Some(test) = &report.test {
        show_test(out, test);
    }
    out.event("compiled", json!({ "report": report }));
}

fn show_test(out: Output, test: &TestReport) {
    let percent = |count: usize| format!("{:.2} %", 100.0 * test.part(count));
    if let (Some(float), Some(integer)) = (test.float_right, test.integer_right) {
        out.line(format_args!(
            "  on {} test images never used for calibration: float top-1 {}, integer top-1 {}, agreement {}",
            test.samples,
            percent(float),
            percent(integer),
            percent(test.agreeing)
        ));
    } else {
        out.line(format_args!(
            "  agreement with float on {} samples: {}",
            test.samples,
            percent(test.agreeing)
        ));
    }
}
