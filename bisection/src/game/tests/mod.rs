//! Hand-made games on a program of two operators: a copy of 300 values in 3 tiles, and 10 sums of all of them in 3 segments.

mod claims;
mod digests;
mod matches;
mod money;
mod rewards;

use k256::ecdsa::SigningKey;
use narrows_commitment::{Digest, TensorRoot, TensorTree, TraceRoot};
use narrows_program::{
    Constant, ConstantIndex, DType, Finalise, Fold, IndexMap, LayerIndex, Meta, Operand, Operator,
    OperatorIndex, Params, Program, ProgramParts, Source, TensorType, Window, record,
};

use super::{Game, Match, ids};
use crate::{
    Account, Block, BlockTime, Call, ClaimId, ClaimedNodes, Event, JobId, MatchId, Parameters, Phase, Posted,
    Refusal, Seat, Trace, Wei, Witness, WitnessSource, signature,
};

const CHAIN: u64 = 31337;
const GAME: Account = Account([0x6a; 20]);
const REQUESTER: Account = Account([1; 20]);
const CHALLENGER: Account = Account([3; 20]);
const STRANGER: Account = Account([4; 20]);
const FEE: Wei = Wei(77);
const NOTHING: Wei = Wei(0);
const BASE_FEE: Wei = Wei(2);
const SALT: Digest = Digest([5; 32]);
const OWN_SALT: Digest = Digest([6; 32]);
/// When the claim is committed to; it is posted a second later.
const START: u64 = 1_000;
const DEADLINE: u64 = 5_000;

fn key(seed: u8) -> SigningKey {
    SigningKey::from_slice(&[seed; 32]).expect("a key")
}

fn account(seed: u8) -> Account {
    signature::account(key(seed).verifying_key())
}

fn executor() -> Account {
    account(7)
}

/// Odd amounts, so that halves are rounded.
fn parameters() -> Parameters {
    Parameters {
        window_seconds: 100,
        executor_clock_seconds: 50,
        challenger_clock_seconds: 40,
        grace_seconds: 5,
        slack_seconds: 7,
        reveal_seconds: 30,
        reward_seconds: 20,
        block_seconds: 12,
        block_gas: 30_000_000,
        executor_bond: Wei(1_001),
        fee_cap: Wei(3),
        delay_fee: Wei(17),
        work_price: Wei(1 << 20),
        attacker_budget: Wei(1_000_000),
    }
}

/// Both operators in one layer, or each in its own.
fn program(groups: &[u8]) -> Program {
    let copy = Operator {
        fold: Fold::Sum,
        dtype: DType::I8,
        out: [1, 1, 1, 300],
        red: [1; 3],
        a: Operand {
            source: Source::Input,
            dtype: DType::I8,
            map: IndexMap { out: [0, 0, 0, 1], ..IndexMap::default() },
        },
        windows: [Window::default(); 2],
        pad: 0,
        b: None,
        scale_a: 0,
        scale_b: 0,
        finalise: Finalise::Requantise,
        params: Params { constant: ConstantIndex(0), out: [0; 4] },
        lo: -128,
        hi: 127,
        split: 128,
    };
    let sum = Operator {
        dtype: DType::I32,
        out: [1, 1, 1, 10],
        red: [1, 1, 300],
        a: Operand {
            source: Source::Operator(OperatorIndex(0)),
            dtype: DType::I8,
            map: IndexMap { red: [0, 0, 1], ..IndexMap::default() },
        },
        lo: i32::MIN,
        hi: i32::MAX,
        ..copy
    };
    Program::new(ProgramParts {
        input: TensorType { dtype: DType::I8, elements: 300 },
        operators: vec![copy, sum],
        groups: groups.to_vec(),
        constants: vec![Constant { dtype: DType::Params, bytes: record::encode(0, 2, 1).to_vec() }],
        reveal_bits: 2,
        meta: Meta::default(),
    })
    .expect("legal")
}

