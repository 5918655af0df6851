//! Both referees on true traces: the one in Rust and the one in Solidity recompute elements, whole and in segments, and must
//! find what the trace says.

use narrows_bisection::game::ids;
use narrows_bisection::players::true_sums;
use narrows_bisection::referee::{Descriptor, View, combine, prepare, prepared_step, settle_fold, step};
use narrows_bisection::refute::{point, refutation};
use narrows_bisection::signature::sign;
use narrows_bisection::{
    Account, Call, ClaimId, ClaimedNodes, JobId, MatchState, Phase, Posted, Refusal, Trace, Witness,
    WitnessSource, open_record,
};
use narrows_commitment::{Digest, TensorRoot, keccak};
use narrows_contracts::{Chain as _, ChainError, EmbeddedChain};
use narrows_program::{ElementIndex, LayerIndex, OperatorIndex, Program, TileIndex};

use crate::arena::signer;

/// Every so many of these, the contract's opposite answer is asked for too: right where it said wrong, or the reverse.
const SAMPLE: u64 = 16;
/// Of these, how many are recomputed whole although their fold has several segments.
const WHOLE_PER_OPERATOR: usize = 2;

/// Lets both referees recompute about `most` elements of every operator; how many, and how many of them by a refutation.
///
/// # Panics
/// When they do not find what the trace says.
#[must_use]
pub fn judge(chain: &EmbeddedChain, program: &Program, trace: &Trace, most: usize) -> (usize, usize) {
    let (mut judged, mut whole) = (0, 0);
    for index in (0..program.operators().len() as u32).map(OperatorIndex) {
        let case = Case::new(chain, program, trace, index);
        let operator = program.operator(index);
        let elements = operator.elements();
        let stride = elements.div_ceil(most as u64).max(1);
        let mut left = WHOLE_PER_OPERATOR;
        for element in (0..elements).step_by(stride as usize) {
            let expected = operator.dtype.read(trace.operator(index), element as usize).expect("an element");
            if operator.segments() == 1 {
                case.judge_whole(element, expected);
            } else {
                case.judge_segments(element, expected);
            }
            if left > 0 {
                left -= 1;
                whole += usize::from(case.judge_refutation(element, expected));
            }
            judged += 1;
        }
    }
    (judged, whole)
}

/// A program with its true trace, and everything that judging an element of one operator needs.
struct Case<'a> {
    chain: &'a EmbeddedChain,
    program: &'a Program,
    trace: &'a Trace,
    index: OperatorIndex,
    layer: LayerIndex,
    descriptor: Descriptor,
    posted: Posted,
    list: Digest,
}

impl<'a> Case<'a> {
    fn new(chain: &'a EmbeddedChain, program: &'a Program, trace: &'a Trace, index: OperatorIndex) -> Self {
        let descriptor = Descriptor::decode(&program.operator_bytes(index)).expect("operator bytes");
        let posted = Posted {
            job: JobId(keccak(b"a job")),
            executor: signer("the executor").1,
            trace_root: trace.root(),
            output_root: TensorRoot(Digest::default()),
        };
        let layer = program.layer_of(index).0;
        let several = program.layer(layer).count > 1;
        let list = if several { trace.sub_tree(layer).root() } else { Digest::default() };
        Self { chain, program, trace, index, layer, descriptor, posted, list }
    }

    fn view(&self) -> View {
        View {
            input_root: self.trace.input_root(),
            trace_root: self.posted.trace_root,
            layers_depth: self.program.layers_tree().depth(),
            list: self.list,
            operators: self.program.layer(self.layer).count,
        }
    }

