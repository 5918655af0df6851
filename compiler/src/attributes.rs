//! The attributes of one node, typed, with a record of which were read: what nobody read is refused.

use std::collections::BTreeMap;

use onnx_ir::{AttributeProto, AttributeType};

use crate::constant::Constant;
use crate::error::{CompileError, quote};

/// One attribute's value.
#[derive(Debug, Clone, PartialEq)]
pub enum Attribute {
    /// ONNX `FLOAT`.
    Float(f32),
    /// ONNX `INT`.
    Int(i64),
    /// ONNX `STRING`, with bytes that are not UTF-8 replaced.
    Text(String),
    /// ONNX `TENSOR`.
    Tensor(Constant),
    /// ONNX `FLOATS`.
    Floats(Vec<f32>),
    /// ONNX `INTS`.
    Ints(Vec<i64>),
    /// ONNX `STRINGS`.
    Texts(Vec<String>),
    /// Any other kind: it is named but its value is not kept.
    Other(&'static str),
}

impl Attribute {
    fn decode(proto: &AttributeProto) -> Result<Self, CompileError> {
        if !proto.ref_attr_name.is_empty() {
            return Ok(Self::Other("a reference to a function's attribute"));
        }
        Ok(match proto.type_.enum_value() {
            Ok(AttributeType::FLOAT) => Self::Float(proto.f),
            Ok(AttributeType::INT) => Self::Int(proto.i),
            Ok(AttributeType::STRING) => Self::Text(String::from_utf8_lossy(&proto.s).into_owned()),
            Ok(AttributeType::TENSOR) => match proto.t.as_ref() {
                Some(tensor) => Self::Tensor(Constant::decode(tensor)?),
                None => Self::Other("a tensor without a value"),
            },
            Ok(AttributeType::FLOATS) => Self::Floats(proto.floats.clone()),
            Ok(AttributeType::INTS) => Self::Ints(proto.ints.clone()),
            Ok(AttributeType::STRINGS) => {
                Self::Texts(proto.strings.iter().map(|s| String::from_utf8_lossy(s).into_owned()).collect())
            }
            Ok(AttributeType::GRAPH | AttributeType::GRAPHS) => Self::Other("a graph"),
            Ok(AttributeType::TENSORS) => Self::Other("a list of tensors"),
            Ok(_) | Err(_) => Self::Other("a value of another kind"),
        })
    }
}

/// The attributes of one node. Reading one removes it; [`Attributes::finish`] refuses the rest.
#[derive(Debug, Clone)]
pub(crate) struct Attributes {
    operator: String,
    node: String,
    left: BTreeMap<String, Attribute>,
}

impl Attributes {
    /// Attributes of a node that no file has.
    pub(crate) fn of<'a>(
        operator: &str,
        node: &str,
        attributes: impl IntoIterator<Item = (&'a str, Attribute)>,
    ) -> Self {
        let left = attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Self { operator: operator.into(), node: node.into(), left }
    }

    /// Decodes a node's attributes.
    pub(crate) fn decode(
        operator: &str,
        node: &str,
        protos: &[AttributeProto],
    ) -> Result<Self, CompileError> {
        let mut left = BTreeMap::new();
        for proto in protos {
            let value = Attribute::decode(proto)?;
            if left.insert(proto.name.clone(), value).is_some() {
                return Err(CompileError::UnsupportedAttribute {
                    operator: operator.into(),
                    node: node.into(),
                    attribute: quote(&proto.name),
                    detail: "it is given twice".into(),
                });
            }
        }
        Ok(Self { operator: operator.into(), node: node.into(), left })
    }

    /// An error about one attribute of this node.
    pub(crate) fn refuse(&self, attribute: &str, detail: impl Into<String>) -> CompileError {
        CompileError::UnsupportedAttribute {
            operator: self.operator.clone(),
            node: self.node.clone(),
            attribute: quote(attribute),
            detail: detail.into(),
        }
    }

    pub(crate) fn take(&mut self, name: &str) -> Option<Attribute> {
        self.left.remove(name)
    }

    pub(crate) fn int(&mut self, name: &str, default: i64) -> Result<i64, CompileError> {
        match self.take(name) {
            None => Ok(default),
            Some(Attribute::Int(v)) => Ok(v),
            Some(_) => Err(self.refuse(name, "an integer is expected")),
        }
    }

    pub(crate) fn float(&mut self, name: &str, default: f32) -> Result<f32, CompileError> {
        Ok(self.optional_float(name)?.unwrap_or(default))
    }

    pub(crate) fn optional_float(&mut self, name: &str) -> Result<Option<f32>, CompileError> {
        match self.take(name) {
            None => Ok(None),
            Some(Attribute::Float(v)) => Ok(Some(v)),
            Some(_) => Err(self.refuse(name, "a float is expected")),
        }
    }

    pub(crate) fn text(&mut self, name: &str, default: &str) -> Result<String, CompileError> {
        match self.take(name) {
            None => Ok(default.into()),
            Some(Attribute::Text(v)) => Ok(v),
            Some(_) => Err(self.refuse(name, "a string is expected")),
        }
    }

    pub(crate) fn ints(&mut self, name: &str) -> Result<Option<Vec<i64>>, CompileError> {
        match self.take(name) {
            None => Ok(None),
            Some(Attribute::Ints(v)) => Ok(Some(v)),
            Some(_) => Err(self.refuse(name, "a list of integers is expected")),
        }
    }

    /// Reads an integer that must have one value (the one this compiler implements).
    pub(crate) fn only(&mut self, name: &str, default: i64, only: i64) -> Result<(), CompileError> {
        let found = self.int(name, default)?;
        if found == only {
            Ok(())
        } else {
            Err(self.refuse(name, format!("it is {found}, only {only} is compiled")))
        }
    }

    /// Refuses the first attribute that nobody read.
    pub(crate) fn finish(&self) -> Result<(), CompileError> {
        match self.left.iter().next() {
            None => Ok(()),
            Some((name, Attribute::Other(kind))) => Err(self.refuse(name, format!("it holds {kind}"))),
            Some((name, _)) => Err(self.refuse(name, "this compiler does not know it")),
        }
    }
}
