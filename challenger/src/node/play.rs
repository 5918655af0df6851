//! The moves of this node's matches.

use narrows_bisection::{ClaimId, ClaimStatus, JobId, MatchId, Side};
use narrows_contracts::Chain;

use super::{Action, NodeError, Tried, WatchtowerNode};

impl WatchtowerNode {
    /// At most one move in every match of this node's about a pending claim.
    pub(super) async fn play(
        &mut self,
        chain: &mut dyn Chain,
        actions: &mut Vec<Action>,
    ) -> Result<(), NodeError> {
        let pending = |claim: &ClaimId| {
            let entry = self.ledger.claims.get(claim).filter(|c| c.status == ClaimStatus::Pending);
            entry.map(|c| c.posted.job)
        };
        let mine = self.ledger.matches.iter().filter(|(_, m)| m.open && m.challenger == self.account);
        let mine: Vec<(MatchId, JobId)> =
            mine.filter_map(|(id, m)| Some((*id, pending(&m.claim)?))).collect();
        let mut moves = Vec::new();
        for (id, job) in mine {
            let Some(program) = self.program_of(job) else { continue };
            let parameters = chain.parameters();
            let Some(follower) = self.ledger.follow_learned(&program, &parameters, id) else { continue };
            // What was followed is not (yet) what stands: the next tick knows more.
            let state = *follower.state();
            let tried = Tried::Move(id, state.hash());
            if chain.match_state(id)? != Some(state.hash()) || !self.outbox.may(&tried, chain.now()) {
                continue;
            }
            let overdue = state.deadline(&parameters).is_some_and(|deadline| chain.now() >= deadline);
            let call = match state.phase.turn() {
                Some(Side::Executor) if overdue => Some(follower.timeout()),
                Some(_) if !overdue => {
                    let Ok(trace) = self.trace(job).await? else { continue };
                    self.temper.respond(&program, &trace, &follower)
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
