//! Programs that are legal, and one for every rule that is broken.

use super::*;

pub(crate) fn small() -> ProgramParts {
    let linear = Operator {
        fold: Fold::Dot,
        dtype: DType::I8,
        out: [1, 1, 1, 3],
        red: [1, 1, 4],
        a: Operand {
            source: Source::Input,
            dtype: DType::I8,
            map: IndexMap { red: [0, 0, 1], ..IndexMap::default() },
        },
        windows: [Window::default(); 2],
        pad: 0,
        b: Some(Operand {
            source: Source::Constant(ConstantIndex(0)),
            dtype: DType::I8,
            map: IndexMap { base: 0, out: [0, 0, 0, 4], red: [0, 0, 1] },
        }),
        scale_a: 0,
        scale_b: 0,
        params: Params { constant: ConstantIndex(1), out: [0; 4] },
        lo: -128,
        hi: 127,
        split: 2,
    };
    let pool = Operator {
        fold: Fold::Max,
        out: [3, 1, 1, 1],
        red: [2, 1, 1],
        a: Operand { source: Source::Layer(LayerIndex(0)), dtype: DType::I8, map: IndexMap::default() },
        windows: [Window { limit: 3, stride: 1, out_step: 1, red_step: 1, offset: 1 }, Window::default()],
        pad: -128,
        b: None,
        ..linear
    };
    ProgramParts {
        input: TensorType { dtype: DType::I8, elements: 4 },
        layers: vec![linear, pool],
        constants: vec![
            Constant { dtype: DType::I8, bytes: (0..12).collect() },
            Constant { dtype: DType::Params, bytes: record::encode(0, 2, 1).to_vec() },
        ],
        reveal_bits: 4,
        meta: Meta::default(),
    }
}

#[test]
fn a_program_survives_its_encoding() {
    let program = Program::new(small()).expect("legal");
    let bytes = program.encode();
    assert_eq!(Program::decode(&bytes), Ok(program));
}

#[test]
fn attack_36_every_truncation_and_every_extension_is_refused() {
    let bytes = Program::new(small()).expect("legal").encode();
    for end in 0..bytes.len() {
        assert!(Program::decode(&bytes[..end]).is_err(), "truncated to {end}");
    }
    let mut longer = bytes;
    longer.push(0);
    let error = Program::decode(&longer).expect_err("trailing");
    assert_eq!(error, LoadError::Decode(DecodeError::Trailing(1)));
}

#[test]
fn attack_36_a_flipped_bit_never_keeps_the_root() {
    let program = Program::new(small()).expect("legal");
    let bytes = program.encode();
    for bit in 0..bytes.len() * 8 {
        let mut bent = bytes.clone();
        bent[bit / 8] ^= 1 << (bit % 8);
        if let Ok(other) = Program::decode(&bent) {
            assert_ne!(other.root(), program.root(), "bit {bit}");
        }
    }
}

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
        (Rule::Counts, |p| p.layers.clear()),
        (Rule::Counts, |p| p.constants.clear()),
        (Rule::Counts, |p| p.input.elements = 0),
        (Rule::Counts, |p| p.input.elements = (1 << 24) + 1),
        (Rule::Counts, |p| p.reveal_bits = 0),
        (Rule::Counts, |p| p.reveal_bits = 7),
        (Rule::Counts, |p| p.layers[0].out[0] = 0),
        (Rule::Counts, |p| p.layers[0].out = [u32::MAX; 4]),
        (Rule::Counts, |p| p.layers[0].red = [u32::MAX; 3]),
        (Rule::Counts, |p| p.constants[0].bytes.clear()),
        (Rule::Counts, |p| p.constants[1].bytes.push(0)),
        (Rule::Reference, |p| p.layers[0].a.source = Source::Layer(LayerIndex(0))),
        (Rule::Reference, |p| p.layers[0].a.source = Source::Layer(LayerIndex(1))),
        (Rule::Reference, |p| p.layers[0].a.source = Source::Constant(ConstantIndex(2))),
        (Rule::Reference, |p| p.layers[0].a.source = Source::Constant(ConstantIndex(1))),
        (Rule::Reference, |p| p.layers[0].a.dtype = DType::I16),
        (Rule::Reference, |p| p.layers[0].params.constant = ConstantIndex(0)),
        (Rule::Shape, |p| p.layers[0].b = None),
        (Rule::Shape, |p| p.layers[0].pad = 1),
        (Rule::Shape, |p| p.layers[1].pad = 0),
        (Rule::Shape, |p| p.layers[0].lo = -129),
        (Rule::Shape, |p| p.layers[0].hi = 128),
        (Rule::Shape, |p| p.layers[0].lo = 128),
        (Rule::Shape, |p| p.layers[0].scale_a = 1),
        (Rule::Shape, |p| p.layers[0].fold = Fold::Pair),
        (Rule::Shape, |p| p.layers[1].windows[0].out_step = 0),
        (Rule::Shape, |p| p.layers[1].windows[1].stride = 1),
        (Rule::Address, |p| p.layers[0].a.map.base = 1),
        (Rule::Address, |p| p.layers[0].b.as_mut().expect("b").map.base = 1),
        (Rule::Address, |p| p.layers[0].params.out[3] = 1),
        (Rule::Address, |p| p.layers[1].windows[0].stride = 2),
        (Rule::Window, |p| p.layers[1].windows[0].offset = 2),
        (Rule::Window, |p| p.layers[1].out[0] = 5),
        (Rule::Record, |p| layer_records(p, 0, 0, 1)),
        (Rule::Record, |p| p.constants[1].bytes[13] = 1),
        (Rule::Bound, |p| layer_records(p, i64::MAX, 1, 1)),
        (Rule::Bound, |p| layer_records(p, i64::MIN, 1, 1)),
        (Rule::Bound, |p| layer_records(p, 1 << 40, u32::MAX, 1)),
        (Rule::Witness, |p| p.layers[0].split = 0),
        (Rule::Witness, |p| p.layers[0].split = (1 << 16) + 1),
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
