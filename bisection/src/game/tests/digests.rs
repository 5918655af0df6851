//! Every digest once by hand: the words written out here, hashed by keccak and nothing else of this crate.

use narrows_commitment::keccak;

use super::*;
use crate::{Footing, MatchState, Point, Standing, context, ground, state_hash};

/// 32 bytes that end in these.
fn word(tail: &[u8]) -> Vec<u8> {
    [vec![0; 32 - tail.len()], tail.to_vec()].concat()
}

fn hash(words: &[Vec<u8>]) -> Digest {
    keccak(&words.concat())
}

fn digest(byte: u8) -> Digest {
    Digest([byte; 32])
}

#[test]
fn ids_by_hand() {
    let job = JobId(digest(9));
    let posted = Posted {
        job,
        executor: STRANGER,
        trace_root: TraceRoot(digest(2)),
        output_root: TensorRoot(digest(3)),
    };
    let (chain, game, stranger) = (word(&[0x7a, 0x69]), word(&[0x6a; 20]), word(&[4; 20]));
    let bytes = |byte| vec![byte; 32];
    let root = narrows_commitment::ProgramRoot(digest(1));
    assert_eq!(
        ids::job_id(CHAIN, GAME, STRANGER, root, TensorRoot(digest(2)), digest(3)).0,
        hash(&[chain.clone(), game.clone(), stranger.clone(), bytes(1), bytes(2), bytes(3)])
    );
    assert_eq!(
        ids::claim_commitment(digest(8), &posted),
        hash(&[bytes(8), stranger.clone(), bytes(9), bytes(2), bytes(3)])
    );
    assert_eq!(
        ids::entry(STRANGER, digest(8), BlockTime(258)),
        hash(&[stranger.clone(), bytes(8), word(&[1, 2])])
    );
    let p = ids::parameters_hash(&parameters());
    assert_eq!(
        ids::claim_id(CHAIN, GAME, &posted, &parameters()).0,
        hash(&[chain, game, bytes(9), stranger.clone(), bytes(2), bytes(3), p.0.to_vec()])
    );
    assert_eq!(ids::match_id(ClaimId(digest(7)), 3).0, hash(&[bytes(7), word(&[3])]));
    let seat = Seat { commitment: digest(5), opened_at: BlockTime(258), bond: Wei(7) };
    assert_eq!(ids::seat(&seat), hash(&[bytes(5), word(&[1, 2]), word(&[7])]));
    assert_eq!(
        ids::own_commitment(digest(6), STRANGER, ClaimId(digest(7)), 5, digest(8)),
        hash(&[bytes(6), stranger, bytes(7), word(&[5]), bytes(8)])
    );
    let point = Point { operator: 258, depth: 3, element_bytes: 4, element: 7, value: -2, before: digest(9) };
    let minus = [vec![0xff; 31], vec![0xfe]].concat();
    assert_eq!(
        ids::point(&point),
        hash(&[word(&[1, 2]), word(&[3]), word(&[4]), word(&[7]), minus, bytes(9)])
    );
    let positive = Point { value: 2, ..point };
    assert_eq!(
        ids::point(&positive),
        hash(&[word(&[1, 2]), word(&[3]), word(&[4]), word(&[7]), word(&[2]), bytes(9)])
    );
    assert_eq!(
        ids::statement(&[1, -2]),
        keccak(&[7, 0, 0, 0, 0, 0, 0, 0, 1, 255, 255, 255, 255, 255, 255, 255, 254])
    );
}

#[test]
fn parameters_are_hashed_in_order() {
    let words: Vec<Vec<u8>> =
        [100u32, 50, 40, 5, 7, 30, 20, 12, 30_000_000, 1_001, 3, 17, 1 << 20, 1_000_000]
            .iter()
            .map(|value| word(&value.to_be_bytes()))
            .collect();
    assert_eq!(ids::parameters_hash(&parameters()), hash(&words));
}

