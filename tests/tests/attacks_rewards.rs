//! Forged, late and junk reward commitments (18), on both machines at once.

use narrows_bisection::refute::{committed_state, refutation, reward_opening};
use narrows_bisection::{
    Account, Call, Event, Parameters, Point, Refusal, Seat, Seated, Trace, Wei, game::ids,
};
use narrows_commitment::{Digest, TensorTree, keccak, tile_leaf};
use narrows_contracts::Chain as _;
use narrows_executor::adversary::DoctoredOperator;
use narrows_executor::node::Conduct as _;
use narrows_program::{ElementIndex, OperatorIndex, Program};
use narrows_tests::arena::{Arena, CHALLENGER, Claimed, STRANGER};
use narrows_tests::copies;

const NOTHING: Wei = Wei(0);
/// Somebody who wants the reward for nothing.
const THIEF: Account = Account([0x55; 20]);
const FAULT: (OperatorIndex, u32) = (OperatorIndex(1), 130);

struct Stage {
    arena: Arena,
    program: Program,
    truth: Trace,
    claimed: Trace,
    claim: Claimed,
}

/// A bare commitment that stands.
#[derive(Clone, Copy)]
struct Committed {
    number: u64,
    seated: Seated,
}

impl Stage {
    fn new() -> Self {
        let program = copies::program(3, 300);
        let truth = copies::truth(&program, &copies::input(300));
        let lie = DoctoredOperator { operator: FAULT.0, element: FAULT.1 as usize, delta: 1 };
        let claimed = lie.trace(&program, truth.input().to_vec()).expect("runs");
        let mut arena = Arena::new(program.clone(), Parameters::default());
        arena.chain.fund(THIEF);
        let job = arena.job(truth.input());
        let claim = arena.claim(job, &claimed);
        Self { arena, program, truth, claimed, claim }
    }

    /// What `account` commits to `trace` by.
    fn commitment(&self, account: Account, trace: &Trace) -> Digest {
        let depth = trace.own_tree().depth() as u8;
        ids::own_commitment(keccak(&account.0), account, self.claim.id, depth, trace.own_root())
    }

    fn commit(&mut self, account: Account, commitment: Digest) -> Committed {
        let call = Call::Commit { claim: self.claim.id, commitment };
        let receipt = self.arena.send(account, NOTHING, call).expect("a commitment");
        let [Event::Committed { number, .. }] = receipt.events[..] else { panic!("a commitment") };
        let seat = Seat { commitment, opened_at: receipt.time, bond: NOTHING };
        Committed { number, seated: Seated { challenger: account, seat } }
    }

    fn refute(&mut self) {
        let shown = refutation(&self.program, &self.truth, &self.claimed, None).expect("a fault");
        let call = Call::Refute { posted: self.claim.posted, refutation: Box::new(shown) };
        self.arena.send(STRANGER, NOTHING, call).expect("refuted");
    }

    /// The opening of a commitment, by whose words `trace` is right.
    fn opening(&self, one: &Committed, trace: &Trace) -> Call {
        let (point, tile, path) = reward_opening(&self.program, trace, FAULT.0, ElementIndex(FAULT.1));
        let state = committed_state(&one.seated);
        Call::OpenReward {
            claim: self.claim.id,
            number: one.number,
            standing: state.standing(),
            node: state.node,
            seat: one.seated.seat,
            point,
            salt: keccak(&one.seated.challenger.0),
            depth: trace.own_tree().depth() as u8,
            tile,
            path,
        }
    }

    fn open(&mut self, one: &Committed, trace: &Trace) -> Result<(), Refusal> {
        let call = self.opening(one, trace);
        self.arena.send(one.seated.challenger, NOTHING, call).map(|_| ())
    }

    fn reward_seconds(&self) -> u64 {
        self.arena.chain.parameters().reward_seconds.into()
    }

    /// Who has the reward, once its time is up.
    fn collect(&mut self) -> Account {
        let call = Call::CollectReward { claim: self.claim.id };
        let receipt = self.arena.send(STRANGER, NOTHING, call.clone()).expect("collected");
        assert_eq!(self.arena.send(STRANGER, NOTHING, call), Err(Refusal::NoReward), "once");
        let [Event::RewardCollected { winner, amount, .. }] = receipt.events[..] else { panic!("a reward") };
        assert_eq!(amount.0, self.arena.chain.parameters().executor_bond.0 / 2);
        winner
    }
}

