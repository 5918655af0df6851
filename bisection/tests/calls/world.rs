//! What the caller knows, and calls that fit the present state.

use narrows_bisection::game::ids;
use narrows_bisection::refute::{committed_state, find_point, reward_opening};
use narrows_bisection::{
    Account, BlockTime, Call, ClaimStatus, Event, JobId, Match, MatchState, Phase, Posted, Refusal, Trace,
    Wei,
};
use narrows_commitment::{Digest, keccak};
use narrows_program::{ElementIndex, OperatorIndex, Program};

use super::bend::bend;
use super::rng::Rng;
use super::tally::{Tally, word};
use crate::stage::claimed::{Claimed, lies};
use crate::stage::moves::By;
use crate::stage::programs::{
    INPUT, chain, divided, exports, fold, input, local, long, looked_up, padded, pairs, segments, tiles,
};
use crate::stage::scene::{
    CHALLENGERS, FEE, Machine, NOTHING, REQUESTER, SALT, STRANGER, Scene, executor, post_claim, posted,
    register, stake,
};

/// Everybody who calls.
pub const ACCOUNTS: [Account; 5] = [REQUESTER, STRANGER, CHALLENGERS[0], CHALLENGERS[1], CHALLENGERS[2]];

/// Programs with what may be claimed of them: the truth first.
pub struct Library(Vec<(Program, Trace, Vec<Claimed>)>);

