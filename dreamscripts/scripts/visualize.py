"""`dreamscripts visualize NETWORK LAYER --channel N`: make a picture that maximizes the activation of a channel."""

import math
import re
from contextlib import closing
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dreamscripts.atomic_files import fitting_name
from dreamscripts.errors import NetworkError, OutputError, SettingsError
from dreamscripts.scripts import options

if TYPE_CHECKING:
    import numpy as np

    from dreamscripts.networks.layers import LayerFacts
    from dreamscripts.scripts.console import CommandConsole
    from dreamscripts.settings.schema import Settings


class Method(StrEnum):
    """The visualization methods. SETTINGS maps them to named settings."""

    NAIVE = "naive"
    MULTISCALE = "multiscale"
    LAPLACIAN = "laplacian"
    FOURIER = "fourier"


SETTINGS = {
    Method.NAIVE: "notebook_naive",
    Method.MULTISCALE: "notebook_multiscale",
    Method.LAPLACIAN: "notebook_lapnorm",
    Method.FOURIER: "fourier",
}

NOT_IN_NAMES = re.compile(r'[<>:"/\\|?*]')  # on Windows; layers of Keras models have such names
MOST_CHANNELS = 1_000_000  # in a layer

Layer = Annotated[
    str, typer.Argument(metavar="LAYER", help="A layer of NETWORK. `dreamscripts layers NETWORK` lists them.")
]
Channel = Annotated[int | None, typer.Option(min=0, metavar="N", help="Channel number.")]
Channels = Annotated[
    str | None, typer.Option(metavar="N,N:WEIGHT", help="Sum of channels, for example 65,139 or 65:1,139:-0.5.")
]
Direction = Annotated[Path | None, typer.Option(metavar="FILE.npy", help="Vector with one weight per channel.")]
Neuron = Annotated[bool, typer.Option("--neuron", help="Maximize only the middle position of the layer.")]
MethodOption = Annotated[Method, typer.Option("--method", "-m", help="Visualization method.")]
Diversity = Annotated[
    int,
    typer.Option(min=1, max=16, metavar="N", help="Number of pictures. A penalty makes them differ from each other."),
]
Size = Annotated[
    int | None,
    typer.Option(help="Width and height in pixels. With multiscale and laplacian, this is the first (smallest) size."),
]
Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE.png", help="Default: <network>-<layer>-<channels>-<method>.png."),
]


def visualize(
    network: options.NetworkName,
    layer: Layer,
    channel: Channel = None,
    channels: Channels = None,
    direction: Direction = None,
    neuron: Neuron = False,
    method: MethodOption = Method.FOURIER,
    diversity: Diversity = 1,
    weights: options.Weights = None,
    size: Size = None,
    seed: options.Seed = None,
    set_: options.Set = None,
    output: Output = None,
    quiet: options.Quiet = False,
) -> None:
    """Visualize one channel of LAYER: start from noise and maximize its activation.

    naive, multiscale and laplacian are the methods of the feature-visualisation notebook. fourier is newer. If the
    layer ends in a ReLU, the value before the ReLU is used, because a channel that is zero after the ReLU has no
    gradient.
    """
    chosen, title = _parse_channels(channel, channels, direction)
    default = _default_name(network, layer, title, neuron, method)
    files = _files(output or default, diversity, named=output is not None)

    from dreamscripts.images.files import save_picture
    from dreamscripts.networks.family import check_name
    from dreamscripts.objective.memory_budget import check_memory
    from dreamscripts.settings.schema import Settings

    changes = options.overrides(network, weights, size, seed, set_=set_) | {"start": "noise"}
    changes |= {"measure": "neuron"} if neuron else {}
    if diversity > 1:
        changes.setdefault("penalties.diversity", 1.0)
    feature = {"weight": 1, "channels": {str(number): weight for number, weight in chosen.items()}}

    def load(layer: str) -> Settings:
        return Settings.load(SETTINGS[method], **changes | {"features": {layer: feature}})

    # Find errors before Keras is imported, which takes seconds.
    requested = load(layer)
    check_memory(requested.side, requested.side, requested.optimizer, diversity, requested.octaves)
    check_name(network)
    console = options.open_console(quiet)
    settings = load(_find_layer(network, weights, layer, direction))
    for file, picture in zip(files, _make_pictures(settings, diversity, console), strict=True):
        save_picture(picture, file, settings.to_toml())
        console.print(str(file))


def _default_name(network: str, layer: str, channels: str, neuron: bool, method: Method) -> Path:
    suffix = f"{'-neuron' if neuron else ''}{'' if method == Method.FOURIER else f'-{method}'}"
    of_layer = f"{Path(network).stem}-{NOT_IN_NAMES.sub('-', layer)}-{channels}"
    return Path(fitting_name(of_layer, f"{suffix}.png"))


