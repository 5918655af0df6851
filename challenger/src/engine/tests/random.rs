//! Random legal programs of all folds and endings, against the naive evaluator.

use super::*;

/// A stream of choices from a seed.
pub(super) struct Draw(pub(super) u64);

impl Draw {
    pub(super) fn upto(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % (most + 1)
    }

    pub(super) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.upto(from.len() as u64 - 1) as usize]
    }

    fn value(&mut self, dtype: DType) -> i64 {
        let any = dtype.min() + (self.upto(u64::MAX - 1) as i64) % (dtype.max() - dtype.min() + 1);
        self.pick(&[dtype.min(), dtype.max(), any, any, any, 0, 1, -1, any % 9])
    }

    fn values(&mut self, dtype: DType, count: u64) -> Vec<u8> {
        let extreme = self.upto(3) == 0;
        let values: Vec<i64> = (0..count).map(|_| self.value(dtype)).collect();
        let values = values.iter().map(|v| {
            if !extreme {
                *v
            } else if *v % 3 == 0 {
                dtype.max()
            } else {
                dtype.min()
            }
        });
        bytes(dtype, &values.collect::<Vec<_>>())
    }
}

struct Build {
    draw: Draw,
    parts: ProgramParts,
}

impl Build {
    /// A tensor that may be read, with its type: the input, an output, or a new constant.
    fn source(&mut self) -> (Source, DType, u64) {
        let operators = self.parts.operators.len() as u64;
        let choice = self.draw.upto(operators + 1);
        if choice == 0 {
            return (Source::Input, self.parts.input.dtype, self.parts.input.elements);
        }
        if choice <= operators {
            let op = self.parts.operators[choice as usize - 1];
            return (Source::Operator(OperatorIndex(choice as u32 - 1)), op.dtype, op.elements());
        }
        let dtype = self.draw.pick(&[DType::I8, DType::I16, DType::I32]);
        let count = 1 + self.draw.upto(80);
        let bytes = self.draw.values(dtype, count);
        (self.constant(Constant { dtype, bytes }), dtype, count)
    }

    fn constant(&mut self, constant: Constant) -> Source {
        self.parts.constants.push(constant);
        Source::Constant(ConstantIndex(self.parts.constants.len() as u32 - 1))
    }

    /// An operand whose steps stay within `room` elements, mostly packed, innermost axis first.
    fn operand(&mut self, out: [u32; 4], red: [u32; 3], room: Option<u64>) -> Operand {
        let (source, dtype, elements) = self.source();
        let mut left = room.unwrap_or(elements).min(elements) - 1;
        let mut map = IndexMap::default();
        let (mut packed, order) = (1u64, self.draw.upto(1));
        for place in 0..7 {
            // Terms innermost, or outputs innermost.
            let axis = if order == 0 { 6 - place } else { [3, 2, 1, 0, 6, 5, 4][place] };
            let (len, step) = if axis < 4 {
                (out[axis], &mut map.out[axis])
            } else {
                (red[axis - 4], &mut map.red[axis - 4])
            };
            let wanted = self.draw.pick(&[packed, packed, packed, 0, 1, 2]);
            let reach = wanted * u64::from(len - 1);
            if reach <= left {
                (*step, left) = (wanted as u32, left - reach);
                packed = packed.max(wanted * u64::from(len));
            }
        }
        map.base = self.draw.upto(left.min(3)) as u32;
        Operand { source, dtype, map }
    }

    fn window(&mut self, a: &mut Operand, axis: usize) -> Window {
        let stride = a.map.out[axis].max(1);
        (a.map.out[axis], a.map.red[axis]) = (0, 0);
        let mut small = |most| 1 + self.draw.upto(most) as u16;
        Window {
            limit: small(4).into(),
            stride,
            out_step: small(1),
            red_step: small(1),
            offset: small(2) - 1,
        }
    }

    fn operator(&mut self) {
        let draw = &mut self.draw;
        let folds = [Fold::Dot, Fold::Dot, Fold::Sum, Fold::Max, Fold::Pair, Fold::Gather, Fold::ArgMax];
        let fold = draw.pick(&folds);
        let single = matches!(fold, Fold::Pair | Fold::Gather) || draw.upto(5) == 0;
        let out: [u32; 4] = std::array::from_fn(|_| draw.pick(&[1, 1, 2, 3, 4]));
        let red = std::array::from_fn(|_| if single { 1 } else { draw.pick(&[1, 1, 2, 3, 5]) });
        let dtype = draw.pick(&[DType::I8, DType::I16, DType::I32, DType::I32]);
        let mut a = self.operand(out, red, None);
        let mut windows = [Window::default(); 2];
        for (axis, window) in windows.iter_mut().enumerate() {
            if !matches!(fold, Fold::Gather | Fold::ArgMax) && self.draw.upto(3) == 0 {
                *window = self.window(&mut a, axis);
            }
        }
        let mut op = operator(fold, dtype, out, red, a);
        op.windows = windows;
        if fold.has_b() {
            op.b = Some(self.operand(out, red, (fold == Fold::Gather).then_some(8)));
        }
        let draw = &mut self.draw;
        if fold == Fold::Pair {
            (op.scale_a, op.scale_b) = (draw.value(DType::I16) as i32, draw.value(DType::I16) as i32);
        }
        if fold == Fold::Gather {
            (op.scale_a, op.scale_b) = (draw.upto(6) as i32, 1 + draw.upto(6) as i32);
        }
        let ends = [draw.value(dtype) as i32, draw.value(dtype) as i32];
        if draw.upto(1) == 0 {
            (op.lo, op.hi) = (ends[0].min(ends[1]), ends[0].max(ends[1]));
        }
        // A divisor for what follows.
        if draw.upto(1) == 0 {
            (op.lo, op.hi) = (1, op.hi.max(1));
        }
        self.finalise(&mut op);
        self.records(&mut op);
        self.parts.operators.push(op);
        self.parts.groups = vec![1; self.parts.operators.len()];
    }

