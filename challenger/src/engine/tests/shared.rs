//! Many operators that read a little each of one large constant: what planning takes is bounded by what they read. Were the constant
//! read for each of them, these tests would take hours.

use super::*;

const LARGE: u32 = 1 << 22;
const MANY: usize = 2048;

fn plans_and_agrees(op: Operator, constants: Vec<Constant>) {
    let parts = ProgramParts {
        input: TensorType { dtype: DType::I8, elements: 4 },
        operators: vec![op; MANY],
        groups: vec![32; MANY / 32],
        constants,
        reveal_bits: 4,
        meta: Meta::default(),
    };
    let program = Program::new(parts).expect("legal");
    let input = [3, 250, 7, 1];
    let expected = naive::evaluate(&program, &input);
    for (backend, kept) in Backend::ALL.iter().flat_map(|backend| [(*backend, usize::MAX), (*backend, 0)]) {
        let limits = Limits { kept, ..Limits::default() };
        let engine = BurnEngine::with_limits(&program, backend, &limits).expect("an exact backend");
        assert!(engine.run(&input).expect("an answer") == expected, "{backend}, {kept} elements kept");
    }
}

#[test]
fn products_of_the_ends_of_one_constant() {
    let mut weights = vec![0; LARGE as usize];
    (weights[0], weights[LARGE as usize - 1]) = (5, 128);
    let ends = IndexMap { red: [0, 0, LARGE - 1], ..MAP };
    let a = Operand { map: IndexMap { red: [0, 0, 3], ..MAP }, ..INPUT };
    let mut op = operator(Fold::Dot, DType::I16, [1; 4], [1, 1, 2], a);
    op.b = Some(Operand { source: Source::Constant(ConstantIndex(1)), dtype: DType::I8, map: ends });
    plans_and_agrees(op, vec![records(&[(0, 2, 1)]), Constant { dtype: DType::I8, bytes: weights }]);
}

#[test]
fn pairs_of_the_ends_of_one_list_of_records() {
    let mut list = vec![(0, 2, 1); 1 << 20];
    (list[0], list[(1 << 20) - 1]) = ((4, 6, 2), (-8, 10, 3));
    let row = Operand { map: IndexMap { out: [0, 0, 0, 1], ..MAP }, ..INPUT };
    let mut op = operator(Fold::Pair, DType::I16, [1, 1, 1, 2], [1; 3], row);
    (op.b, op.scale_a, op.scale_b) = (Some(row), 4, -8);
    op.params.out = [0, 0, 0, (1 << 20) - 1];
    plans_and_agrees(op, vec![records(&list)]);
}

#[test]
fn windows_over_the_ends_of_one_constant() {
    let mut values = vec![0; LARGE as usize];
    (values[1], values[LARGE as usize - 1]) = (9, 100);
    // Of the two terms of each of three outputs, the first output's first and the last one's second miss.
    let source = Source::Constant(ConstantIndex(1));
    let mut op = operator(Fold::Max, DType::I8, [3, 1, 1, 1], [2, 1, 1], Operand { source, ..INPUT });
    op.windows[0] = Window { limit: 2, stride: LARGE - 2, out_step: 1, red_step: 1, offset: 1 };
    op.a.map.base = 1;
    plans_and_agrees(op, vec![records(&[(0, 2, 1)]), Constant { dtype: DType::I8, bytes: values }]);
}
