//! Steps by hand, and witnesses bent in every bit.

use narrows_commitment::{Digest, TensorTree};
use narrows_program::{
    Constant, ConstantIndex, DType, Finalise, Fold, IndexMap, Meta, Operand, Operator, OperatorIndex, Params,
    Program, ProgramParts, Source, TensorType, Window, record,
};

use super::*;
use crate::witness::descriptor;
use crate::{ClaimedNodes, Opened, Refusal, Trace, Witness, WitnessSource};

fn operand(source: Source, dtype: DType, map: IndexMap) -> Operand {
    Operand { source, dtype, map }
}

/// Two layers. The first: a 3 x 3 convolution with 3 filters, stride 2, padding 1 of a 6 x 6 x 2 image, and a copy of it;
/// both are exported. The second: a linear map of the convolution's 27 values in segments of 10, a sum of both linear
/// outputs, and that sum less twice a value of the copy.
fn program() -> Program {
    let flat = IndexMap { red: [0, 0, 1], ..IndexMap::default() };
    let operator = |index| Source::Operator(OperatorIndex(index));
    let conv = Operator {
        fold: Fold::Dot,
        dtype: DType::I8,
        out: [3, 3, 1, 3],
        red: [3, 3, 2],
        a: operand(Source::Input, DType::I8, flat),
        windows: [
            Window { limit: 6, stride: 12, out_step: 2, red_step: 1, offset: 1 },
            Window { limit: 6, stride: 2, out_step: 2, red_step: 1, offset: 1 },
        ],
        pad: 0,
        b: Some(operand(
            Source::Constant(ConstantIndex(0)),
            DType::I8,
            IndexMap { base: 0, out: [0, 0, 0, 18], red: [6, 2, 1] },
        )),
        scale_a: 0,
        scale_b: 0,
        finalise: Finalise::Requantise,
        params: Params { constant: ConstantIndex(1), out: [0, 0, 0, 1] },
        lo: 0,
        hi: 127,
        split: 1024,
    };
    let copy = Operator {
        fold: Fold::Sum,
        out: [1, 1, 1, 27],
        red: [1; 3],
        a: operand(operator(0), DType::I8, IndexMap { out: [0, 0, 0, 1], ..IndexMap::default() }),
        windows: [Window::default(); 2],
        b: None,
        params: Params { constant: ConstantIndex(1), out: [0; 4] },
        ..conv
    };
    let linear = Operator {
        dtype: DType::I32,
        out: [1, 1, 1, 2],
        red: [1, 1, 27],
        a: operand(operator(0), DType::I8, flat),
        windows: [Window::default(); 2],
        b: Some(operand(
            Source::Constant(ConstantIndex(2)),
            DType::I16,
            IndexMap { base: 0, out: [0, 0, 0, 27], red: [0, 0, 1] },
        )),
        params: Params { constant: ConstantIndex(1), out: [0; 4] },
        lo: i32::MIN,
        hi: i32::MAX,
        split: 10,
        ..conv
    };
    let sum = Operator {
        fold: Fold::Sum,
        out: [1; 4],
        red: [1, 1, 2],
        a: operand(operator(2), DType::I32, flat),
        b: None,
        ..linear
    };
    let pair = Operator {
        fold: Fold::Pair,
        red: [1; 3],
        a: operand(operator(3), DType::I32, IndexMap::default()),
        b: Some(operand(operator(1), DType::I8, IndexMap { base: 26, ..IndexMap::default() })),
        scale_a: 1,
        scale_b: -2,
        finalise: Finalise::Requantise,
        ..sum
    };
    let records = [(5, 3, 2), (-7, 1 << 20, 22), (0, 1, 62)];
    let weights = (0..54).map(|i| (i * 37 % 255 - 127) as u8).collect();
    let wide = (0..54i32).flat_map(|i| ((i * 7919 % 65535 - 32767) as i16).to_le_bytes()).collect();
    Program::new(ProgramParts {
        input: TensorType { dtype: DType::I8, elements: 72 },
        operators: vec![conv, copy, linear, sum, pair],
        groups: vec![2, 3],
        constants: vec![
            Constant { dtype: DType::I8, bytes: weights },
            Constant {
                dtype: DType::Params,
                bytes: records.iter().flat_map(|(b, m, s)| record::encode(*b, *m, *s)).collect(),
            },
            Constant { dtype: DType::I16, bytes: wide },
        ],
        reveal_bits: 4,
        meta: Meta::default(),
    })
    .expect("legal")
}

