//! Calls about programs, jobs, claims and money.

use narrows_bisection::game::ids;
use narrows_bisection::{Account, BlockTime, Call, ClaimStatus, Posted};
use narrows_commitment::keccak;

use super::{ACCOUNTS, Asked, Promise, Sent, World};
use crate::stage::programs::input;
use crate::stage::scene::{
    CHALLENGERS, FEE, Machine, NOTHING, REQUESTER, SALT, Scene, executor, post_claim, posted, register, stake,
};

impl<M: Machine> World<'_, M> {
    pub(super) fn register(&mut self) -> Sent {
        let (program, ..) = &self.library.0[*self.rng.pick(&self.shelves)];
        (self.anyone(), NOTHING, register(program))
    }

    pub(super) fn post_job(&mut self) -> Sent {
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

    pub(super) fn commit_claim(&mut self) -> Option<Sent> {
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
    pub(super) fn promise(&mut self, over: bool) -> Option<&Promise> {
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

    pub(super) fn post_claim(&mut self) -> Option<Sent> {
        let Promise { posted, shelf, claimed, number, committed_at } = *self.promise(false)?;
        let claimed = &self.library.0[shelf].2[claimed];
        Some((posted.executor, NOTHING, post_claim(claimed, posted.job, number, committed_at)))
    }

    pub(super) fn lapse(&mut self) -> Option<Sent> {
        let Promise { posted, number, committed_at, .. } = *self.promise(true)?;
        let commitment = ids::claim_commitment(SALT, &posted);
        let (job, executor) = (posted.job, posted.executor);
        Some((self.anyone(), NOTHING, Call::Lapse { job, number, executor, commitment, committed_at }))
    }

    pub(super) fn withdraw(&mut self) -> Sent {
        let game = self.machine.game();
        let owed = ACCOUNTS.into_iter().chain([executor()]).filter(|account| game.owed(*account).0 > 0);
        let owed: Vec<Account> = owed.collect();
        let from = if owed.is_empty() || self.rng.chance(40) { self.anyone() } else { *self.rng.pick(&owed) };
        (from, NOTHING, Call::Withdraw)
    }

    /// `award`, `advance` or `refund`: half of the time of a job that waits for it.
    pub(super) fn settle_job(&mut self) -> Option<Sent> {
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

    pub(super) fn about_claim(&mut self, call: impl Fn(Posted) -> Call) -> Option<Sent> {
        let claim = self.claim()?;
        Some((self.anyone(), NOTHING, call(self.claims[claim].posted)))
    }
}
