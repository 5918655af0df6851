//! Gather, argmax, tables, divisions and roots by hand, and what only values of no legal program lead to.

use narrows_commitment::{TensorTree, Tree};
use narrows_program::{
    Constant, ConstantIndex, DType, Finalise, Fold, IndexMap, LayerIndex, Meta, Operand, Operator,
    OperatorIndex, Params, Program, ProgramParts, Source, TensorType, Window, record,
};

use super::tests::bent;
use super::*;
use crate::players::{forge_sums, true_sums};
use crate::witness::descriptor;
use crate::{ClaimedNodes, Opened, Refusal, Trace, Witness, WitnessSource, open_record};

const TABLE: u32 = 3;
const ROOT: u32 = 4;
const DIVIDE: u32 = 5;
const CHOICE: u32 = 6;

/// Of nine values of i8, in layers of 2, 4 and 1 operators: 0 copies them, 1 finds the greatest in segments of 4; 2 gathers
/// from three rows of five elements, the row by the value; 3 looks each up in 300 entries; 4 is the root of the sum of their
/// squares in segments of 4, at least 1; 5 divides each by it, lifted by 8; 6 looks the greatest's place up, in segments of 4.
fn program() -> Program {
    let each = IndexMap { out: [0, 0, 0, 1], ..IndexMap::default() };
    let all = IndexMap { red: [0, 0, 1], ..IndexMap::default() };
    let of = |index, dtype, map| Operand { source: Source::Operator(OperatorIndex(index)), dtype, map };
    let constant = |index, dtype, map| Operand { source: Source::Constant(ConstantIndex(index)), dtype, map };
    let copy = Operator {
        fold: Fold::Sum,
        dtype: DType::I8,
        out: [1, 1, 1, 9],
        red: [1; 3],
        a: Operand { source: Source::Input, dtype: DType::I8, map: each },
        windows: [Window::default(); 2],
        pad: 0,
        b: None,
        scale_a: 0,
        scale_b: 0,
        finalise: Finalise::Requantise,
        params: Params { constant: ConstantIndex(0), out: [0; 4] },
        lo: -128,
        hi: 127,
        split: 4,
    };
    let first =
        Operator { fold: Fold::ArgMax, out: [1; 4], red: [1, 1, 9], a: of(0, DType::I8, all), ..copy };
    let gather = Operator {
        fold: Fold::Gather,
        dtype: DType::I16,
        a: of(0, DType::I8, each),
        b: Some(constant(1, DType::I16, IndexMap { base: 1, ..IndexMap::default() })),
        scale_a: 100,
        scale_b: 3,
        lo: -32_768,
        hi: 32_767,
        ..copy
    };
    let table = Operator {
        dtype: DType::I32,
        a: of(0, DType::I8, each),
        finalise: Finalise::Table(ConstantIndex(2)),
        lo: -150,
        hi: 149,
        ..copy
    };
    let root = Operator {
        fold: Fold::Dot,
        dtype: DType::I16,
        out: [1; 4],
        red: [1, 1, 9],
        a: of(0, DType::I8, all),
        b: Some(of(0, DType::I8, all)),
        finalise: Finalise::Root,
        params: Params { constant: ConstantIndex(3), out: [0; 4] },
        lo: 1,
        hi: 32_767,
        ..copy
    };
    let divide = Operator {
        dtype: DType::I16,
        a: of(0, DType::I8, each),
        finalise: Finalise::Divide { by: of(4, DType::I16, IndexMap::default()), lift: 8 },
        lo: -32_768,
        hi: 32_767,
        ..copy
    };
    let choice = Operator { finalise: Finalise::Table(ConstantIndex(4)), lo: 0, hi: 8, ..first };
    let wide = |n: i32| (0..n).flat_map(|i| (i * 7919 % 20_011 - 10_000).to_le_bytes()).collect();
    let narrow = (0..300i16).flat_map(|i| (i * 100 - 15_000).to_le_bytes()).collect();
    Program::new(ProgramParts {
        input: TensorType { dtype: DType::I8, elements: 9 },
        operators: vec![copy, first, gather, table, root, divide, choice],
        groups: vec![2, 4, 1],
        constants: vec![
            Constant { dtype: DType::Params, bytes: record::encode(0, 2, 1).to_vec() },
            Constant { dtype: DType::I16, bytes: narrow },
            Constant { dtype: DType::I32, bytes: wide(300) },
            Constant { dtype: DType::Params, bytes: record::encode(-16, 1, 1).to_vec() },
            Constant { dtype: DType::I8, bytes: vec![50, 51, 52, 53, 50, 55, 56, 57, 58] },
        ],
        reveal_bits: 4,
        meta: Meta::default(),
    })
    .expect("legal")
}

