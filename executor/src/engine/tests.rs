//! Values computed by hand. Random programs meet the oracle in `narrows-tests`.

use narrows_program::{
    Constant, ConstantIndex, Finalise, Fold, IndexMap, Meta, Operand, Operator, Params, ProgramParts, Source,
    TensorType, record,
};

use super::*;

/// One operator: a and b (if any) are tensors; `record` is every element's (bias, m, s).
struct Case {
    op: Operator,
    a: (DType, Vec<i64>),
    b: Option<(DType, Vec<i64>)>,
    record: (i64, u32, u8),
    /// The table's entries, of the output's type.
    table: Vec<i64>,
}

const IDENTITY: (i64, u32, u8) = (0, 2, 1);

fn bytes((dtype, values): &(DType, Vec<i64>)) -> Vec<u8> {
    let mut out = Vec::new();
    values.iter().for_each(|v| dtype.write(*v, &mut out));
    out
}

impl Case {
    /// `out` elements side by side, each a fold of `terms` neighbouring ones.
    fn new(fold: Fold, dtype: DType, out: u32, terms: u32, a: (DType, &[i64])) -> Self {
        let map = IndexMap { base: 0, out: [0, 0, 0, terms], red: [0, 0, 1] };
        let op = Operator {
            fold,
            dtype,
            out: [1, 1, 1, out],
            red: [1, 1, terms],
            a: Operand { source: Source::Input, dtype: a.0, map },
            windows: [narrows_program::Window::default(); 2],
            pad: if fold == Fold::Max { a.0.min() as i32 } else { 0 },
            b: None,
            scale_a: 0,
            scale_b: 0,
            finalise: Finalise::Requantise,
            params: Params { constant: ConstantIndex(0), out: [0; 4] },
            lo: dtype.min() as i32,
            hi: dtype.max() as i32,
            split: 1 << 14,
        };
        Self { op, a: (a.0, a.1.to_vec()), b: None, record: IDENTITY, table: vec![] }
    }

    fn with_b(mut self, b: (DType, &[i64])) -> Self {
        let source = Source::Constant(ConstantIndex(1));
        self.op.b = Some(Operand { source, dtype: b.0, map: self.op.a.map });
        self.b = Some((b.0, b.1.to_vec()));
        self
    }

    /// All outputs read the same terms of a.
    fn sharing_a(mut self) -> Self {
        self.op.a.map.out = [0; 4];
        self
    }

    fn record(mut self, bias: i64, m: u32, s: u8) -> Self {
        self.record = (bias, m, s);
        self
    }

    fn parts(&self) -> ProgramParts {
        let (bias, m, s) = self.record;
        let records = Constant { dtype: DType::Params, bytes: record::encode(bias, m, s).to_vec() };
        let b = self.b.as_ref().map(|b| Constant { dtype: b.0, bytes: bytes(b) });
        let table = (self.op.dtype, self.table.clone());
        let table = matches!(self.op.finalise, Finalise::Table(_))
            .then(|| Constant { dtype: table.0, bytes: bytes(&table) });
        ProgramParts {
            input: TensorType { dtype: self.a.0, elements: self.a.1.len() as u64 },
            operators: vec![self.op],
            groups: vec![1],
            constants: [Some(records), b, table].into_iter().flatten().collect(),
            reveal_bits: 4,
            meta: Meta::default(),
        }
    }

    fn run(&self) -> Vec<i64> {
        let program = Program::new(self.parts()).expect("legal");
        let input = bytes(&self.a);
        let output = Engine::portable(&program).run(&input).expect("the input fits").remove(0);
        for kernel in Kernel::available() {
            let other = Engine::with(&program, kernel).run(&input).expect("the input fits").remove(0);
            assert!(other == output, "{} is not the portable engine on {:?}", kernel.name(), self.op);
        }
        (0..self.op.elements() as usize)
            .map(|i| self.op.dtype.read(&output, i).expect("an element"))
            .collect()
    }
}

use DType::{I8, I16, I32};
use Fold::{ArgMax, Dot, Gather, Max, Pair, Sum};

