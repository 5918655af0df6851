//! What a call is about.

use crate::{Call, ClaimId, JobId, Posted};

/// What the claim says that a call carries; a refuted copy's is the copy's.
pub(crate) fn posted_of(call: &Call) -> Option<&Posted> {
    match call {
        Call::Finalise { posted }
        | Call::Award { posted }
        | Call::Open { posted, .. }
        | Call::SubTrace { posted, .. }
        | Call::Prepare { posted, .. }
        | Call::Name { posted, .. }
        | Call::Fold { posted, .. }
        | Call::Segment { posted, .. }
        | Call::Timeout { posted, .. }
        | Call::Refute { posted, .. }
        | Call::RefuteCopy { copy: posted, .. } => Some(posted),
        _ => None,
    }
}

/// The claim that a call names by its id.
pub(crate) fn claim_of(call: &Call) -> Option<ClaimId> {
    match call {
        Call::Commit { claim, .. }
        | Call::Reveal { claim, .. }
        | Call::Pick { claim, .. }
        | Call::Enter { claim, .. }
        | Call::PickOperator { claim, .. }
        | Call::RevealTiles { claim, .. }
        | Call::Reclaim { claim, .. }
        | Call::OpenReward { claim, .. }
        | Call::CollectReward { claim } => Some(*claim),
        _ => None,
    }
}

/// The job that a call names by its id.
pub(super) fn job_of(call: &Call) -> Option<JobId> {
    match call {
        Call::CommitClaim { job, .. }
        | Call::PostClaim { job, .. }
        | Call::Lapse { job, .. }
        | Call::Advance { job }
        | Call::Refund { job } => Some(*job),
        _ => None,
    }
}

/// The number of the match, among its claim's, that a call moves or ends.
pub(crate) fn match_number_of(call: &Call) -> Option<u64> {
    match call {
        Call::Reveal { number, .. }
        | Call::Pick { number, .. }
        | Call::Enter { number, .. }
        | Call::SubTrace { number, .. }
        | Call::PickOperator { number, .. }
        | Call::RevealTiles { number, .. }
        | Call::Prepare { number, .. }
        | Call::Name { number, .. }
        | Call::Fold { number, .. }
        | Call::Segment { number, .. }
        | Call::Timeout { number, .. }
        | Call::Reclaim { number, .. }
        | Call::OpenReward { number, .. } => Some(*number),
        _ => None,
    }
}
