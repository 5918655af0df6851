//! Logs to events.

use alloy_primitives::{B256, Log, U256};
use alloy_sol_types::SolEvent;
use narrows_bisection::{BlockTime, Event, Posted, Wei};
use narrows_commitment::{ProgramRoot, TensorRoot, TraceRoot};

use super::abi::{IGame, IRegistry};
use super::{
    DecodeError, Target, account, claim, digest, digests, job, match_id, name_of, packed, roots, strict,
    unpack_sums,
};

/// The fields of `E`, if the log is exactly what a contract emits for it.
fn fields<E: SolEvent>(topics: &[B256], data: &[u8]) -> Result<E, DecodeError> {
    let event = E::decode_raw_log_with_config(topics.iter().copied(), data, strict());
    event.map_err(|_| DecodeError::BadLog(name_of(E::SIGNATURE)))
}

fn wei<E: SolEvent>(value: U256) -> Result<Wei, DecodeError> {
    u128::try_from(value).map(Wei).map_err(|_| DecodeError::BadLog(name_of(E::SIGNATURE)))
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
        Target::Game => of_jobs(first, topics, data),
    }
}

/// Jobs, claims and money; the rest are about matches and rewards.
fn of_jobs(first: B256, topics: &[B256], data: &[u8]) -> Result<Event, DecodeError> {
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
        IGame::ClaimCommitted::SIGNATURE_HASH => {
            let event: IGame::ClaimCommitted = fields(topics, data)?;
            Event::ClaimCommitted {
                job: job(event.jobId),
                executor: account(event.executor),
                number: event.number,
                commitment: digest(event.commitment),
                committed_at: BlockTime(event.committedAt),
            }
        }
        IGame::ClaimPosted::SIGNATURE_HASH => {
            let event: IGame::ClaimPosted = fields(topics, data)?;
            let posted = Posted {
                job: job(event.jobId),
                executor: account(event.executor),
                trace_root: TraceRoot(digest(event.traceRoot)),
                output_root: TensorRoot(digest(event.outputRoot)),
            };
            Event::ClaimPosted {
                claim: claim(event.claimId),
                posted,
                number: event.number,
                window_end: BlockTime(event.windowEnd),
                hard_end: BlockTime(event.hardEnd),
                output: event.output.into(),
            }
        }
        IGame::ClaimLapsed::SIGNATURE_HASH => {
            let event: IGame::ClaimLapsed = fields(topics, data)?;
            Event::ClaimLapsed { job: job(event.jobId), number: event.number }
        }
        IGame::ClaimFinal::SIGNATURE_HASH => {
            let event: IGame::ClaimFinal = fields(topics, data)?;
            Event::ClaimFinal { claim: claim(event.claimId), job: job(event.jobId) }
        }
        IGame::JobAwarded::SIGNATURE_HASH => {
            let event: IGame::JobAwarded = fields(topics, data)?;
            Event::JobAwarded { job: job(event.jobId), claim: claim(event.claimId) }
        }
        IGame::JobRefunded::SIGNATURE_HASH => {
            Event::JobRefunded { job: job(fields::<IGame::JobRefunded>(topics, data)?.jobId) }
        }
        IGame::Withdrawn::SIGNATURE_HASH => {
            let event: IGame::Withdrawn = fields(topics, data)?;
            let amount = wei::<IGame::Withdrawn>(event.amount)?;
            Event::Withdrawn { account: account(event.account), amount }
        }
        _ => of_matches(first, topics, data)?,
    })
}

