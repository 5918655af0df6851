//! Weights are read where the program holds them, and packed once, at the first run.

use std::ops::Range;
use std::sync::{Arc, Mutex};

use narrows_program::{
    Bytes, Constant, ConstantIndex, DType, Fold, IndexMap, Meta, Operand, Operator, Owner, Params,
    ProgramParts, Source, TensorType, Window, record,
};

use super::*;

const WIDTH: u32 = 96;

/// `layers` products of rows of i8, each with weights of its own or all with the same.
fn products(layers: u32, same: bool) -> Program {
    let weights = |layer: u32| (0..WIDTH * WIDTH).map(move |i| ((i * 31 + layer * 7 + 3) % 251) as u8);
    let mut constants =
        vec![Constant { dtype: DType::Params, bytes: record::encode(3, 1 << 20, 30).to_vec() }];
    constants.extend(
        (0..if same { 1 } else { layers })
            .map(|l| Constant { dtype: DType::I8, bytes: weights(l).collect() }),
    );
    let operator = |layer: u32| Operator {
        fold: Fold::Dot,
        dtype: DType::I8,
        out: [1, 1, 8, WIDTH],
        red: [1, 1, WIDTH],
        a: Operand {
            source: layer
                .checked_sub(1)
                .map_or(Source::Input, |before| Source::Operator(OperatorIndex(before))),
            dtype: DType::I8,
            map: IndexMap { base: 0, out: [0, 0, WIDTH, 0], red: [0, 0, 1] },
        },
        windows: [Window::default(); 2],
        pad: 0,
        b: Some(Operand {
            source: Source::Constant(ConstantIndex(if same { 1 } else { layer + 1 })),
            dtype: DType::I8,
            map: IndexMap { base: 0, out: [0, 0, 0, WIDTH], red: [0, 0, 1] },
        }),
        scale_a: 0,
        scale_b: 0,
        finalise: narrows_program::Finalise::Requantise,
        params: Params { constant: ConstantIndex(0), out: [0; 4] },
        lo: -128,
        hi: 127,
        split: 64,
    };
    let parts = ProgramParts {
        input: TensorType { dtype: DType::I8, elements: u64::from(8 * WIDTH) },
        operators: (0..layers).map(operator).collect(),
        groups: vec![1; layers as usize],
        constants,
        reveal_bits: 4,
        meta: Meta::default(),
    };
    Program::new(parts).expect("legal")
}

fn input() -> Vec<u8> {
    (0..8 * WIDTH).map(|i| (i * 37 % 253) as u8).collect()
}

/// A file in memory that remembers what nobody needs any more.
struct File {
    bytes: Vec<u8>,
    released: Arc<Mutex<Vec<Range<usize>>>>,
}

impl AsRef<[u8]> for File {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Owner for File {
    fn release(&self, range: Range<usize>) {
        self.released.lock().expect("no panic").push(range);
    }
}

#[test]
fn a_plan_copies_no_constant_and_a_run_reads_each_in_its_file() {
    let bytes = products(5, false).encode();
    let expected = Engine::portable(&products(5, false)).run(&input()).expect("the input fits");
    for kernel in Kernel::available() {
        let released = Arc::default();
        let file = Bytes::new(File { bytes: bytes.clone(), released: Arc::clone(&released) });
        let program = Program::open(&file).expect("a program");
        let engine = Engine::with(&program, kernel);
        let inside = file.as_ptr_range();
        for (held, constant) in engine.plan.constants.iter().zip(program.constants()) {
            assert_eq!(held.as_ptr(), constant.bytes.as_ptr());
            let weights = constant.dtype != DType::Params;
            assert_eq!(inside.contains(&held.as_ptr()), weights, "{}", kernel.name());
        }
        assert!(released.lock().expect("no panic").is_empty(), "a plan reads no weights");
        for _ in 0..2 {
            assert_eq!(engine.run(&input()).expect("the input fits"), expected, "{}", kernel.name());
        }
        // Each packed constant was asked for once, and no byte that is read again was given back.
        let tiles = kernel != Kernel::Portable;
        let released = released.lock().expect("no panic");
        assert_eq!(released.len(), if tiles { 5 } else { 0 }, "{}", kernel.name());
        for (range, constant) in released.iter().zip(&program.constants()[1..]) {
            assert_eq!(file[range.clone()], *constant.bytes);
            assert_eq!(file[range.clone()].as_ptr(), constant.bytes.as_ptr());
        }
    }
}

#[test]
fn products_that_read_one_constant_alike_share_its_packed_columns() {
    let program = products(6, true);
    let expected = Engine::portable(&program).run(&input()).expect("the input fits");
    for kernel in Kernel::available().into_iter().skip(1) {
        let engine = Engine::with(&program, kernel);
        assert_eq!(engine.run(&input()).expect("the input fits"), expected, "{}", kernel.name());
        let packed = |operator: &Planned| match &operator.way {
            Way::Gemm(gemm) => {
                let packed = gemm.packed(operator, kernel, None, || unreachable!("the run packed it"));
                std::ptr::from_ref(packed.expect("it is known"))
            }
            way => panic!("{way:?} is no product"),
        };
        let mut all: Vec<_> = engine.plan.operators.iter().map(packed).collect();
        all.dedup();
        assert_eq!(all.len(), 1, "{}", kernel.name());
    }
}

#[test]
fn threads_that_come_first_together_give_the_same_answer() {
    let program = products(4, false);
    let expected = Engine::portable(&program).run(&input()).expect("the input fits");
    for kernel in Kernel::available() {
        let engine = Engine::with(&program, kernel);
        std::thread::scope(|scope| {
            let runs: Vec<_> = (0..4).map(|_| scope.spawn(|| engine.run(&input()))).collect();
            for run in runs {
                assert_eq!(run.join().expect("no panic").expect("the input fits"), expected);
            }
        });
    }
}
