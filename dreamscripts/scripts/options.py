"""The options that several commands share, and the settings they amount to."""

from typing import Annotated

import typer

SettingsName = Annotated[
    str | None,
    typer.Option(
        "--settings", "-s", metavar="NAME|FILE", help="Named settings, or a TOML file; dreamy where none are named."
    ),
]
Network = Annotated[
    str | None, typer.Option("--network", "-n", metavar="NAME|FILE", help="Another network than the settings name.")
]
Weights = Annotated[
    str | None, typer.Option(metavar="imagenet|FILE|random", help="Other weights than the network's own.")
]
Size = Annotated[int | None, typer.Option(help="Longest side in pixels.")]
Seed = Annotated[int | None, typer.Option(help="Seed of the noise.")]
Iterations = Annotated[int | None, typer.Option("--iterations", "-i", help="How many iterations.")]
Set = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Any one value, as in features.block5_conv1=0.1.")
]


def overrides(
    network: str | None = None,
    weights: str | None = None,
    size: int | None = None,
    seed: int | None = None,
    iterations: int | None = None,
    set_: list[str] | None = None,
) -> dict[str, object]:
    """What the options replace in a settings file, by dotted key; those that were not given are left out."""
    from dreamscripts.settings import parse_override

    given = {
        "network": network,
        "weights": weights,
        "size": size,
        "seed": seed,
        "optimizer.iterations": iterations,
    }
    replaced = {key: value for key, value in given.items() if value is not None}
    return replaced | dict(parse_override(text) for text in set_ or [])
