//! Every way in which the native engine runs an operator, by kernel of this CPU: `engine::way/shape/kernel`. A case says which
//! way it is for, and the bench stops if the plan chooses another. Criterion's elements are terms.
//!
//!     cargo bench --release --workspace --bench ways
//!
//! | way | code | shapes |
//! |---|---|---|
//! | gemm | `engine/gemm`, tiles of `engine/arch` | constant weights of 8 bits by 8 and 16; two activations of 16 bits |
//! | rows | `engine/rows`, `engine/kernel` | 32 bits by 8; one row by many, as in attention over a cache |
//! | lanes | `engine/lanes` | depthwise windows, maxima, sums of two tensors, tables, gathered rows |
//! | reduce | `engine/reduce` | sums, maxima and places of maxima of rows; dot products of rows, squares |

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use narrows_executor::engine::{Engine, Kernel};
use narrows_program::{
    Constant, ConstantIndex, DType, Finalise, Fold, IndexMap, Meta, Operand, Operator, OperatorIndex, Params,
    Program, ProgramParts, Source, TensorType, Window, record,
};

/// An operator of one program: operand a is the input, operand b a constant or the input's end.
struct Case {
    fold: Fold,
    out: [u32; 4],
    red: [u32; 3],
    a: (DType, u32, IndexMap),
    windows: [Window; 2],
    /// Type, elements and map; whether it is a constant.
    b: Option<(DType, u32, IndexMap, bool)>,
    dtype: DType,
    table: bool,
}

/// Steps for o0 … o3 and t0 … t2.
fn map(out: [u32; 4], red: [u32; 3]) -> IndexMap {
    IndexMap { base: 0, out, red }
}

