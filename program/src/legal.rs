//! Legality (SPEC 5): proved once, so that no evaluation can overflow, read out of range or outgrow the referee.

use std::collections::HashMap;

use crate::parts::SharedParts;
use crate::{
    ConstantIndex, DType, Finalise, Fold, Header, Illegal, Operand, Operator, OperatorIndex, Rule, Source,
    TensorType, record,
};

/// The named limits of SPEC 5.
pub mod limits {
    /// Most operators, and most constants.
    pub const MAX_COUNT: u64 = 1 << 20;
    /// Most operators of a layer.
    pub const MAX_LAYER_OPERATORS: u8 = 32;
    /// Most terms that one evaluation folds.
    pub const MAX_WORK: u64 = (1 << 63) - 1;
    /// Most elements of a tensor.
    pub const MAX_ELEMENTS: u64 = (1 << 31) - 1;
    /// Most elements of the input, and of the output.
    pub const MAX_PUBLIC_ELEMENTS: u64 = 1 << 24;
    /// Most terms of a fold.
    pub const MAX_TERMS: u64 = 1 << 24;
    /// Most bytes of the meta section.
    pub const MAX_META_BYTES: u64 = 1 << 24;
    /// Most terms of a segment.
    pub const MAX_SPLIT: u32 = 1 << 14;
    /// Most segments of a fold.
    pub const MAX_SEGMENTS: u64 = 256;
    /// Most tiles that a step opens of one operand.
    pub const MAX_STEP_TILES: u64 = 192;
    /// Runs of neighbouring terms in a step: each costs gas of its own.
    pub const MAX_STEP_ROWS: u64 = 1 << 11;
    /// Most bytes of tiles and proofs that a step opens: with all else that its call carries, less than the 128 KiB of a
    /// transaction that nodes of public chains hand on.
    pub const MAX_STEP_BYTES: u64 = 112 << 10;
    /// Greatest number of levels in a reveal.
    pub const MAX_REVEAL_BITS: u8 = 6;
    /// Most bits by which a division lifts its accumulator.
    pub const MAX_LIFT: u8 = 30;
    /// Every intermediate stays below this magnitude.
    pub const BOUND: u128 = 1 << 62;
}

use crate::bounds::{self, Range, Records};
use limits::{MAX_COUNT, MAX_ELEMENTS, MAX_LIFT, MAX_META_BYTES, MAX_PUBLIC_ELEMENTS, MAX_WORK};

pub(crate) type Checked = Result<(), (Rule, String)>;

pub(crate) fn ensure(holds: bool, rule: Rule, what: impl FnOnce() -> String) -> Checked {
    if holds { Ok(()) } else { Err((rule, what())) }
}

/// Checks every rule; gives the header that a legal program has.
pub(crate) fn check(parts: &SharedParts, meta_bytes: &[u8]) -> Result<Header, Illegal> {
    let whole = |(rule, what)| Illegal { rule, operator: None, what };
    counts(parts, meta_bytes).map_err(whole)?;
    let lists = parts.constants.iter().enumerate().map(|(index, constant)| {
        records(constant).map_err(|(rule, what)| whole((rule, format!("constant {index}: {what}"))))?;
        Ok(Records::new(constant))
    });
    let lists = lists.collect::<Result<Vec<_>, Illegal>>()?;
    let mut known =
        Known { lists, ranges: Vec::with_capacity(parts.operators.len()), tables: HashMap::new() };
    for (index, op) in parts.operators.iter().enumerate() {
        let index = OperatorIndex(index as u32);
        operator(parts, &mut known, index, op).map_err(|(rule, what)| Illegal {
            rule,
            operator: Some(index),
            what,
        })?;
    }
    all_read(parts).map_err(whole)?;
    let missing = || whole((Rule::Counts, format!("no operator, or more than {MAX_WORK} terms")));
    let header = parts.header(meta_bytes).ok_or_else(missing)?;
    ensure(header.output.elements <= MAX_PUBLIC_ELEMENTS, Rule::Counts, || "the output is too large".into())
        .map_err(whole)?;
    Ok(header)
}

