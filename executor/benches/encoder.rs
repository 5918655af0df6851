//! The native engine on a transformer encoder's operators, by kernel of this CPU: `engine::operator/shape/kernel`. Activations
//! have 16 bits, weights 8, the residual stream 32; 128 tokens of width 384, 12 heads.
//!
//!     cargo bench --workspace --bench encoder
//!
//! NARROWS_BENCH_WRITE=encoder.narrows writes the whole encoder's program, which the bench `whole` takes apart.

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use narrows_executor::engine::{Engine, Kernel};
use narrows_program::{
    Constant, ConstantIndex, DType, Finalise, Fold, IndexMap, Meta, Operand, Operator, OperatorIndex, Params,
    Program, ProgramParts, Source, TensorType, Window, record,
};

const TOKENS: u32 = 128;
const WIDTH: u32 = 384;
const HEADS: u32 = 12;
const HEAD: u32 = WIDTH / HEADS;
const INNER: u32 = 4 * WIDTH;
const LAYERS: usize = 6;
const EXPONENTIALS: u32 = 1 << 14;

/// Steps in an operand: for o0 … o3, and for t2.
fn map(base: u32, out: [u32; 4], term: u32) -> IndexMap {
    IndexMap { base, out, red: [0, 0, term] }
}

struct Builder(ProgramParts);

impl Builder {
    fn new(dtype: DType, elements: u32) -> Self {
        Self(ProgramParts {
            input: TensorType { dtype, elements: elements.into() },
            operators: vec![],
            groups: vec![],
            constants: vec![],
            reveal_bits: 4,
            meta: Meta::default(),
        })
    }

    fn constant(&mut self, dtype: DType, bytes: Vec<u8>) -> ConstantIndex {
        self.0.constants.push(Constant { dtype, bytes });
        ConstantIndex(self.0.constants.len() as u32 - 1)
    }

    /// Weights shaped like a bell, as trained ones are.
    fn weights(&mut self, elements: u32) -> Source {
        let mut state = elements;
        let byte = |state: &mut u32| {
            *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let parts = state.to_be_bytes().map(|part| i32::from(part.cast_signed()));
            (parts.iter().sum::<i32>() / 4) as u8
        };
        Source::Constant(self.constant(DType::I8, (0..elements).map(|_| byte(&mut state)).collect()))
    }

    /// A table that falls from `first` to 0.
    fn table(&mut self, entries: u32, first: u32) -> Finalise {
        let entry = |i: u32| (u64::from(first) * u64::from(entries - 1 - i) / u64::from(entries - 1)) as i16;
        let bytes = (0..entries).flat_map(|i| entry(i).to_le_bytes()).collect();
        Finalise::Table(self.constant(DType::I16, bytes))
    }

    fn operand(&self, source: Source, map: IndexMap) -> Operand {
        let dtype = match source {
            Source::Input => self.0.input.dtype,
            Source::Constant(index) => self.0.constants[index.0 as usize].dtype,
            Source::Operator(index) => self.0.operators[index.0 as usize].dtype,
        };
        Operand { source, dtype, map }
    }

    /// An operator of `terms` terms; its records, one for each of `records` elements along o3, are (0, m, s).
    fn push(
        &mut self,
        (fold, dtype): (Fold, DType),
        (out, terms): ([u32; 4], u32),
        a: (Source, IndexMap),
        b: Option<(Source, IndexMap)>,
        finalise: Finalise,
        (records, m, s): (u32, u32, u8),
    ) -> Source {
        let a = self.operand(a.0, a.1);
        let list = (0..records).flat_map(|_| record::encode(0, m, s)).collect();
        self.0.operators.push(Operator {
            fold,
            dtype,
            out,
            red: [1, 1, terms],
            a,
            windows: [Window::default(); 2],
            pad: if fold == Fold::Max { a.dtype.min() as i32 } else { 0 },
            b: b.map(|(source, map)| self.operand(source, map)),
            scale_a: i32::from(fold == Fold::Pair),
            scale_b: i32::from(fold == Fold::Pair),
            finalise,
            params: Params { constant: ConstantIndex(0), out: [0, 0, 0, u32::from(records > 1)] },
            lo: dtype.min() as i32,
            hi: dtype.max() as i32,
            split: 4096,
        });
        let constant = self.constant(DType::Params, list);
        let op = self.newest();
        op.params.constant = constant;
        Source::Operator(OperatorIndex(self.0.operators.len() as u32 - 1))
    }

    fn newest(&mut self) -> &mut Operator {
        self.0.operators.last_mut().expect("an operator")
    }

