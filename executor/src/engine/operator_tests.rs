//! Every fold, every way of ending, every way of running: random operators against the definition. A case is drawn
//! from a seed, which failures print.

use std::collections::BTreeMap;

use narrows_program::{
    Constant, ConstantIndex, Finalise, Fold, IndexMap, Meta, Operand, Operator, Params, ProgramParts, Source,
    TensorType, Window, record,
};
use proptest::prelude::*;

use super::equal_tests::{Draw, config};
use super::naive::{self, Wild};
use super::*;

const TYPES: [DType; 5] = [DType::I8, DType::I8, DType::I16, DType::I16, DType::I32];

/// Elements of the tensors that random operators read.
const ELEMENTS: u32 = 6000;

/// A dimension of an operator, or an axis that a window or an index moves over.
#[derive(Clone, Copy)]
struct Axis {
    count: u32,
    /// 0 … 3: output, 4 … 6: reduction, 7 and 8: windows, 9: rows of a gather.
    name: usize,
}

impl Draw {
    fn constant(&mut self, parts: &mut ProgramParts, dtype: DType, elements: u32) -> Source {
        let bytes = self.bytes(dtype, elements as usize);
        parts.constants.push(Constant { dtype, bytes });
        Source::Constant(ConstantIndex(parts.constants.len() as u32 - 1))
    }

    /// An operator that copies the input into `dtype`, clamped.
    fn copied(input: DType, dtype: DType, (lo, hi): (i64, i64)) -> Operator {
        let map = IndexMap { base: 0, out: [0, 0, 0, 1], red: [0; 3] };
        Operator {
            fold: Fold::Sum,
            dtype,
            out: [1, 1, 1, ELEMENTS],
            red: [1; 3],
            a: Operand { source: Source::Input, dtype: input, map },
            windows: [Window::default(); 2],
            pad: 0,
            b: None,
            scale_a: 0,
            scale_b: 0,
            finalise: Finalise::Requantise,
            params: Params { constant: ConstantIndex(0), out: [0; 4] },
            lo: lo as i32,
            hi: hi as i32,
            split: 64,
        }
    }

    /// Steps for axes, dense in some order; axes of `still` and some others have none. `None` if they are too many.
    fn steps(&mut self, axes: &[Axis], still: &[usize], moving: &[usize]) -> Option<([u32; 10], u32)> {
        let mut order: Vec<Axis> = axes.to_vec();
        let plain = moving.contains(&6) && self.upto(3) > 0;
        match if plain { 3 } else { self.upto(3) } {
            0 => order.sort_by_key(|axis| axis.name < 4),
            1 => order.sort_by_key(|_| self.word()),
            _ => {}
        }
        let (mut steps, mut size) = ([0; 10], 1u32);
        for axis in order.iter().rev() {
            let moves = moving.contains(&axis.name) || self.upto(4) > 0;
            if moves && !still.contains(&axis.name) {
                steps[axis.name] = size;
                size = size.checked_mul(axis.count)?;
            }
        }
        // Sometimes neighbours are apart.
        let apart = if plain { 1 } else { self.pick(&[1, 1, 1, 2, 3]) };
        let steps = steps.map(|step: u32| step.saturating_mul(apart));
        let reach = axes.iter().map(|axis| (axis.count - 1).saturating_mul(steps[axis.name]));
        let reach = reach.fold(0, u32::saturating_add);
        (reach < ELEMENTS).then(|| (steps, self.upto((ELEMENTS - 1 - reach).into()) as u32))
    }

    fn map((steps, base): ([u32; 10], u32)) -> IndexMap {
        IndexMap { base, out: [steps[0], steps[1], steps[2], steps[3]], red: [steps[4], steps[5], steps[6]] }
    }

