//! The native engine's throughput, by kernel of this CPU: `engine::operator/shape/kernel`. Criterion's elements are multiply-accumulates (terms), so "Gelem/s" reads as GMAC/s.
//!
//!     cargo bench -p narrows-executor --bench engine

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use narrows_executor::engine::{Engine, Kernel};
use narrows_program::{
    Constant, ConstantIndex, DType, Finalise, Fold, IndexMap, Meta, Operand, Operator, OperatorIndex, Params,
    Program, ProgramParts, Source, TensorType, Window, record,
};

/// A program under construction: images of 8 bits, channels last.
struct Builder {
    parts: ProgramParts,
    /// Height, width and channels of the newest image.
    image: [u32; 3],
}

impl Builder {
    fn new(image: [u32; 3]) -> Self {
        let input = TensorType { dtype: DType::I8, elements: image.iter().map(|d| u64::from(*d)).product() };
        let records = Constant { dtype: DType::Params, bytes: record::encode(1000, 3 << 20, 30).to_vec() };
        let parts = ProgramParts {
            input,
            operators: vec![],
            groups: vec![],
            constants: vec![records],
            reveal_bits: 4,
            meta: Meta::default(),
        };
        Self { parts, image }
    }

    fn newest(&self) -> Source {
        match self.parts.operators.len() as u32 {
            0 => Source::Input,
            operators => Source::Operator(OperatorIndex(operators - 1)),
        }
    }

    fn weights(&mut self, elements: u32) -> Source {
        let bytes = (0..elements).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        self.parts.constants.push(Constant { dtype: DType::I8, bytes });
        Source::Constant(ConstantIndex(self.parts.constants.len() as u32 - 1))
    }

    fn push(mut self, fold: Fold, out: [u32; 4], red: [u32; 3], a: IndexMap, b: Option<Operand>) -> Self {
        self.parts.operators.push(Operator {
            fold,
            dtype: DType::I8,
            out,
            red,
            a: Operand { source: self.newest(), dtype: DType::I8, map: a },
            windows: [Window::default(); 2],
            pad: if fold == Fold::Max { -128 } else { 0 },
            b,
            scale_a: i32::from(fold == Fold::Pair),
            scale_b: i32::from(fold == Fold::Pair),
            finalise: Finalise::Requantise,
            params: Params { constant: ConstantIndex(0), out: [0; 4] },
            lo: -128,
            hi: 127,
            split: 4096,
        });
        self
    }

    /// The newest operator's windows over the image, with "same" padding.
    fn windowed(mut self, kernel: u32, stride: u16) -> Self {
        let [height, width, channels] = self.image;
        let offset = (kernel / 2) as u16;
        let window = |limit, step| Window { limit, stride: step, out_step: stride, red_step: 1, offset };
        let op = self.parts.operators.last_mut().expect("an operator");
        op.windows = [window(height, width * channels), window(width, channels)];
        self.image = [op.out[0], op.out[1], op.out[2] * op.out[3]];
        self
    }

    fn conv(mut self, kernel: u32, stride: u32, filters: u32) -> Self {
        let [height, width, channels] = self.image;
        let terms = kernel * kernel * channels;
        let source = self.weights(terms * filters);
        let red = [kernel * channels, channels, 1];
        let b = Operand { source, dtype: DType::I8, map: IndexMap { base: 0, out: [0, 0, 0, terms], red } };
        let a = IndexMap { red: [0, 0, 1], ..IndexMap::default() };
        let out = [height.div_ceil(stride), width.div_ceil(stride), 1, filters];
        self.push(Fold::Dot, out, [kernel, kernel, channels], a, Some(b)).windowed(kernel, stride as u16)
    }

    fn depthwise(mut self, kernel: u32) -> Self {
        let [height, width, channels] = self.image;
        let source = self.weights(kernel * kernel * channels);
        let map = IndexMap { base: 0, out: [0, 0, kernel * kernel, 0], red: [kernel, 1, 0] };
        let a = IndexMap { out: [0, 0, 1, 0], ..IndexMap::default() };
        let b = Operand { source, dtype: DType::I8, map };
        self.push(Fold::Dot, [height, width, channels, 1], [kernel, kernel, 1], a, Some(b))
            .windowed(kernel, 1)
    }

