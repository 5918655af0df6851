//! SPEC 2 read aloud: where terms stand, what they fold to, how an element ends. It shares no code with the referee.

use std::ops::Range;

use narrows_program::{DType, Finalise, Fold, Operand, Operator, Program, Source, record};

use super::claimed::{Claimed, Tensor};

/// Where an operand's term stands; windows are not used by the programs here.
pub fn address(operand: &Operand, op: &Operator, e: u64, t: u64) -> u64 {
    let [_, o1, o2, o3] = op.out.map(u64::from);
    let out = [e / o3 / o2 / o1, e / o3 / o2 % o1, e / o3 % o2, e % o3];
    let [_, r1, r2] = op.red.map(u64::from);
    let red = [t / r2 / r1, t / r2 % r1, t % r2];
    let outs = operand.map.out.iter().zip(out).map(|(s, o)| u64::from(*s) * o);
    let reds = operand.map.red.iter().zip(red).map(|(s, t)| u64::from(*s) * t);
    u64::from(operand.map.base) + outs.chain(reds).sum::<u64>()
}

/// Where b's term stands: in a gather, in the row that a's value names.
pub fn b_address<'a>(b: &Operand, op: &Operator, e: u64, t: u64, bytes: impl Fn(Source) -> &'a [u8]) -> u64 {
    let first = address(b, op, e, t);
    if op.fold != Fold::Gather {
        return first;
    }
    let row = op.a.dtype.read(bytes(op.a.source), address(&op.a, op, e, t) as usize).expect("in range");
    first + row.clamp(0, i64::from(op.scale_b) - 1) as u64 * op.scale_a as u64
}

/// What finalising an accumulator reads beside the record: the tensor, its type, and where.
pub fn third(program: &Program, op: &Operator, e: u64, acc: i64) -> Option<(Source, DType, u64)> {
    match op.finalise {
        Finalise::Requantise | Finalise::Root => None,
        Finalise::Table(table) => {
            let entry = requantise(program, op, e, i128::from(place(op, acc)), true) - i64::from(op.lo);
            Some((Source::Constant(table), op.dtype, entry as u64))
        }
        Finalise::Divide { by, .. } => Some((by.source, by.dtype, address(&by, op, e, 0))),
    }
}

/// Where the record of element `e` stands.
pub fn record_address(op: &Operator, e: u64) -> u64 {
    let [_, o1, o2, o3] = op.out.map(u64::from);
    let out = [e / o3 / o2 / o1, e / o3 / o2 % o1, e / o3 % o2, e % o3];
    op.params.out.iter().zip(out).map(|(s, o)| u64::from(*s) * o).sum()
}

/// The fold of the terms `terms` of element `e`, its operands read by `bytes`.
pub fn fold<'a>(op: &Operator, e: u64, terms: Range<u64>, bytes: impl Fn(Source) -> &'a [u8]) -> i64 {
    let read = |operand: &Operand, t| {
        let at = address(operand, op, e, t) as usize;
        operand.dtype.read(bytes(operand.source), at).expect("in range")
    };
    let values = terms.map(|t| {
        let a = read(&op.a, t);
        let b = op.b.map(|b| {
            let at = b_address(&b, op, e, t, &bytes) as usize;
            b.dtype.read(bytes(b.source), at).expect("in range")
        });
        match op.fold {
            Fold::Sum | Fold::Max => a,
            Fold::Dot => a * b.expect("dot has b"),
            Fold::Pair => a * i64::from(op.scale_a) + b.expect("pair has b") * i64::from(op.scale_b),
            Fold::Gather => b.expect("gather has b"),
            Fold::ArgMax => a * PLACES + (PLACES - 1 - t as i64),
        }
    });
    if is_greatest(op) { values.max().expect("a term") } else { values.sum() }
}

/// How many places an argmax tells apart.
const PLACES: i64 = 1 << 24;

fn is_greatest(op: &Operator) -> bool {
    matches!(op.fold, Fold::Max | Fold::ArgMax)
}

/// What is finalised of an accumulator.
fn place(op: &Operator, acc: i64) -> i64 {
    if op.fold == Fold::ArgMax { PLACES - 1 - acc.rem_euclid(PLACES) } else { acc }
}

/// Joins partial values.
pub fn combine(op: &Operator, sums: &[i64]) -> i64 {
    if is_greatest(op) { *sums.iter().max().expect("a segment") } else { sums.iter().sum() }
}

fn record_of(program: &Program, op: &Operator, e: u64) -> (i64, u32, u8) {
    let at = record_address(op, e) as usize * 16;
    let bytes = &program.constant(op.params.constant).bytes[at..at + 16];
    record::decode(bytes.try_into().expect("16 bytes")).expect("a record")
}

