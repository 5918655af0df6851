//! What the contracts answer when they are asked, and how to ask.

use alloy_primitives::U256;
use alloy_sol_types::SolCall;
use alloy_sol_types::abi::AbiDecoderConfig;
use narrows_bisection::{
    Account, Best, BlockTime, ClaimId, ClaimStatus, JobId, MatchId, Parameters, Registered, StateHash, Wei,
};
use narrows_commitment::{Digest, LayersRoot, ProgramRoot, TensorRoot};
use narrows_program::{DType, Header, TensorType};

use crate::bindings::abi::{IGame, IParts, IRegistry};
use crate::bindings::{DecodeError, Target, account, address, digest, word};

/// A job, as the game holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobView {
    /// Who asked, and gets the fee back if nobody answers.
    pub requester: Account,
    /// Which program.
    pub program: ProgramRoot,
    /// The root of its input.
    pub input_root: TensorRoot,
    /// What the earliest-committed final claim earns.
    pub fee: Wei,
    /// No claim is committed to from here on.
    pub deadline: BlockTime,
    /// Claims committed to so far; the next one's number.
    pub committed: u32,
    /// The lowest number that is not known to be lapsed or refuted.
    pub next: u32,
    /// Whether the fee is spoken for.
    pub settled: bool,
}

/// A claim, as the game holds it. What it says ([`Posted`](narrows_bisection::Posted)) is in the event that announced it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClaimView {
    /// What became of it.
    pub status: ClaimStatus,
    /// No match may be opened from here on.
    pub window_end: BlockTime,
    /// It may be made final from here on, come what may.
    pub hard_end: BlockTime,
    /// Matches and commitments opened so far; the next one's number.
    pub openings: u64,
    /// Matches that are being played.
    pub open_matches: u64,
    /// Its place among its job's claims.
    pub number: u64,
    /// Refuted by evidence that hangs on its roots alone, so that a copy falls with it.
    pub by_roots: bool,
    /// Where the fault is and what would have been right, hashed; 0 when no reward is open.
    pub point: Digest,
    /// When it was refuted.
    pub refuted_at: BlockTime,
    /// The lowest commitment that was opened at the point so far.
    pub best: Option<Best>,
}

/// A question to a contract: its name, its calldata, and how its answer is read.
pub(crate) struct Question<T> {
    pub target: Target,
    pub name: &'static str,
    pub data: Vec<u8>,
    pub read: fn(&[u8]) -> Result<T, DecodeError>,
}

impl<T> Question<T> {
    const fn to_game(name: &'static str, data: Vec<u8>, read: fn(&[u8]) -> Result<T, DecodeError>) -> Self {
        Self { target: Target::Game, name, data, read }
    }
}

/// The one canonical answer of `C`.
fn answer<C: SolCall>(name: &'static str, bytes: &[u8]) -> Result<C::Return, DecodeError> {
    let config = AbiDecoderConfig::new().strict(true);
    C::abi_decode_returns_with_config(bytes, config).map_err(|_| DecodeError::BadAnswer(name))
}

fn wei(name: &'static str, value: U256) -> Result<Wei, DecodeError> {
    u128::try_from(value).map(Wei).map_err(|_| DecodeError::BadAnswer(name))
}

/// What is known of a program.
pub(crate) fn program(root: ProgramRoot) -> Question<Option<Registered>> {
    let read = |bytes: &[u8]| {
        let program = answer::<IRegistry::programCall>("program", bytes)?;
        if program.layers == 0 {
            return Ok(None);
        }
        let tensor = |code, elements| {
            let dtype = DType::from_code(code).ok_or(DecodeError::BadAnswer("program"))?;
            Ok(TensorType { dtype, elements: u64::from(elements) })
        };
        let header = Header {
            layers: program.layers,
            operators: program.operators,
            input: tensor(program.inputType, program.inputElements)?,
            output: tensor(program.outputType, program.outputElements)?,
            reveal_bits: program.revealBits,
            max_tensor_depth: program.greatestDepth,
            work: program.work,
            meta_hash: Digest::default(),
        };
        Ok(Some(Registered { header, layers_root: LayersRoot(digest(program.layersRoot)) }))
    };
    let data = IRegistry::programCall { programRoot: word(root.0) }.abi_encode();
    Question { target: Target::Registry, name: "program", data, read }
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
            committed: job.committed,
            next: job.next,
            settled: job.settled,
        }))
    };
    Question::to_game("job", IGame::jobCall { jobId: word(id.0) }.abi_encode(), read)
}

