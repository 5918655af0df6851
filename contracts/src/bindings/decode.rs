//! Calldata to calls.

use alloy_sol_types::SolCall;
use narrows_bisection::{BlockTime, Call};
use narrows_commitment::{LayersRoot, ProgramRoot, TensorRoot, TraceRoot};

use super::abi::{IGame, IRegistry};
use super::packed::{unpack, unpack_witness};
use super::parts::take_refutation;
use super::{DecodeError, account, claim, digest, digests, job, name_of, roots, strict, unpack_sums};

/// The arguments of `C`, if `data` is their one encoding after its selector.
fn arguments<C: SolCall>(data: &[u8]) -> Result<C, DecodeError> {
    C::abi_decode_with_config(data, strict()).map_err(|_| DecodeError::BadCall(name_of(C::SIGNATURE)))
}

/// The call that `data` encodes.
///
/// # Errors
/// When it begins with no selector of the contracts, or is not canonically encoded.
pub fn decode_call(data: &[u8]) -> Result<Call, DecodeError> {
    let selector = data.first_chunk::<4>().ok_or(DecodeError::UnknownCall)?;
    Ok(match *selector {
        IRegistry::registerCall::SELECTOR => {
            let call: IRegistry::registerCall = arguments(data)?;
            Call::Register { header: call.header.into(), layers_root: LayersRoot(digest(call.layersRoot)) }
        }
        IGame::postJobCall::SELECTOR => {
            let call: IGame::postJobCall = arguments(data)?;
            Call::PostJob {
                program: ProgramRoot(digest(call.programRoot)),
                input: call.input.into(),
                salt: digest(call.salt),
                deadline: BlockTime(call.deadline),
            }
        }
        IGame::advanceCall::SELECTOR => {
            Call::Advance { job: job(arguments::<IGame::advanceCall>(data)?.jobId) }
        }
        IGame::refundCall::SELECTOR => Call::Refund { job: job(arguments::<IGame::refundCall>(data)?.jobId) },
        IGame::withdrawCall::SELECTOR => {
            arguments::<IGame::withdrawCall>(data)?;
            Call::Withdraw
        }
        _ => decode_claim(*selector, data)?,
    })
}

/// What claims, refutations and rewards are made of.
fn decode_claim(selector: [u8; 4], data: &[u8]) -> Result<Call, DecodeError> {
    Ok(match selector {
        IGame::commitClaimCall::SELECTOR => {
            let call: IGame::commitClaimCall = arguments(data)?;
            Call::CommitClaim { job: job(call.jobId), commitment: digest(call.commitment) }
        }
        IGame::postClaimCall::SELECTOR => {
            let call: IGame::postClaimCall = arguments(data)?;
            Call::PostClaim {
                job: job(call.jobId),
                number: call.number,
                committed_at: BlockTime(call.committedAt),
                salt: digest(call.salt),
                trace_root: TraceRoot(digest(call.traceRoot)),
                output: call.output.into(),
                path: digests(call.path),
            }
        }
        IGame::lapseCall::SELECTOR => {
            let call: IGame::lapseCall = arguments(data)?;
            Call::Lapse {
                job: job(call.jobId),
                number: call.number,
                executor: account(call.executor),
                commitment: digest(call.commitment),
                committed_at: BlockTime(call.committedAt),
            }
        }
        IGame::finaliseCall::SELECTOR => {
            Call::Finalise { posted: arguments::<IGame::finaliseCall>(data)?.posted.into() }
        }
        IGame::awardCall::SELECTOR => {
            Call::Award { posted: arguments::<IGame::awardCall>(data)?.posted.into() }
        }
        IGame::refuteCall::SELECTOR => {
            let call: IGame::refuteCall = arguments(data)?;
            let refutation = take_refutation(call.r).ok_or(DecodeError::BadCall("refute"))?;
            Call::Refute { posted: call.posted.into(), refutation }
        }
        IGame::refuteCopyCall::SELECTOR => {
            let call: IGame::refuteCopyCall = arguments(data)?;
            Call::RefuteCopy { original: call.original.into(), copy: call.copy.into() }
        }
        IGame::openRewardCall::SELECTOR => {
            let call: IGame::openRewardCall = arguments(data)?;
            Call::OpenReward {
                claim: claim(call.claimId),
                number: call.number,
                standing: call.standing.into(),
                node: digest(call.node),
                seat: call.seat.into(),
                point: call.point.into(),
                salt: digest(call.salt),
                depth: call.depth,
                tile: call.tile.into(),
                path: digests(call.path),
            }
        }
        IGame::collectRewardCall::SELECTOR => {
            Call::CollectReward { claim: claim(arguments::<IGame::collectRewardCall>(data)?.claimId) }
        }
        _ => decode_match(selector, data)?,
    })
}

