//! A run: block after block, and what must hold after each and at the end.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use narrows_bisection::signature::{self, SigningKey};
use narrows_bisection::{Account, Call, Claim, ClaimStatus, Event, Game, JobId, Phase, Wei};
use narrows_challenger::node::{Griefer, Honest as HonestTemper, Temper};
use narrows_commitment::{Digest, TraceRoot, keccak};
use narrows_contracts::Transaction;
use narrows_executor::node::{Conduct, Honest};
use narrows_program::Program;

use crate::careful::Careful;

use super::actor::{Actor, Journal, Role};
use super::port::Kill;
use super::programs::{input, program};
use super::rng::Rng;
use super::scenario::{Scenario, parameters};
use super::scripts::{COPYCAT, FLOODER, FRONT_RUNNER, REQUESTER, SQUATTER, Scripts};
use super::world::{Censor, FUNDS, World};

/// The honest watchtower.
const WATCHTOWER: Account = Account([0x31; 20]);
/// The watchtower that disputes everything.
const GRIEFER: Account = Account([0x32; 20]);
/// Blocks after which every job of a run is over.
const MAX_BLOCKS: u64 = 1_300;
/// By how much more than the confirmations a deep reorganisation goes back.
const DEEPER: u64 = 8;
/// Blocks for which everybody is watched after all is over.
const QUIET_BLOCKS: u64 = 12;

/// What a run came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Blocks until all was over.
    pub blocks: u64,
    /// Of all events, in order.
    pub digest: Digest,
    /// How claims of the honest executor, and of all others, ended.
    pub honest: Vec<ClaimStatus>,
    /// How the others' claims ended, and whether they were true.
    pub others: Vec<(bool, ClaimStatus)>,
    /// The ticks of the honest executor and watchtower in which something happened.
    pub busy: [Vec<u32>; 2],
    /// How often the honest nodes were killed.
    pub killed: u32,
    /// Reorganisations.
    pub reorganised: u32,
    /// The calls that stood, by name.
    pub events: BTreeMap<&'static str, u32>,
}

fn key(byte: u8) -> SigningKey {
    SigningKey::from_slice(&[byte; 32]).expect("a key")
}

fn account(byte: u8) -> Account {
    signature::account(key(byte).verifying_key())
}

struct Run {
    scenario: Scenario,
    world: Rc<RefCell<World>>,
    actors: Vec<Actor>,
    scripts: Scripts,
    truths: BTreeMap<Digest, TraceRoot>,
    total: u128,
    executor: Account,
    liar: Account,
    rng: Rng,
}

/// Plays a scenario in `folder`, in which nodes keep their journals.
///
/// # Panics
/// When anything that must hold does not.
pub async fn run(scenario: Scenario, folder: &Path) -> Report {
    let mut run = Run::new(scenario, folder);
    let mut over = None;
    for _ in 0..MAX_BLOCKS {
        run.block().await;
        run.check();
        let height = run.world.borrow().height();
        match over {
            None if run.is_over() => {
                // Nothing may undo the end, or hide it.
                let faults = &mut run.world.borrow_mut().faults;
                (faults.reorg, faults.late) = (0, 0);
                over = Some((height, run.begun()));
            }
            Some((at, begun)) if height >= at + QUIET_BLOCKS => {
                assert_eq!(run.begun(), begun, "attack 32: nothing is sent when all is done");
                return run.report(at);
            }
            _ => {}
        }
    }
    panic!("not over after {MAX_BLOCKS} blocks: {}", run.story());
}