/// What stands for a job's claim of this number: the hash of its commitment, then its id, or 1 once it has lapsed.
pub(crate) fn entry(job: JobId, number: u64) -> Question<Option<Digest>> {
    let read = |bytes: &[u8]| {
        let entry = answer::<IGame::entryCall>("entry", bytes)?;
        Ok((!entry.is_zero()).then(|| digest(entry)))
    };
    Question::to_game("entry", IGame::entryCall { jobId: word(job.0), number }.abi_encode(), read)
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
            window_end: BlockTime(claim.windowEnd),
            hard_end: BlockTime(claim.hardEnd),
            openings: claim.openings,
            open_matches: claim.openMatches,
            number: claim.number,
            by_roots: claim.byRoots,
            point: digest(claim.point),
            refuted_at: BlockTime(claim.refutedAt),
            best: (!claim.best.is_zero())
                .then(|| Best { number: claim.bestNumber, account: account(claim.best) }),
        }))
    };
    Question::to_game("claim", IGame::claimCall { claimId: word(id.0) }.abi_encode(), read)
}

/// The hash of a match's state.
pub(crate) fn match_state(id: MatchId) -> Question<Option<StateHash>> {
    let read = |bytes: &[u8]| {
        let state = answer::<IGame::matchStateCall>("matchState", bytes)?;
        Ok((!state.is_zero()).then(|| StateHash(digest(state))))
    };
    Question::to_game("matchState", IGame::matchStateCall { matchId: word(id.0) }.abi_encode(), read)
}

/// What an account is owed.
pub(crate) fn owed(of: Account) -> Question<Wei> {
    let read = |bytes: &[u8]| wei("owed", answer::<IGame::owedCall>("owed", bytes)?);
    Question::to_game("owed", IGame::owedCall { account: address(of) }.abi_encode(), read)
}

/// All that is locked.
pub(crate) fn locked() -> Question<Wei> {
    let read = |bytes: &[u8]| wei("locked", answer::<IGame::lockedCall>("locked", bytes)?);
    Question::to_game("locked", IGame::lockedCall {}.abi_encode(), read)
}

/// All that is burned.
pub(crate) fn burned() -> Question<Wei> {
    let read = |bytes: &[u8]| wei("burned", answer::<IGame::burnedCall>("burned", bytes)?);
    Question::to_game("burned", IGame::burnedCall {}.abi_encode(), read)
}

/// What a game was deployed with.
pub(crate) fn parameters() -> Question<Parameters> {
    let read = |bytes: &[u8]| answer::<IGame::parametersCall>("parameters", bytes).map(Parameters::from);
    Question::to_game("parameters", IGame::parametersCall {}.abi_encode(), read)
}

/// Their hash, as the game binds it into claims.
pub(crate) fn parameters_hash() -> Question<Digest> {
    let read = |bytes: &[u8]| answer::<IGame::parametersHashCall>("parametersHash", bytes).map(digest);
    Question::to_game("parametersHash", IGame::parametersHashCall {}.abi_encode(), read)
}

/// The registry that a game reads.
pub(crate) fn registry() -> Question<Account> {
    let read = |bytes: &[u8]| answer::<IParts::registryCall>("registry", bytes).map(account);
    Question::to_game("registry", IParts::registryCall {}.abi_encode(), read)
}

/// The referee that a game asks.
pub(crate) fn referee() -> Question<Account> {
    let read = |bytes: &[u8]| answer::<IParts::refereeCall>("referee", bytes).map(account);
    Question::to_game("referee", IParts::refereeCall {}.abi_encode(), read)
}