/// A match's beginning and end, and the moves of its trees.
fn decode_match(selector: [u8; 4], data: &[u8]) -> Result<Call, DecodeError> {
    Ok(match selector {
        IGame::openCall::SELECTOR => {
            let call: IGame::openCall = arguments(data)?;
            Call::Open { posted: call.posted.into(), commitment: digest(call.commitment) }
        }
        IGame::commitCall::SELECTOR => {
            let call: IGame::commitCall = arguments(data)?;
            Call::Commit { claim: claim(call.claimId), commitment: digest(call.commitment) }
        }
        IGame::timeoutCall::SELECTOR => {
            let call: IGame::timeoutCall = arguments(data)?;
            Call::Timeout {
                posted: call.posted.into(),
                number: call.number,
                standing: call.standing.into(),
                seated: call.seated.into(),
                node: digest(call.node),
            }
        }
        IGame::reclaimCall::SELECTOR => {
            let call: IGame::reclaimCall = arguments(data)?;
            Call::Reclaim {
                claim: claim(call.claimId),
                number: call.number,
                standing: call.standing.into(),
                seated: call.seated.into(),
                node: digest(call.node),
            }
        }
        IGame::revealCall::SELECTOR => {
            let call: IGame::revealCall = arguments(data)?;
            Call::Reveal {
                claim: claim(call.claimId),
                number: call.number,
                footing: call.footing.into(),
                nodes: digests(call.nodes),
            }
        }
        IGame::pickCall::SELECTOR => {
            let call: IGame::pickCall = arguments(data)?;
            Call::Pick {
                claim: claim(call.claimId),
                number: call.number,
                footing: call.footing.into(),
                child: call.child,
                node: digest(call.node),
                siblings: digests(call.siblings),
            }
        }
        IGame::enterCall::SELECTOR => {
            let call: IGame::enterCall = arguments(data)?;
            Call::Enter {
                claim: claim(call.claimId),
                number: call.number,
                footing: call.footing.into(),
                child: call.child,
                node: digest(call.node),
                siblings: digests(call.siblings),
                layer: call.layer.into(),
                operator: call.operator.into(),
                path: digests(call.path),
            }
        }
        _ => decode_move(selector, data)?,
    })
}

/// The moves below a layer.
fn decode_move(selector: [u8; 4], data: &[u8]) -> Result<Call, DecodeError> {
    Ok(match selector {
        IGame::subTraceCall::SELECTOR => {
            let call: IGame::subTraceCall = arguments(data)?;
            Call::SubTrace {
                posted: call.posted.into(),
                number: call.number,
                footing: call.footing.into(),
                challenger: account(call.challenger),
                layer: call.layer.into(),
                roots: roots(call.roots),
                signature: call.signature.into(),
            }
        }
        IGame::pickOperatorCall::SELECTOR => {
            let call: IGame::pickOperatorCall = arguments(data)?;
            Call::PickOperator {
                claim: claim(call.claimId),
                number: call.number,
                footing: call.footing.into(),
                position: call.position,
                layer: call.layer.into(),
                operator: call.operator.into(),
                operator_path: digests(call.operatorPath),
                root: TensorRoot(digest(call.root)),
                root_path: digests(call.rootPath),
            }
        }
        IGame::revealTilesCall::SELECTOR => {
            let call: IGame::revealTilesCall = arguments(data)?;
            Call::RevealTiles {
                claim: claim(call.claimId),
                number: call.number,
                footing: call.footing.into(),
                tiles: call.tiles.into(),
            }
        }
        IGame::prepareCall::SELECTOR => {
            let call: IGame::prepareCall = arguments(data)?;
            Call::Prepare {
                posted: call.posted.into(),
                number: call.number,
                footing: call.footing.into(),
                list: digest(call.list),
                node: digest(call.node),
                operator: call.operator.into(),
                witness: Box::new(unpack_witness(&call.witness).ok_or(DecodeError::BadCall("prepare"))?),
            }
        }
        IGame::nameCall::SELECTOR => {
            let call: IGame::nameCall = arguments(data)?;
            Call::Name {
                posted: call.posted.into(),
                number: call.number,
                footing: call.footing.into(),
                list: digest(call.list),
                tile: call.tile.into(),
                slot: call.slot,
                siblings: digests(call.siblings),
                element: call.element,
                operator: call.operator.into(),
                witness: Box::new(unpack_witness(&call.witness).ok_or(DecodeError::BadCall("name"))?),
            }
        }
        IGame::foldCall::SELECTOR => {
            let call: IGame::foldCall = arguments(data)?;
            let bad = || DecodeError::BadCall("fold");
            let [params, third] = unpack(&call.ending).ok_or_else(bad)?;
            Call::Fold {
                posted: call.posted.into(),
                number: call.number,
                footing: call.footing.into(),
                list: digest(call.list),
                challenger: account(call.challenger),
                operator: call.operator.into(),
                sums: unpack_sums(&call.sums).ok_or_else(bad)?,
                params: Box::new(params),
                third: Box::new(third),
                signature: call.signature.into(),
            }
        }
        IGame::segmentCall::SELECTOR => {
            let call: IGame::segmentCall = arguments(data)?;
            let bad = || DecodeError::BadCall("segment");
            Call::Segment {
                posted: call.posted.into(),
                number: call.number,
                footing: call.footing.into(),
                list: digest(call.list),
                operator: call.operator.into(),
                sums: unpack_sums(&call.sums).ok_or_else(bad)?,
                index: call.index,
                witness: Box::new(unpack_witness(&call.witness).ok_or_else(bad)?),
            }
        }
        _ => return Err(DecodeError::UnknownCall),
    })
}
