//! Forged statements against an honest executor (18): without a signature, with a wrong one, with one from another claim,
//! layer, place, chain or contract; in a match and in one transaction; on both machines at once.

use narrows_bisection::game::ids;
use narrows_bisection::players::Choice;
use narrows_bisection::signature::{SigningKey, sign};
use narrows_bisection::{
    Call, ClaimId, MatchState, Parameters, Phase, Refusal, Refutation, Trace, Wei, refute,
};
use narrows_commitment::{Digest, TensorRoot, Tile, Tree, keccak};
use narrows_contracts::Chain as _;
use narrows_executor::adversary::DoctoredOperator;
use narrows_executor::node::{Conduct as _, Honest};
use narrows_program::{LayerIndex, OperatorIndex, Program};
use narrows_tests::arena::{Arena, CHALLENGER, Claimed, Dispute, STRANGER, answering, choosing, signer};
use narrows_tests::{copies, digits};

const NOTHING: Wei = Wei(0);

/// Always this layer, operator, and the first of everything else.
struct To(usize, usize);

impl Choice for To {
    fn child(&mut self, claimed: &[Digest], _: &[Digest]) -> Option<usize> {
        Some(self.0.min(claimed.len() - 1))
    }

    fn operator(&mut self, _: &[TensorRoot], _: &[TensorRoot]) -> Option<usize> {
        Some(self.1)
    }

    fn element(&mut self, _: &[Tile], _: &[Tile], _: usize) -> Option<(usize, usize)> {
        Some((0, 0))
    }

    fn segment(&mut self, _: &[i64], _: &[i64]) -> Option<usize> {
        Some(0)
    }
}

/// An honest claim by an executor with a key.
struct Stage {
    arena: Arena,
    truth: Trace,
    key: SigningKey,
    claim: Claimed,
}

impl Stage {
    fn new(program: Program, truth: Trace) -> Self {
        let mut arena = Arena::new(program, Parameters::default());
        let (key, executor) = signer("an honest executor");
        arena.chain.fund(executor);
        let job = arena.job(truth.input());
        let claim = arena.claim_by(executor, job, &truth);
        Self { arena, truth, key, claim }
    }

    /// A match, played by the book up to `phase`, in `layer` and `operator`.
    fn until(&mut self, layer: usize, operator: usize, phase: Phase) -> Dispute {
        let program = self.arena.program.clone();
        let mut one = self.arena.open(&self.claim);
        let mut executor = answering(&program, &self.truth);
        let mut challenger = choosing(&program, &self.truth, To(layer, operator));
        let stop = |state: &MatchState| state.phase == phase;
        let reached = self.arena.play_until(&mut one, &mut executor, &mut challenger, stop);
        assert_eq!(reached.state.phase, phase);
        one
    }

    fn sub_trace(&self, claim: ClaimId, layer: u32, list: Digest) -> Vec<u8> {
        let (chain_id, game) = (self.arena.chain.chain_id(), self.arena.chain.game());
        sign(ids::sub_trace_digest(chain_id, game, claim, layer, list), &self.key).to_vec()
    }
}

/// The list of stated roots, and the call that states them with this signature.
fn stated(call: &Call, bend: impl Fn(&mut Vec<TensorRoot>)) -> (Call, Digest) {
    let mut call = call.clone();
    let Call::SubTrace { roots, .. } = &mut call else { panic!("{} states none", call.name()) };
    bend(roots);
    let list = Tree::new(roots.iter().map(|root| root.0).collect()).root();
    (call, list)
}

fn signed(call: &Call, with: Vec<u8>) -> Call {
    let mut call = call.clone();
    match &mut call {
        Call::SubTrace { signature, .. } | Call::Fold { signature, .. } => *signature = with,
        other => panic!("{} is not signed", other.name()),
    }
    call
}

