//! What the caller knows, and calls that fit the present state.

use narrows_bisection::game::ids;
use narrows_bisection::{Account, BlockTime, Call, ClaimStatus, Event, JobId, Match, Posted, Refusal, Wei};
use narrows_commitment::{Digest, keccak};

use super::library::Library;
use super::rng::Rng;
use super::tally::{Tally, word};
use crate::stage::claimed::Claimed;
use crate::stage::scene::{
    CHALLENGERS, Machine, NOTHING, REQUESTER, SALT, STRANGER, Scene, executor, posted,
};

mod bent;
mod claims;
mod disputes;

/// Everybody who calls.
pub const ACCOUNTS: [Account; 5] = [REQUESTER, STRANGER, CHALLENGERS[0], CHALLENGERS[1], CHALLENGERS[2]];

/// A job that was posted.
struct Asked {
    id: JobId,
    shelf: usize,
}

/// A commitment that was made.
struct Promise {
    posted: Posted,
    shelf: usize,
    claimed: usize,
    number: u64,
    committed_at: BlockTime,
}

/// A chain that is called.
pub struct World<'a, M> {
    pub machine: &'a mut M,
    library: &'a Library,
    rng: Rng,
    asked: Vec<Asked>,
    promises: Vec<Promise>,
    pub claims: Vec<Scene>,
    /// What ends each commitment that was ever made.
    lapses: Vec<Call>,
    past: Vec<(Account, Wei, Call)>,
    salts: u64,
    /// How often time passes, in percent of the calls.
    pace: usize,
    /// The programs of this seed, by their place in the library.
    shelves: [usize; 3],
    pub digest: Digest,
}

/// Who calls, with what, and what.
pub type Sent = (Account, Wei, Call);

impl<'a, M: Machine> World<'a, M> {
    pub fn new(machine: &'a mut M, library: &'a Library, mut rng: Rng) -> Self {
        Self {
            pace: *rng.pick(&[6, 12, 30]),
            shelves: [(); 3].map(|()| rng.below(library.0.len())),
            machine,
            library,
            rng,
            asked: Vec::new(),
            promises: Vec::new(),
            claims: Vec::new(),
            lapses: Vec::new(),
            past: Vec::new(),
            salts: 0,
            digest: Digest::default(),
        }
    }

    /// Lets some time pass, and makes one call.
    pub fn step(&mut self, tally: &mut Tally) {
        self.pass();
        let mut sent = (0..20).find_map(|_| self.choose()).unwrap_or_else(|| self.post_job());
        if self.rng.chance(30) {
            sent = self.bent(sent);
        }
        self.send(sent, tally);
    }

    fn send(&mut self, (from, value, call): Sent, tally: &mut Tally) {
        let answer = self.machine.send(from, value, &call);
        tally.note(&call, &answer);
        let game = self.machine.game();
        let sums = [game.burned().0.to_be_bytes(), game.locked().0.to_be_bytes()].concat();
        let said = word(&answer);
        let parts = [&self.digest.0[..], call.name().as_bytes(), said.as_bytes(), &sums];
        self.digest = keccak(&parts.concat());
        if let Ok(events) = &answer {
            self.learn(events);
        }
        self.past.push((from, value, call));
    }

    /// Long afterwards, everybody takes what it can get, in any order; nothing is left locked.
    pub fn close(&mut self, tally: &mut Tally) {
        self.machine.wait(100_000);
        for _ in 0..3 {
            let mut last: Vec<Sent> = Vec::new();
            let anyone = |call| (STRANGER, NOTHING, call);
            last.extend(self.lapses.iter().cloned().map(anyone));
            for Asked { id, .. } in &self.asked {
                last.push(anyone(Call::Advance { job: *id }));
                last.push(anyone(Call::Refund { job: *id }));
            }
            for scene in &self.claims {
                let (posted, claim) = (scene.posted, scene.claim);
                last.push(anyone(Call::Finalise { posted }));
                last.push(anyone(Call::Award { posted }));
                last.push(anyone(Call::CollectReward { claim }));
                let game = self.machine.game();
                for number in 0..game.claim(claim).expect("stands").openings {
                    last.push(anyone(scene.reclaim(scene.at(game, number))));
                }
            }
            for at in (1..last.len()).rev() {
                last.swap(at, self.rng.below(at + 1));
            }
            last.into_iter().for_each(|sent| self.send(sent, tally));
        }
        for account in ACCOUNTS.into_iter().chain([executor()]) {
            self.send((account, NOTHING, Call::Withdraw), tally);
        }
        let (now, game) = (self.machine.now(), self.machine.game());
        // A requester may have chosen a deadline that never comes.
        let late = self.asked.iter().map(|asked| game.job(asked.id).expect("asked"));
        let late: u128 = late.filter(|job| !job.settled && job.deadline.0 > now).map(|job| job.fee.0).sum();
        assert_eq!(game.locked().0, late, "money that nobody can have");
        assert_eq!(game.balance().0, game.burned().0 + late, "in = out + burned + locked");
    }

