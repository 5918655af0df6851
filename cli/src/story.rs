//! A dispute as people read it.

use narrows_bisection::replay::{Finding, Step};
use narrows_bisection::{ClaimStatus, Side, Story};
use narrows_program::LayerIndex;
use serde_json::json;

use crate::output::{Output, bad, dim, good, grouped};

/// Prints every move: who made it, what is still in doubt, what it cost.
pub fn show(out: Output, story: &Story, labels: &[String]) {
    out.line(dim(format!("  {:<4}{:<11} {:<11} {:>9}  {}", "", "who", "move", "gas", "still in doubt")));
    for (index, step) in story.steps.iter().filter(|step| step.of_the_claim).enumerate() {
        show_step(out, index + 1, step, labels);
    }
    for (mover, gas) in story.gas_by_mover() {
        out.event("gas", json!({ "who": mover.to_string(), "gas": gas }));
    }
}

fn show_step(out: Output, number: usize, step: &Step, labels: &[String]) {
    let text = match &step.finding {
        Some(finding) => say(finding, labels),
        None => step.doubt_text(),
    };
    let gas = step.gas.map_or_else(|| "-".into(), |gas| grouped(gas.into()));
    let (who, call) = (step.mover.to_string(), step.call);
    let line = format!("  {number:>2}. {who:<11} {call:<11} {gas:>9}  ");
    match step.finding {
        Some(_) => out.line(format_args!("{line}{}", console::style(&text).bold())),
        None => out.line(format_args!("{line}{text}")),
    }
    out.event(
        "move",
        json!({
            "number": number, "who": who, "call": call, "gas": step.gas, "time": step.time,
            "match": step.match_number, "phase": step.after, "doubt": step.doubt_text(),
            "layer": step.label, "finding": step.finding.as_ref().map(|f| say(f, labels)),
        }),
    );
}

/// A finding in the source model's layer names.
pub fn say(finding: &Finding, labels: &[String]) -> String {
    let name = |layer: &LayerIndex| match labels.get(layer.0 as usize).filter(|l| !l.is_empty()) {
        Some(label) => format!("layer {layer} ({label})"),
        None => format!("layer {layer}"),
    };
    let ending = |stood: &bool| if *stood { "is as claimed" } else { "is NOT as claimed" };
    match finding {
        Finding::Silence(Side::Executor) => "the executor's clock ran out".into(),
        Finding::Silence(Side::Challenger) => "the challenger's clock ran out".into(),
        Finding::PaddedLayer => "the trace's padding is not the constant".into(),
        Finding::PaddedTensor(layer) => format!("the padding of {} is not zero", name(layer)),
        Finding::Element(layer, element, stood) => {
            format!("recomputed: element {element} of {} {}", name(layer), ending(stood))
        }
        Finding::Segment(layer, element, segment, stood) => {
            format!("recomputed: segment {segment} of element {element} of {} {}", name(layer), ending(stood))
        }
    }
}

/// The verdict in a word.
pub fn verdict(out: Output, status: ClaimStatus) {
    let text = match status {
        ClaimStatus::Refuted => bad("the claim is refuted"),
        ClaimStatus::Final => good("the claim is final"),
        ClaimStatus::Pending => dim("the claim stands so far"),
    };
    out.line(format_args!("  verdict: {}", text.bold()));
    out.event("verdict", json!({ "claim": format!("{status:?}").to_lowercase() }));
}
