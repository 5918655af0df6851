//! Signatures of statements (PROTOCOL 4.7): what the contracts ask the precompile `ecrecover`.

pub use k256::ecdsa::SigningKey;
use k256::ecdsa::{RecoveryId, Signature, VerifyingKey};
use narrows_commitment::{Digest, keccak};

use crate::Account;

/// Bytes of a signature: r | s | v.
pub const SIGNATURE_BYTES: usize = 65;

/// v of an even and of an odd y.
const EVEN: u8 = 27;
const ODD: u8 = 28;

/// Who signed `digest`; `None` for a signature that is not r | s | v with 0 < r, 0 < s at most half the group's order and v
/// 27 or 28, or that leads to no key.
#[must_use]
pub fn recover(digest: Digest, signature: &[u8]) -> Option<Account> {
    let signature: &[u8; SIGNATURE_BYTES] = signature.try_into().ok()?;
    let (rs, v) = signature.split_at(SIGNATURE_BYTES - 1);
    let odd = match v[0] {
        EVEN => false,
        ODD => true,
        _ => return None,
    };
    let signature = Signature::from_slice(rs).ok()?;
    if signature.normalize_s().is_some() {
        return None;
    }
    let key = VerifyingKey::recover_from_prehash(&digest.0, &signature, RecoveryId::new(odd, false)).ok()?;
    Some(account(&key))
}

/// The account of a key: the last 20 bytes of the keccak of its point, uncompressed and without the leading byte.
#[must_use]
pub fn account(key: &VerifyingKey) -> Account {
    let point = key.to_encoded_point(false);
    let hash = keccak(&point.as_bytes()[1..]);
    let mut out = [0; 20];
    out.copy_from_slice(&hash.0[12..]);
    Account(out)
}

/// Signs `digest`, the nonce by RFC 6979: r | s | v.
///
/// # Panics
/// When the key and the digest give no signature that the precompile knows: for about one digest in 2^128.
#[must_use]
pub fn sign(digest: Digest, key: &SigningKey) -> [u8; SIGNATURE_BYTES] {
    let (signature, id) = key.sign_prehash_recoverable(&digest.0).expect("a digest can be signed");
    assert!(!id.is_x_reduced(), "r is below the order of the group");
    let mut out = [0; SIGNATURE_BYTES];
    out[..64].copy_from_slice(&signature.to_bytes());
    out[64] = if id.is_y_odd() { ODD } else { EVEN };
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex<const N: usize>(text: &str) -> [u8; N] {
        std::array::from_fn(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).expect("hexadecimal"))
    }

    fn key() -> SigningKey {
        SigningKey::from_slice(&hex::<32>("c85ef7d79691fe79573b1a7064c19c1a9819ebdbd1faaab1a8ec92344438aaf4"))
            .expect("a key")
    }

    /// The example of EIP-712 itself, its key being keccak("cow").
    #[test]
    fn the_example_of_the_standard() {
        let digest = Digest(hex("be609aee343fb3c4b28e1df9e632fca64fcfaede20f02e86244efddf30957bd2"));
        let mut signature = [0; 65];
        signature[..32]
            .copy_from_slice(&hex::<32>("4355c47d63924e8a72e509b65029052eb6c299d53a04e167c5775fd466751c9d"));
        signature[32..64]
            .copy_from_slice(&hex::<32>("07299936d304c153f6443dfa05f40ff007d72911b6f72307f996231605b91562"));
        signature[64] = 28;
        let cow = SigningKey::from_slice(&keccak(b"cow").0).expect("a key");
        let expected = Account(hex("cd2a3d9f938e13cd947ec05abc7fe734df8dd826"));
        assert_eq!(recover(digest, &signature), Some(expected));
        assert_eq!(account(cow.verifying_key()), expected);
        assert_eq!(sign(digest, &cow), signature);
    }

    #[test]
    fn a_signature_names_its_signer_only_over_its_digest() {
        let digest = keccak(b"statement");
        let signature = sign(digest, &key());
        let signer = account(key().verifying_key());
        assert_eq!(recover(digest, &signature), Some(signer));
        assert_ne!(recover(keccak(b"another"), &signature), Some(signer));
        for bit in 0..65 * 8 {
            let mut bent = signature;
            bent[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(recover(digest, &bent), Some(signer), "bit {bit}");
        }
    }

    #[test]
    fn what_the_contracts_refuse_is_refused() {
        let digest = keccak(b"statement");
        let signature = sign(digest, &key());
        assert_eq!(recover(digest, &signature[..64]), None);
        assert_eq!(recover(digest, &[&signature[..], &[0]].concat()), None);
        assert_eq!(recover(digest, &[]), None);
        for v in [0, 1, 2, 26, 29, 30, 255] {
            let mut other = signature;
            other[64] = v;
            assert_eq!(recover(digest, &other), None, "v {v}");
        }
        // The twin of a signature: s negated modulo the order, and the other v. The precompile takes it, we do not.
        let order = hex::<32>("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141");
        let mut twin = signature;
        let mut borrow = 0;
        for i in (0..32).rev() {
            let difference = i32::from(order[i]) - i32::from(signature[32 + i]) - borrow;
            borrow = i32::from(difference < 0);
            twin[32 + i] = difference.rem_euclid(256) as u8;
        }
        twin[64] = EVEN + ODD - signature[64];
        assert_eq!(recover(digest, &twin), None);
        for (at, part) in [(0, [0; 32]), (0, order), (32, [0; 32]), (32, order)] {
            let mut bad = signature;
            bad[at..at + 32].copy_from_slice(&part);
            assert_eq!(recover(digest, &bad), None);
        }
    }
}
