//! The synthetic programs: made from a few numbers, the same on every machine, with weights that look random.

use anyhow::Result;
use narrows_program::{ConstantIndex, DType, Program};
use serde::{Deserialize, Serialize};

use super::draft::{Draft, Matrix, Weights};

/// A program to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Model {
    /// Products of `width` x `width` weights with an activation by table, one after another, each a layer.
    Stack {
        /// Columns of all matrices.
        width: u32,
        /// Products.
        depth: u32,
        /// Rows: samples that are computed together.
        batch: u32,
    },
    /// A block of self-attention of one head of 64: three products, scores, softmax, product, product, residual; one layer.
    Attention {
        /// Tokens.
        tokens: u32,
    },
    /// Residual blocks of four operators, each a layer with 4 KiB of weights of its own: a mixture of the rows, a product with an
    /// activation, a product, the residual. See [`CHAIN_ROWS`] and so on.
    Chain {
        /// Operators: a multiple of four.
        operators: u32,
    },
    /// The handwritten digits of the repository.
    Digits,
}

/// Rows of a chain's matrices.
pub const CHAIN_ROWS: u32 = 4;
/// Columns of a chain's matrices.
pub const CHAIN_WIDTH: u32 = 64;
/// Columns inside a block of a chain.
pub const CHAIN_INNER: u32 = 32;
/// Operators of a block of a chain.
pub const CHAIN_BLOCK: u32 = 4;
/// Width of an attention head.
const HEAD: u32 = 64;

/// A program and an input for it.
#[derive(Debug)]
pub struct Made {
    /// The program.
    pub program: Program,
    /// Canonical bytes.
    pub input: Vec<u8>,
}

impl Model {
    /// Makes the program and an input.
    ///
    /// # Errors
    /// When it is not legal.
    pub fn make(self) -> Result<Made> {
        let program = match self {
            Self::Stack { width, depth, batch } => stack(width, depth, batch)?,
            Self::Attention { tokens } => attention(tokens)?,
            Self::Chain { operators } => chain(operators)?,
            Self::Digits => Program::decode(include_bytes!("../../../fixtures/digits/digits.narrows"))?,
        };
        let input = self.input(&program, 0);
        Ok(Made { program, input })
    }

    /// The input number `number` of its program.
    pub fn input(self, program: &Program, number: u64) -> Vec<u8> {
        match (self, number) {
            (Self::Digits, 0) => include_bytes!("../../../fixtures/digits/sample.bin").to_vec(),
            _ => noise(u64::MAX - number, program.header().input.bytes() as usize),
        }
    }
}

/// Bytes that look random and are the same everywhere (SplitMix64 from `seed`).
fn noise(seed: u64, count: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0xa076_1d64_78bd_642f);
    let mut out = Vec::with_capacity(count + 8);
    while out.len() < count {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        out.extend_from_slice(&(z ^ (z >> 31)).to_le_bytes());
    }
    out.truncate(count);
    out
}

/// A record that brings the sum of `terms` products of any two bytes back to about half of a byte's range.
fn brought_back(draft: &mut Draft, terms: u32) -> ConstantIndex {
    const SHIFT: u8 = 24;
    // A byte of any value deviates by 74 from 0, and sums of products by the square root of their number more.
    let m = f64::from(1u32 << SHIFT) / (120.0 * f64::from(terms).sqrt());
    draft.record(m as u32, SHIFT)
}

/// An activation: entries for -128 … 127 that bend where an input is negative.
fn activation(draft: &mut Draft) -> ConstantIndex {
    let entry = |x: i32| (if x < 0 { x / 4 } else { x }) as i8 as u8;
    draft.constant(DType::I8, (-128..=127).map(entry).collect())
}

fn stack(width: u32, depth: u32, batch: u32) -> Result<Program> {
    let (mut draft, mut rows) = Draft::new(batch, width);
    let (record, table) = (brought_back(&mut draft, width), activation(&mut draft));
    for index in 0..depth {
        let bytes = noise(index.into(), (width * width) as usize);
        let weights = Weights { constant: draft.constant(DType::I8, bytes), base: 0, columns: width };
        rows = draft.dense(rows, weights, record, Some(table));
        draft.layer();
    }
    draft.finish(format!("stack of {depth}, width {width}, batch {batch}"))
}

fn attention(tokens: u32) -> Result<Program> {
    let (mut draft, rows) = Draft::new(tokens, HEAD);
    let record = brought_back(&mut draft, HEAD);
    let weights: Vec<Weights> = (0..4)
        .map(|index| {
            let constant = draft.constant(DType::I8, noise(index, (HEAD * HEAD) as usize));
            Weights { constant, base: 0, columns: HEAD }
        })
        .collect();
    let [queries, keys, values] = [0, 1, 2].map(|i| draft.dense(rows, weights[i], record, None));
    let scores = draft.products(queries, keys, record);
    // 2^(-x / 8), from 127 on.
    let powers = draft.constant(DType::I8, (0..256).map(|x| 127 >> (x / 8).min(7)).collect());
    let attended = draft.attended(scores, values, powers);
    let back = draft.dense(attended, weights[3], record, None);
    draft.mean(rows, back);
    draft.layer();
    draft.finish(format!("attention over {tokens} tokens"))
}

fn chain(operators: u32) -> Result<Program> {
    let (mut draft, mut rows) = Draft::new(CHAIN_ROWS, CHAIN_WIDTH);
    let [few, wide, inner] = [CHAIN_ROWS, CHAIN_WIDTH, CHAIN_INNER].map(|n| brought_back(&mut draft, n));
    let table = activation(&mut draft);
    let mixture = draft.constant(DType::I8, noise(u64::MAX / 2, (CHAIN_ROWS * CHAIN_ROWS) as usize));
    for block in 0..operators / CHAIN_BLOCK {
        let half = CHAIN_WIDTH * CHAIN_INNER;
        let constant = draft.constant(DType::I8, noise(block.into(), 2 * half as usize));
        let mixed = draft.mixed(rows, mixture, few);
        let up = Weights { constant, base: 0, columns: CHAIN_INNER };
        let up: Matrix = draft.dense(mixed, up, wide, Some(table));
        let down = Weights { constant, base: half, columns: CHAIN_WIDTH };
        let down = draft.dense(up, down, inner, None);
        rows = draft.mean(rows, down);
        draft.layer();
    }
    draft.finish(format!("chain of {operators} operators"))
}
