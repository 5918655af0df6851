//! Programs that are legal, and one for every rule that is broken.

use super::*;

/// Breaks one thing in a legal program.
type Bend = fn(&mut ProgramParts);

fn refused(bend: Bend) -> Rule {
    let mut parts = small();
    bend(&mut parts);
    Program::new(parts).expect_err("illegal").rule
}

fn layer_records(parts: &mut ProgramParts, bias: i64, m: u32, s: u8) {
    parts.constants[1].bytes = record::encode(bias, m, s).to_vec();
}

#[test]
fn attack_28_every_rule_refuses() {
    let cases: &[(Rule, Bend)] = &[
        (Rule::Counts, |p| p.operators.clear()),
        (Rule::Counts, |p| p.groups.clear()),
        (Rule::Counts, |p| p.groups = vec![1]),
        (Rule::Counts, |p| p.groups = vec![1, 1, 1]),
        (Rule::Counts, |p| p.groups = vec![3]),
        (Rule::Counts, |p| p.groups = vec![0, 2]),
        (Rule::Counts, |p| p.groups = vec![2, 0]),
        (Rule::Counts, |p| p.constants.clear()),
        (Rule::Counts, |p| p.input.elements = 0),
        (Rule::Counts, |p| p.input.elements = (1 << 24) + 1),
        (Rule::Counts, |p| p.reveal_bits = 0),
        (Rule::Counts, |p| p.reveal_bits = 7),
        (Rule::Counts, |p| p.operators[0].out[0] = 0),
        (Rule::Counts, |p| p.operators[0].out = [u32::MAX; 4]),
        (Rule::Counts, |p| p.operators[0].red = [u32::MAX; 3]),
        (Rule::Counts, |p| p.constants[0].bytes.clear()),
        (Rule::Counts, |p| p.constants[1].bytes.push(0)),
        (Rule::Reference, |p| p.operators[0].a.source = Source::Operator(OperatorIndex(0))),
        (Rule::Reference, |p| p.operators[0].a.source = Source::Operator(OperatorIndex(1))),
        (Rule::Reference, |p| p.operators[0].a.source = Source::Constant(ConstantIndex(2))),
        (Rule::Reference, |p| p.operators[0].a.source = Source::Constant(ConstantIndex(1))),
        (Rule::Reference, |p| p.constants.push(p.constants[0].clone())),
        (Rule::Reference, |p| p.operators[0].b = Some(p.operators[0].a)),
        (Rule::Reference, |p| p.operators[0].a.dtype = DType::I16),
        (Rule::Reference, |p| p.operators[0].params.constant = ConstantIndex(0)),
        (Rule::Shape, |p| p.operators[0].b = None),
        (Rule::Shape, |p| p.operators[0].pad = 1),
        (Rule::Shape, |p| p.operators[1].pad = 0),
        (Rule::Shape, |p| p.operators[0].lo = -129),
        (Rule::Shape, |p| p.operators[0].hi = 128),
        (Rule::Shape, |p| p.operators[0].lo = 128),
        (Rule::Shape, |p| p.operators[0].scale_a = 1),
        (Rule::Shape, |p| p.operators[0].fold = Fold::Pair),
        (Rule::Shape, |p| p.operators[1].windows[0].out_step = 0),
        (Rule::Shape, |p| p.operators[1].windows[1].stride = 1),
        (Rule::Address, |p| p.operators[0].a.map.base = 1),
        (Rule::Address, |p| p.operators[0].b.as_mut().expect("b").map.base = 1),
        (Rule::Address, |p| p.operators[0].params.out[3] = 1),
        (Rule::Address, |p| p.operators[1].windows[0].stride = 2),
        (Rule::Window, |p| p.operators[1].windows[0].offset = 2),
        (Rule::Window, |p| p.operators[1].out[0] = 5),
        (Rule::Record, |p| layer_records(p, 0, 0, 1)),
        (Rule::Record, |p| p.constants[1].bytes[13] = 1),
        (Rule::Bound, |p| layer_records(p, i64::MAX, 1, 1)),
        (Rule::Bound, |p| layer_records(p, i64::MIN, 1, 1)),
        (Rule::Bound, |p| layer_records(p, 1 << 40, u32::MAX, 1)),
        (Rule::Witness, |p| p.operators[0].split = 0),
        (Rule::Witness, |p| p.operators[0].split = (1 << 14) + 1),
    ];
    for (index, (rule, bend)) in cases.iter().enumerate() {
        assert_eq!(refused(*bend), *rule, "case {index}");
    }
    // A shift of 0 or above 62 is refused as a record or as a bound.
    for shift in [0, 63, 255] {
        let mut parts = small();
        layer_records(&mut parts, 0, 1, shift);
        assert!(Program::new(parts).is_err(), "shift {shift}");
    }
}

