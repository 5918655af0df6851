//! Programs that break every rule: the registry cannot see their layers, so the game must bear them.

mod game_support;

use game_support::*;
use narrows_bisection::game::ids;
use narrows_bisection::referee::Descriptor;
use narrows_bisection::{BlockTime, Call, Event, Game, Opened, Phase, Wei, Witness};
use narrows_commitment::{Digest, LayersRoot, TensorRoot, TraceRoot, Tree};
use narrows_program::LayerIndex;
use proptest::prelude::*;

/// Plays a one-layer program of this descriptor as far as it goes; gives the last phase.
fn play(descriptor: &[u8], choices: &[u8]) -> Phase {
    let legal = program(1, 2);
    let output = Run::new(&legal, Some((0, 1, 1))).outputs[0].clone();
    let decoded = Descriptor::decode(descriptor).expect("192 bytes");
    let layers_root = LayersRoot(decoded.layer_leaf(LayerIndex(0)));
    let (header, constants_root) = (legal.header_bytes().to_vec(), legal.constants_tree().root());
    let program = ids::program_root(&header, layers_root, constants_root);
    let mut game = Game::new(CHAIN, GAME, parameters()).expect("good parameters");
    let send = |game: &mut Game, sender, value, call: Call| {
        let before = game.clone();
        let result = game.apply(BlockTime(START), sender, Wei(value), &call);
        assert!(result.is_ok() || *game == before, "{} changed something", call.name());
        result
    };
    send(&mut game, STRANGER, 0, Call::Register { header, layers_root, constants_root }).expect("registers");
    let salt = Digest::default();
    send(&mut game, REQUESTER, 0, Call::PostJob { program, input: input(), salt, deadline: JOB_DEADLINE })
        .expect("posts");
    let job = game.jobs().next().expect("a job").0;
    let root = Tree::of_bytes(&output).root();
    let claim =
        Call::PostClaim { job, trace_root: TraceRoot(root), output: output.clone(), path: Vec::new() };
    let posted = send(&mut game, EXECUTOR, 1_001, claim).expect("claims");
    let Event::ClaimPosted { claim, .. } = posted[0] else { panic!("no claim") };
    send(&mut game, CHALLENGER, 101, Call::Open { claim, commitment: salt }).expect("opens");
    let match_id = ids::match_id(claim, 0);
    let records = || {
        let bytes = &legal.constants()[0].bytes;
        opened(bytes, (0..u64::from(choices[0]) % 38 + 1).collect(), Vec::new())
    };
    let a = || Opened {
        root: TensorRoot(Tree::of_bytes(&input()).root()),
        ..opened(&input(), [0, 1, 2].into(), Vec::new())
    };
    for choice in choices {
        let state = game.match_of(match_id).expect("a match").state;
        let (hash, descriptor) = (state.hash(match_id), descriptor.to_vec());
        let mut tile = output.clone();
        tile.resize(128, 0);
        let witness = |whole| {
            let params = if whole { records() } else { Opened::default() };
            let b = if descriptor[4] == 0 { Opened::default() } else { a() };
            let real = Witness { a: a(), b, params };
            Box::new(if choice % 4 == 0 { Witness::default() } else { real })
        };
        let sums = vec![i64::from(*choice); decoded.segments().min(300) as usize];
        let (sender, call) = match state.phase {
            Phase::LayerC if state.remaining == 0 => {
                let nodes = vec![state.node];
                (
                    CHALLENGER,
                    Call::Pick { match_id, state: hash, nodes, child: 0, descriptor, path: Vec::new() },
                )
            }
            Phase::TileE | Phase::TileC => {
                let nodes = vec![state.node; 1 << state.remaining.min(2)];
                (
                    CHALLENGER,
                    Call::Pick { match_id, state: hash, nodes, child: 0, descriptor: vec![], path: vec![] },
                )
            }
            Phase::DataE => (EXECUTOR, Call::RevealTile { match_id, state: hash, tile }),
            Phase::Name => {
                let witness = witness(true);
                let element = choice % 16;
                (CHALLENGER, Call::Name { match_id, state: hash, tile, element, descriptor, witness })
            }
            Phase::FoldE => {
                let params = Box::new(records());
                (EXECUTOR, Call::Fold { match_id, state: hash, descriptor, sums, params })
            }
            Phase::Seg => {
                let (witness, index) = (witness(false), u32::from(*choice) % 3);
                (CHALLENGER, Call::Segment { match_id, state: hash, descriptor, sums, index, witness })
            }
            over => return over,
        };
        let _ = send(&mut game, sender, 0, call);
    }
    game.match_of(match_id).expect("a match").state.phase
}

