//! Answering matches about this node's claims.

use narrows_bisection::players::Executor;
use narrows_bisection::{ClaimId, ClaimStatus, JobId, MatchId, Side};
use narrows_contracts::Chain;

use super::{Action, ExecutorNode, NodeError, Tried};

impl ExecutorNode {
    /// At most one move in every open match about a pending claim of this node's.
    pub(super) async fn defend(
        &mut self,
        chain: &mut dyn Chain,
        actions: &mut Vec<Action>,
    ) -> Result<(), NodeError> {
        let own = |claim: &ClaimId| {
            let entry = self.ledger.claims.get(claim)?;
            let pending = entry.posted.executor == self.account && entry.status == ClaimStatus::Pending;
            pending.then_some(entry.posted.job)
        };
        let open = self.ledger.matches.iter().filter(|(_, m)| m.open);
        let mine: Vec<(MatchId, JobId)> = open.filter_map(|(id, m)| Some((*id, own(&m.claim)?))).collect();
        let mut moves = Vec::new();
        for (id, job) in mine {
            let Some(program) = self.program_of(job) else { continue };
            let parameters = chain.parameters();
            let Some(follower) = self.ledger.follow(&program, &parameters, id) else { continue };
            // What was followed is not (yet) what stands: the next tick knows more.
            let state = *follower.state();
            let tried = Tried::Move(id, state.hash());
            if chain.match_state(id)? != Some(state.hash()) || !self.outbox.may(&tried, chain.now()) {
                continue;
            }
            let overdue = state.deadline(&parameters).is_some_and(|deadline| chain.now() >= deadline);
            let call = match state.phase.turn() {
                Some(Side::Challenger) if overdue => Some(follower.timeout()),
                Some(Side::Executor) if !overdue && self.conduct.answers() => {
                    let Ok(trace) = self.trace(job).await? else { continue };
                    Executor { program: &program, trace: &trace }.respond(&follower)
                }
                _ => None,
            };
            if let Some(call) = call {
                moves.push((tried, call));
            }
        }
        Ok(self.outbox.send_moves(chain, moves, actions)?)
    }
}
