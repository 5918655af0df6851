//! One scene's action: a job, a claim, somebody who watches, until the claim is decided and everybody is paid.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use narrows_bisection::{BlockTime, ClaimId, ClaimStatus, JobId, Wei};
use narrows_challenger::node::{Action as Watched, Temper, WatchtowerNode};
use narrows_commitment::Digest;
use narrows_contracts::Chain as _;
use narrows_executor::node::{Action as Executed, Conduct, ExecutorNode};
use serde_json::json;

use super::DemoArgs;
use super::cast::{FEE, Role, Stage};
use super::model::Model;
use crate::output::{Output, bad, dim, ether, good, short};

/// The most ticks of a scene, far above what any dispute needs.
const MAX_TICKS: usize = 400;

/// Who claims and who watches.
pub struct Cast {
    /// Who claims.
    pub executor: Role,
    /// How.
    pub conduct: Arc<dyn Conduct>,
    /// Who watches.
    pub challenger: Role,
    /// How.
    pub temper: Arc<dyn Temper>,
    /// Whether the executor's trace can be had.
    pub served: bool,
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
            let mut executed = self.executor.tick(&mut self.stage.chain).await?;
            if !executed.is_empty() {
                // It sees what it did, and hands out the trace of a claim that it has just posted.
                executed.extend(self.executor.tick(&mut self.stage.chain).await?);
            }
            let watched = self.watchtower.tick(&mut self.stage.chain).await?;
            executed.iter().for_each(|action| self.tell_executed(action));
            watched.iter().for_each(|action| self.tell_watched(action));
            let idle = executed.is_empty() && watched.is_empty();
            if let (Some(status), true) = (decided, idle) {
                return Ok(status);
            }
            decided = self.decided(job)?;
            // A second passes with every exchange; with nothing to do, the clocks run on.
            self.stage.chain.chain.advance(if idle { 10 } else { 1 })?;
        }
        anyhow::bail!("the claim was not decided in {MAX_TICKS} exchanges")
    }

    /// What became of the claim on `job`, once its reward is out too.
    fn decided(&self, job: JobId) -> Result<Option<ClaimStatus>> {
        let Some(claim) = self.stage.claim_on(job) else { return Ok(None) };
        let view = self.stage.chain.claim(claim)?.context("the chain forgot a claim")?;
        let patience = u64::from(self.stage.chain.parameters().reward_seconds);
        // Past its time a reward that nobody opened stays where it is.
        let late = self.stage.chain.now() > BlockTime(view.refuted_at.0 + patience);
        let rewarded = view.point == Digest::default() || (late && view.best.is_none());
        Ok((view.status != ClaimStatus::Pending && rewarded).then_some(view.status))
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

/// A job, a claim, somebody who watches; how it ended.
pub async fn play(
    stage: &mut Stage,
    model: &Model,
    input: usize,
    cast: Cast,
    args: &DemoArgs,
    out: Output,
) -> Result<(ClaimId, ClaimStatus)> {
    let Cast { executor: role, conduct, challenger, temper, served } = cast;
    let claimed = conduct.trace(&model.program, model.inputs[input].clone()).map_err(anyhow::Error::msg)?;
    let job = stage.post_job(model.inputs[input].clone())?;
    let parameters = stage.chain.parameters();
    let registered = stage.chain.program(model.program.root())?.context("the program is not registered")?;
    let fee = registered.claim_fee(&parameters).unwrap_or(Wei(0));
    out.line(format_args!("  requester: posts a job with a fee of {}", ether(FEE.0)));
    out.line(format_args!(
        "  {}: commits to a claim, then claims {}, trace root {}; bond {}, claim fee {}",
        role.name(),
        console::style(model.says(claimed.output())).bold(),
        short(claimed.root()),
        ether(parameters.executor_bond.0),
        ether(fee.0),
    ));
    out.event(
        "claim",
        json!({
            "who": role.name(), "answer": model.says(claimed.output()),
            "trace_root": claimed.root(), "claim_fee_wei": fee,
        }),
    );
    let executor = stage.executor(role, conduct)?;
    let shelf = served.then(|| executor.shelf().clone());
    let watchtower = stage.watchtower(challenger, args.backend, temper, shelf)?;
    let mut play = Play { stage, executor, watchtower, out };
    let status = play.run(job).await?;
    let claim = stage.claim_on(job).context("nobody claimed")?;
    Ok((claim, status))
}
