//! A small world for tests: a hand-made program with every kind of layer, a naive interpreter of it, and a mirror of the
//! chain with one claim on which matches are played. The interpreter follows SPEC 2 by itself and calls nothing of this crate.

use std::collections::BTreeSet;

use k256::ecdsa::SigningKey;
use narrows_commitment::Digest;
use narrows_program::{
    Constant, ConstantIndex, DType, Finalise, Fold, IndexMap, Meta, Operand, Operator, OperatorIndex, Params,
    Program, ProgramParts, Source, TensorType, Window, record,
};

use crate::game::ids;
use crate::record::Entry;
use crate::{
    Account, Block, BlockTime, Call, ClaimId, Event, Game, JobId, MatchId, MatchState, Parameters, Phase,
    Posted, Refusal, Side, Trace, Wei, signature,
};

use super::{Challenger, Choice, Executor, FirstDifference, Follower};

pub const CHAIN: u64 = 31337;
pub const GAME: Account = Account([0x6a; 20]);
pub const REQUESTER: Account = Account([1; 20]);
pub const CHALLENGER: Account = Account([3; 20]);
pub const STRANGER: Account = Account([4; 20]);
pub const FEE: Wei = Wei(77);
pub const NOTHING: Wei = Wei(0);
pub const BASE_FEE: Wei = Wei(11);
pub const SALT: Digest = Digest([5; 32]);

pub fn key() -> SigningKey {
    SigningKey::from_slice(&[7; 32]).expect("a key")
}

pub fn executor() -> Account {
    signature::account(key().verifying_key())
}

pub fn parameters() -> Parameters {
    Parameters { executor_bond: Wei(1_001), delay_fee: Wei(13), ..Parameters::default() }
}

fn operand(source: Source, dtype: DType, base: u32, out: [u32; 4], red: [u32; 3]) -> Operand {
    Operand { source, dtype, map: IndexMap { base, out, red } }
}

fn op(index: u32) -> Source {
    Source::Operator(OperatorIndex(index))
}

/// Five layers of 1, 3, 2, 1 and 2 operators: a convolution with windows; a maximum pool, a local sum in segments and a
/// pair of both, two of the three exported; a linear map in segments and a pair with the other export; a copy; a maximum in
/// segments and a sum of it.
pub fn program(reveal_bits: u8) -> Program {
    grouped(reveal_bits, &[1, 3, 2, 1, 2])
}

/// The convolution alone.
pub fn single(reveal_bits: u8) -> Program {
    let mut parts = program(reveal_bits).parts();
    parts.operators.truncate(1);
    parts.operators[0].params.constant = ConstantIndex(0);
    if let Some(b) = &mut parts.operators[0].b {
        b.source = Source::Constant(ConstantIndex(1));
    }
    parts.groups = vec![1];
    parts.constants = parts.constants[1..3].to_vec();
    Program::new(parts).expect("legal")
}

