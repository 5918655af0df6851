//! One job and several claims on it: every order of committing, posting, lapsing, refuting, finalising and settling, second by
//! second, against a second statement of PROTOCOL 3's rules.
//!
//! Every call is tried in every position. [`Book`] says, from the calls that stood before, what the answer must be and what
//! it changes; then all that the game shows of the job, its claims and the money is compared.

use std::collections::{BTreeMap, HashSet};

use narrows_bisection::game::ids;
use narrows_bisection::{
    Account, Block, BlockTime, Call, ClaimId, ClaimStatus, Event, Game, JobId, Posted, Refusal, Wei,
};
use narrows_commitment::Digest;
use narrows_program::{OperatorIndex, Program};

use super::{Timing, parameters};
use crate::stage::claimed::Claimed;
use crate::stage::scene::{
    BASE_FEE, FEE, Light, NOTHING, REQUESTER, SALT, STRANGER, Scene, post_claim, post_job, posted,
};

/// A claim that somebody may make.
#[derive(Debug, Clone)]
pub struct Plan {
    pub executor: Account,
    pub claimed: Claimed,
    pub is_true: bool,
}

/// What has become of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Fate {
    Idle,
    /// Since when.
    Committed(u64),
    /// Since when.
    Pending(u64),
    Final,
    /// Whether by its roots alone.
    Refuted(bool),
    Lapsed,
}

/// What must stand, by the rules as they are told here.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Book {
    now: u64,
    /// In order of commitment: which plan.
    order: Vec<usize>,
    fates: Vec<Fate>,
    next: usize,
    settled: bool,
    owed: BTreeMap<Account, u128>,
    burned: u128,
    paid_in: u128,
}

/// A call of this small world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Commit(usize),
    Post(usize),
    Lapse(usize),
    Refute(usize),
    /// Of the second, as a copy of the first.
    RefuteCopy(usize, usize),
    Finalise(usize),
    Award(usize),
    Advance,
    Refund,
}

/// What never changes.
pub struct World {
    program: Program,
    plans: Vec<Plan>,
    job: JobId,
    deadline: u64,
    bond: u128,
    fee: u128,
    reveal: u64,
    /// From posting to windowEnd, and on to hardEnd.
    window: u64,
    acts: Vec<(Act, Account, Wei)>,
    refutations: Vec<Option<Call>>,
}

/// What was walked.
#[derive(Debug, Default)]
pub struct Report {
    pub positions: u64,
    pub calls: u64,
    pub refusals: BTreeMap<String, u64>,
}

/// Plays everything; nothing may happen after `horizon` seconds.
pub fn walk(program: &Program, plans: Vec<Plan>, horizon: u64) -> Report {
    let timing = Timing::SHORT;
    let mut machine = Light::new(parameters(timing));
    let deadline = machine.now + 2;
    let job = post_job(&mut machine, program, SALT, BlockTime(deadline));
    let registered = machine.game.program(program.root()).expect("registered");
    let fee = registered.claim_fee(&parameters(timing)).expect("small").0;
    let bond = parameters(timing).executor_bond.0;
    let refutations = plans.iter().map(|plan| refutation(program, plan)).collect();
    let (count, mut acts) = (plans.len(), Vec::new());
    for (k, Plan { executor, .. }) in plans.iter().enumerate() {
        acts.push((Act::Commit(k), *executor, Wei(bond + fee)));
        acts.push((Act::Post(k), *executor, NOTHING));
        acts.push((Act::Lapse(k), STRANGER, NOTHING));
        acts.push((Act::Refute(k), STRANGER, NOTHING));
        acts.push((Act::Finalise(k), STRANGER, NOTHING));
        acts.push((Act::Award(k), STRANGER, NOTHING));
        acts.extend((0..count).filter(|of| *of != k).map(|of| (Act::RefuteCopy(of, k), STRANGER, NOTHING)));
    }
    acts.push((Act::Advance, STRANGER, NOTHING));
    acts.push((Act::Refund, STRANGER, NOTHING));
    let fates = vec![Fate::Idle; plans.len()];
    let book = Book {
        now: machine.now,
        order: Vec::new(),
        fates,
        next: 0,
        settled: false,
        owed: BTreeMap::new(),
        burned: 0,
        paid_in: FEE.0,
    };
    let (reveal, window) = (2, u64::from(timing.window));
    let end = machine.now + horizon;
    let world = World {
        program: program.clone(),
        plans,
        job,
        deadline,
        bond,
        fee,
        reveal,
        window,
        acts,
        refutations,
    };
    let (mut seen, mut report) = (HashSet::from([book.clone()]), Report::default());
    let mut open = vec![(machine.game, book)];
    while let Some((game, book)) = open.pop() {
        report.positions += 1;
        let mut following = Vec::new();
        for (act, from, value) in &world.acts {
            let Some(call) = world.call(&book, *act) else { continue };
            report.calls += 1;
            let (expected, after) = match book.clone().told(&world, *act) {
                Ok(after) => (Ok(()), after),
                Err(refusal) => (Err(refusal), book.clone()),
            };
            let mut next = game.clone();
            let block = Block { time: BlockTime(book.now), base_fee: BASE_FEE };
            let answer = next.apply(block, *from, *value, &call).map(|_: Vec<Event>| ());
            assert_eq!(answer, expected, "{act:?} in {book:?}");
            match answer {
                Ok(()) => following.push((next, after)),
                Err(refusal) => {
                    assert!(next == game, "a refused call changed something");
                    *report.refusals.entry(format!("{refusal:?}")).or_default() += 1;
                }
            }
        }
        if book.now < end {
            following.push((game.clone(), Book { now: book.now + 1, ..book.clone() }));
        } else {
            world.close(game, book);
        }
        for (game, book) in following {
            if seen.insert(book.clone()) {
                world.compare(&game, &book);
                open.push((game, book));
            }
        }
    }
    report
}