impl Run {
    fn new(scenario: Scenario, folder: &Path) -> Self {
        let mut rng = Rng::new(scenario.seed ^ 0x6e61_7272_6f77_7321);
        let program = Arc::new(program(scenario.program));
        let (executor, liar) = (account(7), account(8));
        let everybody =
            [REQUESTER, SQUATTER, COPYCAT, FLOODER, FRONT_RUNNER, WATCHTOWER, GRIEFER, executor, liar];
        let mut world =
            World::new(parameters(), &everybody, scenario.confirmations, scenario.faults, rng.fork());
        let register =
            Call::Register { header: program.header_bytes().to_vec(), layers_root: program.layers_root() };
        world.faults.lost = 0;
        world.hand_over(Transaction { from: REQUESTER, value: Wei(0), call: register });
        // Deep enough that no reorganisation takes it back.
        (0..=scenario.faults.delay_blocks + scenario.confirmations + DEEPER).for_each(|_| world.mine());
        world.faults.lost = scenario.faults.lost;
        let cast = scenario.cast;
        world.front_runner = cast.front_runner.then_some(FRONT_RUNNER);
        world.slow = cast.slow.then_some(if cast.liar.is_some() { liar } else { GRIEFER });
        let victims = BTreeSet::from([executor, WATCHTOWER]);
        world.censor = Censor { victims, budget: cast.censor_seconds, each: 240 };
        let scripts = Scripts::new(&scenario, &program, &world, rng.fork());
        let truths = (0..scenario.jobs).map(|job| truth(&program, job)).collect();
        let total = world.head().state.total();
        let world = Rc::new(RefCell::new(world));
        let shelves = Arc::new(Mutex::new(Vec::new()));
        let mut actors = Vec::new();
        let mut cast_as = |name, account, role| {
            actors.push(Actor::new(name, account, role, &program, &world, &shelves, folder, rng.fork()));
        };
        cast_as("honest executor", executor, Role::Executor(Arc::new(Honest), key(7)));
        let temper: Arc<dyn Temper> =
            if scenario.seed.is_multiple_of(2) { Arc::new(HonestTemper) } else { Arc::new(Careful) };
        cast_as("honest watchtower", WATCHTOWER, Role::Watchtower(temper, scenario.serving));
        if let Some(lie) = cast.liar {
            cast_as("liar", liar, Role::Executor(lie.conduct(&program), key(8)));
        }
        if cast.griefer {
            let turns = scenario.seed.to_be_bytes().to_vec();
            cast_as("griefer", GRIEFER, Role::Watchtower(Arc::new(Griefer { turns }), scenario.serving));
        }
        Self { scenario, world, actors, scripts, truths, total, executor, liar, rng }
    }

    /// Everybody acts, in any order, and then there is a block.
    async fn block(&mut self) {
        self.scripts.act(&mut self.world.borrow_mut());
        let mut order: Vec<usize> = (0..self.actors.len()).collect();
        self.rng.shuffle(&mut order);
        for at in order {
            if !self.rng.chance(self.scenario.faults.asleep) {
                let kill = self.kill(at);
                self.actors[at].wake(kill).await;
            }
        }
        let mut world = self.world.borrow_mut();
        if let Some((_, down)) = self.scenario.deep.filter(|(height, _)| *height == world.height()) {
            let depth = world.confirmations + DEEPER;
            world.undo(depth, false);
            world.stood = Some(world.log.len());
            (0..depth).for_each(|_| world.mine());
            drop(world);
            self.actors
                .iter_mut()
                .filter(|actor| down && actor.honest)
                .for_each(|actor| actor.kill(Journal::Kept));
            world = self.world.borrow_mut();
        }
        world.advance();
    }

    /// Whether and when node `at` is killed in its next tick.
    fn kill(&mut self, at: usize) -> Option<(Kill, Journal)> {
        let actor = &self.actors[at];
        let plan =
            self.scenario.plan.filter(|plan| usize::from(plan.watchtower) == at && plan.tick == actor.ticks);
        // After a planned kill the tick has the same number again only if it did not count.
        if let Some(plan) = plan.filter(|_| actor.killed == 0) {
            return Some((plan.kill, plan.journal));
        }
        let chance = actor.killed < self.scenario.kills && self.rng.chance(50);
        chance.then(|| {
            let kill = match self.rng.upto(2) {
                0 => Kill::Sending,
                1 => Kill::Between,
                _ => Kill::Asking(self.rng.upto(12) as u32),
            };
            let journal = match self.rng.upto(9) {
                0 => Journal::Lost,
                1 => Journal::Corrupted,
                _ => Journal::Kept,
            };
            (kill, journal)
        })
    }

    /// What holds after every block.
    fn check(&self) {
        let world = self.world.borrow();
        let state = &world.head().state;
        let game = &state.game;
        assert_eq!(state.total(), self.total, "money is conserved");
        assert_eq!(game.balance().0, game.locked().0 + game.burned().0, "balance = locked + burned");
        for (_, claim) in game.claims() {
            let Some(truth) = self.truth(game, claim) else { continue };
            let honest = claim.posted.executor == self.executor;
            assert!(!honest || claim.posted.trace_root == truth, "the honest claim is true");
            assert!(
                !honest || claim.status != ClaimStatus::Refuted,
                "the honest executor is slashed: {}",
                self.story()
            );
            let lie = claim.posted.trace_root != truth;
            assert!(!lie || claim.status != ClaimStatus::Final, "a lie is final: {}", self.story());
        }
    }

