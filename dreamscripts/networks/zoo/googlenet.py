"""GoogLeNet (Szegedy et al. 2014, arXiv:1409.4842), built from the frozen TensorFlow graph that Google published.

Structure, names and weights are those of the file. Each layer is a node, with the node's padding and strides. The
classifier is applied at each position, so `softmax2` is a map of classes. The two training heads end at
`head0_bottleneck` and `head1_bottleneck`. Their next layer flattens a map of 4×4 positions, which only pictures of
224×224 have.
"""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Callable
from graphlib import TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dreamscripts.backends.lazy_keras import keras
from dreamscripts.errors import NetworkError
from dreamscripts.networks.family import Family
from dreamscripts.networks.file_checks import check_unpacked, check_weights_file
from dreamscripts.registry import FAMILIES

if TYPE_CHECKING:
    import numpy as np

ADDRESS = "https://storage.googleapis.com/download.tensorflow.org/models/inception5h.zip"
SHA256 = "d13569f6a98159de37e92e9c8ec4dae8f674fbf475f69fe6199b514f756d4364"  # as in TensorFlow's WORKSPACE file of 2017
LANDMARKS = ("conv2d0_pre_relu/conv", "mixed5b", "input")  # every GoogLeNet graph has these nodes
ZEROS = {"kernel_initializer": "zeros"}  # until the file is loaded, because random numbers take half a minute with JAX
FILES = "tensorflow_inception_graph.pb, or the inception5h.zip that contains it"


def trained(name: str = "googlenet") -> keras.Model:
    """Build the network from the published graph file, which is downloaded once."""
    from dreamscripts.networks.weights import fetch

    path = fetch(name, "inception5h.zip", ADDRESS, SHA256)
    return _assemble(_read(path), path)


def from_weights(name: str, weights: str) -> keras.Model:
    """Build the network from a graph file, for pictures of any size."""
    if weights == "random":
        raise NetworkError(
            f"{name} cannot have random weights, because one file holds its structure and its weights: "
            f"use --weights FILE with {FILES}, or remove 'weights' to download the file"
        )
    return _assemble(_read(Path(weights)), Path(weights))


def _read(path: Path) -> dict:
    """Read the nodes of GoogLeNet's graph by name, from its file or a zip. Raises NetworkError for other files."""
    from google.protobuf.message import DecodeError
    from tensorflow.core.framework import graph_pb2

    check_weights_file(path)
    try:
        data = path.read_bytes()
        if data.startswith(b"PK"):
            data = _unzip(path)
        nodes = {node.name: node for node in graph_pb2.GraphDef.FromString(data).node if node.op}
    except OSError as error:
        raise NetworkError(f"{path}: cannot be read: {error.strerror}") from None
    except DecodeError:
        nodes = {}
    if not nodes:  # many other files are read as an empty graph without an error
        raise NetworkError(f"{path}: is not a TensorFlow graph, or is damaged; googlenet is built from {FILES}")
    shapes = [node.attr["value"].tensor.tensor_shape for node in nodes.values() if node.op == "Const"]
    check_unpacked(path, 4 * sum(math.prod(axis.size for axis in shape.dim) for shape in shapes))
    for name in LANDMARKS:
        if name not in nodes:
            raise NetworkError(
                f"{path}: is the graph of another network, or is incomplete: it has no node '{name}'; "
                f"googlenet is built from {FILES}"
            )
    return nodes


def _unzip(path: Path) -> bytes:
    try:
        with zipfile.ZipFile(path) as archive:
            check_unpacked(path, sum(entry.file_size for entry in archive.infolist()))
            graphs = [entry for entry in archive.infolist() if entry.filename.endswith(".pb")]
            if graphs:
                return archive.read(
                    max(graphs, key=lambda entry: entry.file_size)
                )  # a zip from a Mac also has small .pb files
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError):  # RuntimeError: it has a password
        raise NetworkError(f"{path}: cannot be unzipped and may be damaged; googlenet is built from {FILES}") from None
    raise NetworkError(f"{path}: is a zip without a .pb; googlenet is built from {FILES}")


def _assemble(nodes: dict, path: Path) -> keras.Model:
    """Build the Keras model of the nodes. Its outputs are the nodes that no other node reads."""
    sources = {}
    for name, node in nodes.items():
        if node.op not in _MAKERS:
            raise NetworkError(f"{path}: the node '{name}' is of an unknown kind: {node.op}")
        sources[name] = [source.partition(":")[0] for source in node.input if not source.startswith("^")]
        for source in sources[name]:
            if source not in nodes:
                raise NetworkError(f"{path}: is damaged or incomplete: '{name}' reads '{source}', which is not in it")

    made: dict[str, Any] = {}  # an array, a Keras tensor, or None for a node that needs one size of picture
    for name in TopologicalSorter(sources).static_order():
        inputs = [made[source] for source in sources[name]]
        try:
            made[name] = (
                None if any(value is None for value in inputs) else _MAKERS[nodes[name].op](nodes[name], *inputs)
            )
        except (ValueError, TypeError, IndexError) as error:
            reason = str(error).strip().splitlines()[0]
            raise NetworkError(f"{path}: the node '{name}' ({nodes[name].op}) does not fit: {reason}") from None
    read = {source for name in made if made[name] is not None for source in sources[name]}
    ends = [x for name, x in made.items() if isinstance(x, keras.KerasTensor) and name not in read]
    return keras.Model(made["input"], ends, name="googlenet")