/// The refutation of a plan's first fault; of a true one, a refutation that finds none.
fn refutation(program: &Program, plan: &Plan) -> Option<Call> {
    // A scene of its own, for what a refutation holds is the claim's, not the game's.
    let mut machine = Light::new(parameters(Timing::SHORT));
    let deadline = BlockTime(machine.now + 2);
    let job = post_job(&mut machine, program, SALT, deadline);
    let scene = Scene::new(&mut machine, program, plan.claimed.clone(), job);
    super::settle::refutations(&scene, plan.is_true).into_iter().next()
}

impl World {
    fn posted(&self, k: usize) -> Posted {
        posted(self.job, self.plans[k].executor, &self.plans[k].claimed)
    }

    fn number(&self, book: &Book, k: usize) -> Option<u64> {
        book.order.iter().position(|one| *one == k).map(|number| number as u64)
    }

    fn commitment(&self, k: usize) -> Digest {
        ids::claim_commitment(SALT, &self.posted(k))
    }

    fn committed_at(&self, book: &Book, k: usize) -> BlockTime {
        // Of what was committed in the past nobody asks any more; the entry then is another's.
        BlockTime(if let Fate::Committed(at) = book.fates[k] { at } else { 0 })
    }

    /// The call; `None` for one that leads out of this small world, in which each plan is made once.
    fn call(&self, book: &Book, act: Act) -> Option<Call> {
        let plan = |k: usize| &self.plans[k];
        Some(match act {
            Act::Commit(k) if book.fates[k] != Fate::Idle => return None,
            Act::Commit(k) => Call::CommitClaim { job: self.job, commitment: self.commitment(k) },
            Act::Post(k) => post_claim(
                &plan(k).claimed,
                self.job,
                self.number(book, k).unwrap_or_default(),
                self.committed_at(book, k),
            ),
            Act::Lapse(k) => Call::Lapse {
                job: self.job,
                number: self.number(book, k).unwrap_or_default(),
                executor: plan(k).executor,
                commitment: self.commitment(k),
                committed_at: self.committed_at(book, k),
            },
            Act::Refute(k) => match self.refutations[k].clone()? {
                Call::Refute { refutation, .. } => Call::Refute { posted: self.posted(k), refutation },
                _ => unreachable!("a refutation"),
            },
            Act::RefuteCopy(of, k) => Call::RefuteCopy { original: self.posted(of), copy: self.posted(k) },
            Act::Finalise(k) => Call::Finalise { posted: self.posted(k) },
            Act::Award(k) => Call::Award { posted: self.posted(k) },
            Act::Advance => Call::Advance { job: self.job },
            Act::Refund => Call::Refund { job: self.job },
        })
    }

