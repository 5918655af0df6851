//! A transaction at a price: signed once, and the same bytes handed over however often.

use alloy_consensus::{SignableTransaction, TxEip1559};
use alloy_eips::eip2718::Encodable2718;
use alloy_eips::eip2930::AccessList;
use alloy_primitives::{B256, Bytes, Signature, U256};

use super::fees::Price;
use super::key::Key;
use super::node::Message;

/// A signed transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Offer {
    pub price: Price,
    pub hash: B256,
    pub raw: Bytes,
}

/// Signs `message` for one place in the account's order of transactions on one chain.
pub(super) fn sign(key: &Key, chain_id: u64, message: &Message, nonce: u64, gas: u64, price: Price) -> Offer {
    let transaction = TxEip1559 {
        chain_id,
        nonce,
        gas_limit: gas,
        max_fee_per_gas: price.max,
        max_priority_fee_per_gas: price.priority,
        to: message.to,
        value: U256::from(message.value.0),
        access_list: AccessList::default(),
        input: message.data.clone(),
    };
    let digest = transaction.signature_hash();
    let signature = key.signing().sign_prehash_recoverable(digest.as_slice());
    let signature = Signature::from(signature.expect("a digest of 32 bytes can be signed"));
    let signed = transaction.into_signed(signature);
    Offer { price, hash: *signed.hash(), raw: signed.encoded_2718().into() }
}

#[cfg(test)]
mod tests {
    use alloy_consensus::transaction::RlpEcdsaDecodableTx;
    use alloy_primitives::{Address, TxKind, keccak256};
    use narrows_bisection::Wei;

    use super::*;

    #[test]
    fn what_is_signed_is_what_was_meant_and_by_whom() {
        let key = Key::from_hex(&"07".repeat(32), "here").expect("a key");
        let to = TxKind::Call(Address::repeat_byte(9));
        let (from, data) = (key.account(), Bytes::from_static(b"data"));
        let message = Message { name: "open", from, to, value: Wei(u128::MAX), data };
        let price = Price { max: 30, priority: 2 };
        let offer = sign(&key, 5, &message, 6, 7, price);
        assert_eq!(offer, sign(&key, 5, &message, 6, 7, price), "the same bytes each time");
        assert_eq!(offer.hash, keccak256(&offer.raw));
        assert_eq!(offer.raw[0], 2);
        let signed = TxEip1559::rlp_decode_signed(&mut &offer.raw[1..]).expect("a transaction");
        let sender = signed.signature().recover_address_from_prehash(&signed.signature_hash());
        assert_eq!(sender.expect("a signature").as_slice(), key.account().0);
        let tx = signed.tx();
        assert_eq!((tx.chain_id, tx.nonce, tx.gas_limit), (5, 6, 7));
        assert_eq!((tx.max_fee_per_gas, tx.max_priority_fee_per_gas), (30, 2));
        assert_eq!((tx.to, tx.value, &tx.input), (to, U256::from(u128::MAX), &message.data));
        for other in [sign(&key, 6, &message, 6, 7, price), sign(&key, 5, &message, 7, 7, price)] {
            assert_ne!(other.hash, offer.hash);
        }
    }
}
