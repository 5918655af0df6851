//! Calls to calldata and back.

use alloy_primitives::Bytes;
use alloy_sol_types::SolCall;
use narrows_bisection::{BlockTime, Call, ClaimId, JobId, MatchId, Opened, StateHash, Witness};
use narrows_commitment::{LayersRoot, MultiProof, ProgramRoot, TensorRoot, TraceRoot};

use super::abi::{IGame, IRegistry};
use super::{DecodeError, digest, digests, pack_sums, strict, unpack_sums, word, words};

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

fn calldata(call: Call) -> Vec<u8> {
    match call {
        Call::Register { header, layers_root, constants_root } => IRegistry::registerCall {
            header: header.into(),
            layersRoot_: word(layers_root.0),
            constantsRoot_: word(constants_root),
        }
        .abi_encode(),
        Call::PostJob { program, input, salt, deadline } => IGame::postJobCall {
            programRoot: word(program.0),
            input: input.into(),
            salt: word(salt),
            deadline: deadline.0,
        }
        .abi_encode(),
        Call::PostClaim { job, trace_root, output, path } => IGame::postClaimCall {
            jobId: word(job.0),
            traceRoot: word(trace_root.0),
            output: output.into(),
            path: words(&path),
        }
        .abi_encode(),
        Call::Open { claim, commitment } => {
            IGame::openCall { claimId: word(claim.0), commitment: word(commitment) }.abi_encode()
        }
        Call::Finalise { claim } => IGame::finaliseCall { claimId: word(claim.0) }.abi_encode(),
        Call::Refund { job } => IGame::refundCall { jobId: word(job.0) }.abi_encode(),
        Call::Reclaim { match_id } => IGame::reclaimCall { matchId: word(match_id.0) }.abi_encode(),
        Call::Timeout { match_id } => IGame::timeoutCall { matchId: word(match_id.0) }.abi_encode(),
        Call::Withdraw => IGame::withdrawCall {}.abi_encode(),
        game_move => move_calldata(game_move),
    }
}

/// The moves that answer a state.
fn move_calldata(call: Call) -> Vec<u8> {
    match call {
        Call::Reveal { match_id, state, nodes } => {
            IGame::revealCall { matchId: word(match_id.0), state: word(state.0), nodes: words(&nodes) }
                .abi_encode()
        }
        Call::Pick { match_id, state, nodes, child, descriptor, path } => IGame::pickCall {
            matchId: word(match_id.0),
            state: word(state.0),
            nodes: words(&nodes),
            child,
            descriptor: descriptor.into(),
            path: words(&path),
        }
        .abi_encode(),
        Call::RevealTile { match_id, state, tile } => {
            IGame::revealTileCall { matchId: word(match_id.0), state: word(state.0), tile: tile.into() }
                .abi_encode()
        }
        Call::Name { match_id, state, tile, element, descriptor, witness } => IGame::nameCall {
            matchId: word(match_id.0),
            state: word(state.0),
            tile: tile.into(),
            element,
            descriptor: descriptor.into(),
            witness: put_witness(*witness),
        }
        .abi_encode(),
        Call::Fold { match_id, state, descriptor, sums, params } => IGame::foldCall {
            matchId: word(match_id.0),
            state: word(state.0),
            descriptor: descriptor.into(),
            sums: pack_sums(&sums).into(),
            params: put_opened(*params),
        }
        .abi_encode(),
        Call::Segment { match_id, state, descriptor, sums, index, witness } => IGame::segmentCall {
            matchId: word(match_id.0),
            state: word(state.0),
            descriptor: descriptor.into(),
            sums: pack_sums(&sums).into(),
            index,
            witness: put_witness(*witness),
        }
        .abi_encode(),
        other => unreachable!("{} answers no state", other.name()),
    }
}

fn put_opened(opened: Opened) -> IGame::Opened {
    IGame::Opened {
        root: word(opened.root.0),
        rootPath: words(&opened.root_path),
        indices: opened.indices.iter().flat_map(|index| index.to_be_bytes()).collect::<Vec<u8>>().into(),
        tiles: opened.tiles.into(),
        proof: words(&opened.proof.0),
    }
}

fn put_witness(witness: Witness) -> IGame::Witness {
    let Witness { a, b, params } = witness;
    IGame::Witness { a: put_opened(a), b: put_opened(b), params: put_opened(params) }
}

fn take_opened(opened: IGame::Opened) -> Option<Opened> {
    let (indices, rest) = opened.indices.as_chunks::<4>();
    rest.is_empty().then(|| Opened {
        root: TensorRoot(digest(opened.root)),
        root_path: digests(opened.rootPath),
        indices: indices.iter().copied().map(u32::from_be_bytes).collect(),
        tiles: opened.tiles.into(),
        proof: MultiProof(digests(opened.proof)),
    })
}

fn take_witness(witness: IGame::Witness) -> Option<Box<Witness>> {
    let IGame::Witness { a, b, params } = witness;
    Some(Box::new(Witness { a: take_opened(a)?, b: take_opened(b)?, params: take_opened(params)? }))
}

/// The arguments of `C`, if `data` begins with its selector.
fn arguments<C: SolCall>(data: &[u8]) -> Result<C, DecodeError> {
    let name = C::SIGNATURE.split('(').next().unwrap_or_default();
    C::abi_decode_with_config(data, strict()).map_err(|_| DecodeError::BadCall(name))
}