const INPUT: [i8; 9] = [-3, 0, 1, 2, 127, -128, 127, 5, 0];

fn bytes<const N: usize>(values: &[i64], take: fn(&i64) -> [u8; N]) -> Vec<u8> {
    values.iter().flat_map(take).collect()
}

/// What the program computes, by hand.
fn outputs() -> Vec<Vec<u8>> {
    let own: Vec<i64> = INPUT.iter().map(|x| i64::from(*x)).collect();
    let i8s = |values: &[i64]| bytes(values, |x| (*x as i8).to_le_bytes());
    let i16s = |values: &[i64]| bytes(values, |x| (*x as i16).to_le_bytes());
    let i32s = |values: &[i64]| bytes(values, |x| (*x as i32).to_le_bytes());
    let rows: Vec<i64> = own.iter().map(|x| (1 + 100 * (*x).clamp(0, 2)) * 100 - 15_000).collect();
    let entries: Vec<i64> = own.iter().map(|x| (x + 150) * 7919 % 20_011 - 10_000).collect();
    // 9 + 1 + 4 + 16129 + 16384 + 16129 + 25 = 48681, less 16 is 48665, and 220^2 = 48400, 221^2 = 48841; halved.
    let length = 110;
    let quotients: Vec<i64> = own.iter().map(|x| (x * 256 + 55).div_euclid(length)).collect();
    vec![i8s(&own), i8s(&[4]), i16s(&rows), i32s(&entries), i16s(&[length]), i16s(&quotients), i8s(&[50])]
}

fn trace(program: &Program, change: impl FnOnce(&mut Vec<Vec<u8>>)) -> Trace {
    let mut all = outputs();
    change(&mut all);
    Trace::new(program, INPUT.iter().map(|x| *x as u8).collect(), all).expect("lengths")
}

/// A trace with its program, and steps on it.
struct Bench {
    program: Program,
    trace: Trace,
}

impl Bench {
    fn new(change: impl FnOnce(&mut Vec<Vec<u8>>)) -> Self {
        let program = program();
        let trace = trace(&program, change);
        Self { program, trace }
    }

    fn view(&self, operator: u32) -> View {
        let (layer, _) = self.program.layer_of(OperatorIndex(operator));
        View {
            input_root: self.trace.input_root(),
            trace_root: self.trace.root(),
            layers_depth: self.program.layers_tree().depth(),
            list: self.trace.sub_tree(layer).root(),
            operators: self.program.layer(layer).count,
        }
    }

    fn witness(&self, operator: u32, element: u64, segment: Option<u32>) -> Witness {
        self.with(|source| source.witness(OperatorIndex(operator), element, segment))
    }