/// The same nine operators in other layers.
pub fn grouped(reveal_bits: u8, groups: &[u8]) -> Program {
    let constant = |index| Source::Constant(ConstantIndex(index));
    let plain = Operator {
        fold: Fold::Sum,
        dtype: DType::I8,
        out: [1; 4],
        red: [1; 3],
        a: operand(Source::Input, DType::I8, 0, [0; 4], [0; 3]),
        windows: [Window::default(); 2],
        pad: 0,
        b: None,
        scale_a: 0,
        scale_b: 0,
        finalise: Finalise::Requantise,
        params: Params { constant: ConstantIndex(0), out: [0, 0, 0, 1] },
        lo: -128,
        hi: 127,
        split: 1024,
    };
    let window = |limit, stride, out_step, offset| Window { limit, stride, out_step, red_step: 1, offset };
    let convolution = Operator {
        fold: Fold::Dot,
        out: [8, 8, 1, 12],
        red: [3, 3, 4],
        a: operand(Source::Input, DType::I8, 0, [0; 4], [0, 0, 1]),
        windows: [window(8, 32, 1, 1), window(8, 4, 1, 1)],
        b: Some(operand(constant(2), DType::I8, 0, [0, 0, 0, 36], [12, 4, 1])),
        params: Params { constant: ConstantIndex(1), out: [0, 0, 0, 1] },
        ..plain
    };
    let pool = Operator {
        fold: Fold::Max,
        out: [4, 4, 1, 12],
        red: [2, 2, 1],
        a: operand(op(0), DType::I8, 0, [192, 24, 0, 1], [96, 12, 0]),
        pad: -128,
        ..plain
    };
    let sum = Operator {
        dtype: DType::I16,
        out: [1, 1, 1, 12],
        red: [8, 8, 1],
        a: operand(op(0), DType::I8, 0, [0, 0, 0, 1], [96, 12, 0]),
        lo: -3_000,
        hi: 32_767,
        split: 20,
        ..plain
    };
    let pair = Operator {
        fold: Fold::Pair,
        dtype: DType::I16,
        out: [4, 4, 1, 12],
        a: operand(op(1), DType::I8, 0, [48, 12, 0, 1], [0; 3]),
        b: Some(operand(op(2), DType::I16, 0, [0, 0, 0, 1], [0; 3])),
        scale_a: 5,
        scale_b: -3,
        finalise: Finalise::Requantise,
        lo: -32_768,
        hi: 32_767,
        ..plain
    };
    let linear = Operator {
        fold: Fold::Dot,
        dtype: DType::I32,
        out: [1, 1, 1, 40],
        red: [1, 1, 192],
        a: operand(op(1), DType::I8, 0, [0; 4], [0, 0, 1]),
        b: Some(operand(constant(3), DType::I8, 0, [0, 0, 0, 192], [0, 0, 1])),
        lo: i32::MIN,
        hi: i32::MAX,
        split: 50,
        ..plain
    };
    let mixed = Operator {
        fold: Fold::Pair,
        dtype: DType::I32,
        out: [1, 1, 1, 40],
        a: operand(op(4), DType::I32, 0, [0, 0, 0, 1], [0; 3]),
        b: Some(operand(op(3), DType::I16, 100, [0, 0, 0, 1], [0; 3])),
        scale_a: 1,
        scale_b: 7,
        finalise: Finalise::Requantise,
        lo: i32::MIN,
        hi: i32::MAX,
        ..plain
    };
    let spread = Operator {
        out: [1, 1, 10, 30],
        a: operand(op(5), DType::I32, 0, [0, 0, 1, 1], [0; 3]),
        params: Params { constant: ConstantIndex(1), out: [0, 0, 0, 1] },
        ..plain
    };
    let greatest = Operator {
        fold: Fold::Max,
        out: [1, 1, 1, 5],
        red: [1, 1, 260],
        a: operand(op(6), DType::I8, 0, [0, 0, 0, 10], [0, 0, 1]),
        pad: -128,
        split: 100,
        ..plain
    };
    let last = Operator {
        dtype: DType::I16,
        out: [1, 1, 1, 10],
        red: [1, 1, 5],
        a: operand(op(7), DType::I8, 0, [0; 4], [0, 0, 1]),
        lo: -32_768,
        hi: 32_767,
        ..plain
    };
    let bytes = |n: u32, f: fn(u32) -> u32| (0..n).map(|i| (f(i) % 251) as u8).collect();
    let records = |m: u32, s: u8| {
        let record = |i: i64| record::encode(i * 37 % 101 - 50, m, s);
        Constant { dtype: DType::Params, bytes: (0..40).flat_map(record).collect() }
    };
    Program::new(ProgramParts {
        input: TensorType { dtype: DType::I8, elements: 256 },
        operators: vec![convolution, pool, sum, pair, linear, mixed, spread, greatest, last],
        groups: groups.to_vec(),
        constants: vec![
            records(3, 2),
            records(1, 9),
            Constant { dtype: DType::I8, bytes: bytes(432, |i| i * i * 31 + i * 7) },
            Constant { dtype: DType::I8, bytes: bytes(7_680, |i| i * i * 17 + i * 5) },
        ],
        reveal_bits,
        meta: Meta::default(),
    })
    .expect("legal")
}

pub fn input() -> Vec<u8> {
    (0..256u32).map(|i| (i * i * 7 + i * 3) as u8).collect()
}

