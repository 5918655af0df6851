//! Every call, event and refusal, there and back, and every way of bending the bytes.

use std::collections::BTreeSet;

use alloy_primitives::{Bytes, Log, LogData, U256};
use alloy_sol_types::{SolError, SolEvent};
use narrows_bisection::{BlockTime, Call, ClaimId, Event, JobId, MatchId, Opened, StateHash, Wei, Witness};
use narrows_commitment::{LayersRoot, MultiProof, ProgramRoot, TensorRoot, TraceRoot, keccak};
use proptest::prelude::*;

use super::abi::{IGame, IRegistry};
use super::refusals::REFUSALS;
use super::*;

fn any_digest() -> impl Strategy<Value = Digest> {
    any::<[u8; 32]>().prop_map(Digest)
}

fn any_digests() -> impl Strategy<Value = Vec<Digest>> {
    prop::collection::vec(any_digest(), 0..5)
}

fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..200)
}

fn any_opened() -> impl Strategy<Value = Opened> {
    let indices = prop::collection::vec(any::<u32>(), 0..4);
    (any_digest(), any_digests(), indices, any_bytes(), any_digests()).prop_map(
        |(root, root_path, indices, tiles, proof)| Opened {
            root: TensorRoot(root),
            root_path,
            indices,
            tiles,
            proof: MultiProof(proof),
        },
    )
}

fn any_witness() -> impl Strategy<Value = Box<Witness>> {
    (any_opened(), any_opened(), any_opened()).prop_map(|(a, b, params)| Box::new(Witness { a, b, params }))
}

fn any_call() -> impl Strategy<Value = Call> {
    let of_match = || (any_digest().prop_map(MatchId), any_digest().prop_map(StateHash));
    let sums = || prop::collection::vec(any::<i64>(), 0..5);
    prop_oneof![
        (any_bytes(), any_digest(), any_digest()).prop_map(|(header, root, constants_root)| Call::Register {
            header,
            layers_root: LayersRoot(root),
            constants_root
        }),
        (any_digest(), any_bytes(), any_digest(), any::<u64>()).prop_map(
            |(program, input, salt, deadline)| {
                Call::PostJob { program: ProgramRoot(program), input, salt, deadline: BlockTime(deadline) }
            }
        ),
        (any_digest(), any_digest(), any_bytes(), any_digests()).prop_map(|(job, root, output, path)| {
            Call::PostClaim { job: JobId(job), trace_root: TraceRoot(root), output, path }
        }),
        (any_digest(), any_digest())
            .prop_map(|(claim, commitment)| Call::Open { claim: ClaimId(claim), commitment }),
        (of_match(), any_digests()).prop_map(|((match_id, state), nodes)| Call::Reveal {
            match_id,
            state,
            nodes
        }),
        (of_match(), any_digests(), any::<u32>(), any_bytes(), any_digests()).prop_map(
            |((match_id, state), nodes, child, descriptor, path)| Call::Pick {
                match_id,
                state,
                nodes,
                child,
                descriptor,
                path
            }
        ),
        (of_match(), any_bytes()).prop_map(|((match_id, state), tile)| Call::RevealTile {
            match_id,
            state,
            tile
        }),
        (of_match(), any_bytes(), any::<u8>(), any_bytes(), any_witness()).prop_map(
            |((match_id, state), tile, element, descriptor, witness)| Call::Name {
                match_id,
                state,
                tile,
                element,
                descriptor,
                witness
            }
        ),
        (of_match(), any_bytes(), sums(), any_opened()).prop_map(
            |((match_id, state), descriptor, sums, params)| Call::Fold {
                match_id,
                state,
                descriptor,
                sums,
                params: Box::new(params)
            }
        ),
        (of_match(), any_bytes(), sums(), any::<u32>(), any_witness()).prop_map(
            |((match_id, state), descriptor, sums, index, witness)| Call::Segment {
                match_id,
                state,
                descriptor,
                sums,
                index,
                witness
            }
        ),
        any_digest().prop_map(|id| Call::Timeout { match_id: MatchId(id) }),
        any_digest().prop_map(|id| Call::Finalise { claim: ClaimId(id) }),
        any_digest().prop_map(|id| Call::Refund { job: JobId(id) }),
        any_digest().prop_map(|id| Call::Reclaim { match_id: MatchId(id) }),
        Just(Call::Withdraw),
    ]
}

