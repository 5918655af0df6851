//! Operators that keep all elements: shapes, order of dimensions, casts, and constants themselves.

use super::Reader;
use crate::attributes::Attribute;
use crate::build::Term;
use crate::constant::{Constant, ConstantData, element};
use crate::error::CompileError;
use crate::graph::{Kind, Op};
use crate::moves;

impl Reader<'_> {
    pub(super) fn reshape_node(&mut self) -> Result<(), CompileError> {
        self.arity(2, 2)?;
        let zero_is_zero = self.node.attributes.int("allowzero", 0)? != 0;
        let x = self.term(0)?;
        let target = self.shape_input(1)?;
        let from = self.term_shape(&x);
        let shape = self.reshaped(&from, &target, zero_is_zero)?;
        let reshaped = self.reshape(x, shape)?;
        self.bind(0, reshaped);
        Ok(())
    }

    /// A constant vector of integers that says a shape.
    fn shape_input(&self, index: usize) -> Result<Vec<i64>, CompileError> {
        let target = self.constant(index)?;
        match target.to_i64() {
            Some(values) if target.shape.len() == 1 => Ok(values.to_vec()),
            _ => Err(self.fail("its shape is not a vector of integers")),
        }
    }

    /// The target shape with 0 (keep) and -1 (infer) worked out.
    fn reshaped(&self, from: &[usize], target: &[i64], zero: bool) -> Result<Vec<usize>, CompileError> {
        let fail = || self.fail(format!("shape {from:?} cannot become {target:?}"));
        let mut shape = Vec::with_capacity(target.len());
        let mut inferred = None;
        for (i, &d) in target.iter().enumerate() {
            shape.push(match d {
                0 if !zero => *from.get(i).ok_or_else(fail)?,
                -1 if inferred.is_none() => {
                    inferred = Some(i);
                    1
                }
                _ => usize::try_from(d).map_err(|_| fail())?,
            });
        }
        let total: usize = from.iter().product();
        let rest = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d)).ok_or_else(fail)?;
        if let Some(i) = inferred {
            shape[i] = total.checked_div(rest).ok_or_else(fail)?;
        }
        let whole = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
        if whole == Some(total) { Ok(shape) } else { Err(fail()) }
    }

    pub(super) fn flatten(&mut self) -> Result<(), CompileError> {
        self.arity(1, 1)?;
        let x = self.term(0)?;
        let from = self.term_shape(&x);
        let axis = self.node.attributes.int("axis", 1)?;
        let split = if axis == from.len() as i64 { from.len() } else { self.axis(axis, from.len())? };
        let shape = vec![from[..split].iter().product(), from[split..].iter().product()];
        let flat = self.reshape(x, shape)?;
        self.bind(0, flat);
        Ok(())
    }

    pub(super) fn squeeze(&mut self) -> Result<(), CompileError> {
        self.arity(1, 2)?;
        let x = self.term(0)?;
        let from = self.term_shape(&x);
        let axes = match self.listed("axes", 1)? {
            Some(axes) => self.axes(&axes, from.len())?,
            None => (0..from.len()).filter(|&axis| from[axis] == 1).collect(),
        };
        if let Some(&axis) = axes.iter().find(|&&axis| from[axis] != 1) {
            return Err(self.fail(format!("dimension {axis} of its input {from:?} is not 1")));
        }
        let shape = (0..from.len()).filter(|axis| !axes.contains(axis)).map(|axis| from[axis]).collect();
        let squeezed = self.reshape(x, shape)?;
        self.bind(0, squeezed);
        Ok(())
    }

    pub(super) fn unsqueeze(&mut self) -> Result<(), CompileError> {
        self.arity(1, 2)?;
        let x = self.term(0)?;
        let from = self.term_shape(&x);
        let axes = self.listed("axes", 1)?.ok_or_else(|| self.fail("it has no axes"))?;
        let axes = self.axes(&axes, from.len() + axes.len())?;
        let mut rest = from.iter();
        let shape = (0..from.len() + axes.len())
            .map(|axis| if axes.contains(&axis) { 1 } else { rest.next().copied().unwrap_or(1) })
            .collect();
        let unsqueezed = self.reshape(x, shape)?;
        self.bind(0, unsqueezed);
        Ok(())
    }

    /// Axes that may count from the end, increasing and different.
    pub(crate) fn axes(&self, axes: &[i64], rank: usize) -> Result<Vec<usize>, CompileError> {
        let mut found = axes.iter().map(|&axis| self.axis(axis, rank)).collect::<Result<Vec<_>, _>>()?;
        found.sort_unstable();
        if found.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(self.fail(format!("its axes {axes:?} name one dimension twice")));
        }
        Ok(found)
    }

    pub(super) fn identity(&mut self) -> Result<(), CompileError> {
        self.arity(1, 1)?;
        let x = self.term(0)?;
        self.bind(0, x);
        Ok(())
    }

    pub(super) fn dropout(&mut self) -> Result<(), CompileError> {
        self.arity(1, 3)?;
        // The ratio and the seed matter while training only.
        let _ratio = self.node.attributes.float("ratio", 0.5)?;
        let _seed = self.node.attributes.take("seed");
        self.optional_constant(1)?;
        if let Some(training) = self.optional_constant(2)?
            && training.to_i64().is_none_or(|v| v.iter().any(|&x| x != 0))
        {
            return Err(self.fail("its training_mode is not false; export the model for inference"));
        }
        let x = self.term(0)?;
        self.bind(0, x);
        Ok(())
    }

    pub(super) fn expand_node(&mut self) -> Result<(), CompileError> {
        self.arity(2, 2)?;
        let x = self.term(0)?;
        let target = self.shape_input(1)?;
        let from = self.term_shape(&x);
        let sizes: Option<Vec<usize>> = target.iter().map(|&d| usize::try_from(d).ok()).collect();
        let shape = sizes
            .and_then(|sizes| moves::broadcast(&from, &sizes))
            .ok_or_else(|| self.fail(format!("shape {from:?} does not expand to {target:?}")))?;
        let expanded = self.expand(x, shape)?;
        self.bind(0, expanded);
        Ok(())
    }

    pub(super) fn transpose_node(&mut self) -> Result<(), CompileError> {
        self.arity(1, 1)?;
        let x = self.term(0)?;
        let rank = self.term_shape(&x).len();
        let order: Vec<usize> = match self.node.attributes.ints("perm")? {
            None => (0..rank).rev().collect(),
            Some(perm) => {
                let order = perm.iter().filter_map(|&d| usize::try_from(d).ok()).collect::<Vec<_>>();
                let whole = (0..rank).all(|d| order.contains(&d));
                if perm.len() != rank || order.len() != rank || !whole {
                    return Err(self
                        .node
                        .attributes
                        .refuse("perm", format!("{perm:?} orders no {rank} dimensions")));
                }
                order
            }
        };
        let turned = self.transpose(x, order)?;
        self.bind(0, turned);
        Ok(())
    }

    pub(super) fn depth_to_space(&mut self) -> Result<(), CompileError> {
        let (x, [n, c, h, w], b) = self.blocks()?;
        let mode = self.node.attributes.text("mode", "DCR")?;
        if c % (b * b) != 0 {
            return Err(self.fail(format!("its {c} channels are no blocks of {b} x {b}")));
        }
        let depth = c / (b * b);
        let (split, order) = match mode.as_str() {
            "DCR" => (vec![n, b, b, depth, h, w], vec![0, 3, 4, 1, 5, 2]),
            "CRD" => (vec![n, depth, b, b, h, w], vec![0, 1, 4, 2, 5, 3]),
            _ => return Err(self.node.attributes.refuse("mode", "DCR and CRD are compiled")),
        };
        let x = self.reshape(x, split)?;
        let x = self.transpose(x, order)?;
        let x = self.reshape(x, vec![n, depth, h * b, w * b])?;
        self.bind(0, x);
        Ok(())
    }

    pub(super) fn space_to_depth(&mut self) -> Result<(), CompileError> {
        let (x, [n, c, h, w], b) = self.blocks()?;
        if h % b != 0 || w % b != 0 {
            return Err(self.fail(format!("its input of {h} x {w} is no blocks of {b} x {b}")));
        }
        let x = self.reshape(x, vec![n, c, h / b, b, w / b, b])?;
        let x = self.transpose(x, vec![0, 3, 5, 1, 2, 4])?;
        let x = self.reshape(x, vec![n, c * b * b, h / b, w / b])?;
        self.bind(0, x);
        Ok(())
    }

    fn blocks(&mut self) -> Result<(Term, [usize; 4], usize), CompileError> {
        self.arity(1, 1)?;
        let x = self.term(0)?;
        let size = self.node.attributes.int("blocksize", 0)?;
        let size = usize::try_from(size)
            .ok()
            .filter(|size| (1..=1 << 10).contains(size))
            .ok_or_else(|| self.node.attributes.refuse("blocksize", format!("it is {size}")))?;
        match self.term_shape(&x)[..] {
            [n, c, h, w] => Ok((x, [n, c, h, w], size)),
            ref other => Err(self.fail(format!("its input has shape {other:?}, 4 dimensions are expected"))),
        }
    }

    pub(super) fn shape_node(&mut self) -> Result<(), CompileError> {
        self.arity(1, 1)?;
        let shape = self.term_shape(&self.term(0)?);
        let rank = shape.len() as i64;
        let clamp = |at: i64| (if at < 0 { at.saturating_add(rank) } else { at }).clamp(0, rank) as usize;
        let start = clamp(self.node.attributes.int("start", 0)?);
        let end = clamp(self.node.attributes.int("end", rank)?).max(start);
        let sizes = shape[start..end].iter().map(|&d| d as i64).collect();
        self.bind(0, Constant::integers(sizes).into());
        Ok(())
    }

    pub(super) fn size_node(&mut self) -> Result<(), CompileError> {
        self.arity(1, 1)?;
        let size = self.term_shape(&self.term(0)?).iter().product::<usize>() as i64;
        self.bind(0, Constant { shape: Vec::new(), data: ConstantData::Integer(vec![size]) }.into());
        Ok(())
    }

    pub(super) fn cast(&mut self) -> Result<(), CompileError> {
        self.arity(1, 1)?;
        let to = self.node.attributes.int("to", 0)?;
        // Only for casts to 8-bit floats, which are refused.
        let _saturate = self.node.attributes.take("saturate");
        let integer = i32::try_from(to).ok().and_then(element::is_integer).ok_or_else(|| {
            self.node.attributes.refuse(
                "to",
                format!("the element type {to} is not read; float, double, bool and integers are"),
            )
        })?;
        let boolean = to == i64::from(element::BOOL);
        let cast = match self.term(0)? {
            Term::Constant(c) => {
                let data = match &c.data {
                    ConstantData::Float(v) if boolean => {
                        ConstantData::Integer(v.iter().map(|&x| i64::from(x != 0.0)).collect())
                    }
                    ConstantData::Float(v) if integer => {
                        ConstantData::Integer(v.iter().map(|&x| x as i64).collect())
                    }
                    ConstantData::Integer(v) if boolean => {
                        ConstantData::Integer(v.iter().map(|&x| i64::from(x != 0)).collect())
                    }
                    ConstantData::Integer(_) if !integer => ConstantData::Float(c.to_f32()),
                    same => same.clone(),
                };
                Constant { shape: c.shape.clone(), data }.into()
            }
            Term::Value(x) => {
                let kind = if integer { Kind::Integer } else { Kind::Real };
                if boolean && !self.builder.booleans.contains(&x) {
                    return Err(self.fail(
                        "it makes truth values of numbers that depend on the input; give the model truth values",
                    ));
                }
                if kind == self.kind_of(x) {
                    Term::Value(x)
                } else {
                    let shape = self.shape_of(x).to_vec();
                    let id = self.emit("cast", Op::Cast, vec![x], shape, kind)?;
                    if self.builder.booleans.contains(&x) {
                        self.builder.booleans.insert(id);
                    }
                    Term::Value(id)
                }
            }
        };
        self.bind(0, cast);
        Ok(())
    }

    pub(super) fn constant_node(&mut self) -> Result<(), CompileError> {
        self.arity(0, 0)?;
        let attributes = &mut self.node.attributes;
        let mut found = None;
        for name in ["value", "value_float", "value_int", "value_floats", "value_ints"] {
            let (shape, data) = match attributes.take(name) {
                None => continue,
                Some(Attribute::Tensor(tensor)) => (tensor.shape, tensor.data),
                Some(Attribute::Float(v)) => (Vec::new(), ConstantData::Float(vec![v])),
                Some(Attribute::Int(v)) => (Vec::new(), ConstantData::Integer(vec![v])),
                Some(Attribute::Floats(v)) => (vec![v.len()], ConstantData::Float(v)),
                Some(Attribute::Ints(v)) => (vec![v.len()], ConstantData::Integer(v)),
                Some(Attribute::Text(_) | Attribute::Texts(_) | Attribute::Other(_)) => {
                    return Err(attributes.refuse(name, "one tensor, number or list of numbers is"));
                }
            };
            if found.is_some() {
                return Err(attributes.refuse(name, "one tensor, number or list of numbers is"));
            }
            found = Some(Constant { shape, data });
        }
        attributes.finish()?;
        let constant = found.ok_or_else(|| self.fail("it has no value"))?;
        self.bind(0, constant.into());
        Ok(())
    }

    pub(super) fn constant_of_shape(&mut self) -> Result<(), CompileError> {
        self.arity(1, 1)?;
        let sizes = self.shape_input(0)?;
        let shape: Option<Vec<usize>> = sizes.iter().map(|&d| usize::try_from(d).ok()).collect();
        let shape = shape.ok_or_else(|| self.fail(format!("{sizes:?} is no shape")))?;
        let n = self.constant_size(&shape)?;
        let data = match self.node.attributes.take("value") {
            None => ConstantData::Float(vec![0.0; n]),
            Some(Attribute::Tensor(Constant { data: ConstantData::Float(v), .. })) if v.len() == 1 => {
                ConstantData::Float(vec![v[0]; n])
            }
            Some(Attribute::Tensor(Constant { data: ConstantData::Integer(v), .. })) if v.len() == 1 => {
                ConstantData::Integer(vec![v[0]; n])
            }
            Some(_) => {
                return Err(self.node.attributes.refuse("value", "one number in a tensor is expected"));
            }
        };
        self.bind(0, Constant { shape, data }.into());
        Ok(())
    }
}