/// The value of element `e` of `op`, by SPEC 2 word for word.
fn element(program: &Program, op: &Operator, input: &[u8], outputs: &[Vec<u8>], e: u64) -> i64 {
    let [_, o1, o2, o3] = op.out.map(u64::from);
    let out = [e / o3 / o2 / o1, e / o3 / o2 % o1, e / o3 % o2, e % o3];
    let read = |operand: &Operand, address: u64| {
        let bytes = match operand.source {
            Source::Input => input,
            Source::Constant(index) => &program.constant(index).bytes[..],
            Source::Operator(index) => &outputs[index.0 as usize],
        };
        i128::from(operand.dtype.read(bytes, address as usize).expect("in range"))
    };
    let walk = |map: &IndexMap, red: [u64; 3]| {
        let outs = map.out.iter().zip(out).map(|(s, o)| u64::from(*s) * o);
        let reds = map.red.iter().zip(red).map(|(s, t)| u64::from(*s) * t);
        u64::from(map.base) + outs.chain(reds).sum::<u64>()
    };
    let [_, r1, r2] = op.red.map(u64::from);
    let terms = (0..op.terms()).map(|t| {
        let red = [t / r2 / r1, t / r2 % r1, t % r2];
        let mut address = Some(walk(&op.a.map, red));
        for (axis, window) in op.windows.iter().enumerate().filter(|(_, window)| window.limit > 0) {
            let v = (out[axis] * u64::from(window.out_step) + red[axis] * u64::from(window.red_step)) as i64
                - i64::from(window.offset);
            let inside = (0..i64::from(window.limit)).contains(&v);
            address = address.filter(|_| inside).map(|at| at + v as u64 * u64::from(window.stride));
        }
        let a = address.map_or(i128::from(op.pad), |address| read(&op.a, address));
        let b = || op.b.map_or(0, |b| read(&b, walk(&b.map, red)));
        match op.fold {
            Fold::Dot => a * b(),
            Fold::Sum | Fold::Max => a,
            Fold::Pair => a * i128::from(op.scale_a) + b() * i128::from(op.scale_b),
            Fold::Gather | Fold::ArgMax => unreachable!("these programs have neither"),
        }
    });
    let acc = if op.fold == Fold::Max { terms.max().expect("a term") } else { terms.sum() };
    let at: u64 = op.params.out.iter().zip(out).map(|(s, o)| u64::from(*s) * o).sum();
    let bytes = &program.constant(op.params.constant).bytes[at as usize * 16..][..16];
    let (bias, m, s) = record::decode(bytes.try_into().expect("16 bytes")).expect("a record");
    let scaled = ((acc + i128::from(bias)) * i128::from(m) + (1 << (s - 1))).div_euclid(1 << s);
    scaled.clamp(op.lo.into(), op.hi.into()) as i64
}

/// Runs the program; `doctor` may change each output before the next operator reads it.
pub fn run(program: &Program, input: &[u8], mut doctor: impl FnMut(u32, &mut Vec<u8>)) -> Trace {
    let mut outputs: Vec<Vec<u8>> = Vec::new();
    for (index, op) in program.operators().iter().enumerate() {
        let mut output = Vec::new();
        (0..op.elements())
            .for_each(|e| op.dtype.write(element(program, op, input, &outputs, e), &mut output));
        doctor(index as u32, &mut output);
        outputs.push(output);
    }
    Trace::new(program, input.to_vec(), outputs).expect("lengths")
}

/// The right trace.
pub fn truth(program: &Program) -> Trace {
    run(program, &input(), |_, _| {})
}

/// Moves element `e` of `bytes` by `delta`, the other way at the end of the type's range.
pub fn shift(dtype: DType, bytes: &mut [u8], e: usize, delta: i64) {
    let value = dtype.read(bytes, e).expect("exists");
    let moved =
        if (dtype.min()..=dtype.max()).contains(&(value + delta)) { value + delta } else { value - delta };
    let mut out = Vec::new();
    dtype.write(moved, &mut out);
    bytes[e * dtype.bytes()..][..dtype.bytes()].copy_from_slice(&out);
}

/// The trace that is wrong at element `e` of operator `at`, and follows from that afterwards.
pub fn doctored(program: &Program, at: u32, e: usize, delta: i64) -> Trace {
    let dtype = program.operator(OperatorIndex(at)).dtype;
    run(program, &input(), |index, output| {
        if index == at {
            shift(dtype, output, e, delta);
        }
    })
}

