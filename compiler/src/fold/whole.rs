//! Constants made as a whole: ranges, triangles, sums along axes, products.

use crate::constant::{Constant, ConstantData};
use crate::error::CompileError;
use crate::limits::MAX_CONSTANT_ELEMENTS;
use crate::moves;
use crate::operators::Reader;

/// Most multiply-adds in a product of two constants.
const MAX_PRODUCT: usize = 1 << 32;

pub(super) fn range(reader: &mut Reader<'_>) -> Result<Constant, CompileError> {
    reader.arity(3, 3)?;
    let (start, limit, delta) = (reader.constant(0)?, reader.constant(1)?, reader.constant(2)?);
    let too_long =
        |reader: &Reader<'_>| reader.fail("its range is empty of sense or too long; check its three numbers");
    if let (Some(&[start]), Some(&[limit]), Some(&[delta])) = (start.to_i64(), limit.to_i64(), delta.to_i64())
    {
        let span = i128::from(limit) - i128::from(start);
        let delta_wide = i128::from(delta);
        if delta == 0 {
            return Err(too_long(reader));
        }
        let count = ((span + delta_wide - delta_wide.signum()) / delta_wide).max(0);
        let count = usize::try_from(count).ok().filter(|&n| n <= MAX_CONSTANT_ELEMENTS);
        let count = count.ok_or_else(|| too_long(reader))?;
        return Ok(Constant::integers((0..count as i64).map(|i| start + i * delta).collect()));
    }
    let (&[start], &[limit], &[delta]) = (&start.to_f32()[..], &limit.to_f32()[..], &delta.to_f32()[..])
    else {
        return Err(too_long(reader));
    };
    let count = ((f64::from(limit) - f64::from(start)) / f64::from(delta)).ceil().max(0.0);
    if !count.is_finite() || count > MAX_CONSTANT_ELEMENTS as f64 {
        return Err(too_long(reader));
    }
    let values: Vec<f32> = (0..count as usize).map(|i| start + i as f32 * delta).collect();
    Ok(Constant { shape: vec![values.len()], data: ConstantData::Float(values) })
}

pub(super) fn trilu(reader: &mut Reader<'_>) -> Result<Constant, CompileError> {
    reader.arity(1, 2)?;
    let upper = reader.node.attributes.int("upper", 1)? != 0;
    let x = reader.constant(0)?;
    let k = match reader.optional(1)? {
        None => 0,
        Some(_) => reader.constant(1)?.to_i64().and_then(|v| v.first().copied()).unwrap_or(0),
    };
    let &[.., rows, columns] = &x.shape[..] else {
        return Err(reader.fail("its input has fewer than 2 dimensions"));
    };
    let kept = |i: usize| {
        let (row, column) = ((i / columns % rows) as i64, (i % columns) as i64);
        let beyond = column.saturating_sub(row);
        if upper { beyond >= k } else { beyond <= k }
    };
    fn keep<T: Copy>(v: &[T], zero: T, kept: impl Fn(usize) -> bool) -> Vec<T> {
        v.iter().enumerate().map(|(i, &v)| if kept(i) { v } else { zero }).collect()
    }
    let data = match &x.data {
        ConstantData::Float(v) => ConstantData::Float(keep(v, 0.0, kept)),
        ConstantData::Integer(v) => ConstantData::Integer(keep(v, 0, kept)),
    };
    Ok(Constant { shape: x.shape.clone(), data })
}

pub(super) fn cum_sum(reader: &mut Reader<'_>) -> Result<Constant, CompileError> {
    reader.arity(2, 2)?;
    reader.node.attributes.only("exclusive", 0, 0)?;
    reader.node.attributes.only("reverse", 0, 0)?;
    let (x, axis) = (reader.constant(0)?, reader.constant(1)?);
    let axis = axis.to_i64().and_then(|v| v.first().copied()).ok_or_else(|| reader.fail("it has no axis"))?;
    let axis = reader.axis(axis, x.shape.len())?;
    let inner: usize = x.shape[axis + 1..].iter().product();
    let first = |i: usize| (i / inner.max(1)).is_multiple_of(x.shape[axis]);
    let mut data = x.data.clone();
    match &mut data {
        ConstantData::Float(v) => {
            for i in (0..v.len()).filter(|&i| !first(i)) {
                v[i] += v[i - inner];
            }
        }
        ConstantData::Integer(v) => {
            for i in (0..v.len()).filter(|&i| !first(i)) {
                v[i] = v[i].wrapping_add(v[i - inner]);
            }
        }
    }
    Ok(Constant { shape: x.shape.clone(), data })
}

