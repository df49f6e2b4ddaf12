"""ONNX networks made by hand, as other programs would have written them."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper

RNG = np.random.default_rng(5)


def constant(name, value):
    return numpy_helper.from_array(np.asarray(value), name)


def kernel(name, *shape):
    values = RNG.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))
    return constant(name, values.astype(np.float32))


def node(op, inputs, output, **attributes):
    return helper.make_node(op, inputs.split(), [output], **attributes)


def model(nodes, constants=(), *, sides=("n", 3, "h", "w"), kind=TensorProto.FLOAT, **more):
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("x", kind, sides)],
        [helper.make_tensor_value_info("y", kind, [None] * len(sides))],
        list(constants),
    )
    opsets = [helper.make_opsetid("", 17), *more.pop("opsets", [])]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8, **more)


def saved(made, path):
    path.write_bytes(made.SerializeToString())
    return path


def doubling(channels=3, **more):
    """A convolution of 5x5 and a pixel shuffle to x2: it sees two pixels far."""
    nodes = [
        node("Conv", "x w", "a", pads=[2, 2, 2, 2]),
        node("DepthToSpace", "a", "y", blocksize=2, mode="CRD"),
    ]
    weight = kernel("w", 4 * channels, channels, 5, 5)
    return model(nodes, [weight], sides=("n", channels, "h", "w"), **more)


def nearest(**more):
    """Each pixel repeated, by Resize."""
    nodes = [
        node("Resize", "x  s", "y", mode="nearest", coordinate_transformation_mode="asymmetric",
             nearest_mode="floor"),
    ]  # fmt: skip
    nodes[0].input[:] = ["x", "", "s"]
    return model(nodes, [constant("s", np.array([1, 1, 2, 2], np.float32))], **more)


def coarse():
    """Down by a strided convolution, and up by a transposed one to x2: sides are even."""
    nodes = [
        node("Conv", "x w", "a", pads=[1, 1, 1, 1], strides=[2, 2]),
        node("Relu", "a", "b"),
        node("ConvTranspose", "b v", "y", strides=[4, 4], pads=[1, 1, 1, 1]),
    ]
    return model(nodes, [kernel("w", 6, 3, 3, 3), kernel("v", 6, 3, 6, 6)])


def attentive():
    """Each channel weighed by its mean over the image: it sees all of it."""
    nodes = [
        node("Conv", "x w", "a", pads=[1, 1, 1, 1]),
        node("GlobalAveragePool", "a", "m"),
        node("Mul", "a m", "b"),
        node("DepthToSpace", "b", "y", blocksize=2),
    ]
    return model(nodes, [kernel("w", 12, 3, 3, 3)])


def shifted():
    """Pixels from a place that counts from the far side of the picture: how far is not followed."""
    nodes = [
        node("Conv", "x w", "a", pads=[2, 2, 0, 0]),
        node("Pad", "a p", "b"),
        node("Slice", "b from to axes", "c"),
        node("DepthToSpace", "c", "y", blocksize=2),
    ]
    numbers = {"p": [0, 0, 0, 0, 0, 0, 1, 1], "from": [1, 1], "to": [1 << 30] * 2, "axes": [2, 3]}
    constants = [constant(name, np.array(value, np.int64)) for name, value in numbers.items()]
    return model(nodes, [kernel("w", 12, 3, 3, 3), *constants])
