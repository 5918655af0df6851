//! A dispute as people read it.

use narrows_bisection::record::Labels;
use narrows_bisection::replay::{Finding, Step};
use narrows_bisection::{ClaimStatus, Side, Story};
use narrows_program::OperatorIndex;
use serde_json::json;

use crate::output::{Output, bad, dim, good, grouped};

/// Prints every move: who made it, what is still in doubt, what it cost.
pub fn show(out: Output, story: &Story, labels: &Labels) {
    out.line(dim(format!("  {:<4}{:<11} {:<13} {:>9}  {}", "", "who", "move", "gas", "still in doubt")));
    for (index, step) in story.steps.iter().filter(|step| step.of_the_claim).enumerate() {
        show_step(out, index + 1, step, labels);
    }
    for (mover, gas) in story.gas_by_mover() {
        out.event("gas", json!({ "who": mover.to_string(), "gas": gas }));
    }
}

fn show_step(out: Output, number: usize, step: &Step, labels: &Labels) {
    let text = match &step.finding {
        Some(finding) => say(finding, labels),
        None if step.doubt_text().is_empty() => aside(step.call).into(),
        None => step.doubt_text(),
    };
    let gas = step.gas.map_or_else(|| "-".into(), |gas| grouped(gas.into()));
    let (who, call) = (step.mover.to_string(), step.call);
    let line = format!("  {number:>2}. {who:<11} {call:<13} {gas:>9}  ");
    match step.finding {
        Some(_) => out.line(format_args!("{line}{}", console::style(&text).bold())),
        None => out.line(format_args!("{line}{text}")),
    }
    let name = |label: &Option<String>| label.clone().unwrap_or_default();
    out.event(
        "move",
        json!({
            "number": number, "who": who, "account": step.account, "call": call, "gas": step.gas, "time": step.time,
            "match": step.match_number, "phase": step.after, "doubt": step.doubt_text(),
            "layer": step.layer.as_ref().map(|(index, _)| index),
            "layer_label": step.layer.as_ref().map(|(_, label)| name(label)),
            "operator": step.operator.as_ref().map(|(index, _)| index),
            "operator_label": step.operator.as_ref().map(|(_, label)| name(label)),
            "finding": step.finding.as_ref().map(|f| say(f, labels)),
        }),
    );
}

/// What a call that leaves nothing in doubt is for.
fn aside(call: &str) -> &'static str {
    match call {
        "register" => "(the model: its header and the root of its layers)",
        "postJob" => "(asks for a run, and pays for it)",
        "commitClaim" => "(hides the claim, so that nobody copies it; stakes the bond)",
        "postClaim" => "(shows the claim that was committed to)",
        "commit" => "(hides the challenger's own trace: who knew the right value, and when)",
        "openReward" => "(opens that commitment: the right value was known before the verdict)",
        "collectReward" => "(half of the liar's bond; the rest is burned)",
        "reclaim" => "(the challenger's own bond comes back)",
        "finalise" => "(the window is over)",
        _ => "",
    }
}

/// A finding in the source model's names.
pub fn say(finding: &Finding, labels: &Labels) -> String {
    let name = |operator: &OperatorIndex| match labels.operator(*operator) {
        Some(label) => format!("operator {operator} ({label})"),
        None => format!("operator {operator}"),
    };
    let ending = |stood: &bool| if *stood { "is as claimed" } else { "is NOT as claimed" };
    match finding {
        Finding::Silence(Side::Executor) => "the executor's clock ran out".into(),
        Finding::Silence(Side::Challenger) => "the challenger's clock ran out".into(),
        Finding::PaddedTrace => "the trace's padding is not the constant".into(),
        Finding::PaddedTensor(operator) => format!("the padding of {} is not zero", name(operator)),
        Finding::Element(operator, element, stood) => {
            format!("recomputed: element {element} of {} {}", name(operator), ending(stood))
        }
        Finding::Segment(operator, element, segment, stood) => {
            format!(
                "recomputed: segment {segment} of element {element} of {} {}",
                name(operator),
                ending(stood)
            )
        }
        Finding::Copy(original) => format!("a copy of the refuted claim {original}"),
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