#[test]
fn attack_27_ties_round_towards_plus_infinity() {
    let a = [-128, -7, -6, -5, -3, -2, -1, 0, 1, 2, 3, 5, 6, 127];
    let divided = |s| Case::new(Sum, I8, a.len() as u32, 1, (I8, &a)).record(0, 1, s).run();
    assert_eq!(divided(1), [-64, -3, -3, -2, -1, -1, 0, 0, 1, 1, 2, 3, 3, 64]);
    assert_eq!(divided(2), [-32, -2, -1, -1, -1, 0, 0, 0, 0, 1, 1, 1, 2, 32]);
}

#[test]
fn attack_27_outputs_saturate_at_their_type() {
    for dtype in [I8, I16, I32] {
        let (least, greatest) = (dtype.min(), dtype.max());
        let a = [least, least, greatest, greatest, least, greatest, -1, 0];
        let sums = Case::new(Sum, dtype, 4, 2, (dtype, &a)).run();
        assert_eq!(sums, [least, greatest, -1, -1], "{dtype:?}");
        let most = Case::new(Max, dtype, 4, 2, (dtype, &a)).run();
        assert_eq!(most, [least, greatest, greatest, 0], "{dtype:?}");
    }
    let clipped = |lo, hi| {
        let mut case = Case::new(Sum, I8, 4, 1, (I8, &[-128, -1, 5, 127]));
        (case.op.lo, case.op.hi) = (lo, hi);
        case.run()
    };
    assert_eq!(clipped(0, 6), [0, 0, 5, 6]);
    assert_eq!(clipped(-3, -3), [-3; 4]);
}

#[test]
fn attack_27_dot_products_of_extremes_outgrow_32_bits() {
    // (types of a and b, terms): around the blocks of 2^16 and 2^8 terms, and where all terms together pass 2^31.
    let cases = [
        (I8, I8, 131_071),
        (I8, I8, 131_072),
        (I8, I8, 132_097),
        (I16, I8, 255),
        (I8, I16, 511),
        (I16, I8, 512),
        (I8, I16, 1025),
        (I16, I16, 1),
        (I16, I16, 2),
        (I16, I16, 515),
        (I32, I8, 64),
        (I8, I32, 64),
        (I32, I16, 64),
    ];
    for (a, b, terms) in cases {
        for (signs, name) in [((a.min(), b.min()), "least"), ((a.min(), b.max()), "opposite")] {
            let (row, weights) = (vec![signs.0; 2 * terms], vec![signs.1; 2 * terms]);
            let acc = i128::from(signs.0) * i128::from(signs.1) * terms as i128;
            let s = (acc.unsigned_abs().ilog2() - 20) as u8;
            let expected = ((acc + (1 << (s - 1))) >> s) as i64;
            let case = Case::new(Dot, I32, 2, terms as u32, (a, &row)).with_b((b, &weights)).record(0, 1, s);
            assert_eq!(case.run(), [expected; 2], "{a:?} {b:?} {terms} {name}, by lanes");
            let case = Case::new(Dot, I32, 2, terms as u32, (a, &row[..terms])).with_b((b, &weights));
            let case = case.sharing_a().record(0, 1, s);
            assert_eq!(case.run(), [expected; 2], "{a:?} {b:?} {terms} {name}, by rows");
        }
    }
}

#[test]
fn attack_27_multiplier_at_its_limit() {
    let a = [-128, -1, 0, 1, 127];
    let scaled = |s| Case::new(Max, I32, 5, 1, (I8, &a)).record(0, u32::MAX, s).run();
    // x (2^32 - 1) / 2^32 is just short of x.
    assert_eq!(scaled(32), a);
    assert_eq!(scaled(1), [i64::from(i32::MIN), -2_147_483_647, 0, 2_147_483_647, i64::from(i32::MAX)]);
    // x / 2 is just short of a tie: -0.5 lies above it, 0.5 below.
    assert_eq!(scaled(33), [-64, 0, 0, 0, 63]);
    // The greatest multiplier that i32 allows: x (2^31 - 1) / 2^31.
    let wide = [I32.min(), I32.max(), -1, 0, 1];
    let scaled = Case::new(Max, I32, 5, 1, (I32, &wide)).record(0, i32::MAX as u32, 31).run();
    assert_eq!(scaled, [-2_147_483_647, 2_147_483_646, -1, 0, 1]);
}

