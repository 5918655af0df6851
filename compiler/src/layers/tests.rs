//! Cuts worked out by hand, and every cut of small random programs tried.

use narrows_program::{
    ConstantIndex, DType, Finalise, Fold, IndexMap, Operand, Operator, OperatorIndex, Params, Window,
};

use super::*;

/// An operator with an output of so many bytes that reads the outputs of `reads`; the input where it names none.
fn operator(bytes: u32, reads: &[u32]) -> Operator {
    let source = |at: usize| reads.get(at).map(|read| Source::Operator(OperatorIndex(*read)));
    let operand = |source| Operand { source, dtype: DType::I8, map: IndexMap::default() };
    Operator {
        fold: Fold::Sum,
        dtype: DType::I8,
        out: [1, 1, 1, bytes],
        red: [1; 3],
        a: operand(source(0).unwrap_or(Source::Input)),
        windows: [Window::default(); 2],
        pad: 0,
        b: source(1).map(operand),
        scale_a: 0,
        scale_b: 0,
        finalise: Finalise::Requantise,
        params: Params { constant: ConstantIndex(0), out: [0; 4] },
        lo: 0,
        hi: 0,
        split: 1,
    }
}

/// A chain of operators with outputs of these bytes.
fn chain(bytes: &[u32]) -> Vec<Operator> {
    let link = |(at, bytes): (usize, &u32)| match at.checked_sub(1) {
        Some(before) => operator(*bytes, &[before as u32]),
        None => operator(*bytes, &[]),
    };
    bytes.iter().enumerate().map(link).collect()
}

fn cut(option: LayersOption, operators: &[Operator]) -> Vec<u8> {
    let stages: Vec<usize> = (0..operators.len()).collect();
    groups(option, operators, &stages)
}

/// The bytes that layers of these sizes export, by the words of SPEC 3.
fn exported(operators: &[Operator], sizes: &[u8]) -> u64 {
    let layer = |sizes: &[u8]| sizes.iter().enumerate().flat_map(|(l, n)| vec![l; usize::from(*n)]).collect();
    let layer: Vec<usize> = layer(sizes);
    let reads = |operator: &Operator, at: usize| {
        operator.sources().any(|source| source == Source::Operator(OperatorIndex(at as u32)))
    };
    let mut sum = 0;
    for l in 0..sizes.len() {
        let own: Vec<usize> = (0..layer.len()).filter(|i| layer[*i] == l).collect();
        let later = |i: &usize| (0..layer.len()).any(|r| layer[r] > l && reads(&operators[r], *i));
        let mut exports: Vec<usize> = own.iter().copied().filter(later).collect();
        if exports.is_empty() {
            exports.extend(own.last());
        }
        sum += exports.iter().map(|i| operators[*i].output_bytes()).sum::<u64>();
    }
    sum
}

fn squares(sizes: &[u8]) -> u64 {
    sizes.iter().map(|size| u64::from(*size).pow(2)).sum()
}

/// Random numbers below a bound.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

#[test]
fn auto_exports_no_more_than_any_other_cut() {
    let mut random = Random(7);
    for case in 0..300 {
        let count = 1 + random.below(9) as u32;
        let operators: Vec<Operator> = (0..count)
            .map(|at| {
                let reads = (0..random.below(3)).filter(|_| at > 0).map(|_| random.below(at.into()) as u32);
                let reads: Vec<u32> = reads.collect();
                operator(1 + random.below(4) as u32, &reads)
            })
            .collect();
        let chosen = cut(LayersOption::Auto, &operators);
        let chosen = (exported(&operators, &chosen), squares(&chosen));
        let all = (0..1u32 << (count - 1)).map(|cuts| {
            let ends = (1..=count).filter(|end| *end == count || cuts >> (end - 1) & 1 == 1);
            let sizes = ends.scan(0, |from, end| Some((end - std::mem::replace(from, end)) as u8));
            let sizes: Vec<u8> = sizes.collect();
            (exported(&operators, &sizes), squares(&sizes))
        });
        assert_eq!(Some(chosen), all.min(), "case {case}");
    }
}

