"""GoogLeNet (Szegedy et al. 2014, arXiv:1409.4842), built from the frozen TensorFlow graph that Google published.

Structure, names and weights are the file's own: a layer here is a node there, with that node's padding and strides.
The classifier is applied at every position, so that `softmax2` is a map of classes. The two training heads end at
`head0_bottleneck` and `head1_bottleneck`: what follows reads a map of 4×4 positions laid flat, which has no meaning
for pictures of another size than 224×224.
"""

import zipfile
import zlib
from graphlib import TopologicalSorter
from pathlib import Path

import keras
import numpy as np
from keras import layers, ops

from dreamscripts.errors import NetworkError, did_you_mean
from dreamscripts.networks.weights import fetch

ADDRESS = "https://storage.googleapis.com/download.tensorflow.org/models/inception5h.zip"
SHA256 = "d13569f6a98159de37e92e9c8ec4dae8f674fbf475f69fe6199b514f756d4364"  # as in TensorFlow's WORKSPACE file of 2017
LANDMARKS = ("conv2d0_pre_relu/conv", "mixed5b", "input")  # by these nodes the graph is known
ZEROS = {"kernel_initializer": "zeros"}  # until the file's are in place: random ones take JAX half a minute
FILES = "tensorflow_inception_graph.pb, or the inception5h.zip that holds it"


def build(weights: str | Path | None = None) -> keras.Model:
    """The network of a graph file, for pictures of any size; without one, or as "imagenet", Google's is downloaded."""
    if weights == "random":
        raise NetworkError(
            "googlenet cannot have random weights, as its structure comes with them in one file: "
            f"give {FILES} with --weights FILE, or leave 'weights' out to have it downloaded"
        )
    path = download() if weights in (None, "imagenet") else Path(weights)
    return _assemble(_read(path), path)


def download() -> Path:
    """The published zip, fetched once."""
    return fetch("googlenet", "inception5h.zip", ADDRESS, SHA256)


@keras.saving.register_keras_serializable("dreamscripts")
class LocalResponseNorm(layers.Layer):
    """Channels dampened by their neighbours (Krizhevsky et al. 2012): x / (bias + alpha · Σ x²)^beta.

    The sum goes over the channels from `depth_radius` before to `depth_radius` after. Names, meaning and defaults
    are those of TensorFlow's LRN.
    """

    def __init__(
        self, depth_radius: int = 5, bias: float = 1.0, alpha: float = 1.0, beta: float = 0.5, **options
    ) -> None:
        super().__init__(**options)
        self.depth_radius = depth_radius
        self.bias = bias
        self.alpha = alpha
        self.beta = beta

    def call(self, x):
        """The dampened x."""
        channel = np.arange(x.shape[-1])
        near = np.abs(channel[:, None] - channel) <= self.depth_radius
        # A product with a band of ones takes a fifth of the time of the same sum over slices.
        return x / ops.power(self.bias + self.alpha * ops.matmul(ops.square(x), near.astype("float32")), self.beta)

    def compute_output_shape(self, shape):
        """That of the input."""
        return shape

    def get_config(self) -> dict:
        """What the layer can be made from again."""
        parameters = {name: getattr(self, name) for name in ("depth_radius", "bias", "alpha", "beta")}
        return super().get_config() | parameters


def _read(path: Path) -> dict:
    """The nodes of GoogLeNet's graph by name, from the file itself or from a zip with it; NetworkError for others."""
    from google.protobuf.message import DecodeError
    from tensorflow.core.framework import graph_pb2

    try:
        data = path.read_bytes()
        if data.startswith(b"PK"):
            data = _unzip(path)
        nodes = {node.name: node for node in graph_pb2.GraphDef.FromString(data).node if node.op}
    except FileNotFoundError:
        raise NetworkError(f"{path}: there is no such file of weights{did_you_mean(str(path), ['imagenet'])}") from None
    except IsADirectoryError:
        raise NetworkError(f"{path}: is a folder; googlenet is built from {FILES}") from None
    except OSError as error:
        raise NetworkError(f"{path}: cannot be read: {error.strerror}") from None
    except DecodeError:
        nodes = {}
    if not nodes:  # much that is no graph is read as an empty one, without complaint
        raise NetworkError(f"{path}: is no TensorFlow graph, or a damaged one; googlenet is built from {FILES}")
    for name in LANDMARKS:
        if name not in nodes:
            raise NetworkError(
                f"{path}: is another network's graph, or cut short: it has no node '{name}'; "
                f"googlenet is built from {FILES}"
            )
    return nodes