fn counts(parts: &SharedParts, meta_bytes: &[u8]) -> Checked {
    let count = |n: usize| (1..=MAX_COUNT).contains(&(n as u64));
    let rule = Rule::Counts;
    ensure(count(parts.operators.len()), rule, || format!("{} operators", parts.operators.len()))?;
    for (index, &size) in parts.groups.iter().enumerate() {
        ensure((1..=limits::MAX_LAYER_OPERATORS).contains(&size), rule, || {
            format!("layer {index} has {size} operators")
        })?;
    }
    let held: usize = parts.groups.iter().map(|size| usize::from(*size)).sum();
    ensure(held == parts.operators.len(), rule, || {
        format!("the layers hold {held} operators of {}", parts.operators.len())
    })?;
    ensure(count(parts.constants.len()), rule, || format!("{} constants", parts.constants.len()))?;
    ensure(meta_bytes.len() as u64 <= MAX_META_BYTES, rule, || "the meta section is too long".into())?;
    let bits = parts.reveal_bits;
    ensure((1..=limits::MAX_REVEAL_BITS).contains(&bits), rule, || format!("a reveal of {bits} levels"))?;
    let input = parts.input;
    let sized = (1..=MAX_PUBLIC_ELEMENTS).contains(&input.elements) && input.dtype.is_integer();
    ensure(sized, rule, || format!("an input of {} elements of {:?}", input.elements, input.dtype))?;
    for (index, constant) in parts.constants.iter().enumerate() {
        let elements = constant.tensor().elements;
        let whole = constant.bytes.len() % constant.dtype.bytes() == 0;
        ensure(whole && (1..=MAX_ELEMENTS).contains(&elements), rule, || {
            format!("constant {index} has {elements} elements")
        })?;
    }
    Ok(())
}

/// What checking operators takes, learned once: operators may share constants, so that reading those for each one would take
/// time that neither the program's size nor its work bounds.
struct Known {
    /// What each constant asks as a list of records.
    lists: Vec<Records>,
    /// The values of each operator before.
    ranges: Vec<Range>,
    /// The values of the tables that operators before end in.
    tables: HashMap<ConstantIndex, Range>,
}

/// Checks one operator, whose outputs' range is then added to those of the operators before it.
fn operator(parts: &SharedParts, known: &mut Known, index: OperatorIndex, op: &Operator) -> Checked {
    let dims = op.out.iter().chain(&op.red).all(|d| *d >= 1);
    ensure(dims, Rule::Counts, || "a dimension is 0".into())?;
    let (elements, terms) = (op.elements(), op.terms());
    ensure(elements <= MAX_ELEMENTS, Rule::Counts, || format!("{elements} output elements"))?;
    ensure(terms <= limits::MAX_TERMS, Rule::Counts, || format!("{terms} terms"))?;
    let a = operand(parts, index, &op.a)?;
    let b = op.b.as_ref().map(|b| operand(parts, index, b)).transpose()?;
    let params = parts.tensor(Source::Constant(op.params.constant)).filter(|t| t.dtype == DType::Params);
    let params =
        params.ok_or((Rule::Reference, format!("constant {} is no list of records", op.params.constant)))?;
    shape(op)?;
    let third = third(parts, index, op)?;
    addresses(op, a, b, params)?;
    if let (Finalise::Divide { by, .. }, Some(divisor)) = (&op.finalise, third) {
        below(reach(op, &by.map.out, &by.map.red, by.map.base), divisor, "the divisor")?;
    }
    windows(op)?;
    bounds::check(op, &known.lists[op.params.constant.0 as usize], &known.ranges)?;
    witness(op, a, b)?;
    known.ranges.push(Range::of(parts, op, &mut known.tables));
    Ok(())
}

