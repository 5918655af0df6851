"""Writes small.onnx: a network of few numbers and many kinds of operators, with random weights.

    pip install onnx numpy && python make_small.py

A convolution, batch normalisations, both poolings and their concatenation; then a transformer's block over 16 tokens
(attention, layer normalisation, GELU as exporters spell it), a gate, an argmax, and a gather of the row that it names.
"""
import os
import numpy as np, onnx
from onnx import TensorProto as T, helper as h, numpy_helper as nh

rng = np.random.default_rng(11)
nodes, weights = [], []

def w(name, *shape, scale=1.0, at=0.0):
    weights.append(nh.from_array((rng.standard_normal(shape) * scale + at).astype(np.float32), name))
    return name

def c(name, value):
    weights.append(nh.from_array(np.asarray(value), name))
    return name

def node(op, inputs, output, **attributes):
    nodes.append(h.make_node(op, inputs, [output], name=output, **attributes))
    return output

def batch_norm(x, name, channels):
    parts = [w(f"{name}.scale", channels, scale=.2, at=1), w(f"{name}.bias", channels, scale=.2),
             w(f"{name}.mean", channels, scale=.2), c(f"{name}.var", rng.uniform(.5, 2, channels).astype(np.float32))]
    return node("BatchNormalization", [x, *parts], name)

def linear(x, name, inputs, outputs):
    product = node("MatMul", [x, w(f"{name}.weight", inputs, outputs, scale=inputs ** -.5)], f"{name}.product")
    return node("Add", [product, w(f"{name}.bias", outputs, scale=.1)], name)

def layer_norm(x, name, width):
    return node("LayerNormalization", [x, w(f"{name}.scale", width, scale=.2, at=1), w(f"{name}.bias", width, scale=.2)], name, axis=-1, epsilon=1e-5)

def gelu(x, name):
    ratio = node("Div", [x, c(f"{name}.root", np.float32(2 ** .5))], f"{name}.ratio")
    erf = node("Add", [node("Erf", [ratio], f"{name}.erf"), c(f"{name}.one", np.float32(1))], f"{name}.plus")
    return node("Mul", [node("Mul", [x, erf], f"{name}.twice"), c(f"{name}.half", np.float32(.5))], name)

conv = node("Conv", ["x", w("conv.weight", 4, 2, 3, 3, scale=.3), w("conv.bias", 4, scale=.1)], "conv", pads=[1] * 4)
image = node("Relu", [batch_norm(conv, "norm0", 4)], "relu")
most = node("MaxPool", [image], "most", kernel_shape=[2, 2], strides=[2, 2])
mean = node("AveragePool", [image], "mean", kernel_shape=[2, 2], strides=[2, 2])
both = batch_norm(node("Concat", [most, mean], "both", axis=1), "norm1", 8)
tokens = node("Transpose", [node("Reshape", [both, c("flat.shape", np.array([1, 8, 16], np.int64))], "flat")], "tokens", perm=[0, 2, 1])

normed = layer_norm(tokens, "norm2", 8)
query, key, value = (linear(normed, name, 8, 8) for name in ("query", "key", "value"))
scores = node("MatMul", [query, node("Transpose", [key], "turned", perm=[0, 2, 1])], "scores")
scores = node("Div", [scores, c("width", np.float32(8 ** .5))], "scaled")
mixed = linear(node("MatMul", [node("Softmax", [scores], "softmax", axis=-1), value], "mix"), "joined", 8, 8)
tokens = node("Add", [tokens, mixed], "residual1")
hidden = gelu(linear(layer_norm(tokens, "norm3", 8), "up", 8, 32), "gelu")
tokens = node("Add", [tokens, linear(hidden, "down", 32, 8)], "residual2")

left, right = linear(tokens, "left", 8, 8), linear(tokens, "right", 8, 8)
gate = node("Tanh", [node("Add", [left, right], "joint")], "gate")
named = node("ArgMax", [node("Softmax", [gate], "shares", axis=-1)], "named", axis=-1, keepdims=0)
rows = node("Gather", [w("table", 8, 6), named], "rows", axis=0)
node("Add", [rows, linear(gate, "head", 8, 6)], "y")

graph = h.make_graph(nodes, "small", [h.make_tensor_value_info("x", T.FLOAT, [1, 2, 8, 8])],
                     [h.make_tensor_value_info("y", T.FLOAT, [1, 16, 6])], weights)
model = h.make_model(graph, opset_imports=[h.make_opsetid("", 17)], ir_version=8, producer_name="")
onnx.checker.check_model(model)
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "small.onnx"), "wb") as out:
    out.write(model.SerializeToString())
