"""Writes one small ONNX model per case, with an input and what ONNX Runtime makes of it.

    pip install onnx onnxruntime numpy && python make_cases.py

Each file in cases/ holds two initializers that no node reads, `test.input` and `test.output`. The graph's description
lists, where it says anything, the operators expected after reading, in order.
"""
import os, sys
import numpy as np, onnx, onnxruntime as ort
from onnx import TensorProto as T, helper as h, numpy_helper as nh

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "cases")
rng = np.random.default_rng(7)
f = lambda *s: rng.standard_normal(s).astype(np.float32)
i64 = lambda *v: np.array(v, np.int64)
scalar = lambda v: np.array(v, np.float32)
names = set()

def case(name, x, nodes, consts={}, opset=17, expect="", dims=None, output="y"):
    """nodes: (operator, inputs, outputs, attributes) each; the model's input is x and its output y."""
    assert name not in names; names.add(name)
    made = []
    for k, (op, ins, outs, *attrs) in enumerate(nodes):
        attrs = dict(attrs[0]) if attrs else {}
        domain = attrs.pop("domain", "")
        made.append(h.make_node(op, ins.split(), [o if o != "_" else "" for o in outs.split()], name=f"n{k}", domain=domain, **attrs))
    inits = [nh.from_array(np.asarray(v), k) for k, v in consts.items()]
    xi = h.make_tensor_value_info("x", h.np_dtype_to_tensor_dtype(x.dtype), dims or list(x.shape))
    graph = h.make_graph(made, name, [xi], [h.make_empty_tensor_value_info(output)], inits)
    opsets = [h.make_opsetid("", opset), h.make_opsetid("com.microsoft", 1)]
    model = h.make_model(graph, opset_imports=opsets, ir_version=9, producer_name="")
    so = ort.SessionOptions(); so.log_severity_level = 3
    so.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        session = ort.InferenceSession(model.SerializeToString(), so, providers=["CPUExecutionProvider"])
        y = session.run([output], {"x": x})[0]
    except Exception as e:
        print("FAILED", name, str(e)[:300]); return
    if y.dtype not in (np.float32, np.int64): y = y.astype(np.int64 if y.dtype.kind in "biu" else np.float32)
    graph.doc_string = expect
    graph.initializer.extend([nh.from_array(x, "test.input"), nh.from_array(y, "test.output")])
    model = h.make_model(graph, opset_imports=opsets, ir_version=9, producer_name="")
    with open(os.path.join(OUT, name + ".onnx"), "wb") as out: out.write(model.SerializeToString())

def one(name, op, x, attrs={}, consts={}, expect="", opset=17, ins=None, dims=None):
    case(name, x, [(op, ins or " ".join(["x", *consts]), "y", attrs)], consts, opset, expect, dims)