    /// The input copied into an activation and into divisors, and a random operator of those and of constants.
    fn operator(&mut self) -> Option<(ProgramParts, Vec<u8>)> {
        let input = self.pick(&TYPES);
        let identity = Constant { dtype: DType::Params, bytes: record::encode(0, 2, 1).to_vec() };
        let mut parts = ProgramParts {
            input: TensorType { dtype: input, elements: ELEMENTS.into() },
            operators: vec![],
            groups: vec![1; 3],
            constants: vec![identity],
            reveal_bits: 4,
            meta: Meta::default(),
        };
        let (activation, divisors) = (self.pick(&TYPES), self.pick(&TYPES));
        let clip = match self.upto(3) {
            0 => (0, self.pick(&[1, 60, 127])),
            1 => (-100, 100),
            _ => (activation.min(), activation.max()),
        };
        let least = self.pick(&[1, 1, 2, 100]);
        let divisor = (least, self.pick(&[least, 101, divisors.max()]));
        parts.operators = vec![Self::copied(input, activation, clip), Self::copied(input, divisors, divisor)];
        let mut op = Self::copied(input, self.pick(&TYPES), (0, 0));
        op.fold = self.pick(&[
            Fold::Dot,
            Fold::Dot,
            Fold::Dot,
            Fold::Sum,
            Fold::Max,
            Fold::Pair,
            Fold::Gather,
            Fold::ArgMax,
        ]);
        op.out = [0; 4].map(|_| self.pick(&[1, 1, 1, 2, 3, 6]));
        op.out[3] = self.pick(&[1, 2, 5, 16, 33, 64, 130]);
        let single = matches!(op.fold, Fold::Pair | Fold::Gather) || self.upto(4) == 0;
        op.red = if single { [1; 3] } else { [0; 3].map(|_| self.pick(&[1, 1, 2, 3])) };
        if !single {
            op.red[2] = self.pick(&[2, 3, 8, 17, 64, 100]);
        }
        if op.elements() * op.terms() > 1 << 17 {
            return None;
        }
        self.operands(&mut parts, &mut op, (input, activation))?;
        self.ending(&mut parts, &mut op, (divisors, divisor));
        parts.operators.push(op);
        Some((parts, self.bytes(input, ELEMENTS as usize)))
    }

    fn operands(
        &mut self,
        parts: &mut ProgramParts,
        op: &mut Operator,
        (input, activation): (DType, DType),
    ) -> Option<()> {
        let mut source = |draw: &mut Self| match draw.upto(3) {
            0 => (Source::Input, input),
            1 | 2 => (Source::Operator(OperatorIndex(0)), activation),
            _ => {
                let dtype = draw.pick(&TYPES);
                (draw.constant(parts, dtype, ELEMENTS), dtype)
            }
        };
        let dims = op.out.iter().chain(&op.red).copied().enumerate();
        let axes: Vec<Axis> = dims.map(|(name, count)| Axis { count, name }).collect();
        // As products of matrices are: a stands still along o3, and its terms are neighbours.
        let product = op.fold == Fold::Dot && self.upto(3) > 0;
        let (mut moving, mut still) = (axes.clone(), vec![]);
        if product {
            still.push(3);
        }
        if !matches!(op.fold, Fold::Gather | Fold::ArgMax) && self.upto(3) == 0 {
            for axis in 0..2 {
                let reach = op.red[axis].max(2) - 1;
                op.windows[axis] = Window {
                    limit: self.pick(&[1, 2, 3, 7]),
                    stride: 0,
                    out_step: self.pick(&[1, 1, 2]),
                    red_step: self.pick(&[1, 1, 2]),
                    offset: self.upto(reach.into()) as u16,
                };
                still.extend([axis, 4 + axis]);
                moving.push(Axis { count: op.windows[axis].limit, name: 7 + axis });
            }
        }
        let (steps, base) = self.steps(&moving, &still, &[6, 7, 8])?;
        let ((kind, dtype), map) = (source(self), Self::map((steps, base)));
        op.a = Operand { source: kind, dtype, map };
        for axis in 0..2 {
            if op.windows[axis].limit > 0 {
                op.windows[axis].stride = steps[7 + axis];
            }
        }
        op.pad = if op.fold == Fold::Max { dtype.min() as i32 } else { 0 };
        if !op.fold.has_b() {
            return Some(());
        }
        let mut axes = axes;
        let rows = Axis { count: self.pick(&[1, 2, 40]), name: 9 };
        if op.fold == Fold::Gather {
            axes.insert(self.pick(&[0, 4]), rows);
        }
        let still: &[usize] = if product && self.upto(1) == 0 { &[0, 1] } else { &[] };
        let (steps, base) = self.steps(&axes, still, if product { &[3, 6] } else { &[] })?;
        let (kind, dtype) = source(self);
        op.b = Some(Operand { source: kind, dtype, map: Self::map((steps, base)) });
        (op.scale_a, op.scale_b) = match op.fold {
            Fold::Gather => (steps[9] as i32, rows.count as i32),
            Fold::Pair => {
                let scale = |draw: &mut Self| draw.pick(&[1, 1, -1, 7, -(1 << 20), i32::MAX, i32::MIN, 0]);
                (scale(self), scale(self))
            }
            _ => (0, 0),
        };
        Some(())
    }

