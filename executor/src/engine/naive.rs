//! SPEC 2 word for word, one element at a time over numbers of 128 bits: what the engine's ways are held to. It uses
//! nothing of the engine.

use narrows_program::{DType, Finalise, Fold, Operand, Operator, Program, Source, record};

/// An intermediate that does not fit 64 bits: no legal program has one, but a doctored trace may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wild;

/// Every operator's output; `after` may change each before later operators read it.
pub(super) fn run(
    program: &Program,
    input: &[u8],
    mut after: impl FnMut(usize, &mut Vec<u8>),
) -> Result<Vec<Vec<u8>>, Wild> {
    let mut outputs: Vec<Vec<u8>> = Vec::new();
    for (index, op) in program.operators().iter().enumerate() {
        let tensors = Tensors { program, input, outputs: &outputs };
        let mut bytes = Vec::new();
        for e in 0..op.elements() {
            op.dtype.write(element(&tensors, op, e)? as i64, &mut bytes);
        }
        after(index, &mut bytes);
        outputs.push(bytes);
    }
    Ok(outputs)
}

struct Tensors<'a> {
    program: &'a Program,
    input: &'a [u8],
    outputs: &'a [Vec<u8>],
}

impl Tensors<'_> {
    fn read(&self, source: Source, dtype: DType, address: u64) -> i128 {
        let bytes: &[u8] = match source {
            Source::Input => self.input,
            Source::Constant(index) => &self.program.constant(index).bytes,
            Source::Operator(index) => &self.outputs[index.0 as usize],
        };
        dtype.read(bytes, address as usize).expect("legality: inside the tensor").into()
    }
}

/// Coordinates of a number, the last dimension fastest.
fn coordinates<const N: usize>(dims: &[u32; N], mut number: u64) -> [u64; N] {
    let mut at = [0; N];
    for axis in (0..N).rev() {
        at[axis] = number % u64::from(dims[axis]);
        number /= u64::from(dims[axis]);
    }
    at
}

fn sum(coordinates: &[u64], steps: &[u32]) -> u64 {
    coordinates.iter().zip(steps).map(|(c, s)| c * u64::from(*s)).sum()
}

fn address(operand: &Operand, o: &[u64; 4], t: &[u64; 3]) -> u64 {
    u64::from(operand.map.base) + sum(o, &operand.map.out) + sum(t, &operand.map.red)
}

fn fits(value: i128) -> Result<i128, Wild> {
    if i64::try_from(value).is_ok() { Ok(value) } else { Err(Wild) }
}

fn element(tensors: &Tensors<'_>, op: &Operator, e: u64) -> Result<i128, Wild> {
    let o = coordinates(&op.out, e);
    let mut acc: Option<i128> = None;
    for number in 0..op.terms() {
        let term = term(tensors, op, &o, number)?;
        acc = Some(match (op.fold, acc) {
            (_, None) => term,
            (Fold::Max | Fold::ArgMax, Some(acc)) => acc.max(term),
            (_, Some(acc)) => fits(acc + term)?,
        });
    }
    let acc = acc.expect("at least one term");
    let last = (1 << 24) - 1;
    finalise(tensors, op, &o, if op.fold == Fold::ArgMax { last - acc.rem_euclid(1 << 24) } else { acc })
}

fn term(tensors: &Tensors<'_>, op: &Operator, o: &[u64; 4], number: u64) -> Result<i128, Wild> {
    let t = coordinates(&op.red, number);
    let (mut at, mut inside) = (address(&op.a, o, &t), true);
    for (axis, window) in op.windows.iter().enumerate().filter(|(_, w)| w.limit > 0) {
        let moved = o[axis] * u64::from(window.out_step) + t[axis] * u64::from(window.red_step);
        match moved.checked_sub(window.offset.into()).filter(|v| *v < window.limit.into()) {
            Some(v) => at += v * u64::from(window.stride),
            None => inside = false,
        }
    }
    let a = if inside { tensors.read(op.a.source, op.a.dtype, at) } else { op.pad.into() };
    let b = |rows: u64| {
        let b = op.b.as_ref().expect("a second operand");
        tensors.read(b.source, b.dtype, address(b, o, &t) + rows)
    };
    fits(match op.fold {
        Fold::Dot => a * b(0),
        Fold::Sum | Fold::Max => a,
        Fold::Pair => a * i128::from(op.scale_a) + b(0) * i128::from(op.scale_b),
        Fold::Gather => b(a.clamp(0, i128::from(op.scale_b) - 1) as u64 * op.scale_a as u64),
        Fold::ArgMax => a * (1 << 24) + ((1 << 24) - 1 - i128::from(number)),
    })
}

fn finalise(tensors: &Tensors<'_>, op: &Operator, o: &[u64; 4], acc: i128) -> Result<i128, Wild> {
    let records = tensors.program.constant(op.params.constant).bytes.as_chunks::<16>().0;
    let record = record::decode(&records[sum(o, &op.params.out) as usize]).expect("a record");
    let (bias, m, s) = (i128::from(record.0), i128::from(record.1), record.2);
    let (lo, hi) = (i128::from(op.lo), i128::from(op.hi));
    let rounded = |scaled: i128| Ok((fits(scaled + (1 << (s - 1)))? >> s).clamp(lo, hi));
    let requantise = |x: i128| rounded(fits(fits(x + bias)? * m)?);
    match &op.finalise {
        Finalise::Requantise => requantise(acc),
        Finalise::Table(table) => {
            let entry = requantise(acc)? - lo;
            Ok(tensors.read(Source::Constant(*table), op.dtype, entry as u64))
        }
        Finalise::Divide { by, lift } => {
            // A divisor below 1 stands in a doctored trace only, and counts as 1.
            let d = tensors.read(by.source, by.dtype, address(by, o, &[0; 3])).max(1);
            let lifted = fits(fits(acc << lift)? + d / 2)?;
            requantise((lifted - lifted.rem_euclid(d)) / d)
        }
        Finalise::Root => {
            let value = fits(acc + bias)?.max(0);
            let mut root = (value as f64).sqrt() as i128;
            while root * root > value {
                root -= 1;
            }
            while (root + 1) * (root + 1) <= value {
                root += 1;
            }
            rounded(fits(root * m)?)
        }
    }
}
