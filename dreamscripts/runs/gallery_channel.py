"""Dream a channel of a gallery again, to see how its picture grew."""

from collections.abc import Generator, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dreamscripts.dreams.iterate import Iterate
from dreamscripts.errors import OutputError, SettingsError, did_you_mean
from dreamscripts.images.resizing import noise
from dreamscripts.objective.protocol import OnPass
from dreamscripts.optimizers.update_rule import UpdateRuleSettings
from dreamscripts.runs.gallery_folder import picture_path
from dreamscripts.runs.gallery_record import read_gallery
from dreamscripts.runs.snapshots import opened
from dreamscripts.settings.named_files import described, files_of
from dreamscripts.settings.schema import Settings

MOST = 60  # pictures
AGAIN = "run the same gallery command again to make this picture"


@dataclass(frozen=True)
class Channel:
    """A channel of a gallery."""

    picture: np.ndarray
    """Its picture in the gallery: float32 (H, W, 3), 0..255."""
    settings: Settings
    """The settings of this picture."""

    @property
    def by_passes(self) -> Settings:
        """Settings that give the same picture, with an iterate after every pass if the optimizer allows it.

        An update rule does the same in ten iterations of one pass as in one iteration of ten passes, unless the
        settings limit the change of a pixel in an iteration.
        """
        table = self.settings.optimizer
        if not isinstance(table, UpdateRuleSettings) or table.max_change is not None:
            return self.settings
        single = table.model_copy(update={"iterations": table.iterations * table.passes, "passes": 1})
        return self.settings.model_copy(update={"optimizer": single})

    @property
    def unit(self) -> str:
        """What is between two iterates of `growth`."""
        return "iteration" if self.by_passes is self.settings else "pass"

    @property
    def expected(self) -> int:
        """The number of iterates of `growth`. There are fewer if octaves are skipped or end early."""
        settings = self.by_passes
        return 1 + settings.octaves.count * settings.optimizer.iterations

    def growth(self, on_pass: OnPass | None = None) -> Generator[Iterate]:
        """Dream the channel again, from noise. Needs Keras."""
        from dreamscripts.dreams.dream import dream

        settings = self.by_passes
        return dream(noise(settings.side, settings.seed), settings, on_pass=on_pass)

    def pictures(self, growth: Iterable[Iterate]) -> tuple[list[np.ndarray], float]:
        """Return the pictures of a movie, and how much the last iterate differs from the picture in the gallery.

        There are at most MOST pictures, float32 (H, W, 3), 0..255, of different sizes. The last one is the picture in
        the gallery. The difference is the mean over all values.
        """
        wanted = set(np.linspace(0, self.expected - 1, min(MOST, self.expected)).round().astype(int).tolist())
        chosen: dict[int, np.ndarray] = {}
        for iterate in growth:
            last = iterate.picture
            if iterate.iteration in wanted:
                chosen[iterate.iteration] = last
        chosen.pop(iterate.iteration, None)
        same = last.shape == self.picture.shape
        difference = float(np.abs(last - self.picture).mean()) if same else 255.0
        return [*chosen.values(), self.picture], difference


def open_channel(folder: Path, name: str, allow_files: bool) -> Channel:
    """Open a channel of a gallery by its name, LAYER:N. Raises DreamError.

    The settings are those in its picture. Without `allow_files`, they may not name a file.
    """
    layer, colon, number = name.rpartition(":")
    if not colon or not (number.isascii() and number.isdecimal() and len(number) < 8):
        raise SettingsError(f"--channel {name}: write it as LAYER:N, for example block5_conv2:107")
    layers = read_gallery(folder).layers
    if layer not in layers:
        known = did_you_mean(layer, layers)
        raise SettingsError(f"{folder}: has no layer '{layer}'{known}; its layers are {', '.join(layers)}")
    entry, channel = layers[layer], int(number)
    if channel >= entry.channels:
        raise SettingsError(f"{folder}: {layer} has {entry.channels} channels, 0 to {entry.channels - 1}")
    if channel not in entry.done:
        raise OutputError(f"{folder}: has no picture of {name} yet; {AGAIN}")
    path = picture_path(folder / entry.folder, channel)
    picture = opened(path, AGAIN)
    settings = Settings.load(path, allow_files=True)
    if not allow_files and (files := files_of(settings)):
        raise SettingsError(
            f"{path}: its settings open {described(files)}: if you trust the author of the gallery, add --allow-files"
        )
    return Channel(picture, settings)