#[test]
fn attack_27_shift_and_bias_at_their_limits() {
    let a = [-128, -1, 0, 1, 127];
    let shifted = |bias, s| Case::new(Max, I8, 5, 1, (I8, &a)).record(bias, 1, s).run();
    let tie = 1i64 << 60;
    assert_eq!(shifted(tie, 61), [0, 0, 1, 1, 1], "a tie goes up");
    assert_eq!(shifted(-tie, 61), [-1, -1, 0, 0, 0], "a negative tie goes up");
    let most = (1i64 << 61) - 129;
    assert_eq!(shifted(most, 62), [0; 5]);
    assert_eq!(shifted(-most, 62), [0; 5]);
    let most = (1i64 << 62) - 2 - 128;
    assert_eq!(shifted(most, 1), [127; 5]);
    assert_eq!(shifted(-most, 1), [-128; 5]);
}

#[test]
fn attack_27_pairs_of_extremes() {
    let a = [-128, -128, 127, 127];
    let b = [-128, 127, -128, 127];
    let pair = |scale_a, scale_b, s| {
        let mut case = Case::new(Pair, I8, 4, 1, (I8, &a)).with_b((I8, &b)).record(0, 1, s);
        (case.op.scale_a, case.op.scale_b) = (scale_a, scale_b);
        case.run()
    };
    assert_eq!(pair(1, 1, 1), [-128, 0, 0, 127], "(-128 + 127) / 2 is a negative tie");
    assert_eq!(pair(1, -1, 1), [0, -127, 127, 0], "-255 / 2 is a tie and 255 / 2 saturates");
    assert_eq!(pair(i32::MIN, i32::MIN, 31), [127, 1, 1, -128]);
    assert_eq!(pair(i32::MAX, i32::MIN, 38), [0, -2, 2, 0]);
    let a = [I32.min(), I32.max()];
    let mut wide = Case::new(Pair, I32, 2, 1, (I32, &a)).with_b((I32, &a)).record(0, 1, 1);
    (wide.op.scale_a, wide.op.scale_b) = (1 << 28, 1 << 28);
    assert_eq!(wide.run(), [I32.min(), I32.max()]);
}

#[test]
fn windows_miss_and_the_pad_counts() {
    // One axis of 4, kernel 3, stride 2, padding 1: windows over (-, 0, 1) and (1, 2, 3).
    let window = narrows_program::Window { limit: 4, stride: 1, out_step: 2, red_step: 1, offset: 1 };
    let windowed = |fold, a: &[i64], b: Option<&[i64]>| {
        let mut case = Case::new(fold, I8, 1, 1, (I8, a));
        (case.op.out, case.op.red) = ([2, 1, 1, 1], [3, 1, 1]);
        (case.op.a.map, case.op.windows[0]) = (IndexMap::default(), window);
        if let Some(b) = b {
            case = case.with_b((I8, b));
            case.op.b.as_mut().expect("just given").map.red = [1, 0, 0];
        }
        case.run()
    };
    assert_eq!(windowed(Sum, &[1, 2, 3, 4], None), [3, 9]);
    assert_eq!(windowed(Max, &[-5, -6, -7, -128], None), [-5, -6]);
    assert_eq!(windowed(Dot, &[1, 2, 3, 4], Some(&[10, 1, -1])), [1 - 2, 20 + 3 - 4]);
}

#[test]
fn far_windows_of_wild_strides_form_no_address() {
    let mut case = Case::new(Sum, I8, 1, 1, (I8, &[7]));
    case.op.out = [1000, 2, 1, 1];
    case.op.red = [3, 1, 1];
    case.op.a.map = IndexMap { base: 0, out: [0, 0, u32::MAX, u32::MAX], red: [0, u32::MAX, u32::MAX] };
    let wild = narrows_program::Window {
        limit: 1,
        stride: u32::MAX,
        out_step: u16::MAX,
        red_step: u16::MAX,
        offset: u16::MAX,
    };
    case.op.windows = [wild; 2];
    let mut expected = vec![0; 2000];
    // Inside at (o0, t0) = (0, 1) and (1, 0), and o1 = 1.
    (expected[1], expected[3]) = (7, 7);
    assert_eq!(case.run(), expected);
}

