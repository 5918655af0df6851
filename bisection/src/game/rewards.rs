//! Refuted claims and their rewards (PROTOCOL 4.8).

use narrows_commitment::{
    Digest, TILE_BYTES, Tile, climb, climb_tile, keccak, leads, leads_to_tile, tile_leaf, tile_siblings,
};

use crate::referee::little_endian;
use crate::{Account, BlockTime, ClaimId, Event, Point, Posted, Refusal, Seat, Standing};

use super::evidence::whole;
use super::{ClaimStatus, Game, Message, ids};

/// The lowest commitment so far that was opened at the point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Best {
    /// Its place among the claim's matches and commitments.
    pub number: u64,
    /// Whose it is.
    pub account: Account,
}

/// Who gets the reward of a refutation.
#[derive(Debug, Clone, Copy)]
pub(super) enum Reward {
    /// This account, at once.
    To(Account),
    /// The lowest commitment that is opened at this point.
    At(Point),
}

/// What opens a commitment: that its trace has the right value at the point.
pub(super) struct Shown<'a> {
    pub point: &'a Point,
    pub salt: Digest,
    pub depth: u8,
    pub tile: &'a [u8],
    pub path: &'a [Digest],
}

impl Game {
    /// Ends a claim: half of the bond is the reward, the rest is burned.
    pub(super) fn end_claim(&mut self, id: ClaimId, now: BlockTime, by_roots: bool, reward: Reward) -> Event {
        let (paid, burnt) = self.halves();
        self.money.burn(burnt);
        if let Reward::To(account) = reward {
            self.money.owe(account, paid);
        }
        let claim = self.claim_mut(id);
        claim.status = ClaimStatus::Refuted;
        claim.by_roots = by_roots;
        if let Reward::At(point) = reward {
            claim.point = ids::point(&point);
            claim.refuted_at = now;
        }
        Event::ClaimRefuted { claim: id, job: claim.posted.job, point: claim.point }
    }

    /// The first moment at which commitments cannot be opened any more, and the reward is collected.
    fn reward_end(&self, refuted_at: BlockTime) -> BlockTime {
        BlockTime(refuted_at.0.saturating_add(u64::from(self.parameters.reward_seconds)))
    }

    #[expect(clippy::too_many_arguments, reason = "they are those of the contract's function")]
    pub(super) fn open_reward(
        &mut self,
        message: &Message,
        id: ClaimId,
        number: u64,
        standing: &Standing,
        node: Digest,
        seat: &Seat,
        shown: &Shown<'_>,
    ) -> Result<Vec<Event>, Refusal> {
        let claim = self.claims.get(&id).filter(|claim| claim.point != Digest::default());
        let claim = *claim.ok_or(Refusal::NoReward)?;
        if message.block.time >= self.reward_end(claim.refuted_at) {
            return Err(Refusal::TooLate);
        }
        let this = self.matches.get(&ids::match_id(id, number)).ok_or(Refusal::UnknownMatch)?;
        let challenger = message.sender;
        if whole(standing, node, challenger, seat) != this.state.hash() {
            return Err(Refusal::WrongState);
        }
        if seat.opened_at >= claim.refuted_at {
            return Err(Refusal::TooLate);
        }
        if claim.best.is_some_and(|best| number >= best.number) {
            return Err(Refusal::NotBetter);
        }
        if ids::point(shown.point) != claim.point {
            return Err(Refusal::WrongStatement);
        }
        let tile: &Tile = shown.tile.try_into().map_err(|_| Refusal::BadOpening)?;
        let own_root = own_root(shown, tile).ok_or(Refusal::BadOpening)?;
        if ids::own_commitment(shown.salt, challenger, id, shown.depth, own_root) != seat.commitment {
            return Err(Refusal::BadOpening);
        }
        let size = usize::from(shown.point.element_bytes);
        let at = shown.point.element as usize % (TILE_BYTES / size) * size;
        if little_endian(&tile[at..at + size]) != i64::from(shown.point.value) {
            return Err(Refusal::WrongStatement);
        }
        if keccak(&tile[..at]) != shown.point.before {
            return Err(Refusal::WrongStatement);
        }
        self.claim_mut(id).best = Some(Best { number, account: challenger });
        Ok(vec![Event::RewardOpened { claim: id, number, challenger }])
    }

    pub(super) fn collect_reward(&mut self, message: &Message, id: ClaimId) -> Result<Vec<Event>, Refusal> {
        let claim = self.claims.get(&id).filter(|claim| claim.point != Digest::default());
        let claim = *claim.ok_or(Refusal::NoReward)?;
        if message.block.time < self.reward_end(claim.refuted_at) {
            return Err(Refusal::NotYet);
        }
        self.claim_mut(id).point = Digest::default();
        let (amount, _) = self.halves();
        let winner = match claim.best {
            Some(best) => {
                self.money.owe(best.account, amount);
                best.account
            }
            None => {
                self.money.burn(amount);
                Account::default()
            }
        };
        Ok(vec![Event::RewardCollected { claim: id, winner, amount }])
    }

    pub(super) fn refute_copy(
        &mut self,
        message: &Message,
        original: &Posted,
        copy: &Posted,
    ) -> Result<Vec<Event>, Refusal> {
        let (original_id, id) = (self.claim_id(original), self.claim_id(copy));
        let claim = self.claims.get(&id).ok_or(Refusal::UnknownClaim)?;
        if !claim.is_open(message.block.time) {
            return Err(Refusal::ClaimClosed);
        }
        let refuted = self.claims.get(&original_id).filter(|claim| claim.status == ClaimStatus::Refuted);
        if !refuted.is_some_and(|claim| claim.by_roots) {
            return Err(Refusal::NotACopy);
        }
        if (original.job, original.trace_root) != (copy.job, copy.trace_root) {
            return Err(Refusal::NotACopy);
        }
        Ok(vec![self.end_claim(id, message.block.time, false, Reward::To(message.sender))])
    }
}

/// The root of the tree over the challenger's operators' outputs that `tile` and the path lead to.
fn own_root(shown: &Shown<'_>, tile: &Tile) -> Option<Digest> {
    let Point { operator, depth, element_bytes, element, .. } = *shown.point;
    let (tensor, trace) = shown.path.split_at_checked(tile_siblings(depth.into()))?;
    let index = u64::from(element / (TILE_BYTES as u32 / u32::from(element_bytes)));
    if !leads_to_tile(depth.into(), index, tensor) || !leads(shown.depth.into(), operator.into(), trace) {
        return None;
    }
    let root = climb_tile(index, tile_leaf(tile), tensor);
    Some(climb(operator.into(), root, trace))
}