#[test]
fn attack_18_the_lowest_number_that_was_right_gets_the_reward() {
    let mut stage = Stage::new();
    let truth = stage.truth.clone();
    let good = |stage: &Stage, account| stage.commitment(account, &stage.truth);
    // Junk, the liar's own trace, another's commitment, and then three honest ones.
    let junk = stage.commit(THIEF, keccak(b"junk"));
    let liars = stage.commitment(THIEF, &stage.claimed);
    let liars = stage.commit(THIEF, liars);
    let copied = good(&stage, CHALLENGER);
    let copied = stage.commit(THIEF, copied);
    let first = good(&stage, CHALLENGER);
    let first = stage.commit(CHALLENGER, first);
    let second = good(&stage, STRANGER);
    let second = stage.commit(STRANGER, second);
    let third = stage.commit(CHALLENGER, first.seated.seat.commitment);
    assert_eq!([junk.number, copied.number, first.number, third.number], [0, 2, 3, 5]);
    let call = Call::CollectReward { claim: stage.claim.id };
    assert_eq!(stage.arena.send(STRANGER, NOTHING, call.clone()), Err(Refusal::NoReward), "no verdict yet");
    assert_eq!(stage.open(&first, &truth), Err(Refusal::NoReward));
    stage.arena.chain.advance(1);
    stage.refute();

    assert_eq!(stage.open(&second, &truth), Ok(()), "as long as nobody better comes");
    assert_eq!(stage.open(&third, &truth), Err(Refusal::NotBetter));
    assert_eq!(stage.open(&second, &truth), Err(Refusal::NotBetter), "not twice");
    // The forged ones come before all of these, and open nothing: with the right values, nor with the claimed ones.
    let claimed = stage.claimed.clone();
    for one in [&junk, &liars, &copied] {
        assert_eq!(stage.open(one, &truth), Err(Refusal::BadOpening));
        assert_eq!(stage.open(one, &claimed), Err(Refusal::WrongStatement));
    }
    assert_eq!(stage.open(&first, &truth), Ok(()));
    assert_eq!(stage.open(&second, &truth), Err(Refusal::NotBetter), "it is beaten");
    assert_eq!(stage.arena.send(STRANGER, NOTHING, call), Err(Refusal::NotYet));
    let wait = stage.reward_seconds();
    stage.arena.chain.advance(wait);
    assert_eq!(stage.collect(), CHALLENGER);
}

#[test]
fn attack_18_late_commitments_and_late_openings_get_nothing() {
    let mut stage = Stage::new();
    let truth = stage.truth.clone();
    let commitment = stage.commitment(CHALLENGER, &truth);
    let thiefs = stage.commitment(THIEF, &truth);
    stage.arena.chain.advance(5);
    // In the block of the verdict, before it: the values may have been read in the pending pool.
    let same_block = stage.commit(THIEF, thiefs);
    stage.refute();
    let call = Call::Commit { claim: stage.claim.id, commitment };
    assert_eq!(stage.arena.send(CHALLENGER, NOTHING, call), Err(Refusal::ClaimClosed), "after the verdict");
    assert_eq!(stage.open(&same_block, &truth), Err(Refusal::TooLate));
    // A seat that says it is older is not the one that stands.
    let mut older = same_block;
    older.seated.seat.opened_at.0 -= 5;
    assert_eq!(stage.open(&older, &truth), Err(Refusal::WrongState));
    let wait = stage.reward_seconds();
    stage.arena.chain.advance(wait);
    assert_eq!(stage.collect(), Account::default(), "nobody knew it before: burned");

    // In time to commit, and too late to open.
    for early in [1, 0] {
        let mut stage = Stage::new();
        let commitment = stage.commitment(CHALLENGER, &truth);
        let one = stage.commit(CHALLENGER, commitment);
        stage.arena.chain.advance(1);
        stage.refute();
        let wait = stage.reward_seconds();
        stage.arena.chain.advance(wait - early);
        let expected = if early > 0 { Ok(()) } else { Err(Refusal::TooLate) };
        assert_eq!(stage.open(&one, &truth), expected);
        stage.arena.chain.advance(early);
        assert_eq!(stage.collect(), if early > 0 { CHALLENGER } else { Account::default() });
    }
}