#[test]
fn batches_of_rows_sum_block_after_block() {
    let terms = 700;
    let value = |i: usize, range: usize| ((i * i * 31 + i * 17) % range) as i64 - range as i64 / 2;
    let a: Vec<i64> = (0..5 * terms).map(|i| value(i, 1 << 16)).collect();
    let b: Vec<i64> = (0..2 * terms).map(|i| value(i + 3, 1 << 8)).collect();
    let mut case = Case::new(Dot, I32, 2, terms as u32, (I16, &a)).with_b((I8, &b));
    case.op.out = [1, 5, 1, 2];
    case.op.a.map.out = [0, terms as u32, 0, 0];
    let rows = a.chunks(terms).flat_map(|a| b.chunks(terms).map(move |b| a.iter().zip(b)));
    let expected: Vec<i64> = rows.map(|pairs| pairs.map(|(a, b)| a * b).sum()).collect();
    assert_eq!(case.run(), expected);
}

#[test]
fn b_may_stand_in_any_order() {
    // b as [terms][outputs]: the engine reads a copy with the terms side by side.
    let b: Vec<i64> = (0..12).collect();
    let mut case = Case::new(Dot, I16, 4, 3, (I8, &[1, 10, 100])).with_b((I8, &b)).sharing_a();
    let map = IndexMap { base: 0, out: [0, 0, 0, 1], red: [0, 0, 4] };
    case.op.b.as_mut().expect("a dot product").map = map;
    assert_eq!(case.run(), [840, 951, 1062, 1173]);
    // The operands' parts exchanged.
    case.op.a.map = map;
    case.op.b.as_mut().expect("a dot product").map = IndexMap { red: [0, 0, 1], ..IndexMap::default() };
    (case.a, case.b) = (case.b.expect("a dot product"), Some(case.a));
    assert_eq!(case.run(), [840, 951, 1062, 1173]);
}

#[test]
fn exchanged_operands_keep_their_accumulators_width() {
    // b alone could be summed in 32 bits; a cannot, and is too small to be copied for its overlapping rows.
    let a = [I32.max(), I32.max(), I32.min(), I32.min()];
    let mut case = Case::new(Dot, I32, 2, 10, (I32, &a)).with_b((I8, &[100; 10])).record(0, 1, 10);
    case.op.a.map = IndexMap { base: 0, out: [0, 0, 0, 2], red: [0, 0, 0] };
    case.op.b.as_mut().expect("a dot product").map = IndexMap { red: [0, 0, 1], ..IndexMap::default() };
    // (2^31 - 1) 1000 / 1024 and -2^31 1000 / 1024.
    assert_eq!(case.run(), [2_097_151_999, -2_097_152_000]);
}

#[test]
fn attack_27_the_first_of_equals_is_the_greatest() {
    for dtype in [I8, I16, I32] {
        let (least, greatest) = (dtype.min(), dtype.max());
        let a = [least, least, least, 0, greatest, greatest, -1, -2, -1, least, -1, greatest];
        assert_eq!(Case::new(ArgMax, I8, 4, 3, (dtype, &a)).run(), [0, 1, 0, 2], "{dtype:?}");
        // Terms that stand apart.
        let mut apart = Case::new(ArgMax, I8, 3, 4, (dtype, &a));
        apart.op.a.map = IndexMap { base: 0, out: [0, 0, 0, 1], red: [0, 0, 3] };
        // Columns: (least, 0, -1, least), (least, greatest, -2, -1), (least, greatest, -1, greatest).
        assert_eq!(apart.run(), [1, 1, 1], "{dtype:?}");
    }
    let mut row = vec![-5; 300];
    (row[217], row[218]) = (3, 3);
    assert_eq!(Case::new(ArgMax, I16, 1, 300, (I16, &row)).run(), [217]);
}

