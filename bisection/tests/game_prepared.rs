//! A step in two moves: the nodes above its tiles, then the tiles (PROTOCOL 4.5). It ends as the step at once does.

mod game_support;

use game_support::*;
use narrows_bisection::{Call, Event, Opened, Phase, Refusal, Witness};
use narrows_commitment::{Digest, inner};

/// The match about an element of one segment, in NAME.
fn named(lies: bool, prepares: bool) -> World {
    let world = World::new(1, ALONE, lies);
    let world = if prepares { world.preparing() } else { world };
    world.to(Phase::Name)
}

/// The two openings, cut `levels` further up: the first shows the ancestor, the second leads to it.
fn raise(above: &mut Opened, below: &mut Opened, levels: usize) {
    for _ in 0..levels {
        let sibling = above.proof.0.remove(0);
        let node = Digest(above.tiles.clone().try_into().expect("a node"));
        let index = &mut above.indices[0];
        let parent = if index.is_multiple_of(2) { inner(&node, &sibling) } else { inner(&sibling, &node) };
        *index /= 2;
        above.tiles = parent.0.to_vec();
        below.proof.0.push(sibling);
    }
}

fn operands(witness: &mut Witness) -> [&mut Opened; 3] {
    [&mut witness.a, &mut witness.b, &mut witness.params]
}

/// Prepares and names with these witnesses; what the name is answered.
fn play(mut world: World, above: &Witness, below: &Witness) -> Result<World, Refusal> {
    let (sender, mut call) = world.next();
    let Call::Prepare { witness, .. } = &mut call else { panic!("a preparation") };
    witness.clone_from(&Box::new(above.clone()));
    world.send(sender, NOTHING, &call)?;
    let (_, mut call) = world.next();
    let Call::Name { witness, .. } = &mut call else { panic!("a name") };
    witness.clone_from(&Box::new(below.clone()));
    world.send(sender, NOTHING, &call)?;
    Ok(world)
}

/// What the honest side shows in both moves.
fn shown(world: &World) -> (Witness, Witness) {
    let (_, Call::Prepare { witness: above, .. }) = world.next() else { panic!("a preparation") };
    let (_, Call::Name { witness: below, .. }) = world.clone().to(Phase::Ready).next() else {
        panic!("a name")
    };
    (*above, *below)
}

#[test]
fn a_prepared_step_ends_as_the_step_at_once() {
    for lies in [true, false] {
        let [at_once, prepared] = [false, true].map(|prepares| {
            let mut world = named(lies, prepares);
            world.finish();
            world
        });
        assert_eq!(prepared.phase(), if lies { Phase::Won } else { Phase::Lost });
        assert_eq!(at_once.phase(), prepared.phase());
        assert_eq!(at_once.claim_entry(), prepared.claim_entry(), "status, roots, point");
        assert_eq!(at_once.claim_entry().by_roots, lies);
        assert_eq!(at_once.money(), prepared.money());
        let [one, other] = [&at_once, &prepared].map(World::state);
        assert_eq!(
            (one.position, one.remaining, one.answers),
            (other.position, other.remaining, other.answers)
        );
    }
}

#[test]
fn a_prepared_verdict_opens_the_reward() {
    let mut world = named(true, true);
    // It committed to its trace before.
    world.now += 1;
    world.finish();
    world.send(CHALLENGER, NOTHING, &world.open_reward(0, ALONE)).expect("it knew the right value");
    world.send(STRANGER, NOTHING, &world.reclaim()).expect("its bond");
}

#[test]
fn a_preparation_changes_phase_list_and_clock_alone() {
    for phase in [Phase::Name, Phase::DataE] {
        let mut world = World::new(1, ALONE, true).preparing().to(phase);
        let before = world.state();
        let call = if phase == Phase::Name { world.next().1 } else { world.early() };
        world.now += 7;
        let events = world.send(CHALLENGER, NOTHING, &call).expect("stands");
        let mut expected = before;
        let after = world.state();
        (expected.phase, expected.list) = (Phase::Ready, after.list);
        expected.turn_start.0 = world.now;
        // Two seconds beyond the grace, of whose turn it was.
        match phase {
            Phase::Name => expected.challenger_clock -= 2,
            _ => expected.executor_clock -= 2,
        }
        assert_eq!(after, expected);
        let (match_id, word) = (world.id(), after.word());
        assert_eq!(events, [Event::Prepared { match_id, word, list: after.list }]);
        assert_eq!(word.0[31], 16, "the phase's code");
    }
}

#[test]
fn any_node_above_the_tiles_will_do() {
    let world = named(true, true);
    let (above, below) = shown(&world);
    let depths = [&above.a, &above.b, &above.params].map(|opened| opened.proof.0.len());
    assert!(depths.iter().all(|depth| *depth >= 1), "{depths:?}");
    let mut raised = 0;
    for (which, depth) in depths.into_iter().enumerate() {
        for levels in 0..=depth {
            let (mut above, mut below) = (above.clone(), below.clone());
            let (up, down) = (&mut operands(&mut above)[which], &mut operands(&mut below)[which]);
            raise(up, down, levels);
            let end = play(world.clone(), &above, &below).expect("they fit");
            assert_eq!(end.phase(), Phase::Won);
            raised += 1;
            // One level less, or more, is another node, or none.
            if levels < depth {
                let mut other = below.clone();
                let mut ancestor = above.clone();
                raise(operands(&mut ancestor)[which], operands(&mut other)[which], 1);
                assert_eq!(play(world.clone(), &above, &other).err(), Some(Refusal::BadOpening));
                assert_eq!(play(world.clone(), &ancestor, &below).err(), Some(Refusal::BadOpening));
            }
        }
    }
    assert!(raised > 9);
}

