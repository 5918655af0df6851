//! What a watchtower's plan may take of memory: what a program holds bounds it, not how often that is read.
//!
//! One test alone, for a process has one peak.
#![cfg(target_os = "linux")]

use narrows_challenger::engine::{Backend, BurnEngine, Limits};
use narrows_executor::engine::Engine;
use narrows_program::{
    Constant, ConstantIndex, DType, IndexMap, Operand, Operator, Params, Program, ProgramParts, Source,
    TensorType, example, record,
};

/// Bytes of this process by that name in `/proc/self/status`.
fn bytes_of(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux has it");
    let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("and this in it");
    line.trim_matches([':', ' ', '\t', 'k', 'B']).parse::<u64>().expect("in kB") << 10
}

/// The most bytes that planning and running a program takes, and that it gives what the native engine gives.
fn taken(program: &Program, backend: Backend, limits: &Limits) -> u64 {
    let input: Vec<u8> =
        (0..program.tensor(Source::Input).elements * 2).map(|i| (i * i % 251) as u8).collect();
    let expected = Engine::new(program).run(&input).expect("the input fits");
    // The peak begins anew.
    std::fs::write("/proc/self/clear_refs", "5").expect("a process may clear its own peak");
    let before = bytes_of("VmRSS");
    let engine = BurnEngine::with_limits(program, backend, limits).expect("an exact backend");
    assert!(engine.run(&input).expect("an answer") == expected, "{backend}");
    bytes_of("VmHWM").saturating_sub(before)
}

/// A product of 16-bit integers, whose rows overlap, as its columns do: what is gathered is far larger than what is held.
struct Overlapping {
    rows: u32,
    terms: u32,
    columns: u32,
    /// Elements from term to term of a row, and of a column.
    step: u32,
    /// Whether rows have a record each.
    records: bool,
}

impl Overlapping {
    fn program(&self) -> Program {
        let Self { rows, terms, columns, step, records } = *self;
        let parts = example::parts();
        let operand = |source, out, red| {
            let map = IndexMap { base: 0, out, red: [0, 0, red] };
            Operand { source, dtype: DType::I16, map }
        };
        let along = |moved| [0, 0, u32::from(moved), 0];
        let op = Operator {
            dtype: DType::I16,
            out: [1, 1, rows, columns],
            red: [1, 1, terms],
            a: operand(Source::Input, along(true), step),
            b: Some(operand(Source::Constant(ConstantIndex(0)), [0, 0, 0, 1], step)),
            params: Params { constant: ConstantIndex(1), out: along(records) },
            lo: DType::I16.min() as i32,
            hi: DType::I16.max() as i32,
            split: 1 << 10,
            ..parts.operators[0]
        };
        // Small sums of a wide range: each weight is one double, and stays exact when it is multiplied with a record.
        let weight = |i: u32| if i == 0 { i16::MAX } else { (i * 7 % 3) as i16 - 1 };
        let weights = (0..step * (terms - 1) + columns).flat_map(|i| weight(i).to_le_bytes()).collect();
        let list =
            (0..if records { rows } else { 1 }).flat_map(|row| record::encode(row.into(), 3 + 2 * row, 12));
        let constants = vec![
            Constant { dtype: DType::I16, bytes: weights },
            Constant { dtype: DType::Params, bytes: list.collect() },
        ];
        let input = TensorType { dtype: DType::I16, elements: (step * (terms - 1) + rows).into() };
        let parts = ProgramParts { input, operators: vec![op], groups: vec![1], constants, ..parts };
        Program::new(parts).expect("legal")
    }
}

#[test]
fn regions_share_what_they_have_in_common_and_gather_little_at_a_time() {
    let wide = Limits::default();
    // Each row is a region; its columns are 16 MiB of doubles, which one for each row would make 1 GiB.
    let rows = Overlapping { rows: 64, terms: 1 << 17, columns: 16, step: 1, records: true };
    // 16 columns are a region; its rows' places are 256 KiB, which one for each of 1,024 regions would make 256 MiB.
    let columns = Overlapping { rows: 256, terms: 1 << 7, columns: 1 << 14, step: 3, records: false };
    let narrow = Limits { outputs: 1 << 12, ..wide };
    // Columns are 2 GiB of doubles, too many to be kept.
    let all = Overlapping { rows: 4, terms: 1 << 14, columns: 1 << 14, step: 3, records: false };
    // Each thread has a region in hand.
    let two = rayon::ThreadPoolBuilder::new().num_threads(2).build().expect("threads start");
    for (case, limits) in [(rows, wide), (columns, narrow), (all, wide)] {
        let program = case.program();
        for backend in Backend::ALL {
            let taken = two.install(|| taken(&program, backend, &limits)) >> 20;
            println!("{backend}: {taken} MiB");
            assert!(taken < 192, "{backend} took {taken} MiB");
        }
    }
}
