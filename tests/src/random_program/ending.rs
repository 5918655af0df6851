//! How an operator ends: its clips, table, divisor and records, some at the very bound of SPEC 5.

use narrows_program::{
    Constant, ConstantIndex, DType, Finalise, Fold, IndexMap, Operand, Operator, OperatorIndex, ProgramParts,
    Source, TensorType, record,
};

use super::{Draw, map};

const BOUND: u128 = 1 << 62;

/// The least and the greatest output: mostly the type's, often none below 0 or 1.
pub fn clip(draw: &mut Draw, dtype: DType) -> (i32, i32) {
    let (least, greatest) = (dtype.min() as i32, dtype.max() as i32);
    let inside =
        |draw: &mut Draw| (dtype.min() + draw.upto((dtype.max() - dtype.min()) as u64) as i64) as i32;
    match draw.upto(7) {
        0..3 => (least, greatest),
        3 => (0, greatest),
        4 => (1, greatest),
        5 => {
            // A divisor between two positive numbers, which are often small: what they divide is often halfway.
            let small = draw.once_in(2);
            let one = |draw: &mut Draw| if small { 1 + draw.upto(3) as i32 } else { inside(draw).max(1) };
            let (x, y) = (one(draw), one(draw));
            (x.min(y), x.max(y))
        }
        _ => {
            let (x, y) = (inside(draw), inside(draw));
            (x.min(y), x.max(y))
        }
    }
}

/// Decides how `op` ends, all else being decided.
pub fn ending(draw: &mut Draw, parts: &mut ProgramParts, op: &mut Operator) {
    let square = draw.once_in(2);
    match draw.upto(15) {
        0..8 => {}
        8 | 9 => table(draw, parts, op),
        10..14 => divisor(draw, parts, op),
        _ => {
            op.finalise = Finalise::Root;
            if op.hi >= 1 && draw.once_in(2) {
                // A divisor to be.
                op.lo = op.lo.max(1);
            }
            if op.fold == Fold::Dot && square {
                // The length of a vector.
                op.windows = Default::default();
                op.b = Some(op.a);
            }
        }
    }
    records(draw, parts, op);
}

/// The values of what `source` names, least and greatest.
fn range(parts: &ProgramParts, source: Source) -> (i64, i64) {
    let of = |tensor: Option<TensorType>| tensor.map_or((0, 0), |t| (t.dtype.min(), t.dtype.max()));
    let Source::Operator(index) = source else { return of(parts.tensor(source)) };
    let op = &parts.operators[index.0 as usize];
    let Finalise::Table(table) = op.finalise else { return (op.lo.into(), op.hi.into()) };
    let bytes = &parts.constants[table.0 as usize].bytes;
    let entries: Vec<i64> = (0..).map_while(|index| op.dtype.read(bytes, index)).collect();
    (entries.iter().copied().min().unwrap_or(0), entries.iter().copied().max().unwrap_or(0))
}

fn magnitude(range: (i64, i64)) -> u128 {
    range.0.unsigned_abs().max(range.1.unsigned_abs()).into()
}

/// A table: of few entries, of all values of i8, or now and then of 65,536; its index anywhere in 32 bits.
fn table(draw: &mut Draw, parts: &mut ProgramParts, op: &mut Operator) {
    let few = 1 + draw.upto(300);
    let entries =
        if draw.once_in(16) { draw.pick(&[65_536, 40_000]) } else { draw.pick(&[few, 256, few, 1, 2]) };
    let last = entries as i64 - 1;
    let any = i64::from(draw.word() as i32).clamp(i32::MIN.into(), i64::from(i32::MAX) - last);
    let lo = draw.pick(&[0, -(entries as i64 / 2), any, i64::from(i32::MAX) - last, i32::MIN.into()]);
    (op.lo, op.hi) = (lo as i32, (lo + last) as i32);
    let mut bytes = draw.tensor(TensorType { dtype: op.dtype, elements: entries });
    if draw.once_in(3) {
        // One that others may divide by.
        let read = |index| op.dtype.read(&bytes, index);
        let positive: Vec<i64> = (0..).map_while(read).map(|entry| entry.saturating_abs().max(1)).collect();
        bytes.clear();
        positive.iter().for_each(|entry| op.dtype.write((*entry).min(op.dtype.max()), &mut bytes));
    }
    op.finalise = Finalise::Table(ConstantIndex(parts.constants.len() as u32));
    parts.constants.push(Constant { dtype: op.dtype, bytes });
}

/// A division by an earlier operator that is at least 1, if there is one.
fn divisor(draw: &mut Draw, parts: &ProgramParts, op: &mut Operator) {
    let earlier = (0..parts.operators.len() as u32).map(|index| Source::Operator(OperatorIndex(index)));
    let fit: Vec<Source> = earlier.filter(|source| range(parts, *source).0 >= 1).collect();
    if fit.is_empty() {
        return;
    }
    let source = draw.pick(&fit);
    let tensor = parts.tensor(source).expect("the source exists");
    let mut room = tensor.elements - 1;
    let map = IndexMap { red: [0; 3], ..map(draw, &op.out, &[1; 3], &mut room) };
    let by = Operand { source, dtype: tensor.dtype, map };
    let most = (0..=30u8).rev().find(|lift| lifted(parts, op, source, *lift) < BOUND).unwrap_or(0);
    let any = draw.upto(most.into()) as u8;
    op.finalise = Finalise::Divide { by, lift: draw.pick(&[0, 0, most, any, most.min(16)]) };
}