impl Library {
    pub fn new() -> Self {
        let programs = [
            chain(3, 1),
            pairs(2, 2),
            exports(1),
            local(2),
            segments(3),
            fold(1),
            tiles(1),
            long(2),
            padded(2),
            divided(2),
            looked_up(1),
        ];
        let shelf = |program: Program| {
            let truth = Claimed::truth(&program);
            let trace = truth.trace.clone();
            let claims = std::iter::once(truth.with_statements()).chain(lies(&program, 1)).collect();
            (program, trace, claims)
        };
        Self(programs.into_iter().map(shelf).collect())
    }
}

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

    fn register(&mut self) -> Sent {
        let (program, ..) = &self.library.0[*self.rng.pick(&self.shelves)];
        (self.anyone(), NOTHING, register(program))
    }

    fn post_job(&mut self) -> Sent {
        let game = self.machine.game();
        let program = &self.library.0[*self.rng.pick(&self.shelves)].0;
        if game.program(program.root()).is_none() && self.rng.chance(90) {
            return (self.anyone(), NOTHING, register(program));
        }
        self.salts += 1;
        let seconds = [5, 60, 400, 4_000][self.rng.below(4)];
        let call = Call::PostJob {
            program: program.root(),
            input: input(),
            salt: keccak(&self.salts.to_be_bytes()),
            deadline: BlockTime(self.machine.now() + seconds),
        };
        (REQUESTER, FEE, call)
    }

    fn commit_claim(&mut self) -> Option<Sent> {
        let mut at = self.rng.recent(self.asked.len())?;
        for _ in 0..4 {
            let job = self.machine.game().job(self.asked[at].id).expect("asked");
            if job.settled || job.deadline.0 <= self.machine.now() {
                at = self.rng.below(self.asked.len());
            }
        }
        let Asked { id, shelf } = self.asked[at];
        let (program, _, claims) = &self.library.0[shelf];
        let claimed = if self.rng.chance(30) { 0 } else { self.rng.below(claims.len()) };
        // Sometimes what another has posted already, by the same executor or by a copyist.
        let known = self.rng.recent(self.claims.len()).filter(|_| self.rng.chance(40));
        let (id, stake, root) = match known.map(|at| &self.claims[at]) {
            Some(scene) => (scene.job, stake(self.machine.game(), &scene.program), Some(scene.posted)),
            None => (id, stake(self.machine.game(), program), None),
        };
        let from = if self.rng.chance(70) { executor() } else { CHALLENGERS[2] };
        let says = match root {
            Some(posted) => Posted { executor: from, ..posted },
            None => posted(id, from, &claims[claimed]),
        };
        let commitment = ids::claim_commitment(SALT, &says);
        Some((from, stake, Call::CommitClaim { job: id, commitment }))
    }

    /// A commitment: mostly one that is still to be posted, or one whose time for that is over.
    fn promise(&mut self, over: bool) -> Option<&Promise> {
        let (now, game) = (self.machine.now(), self.machine.game());
        let fits = |promise: &&Promise| {
            let Promise { posted, number, committed_at, .. } = promise;
            let entry = ids::entry(posted.executor, ids::claim_commitment(SALT, posted), *committed_at);
            let ended = now >= committed_at.0 + u64::from(game.parameters().reveal_seconds);
            game.entry(posted.job, *number) == Some(entry) && ended == over
        };
        let fitting: Vec<&Promise> = self.promises.iter().filter(fits).collect();
        if self.rng.chance(70) {
            return fitting.get(self.rng.recent(fitting.len())?).copied();
        }
        self.promises.get(self.rng.recent(self.promises.len())?)
    }

    fn post_claim(&mut self) -> Option<Sent> {
        let Promise { posted, shelf, claimed, number, committed_at } = *self.promise(false)?;
        let claimed = &self.library.0[shelf].2[claimed];
        Some((posted.executor, NOTHING, post_claim(claimed, posted.job, number, committed_at)))
    }

    fn lapse(&mut self) -> Option<Sent> {
        let Promise { posted, number, committed_at, .. } = *self.promise(true)?;
        let commitment = ids::claim_commitment(SALT, &posted);
        let (job, executor) = (posted.job, posted.executor);
        Some((self.anyone(), NOTHING, Call::Lapse { job, number, executor, commitment, committed_at }))
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

    fn own_commitment(&mut self, claim: usize, challenger: Account) -> Digest {
        let scene = &self.claims[claim];
        match self.rng.below(4) {
            0 => scene.own_commitment(challenger, &scene.claimed.trace),
            1 => Digest::default(),
            _ => scene.own_commitment(challenger, &scene.truth),
        }
    }

    fn open(&mut self) -> Option<Sent> {
        let (claim, challenger) = (self.claim()?, *self.rng.pick(&CHALLENGERS));
        let commitment = self.own_commitment(claim, challenger);
        let scene = &self.claims[claim];
        Some((challenger, scene.bond, Call::Open { posted: scene.posted, commitment }))
    }

    fn commit(&mut self) -> Option<Sent> {
        let (claim, challenger) = (self.claim()?, *self.rng.pick(&CHALLENGERS));
        let commitment = self.own_commitment(claim, challenger);
        Some((challenger, NOTHING, Call::Commit { claim: self.claims[claim].claim, commitment }))
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

    fn withdraw(&mut self) -> Sent {
        let game = self.machine.game();
        let owed = ACCOUNTS.into_iter().chain([executor()]).filter(|account| game.owed(*account).0 > 0);
        let owed: Vec<Account> = owed.collect();
        let from = if owed.is_empty() || self.rng.chance(40) { self.anyone() } else { *self.rng.pick(&owed) };
        (from, NOTHING, Call::Withdraw)
    }

    /// `award`, `advance` or `refund`: half of the time of a job that waits for it.
    fn settle_job(&mut self) -> Option<Sent> {
        let (now, from, which) = (self.machine.now(), self.anyone(), self.rng.below(3));
        let game = self.machine.game();
        let waits = |scene: &&Scene| {
            let (job, claim) =
                (game.job(scene.job).expect("asked"), game.claim(scene.claim).expect("stands"));
            let status = [ClaimStatus::Final, ClaimStatus::Refuted, ClaimStatus::Refuted][which];
            !job.settled && claim.status == status && (which < 2 || job.deadline.0 <= now)
        };
        let waiting: Vec<Posted> = self.claims.iter().filter(waits).map(|scene| scene.posted).collect();
        let any = self.claim()?;
        let posted = if waiting.is_empty() || self.rng.chance(40) {
            self.claims[any].posted
        } else {
            *self.rng.pick(&waiting)
        };
        let job = posted.job;
        let call = [Call::Award { posted }, Call::Advance { job }, Call::Refund { job }];
        Some((from, NOTHING, call[which].clone()))
    }

    fn reclaim(&mut self) -> Option<Sent> {
        let game = self.machine.game();
        let mut due = Vec::new();
        for (at, scene) in self.claims.iter().enumerate() {
            let claim = game.claim(scene.claim).expect("stands");
            let all = (0..claim.openings).map(|number| *scene.at(game, number));
            let left = all.filter(|one| one.state.phase <= Phase::Won);
            due.extend(left.filter(|_| claim.status != ClaimStatus::Pending).map(|one| (at, one)));
        }
        if due.is_empty() || self.rng.chance(40) {
            return self.about_match(Scene::reclaim);
        }
        let (at, one) = *self.rng.pick(&due);
        Some((self.anyone(), NOTHING, self.claims[at].reclaim(&one)))
    }

    fn about_match(&mut self, call: impl Fn(&Scene, &Match) -> Call) -> Option<Sent> {
        let (claim, one) = self.a_match()?;
        Some((self.anyone(), NOTHING, call(&self.claims[claim], &one)))
    }

    fn about_claim(&mut self, call: impl Fn(Posted) -> Call) -> Option<Sent> {
        let claim = self.claim()?;
        Some((self.anyone(), NOTHING, call(self.claims[claim].posted)))
    }

    fn sender(&mut self, by: By, one: &Match, posted: &Posted) -> Account {
        match by {
            By::Anyone => self.anyone(),
            By::Challenger => one.seated.challenger,
            By::Executor => posted.executor,
        }
    }

    fn make_move(&mut self) -> Option<Sent> {
        let (claim, one) = self.a_match()?;
        let moves = self.claims[claim].moves(&one);
        if moves.is_empty() {
            return None;
        }
        // The first move is the answer, where one is owed; half of the time that is it.
        let at = if moves[0].answers && self.rng.chance(50) { 0 } else { self.rng.below(moves.len()) };
        let posted = self.claims[claim].posted;
        Some((self.sender(moves[at].by, &one, &posted), NOTHING, moves[at].call.clone()))
    }

    fn stray(&mut self) -> Option<Sent> {
        let (claim, one) = self.a_match()?;
        let strays = self.claims[claim].strays(&one);
        let stray = self.rng.pick(&strays).clone();
        let posted = self.claims[claim].posted;
        Some((self.sender(stray.by, &one, &posted), NOTHING, stray.call))
    }

    fn refute(&mut self) -> Option<Sent> {
        let claim = self.claim()?;
        let from = self.anyone();
        let scene = &self.claims[claim];
        let elements = scene.elements();
        let wrong = elements.iter().filter(|(at, tile, place)| {
            let size = scene.program.operator(*at).dtype.bytes();
            let byte = *tile as usize * 128 + usize::from(*place) * size;
            let own = scene.truth.operator(*at).get(byte..byte + size).unwrap_or(&[0; 4][..size]);
            &scene.claimed.output(0, *at).bytes[byte..byte + size] != own
        });
        let wrong: Vec<_> = wrong.copied().collect();
        let from_wrong = !wrong.is_empty() && self.rng.chance(50);
        let (at, tile, place) = *self.rng.pick(if from_wrong { &wrong } else { &elements });
        let signed = !scene.hangs_on_roots(at) || self.rng.chance(20);
        let signed = signed.then(|| self.rng.below(scene.claimed.statements()));
        let refutation = Box::new(scene.refutation(at, tile, place, signed));
        Some((from, NOTHING, Call::Refute { posted: scene.posted, refutation }))
    }

    fn refute_copy(&mut self) -> Option<Sent> {
        let (first, second) = (self.claim()?, self.claim()?);
        let from = self.anyone();
        let (mut original, mut copy) = (self.claims[first].posted, self.claims[second].posted);
        if self.rng.chance(70) {
            // A claim that fell by its roots, and one of the same roots that stands.
            let claim = |scene: &Scene| *self.machine.game().claim(scene.claim).expect("stands");
            let fallen = self.claims.iter().filter(|scene| claim(scene).by_roots).map(|scene| scene.posted);
            let standing = self.claims.iter().filter(|scene| claim(scene).status == ClaimStatus::Pending);
            let standing: Vec<Posted> = standing.map(|scene| scene.posted).collect();
            for one in fallen {
                let twin = standing.iter().find(|s| (s.job, s.trace_root) == (one.job, one.trace_root));
                (original, copy) = twin.map_or((original, copy), |twin| (one, *twin));
            }
        }
        Some((from, NOTHING, Call::RefuteCopy { original, copy }))
    }

    fn open_reward(&mut self) -> Option<Sent> {
        let game = self.machine.game();
        let due = |scene: &&Scene| game.claim(scene.claim).expect("stands").point != Digest::default();
        let scenes: Vec<&Scene> = self.claims.iter().filter(due).collect();
        let scene = *scenes.get(self.rng.recent(scenes.len())?)?;
        let claim = game.claim(scene.claim).expect("stands");
        let in_time = |number: &u64| scene.at(game, *number).seated.seat.opened_at < claim.refuted_at;
        let seats: Vec<u64> = (0..claim.openings).filter(in_time).collect();
        let number = match seats.len() {
            1.. if self.rng.chance(80) => *self.rng.pick(&seats),
            _ => self.rng.recent(claim.openings as usize)? as u64,
        };
        let one = scene.at(game, number);
        let state: MatchState = match one.state.phase {
            Phase::Committed => committed_state(&one.seated),
            _ => one.state,
        };
        let all = (0..scene.program.header().operators).map(OperatorIndex);
        // What the claimed trace makes of it, if one's own does not know the point.
        let point = [&scene.truth, &scene.claimed.trace]
            .into_iter()
            .find_map(|trace| find_point(&scene.program, trace, all.clone(), claim.point))?;
        let claims =
            one.seated.seat.commitment == scene.own_commitment(one.seated.challenger, &scene.claimed.trace);
        let own = if claims { &scene.claimed.trace } else { &scene.truth };
        let (operator, element) = (OperatorIndex(point.operator), ElementIndex(point.element));
        let (_, tile, path) = reward_opening(&scene.program, own, operator, element);
        let call = Call::OpenReward {
            claim: scene.claim,
            number,
            standing: state.standing(),
            node: state.node,
            seat: one.seated.seat,
            point,
            salt: SALT,
            depth: own.own_tree().depth() as u8,
            tile,
            path,
        };
        Some((one.seated.challenger, NOTHING, call))
    }

    /// Something about it is wrong.
    fn bent(&mut self, (from, value, call): Sent) -> Sent {
        match self.rng.below(20) {
            0..3 => (self.anyone(), value, call),
            3 | 4 => {
                let value = [value.0 + 1, value.0.saturating_sub(1), 0, 1, value.0 * 2][self.rng.below(5)];
                (from, Wei(value), call)
            }
            5..10 => {
                let other = self.other(call);
                (from, value, other)
            }
            _ => {
                let bent = bend(&mut self.rng, &call);
                (from, value, bent)
            }
        }
    }

    /// The same call with a part that belongs to another: claim, match, witness, operator, layer, sums.
    fn other(&mut self, mut call: Call) -> Call {
        let Some(at) = self.rng.recent(self.claims.len()) else { return call };
        let another = self.rng.below(self.claims.len());
        let (mut this, that) = (&self.claims[at], &self.claims[another]);
        let mut op = OperatorIndex(self.rng.below(this.operators.len()) as u32);
        let about = match &call {
            Call::Prepare { posted, operator, .. }
            | Call::Name { posted, operator, .. }
            | Call::Segment { posted, operator, .. } => Some((posted, operator)),
            Call::Refute { posted, refutation } => Some((posted, &refutation.operator)),
            _ => None,
        };
        let owner = about.and_then(|(posted, operator)| {
            let owner = self.claims.iter().find(|scene| scene.posted == *posted)?;
            Some((owner, owner.operators.iter().position(|known| known == operator)?))
        });
        // Another element of the very operator, more often than one of another.
        if let Some((owner, index)) = owner.filter(|_| self.rng.chance(70)) {
            (this, op) = (owner, OperatorIndex(index as u32));
        }
        let elements = this.program.operator(op).elements();
        let e = self.rng.next() % elements;
        let which = self.rng.below(4);
        match &mut call {
            Call::Prepare { posted, operator, witness, .. } => match which {
                0 => *posted = that.posted,
                1 => operator.clone_from(&this.operators[op.0 as usize]),
                _ => **witness = this.witness(0, op, e, None).halves().0,
            },
            Call::Name { posted, operator, witness, .. }
            | Call::Segment { posted, operator, witness, .. } => match which {
                0 => *posted = that.posted,
                1 => operator.clone_from(&this.operators[op.0 as usize]),
                _ => **witness = this.witness(0, op, e, None),
            },
            Call::Fold { posted, operator, sums, .. } => match which {
                0 => *posted = that.posted,
                1 => operator.clone_from(&this.operators[op.0 as usize]),
                _ => {
                    let at = self.rng.below(sums.len().max(1));
                    let extremes = [1 << 62, -(1 << 62), (1 << 62) - 1, i64::MIN, i64::MAX, 0];
                    if let Some(sum) = sums.get_mut(at) {
                        *sum = *self.rng.pick(&extremes);
                    }
                }
            },
            Call::Refute { posted, refutation } => match which {
                0 => *posted = that.posted,
                1 => refutation.operator.clone_from(&this.operators[op.0 as usize]),
                // Segments of no terms: a number that no operator has.
                2 => refutation.operator[24..28].fill(0),
                _ => refutation.witness = this.witness(0, op, e, None),
            },
            Call::SubTrace { posted, layer, .. } => match which {
                0 => *posted = that.posted,
                _ => layer.clone_from(self.rng.pick(&that.layers)),
            },
            Call::PickOperator { claim, layer, operator, .. } => match which {
                0 => *claim = that.claim,
                1 => layer.clone_from(self.rng.pick(&that.layers)),
                _ => operator.clone_from(&this.operators[op.0 as usize]),
            },
            Call::Enter { claim, layer, operator, path, .. } => match which {
                0 => *claim = that.claim,
                1 => operator.clone_from(&this.operators[op.0 as usize]),
                _ => {
                    let layers = this.program.layers().len() as u64;
                    let index = narrows_program::LayerIndex((e % layers) as u32);
                    layer.clone_from(&this.program.layer(index).head());
                    path.clone_from(&this.program.layers_tree().path(index.0.into()));
                }
            },
            Call::Reveal { claim, .. }
            | Call::Pick { claim, .. }
            | Call::RevealTiles { claim, .. }
            | Call::Reclaim { claim, .. }
            | Call::OpenReward { claim, .. }
            | Call::Commit { claim, .. }
            | Call::CollectReward { claim } => *claim = that.claim,
            Call::Timeout { posted, .. }
            | Call::Finalise { posted }
            | Call::Award { posted }
            | Call::Open { posted, .. } => *posted = that.posted,
            Call::RefuteCopy { original, .. } => *original = that.posted,
            Call::CommitClaim { job, .. }
            | Call::PostClaim { job, .. }
            | Call::Lapse { job, .. }
            | Call::Advance { job }
            | Call::Refund { job } => *job = that.job,
            Call::PostJob { input, .. } => input.resize(INPUT as usize / 2, 0),
            Call::Register { .. } | Call::Withdraw => {}
        }
        call
    }
}

/// Keeps the answer's type in sight of those who implement [`Machine`].
pub type Answer = Result<Vec<Event>, Refusal>;
