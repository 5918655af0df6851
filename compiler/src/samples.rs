//! Calibration and test samples from `.npy` and `.npz` files, checked against the model's input.

use std::fs::File;
use std::io::{BufReader, Cursor};
use std::path::{Path, PathBuf};

use crate::error::{CompileError, Dimensions, quote};
use crate::graph::read_file;
use crate::limits::{MAX_NPZ_ENTRIES, MAX_SAMPLE_FILES, MAX_SAMPLES};
use crate::npy::{Array, ArrayData};

/// The entry of a `.npz` that holds one integer label a sample.
const LABELS: &str = "labels";
/// The entry of a `.npz` that holds several right classes a sample, one for each position.
const TARGETS: &str = "targets";

/// Samples of the model's input shape, in the order of the file, or of the files' names.
#[derive(Debug, Clone, PartialEq)]
pub struct Samples {
    /// Each sample in ONNX's row-major order, without a batch dimension. Integer arrays are taken
    /// as the numbers they hold: nothing is rescaled.
    pub inputs: Vec<Vec<f32>>,
    /// The right class of each sample, when every file gave labels.
    pub labels: Option<Vec<usize>>,
    /// The right class at each position of each sample, for models that answer at every position, when every file gave them.
    pub targets: Option<Vec<Vec<usize>>>,
}

impl Samples {
    /// Samples alone.
    #[must_use]
    pub fn of(inputs: Vec<Vec<f32>>) -> Self {
        Self { inputs, labels: None, targets: None }
    }

    /// Reads a `.npy` or `.npz` file, or every such file in a folder in the order of their names.
    ///
    /// `input_shape` is the model's. Where its first dimension is 1, that is the batch's: an array of that shape, of
    /// that shape without the batch, or of that shape with any batch is taken; otherwise an array of that shape or
    /// several of them along a further first dimension. Of a `.npz`, the one array that fits, labels from an
    /// array named `labels`, and right classes by position from one named `targets`, its first dimension the samples'.
    ///
    /// # Errors
    /// [`CompileError::Io`], [`CompileError::NoSamples`], [`CompileError::SampleFile`],
    /// [`CompileError::SampleShape`] or [`CompileError::SampleNotFinite`].
    pub fn load(path: &Path, input_shape: &[usize]) -> Result<Self, CompileError> {
        let io = |source| CompileError::Io { path: path.into(), source };
        let files = if std::fs::metadata(path).map_err(io)?.is_dir() {
            sample_files(path)?
        } else {
            vec![path.to_path_buf()]
        };
        let shape = match input_shape {
            [1, rest @ ..] => rest,
            whole => whole,
        };
        let mut all = Self { inputs: Vec::new(), labels: Some(Vec::new()), targets: Some(Vec::new()) };
        for file in files {
            let Self { inputs, labels, targets } = load_file(&file, shape)?;
            all.inputs.extend(inputs);
            all.targets = all.targets.zip(targets).map(|(all, more)| [all, more].concat());
            all.labels = all.labels.zip(labels).map(|(mut all, more)| {
                all.extend(more);
                all
            });
            if all.inputs.len() > MAX_SAMPLES {
                return Err(CompileError::SampleFile {
                    path: file,
                    detail: format!("it brings the samples past {MAX_SAMPLES}; give fewer"),
                });
            }
        }
        Ok(all)
    }
}

fn sample_files(folder: &Path) -> Result<Vec<PathBuf>, CompileError> {
    let io = |source| CompileError::Io { path: folder.into(), source };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(io)? {
        let path = entry.map_err(io)?.path();
        if is_kind(&path, "npy") || is_kind(&path, "npz") {
            files.push(path);
        }
        if files.len() > MAX_SAMPLE_FILES {
            return Err(CompileError::SampleFile {
                path: folder.into(),
                detail: format!("it holds more than {MAX_SAMPLE_FILES} files; join them"),
            });
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(CompileError::NoSamples { path: folder.into() });
    }
    Ok(files)
}

fn is_kind(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|e| e.eq_ignore_ascii_case(extension))
}

fn load_file(path: &Path, shape: &[usize]) -> Result<Samples, CompileError> {
    if is_kind(path, "npz") {
        return load_npz(path, shape);
    }
    if !is_kind(path, "npy") {
        return Err(bad(path, "its name ends in neither .npy nor .npz; give such a file"));
    }
    let file = File::open(path).map_err(|source| CompileError::Io { path: path.into(), source })?;
    let array = Array::read(BufReader::new(file)).map_err(|detail| bad(path, detail))?;
    if batch_of(&array.shape, shape).is_none() {
        return Err(wrong_shape(path, &array, shape));
    }
    Ok(Samples::of(split(path, array, shape)?))
}