def elementwise():
    x = f(2, 3, 4)
    for op in "Relu Tanh Sigmoid Erf Exp Abs Neg Sin Cos Softplus HardSwish Elu LeakyRelu HardSigmoid Mish".split():
        one(op.lower(), op, x, opset=18)
    for op in "Sqrt Log Reciprocal".split(): one(op.lower(), op, np.abs(x) + .3)
    one("gelu", "Gelu", x, opset=20); one("gelu_tanh", "Gelu", x, dict(approximate="tanh"), opset=20)
    one("clip7", "Clip", x, dict(min=-.5, max=.7), opset=7)
    one("clip13", "Clip", x, {}, dict(lo=scalar(-.5), hi=scalar(.7)))
    for op in "Add Sub Mul Div".split():
        one(op.lower() + "_right", op, x, {}, dict(c=np.abs(f(3, 1)) + .2))
        case(op.lower() + "_left", np.abs(x) + .3, [(op, "c x", "y")], dict(c=f(4)))
        case(op.lower() + "_both", np.abs(x) + .3, [("ReduceMean", "x", "m", dict(axes=[1])), (op, "x m", "y")])
    one("add_wider", "Add", f(1, 4), {}, dict(c=f(3, 1)))
    for e in (2., 3., .5, -1., 1.7): one(f"pow{e}", "Pow", np.abs(x) + .3, {}, dict(e=scalar(e)))
    case("pow_base", x, [("Pow", "b x", "y")], dict(b=scalar(2.5)))
    one("max_constant", "Max", x, {}, dict(c=scalar(.1))); one("min_constant", "Min", x, {}, dict(c=scalar(.1), d=scalar(0.)))
    one("max_each", "Max", x, {}, dict(c=f(3, 1))); one("min_each", "Min", x, {}, dict(c=f(4)))
    case("max_three", x, [("Neg", "x", "n"), ("Sin", "x", "s"), ("Max", "x n s", "y")])
    one("prelu", "PRelu", x, {}, dict(s=f(3, 1))); one("prelu_one", "PRelu", x, {}, dict(s=f(1)))
    case("sum_n", x, [("Sin", "x", "s"), ("Sum", "x c s", "y")], dict(c=f(4)))
    case("where_constant", x, [("Where", "m x c", "y")], dict(m=rng.random((3, 4)) > .5, c=scalar(-2)))
    case("where_causal", f(1, 2, 4, 4), [("Where", "m x c", "s"), ("Softmax", "s", "y", dict(axis=-1))],
         dict(m=np.tril(np.ones((4, 4), bool)), c=scalar(-np.inf)), expect="Mask Softmax")
    case("add_mask", f(1, 2, 4, 4), [("Add", "x m", "s"), ("Softmax", "s", "y", dict(axis=-1))],
         dict(m=np.triu(np.full((4, 4), np.finfo(np.float32).min, np.float32), 1)), expect="Mask Softmax")
    case("where_both", x, [("Neg", "x", "n"), ("Where", "m x n", "y")], dict(m=rng.random((3, 4)) > .5))
    t = rng.integers(0, 5, (1, 6)).astype(np.int64)
    case("select", t, [("Equal", "x two", "q"), ("Cast", "x", "r", dict(to=1)), ("Sin", "r", "s"), ("Where", "q r s", "y")], dict(two=i64(2)))
    case("select_constant", t, [("Equal", "x two", "q"), ("Not", "q", "n"), ("Cast", "x", "r", dict(to=1)), ("Where", "n r c", "y")], dict(two=i64(2), c=scalar(9)))
    case("select_integers", t, [("Equal", "x two", "q"), ("Where", "q x c", "y")], dict(two=i64(2), c=i64(7)))
    case("logic", t, [("Equal", "x two", "a"), ("Equal", "x one", "b"), ("Or", "a b", "o"), ("And", "o m", "p"), ("Cast", "p", "y", dict(to=7))],
         dict(two=i64(2), one=i64(1), m=np.array([1, 0, 1, 1, 1, 0], bool)))
    case("integers", t, [("Add", "x c", "a"), ("Mul", "a a", "y")], dict(c=i64(3)))

