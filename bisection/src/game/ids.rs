//! The digests that name programs, jobs, claims, matches and statements (PROTOCOL 3 and 4.2).

use narrows_commitment::{Digest, Domain, LayersRoot, ProgramRoot, TensorRoot, TraceRoot, keccak, tagged};

use crate::{Account, ClaimId, JobId, MatchId, Parameters};

/// The domain byte of a statement of partial values.
const STATEMENT: u8 = 7;

/// A number as an ABI word.
fn number(value: u128) -> [u8; 32] {
    let mut word = [0; 32];
    word[16..].copy_from_slice(&value.to_be_bytes());
    word
}

/// An account as an ABI word.
fn account(account: Account) -> [u8; 32] {
    let mut word = [0; 32];
    word[12..].copy_from_slice(&account.0);
    word
}

/// keccak(0x05 | header | layersRoot | constantsRoot).
#[must_use]
pub fn program_root(header: &[u8], layers_root: LayersRoot, constants_root: Digest) -> ProgramRoot {
    ProgramRoot(tagged(Domain::Program, &[header, &layers_root.0.0, &constants_root.0]))
}

/// keccak of all parameters, in the order of PROTOCOL 2.
#[must_use]
pub fn parameters_hash(parameters: &Parameters) -> Digest {
    let seconds = [
        parameters.window_seconds,
        parameters.executor_clock_seconds,
        parameters.challenger_clock_seconds,
        parameters.grace_seconds,
        parameters.slack_seconds,
    ];
    let bonds = [parameters.executor_bond.0, parameters.challenger_bond.0];
    let words: Vec<_> = seconds.into_iter().map(u128::from).chain(bonds).map(number).collect();
    keccak(&words.concat())
}

/// keccak(chainId, game, requester, programRoot, inputRoot, salt).
#[must_use]
pub fn job_id(
    chain_id: u64,
    game: Account,
    requester: Account,
    program: ProgramRoot,
    input_root: TensorRoot,
    salt: Digest,
) -> JobId {
    let head = [number(chain_id.into()), account(game), account(requester)];
    JobId(keccak(&[head.concat(), [program.0.0, input_root.0.0, salt.0].concat()].concat()))
}

/// keccak(chainId, game, jobId, executor, traceRoot, outputRoot, parametersHash).
#[must_use]
pub fn claim_id(
    chain_id: u64,
    game: Account,
    job: JobId,
    executor: Account,
    trace_root: TraceRoot,
    output_root: TensorRoot,
    parameters: &Parameters,
) -> ClaimId {
    let head = [number(chain_id.into()), account(game), job.0.0, account(executor)];
    let tail = [trace_root.0.0, output_root.0.0, parameters_hash(parameters).0];
    ClaimId(keccak(&[head.concat(), tail.concat()].concat()))
}

/// keccak(claimId, number).
#[must_use]
pub fn match_id(claim: ClaimId, index: u64) -> MatchId {
    MatchId(keccak(&[claim.0.0, number(index.into())].concat()))
}

/// keccak(0x07 | sums), each sum in 8 bytes, most significant first, two's complement.
#[must_use]
pub fn statement(sums: &[i64]) -> Digest {
    let mut bytes = vec![STATEMENT];
    sums.iter().for_each(|sum| bytes.extend_from_slice(&sum.to_be_bytes()));
    keccak(&bytes)
}