/// Lies at the first, a middle or the last element of every operator.
pub fn lies(program: &Program) -> Vec<(u32, Trace)> {
    let out = visible_lies(program);
    let operators: BTreeSet<u32> = out.iter().map(|(index, _)| *index).collect();
    assert_eq!(operators.len(), program.operators().len(), "a lie at every operator");
    out
}

/// Those lies of them that show under the trace root.
pub fn visible_lies(program: &Program) -> Vec<(u32, Trace)> {
    let own = truth(program);
    let mut out = Vec::new();
    for (index, op) in program.operators().iter().enumerate() {
        let last = op.elements() as usize - 1;
        for e in BTreeSet::from([0, last / 2, last]) {
            let mut traces = [1, 90, 20_000]
                .into_iter()
                .filter(|delta| *delta <= op.dtype.max())
                .map(|delta| doctored(program, index as u32, e, delta));
            out.extend(traces.find(|trace| trace.root() != own.root()).map(|trace| (index as u32, trace)));
        }
    }
    out
}

/// A mirror of the chain with one claim on it.
#[derive(Clone)]
pub struct World {
    pub game: Game,
    pub program: Program,
    pub posted: Posted,
    pub job: JobId,
    pub claim: ClaimId,
    pub now: u64,
    pub history: Vec<Entry>,
}

impl World {
    /// A chain with the program registered, a job posted, and `claimed` claimed.
    pub fn new(program: &Program, claimed: &Trace) -> Self {
        Self::claiming(program, claimed.root().0, claimed.output(), claimed.output_path())
    }

    /// The same for a trace root that no trace has.
    pub fn claiming(program: &Program, root: Digest, output: &[u8], path: Vec<Digest>) -> Self {
        let game = Game::new(CHAIN, GAME, parameters()).expect("good parameters");
        let nobody = Posted {
            job: JobId::default(),
            executor: executor(),
            trace_root: narrows_commitment::TraceRoot(root),
            output_root: narrows_commitment::TensorRoot(narrows_commitment::Tree::of_bytes(output).root()),
        };
        let mut world = Self {
            game,
            program: program.clone(),
            posted: nobody,
            job: JobId::default(),
            claim: ClaimId::default(),
            now: 1_000,
            history: Vec::new(),
        };
        let register =
            Call::Register { header: program.header_bytes().to_vec(), layers_root: program.layers_root() };
        world.send(REQUESTER, NOTHING, &register).expect("registers");
        let post = Call::PostJob {
            program: program.root(),
            input: input(),
            salt: SALT,
            deadline: BlockTime(100_000),
        };
        let events = world.send(REQUESTER, FEE, &post).expect("posts a job");
        let [Event::JobPosted { job, .. }] = events[..] else { panic!("no job") };
        world.job = job;
        world.posted.job = job;
        (world.posted, world.claim) = world.claim_by(executor(), output, path);
        world
    }

    /// Commits to and posts a claim of the world's trace root by `account`.
    pub fn claim_by(&mut self, account: Account, output: &[u8], path: Vec<Digest>) -> (Posted, ClaimId) {
        let posted = Posted { executor: account, ..self.posted };
        let registered = *self.game.program(self.program.root()).expect("registered");
        let fee = registered.claim_fee(&parameters()).expect("small");
        let stake = Wei(parameters().executor_bond.0 + fee.0);
        let commitment = ids::claim_commitment(SALT, &posted);
        let commit = Call::CommitClaim { job: self.job, commitment };
        let events = self.send(account, stake, &commit).expect("commits");
        let Some(Event::ClaimCommitted { number, committed_at, .. }) = events.first().cloned() else {
            panic!("no commitment")
        };
        self.now += 1;
        let post = Call::PostClaim {
            job: self.job,
            number,
            committed_at,
            salt: SALT,
            trace_root: posted.trace_root,
            output: output.to_vec(),
            path,
        };
        let events = self.send(account, NOTHING, &post).expect("posts a claim");
        let Some(Event::ClaimPosted { claim, .. }) = events.first() else { panic!("no claim") };
        (posted, *claim)
    }

    pub fn bond(&self) -> Wei {
        self.game.program(self.program.root()).expect("registered").bond(&parameters()).expect("small")
    }

