"""Options that several commands share, and the settings that they change."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dreamscripts.errors import OutputError, SettingsError, is_unicode

if TYPE_CHECKING:
    from dreamscripts.scripts.console import CommandConsole
    from dreamscripts.settings.schema import Settings

_SETTINGS = typer.Option("--settings", "-s", metavar="NAME|FILE", help="Settings: a name or a TOML file.")
SettingsName = Annotated[str, _SETTINGS]
OptionalSettingsName = Annotated[str | None, _SETTINGS]
NetworkName = Annotated[str, typer.Argument(metavar="NETWORK", help="Name of a network, or a .keras or .h5 file.")]
Network = Annotated[
    str | None,
    typer.Option("--network", "-n", metavar="NAME|FILE", help="Use this network instead of the one in the settings."),
]
Weights = Annotated[
    str | None, typer.Option(metavar="imagenet|FILE|random", help="Use these weights instead of the default weights.")
]
Size = Annotated[int | None, typer.Option(help="Longest side in pixels.")]
Seed = Annotated[int | None, typer.Option(help="Seed of the random numbers.")]
Iterations = Annotated[int | None, typer.Option("--iterations", "-i", help="Number of iterations.")]
Guide = Annotated[
    Path | None, typer.Option("--guide", metavar="PICTURE", help="Guide picture: a guided dream imitates its features.")
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Change one setting, for example features.block5_conv1=0.1. Can be repeated.",
    ),
]

AllowFiles = Annotated[
    bool,
    typer.Option("--allow-files", help="Open the model, weights or guide picture that the settings name."),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]


def folder(path: Path | str | None) -> Path | str | None:
    """Return the folder of --output. Raises OutputError for the name of a picture or a film."""
    from dreamscripts.film_files.kinds import KINDS
    from dreamscripts.images.file_kinds import ENDINGS

    if path is None:
        return None
    ending = Path(path).suffix.lower()
    if ending in {*ENDINGS, *KINDS} and not Path(path).is_dir():
        raise OutputError(f"{path}: --output names a folder here, so it cannot end in {ending}")
    return path


def overrides(
    network: str | None = None,
    weights: str | None = None,
    size: int | None = None,
    seed: int | None = None,
    iterations: int | None = None,
    set_: list[str] | None = None,
    guide: Path | None = None,
) -> dict[str, Any]:
    """Return the settings that the given options change, by dotted key.

    Raises SettingsError if a value is not UTF-8, as settings files are.
    """
    from dreamscripts.settings.loading import parse_override

    for text in (network, weights, str(guide or ""), *(set_ or [])):
        if text and not is_unicode(text):
            raise SettingsError(f"{text}: is not UTF-8, so settings cannot contain it; rename the file")

    options = {
        "network": network,
        "weights": weights,
        "size": size,
        "seed": seed,
        "optimizer.iterations": iterations,
        "guide.picture": None if guide is None else str(guide),
    }
    replaced = {key: value for key, value in options.items() if value is not None}
    return replaced | dict(parse_override(text) for text in set_ or [])


def load_settings(
    console: "CommandConsole", name: str, changes: Mapping[str, Any], allow_files: bool = False
) -> "Settings":
    """Load settings with these changes, and print the files that only the settings name. Raises SettingsError."""
    from dreamscripts.settings.schema import Settings

    chosen = Settings.load(name, allow_files=allow_files, **changes)
    print_files(console, name, chosen, changes)
    return chosen


def print_files(console: "CommandConsole", source: str, settings: "Settings", changes: Iterable[str] = ()) -> None:
    """Print the files that only the settings in `source` name, and that will be opened. `changes` are other keys."""
    from dreamscripts.settings.named_files import described, files_of

    if files := files_of(settings, changes):
        console.print(f"{source} opens {described(files)}")


class _OnConsole(logging.Handler):
    def __init__(self, console: "CommandConsole"):
        super().__init__(logging.WARNING)
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        self._console.print(record.getMessage())


@contextmanager
def each_warning_once() -> Iterator[None]:
    """Show a warning of the package once only, however often it comes."""
    seen = set[str]()

    def is_new(record: logging.LogRecord) -> bool:
        message = record.getMessage()
        new = message not in seen
        seen.add(message)
        return new

    handlers = list(logging.getLogger("dreamscripts").handlers)
    for handler in handlers:
        handler.addFilter(is_new)
    try:
        yield
    finally:
        for handler in handlers:
            handler.removeFilter(is_new)


def open_console(quiet: bool) -> "CommandConsole":
    """Return the console that a command prints on. It also shows the warnings of the package."""
    from dreamscripts.scripts.console import CommandConsole

    console = CommandConsole(quiet)
    log = logging.getLogger("dreamscripts")
    log.handlers[:] = [_OnConsole(console)]
    log.propagate = False
    return console
