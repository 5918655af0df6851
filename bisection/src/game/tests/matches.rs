//! Matches from their opening to their verdict.

use super::*;

/// The copy's element 200: in its second tile.
const WRONG: usize = 200;

/// The right partial values of every sum.
fn right_sums() -> Vec<i64> {
    input().chunks(128).map(|part| part.iter().map(|byte| i64::from(*byte as i8)).sum()).collect()
}

#[test]
fn a_lie_in_a_local_operator_is_found_by_its_sub_trace() {
    let mut world = World::new(&[2], Some(WRONG), 0);
    let number = world.reach_name(0);
    let before = world.at(number).state;
    assert_eq!((before.answers, before.operators, before.place, before.subject), (2, 2, 0, 3));
    let name = world.name(number, 0, 1, (WRONG - 128) as u8);
    let events = world.send(CHALLENGER, NOTHING, &name).expect("names");
    let point = world.game.claim(world.claim).expect("posted").point;
    assert_ne!(point, Digest::default());
    let (claim, job) = (world.claim, world.job);
    assert_eq!(
        events,
        [
            Event::MatchWon { match_id: world.match_id(number), claim },
            Event::ClaimRefuted { claim, job, point },
        ]
    );
    // The verdict's state: at the tile, and the rest as it was.
    let won = world.at(number).state;
    assert_eq!((won.phase, won.remaining, won.position, won.element), (Phase::Won, 0, 1, 0));
    assert_eq!((won.node, won.scope, won.list), (before.node, before.scope, before.list));
    assert!(!world.game.claim(claim).expect("posted").by_roots, "the list is the executor's word");
    // Nothing can be played on, and the bond goes back.
    assert_eq!(world.send(CHALLENGER, NOTHING, &name), Err(Refusal::WrongState));
    let again = world.timeout(number);
    assert_eq!(world.send(CHALLENGER, NOTHING, &again), Err(Refusal::WrongPhase));
    let reclaim = world.reclaim(number);
    world.send(STRANGER, NOTHING, &reclaim).expect("won");
    assert_eq!(world.game.owed(CHALLENGER), world.bond());
    let reclaim = world.reclaim(number);
    assert_eq!(world.send(STRANGER, NOTHING, &reclaim), Err(Refusal::WrongPhase));
}

#[test]
fn a_lie_in_sums_is_found_by_the_segment() {
    let mut world = World::new(&[2], None, 5);
    let number = world.reach_name(1);
    let name = world.name(number, 1, 0, 0);
    world.send(CHALLENGER, NOTHING, &name).expect("names");
    assert_eq!(world.phase(number), Phase::FoldE);
    // True sums do not lead to the claimed value, forged ones do.
    let mut sums = right_sums();
    let fold = world.fold(number, &sums, Vec::new());
    assert_eq!(world.send(executor(), NOTHING, &fold), Err(Refusal::FoldMismatch));
    sums[1] += 5;
    let fold = world.fold(number, &sums, Vec::new());
    assert_eq!(world.send(STRANGER, NOTHING, &fold), Err(Refusal::NotYourMove));
    world.send(executor(), NOTHING, &fold).expect("folds");
    let segment = world.segment(number, &sums, 1);
    world.send(CHALLENGER, NOTHING, &segment).expect("proves");
    assert_eq!(world.phase(number), Phase::Won);
    // The reward is the challenger's at once: nobody knows the right value.
    assert_eq!(world.game.owed(CHALLENGER), Wei(500));
    assert_eq!(world.game.claim(world.claim).expect("posted").point, Digest::default());
}

#[test]
fn a_challenger_without_a_case_pays_for_the_answers() {
    let mut world = World::new(&[2], None, 0);
    let number = world.reach_name(1);
    let burned = world.game.burned().0;
    world.play(&[(CHALLENGER, &|w| w.name(number, 1, 0, 3))]);
    let mut sums = right_sums();
    world.play(&[(executor(), &|w| w.fold(number, &sums, Vec::new()))]);
    sums.swap(0, 1);
    let segment = world.segment(number, &sums, 0);
    assert_eq!(world.send(CHALLENGER, NOTHING, &segment), Err(Refusal::WrongState));
    sums.swap(0, 1);
    world.play(&[(CHALLENGER, &|w| w.segment(number, &sums, 0))]);
    assert_eq!(world.phase(number), Phase::Lost);
    // Three answers of 50,000 + 1,600 * 4 gas at 2 wei, and 17 for the delay.
    let paid = 3 * 56_400 * 2 + 17;
    assert_eq!(world.game.owed(executor()), Wei(paid));
    assert_eq!(world.game.burned(), Wei(burned + world.bond().0 - paid));
    assert_eq!(world.game.claim(world.claim).expect("posted").open_matches, 0);
    let reclaim = world.reclaim(number);
    assert_eq!(world.send(CHALLENGER, NOTHING, &reclaim), Err(Refusal::WrongPhase));
}