#[test]
fn attack_28_the_bound_is_sharp() {
    // acc = 4 * 128 * 128 = 2^16; the pooling layer's is 128.
    let legal = |bias: i64, m, s| {
        let mut parts = small();
        layer_records(&mut parts, bias, m, s);
        Program::new(parts).is_ok()
    };
    let room = (1i64 << 62) - (1 << 16) - 1;
    assert!(legal(room - 1, 1, 1) && !legal(room, 1, 1), "the bias at its limit");
    assert!(legal(0, 1, 62) && !legal(0, 1, 63), "the shift at its limit");
    assert!(legal((1 << 61) - (1 << 16) - 1, 1, 62) && !legal((1 << 61) - (1 << 16), 1, 62), "both at once");
}

#[test]
fn attack_28_the_worst_record_of_many_decides() {
    // acc = 2^16 again, which the first three take, the second with nothing to spare.
    let legal = |records: &[(i64, u32, u8)]| {
        let mut parts = small();
        let bytes = records.iter().flat_map(|(bias, m, s)| record::encode(*bias, *m, *s));
        parts.constants[1].bytes = bytes.collect();
        Program::new(parts).map(|_| ()).map_err(|error| error.rule)
    };
    let (tight, wide) = ((1 << 45) - 1, (1i64 << 61) - (1 << 16) - 1);
    assert_eq!(legal(&[(tight, 1 << 16, 1), (wide, 1, 62), (0, u32::MAX, 1)]), Ok(()));
    for place in 0..3 {
        let mut records = vec![(0, 1, 1); 3];
        records[place] = (wide + 1, 1, 62);
        assert_eq!(legal(&records), Err(Rule::Bound), "record {place}");
        records[place] = (i64::MIN, u32::MAX, 1);
        assert_eq!(legal(&records), Err(Rule::Bound), "record {place} takes no accumulator at all");
    }
}

#[test]
fn attack_28_no_window_is_empty_anywhere() {
    let mut seen = [0; 2];
    for case in 0..5 * 3 * 3 * 8 * 5 * 4u32 {
        let mut rest = case;
        let mut digit = |base: u32| {
            let digit = rest % base;
            rest /= base;
            digit
        };
        let (out, out_step, red_step) = (digit(5) + 1, digit(3) + 1, digit(3) + 1);
        let (offset, limit, red) = (digit(8), digit(5) + 1, digit(4) + 1);
        let inside = |o: u32| {
            (0..red)
                .any(|t| (0..limit as i32).contains(&((o * out_step + t * red_step) as i32 - offset as i32)))
        };
        let whole = (0..out).all(inside);
        let mut parts = small();
        parts.input.elements = 8;
        let pool = &mut parts.operators[1];
        (pool.a.source, pool.out[0], pool.red[0]) = (Source::Input, out, red);
        let (out_step, red_step, offset) = (out_step as u16, red_step as u16, offset as u16);
        pool.windows[0] = Window { limit, stride: 1, out_step, red_step, offset };
        let verdict = Program::new(parts).map(|_| ()).map_err(|error| error.rule);
        assert_eq!(verdict, if whole { Ok(()) } else { Err(Rule::Window) }, "case {case}");
        seen[usize::from(whole)] += 1;
    }
    assert!(seen.iter().all(|count| *count > 500), "{seen:?}");
}

#[test]
fn attack_28_a_layer_has_at_most_32_operators() {
    let chain = |groups: &[u8]| {
        let count: u32 = groups.iter().map(|size| u32::from(*size)).sum();
        let mut parts = branched(&[7]);
        parts.constants.truncate(1);
        parts.operators = (0..count).map(|i| copy(i.checked_sub(1).map_or(Source::Input, op))).collect();
        parts.groups = groups.to_vec();
        Program::new(parts).map(|program| program.layers().len()).map_err(|error| error.rule)
    };
    assert_eq!(chain(&[32]), Ok(1));
    assert_eq!(chain(&[32, 32, 1]), Ok(3));
    assert_eq!(chain(&[33]), Err(Rule::Counts));
    assert_eq!(chain(&[1, 255]), Err(Rule::Counts));
}

