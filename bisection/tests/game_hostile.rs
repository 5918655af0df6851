//! Programs that break every rule: the registry cannot see their layers, so the game must bear them.

mod game_support;
mod hostile;

use game_support::*;
use hostile::{ALONE, Shape, Trial, legal, play, with_roots};
use narrows_bisection::{Call, Footing, Opened, Phase, Refusal, Refutation, Seat, Seated, Standing, Witness};
use narrows_commitment::{MultiProof, tile_at};
use proptest::prelude::*;

#[test]
fn the_legal_operator_goes_to_the_end() {
    for shape in
        [ALONE, Shape { first: 7, count: 2, export: 1 }, Shape { first: u32::MAX, count: 32, export: 5 }]
    {
        // By showing tiles and by naming at once; element 1 of tile 0 is the lie.
        for choices in [[0, 0, 0, 0, 0, 1, 1], [0, 0, 0, 0, 1, 1, 1]] {
            assert_eq!(play(shape, &legal(), &choices), Phase::Won, "{shape:?}");
        }
        let mut trial = Trial::new(shape, &legal());
        assert_eq!(trial.refute(2), Err(Refusal::NoFault));
        assert_eq!(trial.refute(1), Err(Refusal::NoFault));
        assert_eq!(trial.phase(), Phase::LayerC);
        assert_eq!(
            trial.rules.claim(trial.claim).expect("posted").status,
            narrows_bisection::ClaimStatus::Pending
        );
    }
}

#[test]
fn attack_28_a_descriptor_beyond_the_limits_is_refused_where_it_is_entered() {
    let several = Shape { first: 0, count: 3, export: 1 };
    let entered = |operator: &[u8]| {
        // One choice is the pick alone; three reach the pick of the operator.
        let [alone, within] =
            [(ALONE, Phase::LayerC, 1), (several, Phase::SubC, 3)].map(|(shape, before, moves)| {
                let phase = play(shape, operator, &[1; 3][..moves]);
                assert!(phase >= before, "{phase:?}");
                phase != before
            });
        let refuted = Trial::new(ALONE, operator).refute(1) != Err(Refusal::WrongDescriptor);
        assert_eq!([alone, alone], [within, refuted]);
        alone
    };
    let bent = |bends: &[(usize, u32)]| {
        let mut operator = legal();
        for (at, value) in bends {
            operator[*at..*at + 4].copy_from_slice(&value.to_be_bytes());
        }
        entered(&operator)
    };
    let (dims, terms, split) = (32, 48, 24);
    assert!(bent(&[(dims, 1 << 20), (dims + 4, 1 << 10), (dims + 12, 1)]));
    assert!(bent(&[(dims, i32::MAX as u32), (dims + 12, 1)]));
    assert!(!bent(&[(dims, 1 << 31), (dims + 12, 1)]));
    assert!(!bent(&[(dims, u32::MAX), (dims + 4, u32::MAX), (dims + 8, u32::MAX), (dims + 12, u32::MAX)]));
    assert!(!bent(&[(dims, 0)]));
    assert!(bent(&[(terms, 1 << 24)]) && !bent(&[(terms, (1 << 24) + 1)]) && !bent(&[(terms, 0)]));
    assert!(bent(&[(split, 1 << 14)]) && !bent(&[(split, (1 << 14) + 1)]) && !bent(&[(split, 0)]));
    for code in 0..=255u8 {
        for at in [2, 3, 4] {
            let mut operator = legal();
            operator[at] = code;
            let known = (1..=3).contains(&code) || (at == 4 && code == 0);
            assert_eq!(entered(&operator), known, "type {code} at {at}");
        }
    }
}

#[test]
fn attack_28_an_operator_of_another_length_is_refused_where_it_is_shown() {
    let several = Shape { first: 0, count: 3, export: 1 };
    let whole = legal();
    for operator in [&whole[..0], &whole[..191], &whole[..223], &[&whole[..], &[0]].concat()] {
        let mut alone = Trial::new(ALONE, operator);
        assert_eq!(alone.advance(1), Some(Refusal::WrongLength));
        assert_eq!(alone.phase(), Phase::LayerC);
        let mut within = Trial::new(several, operator);
        assert_eq!([within.advance(1), within.advance(1)], [None, None]);
        assert_eq!(within.advance(1), Some(Refusal::WrongDescriptor));
        assert_eq!(within.phase(), Phase::SubC);
    }
}

#[test]
fn attack_28_a_word_of_any_kind_is_refused_without_a_panic() {
    let mut trial = Trial::new(ALONE, &legal());
    let seated = Seated { challenger: CHALLENGER, seat: Seat::default() };
    let (posted, claim, number) = (trial.posted, trial.claim, 0);
    for byte in [0u8, 1, 2, 31, 32, 33, 63, 64, 127, 128, 254, 255] {
        for at in 0..32 {
            let mut standing = Standing::default();
            // The greatest tensor's tiles beneath, so that many tiles could be real.
            for tiles in [0u8, 0xff] {
                standing.word.0[3..7].fill(tiles);
                standing.word.0[at] = byte;
                for given in [128, 5 * 128, 64 * 128] {
                    let (word, rest, tiles) = (standing.word, SALT, vec![7; given]);
                    let footing = Footing { word, rest };
                    let call = Call::RevealTiles { claim, number, footing, tiles };
                    let refusal = trial.send(STRANGER, NOTHING, 2, &call).expect_err("no such state");
                    assert!([Refusal::WrongState, Refusal::WrongCount].contains(&refusal), "{refusal:?}");
                }
                for call in [
                    Call::Timeout { posted, number, standing, seated, node: SALT },
                    Call::Reclaim { claim, number, standing, seated, node: SALT },
                ] {
                    let result = trial.send(STRANGER, NOTHING, 2, &call);
                    assert_eq!(result, Err(Refusal::WrongState));
                }
            }
        }
    }
}