fn noise(dtype: DType, elements: u32) -> Vec<u8> {
    (0..elements * dtype.bytes() as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

impl Case {
    /// Rows of a by columns of b.
    fn product(a: DType, b: DType, [rows, terms, columns]: [u32; 3], constant: bool) -> Self {
        Self {
            fold: Fold::Dot,
            out: [1, 1, rows, columns],
            red: [1, 1, terms],
            a: (a, rows * terms, map([0, 0, terms, 0], [0, 0, 1])),
            windows: [Window::default(); 2],
            b: Some((b, columns * terms, map([0, 0, 0, terms], [0, 0, 1]), constant)),
            dtype: DType::I8,
            table: false,
        }
    }

    /// A fold of each of `rows` rows of `terms`.
    fn rows(fold: Fold, a: DType, [rows, terms]: [u32; 2]) -> Self {
        let own = map([0, 0, 0, terms], [0, 0, 1]);
        Self {
            fold,
            out: [1, 1, 1, rows],
            red: [1, 1, terms],
            a: (a, rows * terms, own),
            windows: [Window::default(); 2],
            b: None,
            dtype: DType::I32,
            table: false,
        }
    }

    /// One element for each of `elements`.
    fn each(fold: Fold, a: DType, elements: u32) -> Self {
        let mut case = Self::rows(fold, a, [elements, 1]);
        case.a.2 = map([0, 0, 0, 1], [0; 3]);
        case
    }

    fn with_b(mut self, dtype: DType, elements: u32, map: IndexMap, constant: bool) -> Self {
        self.b = Some((dtype, elements, map, constant));
        self
    }

    /// Windows of 3 by 3, with "same" padding, over an image.
    fn windowed(fold: Fold, [height, width, channels]: [u32; 3]) -> Self {
        let window = |limit, stride| Window { limit, stride, out_step: 1, red_step: 1, offset: 1 };
        let mut case = Self::rows(fold, DType::I8, [1, 1]);
        case.out = [height, width, 1, channels];
        case.red = [3, 3, 1];
        case.a = (DType::I8, height * width * channels, map([0, 0, 0, 1], [0; 3]));
        case.windows = [window(height, width * channels), window(width, channels)];
        case.dtype = DType::I8;
        case
    }

    fn program(&self) -> Program {
        let mut constants =
            vec![Constant { dtype: DType::Params, bytes: record::encode(0, 1 << 8, 30).to_vec() }];
        let mut constant = |dtype, bytes| {
            constants.push(Constant { dtype, bytes });
            ConstantIndex(constants.len() as u32 - 1)
        };
        let (dtype, mut elements) = (self.a.0, self.a.1);
        let b = self.b.map(|(dtype, count, mut map, own)| {
            let source =
                if own { Source::Constant(constant(dtype, noise(dtype, count))) } else { Source::Input };
            if !own {
                map.base = elements;
                elements += count;
            }
            Operand { source, dtype, map }
        });
        let finalise = match self.table {
            true => Finalise::Table(constant(self.dtype, noise(self.dtype, 1 << 16))),
            false => Finalise::Requantise,
        };
        let clip = if self.table { DType::I16 } else { self.dtype };
        let operator = Operator {
            fold: self.fold,
            dtype: self.dtype,
            out: self.out,
            red: self.red,
            a: Operand { source: Source::Input, dtype, map: self.a.2 },
            windows: self.windows,
            pad: if self.fold == Fold::Max { dtype.min() as i32 } else { 0 },
            b,
            scale_a: i32::from(self.fold == Fold::Pair),
            scale_b: i32::from(self.fold == Fold::Pair),
            finalise,
            params: Params { constant: ConstantIndex(0), out: [0; 4] },
            lo: clip.min() as i32,
            hi: clip.max() as i32,
            split: 1024,
        };
        let operator = match self.fold {
            // A row's elements, and how many rows.
            Fold::Gather => Operator { scale_a: self.out[3] as i32, scale_b: 256, ..operator },
            _ => operator,
        };
        let parts = ProgramParts {
            input: TensorType { dtype, elements: elements.into() },
            operators: vec![operator],
            groups: vec![1],
            constants,
            reveal_bits: 4,
            meta: Meta::default(),
        };
        Program::new(parts).expect("legal")
    }

    /// `way`: the way it must run in with every kernel that has tiles.
    fn bench(self, criterion: &mut Criterion, way: &str, shape: &str) {
        let program = self.program();
        let input = noise(program.header().input.dtype, program.header().input.elements as u32);
        let mut group = criterion.benchmark_group(format!("engine::{way}"));
        group.throughput(Throughput::Elements(program.header().work));
        for kernel in Kernel::available() {
            let engine = Engine::with(&program, kernel);
            let mut workspace = engine.workspace([]).expect("memory");
            let timings = engine.time_in(&mut workspace, &input).expect("the input fits");
            // The portable kernel has no tiles: its products run by rows.
            if kernel != Kernel::Portable {
                assert_eq!(timings[0].way, way, "{shape} with {} at {}", kernel.name(), OperatorIndex(0));
            }
            group.bench_function(BenchmarkId::new(shape, kernel.name()), |bencher| {
                bencher.iter(|| engine.run_in(&mut workspace, &input).expect("the input fits"));
            });
        }
        group.finish();
    }
}

fn gemm(criterion: &mut Criterion) {
    use DType::{I8, I16};
    Case::product(I8, I8, [256, 256, 256], true).bench(criterion, "gemm", "i8xi8_256x256x256");
    Case::product(I8, I8, [1, 1024, 1024], true).bench(criterion, "gemm", "i8xi8_1x1024x1024");
    Case::product(I16, I8, [128, 384, 384], true).bench(criterion, "gemm", "i16xi8_128x384x384");
    Case::product(I16, I16, [128, 32, 128], false).bench(criterion, "gemm", "i16xi16_live_128x32x128");
}

fn rows(criterion: &mut Criterion) {
    use DType::{I8, I16, I32};
    Case::product(I32, I8, [64, 256, 256], true).bench(criterion, "rows", "i32xi8_64x256x256");
    Case::product(I16, I16, [1, 64, 512], false).bench(criterion, "rows", "i16xi16_live_1x64x512");
}

fn lanes(criterion: &mut Criterion) {
    use DType::{I8, I16, I32};
    const COUNT: u32 = 1 << 16;
    let each = map([0, 0, 0, 1], [0; 3]);
    let depthwise = map([0, 0, 0, 1], [3 * 64, 64, 0]);
    Case::windowed(Fold::Dot, [28, 28, 64]).with_b(I8, 9 * 64, depthwise, true).bench(
        criterion,
        "lanes",
        "dot_depthwise3x3_28x28x64",
    );
    Case::windowed(Fold::Max, [28, 28, 64]).bench(criterion, "lanes", "max3x3_28x28x64");
    Case::windowed(Fold::Sum, [28, 28, 64]).bench(criterion, "lanes", "sum3x3_28x28x64");
    for (dtype, name) in [(I8, "pair_i8_65536"), (I16, "pair_i16_65536"), (I32, "pair_i32_65536")] {
        let mut case = Case::each(Fold::Pair, dtype, COUNT).with_b(dtype, COUNT, each, false);
        case.dtype = dtype;
        case.bench(criterion, "lanes", name);
    }
    let mut table = Case::each(Fold::Sum, I16, COUNT);
    (table.dtype, table.table) = (I16, true);
    table.bench(criterion, "lanes", "table_i16_65536");
    let mut gather = Case::each(Fold::Gather, I16, 384).with_b(I8, 256 * 384, each, true);
    gather.out = [1, 1, 128, 384];
    gather.a = (I16, 128, map([0, 0, 1, 0], [0; 3]));
    gather.dtype = I8;
    gather.bench(criterion, "lanes", "gather_128x384");
}

fn reduce(criterion: &mut Criterion) {
    use DType::{I16, I32};
    Case::rows(Fold::Sum, I32, [128, 384]).bench(criterion, "reduce", "sum_i32_128x384");
    Case::rows(Fold::Max, I32, [1536, 128]).bench(criterion, "reduce", "max_i32_1536x128");
    Case::rows(Fold::ArgMax, I16, [16, 32_768]).bench(criterion, "reduce", "argmax_i16_16x32768");
    let own = map([0, 0, 0, 384], [0, 0, 1]);
    Case::rows(Fold::Dot, I16, [128, 384]).with_b(I16, 128 * 384, own, false).bench(
        criterion,
        "reduce",
        "dot_i16_128x384",
    );
}

criterion_group!(benches, gemm, rows, lanes, reduce);
criterion_main!(benches);