def products():
    one("matmul_right", "MatMul", f(1, 3, 4), {}, dict(w=f(4, 5)), expect="Linear")
    case("matmul_left", f(2, 4, 3), [("MatMul", "w x", "y")], dict(w=f(5, 4)), expect="Transpose Linear Transpose")
    one("matmul_vector", "MatMul", f(2, 4), {}, dict(w=f(4)))
    one("matmul_row", "MatMul", f(4), {}, dict(w=f(4, 3)))
    one("matmul_front", "MatMul", f(3, 4), {}, dict(w=f(1, 1, 4, 3)))
    one("matmul_each", "MatMul", f(1, 2, 3, 4), {}, dict(w=f(2, 4, 5)))
    case("matmul_each_left", f(3, 4), [("MatMul", "w x", "y")], dict(w=f(2, 1, 5, 3)))
    case("matmul_left_vector", f(2, 4, 3), [("MatMul", "w x", "y")], dict(w=f(4)))
    case("matmul_left_row", f(4), [("MatMul", "w x", "y")], dict(w=f(3, 4)))
    case("einsum_scores", f(1, 4, 2, 3), [("Sin", "x", "s"), ("Einsum", "x s", "y", dict(equation="bihd,bjhd->bhij"))])
    case("einsum_weights", f(1, 4, 2, 3), [("Einsum", "x w", "y", dict(equation="bthd,hdo->bto"))], dict(w=f(2, 3, 5)), expect="Reshape Linear Reshape")
    case("matmul_both", f(1, 2, 3, 4), [("Transpose", "x", "t", dict(perm=[0, 1, 3, 2])), ("MatMul", "x t", "y")], expect="Transpose MatMul")
    case("matmul_broadcast", f(2, 3, 4), [("Slice", "x s e", "h"), ("Transpose", "h", "t", dict(perm=[0, 2, 1])), ("MatMul", "x t", "y")], dict(s=i64(0), e=i64(1)))
    one("gemm", "Gemm", f(2, 4), dict(transB=1, alpha=.5, beta=2.), dict(w=f(3, 4), b=f(3)), expect="Linear")
    one("gemm_turned", "Gemm", f(4, 2), dict(transA=1), dict(w=f(4, 3), b=f(2, 1)))
    case("gemm_left", f(4, 2), [("Gemm", "w x", "y", dict(alpha=.5))], dict(w=f(3, 4)))
    one("conv", "Conv", f(1, 4, 7, 6), dict(group=2, strides=[2, 1], dilations=[1, 2], pads=[1, 0, 2, 1]), dict(w=f(6, 2, 3, 2), b=f(6)))
    one("conv_same", "Conv", f(1, 2, 5, 5), dict(auto_pad="SAME_UPPER", strides=[2, 2]), dict(w=f(3, 2, 3, 3)))
    one("conv1d", "Conv", f(1, 3, 9), dict(strides=[2], pads=[1, 2], dilations=[2]), dict(w=f(4, 3, 3), b=f(4)))
    one("conv_transpose", "ConvTranspose", f(1, 4, 3, 4), dict(group=2, strides=[2, 3], pads=[1, 0, 1, 2], output_padding=[1, 0]), dict(w=f(4, 3, 3, 3), b=f(6)))
    for side in ("UPPER", "LOWER"): one(f"conv_transpose_same_{side.lower()}", "ConvTranspose", f(1, 2, 3, 4), dict(auto_pad="SAME_" + side, strides=[2, 3]), dict(w=f(2, 3, 3, 4)))
    one("conv_transpose1d", "ConvTranspose", f(1, 2, 5), dict(strides=[2], dilations=[2]), dict(w=f(2, 3, 3)))
    for name, op, attrs in [("max_pool", "MaxPool", dict(kernel_shape=[3, 2], strides=[2, 2], pads=[1, 0, 1, 1])),
                            ("max_pool_ceil", "MaxPool", dict(kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)),
                            ("average_pool", "AveragePool", dict(kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])),
                            ("average_pool_all", "AveragePool", dict(kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1))]:
        one(name, op, f(1, 2, 7, 7), attrs)
    one("max_pool1d", "MaxPool", f(1, 2, 9), dict(kernel_shape=[3], strides=[2], pads=[1, 0]))
    one("average_pool1d", "AveragePool", f(1, 2, 9), dict(kernel_shape=[3], strides=[2]))
    one("global_average_pool", "GlobalAveragePool", f(1, 3, 4, 5)); one("global_max_pool", "GlobalMaxPool", f(1, 3, 6))

def norms():
    one("batch_norm", "BatchNormalization", f(1, 3, 2, 2), {}, dict(g=f(3), b=f(3), m=f(3), v=np.abs(f(3)) + .1), expect="Affine")
    one("layer_norm", "LayerNormalization", f(1, 3, 8), dict(epsilon=1e-3), dict(g=f(8), b=f(8)), expect="Norm")
    one("layer_norm_two", "LayerNormalization", f(1, 3, 2, 4), dict(axis=2), dict(g=f(2, 4)), expect="Norm")
    one("rms_norm", "SimplifiedLayerNormalization", f(1, 3, 8), dict(axis=-1, epsilon=1e-4), dict(g=f(8)), expect="Norm")
    one("instance_norm", "InstanceNormalization", f(1, 3, 4, 4), {}, dict(g=f(3), b=f(3)), expect="Norm")
    one("group_norm18", "GroupNormalization", f(1, 4, 3, 3), dict(num_groups=2), dict(g=f(2), b=f(2)), opset=18)
    one("group_norm21", "GroupNormalization", f(1, 4, 3, 3), dict(num_groups=2), dict(g=f(4), b=f(4)), opset=21)
    for opset in (11, 13):
        one(f"softmax{opset}", "Softmax", f(2, 3, 4), dict(axis=1), opset=opset)
        one(f"log_softmax{opset}", "LogSoftmax", f(2, 3, 4), {}, opset=opset)