#[test]
fn typed_data_by_hand() {
    let domain = hash(&[
        keccak(b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
            .0
            .to_vec(),
        keccak(b"Narrows").0.to_vec(),
        keccak(b"1").0.to_vec(),
        word(&[0x7a, 0x69]),
        word(&[0x6a; 20]),
    ]);
    let typed = |body: Digest| keccak(&[&[0x19, 0x01][..], &domain.0, &body.0].concat());
    let claim = ClaimId(digest(7));
    let body = hash(&[
        keccak(b"SubTrace(bytes32 claimId,uint32 layer,bytes32 root)").0.to_vec(),
        vec![7; 32],
        word(&[2]),
        vec![8; 32],
    ]);
    assert_eq!(ids::sub_trace_digest(CHAIN, GAME, claim, 2, digest(8)), typed(body));
    let body = hash(&[
        keccak(b"Sums(bytes32 claimId,uint32 operator,uint32 element,bytes32 statement)").0.to_vec(),
        vec![7; 32],
        word(&[2]),
        word(&[3]),
        vec![8; 32],
    ]);
    assert_eq!(ids::sums_digest(CHAIN, GAME, claim, 2, 3, digest(8)), typed(body));
}

/// A state whose fields are all different.
fn state() -> MatchState {
    MatchState {
        phase: Phase::Seg,
        remaining: 0x11,
        position: 0x2122_2324,
        place: 0x31_3233,
        turn_start: BlockTime(0x41_4243_4445),
        executor_clock: 0x5152_5354,
        challenger_clock: 0x6162_6364,
        answers: 0x71,
        operators: 0x81,
        element: 0x91,
        subject: 0xa1a2_a3a4,
        reveal_bits: 0xb1,
        node: digest(1),
        scope: digest(2),
        list: digest(3),
        challenger: Account([5; 20]),
        seat: digest(4),
    }
}

#[test]
fn a_state_is_packed_and_hashed_by_hand() {
    let state = state();
    let packed = [
        &[0, 0, 0xb1][..],
        &[0xa1, 0xa2, 0xa3, 0xa4, 0x91, 0x81, 0x71],
        &[0x61, 0x62, 0x63, 0x64, 0x51, 0x52, 0x53, 0x54],
        &[0x41, 0x42, 0x43, 0x44, 0x45, 0x31, 0x32, 0x33, 0x21, 0x22, 0x23, 0x24, 0x11, 10],
    ]
    .concat();
    assert_eq!(state.word().0.to_vec(), packed);
    let ground_ = hash(&[vec![2; 32], vec![3; 32], vec![4; 32]]);
    let context_ = hash(&[word(&[5; 20]), ground_.0.to_vec()]);
    assert_eq!(state.hash().0, hash(&[packed, vec![1; 32], context_.0.to_vec()]));
    assert_eq!((state.ground(), state.context()), (ground_, context_));
    assert_eq!(ground(state.scope, state.list, state.seat), ground_);
    assert_eq!(context(state.challenger, ground_), context_);
    assert_eq!(state_hash(state.word(), state.node, context_), state.hash());
    let word = state.word();
    assert_eq!(state.shown(), Footing { word, rest: context_ });
    assert_eq!(state.picked(), Footing { word, rest: ground_ });
    assert_eq!(state.seated(), Footing { word, rest: digest(4) });
    let from =
        |standing: &Standing| MatchState::from_parts(standing, state.node, state.challenger, state.seat);
    assert_eq!(from(&state.standing()), Some(state));
    for (at, bits) in [(0, 1), (1, 0x80), (31, 10), (31, 5)] {
        let mut standing = state.standing();
        standing.word.0[at] ^= bits;
        assert_eq!(from(&standing), None, "{at}");
    }
}

#[test]
fn real_tiles_are_counted_for_any_word() {
    for (remaining, position, tiles, real) in [
        (0, 0, 1, 1),
        (2, 0, 3, 3),
        (2, 0, 9, 4),
        (2, 2, 9, 1),
        (2, 3, 9, 0),
        (31, 1, u32::MAX, (1 << 31) - 1),
        (32, 0, u32::MAX, u64::from(u32::MAX)),
        (63, u32::MAX, u32::MAX, 0),
        (64, 0, 5, 5),
        (64, 1, 5, 0),
        (255, 0, u32::MAX, u64::from(u32::MAX)),
        (255, 1, u32::MAX, 0),
    ] {
        let state = MatchState { remaining, position, subject: tiles, ..state() };
        assert_eq!(state.real_tiles(), real, "{remaining} {position} {tiles}");
        assert_eq!(state.shown().real_tiles(), real);
        assert_eq!((state.shown().remaining(), state.shown().position()), (remaining, position));
    }
}

#[test]
fn levels_leave_a_tensor_its_last_two() {
    for (phase, remaining, levels) in [
        (Phase::LayerE, 0, 0),
        (Phase::LayerC, 3, 3),
        (Phase::LayerE, 9, 4),
        (Phase::TileE, 3, 1),
        (Phase::TileC, 6, 4),
        (Phase::TileC, 7, 4),
        (Phase::DataE, 1, 0),
    ] {
        let state = MatchState { phase, remaining, reveal_bits: 4, ..state() };
        assert_eq!(state.levels(), levels, "{phase:?} {remaining}");
    }
}