/// Not what the program computes, but what a step recomputes from.
fn trace(program: &Program) -> Trace {
    let linear = vec![1, 0, 0, 128, 255, 255, 255, 127];
    let outputs = vec![(0..27).collect(), (100..127).collect(), linear, vec![9, 0, 0, 0], vec![0; 4]];
    Trace::new(program, (0..72).map(|i| i * 3).collect(), outputs).expect("lengths")
}

fn view(program: &Program, trace: &Trace, operator: u32) -> View {
    let (layer, _) = program.layer_of(OperatorIndex(operator));
    View {
        input_root: trace.input_root(),
        trace_root: trace.root(),
        layers_depth: program.layers_tree().depth(),
        list: trace.sub_tree(layer).root(),
        operators: program.layer(layer).count,
    }
}

fn witness(program: &Program, trace: &Trace, operator: u32, element: u64, segment: Option<u32>) -> Witness {
    let claimed = ClaimedNodes::default();
    let source = WitnessSource { program, trace, claimed: &claimed, list: None };
    source.witness(OperatorIndex(operator), element, segment)
}

fn judge(
    program: &Program,
    trace: &Trace,
    operator: u32,
    element: u64,
    segment: Option<u32>,
) -> Result<i64, Refusal> {
    let witness = witness(program, trace, operator, element, segment);
    let view = view(program, trace, operator);
    step(&view, &descriptor(program, OperatorIndex(operator)), element, segment, &witness)
}

#[test]
fn a_convolution_corner_by_hand() {
    let (program, trace) = (program(), trace(&program()));
    // Output (0, 0), filter 1: only taps (1..3, 1..3) are inside, at image (0..2, 0..2).
    let image = |y: i64, x: i64, c: i64| i64::from(((y * 12 + x * 2 + c) * 3) as u8 as i8);
    let weight =
        |ky: i64, kx: i64, c: i64| i64::from(((18 + ky * 6 + kx * 2 + c) * 37 % 255 - 127) as u8 as i8);
    let mut acc = 0;
    for (ky, kx, c) in (1..3).flat_map(|y| (1..3).flat_map(move |x| (0..2).map(move |c| (y, x, c)))) {
        acc += image(ky - 1, kx - 1, c) * weight(ky, kx, c);
    }
    let expected = (((acc - 7) * (1 << 20) + (1 << 21)) >> 22).clamp(0, 127);
    assert_eq!(judge(&program, &trace, 0, 1, None), Ok(expected));
}

#[test]
fn attack_27_sums_of_extremes_by_hand() {
    // i32 min + 1 plus i32 max, with bias 5, multiplier 3, shift 2: (0 + 5) * 3 = 15, + 2, / 4 = 4.
    let (program, trace) = (program(), trace(&program()));
    assert_eq!(judge(&program, &trace, 3, 0, None), Ok(4));
}

#[test]
fn a_pair_of_a_local_operand_and_an_export_by_hand() {
    // 9 - 2 * 126, with bias 5, multiplier 3, shift 2: -238 * 3 = -714, + 2, / 4 = -178.
    let (program, trace) = (program(), trace(&program()));
    assert_eq!(judge(&program, &trace, 4, 0, None), Ok(-178));
}

#[test]
fn attack_27_rounding_by_hand() {
    let descriptor = descriptor(&program(), OperatorIndex(3));
    // Ties go up, also below zero; the shift is a floor.
    for (acc, record, expected) in [
        (1, (0, 1, 1), 1),
        (-1, (0, 1, 1), 0),
        (-3, (0, 1, 1), -1),
        (-5, (0, 1, 2), -1),
        (-6, (0, 1, 2), -1),
        (-7, (0, 1, 2), -2),
        (i128::from(i32::MIN), (0, 2, 1), i64::from(i32::MIN)),
        (i128::from(i32::MAX), (0, 2, 1), i64::from(i32::MAX)),
        (i128::from(i32::MAX) + 1, (0, 2, 1), i64::from(i32::MAX)),
        (i128::from(i32::MIN) - 1, (0, 2, 1), i64::from(i32::MIN)),
        ((1 << 61) - 1, (0, 1, 62), 0),
        (1 << 61, (0, 1, 62), 1),
        (-(1 << 61), (0, 1, 62), 0),
        (-(1 << 61) - 1, (0, 1, 62), -1),
        (1, (0, u32::MAX, 32), 1),
        (-1, (1 << 40, 1, 40), 1),
    ] {
        assert_eq!(requantise(&descriptor, acc, record), expected, "{acc} by {record:?}");
    }
}

