//! What the game answers when it is asked, and how to ask.

use alloy_primitives::{Address, U256};
use alloy_sol_types::SolCall;
use alloy_sol_types::abi::AbiDecoderConfig;
use narrows_bisection::{Account, BlockTime, ClaimId, ClaimStatus, JobId, MatchId, MatchState, Wei};
use narrows_commitment::{ProgramRoot, TensorRoot, TraceRoot};

use crate::bindings::abi::IGame;
use crate::bindings::{DecodeError, account, digest, word};

/// A job, as the game holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobView {
    /// Who asked, and gets the fee back if nobody answers.
    pub requester: Account,
    /// Which program.
    pub program: ProgramRoot,
    /// The root of its input.
    pub input_root: TensorRoot,
    /// What the first final claim earns.
    pub fee: Wei,
    /// No claim is taken from here on.
    pub deadline: BlockTime,
    /// Claims that are neither final nor refuted.
    pub pending: u32,
    /// Whether the fee is spoken for.
    pub settled: bool,
}

/// A claim, as the game holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClaimView {
    /// What became of it.
    pub status: ClaimStatus,
    /// Whose it is.
    pub executor: Account,
    /// The job that it answers.
    pub job: JobId,
    /// The root of the trace.
    pub trace_root: TraceRoot,
    /// No match may be opened from here on.
    pub window_end: BlockTime,
    /// It may be made final from here on, come what may.
    pub hard_end: BlockTime,
    /// Matches opened so far.
    pub matches: u64,
    /// Of these, undecided.
    pub open_matches: u64,
}

/// A match, as the game holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MatchView {
    /// The claim on trial.
    pub claim: ClaimId,
    /// Who disputes it.
    pub challenger: Account,
    /// Where it stands.
    pub state: MatchState,
}

/// A question to the game: its name, its calldata, and how its answer is read.
pub(crate) struct Question<T> {
    pub name: &'static str,
    pub data: Vec<u8>,
    pub read: fn(&[u8]) -> Result<T, DecodeError>,
}

/// The one canonical answer of `C`.
fn answer<C: SolCall>(name: &'static str, bytes: &[u8]) -> Result<C::Return, DecodeError> {
    let config = AbiDecoderConfig::new().strict(true);
    C::abi_decode_returns_with_config(bytes, config).map_err(|_| DecodeError::BadAnswer(name))
}

fn wei(name: &'static str, value: U256) -> Result<Wei, DecodeError> {
    u128::try_from(value).map(Wei).map_err(|_| DecodeError::BadAnswer(name))
}

/// What is known of a job.
pub(crate) fn job(id: JobId) -> Question<Option<JobView>> {
    let read = |bytes: &[u8]| {
        let job = answer::<IGame::jobCall>("job", bytes)?;
        if job.requester.is_zero() {
            return Ok(None);
        }
        Ok(Some(JobView {
            requester: account(job.requester),
            program: ProgramRoot(digest(job.programRoot)),
            input_root: TensorRoot(digest(job.inputRoot)),
            fee: wei("job", job.fee)?,
            deadline: BlockTime(job.deadline),
            pending: job.pending,
            settled: job.settled,
        }))
    };
    Question { name: "job", data: IGame::jobCall { jobId: word(id.0) }.abi_encode(), read }
}

/// What is known of a claim.
pub(crate) fn claim(id: ClaimId) -> Question<Option<ClaimView>> {
    let read = |bytes: &[u8]| {
        let claim = answer::<IGame::claimCall>("claim", bytes)?;
        let status = match claim.status {
            IGame::Status::None => return Ok(None),
            IGame::Status::Pending => ClaimStatus::Pending,
            IGame::Status::Final => ClaimStatus::Final,
            IGame::Status::Refuted => ClaimStatus::Refuted,
            IGame::Status::__Invalid => return Err(DecodeError::BadAnswer("claim")),
        };
        Ok(Some(ClaimView {
            status,
            executor: account(claim.executor),
            job: JobId(digest(claim.jobId)),
            trace_root: TraceRoot(digest(claim.traceRoot)),
            window_end: BlockTime(claim.windowEnd),
            hard_end: BlockTime(claim.hardEnd),
            matches: claim.matches,
            open_matches: claim.openMatches,
        }))
    };
    Question { name: "claim", data: IGame::claimCall { claimId: word(id.0) }.abi_encode(), read }
}

/// What is known of a match.
pub(crate) fn match_of(id: MatchId) -> Question<Option<MatchView>> {
    let read = |bytes: &[u8]| {
        let found = answer::<IGame::matchOfCall>("matchOf", bytes)?;
        if found.challenger.is_zero() {
            return Ok(None);
        }
        let (node, operator) = (digest(found.node), digest(found.operator));
        let state = MatchState::from_word(&found.word.to_be_bytes(), node, operator);
        let state = state.ok_or(DecodeError::BadAnswer("matchOf"))?;
        Ok(Some(MatchView {
            claim: ClaimId(digest(found.claimId)),
            challenger: account(found.challenger),
            state,
        }))
    };
    Question { name: "matchOf", data: IGame::matchOfCall { matchId: word(id.0) }.abi_encode(), read }
}

/// What an account is owed.
pub(crate) fn owed(of: Account) -> Question<Wei> {
    let read = |bytes: &[u8]| wei("owed", answer::<IGame::owedCall>("owed", bytes)?);
    Question { name: "owed", data: IGame::owedCall { account: Address::new(of.0) }.abi_encode(), read }
}

/// All that is locked.
pub(crate) fn locked() -> Question<Wei> {
    let read = |bytes: &[u8]| wei("locked", answer::<IGame::lockedCall>("locked", bytes)?);
    Question { name: "locked", data: IGame::lockedCall {}.abi_encode(), read }
}

/// All that is burned.
pub(crate) fn burned() -> Question<Wei> {
    let read = |bytes: &[u8]| wei("burned", answer::<IGame::burnedCall>("burned", bytes)?);
    Question { name: "burned", data: IGame::burnedCall {}.abi_encode(), read }
}
