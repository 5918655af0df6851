//! How operators stand in layers, and what layers export.

use super::*;

fn exports(groups: &[u8]) -> Vec<Vec<u8>> {
    let program = Program::new(branched(groups)).expect("legal");
    program.layers().iter().map(|layer| layer.exports.clone()).collect()
}

#[test]
fn a_layer_exports_what_later_layers_read_or_its_last() {
    assert_eq!(exports(&[7]), [[6]]);
    assert_eq!(exports(&[1; 7]), [[0]; 7]);
    assert_eq!(exports(&[3, 3, 1]), [[2], [2], [0]]);
    // 0 and 1 are both read by 2; of 2 and 3, 2 is read by 5 and 3 by 4.
    assert_eq!(exports(&[2, 2, 3]), [vec![0, 1], vec![0, 1], vec![2]]);
    // Only 2 and 4 are read past this cut, 3 is not.
    assert_eq!(exports(&[5, 2]), [vec![2, 4], vec![1]]);
}

#[test]
fn what_nobody_reads_is_exported_only_as_a_layers_last() {
    let mut parts = branched(&[3, 3, 2]);
    // Nobody reads operator 7, and nobody reads 6 any more.
    parts.operators.push(copy(op(5)));
    let program = Program::new(parts.clone()).expect("legal");
    assert_eq!(program.layers()[2].exports, [1]);
    parts.groups = vec![3, 3, 1, 1];
    let program = Program::new(parts).expect("legal");
    assert_eq!(program.layers()[2].exports, [0], "no later layer reads it, so the last one alone");
}

#[test]
fn places_references_and_heads_agree() {
    let groups: [&[u8]; 5] = [&[7], &[1; 7], &[3, 3, 1], &[2, 2, 3], &[5, 2]];
    for groups in groups {
        let program = Program::new(branched(groups)).expect("legal");
        let mut next = 0;
        for (index, layer) in program.layers().iter().enumerate() {
            let index = LayerIndex(index as u32);
            assert_eq!(program.layer(index), layer);
            assert_eq!(layer.operators(), next..next + u32::from(layer.count));
            let mut head = next.to_be_bytes().to_vec();
            head.extend([layer.count, layer.exports.len() as u8]);
            head.extend(&layer.exports);
            assert_eq!(layer.head(), head);
            let exported: Vec<_> = layer.exports.iter().map(|position| layer.operator(*position)).collect();
            assert_eq!(layer.exported().collect::<Vec<_>>(), exported);
            for position in 0..layer.count {
                let operator = layer.operator(position);
                assert_eq!(program.layer_of(operator), (index, position));
                let rank = layer.exports.iter().position(|export| *export == position).map(|rank| rank as u8);
                assert_eq!((layer.rank(position), layer.is_exported(position)), (rank, rank.is_some()));
            }
            next += u32::from(layer.count);
        }
        assert_eq!(next, 7);
        for reader in (0..7).map(OperatorIndex) {
            for source in program.operator(reader).sources() {
                let named = match program.reference(reader, source) {
                    Reference::Input => Source::Input,
                    Reference::Constant(constant) => Source::Constant(constant),
                    Reference::Export { layer, rank, exports } => {
                        assert!(layer < program.layer_of(reader).0);
                        let layer = program.layer(layer);
                        assert_eq!(usize::from(exports), layer.exports.len());
                        Source::Operator(layer.operator(layer.exports[usize::from(rank)]))
                    }
                    Reference::Local { position } => {
                        let layer = program.layer(program.layer_of(reader).0);
                        Source::Operator(layer.operator(position))
                    }
                };
                assert_eq!(named, source, "operator {reader}");
            }
        }
    }
}

#[test]
fn the_same_operators_in_other_layers_are_another_program() {
    let roots = [&[7][..], &[1; 7], &[3, 3, 1], &[3, 4], &[4, 3]]
        .map(|groups| Program::new(branched(groups)).expect("legal").root());
    for (index, root) in roots.iter().enumerate() {
        assert!(!roots[..index].contains(root), "groups {index}");
    }
}

#[test]
#[should_panic(expected = "what a later layer reads is exported")]
fn a_reference_to_what_is_not_exported_is_our_own_mistake() {
    let program = Program::new(branched(&[3, 3, 1])).expect("legal");
    let _ = program.reference(OperatorIndex(3), op(1));
}

#[test]
fn labels_come_from_the_source_nodes() {
    let meta = |nodes: &[&str]| OperatorMeta {
        nodes: nodes.iter().map(|name| (*name).into()).collect(),
        ..OperatorMeta::default()
    };
    let mut parts = branched(&[3, 3, 1]);
    let plain = Program::new(parts.clone()).expect("legal");
    assert_eq!(plain.operator_label(OperatorIndex(4)), "operator 4");
    assert_eq!(plain.layer_label(LayerIndex(1)), "layer 1");
    parts.meta.operators = vec![
        meta(&["conv", "relu"]),
        meta(&[]),
        meta(&["add"]),
        meta(&[]),
        meta(&["gemm"]),
        meta(&[]),
        meta(&[]),
    ];
    let named = Program::new(parts).expect("legal");
    assert_eq!(named.operator_label(OperatorIndex(0)), "conv + relu");
    assert_eq!(named.operator_label(OperatorIndex(1)), "operator 1");
    let labels: Vec<_> = (0..3).map(|layer| named.layer_label(LayerIndex(layer))).collect();
    assert_eq!(labels, ["conv + relu … add", "gemm", "layer 2"]);
}

/// Read for each operator, the table would take a quarter of an hour.
#[test]
fn a_table_that_many_operators_share_is_read_once() {
    let entries = 1 << 22;
    let op = Operator {
        out: [1; 4],
        finalise: Finalise::Table(ConstantIndex(0)),
        params: Params { constant: ConstantIndex(1), out: [0; 4] },
        lo: 0,
        hi: entries - 1,
        ..copy(Source::Input)
    };
    let operators = 1 << 15;
    let parts = ProgramParts {
        operators: vec![op; operators],
        groups: vec![32; operators / 32],
        constants: vec![
            Constant { dtype: DType::I8, bytes: vec![1; entries as usize] },
            Constant { dtype: DType::Params, bytes: record::encode(0, 2, 1).to_vec() },
        ],
        ..small()
    };
    let program = Program::new(parts).expect("legal");
    assert_eq!(program.header().work, operators as u64);
}
