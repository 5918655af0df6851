//! A compilation's report, for people.

use narrows_compiler::{Report, TestReport};
use serde_json::json;

use crate::output::{Output, dim, grouped};

/// Prints what the program's layers are and how close it is to its source.
pub fn show(out: Output, report: &Report) {
    out.line(dim(format!(
        "  {:>5}  {:<30}{:>12}{:>6}{:>8}{:>11}{:>11}{:>9}",
        "layer", "source nodes", "shape", "type", "terms", "range", "scale", "SNR"
    )));
    for (index, layer) in report.layers.iter().enumerate() {
        let names = if layer.nodes.is_empty() { "(reorder)".into() } else { layer.nodes.join(" + ") };
        let shape: Vec<String> = layer.shape.iter().map(u32::to_string).collect();
        let noise = layer.signal_to_noise_db.map_or_else(|| "exact".into(), |db| format!("{db:.1} dB"));
        let range = layer.least.abs().max(layer.greatest.abs());
        out.line(format_args!(
            "  {index:>5}  {:<30}{:>12}{:>6}{:>8}{:>11}{:>11}{noise:>9}",
            cut(&names, 29),
            shape.join("x"),
            format!("{:?}", layer.dtype).to_lowercase(),
            layer.terms,
            format!("±{range:.2}"),
            format!("{:.5}", layer.scale),
        ));
    }
    if !report.vanished.is_empty() {
        let names: Vec<&str> = report.vanished.iter().map(|v| v.node.as_str()).collect();
        out.line(dim(format!("  moved no data or dropped: {}", names.join(", "))));
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

/// At most `width` characters of a text.
fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.into();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}