/// The call that `data` encodes.
///
/// # Errors
/// When it begins with no selector of the contracts, or is not canonically encoded.
pub fn decode_call(data: &[u8]) -> Result<Call, DecodeError> {
    let selector = data.first_chunk::<4>().ok_or(DecodeError::UnknownCall)?;
    Ok(match *selector {
        IRegistry::registerCall::SELECTOR => {
            let IRegistry::registerCall { header, layersRoot_: layers_root, constantsRoot_: constants_root } =
                arguments(data)?;
            let layers_root = LayersRoot(digest(layers_root));
            Call::Register { header: header.into(), layers_root, constants_root: digest(constants_root) }
        }
        IGame::postJobCall::SELECTOR => {
            let IGame::postJobCall { programRoot, input, salt, deadline } = arguments(data)?;
            let (program, deadline) = (ProgramRoot(digest(programRoot)), BlockTime(deadline));
            Call::PostJob { program, input: input.into(), salt: digest(salt), deadline }
        }
        IGame::postClaimCall::SELECTOR => {
            let IGame::postClaimCall { jobId, traceRoot, output, path } = arguments(data)?;
            let (job, trace_root) = (JobId(digest(jobId)), TraceRoot(digest(traceRoot)));
            Call::PostClaim { job, trace_root, output: output.into(), path: digests(path) }
        }
        IGame::openCall::SELECTOR => {
            let IGame::openCall { claimId, commitment } = arguments(data)?;
            Call::Open { claim: ClaimId(digest(claimId)), commitment: digest(commitment) }
        }
        IGame::finaliseCall::SELECTOR => {
            Call::Finalise { claim: ClaimId(digest(arguments::<IGame::finaliseCall>(data)?.claimId)) }
        }
        IGame::refundCall::SELECTOR => {
            Call::Refund { job: JobId(digest(arguments::<IGame::refundCall>(data)?.jobId)) }
        }
        IGame::reclaimCall::SELECTOR => {
            Call::Reclaim { match_id: MatchId(digest(arguments::<IGame::reclaimCall>(data)?.matchId)) }
        }
        IGame::timeoutCall::SELECTOR => {
            Call::Timeout { match_id: MatchId(digest(arguments::<IGame::timeoutCall>(data)?.matchId)) }
        }
        IGame::withdrawCall::SELECTOR => {
            arguments::<IGame::withdrawCall>(data)?;
            Call::Withdraw
        }
        _ => decode_move(*selector, data)?,
    })
}

fn decode_move(selector: [u8; 4], data: &[u8]) -> Result<Call, DecodeError> {
    let bytes = |bytes: Bytes| Vec::from(bytes);
    Ok(match selector {
        IGame::revealCall::SELECTOR => {
            let IGame::revealCall { matchId, state, nodes } = arguments(data)?;
            let (match_id, state) = (MatchId(digest(matchId)), StateHash(digest(state)));
            Call::Reveal { match_id, state, nodes: digests(nodes) }
        }
        IGame::pickCall::SELECTOR => {
            let IGame::pickCall { matchId, state, nodes, child, descriptor, path } = arguments(data)?;
            let (match_id, state) = (MatchId(digest(matchId)), StateHash(digest(state)));
            let (nodes, path) = (digests(nodes), digests(path));
            Call::Pick { match_id, state, nodes, child, descriptor: bytes(descriptor), path }
        }
        IGame::revealTileCall::SELECTOR => {
            let IGame::revealTileCall { matchId, state, tile } = arguments(data)?;
            let (match_id, state) = (MatchId(digest(matchId)), StateHash(digest(state)));
            Call::RevealTile { match_id, state, tile: bytes(tile) }
        }
        IGame::nameCall::SELECTOR => {
            let IGame::nameCall { matchId, state, tile, element, descriptor, witness } = arguments(data)?;
            let (match_id, state) = (MatchId(digest(matchId)), StateHash(digest(state)));
            let witness = take_witness(witness).ok_or(DecodeError::BadCall("name"))?;
            Call::Name { match_id, state, tile: bytes(tile), element, descriptor: bytes(descriptor), witness }
        }
        IGame::foldCall::SELECTOR => {
            let IGame::foldCall { matchId, state, descriptor, sums, params } = arguments(data)?;
            let (match_id, state) = (MatchId(digest(matchId)), StateHash(digest(state)));
            let sums = unpack_sums(&sums).ok_or(DecodeError::BadCall("fold"))?;
            let params = Box::new(take_opened(params).ok_or(DecodeError::BadCall("fold"))?);
            Call::Fold { match_id, state, descriptor: bytes(descriptor), sums, params }
        }
        IGame::segmentCall::SELECTOR => {
            let IGame::segmentCall { matchId, state, descriptor, sums, index, witness } = arguments(data)?;
            let (match_id, state) = (MatchId(digest(matchId)), StateHash(digest(state)));
            let sums = unpack_sums(&sums).ok_or(DecodeError::BadCall("segment"))?;
            let witness = take_witness(witness).ok_or(DecodeError::BadCall("segment"))?;
            Call::Segment { match_id, state, descriptor: bytes(descriptor), sums, index, witness }
        }
        _ => return Err(DecodeError::UnknownCall),
    })
}