    fn clip(&mut self, lo: i32, hi: i32) {
        let op = self.newest();
        (op.lo, op.hi) = (lo, hi);
    }

    fn linear(&mut self, x: Source, inputs: u32, outputs: u32, dtype: DType, gelu: bool) -> Source {
        let b = (self.weights(inputs * outputs), map(0, [0, 0, 0, inputs], 1));
        let a = (x, map(0, [0, 0, inputs, 0], 1));
        let end = if gelu { self.table(1 << 16, 32000) } else { Finalise::Requantise };
        let records = (outputs, 1 << 18, if dtype == DType::I32 { 20 } else { 28 });
        self.push((Fold::Dot, dtype), ([1, 1, TOKENS, outputs], inputs), a, Some(b), end, records)
    }

    fn scores(&mut self, (q, q_base): (Source, u32), (k, k_base): (Source, u32)) -> Source {
        let a = (q, map(q_base, [0, HEAD, WIDTH, 0], 1));
        let b = (k, map(k_base, [0, HEAD, 0, WIDTH], 1));
        let shape = ([1, HEADS, TOKENS, TOKENS], HEAD);
        self.push((Fold::Dot, DType::I32), shape, a, Some(b), Finalise::Requantise, (1, 1 << 18, 30))
    }

    /// Exponentials of the scores' distances from their rows' greatest, and the rows' sums.
    fn softmax(&mut self, scores: Source) -> (Source, Source) {
        let rows = ([1, 1, HEADS * TOKENS, 1], TOKENS);
        let row = |source| (source, map(0, [0, 0, TOKENS, 0], 1));
        let plain = Finalise::Requantise;
        let top = self.push((Fold::Max, DType::I32), rows, row(scores), None, plain, (1, 2, 1));
        let (a, b) = ((top, map(0, [0, 0, 1, 0], 0)), (scores, map(0, [0, 0, TOKENS, 1], 0)));
        let table = self.table(EXPONENTIALS, 4095);
        let shape = ([1, 1, HEADS * TOKENS, TOKENS], 1);
        let e = self.push((Fold::Pair, DType::I16), shape, a, Some(b), table, (1, 2, 1));
        self.newest().scale_b = -1;
        self.clip(0, EXPONENTIALS as i32 - 1);
        let z = self.push((Fold::Sum, DType::I32), rows, row(e), None, plain, (1, 2, 1));
        self.clip(1, i32::MAX);
        (e, z)
    }

    /// The values' mean by these weights, divided by their sums if there are some.
    fn values(
        &mut self,
        (e, e_base): (Source, u32),
        z: Option<Source>,
        (v, v_base): (Source, u32),
    ) -> Source {
        let a = (e, map(e_base, [0, TOKENS, TOKENS * TOKENS, 0], 1));
        let b = (v, map(v_base, [0, 0, HEAD, 1], WIDTH));
        let by = |z| self.operand(z, map(0, [0, 1, TOKENS, 0], 0));
        let end = z.map_or(Finalise::Requantise, |z| Finalise::Divide { by: by(z), lift: 8 });
        let shape = ([1, TOKENS, HEADS, HEAD], TOKENS);
        self.push((Fold::Dot, DType::I16), shape, a, Some(b), end, (1, 1 << 14, 22))
    }

    fn add(&mut self, a: Source, b: Source) -> Source {
        let each = map(0, [0, 0, WIDTH, 1], 0);
        let shape = ([1, 1, TOKENS, WIDTH], 1);
        self.push(
            (Fold::Pair, DType::I32),
            shape,
            (a, each),
            Some((b, each)),
            Finalise::Requantise,
            (1, 2, 1),
        )
    }

    fn norm(&mut self, x: Source) -> Source {
        let rows = ([1, 1, TOKENS, 1], WIDTH);
        let (row, one) = (map(0, [0, 0, WIDTH, 0], 1), map(0, [0, 0, 1, 0], 0));
        let (each, shape) = (map(0, [0, 0, WIDTH, 1], 0), ([1, 1, TOKENS, WIDTH], 1));
        let plain = Finalise::Requantise;
        let mean = self.push((Fold::Sum, DType::I32), rows, (x, row), None, plain, (1, 1 << 10, 18));
        let c = self.push((Fold::Pair, DType::I16), shape, (x, each), Some((mean, one)), plain, (1, 2, 3));
        self.newest().scale_b = -1;
        let root =
            self.push((Fold::Dot, DType::I32), rows, (c, row), Some((c, row)), Finalise::Root, (1, 2, 1));
        self.clip(1, i32::MAX);
        let gamma = Source::Constant(self.constant(DType::I16, vec![17; 2 * WIDTH as usize]));
        let by = self.operand(root, one);
        let gamma = (gamma, map(0, [0, 0, 0, 1], 0));
        let end = Finalise::Divide { by, lift: 12 };
        self.push((Fold::Dot, DType::I16), shape, (c, each), Some(gamma), end, (WIDTH, 1 << 14, 20))
    }

