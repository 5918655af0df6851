//! From jobs to claims: a commitment first, the claim in a later block, so that nobody copies an output.

use std::sync::Arc;

use narrows_bisection::Promise;
use narrows_bisection::served::Venue;
use narrows_bisection::trace::Exports;
use narrows_bisection::{BlockTime, Call, ClaimId, ClaimStatus, JobId, Posted, Wei, game::ids};
use narrows_commitment::Digest;
use narrows_contracts::{Chain, ChainError};

use super::shelf::Recipe;
use super::{Action, ExecutorNode, NodeError, Tried};

impl ExecutorNode {
    /// Commits to a claim on every open job that this node can run and has not committed to.
    pub(super) async fn commit_claims(
        &mut self,
        chain: &mut dyn Chain,
        actions: &mut Vec<Action>,
    ) -> Result<(), NodeError> {
        let now = chain.now();
        let due = self.ledger.jobs.iter().filter(|(id, job)| {
            let own = job.commitments.values().any(|made| made.executor == self.account);
            !job.closed && job.deadline > now && !own && self.outbox.may(&Tried::Commit(**id), now)
        });
        let due: Vec<JobId> = due.map(|(id, _)| *id).collect();
        for job in due {
            let exports = match self.exports(job).await? {
                Ok(exports) => exports,
                Err(reason) => {
                    self.skip(job, reason, actions);
                    continue;
                }
            };
            // What cannot be posted must not be committed to: it would cost half of the bond.
            if let Err(error) = self.fits(chain, job, &exports) {
                self.skip(job, error.to_string(), actions);
                continue;
            }
            let posted = self.posted(job, &exports);
            let commitment = ids::claim_commitment(self.salt(job), &posted);
            if self.stands_unseen(chain, &posted, commitment)? {
                continue;
            }
            if let Some(stake) = self.stake(chain, job)? {
                let call = Call::CommitClaim { job, commitment };
                self.outbox.send_once(chain, Tried::Commit(job), stake, call, actions)?;
            } else {
                self.skip(job, "its program is not registered".into(), actions);
            }
        }
        Ok(())
    }

    /// Posts what was committed to in an earlier block.
    pub(super) async fn post_claims(
        &mut self,
        chain: &mut dyn Chain,
        actions: &mut Vec<Action>,
    ) -> Result<(), NodeError> {
        let now = chain.now();
        let patience = u64::from(chain.parameters().reveal_seconds);
        let jobs = self.ledger.jobs.iter();
        let made =
            jobs.flat_map(|(id, job)| job.commitments.iter().map(|(number, made)| (*id, *number, *made)));
        let due = made.filter(|(id, number, made)| {
            made.executor == self.account
                && made.promise == Promise::Open
                && now > made.committed_at
                && now.0 < made.committed_at.0 + patience
                && self.outbox.may(&Tried::Post(*id, *number), now)
        });
        let due: Vec<(JobId, u64, BlockTime)> = due.map(|(id, n, made)| (id, n, made.committed_at)).collect();
        for (job, number, committed_at) in due {
            if let Ok(exports) = self.exports(job).await? {
                // Who sees the claim can ask for its trace at once.
                let posted = self.posted(job, &exports);
                let id = ids::claim_id(chain.chain_id(), chain.game(), &posted, &chain.parameters());
                self.serve(chain, id, job);
                let call = self.posting(job, number, committed_at, &exports);
                self.outbox.send_once(chain, Tried::Post(job, number), Wei(0), call, actions)?;
            }
        }
        Ok(())
    }

    /// Puts pending claims on the shelf, and takes decided ones off.
    pub(super) fn serve_claims(&mut self, chain: &dyn Chain) {
        if !self.conduct.serves() {
            return;
        }
        let own = self.ledger.claims.iter().filter(|(_, claim)| claim.posted.executor == self.account);
        for (id, claim) in own {
            if claim.status != ClaimStatus::Pending {
                self.shelf.remove(*id);
            } else if !self.shelf.has(*id) {
                self.serve(chain, *id, claim.posted.job);
            }
        }
    }

    fn skip(&mut self, job: JobId, reason: String, actions: &mut Vec<Action>) {
        actions.push(Action::Skipped(job, reason));
        self.outbox.done(Tried::Commit(job));
    }

    /// Whether this node's commitment is in a block that has not enough confirmations yet: an earlier process may have sent
    /// it. A second one would cost half of its bond, for only one of two equal claims can be posted.
    ///
    /// The contract keeps a hash of the commitment with its time, so the times at which it could still be posted are tried.
    fn stands_unseen(
        &self,
        chain: &dyn Chain,
        posted: &Posted,
        commitment: Digest,
    ) -> Result<bool, NodeError> {
        let Some(view) = chain.job(posted.job)? else {
            // The answering node is behind: it could not tell.
            return Ok(true);
        };
        let known = self.ledger.jobs.get(&posted.job).map_or(0, |job| job.commitments.len() as u64);
        let (now, parameters) = (chain.now().0, chain.parameters());
        let patience = u64::from(parameters.reveal_seconds);
        let times = now.saturating_sub(patience)..=now.saturating_add(parameters.block_seconds.into());
        let claim = ids::claim_id(chain.chain_id(), chain.game(), posted, &parameters);
        for number in known..u64::from(view.committed) {
            let Some(entry) = chain.entry(posted.job, number)? else { continue };
            let committed = |time| ids::entry(self.account, commitment, BlockTime(time)) == entry;
            if entry == claim.0 || times.clone().any(committed) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn serve(&self, chain: &dyn Chain, claim: ClaimId, job: JobId) {
        let (Some(program), Some(entry)) = (self.program_of(job), self.ledger.jobs.get(&job)) else { return };
        if self.conduct.serves() {
            let venue = Venue { chain_id: chain.chain_id(), game: chain.game(), claim };
            let (conduct, key) = (Arc::clone(&self.conduct), self.key.clone());
            self.shelf.put(claim, Recipe { conduct, program, input: entry.input.clone(), venue, key });
        }
    }

    fn posted(&self, job: JobId, exports: &Exports) -> Posted {
        let (trace_root, output_root) = (exports.root(), exports.output_root());
        Posted { job, executor: self.account, trace_root, output_root }
    }

    fn posting(&self, job: JobId, number: u64, committed_at: BlockTime, exports: &Exports) -> Call {
        Call::PostClaim {
            job,
            number,
            committed_at,
            salt: self.salt(job),
            trace_root: exports.root(),
            output: exports.output().to_vec(),
            path: exports.output_path(),
        }
    }

    /// Whether a transaction can carry the claim.
    fn fits(&self, chain: &dyn Chain, job: JobId, exports: &Exports) -> Result<(), ChainError> {
        chain.check_size(&self.posting(job, 0, BlockTime(0), exports))
    }

    /// The bond and the claim fee; `None` when the program is not registered, or they are more than money.
    fn stake(&self, chain: &mut dyn Chain, job: JobId) -> Result<Option<Wei>, NodeError> {
        let Some(program) = self.program_of(job) else { return Ok(None) };
        let parameters = chain.parameters();
        let fee = chain.program(program.root())?.and_then(|registered| registered.claim_fee(&parameters));
        Ok(fee.and_then(|fee| parameters.executor_bond.0.checked_add(fee.0)).map(Wei))
    }
}
