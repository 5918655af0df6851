//! What is known of the match that is followed, and the calls that anybody may make of it.

use narrows_commitment::TensorRoot;
use narrows_program::{ElementIndex, LayerIndex, OperatorIndex, Program};

use super::{Follower, Shown};
use crate::{Account, Call, ClaimId, MatchId, MatchState, Phase, Posted, Seated, Standing};

impl Follower {
    /// The match.
    #[must_use]
    pub fn id(&self) -> MatchId {
        self.id
    }

    /// The claim on trial.
    #[must_use]
    pub fn claim(&self) -> ClaimId {
        self.claim
    }

    /// The match's number among its claim's.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// What the claim says.
    #[must_use]
    pub fn posted(&self) -> &Posted {
        &self.posted
    }

    /// Who disputes it, and what for.
    #[must_use]
    pub fn seated(&self) -> &Seated {
        &self.seated
    }

    /// Who disputes it.
    #[must_use]
    pub fn challenger(&self) -> Account {
        self.seated.challenger
    }

    /// What the challenger's clock began with, in seconds.
    #[must_use]
    pub fn clock(&self) -> u32 {
        self.clock_seconds
    }

    /// Where the match stands. Its hash is the chain's, but after a verdict that [`Follower::conclude`] was not told of.
    #[must_use]
    pub fn state(&self) -> &MatchState {
        &self.state
    }

    /// Whether an event did not fit what was known before. Then the state is the last one that did, and nobody should play.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.lost
    }

    /// What was shown so far.
    #[must_use]
    pub fn shown(&self) -> &Shown {
        &self.shown
    }

    /// The disputed layer of several operators, or of the disputed operator; `None` before it is known.
    #[must_use]
    pub fn layer(&self, program: &Program) -> Option<LayerIndex> {
        match self.state.phase {
            Phase::SubE | Phase::SubC => Some(LayerIndex(self.state.place)),
            _ => self.operator().map(|operator| program.layer_of(operator).0),
        }
    }

    /// The disputed operator, once it is known and until the match ends.
    #[must_use]
    pub fn operator(&self) -> Option<OperatorIndex> {
        let known = matches!(
            self.state.phase,
            Phase::TileE
                | Phase::TileC
                | Phase::DataE
                | Phase::Name
                | Phase::Ready
                | Phase::FoldE
                | Phase::Seg
        );
        known.then_some(OperatorIndex(self.state.place))
    }

    /// The named element, while its partial values are in dispute.
    #[must_use]
    pub fn element(&self, program: &Program) -> Option<ElementIndex> {
        let operator = self.operator().filter(|_| matches!(self.state.phase, Phase::FoldE | Phase::Seg))?;
        Some(self.state.named_element(program.operator(operator).dtype.bytes()))
    }

    /// The stated roots that local operands open under; `None` when the layer's operator is its only one.
    #[must_use]
    pub fn list(&self) -> Option<&[TensorRoot]> {
        (!self.shown.roots.is_empty()).then_some(&self.shown.roots)
    }

    /// The parts of the state that a move carries.
    #[must_use]
    pub fn standing(&self) -> Standing {
        self.state.standing()
    }

    /// Ends the match when the turn has run out.
    #[must_use]
    pub fn timeout(&self) -> Call {
        let Self { posted, number, seated, .. } = *self;
        Call::Timeout { posted, number, standing: self.standing(), seated, node: self.state.node }
    }

    /// Returns the bond of a match that was overtaken, or won.
    #[must_use]
    pub fn reclaim(&self) -> Call {
        let Self { claim, number, seated, .. } = *self;
        Call::Reclaim { claim, number, standing: self.standing(), seated, node: self.state.node }
    }
}
