"""Previews: looks on a photograph, small and quick."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from dreamscripts.dreams.dream import dream
from dreamscripts.errors import DreamError
from dreamscripts.images.files import open_photo, save_picture
from dreamscripts.jobs.messages import PreviewTask
from dreamscripts.jobs.work import Work
from dreamscripts.settings.schema import Settings

SIDE = 192  # pixels: the longer side
ITERATIONS = 5  # at most, in each octave
NETWORK = "pocket"  # it is inside the package, and quick

OnMade = Callable[[str, Path], None]


def make_previews(task: PreviewTask, work: Work, on_made: OnMade) -> str:
    """Try looks on a picture, the first and then the quickest, and write `folder/<look>.png` for each.

    on_made: called with the look and its file. Returns why a look could not be tried. Raises DreamError if the
    picture cannot be opened, and KeyboardInterrupt if the task shall stop.
    """
    chosen, problems = _settings(task.looks, work)
    pixels = open_photo(task.path, SIDE).pixels
    first = next(iter(task.looks), None)
    for look in sorted(chosen, key=lambda look: (look != first, _work(chosen[look]))):
        work.check()
        path = task.folder / f"{look}.png"
        try:
            *_, last = dream(pixels, chosen[look], kept=work.kept, on_pass=lambda passes, loss: work.check())
            save_picture(last.picture, path, durable=False)
        except DreamError as error:
            problems[look] = str(error)
            continue
        on_made(look, path)
    return _said(problems)


def _said(problems: Mapping[str, str]) -> str:
    """Return one problem in words, with the number of the others: a picture that is too small has one for each look."""
    if not problems:
        return ""
    (look, problem), *others = problems.items()
    more = f" (and {len(others)} more {'looks have' if len(others) > 1 else 'look has'} none)" if others else ""
    return f"{look} has no preview{more}: {problem}"


def warm_up() -> None:
    """Load the network of the previews, and make a first pass, so that the first preview takes less time."""
    settings = preview_settings("[features]\nblock2_conv1 = 1", "first")
    next(dream(np.full((64, 64, 3), 128, np.float32), settings))


def preview_settings(toml: str, source: str) -> Settings:
    """Return the settings of a preview of a look. Raises SettingsError."""
    settings = Settings.from_toml(toml, source, allow_files=True, network=NETWORK, size=SIDE, start="photograph")
    table = settings.optimizer
    quick = table.model_copy(update={"iterations": min(table.iterations, ITERATIONS)})
    # Winograd's algorithm takes longer to compile than it saves in a small picture.
    return settings.model_copy(update={"optimizer": quick, "convolutions": "direct"})


def _settings(looks: Mapping[str, str], work: Work) -> tuple[dict[str, Settings], dict[str, str]]:
    """Return the settings of each preview, and the problem of each look that has none.

    A look in the folder can be that of a stranger, and names no file that is not allowed.
    """
    chosen, problems = {}, {}
    for look, toml in looks.items():
        try:
            settings = preview_settings(toml, look)
            work.check_files(settings, look)
            chosen[look] = settings
        except DreamError as error:
            problems[look] = str(error).removeprefix(f"{look}: ")
    return chosen, problems


def _work(settings: Settings) -> float:
    """Estimate the time of a preview, to put the quick ones first: passes, times the pixels of their octaves."""
    octaves, optimizer = settings.octaves, settings.optimizer
    pixels = sum(octaves.scale ** (2 * (octaves.above - number)) for number in range(octaves.count))
    return pixels * optimizer.iterations * optimizer.passes
