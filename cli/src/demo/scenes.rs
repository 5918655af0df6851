//! The scenes: the model, the honest claim, the lie, the nuisance.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use narrows_bisection::{ClaimId, ClaimStatus, JobId, Record, Story, replay};
use narrows_challenger::node::{Action as Watched, Griefer, Honest as HonestTemper, Temper, WatchtowerNode};
use narrows_compiler::{Graph, Options, Report, Samples};
use narrows_contracts::Chain as _;
use narrows_executor::engine::Engine;
use narrows_executor::node::{Action as Executed, Conduct, ExecutorNode, Honest};
use narrows_program::Program;
use serde_json::json;

use super::cast::{CHEAT, EXECUTOR, FEE, GRIEFER, Role, Stage, WATCHTOWER};
use super::lies::{choose, label};
use super::{Cheat, DemoArgs};
use crate::engine::Native;
use crate::output::{Output, bad, dim, ether, good, short};
use crate::{files, picture, report, story};

const MODEL: &[u8] = include_bytes!("../../../fixtures/digits/digits.onnx");
const CALIBRATION: &[u8] = include_bytes!("../../../fixtures/digits/calibration.npz");
const TEST: &[u8] = include_bytes!("../../../fixtures/digits/test.npz");
/// Folds of more terms than this are disputed segment by segment, so that a small model shows every phase.
const SPLIT: u32 = 64;

/// The most ticks of a scene, far above what any dispute needs.
const MAX_TICKS: usize = 400;

/// The compiled model and its inputs.
pub struct Model {
    /// The program.
    pub program: Arc<Program>,
    /// Canonical inputs: the one that is shown, and another one.
    pub inputs: [Vec<u8>; 2],
}

/// Loads, compiles and measures the digits model.
pub fn model(out: Output) -> Result<Model> {
    let folder = tempfile::tempdir()?;
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        files::write(&path, bytes).map(|()| path)
    };
    let graph = Graph::parse(MODEL, Path::new("fixtures/digits/digits.onnx"), &Default::default())?;
    let shape = graph.value(graph.input).shape.clone();
    let calibration = Samples::load(&file("calibration.npz", CALIBRATION)?, &shape)?;
    let test = Samples::load(&file("test.npz", TEST)?, &shape)?;
    let options = Options { split: SPLIT, ..Options::default() };
    let compiled = narrows_compiler::compile(&graph, &calibration, &options, &mut |_| {})?;
    let report: Report = compiled.report(&calibration, Some(&test), &Native, &mut |_| {})?;
    let program = Arc::new(compiled.into_program());
    let shown = hardest(&program, &test)?;
    let inputs = [
        encode(&program, &test.inputs[shown])?,
        encode(&program, &test.inputs[(shown + 1) % test.inputs.len()])?,
    ];

    out.heading("1. A trained model and a real scanned digit");
    let pixels: Vec<u8> = test.inputs[shown].iter().map(|v| (v * 255.0) as u8).collect();
    picture::grey(&pixels, 8).iter().for_each(|row| out.line(format_args!("    {row}")));
    out.line(dim(format!(
        "    test image {shown}: the one that the model gets right with the least to spare"
    )));
    out.heading("2. Compiled to exact integers");
    report::show(out, &report);
    Ok(Model { program, inputs })
}

fn encode(program: &Program, sample: &[f32]) -> Result<Vec<u8>> {
    Ok(narrows_compiler::encode_input(program, sample)?)
}

/// The test image that the program labels rightly with the smallest lead: where a small lie goes a long way.
fn hardest(program: &Program, test: &Samples) -> Result<usize> {
    let engine = Engine::new(program);
    let labels = test.labels.as_ref().context("the test images have labels")?;
    let mut best: Option<(i64, usize)> = None;
    for (index, (sample, right)) in test.inputs.iter().zip(labels).enumerate() {
        let outputs = engine.run(&encode(program, sample)?)?;
        let mut values = files::integers(program.header().output.dtype, &outputs[outputs.len() - 1]);
        if label(program, &outputs[outputs.len() - 1]) != *right {
            continue;
        }
        values.sort_unstable();
        let lead = values[values.len() - 1] - values[values.len() - 2];
        if best.is_none_or(|(least, _)| lead < least) {
            best = Some((lead, index));
        }
    }
    best.map(|(_, index)| index).context("the model labels no test image rightly")
}