fn requantise(program: &Program, op: &Operator, e: u64, value: i128, biased: bool) -> i64 {
    let (bias, m, s) = record_of(program, op, e);
    let value = if biased { value + i128::from(bias) } else { value };
    let scaled = (value * i128::from(m) + (1 << (s - 1))).div_euclid(1 << s);
    scaled.clamp(op.lo.into(), op.hi.into()) as i64
}

/// The element `e` whose accumulator is `acc`, its table or divisor read by `bytes`.
pub fn finalise<'a>(
    program: &Program,
    op: &Operator,
    e: u64,
    acc: i64,
    bytes: impl Fn(Source) -> &'a [u8],
) -> i64 {
    let value = i128::from(place(op, acc));
    let third = third(program, op, e, acc).map(|(source, dtype, at)| dtype.read(bytes(source), at as usize));
    let third = third.map(|value| value.expect("in range"));
    match (op.finalise, third) {
        (Finalise::Requantise, _) => requantise(program, op, e, value, true),
        (Finalise::Root, _) => {
            let (bias, ..) = record_of(program, op, e);
            requantise(program, op, e, (value + i128::from(bias)).max(0).isqrt(), false)
        }
        (Finalise::Table(_), Some(entry)) => entry,
        (Finalise::Divide { lift, .. }, Some(divisor)) => {
            let divisor = i128::from(divisor);
            requantise(program, op, e, ((value << lift) + divisor / 2).div_euclid(divisor), true)
        }
        (way, None) => unreachable!("{way:?} reads a third operand"),
    }
}

/// Every operator's output for `input`; `doctor` may change each before the next operators read it.
pub fn run(program: &Program, input: &[u8], mut doctor: impl FnMut(u32, &mut Vec<u8>)) -> Vec<Vec<u8>> {
    let mut outputs: Vec<Vec<u8>> = Vec::new();
    for (index, op) in program.operators().iter().enumerate() {
        let mut output = Vec::new();
        for e in 0..op.elements() {
            let bytes = |source| match source {
                Source::Input => input,
                Source::Constant(index) => &program.constant(index).bytes[..],
                Source::Operator(index) => &outputs[index.0 as usize],
            };
            let acc = fold(op, e, 0..op.terms(), bytes);
            op.dtype.write(finalise(program, op, e, acc, bytes), &mut output);
        }
        doctor(index as u32, &mut output);
        outputs.push(output);
    }
    outputs
}

/// The partial values of element `e` of operator `at`, from what a claim says of its operands.
pub fn sums(program: &Program, claimed: &Claimed, stated: Stated, at: u32, e: u64) -> Vec<i64> {
    let op = &program.operators()[at as usize];
    (0..op.segments()).map(|j| fold(op, e, op.segment(j), |s| &claimed.tensor(stated, s).bytes)).collect()
}

/// Statements of partial values that lead to `value`: the true ones if they do; else forged in each segment alone and in
/// all of them; and, in a sum, true ones bent so that the faults cancel.
pub fn statements<'a>(
    program: &Program,
    op: &Operator,
    e: u64,
    sums: &[i64],
    value: i64,
    bytes: impl Fn(Source) -> &'a [u8],
) -> Vec<Vec<i64>> {
    let leads = |sums: &[i64]| finalise(program, op, e, combine(op, sums), &bytes) == value;
    let mut out: Vec<Vec<i64>> = Vec::new();
    if leads(sums) {
        out.push(sums.to_vec());
    }
    let offsets = || (0..1_000i64).flat_map(|by| [by, -by]);
    for at in 0..sums.len() {
        let mut forged = sums.to_vec();
        let reached = offsets().find(|by| {
            forged = sums.to_vec();
            if is_greatest(op) {
                // What is above has to come down, and one has to reach.
                let target = combine(op, sums) + by;
                forged.iter_mut().for_each(|sum| *sum = (*sum).min(target));
                forged[at] = target;
            } else {
                forged[at] += by;
            }
            leads(&forged)
        });
        out.extend(reached.map(|_| forged));
    }
    if !is_greatest(op) && sums.len() > 1 {
        let bent = out.first().map(|first| {
            let mut bent = first.clone();
            bent[0] += 1;
            bent[sums.len() - 1] -= 1;
            bent
        });
        out.extend(bent);
    }
    out.dedup();
    out
}

/// Which of a claim's sub-traces were stated: by the root of the list, 0 for none.
pub type Stated = usize;

/// The tensor's bytes without what fills its last tile.
pub fn values(tensor: &Tensor, op: &Operator) -> Vec<u8> {
    tensor.bytes[..op.output_bytes() as usize].to_vec()
}