#[test]
fn auto_cuts_long_chains_where_tensors_are_small() {
    // Up to 32 operators need no cut at all.
    assert_eq!(cut(LayersOption::Auto, &chain(&[9; 32])), [32]);
    // One cut is needed; of equal ones the most even is taken.
    let even = cut(LayersOption::Auto, &chain(&[9; 33]));
    assert!(even == [16, 17] || even == [17, 16], "{even:?}");
    // The smallest tensor within reach: the layer after it must not be too long, nor the one before.
    let mut bytes = [90; 40];
    (bytes[6], bytes[7], bytes[31]) = (1, 8, 7);
    assert_eq!(cut(LayersOption::Auto, &chain(&bytes)), [32, 8]);
    bytes[7] = 6;
    assert_eq!(cut(LayersOption::Auto, &chain(&bytes)), [8, 32]);
    // Two small cuts are better than a large one.
    let mut bytes = [90; 64];
    (bytes[20], bytes[50]) = (3, 4);
    assert_eq!(cut(LayersOption::Auto, &chain(&bytes)), [21, 30, 13]);
}

#[test]
fn blocks_end_where_one_tensor_crosses() {
    // Two residual stages after a stem, and an output of its own.
    let stages = [
        operator(4, &[]),
        operator(4, &[0]),
        operator(4, &[0, 1]),
        operator(4, &[2]),
        operator(4, &[3]),
        operator(4, &[2, 4]),
        operator(4, &[5]),
    ];
    assert_eq!(cut(LayersOption::Block, &stages), [1, 2, 3, 1]);
    assert_eq!(cut(LayersOption::Block, &chain(&[4; 5])), [1; 5]);
    // The input crosses too: a sum with it belongs to the first stage.
    let mut first = [operator(4, &[]), operator(4, &[0]), operator(4, &[1])];
    first[1].b = Some(first[0].a);
    assert_eq!(cut(LayersOption::Block, &first), [2, 1]);
    // A tensor that nobody reads crosses nothing.
    assert_eq!(cut(LayersOption::Block, &[operator(4, &[]), operator(4, &[0]), operator(4, &[0])]), [1; 3]);
}

#[test]
fn a_block_longer_than_a_layer_is_cut_where_its_tensors_are_small() {
    // A stage of 40 operators around which operator 0 is carried, and one after it.
    let mut bytes = [90; 42];
    bytes[20] = 5;
    let mut operators = chain(&bytes);
    operators[40] = operator(90, &[39, 0]);
    assert_eq!(cut(LayersOption::Block, &operators), [1, 20, 20, 1]);
    // One of 32 stays whole.
    let mut operators = chain(&bytes[..34]);
    operators[32] = operator(90, &[31, 0]);
    assert_eq!(cut(LayersOption::Block, &operators), [1, 32, 1]);
}

#[test]
fn nodes_and_counts_are_taken_at_their_word() {
    let operators = chain(&[4; 7]);
    assert_eq!(groups(LayersOption::Node, &operators, &[0, 1, 1, 2, 2, 2, 5]), [1, 2, 3, 1]);
    assert_eq!(groups(LayersOption::Node, &chain(&[4; 40]), &[0; 40]).iter().sum::<u8>(), 40);
    assert_eq!(cut(LayersOption::Count(1), &operators), [1; 7]);
    assert_eq!(cut(LayersOption::Count(3), &operators), [3, 3, 1]);
    assert_eq!(cut(LayersOption::Count(7), &operators), [7]);
    assert_eq!(cut(LayersOption::Count(32), &operators), [7]);
}

#[test]
fn options_are_read_from_text_and_nothing_else_is() {
    for (text, option) in [
        ("auto", LayersOption::Auto),
        ("node", LayersOption::Node),
        ("block", LayersOption::Block),
        ("1", LayersOption::Count(1)),
        ("32", LayersOption::Count(32)),
    ] {
        assert_eq!(text.parse(), Ok(option));
        assert_eq!(option.to_string(), text);
        let json = serde_json::to_string(&option).expect("json");
        assert_eq!(json, format!("\"{text}\""));
        assert_eq!(serde_json::from_str::<LayersOption>(&json).expect("an option"), option);
    }
    for text in ["", "0", "33", "256", "+3", "-1", " 3", "Auto", "nodes", "three"] {
        let error = text.parse::<LayersOption>().expect_err(text);
        assert!(error.to_string().starts_with(&format!("'{text}' is no way")), "{error}");
        assert!(error.to_string().contains("auto, node, block, or a number"), "{error}");
        assert!(serde_json::from_str::<LayersOption>(&format!("\"{text}\"")).is_err());
    }
}
