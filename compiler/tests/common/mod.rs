//! What the tests share: a naive engine, a builder of small models, paths.
#![allow(dead_code, reason = "each test file uses a part")]

pub mod close;
pub mod model;
pub mod net;

use std::path::{Path, PathBuf};

use narrows_compiler::Engine;
use narrows_program::{DType, Finalise, Fold, Operand, Operator, Program, Source, record};

/// SPEC 2 read aloud, one element and one term at a time. It shares nothing with the engines.
pub struct Naive;

impl Engine for Naive {
    fn run(&self, program: &Program, input: &[u8]) -> Result<Vec<Vec<u8>>, String> {
        let mut outputs: Vec<Vec<u8>> = Vec::new();
        for op in program.operators() {
            let tensors = Tensors { program, input, outputs: &outputs };
            let output = run_operator(op, &tensors).ok_or("an address is out of range")?;
            outputs.push(output);
        }
        Ok(outputs)
    }
}

struct Tensors<'a> {
    program: &'a Program,
    input: &'a [u8],
    outputs: &'a [Vec<u8>],
}

impl Tensors<'_> {
    fn read(&self, operand: &Operand, address: i64) -> Option<i64> {
        let bytes = match operand.source {
            Source::Input => self.input,
            Source::Constant(index) => &self.program.constant(index).bytes,
            Source::Operator(index) => self.outputs.get(index.0 as usize)?,
        };
        operand.dtype.read(bytes, usize::try_from(address).ok()?)
    }
}

fn run_operator(op: &Operator, tensors: &Tensors<'_>) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let [o0, o1, o2, o3] = op.out.map(i64::from);
    for e in 0..o0 * o1 * o2 * o3 {
        let o = [e / (o1 * o2 * o3), e / (o2 * o3) % o1, e / o3 % o2, e % o3];
        op.dtype.write(element(op, o, tensors)?, &mut out);
    }
    Some(out)
}

fn element(op: &Operator, o: [i64; 4], tensors: &Tensors<'_>) -> Option<i64> {
    let starts = (start(&op.a, o), op.b.map_or(0, |b| start(&b, o)));
    let [r0, r1, r2] = op.red.map(i64::from);
    let mut acc: Option<i64> = None;
    for t in 0..r0 * r1 * r2 {
        let value = term(op, o, [t / (r1 * r2), t / r2 % r1, t % r2], starts, tensors)?;
        acc = Some(match (acc, op.fold) {
            (None, Fold::ArgMax) => (value << 24) + (1 << 24) - 1 - t,
            (None, _) => value,
            (Some(acc), Fold::Max) => acc.max(value),
            (Some(acc), Fold::ArgMax) => acc.max((value << 24) + (1 << 24) - 1 - t),
            (Some(acc), _) => acc + value,
        });
    }
    let acc = match op.fold {
        Fold::ArgMax => (1 << 24) - 1 - (acc? & ((1 << 24) - 1)),
        _ => acc?,
    };
    finalised(op, o, acc, tensors)
}

fn finalised(op: &Operator, o: [i64; 4], acc: i64, tensors: &Tensors<'_>) -> Option<i64> {
    let place: i64 = o.iter().zip(op.params.out).map(|(o, p)| o * i64::from(p)).sum();
    let records = tensors.program.constant(op.params.constant);
    assert_eq!(records.dtype, DType::Params);
    let (bias, m, s) = record::decode(&records.bytes.as_chunks::<16>().0[usize::try_from(place).ok()?])?;
    let requantised = |x: i64| {
        let scaled = x * i64::from(m) + (1i64 << (s - 1));
        (scaled >> s).clamp(i64::from(op.lo), i64::from(op.hi))
    };
    match &op.finalise {
        Finalise::Requantise => Some(requantised(acc + bias)),
        Finalise::Table(table) => {
            let at = requantised(acc + bias) - i64::from(op.lo);
            op.dtype.read(&tensors.program.constant(*table).bytes, usize::try_from(at).ok()?)
        }
        Finalise::Divide { by, lift } => {
            let divisor = tensors.read(by, start(by, o))?;
            assert!(divisor >= 1, "a divisor of {divisor}");
            let quotient = ((acc << lift) + divisor / 2).div_euclid(divisor);
            Some(requantised(quotient + bias))
        }
        Finalise::Root => {
            let root = u64::try_from((acc + bias).max(0)).ok()?.isqrt();
            Some(requantised(i64::try_from(root).ok()?))
        }
    }
}

fn term(op: &Operator, o: [i64; 4], t: [i64; 3], starts: (i64, i64), tensors: &Tensors<'_>) -> Option<i64> {
    let mut address = starts.0 + along(&op.a, t);
    let mut inside = true;
    for w in 0..2 {
        let window = op.windows[w];
        if window.limit == 0 {
            continue;
        }
        let v =
            o[w] * i64::from(window.out_step) + t[w] * i64::from(window.red_step) - i64::from(window.offset);
        inside &= (0..i64::from(window.limit)).contains(&v);
        address += v * i64::from(window.stride);
    }
    let a = if inside { tensors.read(&op.a, address)? } else { i64::from(op.pad) };
    let row = match op.fold {
        Fold::Gather => a.clamp(0, i64::from(op.scale_b) - 1) * i64::from(op.scale_a),
        _ => 0,
    };
    let b = match &op.b {
        Some(b) => tensors.read(b, starts.1 + along(b, t) + row)?,
        None => 0,
    };
    Some(match op.fold {
        Fold::Dot => a * b,
        Fold::Sum | Fold::Max | Fold::ArgMax => a,
        Fold::Gather => b,
        Fold::Pair => a * i64::from(op.scale_a) + b * i64::from(op.scale_b),
    })
}

fn start(operand: &Operand, o: [i64; 4]) -> i64 {
    let steps = operand.map.out;
    i64::from(operand.map.base) + (0..4).map(|i| o[i] * i64::from(steps[i])).sum::<i64>()
}

fn along(operand: &Operand, t: [i64; 3]) -> i64 {
    let steps = operand.map.red;
    (0..3).map(|i| t[i] * i64::from(steps[i])).sum()
}

/// A file of the digits fixture.
pub fn digits(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/digits").join(file)
}

/// A model that is not part of the repository, if it is there.
pub fn shared_model(file: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/models").join(file);
    if path.exists() {
        return Some(path);
    }
    println!("skipped: no {}", path.display());
    None
}

/// A small generator of numbers, so that a seed names a test.
pub struct Numbers(pub u64);

impl Numbers {
    /// SplitMix64.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number in -1 to 1.
    pub fn real(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }

    /// Several numbers in -1 to 1.
    pub fn reals(&mut self, n: usize) -> Vec<f32> {
        (0..n).map(|_| self.real()).collect()
    }
}