def _constant(node: Any) -> np.ndarray:
    from tensorflow import make_ndarray

    return make_ndarray(node.attr["value"].tensor)


def _convolution(node: Any, x: keras.KerasTensor, kernel: np.ndarray) -> Callable:
    """Return a function of name and bias that applies the convolution.

    In the graph, name and bias are in the node after the convolution.
    """
    _, _, _, channels = kernel.shape
    window = {"kernel_size": kernel.shape[:2], **_window(node)}
    return lambda name, bias: _apply(keras.layers.Conv2D(channels, **window, **ZEROS, name=name), x, kernel, bias)


def _product(node: Any, x: keras.KerasTensor, kernel: np.ndarray) -> Callable:
    """Return a function of name and bias that applies the classifier at each position."""
    return lambda name, bias: _apply(keras.layers.Dense(kernel.shape[1], **ZEROS, name=name), x, kernel, bias)


def _apply(layer: keras.Layer, x: keras.KerasTensor, *weights: np.ndarray) -> keras.KerasTensor:
    y = layer(x)
    layer.set_weights(weights)
    return y


def _local_response_norm(node: Any, x: keras.KerasTensor) -> keras.KerasTensor:
    from dreamscripts.networks.local_response_norm import LocalResponseNorm

    kinds = {"depth_radius": "i", "bias": "f", "alpha": "f", "beta": "f"}
    options = {key: getattr(node.attr[key], kind) for key, kind in kinds.items() if key in node.attr}
    return LocalResponseNorm(**options, name=node.name)(x)


def _window(node: Any) -> dict[str, Any]:
    """Return padding and strides of a node, as arguments of a Keras layer."""
    if node.attr["data_format"].s not in (b"", b"NHWC"):
        raise ValueError("its channels are the first axis")
    return {"strides": tuple(node.attr["strides"].list.i[1:3]), "padding": node.attr["padding"].s.decode().lower()}


def _pool(kind: str) -> Callable:
    # The graph's averages are VALID. With PyTorch, Keras counts the border twice in SAME averages.
    def pool(node: Any, x: keras.KerasTensor) -> keras.KerasTensor:
        layer = getattr(keras.layers, kind)
        return layer(tuple(node.attr["ksize"].list.i[1:3]), **_window(node), name=node.name)(x)

    return pool


def _concatenation(node: Any, *tensors_and_axis: Any) -> keras.KerasTensor:
    *tensors, axis = tensors_and_axis
    return keras.layers.Concatenate(int(axis), name=node.name)(tensors)


def _rows(node: Any, x: keras.KerasTensor, shape: np.ndarray) -> keras.KerasTensor | None:
    """Return x unchanged if it is reshaped to rows of channels, and None for any other shape."""
    return x if shape[-1] == x.shape[-1] else None


_MAKERS: dict[str, Callable[..., Any]] = {
    "Placeholder": lambda node: keras.Input((None, None, 3), name=node.name),
    "Const": _constant,
    "Conv2D": _convolution,
    "MatMul": _product,
    **dict.fromkeys(("BiasAdd", "Add", "AddV2"), lambda node, product, bias: product(node.name, bias)),
    "Relu": lambda node, x: keras.layers.ReLU(name=node.name)(x),
    "LRN": _local_response_norm,
    "MaxPool": _pool("MaxPooling2D"),
    "AvgPool": _pool("AveragePooling2D"),
    "Concat": lambda node, axis, *tensors: _concatenation(node, *tensors, axis),
    "ConcatV2": _concatenation,
    "Reshape": _rows,
    "Softmax": lambda node, x: keras.layers.Softmax(name=node.name)(x),
    "Identity": lambda node, x: keras.layers.Identity(name=node.name)(x) if isinstance(x, keras.KerasTensor) else x,
}

FAMILIES.add(
    Family(
        name="googlenet",
        networks={"googlenet": 50},
        preprocessing="googlenet",
        build=trained,
        trained=trained,
        from_weights=from_weights,
        equivalents={
            **{(1, 1): "conv2d0", (2, 1): "conv2d0"},
            **{(4, number): "conv2d2" for number in (1, 2, 3)},
            **{(8, 1): "mixed3a", (8, 2): "mixed3b", (8, 3): "mixed3b"},
            **{(16, 1): "mixed4a", (16, 2): "mixed4b", (16, 3): "mixed4c", (16, 4): "mixed4d"},
            **{(16, 5): "mixed4e", (16, 6): "mixed5a", (16, 7): "mixed5b", (16, 8): "mixed5b"},
        },
    )
)
