//! Gather, argmax, tables, divisions, roots and pairs with windows: what is legal of them, and how they are written.

use super::*;

/// Breaks one thing in a legal program.
type Bend = fn(&mut ProgramParts);

const GATHER: usize = 0;
const ARG_MAX: usize = 1;
const TABLE: usize = 2;
const DIVIDE: usize = 3;
const ROOT: usize = 4;
const PAIR: usize = 5;

/// The gathered constant, and the table; before them a record for each operator.
const ROWS: usize = 6;
const ENTRIES: usize = 7;

/// One operator of each kind, the others reading the first, in layers of 2, 3 and 1; nothing of what they read is left over.
pub(super) fn kinds() -> ProgramParts {
    let each = IndexMap { out: [0, 0, 0, 1], ..IndexMap::default() };
    let all = IndexMap { red: [0, 0, 1], ..IndexMap::default() };
    let of = |index, map| Operand { source: op(index), dtype: DType::I16, map };
    let plain = Operator {
        dtype: DType::I16,
        a: of(0, each),
        lo: -32_768,
        hi: 32_767,
        split: 2,
        ..copy(Source::Input)
    };
    let gather = Operator {
        fold: Fold::Gather,
        a: Operand { source: Source::Input, dtype: DType::I8, map: each },
        b: Some(Operand {
            source: Source::Constant(ConstantIndex(ROWS as u32)),
            dtype: DType::I16,
            map: IndexMap { base: 1, ..each },
        }),
        scale_a: 3,
        scale_b: 3,
        lo: -1000,
        hi: 900,
        ..plain
    };
    let arg_max = Operator {
        fold: Fold::ArgMax,
        dtype: DType::I8,
        out: [1; 4],
        red: [1, 1, 3],
        a: of(0, all),
        lo: 2,
        hi: 100,
        ..plain
    };
    let table = Operator {
        dtype: DType::I8,
        finalise: Finalise::Table(ConstantIndex(ENTRIES as u32)),
        lo: -2,
        hi: 2,
        ..plain
    };
    let by = Operand { source: op(ARG_MAX as u32), dtype: DType::I8, map: IndexMap::default() };
    let divide = Operator { finalise: Finalise::Divide { by, lift: 8 }, ..plain };
    let root = Operator {
        fold: Fold::Dot,
        dtype: DType::I32,
        out: [1; 4],
        red: [1, 1, 3],
        a: of(0, all),
        b: Some(of(0, all)),
        finalise: Finalise::Root,
        ..plain
    };
    let pair = Operator {
        fold: Fold::Pair,
        out: [3, 1, 1, 1],
        a: of(0, IndexMap::default()),
        windows: [Window { limit: 3, stride: 1, out_step: 1, red_step: 1, offset: 1 }, Window::default()],
        b: Some(of(DIVIDE as u32, IndexMap { out: [1, 0, 0, 0], ..IndexMap::default() })),
        scale_a: 1,
        scale_b: -1,
        ..plain
    };
    let mut operators = vec![gather, arg_max, table, divide, root, pair];
    let mut constants: Vec<Constant> = Vec::new();
    for (index, operator) in operators.iter_mut().enumerate() {
        operator.params.constant = ConstantIndex(index as u32);
        constants.push(Constant { dtype: DType::Params, bytes: record::encode(0, 2, 1).to_vec() });
    }
    constants.push(Constant { dtype: DType::I16, bytes: (0..20).collect() });
    constants.push(Constant { dtype: DType::I8, bytes: vec![1, 2, 3, 4, 5] });
    ProgramParts {
        input: TensorType { dtype: DType::I8, elements: 3 },
        operators,
        groups: vec![2, 3, 1],
        constants,
        reveal_bits: 4,
        meta: Meta::default(),
    }
}

fn verdict(bend: impl FnOnce(&mut ProgramParts)) -> Result<(), Rule> {
    let mut parts = kinds();
    bend(&mut parts);
    Program::new(parts).map(|_| ()).map_err(|error| error.rule)
}

fn set_record(parts: &mut ProgramParts, operator: usize, bias: i64, m: u32, s: u8) {
    parts.constants[operator].bytes = record::encode(bias, m, s).to_vec();
}

/// Changes the division.
fn divided(parts: &mut ProgramParts, change: impl FnOnce(&mut Operand, &mut u8)) {
    let Finalise::Divide { by, lift } = &mut parts.operators[DIVIDE].finalise else { panic!("a division") };
    change(by, lift);
}