fn load_npz(path: &Path, shape: &[usize]) -> Result<Samples, CompileError> {
    let damaged = |e: zip::result::ZipError| bad(path, format!("it is not a whole zip: {e}"));
    let mut archive = zip::ZipArchive::new(Cursor::new(read_file(path)?)).map_err(damaged)?;
    if archive.len() > MAX_NPZ_ENTRIES {
        return Err(bad(path, format!("it has more than {MAX_NPZ_ENTRIES} arrays; split it")));
    }
    let mut fitting: Option<(PathBuf, Array)> = None;
    let mut other: Option<(PathBuf, Array)> = None;
    let (mut labels, mut targets) = (None, None);
    for index in 0..archive.len() {
        let entry = archive.by_index(index).map_err(damaged)?;
        let name = quote(entry.name().map_err(damaged)?.trim_end_matches(".npy"));
        let place = path.join(&name);
        let array = Array::read(entry).map_err(|detail| bad(&place, detail))?;
        if name == LABELS {
            labels = Some((place, array));
        } else if name == TARGETS {
            targets = Some((place, array));
        } else if batch_of(&array.shape, shape).is_none() {
            other = Some((place, array));
        } else if let Some((first, _)) = &fitting {
            let first = first.display();
            return Err(bad(&place, format!("{first} also fits the model's input; keep one")));
        } else {
            fitting = Some((place, array));
        }
    }
    let Some((place, array)) = fitting else {
        return Err(match other {
            Some((place, array)) => wrong_shape(&place, &array, shape),
            None => bad(path, "it holds no array of samples; save one in it"),
        });
    };
    let inputs = split(&place, array, shape)?;
    let labels = match labels {
        None => None,
        Some((place, array)) => Some(read_labels(&place, &array, inputs.len())?),
    };
    let targets = match targets {
        None => None,
        Some((place, array)) => Some(read_targets(&place, &array, inputs.len())?),
    };
    Ok(Samples { inputs, labels, targets })
}

fn read_labels(path: &Path, array: &Array, samples: usize) -> Result<Vec<usize>, CompileError> {
    if array.shape != [samples] {
        return Err(bad(path, format!("one label a sample is expected, {samples} in all")));
    }
    classes(path, array)
}

fn read_targets(path: &Path, array: &Array, samples: usize) -> Result<Vec<Vec<usize>>, CompileError> {
    let each = array.shape.iter().skip(1).product::<usize>();
    if array.shape.first() != Some(&samples) || each == 0 {
        return Err(bad(
            path,
            format!("its first dimension is expected to be that of the samples, {samples}"),
        ));
    }
    Ok(classes(path, array)?.chunks(each).map(<[usize]>::to_vec).collect())
}

fn classes(path: &Path, array: &Array) -> Result<Vec<usize>, CompileError> {
    let ArrayData::Integer(values) = &array.data else {
        return Err(bad(path, "labels are integers; save them as int64"));
    };
    values
        .iter()
        .map(|&v| usize::try_from(v).map_err(|_| bad(path, format!("a label is {v}; use 0 and up"))))
        .collect()
}

/// Number of samples in an array, or `None` when it does not fit.
fn batch_of(array: &[usize], sample: &[usize]) -> Option<usize> {
    match array.split_first() {
        _ if array == sample => Some(1),
        Some((&batch, rest)) if rest == sample => Some(batch),
        _ => None,
    }
}

fn split(path: &Path, array: Array, shape: &[usize]) -> Result<Vec<Vec<f32>>, CompileError> {
    let values: Vec<f64> = match array.data {
        ArrayData::Float(values) => values,
        ArrayData::Integer(values) => values.into_iter().map(|v| v as f64).collect(),
    };
    let each: usize = shape.iter().product();
    if values.is_empty() {
        return Err(bad(path, "it holds no sample; save at least one"));
    }
    if let Some(at) = values.iter().position(|&v| !(v as f32).is_finite()) {
        return Err(CompileError::SampleNotFinite {
            path: path.into(),
            sample: at / each,
            element: at % each,
            value: values[at],
        });
    }
    Ok(values.chunks(each).map(|chunk| chunk.iter().map(|&v| v as f32).collect()).collect())
}

fn wrong_shape(path: &Path, array: &Array, shape: &[usize]) -> CompileError {
    CompileError::SampleShape {
        path: path.into(),
        found: Dimensions(array.shape.clone()),
        expected: Dimensions(shape.to_vec()),
    }
}

fn bad(path: &Path, detail: impl Into<String>) -> CompileError {
    CompileError::SampleFile { path: path.into(), detail: detail.into() }
}
