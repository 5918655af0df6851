//! Every kernel against the portable one, bit for bit, on random products and on small networks. A case is drawn from
//! a seed, which failures print.

use narrows_commitment::{TensorRoot, TensorTree};
use narrows_program::{
    Constant, ConstantIndex, Finalise, Fold, IndexMap, Meta, Operand, Operator, Params, ProgramParts, Source,
    TensorType, Window, record,
};
use proptest::prelude::*;

use super::*;

/// Numbers drawn from a seed.
pub(super) struct Draw(pub u64);

impl Draw {
    pub fn word(&mut self) -> u64 {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn upto(&mut self, most: u64) -> u64 {
        self.word() % (most + 1)
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.upto(from.len() as u64 - 1) as usize]
    }

    /// Bytes of a tensor: any values, or extremes, or the least value alone.
    pub fn bytes(&mut self, dtype: DType, elements: usize) -> Vec<u8> {
        let kind = self.upto(3);
        let (least, greatest) = (dtype.min(), dtype.max());
        let mut out = Vec::new();
        for _ in 0..elements {
            let any = least + (self.word() as i64).rem_euclid(greatest - least + 1);
            let value = match kind {
                0 | 1 => any,
                2 => self.pick(&[least, greatest, least, 0]),
                _ => least,
            };
            dtype.write(value, &mut out);
        }
        out
    }

    /// A record for accumulators up to `acc`, legal; at the limits of m, s and the bias now and then.
    pub fn record(&mut self, acc: u128) -> [u8; 16] {
        const BOUND: u128 = 1 << 62;
        let s = match self.upto(5) {
            0 => 1,
            1 => 62,
            2 => 32,
            _ => (acc.ilog2() + 20).saturating_sub(self.upto(9) as u32).clamp(1, 60) as u8,
        };
        let room = BOUND - 1 - (1 << (s - 1));
        let bias = self.pick(&[0, 1, acc / 3, (room / 2).saturating_sub(acc).min(1 << 40)]);
        let most = (room / (acc + bias)).clamp(1, u128::from(u32::MAX)) as u64;
        let m = match self.upto(3) {
            0 => most,
            1 => 1,
            _ => 1 + self.upto((most - 1).min(1 << 24)),
        };
        let bias = if self.upto(1) == 0 { bias as i64 } else { -(bias as i64) };
        record::encode(bias, m as u32, s)
    }

    /// A convolution with groups as SPEC 2.1 writes one, or a batch of matrix products; b constant or not.
    fn product(&mut self) -> (ProgramParts, Vec<u8>) {
        let short = [DType::I8, DType::I8, DType::I16];
        let (a, b) = (self.pick(&short), self.pick(&short));
        let (groups, each) = (self.pick(&[1, 1, 2, 3]), self.pick(&[1, 2, 7, 16, 31, 32, 33, 65]));
        let channels = self.pick(&[1, 2, 3, 4, 5, 8, 17, 64]);
        let mut op = Operator {
            fold: Fold::Dot,
            dtype: self.pick(&[DType::I8, DType::I8, DType::I16, DType::I32]),
            out: [1, 1, groups, each],
            red: [1, 1, channels],
            a: Operand { source: Source::Input, dtype: a, map: IndexMap::default() },
            windows: [Window::default(); 2],
            pad: 0,
            b: None,
            scale_a: 0,
            scale_b: 0,
            finalise: Finalise::Requantise,
            params: Params { constant: ConstantIndex(0), out: [0, 0, each, 1] },
            lo: 0,
            hi: 0,
            split: 64,
        };
        let elements = if self.upto(3) == 0 { self.matrix(&mut op) } else { self.convolution(&mut op) };
        let map = IndexMap {
            base: 0,
            out: [0, 0, op.terms() as u32 * each, op.terms() as u32],
            red: [op.red[1] * op.red[2], op.red[2], 1],
        };
        let (dtype, weights) = (b, (op.out[2] * each) as usize * op.terms() as usize);
        let acc = u128::from(op.terms()) * u128::from(a.min().unsigned_abs() * b.min().unsigned_abs());
        let (lo, hi) = (op.dtype.min() as i32, op.dtype.max() as i32);
        (op.lo, op.hi) = self.pick(&[(lo, hi), (0, hi), (lo / 3, hi / 2)]);
        let records: Vec<u8> = (0..op.out[2] * each).flat_map(|_| self.record(acc)).collect();
        let mut constants = vec![Constant { dtype: DType::Params, bytes: records }];
        let mut input = self.bytes(a, elements);
        let live = a == b && self.upto(3) == 0;
        let source = if live {
            // b stands behind a in the input.
            input.extend(self.bytes(b, weights));
            Source::Input
        } else {
            constants.push(Constant { dtype, bytes: self.bytes(b, weights) });
            Source::Constant(ConstantIndex(1))
        };
        let base = if live { elements as u32 } else { 0 };
        op.b = Some(Operand { source, dtype, map: IndexMap { base, ..map } });
        let input_type = TensorType { dtype: a, elements: (input.len() / a.bytes()) as u64 };
        let parts = ProgramParts {
            input: input_type,
            operators: vec![op],
            groups: vec![1],
            constants,
            reveal_bits: 4,
            meta: Meta::default(),
        };
        (parts, input)
    }