#[test]
fn attack_28_every_rule_refuses_of_the_further_kinds() {
    assert_eq!(verdict(|_| ()), Ok(()));
    let cases: &[(Rule, Bend)] = &[
        // A table is a constant of the output's type, and is read.
        (Rule::Reference, |p| p.operators[TABLE].finalise = Finalise::Table(ConstantIndex(ROWS as u32))),
        (Rule::Reference, |p| p.operators[TABLE].finalise = Finalise::Table(ConstantIndex(0))),
        (Rule::Reference, |p| p.operators[TABLE].finalise = Finalise::Table(ConstantIndex(8))),
        (Rule::Reference, |p| p.operators[TABLE].finalise = Finalise::Requantise),
        // A divisor is an earlier operator's output.
        (Rule::Reference, |p| divided(p, |by, _| by.source = Source::Input)),
        (Rule::Reference, |p| {
            divided(p, |by, _| by.source = Source::Constant(ConstantIndex(ENTRIES as u32)))
        }),
        (Rule::Reference, |p| divided(p, |by, _| by.source = op(DIVIDE as u32))),
        (Rule::Reference, |p| divided(p, |by, _| by.source = op(ROOT as u32))),
        (Rule::Reference, |p| divided(p, |by, _| by.source = op(99))),
        (Rule::Reference, |p| divided(p, |by, _| by.dtype = DType::I16)),
        // A table has an entry for each value of its index.
        (Rule::Shape, |p| p.operators[TABLE].hi = 3),
        (Rule::Shape, |p| p.operators[TABLE].lo = -1),
        (Rule::Shape, |p| p.operators[TABLE].lo = 3),
        (Rule::Shape, |p| (p.operators[TABLE].lo, p.operators[TABLE].hi) = (i32::MIN, i32::MAX)),
        (Rule::Shape, |p| p.constants[ENTRIES].bytes.push(6)),
        (Rule::Shape, |p| divided(p, |_, lift| *lift = 31)),
        (Rule::Shape, |p| divided(p, |by, _| by.map.red[2] = 1)),
        // What is not a table's index lies in the output's type.
        (Rule::Shape, |p| p.operators[DIVIDE].hi = 32_768),
        (Rule::Shape, |p| p.operators[GATHER].b = None),
        (Rule::Shape, |p| p.operators[GATHER].red[2] = 2),
        (Rule::Shape, |p| p.operators[GATHER].pad = -128),
        (Rule::Shape, |p| p.operators[GATHER].scale_a = -1),
        (Rule::Shape, |p| p.operators[GATHER].scale_b = 0),
        (Rule::Shape, |p| p.operators[GATHER].windows = p.operators[PAIR].windows),
        (Rule::Shape, |p| p.operators[ARG_MAX].b = p.operators[ROOT].b),
        (Rule::Shape, |p| p.operators[ARG_MAX].pad = -32_768),
        (Rule::Shape, |p| p.operators[ARG_MAX].scale_a = 1),
        (Rule::Shape, |p| p.operators[ARG_MAX].scale_b = 1),
        (Rule::Shape, |p| p.operators[ARG_MAX].windows = p.operators[PAIR].windows),
        (Rule::Shape, |p| p.operators[PAIR].pad = 1),
        (Rule::Shape, |p| p.operators[PAIR].windows[0].red_step = 0),
        // A gather reaches its last row.
        (Rule::Address, |p| p.operators[GATHER].scale_b = 4),
        (Rule::Address, |p| p.operators[GATHER].scale_a = 4),
        (Rule::Address, |p| p.operators[GATHER].b.as_mut().expect("b").map.base = 2),
        (Rule::Address, |p| {
            (p.operators[GATHER].scale_a, p.operators[GATHER].scale_b) = (i32::MAX, i32::MAX)
        }),
        (Rule::Address, |p| divided(p, |by, _| by.map.base = 1)),
        (Rule::Address, |p| divided(p, |by, _| by.map.out[3] = 1)),
        (Rule::Address, |p| p.operators[PAIR].windows[0].stride = 3),
        // Divisors are at least 1.
        (Rule::Bound, |p| p.operators[ARG_MAX].lo = 0),
        (Rule::Bound, |p| p.operators[ARG_MAX].lo = -1),
    ];
    for (index, (rule, bend)) in cases.iter().enumerate() {
        assert_eq!(verdict(*bend), Err(*rule), "case {index}");
    }
}