fn input() -> Vec<u8> {
    (0..300u32).map(|i| (i * 7) as u8).collect()
}

/// What the program computes, but that the copy's element `wrong` is 1 greater, and each sum by `more`.
fn trace(program: &Program, wrong: Option<usize>, more: i32) -> Trace {
    let mut copy = input();
    if let Some(wrong) = wrong {
        copy[wrong] = copy[wrong].wrapping_add(1);
    }
    let sum = copy.iter().map(|byte| i32::from(*byte as i8)).sum::<i32>() + more;
    let sums = sum.to_le_bytes().repeat(10);
    Trace::new(program, input(), vec![copy, sums]).expect("lengths")
}

/// A call that is made for the state that it finds.
type Made<'a> = &'a dyn Fn(&World) -> Call;

/// A game with one claim on it.
struct World {
    game: Game,
    program: Program,
    claimed: Trace,
    job: JobId,
    posted: Posted,
    claim: ClaimId,
    now: u64,
}

impl World {
    fn new(groups: &[u8], wrong: Option<usize>, more: i32) -> Self {
        let program = program(groups);
        let claimed = trace(&program, wrong, more);
        let mut world = Self::empty(program, claimed);
        world.claim_by(executor(), START, SALT);
        world
    }

    /// A posted job without any claim.
    fn empty(program: Program, claimed: Trace) -> Self {
        let game = Game::new(CHAIN, GAME, parameters()).expect("good parameters");
        let job = ids::job_id(CHAIN, GAME, REQUESTER, program.root(), claimed.input_root(), SALT);
        let posted = posted(job, executor(), &claimed);
        let claim = game.claim_id(&posted);
        let mut world = Self { game, program, claimed, job, posted, claim, now: START };
        let header = world.program.header_bytes().to_vec();
        let layers_root = world.program.layers_root();
        world.send(REQUESTER, NOTHING, &Call::Register { header, layers_root }).expect("registers");
        world.send(REQUESTER, FEE, &world.post_job()).expect("posts");
        world
    }

    fn post_job(&self) -> Call {
        let deadline = BlockTime(DEADLINE);
        Call::PostJob { program: self.program.root(), input: input(), salt: SALT, deadline }
    }

    /// The executor's bond and the claim fee: 300 + 3000 terms at 2^20 wei for 2^30 of them.
    fn stake(&self) -> Wei {
        Wei(1_001 + 4)
    }

    fn commitment(&self, executor: Account, salt: Digest) -> Digest {
        ids::claim_commitment(salt, &posted(self.job, executor, &self.claimed))
    }

    fn post_claim(&self, number: u64, committed_at: u64, salt: Digest) -> Call {
        Call::PostClaim {
            job: self.job,
            number,
            committed_at: BlockTime(committed_at),
            salt,
            trace_root: self.claimed.root(),
            output: self.claimed.output().to_vec(),
            path: self.claimed.output_path(),
        }
    }

    /// Commits to the claim at `at` and posts it a second later.
    fn claim_by(&mut self, executor: Account, at: u64, salt: Digest) -> Posted {
        self.now = at;
        let number = self.game.job(self.job).expect("posted").committed;
        let commitment = self.commitment(executor, salt);
        let stake = self.stake();
        self.send(executor, stake, &Call::CommitClaim { job: self.job, commitment }).expect("commits");
        self.now = at + 1;
        self.send(executor, NOTHING, &self.post_claim(number, at, salt)).expect("posts");
        posted(self.job, executor, &self.claimed)
    }

    fn send(&mut self, sender: Account, value: Wei, call: &Call) -> Result<Vec<Event>, Refusal> {
        let before = self.game.clone();
        let block = Block { time: BlockTime(self.now), base_fee: BASE_FEE };
        let result = self.game.apply(block, sender, value, call);
        if result.is_err() {
            assert_eq!(self.game, before, "a refused call changes nothing");
        }
        result
    }