/// The table or the divisor of an operator whose shape is right.
fn third(
    parts: &SharedParts,
    index: OperatorIndex,
    op: &Operator,
) -> Result<Option<TensorType>, (Rule, String)> {
    match op.finalise {
        Finalise::Requantise | Finalise::Root => Ok(None),
        Finalise::Table(table) => {
            let tensor = parts.tensor(Source::Constant(table)).filter(|t| t.dtype == op.dtype);
            let tensor =
                tensor.ok_or((Rule::Reference, format!("constant {table} is no table of {:?}", op.dtype)))?;
            let entries = (i64::from(op.hi) - i64::from(op.lo) + 1) as u64;
            ensure(tensor.elements == entries, Rule::Shape, || {
                format!("a table of {} entries for {entries} values", tensor.elements)
            })?;
            Ok(Some(tensor))
        }
        Finalise::Divide { by, .. } => {
            ensure(matches!(by.source, Source::Operator(_)), Rule::Reference, || {
                format!("divides by {:?}, which is no operator's output", by.source)
            })?;
            operand(parts, index, &by).map(Some)
        }
    }
}

fn operand(
    parts: &SharedParts,
    index: OperatorIndex,
    operand: &Operand,
) -> Result<TensorType, (Rule, String)> {
    let earlier = !matches!(operand.source, Source::Operator(source) if source >= index);
    ensure(earlier, Rule::Reference, || format!("reads {:?}, which is not earlier", operand.source))?;
    let none = || (Rule::Reference, format!("reads {:?}, which does not exist", operand.source));
    let tensor = parts.tensor(operand.source).ok_or_else(none)?;
    let right = tensor.dtype == operand.dtype && tensor.dtype.is_integer();
    ensure(right, Rule::Reference, || format!("reads {:?} as {:?}", operand.source, operand.dtype))?;
    Ok(tensor)
}

fn shape(op: &Operator) -> Checked {
    let rule = Rule::Shape;
    ensure(op.dtype.is_integer(), rule, || "an output of records".into())?;
    ensure(op.b.is_some() == op.fold.has_b(), rule, || {
        format!("{:?} with a wrong number of operands", op.fold)
    })?;
    let pad = if op.fold == Fold::Max { op.a.dtype.min() } else { 0 };
    let single = op.terms() == 1;
    let windowless = op.windows.iter().all(|w| w.limit == 0);
    ensure(i64::from(op.pad) == pad, rule, || format!("pad {} for {:?}", op.pad, op.fold))?;
    let (lo, hi) = (i64::from(op.lo), i64::from(op.hi));
    // The range of a table's index is held to its entries instead.
    let index = matches!(op.finalise, Finalise::Table(_));
    let range = lo <= hi && (index || (op.dtype.min() <= lo && hi <= op.dtype.max()));
    ensure(range, rule, || format!("an output range of {lo}…{hi} in {:?}", op.dtype))?;
    if let Finalise::Divide { by, lift } = op.finalise {
        ensure(lift <= MAX_LIFT && by.map.red == [0; 3], rule, || {
            format!("a malformed division, lifted by {lift} bits")
        })?;
    }
    for window in &op.windows {
        let absent = *window == crate::Window::default();
        let present = window.limit > 0 && window.stride > 0 && window.out_step > 0 && window.red_step > 0;
        ensure(absent || present, rule, || format!("a malformed window {window:?}"))?;
    }
    match op.fold {
        Fold::Pair => ensure(single, rule, || "a pair with more than one term".into()),
        Fold::Gather => {
            let rows = op.scale_a >= 0 && op.scale_b >= 1;
            ensure(single && windowless && rows, rule, || {
                "a gather with more than one term, a window, a backward step or no rows".into()
            })
        }
        Fold::Dot | Fold::Sum | Fold::Max | Fold::ArgMax => {
            ensure(op.fold != Fold::ArgMax || windowless, rule, || "an argmax with a window".into())?;
            ensure(op.scale_a == 0 && op.scale_b == 0, rule, || "scales without a pair or a gather".into())
        }
    }
}

/// The greatest address that a map without windows reaches.
fn reach(op: &Operator, out: &[u32; 4], red: &[u32; 3], base: u32) -> u128 {
    let step = |(dim, stride): (&u32, &u32)| u128::from(dim - 1) * u128::from(*stride);
    let outs: u128 = op.out.iter().zip(out).map(step).sum();
    let reds: u128 = op.red.iter().zip(red).map(step).sum();
    u128::from(base) + outs + reds
}

