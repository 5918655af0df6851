//! Rewards, bonds, and what is owed.

use narrows_bisection::Refuted;
use narrows_bisection::refute::{committed_state, find_point, reward_opening};
use narrows_bisection::{
    Call, ClaimId, ClaimStatus, MatchId, MatchState, Phase, Posted, Seated, Wei, game::ids,
};
use narrows_commitment::Digest;
use narrows_contracts::Chain;
use narrows_program::{ElementIndex, OperatorIndex};

use super::dispute::own_depth;
use super::{Action, NodeError, Tried, WatchtowerNode};

impl WatchtowerNode {
    pub(super) async fn settle(
        &mut self,
        chain: &mut dyn Chain,
        actions: &mut Vec<Action>,
    ) -> Result<(), NodeError> {
        self.rewards(chain, actions).await?;
        self.reclaim(chain, actions)?;
        if chain.owed(self.account)? > Wei(0) {
            self.outbox.send(chain, Wei(0), Call::Withdraw, actions)?;
        }
        Ok(())
    }

    /// Opens this node's commitments at the points of verdicts, and collects what it won.
    async fn rewards(&mut self, chain: &mut dyn Chain, actions: &mut Vec<Action>) -> Result<(), NodeError> {
        let now = chain.now();
        let patience = u64::from(chain.parameters().reward_seconds);
        let open =
            self.ledger.claims.iter().filter_map(|(id, claim)| Some((*id, claim.posted, claim.refuted?)));
        let open: Vec<(ClaimId, Posted, Refuted)> = open.filter(|(_, _, r)| !r.collected).collect();
        for (id, posted, refuted) in open {
            let Some((number, seated)) = self.seat(id) else { continue };
            let mine = refuted.best.is_some_and(|best| best.account == self.account);
            if now.0 >= refuted.at.0 + patience {
                if mine && self.outbox.may(&Tried::Collect(id), now) {
                    self.outbox.send_again(
                        chain,
                        Tried::Collect(id),
                        Call::CollectReward { claim: id },
                        actions,
                    )?;
                }
                continue;
            }
            let better = refuted.best.is_none_or(|best| number < best.number);
            if better && seated.seat.opened_at < refuted.at && self.outbox.may(&Tried::Reward(id), now) {
                match self.opening(chain, id, posted, refuted, number, seated).await? {
                    Some(call) => self.outbox.send_once(chain, Tried::Reward(id), Wei(0), call, actions)?,
                    None => self.outbox.rest(chain, Tried::Reward(id)),
                }
            }
        }
        Ok(())
    }

    async fn opening(
        &mut self,
        chain: &mut dyn Chain,
        claim: ClaimId,
        posted: Posted,
        refuted: Refuted,
        number: u64,
        seated: Seated,
    ) -> Result<Option<Call>, NodeError> {
        let Some(program) = self.program_of(posted.job) else { return Ok(None) };
        let Ok(trace) = self.trace(posted.job).await? else { return Ok(None) };
        let Some(state) = self.seat_state(chain, claim, number, &seated)? else { return Ok(None) };
        // A verdict announces the point's hash alone: the node's own trace tells which element it is.
        let (all, own) = (program.operators().len() as u32, trace.clone());
        let searched = program.clone();
        let search = tokio::task::spawn_blocking(move || {
            find_point(&searched, &own, (0..all).map(OperatorIndex), refuted.point)
        });
        let Some(point) = search.await.map_err(|_| NodeError::Interrupted)? else { return Ok(None) };
        let (operator, element) = (OperatorIndex(point.operator), ElementIndex(point.element));
        let (point, tile, path) = reward_opening(&program, &trace, operator, element);
        Ok(Some(Call::OpenReward {
            claim,
            number,
            standing: state.standing(),
            node: state.node,
            seat: seated.seat,
            point,
            salt: self.salt(claim),
            depth: own_depth(&program),
            tile,
            path,
        }))
    }

    /// The state that stands under this node's seat; `None` while what was followed is not what stands.
    fn seat_state(
        &self,
        chain: &dyn Chain,
        claim: ClaimId,
        number: u64,
        seated: &Seated,
    ) -> Result<Option<MatchState>, NodeError> {
        let id = ids::match_id(claim, number);
        if !self.ledger.matches.contains_key(&id) {
            return Ok(Some(committed_state(seated)));
        }
        Ok(self.concluded(chain, id)?.map(|follower| *follower.state()))
    }

    /// A match as it stands, verdict included.
    fn concluded(
        &self,
        chain: &dyn Chain,
        id: MatchId,
    ) -> Result<Option<narrows_bisection::players::Follower>, NodeError> {
        let Some(entry) = self.ledger.matches.get(&id) else { return Ok(None) };
        let job = self.ledger.claims.get(&entry.claim).map(|claim| claim.posted.job);
        let Some(program) = job.and_then(|job| self.program_of(job)) else { return Ok(None) };
        let Some(mut follower) = self.ledger.follow(&program, &chain.parameters(), id) else {
            return Ok(None);
        };
        let stands = chain.match_state(id)?.map_or(Digest::default(), |hash| hash.0);
        let at = entry.ended_at.unwrap_or_default();
        Ok(follower.conclude(at, narrows_bisection::StateHash(stands)).then_some(follower))
    }

    /// Takes back the bonds of matches that were won or overtaken.
    fn reclaim(&mut self, chain: &mut dyn Chain, actions: &mut Vec<Action>) -> Result<(), NodeError> {
        let now = chain.now();
        let decided =
            |claim: &ClaimId| self.ledger.claims.get(claim).is_some_and(|c| c.status != ClaimStatus::Pending);
        let mine = self.ledger.matches.iter().filter(|(id, m)| {
            let due = m.challenger == self.account && !m.reclaimed && decided(&m.claim);
            due && self.outbox.may(&Tried::Reclaim(**id), now)
        });
        let mine: Vec<MatchId> = mine.map(|(id, _)| *id).collect();
        for id in mine {
            match self.concluded(chain, id)? {
                // A lost match has no bond left.
                Some(follower) if matches!(follower.state().phase, Phase::Lost | Phase::Reclaimed) => {
                    self.outbox.done(Tried::Reclaim(id));
                }
                Some(follower) => {
                    self.outbox.send_again(chain, Tried::Reclaim(id), follower.reclaim(), actions)?
                }
                // What was followed is not what stands: a node that is behind may show it.
                None => self.outbox.rest(chain, Tried::Reclaim(id)),
            }
        }
        Ok(())
    }
}
