//! The digests that name programs, jobs, claims, matches, seats, points and statements (PROTOCOL 3 and 4).

use narrows_commitment::{Digest, Domain, LayersRoot, ProgramRoot, TensorRoot, TraceRoot, keccak, tagged};

use crate::{Account, BlockTime, ClaimId, JobId, MatchId, Parameters, Point, Posted, Seat};

/// The domain byte of a statement of partial values.
const STATEMENT: u8 = 7;

/// A number as an ABI word.
fn number(value: impl Into<u128>) -> [u8; 32] {
    let mut word = [0; 32];
    word[16..].copy_from_slice(&value.into().to_be_bytes());
    word
}

/// A signed number as an ABI word: extended by its sign.
fn signed(value: i32) -> [u8; 32] {
    let mut word = [if value < 0 { 0xff } else { 0 }; 32];
    word[28..].copy_from_slice(&value.to_be_bytes());
    word
}

/// An account as an ABI word.
fn account(account: Account) -> [u8; 32] {
    let mut word = [0; 32];
    word[12..].copy_from_slice(&account.0);
    word
}

/// keccak(0x05 | header | layersRoot).
#[must_use]
pub fn program_root(header: &[u8], layers_root: LayersRoot) -> ProgramRoot {
    ProgramRoot(tagged(Domain::Program, &[header, &layers_root.0.0]))
}

/// keccak of all parameters, in the order of PROTOCOL 2.
#[must_use]
pub fn parameters_hash(parameters: &Parameters) -> Digest {
    let p = parameters;
    let seconds = [
        p.window_seconds,
        p.executor_clock_seconds,
        p.challenger_clock_seconds,
        p.grace_seconds,
        p.slack_seconds,
        p.reveal_seconds,
        p.reward_seconds,
        p.block_seconds,
    ];
    let amounts = [p.executor_bond, p.fee_cap, p.delay_fee, p.work_price, p.attacker_budget];
    let mut words: Vec<[u8; 32]> = seconds.into_iter().map(number).collect();
    words.push(number(p.block_gas));
    words.extend(amounts.map(|amount| number(amount.0)));
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
    let head = [number(chain_id), account(game), account(requester)];
    JobId(keccak(&[head, [program.0.0, input_root.0.0, salt.0]].concat().concat()))
}

/// keccak(salt, executor, jobId, traceRoot, outputRoot): what an executor commits to before it posts.
#[must_use]
pub fn claim_commitment(salt: Digest, posted: &Posted) -> Digest {
    let Posted { job, executor, trace_root: TraceRoot(trace), output_root: TensorRoot(output) } = posted;
    keccak(&[salt.0, account(*executor), job.0.0, trace.0, output.0].concat())
}

/// keccak(executor, commitment, t): what a job keeps of a claim's commitment.
#[must_use]
pub fn entry(executor: Account, commitment: Digest, committed_at: BlockTime) -> Digest {
    keccak(&[account(executor), commitment.0, number(committed_at.0)].concat())
}

/// keccak(chainId, game, jobId, executor, traceRoot, outputRoot, parametersHash).
#[must_use]
pub fn claim_id(chain_id: u64, game: Account, posted: &Posted, parameters: &Parameters) -> ClaimId {
    let head = [number(chain_id), account(game), posted.job.0.0, account(posted.executor)];
    let tail = [posted.trace_root.0.0, posted.output_root.0.0, parameters_hash(parameters).0];
    ClaimId(keccak(&[head.concat(), tail.concat()].concat()))
}

/// keccak(claimId, number).
#[must_use]
pub fn match_id(claim: ClaimId, index: u64) -> MatchId {
    MatchId(keccak(&[claim.0.0, number(index)].concat()))
}

/// keccak(commitment, openedAt, bond).
#[must_use]
pub fn seat(seat: &Seat) -> Digest {
    let words = [seat.commitment.0, number(seat.opened_at.0), number(seat.bond.0)];
    keccak(&words.concat())
}

/// keccak(salt, challenger, claimId, depth, ownRoot): what a challenger commits its own trace by.
#[must_use]
pub fn own_commitment(
    salt: Digest,
    challenger: Account,
    claim: ClaimId,
    depth: u8,
    own_root: Digest,
) -> Digest {
    keccak(&[salt.0, account(challenger), claim.0.0, number(depth), own_root.0].concat())
}

/// keccak(operator index, output depth, element size, e, right value, keccak(what precedes it in its tile)).
#[must_use]
pub fn point(point: &Point) -> Digest {
    let Point { operator, depth, element_bytes, element, value, before } = *point;
    let head = [number(operator), number(depth), number(element_bytes), number(element)];
    keccak(&[head.concat(), signed(value).to_vec(), before.0.to_vec()].concat())
}

/// keccak(0x07 | sums), each sum in 8 bytes, most significant first, two's complement.
#[must_use]
pub fn statement(sums: &[i64]) -> Digest {
    let mut bytes = vec![STATEMENT];
    sums.iter().for_each(|sum| bytes.extend_from_slice(&sum.to_be_bytes()));
    keccak(&bytes)
}

/// What an executor signs to state the sub-trace of layer `layer` (EIP-712, PROTOCOL 4.7).
#[must_use]
pub fn sub_trace_digest(chain_id: u64, game: Account, claim: ClaimId, layer: u32, list: Digest) -> Digest {
    let kind = keccak(b"SubTrace(bytes32 claimId,uint32 layer,bytes32 root)");
    typed(chain_id, game, &[kind.0, claim.0.0, number(layer), list.0])
}

/// What an executor signs to state the partial sums of `element` of operator `operator` (EIP-712, PROTOCOL 4.7).
#[must_use]
pub fn sums_digest(
    chain_id: u64,
    game: Account,
    claim: ClaimId,
    operator: u32,
    element: u32,
    statement: Digest,
) -> Digest {
    let kind = keccak(b"Sums(bytes32 claimId,uint32 operator,uint32 element,bytes32 statement)");
    typed(chain_id, game, &[kind.0, claim.0.0, number(operator), number(element), statement.0])
}

/// keccak(0x1901 | domain separator | keccak(words)).
fn typed(chain_id: u64, game: Account, words: &[[u8; 32]]) -> Digest {
    let kind = keccak(b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    let domain = [kind.0, keccak(b"Narrows").0, keccak(b"1").0, number(chain_id), account(game)];
    let separator = keccak(&domain.concat());
    keccak(&[&[0x19, 0x01], &separator.0[..], &keccak(&words.concat()).0].concat())
}
