//! Every call, event and refusal, there and back, and every way of bending the bytes.

mod events;
mod maker;

use std::collections::BTreeSet;

use alloy_primitives::{Address, Bytes, Log, LogData, U256};
use alloy_sol_types::{SolCall, SolError, SolEvent};
use narrows_bisection::Parameters;
use narrows_commitment::keccak;
use proptest::prelude::*;

use self::events::log_of;
use self::maker::Maker;
use super::abi::IGame;
use super::refusals::REFUSALS;
use super::*;

/// As many as `Call`, `Event` and `Refusal` have variants; a new one must be added to the makers and the table.
const CALLS: usize = 28;
const EVENTS: usize = 25;
const ALL_REFUSALS: usize = 33;

fn log(data: LogData) -> Log {
    Log { address: Address::ZERO, data }
}

proptest! {
    #[test]
    fn calls_survive_and_no_other_bytes_are_read_as_them(seed: u64, at: usize, flip in 1u8..) {
        let calls = Maker::new(seed).calls();
        let names: BTreeSet<&str> = calls.iter().map(|call| call.name()).collect();
        prop_assert_eq!((calls.len(), names.len()), (CALLS, CALLS));
        for call in calls {
            let (target, data) = encode(&call);
            prop_assert_eq!(target == Target::Registry, call.name() == "register");
            prop_assert_eq!(decode_call(&data), Ok(call.clone()));
            let mut longer = data.clone();
            longer.push(0);
            prop_assert!(decode_call(&longer).is_err(), "{} and a byte", call.name());
            prop_assert!(decode_call(&data[..at % data.len()]).is_err(), "{} cut", call.name());
            let mut bent = data;
            let at = at % bent.len();
            bent[at] ^= flip;
            // What is read from other bytes has exactly these bytes as its encoding: there is one a value.
            if let Ok(other) = decode_call(&bent) {
                prop_assert_ne!(&other, &call);
                prop_assert_eq!(encode(&other).1, bent);
            }
        }
    }

    #[test]
    fn events_survive_and_bent_logs_never_pass_for_them(seed: u64, at: usize, flip in 1u8..) {
        let events = Maker::new(seed).events();
        let kinds: BTreeSet<B256> = events.iter().map(|event| log_of(event).1.topics()[0]).collect();
        prop_assert_eq!((events.len(), kinds.len()), (EVENTS, EVENTS));
        for event in events {
            let (contract, data) = log_of(&event);
            prop_assert_eq!(decode_log(contract, &log(data.clone())), Ok(event.clone()));
            let (topics, bytes) = (data.topics().to_vec(), data.data.to_vec());
            if !bytes.is_empty() {
                let mut bent = bytes.clone();
                bent[at % bytes.len()] ^= flip;
                let read = decode_log(contract, &log(LogData::new_unchecked(topics.clone(), bent.into())));
                prop_assert_ne!(read.as_ref(), Ok(&event));
            }
            let mut bent = topics;
            let topic = at % bent.len();
            bent[topic][at / 4 % 32] ^= flip;
            let read = decode_log(contract, &log(LogData::new_unchecked(bent, bytes.into())));
            prop_assert_ne!(read.as_ref(), Ok(&event));
        }
    }

    #[test]
    fn noise_is_never_a_call_an_event_or_a_panic(seed: u64, topics in prop::collection::vec(any::<[u8; 32]>(), 0..5)) {
        let mut maker = Maker::new(seed);
        let noise = maker.bytes();
        prop_assert!(decode_call(&noise).is_err());
        for call in maker.calls() {
            // A selector before noise, and before the arguments of another call.
            let selector = encode(&call).1[..4].to_vec();
            let _ = decode_call(&[&selector[..], &noise].concat());
            for other in maker.calls() {
                let _ = decode_call(&[&selector[..], &encode(&other).1[4..]].concat());
            }
        }
        let topics: Vec<B256> = topics.into_iter().map(B256::new).collect();
        let noise = log(LogData::new_unchecked(topics, noise.into()));
        prop_assert_eq!(decode_log(Target::Game, &noise), Err(DecodeError::UnknownLog));
        prop_assert_eq!(decode_log(Target::Registry, &noise), Err(DecodeError::UnknownLog));
    }
}