fn shape() -> impl Strategy<Value = Shape> {
    let several = (any::<u32>(), 2..=32u8, any::<u8>()).prop_map(|(first, count, export)| Shape {
        first,
        count,
        export: export % count,
    });
    prop_oneof![Just(ALONE), several]
}

fn edge() -> impl Strategy<Value = u8> {
    prop_oneof![Just(0u8), Just(1), Just(2), Just(3), Just(0x7f), Just(0x80), Just(0xff), any::<u8>()]
}

fn word() -> impl Strategy<Value = u32> {
    prop::sample::select(vec![0u32, 1, 3, 1 << 14, 1 << 24, i32::MAX as u32, 1 << 31, u32::MAX])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn attack_28_an_illegal_operator_never_panics_the_game(
        shape in shape(),
        bends in prop::collection::vec((0usize..192, edge()), 0..8),
        choices in prop::collection::vec(any::<u8>(), 6..14),
    ) {
        let mut descriptor = legal();
        for (at, value) in bends {
            descriptor[at] = value;
        }
        play(shape, &with_roots(&descriptor, &[0; 32]), &choices);
    }

    #[test]
    fn attack_28_a_third_operand_of_any_kind_never_panics_the_game(
        shape in shape(),
        fold in 0u8..8,
        way in 0u8..6,
        scales in (word(), word()),
        mut third in prop::collection::vec(edge(), 32),
        opens in any::<bool>(),
        choices in prop::collection::vec(any::<u8>(), 6..14),
    ) {
        let mut descriptor = legal();
        (descriptor[0], descriptor[1], descriptor[7]) = (fold, way, 1);
        descriptor[176..180].copy_from_slice(&scales.0.to_be_bytes());
        descriptor[180..184].copy_from_slice(&scales.1.to_be_bytes());
        if opens {
            // The input, of which the witness opens all tiles.
            (third[0], third[1], third[2]) = (1 + third[0] % 3, 0, descriptor[9]);
        }
        play(shape, &with_roots(&descriptor, &third), &choices);
    }

    #[test]
    fn attack_28_words_at_their_limits_never_panic_the_game(
        shape in shape(),
        bends in prop::collection::vec((3usize..48, word()), 0..6),
        choices in prop::collection::vec(any::<u8>(), 6..14),
    ) {
        let mut descriptor = legal();
        for (word, value) in bends {
            descriptor[word * 4..word * 4 + 4].copy_from_slice(&value.to_be_bytes());
        }
        play(shape, &with_roots(&descriptor, &[0; 32]), &choices);
    }

    #[test]
    fn attack_28_any_proof_is_refused_without_a_panic(
        indices in prop::collection::vec(word(), 0..4),
        length in 0usize..600,
        proof in 0usize..40,
        path in 0usize..40,
        number in word(),
        byte in edge(),
    ) {
        let mut trial = Trial::new(Shape { first: 3, count: 3, export: 1 }, &legal());
        let opened = Opened {
            root_path: vec![SALT; path],
            indices,
            tiles: vec![byte; length],
            proof: MultiProof(vec![SALT; proof]),
        };
        let witness = Witness { a: opened.clone(), params: opened, ..Witness::default() };
        let mut refutation = Refutation {
            layer_index: number,
            layer: trial.shape.head(),
            layer_path: vec![SALT; path],
            operator: legal(),
            position: number,
            operator_path: vec![SALT; path],
            tile_index: number,
            tile: vec![byte; 128],
            tile_path: vec![SALT; path],
            element: byte,
            witness,
            ..Refutation::default()
        };
        let call = |refutation: &Refutation, posted| Call::Refute { posted, refutation: Box::new(refutation.clone()) };
        let posted = trial.posted;
        prop_assert!(trial.send(STRANGER, NOTHING, 2, &call(&refutation, posted)).is_err());
        // With everything right but the witness.
        let operators = trial.shape.operators(&legal());
        (refutation.layer_index, refutation.position, refutation.tile_index) = (0, 1, 0);
        (refutation.layer_path, refutation.operator_path) = (Vec::new(), operators.path(1));
        refutation.tile = tile_at(&trial.output, 0).to_vec();
        refutation.tile_path = trial.tree.path(0);
        let refusal = trial.send(STRANGER, NOTHING, 2, &call(&refutation, posted)).expect_err("no proof");
        prop_assert!([Refusal::WrongIndex, Refusal::WrongCount, Refusal::BadOpening].contains(&refusal));
    }
}