proptest! {
    #[test]
    fn a_call_survives_and_no_other_bytes_are_read_as_it(call in any_call(), at in any::<usize>(), flip in 1u8..) {
        let (target, data) = encode(&call);
        prop_assert_eq!(target == Target::Registry, matches!(call, Call::Register { .. }));
        prop_assert_eq!(decode_call(&data), Ok(call.clone()));
        let mut longer = data.clone();
        longer.push(0);
        prop_assert!(decode_call(&longer).is_err());
        prop_assert!(decode_call(&data[..at % data.len()]).is_err());
        let mut bent = data;
        let at = at % bent.len();
        bent[at] ^= flip;
        // What is read from other bytes has exactly these bytes as its encoding: there is one a value.
        if let Ok(other) = decode_call(&bent) {
            prop_assert_ne!(&other, &call);
            prop_assert_eq!(encode(&other).1, bent);
        }
    }

    #[test]
    fn noise_is_never_a_call_an_event_or_a_panic(noise in any_bytes(), topics in prop::collection::vec(any::<[u8; 32]>(), 0..5)) {
        prop_assert!(decode_call(&noise).is_err());
        for selector in SELECTORS {
            let _ = decode_call(&[&selector[..], &noise].concat());
        }
        let topics: Vec<B256> = topics.into_iter().map(B256::new).collect();
        let log = Log { address: Address::ZERO, data: LogData::new_unchecked(topics, noise.into()) };
        prop_assert_eq!(decode_log(Target::Game, &log), Err(DecodeError::UnknownLog));
        prop_assert_eq!(decode_log(Target::Registry, &log), Err(DecodeError::UnknownLog));
    }
}

/// Selectors of calls with arguments that have a length.
const SELECTORS: [[u8; 4]; 4] = {
    use alloy_sol_types::SolCall;
    [
        IGame::nameCall::SELECTOR,
        IGame::foldCall::SELECTOR,
        IGame::pickCall::SELECTOR,
        IGame::segmentCall::SELECTOR,
    ]
};

fn b(number: u8) -> B256 {
    keccak(&[number]).0.into()
}

fn d(number: u8) -> Digest {
    keccak(&[number])
}