#[test]
fn attack_09_a_node_is_one_of_the_operands_tree() {
    let world = named(true, true);
    let (above, below) = shown(&world);
    type Bend = fn(&mut Opened);
    let bends: [(&str, Bend, Refusal); 9] = [
        ("no index", |o| o.indices.clear(), Refusal::WrongCount),
        ("two nodes", |o| o.tiles.extend([0; 32]), Refusal::WrongCount),
        ("a tile", |o| o.tiles.resize(128, 0), Refusal::WrongCount),
        ("another index", |o| o.indices[0] ^= 1, Refusal::BadOpening),
        ("an index beyond the tree", |o| o.indices[0] |= 1 << 31, Refusal::BadOpening),
        ("another node", |o| o.tiles[9] ^= 1, Refusal::BadOpening),
        ("another sibling", |o| flip(&mut o.proof.0[0]), Refusal::BadOpening),
        ("a sibling more", |o| o.proof.0.push(Digest::default()), Refusal::BadOpening),
        ("a proof deeper than the tree", |o| o.proof.0.resize(40, Digest::default()), Refusal::BadOpening),
    ];
    for which in 0..3 {
        for (what, bend, refusal) in &bends {
            let mut above = above.clone();
            bend(operands(&mut above)[which]);
            assert_eq!(play(world.clone(), &above, &below).err(), Some(*refusal), "{what}, {which}");
        }
        let mut empty = above.clone();
        *operands(&mut empty)[which] = Opened::default();
        assert_eq!(play(world.clone(), &empty, &below).err(), Some(Refusal::WrongCount));
    }
}

#[test]
fn attack_09_a_prepared_name_opens_under_the_nodes_that_were_shown() {
    let world = named(true, true);
    let (above, below) = shown(&world);
    for which in 0..3 {
        let refused = |bend: &dyn Fn(&mut Opened)| {
            let mut below = below.clone();
            bend(operands(&mut below)[which]);
            play(world.clone(), &above, &below).err()
        };
        assert_eq!(refused(&|o| o.tiles[5] ^= 1), Some(Refusal::BadOpening));
        assert_eq!(refused(&|o| o.indices[0] ^= 1 << 20), Some(Refusal::BadOpening));
        assert_eq!(refused(&|o| o.proof.0.push(Digest::default())), Some(Refusal::BadOpening));
        assert_eq!(refused(&|o| o.root_path.push(Digest::default())), Some(Refusal::BadOpening));
        assert_eq!(refused(&|o| *o = Opened::default()), Some(Refusal::WrongCount));
        // Two tiles that do not stand side by side, and nothing between them.
        let scattered = |o: &mut Opened| {
            o.indices.push(o.indices[0] + 2);
            o.tiles.extend([0; 128]);
        };
        assert_eq!(refused(&scattered), Some(Refusal::BadOpening));
    }
    // The whole opening again is none under a node.
    let mut call = named(true, false).next().1;
    let Call::Name { witness, .. } = &mut call else { panic!("a name") };
    assert_eq!(play(world.clone(), &above, witness).err(), Some(Refusal::BadOpening));
    // Operands in each other's places.
    let swapped = Witness { a: below.b.clone(), b: below.a.clone(), ..below.clone() };
    assert_eq!(play(world.clone(), &above, &swapped).err(), Some(Refusal::BadOpening));
}

#[test]
fn attack_09_the_input_has_no_path_of_its_own() {
    for prepares in [false, true] {
        let world = World::new(1, (0, 200), true);
        let world = if prepares { world.preparing() } else { world };
        let world = world.to(Phase::Name);
        let (sender, mut call) = world.next();
        assert!(world.clone().send(sender, NOTHING, &call).is_ok());
        let (Call::Name { witness, .. } | Call::Prepare { witness, .. }) = &mut call else {
            panic!("a step")
        };
        witness.a.root_path.push(Digest::default());
        assert_eq!(world.clone().send(sender, NOTHING, &call), Err(Refusal::BadOpening));
    }
}

#[test]
fn attack_13_who_prepares_and_stalls_loses() {
    for lies in [true, false] {
        let mut world = ready(lies);
        world.now = world.deadline();
        world.send(STRANGER, NOTHING, &world.timeout()).expect("it is the challenger's turn");
        assert_eq!(world.phase(), Phase::Lost);
    }
}

#[test]
fn other_elements_may_be_named_under_the_same_nodes() {
    // What was shown holds whatever element is named: 201 reads the tiles of 200, and is right in the claim.
    let world = ready(true);
    let (sender, mut call) = world.next();
    let Call::Name { element, .. } = &mut call else { panic!("a name") };
    *element += 1;
    let mut other = world.clone();
    other.send(sender, NOTHING, &call).expect("it opens");
    assert_eq!(other.phase(), Phase::Lost, "the element is right");
}