#[test]
fn attack_28_the_work_is_counted_and_bounded() {
    // Each output element folds 2^22 terms of the same input element.
    let work = |elements: u32, operators: usize| {
        let mut parts = branched(&[7]);
        parts.constants.truncate(1);
        let fold = Operator {
            out: [1, 1, 1, elements],
            red: [1, 1, 1 << 22],
            split: 1 << 14,
            ..copy(Source::Input)
        };
        let fold = Operator { a: Operand { map: IndexMap::default(), ..fold.a }, ..fold };
        parts.operators = vec![fold; operators];
        parts.operators.push(copy(Source::Input));
        parts.groups = parts.operators.iter().map(|_| 1).collect();
        Program::new(parts).map(|program| program.header().work).map_err(|error| error.rule)
    };
    assert_eq!(work(5, 2), Ok((10 << 22) + 3));
    // 2^31 - 1 elements are 2^53 - 2^22 terms, and 1,024 times that leaves 2^32 of 2^63.
    assert_eq!(work((1u64 << 31) as u32 - 1, 1024), Ok((1 << 63) - (1 << 32) + 3));
    assert_eq!(work((1u64 << 31) as u32 - 1, 1025), Err(Rule::Counts));
}

#[test]
fn a_refusal_names_the_operator_and_the_rule() {
    let mut parts = small();
    parts.operators[1].pad = 0;
    let error = Program::new(parts).expect_err("illegal");
    assert_eq!((error.operator, error.rule), (Some(OperatorIndex(1)), Rule::Shape));
    assert!(error.to_string().starts_with("illegal program: operator 1: pad 0 for Max"), "{error}");
}

#[test]
fn attack_29_a_step_walks_few_enough_rows_to_fit_a_transaction() {
    // Each output element sums `rows` rows of one term.
    let summed = |rows: u32, split: u32| {
        let mut parts = branched(&[7]);
        parts.constants.truncate(1);
        let sum = Operator { out: [1; 4], red: [rows, 1, 1], split, ..copy(Source::Input) };
        let sum = Operator { a: Operand { map: IndexMap::default(), ..sum.a }, ..sum };
        (parts.operators, parts.groups) = (vec![sum], vec![1]);
        Program::new(parts).map(|_| ()).map_err(|error| error.rule)
    };
    assert_eq!(summed(1 << 11, 1 << 14), Ok(()));
    assert_eq!(summed((1 << 11) + 1, 1 << 14), Err(Rule::Witness));
    // A row more than the terms of a segment may be touched at its ends.
    assert_eq!(summed(1 << 13, (1 << 11) - 1), Ok(()));
    assert_eq!(summed(1 << 13, 1 << 11), Err(Rule::Witness));
}

#[test]
fn attack_29_a_step_opens_few_enough_bytes_to_fit_a_transaction() {
    // A dot product over two tensors of depth 24, its terms so far from one another.
    let dot = |apart: u32, terms: u32, split: u32| {
        let mut parts = branched(&[7]);
        parts.constants.truncate(1);
        let wide = Operator { out: [1, 1, 1, (1 << 31) - 1], ..copy(Source::Input) };
        let wide = Operator { a: Operand { map: IndexMap::default(), ..wide.a }, ..wide };
        let map = IndexMap { red: [0, 0, apart], ..IndexMap::default() };
        let operand = Operand { source: Source::Operator(OperatorIndex(0)), map, ..wide.a };
        let dot = Operator { fold: Fold::Dot, out: [1; 4], red: [1, 1, terms], split, ..copy(Source::Input) };
        let dot = Operator { a: operand, b: Some(operand), ..dot };
        (parts.operators, parts.groups) = (vec![wide, dot], vec![1, 1]);
        Program::new(parts).map(|_| ()).map_err(|error| error.rule)
    };
    // Each term in a tile of its own: 78 (132 + 32 * 17) + 32 * 128 = 56,824 bytes an operand, together at most 114,688.
    let far = |terms, split| dot(10_000_000, terms, split);
    assert_eq!(far(78, 78), Ok(()));
    assert_eq!(far(79, 79), Err(Rule::Witness));
    assert_eq!(far(192, 78), Ok(()), "in segments");
    assert_eq!(far(192, 79), Err(Rule::Witness));
    // Tiles next to one another take few nodes.
    assert_eq!(dot(1, 1 << 14, 1 << 14), Ok(()), "130 tiles of each");
}
