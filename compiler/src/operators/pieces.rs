//! Operators that take parts and put parts together.

use super::Reader;
use super::moves::each;
use crate::build::Term;
use crate::constant::{Constant, ConstantData};
use crate::error::CompileError;
use crate::graph::{Kind, Op, Tensor};
use crate::limits::MAX_PIECES;
use crate::moves;

impl Reader<'_> {
    pub(super) fn slice_node(&mut self) -> Result<(), CompileError> {
        self.arity(1, 5)?;
        let x = self.term(0)?;
        let from = self.term_shape(&x);
        let starts = self.listed("starts", 1)?.ok_or_else(|| self.missing(1))?;
        let ends = self.listed("ends", 2)?.ok_or_else(|| self.missing(2))?;
        let axes = match self.listed("axes", 3)? {
            Some(axes) => axes,
            None => (0..starts.len() as i64).collect(),
        };
        let steps = self.listed("", 4)?.unwrap_or_else(|| vec![1; starts.len()]);
        if [ends.len(), axes.len(), steps.len()] != [starts.len(); 3] {
            return Err(self.fail("its starts, ends, axes and steps differ in number"));
        }
        self.axes(&axes, from.len())?;
        let (mut first, mut by, mut shape) = (vec![0; from.len()], vec![1; from.len()], from.clone());
        for (i, &axis) in axes.iter().enumerate() {
            let axis = self.axis(axis, from.len())?;
            let (start, step, count) = clamp_slice(from[axis], starts[i], ends[i], steps[i])
                .ok_or_else(|| self.fail("one of its steps is 0"))?;
            (first[axis], by[axis], shape[axis]) = (start, step, count);
        }
        let sliced = self.slice("slice", &x, first, by, shape)?;
        self.bind(0, sliced);
        Ok(())
    }

    pub(super) fn split(&mut self) -> Result<(), CompileError> {
        self.arity(1, 2)?;
        let x = self.term(0)?;
        let from = self.term_shape(&x);
        let axis = self.node.attributes.int("axis", 0)?;
        let axis = self.axis(axis, from.len())?;
        let count = self.node.outputs.len();
        let stated = self.node.attributes.int("num_outputs", count as i64)?;
        let sizes = match self.listed("split", 1)? {
            Some(sizes) => sizes,
            None => {
                let each = from[axis].div_ceil(count);
                (0..count).map(|i| each.min(from[axis].saturating_sub(i * each)) as i64).collect()
            }
        };
        let total = sizes.iter().try_fold(0i64, |n, &d| n.checked_add(d).filter(|_| d >= 0));
        if sizes.len() != count || stated != count as i64 || total != Some(from[axis] as i64) {
            return Err(
                self.fail(format!("its sizes {sizes:?} do not cut {} into {count} outputs", from[axis]))
            );
        }
        let mut start = 0;
        for (index, &size) in sizes.iter().enumerate() {
            let size = size as usize;
            if size == 0 {
                let mut shape = from.clone();
                shape[axis] = 0;
                self.bind(index, Constant { shape, data: ConstantData::Float(Vec::new()) }.into());
                continue;
            }
            let part = self.cut(&index.to_string(), &x, axis, (start, 1, size))?;
            self.bind(index, part);
            start += size;
        }
        Ok(())
    }

    pub(super) fn concat_node(&mut self) -> Result<(), CompileError> {
        let n = self.given();
        self.arity(1, MAX_PIECES.max(n))?;
        let terms = (0..n).map(|i| self.term(i)).collect::<Result<Vec<_>, _>>()?;
        let shape = self.term_shape(&terms[0]);
        let axis = self.node.attributes.int("axis", 1)?;
        let axis = self.axis(axis, shape.len())?;
        for term in &terms {
            let other = self.term_shape(term);
            let fits =
                other.len() == shape.len() && (0..shape.len()).all(|i| i == axis || other[i] == shape[i]);
            if !fits {
                return Err(self.fail(format!("{other:?} does not join {shape:?} along dimension {axis}")));
            }
        }
        // Exporters write empty constants, which add nothing.
        let whole: Vec<Term> =
            terms.iter().filter(|term| !self.term_shape(term).contains(&0)).cloned().collect();
        let joined = if whole.is_empty() { terms[0].clone() } else { self.concat(whole, axis)? };
        self.bind(0, joined);
        Ok(())
    }

    pub(super) fn gather(&mut self) -> Result<(), CompileError> {
        self.arity(2, 2)?;
        let (data, indices) = (self.term(0)?, self.term(1)?);
        let from = self.term_shape(&data);
        let axis = self.node.attributes.int("axis", 0)?;
        let axis = self.axis(axis, from.len())?;
        let places = match (&data, indices) {
            (Term::Constant(table), Term::Value(x)) => {
                if axis != 0 || from[0] == 0 {
                    return Err(
                        self.fail("it looks up a dimension that is not the first; transpose the table")
                    );
                }
                if self.kind_of(x) != Kind::Integer {
                    return Err(self.fail("its indices are not integers"));
                }
                let tensor = self.tensor(table, 0)?;
                let shape = [self.shape_of(x), &from[1..]].concat();
                let kind = if table.is_integer() { Kind::Integer } else { Kind::Real };
                let id = self.emit("lookup", Op::Embedding(tensor), vec![x], shape, kind)?;
                self.bind_value(id);
                return Ok(());
            }
            (Term::Value(_), Term::Value(_)) => {
                return Err(self.fail(
                    "both its data and its indices depend on the input; only a constant table or constant indices are compiled",
                ));
            }
            (_, Term::Constant(places)) => places,
        };
        let size = from[axis] as i64;
        let indices = places.to_i64().ok_or_else(|| self.fail("its indices are not integers"))?;
        let indices = indices
            .iter()
            .map(|&i| usize::try_from(if i < 0 { i + size } else { i }).ok().filter(|&i| i < from[axis]))
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| self.fail(format!("an index is out of the {size} positions")))?;
        let taken = self.take(&data, axis, &indices)?;
        let shape = [&from[..axis], &places.shape, &from[axis + 1..]].concat();
        let taken = self.reshape(taken, shape)?;
        self.bind(0, taken);
        Ok(())
    }

    /// Positions along an axis, in as few slices as their steps allow.
    fn take(&mut self, x: &Term, axis: usize, indices: &[usize]) -> Result<Term, CompileError> {
        if let Term::Constant(c) = x {
            let mut shape = c.shape.clone();
            shape[axis] = indices.len();
            self.constant_size(&shape)?;
            let width: usize = shape[axis + 1..].iter().product();
            let rows: Vec<usize> = (0..shape[..axis].iter().product::<usize>())
                .flat_map(|row| indices.iter().map(move |i| (row * c.shape[axis] + i) * width))
                .collect();
            let data = each!(&c.data, v => rows.iter().flat_map(|&at| &v[at..at + width]).copied().collect());
            return Ok(Constant { shape, data }.into());
        }
        let runs = runs(indices);
        if runs.is_empty() || runs.len() > MAX_PIECES {
            return Err(self.fail(format!(
                "its constant indices make {} pieces, and 1 to {MAX_PIECES} are compiled; use regular steps",
                runs.len()
            )));
        }
        let mut parts = Vec::new();
        for (index, &run) in runs.iter().enumerate() {
            parts.push(self.cut(&format!("piece{index}"), x, axis, run)?);
        }
        self.concat(parts, axis)
    }

    pub(super) fn pad_node(&mut self) -> Result<(), CompileError> {
        self.arity(1, 4)?;
        let mode = self.node.attributes.text("mode", "constant")?;
        let x = self.term(0)?;
        let from = self.term_shape(&x);
        let rank = from.len();
        let pads = self.listed("pads", 1)?.ok_or_else(|| self.fail("it has no pads"))?;
        let value = self.node.attributes.optional_float("value")?;
        let value = self.optional_constant(2)?.map_or(value, |c| c.to_f32().first().copied());
        let axes = match self.listed("", 3)? {
            Some(axes) => axes.iter().map(|&axis| self.axis(axis, rank)).collect::<Result<Vec<_>, _>>()?,
            None => (0..rank).collect(),
        };
        if pads.len() != 2 * axes.len() {
            return Err(self.fail(format!("it has {} pads for {} dimensions", pads.len(), axes.len())));
        }
        if mode != "constant" {
            return self.pad_from_inside(&mode, x, &axes, &pads);
        }
        // Negative pads cut, the others add.
        let (mut starts, mut kept) = (vec![0; rank], from.clone());
        let (mut before, mut shape) = (vec![0; rank], vec![0; rank]);
        for (i, &axis) in axes.iter().enumerate() {
            let (front, back) = (pads[i], pads[i + axes.len()]);
            let size = |n: i64| usize::try_from(n).unwrap_or(0);
            starts[axis] = size(front.saturating_neg());
            kept[axis] = from[axis].saturating_sub(starts[axis]).saturating_sub(size(back.saturating_neg()));
            before[axis] = size(front);
            shape[axis] = size(back);
        }
        if kept.contains(&0) {
            return Err(self.fail(format!("its pads {pads:?} leave nothing of {from:?}")));
        }
        for axis in 0..rank {
            shape[axis] = shape[axis].saturating_add(before[axis]).saturating_add(kept[axis]);
        }
        let value = value.filter(|&value| shape != kept && value != 0.0).unwrap_or(0.0);
        if !value.is_finite() {
            return Err(self.fail(format!("it pads with {value}; only finite numbers are compiled")));
        }
        let inner = self.slice("slice", &x, starts, vec![1; rank], kept.clone())?;
        self.constant_size(&shape)?;
        let mut padded = self.pad(inner, before.clone(), shape.clone())?;
        if value != 0.0 {
            let inside = vec![0.0; kept.iter().product()];
            let values = moves::pad(&inside, &kept, &before, &shape, value);
            let data = ConstantData::Float(values);
            padded = match padded {
                Term::Value(_) => self.combine("Add", padded, Constant { shape, data }.into())?,
                Term::Constant(_) => return Err(self.fail("it pads a constant with another number than 0")),
            };
        }
        self.bind(0, padded);
        Ok(())
    }

    /// `edge`, `reflect` and `wrap`: what is around is taken from inside.
    fn pad_from_inside(
        &mut self,
        mode: &str,
        mut x: Term,
        axes: &[usize],
        pads: &[i64],
    ) -> Result<(), CompileError> {
        for (i, &axis) in axes.iter().enumerate() {
            let n = self.term_shape(&x)[axis] as i64;
            let (front, back) = (pads[i], pads[i + axes.len()]);
            if n == 0 {
                return Err(self.fail("its input is empty; there is nothing to pad from"));
            }
            let bounded = (0..=1 << 24).contains(&front) && (0..=1 << 24).contains(&back);
            let place = |at: i64| match mode {
                "edge" => Some(at.clamp(0, n - 1)),
                "wrap" => Some(at.rem_euclid(n)),
                "reflect" if n == 1 => Some(0),
                "reflect" => {
                    let at = at.rem_euclid(2 * (n - 1));
                    Some(at.min(2 * (n - 1) - at))
                }
                _ => None,
            };
            let places =
                if bounded { (-front..n + back).map(place).collect::<Option<Vec<i64>>>() } else { None };
            let places = places.filter(|places| !places.is_empty()).ok_or_else(|| {
                self.node.attributes.refuse(
                    "mode",
                    format!(
                        "it is {mode} by {front} and {back}; constant, edge, reflect and wrap are compiled"
                    ),
                )
            })?;
            let places: Vec<usize> = places.iter().map(|&at| at as usize).collect();
            if front != 0 || back != 0 {
                x = self.take(&x, axis, &places)?;
            }
        }
        self.bind(0, x);
        Ok(())
    }

    pub(super) fn tile(&mut self) -> Result<(), CompileError> {
        self.arity(2, 2)?;
        let mut x = self.term(0)?;
        let from = self.term_shape(&x);
        let times = self.listed("", 1)?.unwrap_or_default();
        let factors: Option<Vec<usize>> =
            times.iter().map(|&n| usize::try_from(n).ok().filter(|n| (1..=1 << 24).contains(n))).collect();
        let Some(factors) = factors.filter(|f| f.len() == from.len()) else {
            return Err(self.fail(format!("its repeats {times:?} do not fit shape {from:?}")));
        };
        let stretched: Vec<usize> =
            from.iter().zip(&factors).map(|(&d, &f)| if d == 1 { f } else { d }).collect();
        x = self.expand(x, stretched)?;
        for axis in 0..from.len() {
            if factors[axis] == 1 || from[axis] == 1 {
                continue;
            }
            if factors[axis] > MAX_PIECES {
                return Err(self
                    .fail(format!("it repeats {} times; at most {MAX_PIECES} are compiled", factors[axis])));
            }
            x = self.concat(vec![x; factors[axis]], axis)?;
        }
        self.bind(0, x);
        Ok(())
    }

    pub(super) fn one_hot(&mut self) -> Result<(), CompileError> {
        self.arity(3, 3)?;
        let x = self.activation(0)?;
        if self.kind_of(x) != Kind::Integer {
            return Err(self.fail("its indices are not integers; cast them before it"));
        }
        let depth = self.constant(1)?.to_f32();
        let values = self.constant(2)?;
        let ends = self.floats(&values, 2)?;
        let rank = self.shape_of(x).len() + 1;
        let axis = self.node.attributes.int("axis", -1)?;
        let axis = self.axis(axis, rank)?;
        let (&[depth], &[off, on]) = (&depth[..], &ends[..]) else {
            return Err(self.fail("its depth is not one number or its values are not two"));
        };
        if !(1.0..=65_536.0).contains(&depth) {
            return Err(self.fail(format!("its depth is {depth}; 1 to 65536 are compiled")));
        }
        let kind = if values.is_integer() { Kind::Integer } else { Kind::Real };
        let id = self.one_hot_lookup(x, depth as usize, [off, on], kind)?;
        // The new dimension is the last; it belongs at the axis.
        let mut order: Vec<usize> = (0..rank - 1).collect();
        order.insert(axis, rank - 1);
        let turned = self.transpose(Term::Value(id), order)?;
        self.bind(0, turned);
        Ok(())
    }

    /// One-hot along a new last dimension. A row past the others stands for every greater index.
    pub(super) fn one_hot_lookup(
        &mut self,
        x: crate::graph::ValueId,
        depth: usize,
        [off, on]: [f32; 2],
        kind: Kind,
    ) -> Result<crate::graph::ValueId, CompileError> {
        self.constant_size(&[depth + 1, depth])?;
        let mut values = vec![off; (depth + 1) * depth];
        for i in 0..depth {
            values[i * depth + i] = on;
        }
        let shape = [self.shape_of(x), &[depth]].concat();
        let table = Tensor { shape: vec![depth + 1, depth], values };
        self.emit("lookup", Op::Embedding(table), vec![x], shape, kind)
    }
}

