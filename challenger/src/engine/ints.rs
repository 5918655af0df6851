//! Tensors of integers: reading, writing, and the element-wise steps that all operators share.
//!
//! Arithmetic happens in 64 bits, always named: a backend's default integer type may be narrower. Stored tensors keep
//! their element type.

use burn::tensor::{DType as Type, Device, Element, Int, IntDType, Tensor, TensorData};
use narrows_program::DType;

use super::EngineError;
use super::backend::rounds_as_written;
use super::exact::{Carrier, Digits};

/// A tensor of integers.
pub(crate) type Ints<const D: usize> = Tensor<D, Int>;

/// A 64-bit tensor of these values.
pub(crate) fn ints(values: Vec<i64>, device: &Device) -> Ints<1> {
    let length = values.len();
    Tensor::from_data(TensorData::new(values, [length]), (device, Type::I64))
}

/// 0, step, 2 step, … in 64 bits.
pub(crate) fn axis(length: usize, step: i64, device: &Device) -> Ints<1> {
    Tensor::arange(0..length as i64, (device, Type::I64)).mul_scalar(step)
}

/// The tensor that canonical bytes stand for, in its own type.
pub(crate) fn stored(dtype: DType, bytes: &[u8], device: &Device) -> Ints<1> {
    let data = match dtype {
        DType::I8 => typed(bytes, i8::from_le_bytes),
        DType::I16 => typed(bytes, i16::from_le_bytes),
        DType::I32 => typed(bytes, i32::from_le_bytes),
        DType::Params => unreachable!("no operand of a legal program is a list of records"),
    };
    let kind = data.dtype();
    Tensor::from_data(data, (device, kind))
}

fn typed<T: Element, const N: usize>(bytes: &[u8], read: impl Fn([u8; N]) -> T) -> TensorData {
    let (parts, _) = bytes.as_chunks::<N>();
    TensorData::new(parts.iter().map(|part| read(*part)).collect(), [parts.len()])
}

/// The values of a 64-bit tensor.
pub(crate) fn values(tensor: Ints<1>) -> Result<Vec<i64>, EngineError> {
    let data = tensor.try_into_data().map_err(|e| EngineError::Device(e.to_string()))?;
    Ok(data.as_slice::<i64>().map_err(|e| EngineError::Device(format!("{e:?}")))?.to_vec())
}

/// The type that an output is stored in.
pub(crate) fn stored_type(dtype: DType) -> IntDType {
    match dtype {
        DType::I8 => IntDType::I8,
        DType::I16 => IntDType::I16,
        DType::I32 => IntDType::I32,
        DType::Params => unreachable!("no operator of a legal program gives records"),
    }
}

/// The type of an output's width that holds how far its elements are from the least one.
pub(crate) fn counted_type(dtype: DType) -> IntDType {
    match dtype {
        DType::I8 => IntDType::U8,
        DType::I16 => IntDType::U16,
        DType::I32 => IntDType::U32,
        DType::Params => unreachable!("no operator of a legal program gives records"),
    }
}

/// The greatest value of [`counted_type`].
pub(crate) fn counted_most(dtype: DType) -> i64 {
    dtype.max() - dtype.min()
}

/// Casts to 64 bits.
pub(crate) fn wide<const D: usize>(tensor: Ints<D>) -> Ints<D> {
    tensor.cast(IntDType::I64)
}

/// The balanced digits of integers within the range that `cut` is for, least first, as exact floats.
///
/// The last digit takes what is left, which may be +2^(width-1), so it fits no integer of the digit's width.
pub(crate) fn digits(tensor: Ints<1>, cut: &Digits, carrier: Carrier) -> Vec<Tensor<1>> {
    if cut.count == 1 {
        return vec![tensor.cast(carrier.dtype())];
    }
    let half = 1i64 << (cut.width - 1);
    let mut rest = wide(tensor);
    let mut out = Vec::with_capacity(cut.count);
    for _ in 1..cut.count {
        let low = rest.clone().add_scalar(half).bitwise_and_scalar(2 * half - 1).sub_scalar(half);
        rest = (rest - low.clone()).bitwise_right_shift_scalar(i64::from(cut.width));
        out.push(low.cast(carrier.dtype()));
    }
    out.push(rest.cast(carrier.dtype()));
    out
}

/// The digits of [`digits`] with their weights, all but the first negative: the first less the others is the integer.
///
/// A weight is a power of two, so products with these digits are as exact in floats as with the digits themselves.
pub(crate) fn weighed_digits(tensor: Ints<1>, cut: &Digits, carrier: Carrier) -> Vec<Tensor<1>> {
    if cut.count == 1 {
        return vec![tensor.cast(carrier.dtype())];
    }
    let short = matches!(tensor.dtype(), Type::I8 | Type::I16);
    if carrier == Carrier::F32 && short && rounds_as_written(&tensor.device()) {
        return rounded_digits(tensor.cast(carrier.dtype()), cut);
    }
    let mut rest = wide(tensor);
    let mut out = Vec::with_capacity(cut.count);
    for i in 1..cut.count {
        // What is left is a multiple of the digit's weight.
        let half = cut.weight(i) / 2;
        let low = rest.clone().add_scalar(half).bitwise_and_scalar(2 * half - 1).sub_scalar(half);
        rest = if i == 1 { low.clone() - rest } else { rest - low.clone() };
        out.push(low.cast(carrier.dtype()));
    }
    out.push(rest.cast(carrier.dtype()));
    out
}

/// The digits of [`weighed_digits`] of integers of 16 bits, in single floats, which takes half as many passes over a quarter of the
/// memory: a digit is what is left when the number is rounded to the next digit's weight, w. Adding 2^23 w + 2^22 w does that,
/// for floats next to it are w apart, and subtracting it again rounds nothing. Ties go to even multiples, so that a digit may be
/// half its weight with either sign, as its bound allows for.
fn rounded_digits(mut rest: Tensor<1>, cut: &Digits) -> Vec<Tensor<1>> {
    let mut out = Vec::with_capacity(cut.count);
    for i in 1..cut.count {
        let shift = 3.0 * (1u64 << 22) as f64 * cut.weight(i) as f64;
        let above = rest.clone().add_scalar(shift).sub_scalar(shift);
        let low = rest - above.clone();
        out.push(if i == 1 { low } else { low.mul_scalar(-1i64) });
        rest = above;
    }
    out.push(rest.mul_scalar(-1i64));
    out
}

/// The greatest value along the middle axis, by pairs; the type must hold the difference of any two.
pub(crate) fn greatest(mut tensor: Ints<3>) -> Ints<3> {
    loop {
        let [rows, terms, run] = tensor.dims();
        if terms == 1 {
            return tensor;
        }
        let half = terms / 2;
        let low = tensor.clone().slice([0..rows, 0..terms - half, 0..run]);
        let high = tensor.slice([0..rows, half..terms, 0..run]);
        tensor = low.clone() - (low - high).clamp_max(0i64);
    }
}