    fn source(&self) -> WitnessSource<'a> {
        static NOTHING: std::sync::LazyLock<ClaimedNodes> = std::sync::LazyLock::new(ClaimedNodes::default);
        WitnessSource { program: self.program, trace: self.trace, claimed: &NOTHING, list: None }
    }

    /// A match that has come down to this element, claimed to be `value`.
    fn state(&self, phase: Phase, element: u64, subject: u32) -> MatchState {
        let in_tile = 128 / self.program.operator(self.index).dtype.bytes() as u64;
        MatchState {
            position: (element / in_tile) as u32,
            place: self.index.0,
            operators: self.program.layer(self.layer).count,
            element: (element % in_tile) as u8,
            subject,
            scope: self.descriptor.operator_leaf(),
            list: self.list,
            ..MatchState::idle(phase)
        }
    }

    /// What the contract makes of a call; the words that the game would put behind it are this case's.
    fn ask(&self, call: &Call, given: Digest) -> Result<Vec<[u8; 32]>, ChainError> {
        let mut layers = [0; 32];
        layers[28..].copy_from_slice(&self.program.header().layers.to_be_bytes());
        let input = self.trace.input_root().0;
        self.chain.ask_referee(call, [Digest::default(), Digest(layers), input, given])
    }

    /// An element of one segment: both referees recompute it from its witness.
    ///
    /// The contract names a wrong value's right one by the hash of its point, so a claim that is wrong in one bit shows it.
    fn judge_whole(&self, element: u64, expected: i64) {
        let operator = self.program.operator(self.index);
        let witness = self.source().witness(self.index, element, None);
        let rust = step(&self.view(), &self.descriptor, element, None, &witness);
        assert_eq!(rust, Ok(expected), "Rust referee = the trace: {operator:?}");
        let state = self.state(Phase::Name, element, self.descriptor.output_tiles() as u32);
        let mut tile = self.trace.tile(self.index, TileIndex(state.position)).to_vec();
        let ask = |tile: &[u8]| {
            let call = Call::Name {
                posted: self.posted,
                number: 0,
                footing: state.seated(),
                list: self.list,
                tile: tile.to_vec(),
                slot: 0,
                siblings: vec![],
                element: state.element,
                operator: self.program.operator_bytes(self.index),
                witness: Box::new(witness.clone()),
            };
            self.ask(&call, Digest::default()).expect("a step")
        };
        let at = usize::from(state.element) * operator.dtype.bytes();
        tile[at] ^= 1;
        let answer = ask(&tile);
        assert_eq!(answer[0][31], Phase::Won as u8);
        let right = ids::point(&point(self.program, self.trace, self.index, ElementIndex(element as u32)));
        assert_eq!(Digest(answer[3]), right, "Solidity = the trace, element {element}: {operator:?}");
        tile[at] ^= 1;
        if element.is_multiple_of(SAMPLE) {
            assert_eq!(ask(&tile)[0][31], Phase::Lost as u8);
            tile[at] ^= 1;
            self.judge_prepared(element, expected, &tile, &witness, right);
        }
    }

    /// The same in two moves: the nodes above the tiles of `witness`, then its tiles. `tile` claims another value.
    fn judge_prepared(&self, element: u64, expected: i64, tile: &[u8], witness: &Witness, right: Digest) {
        let (above, below) = witness.halves();
        let named = self.state(Phase::Name, element, self.descriptor.output_tiles() as u32);
        let call = Call::Prepare {
            posted: self.posted,
            number: 0,
            footing: named.seated(),
            list: self.list,
            node: Digest::default(),
            operator: self.program.operator_bytes(self.index),
            witness: Box::new(above.clone()),
        };
        let list = Digest(self.ask(&call, Digest::default()).expect("nodes that open")[0]);
        assert_eq!(prepare(&self.view(), &self.descriptor, &above), Ok(list), "the same nodes");
        let rust = prepared_step(list, &self.descriptor, element, &below);
        assert_eq!(rust, Ok(expected), "Rust referee = the trace, prepared");
        let call = Call::Name {
            posted: self.posted,
            number: 0,
            footing: self.state(Phase::Ready, element, self.descriptor.output_tiles() as u32).seated(),
            list,
            tile: tile.to_vec(),
            slot: 0,
            siblings: vec![],
            element: named.element,
            operator: self.program.operator_bytes(self.index),
            witness: Box::new(below),
        };
        let answer = self.ask(&call, Digest::default()).expect("a step");
        assert_eq!(answer[0][31], Phase::Won as u8);
        assert_eq!(Digest(answer[3]), right, "Solidity = the trace, prepared");
    }

    /// An element of several segments: both referees recompute each, and what all of them lead to.
    fn judge_segments(&self, element: u64, expected: i64) {
        let own = true_sums(self.program, self.trace, self.index, element);
        let state = self.state(Phase::Seg, element, expected as u32);
        for segment in 0..own.len() as u32 {
            let witness = self.source().witness(self.index, element, Some(segment));
            let rust = step(&self.view(), &self.descriptor, element, Some(segment), &witness);
            assert_eq!(rust, Ok(own[segment as usize]));
            let ask = |sums: &[i64]| {
                let call = Call::Segment {
                    posted: self.posted,
                    number: 0,
                    footing: state.seated(),
                    list: self.list,
                    operator: self.program.operator_bytes(self.index),
                    sums: sums.to_vec(),
                    index: segment,
                    witness: Box::new(witness.clone()),
                };
                self.ask(&call, Digest::default()).expect("a step")[0][31]
            };
            assert_eq!(ask(&own), 1, "segment {segment}: {:?}", self.program.operator(self.index));
            if element.is_multiple_of(SAMPLE) {
                let mut wrong = own.clone();
                wrong[segment as usize] ^= 1;
                assert_eq!(ask(&wrong), 0);
            }
        }
        self.judge_fold(element, expected, own);
    }

    fn judge_fold(&self, element: u64, expected: i64, sums: Vec<i64>) {
        let params = open_record(self.program, self.index, element);
        let third = self.source().third(self.index, element, combine(&self.descriptor, &sums));
        let rust = settle_fold(&self.view(), &self.descriptor, element, &sums, &params, &third);
        assert_eq!(rust, Ok(expected));
        for (value, agrees) in [(expected, true), (expected ^ 1, false)] {
            if !agrees && !element.is_multiple_of(SAMPLE) {
                continue;
            }
            let call = Call::Fold {
                posted: self.posted,
                number: 0,
                footing: self.state(Phase::FoldE, element, value as u32).seated(),
                list: self.list,
                challenger: Account::default(),
                operator: self.program.operator_bytes(self.index),
                sums: sums.clone(),
                params: Box::new(params.clone()),
                third: Box::new(third.clone()),
                signature: vec![],
            };
            match (self.ask(&call, Digest::default()), agrees) {
                (Ok(_), true) => {}
                (Err(ChainError::Refused { refusal: Refusal::FoldMismatch, .. }), false) => {}
                (other, _) => panic!("{value}, where {expected} is right: {other:?}"),
            }
        }
    }

    /// An element of several segments after all in one go, as a refutation in one transaction has it; false where that would
    /// open too many tiles, or nothing commits to the operator's output.
    fn judge_refutation(&self, element: u64, expected: i64) -> bool {
        let mut outputs = self.trace.outputs().to_vec();
        let size = self.program.operator(self.index).dtype.bytes();
        outputs[self.index.0 as usize][element as usize * size] ^= 1;
        let bent = Trace::new(self.program, self.trace.input().to_vec(), outputs).expect("lengths");
        if bent.root() == self.trace.root() {
            return false;
        }
        let (key, executor) = signer("the executor");
        let list = bent.sub_tree(self.layer).root();
        let nobody = Account([0; 20]);
        let digest =
            ids::sub_trace_digest(self.chain.chain_id(), nobody, ClaimId::default(), self.layer.0, list);
        let signature = (list, sign(digest, &key).to_vec());
        let Some(shown) = refutation(self.program, self.trace, &bent, Some(signature)) else { return false };
        let posted = Posted { executor, trace_root: bent.root(), ..self.posted };
        let view = View { trace_root: bent.root(), list: shown.list, ..self.view() };
        let rust = step(&view, &self.descriptor, element, None, &shown.witness);
        assert_eq!(rust, Ok(expected), "Rust referee, whole: {:?}", self.program.operator(self.index));
        let call = Call::Refute { posted, refutation: Box::new(shown) };
        let answer = self.ask(&call, self.program.layers_root().0).expect("a refutation");
        let right = ids::point(&point(self.program, self.trace, self.index, ElementIndex(element as u32)));
        assert_eq!(Digest(answer[0]), right, "Solidity, whole: {:?}", self.program.operator(self.index));
        true
    }
}