#[test]
fn segments_add_up_to_the_whole() {
    let (program, trace) = (program(), trace(&program()));
    let descriptor = descriptor(&program, OperatorIndex(2));
    assert_eq!(descriptor.segments(), 3);
    let sums: Vec<i64> = (0..3).map(|s| judge(&program, &trace, 2, 1, Some(s)).expect("step")).collect();
    let whole = judge(&program, &trace, 2, 1, None).expect("step");
    let (params, none) = (crate::open_record(&program, OperatorIndex(2), 1), Opened::default());
    assert_eq!(settle_fold(&view(&program, &trace, 2), &descriptor, 1, &sums, &params, &none), Ok(whole));
    assert_eq!(sums, crate::players::true_sums(&program, &trace, OperatorIndex(2), 1));
    for (sum, refusal) in
        [(1 << 62, true), (-(1 << 62), true), ((1 << 62) - 1, false), (1 - (1 << 62), false)]
    {
        let settled = settle_fold(&view(&program, &trace, 2), &descriptor, 1, &[sum, 0, 0], &params, &none);
        assert_eq!(settled == Err(Refusal::OutOfRange), refusal, "{sum}");
        assert_eq!(settled.is_err(), refusal, "{sum}");
    }
}

#[test]
fn forged_sums_reach_any_value_in_range() {
    let (program, trace) = (program(), trace(&program()));
    let descriptor = descriptor(&program, OperatorIndex(2));
    let claimed = ClaimedNodes::default();
    let source = WitnessSource { program: &program, trace: &trace, claimed: &claimed, list: None };
    let sums = crate::players::true_sums(&program, &trace, OperatorIndex(2), 0);
    let forge = |value| crate::players::forge_sums(&source, OperatorIndex(2), 0, sums.clone(), value);
    for value in [-1000, 0, 12345, 1 << 29] {
        let forged = forge(value).expect("reachable");
        assert_eq!(requantise(&descriptor, combine(&descriptor, &forged), (5, 3, 2)), value);
        let wrong = sums.iter().zip(&forged).filter(|(own, forged)| own != forged).count();
        assert_eq!(wrong, 1);
    }
    assert_eq!(forge(1 << 40), None);
}

/// Every single-bit change of a witness, with what it was made in.
pub(super) fn bent(witness: &Witness) -> Vec<(&'static str, Witness)> {
    let mut all = Vec::new();
    for which in 0..4 {
        let get = |w: &Witness| [&w.a, &w.b, &w.params, &w.third][which].clone();
        let set = |o: Opened| {
            let mut w = witness.clone();
            match which {
                0 => w.a = o,
                1 => w.b = o,
                2 => w.params = o,
                _ => w.third = o,
            }
            w
        };
        let opened = get(witness);
        let digest = |d: Digest, bit: usize| {
            let mut d = d;
            d.0[bit / 8] ^= 1 << (bit % 8);
            d
        };
        for bit in 0..opened.root_path.len() * 256 {
            let mut o = opened.clone();
            o.root_path[bit / 256] = digest(o.root_path[bit / 256], bit % 256);
            all.push(("path", set(o)));
        }
        for bit in 0..opened.proof.0.len() * 256 {
            let mut o = opened.clone();
            o.proof.0[bit / 256] = digest(o.proof.0[bit / 256], bit % 256);
            all.push(("proof", set(o)));
        }
        for bit in 0..opened.tiles.len() * 8 {
            let mut o = opened.clone();
            o.tiles[bit / 8] ^= 1 << (bit % 8);
            all.push(("tiles", set(o)));
        }
        for bit in 0..opened.indices.len() * 32 {
            let mut o = opened.clone();
            o.indices[bit / 32] ^= 1 << (bit % 32);
            all.push(("indices", set(o)));
        }
    }
    all
}

#[test]
fn every_bit_of_a_witness_matters() {
    let (program, trace) = (program(), trace(&program()));
    // The convolution's middle reads the input, the linear map an export, the pair an export and a local.
    for (operator, element) in [(0, 13), (2, 1), (4, 0)] {
        let descriptor = descriptor(&program, OperatorIndex(operator));
        let witness = witness(&program, &trace, operator, element, None);
        let view = view(&program, &trace, operator);
        assert!(step(&view, &descriptor, element, None, &witness).is_ok());
        let bent = bent(&witness);
        assert!(bent.len() > 3000);
        for (what, witness) in bent {
            assert!(step(&view, &descriptor, element, None, &witness).is_err(), "{operator}: {what}");
        }
    }
}