#[test]
fn attack_28_at_the_edge_the_further_kinds_are_legal() {
    let cases: &[Bend] = &[
        |p| divided(p, |_, lift| *lift = 30),
        |p| divided(p, |_, lift| *lift = 0),
        |p| p.operators[ARG_MAX].lo = 1,
        // A gather of one row has no step; rows may be one and the same.
        |p| (p.operators[GATHER].scale_a, p.operators[GATHER].scale_b) = (i32::MAX, 1),
        |p| (p.operators[GATHER].scale_a, p.operators[GATHER].scale_b) = (0, i32::MAX),
        // A table's index lies anywhere in 32 bits.
        |p| (p.operators[TABLE].lo, p.operators[TABLE].hi) = (i32::MIN, i32::MIN + 4),
        |p| (p.operators[TABLE].lo, p.operators[TABLE].hi) = (i32::MAX - 4, i32::MAX),
        // A window may be missed everywhere: a is 0 there.
        |p| p.operators[PAIR].windows[0].offset = 9,
        // A map of a divisor for each element.
        |p| divided(p, |by, _| (by.source, by.map.out[3]) = (op(TABLE as u32), 1)),
    ];
    for (index, bend) in cases.iter().enumerate() {
        assert_eq!(verdict(*bend), Ok(()), "case {index}");
    }
}

#[test]
fn attack_28_the_bounds_of_the_further_kinds_are_sharp() {
    // With multiplier 1 and shift 1, (reach + |bias|) + 1 < 2^62. Reaches are those of ranges: 0 gives -1000 … 900.
    let room = |reach: i64| (1i64 << 62) - 2 - reach;
    let reaches = [
        (GATHER, 1 << 15),
        // The place is finalised, of three.
        (ARG_MAX, 3),
        (TABLE, 1000),
        // Lifted by 8 bits, and half the greatest divisor, by the least, and 1 more.
        (DIVIDE, (1000 * 256 + 50) / 2 + 1),
        (PAIR, 1000 + 32_768),
    ];
    for (operator, reach) in reaches {
        for sign in [1, -1] {
            let most = room(reach);
            assert_eq!(
                verdict(|p| set_record(p, operator, sign * most, 1, 1)),
                Ok(()),
                "operator {operator}"
            );
            let beyond = verdict(|p| set_record(p, operator, sign * (most + 1), 1, 1));
            assert_eq!(beyond, Err(Rule::Bound), "operator {operator}");
        }
    }
    // Half the rounding counts too.
    let shifted = |bias| verdict(move |p| set_record(p, DIVIDE, bias, 1, 62));
    let most = (1i64 << 61) - 1 - reaches[3].1;
    assert_eq!((shifted(most), shifted(most + 1)), (Ok(()), Err(Rule::Bound)));
}

#[test]
fn attack_28_the_bounds_of_roots_are_sharp() {
    // Three squares of up to 1000; the bias is under the root, where less than 2^62 may stand.
    let beneath = (1i64 << 62) - 1 - 3_000_000;
    for sign in [1, -1] {
        assert_eq!(verdict(|p| set_record(p, ROOT, sign * beneath, 1, 1)), Ok(()));
        assert_eq!(verdict(|p| set_record(p, ROOT, sign * (beneath + 1), 1, 1)), Err(Rule::Bound));
    }
    // (2^31 - 1) (2^31 + 1) + 1 = 2^62.
    assert_eq!(verdict(|p| set_record(p, ROOT, beneath, 1 << 31, 1)), Ok(()));
    assert_eq!(verdict(|p| set_record(p, ROOT, beneath, (1 << 31) + 1, 1)), Err(Rule::Bound));
    // The greatest bias and the greatest multiplier count together, of whatever records.
    let mixed = |m| {
        verdict(move |p| {
            let records = [record::encode(-beneath, 1, 1), record::encode(0, m, 1)];
            p.constants[ROOT].bytes = records.concat();
        })
    };
    assert_eq!((mixed(1 << 31), mixed((1 << 31) + 1)), (Ok(()), Err(Rule::Bound)));
    assert_eq!(verdict(|p| set_record(p, ROOT, 0, u32::MAX, 62)), Ok(()), "isqrt(3,000,000) is small");
}