    /// What the claim should say; `None` when it is about a program that is nobody's business.
    fn truth(&self, game: &Game, claim: &Claim) -> Option<TraceRoot> {
        self.truths.get(&game.job(claim.posted.job).expect("its job").input_root.0).copied()
    }

    /// Whether nothing is left to do for anybody who is honest.
    fn is_over(&self) -> bool {
        let world = self.world.borrow();
        let state = &world.head().state;
        let game = &state.game;
        let honest = [self.executor, WATCHTOWER];
        let ended = |phase: Phase| matches!(phase, Phase::Lost | Phase::Reclaimed | Phase::Committed);
        let now = world.head().block.time;
        let reward_over = |claim: &Claim| {
            claim.point == Digest::default()
                || (now.0 > claim.refuted_at.0 + u64::from(game.parameters().reward_seconds) + 240
                    && claim.best.is_none_or(|best| best.account != WATCHTOWER))
        };
        let over = |claim: &Claim| claim.status != ClaimStatus::Pending && reward_over(claim);
        self.scripts.are_over(&world)
            && world.is_pool_empty()
            && game
                .claims()
                .filter(|(_, claim)| self.truth(game, claim).is_some())
                .all(|(_, claim)| over(claim))
            && honest.iter().all(|account| game.owed(*account) == Wei(0))
            && game.matches().all(|(_, one)| one.seated.challenger != WATCHTOWER || ended(one.state.phase))
    }

    fn begun(&self) -> Vec<u32> {
        self.actors.iter().filter(|actor| actor.honest).map(Actor::all_begun).collect()
    }

    /// What holds at the end.
    fn report(&self, blocks: u64) -> Report {
        let world = self.world.borrow();
        let state = &world.head().state;
        let game = &state.game;
        let log = || world.log.iter().map(|logged| &logged.event);
        let root = program(self.scenario.program).root();
        // One commitment for each job, all of them posted, all posted claims final.
        let made: Vec<(JobId, u64)> = log()
            .filter_map(|event| match event {
                Event::ClaimCommitted { job, executor, number, .. } if *executor == self.executor => {
                    Some((*job, *number))
                }
                _ => None,
            })
            .collect();
        // A front-runner may have copied the request itself.
        let asked: BTreeSet<JobId> =
            game.jobs().filter(|(_, job)| job.program == root).map(|(id, _)| id).collect();
        let committed: BTreeSet<JobId> = made.iter().map(|(job, _)| *job).collect();
        assert_eq!(
            (committed, made.len()),
            (asked.clone(), asked.len()),
            "one commitment for each job: {}",
            self.story()
        );
        let lapsed = log().any(
            |event| matches!(event, Event::ClaimLapsed { job, number } if made.contains(&(*job, *number))),
        );
        assert!(!lapsed, "an honest commitment lapsed: {}", self.story());
        let of_honest = |event: &&Event| matches!(event, Event::ClaimPosted { posted, .. } if posted.executor == self.executor);
        assert_eq!(log().filter(of_honest).count(), made.len(), "every commitment is posted");
        let helped = world
            .log
            .iter()
            .any(|logged| matches!(logged.event, Event::ClaimLapsed { .. }) && logged.sender == REQUESTER);
        assert!(!helped, "the executor clears its own way to the fee: {}", self.story());
        let refunded = log().any(|event| matches!(event, Event::JobRefunded { .. }));
        assert!(!refunded, "a job with an honest claim is paid: {}", self.story());
        let registered = game.program(root).expect("registered");
        let fees = registered.claim_fee(game.parameters()).expect("an amount").0 * made.len() as u128;
        assert!(state.wealth(self.executor) >= FUNDS - fees, "the executor is whole: {}", self.story());
        assert!(state.wealth(WATCHTOWER) >= FUNDS, "the watchtower is whole: {}", self.story());
        let lied = game.claims().any(|(_, claim)| claim.posted.executor == self.liar);
        assert!(!lied || state.wealth(self.liar) < FUNDS, "lying costs");
        for account in [GRIEFER, FLOODER] {
            let lost = log().any(
                |event| matches!(event, Event::MatchOpened { challenger, .. } if *challenger == account),
            );
            // Whoever disputes a lie by chance may be right.
            let lie = game.claims().any(|(_, claim)| claim.status == ClaimStatus::Refuted);
            assert!(!lost || lie || state.wealth(account) < FUNDS, "a nuisance costs {account}");
        }
        self.check_bounds(&world);
        let honest = game.claims().filter(|(_, claim)| claim.posted.executor == self.executor);
        let others = game.claims().filter(|(_, claim)| claim.posted.executor != self.executor);
        let is_true = |claim: &Claim| self.truth(game, claim) == Some(claim.posted.trace_root);
        let mut bytes = Vec::new();
        let mut events: BTreeMap<&'static str, u32> = BTreeMap::new();
        for event in log() {
            bytes.extend_from_slice(format!("{event:?}").as_bytes());
            *events.entry(name(event)).or_default() += 1;
        }
        Report {
            blocks,
            digest: keccak(&bytes),
            honest: honest.map(|(_, claim)| claim.status).collect(),
            others: others.map(|(_, claim)| (is_true(claim), claim.status)).collect(),
            busy: [self.actors[0].busy.clone(), self.actors[1].busy.clone()],
            killed: self.actors[..2].iter().map(|actor| actor.killed).sum(),
            reorganised: world.reorganised,
            events,
        }
    }

