//! How a wrong claim is fought: as the copy of a refuted one, in one transaction if its trace is served, in a match otherwise.

use std::sync::Arc;

use narrows_bisection::served::Venue;
use narrows_bisection::{
    BlockTime, Call, ClaimId, ClaimStatus, Posted, Refutation, Seated, Trace, Wei, game::ids, refute,
};
use narrows_commitment::{Digest, depth_for};
use narrows_contracts::{Chain, Fate};
use narrows_program::Program;

use super::{Action, NodeError, Tried, WatchtowerNode};

impl WatchtowerNode {
    /// The next step against every wrong claim that still stands.
    pub(super) async fn dispute(
        &mut self,
        chain: &mut dyn Chain,
        actions: &mut Vec<Action>,
    ) -> Result<(), NodeError> {
        let wrong = self.wrong.iter().filter_map(|id| Some((*id, self.ledger.claims.get(id)?)));
        let standing = wrong.filter(|(_, claim)| claim.status == ClaimStatus::Pending);
        let standing: Vec<(ClaimId, Posted, BlockTime)> =
            standing.map(|(id, claim)| (id, claim.posted, claim.window_end)).collect();
        for (id, posted, window_end) in standing {
            if self.refute_copy(chain, id, posted, actions)? {
                continue;
            }
            let Some(program) = self.program_of(posted.job) else { continue };
            let Ok(trace) = self.trace(posted.job).await? else { continue };
            self.fetch(chain, &program, &trace, id, posted).await?;
            let commitment = self.commitment(&program, &trace, id);
            if let Some(refutation) = self.refutations.get(&id).cloned() {
                self.refute(chain, id, posted, commitment, refutation, actions)?;
            } else if chain.now() < window_end && self.outbox.may(&Tried::Open(id), chain.now()) {
                self.open(chain, &program, id, posted, commitment, actions)?;
            }
        }
        Ok(())
    }

    /// Whether the claim's fate is that of a claim on the same roots that has fallen by them.
    fn refute_copy(
        &mut self,
        chain: &mut dyn Chain,
        id: ClaimId,
        posted: Posted,
        actions: &mut Vec<Action>,
    ) -> Result<bool, NodeError> {
        let twin = self.ledger.claims.values().find(|claim| {
            let same = claim.posted.job == posted.job && claim.posted.trace_root == posted.trace_root;
            same && claim.status == ClaimStatus::Refuted
        });
        let Some(original) = twin.map(|claim| claim.posted) else { return Ok(false) };
        if !self.outbox.may(&Tried::Copy(id), chain.now()) {
            return Ok(false);
        }
        let fate = self.outbox.send(chain, Wei(0), Call::RefuteCopy { original, copy: posted }, actions)?;
        if fate != Fate::Failed {
            self.outbox.done(Tried::Copy(id));
        }
        // What is on its way is waited for; what was refused is disputed.
        Ok(matches!(fate, Fate::Accepted | Fate::Failed))
    }

    /// Asks once for the claimed trace, and looks for a fault in it that one transaction can show.
    async fn fetch(
        &mut self,
        chain: &mut dyn Chain,
        program: &Arc<Program>,
        own: &Arc<Trace>,
        id: ClaimId,
        posted: Posted,
    ) -> Result<(), NodeError> {
        if !self.temper.refutes() || !self.outbox.may(&Tried::Fetch(id), chain.now()) {
            return Ok(());
        }
        self.outbox.done(Tried::Fetch(id));
        let venue = Venue { chain_id: chain.chain_id(), game: chain.game(), claim: id };
        let (source, program, own) = (Arc::clone(&self.source), Arc::clone(program), Arc::clone(own));
        let search = tokio::task::spawn_blocking(move || {
            let served = source.fetch(id, &posted)?;
            let claimed = served.trace(&program, &posted).ok()?;
            let layer = own.first_layer_difference(&claimed)?;
            refute::refutation(&program, &own, &claimed, served.list(layer, &posted, venue))
        });
        if let Some(refutation) = search.await.map_err(|_| NodeError::Interrupted)? {
            self.refutations.insert(id, refutation);
        }
        Ok(())
    }

    /// Commits to one's own trace, and in a later block refutes; what is refused, or is too much for a transaction, is given up
    /// for a match.
    fn refute(
        &mut self,
        chain: &mut dyn Chain,
        id: ClaimId,
        posted: Posted,
        commitment: Digest,
        refutation: Refutation,
        actions: &mut Vec<Action>,
    ) -> Result<(), NodeError> {
        match self.seat(id) {
            None if self.outbox.may(&Tried::Commit(id), chain.now()) => {
                let call = Call::Commit { claim: id, commitment };
                self.outbox.send_once(chain, Tried::Commit(id), Wei(0), call, actions)?;
            }
            Some((_, seated)) if chain.now() > seated.seat.opened_at => {
                let call = Call::Refute { posted, refutation: Box::new(refutation) };
                // One that this chain cannot carry is no better than one that it refuses.
                if matches!(self.outbox.send(chain, Wei(0), call, actions)?, Fate::Refused | Fate::Impossible)
                {
                    self.refutations.remove(&id);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn open(
        &mut self,
        chain: &mut dyn Chain,
        program: &Program,
        id: ClaimId,
        posted: Posted,
        commitment: Digest,
        actions: &mut Vec<Action>,
    ) -> Result<(), NodeError> {
        let playing = self.ledger.matches.values().any(|m| m.claim == id && m.challenger == self.account);
        let registered = chain.program(program.root())?;
        let bond = registered.and_then(|registered| registered.bond(&chain.parameters()));
        if let (false, Some(bond)) = (playing, bond) {
            let call = Call::Open { posted, commitment };
            self.outbox.send_once(chain, Tried::Open(id), bond, call, actions)?;
        }
        Ok(())
    }

    /// This node's earliest commitment about a claim: a bare one, or a match's.
    pub(super) fn seat(&self, claim: ClaimId) -> Option<(u64, Seated)> {
        let seats = &self.ledger.claims.get(&claim)?.seats;
        seats.iter().find(|(_, seated)| seated.challenger == self.account).map(|(n, seated)| (*n, *seated))
    }

    /// H(salt, self, claim, depth, own root), with a salt of its own for each claim.
    fn commitment(&self, program: &Program, trace: &Trace, claim: ClaimId) -> Digest {
        let depth = own_depth(program);
        ids::own_commitment(self.salt(claim), self.account, claim, depth, trace.own_root())
    }
}

/// Depth of the tree over all of a program's operators.
pub(super) fn own_depth(program: &Program) -> u8 {
    depth_for(program.operators().len() as u64) as u8
}
