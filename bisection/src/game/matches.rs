//! Matches: what surrounds a move (PROTOCOL 4.2, "before the guard" and "after it"), and the money of a verdict (4.8).

use narrows_commitment::Digest;

use crate::{
    Block, BlockTime, Call, ClaimId, Event, MatchId, MatchState, Parameters, Phase, Posted, Refusal, Seat,
    Seated, Side, Wei,
};

use super::moves::{self, By, Table};
use super::rewards::Reward;
use super::{ClaimStatus, Game, Message, ids};

/// One challenger against one claim, or a bare commitment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Match {
    /// The claim on trial.
    pub claim: ClaimId,
    /// Its place among the claim's matches and commitments.
    pub number: u64,
    /// Whose it is, since when, and for how much.
    pub seated: Seated,
    /// Where it stands. The contract keeps only its hash.
    pub state: MatchState,
}

impl Match {
    /// When the present turn runs out: moves are legal before it, the timeout from it on. `None` once it is over.
    #[must_use]
    pub fn deadline(&self, parameters: &Parameters) -> Option<BlockTime> {
        self.state.deadline(parameters)
    }
}

/// The state with the clock of `side` charged for what the turn took beyond the grace, and a turn that begins now.
fn charged(parameters: &Parameters, state: &MatchState, side: Side, now: BlockTime) -> MatchState {
    let mut state = *state;
    let elapsed =
        now.0.saturating_sub(state.turn_start.0).saturating_sub(u64::from(parameters.grace_seconds));
    let spent = u32::try_from(elapsed).unwrap_or(u32::MAX);
    let clock = match side {
        Side::Executor => &mut state.executor_clock,
        Side::Challenger => &mut state.challenger_clock,
    };
    *clock = clock.saturating_sub(spent);
    state.turn_start = now;
    state
}

impl Game {
    pub(super) fn open(
        &mut self,
        message: &Message,
        posted: &Posted,
        commitment: Digest,
    ) -> Result<Vec<Event>, Refusal> {
        let claim_id = self.claim_id(posted);
        let claim = *self.claims.get(&claim_id).ok_or(Refusal::UnknownClaim)?;
        if claim.status != ClaimStatus::Pending {
            return Err(Refusal::ClaimClosed);
        }
        if message.block.time >= claim.window_end {
            return Err(Refusal::TooLate);
        }
        let program = *self.program_of_claim(&claim);
        let bond = program.bond(&self.parameters).ok_or(Refusal::WrongValue)?;
        if message.value != bond {
            return Err(Refusal::WrongValue);
        }
        let challenger = message.sender;
        let seated = Seated { challenger, seat: Seat { commitment, opened_at: message.block.time, bond } };
        let (layers, bits) = (program.header.layers, program.header.reveal_bits);
        let state = MatchState {
            node: posted.trace_root.0,
            scope: program.layers_root.0,
            challenger,
            seat: ids::seat(&seated.seat),
            ..MatchState::start(layers, bits, &self.parameters, message.block.time)
        };
        self.money.stake(bond);
        self.claim_mut(claim_id).open_matches += 1;
        let (match_id, number) = self.seat(claim_id, seated, state);
        Ok(vec![Event::MatchOpened { match_id, claim: claim_id, challenger, number, commitment, bond }])
    }

    pub(super) fn commit(
        &mut self,
        message: &Message,
        id: ClaimId,
        commitment: Digest,
    ) -> Result<Vec<Event>, Refusal> {
        let claim = self.claims.get(&id).ok_or(Refusal::UnknownClaim)?;
        if !claim.is_open(message.block.time) {
            return Err(Refusal::ClaimClosed);
        }
        let challenger = message.sender;
        let seat = Seat { commitment, opened_at: message.block.time, bond: Wei(0) };
        let seated = Seated { challenger, seat };
        let state = MatchState { challenger, seat: ids::seat(&seat), ..MatchState::idle(Phase::Committed) };
        let (_, number) = self.seat(id, seated, state);
        Ok(vec![Event::Committed { claim: id, challenger, number, commitment }])
    }

