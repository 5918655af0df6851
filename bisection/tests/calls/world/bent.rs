//! Calls with something wrong about them.

use narrows_bisection::{Call, Wei};
use narrows_program::OperatorIndex;

use super::{Sent, World};
use crate::calls::bend::bend;
use crate::stage::programs::INPUT;
use crate::stage::scene::Machine;

impl<M: Machine> World<'_, M> {
    /// Something about it is wrong.
    pub(super) fn bent(&mut self, (from, value, call): Sent) -> Sent {
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
    pub(super) fn other(&mut self, mut call: Call) -> Call {
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
