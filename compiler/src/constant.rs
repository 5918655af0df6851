//! Constant tensors of a model: initializers, `Constant` nodes and what is folded from them.

use onnx_ir::TensorProto;

use crate::error::{CompileError, Dimensions, quote};
use crate::limits::MAX_CONSTANT_ELEMENTS;

/// A constant tensor in ONNX's row-major order.
#[derive(Debug, Clone, PartialEq)]
pub struct Constant {
    /// Its shape; empty for a scalar.
    pub shape: Vec<usize>,
    /// Its elements, as many as the shape says.
    pub data: ConstantData,
}

/// The elements of a [`Constant`].
#[derive(Debug, Clone, PartialEq)]
pub enum ConstantData {
    /// ONNX's floating types, rounded to 32 bits.
    Float(Vec<f32>),
    /// ONNX's integers, and truth values as 0 and 1.
    Integer(Vec<i64>),
}

/// Number of elements of a shape, or `None` past `limit` or on overflow.
#[must_use]
pub fn element_count(shape: &[usize], limit: usize) -> Option<usize> {
    let n = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d))?;
    (n <= limit).then_some(n)
}

/// ONNX's numbers of element types.
pub(crate) mod element {
    pub const FLOAT: i32 = 1;
    pub const UINT8: i32 = 2;
    pub const INT8: i32 = 3;
    pub const UINT16: i32 = 4;
    pub const INT16: i32 = 5;
    pub const INT32: i32 = 6;
    pub const INT64: i32 = 7;
    pub const BOOL: i32 = 9;
    pub const DOUBLE: i32 = 11;
    pub const UINT32: i32 = 12;

    /// Whether the type is one of integers, or of truth values; `None` for one that is not read.
    pub fn is_integer(number: i32) -> Option<bool> {
        match number {
            FLOAT | DOUBLE => Some(false),
            UINT8 | INT8 | UINT16 | INT16 | INT32 | INT64 | BOOL | UINT32 => Some(true),
            _ => None,
        }
    }
}

const LOCATION_EXTERNAL: i32 = 1;

impl Constant {
    /// A vector of integers.
    #[must_use]
    pub fn integers(values: Vec<i64>) -> Self {
        Self { shape: vec![values.len()], data: ConstantData::Integer(values) }
    }

    /// Decodes a tensor, checking that it holds exactly the elements its shape announces.
    ///
    /// # Errors
    /// [`CompileError::Tensor`] for another type, a negative or oversized shape, data kept in
    /// another file, or data of another length.
    pub fn decode(proto: &TensorProto) -> Result<Self, CompileError> {
        let fail = |detail: String| CompileError::Tensor { tensor: quote(&proto.name), detail };
        if proto.data_location.value() == LOCATION_EXTERNAL || !proto.external_data.is_empty() {
            return Err(fail("its data is in another file, which is not read".into()));
        }
        if proto.segment.is_some() {
            return Err(fail("it is stored in segments, which are not read".into()));
        }
        let shape = proto
            .dims
            .iter()
            .map(|&d| usize::try_from(d).map_err(|_| fail(format!("its shape holds {d}"))))
            .collect::<Result<Vec<_>, _>>()?;
        let n = element_count(&shape, MAX_CONSTANT_ELEMENTS)
            .ok_or_else(|| fail(format!("its shape has more than {MAX_CONSTANT_ELEMENTS} elements")))?;
        let raw = &proto.raw_data[..];
        let narrow = &proto.int32_data[..];
        let whole = |width: usize| raw.len().is_multiple_of(width);
        let (data, whole) = match proto.data_type {
            element::FLOAT => {
                (ConstantData::Float(elements(raw, &proto.float_data, f32::from_le_bytes, |v| v)), whole(4))
            }
            element::DOUBLE => (
                ConstantData::Float(elements(raw, &proto.double_data, f64::from_le_bytes, |v| v as f32)),
                whole(8),
            ),
            element::INT64 => {
                (ConstantData::Integer(elements(raw, &proto.int64_data, i64::from_le_bytes, |v| v)), whole(8))
            }
            element::UINT32 => {
                let wide: Vec<u32> = proto.uint64_data.iter().map(|&v| v as u32).collect();
                (ConstantData::Integer(elements(raw, &wide, u32::from_le_bytes, i64::from)), whole(4))
            }
            element::INT32 => {
                (ConstantData::Integer(elements(raw, narrow, i32::from_le_bytes, i64::from)), whole(4))
            }
            element::INT16 => (integers(raw, narrow, |b| i16::from_le_bytes(b).into()), whole(2)),
            element::UINT16 => (integers(raw, narrow, |b| u16::from_le_bytes(b).into()), whole(2)),
            element::INT8 => (integers(raw, narrow, |b| i8::from_le_bytes(b).into()), true),
            element::UINT8 | element::BOOL => (integers(raw, narrow, |[b]| b.into()), true),
            other => {
                return Err(fail(format!(
                    "its element type {other} is not one of float, double, bool and the integers of 8 to 64 bits"
                )));
            }
        };
        let tensor = Self { shape, data };
        if !whole || tensor.len() != n {
            let shape = Dimensions(tensor.shape.clone());
            return Err(fail(format!(
                "its shape {shape} has {n} elements but its data {}",
                if raw.is_empty() { tensor.len().to_string() } else { format!("{} bytes", raw.len()) }
            )));
        }
        Ok(tensor)
    }

    /// Number of elements held.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.data {
            ConstantData::Float(v) => v.len(),
            ConstantData::Integer(v) => v.len(),
        }
    }

    /// Whether it holds no element.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether it holds integers.
    #[must_use]
    pub fn is_integer(&self) -> bool {
        matches!(self.data, ConstantData::Integer(_))
    }

    /// The elements as `f32`, integers rounded.
    #[must_use]
    pub fn to_f32(&self) -> Vec<f32> {
        match &self.data {
            ConstantData::Float(v) => v.clone(),
            ConstantData::Integer(v) => v.iter().map(|&x| x as f32).collect(),
        }
    }

    /// The elements as `i64`, or `None` for a float tensor.
    #[must_use]
    pub fn to_i64(&self) -> Option<&[i64]> {
        match &self.data {
            ConstantData::Integer(v) => Some(v),
            ConstantData::Float(_) => None,
        }
    }
}

/// The elements of whichever field holds them: raw little-endian bytes, or the typed list.
fn elements<T: Copy, U, const W: usize>(
    raw: &[u8],
    typed: &[T],
    read: fn([u8; W]) -> T,
    convert: fn(T) -> U,
) -> Vec<U> {
    if raw.is_empty() {
        return typed.iter().map(|&v| convert(v)).collect();
    }
    raw.as_chunks::<W>().0.iter().map(|&chunk| convert(read(chunk))).collect()
}

/// Integers of at most 16 bits, which the typed list holds in 32.
fn integers<const W: usize>(raw: &[u8], typed: &[i32], read: fn([u8; W]) -> i32) -> ConstantData {
    ConstantData::Integer(elements(raw, typed, read, i64::from))
}