    /// Stores a match under the claim's next number.
    fn seat(&mut self, id: ClaimId, seated: Seated, state: MatchState) -> (MatchId, u64) {
        let claim = self.claim_mut(id);
        let number = claim.openings;
        claim.openings += 1;
        let match_id = ids::match_id(id, number);
        self.matches.insert(match_id, Match { claim: id, number, seated, state });
        (match_id, number)
    }

    /// The match that `call` is about, once the state that it carries is the match's.
    fn answered(&self, message: &Message, call: &Call) -> Result<(MatchId, Match), Refusal> {
        let carried = self.carried(message.sender, call).ok_or(Refusal::WrongPhase)?;
        let id = ids::match_id(carried.claim, carried.number);
        let this = *self.matches.get(&id).ok_or(Refusal::UnknownMatch)?;
        if carried.state? != this.state.hash() {
            return Err(Refusal::WrongState);
        }
        Ok((id, this))
    }

    /// Plays a move of the table, or the timeout.
    pub(super) fn play(&mut self, message: &Message, call: &Call) -> Result<Vec<Event>, Refusal> {
        let rule = moves::rule(call);
        let (id, this) = self.answered(message, call)?;
        let now = message.block.time;
        let side = this.state.phase.turn().filter(|_| rule.phases.contains(&this.state.phase));
        let side = side.ok_or(Refusal::WrongPhase)?;
        let claim = &self.claims[&this.claim];
        if rule.ends {
            claim.playable(now)?;
        }
        if rule.by == By::ExecutorUnsigned && message.sender != claim.posted.executor {
            return Err(Refusal::NotYourMove);
        }
        let expired = this.deadline(&self.parameters).is_some_and(|deadline| now >= deadline);
        if expired && !rule.ends_turn {
            return Err(Refusal::TooLate);
        }
        // No guard looks at the clocks, so they are charged before it: events tell the word that follows.
        let mut state = charged(&self.parameters, &this.state, side, now);
        if rule.answers {
            state.answers = state.answers.saturating_add(1);
        }
        let job = &self.jobs[&claim.posted.job];
        let table = Table { game: self, id, claim_id: this.claim, state, claim, job, side, expired };
        let moves::Next { state, mut events, right } = table.play(call)?;
        match state.phase {
            Phase::Won => {
                events.push(Event::MatchWon { match_id: id, claim: this.claim });
                // What a name's evidence hangs on: the claim's roots, and the sub-trace if there is one.
                let by_roots = matches!(call, Call::Name { .. }) && state.operators == 1;
                let reward = right.map_or(Reward::To(this.seated.challenger), Reward::At);
                events.push(self.end_claim(this.claim, now, by_roots, reward));
            }
            Phase::Lost => {
                self.lose(&this, state.answers, message.block);
                events.push(Event::MatchLost { match_id: id, claim: this.claim });
            }
            _ => {}
        }
        self.matches.insert(id, Match { state, ..this });
        Ok(events)
    }

    /// A challenger's bond insures the executor's answers; what they did not cost is burned.
    fn lose(&mut self, this: &Match, answers: u8, block: Block) {
        let claim = self.claim_mut(this.claim);
        claim.open_matches -= 1;
        let (executor, claim) = (claim.posted.executor, *claim);
        let gas = u128::from(answers) * u128::from(self.program_of_claim(&claim).answer_gas());
        // Below 2^8 * 2^17 * 2^64.
        let cost = gas * block.base_fee.0.min(self.parameters.fee_cap.0);
        let Wei(bond) = this.seated.seat.bond;
        let paid = cost.saturating_add(self.parameters.delay_fee.0).min(bond);
        self.money.owe(executor, Wei(paid));
        self.money.burn(Wei(bond - paid));
    }

    pub(super) fn reclaim(&mut self, message: &Message, call: &Call) -> Result<Vec<Event>, Refusal> {
        let (id, this) = self.answered(message, call)?;
        if this.state.phase.turn().is_none() && this.state.phase != Phase::Won {
            return Err(Refusal::WrongPhase);
        }
        if self.claims[&this.claim].status == ClaimStatus::Pending {
            return Err(Refusal::NotYet);
        }
        let state = MatchState { phase: Phase::Reclaimed, ..this.state };
        self.matches.insert(id, Match { state, ..this });
        self.money.owe(this.seated.challenger, this.seated.seat.bond);
        Ok(vec![Event::Reclaimed { match_id: id }])
    }
}