    fn bond(&self) -> Wei {
        self.game.program(self.program.root()).expect("registered").bond(&parameters()).expect("fits")
    }

    /// The challenger's commitment to the right trace.
    fn own_commitment(&self, challenger: Account) -> Digest {
        let own = trace(&self.program, None, 0);
        ids::own_commitment(OWN_SALT, challenger, self.claim, 1, own.own_root())
    }

    /// Opens a match, the `number`-th opening.
    fn open(&mut self) -> u64 {
        let call = Call::Open { posted: self.posted, commitment: self.own_commitment(CHALLENGER) };
        let bond = self.bond();
        let events = self.send(CHALLENGER, bond, &call).expect("opens");
        let [Event::MatchOpened { number, .. }] = events[..] else { panic!("{events:?}") };
        number
    }

    fn match_id(&self, number: u64) -> MatchId {
        ids::match_id(self.claim, number)
    }

    fn at(&self, number: u64) -> Match {
        *self.game.match_of(self.match_id(number)).expect("opened")
    }

    fn phase(&self, number: u64) -> Phase {
        self.at(number).state.phase
    }

    /// The layer's head, and the operators root behind it.
    fn layer(&self) -> Vec<u8> {
        let root = self.program.operators_tree(LayerIndex(0)).root();
        [&self.program.layer(LayerIndex(0)).head()[..], &root.0].concat()
    }

    fn operator(&self, index: u32) -> Vec<u8> {
        self.program.operator_bytes(OperatorIndex(index))
    }

    /// What the claimed trace gives to recompute an element from.
    fn witness(&self, operator: u32, element: u64, segment: Option<u32>) -> Witness {
        let claimed = ClaimedNodes::default();
        let source =
            WitnessSource { program: &self.program, trace: &self.claimed, claimed: &claimed, list: None };
        source.witness(OperatorIndex(operator), element, segment)
    }

    /// LAYER_C of the layer of both operators, or a layer of one operator after a reveal.
    fn pick_layer(&self, number: u64, layer: u32) -> Call {
        let described = self.program.layer(LayerIndex(layer));
        let leaf = self.claimed.tree().node(0, layer.into());
        let operator = match described.count {
            1 => self.program.operator_bytes(described.first),
            _ => self.program.operators_tree(LayerIndex(layer)).root().0.to_vec(),
        };
        Call::Enter {
            claim: self.claim,
            number,
            footing: self.at(number).state.seated(),
            child: layer,
            node: leaf,
            siblings: self.claimed.tree().path(layer.into()),
            layer: described.head(),
            operator,
            path: self.program.layers_tree().path(layer.into()),
        }
    }

    fn sub_trace(&self, number: u64, signature: Vec<u8>) -> Call {
        let state = self.at(number).state;
        Call::SubTrace {
            posted: self.posted,
            number,
            footing: state.seated(),
            challenger: state.challenger,
            layer: self.layer(),
            roots: self.claimed.sub_roots(LayerIndex(0)),
            signature,
        }
    }

    fn pick_operator(&self, number: u64, position: u32) -> Call {
        let operators = self.program.operators_tree(LayerIndex(0));
        Call::PickOperator {
            claim: self.claim,
            number,
            footing: self.at(number).state.seated(),
            position,
            layer: self.layer(),
            operator: self.operator(position),
            operator_path: operators.path(position.into()),
            root: self.claimed.operator_root(OperatorIndex(position)),
            root_path: self.claimed.sub_tree(LayerIndex(0)).path(position.into()),
        }
    }

    fn reveal_tiles(&self, number: u64) -> Call {
        let Match { state, .. } = self.at(number);
        let mut tiles = self.claimed.operator(OperatorIndex(state.place)).to_vec();
        tiles.resize(tiles.len().div_ceil(128) * 128, 0);
        Call::RevealTiles { claim: self.claim, number, footing: state.shown(), tiles }
    }

