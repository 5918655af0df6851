//! The scenes: the honest claim, the lie, the nuisance.

use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use narrows_bisection::record::Labels;
use narrows_bisection::replay::Finding;
use narrows_bisection::{ClaimId, ClaimStatus, Event, Record, Side, Story, replay};
use narrows_challenger::node::{Griefer, Honest as HonestTemper};
use narrows_contracts::Chain as _;
use narrows_executor::node::{Conduct as _, Honest};
use serde_json::json;

use super::DemoArgs;
use super::cast::{Role, Stage};
use super::model::Model;
use super::play::{Cast, play};
use crate::lies::{Cheat, first_fault};
use crate::output::Output;
use crate::{files, story};

/// An honest executor, and a watchtower that finds nothing.
pub async fn honest(stage: &mut Stage, model: &Model, args: &DemoArgs, out: Output) -> Result<bool> {
    out.heading("3. An honest claim");
    let before = stage.balances()?;
    let cast = Cast {
        executor: Role::Executor,
        conduct: Arc::new(Honest),
        challenger: Role::Watchtower,
        temper: Arc::new(HonestTemper),
        served: true,
    };
    let (_, status) = play(stage, model, 0, cast, args, out).await?;
    story::verdict(out, status);
    before.compare(&stage.balances()?, out)?;
    Ok(status == ClaimStatus::Final)
}

/// A cheating executor, caught.
pub async fn cheat(stage: &mut Stage, model: &Model, args: &DemoArgs, out: Output) -> Result<bool> {
    out.heading("4. A cheating executor");
    // A copied claim is an old answer to a new question; every other lie is about the picture above.
    let input = usize::from(args.cheat == Cheat::Copy);
    let conduct = model.lie(input, args.cheat)?;
    if args.cheat == Cheat::Copy {
        conduct.trace(&model.program, model.inputs[0].clone()).map_err(anyhow::Error::msg)?;
    }
    let truth = Honest.trace(&model.program, model.inputs[input].clone()).map_err(anyhow::Error::msg)?;
    let lie = conduct.trace(&model.program, model.inputs[input].clone()).map_err(anyhow::Error::msg)?;
    let at = first_fault(&model.program, &truth, &lie).context("the lie is no lie")?;
    let (layer, _) = model.program.layer_of(at);
    out.line(format_args!(
        "  the truth is {}; the lie first leaves it in layer {layer}, operator {at} ({})",
        model.says(truth.output()),
        model.program.operator_label(at)
    ));
    if args.served {
        out.line("  its trace is handed out, the layers' inner roots signed: one transaction can refute it");
    }
    let before = stage.balances()?;
    let cast = Cast {
        executor: Role::Cheat,
        conduct,
        challenger: Role::Watchtower,
        temper: Arc::new(HonestTemper),
        served: args.served,
    };
    let (claim, status) = play(stage, model, input, cast, args, out).await?;
    let told = tell(stage, model, claim, args, out)?;
    story::verdict(out, status);
    out.heading("5. Who paid");
    before.compare(&stage.balances()?, out)?;
    let caught_there = match told.finding() {
        Some(Finding::Element(operator, ..) | Finding::Segment(operator, ..)) => operator == at,
        Some(Finding::Silence(side)) => side == Side::Executor,
        _ => false,
    };
    ensure!(
        caught_there || status != ClaimStatus::Refuted,
        "the lie was caught somewhere else than where it is"
    );
    let matches = told.steps.iter().filter(|step| step.of_the_claim && step.call == "open").count();
    ensure!((matches == 0) == args.served, "the lie was caught in {matches} matches");
    Ok(status == ClaimStatus::Refuted && caught_there)
}

/// Somebody disputes an honest claim, and pays for it.
pub async fn griefer(stage: &mut Stage, model: &Model, args: &DemoArgs, out: Output) -> Result<bool> {
    out.heading("4. Somebody disputes an honest claim");
    let before = stage.balances()?;
    let temper = Griefer { turns: vec![3, 1, 2] };
    let cast = Cast {
        executor: Role::Executor,
        conduct: Arc::new(Honest),
        challenger: Role::Griefer,
        temper: Arc::new(temper),
        served: false,
    };
    let (claim, status) = play(stage, model, 1, cast, args, out).await?;
    tell(stage, model, claim, args, out)?;
    story::verdict(out, status);
    out.heading("5. Who paid");
    let after = stage.balances()?;
    before.compare(&after, out)?;
    let events = stage.chain.history.iter().flat_map(|entry| &entry.events);
    let lost = events.filter(|event| matches!(event, Event::MatchLost { .. })).count();
    Ok(status == ClaimStatus::Final && lost == 1)
}

/// Writes the dispute's record, replays it, and prints what it says.
fn tell(stage: &Stage, model: &Model, claim: ClaimId, args: &DemoArgs, out: Output) -> Result<Story> {
    let labels = Labels::of(&model.program);
    let chain = &stage.chain;
    let (id, game, parameters) = (chain.chain_id(), chain.game(), chain.parameters());
    let record = Record::of_claim(id, game, parameters, labels.clone(), claim, &chain.history)?;
    let told = replay(&record)?;
    story::show(out, &told, &labels);
    files::write(&args.record, &record.encode()?)?;
    let path = args.record.display();
    out.line(format_args!("  the dispute's record is {path}; judge it again with: narrows replay {path}"));
    out.event("record", json!({ "path": path.to_string() }));
    Ok(told)
}