#[test]
fn attack_28_what_is_lifted_stays_below_the_bound() {
    let lifted = |lift: u8, hi| {
        verdict(move |p| {
            p.operators[ARG_MAX].hi = hi;
            let divide = &mut p.operators[DIVIDE];
            (divide.fold, divide.b) = (Fold::Pair, Some(divide.a));
            (divide.scale_a, divide.scale_b) = (1 << 30, 1 << 30);
            divided(p, |_, bits| *bits = lift);
            set_record(p, DIVIDE, 0, 1, 1);
        })
    };
    // 2000 * 2^30 * 2^21 < 2^62 <= 2000 * 2^30 * 2^22.
    assert_eq!((lifted(21, 127), lifted(22, 127)), (Ok(()), Err(Rule::Bound)));
    assert_eq!(lifted(30, 127), Err(Rule::Bound));
}

#[test]
fn attack_28_ranges_count_not_types() {
    // Of i16, three products of 2^15 by 2^15 under a bias that leaves room for three of 1000 by 1000.
    let bias = (1i64 << 62) - 1 - 3_000_000;
    let ranged = |lo, hi| {
        verdict(move |p| {
            (p.operators[GATHER].lo, p.operators[GATHER].hi) = (lo, hi);
            set_record(p, ROOT, bias, 1, 1);
        })
    };
    assert_eq!(
        (ranged(-1000, 1000), ranged(-1001, 0), ranged(0, 1001)),
        (Ok(()), Err(Rule::Bound), Err(Rule::Bound))
    );
    // Of a table its entries count: divisors of 1 … 5 are well, a 0 or a -1 among them is not.
    let entries = |entries: [u8; 5]| {
        verdict(move |p| {
            p.constants[ENTRIES].bytes = entries.to_vec();
            divided(p, |by, _| by.source = op(TABLE as u32));
        })
    };
    assert_eq!(entries([1, 2, 3, 4, 5]), Ok(()));
    assert_eq!(entries([1, 2, 0, 4, 5]), Err(Rule::Bound));
    assert_eq!(entries([1, 2, 3, 4, 255]), Err(Rule::Bound));
    // And not its index.
    assert_eq!(verdict(|p| divided(p, |by, _| by.source = op(TABLE as u32))), Ok(()), "though lo is -2");
}

#[test]
fn attack_28_an_argmax_of_the_widest_type_is_legal() {
    let parts = |terms: u32| {
        let mut parts = kinds();
        let wide = Operator {
            a: Operand { source: Source::Input, dtype: DType::I32, map: IndexMap::default() },
            red: [1, 1, terms],
            split: 1 << 14,
            dtype: DType::I32,
            lo: 0,
            hi: i32::MAX,
            ..parts.operators[ARG_MAX]
        };
        parts.input.dtype = DType::I32;
        (parts.operators, parts.groups) = (vec![wide], vec![1]);
        parts.operators[0].params.constant = ConstantIndex(0);
        parts.constants.truncate(1);
        parts
    };
    assert!(Program::new(parts(256 << 14)).is_ok());
    assert_eq!(Program::new(parts((256 << 14) + 1)).expect_err("too many segments").rule, Rule::Witness);
}

/// The file of [`kinds`], and where the descriptor of each operator begins and ends in it.
fn file() -> (Vec<u8>, Vec<std::ops::Range<usize>>) {
    let program = Program::new(kinds()).expect("legal");
    let heads: usize = program.layers().iter().map(|layer| 2 + layer.exports.len()).sum();
    let mut next = 4 + 64 + heads;
    let places = (0..6).map(|index| {
        let start = next;
        next += program.descriptor(OperatorIndex(index)).len();
        start..next
    });
    let places = places.collect();
    (program.encode(), places)
}

#[test]
fn attack_36_extension_words_survive_their_encoding_and_nothing_else_does() {
    let (bytes, places) = file();
    let program = Program::decode(&bytes).expect("legal");
    assert_eq!((program.encode(), program.parts()), (bytes.clone(), kinds()));
    let lengths: Vec<usize> = places.iter().map(|place| place.len()).collect();
    assert_eq!(lengths, [192, 192, 224, 224, 192, 192]);
    for end in 0..bytes.len() {
        assert!(Program::decode(&bytes[..end]).is_err(), "truncated to {end}");
    }
    for bit in 0..bytes.len() * 8 {
        let mut bent = bytes.clone();
        bent[bit / 8] ^= 1 << (bit % 8);
        if let Ok(other) = Program::decode(&bent) {
            assert_ne!(other.root(), program.root(), "bit {bit}");
            assert_eq!(other.encode(), bent, "bit {bit}");
        }
    }
}

