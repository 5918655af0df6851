//! Programs of a few operators whose games are small enough to be played out in every way.

use narrows_program::{
    Constant, ConstantIndex, DType, Finalise, Fold, IndexMap, Meta, Operand, Operator, OperatorIndex, Params,
    Program, ProgramParts, Source, TensorType, Window, record,
};

/// Bytes of every program's input, i8 each.
pub const INPUT: u32 = 1_000;

/// The input: small values, so that no output is clipped.
pub fn input() -> Vec<u8> {
    (0..INPUT).map(|i| (i % 13) as u8).collect()
}

fn tensor(at: Option<u32>) -> Source {
    at.map_or(Source::Input, |index| Source::Operator(OperatorIndex(index)))
}

fn operand(at: Option<u32>, dtype: DType, out: u32, red: u32) -> Operand {
    Operand { source: tensor(at), dtype, map: IndexMap { base: 0, out: [0, 0, 0, out], red: [0, 0, red] } }
}

/// Element o of operator `from` (or of the input), plus a bias of 1 to 7.
fn copy(from: Option<u32>, elements: u32) -> Operator {
    Operator {
        fold: Fold::Sum,
        dtype: DType::I8,
        out: [1, 1, 1, elements],
        red: [1; 3],
        a: operand(from, DType::I8, 1, 0),
        windows: [Window::default(); 2],
        pad: 0,
        b: None,
        scale_a: 0,
        scale_b: 0,
        finalise: Finalise::Requantise,
        // Eight records, of which larger tensors use the first alone.
        params: Params { constant: ConstantIndex(0), out: [0, 0, 0, u32::from(elements <= 8)] },
        lo: -128,
        hi: 127,
        split: 16,
    }
}

/// 2 a + -1 b, element by element.
fn pair(a: Option<u32>, b: Option<u32>, elements: u32) -> Operator {
    let b = Some(operand(b, DType::I8, 1, 0));
    Operator { fold: Fold::Pair, b, scale_a: 2, scale_b: -1, ..copy(a, elements) }
}

/// The first `terms` elements of `from`, folded in segments of `split`.
fn reduce(fold: Fold, from: Option<u32>, elements: u32, terms: u32, split: u32) -> Operator {
    let (least, plain) = (if fold == Fold::Max { -128 } else { 0 }, copy(from, elements));
    Operator {
        fold,
        red: [1, 1, terms],
        a: operand(from, DType::I8, 0, 1),
        pad: least,
        split,
        dtype: DType::I16,
        lo: -32_768,
        hi: 32_767,
        ..plain
    }
}

/// A legal program, with the eight records as its first constant and `more` after it.
fn legal_with(operators: Vec<Operator>, groups: &[u8], reveal_bits: u8, more: Vec<Constant>) -> Program {
    let records = (0..8).flat_map(|i| record::encode(i % 7 + 1, 2, 1)).collect();
    Program::new(ProgramParts {
        input: TensorType { dtype: DType::I8, elements: INPUT.into() },
        operators,
        groups: groups.to_vec(),
        constants: std::iter::once(Constant { dtype: DType::Params, bytes: records }).chain(more).collect(),
        reveal_bits,
        meta: Meta::default(),
    })
    .expect("legal")
}

fn legal(operators: Vec<Operator>, groups: &[u8], reveal_bits: u8) -> Program {
    legal_with(operators, groups, reveal_bits, Vec::new())
}

/// `layers` layers of one tile of two elements, each a copy of the one before.
pub fn chain(layers: u32, reveal_bits: u8) -> Program {
    let operators = (0..layers).map(|i| copy(i.checked_sub(1), 2)).collect();
    legal(operators, &vec![1; layers as usize], reveal_bits)
}

/// `layers` layers of two operators: a copy of the layer before, and a pair of that and of the layer before.
pub fn pairs(layers: u32, reveal_bits: u8) -> Program {
    let layer = |i: u32| {
        let before = (2 * i).checked_sub(1);
        [copy(before, 2), pair(Some(2 * i), before, 2)]
    };
    legal((0..layers).flat_map(layer).collect(), &vec![2; layers as usize], reveal_bits)
}

/// One layer of one operator whose output has 8 tiles, the last of 104 elements.
pub fn tiles(reveal_bits: u8) -> Program {
    legal(vec![copy(None, INPUT)], &[1], reveal_bits)
}