#[test]
fn a_witness_without_a_tile_or_with_a_part_too_many_is_refused() {
    let (program, trace) = (program(), trace(&program()));
    let view = view(&program, &trace, 3);
    let sum = descriptor(&program, OperatorIndex(3));
    let honest = witness(&program, &trace, 3, 0, None);
    let mut extra = honest.clone();
    extra.b = extra.a.clone();
    assert_eq!(step(&view, &sum, 0, None, &extra), Err(Refusal::WitnessExtra));
    let mut extra = honest.clone();
    extra.third.indices.push(0);
    assert_eq!(step(&view, &sum, 0, None, &extra), Err(Refusal::WitnessExtra));
    extra.params = Opened::default();
    assert_eq!(step(&view, &sum, 0, Some(0), &extra), Err(Refusal::WitnessExtra));
    assert_eq!(step(&view, &sum, 0, Some(0), &honest), Err(Refusal::WitnessExtra));
    let mut none = honest.clone();
    none.a = Opened::default();
    assert_eq!(step(&view, &sum, 0, None, &none), Err(Refusal::WrongCount));
    let mut half = honest.clone();
    half.a.tiles.pop();
    assert_eq!(step(&view, &sum, 0, None, &half), Err(Refusal::WrongCount));
    // The corner of the picture does not serve its middle: 72 bytes are one tile, so widen by hand.
    let mut elsewhere = witness(&program, &trace, 0, 13, None);
    elsewhere.a.indices = vec![1];
    let conv = descriptor(&program, OperatorIndex(0));
    assert_eq!(step(&view, &conv, 13, None, &elsewhere), Err(Refusal::BadOpening));
}

#[test]
fn a_tile_that_is_not_opened_is_missed() {
    // 300 values in 3 tiles, of which the sum needs all.
    let record = Constant { dtype: DType::Params, bytes: record::encode(0, 2, 1).to_vec() };
    let all = IndexMap { red: [0, 0, 1], ..IndexMap::default() };
    let sum = Operator {
        fold: Fold::Sum,
        dtype: DType::I32,
        out: [1; 4],
        red: [1, 1, 300],
        a: operand(Source::Input, DType::I8, all),
        windows: [Window::default(); 2],
        pad: 0,
        b: None,
        scale_a: 0,
        scale_b: 0,
        finalise: Finalise::Requantise,
        params: Params { constant: ConstantIndex(0), out: [0; 4] },
        lo: i32::MIN,
        hi: i32::MAX,
        split: 300,
    };
    let program = Program::new(ProgramParts {
        input: TensorType { dtype: DType::I8, elements: 300 },
        operators: vec![sum],
        groups: vec![1],
        constants: vec![record],
        reveal_bits: 4,
        meta: Meta::default(),
    })
    .expect("legal");
    let trace = Trace::new(&program, vec![1; 300], vec![vec![0; 4]]).expect("lengths");
    assert_eq!(judge(&program, &trace, 0, 0, None), Ok(300));
    let tree = TensorTree::of_bytes(trace.input());
    for missing in 0..3u32 {
        let mut witness = witness(&program, &trace, 0, 0, None);
        let kept: Vec<u64> = (0..3).filter(|index| *index != u64::from(missing)).collect();
        witness.a.indices = kept.iter().map(|index| *index as u32).collect();
        witness.a.tiles = kept.iter().flat_map(|i| narrows_commitment::tile_at(trace.input(), *i)).collect();
        witness.a.proof = tree.multi_proof(&kept);
        let judged =
            step(&view(&program, &trace, 0), &descriptor(&program, OperatorIndex(0)), 0, None, &witness);
        assert_eq!(judged, Err(Refusal::WitnessMissing), "{missing}");
    }
}