    fn linear(mut self, outputs: u32) -> Self {
        let inputs = self.image.iter().product();
        let source = self.weights(inputs * outputs);
        let map = IndexMap { base: 0, out: [0, 0, 0, inputs], red: [0, 0, 1] };
        let a = IndexMap { red: [0, 0, 1], ..IndexMap::default() };
        let b = Operand { source, dtype: DType::I8, map };
        let mut built = self.push(Fold::Dot, [1, 1, 1, outputs], [1, 1, inputs], a, Some(b));
        built.image = [1, 1, outputs];
        built
    }

    fn pool(self, fold: Fold, kernel: u32, stride: u32) -> Self {
        let [height, width, channels] = self.image;
        let a = IndexMap { out: [0, 0, 0, 1], ..IndexMap::default() };
        let out = [height.div_ceil(stride), width.div_ceil(stride), 1, channels];
        self.push(fold, out, [kernel, kernel, 1], a, None).windowed(kernel, stride as u16)
    }

    /// The newest image plus the one before it.
    fn add(self) -> Self {
        let [height, width, channels] = self.image;
        let map = IndexMap { base: 0, out: [width * channels, channels, 0, 1], red: [0; 3] };
        let before = OperatorIndex(self.parts.operators.len() as u32 - 2);
        let b = Operand { source: Source::Operator(before), dtype: DType::I8, map };
        self.push(Fold::Pair, [height, width, 1, channels], [1; 3], map, Some(b))
    }

    fn bench(self, criterion: &mut Criterion, name: &str) {
        let program =
            Program::new(ProgramParts { groups: vec![1; self.parts.operators.len()], ..self.parts })
                .expect("legal");
        let input: Vec<u8> = (0..program.header().input.bytes()).map(|i| (i * 37 % 251) as u8).collect();
        let terms = program.operators().iter().map(|op| op.elements() * op.terms()).sum();
        let (group, name) = name.split_once('/').expect("group/name");
        let mut group = criterion.benchmark_group(format!("engine::{group}"));
        group.throughput(Throughput::Elements(terms));
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

fn dot(criterion: &mut Criterion) {
    Builder::new([8, 8, 32]).conv(3, 1, 32).bench(criterion, "dot/conv3x3_8x8x32");
    Builder::new([28, 28, 64]).conv(3, 1, 64).bench(criterion, "dot/conv3x3_28x28x64");
    Builder::new([28, 28, 64]).conv(1, 1, 64).bench(criterion, "dot/conv1x1_28x28x64");
    Builder::new([28, 28, 64]).depthwise(3).bench(criterion, "dot/depthwise3x3_28x28x64");
    Builder::new([1, 1, 1024]).linear(1024).bench(criterion, "dot/linear_1024x1024");
    Builder::new([14, 14, 256]).conv(1, 1, 1024).bench(criterion, "dot/conv1x1_14x14x256");
}

fn pool(criterion: &mut Criterion) {
    Builder::new([28, 28, 64]).pool(Fold::Max, 3, 2).bench(criterion, "pool/max3x3_28x28x64");
    Builder::new([28, 28, 64])
        .conv(1, 1, 64)
        .conv(1, 1, 64)
        .add()
        .bench(criterion, "pair/conv1x1_add_28x28x64");
    Builder::new([28, 28, 64]).pool(Fold::Sum, 3, 2).bench(criterion, "pool/sum3x3_28x28x64");
}

fn whole(criterion: &mut Criterion) {
    let stem = Builder::new([32, 32, 3]).conv(3, 1, 16).pool(Fold::Max, 3, 2);
    let block = stem.conv(3, 1, 16).add().conv(3, 2, 32).depthwise(3).conv(1, 1, 64).pool(Fold::Max, 3, 2);
    block.linear(10).bench(criterion, "program/small_cnn");
}

criterion_group!(benches, dot, pool, whole);
criterion_main!(benches);