/// ONNX's clamping of a slice: where it starts, its step and how many it takes.
fn clamp_slice(size: usize, start: i64, end: i64, step: i64) -> Option<(usize, isize, usize)> {
    let n = size as i64;
    let wrap = |at: i64| if at < 0 { at.saturating_add(n) } else { at };
    let (start, distance) = if n == 0 {
        (0, 0)
    } else if step > 0 {
        let start = wrap(start).clamp(0, n);
        (start, wrap(end).clamp(0, n) - start)
    } else {
        let start = wrap(start).clamp(0, n - 1);
        (start, start - wrap(end).clamp(-1, n - 1))
    };
    let every = step.unsigned_abs().min(1 << 40) as i64;
    if every == 0 {
        return None;
    }
    let count = if distance <= 0 { 0 } else { (distance + every - 1) / every };
    let step = if count <= 1 { 1 } else { step as isize };
    Some((start as usize, step, count as usize))
}

/// Runs of equal steps: first position, step and count.
fn runs(indices: &[usize]) -> Vec<(usize, isize, usize)> {
    let mut runs: Vec<(usize, isize, usize)> = Vec::new();
    for &index in indices {
        match runs.last_mut() {
            Some((start, step, count)) if *count == 1 && index != *start => {
                (*step, *count) = (index as isize - *start as isize, 2);
            }
            Some((start, step, count))
                if *count > 1 && *start as isize + *step * *count as isize == index as isize =>
            {
                *count += 1;
            }
            _ => runs.push((index, 1, 1)),
        }
    }
    runs
}