def reductions():
    for op in "ReduceSum ReduceMean ReduceMax ReduceMin ReduceSumSquare ReduceL1 ReduceL2".split():
        name = op.lower()
        if op == "ReduceSum": one(name, op, f(2, 3, 4), dict(keepdims=0), dict(a=i64(0, -1)))
        else: one(name, op, f(2, 3, 4), dict(axes=[0, -1], keepdims=0))
    one("reduce18", "ReduceMax", f(2, 3, 4), {}, dict(a=i64(1)), opset=18); one("reduce_all", "ReduceSum", f(2, 3))
    one("argmax", "ArgMax", f(2, 5, 3), dict(axis=1)); one("argmax_flat", "ArgMax", f(2, 5), dict(axis=-1, keepdims=0))

def moves():
    x = f(2, 3, 4)
    one("transpose", "Transpose", x, dict(perm=[2, 0, 1])); one("transpose_default", "Transpose", x)
    one("reshape", "Reshape", x, {}, dict(s=i64(0, -1))); one("flatten", "Flatten", x, dict(axis=2)); one("flatten_end", "Flatten", x, dict(axis=3))
    case("squeeze11", f(1, 3, 1), [("Squeeze", "x", "s", dict(axes=[0])), ("Unsqueeze", "s", "t", dict(axes=[0, 3])), ("Sin", "t", "y")], opset=11)
    case("squeeze13", f(1, 3, 1), [("Squeeze", "x", "s"), ("Unsqueeze", "s a", "t"), ("Sin", "t", "y")], dict(a=i64(-1, 0)))
    one("expand", "Expand", f(3, 1), {}, dict(s=i64(2, 1, 4))); one("tile", "Tile", f(2, 1, 3), {}, dict(r=i64(2, 3, 2)))
    one("slice", "Slice", x, {}, dict(s=i64(-1, 1), e=i64(-100, 2**62), a=i64(2, 1), t=i64(-2, 1)))
    one("slice9", "Slice", x, dict(starts=[1], ends=[3], axes=[1]), opset=9)
    case("split", x, [("Split", "x n", "a b", dict(axis=1)), ("Concat", "b a", "y", dict(axis=1))], dict(n=i64(1, 2)))
    case("split_empty", x, [("Split", "x n", "a b", dict(axis=2)), ("Sin", "a", "s"), ("Concat", "s b", "y", dict(axis=2))], dict(n=i64(4, 0)))
    case("split18", f(2, 5), [("Split", "x", "a b", dict(axis=1, num_outputs=2)), ("Sin", "b", "y")], opset=18)
    case("split_even", f(2, 6), [("Split", "x", "a b c", dict(axis=1)), ("Mul", "a c", "y")], opset=11)
    case("concat_constants", f(1, 2, 3), [("Sin", "x", "s"), ("Concat", "c x d s d", "y", dict(axis=1))], dict(c=f(1, 2, 3), d=f(1, 1, 3)))
    one("gather_slice", "Gather", x, dict(axis=1), dict(i=i64(2))); one("gather_reversed", "Gather", x, dict(axis=2), dict(i=i64(3, 2, 1)))
    one("gather_irregular", "Gather", x, dict(axis=2), dict(i=np.array([[0, 3, 1], [1, -1, 2]], np.int64)))
    one("pad", "Pad", x, {}, dict(p=i64(0, 1, 0, 1, 0, 2))); one("pad_cut", "Pad", x, {}, dict(p=i64(0, -1, 1, 0, 0, -2)))
    one("pad_value", "Pad", x, {}, dict(p=i64(0, 1, 0, 0, 0, 2), v=scalar(1.5)))
    for mode in ("edge", "reflect"): one(f"pad_{mode}", "Pad", x, dict(mode=mode), dict(p=i64(0, 2, 1, 0, 1, 3)))
    one("pad2", "Pad", x, dict(pads=[0, 1, 0, 0, 0, 0]), opset=2 + 5); one("pad18", "Pad", x, {}, dict(p=i64(1, 2), v=scalar(0), a=i64(-1)), opset=18)
    r = np.zeros(0, np.float32)
    case("resize_scales", f(1, 2, 3, 2), [("Resize", "x r s", "y", dict(mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor"))], dict(r=r, s=np.array([1, 1, 2, 3], np.float32)), opset=13)
    case("resize_sizes", f(1, 2, 3, 2), [("Resize", "x r r s", "y", dict(mode="nearest"))], dict(r=r, s=i64(1, 2, 6, 6)), opset=13)
    case("upsample", f(1, 2, 3, 2), [("Upsample", "x s", "y", dict(mode="nearest"))], dict(s=np.array([1, 1, 2, 2], np.float32)), opset=9)
    for mode in ("DCR", "CRD"): one(f"depth_to_space_{mode.lower()}", "DepthToSpace", f(1, 8, 2, 3), dict(blocksize=2, mode=mode))
    one("space_to_depth", "SpaceToDepth", f(1, 2, 4, 6), dict(blocksize=2))
    t = rng.integers(0, 5, (1, 4))
    case("embedding", t.astype(np.int64), [("Gather", "w x", "y")], dict(w=f(5, 3)), expect="Embedding")
    case("embedding_bytes", t.astype(np.uint8), [("Cast", "x", "i", dict(to=6)), ("Gather", "w i", "y")], dict(w=f(5, 3)), expect="Embedding")
    case("one_hot", t.astype(np.int64), [("OneHot", "x d v", "y", dict(axis=1))], dict(d=i64(4), v=np.array([-1, 2], np.float32)))
    case("one_hot_product", t.astype(np.int32), [("Unsqueeze", "x a", "u"), ("Expand", "u s", "v"), ("Equal", "v r", "e"), ("Cast", "e", "h", dict(to=1)), ("MatMul", "h w", "m"), ("Add", "m b", "p"), ("Tanh", "p", "y")],
         dict(a=i64(-1), s=i64(1, 4, 4), r=np.arange(4, dtype=np.int32).reshape(1, 1, 4), w=f(4, 3), b=f(1, 1, 3)), expect="Embedding")
    case("scalar_shape", f(6), [("ReduceSum", "x", "s", dict(keepdims=0)), ("Reshape", "s e", "t"), ("Add", "t x", "y")], dict(e=i64(1)))

def shapes():
    case("shape_plumbing", f(1, 6, 4), [("Shape", "x", "s"), ("Gather", "s one", "n", dict(axis=0)), ("Cast", "n", "nf", dict(to=1)), ("Sqrt", "nf", "r"),
        ("Cast", "n", "ni", dict(to=7)), ("Unsqueeze", "ni zero", "nu"), ("Concat", "head nu two neg", "t", dict(axis=0)), ("Reshape", "x t", "z"), ("Div", "z r", "y")],
        dict(one=np.array(1, np.int64), zero=i64(0), head=i64(1), two=i64(2), neg=i64(-1)), dims=["batch", 6, 4], expect="Reshape Affine")
    case("positions", f(1, 5, 3), [("Shape", "x", "s", dict(start=1, end=2)), ("Squeeze", "s", "n"), ("Range", "zero n one", "r"), ("Gather", "w r", "p"), ("Add", "x p", "y")],
        dict(zero=np.array(0, np.int64), one=np.array(1, np.int64), w=f(9, 3)), opset=15, expect="Affine")
    case("causal_mask", f(1, 4, 4), [("Shape", "x", "s", dict(start=1)), ("ConstantOfShape", "s", "o", dict(value=nh.from_array(np.array([1], np.float32)))), ("Trilu", "o", "t", dict(upper=0)),
        ("Equal", "t z", "e"), ("Where", "e big z", "m"), ("Add", "x m", "a"), ("Softmax", "a", "y")], dict(z=scalar(0), big=scalar(-1e10)), opset=15, expect="Mask Softmax")
    case("folded", f(2, 3), [("Shape", "x", "s"), ("Gather", "s a", "g"), ("Mod", "g two", "m"), ("Less", "m two", "l"), ("Not", "l", "n"), ("Cast", "n", "c", dict(to=1)), ("CumSum", "v a0", "k"), ("ReduceMax", "k", "q", dict(keepdims=0)), ("Floor", "q", "fl"), ("Max", "fl c", "w"), ("MatMul", "p p", "pp"), ("Mul", "w pp", "z"), ("Gemm", "x z", "y")],
        dict(a=i64(1), two=i64(2), v=f(4), a0=np.array(0, np.int64), p=f(3, 3)), opset=17, expect="Linear")
    case("size_tile", f(2, 3), [("Size", "x", "n"), ("Cast", "n", "c", dict(to=1)), ("Identity", "x", "i"), ("Dropout", "i", "d _"), ("Div", "d c", "y")], expect="Affine")

def attention():
    scores = [("Transpose", "x", "t", dict(perm=[0, 1, 3, 2])), ("MatMul", "x t", "s0"), ("Mul", "s0 h", "s1")]
    after = [("Softmax", "s", "p", dict(axis=-1)), ("MatMul", "p x", "y")]
    x, h = f(1, 2, 6, 4), scalar(.5)
    case("attention", x, scores[:2] + [("Mul", "s0 h", "s")] + after, dict(h=h), expect="Transpose MatMul Affine Softmax MatMul")
    case("attention_added_mask", x, scores + [("Add", "s1 m", "s")] + after, dict(h=h, m=np.triu(np.full((6, 6), np.finfo(np.float32).min, np.float32), 1)), expect="Transpose MatMul Affine Mask Softmax MatMul")
    case("attention_chosen_mask", x, scores + [("Where", "m s1 c", "s")] + after, dict(h=h, m=np.tril(np.ones((1, 1, 6, 6), bool)), c=scalar(-np.inf)), expect="Transpose MatMul Affine Mask Softmax MatMul")
    case("attention_ten_thousand", x, scores + [("Add", "s1 m", "s")] + after, dict(h=h, m=np.triu(np.full((6, 6), -10000, np.float32), 1)))
    case("attention_over_queries", x, [scores[0], scores[1], ("Mul", "s0 h", "s"), ("Softmax", "s", "p", dict(axis=2)), ("MatMul", "p x", "y")], dict(h=h))
    case("softmax_then", f(2, 3, 4), [("Softmax", "x", "p", dict(axis=1)), ("Mul", "p c", "y")], dict(c=f(4)), opset=11)
    case("log_softmax_then", f(2, 3, 4), [("LogSoftmax", "x", "p", dict(axis=1)), ("Mul", "p c", "y")], dict(c=f(4)))

def recurrent():
    for direction, d in (("forward", 1), ("reverse", 1), ("bidirectional", 2)):
        w = dict(w=f(d, 12, 4), r=f(d, 12, 3), b=f(d, 24))
        case(f"lstm_{direction}", f(5, 1, 4), [("LSTM", "x w r b", "y h c", dict(direction=direction, hidden_size=3))], w, opset=14)
        for k in (0, 1):
            w = dict(w=f(d, 9, 4), r=f(d, 9, 3), b=f(d, 18))
            case(f"gru_{direction}{k}", f(5, 1, 4), [("GRU", "x w r b", "y h", dict(direction=direction, hidden_size=3, linear_before_reset=k))], w, opset=14)
    case("lstm_last", f(4, 2, 3), [("LSTM", "x w r", "_ h y", dict(hidden_size=2))], dict(w=f(1, 8, 3), r=f(1, 8, 2)))
    case("lstm_initial", f(4, 1, 2), [("Slice", "x s e", "i"), ("LSTM", "x w r _ _ i i".replace("_ _", "b l"), "y", dict(hidden_size=2))], dict(s=i64(0), e=i64(1), w=f(1, 8, 2), r=f(1, 8, 2), b=f(1, 16), l=np.array([4], np.int32)))
    case("gru_initial", f(4, 1, 2), [("Slice", "x s e", "i"), ("GRU", "x w r b l i", "_ y", dict(hidden_size=2))], dict(s=i64(0), e=i64(1), w=f(1, 6, 2), r=f(1, 6, 2), b=f(1, 12), l=np.array([4], np.int32)))

def patterns():
    x = f(1, 3, 8)
    g = dict(g=f(8), b=f(8), e=scalar(1e-3), two=scalar(2))
    ln = lambda sq, root: [("ReduceMean", "x", "m", dict(axes=[-1])), ("Sub", "x m", "d"), (*sq, "q"), ("ReduceMean", "q", "v", dict(axes=[-1])), ("Add", "v e", "ve"), *root, ("Mul", "n g", "s"), ("Add", "s b", "y")]
    case("ln_pow_div", x, ln(("Pow", "d two"), [("Sqrt", "ve", "r"), ("Div", "d r", "n")]), g, expect="Norm")
    case("ln_mul_reciprocal", x, ln(("Mul", "d d"), [("Sqrt", "ve", "r"), ("Reciprocal", "r", "i"), ("Mul", "d i", "n")]), g, expect="Norm")
    case("ln_powered", x, ln(("Mul", "d d"), [("Pow", "ve h", "i"), ("Mul", "i d", "n")]), g | dict(h=scalar(-.5)), expect="Norm")
    case("ln_two_subs", x, [("ReduceMean", "x", "m", dict(axes=[-1])), ("Sub", "x m", "d"), ("Sub", "x m", "d2"), ("Pow", "d2 two", "q"), ("ReduceMean", "q", "v", dict(axes=[-1])), ("Add", "v e", "ve"), ("Sqrt", "ve", "r"), ("Div", "d r", "n"), ("Mul", "n g", "s"), ("Add", "s b", "y")], g, expect="Norm")
    case("ln_moments", x, [("ReduceMean", "x", "m", dict(axes=[1])), ("Mul", "x x", "q"), ("ReduceMean", "q", "e2", dict(axes=[1])), ("Mul", "m m", "mm"), ("Sub", "e2 mm", "v"), ("Max", "z v", "p"), ("Add", "p e", "ve"), ("Sqrt", "ve", "r"), ("Reciprocal", "r", "i"), ("Mul", "i gg", "ig"), ("Sub", "x m", "d"), ("Mul", "d ig", "n"), ("Add", "n bb", "y")],
         dict(gg=f(3, 1), bb=f(3, 1), e=scalar(1e-3), z=scalar(0)), expect="Norm")
    case("ln_shifted", x, [("ReduceMean", "x", "m", dict(axes=[-1])), ("Sub", "x m", "d"), ("Mul", "d d", "q"), ("ReduceMean", "q", "v", dict(axes=[-1])), ("Add", "v e", "ve"), ("Sqrt", "ve", "r"), ("Reciprocal", "r", "i"), ("Mul", "i g", "ig"), ("Mul", "x ig", "xs"), ("Mul", "m ig", "ms"), ("Sub", "b ms", "sh"), ("Add", "xs sh", "y")], g, expect="Norm")
    case("rms", x, [("Pow", "x two", "q"), ("ReduceMean", "q", "v", dict(axes=[-1])), ("Add", "v e", "ve"), ("Sqrt", "ve", "r"), ("Reciprocal", "r", "i"), ("Mul", "x i", "n"), ("Mul", "g n", "y")], g, expect="Norm")
    # Over other rows than those of the mean it is no layer norm, but an RMS norm of the difference.
    case("norm_of_a_difference", x, [("ReduceMean", "x", "m", dict(axes=[-1])), ("Sub", "x m", "d"), ("Mul", "d d", "q"), ("ReduceMean", "q", "v", dict(axes=[1])), ("Add", "v e", "ve"), ("Sqrt", "ve", "r"), ("Div", "d r", "y")], g,
         expect="Reduce Binary Norm")
    case("norm_not_of_its_mean", f(1, 4, 4), [("ReduceMean", "x", "m", dict(axes=[-1], keepdims=0)), ("Sub", "x m", "d"), ("Mul", "d d", "q"), ("ReduceMean", "q", "v", dict(axes=[-1])), ("Add", "v e", "ve"), ("Sqrt", "ve", "r"), ("Div", "d r", "y")], g,
         expect="Reduce Binary Norm")
    case("not_a_norm", x, [("ReduceMean", "x", "m", dict(axes=[-1])), ("Sub", "x m", "d"), ("Mul", "d x", "q"), ("ReduceMean", "q", "v", dict(axes=[-1])), ("Abs", "v", "av"), ("Add", "av e", "ve"), ("Sqrt", "ve", "r"), ("Div", "d r", "y")], g,
         expect="Reduce Binary Binary Reduce Function Affine Function Binary")
    case("not_softmax", x, [("ReduceMax", "x", "m", dict(axes=[-1])), ("Sub", "x m", "d"), ("Exp", "d", "e"), ("ReduceSum", "e a", "s"), ("Div", "d s", "y")], dict(a=i64(-1)), expect="Reduce Binary Function Reduce Binary")
    case("softmax_other_axis", x, [("ReduceMax", "x", "m", dict(axes=[1])), ("Sub", "x m", "d"), ("Exp", "d", "e"), ("ReduceSum", "e a", "s"), ("Div", "e s", "y")], dict(a=i64(-1)), expect="Reduce Binary Softmax")
    case("affine_joined", x, [("Mul", "x g", "m"), ("Add", "m b", "a"), ("Mul", "a two", "t"), ("Sub", "b t", "y")], g, expect="Affine")
    case("affine_apart", f(1, 3, 8), [("Add", "x b", "a"), ("Mul", "a r", "y")], dict(r=f(3, 1), b=f(8)), expect="Affine Affine")
    case("affine_read_twice", x, [("Mul", "x g", "m"), ("Add", "m b", "a"), ("Mul", "a m", "y")], g, expect="Affine Affine Binary")
    root2, half = scalar(2 ** .5), scalar(.5)
    erf = [("Div", "x r", "t"), ("Erf", "t", "e"), ("Add", "e one", "a")]
    k = dict(r=root2, one=scalar(1), half=half)
    case("gelu_a", x, erf + [("Mul", "x a", "m"), ("Mul", "m half", "y")], k, expect="Function")
    case("gelu_b", x, erf + [("Mul", "x half", "m"), ("Mul", "m a", "y")], k, expect="Function")
    case("gelu_c", x, erf + [("Mul", "a half", "m"), ("Mul", "m x", "y")], k, expect="Function")
    case("not_gelu", x, erf + [("Mul", "x a", "y")], k, expect="Affine Function Affine Binary")
    c = dict(c=scalar(.044715), s=scalar((2 / np.pi) ** .5), one=scalar(1), half=half, three=scalar(3))
    case("gelu_tanh_a", x, [("Pow", "x three", "p"), ("Mul", "p c", "q"), ("Add", "x q", "u"), ("Mul", "u s", "v"), ("Tanh", "v", "t"), ("Add", "t one", "a"), ("Mul", "x a", "m"), ("Mul", "m half", "y")], c, expect="Function")
    case("gelu_tanh_b", x, [("Mul", "c x", "p"), ("Mul", "x p", "q0"), ("Mul", "x q0", "q"), ("Add", "x q", "u"), ("Mul", "s u", "v"), ("Tanh", "v", "t"), ("Add", "one t", "a"), ("Mul", "half a", "m"), ("Mul", "x m", "y")], c, expect="Function")
    case("silu", x, [("Sigmoid", "x", "s"), ("Mul", "x s", "y")], expect="Function")
    case("hard_swish_spelled", x, [("Add", "x three", "a"), ("Clip", "a zero six", "k"), ("Div", "k six", "d"), ("Mul", "x d", "y")], dict(three=scalar(3), zero=scalar(0), six=scalar(6)), expect="Function")
    case("sigmoid_spelled", x, [("Neg", "x", "n"), ("Exp", "n", "e"), ("Add", "e one", "a"), ("Reciprocal", "a", "y")], dict(one=scalar(1)), expect="Function")
    case("softmax_spelled", x, [("ReduceMax", "x", "m", dict(axes=[-1])), ("Sub", "x m", "d"), ("Exp", "d", "e"), ("ReduceSum", "e a", "s"), ("Div", "e s", "y")], dict(a=i64(-1)), expect="Softmax")
    case("softmax_reshaped", f(1, 5), [("ReduceMax", "x", "m", dict(axes=[1], keepdims=0)), ("Max", "inf m", "mm"), ("Reshape", "mm s1", "mr"), ("Expand", "mr s5", "me"), ("Sub", "x me", "d"), ("Exp", "d", "e"), ("ReduceSum", "e a", "s", dict(keepdims=0)), ("Reshape", "s s1", "sr"), ("Expand", "sr s5", "se"), ("Div", "e se", "y")], dict(a=i64(1), inf=scalar(-np.inf), s1=i64(1, 1), s5=i64(1, 5)), expect="Softmax")
    case("log_softmax_spelled", x, [("ReduceMax", "x", "m", dict(axes=[-1])), ("Sub", "x m", "d"), ("Exp", "d", "e"), ("ReduceSum", "e a", "s"), ("Log", "s", "l"), ("Sub", "d l", "y")], dict(a=i64(-1)), expect="Softmax")
    case("rotary", f(1, 2, 4, 6), [("Slice", "x z three last", "a"), ("Slice", "x three end last", "b"), ("Neg", "b", "nb"), ("Concat", "nb a", "r", dict(axis=-1)), ("Mul", "x cos", "xc"), ("Mul", "r sin", "rs"), ("Add", "xc rs", "y")], dict(z=i64(0), three=i64(3), end=i64(6), last=i64(3), cos=np.cos(f(4, 6)), sin=np.sin(f(4, 6))))

os.makedirs(OUT, exist_ok=True)
for old in os.listdir(OUT): os.remove(os.path.join(OUT, old))
for part in (elementwise, products, norms, reductions, moves, shapes, attention, recurrent, patterns): part()
print(len(names), "cases,", sum(os.path.getsize(os.path.join(OUT, n)) for n in os.listdir(OUT)), "bytes")