#[test]
fn attack_18_an_opening_bent_anywhere_is_refused() {
    let mut stage = Stage::new();
    let truth = stage.truth.clone();
    let commitment = stage.commitment(CHALLENGER, &truth);
    let one = stage.commit(CHALLENGER, commitment);
    stage.arena.chain.advance(1);
    stage.refute();
    let good = stage.opening(&one, &truth);
    let mut refused = |bend: &dyn Fn(&mut Parts<'_>)| {
        let mut call = good.clone();
        let Call::OpenReward { number, standing, node, seat, point, salt, depth, tile, path, .. } = &mut call
        else {
            panic!("an opening")
        };
        bend(&mut Parts { number, word: &mut standing.word, node, seat, point, salt, depth, tile, path });
        stage.arena.send(CHALLENGER, NOTHING, call).expect_err("bent")
    };
    assert_eq!(refused(&|p| *p.number += 1), Refusal::UnknownMatch);
    assert_eq!(refused(&|p| p.word.0[31] = 13), Refusal::WrongState);
    assert_eq!(refused(&|p| p.node.0[0] = 1), Refusal::WrongState);
    assert_eq!(refused(&|p| p.seat.bond.0 = 1), Refusal::WrongState);
    assert_eq!(refused(&|p| p.seat.commitment.0[3] ^= 1), Refusal::WrongState);
    // Another element, place, size, value or beginning of the tile is another point.
    let points: [fn(&mut Point); 6] = [
        |p| p.operator += 1,
        |p| p.depth += 1,
        |p| p.element_bytes = 2,
        |p| p.element ^= 1,
        |p| p.value = p.value.wrapping_add(1),
        |p| p.before.0[0] ^= 1,
    ];
    for bend in points {
        assert_eq!(refused(&|p| bend(p.point)), Refusal::WrongStatement);
    }
    assert_eq!(refused(&|p| p.salt.0[9] ^= 1), Refusal::BadOpening);
    for byte in [0, 2, 3, 127] {
        assert_eq!(refused(&|p| p.tile[byte] ^= 1), Refusal::BadOpening, "byte {byte}");
    }
    assert_eq!(refused(&|p| p.tile.truncate(127)), Refusal::BadOpening);
    assert_eq!(refused(&|p| p.tile.push(0)), Refusal::BadOpening);
    assert_eq!(refused(&|p| p.path.truncate(3)), Refusal::BadOpening);
    assert_eq!(refused(&|p| p.path.push(Digest::default())), Refusal::BadOpening);
    for depth in [0, 1, 3, 31, 32, 33, 255] {
        assert_eq!(refused(&|p| *p.depth = depth), Refusal::BadOpening, "depth {depth}");
    }
    for level in 0..4 {
        assert_eq!(refused(&|p| p.path[level].0[0] ^= 1), Refusal::BadOpening);
    }
    assert_eq!(stage.open(&one, &truth), Ok(()));
}

struct Parts<'a> {
    number: &'a mut u64,
    word: &'a mut Digest,
    node: &'a mut Digest,
    seat: &'a mut Seat,
    point: &'a mut Point,
    salt: &'a mut Digest,
    depth: &'a mut u8,
    tile: &'a mut Vec<u8>,
    path: &'a mut Vec<Digest>,
}

#[test]
fn attack_18_a_tree_that_holds_the_point_elsewhere_opens_nothing() {
    // The thief commits to trees that have every tile it can think of as "operator 0 … 3", at a depth of its own choosing:
    // the opening asks for the operator's place in a tree of that depth, and for that operator's own depth below it.
    let mut stage = Stage::new();
    let truth = stage.truth.clone();
    let tile = truth.tile(FAULT.0, narrows_program::TileIndex(1));
    let tree = TensorTree::of_leaves(vec![tile_leaf(&tile); 4]);
    let salt = keccak(&THIEF.0);
    for depth in [0, 1, 2, 4] {
        let commitment = ids::own_commitment(salt, THIEF, stage.claim.id, depth, tree.root());
        stage.commit(THIEF, commitment);
    }
    stage.arena.chain.advance(1);
    stage.refute();
    for (number, depth) in [0u8, 1, 2, 4].into_iter().enumerate() {
        let commitment = ids::own_commitment(salt, THIEF, stage.claim.id, depth, tree.root());
        let opened_at = stage.arena.chain.game.match_of(ids::match_id(stage.claim.id, number as u64));
        let seat = opened_at.expect("a commitment").seated.seat;
        assert_eq!(seat.commitment, commitment);
        let one = Committed { number: number as u64, seated: Seated { challenger: THIEF, seat } };
        for given in [0u8, 1, 2, 3, 4] {
            let mut call = stage.opening(&one, &truth);
            if let Call::OpenReward { depth, path, .. } = &mut call {
                *depth = given;
                *path = tree.path(1);
            }
            assert_eq!(stage.arena.send(THIEF, NOTHING, call), Err(Refusal::BadOpening));
        }
    }
}