    fn block(&mut self, x: Source) -> Source {
        let [q, k, v] = [(); 3].map(|()| self.linear(x, WIDTH, WIDTH, DType::I16, false));
        let scores = self.scores((q, 0), (k, 0));
        let (e, z) = self.softmax(scores);
        let mixed = self.values((e, 0), Some(z), (v, 0));
        let mixed = self.linear(mixed, WIDTH, WIDTH, DType::I32, false);
        let sum = self.add(x, mixed);
        let x = self.norm(sum);
        let inner = self.linear(x, WIDTH, INNER, DType::I16, true);
        let outer = self.linear(inner, INNER, WIDTH, DType::I32, false);
        let sum = self.add(x, outer);
        self.norm(sum)
    }

    fn program(mut self) -> Program {
        self.0.groups = vec![1; self.0.operators.len()];
        Program::new(self.0).expect("legal")
    }

    fn bench(self, criterion: &mut Criterion, name: &str) {
        let program = self.program();
        let input: Vec<u8> = (0..program.header().input.bytes())
            .map(|i| ((i as u32).wrapping_mul(2_654_435_761) >> if i % 2 == 0 { 24 } else { 28 }) as u8)
            .collect();
        let terms = program.operators().iter().map(|op| op.elements() * op.terms()).sum();
        let (group, name) = name.split_once('/').expect("group/name");
        let mut group = criterion.benchmark_group(format!("engine::{group}"));
        group.throughput(Throughput::Elements(terms)).measurement_time(Duration::from_secs(2));
        for kernel in Kernel::available() {
            let engine = Engine::with(&program, kernel);
            let mut workspace = engine.workspace([]).expect("memory");
            group.bench_function(BenchmarkId::new(name, kernel.name()), |bencher| {
                bencher.iter(|| engine.run_in(&mut workspace, &input).expect("the input fits"));
            });
        }
        group.finish();
    }
}

fn parts(criterion: &mut Criterion) {
    let image = TOKENS * WIDTH;
    let mut linear = Builder::new(DType::I16, image);
    linear.linear(Source::Input, WIDTH, INNER, DType::I16, false);
    linear.bench(criterion, "linear/i16xi8_128x384x1536");
    let mut gelu = Builder::new(DType::I16, image);
    gelu.linear(Source::Input, WIDTH, INNER, DType::I16, true);
    gelu.bench(criterion, "linear/gelu_i16xi8_128x384x1536");
    let mut heads = Builder::new(DType::I16, 2 * image);
    heads.scores((Source::Input, 0), (Source::Input, image));
    heads.bench(criterion, "heads/scores_i16xi16_12x128x32x128");
    let mut heads = Builder::new(DType::I16, HEADS * TOKENS * TOKENS + image);
    heads.values((Source::Input, 0), None, (Source::Input, HEADS * TOKENS * TOKENS));
    heads.bench(criterion, "heads/values_i16xi16_12x128x128x32");
    let mut softmax = Builder::new(DType::I32, HEADS * TOKENS * TOKENS);
    softmax.softmax(Source::Input);
    softmax.bench(criterion, "softmax/rows_1536x128");
    let mut table = Builder::new(DType::I16, TOKENS * INNER);
    let end = table.table(1 << 16, 32000);
    let shape = ([1, 1, 1, TOKENS * INNER], 1);
    let each = (Source::Input, map(0, [0, 0, 0, 1], 0));
    table.push((Fold::Sum, DType::I16), shape, each, None, end, (1, 2, 1));
    table.bench(criterion, "table/i16_196608");
    let mut norm = Builder::new(DType::I32, image);
    norm.norm(Source::Input);
    norm.bench(criterion, "norm/rows_128x384");
}

fn whole(criterion: &mut Criterion) {
    let build = || {
        let mut encoder = Builder::new(DType::I16, TOKENS * WIDTH);
        (0..LAYERS).fold(Source::Input, |x, _| encoder.block(x));
        encoder
    };
    if let Ok(path) = std::env::var("NARROWS_BENCH_WRITE") {
        std::fs::write(path, build().program().encode()).expect("NARROWS_BENCH_WRITE names a file");
    }
    build().bench(criterion, "program/encoder_6x384");
}

criterion_group!(benches, parts, whole);
criterion_main!(benches);
