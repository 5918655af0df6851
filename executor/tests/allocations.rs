//! What the engine asks of the allocator: nothing for weights before they are used, and nothing at all while it runs again.
//!
//! One test alone, since the counts are the process's.
#![allow(unsafe_code, reason = "an allocator that counts")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use narrows_executor::engine::{Engine, Kernel};
use narrows_program::{
    Bytes, Constant, ConstantIndex, DType, Finalise, Fold, IndexMap, Layer, Meta, Operand, Operator,
    OperatorIndex, Params, Program, ProgramParts, Source, TensorType, Window, record,
};

struct Counting;

static CALLS: AtomicUsize = AtomicUsize::new(0);
static BYTES: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.fetch_add(1, Relaxed);
        BYTES.fetch_add(layout.size(), Relaxed);
        // SAFETY: passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: passed on.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What `work` gives, and the calls and bytes that it asked for.
fn counted<T>(work: impl FnOnce() -> T) -> (T, usize, usize) {
    let before = (CALLS.load(Relaxed), BYTES.load(Relaxed));
    let given = work();
    (given, CALLS.load(Relaxed) - before.0, BYTES.load(Relaxed) - before.1)
}

const WIDTH: u32 = 1024;
const LAYERS: u32 = 4;
/// Bytes of all weights of [`wide`].
const WEIGHTS: usize = (LAYERS * WIDTH * WIDTH) as usize;

/// Layers of 1024 by 1024 weights.
fn wide() -> Program {
    let weights = || (0..WIDTH * WIDTH).map(|i| (i * 31 % 251) as u8).collect();
    let records = Constant { dtype: DType::Params, bytes: record::encode(3, 1 << 16, 30).to_vec() };
    let weights = (0..LAYERS).map(|_| Constant { dtype: DType::I8, bytes: weights() });
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
            source: Source::Constant(ConstantIndex(layer + 1)),
            dtype: DType::I8,
            map: IndexMap { base: 0, out: [0, 0, 0, WIDTH], red: [0, 0, 1] },
        }),
        scale_a: 0,
        scale_b: 0,
        finalise: Finalise::Requantise,
        params: Params { constant: ConstantIndex(0), out: [0; 4] },
        lo: -128,
        hi: 127,
        split: 512,
    };
    let parts = ProgramParts {
        input: TensorType { dtype: DType::I8, elements: u64::from(8 * WIDTH) },
        operators: (0..LAYERS).map(operator).collect(),
        groups: vec![1; LAYERS as usize],
        constants: std::iter::once(records).chain(weights).collect(),
        reveal_bits: 4,
        meta: Meta::default(),
    };
    Program::new(parts).expect("legal")
}

#[test]
fn weights_are_copied_at_their_first_use_and_a_further_run_allocates_nothing() {
    let digits = Program::decode(include_bytes!("../../fixtures/digits/digits.narrows")).expect("a program");
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread starts");
    let file = Bytes::from(wide().encode());
    let (wide, _, bytes) = counted(|| Program::open(&file).expect("a program"));
    assert!(bytes < WEIGHTS / 4, "{bytes} bytes to open {WEIGHTS} bytes of weights");
    pool.install(|| {
        for kernel in Kernel::available() {
            let (engine, _, bytes) = counted(|| Engine::with(&wide, kernel));
            assert!(bytes < WEIGHTS / 16, "{}: {bytes} bytes to plan {WEIGHTS} of weights", kernel.name());
            drop(engine);
            for program in [&wide, &digits] {
                let engine = Engine::with(program, kernel);
                let input = vec![7; program.header().input.bytes() as usize];
                let exports = program.layers().iter().flat_map(Layer::exported);
                let mut workspace = engine.committing(exports).expect("memory");
                engine.run_in(&mut workspace, &input).expect("the input fits");
                let (again, calls, bytes) = counted(|| engine.run_in(&mut workspace, &input));
                again.expect("the input fits");
                // The portable ways gather rows into memory of their own.
                if kernel != Kernel::Portable {
                    assert_eq!((calls, bytes), (0, 0), "{}: a run after the first", kernel.name());
                    // To commit takes a task of some words for each export.
                    engine.commit_in(&mut workspace, &input).expect("the input fits");
                    let (again, calls, bytes) = counted(|| engine.commit_in(&mut workspace, &input));
                    again.expect("the input fits");
                    let exports = program.layers().iter().flat_map(Layer::exported).count();
                    println!("{}: {exports} exports, {calls} allocations, {bytes} bytes", kernel.name());
                    assert!(calls <= exports && bytes <= 64 * exports, "{exports}: {calls}, {bytes}");
                }
            }
        }
    });
}