#[test]
fn attack_18_junk_commitments_one_for_every_element_catch_nothing() {
    // One match a layer, one commitment an element: whoever does not know the right value has to guess it, and each guess is one
    // root. Of these, all but the true one are wrong somewhere at the point.
    let mut stage = Stage::new();
    let truth = stage.truth.clone();
    let value = truth.operator(FAULT.0)[FAULT.1 as usize];
    let mut guesses = Vec::new();
    for delta in 1..=32u8 {
        let mut outputs = truth.outputs().to_vec();
        outputs[FAULT.0.0 as usize][FAULT.1 as usize] = value.wrapping_add(delta);
        let guess = Trace::new(&stage.program, truth.input().to_vec(), outputs).expect("lengths");
        let commitment = stage.commitment(THIEF, &guess);
        guesses.push((stage.commit(THIEF, commitment), guess));
    }
    let commitment = stage.commitment(CHALLENGER, &truth);
    let honest = stage.commit(CHALLENGER, commitment);
    stage.arena.chain.advance(1);
    stage.refute();
    for (one, guess) in &guesses {
        // Its own tree has another value there; the right tile is not in its tree.
        assert_eq!(stage.open(one, guess), Err(Refusal::WrongStatement));
        let mut call = stage.opening(one, guess);
        let right = stage.opening(&honest, &truth);
        if let (Call::OpenReward { point, .. }, Call::OpenReward { point: known, .. }) = (&mut call, &right) {
            *point = *known;
        }
        assert_eq!(stage.arena.send(THIEF, NOTHING, call), Err(Refusal::WrongStatement));
        assert_eq!(stage.open(one, &truth), Err(Refusal::BadOpening));
    }
    assert_eq!(stage.open(&honest, &truth), Ok(()));
    let wait = stage.reward_seconds();
    stage.arena.chain.advance(wait);
    assert_eq!(stage.collect(), CHALLENGER);
}

#[test]
fn attack_18_traces_of_constants_catch_nothing() {
    // Whoever runs nothing commits to every constant trace: one of them has the right value at any point of 8 bits. But none
    // has what comes before it in its tile.
    let mut stage = Stage::new();
    let truth = stage.truth.clone();
    let mut constants = Vec::new();
    for value in 0..=255u8 {
        let outputs = truth.outputs().iter().map(|output| vec![value; output.len()]).collect();
        let guess = Trace::new(&stage.program, truth.input().to_vec(), outputs).expect("lengths");
        let commitment = stage.commitment(THIEF, &guess);
        constants.push((stage.commit(THIEF, commitment), guess));
    }
    let commitment = stage.commitment(CHALLENGER, &truth);
    let honest = stage.commit(CHALLENGER, commitment);
    stage.arena.chain.advance(1);
    stage.refute();
    let Call::OpenReward { point: known, .. } = stage.opening(&honest, &truth) else { panic!("an opening") };
    for (one, guess) in &constants {
        assert_eq!(stage.open(one, guess), Err(Refusal::WrongStatement), "its own point is another");
        let mut call = stage.opening(one, guess);
        if let Call::OpenReward { point, .. } = &mut call {
            *point = known;
        }
        assert_eq!(stage.arena.send(THIEF, NOTHING, call), Err(Refusal::WrongStatement));
    }
    assert_eq!(stage.open(&honest, &truth), Ok(()));
    let wait = stage.reward_seconds();
    stage.arena.chain.advance(wait);
    assert_eq!(stage.collect(), CHALLENGER);
}
