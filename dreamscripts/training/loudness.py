"""Scale the layers of a student so that they are as loud as the teacher's: losses and weights then carry over.

The loudness of a layer is the root mean square of its channels. If a convolution's kernel and bias are multiplied by s,
its output is, too, also after a ReLU, pooling or concatenation. The kernels that read it are divided by s, so the
network computes the same otherwise. Convolutions whose outputs are added must have the same s: they are a group. A
group whose outputs reach a layer that is not homogeneous, such as a sigmoid or another normalisation, cannot be scaled.
"""

from collections import defaultdict

import keras
import numpy as np
from keras import ops

from dreamscripts.networks.graph import Call, calls
from dreamscripts.networks.network import Network

HOMOGENEOUS = {
    *("ReLU", "Relu", "LeakyReLU", "MaxPooling2D", "AveragePooling2D", "Dropout", "SpatialDropout2D", "Identity"),
    *("ZeroPadding2D", "Cropping2D", "UpSampling2D", "GlobalAveragePooling2D", "GlobalMaxPooling2D"),
}
ACTIVATIONS = (keras.activations.linear, keras.activations.relu)


def equalise(student: Network, teacher: Network, batches: list[np.ndarray]) -> None:
    """Scale the convolutions of `student` in place, by preprocessed pictures (N, H, W, 3).

    The loudness of a group is measured at its convolutions that the teacher has, too.
    """
    groups = _Groups(student.model)
    names = [layer.name for layer in student.model.layers if _can_scale(layer)]
    names = [name for name in names if name in {layer.name for layer in teacher.model.layers}]
    if not names:
        return
    own, theirs = (_mean_squares(network, names, batches) for network in (student, teacher))
    ratios = defaultdict(list)
    for name in names:
        group = groups.of_layer(name)
        if own[name] > 0 and theirs[name] > 0 and group not in groups.fixed:
            ratios[group].append(0.5 * np.log(theirs[name] / own[name]))
    scales = {group: float(np.exp(np.mean(values))) for group, values in ratios.items()}
    for layer in student.model.layers:
        if _can_scale(layer):
            before = np.array([scales.get(group, 1.0) for group in groups.of_channels(layer.input)])
            after = scales.get(groups.of_layer(layer.name), 1.0)
            kernel, *bias = layer.get_weights()
            layer.set_weights([kernel * (after / before)[None, None, :, None], *(b * after for b in bias)])


def _mean_squares(network: Network, names: list[str], batches: list[np.ndarray]) -> dict[str, float]:
    """Return {layer: mean square of its output} for layers of the network."""
    layers = {name: network.model.get_layer(name).output for name in names}
    whole = Network(network.name, keras.Model(network.model.inputs[0], layers), network.preprocessing)
    sums = dict.fromkeys(names, 0.0)
    for x in batches:
        for name, f in whole.features(x).items():
            sums[name] += float(ops.convert_to_numpy(ops.mean(ops.square(f))))
    return sums


def _can_scale(operation: keras.Operation) -> bool:
    """Return whether an operation is a convolution whose output grows in proportion to its kernel and bias."""
    return type(operation) is keras.layers.Conv2D and operation.groups == 1 and operation.activation in ACTIVATIONS


class _Groups:
    """The groups of convolutions that must have the same scale, as numbers. `fixed` are those that keep theirs."""

    def __init__(self, model: keras.Model):
        self._parents: list[int] = [0]  # group 0 has the scale 1, as the picture
        self._channels: dict[int, list[int]] = {}  # {id of a tensor: the group of each channel}
        self._layers: dict[str, int] = {}
        self._axis = 1 if model.inputs[0].shape[1] == 3 and model.inputs[0].shape[-1] != 3 else -1
        self._channels[id(model.inputs[0])] = [0] * 3
        for call in calls(model):
            self._add(call)

    @property
    def fixed(self) -> set[int]:
        """The group that cannot be scaled."""
        return {self._root(0)}

    def of_layer(self, name: str) -> int:
        """Return the group of a convolution."""
        return self._root(self._layers[name])

    def of_channels(self, tensor: keras.KerasTensor) -> list[int]:
        """Return the group of each channel of a tensor."""
        return [self._root(group) for group in self._channels[id(tensor)]]

    def _add(self, call: Call) -> None:
        """Find the groups of the channels that a call outputs."""
        kind, before = type(call.operation).__name__, [self._channels[id(tensor)] for tensor in call.inputs]
        if _can_scale(call.operation):
            self._layers[call.operation.name] = self._new()
            after = [self._layers[call.operation.name]] * call.operation.filters
        elif kind == "Concatenate" and call.operation.axis % 4 == self._axis % 4:
            after = [group for channels in before for group in channels]
        elif kind == "Add" and len({len(channels) for channels in before}) == 1:
            after = before[0]
            for channels in before[1:]:
                for one, other in zip(after, channels, strict=True):
                    self._join(one, other)
        elif kind in HOMOGENEOUS or (kind == "Activation" and call.operation.activation in ACTIVATIONS):
            after = before[0]
        else:
            for group in {group for channels in before for group in channels}:
                self._join(0, group)
            after = []
        for tensor in call.outputs:
            self._channels[id(tensor)] = after or [0] * (tensor.shape[self._axis] if len(tensor.shape) == 4 else 1)

    def _new(self) -> int:
        self._parents.append(len(self._parents))
        return len(self._parents) - 1

    def _root(self, group: int) -> int:
        while self._parents[group] != group:
            group = self._parents[group]
        return group

    def _join(self, one: int, other: int) -> None:
        self._parents[self._root(one)] = self._root(other)