#[test]
fn attack_27_an_index_beyond_the_rows_reads_the_first_or_the_last() {
    let index = [I32.min(), -1, 0, 1, 2, 3, I32.max()];
    let rows = [10, 11, 20, 21, 30, 31];
    let mut case = Case::new(Gather, I8, 7, 1, (I32, &index)).with_b((I8, &rows));
    (case.op.scale_a, case.op.scale_b) = (2, 3);
    case.op.out = [1, 1, 7, 2];
    case.op.a.map = IndexMap { base: 0, out: [0, 0, 1, 0], red: [0; 3] };
    case.op.b.as_mut().expect("rows").map = IndexMap { base: 0, out: [0, 0, 0, 1], red: [0; 3] };
    assert_eq!(case.run(), [10, 11, 10, 11, 10, 11, 20, 21, 30, 31, 30, 31, 30, 31]);
    // One element a row, so every lane has an index of its own.
    case.op.out = [1, 1, 1, 7];
    case.op.a.map.out = [0, 0, 0, 1];
    case.op.b.as_mut().expect("rows").map = IndexMap { base: 1, ..IndexMap::default() };
    assert_eq!(case.run(), [11, 11, 11, 21, 31, 31, 31]);
}

#[test]
fn attack_27_a_table_is_read_from_lo_on() {
    let mut case = Case::new(Sum, I16, 6, 1, (I8, &[-128, -3, -2, 0, 1, 127]));
    (case.op.lo, case.op.hi, case.op.finalise) = (-3, 1, Finalise::Table(ConstantIndex(1)));
    case.table = vec![-32768, 7, 8, 9, 32767];
    assert_eq!(case.run(), [-32768, -32768, 7, 9, 32767, 32767]);
    // In a product of matrices.
    let b: Vec<i64> = (0..40).map(|i| i - 20).collect();
    let mut case = Case::new(Dot, I8, 20, 2, (I16, &[1, 0])).with_b((I8, &b)).sharing_a();
    (case.op.lo, case.op.hi, case.op.finalise) = (-2, 2, Finalise::Table(ConstantIndex(2)));
    case.table = vec![1, 2, 3, 4, 5];
    let expected: Vec<i64> = (0..20).map(|i: i64| (2 * i - 20).clamp(-2, 2) + 3).collect();
    assert_eq!(case.run(), expected);
}

#[test]
fn attack_27_roots_change_at_squares() {
    let a = [-9, -1, 0, 1, 2, 3, 4, 8, 9, 15, 16, I32.max()];
    let rooted = |bias, m, s| {
        let mut case = Case::new(Sum, I32, a.len() as u32, 1, (I32, &a)).record(bias, m, s);
        case.op.finalise = Finalise::Root;
        case.run()
    };
    assert_eq!(rooted(0, 2, 1), [0, 0, 0, 1, 1, 1, 2, 2, 3, 3, 4, 46340]);
    // The bias stands under the root; the root alone is scaled.
    assert_eq!(rooted(1, 2, 1), [0, 0, 1, 1, 1, 2, 2, 3, 3, 4, 4, 46340]);
    assert_eq!(rooted(0, 1, 1), [0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 2, 23170]);
}