    fn finalise(&mut self, op: &mut Operator) {
        op.finalise = match self.draw.upto(5) {
            0 => Finalise::Root,
            1 => {
                op.lo = self.draw.value(DType::I32).clamp(i32::MIN.into(), 1 << 30) as i32;
                op.hi = op.lo + self.draw.upto(200) as i32;
                let entries = (i64::from(op.hi) - i64::from(op.lo) + 1) as u64;
                let positive = self.draw.upto(1) == 0;
                let mut values = self.draw.values(op.dtype, entries);
                if positive {
                    let value = |at| op.dtype.read(&values, at).expect("an entry").unsigned_abs() as i64;
                    let all: Vec<i64> =
                        (0..entries as usize).map(|at| value(at).clamp(1, op.dtype.max())).collect();
                    values = bytes(op.dtype, &all);
                }
                match self.constant(Constant { dtype: op.dtype, bytes: values }) {
                    Source::Constant(index) => Finalise::Table(index),
                    _ => unreachable!("a constant is a constant"),
                }
            }
            2 | 3 => {
                let by = Operand { map: IndexMap::default(), ..op.a };
                let by = (0..12)
                    .find_map(|_| {
                        let found = self.operand(op.out, [1; 3], None);
                        matches!(found.source, Source::Operator(_)).then_some(found)
                    })
                    .unwrap_or(by);
                let by = Operand { map: IndexMap { red: [0; 3], ..by.map }, ..by };
                Finalise::Divide { by, lift: self.draw.pick(&[0, 0, 1, 7, 16, 30]) }
            }
            _ => Finalise::Requantise,
        };
    }

    fn records(&mut self, op: &mut Operator) {
        let moving = self.draw.upto(3) as usize;
        let count = if self.draw.upto(1) == 0 { op.out[moving] } else { 1 };
        let list: Vec<(i64, u32, u8)> = (0..count)
            .map(|_| {
                let (m, s) =
                    self.draw.pick(&[(2, 1), (1, 1), (3, 2), (1 << 14, 20), (1, 20), (0xFFFF_FFFF, 48)]);
                (self.draw.value(DType::I16), m, s)
            })
            .collect();
        if let Source::Constant(index) = self.constant(records(&list)) {
            op.params.constant = index;
            op.params.out[moving] = u32::from(count > 1);
        }
    }
}

fn random(seed: u64) -> (Program, Vec<u8>) {
    let mut draw = Draw(seed);
    let dtype = draw.pick(&[DType::I8, DType::I16, DType::I32]);
    let input = TensorType { dtype, elements: 1 + draw.upto(150) };
    let bytes = draw.values(dtype, input.elements);
    let wanted = 1 + draw.upto(4) as usize;
    let meta = Meta::default();
    let parts =
        ProgramParts { input, operators: vec![], groups: vec![], constants: vec![], reveal_bits: 4, meta };
    let mut build = Build { draw, parts };
    while build.parts.operators.len() < wanted {
        let before = build.parts.clone();
        build.operator();
        if Program::new(build.parts.clone()).is_err() {
            build.parts = before;
        }
    }
    (Program::new(build.parts).expect("legal after its last operator"), bytes)
}

#[test]
fn attack_27_random_programs_of_every_kind() {
    let mut seen = std::collections::HashMap::new();
    for seed in 0..300 {
        let (program, input) = random(seed);
        for op in program.operators() {
            *seen.entry((op.fold as u8, op.finalise.code())).or_insert(0) += 1;
        }
        check(&program, &input);
    }
    let every = (1..=6).flat_map(|fold| (1..=4).map(move |ending| (fold, ending)));
    let missing: Vec<_> = every.filter(|kind| seen.get(kind).is_none_or(|count| *count < 5)).collect();
    assert!(missing.is_empty(), "fewer than 5 of (fold, ending) {missing:?} among {seen:?}");
}
