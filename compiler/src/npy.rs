//! The `.npy` array format, versions 1 to 3, little-endian, C order, as numbers in `f32` or `i64`.

use std::io::Read;

use crate::constant::element_count;
use crate::limits::{MAX_ARRAY_ELEMENTS, MAX_NPY_HEADER};

const MAGIC: &[u8; 6] = b"\x93NUMPY";

/// The element types read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ElementType {
    F32,
    F64,
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    I64,
}

impl ElementType {
    fn bytes(self) -> usize {
        match self {
            Self::U8 | Self::I8 => 1,
            Self::U16 | Self::I16 => 2,
            Self::F32 | Self::I32 | Self::U32 => 4,
            Self::F64 | Self::I64 => 8,
        }
    }

    fn parse(descr: &str) -> Result<Self, String> {
        match descr {
            "<f4" => Ok(Self::F32),
            "<f8" => Ok(Self::F64),
            "|u1" | "<u1" | "u1" | "|b1" => Ok(Self::U8),
            "|i1" | "<i1" | "i1" => Ok(Self::I8),
            "<u2" => Ok(Self::U16),
            "<i2" => Ok(Self::I16),
            "<u4" => Ok(Self::U32),
            "<i4" => Ok(Self::I32),
            "<i8" => Ok(Self::I64),
            other => Err(format!(
                "its element type {} is not read; save it as float32, float64, bool or an integer \
                 of 8 to 64 bits, little-endian",
                crate::error::quote(other)
            )),
        }
    }
}

/// An array as the file holds it, in C order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Array {
    pub shape: Vec<usize>,
    pub data: ArrayData,
}

/// Elements of an [`Array`]. Integers keep their exact value for labels.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ArrayData {
    Float(Vec<f64>),
    Integer(Vec<i64>),
}

impl Array {
    /// Reads one array, refusing bytes after it. Memory grows with the bytes that come, not with
    /// what the header announces.
    pub(crate) fn read(mut input: impl Read) -> Result<Self, String> {
        let header = read_header(&mut input)?;
        let (kind, shape) = parse_header(&header)?;
        let count = element_count(&shape, MAX_ARRAY_ELEMENTS)
            .ok_or_else(|| format!("it has more than {MAX_ARRAY_ELEMENTS} elements; split it"))?;
        let expected = count * kind.bytes();
        let mut bytes = Vec::new();
        input
            .take(expected as u64 + 1)
            .read_to_end(&mut bytes)
            .map_err(|e| format!("it cannot be read: {e}; save it again"))?;
        if bytes.len() != expected {
            let what = if bytes.len() < expected { "ends too early" } else { "is too long" };
            return Err(format!("it {what}: its shape needs {expected} bytes; save it again"));
        }
        Ok(Self { shape, data: convert(kind, &bytes) })
    }
}

fn convert(kind: ElementType, bytes: &[u8]) -> ArrayData {
    fn map<const W: usize, T>(bytes: &[u8], read: impl Fn([u8; W]) -> T) -> Vec<T> {
        bytes.as_chunks::<W>().0.iter().map(|&chunk| read(chunk)).collect()
    }
    match kind {
        ElementType::F32 => ArrayData::Float(map(bytes, |b| f64::from(f32::from_le_bytes(b)))),
        ElementType::F64 => ArrayData::Float(map(bytes, f64::from_le_bytes)),
        ElementType::U8 => ArrayData::Integer(map(bytes, |[b]| i64::from(b))),
        ElementType::I8 => ArrayData::Integer(map(bytes, |b| i64::from(i8::from_le_bytes(b)))),
        ElementType::U16 => ArrayData::Integer(map(bytes, |b| i64::from(u16::from_le_bytes(b)))),
        ElementType::I16 => ArrayData::Integer(map(bytes, |b| i64::from(i16::from_le_bytes(b)))),
        ElementType::U32 => ArrayData::Integer(map(bytes, |b| i64::from(u32::from_le_bytes(b)))),
        ElementType::I32 => ArrayData::Integer(map(bytes, |b| i64::from(i32::from_le_bytes(b)))),
        ElementType::I64 => ArrayData::Integer(map(bytes, i64::from_le_bytes)),
    }
}

fn read_header(input: &mut impl Read) -> Result<String, String> {
    let short = |_| "it is not a .npy array: its header ends too early; save it again".to_string();
    let mut start = [0; 8];
    input.read_exact(&mut start).map_err(short)?;
    if &start[..6] != MAGIC {
        return Err("it is not a .npy array: its first bytes are wrong; save it with numpy".into());
    }
    let length = match start[6] {
        1 => {
            let mut length = [0; 2];
            input.read_exact(&mut length).map_err(short)?;
            usize::from(u16::from_le_bytes(length))
        }
        2 | 3 => {
            let mut length = [0; 4];
            input.read_exact(&mut length).map_err(short)?;
            u32::from_le_bytes(length) as usize
        }
        other => return Err(format!("its format version {other} is not read, 1 to 3 are")),
    };
    if length > MAX_NPY_HEADER {
        return Err(format!("its header of {length} bytes is longer than {MAX_NPY_HEADER}"));
    }
    let mut header = vec![0; length];
    input.read_exact(&mut header).map_err(short)?;
    String::from_utf8(header).map_err(|_| "its header is not text; save it again".into())
}

/// Reads `{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }`, in any order of keys.
fn parse_header(header: &str) -> Result<(ElementType, Vec<usize>), String> {
    let malformed = || "its header is malformed; save it again with numpy".to_string();
    let mut rest = header.trim().strip_prefix('{').ok_or_else(malformed)?;
    let (mut kind, mut order, mut shape) = (None, None, None);
    loop {
        rest = rest.trim_start_matches([' ', ',']);
        if let Some(after) = rest.strip_prefix('}') {
            if !after.trim().is_empty() {
                return Err(malformed());
            }
            break;
        }
        let (key, after) = quoted(rest).ok_or_else(malformed)?;
        let value = after.trim_start().strip_prefix(':').ok_or_else(malformed)?.trim_start();
        rest = match key {
            "descr" => {
                if value.starts_with('[') {
                    return Err("it holds records; save a plain array".into());
                }
                let (text, after) = quoted(value).ok_or_else(malformed)?;
                kind = Some(ElementType::parse(text)?);
                after
            }
            "fortran_order" => {
                let word = if value.starts_with("True") { "True" } else { "False" };
                order = Some(word == "False");
                value.strip_prefix(word).ok_or_else(malformed)?
            }
            "shape" => {
                let (inside, after) =
                    value.strip_prefix('(').and_then(|v| v.split_once(')')).ok_or_else(malformed)?;
                shape = Some(
                    inside
                        .split(',')
                        .map(str::trim)
                        .filter(|d| !d.is_empty())
                        .map(|d| d.parse::<usize>().map_err(|_| malformed()))
                        .collect::<Result<Vec<_>, _>>()?,
                );
                after
            }
            _ => return Err(malformed()),
        };
    }
    if order == Some(false) {
        return Err("it is in Fortran order; save it with numpy.ascontiguousarray".into());
    }
    match (kind, order, shape) {
        (Some(kind), Some(_), Some(shape)) => Ok((kind, shape)),
        _ => Err(malformed()),
    }
}

/// Splits off a text in single or double quotes.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    text[1..].split_once(quote)
}
