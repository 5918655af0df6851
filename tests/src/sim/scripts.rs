//! The requester, and enemies that need no node: they read the head and the pool, and send.

use std::collections::{BTreeMap, BTreeSet};

use narrows_bisection::game::ids;
use narrows_bisection::{Account, Block, BlockTime, Call, ClaimStatus, Event, JobId, Posted, Wei};
use narrows_commitment::{Digest, ProgramRoot, TensorRoot, TensorTree, TraceRoot, keccak};
use narrows_contracts::Transaction;
use narrows_program::Program;

use super::programs::input;
use super::rng::Rng;
use super::scenario::{Cast, Scenario};
use super::world::{BLOCK_SECONDS, World};
use crate::copies;

/// Who asks for runs, and sees to it that jobs end which nobody else ends.
pub const REQUESTER: Account = Account([0x11; 20]);
/// Commits and never posts.
pub const SQUATTER: Account = Account([0x51; 20]);
/// Copies claims once they are revealed.
pub const COPYCAT: Account = Account([0x52; 20]);
/// Opens matches and never plays.
pub const FLOODER: Account = Account([0x53; 20]);
/// Copies what is pending.
pub const FRONT_RUNNER: Account = Account([0x54; 20]);

/// What a job pays.
const FEE: Wei = Wei(1_000_000);
/// Seconds for which executors may commit to claims on a job.
const OPEN_SECONDS: u64 = 2_400;
/// Claims that the copycat copies at most.
const MAX_COPIED: usize = 2;

/// A revealed claim: job, root, output, path.
type Revealed = (JobId, Digest, Vec<u8>, Vec<Digest>);

/// All scripted parties.
pub struct Scripts {
    cast: Cast,
    program: ProgramRoot,
    stake: Wei,
    bond: Wei,
    jobs: Vec<(u64, Call)>,
    /// How long after a job's deadline its claims are all over.
    patience: u64,
    flooded: BTreeMap<Digest, u32>,
    squatted: BTreeSet<JobId>,
    copied: Vec<Revealed>,
    rng: Rng,
}

impl Scripts {
    /// The parties of `scenario`; `world` has the program registered.
    ///
    /// # Panics
    /// When it has not.
    #[must_use]
    pub fn new(scenario: &Scenario, program: &Program, world: &World, mut rng: Rng) -> Self {
        let game = &world.head().state.game;
        let parameters = game.parameters();
        let registered = game.program(program.root()).expect("registered");
        let fee = registered.claim_fee(parameters).expect("an amount");
        let clocks = parameters.executor_clock_seconds + parameters.challenger_clock_seconds;
        let span = parameters.reveal_seconds + parameters.window_seconds + clocks + parameters.slack_seconds;
        let grace = registered.moves() * u64::from(parameters.grace_seconds);
        let jobs = (0..scenario.jobs).map(|job| {
            let at = 1 + u64::from(job) * rng.upto(20);
            let deadline = BlockTime(world.head().block.time.0 + OPEN_SECONDS);
            (
                at,
                Call::PostJob {
                    program: program.root(),
                    input: input(program, job),
                    salt: keccak(&[job]),
                    deadline,
                },
            )
        });
        Self {
            cast: scenario.cast,
            program: program.root(),
            stake: Wei(parameters.executor_bond.0 + fee.0),
            bond: registered.bond(parameters).expect("an amount"),
            jobs: jobs.collect(),
            patience: u64::from(span) + grace,
            flooded: BTreeMap::new(),
            squatted: BTreeSet::new(),
            copied: Vec::new(),
            rng,
        }
    }

    /// Whether all jobs are on the chain and paid or refunded.
    #[must_use]
    pub fn are_over(&self, world: &World) -> bool {
        let game = &world.head().state.game;
        let asked = || game.jobs().filter(|(_, job)| job.program == self.program);
        asked().count() >= self.jobs.len() && asked().all(|(_, job)| job.settled)
    }

    /// What is sent before the next block.
    pub fn act(&mut self, world: &mut World) {
        let height = world.height();
        for (at, call) in self.jobs.clone() {
            if height >= at {
                offer(world, REQUESTER, FEE, call);
            }
        }
        // Every few blocks is often enough for what nobody waits for.
        if height.is_multiple_of(8) {
            self.close(world);
        }
        if self.cast.strange {
            self.confuse(world);
        }
        self.squat(world);
        self.flood(world);
        self.copy(world);
    }