fn addresses(op: &Operator, a: TensorType, b: Option<TensorType>, params: TensorType) -> Checked {
    let mut greatest = reach(op, &op.a.map.out, &op.a.map.red, op.a.map.base);
    for (axis, window) in op.windows.iter().enumerate().filter(|(_, w)| w.limit > 0) {
        let last = u128::from(op.out[axis] - 1) * u128::from(window.out_step)
            + u128::from(op.red[axis] - 1) * u128::from(window.red_step);
        let position = last.saturating_sub(u128::from(window.offset)).min(u128::from(window.limit - 1));
        greatest += position * u128::from(window.stride);
    }
    below(greatest, a, "operand a")?;
    if let (Some(operand), Some(tensor)) = (&op.b, b) {
        let rows = if op.fold == Fold::Gather { (op.scale_b - 1) as u128 * op.scale_a as u128 } else { 0 };
        let greatest = reach(op, &operand.map.out, &operand.map.red, operand.map.base) + rows;
        below(greatest, tensor, "operand b")?;
    }
    below(reach(op, &op.params.out, &[0; 3], 0), params, "the records")
}

fn below(address: u128, tensor: TensorType, name: &str) -> Checked {
    let elements = tensor.elements;
    ensure(address < u128::from(elements), Rule::Address, || {
        format!("address {address} of {name}, which has {elements} elements")
    })
}

/// For max: every output position has a term inside each window.
fn windows(op: &Operator) -> Checked {
    if op.fold != Fold::Max {
        return Ok(());
    }
    for (axis, window) in op.windows.iter().enumerate().filter(|(_, w)| w.limit > 0) {
        // Windows that begin inside the axis move away from its start, so of those the last decides; the others are
        // at most as many as an offset is great, however large the output.
        let last = op.out[axis] - 1;
        let before = u32::from(window.offset.div_ceil(window.out_step)).min(last);
        for o in (0..before).chain([last]) {
            let start = i64::from(o) * i64::from(window.out_step) - i64::from(window.offset);
            let step = i64::from(window.red_step);
            // The first term at or after position 0, which is the only candidate that can matter.
            let first = if start >= 0 { 0 } else { (-start + step - 1) / step };
            let inside = first < i64::from(op.red[axis]) && start + first * step < i64::from(window.limit);
            ensure(inside, Rule::Window, || format!("an empty window at position {o} of axis {axis}"))?;
        }
    }
    Ok(())
}

/// Every constant is read: so an operator's bytes bind every constant. References must exist.
fn all_read(parts: &SharedParts) -> Checked {
    let mut read = vec![false; parts.constants.len()];
    for source in parts.operators.iter().flat_map(Operator::sources) {
        if let Source::Constant(index) = source {
            read[index.0 as usize] = true;
        }
    }
    match read.iter().position(|read| !read) {
        None => Ok(()),
        Some(index) => Err((Rule::Reference, format!("constant {index} is never read"))),
    }
}

fn records(constant: &crate::Constant<crate::Bytes>) -> Checked {
    if constant.dtype != DType::Params {
        return Ok(());
    }
    let (chunks, _) = constant.bytes.as_chunks::<16>();
    for (index, bytes) in chunks.iter().enumerate() {
        let good = record::decode(bytes).is_some_and(|(_, m, s)| m >= 1 && (1..=62).contains(&s));
        ensure(good, Rule::Record, || format!("record {index} is malformed"))?;
    }
    Ok(())
}

fn witness(op: &Operator, a: TensorType, b: Option<TensorType>) -> Checked {
    let rule = Rule::Witness;
    ensure((1..=limits::MAX_SPLIT).contains(&op.split), rule, || format!("segments of {} terms", op.split))?;
    let segments = op.segments();
    ensure(segments <= limits::MAX_SEGMENTS, rule, || format!("{segments} segments; raise the split"))?;
    crate::step::check(op, a, b, op.terms().min(u64::from(op.split)))
}