    fn with<T>(&self, ask: impl FnOnce(&WitnessSource<'_>) -> T) -> T {
        let claimed = ClaimedNodes::default();
        ask(&WitnessSource { program: &self.program, trace: &self.trace, claimed: &claimed, list: None })
    }

    fn descriptor(&self, operator: u32) -> Descriptor {
        descriptor(&self.program, OperatorIndex(operator))
    }

    /// The operator with some of its bytes changed.
    fn bent(&self, operator: u32, bytes: &[(usize, &[u8])]) -> Descriptor {
        let mut all = self.program.operator_bytes(OperatorIndex(operator));
        for (at, value) in bytes {
            all[*at..at + value.len()].copy_from_slice(value);
        }
        Descriptor::decode(&all).expect("as long as before")
    }

    fn step(&self, operator: u32, element: u64) -> Result<i64, Refusal> {
        self.step_as(operator, &self.descriptor(operator), element)
    }

    fn step_as(&self, operator: u32, descriptor: &Descriptor, element: u64) -> Result<i64, Refusal> {
        let witness = self.witness(operator, element, None);
        step(&self.view(operator), descriptor, element, None, &witness)
    }

    /// What stated partial values of the only element of `operator` lead to.
    fn settle(&self, operator: u32, sums: &[i64]) -> Result<i64, Refusal> {
        let descriptor = self.descriptor(operator);
        let params = open_record(&self.program, OperatorIndex(operator), 0);
        let third = self.with(|source| source.third(OperatorIndex(operator), 0, combine(&descriptor, sums)));
        settle_fold(&self.view(operator), &descriptor, 0, sums, &params, &third)
    }
}

#[test]
fn attack_27_every_element_by_hand() {
    let bench = Bench::new(|_| ());
    for (index, operator) in bench.program.operators().iter().enumerate() {
        let output = bench.trace.operator(OperatorIndex(index as u32));
        for element in 0..operator.elements() {
            let expected = operator.dtype.read(output, element as usize).expect("an element");
            assert_eq!(
                bench.step(index as u32, element),
                Ok(expected),
                "operator {index}, element {element}"
            );
        }
    }
}

#[test]
fn attack_27_partial_values_lead_to_the_element() {
    let bench = Bench::new(|_| ());
    for (operator, expected) in [(1, 4), (ROOT, 110), (CHOICE, 50)] {
        let at = OperatorIndex(operator);
        let own = true_sums(&bench.program, &bench.trace, at, 0);
        assert_eq!(own.len(), 3);
        for (segment, sum) in own.iter().enumerate() {
            let segment = Some(segment as u32);
            let witness = bench.witness(operator, 0, segment);
            assert_eq!((&witness.params, &witness.third), (&Opened::default(), &Opened::default()));
            let view = bench.view(operator);
            assert_eq!(step(&view, &bench.descriptor(operator), 0, segment, &witness), Ok(*sum));
        }
        assert_eq!(bench.settle(operator, &own), Ok(expected));
    }
    // The place is taken out of the greatest partial value, not of their sum; of equals the first place is greatest.
    let term = |value: i64, place: i64| (value << 24) + ((1 << 24) - 1 - place);
    assert_eq!(
        true_sums(&bench.program, &bench.trace, OperatorIndex(1), 0),
        [term(2, 3), term(127, 4), term(0, 8)]
    );
    assert_eq!(bench.settle(1, &[term(-1, 3), term(-5, 4), term(-1, 8)]), Ok(3));
    assert_eq!(bench.settle(1, &[term(-128, 100), term(-128, 101), term(-128, 102)]), Ok(100));
    assert_eq!(bench.settle(1, &[term(0, 0), term(0, (1 << 24) - 1), -1]), Ok(0));
}

#[test]
fn attack_27_what_a_liar_states_leads_to_its_value() {
    let bench = Bench::new(|_| ());
    let forged = |operator, value| {
        let own = true_sums(&bench.program, &bench.trace, OperatorIndex(operator), 0);
        bench.with(|source| forge_sums(source, OperatorIndex(operator), 0, own, value))
    };
    for (operator, reached, not) in
        [(1, vec![0, 3, 4, 8, 100, 127], vec![-1, 128]), (ROOT, vec![1, 2, 109, 32_767], vec![0, 32_768])]
    {
        for value in reached {
            let sums =
                forged(operator, value).unwrap_or_else(|| panic!("operator {operator} cannot be {value}"));
            assert_eq!(bench.settle(operator, &sums), Ok(value));
        }
        assert_eq!(not.into_iter().find_map(|value| forged(operator, value)), None);
    }
    // The table holds 50 at two places, and no 54.
    for value in [50, 51, 53, 58] {
        assert_eq!(bench.settle(CHOICE, &forged(CHOICE, value).expect("an entry")), Ok(value));
    }
    assert_eq!(forged(CHOICE, 54), None);
}

#[test]
fn every_bit_of_a_third_operand_matters() {
    let bench = Bench::new(|_| ());
    for (operator, element) in [(2, 4), (TABLE, 5), (DIVIDE, 6)] {
        let (view, descriptor) = (bench.view(operator), bench.descriptor(operator));
        let witness = bench.witness(operator, element, None);
        assert!(step(&view, &descriptor, element, None, &witness).is_ok());
        for (what, witness) in bent(&witness) {
            assert!(step(&view, &descriptor, element, None, &witness).is_err(), "{operator}: {what}");
        }
    }
}

#[test]
fn attack_09_only_the_entry_that_is_read_will_do() {
    let bench = Bench::new(|_| ());
    let (view, table) = (bench.view(TABLE), bench.descriptor(TABLE));
    // 300 entries of 4 bytes in 10 tiles: -3 reads entry 147 in tile 4, 127 entry 277 in tile 8.
    let honest = bench.witness(TABLE, 0, None);
    assert_eq!((&honest.third.indices, &bench.witness(TABLE, 4, None).third.indices), (&vec![4], &vec![8]));
    let mut other = honest.clone();
    other.third = bench.witness(TABLE, 4, None).third;
    assert_eq!(step(&view, &table, 0, None, &other), Err(Refusal::WitnessMissing));
    let mut none = honest.clone();
    none.third = Opened::default();
    assert_eq!(step(&view, &table, 0, None, &none), Err(Refusal::WrongCount));
    // Nor another constant's tile in its place, nor a path where a constant has none.
    none.third = honest.params.clone();
    assert_eq!(step(&view, &table, 0, None, &none), Err(Refusal::BadOpening));
    none.third = honest.third.clone();
    none.third.root_path.push(Default::default());
    assert_eq!(step(&view, &table, 0, None, &none), Err(Refusal::BadOpening));
    // A gather's other row: 1 is read for -3, and 201 of 2 bytes in tile 3 for 127.
    let mut rows = bench.witness(2, 0, None);
    assert_eq!((&rows.b.indices, &bench.witness(2, 4, None).b.indices), (&vec![0], &vec![3]));
    rows.b = bench.witness(2, 4, None).b;
    assert_eq!(step(&bench.view(2), &bench.descriptor(2), 0, None, &rows), Err(Refusal::WitnessMissing));
    // The divisor stands in the layer's sub-trace.
    let divide = bench.descriptor(DIVIDE);
    let own = bench.witness(DIVIDE, 0, None);
    let nowhere = View { list: Tree::new(vec![Default::default(); 4]).root(), ..bench.view(DIVIDE) };
    assert_eq!(step(&nowhere, &divide, 0, None, &own), Err(Refusal::BadOpening));
}

#[test]
fn attack_27_a_divisor_below_1_is_out_of_range() {
    for (divisor, right) in
        [(1i16, Ok(-768)), (2, Ok(-384)), (0, Err(Refusal::OutOfRange)), (-1, Err(Refusal::OutOfRange))]
    {
        let bench = Bench::new(|all| all[ROOT as usize] = divisor.to_le_bytes().to_vec());
        assert_eq!(bench.step(DIVIDE, 0), right, "{divisor}");
    }
}

#[test]
fn attack_27_accumulators_and_quotients_have_bounds() {
    let bench = Bench::new(|all| all[ROOT as usize] = vec![1, 0]);
    let most = 1i64 << 62;
    // Two segments that are each below 2^62, but not together.
    for (sums, right) in [
        ([most - 1, 0, 0], Ok(32_767)),
        ([1 - most, 0, 0], Ok(1)),
        ([most - 1, 1, 0], Err(Refusal::OutOfRange)),
        ([1 - most, -1, 0], Err(Refusal::OutOfRange)),
        ([most - 1, most - 1, 0], Err(Refusal::OutOfRange)),
        ([most - 1, 5, -5], Ok(32_767)),
        ([most, 0, 0], Err(Refusal::OutOfRange)),
    ] {
        assert_eq!(bench.settle(ROOT, &sums), right, "{sums:?}");
    }
    let descriptor = bench.descriptor(DIVIDE);
    let quotient = |acc: i128, divisor| finalise(&descriptor, 0, acc, (0, 2, 1), |_| Ok(divisor));
    // Lifted by 8 bits, 2^55 - 1 is the greatest whose quotient by 1 has 64 bits.
    assert_eq!(quotient((1 << 55) - 1, 1), Ok(32_767));
    assert_eq!(quotient(1 << 55, 1), Err(Refusal::OutOfRange));
    assert_eq!(quotient(-(1 << 55), 1), Ok(-32_768));
    assert_eq!(quotient(-(1 << 55) - 1, 1), Err(Refusal::OutOfRange));
    assert_eq!(quotient(1 << 55, 2), Ok(32_767));
    assert_eq!(quotient((1 << 62) - 1, i64::from(i32::MAX)), Ok(32_767));
    assert_eq!(quotient(1 << 62, i64::from(i32::MAX)), Err(Refusal::OutOfRange));
    // Ties of an even divisor go up, also below zero, and the lift comes first.
    for (acc, divisor, right) in
        [(1, 512, 1), (-1, 512, 0), (-3, 512, -1), (-1, 3, -85), (1, 3, 85), (-1, 1, -256)]
    {
        assert_eq!(quotient(acc, divisor), Ok(right), "{acc} by {divisor}");
    }
}

#[test]
fn attack_27_roots_are_floors() {
    let bench = Bench::new(|_| ());
    // Nothing is clamped here below 2^31, and the record is the identity.
    let mut wide = bench.program.operator_bytes(OperatorIndex(ROOT));
    wide[184..192].copy_from_slice(&[[0, 0, 0, 0], [0x7f, 0xff, 0xff, 0xff]].concat());
    let descriptor = Descriptor::decode(&wide).expect("as long as before");
    let root = |acc: i128, bias: i64| {
        finalise(&descriptor, 0, acc, (bias, 2, 1), |_| panic!("a root reads no third operand"))
    };
    for r in [1i128, 2, 3, 46_340, 65_535, 65_536, (1 << 31) - 2, (1 << 31) - 1] {
        assert_eq!(root(r * r, 0), Ok(r as i64), "{r}");
        assert_eq!(root(r * r - 1, 0), Ok(r as i64 - 1), "before {r}");
        assert_eq!(root(r * r + 2 * r, 0), Ok(r as i64), "after {r}");
    }
    // The bias is beneath the root, and what is negative there counts as 0.
    assert_eq!(
        [root(10, -9), root(9, -9), root(8, -9), root(1 - (1 << 62), 0)],
        [Ok(1), Ok(0), Ok(0), Ok(0)]
    );
    assert_eq!([root(1 << 62, 0), root(-(1 << 62), 0)], [Err(Refusal::OutOfRange); 2]);
    // Beyond what is legal, but no panic: the accumulator alone is held to the bound.
    assert_eq!(root((1 << 62) - 1, i64::MAX), Ok(i64::from(i32::MAX)));
}

#[test]
fn attack_28_operators_that_no_program_has_are_refused() {
    let bench = Bench::new(|_| ());
    let refused = Err(Refusal::WrongDescriptor);
    for (operator, bytes) in [
        (0, &[(0, &[0u8][..])][..]),
        (0, &[(0, &[7])]),
        (0, &[(1, &[0])]),
        (0, &[(1, &[5])]),
        // A dot, a pair and a gather of no b; a table and a division of nothing.
        (0, &[(0, &[1])]),
        (0, &[(0, &[4])]),
        (0, &[(0, &[5])]),
        (0, &[(1, &[2])]),
        (0, &[(1, &[3])]),
    ] {
        assert_eq!(bench.step_as(operator, &bench.bent(operator, bytes), 0), refused, "{bytes:?}");
    }
    // A lift of more than 30 bits is one of 30: -3 * 2^30 by 110, cut to 16 bits.
    let lifted = bench.bent(DIVIDE, &[(197, &[255])]);
    assert_eq!(lifted.lift(), 30);
    assert_eq!(bench.step_as(DIVIDE, &lifted, 0), Ok(-32_768));
    // Where lo is above hi, the table's first entry is read.
    let turned = bench.bent(TABLE, &[(184, &[0, 0, 0, 9, 0, 0, 0, 1])]);
    let mut witness = bench.witness(TABLE, 0, None);
    assert_eq!(step(&bench.view(TABLE), &turned, 0, None, &witness), Err(Refusal::WitnessMissing));
    let tree = TensorTree::of_bytes(&bench.program.constant(ConstantIndex(2)).bytes);
    witness.third.indices = vec![0];
    witness.third.tiles =
        narrows_commitment::tile_at(&bench.program.constant(ConstantIndex(2)).bytes, 0).to_vec();
    witness.third.proof = tree.multi_proof(&[0]);
    assert_eq!(step(&bench.view(TABLE), &turned, 0, None, &witness), Ok(-10_000));
    // Rows beyond all tensors, before their first element, and none at all.
    for (scales, right) in [
        ([[0x7f, 0xff, 0xff, 0xff], [0x7f, 0xff, 0xff, 0xff]], Err(Refusal::WitnessMissing)),
        ([[0xff; 4], [0, 0, 0, 2]], Ok(-15_000)),
        ([[0xff, 0xff, 0xff, 0xfe], [0, 0, 0, 2]], Err(Refusal::WitnessMissing)),
        ([[0, 0, 0, 100], [0; 4]], Ok(-14_900)),
        ([[0, 0, 0, 100], [0x80, 0, 0, 0]], Ok(-14_900)),
    ] {
        let rows = bench.bent(2, &[(176, &scales.concat())]);
        let mut witness = bench.witness(2, 4, None);
        witness.b = bench.witness(2, 0, None).b;
        assert_eq!(step(&bench.view(2), &rows, 4, None, &witness), right, "{scales:?}");
    }
}

#[test]
fn operator_bytes_are_as_long_as_the_flag_says() {
    let bench = Bench::new(|_| ());
    let lengths = [(0, 224), (2, 256), (TABLE, 288), (ROOT, 224), (DIVIDE, 256), (CHOICE, 288)];
    for (operator, length) in lengths {
        let bytes = bench.program.operator_bytes(OperatorIndex(operator));
        assert_eq!(bytes.len(), length, "operator {operator}");
        let whole = Descriptor::decode(&bytes).expect("whole");
        assert!(whole.is_sized());
        let third = whole.third().map(|third| (third.kind, third.dtype, third.constant));
        let root = |index| Some(bench.program.constant_root(ConstantIndex(index)));
        let expected = match operator {
            TABLE => Some((super::descriptor::Operand::CONSTANT, 3, root(2))),
            CHOICE => Some((super::descriptor::Operand::CONSTANT, 1, root(4))),
            DIVIDE => Some((super::descriptor::Operand::LOCAL, 2, None)),
            _ => None,
        };
        assert_eq!(third, expected, "operator {operator}");
        let records = if operator == ROOT { 3 } else { 0 };
        assert_eq!(whole.params().constant, root(records));
        for cut in 1..=bytes.len() {
            assert_eq!(Descriptor::decode(&bytes[..bytes.len() - cut]), None, "{operator} less {cut}");
        }
        for more in [1, 31, 32] {
            assert_eq!(Descriptor::decode(&[&bytes[..], &vec![0; more]].concat()), None);
        }
        for flag in (0..=255).filter(|flag| *flag != bytes[7]) {
            let mut bent = bytes.clone();
            bent[7] = flag;
            assert_eq!(Descriptor::decode(&bent), None, "operator {operator}, flag {flag}");
        }
    }
    // The third operand's type is an integer's; without one, the same place is a root's.
    for code in 0..=255u8 {
        let sized = |operator| bench.bent(operator, &[(192, &[code])]).is_sized();
        assert_eq!(sized(DIVIDE), (1..=3).contains(&code), "{code}");
        assert!(sized(ROOT));
    }
}

#[test]
fn a_false_trace_never_panics_who_answers_for_it() {
    // Everything at its extremes, whatever the operators' ranges: sums and quotients are out of all bounds.
    for byte in [0x80u8, 0xff, 0x00, 0x7f] {
        let bench = Bench::new(|all| all.iter_mut().flatten().for_each(|b| *b = byte));
        for (index, operator) in bench.program.operators().iter().enumerate() {
            for element in 0..operator.elements() {
                let _ = bench.step(index as u32, element);
                let own = true_sums(&bench.program, &bench.trace, OperatorIndex(index as u32), element);
                for value in [-32_768, -1, 0, 1, 127] {
                    let at = OperatorIndex(index as u32);
                    let _ = bench.with(|source| forge_sums(source, at, element, own.clone(), value));
                }
            }
        }
    }
    assert_eq!(program().layers()[1].exports, [3], "nobody reads the second layer");
    assert_eq!(program().layer_of(OperatorIndex(DIVIDE)), (LayerIndex(1), 3));
}
