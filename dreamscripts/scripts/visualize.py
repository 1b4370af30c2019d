"""`dreamscripts visualize NETWORK LAYER --channel N`: from noise to a picture of what a channel wants to see."""

import math
from contextlib import closing
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dreamscripts.errors import NetworkError, OutputError, SettingsError
from dreamscripts.scripts import options

if TYPE_CHECKING:
    import numpy as np

    from dreamscripts.networks.layers import LayerFacts


class Method(StrEnum):
    """How; the named settings of each are in SETTINGS."""

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


def visualize(
    network: Annotated[str, typer.Argument(metavar="NETWORK", help="A network's name, or a .keras or .h5 file.")],
    layer: Annotated[str, typer.Argument(metavar="LAYER", help="One of its layers (`dreamscripts layers NETWORK`).")],
    channel: Annotated[int | None, typer.Option(min=0, metavar="N", help="The channel, counted from 0.")] = None,
    channels: Annotated[
        str | None, typer.Option(metavar="N,N:WEIGHT", help="Several, summed; such as 65,139 or 65:1,139:-0.5.")
    ] = None,
    direction: Annotated[
        Path | None, typer.Option(metavar="FILE.npy", help="A vector with a weight for every channel.")
    ] = None,
    neuron: Annotated[bool, typer.Option("--neuron", help="Only the middle of the layer, not all of it.")] = False,
    method: Annotated[Method, typer.Option("--method", "-m", help="How.")] = Method.FOURIER,
    diversity: Annotated[
        int, typer.Option(min=1, max=16, metavar="N", help="So many pictures, unlike each other.")
    ] = 1,
    weights: options.Weights = None,
    size: Annotated[int | None, typer.Option(help="Side in pixels; of the first octave, where each is larger.")] = None,
    seed: options.Seed = None,
    set_: options.Set = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE.png", help="Default: <network>-<layer>-<channels>-<method>.png."),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
) -> None:
    """Make a picture of what a channel of LAYER wants to see, out of noise.

    naive, multiscale and laplacian are the ways of the feature-visualisation notebook; fourier is the modern one.
    Of a layer that ends in a ReLU it is what stands before it, so that no channel is dead.
    """
    chosen, title = _parse_channels(channel, channels, direction)
    how = f"{'-neuron' if neuron else ''}{'' if method == Method.FOURIER else f'-{method}'}"
    default = Path(f"{Path(network).stem}-{layer.replace('/', '-')}-{title}{how}.png")
    files = _files(output or default, diversity, named=output is not None)

    from dreamscripts.backends.startup import start_keras
    from dreamscripts.images.files import save_picture
    from dreamscripts.images.resizing import noise
    from dreamscripts.networks.family import check_name
    from dreamscripts.objective.memory_budget import check_memory
    from dreamscripts.scripts.progress import Watch
    from dreamscripts.settings.schema import Settings

    changes = options.overrides(network, weights, size, seed, set_=set_) | {"start": "noise"}
    if neuron:
        changes["measure"] = "neuron"
    if diversity > 1:
        changes.setdefault("penalties.diversity", 1.0)
    feature = {"weight": 1, "channels": {str(number): weight for number, weight in chosen.items()}}
    # Its mistakes come before Keras.
    begun = Settings.load(SETTINGS[method], **changes | {"features": {layer: feature}})
    check_memory(begun.size, begun.size, begun.optimizer, diversity)
    console = options.open_console(quiet)
    check_name(network)  # before Keras, which takes seconds
    start_keras()
    from dreamscripts.dreams.channels import choose_layers
    from dreamscripts.dreams.dream import dream
    from dreamscripts.networks.layers import describe_layers
    from dreamscripts.networks.loading import build

    model = build(network, weights)
    (whole, seen), *more = choose_layers(model, [layer], network).items()
    if more:
        raise NetworkError(f"'{layer}' is {1 + len(more)} layers of {network}; name one of them, such as {whole}")
    if direction is not None:
        _check_length(direction, describe_layers(model), whole)
    settings = Settings.load(SETTINGS[method], **changes | {"features": {seen: feature}})
    pictures = noise(settings.size, settings.seed, diversity if diversity > 1 else None)
    with Watch(console, settings) as watch, closing(dream(pictures, settings, on_pass=watch.on_pass)) as iterates:
        for last in iterates:
            watch.on_iterate(last)
    shape = last.picture.shape[-3:]
    for file, picture in zip(files, last.picture.reshape(-1, *shape), strict=True):
        save_picture(picture, file, settings.to_toml())
        console.print(str(file))


def _parse_channels(channel: int | None, channels: str | None, direction: Path | None) -> tuple[dict[int, float], str]:
    """The channels asked for with their weights, and what to call them. Raises SettingsError."""
    given = [option for option in (channel, channels, direction) if option is not None]
    if len(given) != 1:
        what = "only one of them" if given else "a channel to see"
        raise SettingsError(f"name {what}: --channel 0, or --channels 65,139, or --direction FILE.npy")
    if channel is not None:
        return {channel: 1.0}, str(channel)
    if direction is not None:
        vector = _read_direction(direction)
        return {number: float(weight) for number, weight in enumerate(vector) if weight}, direction.stem
    chosen = {}
    for part in channels.split(","):
        number, colon, weight = part.partition(":")
        if not number.strip().isdecimal() or not _is_finite(weight if colon else "1"):
            raise SettingsError(f"--channels {channels}: write them as 65,139, or weighted as 65:1,139:-0.5")
        chosen[int(number)] = float(weight if colon else 1)
    if not any(chosen.values()):
        raise SettingsError(f"--channels {channels}: weighs nothing; give one of them a weight other than 0")
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

    try:
        vector = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise SettingsError(f"{path}: there is no such file") from None
    except (OSError, ValueError, EOFError):
        raise SettingsError(f"{path}: is not an array that numpy.save wrote") from None
    if getattr(vector, "ndim", 0) != 1 or vector.dtype.kind not in "fiu" or not np.isfinite(vector).all():
        raise SettingsError(f"{path}: a direction is a vector of finite numbers, one for each channel")
    if not vector.any():
        raise SettingsError(f"{path}: is nothing but zeros")
    return vector


def _check_length(direction: Path, facts: "list[LayerFacts]", layer: str) -> None:
    weights = len(_read_direction(direction))
    channels = next(one.channels for one in facts if one.name == layer)
    if weights != channels:
        raise SettingsError(f"{direction}: has {weights} weights, and {layer} has {channels} channels")


def _files(path: Path, count: int, named: bool) -> list[Path]:
    """Where the pictures go: to that file, numbered where they are many; what is there stays, beside or in the way."""
    if path.suffix.lower() != ".png":
        raise OutputError(f"{path}: pictures are saved as PNG; choose a name that ends in .png")
    if not path.parent.is_dir():
        raise OutputError(f"{path}: there is no folder '{path.parent}' to save in")
    files = (
        [path] if count == 1 else [path.with_stem(f"{path.stem}-{number}of{count}") for number in range(1, count + 1)]
    )
    if taken := [file for file in files if file.exists()]:
        if named:
            raise OutputError(f"{taken[0]}: is there already; choose another --output")
        again = 2
        while any(file.with_stem(f"{file.stem}_{again}").exists() for file in files):
            again += 1
        return [file.with_stem(f"{file.stem}_{again}") for file in files]
    return files