    /// Which plan's claim is the one that `k` says: the first posted one with the same words.
    fn standing(&self, book: &Book, k: usize) -> Option<usize> {
        let same = |one: &usize| self.posted(*one) == self.posted(k);
        let made = |one: &usize| !matches!(book.fates[*one], Fate::Idle | Fate::Committed(_) | Fate::Lapsed);
        (0..self.plans.len()).filter(same).find(made)
    }

    /// What the game shows is what the book says.
    fn compare(&self, game: &Game, book: &Book) {
        let job = game.job(self.job).expect("posted");
        assert_eq!((job.next, job.settled), (book.next as u64, book.settled), "{book:?}");
        assert_eq!(job.committed, book.order.len() as u64);
        for (number, k) in book.order.iter().enumerate() {
            let entry = game.entry(self.job, number as u64).expect("committed");
            let claim = game.claim(ClaimId(entry));
            let status = claim.map(|claim| claim.status);
            let expected = match book.fates[*k] {
                Fate::Idle | Fate::Committed(_) | Fate::Lapsed => None,
                Fate::Pending(at) => {
                    let claim = claim.expect("pending");
                    assert_eq!(claim.window_end.0, at + self.window);
                    Some(ClaimStatus::Pending)
                }
                Fate::Final => Some(ClaimStatus::Final),
                Fate::Refuted(_) => Some(ClaimStatus::Refuted),
            };
            assert_eq!(status, expected, "{book:?}");
        }
        for (account, owed) in &book.owed {
            assert_eq!(game.owed(*account).0, *owed, "owed to {account} in {book:?}");
        }
        assert_eq!((game.burned().0, game.balance().0), (book.burned, book.paid_in), "{book:?}");
    }

    /// Long after everything: whatever happened, everybody can be paid, and nothing stays locked but rewards that nobody opened.
    fn close(&self, mut game: Game, mut book: Book) {
        book.now += 1_000;
        let block = Block { time: BlockTime(book.now), base_fee: BASE_FEE };
        for _ in 0..2 {
            for (act, from, value) in &self.acts {
                let told = (self.call(&book, *act), book.clone().told(self, *act));
                if let (Some(call), Ok(after)) = told {
                    game.apply(block, *from, *value, &call).expect("as told");
                    book = after;
                }
            }
        }
        assert!(game.job(self.job).expect("posted").settled, "a job that nobody can settle: {book:?}");
        let claims: Vec<ClaimId> = game.claims().map(|(id, _)| id).collect();
        for claim in claims {
            // Nobody committed to a trace of its own, so that such rewards burn.
            let _ = game.apply(block, STRANGER, NOTHING, &Call::CollectReward { claim });
        }
        for account in game.creditors().into_keys() {
            game.apply(block, account, NOTHING, &Call::Withdraw).expect("owed");
        }
        assert_eq!((game.locked().0, game.balance()), (0, game.burned()), "nothing stays behind");
    }
}

impl Book {
    fn pay(&mut self, account: Account, amount: u128) {
        *self.owed.entry(account).or_default() += amount;
    }

    /// Where `next` comes to.
    fn advanced(&self) -> usize {
        let over = |k: &usize| matches!(self.fates[*k], Fate::Lapsed | Fate::Refuted(_));
        self.next + self.order[self.next..].iter().take_while(|k| over(k)).count()
    }

    /// No match is ever opened here, so that a claim is finalisable from windowEnd on.
    fn finalisable(&self, world: &World, at: u64) -> bool {
        self.now >= at + world.window
    }

    fn refute(&mut self, world: &World, k: usize, reward: Option<Account>, by_roots: bool) {
        self.fates[k] = Fate::Refuted(by_roots);
        self.burned += world.bond - world.bond / 2;
        if let Some(account) = reward {
            self.pay(account, world.bond / 2);
        }
    }