    /// Rows along o1 that all matrices (o2) multiply, each its own; gives the elements of a.
    fn matrix(&mut self, op: &mut Operator) -> usize {
        let rows = self.pick(&[1, 2, 5, 14, 15, 29]);
        let terms = self.pick(&[1, 3, 4, 63, 64, 700]);
        (op.out[1], op.red[2]) = (rows, terms);
        op.a.map = IndexMap { base: 0, out: [0, terms, rows * terms, 0], red: [0, 0, 1] };
        (op.out[2] * rows * terms) as usize
    }

    /// Windows over an image, with any stride, dilation and padding; gives the elements of a.
    fn convolution(&mut self, op: &mut Operator) -> usize {
        let size = [self.pick(&[1, 2, 5, 9, 14]), self.pick(&[1, 3, 8, 15])];
        let channels = op.out[2] * op.red[2];
        let strides = [size[1] * channels, channels];
        op.a.map = IndexMap { base: 0, out: [0, 0, op.red[2], 0], red: [0, 0, 1] };
        for axis in 0..2 {
            let (step, dilation) = (self.pick(&[1, 1, 2, 3]), self.pick(&[1, 1, 2]));
            op.red[axis] = self.pick(&[1, 1, 2, 3, 5]);
            let reach = (op.red[axis] - 1) * dilation;
            let padding = self.upto(u64::from(reach)) as u32;
            op.out[axis] = (size[axis] + 2 * padding).saturating_sub(reach + 1) / step + 1;
            op.windows[axis] = Window {
                limit: size[axis],
                stride: strides[axis],
                out_step: step as u16,
                red_step: dilation as u16,
                offset: padding as u16,
            };
        }
        (size[0] * size[1] * channels) as usize
    }

    /// An 8-bit network: convolutions with and without a negative part, a pool, a sum of two.
    fn network(&mut self) -> (ProgramParts, Vec<u8>) {
        let channels = self.pick(&[1, 4, 6, 32]);
        let side = self.pick(&[3, 7, 12]);
        let image = side * side * channels;
        let mut parts = ProgramParts {
            input: TensorType { dtype: DType::I8, elements: image.into() },
            operators: vec![],
            groups: vec![],
            constants: vec![Constant {
                dtype: DType::Params,
                bytes: record::encode(self.upto(99) as i64, 1 << 20, 28).to_vec(),
            }],
            reveal_bits: 4,
            meta: Meta::default(),
        };
        for operator in 0..3 + self.upto(5) as u32 {
            let source = |back: u32| match operator.checked_sub(back) {
                Some(index) => Source::Operator(OperatorIndex(index)),
                None => Source::Input,
            };
            let kernel = self.pick(&[1, 1, 3]);
            let window = |stride| Window {
                limit: side,
                stride,
                out_step: 1,
                red_step: 1,
                offset: (kernel / 2) as u16,
            };
            let pixels = IndexMap { base: 0, out: [side * channels, channels, 0, 1], red: [0; 3] };
            let operand = |source, map| Operand { source, dtype: DType::I8, map };
            let mut op = Operator {
                fold: self.pick(&[Fold::Dot, Fold::Dot, Fold::Max, Fold::Pair]),
                dtype: DType::I8,
                out: [side, side, 1, channels],
                red: [kernel, kernel, 1],
                a: operand(source(1), IndexMap { base: 0, out: [0, 0, 0, 1], red: [0; 3] }),
                windows: [window(side * channels), window(channels)],
                pad: 0,
                b: None,
                scale_a: 0,
                scale_b: 0,
                finalise: Finalise::Requantise,
                params: Params { constant: ConstantIndex(0), out: [0; 4] },
                lo: self.pick(&[-128, 0, 0]),
                hi: 127,
                split: 64,
            };
            match op.fold {
                Fold::Dot => {
                    let terms = kernel * kernel * channels;
                    let bytes = self.bytes(DType::I8, (terms * channels) as usize);
                    parts.constants.push(Constant { dtype: DType::I8, bytes });
                    let weights = Source::Constant(ConstantIndex(parts.constants.len() as u32 - 1));
                    op.red[2] = channels;
                    op.a.map = IndexMap { base: 0, out: [0; 4], red: [0, 0, 1] };
                    let red = [kernel * channels, channels, 1];
                    op.b = Some(operand(weights, IndexMap { base: 0, out: [0, 0, 0, terms], red }));
                }
                Fold::Max => op.pad = -128,
                _ => {
                    (op.red, op.windows) = ([1; 3], [Window::default(); 2]);
                    (op.a.map, op.b) = (pixels, Some(operand(source(2), pixels)));
                    (op.scale_a, op.scale_b) = self.pick(&[
                        (200, -77),
                        (1 << 20, -(1 << 19) - 3),
                        (-(1 << 22), (1 << 22) - 1),
                        (i32::MAX, -1),
                    ]);
                }
            }
            parts.operators.push(op);
        }
        (parts, self.bytes(DType::I8, image as usize))
    }
}