/// How great a lifted accumulator may become, with half the divisor.
fn lifted(parts: &ProgramParts, op: &Operator, by: Source, lift: u8) -> u128 {
    (finalised(parts, op) << lift) + magnitude(range(parts, by)) / 2
}

/// How great an accumulator may become.
fn accumulator(parts: &ProgramParts, op: &Operator) -> u128 {
    let a = magnitude(range(parts, op.a.source));
    let b = op.b.map_or(1, |b| magnitude(range(parts, b.source)));
    match op.fold {
        Fold::Dot | Fold::Sum => u128::from(op.terms()) * a * b,
        Fold::Max => a,
        Fold::Gather => b,
        Fold::ArgMax => (a + 1) << 24,
        Fold::Pair => a * u128::from(op.scale_a.unsigned_abs()) + b * u128::from(op.scale_b.unsigned_abs()),
    }
}

/// How great what is finalised of it may become.
fn finalised(parts: &ProgramParts, op: &Operator) -> u128 {
    if op.fold == Fold::ArgMax { op.terms().into() } else { accumulator(parts, op) }
}

/// Records for `op`, in one of many layouts; some at the very bound of SPEC 5.
fn records(draw: &mut Draw, parts: &mut ProgramParts, op: &mut Operator) {
    let acc = finalised(parts, op);
    // Of roots the bias counts beneath, and the greatest of all.
    let most = BOUND.saturating_sub(1 + acc);
    let beneath = draw.pick(&[0, 1, 1000.min(most), (acc / 2).min(most), most]).min(i64::MAX as u128) as u64;
    let reach = match op.finalise {
        Finalise::Requantise | Finalise::Table(_) => acc,
        Finalise::Divide { by, lift } => {
            let least = range(parts, by.source).0.max(1) as u128;
            lifted(parts, op, by.source, lift) / least + 1
        }
        Finalise::Root => (acc + u128::from(beneath)).isqrt(),
    };
    let outputs = magnitude((op.lo.into(), op.hi.into())).max(1);
    let mut stride = 1;
    for axis in (0..4).rev() {
        if draw.once_in(2) {
            op.params.out[axis] = stride;
            stride *= op.out[axis];
        }
    }
    // Half of all quotients are what they are: a record mostly hides by how little one is wrong.
    let plain = matches!(op.finalise, Finalise::Divide { .. }) && draw.once_in(2);
    let mut bytes = Vec::new();
    for _ in 0..stride {
        let (mut bias, m, s) = if plain { (0, 2, 1) } else { one_record(draw, reach, outputs) };
        if op.finalise == Finalise::Root {
            let any = draw.upto(beneath) as i64;
            bias = draw.pick(&[0, any, -any, beneath as i64, -(beneath as i64)]);
        }
        bytes.extend(record::encode(bias, m, s));
    }
    op.params.constant = ConstantIndex(parts.constants.len() as u32);
    parts.constants.push(Constant { dtype: DType::Params, bytes });
}

/// A record for accumulators up to `acc` and outputs up to `range`, legal whenever any is.
fn one_record(draw: &mut Draw, acc: u128, range: u128) -> (i64, u32, u8) {
    let sign = |draw: &mut Draw| if draw.once_in(2) { -1 } else { 1 };
    let most_m =
        |s: u8, used: u128| ((BOUND - 1 - (1 << (s - 1))) / used.max(1)).clamp(1, u32::MAX.into()) as u32;
    match draw.upto(6) {
        0 => (0, 2, 1),
        // The multiplier at its limit.
        1 => {
            let s = draw.pick(&[1, 31, 61, 62]);
            (0, most_m(s, acc), s)
        }
        // The bias at its limit.
        2 => {
            let s = draw.pick(&[1, 16, 62]);
            let m = 1 + draw.upto(most_m(s, acc) as u64 - 1) as u32;
            let room = (BOUND - 1 - (1 << (s - 1))) / u128::from(m);
            (sign(draw) * room.saturating_sub(acc) as i64, m, s)
        }
        // Ties: odd accumulators halved, or quartered.
        3 => (sign(draw) * draw.upto(1) as i64, 1, draw.pick(&[1, 2])),
        // Accumulators spread over the output's range and a little beyond.
        _ => {
            let m = 1 + draw.upto(most_m(1, 2 * acc) as u64 - 1) as u32;
            let target = (acc * u128::from(m) / range).max(2).ilog2();
            let s = (target as u8).saturating_sub(draw.upto(9) as u8).clamp(1, 61);
            let bias = sign(draw) * draw.upto((acc / 4).min(1 << 40) as u64) as i64;
            (bias, m, s)
        }
    }
}