    fn ending(
        &mut self,
        parts: &mut ProgramParts,
        op: &mut Operator,
        (divisors, range): (DType, (i64, i64)),
    ) {
        let (least, greatest) = (op.dtype.min(), op.dtype.max());
        let (lo, hi) =
            self.pick(&[(least, greatest), (0, greatest), (least / 3, greatest / 2), (-5, -5), (-100, 100)]);
        (op.lo, op.hi) = (lo as i32, hi as i32);
        let magnitude = |dtype: DType| u128::from(dtype.min().unsigned_abs());
        let (a, b) = (magnitude(op.a.dtype), op.b.map_or(1, |b| magnitude(b.dtype)));
        let scale = |scale: i32| u128::from(scale.unsigned_abs());
        let mut acc = match op.fold {
            Fold::Dot => u128::from(op.terms()) * a * b,
            Fold::Sum => u128::from(op.terms()) * a,
            Fold::Max => a,
            Fold::Pair => (a * scale(op.scale_a) + b * scale(op.scale_b)).max(1),
            Fold::Gather => b,
            Fold::ArgMax => op.terms().into(),
        };
        match self.upto(5) {
            0 | 1 => {}
            2 => {
                (op.lo, op.hi) = self.pick(&[(0, 0), (-7, 12), (-128, 127), (1000, 5095), (-32768, -32000)]);
                let entries = (op.hi - op.lo + 1) as u32;
                let Source::Constant(table) = self.constant(parts, op.dtype, entries) else { unreachable!() };
                op.finalise = Finalise::Table(table);
            }
            3 | 4 => {
                let lift = self.pick(&[0, 1, 8, 16, 30]);
                acc = (acc << lift) / range.0 as u128 + 1;
                let axes: Vec<Axis> =
                    op.out.iter().copied().enumerate().map(|(name, count)| Axis { count, name }).collect();
                let still: &[usize] = if self.upto(2) > 0 { &[3] } else { &[] };
                if let Some(steps) = self.steps(&axes, still, &[]) {
                    let source = Source::Operator(OperatorIndex(1));
                    let by = Operand { source, dtype: divisors, map: Self::map(steps) };
                    op.finalise = Finalise::Divide { by, lift };
                }
            }
            _ => {
                op.finalise = Finalise::Root;
                acc = acc.isqrt() + 1;
            }
        }
        let each = op.out[3];
        op.params = Params {
            constant: ConstantIndex(parts.constants.len() as u32),
            out: self.pick(&[[0; 4], [0, 0, 0, 1], [0, 0, each, 1], [0, 1, 0, 0], [0, 0, 1, op.out[2]]]),
        };
        let records: u32 = 1 + op.out.iter().zip(&op.params.out).map(|(o, p)| (o - 1) * p).sum::<u32>();
        // More is illegal whatever the records are.
        let acc = acc.clamp(1, 1 << 61);
        let bytes = (0..records).flat_map(|_| self.record(acc)).collect();
        parts.constants.push(Constant { dtype: DType::Params, bytes });
    }

