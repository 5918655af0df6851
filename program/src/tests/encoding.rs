//! Files and digests: what is written, what is read back, and what is not.

use narrows_commitment::{Digest, TensorTree, keccak};

use super::*;

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

/// The file of the branched program in groups of 3, 3 and 1.
fn file() -> Vec<u8> {
    Program::new(branched(&[3, 3, 1])).expect("legal").encode()
}

/// Where the descriptors of [`file`] begin: after the magic, the header and three layers of 3, 3 and 3 bytes.
const DESCRIPTORS: usize = 4 + 64 + 9;

fn refusal(bend: impl Fn(&mut Vec<u8>)) -> LoadError {
    let mut bytes = file();
    bend(&mut bytes);
    Program::decode(&bytes).expect_err("altered")
}

#[test]
fn attack_36_a_layered_program_survives_its_encoding_and_nothing_else_does() {
    let bytes = file();
    let program = Program::decode(&bytes).expect("legal");
    assert_eq!(program.encode(), bytes);
    assert_eq!(program, Program::new(branched(&[3, 3, 1])).expect("legal"));
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
fn attack_36_stated_exports_that_are_not_the_derived_ones_are_refused() {
    let field = |name| LoadError::Decode(DecodeError::Field(name));
    // Layer 0 exports its position 2 and layer 1 its position 2; each layer's bytes are count, n, position.
    assert_eq!(file()[68..77], [3, 1, 2, 3, 1, 2, 1, 1, 0]);
    // Another position is another program: what reads the layer then reads that operator.
    let mut other = file();
    other[70] = 1;
    let other = Program::decode(&other).expect("legal");
    assert_ne!(other.root(), Program::new(branched(&[3, 3, 1])).expect("legal").root());
    assert_eq!(other.operator(OperatorIndex(3)).a.source, op(1));
    // An export that nobody reads, one twice, and two out of order, the references counting them all.
    for (positions, rank) in [([1, 2], 1), ([2, 2], 0), ([2, 1], 0)] {
        let error = refusal(|b| {
            for place in [DESCRIPTORS + 3 * 192 + 28, DESCRIPTORS + 5 * 192 + 28] {
                b[place..place + 2].copy_from_slice(&[rank, 2]);
            }
            b[69] = 2;
            b.splice(70..71, positions);
        });
        assert_eq!(error, field("exports"), "{positions:?}");
    }
    // A position past the layer's end names nothing.
    assert_eq!(refusal(|b| b[70] = 3), field("descriptor"));
    // The last layer's export is read by nobody, so no reference fails before the comparison.
    assert_eq!(refusal(|b| b[76] = 1), field("exports"));
    // One export too many, and none at all.
    let more = |b: &mut Vec<u8>| {
        b[75] = 2;
        b.insert(77, 1);
    };
    assert_eq!(refusal(more), field("exports"));
    let none = |b: &mut Vec<u8>| {
        b[75] = 0;
        b.remove(76);
    };
    assert_eq!(refusal(none), field("exports"));
    // The same descriptors cut elsewhere: operator 5 then reads operator 6, the second of its layer.
    let error = refusal(|b| b[68..77].copy_from_slice(&[3, 1, 2, 2, 1, 1, 2, 1, 1]));
    assert!(matches!(error, LoadError::Illegal(Illegal { rule: Rule::Reference, .. })), "{error}");
    // Layers that do not hold the operators, or too many of them.
    for counts in [[2, 3, 1], [3, 3, 2], [0, 6, 1], [3, 3, 33]] {
        let error = refusal(|b| [68, 71, 74].iter().zip(counts).for_each(|(at, count)| b[*at] = count));
        let refused =
            matches!(&error, LoadError::Decode(_) | LoadError::Illegal(Illegal { rule: Rule::Counts, .. }));
        assert!(refused, "{counts:?}: {error}");
    }
    let most = |b: &mut Vec<u8>| b[8..12].copy_from_slice(&((1u32 << 20) + 1).to_be_bytes());
    assert_eq!(refusal(most), field("number of layers"));
}

#[test]
fn attack_36_a_reference_is_written_in_one_way_only() {
    let field = LoadError::Decode(DecodeError::Field("descriptor"));
    let at = |operator: usize, field: usize| DESCRIPTORS + operator * 192 + field;
    let bytes = file();
    // Operator 1 reads operator 0 of its own layer; 3 reads the export of layer 0; 5 reads both kinds.
    let code = |operator| {
        (bytes[at(operator, 5)], bytes[at(operator, 15)], bytes[at(operator, 28)], bytes[at(operator, 29)])
    };
    assert_eq!((code(0), code(1), code(3)), ((0, 0, 0, 0), (3, 0, 0, 0), (2, 0, 0, 1)));
    assert_eq!((code(5), bytes[at(5, 6)], bytes[at(5, 19)]), ((2, 0, 0, 1), 3, 1));
    let set = |operator, values: [u8; 4]| {
        refusal(|b| {
            for (place, value) in [5, 15, 28, 29].into_iter().zip(values) {
                b[at(operator, place)] = value;
            }
        })
    };
    // An input other than the first, and kinds that do not exist.
    assert_eq!(set(0, [0, 1, 0, 0]), field);
    assert_eq!(set(0, [4, 0, 0, 0]), field);
    // Rank and exports where there are none.
    assert_eq!(set(0, [0, 0, 0, 1]), field);
    assert_eq!(set(1, [3, 0, 1, 0]), field);
    // A rank past the exports, a wrong number of exports, the own layer's export, a later layer's.
    assert_eq!(set(3, [2, 0, 1, 1]), field);
    assert_eq!(set(3, [2, 0, 0, 2]), field);
    assert_eq!(set(5, [2, 1, 0, 1]), field);
    assert_eq!(set(3, [2, 2, 0, 1]), field);
    assert_eq!(set(3, [2, 3, 0, 1]), field);
    // A position past the layer's end; one that is not earlier is no legal reference.
    assert_eq!(set(1, [3, 3, 0, 0]), field);
    for position in [1, 2] {
        let error = set(1, [3, position, 0, 0]);
        assert!(matches!(error, LoadError::Illegal(Illegal { rule: Rule::Reference, .. })), "{error}");
    }
    // Local position 0 for what stands in another layer names another operator, which keeps no root.
    let mut other = file();
    other[at(6, 5)] = 3;
    assert!(Program::decode(&other).is_err(), "operator 6 would read itself");
    // Reserved bytes, stated depths and header fields.
    for place in [at(0, 7), at(0, 8), at(0, 9), at(0, 11), at(0, 142), at(6, 1), 19, 31, 35, 36 + 4] {
        assert!(matches!(refusal(|b| b[place] ^= 1), LoadError::Decode(_)), "byte {place}");
    }
}

#[test]
fn other_versions_are_refused() {
    for version in [0, 1, 2, 3, 5] {
        assert_eq!(refusal(|b| b[7] = version), LoadError::Decode(DecodeError::Field("version")));
    }
}

/// Joins big-endian words.
fn be(words: &[i64]) -> Vec<u8> {
    words.iter().flat_map(|word| (*word as u32).to_be_bytes()).collect()
}

fn hash(parts: &[&[u8]]) -> Digest {
    keccak(&parts.concat())
}

/// The root of a tree over at most four leaves, by the words of SPEC 3.
fn tree(leaves: &[Digest]) -> Digest {
    let pad = keccak(&[4]);
    let inner = |a: &Digest, b: &Digest| hash(&[&[1], &a.0, &b.0]);
    match leaves {
        [a] => *a,
        [a, b] => inner(a, b),
        [a, b, c] => inner(&inner(a, b), &inner(c, &pad)),
        _ => unreachable!("the tests' trees are smaller"),
    }
}

/// The descriptor of one of the branched program's operators, its 16 fields of word 0 given, by the words of SPEC 4.2.
fn descriptor(codes: [u8; 12], indices: [i64; 4], ranks: [u8; 4], b_step: i64, scales: i64) -> Vec<u8> {
    let mut out = codes.to_vec();
    out.extend(be(&indices));
    out.extend(ranks);
    out.extend(be(&[1, 1, 1, 3, 1, 1, 1, 0]));
    out.extend(be(&[0, 0, 0, 0, 1, 0, 0, 0]));
    out.extend(be(&[0, 0, 0, 0, b_step, 0, 0, 0]));
    out.extend([0; 32]);
    out.extend(be(&[0, 0, 0, 0, scales, scales, -128, 127]));
    out
}

#[test]
fn the_digests_are_those_of_the_specification() {
    // The branched program in groups of 2, 4 and 1: layer 0 exports both of its operators, the others their last.
    let program = Program::new(branched(&[2, 4, 1])).expect("legal");
    let records = hash(&[&[0], &[0; 8], &[2, 0, 0, 0, 1], &[0; 115]]);
    let weights = hash(&[&[0], &[1, 2, 3], &[0; 125]]);
    let copy = |kind, index, ranks| {
        descriptor([2, 1, 1, 1, 0, kind, 0, 0, 0, 0, 0, 0], [index, 0, 0, 1], ranks, 0, 0)
    };
    let add = |kinds: [u8; 2], indices: [i64; 2], ranks| {
        let codes = [4, 1, 1, 1, 1, kinds[0], kinds[1], 0, 0, 0, 0, 0];
        descriptor(codes, [indices[0], indices[1], 0, 1], ranks, 1, 1)
    };
    let descriptors = [
        copy(0, 0, [0; 4]),
        copy(3, 0, [0; 4]),
        add([2, 2], [0, 0], [0, 2, 1, 2]),
        add([3, 1], [0, 1], [0; 4]),
        copy(3, 1, [0; 4]),
        add([3, 3], [0, 2], [0; 4]),
        copy(2, 1, [0, 1, 0, 0]),
    ];
    let mut leaves = Vec::new();
    for (index, bytes) in descriptors.iter().enumerate() {
        let at = OperatorIndex(index as u32);
        assert_eq!(program.descriptor(at).to_vec(), *bytes, "operator {index}");
        let constants: &[&[u8]] = if index == 3 { &[&weights.0, &records.0] } else { &[&records.0] };
        let bytes = [bytes.as_slice(), &constants.concat()].concat();
        assert_eq!(program.operator_bytes(at), bytes, "operator {index}");
        leaves.push(hash(&[&[3], &bytes]));
        assert_eq!(program.operator_leaf(at), leaves[index]);
    }
    let four = hash(&[&[1], &tree(&leaves[2..4]).0, &tree(&leaves[4..6]).0]);
    let layers = [
        hash(&[&[6], &[0, 0, 0, 0], &[2, 2, 0, 1], &tree(&leaves[..2]).0]),
        hash(&[&[6], &[0, 0, 0, 2], &[4, 1, 3], &four.0]),
        hash(&[&[6], &[0, 0, 0, 6], &[1, 1, 0], &leaves[6].0]),
    ];
    for (index, leaf) in layers.iter().enumerate() {
        assert_eq!(program.layer_leaf(LayerIndex(index as u32)), *leaf, "layer {index}");
    }
    assert_eq!(program.operators_tree(LayerIndex(1)).root(), four);
    assert_eq!(program.layers_root().0, tree(&layers));
    let meta = serde_json::to_vec(&Meta::default()).expect("json");
    let header = [be(&[4, 3, 7]), vec![1, 1, 4, 0], be(&[3, 3, 0, 21]), keccak(&meta).0.to_vec()].concat();
    assert_eq!(program.header_bytes().to_vec(), header);
    assert_eq!(program.root().0, hash(&[&[5], &header, &tree(&layers).0]));
    // The file joins the same bytes.
    let heads: &[u8] = &[2, 2, 0, 1, 4, 1, 3, 1, 1, 0];
    let constants =
        [be(&[2]), vec![16], be(&[1]), record::encode(0, 2, 1).to_vec(), vec![1], be(&[3]), vec![1, 2, 3]];
    let file = [b"NRWS", header.as_slice(), heads, &descriptors.concat(), &constants.concat()].concat();
    let file = [file, be(&[meta.len() as i64]), meta].concat();
    assert_eq!(program.encode(), file);
}

#[test]
fn a_constants_tree_is_the_one_its_root_names() {
    let program = Program::new(small()).expect("legal");
    for index in [ConstantIndex(0), ConstantIndex(1)] {
        let tree: TensorTree = program.constant_tree(index);
        assert_eq!(tree.root(), program.constant_root(index).0);
    }
    assert_ne!(program.constant_root(ConstantIndex(0)), program.constant_root(ConstantIndex(1)));
}
