"""What is fastest here: which convolutions go by Winograd's algorithm, and whether TensorFlow compiles with XLA.

All ways give the same numbers to the sixth digit. Which is faster depends on processor, backend, version and network,
so it is measured, and the answer is kept for later runs on this machine (cache.py). A long run tries by itself from how
many channels on Winograd gains, which takes seconds. XLA takes longer to compile than a trial may last: only `bench`
tries it. A run that is too short for a trial takes a kept answer, or what loses little anywhere.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

import keras
import numpy as np

from dreamscripts.backends import cache, compiling, host
from dreamscripts.backends.startup import installed
from dreamscripts.networks.graph import is_channels_first
from dreamscripts.networks.layers import describe_layers
from dreamscripts.networks.network import Network
from dreamscripts.networks.rewrite.winograd import WinogradConv2D, gain, transformed_weights

# The multiplications of a run's forward passes from which a trial is won back: 14 passes of VGG16 at 800×800, 56 at
# 400×400. It takes about as long as one of those, or four of these, once for all runs.
LONG = 2.5e12
PROBED = 6e8  # multiplications of a layer in a trial, forward: enough of its picture to tell the two ways apart
REPEATS = 3


@dataclass(frozen=True)
class Kind:
    """3×3 convolutions of so many channels in and out, and the largest picture that the network has for them."""

    channels: int
    filters: int
    height: int
    width: int

    @property
    def gain(self) -> float:
        """As of a layer (networks/winograd.py)."""
        return self.channels * self.filters / (self.channels + self.filters)


@dataclass(frozen=True)
class Trial:
    """What a kind of layer took, forward and backward over a strip of its picture, in seconds of either way."""

    layer: str
    direct: float
    winograd: float


@dataclass(frozen=True)
class Choices:
    """How a run computes. 3×3 convolutions whose gain is at least `winograd_from` go by Winograd; None is for nowhere.

    `trials` are what that follows from; none where nothing was tried.
    """

    xla: bool = False
    winograd_from: float | None = None
    trials: tuple[Trial, ...] = ()

    @classmethod
    def read(cls, record: Mapping) -> "Choices":
        """Choices from what `record` gave. Raises KeyError, TypeError or ValueError where it is something else."""
        least = record["winograd_from"]
        trials = tuple(Trial(**trial) for trial in record["trials"])
        return cls(bool(record["xla"]), None if least is None else float(least), trials)

    def record(self) -> dict:
        """The same, for JSON."""
        return asdict(self)


def choose(network: Network, height: int, width: int, passes: int) -> Choices:
    """How a run of so many passes over pictures of that size computes: as kept, as tried now, or as is safe."""
    kinds = kinds_of(network, height, width)
    long = network.multiplications(height, width) * passes >= LONG
    choices = recall(network, kinds)
    if choices is None:
        choices = measure(network, kinds) if long else safe()
    return choices if long else Choices(False, choices.winograd_from, choices.trials)  # XLA takes seconds to compile


def safe() -> Choices:
    """What gained, or lost little, wherever it was measured. A GPU's library has algorithms of its own."""
    if host.on_gpu():
        return Choices()
    return Choices(winograd_from=150 if keras.backend.backend() == "jax" else 50)


def recall(network: Network, kinds: Sequence[Kind]) -> Choices | None:
    """The answer of an earlier trial on this machine; None where there is none."""
    try:
        return Choices.read(cache.recall(_key(network, kinds)))
    except (KeyError, TypeError, ValueError):
        return None


def keep(network: Network, kinds: Sequence[Kind], choices: Choices) -> None:
    """Keep an answer for later runs on this machine."""
    cache.keep(_key(network, kinds), choices.record())


def measure(network: Network, kinds: Sequence[Kind]) -> Choices:
    """Try where Winograd gains, and keep the answer. Where there is nothing to try, or a GPU, the answer is `safe`."""
    if host.on_gpu() or not kinds:
        return safe()
    choices = decide(kinds, time_layer)
    keep(network, kinds, choices)
    return choices


