//! Headers as the registry reads them: well-formed by SPEC 4.1 and within the ranges of SPEC 5, rule counts.

use narrows_commitment::Digest;
use narrows_program::{DType, HEADER_BYTES, Header, TensorType, limits};

use crate::Refusal;

/// The only version of the encoding.
const VERSION: u32 = 1;

/// The greatest depth of a legal tensor's tree: 2^31 - 1 elements of 4 bytes fill 2^26 tiles.
const MAX_TENSOR_DEPTH: u8 = 26;

/// Reads a header's bytes.
///
/// # Errors
/// [`Refusal::BadHeader`] when a field is out of range, a reserved byte is not 0 or the length is not 64 bytes.
pub fn parse(bytes: &[u8]) -> Result<Header, Refusal> {
    let bytes: &[u8; HEADER_BYTES] = bytes.try_into().map_err(|_| Refusal::BadHeader)?;
    well_formed(bytes).ok_or(Refusal::BadHeader)
}

fn well_formed(bytes: &[u8; HEADER_BYTES]) -> Option<Header> {
    let word = |at: usize| u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    let counted = |at: usize| (1..=limits::MAX_COUNT).contains(&u64::from(word(at))).then(|| word(at));
    let public = |type_at: usize, at: usize| {
        let dtype = DType::from_code(bytes[type_at]).filter(|dtype| dtype.is_integer())?;
        let elements = u64::from(word(at));
        (1..=limits::MAX_PUBLIC_ELEMENTS).contains(&elements).then_some(TensorType { dtype, elements })
    };
    let (reveal_bits, max_tensor_depth) = (bytes[14], bytes[15]);
    let levels = (1..=limits::MAX_REVEAL_BITS).contains(&reveal_bits) && max_tensor_depth <= MAX_TENSOR_DEPTH;
    let fixed = word(0) == VERSION && bytes[24..32] == [0; 8];
    let mut meta_hash = Digest::default();
    meta_hash.0.copy_from_slice(&bytes[32..]);
    let header = Header {
        layers: counted(4)?,
        constants: counted(8)?,
        input: public(12, 16)?,
        output: public(13, 20)?,
        reveal_bits,
        max_tensor_depth,
        meta_hash,
    };
    (levels && fixed).then_some(header)
}
