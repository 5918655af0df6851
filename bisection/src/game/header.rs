//! Headers as the registry reads them: well-formed by SPEC 4.1 and within the ranges of SPEC 5, rule counts.

use narrows_commitment::Digest;
use narrows_program::{DType, HEADER_BYTES, Header, TensorType, limits};

use crate::Refusal;

/// The only version of the encoding.
const VERSION: u32 = 4;

/// The greatest depth of a legal tensor's tree: 2^31 - 1 elements of 4 bytes fill 2^26 tiles.
const MAX_TENSOR_DEPTH: u8 = 26;

/// Reads a header's bytes.
///
/// # Errors
/// [`Refusal::BadHeader`] when a field is out of range or the length is not 64 bytes.
pub fn parse(bytes: &[u8]) -> Result<Header, Refusal> {
    let bytes: &[u8; HEADER_BYTES] = bytes.try_into().map_err(|_| Refusal::BadHeader)?;
    well_formed(bytes).ok_or(Refusal::BadHeader)
}

fn well_formed(bytes: &[u8; HEADER_BYTES]) -> Option<Header> {
    let word = |at: usize| u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    let public = |type_at: usize, at: usize| {
        let dtype = DType::from_code(bytes[type_at]).filter(|dtype| dtype.is_integer())?;
        let elements = u64::from(word(at));
        (1..=limits::MAX_PUBLIC_ELEMENTS).contains(&elements).then_some(TensorType { dtype, elements })
    };
    let (layers, operators) = (word(4), word(8));
    let (reveal_bits, max_tensor_depth) = (bytes[14], bytes[15]);
    let work = u64::from(word(24)) << 32 | u64::from(word(28));
    if word(0) != VERSION {
        return None;
    }
    if !(1..=limits::MAX_COUNT).contains(&u64::from(operators)) {
        return None;
    }
    // Layers have 1 to 32 operators and hold them all.
    if layers > operators || u64::from(operators) > u64::from(layers) * u64::from(limits::MAX_LAYER_OPERATORS)
    {
        return None;
    }
    if !(1..=limits::MAX_REVEAL_BITS).contains(&reveal_bits) {
        return None;
    }
    if max_tensor_depth > MAX_TENSOR_DEPTH {
        return None;
    }
    if work > limits::MAX_WORK {
        return None;
    }
    let (input, output) = (public(12, 16)?, public(13, 20)?);
    let mut meta_hash = Digest::default();
    meta_hash.0.copy_from_slice(&bytes[32..]);
    Some(Header { layers, operators, input, output, reveal_bits, max_tensor_depth, work, meta_hash })
}
