//! The dispute: its rules, both sides' strategies, witnesses, the referee, and the record of a dispute.
//!
//! `PROTOCOL.md` is the specification. Everything here is pure: time and senders are arguments, effects are return values.

#![forbid(unsafe_code)]

mod call;
mod event;
pub mod game;
mod hex;
mod ids;
pub mod ledger;
mod opened;
mod parameters;
pub mod players;
pub mod record;
pub mod referee;
pub mod refute;
pub mod replay;
pub mod served;
pub mod signature;
mod state;
pub mod trace;
mod witness;

pub use call::{Call, Footing, Point, Posted, Refutation, Seat, Seated, Standing};
pub use event::{Event, Refusal};
pub use game::{Best, Claim, ClaimStatus, Game, Job, Match, Registered};
pub use ids::{Account, Block, BlockTime, ClaimId, JobId, MatchId, StateHash, Wei};
pub use ledger::{ClaimEntry, CommitmentEntry, JobEntry, Ledger, MatchEntry, Promise, Refuted};
pub use opened::{Opened, Witness};
pub use parameters::{BadParameters, Parameters};
pub use record::{Record, RecordError};
pub use replay::{ReplayError, Story, replay};
pub use state::{MatchState, Phase, Side, context, ground, state_hash};
pub use trace::{Trace, TraceError};
pub use witness::{ClaimedNodes, WitnessSource, open_record};
