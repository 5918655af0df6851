//! A watchtower node at work: how many true claims it checks in a second, from the chain's events to the decision.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use narrows_bisection::{Account, Parameters, Trace};
use narrows_challenger::engine::{Backend, BurnEngine};
use narrows_challenger::node::{Action, Honest, WatchtowerNode};
use narrows_commitment::keccak;
use narrows_contracts::Inbox;
use narrows_executor::engine::Engine;
use narrows_program::Program;

use super::figures::{Claims, Size};
use super::honest::peak;
use super::models::{Made, Model};
use crate::dispute::Venue;
use crate::meter::{Stopwatch, Took};

const WATCHTOWER: Account = Account([0x57; 20]);
/// Claims that are posted before the node looks again: they all stand within one window.
const TOGETHER: u64 = 32;

/// Posts claims on an embedded chain and lets a node check them, until the effort is spent; then checks as many without node
/// and chain.
pub async fn measure(model: Model, backend: Backend, effort: Duration) -> Result<Claims> {
    let Made { program, .. } = model.make()?;
    let program = Arc::new(program);
    let engine = Engine::new(&program);
    let mut venue = Venue::new(&program, Parameters::default())?;
    let (known, journal) = (vec![Arc::clone(&program)], (Inbox::temporary()?, Vec::new()));
    let mut node =
        WatchtowerNode::new(WATCHTOWER, known, backend, Arc::new(Honest), keccak(b"growth"), journal);

    // The first claim pays for the plan.
    post(&mut venue, &engine, &program, model, 0)?;
    ensure!(checked(&node.tick(&mut venue.chain).await?) == 1, "the node does not check the first claim");
    let mut took = Took::default();
    let (begun, mut claims) = (Instant::now(), 0);
    while begun.elapsed() < effort {
        for number in 0..TOGETHER {
            post(&mut venue, &engine, &program, model, 1 + claims + number)?;
        }
        let watch = Stopwatch::start();
        let actions = node.tick(&mut venue.chain).await?;
        let spent = watch.stop();
        took.processor += spent.processor;
        took.wall += spent.wall;
        ensure!(checked(&actions) == TOGETHER, "the node did not find every claim true");
        claims += TOGETHER;
    }
    Ok(Claims {
        size: Size::of(&program),
        claims,
        node: took.into(),
        check: alone(&program, model, backend, claims)?.into(),
        peak_bytes: peak(),
    })
}

/// Posts the true claim about the model's input `number`.
fn post(venue: &mut Venue<'_>, engine: &Engine, program: &Program, model: Model, number: u64) -> Result<()> {
    let input = model.input(program, number);
    let truth = Trace::new(program, input.clone(), engine.run(&input)?)?;
    let job = venue.job(&input)?;
    venue.claim(job, &truth)?;
    Ok(())
}

/// Claims that were found true among what a node did; it does nothing else.
fn checked(actions: &[Action]) -> u64 {
    let right = |action: &&Action| matches!(action, Action::Checked { claimed, own, .. } if claimed == own);
    actions.iter().filter(right).count() as u64
}

/// Re-runs and hashes the same inputs.
fn alone(program: &Program, model: Model, backend: Backend, claims: u64) -> Result<Took> {
    let engine = BurnEngine::new(program, backend)?;
    let check = |input: Vec<u8>| -> Result<()> {
        let outputs = engine.run(&input)?;
        std::hint::black_box(Trace::new(program, input, outputs)?.root());
        Ok(())
    };
    // The first warms up.
    check(model.input(program, 0))?;
    let inputs: Vec<Vec<u8>> = (1..=claims).map(|number| model.input(program, number)).collect();
    let watch = Stopwatch::start();
    inputs.into_iter().try_for_each(check)?;
    Ok(watch.stop())
}
