//! The contracts' ABI: calls to bytes and back, logs to events, revert data to refusals, answers to views.
//!
//! Decoding is strict: what is not the one canonical encoding of a value is refused.

mod decode;
mod encode;
mod events;
mod packed;
mod parts;
mod refusals;
#[cfg(test)]
mod tests;

use alloy_primitives::{Address, B256, U256};
use alloy_sol_types::abi::AbiDecoderConfig;
use narrows_bisection::{Account, ClaimId, JobId, MatchId};
use narrows_commitment::{Digest, TensorRoot};

pub use self::decode::decode_call;
pub use self::encode::{Target, encode};
pub use self::events::decode_log;
pub use self::refusals::decode_refusal;

/// What the Solidity interfaces say, generated from them.
#[allow(missing_docs, reason = "documented in the Solidity files")]
#[allow(clippy::all, clippy::pedantic, reason = "generated")]
pub(crate) mod abi {
    alloy_sol_types::sol!("sol/IRegistry.sol");
    alloy_sol_types::sol!("sol/IGame.sol");
    alloy_sol_types::sol! {
        /// The contracts that a game was deployed over: its immutables, which its interface leaves out.
        interface IParts {
            function registry() external view returns (address);
            function referee() external view returns (address);
        }
    }
}

/// Bytes that are not what they should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// No function of the contracts has this selector.
    #[error("no contract function has the selector of this calldata; check the target's address")]
    UnknownCall,
    /// Arguments that no caller of ours would encode so.
    #[error("the arguments of {0} are not canonically encoded; encode them with this crate")]
    BadCall(&'static str),
    /// No event of the contracts has this first topic.
    #[error("a log is of none of the contracts' events; check the address that is followed")]
    UnknownLog,
    /// A log that the contracts would not emit.
    #[error("a log of {0} is malformed; check the address that is followed")]
    BadLog(&'static str),
    /// A view's answer that the contracts would not give.
    #[error("the answer of {0} is malformed; check the address that is asked")]
    BadAnswer(&'static str),
}

/// One encoding a value: no gaps, no dirty bits, nothing after the end.
const fn strict() -> AbiDecoderConfig {
    AbiDecoderConfig::new().strict(true)
}

/// The name before the arguments of a signature.
fn name_of(signature: &'static str) -> &'static str {
    signature.split('(').next().unwrap_or_default()
}

pub(crate) fn word(digest: Digest) -> B256 {
    B256::new(digest.0)
}

pub(crate) fn digest(word: B256) -> Digest {
    Digest(word.0)
}

pub(crate) fn account(address: Address) -> Account {
    Account(address.into())
}

pub(crate) fn address(account: Account) -> Address {
    Address::new(account.0)
}

/// A packed word, most significant byte first, as the number that it is.
fn number(word: Digest) -> U256 {
    U256::from_be_bytes(word.0)
}

/// A number as a packed word.
fn packed(number: U256) -> Digest {
    Digest(number.to_be_bytes())
}

fn words(digests: &[Digest]) -> Vec<B256> {
    digests.iter().copied().map(word).collect()
}

fn digests(words: Vec<B256>) -> Vec<Digest> {
    words.into_iter().map(digest).collect()
}

fn root_words(roots: &[TensorRoot]) -> Vec<B256> {
    roots.iter().map(|root| word(root.0)).collect()
}

fn roots(words: Vec<B256>) -> Vec<TensorRoot> {
    words.into_iter().map(|root| TensorRoot(digest(root))).collect()
}

fn job(word: B256) -> JobId {
    JobId(digest(word))
}

fn claim(word: B256) -> ClaimId {
    ClaimId(digest(word))
}

fn match_id(word: B256) -> MatchId {
    MatchId(digest(word))
}

/// be64 each, two's complement.
fn pack_sums(sums: &[i64]) -> Vec<u8> {
    sums.iter().flat_map(|sum| sum.to_be_bytes()).collect()
}

fn unpack_sums(bytes: &[u8]) -> Option<Vec<i64>> {
    let (chunks, rest) = bytes.as_chunks::<8>();
    rest.is_empty().then(|| chunks.iter().copied().map(i64::from_be_bytes).collect())
}
