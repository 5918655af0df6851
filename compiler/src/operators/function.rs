//! Functions of each element, clips and softmax.

use super::Reader;
use crate::build::Term;
use crate::error::CompileError;
use crate::graph::{Binary, Function, Kind, Op};

impl Reader<'_> {
    /// A function by its ONNX name; false for a name that is none.
    pub(super) fn function(&mut self, operator: &str) -> Result<bool, CompileError> {
        let attributes = &mut self.node.attributes;
        let function = match operator {
            "Abs" => Function::Abs,
            "Cos" => Function::Cos,
            "Elu" => Function::Elu { alpha: attributes.float("alpha", 1.0)? },
            "Erf" => Function::Erf,
            "Exp" => Function::Exp,
            "Gelu" | "com.microsoft.Gelu" => match attributes.text("approximate", "none")?.as_str() {
                "none" => Function::Gelu,
                "tanh" => Function::GeluTanh,
                other => {
                    return Err(attributes
                        .refuse("approximate", format!("it is {other}; none and tanh are compiled")));
                }
            },
            "com.microsoft.FastGelu" => Function::GeluTanh,
            "HardSigmoid" => Function::HardSigmoid {
                alpha: attributes.float("alpha", 0.2)?,
                beta: attributes.float("beta", 0.5)?,
            },
            "HardSwish" => Function::HardSwish,
            "LeakyRelu" => Function::LeakyRelu { alpha: attributes.float("alpha", 0.01)? },
            "Log" => Function::Log,
            "Reciprocal" => Function::Reciprocal,
            "Sigmoid" => Function::Sigmoid,
            "Sin" => Function::Sin,
            "Softplus" => Function::Softplus,
            "Sqrt" => Function::Sqrt,
            "Swish" => {
                let alpha = attributes.float("alpha", 1.0)?;
                if alpha != 1.0 {
                    return Err(attributes.refuse("alpha", format!("it is {alpha}, only 1 is compiled")));
                }
                Function::Silu
            }
            "Tanh" => Function::Tanh,
            _ => return Ok(false),
        };
        self.arity(1, 1)?;
        let x = self.activation(0)?;
        if function != Function::Abs {
            self.check_real(x)?;
        }
        let finite = match function {
            Function::Elu { alpha } | Function::LeakyRelu { alpha } => alpha.is_finite(),
            Function::HardSigmoid { alpha, beta } => alpha.is_finite() && beta.is_finite(),
            _ => true,
        };
        if !finite {
            return Err(self.node.attributes.refuse("alpha", "it is not finite"));
        }
        let id = self.emit_like("function", Op::Function(function), x)?;
        self.bind_value(id);
        Ok(true)
    }

    /// x tanh(softplus x).
    pub(super) fn mish(&mut self) -> Result<(), CompileError> {
        self.arity(1, 1)?;
        let x = self.real(0)?;
        let y = self.emit_like("softplus", Op::Function(Function::Softplus), x)?;
        let y = self.emit_like("tanh", Op::Function(Function::Tanh), y)?;
        let y = self.binary(Binary::Mul, x, y)?;
        self.bind_value(y);
        Ok(())
    }

    pub(super) fn relu(&mut self) -> Result<(), CompileError> {
        self.arity(1, 1)?;
        let x = self.activation(0)?;
        let clipped = self.clipped(x, 0.0, f32::INFINITY)?;
        self.bind_value(clipped);
        Ok(())
    }

    pub(super) fn clip(&mut self) -> Result<(), CompileError> {
        self.arity(1, 3)?;
        let x = self.activation(0)?;
        let low = self.bound("min", 1)?.unwrap_or(f32::NEG_INFINITY);
        let high = self.bound("max", 2)?.unwrap_or(f32::INFINITY);
        let clipped = self.clipped(x, low, high)?;
        self.bind_value(clipped);
        Ok(())
    }

    /// A bound given as an attribute (old) or as a constant scalar input.
    fn bound(&mut self, name: &str, index: usize) -> Result<Option<f32>, CompileError> {
        let attribute = self.node.attributes.optional_float(name)?;
        let Some(constant) = self.optional_constant(index)? else { return Ok(attribute) };
        match constant.to_f32()[..] {
            [value] if attribute.is_none() => Ok(Some(value)),
            _ => Err(self.fail(format!("its {name} is not one number given once"))),
        }
    }

    pub(super) fn softmax(&mut self, log: bool) -> Result<(), CompileError> {
        self.arity(1, 1)?;
        let x = self.real(0)?;
        let shape = self.shape_of(x).to_vec();
        let old = self.builder.opset < 13;
        let axis = self.node.attributes.int("axis", if old { 1 } else { -1 })?;
        let axis = self.axis(axis, shape.len())?;
        let id = if !old || shape[axis + 1..].iter().all(|&d| d == 1) {
            self.emit_like("softmax", Op::Softmax { axis, log }, x)?
        } else {
            // Before operator set 13 all dimensions from the axis on count as one.
            let flat = vec![shape[..axis].iter().product(), shape[axis..].iter().product()];
            let Term::Value(x) = self.reshape(Term::Value(x), flat.clone())? else {
                return Err(self.missing(0));
            };
            let id = self.emit("softmax", Op::Softmax { axis: 1, log }, vec![x], flat, Kind::Real)?;
            let whole = self.reshape(Term::Value(id), shape)?;
            self.bind(0, whole);
            return Ok(());
        };
        self.bind_value(id);
        Ok(())
    }
}