/// Who sits, who won, and what became of the money.
fn of_matches(first: B256, topics: &[B256], data: &[u8]) -> Result<Event, DecodeError> {
    Ok(match first {
        IGame::MatchOpened::SIGNATURE_HASH => {
            let event: IGame::MatchOpened = fields(topics, data)?;
            Event::MatchOpened {
                match_id: match_id(event.matchId),
                claim: claim(event.claimId),
                challenger: account(event.challenger),
                number: event.number,
                commitment: digest(event.commitment),
                bond: wei::<IGame::MatchOpened>(event.bond)?,
            }
        }
        IGame::Committed::SIGNATURE_HASH => {
            let event: IGame::Committed = fields(topics, data)?;
            Event::Committed {
                claim: claim(event.claimId),
                challenger: account(event.challenger),
                number: event.number,
                commitment: digest(event.commitment),
            }
        }
        IGame::MatchWon::SIGNATURE_HASH => {
            let event: IGame::MatchWon = fields(topics, data)?;
            Event::MatchWon { match_id: match_id(event.matchId), claim: claim(event.claimId) }
        }
        IGame::MatchLost::SIGNATURE_HASH => {
            let event: IGame::MatchLost = fields(topics, data)?;
            Event::MatchLost { match_id: match_id(event.matchId), claim: claim(event.claimId) }
        }
        IGame::ClaimRefuted::SIGNATURE_HASH => {
            let event: IGame::ClaimRefuted = fields(topics, data)?;
            let (claim, job) = (claim(event.claimId), job(event.jobId));
            Event::ClaimRefuted { claim, job, point: digest(event.point) }
        }
        IGame::RewardOpened::SIGNATURE_HASH => {
            let event: IGame::RewardOpened = fields(topics, data)?;
            let challenger = account(event.challenger);
            Event::RewardOpened { claim: claim(event.claimId), number: event.number, challenger }
        }
        IGame::RewardCollected::SIGNATURE_HASH => {
            let event: IGame::RewardCollected = fields(topics, data)?;
            let amount = wei::<IGame::RewardCollected>(event.amount)?;
            Event::RewardCollected { claim: claim(event.claimId), winner: account(event.winner), amount }
        }
        IGame::Reclaimed::SIGNATURE_HASH => {
            Event::Reclaimed { match_id: match_id(fields::<IGame::Reclaimed>(topics, data)?.matchId) }
        }
        _ => of_moves(first, topics, data)?,
    })
}

/// What a move showed.
fn of_moves(first: B256, topics: &[B256], data: &[u8]) -> Result<Event, DecodeError> {
    Ok(match first {
        IGame::Revealed::SIGNATURE_HASH => {
            let event: IGame::Revealed = fields(topics, data)?;
            let (match_id, word) = (match_id(event.matchId), packed(event.word));
            Event::Revealed { match_id, word, nodes: digests(event.nodes) }
        }
        IGame::Picked::SIGNATURE_HASH => {
            let event: IGame::Picked = fields(topics, data)?;
            let (match_id, word) = (match_id(event.matchId), packed(event.word));
            Event::Picked { match_id, word, node: digest(event.node) }
        }
        IGame::SubTraced::SIGNATURE_HASH => {
            let event: IGame::SubTraced = fields(topics, data)?;
            let (match_id, word) = (match_id(event.matchId), packed(event.word));
            Event::SubTraced { match_id, word, roots: roots(event.roots) }
        }
        IGame::OperatorPicked::SIGNATURE_HASH => {
            let event: IGame::OperatorPicked = fields(topics, data)?;
            let (match_id, word) = (match_id(event.matchId), packed(event.word));
            Event::OperatorPicked { match_id, word, position: event.position }
        }
        IGame::TilesRevealed::SIGNATURE_HASH => {
            let event: IGame::TilesRevealed = fields(topics, data)?;
            let (match_id, word) = (match_id(event.matchId), packed(event.word));
            Event::TilesRevealed { match_id, word, tiles: event.tiles.into() }
        }
        IGame::Prepared::SIGNATURE_HASH => {
            let event: IGame::Prepared = fields(topics, data)?;
            let (match_id, word) = (match_id(event.matchId), packed(event.word));
            Event::Prepared { match_id, word, list: digest(event.list) }
        }
        IGame::Named::SIGNATURE_HASH => {
            let event: IGame::Named = fields(topics, data)?;
            let (match_id, word) = (match_id(event.matchId), packed(event.word));
            Event::Named { match_id, word, element: event.element, value: event.value }
        }
        IGame::Folded::SIGNATURE_HASH => {
            let event: IGame::Folded = fields(topics, data)?;
            let sums = unpack_sums(&event.sums).ok_or(DecodeError::BadLog("Folded"))?;
            Event::Folded { match_id: match_id(event.matchId), word: packed(event.word), sums }
        }
        _ => return Err(DecodeError::UnknownLog),
    })
}