    /// A legal program, if the draw is lucky.
    fn legal(&mut self) -> Option<(Program, Vec<u8>)> {
        let (mut parts, input) = self.operator()?;
        [64, 16, 256].into_iter().find_map(|split| {
            parts.operators.iter_mut().for_each(|op| op.split = split);
            Some((Program::new(parts.clone()).ok()?, input.clone()))
        })
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_way_is_the_definition(seed in any::<u64>()) {
        let Some((program, input)) = Draw(seed).legal() else {
            return Err(TestCaseError::reject("illegal"));
        };
        let expected = naive::run(&program, &input, |_, _| {}).expect("legal: nothing outgrows 64 bits");
        for kernel in Kernel::available() {
            let engine = Engine::with(&program, kernel);
            let (op, way) = (&program.operators()[2], &engine.plan.operators[2].way);
            let given = engine.run(&input).expect("the input fits");
            prop_assert!(given == expected, "{} with seed {}: {:?} {:?}", kernel.name(), seed, op, way);
            let mut workspace = engine.workspace([]).expect("memory");
            engine.run_in(&mut workspace, &input).expect("the input fits");
            prop_assert!(workspace.last() == expected[2], "{} in a workspace with seed {}", kernel.name(), seed);
        }
    }

    #[test]
    fn doctored_values_are_computed_on_alike_and_never_panic(seed in any::<u64>()) {
        let mut draw = Draw(seed);
        let Some((program, input)) = draw.legal() else { return Err(TestCaseError::reject("illegal")) };
        let lies: Vec<Vec<u8>> = (0..2)
            .map(|index| {
                let dtype = program.operators()[index].dtype;
                draw.bytes(dtype, ELEMENTS as usize)
            })
            .collect();
        let lie = |index: usize| lies.get(index);
        let expected = naive::run(&program, &input, |index, bytes| {
            if let Some(lie) = lie(index) {
                bytes.clone_from(lie);
            }
        });
        let mut portable: Option<Vec<u8>> = None;
        for kernel in Kernel::available() {
            let mut given = Engine::with(&program, kernel)
                .run_with(&input, &mut |index, bytes| {
                    if let Some(lie) = lie(index.0 as usize) {
                        bytes.clone_from(lie);
                    }
                })
                .expect("the sizes fit");
            let given = given.remove(2);
            if let Ok(expected) = &expected {
                prop_assert!(given == expected[2], "{} with seed {}", kernel.name(), seed);
            }
            let portable = portable.get_or_insert_with(|| given.clone());
            prop_assert!(given == *portable, "{} is not the portable engine with seed {}", kernel.name(), seed);
        }
    }
}

/// What random operators show; a generator that lost a feature would weaken every test here.
#[test]
fn random_operators_show_every_way_and_every_end() {
    let kernel = Kernel::fastest();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let (mut legal, mut wild) = (0, 0);
    for seed in 0..4000 {
        let Some((program, input)) = Draw(seed).legal() else { continue };
        legal += 1;
        let plan = Plan::new(&program, kernel);
        let operator = &plan.operators[2];
        let way = match &operator.way {
            Way::Gemm(gemm) if gemm.live().is_some() => "gemm live",
            Way::Gemm(_) => "gemm",
            Way::Rows { .. } => "rows",
            Way::Lanes { .. } => "lanes",
            Way::Reduce { .. } => "reduce",
        };
        let op = &program.operators()[2];
        *seen.entry(format!("{way} {}", op.finalise.code())).or_default() += 1;
        *seen.entry(format!("{:?}", op.fold)).or_default() += 1;
        *seen.entry(format!("{:?} windows {}", op.fold, op.windows[0].limit > 0)).or_default() += 1;
        if legal % 8 == 0 {
            let lie = |index: usize, bytes: &mut Vec<u8>| {
                if index < 2 {
                    bytes.iter_mut().for_each(|byte| *byte ^= 0x80);
                }
            };
            wild += usize::from(naive::run(&program, &input, lie) == Err(Wild));
        }
    }
    println!("{legal} legal, {wild} wild: {seen:#?}");
    let mut expected =
        vec!["Pair windows true".to_owned(), "Max windows true".into(), "ArgMax".into(), "Gather".into()];
    let ways: &[&str] = if kernel == Kernel::Portable {
        &["rows", "lanes", "reduce"]
    } else {
        &["gemm", "gemm live", "rows", "lanes", "reduce"]
    };
    for way in ways {
        expected.extend((1..=4).map(|end| format!("{way} {end}")));
    }
    for what in expected {
        assert!(seen.get(&what).copied().unwrap_or(0) > 2, "{what} is not seen");
    }
    assert!(legal > 1000, "most draws are legal");
}
