//! The dispute: its rules, both sides' strategies, witnesses, the referee, and the record of a dispute.
//!
//! `PROTOCOL.md` is the specification. Everything here is pure: time and senders are arguments, effects are return values.

#![forbid(unsafe_code)]

mod call;
pub mod game;
mod ids;
mod ledger;
mod parameters;
pub mod players;
pub mod record;
pub mod referee;
pub mod replay;
mod state;
mod trace;
mod witness;

pub use call::{Call, Event, Opened, Refusal, Witness};
pub use game::{Claim, ClaimStatus, Game, Job, Match, Registered};
pub use ids::{Account, BlockTime, ClaimId, JobId, MatchId, StateHash, Wei};
pub use ledger::{ClaimEntry, JobEntry, Ledger, MatchEntry};
pub use parameters::{BadParameters, Parameters};
pub use record::{Record, RecordError};
pub use replay::{ReplayError, Story, replay};
pub use state::{MatchState, Phase, Side};
pub use trace::{Trace, TraceError};
pub use witness::{ClaimedNodes, WitnessSource, open_record};