#[test]
fn the_legal_descriptor_goes_to_the_end() {
    let legal = program(1, 2).descriptor(LayerIndex(0));
    assert_eq!(play(&legal, &[1; 8]), Phase::Won);
}

#[test]
fn attack_28_a_descriptor_beyond_the_limits_is_refused_by_the_pick() {
    let bent = |bends: &[(usize, u32)]| {
        let mut descriptor = program(1, 2).descriptor(LayerIndex(0));
        for (at, value) in bends {
            descriptor[*at..*at + 4].copy_from_slice(&value.to_be_bytes());
        }
        // One choice: the pick alone.
        play(&descriptor, &[1]) != Phase::LayerC
    };
    let (dims, terms, split) = (32, 48, 24);
    assert!(bent(&[(dims, 1 << 20), (dims + 4, 1 << 10), (dims + 12, 1)]));
    assert!(bent(&[(dims, i32::MAX as u32), (dims + 12, 1)]));
    assert!(!bent(&[(dims, 1 << 31), (dims + 12, 1)]));
    assert!(!bent(&[(dims, u32::MAX), (dims + 4, u32::MAX), (dims + 8, u32::MAX), (dims + 12, u32::MAX)]));
    assert!(!bent(&[(dims, 0)]));
    assert!(bent(&[(terms, 1 << 24)]) && !bent(&[(terms, (1 << 24) + 1)]) && !bent(&[(terms, 0)]));
    assert!(bent(&[(split, 1 << 16)]) && !bent(&[(split, (1 << 16) + 1)]) && !bent(&[(split, 0)]));
    for code in 0..=255u8 {
        let legal = program(1, 2).descriptor(LayerIndex(0));
        for at in [2, 3, 4] {
            let mut descriptor = legal;
            descriptor[at] = code;
            let known = (1..=3).contains(&code) || (at == 4 && code == 0);
            assert_eq!(play(&descriptor, &[1]) != Phase::LayerC, known, "type {code} at {at}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn attack_28_an_illegal_descriptor_never_panics_the_game(
        bends in prop::collection::vec((0usize..192, prop_oneof![Just(0u8), Just(1), Just(0x7f), Just(0x80), Just(0xff), any::<u8>()]), 0..12),
        choices in prop::collection::vec(any::<u8>(), 4..12),
    ) {
        let mut descriptor = program(1, 2).descriptor(LayerIndex(0));
        for (at, value) in bends {
            descriptor[at] = value;
        }
        play(&descriptor, &choices);
    }

    #[test]
    fn attack_28_words_at_their_limits_never_panic_the_game(
        bends in prop::collection::vec((3usize..48, prop_oneof![Just(0u32), Just(1), Just(3), Just(1 << 16), Just(1 << 24), Just(i32::MAX as u32), Just(1 << 31), Just(u32::MAX)]), 0..8),
        choices in prop::collection::vec(any::<u8>(), 4..12),
    ) {
        let mut descriptor = program(1, 2).descriptor(LayerIndex(0));
        for (word, value) in bends {
            descriptor[word * 4..word * 4 + 4].copy_from_slice(&value.to_be_bytes());
        }
        play(&descriptor, &choices);
    }
}