/// Both nodes, until nobody has anything to do before the next second; then time passes.
struct Play<'a> {
    stage: &'a mut Stage,
    executor: ExecutorNode,
    watchtower: WatchtowerNode,
    out: Output,
}

impl Play<'_> {
    /// Lets both nodes act until `job`'s claim is decided and everybody is paid.
    async fn run(&mut self, job: JobId) -> Result<ClaimStatus> {
        let mut decided = None;
        for _ in 0..MAX_TICKS {
            let executed = self.executor.tick(&mut self.stage.chain).await?;
            let watched = self.watchtower.tick(&mut self.stage.chain).await?;
            executed.iter().for_each(|action| self.tell_executed(action));
            watched.iter().for_each(|action| self.tell_watched(action));
            let idle = executed.is_empty() && watched.is_empty();
            if let (Some(status), true) = (decided, idle) {
                return Ok(status);
            }
            decided = match self.stage.claim_on(job) {
                Some(claim) => {
                    let view = self.stage.chain.claim(claim)?.context("the chain forgot a claim")?;
                    (view.status != ClaimStatus::Pending).then_some(view.status)
                }
                None => None,
            };
            // A second passes with every exchange; with nothing to do, the clocks run on.
            self.stage.chain.chain.advance(if idle { 10 } else { 1 })?;
        }
        anyhow::bail!("the claim was not decided in {MAX_TICKS} exchanges")
    }

    fn tell_executed(&self, action: &Executed) {
        match action {
            Executed::Skipped(_, reason) => {
                self.out.line(format_args!("  executor: passed over a job: {reason}"))
            }
            Executed::Refused(call, refusal) => {
                self.out.line(dim(format!("  executor: {} was {refusal}", call.name())));
            }
            Executed::Sent(..) => {}
        }
    }

    fn tell_watched(&self, action: &Watched) {
        match action {
            Watched::Checked { claimed, own, took, .. } => {
                let same = claimed == own;
                let found = if same {
                    good("the same root: it leaves the claim alone")
                } else {
                    bad("ANOTHER root: it disputes")
                };
                self.out.line(format_args!(
                    "  watchtower: re-ran the model in burn in {:.1} ms: {} - {found}",
                    took.as_secs_f64() * 1e3,
                    short(own)
                ));
                self.out.event("checked", json!({ "claimed": claimed, "own": own, "agrees": same }));
            }
            Watched::Skipped(_, reason) => {
                self.out.line(format_args!("  watchtower: could not check: {reason}"))
            }
            Watched::Refused(call, refusal) => {
                self.out.line(dim(format!("  watchtower: {} was {refusal}", call.name())));
            }
            Watched::Sent(..) => {}
        }
    }
}

/// Who claims and who watches.
struct Cast {
    executor: Role,
    conduct: Arc<dyn Conduct>,
    challenger: Role,
    temper: Arc<dyn Temper>,
}

/// A job, a claim, somebody who watches; how it ended.
async fn play(
    stage: &mut Stage,
    model: &Model,
    input: usize,
    cast: Cast,
    args: &DemoArgs,
    out: Output,
) -> Result<(ClaimId, ClaimStatus)> {
    let Cast { executor, conduct, challenger, temper } = cast;
    let claimed = conduct.trace(&model.program, model.inputs[input].clone()).map_err(anyhow::Error::msg)?;
    let job = stage.post_job(model.inputs[input].clone())?;
    let parameters = stage.chain.parameters();
    out.line(format_args!("  requester: posts a job with a fee of {}", ether(FEE.0)));
    out.line(format_args!(
        "  {}: claims label {}, trace root {}, bond {}",
        executor.name,
        console::style(label(&model.program, claimed.output())).bold(),
        short(claimed.root()),
        ether(parameters.executor_bond.0)
    ));
    out.event(
        "claim",
        json!({ "who": executor.name, "label": label(&model.program, claimed.output()), "trace_root": claimed.root() }),
    );
    let executor = stage.executor(executor, conduct)?;
    let watchtower = stage.watchtower(challenger, args.backend, temper)?;
    let mut play = Play { stage, executor, watchtower, out };
    let status = play.run(job).await?;
    let claim = stage.claim_on(job).context("nobody claimed")?;
    Ok((claim, status))
}