def _unzip(path: Path) -> bytes:
    try:
        with zipfile.ZipFile(path) as archive:
            graphs = [entry for entry in archive.infolist() if entry.filename.endswith(".pb")]
            if graphs:
                return archive.read(max(graphs, key=lambda entry: entry.file_size))  # a Mac's zip has small twins
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError):  # the last for one with a password
        raise NetworkError(f"{path}: cannot be unzipped, it may be damaged; googlenet is built from {FILES}") from None
    raise NetworkError(f"{path}: is a zip without a .pb; googlenet is built from {FILES}")


def _assemble(nodes: dict, path: Path) -> keras.Model:
    """The Keras model of the nodes, its outputs those that no other node reads."""
    sources = {}
    for name, node in nodes.items():
        if node.op not in _MAKERS:
            raise NetworkError(f"{path}: has a node of a kind that is not known here: '{name}' is a {node.op}")
        sources[name] = [source.partition(":")[0] for source in node.input if not source.startswith("^")]
        for source in sources[name]:
            if source not in nodes:
                raise NetworkError(f"{path}: is damaged or cut short: '{name}' reads '{source}', which is not in it")

    made = {}  # what each node gives: an array, a Keras tensor, or None where it has no meaning at every size
    for name in TopologicalSorter(sources).static_order():
        given = [made[source] for source in sources[name]]
        try:
            made[name] = None if any(value is None for value in given) else _MAKERS[nodes[name].op](nodes[name], *given)
        except (ValueError, TypeError, IndexError) as error:
            reason = str(error).strip().splitlines()[0]
            raise NetworkError(f"{path}: the node '{name}' ({nodes[name].op}) does not fit: {reason}") from None
    read = {source for name in made if made[name] is not None for source in sources[name]}
    ends = [x for name, x in made.items() if isinstance(x, keras.KerasTensor) and name not in read]
    return keras.Model(made["input"], ends, name="googlenet")


def _constant(node) -> np.ndarray:
    from tensorflow import make_ndarray

    return make_ndarray(node.attr["value"].tensor)


def _convolution(node, x, kernel: np.ndarray):
    """A function of name and bias: in Keras both belong to the convolution, in the graph to the node that reads it."""
    _, _, _, channels = kernel.shape
    window = {"kernel_size": kernel.shape[:2], **_window(node)}
    return lambda name, bias: _apply(layers.Conv2D(channels, **window, **ZEROS, name=name), x, kernel, bias)


def _product(node, x, kernel: np.ndarray):
    """The same for the classifier, which is applied at every position by itself."""
    return lambda name, bias: _apply(layers.Dense(kernel.shape[1], **ZEROS, name=name), x, kernel, bias)


def _apply(layer: layers.Layer, x, *weights: np.ndarray):
    y = layer(x)
    layer.set_weights(weights)
    return y


def _local_response_norm(node, x):
    kinds = {"depth_radius": "i", "bias": "f", "alpha": "f", "beta": "f"}
    given = {key: getattr(node.attr[key], kind) for key, kind in kinds.items() if key in node.attr}
    return LocalResponseNorm(**given, name=node.name)(x)


def _window(node) -> dict:
    """Padding and strides of a node, as Keras calls them."""
    if node.attr["data_format"].s not in (b"", b"NHWC"):
        raise ValueError("its channels come first")
    return {"strides": tuple(node.attr["strides"].list.i[1:3]), "padding": node.attr["padding"].s.decode().lower()}


def _pool(layer):
    # The graph's averages are VALID. On PyTorch Keras has its own idea of SAME ones: they would count the border twice.
    def pool(node, x):
        return layer(tuple(node.attr["ksize"].list.i[1:3]), **_window(node), name=node.name)(x)

    return pool


def _concatenation(node, *tensors_and_axis):
    *tensors, axis = tensors_and_axis
    return layers.Concatenate(int(axis), name=node.name)(tensors)


def _rows(node, x, shape: np.ndarray):
    """A map as rows of its channels is the map itself here; one laid flat in any other way is left out."""
    return x if shape[-1] == x.shape[-1] else None


_MAKERS = {
    "Placeholder": lambda node: keras.Input((None, None, 3), name=node.name),
    "Const": _constant,
    "Conv2D": _convolution,
    "MatMul": _product,
    **dict.fromkeys(("BiasAdd", "Add", "AddV2"), lambda node, product, bias: product(node.name, bias)),
    "Relu": lambda node, x: layers.ReLU(name=node.name)(x),
    "LRN": _local_response_norm,
    "MaxPool": _pool(layers.MaxPooling2D),
    "AvgPool": _pool(layers.AveragePooling2D),
    "Concat": lambda node, axis, *tensors: _concatenation(node, *tensors, axis),
    "ConcatV2": _concatenation,
    "Reshape": _rows,
    "Softmax": lambda node, x: layers.Softmax(name=node.name)(x),
    "Identity": lambda node, x: x if isinstance(x, np.ndarray) else layers.Identity(name=node.name)(x),
}
