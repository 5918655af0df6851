//! Constant tensors of a model: initializers and `Constant` nodes, decoded and checked.

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

/// The elements of a [`Constant`] in the type the file holds them in.
#[derive(Debug, Clone, PartialEq)]
pub enum ConstantData {
    /// ONNX `FLOAT`.
    F32(Vec<f32>),
    /// ONNX `DOUBLE`.
    F64(Vec<f64>),
    /// ONNX `INT32`, or `BOOL` as 0 and 1.
    I32(Vec<i32>),
    /// ONNX `INT64`.
    I64(Vec<i64>),
}

/// Number of elements of a shape, or `None` past `limit` or on overflow.
#[must_use]
pub fn element_count(shape: &[usize], limit: usize) -> Option<usize> {
    let n = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d))?;
    (n <= limit).then_some(n)
}

const FLOAT: i32 = 1;
const INT32: i32 = 6;
const INT64: i32 = 7;
const BOOL: i32 = 9;
const DOUBLE: i32 = 11;
const LOCATION_EXTERNAL: i32 = 1;

impl Constant {
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
        let data = match proto.data_type {
            FLOAT => ConstantData::F32(elements(raw, &proto.float_data, f32::from_le_bytes)),
            DOUBLE => ConstantData::F64(elements(raw, &proto.double_data, f64::from_le_bytes)),
            INT32 => ConstantData::I32(elements(raw, &proto.int32_data, i32::from_le_bytes)),
            BOOL => ConstantData::I32(elements(raw, &proto.int32_data, |[b]| i32::from(b))),
            INT64 => ConstantData::I64(elements(raw, &proto.int64_data, i64::from_le_bytes)),
            other => {
                return Err(fail(format!(
                    "its element type {other} is not one of float, double, int32 and int64"
                )));
            }
        };
        let width = match proto.data_type {
            BOOL => 1,
            FLOAT | INT32 => 4,
            _ => 8,
        };
        let whole = raw.is_empty() || raw.len().is_multiple_of(width);
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
            ConstantData::F32(v) => v.len(),
            ConstantData::F64(v) => v.len(),
            ConstantData::I32(v) => v.len(),
            ConstantData::I64(v) => v.len(),
        }
    }

    /// Whether it holds no element.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The elements as `f32`, or `None` for an integer tensor.
    #[must_use]
    pub fn to_f32(&self) -> Option<Vec<f32>> {
        match &self.data {
            ConstantData::F32(v) => Some(v.clone()),
            ConstantData::F64(v) => Some(v.iter().map(|&x| x as f32).collect()),
            ConstantData::I32(_) | ConstantData::I64(_) => None,
        }
    }

    /// The elements as `i64`, or `None` for a float tensor.
    #[must_use]
    pub fn to_i64(&self) -> Option<Vec<i64>> {
        match &self.data {
            ConstantData::I32(v) => Some(v.iter().map(|&x| i64::from(x)).collect()),
            ConstantData::I64(v) => Some(v.clone()),
            ConstantData::F32(_) | ConstantData::F64(_) => None,
        }
    }
}

/// The elements of whichever field holds them: raw little-endian bytes, or the typed list.
fn elements<T: Copy, const W: usize>(raw: &[u8], typed: &[T], read: fn([u8; W]) -> T) -> Vec<T> {
    if raw.is_empty() {
        return typed.to_vec();
    }
    raw.as_chunks::<W>().0.iter().map(|&chunk| read(chunk)).collect()
}