#[test]
fn attack_18_a_forged_sub_trace_counts_nowhere() {
    // Copies: every tensor is the same, and so are both layers' lists.
    let program = copies::grouped(&[2, 2], 300);
    let truth = copies::truth(&program, &copies::input(300));
    let mut stage = Stage::new(program.clone(), truth.clone());
    // Another claim of the same executor, on another job: the same trace.
    let job = stage.arena.job(truth.input());
    let other = stage.arena.claim_by(stage.claim.posted.executor, job, &truth);
    let mut one = stage.until(0, 0, Phase::SubE);
    let good = answering(&program, &truth)(&one.follower).expect("a sub-trace");
    let (forged, junk) = stated(&good, |roots| roots[0] = TensorRoot(keccak(b"no tensor")));
    let list = truth.sub_tree(LayerIndex(0)).root();
    assert_eq!(list, truth.sub_tree(LayerIndex(1)).root());

    // No signature: whoever is not the executor is told so, whatever it states.
    for (account, call) in [(CHALLENGER, &forged), (STRANGER, &forged), (STRANGER, &good)] {
        assert_eq!(stage.arena.act(&mut one, account, call.clone()), Err(Refusal::NotYourMove));
    }
    let (chain_id, game) = (stage.arena.chain.chain_id(), stage.arena.chain.game());
    let thief = signer("a challenger").0;
    let digest =
        |chain_id, game, claim, layer, list| ids::sub_trace_digest(chain_id, game, claim, layer, list);
    let id = stage.claim.id;
    let mut bent = stage.sub_trace(id, 0, list);
    bent[40] ^= 1;
    let wrong = [
        (signed(&forged, sign(digest(chain_id, game, id, 0, junk), &thief).to_vec()), "the forger's own"),
        (signed(&forged, stage.sub_trace(id, 0, list)), "of the true list, under another"),
        (signed(&good, stage.sub_trace(other.id, 0, list)), "from another claim"),
        (signed(&good, stage.sub_trace(id, 1, list)), "from another layer"),
        (
            signed(&good, sign(digest(chain_id + 1, game, id, 0, list), &stage.key).to_vec()),
            "from another chain",
        ),
        (
            signed(&good, sign(digest(chain_id, STRANGER, id, 0, list), &stage.key).to_vec()),
            "from another game",
        ),
        (signed(&good, bent), "bent"),
        (signed(&good, stage.sub_trace(id, 0, list)[..64].to_vec()), "cut short"),
        (signed(&good, vec![0; 65]), "zeros"),
        (signed(&good, vec![27]), "a byte"),
    ];
    for (call, what) in wrong {
        for account in [CHALLENGER, STRANGER] {
            assert_eq!(
                stage.arena.act(&mut one, account, call.clone()),
                Err(Refusal::BadSignature),
                "{what}"
            );
        }
    }
    // The executor's own, sent by anybody.
    let call = signed(&good, stage.sub_trace(id, 0, list));
    stage.arena.act(&mut one, STRANGER, call).expect("the executor's statement");
    let mut challenger = choosing(&program, &truth, To(0, 0));
    let outcome = stage.arena.play(&mut one, &mut answering(&program, &truth), &mut challenger);
    assert_eq!(outcome.state.phase, Phase::Lost);
}

#[test]
fn attack_18_forged_partial_sums_count_nowhere() {
    let program = digits::program();
    let truth = Honest.trace(&program, digits::input()).expect("runs");
    let operator = digits::segmented_operator(&program);
    let mut stage = Stage::new(program.clone(), truth.clone());
    let position = usize::from(program.layer_of(operator).1);
    let mut one = stage.until(0, position, Phase::FoldE);
    let good = answering(&program, &truth)(&one.follower).expect("sums");
    let Call::Fold { sums, .. } = &good else { panic!("sums") };
    let telescoped = {
        let mut sums = sums.clone();
        sums[0] += 1000;
        sums[1] -= 1000;
        sums
    };
    let mut forged = good.clone();
    if let Call::Fold { sums, .. } = &mut forged {
        sums.clone_from(&telescoped);
    }
    for account in [CHALLENGER, STRANGER] {
        assert_eq!(stage.arena.act(&mut one, account, forged.clone()), Err(Refusal::NotYourMove));
    }
    let (chain_id, game, id) = (stage.arena.chain.chain_id(), stage.arena.chain.game(), stage.claim.id);
    let element = one.follower.element(&program).expect("a named element").0;
    let digest = |operator, element, sums: &[i64]| {
        ids::sums_digest(chain_id, game, id, operator, element, ids::statement(sums))
    };
    let (thief, key) = (signer("a challenger").0, stage.key.clone());
    let wrong = [
        (
            signed(&forged, sign(digest(operator.0, element, &telescoped), &thief).to_vec()),
            "the forger's own",
        ),
        (signed(&forged, sign(digest(operator.0, element, sums), &key).to_vec()), "of other sums"),
        (signed(&good, sign(digest(operator.0 + 1, element, sums), &key).to_vec()), "of another operator"),
        (signed(&good, sign(digest(operator.0, element + 1, sums), &key).to_vec()), "of another element"),
        (signed(&good, stage.sub_trace(id, operator.0, ids::statement(sums))), "of a sub-trace"),
    ];
    for (call, what) in wrong {
        assert_eq!(stage.arena.act(&mut one, STRANGER, call), Err(Refusal::BadSignature), "{what}");
    }
    let call = signed(&good, sign(digest(operator.0, element, sums), &key).to_vec());
    stage.arena.act(&mut one, STRANGER, call).expect("the executor's statement");
    let mut challenger = choosing(&program, &truth, To(0, position));
    let outcome = stage.arena.play(&mut one, &mut answering(&program, &truth), &mut challenger);
    assert_eq!((outcome.state.phase, outcome.last()), (Phase::Lost, "segment"));
}