/// The parts as a program, with the first split that is legal for all operators.
fn legal(mut parts: ProgramParts) -> Option<Program> {
    parts.groups = vec![1; parts.operators.len()];
    [64, 16, 256, 1024].into_iter().find_map(|split| {
        parts.operators.iter_mut().for_each(|op| op.split = split);
        Program::new(parts.clone()).ok()
    })
}

pub(super) fn config() -> ProptestConfig {
    let default = ProptestConfig::default();
    let cases = default.cases.max(1000);
    ProptestConfig { cases, max_global_rejects: 2 * cases, failure_persistence: None, ..default }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_kernel_multiplies_as_the_portable_one(seed in any::<u64>()) {
        let (parts, input) = Draw(seed).product();
        let Some(program) = legal(parts) else { return Err(TestCaseError::reject("illegal")) };
        let expected = Engine::portable(&program).run(&input).expect("the input fits");
        for kernel in Kernel::available() {
            let given = Engine::with(&program, kernel).run(&input).expect("the input fits");
            let op = &program.operators()[0];
            prop_assert!(given == expected, "{} with seed {}: {:?}", kernel.name(), seed, op);
        }
    }

    #[test]
    fn kept_outputs_are_those_of_a_whole_run(seed in any::<u64>()) {
        let mut draw = Draw(seed);
        let (parts, input) = draw.network();
        let Some(program) = legal(parts) else { return Err(TestCaseError::reject("illegal")) };
        let expected = Engine::portable(&program).run(&input).expect("the input fits");
        let keep: Vec<OperatorIndex> =
            (0..expected.len() as u32).map(OperatorIndex).filter(|_| draw.upto(2) == 0).collect();
        for kernel in Kernel::available() {
            let engine = Engine::with(&program, kernel);
            let mut workspace = engine.workspace(keep.iter().copied()).expect("memory");
            for _ in 0..2 {
                engine.run_in(&mut workspace, &input).expect("the input fits");
                for index in workspace.kept() {
                    let whole = &expected[index.0 as usize];
                    prop_assert!(
                        workspace.output(index) == Some(whole),
                        "{} with seed {}, operator {}",
                        kernel.name(),
                        seed,
                        index
                    );
                }
            }
            prop_assert_eq!(workspace.last(), expected.last().expect("an operator"));
            prop_assert!(keep.iter().all(|index| workspace.output(*index).is_some()));
        }
    }

    #[test]
    fn roots_taken_while_running_are_those_of_a_whole_run(seed in any::<u64>()) {
        let mut draw = Draw(seed);
        let (parts, input) = draw.network();
        let Some(program) = legal(parts) else { return Err(TestCaseError::reject("illegal")) };
        let expected = Engine::portable(&program).run(&input).expect("the input fits");
        let exports: Vec<OperatorIndex> =
            (0..expected.len() as u32).map(OperatorIndex).filter(|_| draw.upto(1) == 0).collect();
        for kernel in Kernel::available() {
            let engine = Engine::with(&program, kernel);
            let mut workspace = engine.committing(exports.iter().copied()).expect("memory");
            for _ in 0..2 {
                engine.commit_in(&mut workspace, &input).expect("the input fits");
                for (index, whole) in (0..).map(OperatorIndex).zip(&expected) {
                    let root = exports.contains(&index).then(|| TensorRoot(TensorTree::of_bytes(whole).root()));
                    prop_assert!(
                        workspace.root(index) == root,
                        "{} with seed {}, operator {}",
                        kernel.name(),
                        seed,
                        index
                    );
                }
                prop_assert_eq!(workspace.last(), expected.last().expect("an operator"));
            }
            // What is left of an earlier run is no root of this one.
            engine.run_in(&mut workspace, &input).expect("the input fits");
            prop_assert!((0..expected.len() as u32).all(|index| workspace.root(OperatorIndex(index)).is_none()));
        }
    }

    #[test]
    fn lies_outside_a_clip_are_computed_on_alike(seed in any::<u64>()) {
        let mut draw = Draw(seed);
        let (parts, input) = draw.network();
        let Some(program) = legal(parts) else { return Err(TestCaseError::reject("illegal")) };
        let liar = draw.upto(program.operators().len() as u64 - 1) as u32;
        // A lie may be negative where the operator's clip says that nothing is.
        let lie = |index: OperatorIndex, bytes: &mut Vec<u8>| {
            if index.0 == liar {
                bytes.iter_mut().step_by(3).for_each(|byte| *byte ^= 0x80);
            }
        };
        let expected = Engine::portable(&program).run_with(&input, &mut { lie }).expect("the input fits");
        for kernel in Kernel::available() {
            let given = Engine::with(&program, kernel).run_with(&input, &mut { lie }).expect("the input fits");
            prop_assert!(given == expected, "{} with seed {}, a lie in {}", kernel.name(), seed, liar);
        }
    }
}