    /// Sends a call now; keeps it in the history if it stands; a refusal must change nothing.
    pub fn send(&mut self, sender: Account, value: Wei, call: &Call) -> Result<Vec<Event>, Refusal> {
        let before = self.game.clone();
        let block = Block { time: BlockTime(self.now), base_fee: BASE_FEE };
        let result = self.game.apply(block, sender, value, call);
        match &result {
            Err(_) => assert!(self.game == before, "a refused call changed something"),
            Ok(events) => self.history.push(Entry {
                block,
                sender,
                value,
                gas_used: Some(21_000 + self.history.len() as u64),
                call: call.clone(),
                events: events.clone(),
            }),
        }
        result
    }

    /// Opens a match and follows it.
    pub fn open(&mut self, commitment: Digest) -> Follower {
        let (bond, posted, at) = (self.bond(), self.posted, BlockTime(self.now));
        let events = self.send(CHALLENGER, bond, &Call::Open { posted, commitment }).expect("opens");
        Follower::new(&self.program, &parameters(), at, posted, &events[0]).expect("a match")
    }

    pub fn state(&self, id: MatchId) -> MatchState {
        self.game.match_of(id).expect("the match exists").state
    }

    /// Plays a match to its end. A side that says nothing is timed out by a stranger. At every step the follower's state must be
    /// the chain's. Gives the phases gone through, the calls, and the disputed operator.
    pub fn play(
        &mut self,
        follower: &mut Follower,
        executor_moves: &mut dyn FnMut(&Follower) -> Option<Call>,
        challenger_moves: &mut dyn FnMut(&Follower) -> Option<Call>,
    ) -> Played {
        let mut played = Played::default();
        for step in 0..60 {
            let state = self.state(follower.id());
            assert!(!follower.is_lost(), "lost in {:?}", state.phase);
            played.phases.push(state.phase);
            let Some(side) = state.phase.turn() else {
                assert!(follower.conclude(BlockTime(self.now), state.hash()), "the end in {state:?}");
                assert_eq!(*follower.state(), state);
                return played;
            };
            assert_eq!(*follower.state(), state);
            played.operator = follower.operator().or(played.operator);
            // Within the grace and beyond it, so that both clocks are charged now and then.
            self.now += [2, 7, 1, 8, 5, 6][step % 6];
            let early = if side == Side::Executor { challenger_moves(follower) } else { None };
            let answer = match (side, early) {
                (_, Some(call)) => Some((CHALLENGER, call)),
                (Side::Executor, None) => executor_moves(follower).map(|call| (executor(), call)),
                (Side::Challenger, None) => challenger_moves(follower).map(|call| (CHALLENGER, call)),
            };
            let (sender, call) = answer.unwrap_or_else(|| {
                self.now = state.deadline(&parameters()).expect("open").0;
                (STRANGER, follower.timeout())
            });
            let result = self.send(sender, NOTHING, &call);
            let events =
                result.unwrap_or_else(|refusal| panic!("{} in {:?}: {refusal}", call.name(), state.phase));
            events.iter().for_each(|event| follower.observe(&self.program, event));
            played.calls.push(call.name());
        }
        panic!("the match outlasts its bound");
    }

    /// The executor answering from `claimed` against a challenger with `own` that chooses by `choice`.
    pub fn dispute(&mut self, claimed: &Trace, own: &Trace, choice: impl Choice) -> Played {
        let program = self.program.clone();
        let answering = Executor { program: &program, trace: claimed };
        let mut challenging = Challenger { program: &program, trace: own, choice };
        let mut follower = self.open(SALT);
        self.play(&mut follower, &mut |f| answering.respond(f), &mut |f| challenging.respond(f))
    }

    pub fn honest_dispute(&mut self, claimed: &Trace, own: &Trace) -> Played {
        self.dispute(claimed, own, FirstDifference)
    }
}

/// How a match went.
#[derive(Debug, Default)]
pub struct Played {
    pub phases: Vec<Phase>,
    pub calls: Vec<&'static str>,
    pub operator: Option<OperatorIndex>,
}

impl Played {
    pub fn end(&self) -> Phase {
        self.phases[self.phases.len() - 1]
    }

    pub fn last(&self) -> &'static str {
        self.calls[self.calls.len() - 1]
    }
}