    /// A job on a program that no node knows, with a claim, and a match about the claim (attack 33).
    fn confuse(&self, world: &mut World) {
        let program = copies::grouped(&[2, 1], 140);
        let (header, layers_root) = (program.header_bytes().to_vec(), program.layers_root());
        if world.head().state.game.program(program.root()).is_none() {
            offer(world, SQUATTER, Wei(0), Call::Register { header, layers_root });
            return;
        }
        let (bytes, deadline) = (copies::input(140), BlockTime(1_900_000_000));
        let trace = copies::truth(&program, &bytes);
        let (salt, fee) = (keccak(b"strange"), Wei(u128::from(u64::MAX)));
        let call = Call::PostJob { program: program.root(), input: bytes, salt, deadline };
        offer(world, SQUATTER, fee, call);
        let game = &world.head().state.game;
        let Some(job) = game.jobs().find(|(_, job)| job.program == program.root()).map(|(id, _)| id) else {
            return;
        };
        let output_root = TensorRoot(TensorTree::of_bytes(trace.output()).root());
        let posted = Posted { job, executor: SQUATTER, trace_root: trace.root(), output_root };
        let commitment = ids::claim_commitment(salt, &posted);
        let claim = game.claim_id(&posted);
        if game.entry(job, 0).is_none() {
            let registered = *game.program(program.root()).expect("registered above");
            let fee = registered.claim_fee(game.parameters()).expect("an amount");
            let value = Wei(game.parameters().executor_bond.0 + fee.0);
            offer(world, SQUATTER, value, Call::CommitClaim { job, commitment });
        } else if game.claim(claim).is_none() {
            let made = world.log.iter().find_map(|logged| match logged.event {
                Event::ClaimCommitted { job: of, committed_at, .. } if of == job => Some(committed_at),
                _ => None,
            });
            let Some(committed_at) = made else { return };
            let (trace_root, output, path) = (trace.root(), trace.output().to_vec(), trace.output_path());
            let call = Call::PostClaim { job, number: 0, committed_at, salt, trace_root, output, path };
            offer(world, SQUATTER, Wei(0), call);
        } else if game.claim(claim).is_some_and(|claim| claim.openings < 2) {
            let registered = *game.program(program.root()).expect("registered above");
            let bond = registered.bond(game.parameters()).expect("an amount");
            offer(world, FLOODER, bond, Call::Open { posted, commitment: Digest([0xff; 32]) });
        }
    }

    /// Ends claims that nobody ended, and jobs that are long over: finalises, lapses, refunds. The copycat ends its own as
    /// early as it may.
    fn close(&self, world: &mut World) {
        let now = world.head().block.time;
        let game = world.head().state.game.clone();
        for (_, claim) in game.claims().filter(|(_, claim)| claim.status != ClaimStatus::Refuted) {
            let posted = claim.posted;
            if posted.executor == COPYCAT {
                offer(world, COPYCAT, Wei(0), Call::Finalise { posted });
                offer(world, COPYCAT, Wei(0), Call::Award { posted });
            } else if now.0 > claim.hard_end.0 + 120 {
                offer(world, REQUESTER, Wei(0), Call::Finalise { posted });
            }
        }
        let late: Vec<JobId> = game
            .jobs()
            .filter(|(_, job)| !job.settled && now.0 > job.deadline.0 + self.patience)
            .map(|(id, _)| id)
            .collect();
        for job in late {
            let commitments: Vec<Call> =
                world.log.iter().filter_map(|logged| lapse(job, &logged.event)).collect();
            commitments.into_iter().for_each(|call| offer(world, REQUESTER, Wei(0), call));
            for (_, claim) in game.claims().filter(|(_, claim)| claim.posted.job == job) {
                offer(world, REQUESTER, Wei(0), Call::Award { posted: claim.posted });
            }
            offer(world, REQUESTER, Wei(0), Call::Refund { job });
        }
    }