#[test]
fn attack_27_quotients_round_down_after_half_a_divisor() {
    // Rows of a are divided by their first element, which the first operator copies, clamped to 1 and more.
    let divided = |a: &[i64], lift, m, s| {
        let width = a.len() as u32 / 2;
        let case = Case::new(Sum, I32, 2, 1, (I32, a));
        let mut parts = case.parts();
        let mut copy = parts.operators[0];
        (copy.lo, copy.a.map.out) = (1, [0, 0, 0, width]);
        let mut op = case.op;
        (op.out, op.a.map.out) = ([1, 1, 2, width], [0, 0, width, 1]);
        let by = Operand {
            source: Source::Operator(OperatorIndex(0)),
            dtype: I32,
            map: IndexMap { base: 0, out: [0, 0, 1, 0], red: [0; 3] },
        };
        op.finalise = Finalise::Divide { by, lift };
        op.params.constant = ConstantIndex(1);
        (parts.operators, parts.groups) = (vec![copy, op], vec![1, 1]);
        parts.constants.push(Constant { dtype: DType::Params, bytes: record::encode(0, m, s).to_vec() });
        let program = Program::new(parts).expect("legal");
        let input = bytes(&(I32, a.to_vec()));
        let outputs = Kernel::available()
            .into_iter()
            .map(|kernel| Engine::with(&program, kernel).run(&input).expect("the input fits").remove(1));
        let outputs: Vec<_> = outputs.collect();
        assert!(outputs.iter().all(|output| *output == outputs[0]), "every kernel alike");
        (0..a.len()).map(|i| I32.read(&outputs[0], i).expect("an element")).collect::<Vec<i64>>()
    };
    let halves = divided(&[2, -5, -3, -1, 1, 3, 3, -5, -4, -2, -1, 4], 0, 2, 1);
    // By 2, of n + 1: -5 / 2 is -2.5 and a tie goes up; by 3, of n + 1.
    assert_eq!(halves, [1, -2, -1, 0, 1, 2, 1, -2, -1, -1, 0, 1]);
    assert_eq!(divided(&[3, 1, -1, 1, -7, 9], 4, 2, 1), [16, 5, -5, 16, -112, 144]);
    let extremes = [I32.max(), I32.min(), 1 << 30, -5, I32.min(), I32.max()];
    // (2^31 - 1) 2^20 + floor(d / 2) over d, and so on; then over 2^8. The second divisor is 1.
    assert_eq!(divided(&extremes, 20, 1, 8)[..3], [4096, -4096, 2048]);
    assert_eq!(divided(&extremes, 0, 2, 1)[3..], [-5, I32.min(), I32.max()]);
}

#[test]
fn a_pair_outside_its_window_adds_nothing_of_a() {
    let mut case = Case::new(Pair, I8, 4, 1, (I8, &[10, 20])).with_b((I8, &[1, 2, 3, 4]));
    (case.op.scale_a, case.op.scale_b) = (1, 2);
    case.op.out = [4, 1, 1, 1];
    case.op.a.map = IndexMap::default();
    case.op.b.as_mut().expect("a pair").map.out = [1, 0, 0, 0];
    case.op.windows[0] = narrows_program::Window { limit: 2, stride: 1, out_step: 1, red_step: 1, offset: 1 };
    assert_eq!(case.run(), [2, 14, 26, 8]);
}

/// Two operators of one layer that each double their input.
fn doubling() -> Program {
    let mut parts = Case::new(Sum, I8, 3, 1, (I8, &[0; 3])).record(0, 4, 1).parts();
    let mut second = parts.operators[0];
    second.a.source = Source::Operator(OperatorIndex(0));
    parts.operators.push(second);
    parts.groups = vec![2];
    Program::new(parts).expect("legal")
}

#[test]
fn a_hook_sees_each_operator_and_later_operators_see_the_hook() {
    let engine = Engine::new(&doubling());
    assert_eq!(engine.run(&[1, 2, 3]).expect("three bytes"), [[2, 4, 6], [4, 8, 12]]);
    let mut seen = vec![];
    let lie = &mut |operator: OperatorIndex, bytes: &mut Vec<u8>| {
        seen.push(operator.0);
        if operator.0 == 0 {
            bytes[1] = 50;
        }
    };
    assert_eq!(engine.run_with(&[1, 2, 3], lie).expect("three bytes"), [[2, 50, 6], [4, 100, 12]]);
    assert_eq!(seen, [0, 1]);
}

#[test]
fn wrong_sizes_are_refused() {
    let engine = Engine::new(&doubling());
    for given in [0, 2, 4] {
        let error = engine.run(&vec![0; given]).expect_err("too short or too long");
        let given = given as u64;
        assert_eq!(error, RunError::InputLength { expected: 3, given, elements: 3, dtype: I8 });
    }
    let error = engine.run_with(&[0; 3], &mut |_, bytes| bytes.push(0)).expect_err("longer");
    assert_eq!(error, RunError::OutputLength { operator: OperatorIndex(0), expected: 3, given: 4 });
}

#[test]
fn an_engine_serves_many_threads() {
    fn shared<T: Send + Sync>(_: &T) {}
    shared(&Engine::new(&doubling()));
}