/// Every event as a contract emits it, with what it is.
fn events() -> Vec<(Target, LogData, Event)> {
    let who = Address::repeat_byte(7);
    let game = |data: LogData, event| (Target::Game, data, event);
    vec![
        (
            Target::Registry,
            IRegistry::Registered { programRoot: b(1) }.encode_log_data(),
            Event::Registered { program: ProgramRoot(d(1)) },
        ),
        game(
            IGame::JobPosted {
                jobId: b(1),
                requester: who,
                programRoot: b(2),
                inputRoot: b(3),
                fee: U256::from(4),
                deadline: 5,
                input: Bytes::from_static(&[6; 33]),
            }
            .encode_log_data(),
            Event::JobPosted {
                job: JobId(d(1)),
                requester: account(who),
                program: ProgramRoot(d(2)),
                input_root: TensorRoot(d(3)),
                fee: Wei(4),
                deadline: BlockTime(5),
                input: vec![6; 33],
            },
        ),
        game(
            IGame::ClaimPosted {
                claimId: b(1),
                jobId: b(2),
                executor: who,
                traceRoot: b(3),
                windowEnd: 4,
                hardEnd: 5,
                output: Bytes::from_static(&[6]),
            }
            .encode_log_data(),
            Event::ClaimPosted {
                claim: ClaimId(d(1)),
                job: JobId(d(2)),
                executor: account(who),
                trace_root: TraceRoot(d(3)),
                window_end: BlockTime(4),
                hard_end: BlockTime(5),
                output: vec![6],
            },
        ),
        game(
            IGame::MatchOpened { matchId: b(1), claimId: b(2), challenger: who, number: 3, commitment: b(4) }
                .encode_log_data(),
            Event::MatchOpened {
                match_id: MatchId(d(1)),
                claim: ClaimId(d(2)),
                challenger: account(who),
                number: 3,
                commitment: d(4),
            },
        ),
        game(
            IGame::Revealed { matchId: b(1), nodes: vec![b(2), b(3)] }.encode_log_data(),
            Event::Revealed { match_id: MatchId(d(1)), nodes: vec![d(2), d(3)] },
        ),
        game(
            IGame::Picked { matchId: b(1), child: 2 }.encode_log_data(),
            Event::Picked { match_id: MatchId(d(1)), child: 2 },
        ),
        game(
            IGame::TileRevealed { matchId: b(1), tile: Bytes::from_static(&[2; 128]) }.encode_log_data(),
            Event::TileRevealed { match_id: MatchId(d(1)), tile: vec![2; 128] },
        ),
        game(
            IGame::Named { matchId: b(1), element: 2, value: -3 }.encode_log_data(),
            Event::Named { match_id: MatchId(d(1)), element: 2, value: -3 },
        ),
        game(
            IGame::Folded { matchId: b(1), sums: pack_sums(&[-2, i64::MAX]).into() }.encode_log_data(),
            Event::Folded { match_id: MatchId(d(1)), sums: vec![-2, i64::MAX] },
        ),
        game(
            IGame::MatchWon { matchId: b(1), claimId: b(2) }.encode_log_data(),
            Event::MatchWon { match_id: MatchId(d(1)), claim: ClaimId(d(2)) },
        ),
        game(
            IGame::MatchLost { matchId: b(1), claimId: b(2) }.encode_log_data(),
            Event::MatchLost { match_id: MatchId(d(1)), claim: ClaimId(d(2)) },
        ),
        game(
            IGame::ClaimFinal { claimId: b(1), jobId: b(2) }.encode_log_data(),
            Event::ClaimFinal { claim: ClaimId(d(1)), job: JobId(d(2)) },
        ),
        game(IGame::JobRefunded { jobId: b(1) }.encode_log_data(), Event::JobRefunded { job: JobId(d(1)) }),
        game(
            IGame::Reclaimed { matchId: b(1) }.encode_log_data(),
            Event::Reclaimed { match_id: MatchId(d(1)) },
        ),
        game(
            IGame::Withdrawn { account: who, amount: U256::from(u128::MAX) }.encode_log_data(),
            Event::Withdrawn { account: account(who), amount: Wei(u128::MAX) },
        ),
    ]
}

#[test]
fn every_event_decodes_and_no_bent_log_passes_for_it() {
    for (contract, data, event) in events() {
        let read = |topics: Vec<B256>, data: Vec<u8>| {
            let data = LogData::new_unchecked(topics, data.into());
            decode_log(contract, &Log { address: Address::ZERO, data })
        };
        let (topics, bytes) = (data.topics().to_vec(), data.data.to_vec());
        assert_eq!(read(topics.clone(), bytes.clone()), Ok(event.clone()));
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
        let log = Log { address: Address::ZERO, data };
        assert_eq!(decode_log(other, &log), Err(DecodeError::UnknownLog));
    }
}

#[test]
fn amounts_and_sums_out_of_range_are_no_events() {
    let read = |data| decode_log(Target::Game, &Log { address: Address::ZERO, data });
    let above = U256::from(u128::MAX) + U256::from(1);
    let withdrawn = IGame::Withdrawn { account: Address::ZERO, amount: above }.encode_log_data();
    assert_eq!(read(withdrawn), Err(DecodeError::BadLog("Withdrawn")));
    let folded = IGame::Folded { matchId: b(1), sums: Bytes::from_static(&[0; 9]) }.encode_log_data();
    assert_eq!(read(folded), Err(DecodeError::BadLog("Folded")));
}

#[test]
fn every_refusal_is_named_by_its_selector_and_by_nothing_else() {
    let names: BTreeSet<String> = REFUSALS.iter().map(|(_, refusal)| format!("{refusal:?}")).collect();
    // As many as `Refusal` has variants; a new one must be added to the table.
    assert_eq!((names.len(), REFUSALS.len()), (27, 27));
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
