//! Programs whose weights stay in the bytes that they were read from.

use super::*;

/// The file of the branched program in groups of 3, 3 and 1.
fn file() -> Vec<u8> {
    Program::new(branched(&[3, 3, 1])).expect("legal").encode()
}

/// Where `part` begins in `whole`, if it is a piece of that very memory.
fn place(whole: &[u8], part: &[u8]) -> Option<usize> {
    let at = (part.as_ptr() as usize).checked_sub(whole.as_ptr() as usize)?;
    (at + part.len() <= whole.len()).then_some(at)
}

#[test]
fn weights_are_read_where_the_file_stands_and_records_are_copies() {
    for bytes in [file(), Program::new(small()).expect("legal").encode()] {
        let held = Bytes::from(bytes.clone());
        let program = Program::open(&held).expect("legal");
        assert_eq!(Ok(&program), Program::decode(&bytes).as_ref());
        for constant in program.constants() {
            let at = place(&held, &constant.bytes);
            match constant.dtype {
                DType::Params => assert_eq!(at, None),
                _ => {
                    let at = at.expect("a weight lies in the file");
                    assert_eq!(bytes[at..at + constant.bytes.len()], *constant.bytes);
                }
            }
        }
    }
}

#[test]
fn tables_are_copies_too() {
    let held = Bytes::from(Program::new(kinds::kinds()).expect("legal").encode());
    let program = Program::open(&held).expect("legal");
    let mut tables = 0;
    for op in program.operators() {
        if let Finalise::Table(index) = op.finalise {
            assert_eq!(place(&held, &program.constant(index).bytes), None);
            tables += 1;
        }
    }
    assert!(tables > 0);
}

#[test]
fn attack_36_an_altered_file_is_refused_or_has_another_root_when_it_is_shared_too() {
    let root = Program::open(&Bytes::from(file())).expect("legal").root();
    for at in 0..file().len() {
        let mut bent = file();
        bent[at] ^= 1;
        if let Ok(other) = Program::open(&Bytes::from(bent)) {
            assert_ne!(other.root(), root, "byte {at}");
        }
        assert!(Program::open(&Bytes::from(file()[..at].to_vec())).is_err(), "truncated to {at}");
    }
}

#[test]
fn a_part_of_shared_bytes_is_the_same_memory() {
    let whole = Bytes::from((0..100u8).collect::<Vec<u8>>());
    let part = whole.part(10..60).part(5..5 + 40);
    assert_eq!(place(&whole, &part), Some(15));
    assert_eq!(*part, (15..55).collect::<Vec<u8>>()[..]);
    assert_eq!((part.clone(), part.part(40..40).len()), (part, 0));
}

#[test]
#[should_panic(expected = "a part lies inside the whole")]
fn a_part_does_not_leave_the_whole() {
    let _ = Bytes::from(vec![0; 10]).part(2..9).part(0..8);
}