impl Constant {
    /// The constant as a slice of one integer per position 0, 1, 2, …, along one dimension, if it is that: the
    /// dimension.
    pub(crate) fn counting_axis(&self) -> Option<usize> {
        let axis = self.shape.iter().position(|&d| d > 1)?;
        let ConstantData::Integer(values) = &self.data else { return None };
        let inner: usize = self.shape[axis + 1..].iter().product();
        let counts = values.iter().enumerate().all(|(i, &v)| v == (i / inner % self.shape[axis]) as i64);
        (counts && moves::strides(&self.shape)[axis] == inner as isize).then_some(axis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_clamp_as_onnx_says() {
        assert_eq!(clamp_slice(5, 1, i64::MAX, 1), Some((1, 1, 4)));
        assert_eq!(clamp_slice(5, -1, i64::MIN, -1), Some((4, -1, 5)));
        assert_eq!(clamp_slice(5, -2, 9, 1), Some((3, 1, 2)));
        assert_eq!(clamp_slice(5, 0, 5, 2), Some((0, 2, 3)));
        assert_eq!(clamp_slice(5, 9, 0, -2), Some((4, -2, 2)));
        assert_eq!(clamp_slice(5, 3, 1, 1), Some((3, 1, 0)));
        assert_eq!(clamp_slice(5, 0, 5, 0), None);
        assert_eq!(clamp_slice(0, 0, 5, -1), Some((0, 1, 0)));
    }

    #[test]
    fn indices_fall_into_runs_of_equal_steps() {
        assert_eq!(runs(&[0, 1, 2, 3]), [(0, 1, 4)]);
        assert_eq!(runs(&[6, 4, 2]), [(6, -2, 3)]);
        assert_eq!(runs(&[3, 3, 3]), [(3, 1, 1); 3]);
        assert_eq!(runs(&[0, 1, 5, 7, 9]), [(0, 1, 2), (5, 2, 3)]);
    }
}