/// An honest executor, and a watchtower that finds nothing.
pub async fn honest(stage: &mut Stage, model: &Model, args: &DemoArgs, out: Output) -> Result<bool> {
    out.heading("3. An honest claim");
    let before = stage.balances()?;
    let cast = Cast {
        executor: EXECUTOR,
        conduct: Arc::new(Honest),
        challenger: WATCHTOWER,
        temper: Arc::new(HonestTemper),
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
    let conduct = choose(&model.program, &model.inputs[input], args.cheat)?;
    if args.cheat == Cheat::Copy {
        conduct.trace(&model.program, model.inputs[0].clone()).map_err(anyhow::Error::msg)?;
    }
    let truth = Honest.trace(&model.program, model.inputs[input].clone()).map_err(anyhow::Error::msg)?;
    let lie = conduct.trace(&model.program, model.inputs[input].clone()).map_err(anyhow::Error::msg)?;
    let at = truth.first_difference(&lie).context("the lie is no lie")?;
    out.line(format_args!(
        "  the truth is label {}; the lie first leaves it in layer {at} ({})",
        label(&model.program, truth.output()),
        model.program.layer_label(at)
    ));
    let before = stage.balances()?;
    let cast = Cast { executor: CHEAT, conduct, challenger: WATCHTOWER, temper: Arc::new(HonestTemper) };
    let (claim, status) = play(stage, model, input, cast, args, out).await?;
    let told = tell(stage, model, claim, args, out)?;
    story::verdict(out, status);
    out.heading("5. Who paid");
    before.compare(&stage.balances()?, out)?;
    let caught_there = match told.finding() {
        Some(narrows_bisection::replay::Finding::Element(layer, ..))
        | Some(narrows_bisection::replay::Finding::Segment(layer, ..)) => layer == at,
        Some(narrows_bisection::replay::Finding::Silence(side)) => side == narrows_bisection::Side::Executor,
        _ => false,
    };
    ensure!(
        caught_there || status != ClaimStatus::Refuted,
        "the lie was caught somewhere else than where it is"
    );
    Ok(status == ClaimStatus::Refuted && caught_there)
}

/// Somebody disputes an honest claim, and pays for it.
pub async fn griefer(stage: &mut Stage, model: &Model, args: &DemoArgs, out: Output) -> Result<bool> {
    out.heading("4. Somebody disputes an honest claim");
    let before = stage.balances()?;
    let temper = Griefer { turns: vec![3, 1, 2] };
    let cast =
        Cast { executor: EXECUTOR, conduct: Arc::new(Honest), challenger: GRIEFER, temper: Arc::new(temper) };
    let (claim, status) = play(stage, model, 1, cast, args, out).await?;
    tell(stage, model, claim, args, out)?;
    story::verdict(out, status);
    out.heading("5. Who paid");
    let after = stage.balances()?;
    before.compare(&after, out)?;
    let lost = stage.chain.history.iter().flat_map(|entry| &entry.events);
    let lost = lost.filter(|event| matches!(event, narrows_bisection::Event::MatchLost { .. })).count();
    Ok(status == ClaimStatus::Final && lost == 1)
}

/// Writes the dispute's record, replays it, and prints what it says.
fn tell(stage: &Stage, model: &Model, claim: ClaimId, args: &DemoArgs, out: Output) -> Result<Story> {
    let count = model.program.layers().len() as u32;
    let labels: Vec<String> =
        (0..count).map(|i| model.program.layer_label(narrows_program::LayerIndex(i))).collect();
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
