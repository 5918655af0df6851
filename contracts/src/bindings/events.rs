//! Logs to events.

use alloy_primitives::{Address, B256, Log, U256};
use alloy_sol_types::SolEvent;
use narrows_bisection::{BlockTime, ClaimId, Event, JobId, MatchId, Wei};
use narrows_commitment::{ProgramRoot, TensorRoot, TraceRoot};

use super::abi::{IGame, IRegistry};
use super::{DecodeError, Target, account, digest, digests, strict, unpack_sums};

/// The fields of `E`, if the log is exactly what a contract emits for it.
fn fields<E: SolEvent>(topics: &[B256], data: &[u8]) -> Result<E, DecodeError> {
    let bad = DecodeError::BadLog(name::<E>());
    let event = E::decode_raw_log_with_config(topics.iter().copied(), data, strict());
    let event = event.map_err(|_| bad.clone())?;
    // The strict decoder leaves the unused bits of a topic alone.
    let same = event.encode_topics().iter().map(|topic| topic.0).eq(topics.iter().copied());
    if same { Ok(event) } else { Err(bad) }
}

fn name<E: SolEvent>() -> &'static str {
    E::SIGNATURE.split('(').next().unwrap_or_default()
}

fn wei<E: SolEvent>(value: U256) -> Result<Wei, DecodeError> {
    u128::try_from(value).map(Wei).map_err(|_| DecodeError::BadLog(name::<E>()))
}

/// The event that a log of `contract` is.
///
/// # Errors
/// When the log is of no event of that contract, or malformed.
pub fn decode_log(contract: Target, log: &Log) -> Result<Event, DecodeError> {
    let (topics, data) = (log.data.topics(), log.data.data.as_ref());
    let first = *topics.first().ok_or(DecodeError::UnknownLog)?;
    match contract {
        Target::Registry if first == IRegistry::Registered::SIGNATURE_HASH => {
            let event: IRegistry::Registered = fields(topics, data)?;
            Ok(Event::Registered { program: ProgramRoot(digest(event.programRoot)) })
        }
        Target::Registry => Err(DecodeError::UnknownLog),
        Target::Game => game(first, topics, data),
    }
}

fn game(first: B256, topics: &[B256], data: &[u8]) -> Result<Event, DecodeError> {
    let (job, claim) = (|id| JobId(digest(id)), |id| ClaimId(digest(id)));
    Ok(match first {
        IGame::JobPosted::SIGNATURE_HASH => {
            let event: IGame::JobPosted = fields(topics, data)?;
            Event::JobPosted {
                job: job(event.jobId),
                requester: account(event.requester),
                program: ProgramRoot(digest(event.programRoot)),
                input_root: TensorRoot(digest(event.inputRoot)),
                fee: wei::<IGame::JobPosted>(event.fee)?,
                deadline: BlockTime(event.deadline),
                input: event.input.into(),
            }
        }
        IGame::ClaimPosted::SIGNATURE_HASH => {
            let event: IGame::ClaimPosted = fields(topics, data)?;
            Event::ClaimPosted {
                claim: claim(event.claimId),
                job: job(event.jobId),
                executor: account(event.executor),
                trace_root: TraceRoot(digest(event.traceRoot)),
                window_end: BlockTime(event.windowEnd),
                hard_end: BlockTime(event.hardEnd),
                output: event.output.into(),
            }
        }
        IGame::ClaimFinal::SIGNATURE_HASH => {
            let event: IGame::ClaimFinal = fields(topics, data)?;
            Event::ClaimFinal { claim: claim(event.claimId), job: job(event.jobId) }
        }
        IGame::JobRefunded::SIGNATURE_HASH => {
            Event::JobRefunded { job: job(fields::<IGame::JobRefunded>(topics, data)?.jobId) }
        }
        IGame::Withdrawn::SIGNATURE_HASH => {
            let event: IGame::Withdrawn = fields(topics, data)?;
            let account: fn(Address) -> _ = account;
            Event::Withdrawn {
                account: account(event.account),
                amount: wei::<IGame::Withdrawn>(event.amount)?,
            }
        }
        _ => of_match(first, topics, data)?,
    })
}

fn of_match(first: B256, topics: &[B256], data: &[u8]) -> Result<Event, DecodeError> {
    let id = |id| MatchId(digest(id));
    let claim = |id| ClaimId(digest(id));
    Ok(match first {
        IGame::MatchOpened::SIGNATURE_HASH => {
            let event: IGame::MatchOpened = fields(topics, data)?;
            Event::MatchOpened {
                match_id: id(event.matchId),
                claim: claim(event.claimId),
                challenger: account(event.challenger),
                number: event.number,
                commitment: digest(event.commitment),
            }
        }
        IGame::Revealed::SIGNATURE_HASH => {
            let event: IGame::Revealed = fields(topics, data)?;
            Event::Revealed { match_id: id(event.matchId), nodes: digests(event.nodes) }
        }
        IGame::Picked::SIGNATURE_HASH => {
            let event: IGame::Picked = fields(topics, data)?;
            Event::Picked { match_id: id(event.matchId), child: event.child }
        }
        IGame::TileRevealed::SIGNATURE_HASH => {
            let event: IGame::TileRevealed = fields(topics, data)?;
            Event::TileRevealed { match_id: id(event.matchId), tile: event.tile.into() }
        }
        IGame::Named::SIGNATURE_HASH => {
            let event: IGame::Named = fields(topics, data)?;
            Event::Named { match_id: id(event.matchId), element: event.element, value: event.value }
        }
        IGame::Folded::SIGNATURE_HASH => {
            let event: IGame::Folded = fields(topics, data)?;
            let sums = unpack_sums(&event.sums).ok_or(DecodeError::BadLog("Folded"))?;
            Event::Folded { match_id: id(event.matchId), sums }
        }
        IGame::MatchWon::SIGNATURE_HASH => {
            let event: IGame::MatchWon = fields(topics, data)?;
            Event::MatchWon { match_id: id(event.matchId), claim: claim(event.claimId) }
        }
        IGame::MatchLost::SIGNATURE_HASH => {
            let event: IGame::MatchLost = fields(topics, data)?;
            Event::MatchLost { match_id: id(event.matchId), claim: claim(event.claimId) }
        }
        IGame::Reclaimed::SIGNATURE_HASH => {
            Event::Reclaimed { match_id: id(fields::<IGame::Reclaimed>(topics, data)?.matchId) }
        }
        _ => return Err(DecodeError::UnknownLog),
    })
}