    fn squat(&mut self, world: &mut World) {
        let jobs = world.head().state.game.jobs().filter(|(_, job)| job.program == self.program);
        let jobs: Vec<JobId> = jobs.map(|(id, _)| id).collect();
        for job in jobs {
            if self.squatted.insert(job) {
                for _ in 0..self.cast.squatters {
                    let commitment = keccak(&self.rng.draw().to_be_bytes());
                    offer(world, SQUATTER, self.stake, Call::CommitClaim { job, commitment });
                }
            }
        }
    }

    fn flood(&mut self, world: &mut World) {
        if self.cast.flood == 0 {
            return;
        }
        let game = &world.head().state.game;
        let ours = |job| game.job(job).is_some_and(|job| job.program == self.program);
        let pending = game.claims().filter(|(_, c)| c.status == ClaimStatus::Pending && ours(c.posted.job));
        let pending: Vec<(Digest, Posted)> = pending.map(|(id, claim)| (id.0, claim.posted)).collect();
        for (claim, posted) in pending {
            let opened = self.flooded.entry(claim).or_default();
            if *opened < self.cast.flood {
                *opened += 1;
                let commitment = keccak(&self.rng.draw().to_be_bytes());
                let claim = narrows_bisection::ClaimId(claim);
                offer(world, FLOODER, Wei(0), Call::Commit { claim, commitment });
                offer(world, FLOODER, self.bond, Call::Open { posted, commitment });
            }
        }
    }

    /// Copies what it sees others post, in the pool already; posts it once its own commitment stands.
    fn copy(&mut self, world: &mut World) {
        if !self.cast.copycat {
            return;
        }
        let seen: Vec<Revealed> = world
            .pool()
            .filter(|tx| tx.from != COPYCAT)
            .filter_map(|tx| match &tx.call {
                Call::PostClaim { job, trace_root, output, path, .. } => {
                    Some((*job, trace_root.0, output.clone(), path.clone()))
                }
                _ => None,
            })
            .collect();
        for revealed in seen {
            if self.copied.len() < MAX_COPIED && !self.copied.contains(&revealed) {
                let commitment = ids::claim_commitment(salt(&revealed), &posted(&revealed));
                offer(world, COPYCAT, self.stake, Call::CommitClaim { job: revealed.0, commitment });
                self.copied.push(revealed);
            }
        }
        for revealed in &self.copied {
            let commitment = ids::claim_commitment(salt(revealed), &posted(revealed));
            let made = world.log.iter().find_map(|logged| match &logged.event {
                Event::ClaimCommitted { number, commitment: made, committed_at, .. }
                    if *made == commitment =>
                {
                    Some((*number, *committed_at))
                }
                _ => None,
            });
            if let Some((number, committed_at)) = made {
                let (job, root, output, path) = revealed.clone();
                let salt = salt(revealed);
                let trace_root = TraceRoot(root);
                let call = Call::PostClaim { job, number, committed_at, salt, trace_root, output, path };
                offer(world, COPYCAT, Wei(0), call);
            }
        }
    }
}

fn salt(revealed: &Revealed) -> Digest {
    keccak(&[b"copy".as_slice(), &revealed.1.0].concat())
}

fn posted(revealed: &Revealed) -> Posted {
    let output_root = TensorRoot(TensorTree::of_bytes(&revealed.2).root());
    Posted { job: revealed.0, executor: COPYCAT, trace_root: TraceRoot(revealed.1), output_root }
}

fn lapse(of: JobId, event: &Event) -> Option<Call> {
    match event {
        Event::ClaimCommitted { job, executor, number, commitment, committed_at } if *job == of => {
            let (job, number, executor) = (*job, *number, *executor);
            Some(Call::Lapse { job, number, executor, commitment: *commitment, committed_at: *committed_at })
        }
        _ => None,
    }
}

/// Sends what the next block would accept, once.
fn offer(world: &mut World, from: Account, value: Wei, call: Call) {
    let tx = Transaction { from, value, call };
    if world.pool().any(|waiting| *waiting == tx) {
        return;
    }
    let head = world.head();
    let block = Block { time: BlockTime(head.block.time.0 + BLOCK_SECONDS), base_fee: head.block.base_fee };
    let mut state = (*head.state).clone();
    if matches!(state.apply(block, &tx), Some(Ok(_))) {
        world.hand_over(tx);
    }
}
