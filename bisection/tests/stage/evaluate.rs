//! SPEC 2 read aloud: where terms stand, what they fold to, how an element ends. It shares no code with the referee.

use std::ops::Range;

use narrows_program::{Fold, Operand, Operator, Program, Source, record};

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
        let (a, b) = (read(&op.a, t), op.b.map(|b| read(&b, t)));
        match op.fold {
            Fold::Sum | Fold::Max => a,
            Fold::Dot => a * b.expect("dot has b"),
            Fold::Pair => a * i64::from(op.scale_a) + b.expect("pair has b") * i64::from(op.scale_b),
        }
    });
    if op.fold == Fold::Max { values.max().expect("a term") } else { values.sum() }
}

/// Joins partial values.
pub fn combine(op: &Operator, sums: &[i64]) -> i64 {
    if op.fold == Fold::Max { *sums.iter().max().expect("a segment") } else { sums.iter().sum() }
}

/// Requantises an accumulator of element `e`.
pub fn finalise(program: &Program, op: &Operator, e: u64, acc: i64) -> i64 {
    let at = record_address(op, e) as usize * 16;
    let bytes = &program.constant(op.params.constant).bytes[at..at + 16];
    let (bias, m, s) = record::decode(bytes.try_into().expect("16 bytes")).expect("a record");
    let scaled = (i128::from(acc + bias) * i128::from(m) + (1 << (s - 1))).div_euclid(1 << s);
    scaled.clamp(op.lo.into(), op.hi.into()) as i64
}

/// Every operator's output for `input`; `doctor` may change each before the next operators read it.
pub fn run(program: &Program, input: &[u8], mut doctor: impl FnMut(u32, &mut Vec<u8>)) -> Vec<Vec<u8>> {
    let mut outputs: Vec<Vec<u8>> = Vec::new();
    for (index, op) in program.operators().iter().enumerate() {
        let mut output = Vec::new();
        for e in 0..op.elements() {
            let acc = fold(op, e, 0..op.terms(), |source| match source {
                Source::Input => input,
                Source::Constant(index) => &program.constant(index).bytes[..],
                Source::Operator(index) => &outputs[index.0 as usize],
            });
            op.dtype.write(finalise(program, op, e, acc), &mut output);
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
pub fn statements(program: &Program, op: &Operator, e: u64, sums: &[i64], value: i64) -> Vec<Vec<i64>> {
    let leads = |sums: &[i64]| finalise(program, op, e, combine(op, sums)) == value;
    let mut out: Vec<Vec<i64>> = Vec::new();
    if leads(sums) {
        out.push(sums.to_vec());
    }
    let offsets = || (0..1_000i64).flat_map(|by| [by, -by]);
    for at in 0..sums.len() {
        let mut forged = sums.to_vec();
        let reached = offsets().find(|by| {
            forged = sums.to_vec();
            if op.fold == Fold::Max {
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
    if op.fold != Fold::Max && sums.len() > 1 {
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
