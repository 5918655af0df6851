//! The specification, element by element, in 128 bits: an evaluator that shares nothing with the engine.

use narrows_program::{Finalise, Fold, IndexMap, Operand, Operator, Program, Source, record};

/// Every operator's output, as canonical bytes.
pub(crate) fn evaluate(program: &Program, input: &[u8]) -> Vec<Vec<u8>> {
    let mut outputs: Vec<Vec<u8>> = Vec::new();
    for op in program.operators() {
        let mut bytes = Vec::new();
        let eval = Eval { program, input, outputs: &outputs, op };
        for out in positions(op.out) {
            op.dtype.write(eval.element(out), &mut bytes);
        }
        outputs.push(bytes);
    }
    outputs
}

fn positions<const N: usize>(dims: [u32; N]) -> impl Iterator<Item = [i128; N]> {
    let total: u64 = dims.iter().map(|d| u64::from(*d)).product();
    (0..total).map(move |mut index| {
        let mut at = [0; N];
        for axis in (0..N).rev() {
            at[axis] = i128::from(index % u64::from(dims[axis]));
            index /= u64::from(dims[axis]);
        }
        at
    })
}

struct Eval<'a> {
    program: &'a Program,
    input: &'a [u8],
    outputs: &'a [Vec<u8>],
    op: &'a Operator,
}

impl Eval<'_> {
    fn read(&self, operand: &Operand, address: i128) -> i128 {
        let bytes = match operand.source {
            Source::Input => self.input,
            Source::Constant(index) => &self.program.constant(index).bytes,
            Source::Operator(index) => &self.outputs[index.0 as usize],
        };
        operand.dtype.read(bytes, address as usize).expect("a legal address").into()
    }

    fn element(&self, out: [i128; 4]) -> i64 {
        let op = self.op;
        let terms = positions(op.red).enumerate();
        let terms = terms.filter_map(|(t, red)| self.term(out, red, t as i128));
        let acc = match op.fold {
            Fold::Max | Fold::ArgMax => terms.max().expect("a window is not empty"),
            _ => terms.sum(),
        };
        let acc = if op.fold == Fold::ArgMax { (1 << 24) - 1 - acc.rem_euclid(1 << 24) } else { acc };
        self.finalise(out, acc)
    }

    /// `None` where a window of a max is missed: pad is the least value, which any term of the window is at least.
    fn term(&self, out: [i128; 4], red: [i128; 3], t: i128) -> Option<i128> {
        let op = self.op;
        let mut address = Some(address(&op.a.map, out, red));
        for w in 0..2 {
            let window = &op.windows[w];
            if window.limit > 0 {
                let v = out[w] * i128::from(window.out_step) + red[w] * i128::from(window.red_step)
                    - i128::from(window.offset);
                let inside = (0..i128::from(window.limit)).contains(&v);
                address = address.filter(|_| inside).map(|at| at + v * i128::from(window.stride));
            }
        }
        let a = address.map_or(i128::from(op.pad), |at| self.read(&op.a, at));
        let b = |moved: i128| {
            let b = op.b.as_ref().expect("an operand b");
            self.read(b, self::address(&b.map, out, red) + moved)
        };
        let (scale_a, scale_b) = (i128::from(op.scale_a), i128::from(op.scale_b));
        match op.fold {
            Fold::Max if address.is_none() => None,
            Fold::Max | Fold::Sum => Some(a),
            Fold::Dot => Some(a * b(0)),
            Fold::Pair => Some(a * scale_a + b(0) * scale_b),
            Fold::Gather => Some(b(a.clamp(0, scale_b - 1) * scale_a)),
            Fold::ArgMax => Some(a * (1 << 24) + ((1 << 24) - 1 - t)),
        }
    }

    fn finalise(&self, out: [i128; 4], acc: i128) -> i64 {
        let op = self.op;
        let at = (0..4).map(|i| out[i] as usize * op.params.out[i] as usize).sum::<usize>();
        let (records, _) = self.program.constant(op.params.constant).bytes.as_chunks::<16>();
        let (bias, m, s) = record::decode(&records[at]).expect("a record");
        let (bias, m) = (i128::from(bias), i128::from(m));
        let scale = |x: i128| {
            let y = (x * m + (1i128 << (s - 1))).div_euclid(1i128 << s);
            y.clamp(op.lo.into(), op.hi.into())
        };
        let y = match &op.finalise {
            Finalise::Requantise => scale(acc + bias),
            Finalise::Table(table) => {
                let entry = scale(acc + bias) - i128::from(op.lo);
                let constant = self.program.constant(*table);
                return constant.dtype.read(&constant.bytes, entry as usize).expect("an entry");
            }
            Finalise::Divide { by, lift } => {
                let d = self.read(by, address(&by.map, out, [0; 3]));
                scale((acc * (1 << lift) + d.div_euclid(2)).div_euclid(d) + bias)
            }
            Finalise::Root => {
                let v = (acc + bias).max(0);
                // By halving, so that no root of the library's judges the engine's.
                let (mut low, mut high) = (0i128, 1i128 << 32);
                while high - low > 1 {
                    let middle = (low + high) / 2;
                    if middle * middle <= v { low = middle } else { high = middle }
                }
                scale(low)
            }
        };
        y as i64
    }
}

fn address(map: &IndexMap, out: [i128; 4], red: [i128; 3]) -> i128 {
    let outs = (0..4).map(|i| out[i] * i128::from(map.out[i]));
    let reds = (0..3).map(|i| red[i] * i128::from(map.red[i]));
    i128::from(map.base) + outs.sum::<i128>() + reds.sum::<i128>()
}