def decide(kinds: Sequence[Kind], time_layer: Callable[[Kind], tuple[float, float]]) -> Choices:
    """Find by bisection the least gain with which Winograd is faster, so that few kinds are timed.

    `time_layer(kind)` gives the seconds of the direct convolution and of Winograd's.
    """
    kinds = sorted(kinds, key=lambda kind: kind.gain)
    trials = []
    low, high = 0, len(kinds)
    while low < high:
        middle = (low + high) // 2
        kind = kinds[middle]
        direct, winograd = time_layer(kind)
        trials.append(Trial(f"{kind.channels}→{kind.filters} at {kind.width}×{kind.height}", direct, winograd))
        low, high = (low, middle) if winograd < direct else (middle + 1, high)
    return Choices(winograd_from=kinds[low].gain if low < len(kinds) else None, trials=tuple(trials))


def kinds_of(network: Network, height: int, width: int) -> list[Kind]:
    """The kinds of convolution in a network that might go by Winograd, for a picture of that size."""
    if is_channels_first(network.model):
        return []
    kinds: dict[tuple[int, int], Kind] = {}
    for facts in describe_layers(network.model):
        if gain(facts.operation):
            channels, filters = facts.operation.kernel.shape[2:]
            sides = (max(1, side // facts.stride) for side in (height, width))
            kinds.setdefault((channels, filters), Kind(channels, filters, *sides))
    return list(kinds.values())


def time_layer(kind: Kind, clock: Callable[[], float] = time.perf_counter) -> tuple[float, float]:
    """Seconds of such a layer with its ReLU, forward and backward over a strip: direct, and by Winograd.

    The best of a few passes of each, made in turn.
    """
    width = min(kind.width, 512)
    height = min(kind.height, max(16, int(PROBED / (9 * kind.channels * kind.filters * width))))
    x = np.random.default_rng(0).normal(size=(1, height, width, 3)).astype(np.float32)
    runs = [_compiled(layer, kind) for layer in _both_ways(kind)]
    seconds = [np.inf, np.inf]
    for repeat in range(1 + REPEATS):
        for way, run in enumerate(runs):
            started = clock()
            _, gradient = run(x)
            keras.ops.convert_to_numpy(gradient)  # waits for it
            if repeat:  # the first compiles
                seconds[way] = min(seconds[way], clock() - started)
    return seconds[0], seconds[1]


def _compiled(layer: keras.Layer, kind: Kind) -> compiling.Pass:
    """A pass through one layer, whose channels are all the first of the picture."""

    def terms_of(x):
        features = layer(keras.ops.multiply(x[..., :1], np.ones(kind.channels, np.float32)))
        return keras.ops.reshape(keras.ops.sum(keras.ops.square(features)), (1,))

    return compiling.compile_pass(terms_of, layer.variables, xla=False)


def _both_ways(kind: Kind) -> tuple[keras.Layer, keras.Layer]:
    """A direct convolution of that kind, and the same by Winograd."""
    direct, winograd = (
        layer(
            kind.filters,
            3,
            padding="same",
            activation="relu",
            data_format="channels_last",
            dtype="float32",
            kernel_initializer="zeros",  # draws nothing from Keras's own random numbers
            name="tried",
        )
        for layer in (keras.layers.Conv2D, WinogradConv2D)
    )
    for layer in (direct, winograd):
        layer.build((None, None, None, kind.channels))
    shape = (3, 3, kind.channels, kind.filters)
    kernel = np.random.default_rng(0).normal(size=shape) / np.sqrt(9 * kind.channels)
    weights = kernel, np.zeros(kind.filters)
    direct.set_weights(weights)
    winograd.set_weights(transformed_weights(*weights))
    return direct, winograd


def _key(network: Network, kinds: Sequence[Kind]) -> cache.Key:
    backend = keras.backend.backend()
    return {
        "what": "convolutions",
        **host.machine(),
        "backend": backend,
        "version": installed(backend),
        "network": network.name,
        "kinds": sorted([kind.channels, kind.filters] for kind in kinds),
    }