    /// Takes note of what came to be.
    fn learn(&mut self, events: &[Event]) {
        for event in events {
            match event {
                Event::JobPosted { job, program, .. } => {
                    let shelf = self.library.0.iter().position(|(known, ..)| known.root() == *program);
                    self.asked.push(Asked { id: *job, shelf: shelf.expect("a program of the library") });
                }
                Event::ClaimCommitted { job, executor, number, commitment, committed_at } => {
                    let (job, number, executor) = (*job, *number, *executor);
                    let (commitment, committed_at) = (*commitment, *committed_at);
                    self.lapses.push(Call::Lapse { job, number, executor, commitment, committed_at });
                    let shelf = self.asked.iter().find(|asked| asked.id == job).expect("asked").shelf;
                    let claims = &self.library.0[shelf].2;
                    let says = |claimed: &Claimed| posted(job, executor, claimed);
                    let claimed =
                        claims.iter().position(|c| ids::claim_commitment(SALT, &says(c)) == commitment);
                    // A bent commitment is to nothing that anybody knows.
                    if let Some(claimed) = claimed {
                        let posted = says(&claims[claimed]);
                        self.promises.push(Promise { posted, shelf, claimed, number, committed_at });
                    }
                }
                Event::ClaimPosted { posted, number, .. } => {
                    let shelf = self.asked.iter().find(|asked| asked.id == posted.job).expect("asked").shelf;
                    let (program, truth, claims) = &self.library.0[shelf];
                    let claimed =
                        claims.iter().find(|c| c.root() == posted.trace_root).expect("known").clone();
                    let game = self.machine.game();
                    let mut scene = Scene::of(game, program, truth.clone(), claimed, posted, *number);
                    scene.signing = true;
                    self.claims.push(scene);
                }
                _ => {}
            }
        }
    }

    /// Mostly no time, or a few seconds; now and then to the second before something ends, or in which it does.
    fn pass(&mut self) {
        let now = self.machine.now();
        if !self.rng.chance(self.pace) {
            return;
        }
        let seconds = match self.rng.below(100) {
            0..60 => 1 + self.rng.below(3) as u64,
            60..75 => 4 + self.rng.below(9) as u64,
            _ => {
                let mut ends: Vec<u64> = self.ends().into_iter().filter(|end| *end > now).collect();
                ends.sort_unstable();
                let before = u64::from(self.rng.chance(50));
                // The next end most often, for what is skipped is lost.
                let reach = if self.rng.chance(80) { 1 } else { ends.len().max(1) };
                ends.get(self.rng.below(reach)).map_or(1, |end| end - before - now)
            }
        };
        self.machine.wait(seconds);
        if self.rng.chance(10) {
            let fees = [0, 1_000_000_000, 300_000_001, 900_000_007, 5_000_000_000];
            self.machine.set_base_fee(Wei(*self.rng.pick(&fees)));
        }
    }

    /// The instants at which something changes.
    fn ends(&self) -> Vec<u64> {
        let game = self.machine.game();
        let p = game.parameters();
        let mut out = Vec::new();
        for promise in self.promises.iter().rev().take(2) {
            out.push(promise.committed_at.0 + u64::from(p.reveal_seconds));
        }
        for scene in self.claims.iter().rev().take(3) {
            let claim = game.claim(scene.claim).expect("stands");
            match claim.status {
                ClaimStatus::Pending => out.extend([claim.window_end.0, claim.hard_end.0]),
                _ => out.push(claim.refuted_at.0 + u64::from(p.reward_seconds)),
            }
            // Turns' ends come up more often: they are many.
            let open = (0..claim.openings).rev().take(4).map(|number| *scene.at(game, number));
            out.extend(open.filter_map(|one| one.deadline(p)).flat_map(|end| [end.0; 2]));
        }
        out
    }

    fn anyone(&mut self) -> Account {
        if self.rng.chance(20) { executor() } else { *self.rng.pick(&ACCOUNTS) }
    }

    /// Some call; `None` when its kind is not to be had.
    fn choose(&mut self) -> Option<Sent> {
        match self.rng.below(100) {
            0 => Some(self.register()),
            1 => Some(self.post_job()),
            2..7 => self.commit_claim(),
            7..14 => self.post_claim(),
            14..16 => self.lapse(),
            16..22 => self.open(),
            22..24 => self.commit(),
            24..66 => self.make_move(),
            66..69 => self.about_match(Scene::timeout),
            69..73 => self.reclaim(),
            73..77 => self.about_claim(|posted| Call::Finalise { posted }),
            77..80 => self.settle_job(),
            80..82 => Some(self.withdraw()),
            82..86 => self.refute(),
            86..88 => self.refute_copy(),
            88..93 => self.open_reward(),
            93..95 => {
                let claim = self.claim()?;
                Some((self.anyone(), NOTHING, Call::CollectReward { claim: self.claims[claim].claim }))
            }
            95..97 => self.stray(),
            _ => {
                let at = self.rng.recent(self.past.len())?;
                Some(self.past[at].clone())
            }
        }
    }

    /// A claim, pending ones more often.
    fn claim(&mut self) -> Option<usize> {
        let mut at = self.rng.recent(self.claims.len())?;
        for _ in 0..if self.rng.chance(80) { 6 } else { 0 } {
            let game = self.machine.game();
            if game.claim(self.claims[at].claim).expect("stands").status != ClaimStatus::Pending {
                at = self.rng.below(self.claims.len());
            }
        }
        Some(at)
    }

    /// A match, one that is being played more often.
    fn a_match(&mut self) -> Option<(usize, Match)> {
        let mut found = None;
        for _ in 0..6 {
            let claim = self.claim()?;
            let scene = &self.claims[claim];
            let game = self.machine.game();
            let openings = game.claim(scene.claim).expect("stands").openings;
            let Some(number) = self.rng.recent(openings as usize) else { continue };
            let one = *scene.at(game, number as u64);
            found = Some((claim, one));
            if one.state.phase.turn().is_some() {
                break;
            }
        }
        found
    }
}

/// Keeps the answer's type in sight of those who implement [`Machine`].
pub type Answer = Result<Vec<Event>, Refusal>;
