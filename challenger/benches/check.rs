//! How fast each backend re-runs operators. Criterion's elements are multiply-accumulates: "Gelem/s" reads as GMAC/s.
//!
//!     cargo bench -p narrows-challenger --bench check

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use narrows_challenger::engine::{Backend, BurnEngine};
use narrows_program::{
    Constant, ConstantIndex, DType, Finalise, Fold, IndexMap, Meta, Operand, Operator, OperatorIndex, Params,
    Program, ProgramParts, Source, TensorType, Window, record,
};

/// A program under construction: images of one type, channels last.
struct Builder {
    parts: ProgramParts,
    dtype: DType,
    /// Height, width and channels of the newest image.
    image: [u32; 3],
}

impl Builder {
    fn new(dtype: DType, image: [u32; 3]) -> Self {
        let records = Constant { dtype: DType::Params, bytes: record::encode(1000, 1 << 12, 24).to_vec() };
        let parts = ProgramParts {
            input: TensorType { dtype, elements: image.iter().map(|d| u64::from(*d)).product() },
            operators: vec![],
            groups: vec![],
            constants: vec![records],
            reveal_bits: 4,
            meta: Meta::default(),
        };
        Self { parts, dtype, image }
    }

    fn operator(
        mut self,
        fold: Fold,
        out: [u32; 4],
        red: [u32; 3],
        a: IndexMap,
        weights: Option<IndexMap>,
    ) -> Self {
        let terms: u32 = red.iter().product();
        let b = weights.map(|map| {
            // One set of weights for each step of the outermost weighted axis.
            let count =
                (0..4).filter(|axis| map.out[*axis] > 0).map(|axis| out[axis]).product::<u32>() * terms;
            let bytes = (0..count).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
            self.parts.constants.push(Constant { dtype: DType::I8, bytes });
            let source = Source::Constant(ConstantIndex(self.parts.constants.len() as u32 - 1));
            Operand { source, dtype: DType::I8, map }
        });
        let source = match self.parts.operators.len() as u32 {
            0 => Source::Input,
            operators => Source::Operator(OperatorIndex(operators - 1)),
        };
        let (lo, hi) = (self.dtype.min() as i32, self.dtype.max() as i32);
        self.parts.operators.push(Operator {
            fold,
            dtype: self.dtype,
            out,
            red,
            a: Operand { source, dtype: self.dtype, map: a },
            windows: [Window::default(); 2],
            pad: if fold == Fold::Max { lo } else { 0 },
            b,
            scale_a: 0,
            scale_b: 0,
            finalise: Finalise::Requantise,
            params: Params { constant: ConstantIndex(0), out: [0; 4] },
            lo,
            hi,
            split: 4096,
        });
        self
    }

    /// Gives the newest operator windows of this many steps over the image, with "same" padding.
    fn windows(mut self, kernel: u32, stride: u32) -> Self {
        let [height, width, channels] = self.image;
        let (out_step, offset) = (stride as u16, (kernel / 2) as u16);
        let window = |limit, stride| Window { limit, stride, out_step, red_step: 1, offset };
        let op = self.parts.operators.last_mut().expect("an operator");
        op.windows = [window(height, width * channels), window(width, channels)];
        self.image = [op.out[0], op.out[1], op.out[2] * op.out[3]];
        self
    }

    fn conv(self, kernel: u32, filters: u32) -> Self {
        let [height, width, channels] = self.image;
        let red = [kernel * channels, channels, 1];
        let b = IndexMap { base: 0, out: [0, 0, 0, kernel * kernel * channels], red };
        let a = IndexMap { red: [0, 0, 1], ..IndexMap::default() };
        let out = [height, width, 1, filters];
        self.operator(Fold::Dot, out, [kernel, kernel, channels], a, Some(b)).windows(kernel, 1)
    }

    fn depthwise(self, kernel: u32) -> Self {
        let [height, width, channels] = self.image;
        let b = IndexMap { base: 0, out: [0, 0, kernel * kernel, 0], red: [kernel, 1, 0] };
        let a = IndexMap { out: [0, 0, 1, 0], ..IndexMap::default() };
        let out = [height, width, channels, 1];
        self.operator(Fold::Dot, out, [kernel, kernel, 1], a, Some(b)).windows(kernel, 1)
    }

    fn pool(self) -> Self {
        let [height, width, channels] = self.image;
        let a = IndexMap { out: [0, 0, 0, 1], ..IndexMap::default() };
        self.operator(Fold::Max, [height / 2, width / 2, 1, channels], [2, 2, 1], a, None).windows(2, 2)
    }