#[test]
fn layers_of_one_operator_need_no_sub_trace() {
    let mut world = World::new(&[1, 1], Some(WRONG), 0);
    let number = world.open();
    assert_eq!(world.phase(number), Phase::LayerE);
    let Match { state, .. } = world.at(number);
    let nodes = world.claimed.tree().descendants(1, 0, 1);
    let reveal =
        |nodes: Vec<Digest>| Call::Reveal { claim: world.claim, number, footing: state.shown(), nodes };
    let (good, one, three) = (reveal(nodes.clone()), reveal(vec![state.node]), reveal(vec![state.node; 3]));
    assert_eq!(world.send(STRANGER, NOTHING, &one), Err(Refusal::WrongCount));
    assert_eq!(world.send(STRANGER, NOTHING, &three), Err(Refusal::WrongCount));
    world.send(STRANGER, NOTHING, &good).expect("anyone may reveal");
    world.play(&[
        (CHALLENGER, &|w| w.pick_layer(number, 0)),
        (STRANGER, &|w| w.reveal_tiles(number)),
        (CHALLENGER, &|w| w.name(number, 0, 1, (WRONG - 128) as u8)),
    ]);
    assert_eq!(world.phase(number), Phase::Won);
    assert!(world.game.claim(world.claim).expect("posted").by_roots);
}

#[test]
fn a_challenger_may_answer_for_the_executor() {
    let mut world = World::new(&[1, 1], Some(WRONG), 0);
    let number = world.open();
    world.now += 20;
    world.play(&[
        (CHALLENGER, &|w| w.pick_layer(number, 0)),
        (CHALLENGER, &|w| w.name(number, 0, 1, (WRONG - 128) as u8)),
    ]);
    let won = world.at(number).state;
    // The executor's clock paid: 20 seconds less the grace of 5; and no answer of its was counted.
    assert_eq!((won.phase, won.executor_clock, won.challenger_clock, won.answers), (Phase::Won, 35, 40, 0));
}

#[test]
fn a_move_is_in_time_until_the_timeout_is() {
    for (late, side) in [(0, Phase::Won), (1, Phase::Lost)] {
        let mut world = World::new(&[2], None, 0);
        let number = world.open();
        if late == 0 {
            world.play(&[(CHALLENGER, &|w| w.pick_layer(number, 0))]);
        }
        let (clock, sender) = if late == 0 { (50, executor()) } else { (40, CHALLENGER) };
        let call = match late {
            0 => world.sub_trace(number, Vec::new()),
            _ => world.pick_layer(number, 0),
        };
        let timeout = world.timeout(number);
        world.now += clock + 5 - 1;
        assert_eq!(world.send(STRANGER, NOTHING, &timeout), Err(Refusal::NotYet));
        let before = world.game.clone();
        world.send(sender, NOTHING, &call).expect("in time");
        world.game = before;
        world.now += 1;
        assert_eq!(world.send(sender, NOTHING, &call), Err(Refusal::TooLate));
        world.send(STRANGER, NOTHING, &timeout).expect("run out");
        let ended = world.at(number).state;
        assert_eq!((ended.phase, ended.turn_start), (side, BlockTime(world.now)));
        let clocks = if late == 0 { (0, 40) } else { (50, 0) };
        assert_eq!((ended.executor_clock, ended.challenger_clock), clocks);
    }
}

#[test]
fn a_move_answers_the_state_as_it_is() {
    let mut world = World::new(&[2], Some(WRONG), 0);
    let number = world.open();
    let good = world.pick_layer(number, 0);
    let mut bent = Vec::new();
    for bit in 0..512 {
        let mut call = good.clone();
        let Call::Enter { footing, .. } = &mut call else { unreachable!() };
        let digest = if bit < 256 { &mut footing.word } else { &mut footing.rest };
        digest.0[bit / 8 % 32] ^= 1 << (bit % 8);
        bent.push(call);
    }
    for call in bent {
        assert_eq!(world.send(CHALLENGER, NOTHING, &call), Err(Refusal::WrongState));
    }
    // Only the challenger has its seat.
    assert_eq!(world.send(STRANGER, NOTHING, &good), Err(Refusal::WrongState));
    let mut unknown = good.clone();
    let Call::Enter { number, .. } = &mut unknown else { unreachable!() };
    *number = 9;
    assert_eq!(world.send(CHALLENGER, NOTHING, &unknown), Err(Refusal::UnknownMatch));
    world.send(CHALLENGER, NOTHING, &good).expect("good");
}