/// The refutation that would stand if the executor had said what `invented` holds.
fn invented_refutation(program: &Program, truth: &Trace, invented: &Trace, signature: Vec<u8>) -> Refutation {
    let layer = truth.first_layer_difference(invented).expect("an exported difference");
    let list = invented.sub_tree(layer).root();
    refute::refutation(program, truth, invented, Some((list, signature))).expect("a fault, were it claimed")
}

#[test]
fn attack_18_no_refutation_of_an_honest_claim_by_a_list_of_ones_own() {
    let program = copies::grouped(&[2, 2], 300);
    let truth = copies::truth(&program, &copies::input(300));
    let mut stage = Stage::new(program.clone(), truth.clone());
    let id = stage.claim.id;
    let lie = DoctoredOperator { operator: OperatorIndex(0), element: 5, delta: 1 };
    let invented = lie.trace(&program, truth.input().to_vec()).expect("runs");
    let list = invented.sub_tree(LayerIndex(0)).root();
    let (chain_id, game) = (stage.arena.chain.chain_id(), stage.arena.chain.game());
    let digest = ids::sub_trace_digest(chain_id, game, id, 0, list);
    let honest_list = truth.sub_tree(LayerIndex(0)).root();
    let refuted = |stage: &mut Stage, signature: Vec<u8>| {
        let refutation = Box::new(invented_refutation(&program, &truth, &invented, signature));
        let call = Call::Refute { posted: stage.claim.posted, refutation };
        stage.arena.send(CHALLENGER, NOTHING, call).map(|_| ())
    };
    assert_eq!(refuted(&mut stage, vec![]), Err(Refusal::WitnessExtra), "a list that nobody signed");
    let forged = sign(digest, &signer("a challenger").0).to_vec();
    assert_eq!(refuted(&mut stage, forged), Err(Refusal::BadSignature));
    let replayed = stage.sub_trace(id, 0, honest_list);
    assert_eq!(refuted(&mut stage, replayed), Err(Refusal::BadSignature));
    let elsewhere = stage.sub_trace(ClaimId(keccak(b"another claim")), 0, list);
    assert_eq!(refuted(&mut stage, elsewhere), Err(Refusal::BadSignature));
    // Under the executor's own signature of the true list, no element is at fault.
    let mut shown = invented_refutation(&program, &truth, &invented, stage.sub_trace(id, 0, honest_list));
    shown.list = honest_list;
    shown.list_path = truth.sub_tree(LayerIndex(0)).path(0);
    shown.tile = truth.operator(OperatorIndex(0))[..128].to_vec();
    shown.tile_path = truth.operator_tree(OperatorIndex(0)).path(0);
    let call = Call::Refute { posted: stage.claim.posted, refutation: Box::new(shown) };
    assert_eq!(stage.arena.send(CHALLENGER, NOTHING, call), Err(Refusal::NoFault));
    // And the claim is final in the end.
    let end = stage.arena.chain.game.claim(id).expect("a claim").window_end;
    stage.arena.chain.advance_to(end);
    let finalise = Call::Finalise { posted: stage.claim.posted };
    stage.arena.send(STRANGER, NOTHING, finalise).expect("final");
}

#[test]
fn attack_18_a_liar_that_signed_falls_in_one_transaction() {
    // The same refutation against an executor that did claim, and sign, what is refuted.
    let program = copies::grouped(&[2, 2], 300);
    let truth = copies::truth(&program, &copies::input(300));
    let lie = DoctoredOperator { operator: OperatorIndex(0), element: 5, delta: 1 };
    let claimed = lie.trace(&program, truth.input().to_vec()).expect("runs");
    let mut stage = Stage::new(program.clone(), claimed.clone());
    let list = claimed.sub_tree(LayerIndex(0)).root();
    let signature = stage.sub_trace(stage.claim.id, 0, list);
    let shown = invented_refutation(&program, &truth, &claimed, signature);
    let mut one = stage.arena.open(&stage.claim);
    let call = Call::Refute { posted: stage.claim.posted, refutation: Box::new(shown) };
    stage.arena.send(CHALLENGER, NOTHING, call.clone()).expect("refuted");
    assert_eq!(stage.arena.send(CHALLENGER, NOTHING, call), Err(Refusal::ClaimClosed));
    // What happens in a match stands in no refutation's way: a move that follows has no effect, and the match's bond goes back.
    let next = answering(&program, &claimed)(&one.follower).expect("a reveal");
    let money = stage.arena.chain.game.owed(CHALLENGER);
    stage.arena.act(&mut one, stage.claim.posted.executor, next).expect("a reveal to no effect");
    assert_eq!(stage.arena.chain.game.owed(CHALLENGER), money);
    let reclaim = stage.arena.reclaim(one.id);
    stage.arena.send(STRANGER, NOTHING, reclaim).expect("the bond");
    assert_eq!(stage.arena.chain.game.owed(CHALLENGER), stage.arena.bond());
}