/// What random products show; a generator that lost a feature would weaken every test here.
#[test]
fn random_products_run_in_tiles() {
    let Some(kernel) = Kernel::available().into_iter().skip(1).next_back() else { return };
    let (mut tiles, mut vectors, mut passes, mut images, mut live, mut all) = (0, 0, 0, 0, 0, 0);
    for seed in 0..600 {
        let (parts, input) = Draw(seed).product();
        let Some(program) = legal(parts) else { continue };
        all += 1;
        let engine = Engine::with(&program, kernel);
        engine.run(&input).expect("the input fits");
        let operator = &engine.plan.operators[0];
        if let Way::Gemm(gemm) = &operator.way {
            let packed = gemm.packed(operator, kernel, None, || unreachable!("the run packed it"));
            let packing = &packed.expect("it is known").packing;
            tiles += 1;
            vectors += usize::from(matches!(gemm.finish(operator, packing, None), arch::Finish::Vectors(_)));
            passes += usize::from(packing.passes.len() > 1);
            images += usize::from(gemm.geometry.image.is_some());
            live += usize::from(gemm.live().is_some());
        }
    }
    println!("fastest here: {}", kernel.name());
    println!(
        "{all} products: {tiles} in tiles, {vectors} by vectors, {passes} in passes, {images} images, {live} live"
    );
    assert!(all > 300 && 3 * tiles > 2 * all, "most products are legal and run in tiles");
    assert!([vectors, passes, images, live].into_iter().all(|seen| seen > 15), "every part is seen");
}

/// The same of random networks: products of 8 bits run directly, and on kernels that need it those of an a that is never negative
/// alone.
#[test]
fn random_networks_multiply_8_bits_directly() {
    let Some(kernel) = Kernel::available().into_iter().skip(1).next_back() else { return };
    let Some(tile) = kernel.tile().filter(|tile| tile.eights.direct(true)) else { return };
    let (mut direct, mut positive, mut others) = (0, 0, 0);
    for seed in 0..300 {
        let Some(program) = legal(Draw(seed).network().0) else { continue };
        let engine = Engine::with(&program, kernel);
        for operator in &engine.plan.operators {
            let Way::Gemm(gemm) = &operator.way else { continue };
            let never = match operator.a.source {
                plan::Place::Output(earlier) => engine.plan.operators[earlier].positive,
                plan::Place::Input | plan::Place::Constant(_) => false,
            };
            assert_eq!(!gemm.wide, tile.eights.direct(never), "{}", kernel.name());
            *(if gemm.wide { &mut others } else { &mut direct }) += 1;
            positive += usize::from(never);
        }
    }
    println!(
        "{}: {direct} directly, {others} as 16 bits; {positive} of an a that is never negative",
        kernel.name()
    );
    assert!(direct > 50 && positive > 50, "both kinds are seen");
}
