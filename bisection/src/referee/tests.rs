//! Steps by hand, and witnesses bent in every bit.

use narrows_commitment::Digest;
use narrows_program::{
    Constant, ConstantIndex, DType, Fold, IndexMap, LayerIndex, Meta, Operand, Operator, Params, Program,
    ProgramParts, Source, TensorType, Window, record,
};

use super::*;
use crate::witness::descriptor;
use crate::{ClaimedNodes, Opened, Refusal, Trace, Witness, WitnessSource};

/// 6 x 6 x 2 image, 3 x 3 convolution with 3 filters, stride 2, padding 1; then a linear layer of all 27 values in
/// segments of 10; then a sum of both linear outputs.
fn program() -> Program {
    let conv = Operator {
        fold: Fold::Dot,
        dtype: DType::I8,
        out: [3, 3, 1, 3],
        red: [3, 3, 2],
        a: Operand {
            source: Source::Input,
            dtype: DType::I8,
            map: IndexMap { red: [0, 0, 1], ..IndexMap::default() },
        },
        windows: [
            Window { limit: 6, stride: 12, out_step: 2, red_step: 1, offset: 1 },
            Window { limit: 6, stride: 2, out_step: 2, red_step: 1, offset: 1 },
        ],
        pad: 0,
        b: Some(Operand {
            source: Source::Constant(ConstantIndex(0)),
            dtype: DType::I8,
            map: IndexMap { base: 0, out: [0, 0, 0, 18], red: [6, 2, 1] },
        }),
        scale_a: 0,
        scale_b: 0,
        params: Params { constant: ConstantIndex(1), out: [0, 0, 0, 1] },
        lo: 0,
        hi: 127,
        split: 1024,
    };
    let linear = Operator {
        dtype: DType::I32,
        out: [1, 1, 1, 2],
        red: [1, 1, 27],
        a: Operand {
            source: Source::Layer(LayerIndex(0)),
            dtype: DType::I8,
            map: IndexMap { red: [0, 0, 1], ..IndexMap::default() },
        },
        windows: [Window::default(); 2],
        b: Some(Operand {
            source: Source::Constant(ConstantIndex(2)),
            dtype: DType::I16,
            map: IndexMap { base: 0, out: [0, 0, 0, 27], red: [0, 0, 1] },
        }),
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
        a: Operand {
            source: Source::Layer(LayerIndex(1)),
            dtype: DType::I32,
            map: IndexMap { red: [0, 0, 1], ..IndexMap::default() },
        },
        b: None,
        ..linear
    };
    let records = [(5, 3, 2), (-7, 1 << 20, 22), (0, 1, 62)];
    let weights = (0..54).map(|i| (i * 37 % 255 - 127) as u8).collect();
    let wide = (0..54i32).flat_map(|i| ((i * 7919 % 65535 - 32767) as i16).to_le_bytes()).collect();
    Program::new(ProgramParts {
        input: TensorType { dtype: DType::I8, elements: 72 },
        layers: vec![conv, linear, sum],
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

fn trace(program: &Program) -> Trace {
    let outputs = vec![(0..27).collect(), vec![1, 0, 0, 128, 255, 255, 255, 127], vec![0; 4]];
    Trace::new(program, (0..72).map(|i| i * 3).collect(), outputs).expect("lengths")
}

fn view(program: &Program, trace: &Trace) -> View {
    View {
        input_root: trace.input_root(),
        trace_root: trace.root(),
        layers_depth: program.layers_tree().depth(),
        constants_root: program.constants_tree().root(),
        constants_depth: program.constants_tree().depth(),
    }
}

fn judge(
    program: &Program,
    trace: &Trace,
    layer: u32,
    element: u64,
    segment: Option<u32>,
) -> Result<i64, Refusal> {
    let claimed = ClaimedNodes::default();
    let source = WitnessSource { program, trace, claimed: &claimed };
    let witness = source.witness(LayerIndex(layer), element, segment);
    step(&view(program, trace), &descriptor(program, LayerIndex(layer)), element, segment, &witness)
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
    assert_eq!(judge(&program, &trace, 2, 0, None), Ok(4));
}

#[test]
fn attack_27_rounding_by_hand() {
    let descriptor = descriptor(&program(), LayerIndex(2));
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
        assert_eq!(finalise(&descriptor, acc, record), expected, "{acc} by {record:?}");
    }
}

#[test]
fn segments_add_up_to_the_whole() {
    let (program, trace) = (program(), trace(&program()));
    let descriptor = descriptor(&program, LayerIndex(1));
    assert_eq!(descriptor.segments(), 3);
    let sums: Vec<i64> = (0..3).map(|s| judge(&program, &trace, 1, 1, Some(s)).expect("step")).collect();
    let whole = judge(&program, &trace, 1, 1, None).expect("step");
    let params = crate::open_record(&program, LayerIndex(1), 1);
    assert_eq!(settle_fold(&view(&program, &trace), &descriptor, 1, &sums, &params), Ok(whole));
    assert_eq!(sums, crate::players::true_sums(&program, &trace, LayerIndex(1), 1));
    let wide = vec![1 << 62, 0, 0];
    let refused = settle_fold(&view(&program, &trace), &descriptor, 1, &wide, &params);
    assert_eq!(refused, Err(Refusal::OutOfRange));
}

#[test]
fn forged_sums_reach_any_value_in_range() {
    let (program, trace) = (program(), trace(&program()));
    let descriptor = descriptor(&program, LayerIndex(1));
    let sums = crate::players::true_sums(&program, &trace, LayerIndex(1), 0);
    for value in [-1000, 0, 12345, 1 << 29] {
        let forged =
            crate::players::forge_sums(&descriptor, (5, 3, 2), sums.clone(), value).expect("reachable");
        assert_eq!(finalise(&descriptor, combine(&descriptor, &forged), (5, 3, 2)), value);
        let wrong = sums.iter().zip(&forged).filter(|(own, forged)| own != forged).count();
        assert_eq!(wrong, 1);
    }
    assert_eq!(crate::players::forge_sums(&descriptor, (5, 3, 2), sums, 1 << 40), None);
}

/// Every single-bit change of a witness, with what it was made in.
fn bent(witness: &Witness) -> Vec<(&'static str, Witness)> {
    let mut all = Vec::new();
    for which in 0..3 {
        let get = |w: &Witness| [w.a.clone(), w.b.clone(), w.params.clone()][which].clone();
        let set = |o: Opened| {
            let mut w = witness.clone();
            match which {
                0 => w.a = o,
                1 => w.b = o,
                _ => w.params = o,
            }
            w
        };
        let opened = get(witness);
        let digest = |d: Digest, bit: usize| {
            let mut d = d;
            d.0[bit / 8] ^= 1 << (bit % 8);
            d
        };
        for bit in 0..256 {
            let mut o = opened.clone();
            o.root.0 = digest(o.root.0, bit);
            all.push(("root", set(o)));
        }
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
    let claimed = ClaimedNodes::default();
    let source = WitnessSource { program: &program, trace: &trace, claimed: &claimed };
    for (layer, element) in [(0, 13), (1, 1)] {
        let descriptor = descriptor(&program, LayerIndex(layer));
        let witness = source.witness(LayerIndex(layer), element, None);
        let view = view(&program, &trace);
        assert!(step(&view, &descriptor, element, None, &witness).is_ok());
        let bent = bent(&witness);
        assert!(bent.len() > 3000);
        for (what, witness) in bent {
            assert!(step(&view, &descriptor, element, None, &witness).is_err(), "layer {layer}: {what}");
        }
    }
}

#[test]
fn a_witness_without_a_tile_or_with_a_part_too_many_is_refused() {
    let (program, trace) = (program(), trace(&program()));
    let claimed = ClaimedNodes::default();
    let source = WitnessSource { program: &program, trace: &trace, claimed: &claimed };
    let view = view(&program, &trace);
    let sum = descriptor(&program, LayerIndex(2));
    let witness = source.witness(LayerIndex(2), 0, None);
    let mut extra = witness.clone();
    extra.b = extra.a.clone();
    assert_eq!(step(&view, &sum, 0, None, &extra), Err(Refusal::WitnessExtra));
    assert_eq!(step(&view, &sum, 0, Some(0), &witness), Err(Refusal::WitnessExtra));
    let mut none = witness.clone();
    none.a = Opened::default();
    assert_eq!(step(&view, &sum, 0, None, &none), Err(Refusal::WrongCount));
    // The corner of the picture does not serve its middle: 72 bytes are one tile, so widen by hand.
    let mut elsewhere = source.witness(LayerIndex(0), 13, None);
    elsewhere.a.indices = vec![1];
    let conv = descriptor(&program, LayerIndex(0));
    assert_eq!(step(&view, &conv, 13, None, &elsewhere), Err(Refusal::BadOpening));
}