#[test]
fn attack_36_a_flag_byte_says_only_what_is_there() {
    let (bytes, places) = file();
    let decoded = |bytes: &[u8]| Program::decode(bytes).map(|_| ());
    let field = Err(LoadError::Decode(DecodeError::Field("descriptor")));
    for (index, place) in places.iter().enumerate() {
        for flag in (0..=255).filter(|flag| *flag != bytes[place.start + 7]) {
            let mut bent = bytes.clone();
            bent[place.start + 7] = flag;
            assert!(decoded(&bent).is_err(), "operator {index}, flag {flag}");
            if flag > 1 {
                assert_eq!(decoded(&bent), field, "operator {index}, flag {flag}");
            }
        }
        // The flag and the word go together: a word too many, and one that is missing.
        let mut bent = bytes.clone();
        let extended = place.len() == 224;
        bent[place.start + 7] = u8::from(!extended);
        match extended {
            true => drop(bent.drain(place.start + 192..place.end)),
            false => drop(bent.splice(place.end..place.end, [0; 32])),
        }
        assert_eq!(decoded(&bent), field, "operator {index}");
    }
    // An unknown way to end, and one that needs a word where there is none.
    for (operator, way) in [(GATHER, 0), (GATHER, 2), (GATHER, 3), (GATHER, 5), (TABLE, 5), (DIVIDE, 2)] {
        let mut bent = bytes.clone();
        bent[places[operator].start + 1] = way;
        assert_eq!(decoded(&bent), field, "operator {operator} in way {way}");
    }
    // A table is no divisor, and what needs no word has none.
    for (operator, way) in [(TABLE, 3), (TABLE, 1), (TABLE, 4), (DIVIDE, 1), (DIVIDE, 4)] {
        let mut bent = bytes.clone();
        bent[places[operator].start + 1] = way;
        assert!(decoded(&bent).is_err(), "operator {operator} in way {way}");
    }
    // Type and depth that are not the tensor's, the reserved bytes, a rank and exports of what has none; of a table also a
    // lift, a base and steps.
    let both = [192, 194, 195, 196, 198, 199];
    let table = (204..224).step_by(4).map(|at| at + 3).chain([197]);
    let cases = both.map(|at| (TABLE, at)).into_iter().chain(table.map(|at| (TABLE, at)));
    for (operator, at) in cases.chain([194, 196, 198, 199].map(|at| (DIVIDE, at))) {
        let mut bent = bytes.clone();
        bent[places[operator].start + at] ^= 1;
        assert_eq!(decoded(&bent), field, "operator {operator}, byte {at}");
    }
}

#[test]
fn the_words_of_third_operands_are_those_of_the_specification() {
    let program = Program::new(kinds()).expect("legal");
    let word = |operator: usize| program.descriptor(OperatorIndex(operator as u32))[192..].to_vec();
    // Type, kind, depth, rank, exports, lift, 0, 0; index, base, S0 … S3.
    let table = [&[1, 1, 0, 0, 0, 0, 0, 0][..], &[0, 0, 0, ENTRIES as u8], &[0; 20]].concat();
    // The first layer exports both of its operators, of which the divisor is the second.
    let divisor = [&[1, 2, 0, 1, 2, 8, 0, 0][..], &[0; 4], &[0; 20]].concat();
    assert_eq!((word(TABLE), word(DIVIDE)), (table, divisor));
    let flags = (0..6).map(|index| program.descriptor(OperatorIndex(index))[7]);
    assert_eq!(flags.collect::<Vec<_>>(), [0, 0, 1, 1, 0, 0]);
    // The table's root is the last of the operator bytes, the divisor's is not among them.
    let bytes = |operator: usize| program.operator_bytes(OperatorIndex(operator as u32));
    let root = |constant: usize| program.constant_root(ConstantIndex(constant as u32)).0.0.to_vec();
    assert_eq!(bytes(TABLE)[224..], [root(TABLE), root(ENTRIES)].concat());
    assert_eq!(bytes(DIVIDE)[224..], root(DIVIDE));
}