#[test]
fn every_bit_of_a_log_matters() {
    for event in Maker::new(7).events() {
        let (contract, data) = log_of(&event);
        let read = |topics: Vec<B256>, data: Vec<u8>| {
            decode_log(contract, &log(LogData::new_unchecked(topics, data.into())))
        };
        let (topics, bytes) = (data.topics().to_vec(), data.data.to_vec());
        assert!(read(topics.clone(), [&bytes[..], &[0; 32]].concat()).is_err(), "{event:?} and more");
        assert!(read([&topics[..], &[B256::ZERO]].concat(), bytes.clone()).is_err(), "{event:?} and a topic");
        assert!(read(topics[..topics.len() - 1].to_vec(), bytes.clone()).is_err(), "{event:?} less a topic");
        for end in 0..bytes.len() {
            assert!(read(topics.clone(), bytes[..end].to_vec()).is_err(), "{event:?} cut at {end}");
        }
        for bit in 0..bytes.len() * 8 {
            let mut bent = bytes.clone();
            bent[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(read(topics.clone(), bent).as_ref(), Ok(&event), "bit {bit}");
        }
        for bit in 0..topics.len() * 256 {
            let mut bent = topics.clone();
            bent[bit / 256][bit % 256 / 8] ^= 1 << (bit % 8);
            assert_ne!(read(bent, bytes.clone()).as_ref(), Ok(&event), "topic bit {bit}");
        }
        let other = if contract == Target::Game { Target::Registry } else { Target::Game };
        assert_eq!(decode_log(other, &log(data)), Err(DecodeError::UnknownLog));
    }
}

/// The signatures that PROTOCOL 5 and the ABI give, written out: a type that drifts changes a topic.
#[test]
fn topics_are_those_of_the_protocol() {
    let expected = [
        "Registered(bytes32)",
        "JobPosted(bytes32,address,bytes32,bytes32,uint256,uint64,bytes)",
        "ClaimCommitted(bytes32,address,uint64,bytes32,uint64)",
        "ClaimPosted(bytes32,bytes32,address,uint64,bytes32,bytes32,uint64,uint64,bytes)",
        "ClaimLapsed(bytes32,uint64)",
        "ClaimFinal(bytes32,bytes32)",
        "JobAwarded(bytes32,bytes32)",
        "JobRefunded(bytes32)",
        "MatchOpened(bytes32,bytes32,address,uint64,bytes32,uint256)",
        "Committed(bytes32,address,uint64,bytes32)",
        "Revealed(bytes32,uint256,bytes32[])",
        "Picked(bytes32,uint256,bytes32)",
        "SubTraced(bytes32,uint256,bytes32[])",
        "OperatorPicked(bytes32,uint256,uint32)",
        "TilesRevealed(bytes32,uint256,bytes)",
        "Prepared(bytes32,uint256,bytes32)",
        "Named(bytes32,uint256,uint32,int32)",
        "Folded(bytes32,uint256,bytes)",
        "MatchWon(bytes32,bytes32)",
        "MatchLost(bytes32,bytes32)",
        "ClaimRefuted(bytes32,bytes32,bytes32)",
        "RewardOpened(bytes32,uint64,address)",
        "RewardCollected(bytes32,address,uint256)",
        "Reclaimed(bytes32)",
        "Withdrawn(address,uint256)",
    ];
    for (event, signature) in Maker::new(1).events().iter().zip(expected) {
        assert_eq!(log_of(event).1.topics()[0], word(keccak(signature.as_bytes())), "{signature}");
    }
}

#[test]
fn amounts_sums_and_indices_out_of_range_are_refused() {
    let read = |data| decode_log(Target::Game, &log(data));
    let above = U256::from(u128::MAX) + U256::from(1);
    let withdrawn = IGame::Withdrawn { account: Address::ZERO, amount: above }.encode_log_data();
    assert_eq!(read(withdrawn), Err(DecodeError::BadLog("Withdrawn")));
    let sums = Bytes::from_static(&[0; 9]);
    let folded = IGame::Folded { matchId: B256::ZERO, word: U256::ZERO, sums: sums.clone() };
    assert_eq!(read(folded.encode_log_data()), Err(DecodeError::BadLog("Folded")));

    let calls = Maker::new(3).calls();
    let call = calls.iter().find(|call| call.name() == "fold").expect("a fold");
    let fold = IGame::foldCall::abi_decode(&encode(call).1).expect("its encoding");
    let odd = IGame::foldCall { sums, ..fold.clone() };
    assert_eq!(decode_call(&odd.abi_encode()), Err(DecodeError::BadCall("fold")));
    let ending = Bytes::from([&fold.ending[..], &[0]].concat());
    let odd = IGame::foldCall { ending, ..fold };
    assert_eq!(decode_call(&odd.abi_encode()), Err(DecodeError::BadCall("fold")));
}

#[test]
fn every_refusal_is_named_by_its_selector_and_by_nothing_else() {
    let names: BTreeSet<String> = REFUSALS.iter().map(|(_, refusal)| format!("{refusal:?}")).collect();
    assert_eq!((names.len(), REFUSALS.len()), (ALL_REFUSALS, ALL_REFUSALS));
    for (selector, refusal) in REFUSALS {
        let expected = &keccak(format!("{refusal:?}()").as_bytes()).0[..4];
        assert_eq!(selector, expected, "{refusal:?}");
        assert_eq!(decode_refusal(selector), Some(*refusal));
        assert_eq!(decode_refusal(&selector[..3]), None);
        assert_eq!(decode_refusal(&[&selector[..], &[0]].concat()), None);
    }
    assert_eq!(decode_refusal(&[]), None);
    // The constructor's refusal never reaches a caller.
    assert_eq!(decode_refusal(&IGame::BadParameters::SELECTOR), None);
    assert_eq!(IGame::BadParameters::SELECTOR, keccak(b"BadParameters()").0[..4]);
}

#[test]
fn parameters_survive_and_hash_as_the_protocol_says() {
    let parameters = Parameters::default();
    let abi = IGame::Parameters::from(parameters);
    assert_eq!(Parameters::from(abi.clone()), parameters);
    let encoded = alloy_sol_types::SolValue::abi_encode(&abi);
    assert_eq!(keccak(&encoded), narrows_bisection::game::ids::parameters_hash(&parameters));
}
