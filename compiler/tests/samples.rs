//! Sample files of every kind taken, and of every kind refused.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod common;

use std::io::Write;
use std::path::{Path, PathBuf};

use common::digits;
use narrows_compiler::{CompileError, Samples};
use tempfile::TempDir;
use zip::write::SimpleFileOptions;

fn npy(descr: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    npy_header(&format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n"), data)
}

fn npy_header(header: &str, data: &[u8]) -> Vec<u8> {
    let mut out = b"\x93NUMPY\x01\x00".to_vec();
    out.extend((header.len() as u16).to_le_bytes());
    out.extend(header.as_bytes());
    out.extend(data);
    out
}

fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

fn npz(path: &Path, entries: &[(&str, Vec<u8>)]) {
    let mut archive = zip::ZipWriter::new(std::fs::File::create(path).unwrap());
    for (index, (name, bytes)) in entries.iter().enumerate() {
        let method = [zip::CompressionMethod::Stored, zip::CompressionMethod::Deflated][index % 2];
        archive.start_file(*name, SimpleFileOptions::default().compression_method(method)).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap();
}

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    #[track_caller]
    fn refused(&self, bytes: &[u8], parts: &[&str]) -> CompileError {
        says(Samples::load(&self.file("bad.npy", bytes), &[1, 2, 2]), parts)
    }
}

#[track_caller]
fn says(outcome: Result<Samples, CompileError>, parts: &[&str]) -> CompileError {
    let error = outcome.expect_err("a refusal");
    for part in parts {
        assert!(error.to_string().contains(part), "{error} does not say {part:?}");
    }
    error
}

#[test]
fn the_fixture_loads() {
    let test = Samples::load(&digits("test.npz"), &[1, 1, 8, 8]).unwrap();
    assert_eq!((test.inputs.len(), test.inputs[0].len()), (600, 64));
    let labels = test.labels.unwrap();
    assert!(labels.len() == 600 && labels.iter().all(|&l| l < 10));
    let one = Samples::load(&digits("sample.npy"), &[1, 1, 8, 8]).unwrap();
    assert_eq!((one.inputs.len(), one.labels), (1, None));
    assert_eq!(one.inputs[0], test.inputs[109], "as the fixture's page says");
}

#[test]
fn every_element_type_and_shape_of_batch_is_taken() {
    let folder = Folder::new();
    let cases = [
        npy("<f4", "(2, 2)", &floats(&[1.0, 2.0, 3.0, 4.0])),
        npy("<f4", "(1, 2, 2)", &floats(&[1.0, 2.0, 3.0, 4.0])),
        npy("<f8", "(2, 2)", &[1.0f64, 2.0, 3.0, 4.0].map(f64::to_le_bytes).concat()),
        npy("|u1", "(2, 2)", &[1, 2, 3, 4]),
        npy("|i1", "(2, 2)", &[1, 2, 3, 4]),
        npy("<i2", "(2, 2)", &[1i16, 2, 3, 4].map(i16::to_le_bytes).concat()),
        npy("<u2", "(2, 2)", &[1u16, 2, 3, 4].map(u16::to_le_bytes).concat()),
        npy("<u4", "(2, 2)", &[1u32, 2, 3, 4].map(u32::to_le_bytes).concat()),
        npy("<i4", "(2, 2)", &[1i32, 2, 3, 4].map(i32::to_le_bytes).concat()),
        npy("<i8", "(2, 2)", &[1i64, 2, 3, 4].map(i64::to_le_bytes).concat()),
    ];
    for (index, bytes) in cases.iter().enumerate() {
        let samples = Samples::load(&folder.file("a.npy", bytes), &[1, 2, 2]).unwrap();
        assert_eq!(samples.inputs, [[1.0, 2.0, 3.0, 4.0]], "case {index}");
    }
    let batch = npy("|u1", "(3, 2, 2)", &(1..=12).collect::<Vec<u8>>());
    let samples = Samples::load(&folder.file("a.npy", &batch), &[1, 2, 2]).unwrap();
    assert_eq!(samples.inputs[2], [9.0, 10.0, 11.0, 12.0]);
    let negative = npy("|i1", "(4,)", &[0xff, 0x80, 0, 1]);
    let samples = Samples::load(&folder.file("a.npy", &negative), &[1, 4]).unwrap();
    assert_eq!(samples.inputs, [[-1.0, -128.0, 0.0, 1.0]]);
    let truth = npy("|b1", "(2, 2)", &[1, 0, 0, 1]);
    let samples = Samples::load(&folder.file("a.npy", &truth), &[2, 2]).unwrap();
    assert_eq!(
        samples.inputs,
        [[1.0, 0.0, 0.0, 1.0]],
        "a shape whose first dimension is no batch is taken whole"
    );
}

#[test]
fn a_folder_is_read_in_the_order_of_names() {
    let folder = Folder::new();
    folder.file("b.npy", &npy("|u1", "(2, 2)", &[2; 4]));
    folder.file("a.npy", &npy("|u1", "(2, 2, 2)", &[1; 8]));
    folder.file("notes.txt", b"not a sample");
    let samples = Samples::load(folder.0.path(), &[1, 2, 2]).unwrap();
    assert_eq!(samples.inputs.iter().map(|s| s[0]).collect::<Vec<_>>(), [1.0, 1.0, 2.0]);
    assert_eq!(samples.labels, None);
    let empty = tempfile::tempdir().unwrap();
    std::fs::write(empty.path().join("notes.txt"), "nothing").unwrap();
    let error = says(Samples::load(empty.path(), &[1, 2, 2]), &["no .npy or .npz"]);
    assert!(matches!(error, CompileError::NoSamples { .. }));
}

#[test]
fn an_archive_gives_the_array_that_fits_and_its_labels() {
    let folder = Folder::new();
    let path = folder.0.path().join("a.npz");
    let images = npy("|u1", "(2, 2, 2)", &[7; 8]);
    let other = npy("|u1", "(3,)", &[1; 3]);
    let labels = |shape: &str, values: &[i64]| {
        npy("<i8", shape, &values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>())
    };
    let good = [
        ("other.npy", other.clone()),
        ("images.npy", images.clone()),
        ("labels.npy", labels("(2,)", &[3, 0])),
    ];
    npz(&path, &good);
    let samples = Samples::load(&path, &[1, 2, 2]).unwrap();
    assert_eq!((samples.inputs.len(), samples.labels), (2, Some(vec![3, 0])));
    let cases = [
        (vec![("other.npy", other.clone())], "other has the shape 3"),
        (vec![("a.npy", images.clone()), ("b.npy", images.clone())], "keep one"),
        (vec![("a.npy", images.clone()), ("labels.npy", labels("(3,)", &[0; 3]))], "one label a sample"),
        (vec![("a.npy", images.clone()), ("labels.npy", labels("(2,)", &[0, -1]))], "label is -1"),
        (vec![("a.npy", images.clone()), ("labels.npy", npy("<f4", "(2,)", &[0; 8]))], "integers"),
        (vec![("labels.npy", labels("(2,)", &[0; 2]))], "no array"),
        (vec![("a.txt", b"words".to_vec())], "not a .npy array"),
    ];
    for (entries, part) in cases {
        npz(&path, &entries);
        says(Samples::load(&path, &[1, 2, 2]), &["a.npz", part]);
    }
    std::fs::write(&path, b"PK").unwrap();
    says(Samples::load(&path, &[1, 2, 2]), &["a.npz", "not a whole zip"]);
}

#[test]
fn values_that_are_not_finite_are_placed() {
    let folder = Folder::new();
    for (value, name) in [(f32::NAN, "NaN"), (f32::INFINITY, "inf"), (f32::NEG_INFINITY, "-inf")] {
        let mut values = [0.0; 12];
        values[9] = value;
        let error =
            folder.refused(&npy("<f4", "(3, 2, 2)", &floats(&values)), &["bad.npy", "sample 2", name]);
        assert!(matches!(error, CompileError::SampleNotFinite { sample: 2, element: 1, .. }));
    }
    // Finite as f64, not as f32.
    folder.refused(&npy("<f8", "(2, 2)", &[1e300f64; 4].map(f64::to_le_bytes).concat()), &["sample 0"]);
}

#[test]
fn shapes_are_named_on_both_sides() {
    let folder = Folder::new();
    let error = folder.refused(&npy("|u1", "(2, 3)", &[0; 6]), &["bad.npy", "2x3", "2x2"]);
    assert!(matches!(error, CompileError::SampleShape { .. }));
    folder.refused(&npy("|u1", "()", &[0]), &["scalar"]);
}

#[test]
fn malformed_files_say_what_is_wrong() {
    let folder = Folder::new();
    let good = npy("|u1", "(2, 2)", &[0; 4]);
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (Vec::new(), "header ends too early"),
        (b"something else".to_vec(), "first bytes"),
        (good[..20].to_vec(), "header ends too early"),
        (good[..good.len() - 1].to_vec(), "ends too early"),
        ([&good[..], &[0]].concat(), "too long"),
        (npy(">f4", "(2, 2)", &[0; 16]), "element type >f4"),
        (npy("|O", "(2, 2)", &[0; 16]), "element type |O"),
        (npy("|u1", "(0, 2, 2)", &[]), "no sample"),
        (npy("|u1", "(99999999999, 99999999999)", &[]), "more than"),
        (npy("|u1", "(2, two)", &[]), "malformed"),
        (npy("|u1", "(2, 2", &[]), "malformed"),
        (npy_header("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2, 2)}", &[]), "records"),
        (npy_header("{'descr': '|u1', 'fortran_order': True, 'shape': (2, 2)}", &[0; 4]), "Fortran"),
        (npy_header("{'descr': '|u1', 'fortran_order': None, 'shape': (2, 2)}", &[0; 4]), "malformed"),
        (npy_header("{'descr': '|u1', 'shape': (2, 2)}", &[0; 4]), "malformed"),
        (npy_header("{'descr': '|u1', 'fortran_order': False, 'shape': (2, 2)} more", &[0; 4]), "malformed"),
        (npy_header("{'other': 1}", &[0; 4]), "malformed"),
        (npy_header("\u{93}{", &[0; 4]), "malformed"),
        (npy_header("{'\u{e9}", &[0; 4]), "malformed"),
    ];
    for (bytes, part) in cases {
        folder.refused(&bytes, &["bad.npy", part]);
    }
    let path = folder.file("bad.csv", b"1,2");
    says(Samples::load(&path, &[1, 2, 2]), &["bad.csv", ".npy nor .npz"]);
    says(Samples::load(&folder.0.path().join("none.npy"), &[1, 2, 2]), &["none.npy", "check the path"]);
}
