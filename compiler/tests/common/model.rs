//! Builds small ONNX models in memory.

use std::path::Path;

use narrows_compiler::{CompileError, Graph};
use onnx_ir::{AttributeProto, AttributeType, Message, ModelProto, NodeProto, TensorProto};

/// A model under construction: input `x`, output `y` unless told otherwise.
pub struct Model(pub ModelProto);

/// A dimension of the model's input.
pub enum Dim {
    Fixed(i64),
    Named(&'static str),
    Unnamed,
}

impl Model {
    pub fn new(input: &[i64]) -> Self {
        Self::with_dims(&input.iter().map(|&d| Dim::Fixed(d)).collect::<Vec<_>>())
    }

    pub fn with_dims(input: &[Dim]) -> Self {
        let mut model = ModelProto { ir_version: 8, ..Default::default() };
        let mut opset = std::mem::take(&mut model.opset_import);
        opset.push(Default::default());
        opset[0].version = 17;
        model.opset_import = opset;
        let graph = model.graph.mut_or_insert_default();
        graph.name = "test".into();
        graph.input.push(Default::default());
        graph.output.push(Default::default());
        graph.input[0].name = "x".into();
        graph.output[0].name = "y".into();
        let tensor = graph.input[0].type_.mut_or_insert_default().mut_tensor_type();
        tensor.elem_type = 1;
        let shape = tensor.shape.mut_or_insert_default();
        for dim in input {
            let mut entry = std::mem::take(&mut shape.dim);
            entry.push(Default::default());
            let last = entry.last_mut().unwrap();
            match dim {
                Dim::Fixed(d) => last.set_dim_value(*d),
                Dim::Named(name) => last.set_dim_param((*name).into()),
                Dim::Unnamed => {}
            }
            shape.dim = entry;
        }
        Self(model)
    }

    /// Adds a node named after its output, with an `n_` before it.
    pub fn node(mut self, op: &str, inputs: &[&str], output: &str, attributes: Vec<AttributeProto>) -> Self {
        self.0.graph.mut_or_insert_default().node.push(NodeProto {
            name: format!("n_{output}"),
            op_type: op.into(),
            input: inputs.iter().map(|s| s.to_string()).collect(),
            output: vec![output.into()],
            attribute: attributes,
            ..Default::default()
        });
        self
    }

    pub fn floats(mut self, name: &str, dims: &[i64], values: &[f32]) -> Self {
        self.0.graph.mut_or_insert_default().initializer.push(float_tensor(name, dims, values));
        self
    }

    pub fn ints(mut self, name: &str, values: &[i64]) -> Self {
        self.0.graph.mut_or_insert_default().initializer.push(TensorProto {
            name: name.into(),
            dims: vec![values.len() as i64],
            data_type: 7,
            int64_data: values.to_vec(),
            ..Default::default()
        });
        self
    }

    pub fn bytes(&self) -> Vec<u8> {
        self.0.write_to_bytes().unwrap()
    }

    pub fn graph(&self) -> Result<Graph, CompileError> {
        Graph::parse(&self.bytes(), Path::new("test.onnx"), &Default::default())
    }
}

pub fn float_tensor(name: &str, dims: &[i64], values: &[f32]) -> TensorProto {
    TensorProto {
        name: name.into(),
        dims: dims.to_vec(),
        data_type: 1,
        raw_data: values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>().into(),
        ..Default::default()
    }
}

pub fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto { name: name.into(), type_: AttributeType::INT.into(), i: value, ..Default::default() }
}

pub fn ints(name: &str, values: &[i64]) -> AttributeProto {
    AttributeProto {
        name: name.into(),
        type_: AttributeType::INTS.into(),
        ints: values.to_vec(),
        ..Default::default()
    }
}

pub fn float(name: &str, value: f32) -> AttributeProto {
    AttributeProto { name: name.into(), type_: AttributeType::FLOAT.into(), f: value, ..Default::default() }
}

pub fn text(name: &str, value: &str) -> AttributeProto {
    AttributeProto {
        name: name.into(),
        type_: AttributeType::STRING.into(),
        s: value.as_bytes().to_vec().into(),
        ..Default::default()
    }
}

pub fn tensor(name: &str, value: TensorProto) -> AttributeProto {
    AttributeProto {
        name: name.into(),
        type_: AttributeType::TENSOR.into(),
        t: Some(value).into(),
        ..Default::default()
    }
}