    /// The book after `act`, or why it is refused.
    fn told(mut self, world: &World, act: Act) -> Result<Self, Refusal> {
        let now = self.now;
        match act {
            Act::Commit(k) => {
                if self.settled || now >= world.deadline {
                    return Err(Refusal::JobClosed);
                }
                self.order.push(k);
                self.fates[k] = Fate::Committed(now);
                self.paid_in += world.bond + world.fee;
                self.burned += world.fee;
            }
            Act::Post(k) => {
                let Fate::Committed(at) = self.fates[k] else { return Err(Refusal::UnknownCommitment) };
                if now <= at {
                    return Err(Refusal::NotYet);
                }
                if now >= at + world.reveal {
                    return Err(Refusal::TooLate);
                }
                if world.standing(&self, k).is_some() {
                    return Err(Refusal::Exists);
                }
                self.fates[k] = Fate::Pending(now);
            }
            Act::Lapse(k) => {
                let Fate::Committed(at) = self.fates[k] else { return Err(Refusal::UnknownCommitment) };
                if now < at + world.reveal {
                    return Err(Refusal::NotYet);
                }
                self.fates[k] = Fate::Lapsed;
                self.pay(world.plans[k].executor, world.bond / 2);
                self.burned += world.bond - world.bond / 2;
            }
            Act::Refute(k) => {
                let k = world.standing(&self, k).ok_or(Refusal::UnknownClaim)?;
                let Fate::Pending(at) = self.fates[k] else { return Err(Refusal::ClaimClosed) };
                if self.finalisable(world, at) {
                    return Err(Refusal::ClaimClosed);
                }
                if world.plans[k].is_true {
                    return Err(Refusal::NoFault);
                }
                // The right value is known: its reward waits for commitments.
                self.refute(world, k, None, true);
            }
            Act::RefuteCopy(of, k) => {
                let (of, k) = (world.standing(&self, of), world.standing(&self, k));
                let k = k.ok_or(Refusal::UnknownClaim)?;
                let Fate::Pending(at) = self.fates[k] else { return Err(Refusal::ClaimClosed) };
                if self.finalisable(world, at) {
                    return Err(Refusal::ClaimClosed);
                }
                let of = of.filter(|of| self.fates[*of] == Fate::Refuted(true)).ok_or(Refusal::NotACopy)?;
                if world.plans[of].claimed.root() != world.plans[k].claimed.root() {
                    return Err(Refusal::NotACopy);
                }
                self.refute(world, k, Some(STRANGER), false);
            }
            Act::Finalise(k) => {
                let k = world.standing(&self, k).ok_or(Refusal::UnknownClaim)?;
                let Fate::Pending(at) = self.fates[k] else { return Err(Refusal::ClaimClosed) };
                if !self.finalisable(world, at) {
                    return Err(Refusal::NotYet);
                }
                self.fates[k] = Fate::Final;
                self.pay(world.plans[k].executor, world.bond);
                if !self.settled {
                    self.next = self.advanced();
                    self.award(world, k);
                }
            }
            Act::Award(k) => {
                let k = world.standing(&self, k).ok_or(Refusal::UnknownClaim)?;
                if self.fates[k] != Fate::Final {
                    return Err(Refusal::NotYet);
                }
                if self.settled {
                    return Err(Refusal::JobClosed);
                }
                let before = self.next;
                self.next = self.advanced();
                if !self.award(world, k) && self.next == before {
                    return Err(Refusal::NotYet);
                }
            }
            Act::Advance => {
                if self.settled {
                    return Err(Refusal::JobClosed);
                }
                let before = self.next;
                self.next = self.advanced();
                if self.next == before {
                    return Err(Refusal::NotYet);
                }
            }
            Act::Refund => {
                if self.settled {
                    return Err(Refusal::JobClosed);
                }
                self.next = self.advanced();
                if now < world.deadline || self.next < self.order.len() {
                    return Err(Refusal::NotYet);
                }
                assert!(!self.fates.contains(&Fate::Final), "a fee goes back although somebody earned it");
                self.settled = true;
                self.pay(REQUESTER, FEE.0);
            }
        }
        Ok(self)
    }

    /// Pays the fee if plan `k` is the earliest one that is final, all before it being over.
    fn award(&mut self, world: &World, k: usize) -> bool {
        let earliest =
            self.order.iter().position(|one| !matches!(self.fates[*one], Fate::Lapsed | Fate::Refuted(_)));
        let due = earliest.is_some_and(|number| self.order[number] == k && number == self.next);
        if due {
            self.settled = true;
            self.pay(world.plans[k].executor, FEE.0);
        }
        due
    }
}

/// Every operator's output of a claim, by its first fault; for plans.
pub fn lie(program: &Program) -> Claimed {
    let lies = crate::stage::claimed::lies(program, 1);
    let shows = |claimed: &&Claimed| {
        let truth = Claimed::truth(program);
        let all = 0..program.header().operators;
        all.map(OperatorIndex).any(|at| claimed.trace.operator(at) != truth.trace.operator(at))
    };
    lies.iter().find(shows).expect("a lie in a value").clone()
}
