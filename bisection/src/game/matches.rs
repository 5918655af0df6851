//! Matches: what surrounds a move (PROTOCOL 4.2 "before the guard" and "after it") and the money of a verdict (4.6).

use narrows_commitment::Digest;
use narrows_program::LayerIndex;

use crate::{
    Account, BlockTime, Call, ClaimId, Event, MatchId, MatchState, Parameters, Phase, Refusal, Side, Wei,
};

use super::moves::{self, By, Table};
use super::{ClaimStatus, Game, Message, ids};

/// One challenger against one claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Match {
    /// The claim on trial.
    pub claim: ClaimId,
    /// Who disputes it.
    pub challenger: Account,
    /// Its place among the claim's matches.
    pub number: u64,
    /// Where it stands.
    pub state: MatchState,
}

/// The first moment at which the turn has run out: a move is legal before it, the timeout from it on.
#[must_use]
pub(super) fn deadline(parameters: &Parameters, state: &MatchState, side: Side) -> BlockTime {
    let thinking = u64::from(parameters.grace_seconds) + u64::from(state.clock(side));
    BlockTime(state.turn_start.0.saturating_add(thinking))
}

impl Match {
    /// When the present turn runs out: moves are legal before it, the timeout from it on. `None` once it is over.
    #[must_use]
    pub fn deadline(&self, parameters: &Parameters) -> Option<BlockTime> {
        self.state.phase.turn().map(|side| deadline(parameters, &self.state, side))
    }
}

/// The clock of `side` loses what the turn took beyond the grace; the next turn begins now.
fn charge(
    parameters: &Parameters,
    state: &mut MatchState,
    side: Side,
    turn_start: BlockTime,
    now: BlockTime,
) {
    let elapsed = now.0.saturating_sub(turn_start.0).saturating_sub(u64::from(parameters.grace_seconds));
    let spent = u32::try_from(elapsed).unwrap_or(u32::MAX);
    let clock = match side {
        Side::Executor => &mut state.executor_clock,
        Side::Challenger => &mut state.challenger_clock,
    };
    *clock = clock.saturating_sub(spent);
    state.turn_start = now;
}

impl Game {
    pub(super) fn open(
        &mut self,
        message: &Message,
        claim_id: ClaimId,
        commitment: Digest,
    ) -> Result<Vec<Event>, Refusal> {
        let claim = *self.claims.get(&claim_id).ok_or(Refusal::UnknownClaim)?;
        if claim.status != ClaimStatus::Pending {
            return Err(Refusal::ClaimClosed);
        }
        if message.now >= claim.window_end {
            return Err(Refusal::TooLate);
        }
        if message.value != self.parameters.challenger_bond {
            return Err(Refusal::WrongValue);
        }
        let depth = self.program_of(&self.jobs[&claim.job]).layers_depth();
        let state = MatchState {
            phase: if depth == 0 { Phase::LayerC } else { Phase::LayerE },
            remaining: u8::try_from(depth).expect("a tree of 2^20 layers has 20 levels"),
            position: 0,
            layer: LayerIndex(0),
            turn_start: message.now,
            executor_clock: self.parameters.executor_clock_seconds,
            challenger_clock: self.parameters.challenger_clock_seconds,
            tiles: 0,
            element: 0,
            value: 0,
            node: claim.trace_root.0,
            operator: Digest::default(),
        };
        let (number, challenger) = (claim.matches, message.sender);
        let id = ids::match_id(claim_id, number);
        self.money.stake(message.value);
        let claim = self.claim_mut(claim_id);
        claim.matches += 1;
        claim.open_matches += 1;
        self.matches.insert(id, Match { claim: claim_id, challenger, number, state });
        Ok(vec![Event::MatchOpened { match_id: id, claim: claim_id, challenger, number, commitment }])
    }

    /// Plays a move of the table, or the timeout.
    pub(super) fn play(
        &mut self,
        message: &Message,
        id: MatchId,
        call: &Call,
    ) -> Result<Vec<Event>, Refusal> {
        let rule = moves::rule(call);
        let this = *self.matches.get(&id).ok_or(Refusal::UnknownMatch)?;
        let side = this.state.phase.turn().filter(|_| rule.phases.contains(&this.state.phase));
        let side = side.ok_or(Refusal::WrongPhase)?;
        let claim = &self.claims[&this.claim];
        if claim.status != ClaimStatus::Pending || message.now >= claim.hard_end {
            return Err(Refusal::ClaimClosed);
        }
        if rule.state.is_some_and(|state| state != this.state.hash(id)) {
            return Err(Refusal::WrongState);
        }
        let mover = match rule.by {
            By::Anyone => message.sender,
            By::Challenger => this.challenger,
            By::Executor => claim.executor,
        };
        if mover != message.sender {
            return Err(Refusal::NotYourMove);
        }
        let expired = message.now >= deadline(&self.parameters, &this.state, side);
        if rule.state.is_some() && expired {
            return Err(Refusal::TooLate);
        }
        let job = &self.jobs[&claim.job];
        let table = Table { id, state: this.state, claim, job, program: self.program_of(job), side, expired };
        let (mut next, mut events) = table.play(call)?;
        charge(&self.parameters, &mut next, side, this.state.turn_start, message.now);
        self.settle(id, &this, next.phase, &mut events);
        self.matches.insert(id, Match { state: next, ..this });
        Ok(events)
    }

    /// The money of a verdict, if the match has come to one.
    fn settle(&mut self, id: MatchId, this: &Match, phase: Phase, events: &mut Vec<Event>) {
        let Parameters { executor_bond, challenger_bond, .. } = self.parameters;
        let half = |bond: Wei| (Wei(bond.0 / 2), Wei(bond.0 - bond.0 / 2));
        let claim = self.claim_mut(this.claim);
        match phase {
            Phase::Won => {
                claim.status = ClaimStatus::Refuted;
                let job = claim.job;
                self.job_mut(job).pending -= 1;
                let (reward, burnt) = half(executor_bond);
                self.money.owe(this.challenger, reward);
                self.money.owe(this.challenger, challenger_bond);
                self.money.burn(burnt);
                events.push(Event::MatchWon { match_id: id, claim: this.claim });
            }
            Phase::Lost => {
                claim.open_matches -= 1;
                let executor = claim.executor;
                let (compensation, burnt) = half(challenger_bond);
                self.money.owe(executor, compensation);
                self.money.burn(burnt);
                events.push(Event::MatchLost { match_id: id, claim: this.claim });
            }
            _ => {}
        }
    }

    pub(super) fn reclaim(&mut self, id: MatchId) -> Result<Vec<Event>, Refusal> {
        let this = self.matches.get_mut(&id).ok_or(Refusal::UnknownMatch)?;
        this.state.phase.turn().ok_or(Refusal::WrongPhase)?;
        if self.claims[&this.claim].status == ClaimStatus::Pending {
            return Err(Refusal::NotYet);
        }
        this.state.phase = Phase::Reclaimed;
        self.money.owe(this.challenger, self.parameters.challenger_bond);
        Ok(vec![Event::Reclaimed { match_id: id }])
    }
}