    /// Attack 32: what honest nodes send is bounded by what there is to do.
    fn check_bounds(&self, world: &World) {
        let game = &world.head().state.game;
        let moves = game.program(program(self.scenario.program).root()).expect("registered").moves() as u32;
        let claims = game.claims().count() as u32;
        let matches = game.matches().count() as u32;
        let commitments = game.jobs().map(|(_, job)| job.committed as u32).sum::<u32>();
        for actor in self.actors.iter().filter(|actor| actor.honest) {
            let lives = 1 + actor.killed;
            let bound =
                (8 * claims + commitments + 8) * lives + matches * (moves + 3) + 10 * world.reorganised;
            assert!(actor.all_begun() <= bound, "{} sent {} of {bound}", actor.name, actor.all_begun());
        }
    }

    /// The run for people.
    fn story(&self) -> String {
        let world = self.world.borrow();
        let lines = world.log.iter().map(|logged| {
            let mut text = format!("{:?}", logged.event);
            text.truncate(150);
            format!("{} {} {} {text}", logged.block, logged.time.0, logged.sender)
        });
        let lines: Vec<String> = lines.collect();
        let killed: Vec<_> = self.actors.iter().map(|actor| (actor.name, actor.killed)).collect();
        format!("{:?}, killed {killed:?}\n{}", self.scenario, lines.join("\n"))
    }
}

/// The root of the right trace, by the input's root.
fn truth(program: &Program, job: u8) -> (Digest, TraceRoot) {
    let trace = Honest.trace(program, input(program, job)).expect("the input is the program's");
    (trace.input_root().0, trace.root())
}

fn name(event: &Event) -> &'static str {
    match event {
        Event::Registered { .. } => "Registered",
        Event::JobPosted { .. } => "JobPosted",
        Event::ClaimCommitted { .. } => "ClaimCommitted",
        Event::ClaimPosted { .. } => "ClaimPosted",
        Event::ClaimLapsed { .. } => "ClaimLapsed",
        Event::ClaimFinal { .. } => "ClaimFinal",
        Event::JobAwarded { .. } => "JobAwarded",
        Event::JobRefunded { .. } => "JobRefunded",
        Event::MatchOpened { .. } => "MatchOpened",
        Event::Committed { .. } => "Committed",
        Event::Revealed { .. } => "Revealed",
        Event::Picked { .. } => "Picked",
        Event::SubTraced { .. } => "SubTraced",
        Event::OperatorPicked { .. } => "OperatorPicked",
        Event::TilesRevealed { .. } => "TilesRevealed",
        Event::Prepared { .. } => "Prepared",
        Event::Named { .. } => "Named",
        Event::Folded { .. } => "Folded",
        Event::MatchWon { .. } => "MatchWon",
        Event::MatchLost { .. } => "MatchLost",
        Event::ClaimRefuted { .. } => "ClaimRefuted",
        Event::RewardOpened { .. } => "RewardOpened",
        Event::RewardCollected { .. } => "RewardCollected",
        Event::Reclaimed { .. } => "Reclaimed",
        Event::Withdrawn { .. } => "Withdrawn",
    }
}
