"""Find the fastest way to compute on this machine: direct or Winograd convolutions, with or without TensorFlow's XLA.

All ways give the same numbers to six digits. The fastest depends on processor, backend, version and network, so it is
measured, and the result is saved for later runs (backends/cache.py). A long run measures, in some seconds, the number
of channels from which Winograd's algorithm is faster. Only `bench` tries XLA, because compiling takes too long. A run
that is too short for a trial uses a saved result, or a safe choice.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, get_args

import keras
import numpy as np

from dreamscripts.backends import cache, compiling, host
from dreamscripts.backends.startup import installed
from dreamscripts.networks.graph import is_channels_first
from dreamscripts.networks.layers import describe_layers
from dreamscripts.networks.network import Network
from dreamscripts.networks.rewrite.winograd import WinogradConv2D, gain, transformed_weights
from dreamscripts.settings.schema import Precision

# Smallest number of multiplications in a run's forward passes for which a trial is made: 14 passes of VGG16 at 800×800,
# or 56 at 400×400. A trial takes about as long as one pass at 800×800. It is made once, and later runs use its result.
LONG = 2.5e12
PROBED = 6e8  # multiplications of a layer in the forward pass of a trial: enough to find the faster algorithm
REPEATS = 3


@dataclass(frozen=True)
class Kind:
    """3×3 convolutions with `channels` inputs and `filters` outputs, and the size of their largest map."""

    channels: int
    filters: int
    height: int
    width: int

    @property
    def gain(self) -> float:
        """The gain of such a layer (rewrite/winograd.py)."""
        return self.channels * self.filters / (self.channels + self.filters)


@dataclass(frozen=True)
class Trial:
    """The seconds of each algorithm for a kind of layer, forward and backward over a strip of its map."""

    layer: str
    direct: float
    winograd: float


@dataclass(frozen=True)
class Choices:
    """The algorithms of a run. 3×3 convolutions with a gain of at least `winograd_from` use Winograd's algorithm.

    With None, no convolution uses it. `trials` are the measurements behind the choice, if they were made. `precision`
    is that of the network. With None, it is the one that the settings ask for.
    """

    xla: bool = False
    winograd_from: float | None = None
    trials: tuple[Trial, ...] = ()
    precision: Precision | None = None

    @classmethod
    def read(cls, record: Mapping) -> "Choices":
        """Make choices from a `record()`. Raises KeyError, TypeError or ValueError if it is not valid."""
        smallest, precision = record["winograd_from"], record.get("precision")
        trials = tuple(Trial(**trial) for trial in record["trials"])
        numbers = [seconds for trial in trials for seconds in (trial.direct, trial.winograd)]
        numbers += [] if smallest is None else [smallest]
        if not isinstance(record["xla"], bool) or not all(isinstance(trial.layer, str) for trial in trials):
            raise TypeError("the choices have values of other types")
        if any(isinstance(number, bool) or not 0 <= number < math.inf for number in numbers):
            raise ValueError("the choices have numbers that are negative or infinite")
        if precision not in (None, *get_args(Precision)):
            raise ValueError(f"the choices have the precision {precision!r}")
        return cls(record["xla"], None if smallest is None else float(smallest), trials, precision)

    def record(self) -> dict:
        """Return these choices for JSON."""
        return asdict(self)


def choose(network: Network, height: int, width: int, passes: int) -> Choices:
    """Choose the algorithms of a run of `passes` passes: from the cache, by a trial, or the safe choice."""
    kinds = kinds_of(network, height, width)
    long = network.multiplications(height, width) * passes >= LONG
    choices = recall(network, kinds)
    if choices is None and long:
        with cache.alone(_key(network, kinds)):  # another process may be measuring
            choices = recall(network, kinds) or measure(network, kinds)
    choices = choices or safe()
    # Short runs do not use XLA, because compiling takes seconds.
    return choices if long else Choices(False, choices.winograd_from, choices.trials)


def safe() -> Choices:
    """Return choices that were faster, or hardly slower, on all measured machines.

    On a GPU, the choice is left to the library of the GPU.
    """
    if host.on_gpu():
        return Choices()
    return Choices(winograd_from=host.backend().WINOGRAD_FROM)


def recall(network: Network, kinds: Sequence[Kind]) -> Choices | None:
    """Return the result of an earlier trial on this machine, or None without a trial."""
    try:
        return Choices.read(cache.recall(_key(network, kinds)))
    except (KeyError, TypeError, ValueError):
        return None


def keep(network: Network, kinds: Sequence[Kind], choices: Choices) -> None:
    """Save choices for later runs on this machine."""
    cache.keep(_key(network, kinds), choices.record())


def measure(network: Network, kinds: Sequence[Kind]) -> Choices:
    """Measure the gain above which Winograd's algorithm is faster, and save the result. On a GPU, return `safe()`."""
    if host.on_gpu() or not kinds:
        return safe()
    choices = decide(kinds, time_layer)
    keep(network, kinds, choices)
    return choices


def decide(kinds: Sequence[Kind], time_layer: Callable[[Kind], tuple[float, float]]) -> Choices:
    """Find by bisection the smallest gain for which Winograd's algorithm is faster, so that few kinds are timed.

    `time_layer(kind)` returns the seconds of the direct convolution and of Winograd's algorithm.
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
    """List the kinds of convolution in a network that could use Winograd's algorithm, for a picture of this size."""
    if is_channels_first(network.model):
        return []
    kinds: dict[tuple[int, int], Kind] = {}
    for facts in describe_layers(network.model):
        if gain(facts.operation):
            channels, filters = facts.operation.kernel.shape[2:]
            rows, columns = (max(1, int(side // facts.stride)) for side in (height, width))
            kinds.setdefault((channels, filters), Kind(channels, filters, rows, columns))
    return list(kinds.values())


def time_layer(kind: Kind, clock: Callable[[], float] = time.perf_counter) -> tuple[float, float]:
    """Measure a layer with its ReLU, forward and backward over a strip, by both algorithms.

    Returns the seconds of direct convolution and of Winograd's algorithm: the best of a few alternating passes.
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
            keras.ops.convert_to_numpy(gradient)  # waits for the result
            if repeat:  # the first compiles
                seconds[way] = min(seconds[way], clock() - started)
    return seconds[0], seconds[1]


def _compiled(layer: keras.Layer, kind: Kind) -> compiling.Compiled:
    """Compile a pass through one layer. All its input channels are the first channel of the picture."""

    def terms_of(x: Any) -> Any:
        features = layer(keras.ops.multiply(x[..., :1], np.ones(kind.channels, np.float32)))
        return keras.ops.reshape(keras.ops.sum(keras.ops.square(features)), (1,))

    return compiling.compile_pass(terms_of, layer.variables, xla=False)


def _both_ways(kind: Kind) -> tuple[keras.Layer, keras.Layer]:
    """Make a direct convolution of this kind, and one by Winograd's algorithm."""
    direct, winograd = (
        layer(
            kind.filters,
            3,
            padding="same",
            activation="relu",
            data_format="channels_last",
            dtype="float32",
            kernel_initializer="zeros",  # so that Keras draws no random numbers
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