def _find_layer(network: str, weights: str | None, layer: str, direction: Path | None) -> str:
    """Return the layer to maximize: the one before the ReLU, if `layer` ends in a ReLU.

    Raises NetworkError if no layer or several layers match. Raises SettingsError if the vector in the file `direction`
    does not have one weight per channel.
    """
    from dreamscripts.backends.startup import start_keras

    start_keras()
    from dreamscripts.dreams.channels import choose_layers
    from dreamscripts.networks.layers import describe_layers
    from dreamscripts.networks.loading import build

    model = build(network, weights)
    (name, maximized), *more = choose_layers(model, [layer], network).items()
    if more:
        raise NetworkError(
            f"'{layer}' matches {1 + len(more)} layers of {network}; use one of them, for example {name}"
        )
    if direction is not None:
        _check_length(direction, describe_layers(model), name)
    return maximized


def _make_pictures(settings: "Settings", count: int, console: "CommandConsole") -> "np.ndarray":
    """Dream `count` pictures from noise, with a progress bar. Returns an array (count, H, W, 3), RGB in 0..255."""
    from dreamscripts.dreams.dream import dream
    from dreamscripts.images.resizing import noise
    from dreamscripts.scripts.progress import Watch

    pictures = noise(settings.side, settings.seed, count if count > 1 else None)
    with Watch(console, settings) as watch, closing(dream(pictures, settings, on_pass=watch.on_pass)) as iterates:
        for iterate in iterates:
            pictures = iterate.picture
            watch.on_iterate(iterate)
    return pictures.reshape(-1, *pictures.shape[-3:])


def _parse_channels(channel: int | None, channels: str | None, direction: Path | None) -> tuple[dict[int, float], str]:
    """Return the weight of each chosen channel, and a name for the choice. Raises SettingsError."""
    given = [option for option in (channel, channels, direction) if option is not None]
    if len(given) != 1:
        problem = "give only one of these" if given else "no channel is given; use one of these"
        raise SettingsError(f"{problem}: --channel 0, --channels 65,139 or --direction FILE.npy")
    if channel is not None:
        return {channel: 1.0}, str(channel)
    if direction is not None:
        vector = _read_direction(direction)
        return {number: float(weight) for number, weight in enumerate(vector) if weight}, direction.stem
    chosen: dict[int, float] = {}
    for part in (channels or "").split(","):
        number, colon, weight = part.partition(":")
        if not number.strip().isdecimal() or not _is_finite(weight if colon else "1"):
            raise SettingsError(
                f"--channels {channels}: use numbers such as 65,139, or numbers with weights such as 65:1,139:-0.5"
            )
        chosen[int(number)] = float(weight if colon else 1)
    if not any(chosen.values()):
        raise SettingsError(f"--channels {channels}: all weights are 0; give at least one channel another weight")
    return chosen, "".join(_summand(number, weight) for number, weight in chosen.items()).removeprefix("+")


def _summand(channel: int, weight: float) -> str:
    sign, times = "-" if weight < 0 else "+", "" if abs(weight) == 1 else f"{abs(weight):g}x"
    return f"{sign}{times}{channel}"


def _is_finite(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _read_direction(path: Path) -> "np.ndarray":
    import numpy as np

    from dreamscripts.regular_files import open_regular
    from dreamscripts.runs.array_files import load_array

    try:
        with open_regular(path, SettingsError, "file") as file:
            vector = load_array(file, path.stat().st_size)
    except (OSError, ValueError, MemoryError):
        raise SettingsError(f"{path}: is not an array saved with numpy.save") from None
    if getattr(vector, "size", 0) > MOST_CHANNELS:
        raise SettingsError(f"{path}: has {vector.size} numbers; save one number per channel")
    if getattr(vector, "ndim", 0) != 1 or vector.dtype.kind not in "fiu" or not np.isfinite(vector).all():
        raise SettingsError(f"{path}: is not a vector of finite numbers; save one number per channel")
    if not vector.any():
        raise SettingsError(f"{path}: all weights are 0; give at least one channel another weight")
    return vector


def _check_length(direction: Path, facts: "list[LayerFacts]", layer: str) -> None:
    weights = len(_read_direction(direction))
    channels = next(fact.channels for fact in facts if fact.name == layer)
    if weights != channels:
        raise SettingsError(f"{direction}: has {weights} weights, but {layer} has {channels} channels")


def _files(path: Path, count: int, named: bool) -> list[Path]:
    """Return the files for `count` pictures: `path` for one picture, numbered files beside it for several.

    Existing files are not overwritten. If the user chose the name, OutputError is raised. Otherwise, a number is added
    to the name.
    """
    if path.suffix.lower() != ".png":
        raise OutputError(f"{path}: pictures are saved as PNG; use a name that ends in .png")
    if not path.parent.is_dir():
        raise OutputError(f"{path}: the folder '{path.parent}' does not exist; create it first")
    files = (
        [path] if count == 1 else [path.with_stem(f"{path.stem}-{number}of{count}") for number in range(1, count + 1)]
    )
    if existing := [file for file in files if file.exists()]:
        if named:
            raise OutputError(f"{existing[0]}: already exists; use another --output")
        again = 2
        while any(file.with_stem(f"{file.stem}_{again}").exists() for file in files):
            again += 1
        return [file.with_stem(f"{file.stem}_{again}") for file in files]
    return files
