"""GoogLeNet's frozen graph with random weights, built and run in TensorFlow's graph mode.

Names, structure and attributes are as in `tensorflow_inception_graph.pb`, but the dense layers of the training heads
are narrower. Nothing is imported from dreamscripts, so the tests can compare the package with this graph.
"""

import numpy as np
import tensorflow as tf

v1 = tf.compat.v1

CHANNELS = {  # 1x1, 3x3_bottleneck, 3x3, 5x5_bottleneck, 5x5, pool_reduce
    "mixed3a": (64, 96, 128, 16, 32, 32),
    "mixed3b": (128, 128, 192, 32, 96, 64),
    "mixed4a": (192, 96, 204, 16, 48, 64),
    "mixed4b": (160, 112, 224, 24, 64, 64),
    "mixed4c": (128, 128, 256, 24, 64, 64),
    "mixed4d": (112, 144, 288, 32, 64, 64),
    "mixed4e": (256, 160, 320, 32, 128, 128),
    "mixed5a": (256, 160, 320, 48, 128, 128),
    "mixed5b": (384, 192, 384, 48, 128, 128),
}
LRN = {"depth_radius": 5, "bias": 1.0, "alpha": 1e-4, "beta": 0.5}
NEWER = (
    "data_format",
    "dilations",
    "explicit_paddings",
    "grad_a",
    "grad_b",
)  # attributes that the file of 2015 does not have


def build(seed: int = 0, thin: int = 1) -> v1.GraphDef:
    """Build the graph. The number of channels of each convolution is divided by `thin`."""
    rng = np.random.default_rng(seed)
    with tf.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, (None, None, None, 3), name="input")
        x = _conv(rng, x, "conv2d0", 64 // thin, 7, strides=2)
        x = tf.nn.max_pool2d(x, 3, 2, "SAME", name="maxpool0")
        x = tf.nn.local_response_normalization(x, **LRN, name="localresponsenorm0")
        x = _conv(rng, x, "conv2d1", 64 // thin, 1)
        x = _conv(rng, x, "conv2d2", 192 // thin, 3)
        x = tf.nn.local_response_normalization(x, **LRN, name="localresponsenorm1")
        x = tf.nn.max_pool2d(x, 3, 2, "SAME", name="maxpool1")
        ends = {}
        for name, channels in CHANNELS.items():
            if name == "mixed4a":
                x = tf.nn.max_pool2d(x, 3, 2, "SAME", name="maxpool4")
            if name == "mixed5a":
                x = tf.nn.max_pool2d(x, 3, 2, "SAME", name="maxpool10")
            x = ends[name] = _mixed(rng, x, name, [wide // thin for wide in channels])
        x = tf.nn.avg_pool2d(x, 7, 1, "VALID", name="avgpool0")
        for number, block in enumerate(("mixed4a", "mixed4d")):
            head = tf.nn.avg_pool2d(ends[block], 5, 3, "VALID", name=f"head{number}_pool")
            head = _conv(rng, head, f"head{number}_bottleneck", 128 // thin, 1)
            head = _rows(head, f"head{number}_bottleneck", 16 * 128 // thin)
            head = tf.nn.relu(_dense(rng, head, f"nn{number}", 32, f"nn{number}_pre_relu"), name=f"nn{number}")
            _classify(rng, _rows(head, f"nn{number}", 32), f"softmax{number}", ("output", "output1")[number])
        _classify(rng, _rows(x, "avgpool0", 1024 // thin), "softmax2", "output2")
    made = graph.as_graph_def()
    for node in made.node:
        for attribute in NEWER:
            node.attr.pop(attribute, None)
    made.ClearField("versions")
    made.versions.producer = 8
    return made


def ask(graph: v1.GraphDef, x: np.ndarray, names: list[str]) -> dict[str, np.ndarray]:
    """Return the outputs of the named nodes for pictures x (N, H, W, 3)."""
    with tf.Graph().as_default():
        tensors = tf.import_graph_def(graph, return_elements=[f"{name}:0" for name in ("input", *names)])
        with v1.Session() as session:
            return dict(zip(names, session.run(tensors[1:], {tensors[0]: x}), strict=True))


def gradient(graph: v1.GraphDef, x: np.ndarray, names: list[str]) -> np.ndarray:
    """Return the gradient at x of half the sum of squares of the outputs of the named nodes."""
    with tf.Graph().as_default():
        picture, *features = tf.import_graph_def(graph, return_elements=[f"{name}:0" for name in ("input", *names)])
        (slope,) = v1.gradients([tf.reduce_sum(f**2) / 2 for f in features], picture)
        with v1.Session() as session:
            return session.run(slope, {picture: x})


def _conv(rng, x, name: str, channels: int, side: int, strides: int = 1):
    shape = (side, side, x.shape[-1], channels)
    kernel = _weight(rng.normal(0, np.sqrt(2 / np.prod(shape[:3])), shape), f"{name}_w")
    bias = _weight(rng.normal(0, 1, channels), f"{name}_b")
    x = tf.nn.conv2d(x, kernel, strides, "SAME", name=f"{name}_pre_relu/conv")
    return tf.nn.relu(tf.nn.bias_add(x, bias, name=f"{name}_pre_relu"), name=name)


def _mixed(rng, x, name: str, channels: list[int]):
    one, small, three, smaller, five, reduced = channels
    branches = [
        _conv(rng, x, f"{name}_1x1", one, 1),
        _conv(rng, _conv(rng, x, f"{name}_3x3_bottleneck", small, 1), f"{name}_3x3", three, 3),
        _conv(rng, _conv(rng, x, f"{name}_5x5_bottleneck", smaller, 1), f"{name}_5x5", five, 5),
    ]
    x = tf.nn.max_pool2d(x, 3, 1, "SAME", name=f"{name}_pool")
    branches.append(_conv(rng, x, f"{name}_pool_reduce", reduced, 1))
    axis = tf.constant(3, name=f"{name}/concat_dim")
    return tf.raw_ops.Concat(concat_dim=axis, values=branches, name=name)


def _rows(x, name: str, width: int):
    return tf.reshape(x, tf.constant([-1, width], name=f"{name}/reshape/shape"), name=f"{name}/reshape")


def _classify(rng, rows, name: str, output: str):
    tf.identity(tf.nn.softmax(_dense(rng, rows, name, 1008, f"{name}_pre_activation"), name=name), name=output)


def _dense(rng, rows, name: str, width: int, product: str):
    kernel = _weight(rng.normal(0, np.sqrt(1 / rows.shape[-1]), (rows.shape[-1], width)), f"{name}_w")
    bias = _weight(rng.normal(0, 1, width), f"{name}_b")
    return tf.nn.bias_add(tf.matmul(rows, kernel, name=f"{product}/matmul"), bias, name=product)


def _weight(values: np.ndarray, name: str):
    return tf.constant(values.astype(np.float32), name=name)
