"""Models that Keras 2 saved as `.h5`, in forms that Keras 3 cannot read.

Keras 2 counts the calls of an inner model from 1. It has a layer `TFOpLambda` for each operator such as `x / 255` or
`tf.nn.relu(x)`, with the name of TensorFlow's function, and `SlicingOpLambda` for `x[…]`. A tensor among the arguments
of an operator is written as `["layer", 0, 0]`. Keras 3 reads tensors in the first argument only.
"""

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import keras
from keras import ops
from keras.src.legacy.saving import json_utils, saving_options, saving_utils
from keras.src.saving.serialization_lib import SafeModeScope

_OPERATORS = ("TFOpLambda", "SlicingOpLambda")
_CONSTANT = "_CONSTANT_VALUE"
_FIRST = ""  # the key of the first argument, because its real name depends on the function


@dataclass(frozen=True)
class Slot:
    """The place of a tensor among the arguments of an operator."""

    number: int


class LegacyOperator(keras.Layer):
    """An operator of Keras 2. `function` is TensorFlow's name for it, such as `math.truediv`."""

    def __init__(self, function: str, **options: Any) -> None:
        super().__init__(**options)
        self.function = function

    def call(self, inputs: Any, arguments: Mapping[str, Any]) -> Any:
        """Compute the operator by keras.ops. `inputs`, a tensor or a list, replace the slots in the arguments."""
        tensors = inputs if isinstance(inputs, list) else [inputs]
        first, *rest = (_filled(value, tensors) for value in arguments.values())
        names = [name for name in arguments if name != _FIRST]
        return _FUNCTIONS[self.function](first, **dict(zip(names, rest, strict=True)))

    def compute_output_spec(self, inputs: Any, arguments: Mapping[str, Any]) -> keras.KerasTensor:
        """Return the shape and type of the output for symbolic tensors."""
        output = self.call(inputs, arguments)
        return keras.KerasTensor(output.shape, output.dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make the same layer."""
        return super().get_config() | {"function": self.function}


def is_by_keras2(path: Path) -> bool:
    """Return whether Keras 2 saved this file as `.h5`."""
    if path.suffix == ".keras":
        return False
    with h5py.File(path) as file:
        return str(file.attrs.get("keras_version", "")).startswith(("2", "b'2"))


def build_from(config: dict[str, Any], by_keras2: bool) -> keras.Model:
    """Build a model from the config in an `.h5`, without its weights. Raises the same errors as Keras."""
    decoded = json_utils.decode(json.dumps(config))
    operators = dict.fromkeys(_OPERATORS, LegacyOperator)
    with saving_options.keras_option_scope(use_legacy_config=True), SafeModeScope(True):
        return saving_utils.model_from_config(_for_keras3(decoded) if by_keras2 else decoded, custom_objects=operators)


def _for_keras3(config: dict[str, Any]) -> dict[str, Any]:
    """Convert the calls in the config of a model, and of its inner models, to those of Keras 3."""
    inside = config["config"]
    if not isinstance(inside, dict) or "layers" not in inside:
        return config
    models = {part["config"]["name"]: part["class_name"] for part in inside["layers"] if "layers" in part["config"]}
    sequential = {name for name, kind in models.items() if kind == "Sequential"}
    layers = []
    for layer in inside["layers"]:
        function = layer["config"].get("function") if layer["class_name"] in _OPERATORS else None
        if function and function not in _FUNCTIONS:
            raise ValueError(f"the layer '{layer['name']}' is TensorFlow's {function}, which is not supported")
        layers.append(_for_keras3(layer))
        if "inbound_nodes" in layer:
            read = _as_layer_call if layer["class_name"] in _OPERATORS else list
            layers[-1] = layers[-1] | {
                "inbound_nodes": [
                    [_counted(tensor, models) for tensor in read(call)] for call in layer["inbound_nodes"]
                ]
            }
    inside = inside | {"layers": layers}
    if "output_layers" in inside:  # here Keras 3 counts the calls of functional models from 1, as Keras 2 did
        inside["output_layers"] = _with_tensors(inside["output_layers"], lambda tensor: _counted(tensor, sequential))
    return config | {"config": inside}


def _counted(tensor: list, models: Collection[str]) -> list:
    """In a tensor [layer, number of the call, …], count the calls from 0 instead of 1 if the layer is in `models`."""
    layer, number, *rest = tensor
    return [layer, number - (layer in models), *rest]


def _as_layer_call(call: list) -> list[list]:
    """Convert the call of an operator to that of a layer: its tensors, each as [layer, number, output, arguments]."""
    found: list[list] = []

    def slot(tensor: list) -> Slot:
        found.append(tensor[:3])
        return Slot(len(found) - 1)

    *_, others = call if isinstance(call[0], str) else call[0]
    first = call[2] if call[0] == _CONSTANT else _with_tensors(call, slot)
    arguments = {_FIRST: first, **{name: _with_tensors(value, slot) for name, value in others.items()}}
    return [[*tensor, {"arguments": arguments}] for tensor in found]


def _with_tensors(value: Any, make: Callable[[list], Any]) -> Any:
    """Apply `make` to every tensor in a structure: [layer, number of the call, number of the output, …]."""
    if not isinstance(value, list):
        return value
    if len(value) in (3, 4) and isinstance(value[0], str) and all(isinstance(number, int) for number in value[1:3]):
        return make(value)
    return [_with_tensors(item, make) for item in value]


def _filled(value: Any, tensors: list) -> Any:
    if isinstance(value, Slot):
        return tensors[value.number]
    return [_filled(item, tensors) for item in value] if isinstance(value, (list, tuple)) else value


def _unary(function: Callable) -> Callable:
    return lambda x, name=None: function(x)


def _binary(function: Callable) -> Callable:
    return lambda x, y, name=None: function(x, y)


def _sliced(x: Any, slice_spec: list) -> Any:
    return index(
        x, [slice(key["start"], key["stop"], key["step"]) if isinstance(key, dict) else key for key in slice_spec]
    )


def index(x: Any, key: Any) -> Any:
    """Compute x[key]. A whole axis in reverse is flipped, because PyTorch has no negative steps."""
    parts = list(key) if isinstance(key, (list, tuple)) else [key]
    if Ellipsis in parts:
        at = parts.index(Ellipsis)
        parts[at : at + 1] = [slice(None)] * (len(x.shape) + 1 - len(parts))
    reversed_axes = [axis for axis, part in enumerate(parts) if part == slice(None, None, -1)]
    rest = tuple(slice(None) if axis in reversed_axes else part for axis, part in enumerate(parts))
    x = ops.flip(x, axis=reversed_axes[0] if len(reversed_axes) == 1 else reversed_axes) if reversed_axes else x
    return x if reversed_axes and all(part == slice(None) for part in rest) else x[rest]


def _plus_bias(x: Any, bias: Any, data_format: str | None = None, name: str | None = None) -> Any:
    first = data_format in ("NCHW", "channels_first")
    return ops.add(x, ops.reshape(ops.convert_to_tensor(bias), (-1, 1, 1) if first else (-1,)))


_FUNCTIONS: dict[str, Callable] = {
    "concat": lambda x, axis, name=None: ops.concatenate(x, axis=axis),
    "cast": lambda x, dtype, name=None: ops.cast(x, dtype),
    "reshape": lambda x, shape, name=None: ops.reshape(x, shape),
    "math.reduce_mean": lambda x, axis=None, keepdims=False, name=None: ops.mean(x, axis=axis, keepdims=keepdims),
    "nn.leaky_relu": lambda x, alpha=0.2, name=None: ops.leaky_relu(x, alpha),
    "nn.bias_add": _plus_bias,
    "__operators__.getitem": _sliced,
    "__operators__.add": _binary(ops.add),
    "math.pow": _binary(ops.power),
    "math.truediv": _binary(ops.true_divide),
    **{f"math.{name}": _binary(getattr(ops, name)) for name in ("add", "subtract", "multiply", "maximum", "minimum")},
    **{f"math.{name}": _unary(getattr(ops, name)) for name in ("sigmoid", "tanh", "softplus", "square", "sqrt", "exp")},
    **{f"math.{name}": _unary(getattr(ops, name)) for name in ("abs", "negative")},
    **{
        f"nn.{name}": _unary(getattr(ops, name)) for name in ("relu", "relu6", "elu", "selu", "silu", "gelu", "softmax")
    },
}