    /// Names `element` of `slot` of operator `operator`'s output, all of whose tiles are under the node.
    fn name(&self, number: u64, operator: u32, slot: u8, element: u8) -> Call {
        let tree = self.claimed.operator_tree(OperatorIndex(operator));
        let parts = self.program.operator(OperatorIndex(operator));
        let per_tile = 128 / parts.dtype.bytes() as u64;
        let e = u64::from(slot) * per_tile + u64::from(element);
        let whole = parts.terms() <= u64::from(parts.split) && e < parts.elements();
        let witness = if whole { self.witness(operator, e, None) } else { Witness::default() };
        Call::Name {
            posted: self.posted,
            number,
            footing: self.at(number).state.seated(),
            list: self.at(number).state.list,
            tile: narrows_commitment::tile_at(self.claimed.operator(OperatorIndex(operator)), slot.into())
                .to_vec(),
            slot,
            siblings: tree.path(slot.into()),
            element,
            operator: self.operator(operator),
            witness: Box::new(witness),
        }
    }

    fn fold(&self, number: u64, sums: &[i64], signature: Vec<u8>) -> Call {
        let Match { state, .. } = self.at(number);
        Call::Fold {
            posted: self.posted,
            number,
            footing: state.seated(),
            list: state.list,
            challenger: state.challenger,
            operator: self.operator(1),
            sums: sums.to_vec(),
            params: Box::new(crate::open_record(&self.program, OperatorIndex(1), 0)),
            third: Box::default(),
            signature,
        }
    }

    fn segment(&self, number: u64, sums: &[i64], index: u32) -> Call {
        Call::Segment {
            posted: self.posted,
            number,
            footing: self.at(number).state.seated(),
            list: self.at(number).state.list,
            operator: self.operator(1),
            sums: sums.to_vec(),
            index,
            witness: Box::new(self.witness(1, 0, Some(index))),
        }
    }

    fn timeout(&self, number: u64) -> Call {
        let Match { state, seated, .. } = self.at(number);
        Call::Timeout { posted: self.posted, number, standing: state.standing(), seated, node: state.node }
    }

    fn reclaim(&self, number: u64) -> Call {
        let Match { state, seated, .. } = self.at(number);
        Call::Reclaim { claim: self.claim, number, standing: state.standing(), seated, node: state.node }
    }

    /// Sends each call when the one before it has been played.
    fn play(&mut self, moves: &[(Account, Made<'_>)]) {
        for (sender, call) in moves {
            let call = call(self);
            let result = self.send(*sender, NOTHING, &call);
            assert!(result.is_ok(), "{}: {result:?}", call.name());
        }
    }

    /// Both operators in one layer: to NAME at operator `position`.
    fn reach_name(&mut self, position: u32) -> u64 {
        let number = self.open();
        self.play(&[
            (CHALLENGER, &|w| w.pick_layer(number, 0)),
            (executor(), &|w| w.sub_trace(number, Vec::new())),
            (CHALLENGER, &|w| w.pick_operator(number, position)),
            (STRANGER, &|w| w.reveal_tiles(number)),
        ]);
        assert_eq!(self.phase(number), Phase::Name);
        number
    }

    /// Every wei that is owed is withdrawn; then nothing may be locked but `left`.
    fn pay_out(&mut self, left: u128) {
        for account in self.game.creditors().into_keys() {
            self.send(account, NOTHING, &Call::Withdraw).expect("is owed");
        }
        assert_eq!(self.game.locked(), Wei(left));
        assert_eq!(self.game.balance(), Wei(left + self.game.burned().0));
    }
}

fn posted(job: JobId, executor: Account, trace: &Trace) -> Posted {
    let output_root = TensorRoot(TensorTree::of_bytes(trace.output()).root());
    let TraceRoot(root) = trace.root();
    Posted { job, executor, trace_root: TraceRoot(root), output_root }
}