pub(super) fn reduce(reader: &mut Reader<'_>, operator: &str) -> Result<Constant, CompileError> {
    reader.arity(1, 2)?;
    let keep = reader.node.attributes.int("keepdims", 1)? != 0;
    let noop = reader.node.attributes.int("noop_with_empty_axes", 0)? != 0;
    let attribute = reader.node.attributes.ints("axes")?;
    let x = reader.constant(0)?;
    let listed = match reader.optional(1)? {
        None => attribute,
        Some(_) => reader.constant(1)?.to_i64().map(<[i64]>::to_vec),
    }
    .unwrap_or_default();
    if listed.is_empty() && noop {
        return Ok((*x).clone());
    }
    let rank = x.shape.len();
    let axes = if listed.is_empty() { (0..rank).collect() } else { reader.axes(&listed, rank)? };
    let kept: Vec<usize> = (0..rank).filter(|axis| !axes.contains(axis)).collect();
    let order: Vec<usize> = kept.iter().chain(&axes).copied().collect();
    let each: usize = axes.iter().map(|&axis| x.shape[axis]).product();
    if each == 0 {
        return Err(reader.fail("it reduces no elements"));
    }
    let shape = (0..rank)
        .filter(|axis| keep || !axes.contains(axis))
        .map(|axis| if axes.contains(&axis) { 1 } else { x.shape[axis] })
        .collect();
    let data = match &x.data {
        ConstantData::Float(v) => ConstantData::Float(
            moves::transpose(v, &x.shape, &order)
                .chunks(each)
                .map(|row| match operator {
                    "ReduceSum" => row.iter().sum(),
                    "ReduceMean" => row.iter().sum::<f32>() / each as f32,
                    "ReduceMax" => row.iter().copied().fold(f32::NEG_INFINITY, f32::max),
                    "ReduceMin" => row.iter().copied().fold(f32::INFINITY, f32::min),
                    _ => row.iter().product(),
                })
                .collect(),
        ),
        ConstantData::Integer(v) => ConstantData::Integer(
            moves::transpose(v, &x.shape, &order)
                .chunks(each)
                .map(|row| match operator {
                    "ReduceSum" => row.iter().fold(0i64, |a, &b| a.wrapping_add(b)),
                    "ReduceMean" => row.iter().fold(0i64, |a, &b| a.wrapping_add(b)) / each as i64,
                    "ReduceMax" => row.iter().copied().fold(i64::MIN, i64::max),
                    "ReduceMin" => row.iter().copied().fold(i64::MAX, i64::min),
                    _ => row.iter().fold(1i64, |a, &b| a.wrapping_mul(b)),
                })
                .collect(),
        ),
    };
    Ok(Constant { shape, data })
}

/// Two matrices, which exporters leave of merged weights.
pub(super) fn mat_mul(reader: &mut Reader<'_>) -> Result<Constant, CompileError> {
    reader.arity(2, 2)?;
    let (a, b) = (reader.constant(0)?, reader.constant(1)?);
    let (&[m, k], &[k_b, n]) = (&a.shape[..], &b.shape[..]) else { return Err(reader.cannot_fold()) };
    let small = m.checked_mul(n).and_then(|mn| mn.checked_mul(k)).is_some_and(|all| all <= MAX_PRODUCT);
    if k != k_b || !small {
        return Err(reader.cannot_fold());
    }
    let (x, y) = (a.to_f32(), moves::transpose(&b.to_f32(), &[k, n], &[1, 0]));
    let mut values = Vec::with_capacity(m * n);
    for row in x.chunks_exact(k.max(1)) {
        for column in y.chunks_exact(k.max(1)) {
            values.push(row.iter().zip(column).map(|(a, b)| a * b).sum());
        }
    }
    if values.len() != m * n {
        return Err(reader.cannot_fold());
    }
    Ok(Constant { shape: vec![m, n], data: ConstantData::Float(values) })
}