/// Two layers: 9 tiles of two bytes an element, and so four levels and seven padding tiles; and a copy of its first values.
pub fn long(reveal_bits: u8) -> Program {
    let wide = Operator { dtype: DType::I16, lo: -32_768, hi: 32_767, ..copy(None, 520) };
    let first = Operator { a: operand(Some(0), DType::I16, 1, 0), ..copy(Some(0), 2) };
    legal(vec![wide, first], &[1, 1], reveal_bits)
}

/// Three layers (and so one leaf of padding): a copy, its sum of 7 terms in 4 segments, the greatest of 5 terms in 2.
pub fn segments(reveal_bits: u8) -> Program {
    let sum = reduce(Fold::Sum, Some(0), 2, 7, 2);
    let max = reduce(Fold::Max, Some(0), 1, 5, 3);
    legal(vec![copy(None, 8), sum, max], &[1, 1, 1], reveal_bits)
}

/// One layer of one element of 3 terms in 2 segments.
pub fn fold(reveal_bits: u8) -> Program {
    legal(vec![reduce(Fold::Sum, None, 1, 3, 2)], &[1], reveal_bits)
}

/// Three layers: 5 tiles of 600 elements (three padding tiles), and two copies of their first elements.
pub fn padded(reveal_bits: u8) -> Program {
    legal(vec![copy(None, 600), copy(Some(0), 2), copy(Some(1), 2)], &[1, 1, 1], reveal_bits)
}

/// A layer of three operators that exports the last two, and one that reads both.
pub fn exports(reveal_bits: u8) -> Program {
    let operators =
        vec![copy(None, 2), copy(Some(0), 2), pair(Some(0), Some(1), 2), pair(Some(1), Some(2), 2)];
    legal(operators, &[3, 1], reveal_bits)
}

/// A layer of four operators, the last a sum in segments of a local copy; and a copy of the first.
pub fn local(reveal_bits: u8) -> Program {
    let operators = vec![
        copy(None, 6),
        copy(Some(0), 6),
        pair(Some(1), Some(0), 6),
        reduce(Fold::Sum, Some(2), 2, 6, 2),
        copy(Some(0), 2),
    ];
    legal(operators, &[4, 1], reveal_bits)
}

/// A copy; a layer of three in segments: where it is greatest, its sum divided by that, and the root of its squares; and a
/// pair of the last two, which are exported.
/// Nobody's divisor falls below 1 by a change of its last bit.
pub fn divided(reveal_bits: u8) -> Program {
    let place = Operator { dtype: DType::I8, lo: 1, hi: 127, ..reduce(Fold::ArgMax, Some(0), 1, 4, 3) };
    let by = operand(Some(1), DType::I8, 0, 0);
    let quotient =
        Operator { finalise: Finalise::Divide { by, lift: 3 }, ..reduce(Fold::Sum, Some(0), 2, 4, 3) };
    let b = Some(operand(Some(0), DType::I8, 0, 1));
    let root = Operator { b, finalise: Finalise::Root, ..reduce(Fold::Dot, Some(0), 1, 4, 2) };
    let both = Operator {
        a: operand(Some(2), DType::I16, 1, 0),
        b: Some(operand(Some(3), DType::I16, 0, 0)),
        ..pair(None, None, 2)
    };
    legal(vec![copy(None, 4), place, quotient, root, both], &[1, 3, 1], reveal_bits)
}

/// Two layers: rows of the input, named by a copy of it; and a table of their sums in segments.
pub fn looked_up(reveal_bits: u8) -> Program {
    let rows = Operator {
        fold: Fold::Gather,
        b: Some(operand(None, DType::I8, 1, 0)),
        scale_a: 130,
        scale_b: 6,
        ..copy(Some(0), 4)
    };
    let sums = reduce(Fold::Sum, Some(1), 2, 4, 3);
    let table = Operator { finalise: Finalise::Table(ConstantIndex(1)), lo: 0, hi: 99, ..sums };
    // Each value and the one that differs in the last bit.
    let entries = (0..100i16).flat_map(|i| (i ^ 37).to_le_bytes()).collect();
    let entries = Constant { dtype: DType::I16, bytes: entries };
    legal_with(vec![copy(None, 4), rows, table], &[2, 1], reveal_bits, vec![entries])
}
