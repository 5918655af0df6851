//! The programs that gas is measured on: the digits model, and synthetic ones of the shapes that published figures are about.

use anyhow::Result;
use narrows_commitment::keccak;
use narrows_program::{
    Constant, ConstantIndex, DType, Fold, IndexMap, LayerIndex, Meta, Operand, Operator, Params, Program,
    ProgramParts, Source, TensorType, Window, record,
};

use super::Case;

/// Every case.
pub fn cases() -> Result<Vec<Case>> {
    let digits = Program::decode(include_bytes!("../../../fixtures/digits/digits.narrows"))?;
    let layer = LayerIndex(digits.layers().len() as u32 / 2);
    Ok(vec![
        Case {
            name: "digits",
            input: include_bytes!("../../../fixtures/digits/sample.bin").to_vec(),
            layer,
            element: 0,
            program: digits,
        },
        product("i8 x i8, K = 256, 2^14 tiles", DType::I8, 256, 1 << 14, 1024)?,
        product("i8 x i8, K = 1,024", DType::I8, 1024, 1 << 10, 1024)?,
        product("i16 x i8, K = 256", DType::I16, 256, 1 << 10, 1024)?,
        product("i16 x i8, K = 1,024", DType::I16, 1024, 1 << 10, 1024)?,
        product("i8 x i8, K = 4,096, segments of 256", DType::I8, 4096, 1 << 6, 256)?,
    ])
}

/// Bytes that look random and are the same everywhere.
fn noise(label: &[u8], count: usize) -> Vec<u8> {
    let blocks = (0..count.div_ceil(32) as u64).map(|i| keccak(&[label, &i.to_be_bytes()].concat()).0);
    blocks.flatten().take(count).collect()
}

/// 128 layers: copies, then a matrix of `rows` x `inner`, its product with `inner` x 128 weights (`rows` tiles of i8 output), then copies.
fn product(name: &'static str, dtype: DType, inner: u32, rows: u32, split: u32) -> Result<Case> {
    const LAYERS: u32 = 128;
    const PRODUCT: u32 = 99;
    const WIDTH: u32 = 128;
    let copy = |index: u32, dtype: DType, elements: u32| Operator {
        fold: Fold::Sum,
        dtype,
        out: [1, 1, 1, elements],
        red: [1; 3],
        a: Operand {
            source: if index == 0 { Source::Input } else { Source::Layer(LayerIndex(index - 1)) },
            dtype,
            map: IndexMap { out: [0, 0, 0, 1], ..IndexMap::default() },
        },
        windows: [Window::default(); 2],
        pad: 0,
        b: None,
        scale_a: 0,
        scale_b: 0,
        params: Params { constant: ConstantIndex(0), out: [0; 4] },
        lo: dtype.min() as i32,
        hi: dtype.max() as i32,
        split,
    };
    let layer = |index: u32| match index {
        // Overlapping rows of the small tensor before it.
        98 => Operator {
            out: [1, 1, rows, inner],
            a: Operand {
                map: IndexMap { out: [0, 0, 0, 1], ..IndexMap::default() },
                ..copy(index, dtype, inner).a
            },
            ..copy(index, dtype, inner)
        },
        PRODUCT => Operator {
            fold: Fold::Dot,
            dtype: DType::I8,
            out: [1, 1, rows, WIDTH],
            red: [1, 1, inner],
            a: Operand {
                map: IndexMap { base: 0, out: [0, 0, inner, 0], red: [0, 0, 1] },
                ..copy(index, dtype, inner).a
            },
            b: Some(Operand {
                source: Source::Constant(ConstantIndex(1)),
                dtype: DType::I8,
                map: IndexMap { base: 0, out: [0, 0, 0, inner], red: [0, 0, 1] },
            }),
            params: Params { constant: ConstantIndex(2), out: [0, 0, 0, 1] },
            lo: -128,
            hi: 127,
            ..copy(index, dtype, inner)
        },
        index if index > PRODUCT => copy(index, DType::I8, 64),
        index => copy(index, dtype, inner),
    };
    let record = |channel: u32| record::encode(i64::from(channel) * 100 - 6400, 12_345 + channel, 28);
    let program = Program::new(ProgramParts {
        input: TensorType { dtype, elements: u64::from(inner) },
        layers: (0..LAYERS).map(layer).collect(),
        constants: vec![
            Constant { dtype: DType::Params, bytes: record::encode(0, 2, 1).to_vec() },
            Constant { dtype: DType::I8, bytes: noise(b"weights", (WIDTH * inner) as usize) },
            Constant { dtype: DType::Params, bytes: (0..WIDTH).flat_map(record).collect() },
        ],
        reveal_bits: 4,
        meta: Meta::default(),
    })?;
    let input = noise(b"input", inner as usize * dtype.bytes());
    let element = (rows / 3 * WIDTH + 77) as usize;
    Ok(Case { name, program, input, layer: LayerIndex(PRODUCT), element })
}