#[test]
fn operands_open_only_where_they_are_committed() {
    let (program, trace) = (program(), trace(&program()));
    let pair = descriptor(&program, OperatorIndex(4));
    let honest = witness(&program, &trace, 4, 0, None);
    let here = view(&program, &trace, 4);
    let bad = Err(Refusal::BadOpening);
    // Without a list there are no local operands; and another layer's list does not serve.
    assert_eq!(step(&View { list: Digest::default(), ..here }, &pair, 0, None, &honest), bad);
    assert_eq!(step(&View { list: view(&program, &trace, 0).list, ..here }, &pair, 0, None, &honest), bad);
    assert_eq!(step(&View { operators: 2, ..here }, &pair, 0, None, &honest), bad);
    assert_eq!(step(&View { operators: 0, ..here }, &pair, 0, None, &honest), bad);
    assert_eq!(step(&View { trace_root: Default::default(), ..here }, &pair, 0, None, &honest), bad);
    assert_eq!(step(&View { layers_depth: 2, ..here }, &pair, 0, None, &honest), bad);
    // Rank 1 is not rank 0: the other export does not open in its place.
    let mut other = honest.clone();
    other.b = witness(&program, &trace, 2, 0, None).a;
    assert_eq!(step(&here, &pair, 0, None, &other), bad);
    // Neither do roots and path together that are too short to hold the other exports.
    let mut short = honest.clone();
    short.b.root_path.clear();
    assert_eq!(step(&here, &pair, 0, None, &short), bad);
    // Constants and the input have no path.
    let mut pathed = honest.clone();
    pathed.params.root_path.push(Digest::default());
    assert_eq!(step(&here, &pair, 0, None, &pathed), bad);
    // A constant that the operator does not name.
    let mut foreign = honest;
    foreign.params = Opened { indices: vec![0], tiles: vec![0; 128], ..Opened::default() };
    assert_eq!(step(&here, &pair, 0, None, &foreign), bad);
    // An unknown kind.
    let mut bytes = program.operator_bytes(OperatorIndex(4));
    bytes[5] = 4;
    let unknown = Descriptor::decode(&bytes).expect("as long as before");
    let honest = witness(&program, &trace, 4, 0, None);
    assert_eq!(step(&here, &unknown, 0, None, &honest), bad);
}

#[test]
fn operator_bytes_have_a_root_for_every_constant() {
    let program = program();
    for (operator, constants) in [(0, 2), (1, 1), (2, 2), (3, 1), (4, 1)] {
        let bytes = program.operator_bytes(OperatorIndex(operator));
        assert_eq!(bytes.len(), 192 + 32 * constants);
        let descriptor = Descriptor::decode(&bytes).expect("whole");
        assert_eq!(descriptor.operator_leaf(), program.operator_leaf(OperatorIndex(operator)));
        assert_eq!(descriptor.params().constant, Some(program.constant_root(ConstantIndex(1))));
        for length in [0, 191, 192, bytes.len() - 32, bytes.len() - 1] {
            assert_eq!(Descriptor::decode(&bytes[..length]), None, "{length}");
        }
        assert_eq!(Descriptor::decode(&[&bytes[..], &[0]].concat()), None);
        assert_eq!(Descriptor::decode(&[&bytes[..], &[0; 32]].concat()), None);
    }
}

#[test]
fn sizes_are_held_to_the_limits() {
    let bytes = program().operator_bytes(OperatorIndex(2));
    let sized = |at: usize, value: &[u8]| {
        let mut bytes = bytes.clone();
        bytes[at..at + value.len()].copy_from_slice(value);
        Descriptor::decode(&bytes).expect("as long as before").is_sized()
    };
    assert!(sized(0, &[]));
    for (at, least, most) in [(32, 1, (1 << 31) - 1), (48, 1, 1 << 24), (24, 1, 1 << 14)] {
        // O0 and R0 alone: the others of their products are set to 1.
        let mut alone = [0, 0, 0, 1].repeat(if at == 32 { 4 } else { 3 });
        let mut with = |value: u32| {
            if at == 24 {
                return sized(at, &value.to_be_bytes());
            }
            alone[..4].copy_from_slice(&value.to_be_bytes());
            sized(at, &alone)
        };
        assert!(with(least) && with(most), "{at}");
        assert!(!with(least - 1) && !with(most + 1) && !with(u32::MAX), "{at}");
    }
    // Products beyond 64 bits.
    assert!(!sized(32, &[0xff; 16]));
    assert!(!sized(48, &[0xff; 12]));
    for at in [2, 3, 4] {
        assert!(sized(at, &[3]) && !sized(at, &[4]) && !sized(at, &[16]), "{at}");
        assert_eq!(sized(at, &[0]), at == 4);
    }
}
