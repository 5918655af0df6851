//! Calls to calldata.

use alloy_sol_types::SolCall;
use narrows_bisection::Call;

use super::abi::{IGame, IRegistry};
use super::packed::{pack, pack_witness};
use super::{address, pack_sums, root_words, word, words};

/// The contract that a call goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Target {
    /// Programs.
    Registry,
    /// Everything else.
    Game,
}

/// The contract and the calldata of a call.
#[must_use]
pub fn encode(call: &Call) -> (Target, Vec<u8>) {
    let target = if matches!(call, Call::Register { .. }) { Target::Registry } else { Target::Game };
    (target, calldata(call.clone()))
}

/// Programs, jobs, claims and money; the rest are moves.
fn calldata(call: Call) -> Vec<u8> {
    match call {
        Call::Register { header, layers_root } => {
            IRegistry::registerCall { header: header.into(), layersRoot: word(layers_root.0) }.abi_encode()
        }
        Call::PostJob { program, input, salt, deadline } => IGame::postJobCall {
            programRoot: word(program.0),
            input: input.into(),
            salt: word(salt),
            deadline: deadline.0,
        }
        .abi_encode(),
        Call::CommitClaim { job, commitment } => {
            IGame::commitClaimCall { jobId: word(job.0), commitment: word(commitment) }.abi_encode()
        }
        Call::PostClaim { job, number, committed_at, salt, trace_root, output, path } => {
            IGame::postClaimCall {
                jobId: word(job.0),
                number,
                committedAt: committed_at.0,
                salt: word(salt),
                traceRoot: word(trace_root.0),
                output: output.into(),
                path: words(&path),
            }
            .abi_encode()
        }
        Call::Lapse { job, number, executor, commitment, committed_at } => IGame::lapseCall {
            jobId: word(job.0),
            number,
            executor: address(executor),
            commitment: word(commitment),
            committedAt: committed_at.0,
        }
        .abi_encode(),
        Call::Finalise { posted } => IGame::finaliseCall { posted: posted.into() }.abi_encode(),
        Call::Award { posted } => IGame::awardCall { posted: posted.into() }.abi_encode(),
        Call::Advance { job } => IGame::advanceCall { jobId: word(job.0) }.abi_encode(),
        Call::Refund { job } => IGame::refundCall { jobId: word(job.0) }.abi_encode(),
        Call::Withdraw => IGame::withdrawCall {}.abi_encode(),
        Call::Open { posted, commitment } => {
            IGame::openCall { posted: posted.into(), commitment: word(commitment) }.abi_encode()
        }
        Call::Commit { claim, commitment } => {
            IGame::commitCall { claimId: word(claim.0), commitment: word(commitment) }.abi_encode()
        }
        Call::Refute { posted, refutation } => {
            IGame::refuteCall { posted: posted.into(), r: (*refutation).into() }.abi_encode()
        }
        Call::RefuteCopy { original, copy } => {
            IGame::refuteCopyCall { original: original.into(), copy: copy.into() }.abi_encode()
        }
        Call::OpenReward { claim, number, standing, node, seat, point, salt, depth, tile, path } => {
            IGame::openRewardCall {
                claimId: word(claim.0),
                number,
                standing: standing.into(),
                node: word(node),
                seat: seat.into(),
                point: point.into(),
                salt: word(salt),
                depth,
                tile: tile.into(),
                path: words(&path),
            }
            .abi_encode()
        }
        Call::CollectReward { claim } => IGame::collectRewardCall { claimId: word(claim.0) }.abi_encode(),
        game_move => move_calldata(game_move),
    }
}

/// The moves that answer a state.
fn move_calldata(call: Call) -> Vec<u8> {
    match call {
        Call::Reveal { claim, number, footing, nodes } => IGame::revealCall {
            claimId: word(claim.0),
            number,
            footing: footing.into(),
            nodes: words(&nodes),
        }
        .abi_encode(),
        Call::Pick { claim, number, footing, child, node, siblings } => IGame::pickCall {
            claimId: word(claim.0),
            number,
            footing: footing.into(),
            child,
            node: word(node),
            siblings: words(&siblings),
        }
        .abi_encode(),
        Call::Enter { claim, number, footing, child, node, siblings, layer, operator, path } => {
            IGame::enterCall {
                claimId: word(claim.0),
                number,
                footing: footing.into(),
                child,
                node: word(node),
                siblings: words(&siblings),
                layer: layer.into(),
                operator: operator.into(),
                path: words(&path),
            }
            .abi_encode()
        }
        Call::SubTrace { posted, number, footing, challenger, layer, roots, signature } => {
            IGame::subTraceCall {
                posted: posted.into(),
                number,
                footing: footing.into(),
                challenger: address(challenger),
                layer: layer.into(),
                roots: root_words(&roots),
                signature: signature.into(),
            }
            .abi_encode()
        }
        Call::PickOperator {
            claim,
            number,
            footing,
            position,
            layer,
            operator,
            operator_path,
            root,
            root_path,
        } => IGame::pickOperatorCall {
            claimId: word(claim.0),
            number,
            footing: footing.into(),
            position,
            layer: layer.into(),
            operator: operator.into(),
            operatorPath: words(&operator_path),
            root: word(root.0),
            rootPath: words(&root_path),
        }
        .abi_encode(),
        Call::RevealTiles { claim, number, footing, tiles } => IGame::revealTilesCall {
            claimId: word(claim.0),
            number,
            footing: footing.into(),
            tiles: tiles.into(),
        }
        .abi_encode(),
        Call::Prepare { posted, number, footing, list, node, operator, witness } => IGame::prepareCall {
            posted: posted.into(),
            number,
            footing: footing.into(),
            list: word(list),
            node: word(node),
            operator: operator.into(),
            witness: pack_witness(&witness).into(),
        }
        .abi_encode(),
        Call::Name { posted, number, footing, list, tile, slot, siblings, element, operator, witness } => {
            IGame::nameCall {
                posted: posted.into(),
                number,
                footing: footing.into(),
                list: word(list),
                tile: tile.into(),
                slot,
                siblings: words(&siblings),
                element,
                operator: operator.into(),
                witness: pack_witness(&witness).into(),
            }
            .abi_encode()
        }
        Call::Fold {
            posted,
            number,
            footing,
            list,
            challenger,
            operator,
            sums,
            params,
            third,
            signature,
        } => IGame::foldCall {
            posted: posted.into(),
            number,
            footing: footing.into(),
            list: word(list),
            challenger: address(challenger),
            operator: operator.into(),
            sums: pack_sums(&sums).into(),
            ending: pack(&[&params, &third]).into(),
            signature: signature.into(),
        }
        .abi_encode(),
        Call::Segment { posted, number, footing, list, operator, sums, index, witness } => {
            IGame::segmentCall {
                posted: posted.into(),
                number,
                footing: footing.into(),
                list: word(list),
                operator: operator.into(),
                sums: pack_sums(&sums).into(),
                index,
                witness: pack_witness(&witness).into(),
            }
            .abi_encode()
        }
        Call::Timeout { posted, number, standing, seated, node } => IGame::timeoutCall {
            posted: posted.into(),
            number,
            standing: standing.into(),
            seated: seated.into(),
            node: word(node),
        }
        .abi_encode(),
        Call::Reclaim { claim, number, standing, seated, node } => IGame::reclaimCall {
            claimId: word(claim.0),
            number,
            standing: standing.into(),
            seated: seated.into(),
            node: word(node),
        }
        .abi_encode(),
        other => unreachable!("{} answers no state", other.name()),
    }
}