#[test]
fn a_statement_counts_with_the_executors_signature() {
    let mut world = World::new(&[2], Some(WRONG), 0);
    let number = world.open();
    world.play(&[(CHALLENGER, &|w| w.pick_layer(number, 0))]);
    let list = world.claimed.sub_tree(LayerIndex(0)).root();
    let digest = ids::sub_trace_digest(CHAIN, GAME, world.claim, 0, list);
    let call = world.sub_trace(number, Vec::new());
    assert_eq!(world.send(STRANGER, NOTHING, &call), Err(Refusal::NotYourMove));
    let others = [
        signature::sign(digest, &key(8)),
        signature::sign(ids::sub_trace_digest(CHAIN + 1, GAME, world.claim, 0, list), &key(7)),
        signature::sign(ids::sub_trace_digest(CHAIN, STRANGER, world.claim, 0, list), &key(7)),
        signature::sign(ids::sub_trace_digest(CHAIN, GAME, ClaimId::default(), 0, list), &key(7)),
        signature::sign(ids::sub_trace_digest(CHAIN, GAME, world.claim, 1, list), &key(7)),
        signature::sign(ids::sub_trace_digest(CHAIN, GAME, world.claim, 0, Digest::default()), &key(7)),
    ];
    for other in others {
        let call = world.sub_trace(number, other.to_vec());
        assert_eq!(world.send(STRANGER, NOTHING, &call), Err(Refusal::BadSignature));
    }
    let call = world.sub_trace(number, signature::sign(digest, &key(7)).to_vec());
    world.send(STRANGER, NOTHING, &call).expect("the executor's word");
    assert_eq!(world.phase(number), Phase::SubC);
    assert_eq!(world.at(number).state.answers, 1);
}

/// The leaves of a tensor of the claimed copy, of which some may be others.
fn leaves(world: &World) -> Vec<Digest> {
    let tree = world.claimed.operator_tree(OperatorIndex(0));
    (0..4).map(|index| tree.node(0, index)).collect()
}

/// Puts the match at a node over these leaves, as if the claim had committed to them.
fn stand_on(world: &mut World, number: u64, phase: Phase, leaves: &[Digest]) {
    let id = world.match_id(number);
    let this = world.game.matches.get_mut(&id).expect("opened");
    let four = leaves.try_into().expect("four");
    (this.state.phase, this.state.node) = (phase, narrows_commitment::quad(four));
}

#[test]
fn attack_05_padding_of_elements_is_zero_or_the_claim_is_lost() {
    // The copy's last tile holds 44 values and 84 zeros.
    let mut world = World::new(&[2], Some(WRONG), 0);
    let number = world.reach_name(0);
    let call = world.name(number, 0, 2, 44);
    assert_eq!(world.send(CHALLENGER, NOTHING, &call), Err(Refusal::PaddingHonest));
    let mut bent: narrows_commitment::Tile =
        narrows_commitment::tile_at(world.claimed.operator(OperatorIndex(0)), 2);
    bent[127] = 1;
    let mut leaves = leaves(&world);
    leaves[2] = narrows_commitment::tile_leaf(&bent);
    stand_on(&mut world, number, Phase::Name, &leaves);
    let mut call = world.name(number, 0, 2, 127);
    let Call::Name { tile, .. } = &mut call else { unreachable!() };
    *tile = bent.to_vec();
    world.send(CHALLENGER, NOTHING, &call).expect("not zero");
    assert_eq!(world.phase(number), Phase::Won);
    assert_eq!(world.game.owed(CHALLENGER), Wei(500), "padding has no right value to know");
}

#[test]
fn attack_05_a_tile_beyond_the_tensor_is_none() {
    let mut world = World::new(&[2], Some(WRONG), 0);
    let number = world.reach_name(0);
    // The claim has a tile of zeros where a padding leaf belongs: no element of it can be named.
    let mut beyond = leaves(&world);
    beyond[3] = narrows_commitment::tile_leaf(&[0; 128]);
    stand_on(&mut world, number, Phase::Name, &beyond);
    let mut call = world.name(number, 0, 1, 0);
    let Call::Name { tile, slot, siblings, .. } = &mut call else { unreachable!() };
    (*tile, *slot) = (vec![0; 128], 3);
    *siblings = beyond[..3].to_vec();
    assert_eq!(world.send(CHALLENGER, NOTHING, &call), Err(Refusal::WrongIndex));
    // And a padding leaf where a tile belongs: the tiles before it hash up, but are not all.
    let mut short = leaves(&world);
    short[2] = short[3];
    stand_on(&mut world, number, Phase::DataE, &short);
    let mut call = world.reveal_tiles(number);
    let Call::RevealTiles { tiles, .. } = &mut call else { unreachable!() };
    tiles.truncate(256);
    assert_eq!(world.send(STRANGER, NOTHING, &call), Err(Refusal::WrongLength));
    for length in [0, 127, 4 * 128] {
        let mut call = world.reveal_tiles(number);
        let Call::RevealTiles { tiles, .. } = &mut call else { unreachable!() };
        tiles.resize(length, 0);
        assert_eq!(world.send(STRANGER, NOTHING, &call), Err(Refusal::WrongCount), "{length}");
    }
    let call = world.reveal_tiles(number);
    assert_eq!(world.send(STRANGER, NOTHING, &call), Err(Refusal::WrongState));
}