    /// The image's rows as one matrix times weights: `outputs` of them for each of its height x width vectors.
    fn linear(self, outputs: u32) -> Self {
        let [height, width, channels] = self.image;
        let rows = height * width;
        let b = IndexMap { base: 0, out: [0, 0, 0, channels], red: [0, 0, 1] };
        let a = IndexMap { base: 0, out: [0, 0, channels, 0], red: [0, 0, 1] };
        let mut built = self.operator(Fold::Dot, [1, 1, rows, outputs], [1, 1, channels], a, Some(b));
        built.image = [1, rows, outputs];
        built
    }

    /// Every operator a layer.
    fn finished(mut self) -> ProgramParts {
        self.parts.groups = vec![1; self.parts.operators.len()];
        self.parts
    }

    fn flat(mut self) -> Self {
        self.image = [1, 1, self.image.iter().product()];
        self
    }
}

/// The programs that are measured.
pub(crate) fn cases() -> Vec<(&'static str, Program)> {
    let cases = [
        ("conv3x3 28x28x64 i8", Builder::new(DType::I8, [28, 28, 64]).conv(3, 64)),
        ("conv3x3 28x28x64 i16", Builder::new(DType::I16, [28, 28, 64]).conv(3, 64)),
        ("depthwise3x3 28x28x64 i8", Builder::new(DType::I8, [28, 28, 64]).depthwise(3)),
        ("maxpool2x2 28x28x64 i8", Builder::new(DType::I8, [28, 28, 64]).pool()),
        ("linear 1024 i8", Builder::new(DType::I8, [1, 1, 1024]).linear(1024)),
        ("linear 1024 x 128 rows i8", Builder::new(DType::I8, [1, 128, 1024]).linear(1024)),
        ("linear 1536 x 128 rows of 384 i16", Builder::new(DType::I16, [1, 128, 384]).linear(1536)),
        ("attention scores 12 x 128 x 128 x 32 i16", scores(12, 128, 32)),
        ("rows divided by roots 128 x 384 i32", norm(128, 384)),
        (
            "small network",
            Builder::new(DType::I8, [28, 28, 1]).conv(5, 8).pool().conv(5, 16).pool().flat().linear(10),
        ),
    ];
    cases.map(|(name, built)| (name, Program::new(built.finished()).expect("a legal program"))).into()
}

/// The products of every pair of rows in each head: the input stands for queries and keys.
fn scores(heads: u32, rows: u32, width: u32) -> Builder {
    let map = |out| IndexMap { base: 0, out, red: [0, 0, 1] };
    let (row, head) = (heads * width, width);
    let mut built = Builder::new(DType::I16, [rows, heads, width]);
    built = built.operator(Fold::Dot, [heads, rows, rows, 1], [1, 1, width], map([head, row, 0, 0]), None);
    let op = built.parts.operators.last_mut().expect("an operator");
    op.b = Some(Operand { map: map([head, 0, row, 0]), ..op.a });
    built
}

/// The root of each row's squares, then each element divided by it.
fn norm(rows: u32, width: u32) -> Builder {
    let map = |out, red| IndexMap { base: 0, out, red: [0, 0, red] };
    let mut built = Builder::new(DType::I16, [1, rows, width]);
    built = built.operator(Fold::Dot, [1, rows, 1, 1], [1, 1, width], map([0, width, 0, 0], 1), None);
    let root = built.parts.operators.last_mut().expect("an operator");
    (root.b, root.finalise, root.lo) = (Some(root.a), Finalise::Root, 1);
    let row = root.a;
    let by = Operand { source: Source::Operator(OperatorIndex(0)), map: map([0, 1, 0, 0], 0), ..row };
    built = built.operator(Fold::Sum, [1, rows, width, 1], [1; 3], map([0, width, 1, 0], 0), None);
    let divided = built.parts.operators.last_mut().expect("an operator");
    (divided.a.source, divided.finalise) = (row.source, Finalise::Divide { by, lift: 16 });
    built
}

fn check(c: &mut Criterion) {
    for backend in Backend::ALL {
        let mut group = c.benchmark_group(format!("check::{backend}"));
        for (name, program) in cases() {
            let engine = BurnEngine::new(&program, backend).expect("an exact backend");
            let input: Vec<u8> = (0..program.header().input.bytes()).map(|i| (i * 37 % 251) as u8).collect();
            let terms = program.operators().iter().map(|op| op.elements() * op.terms()).sum();
            group.throughput(Throughput::Elements(terms));
            group.bench_function(name, |b| b.iter(|| engine.run(&input).expect("the input fits")));
            if name == "small network" {
                let together = [&input[..]; 8];
                group.throughput(Throughput::Elements(8 * terms));
                group.bench_function("small network, 8 claims together", |b| {
                    b.iter(|| engine.run_all(&together).expect("the inputs fit"));
                });
            }
        }
        group.finish();
    }
}

criterion_group!(benches, check);
criterion_main!(benches);
