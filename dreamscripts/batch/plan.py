"""Plan: the jobs of a batch, one for each photograph with each of the settings."""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dreamscripts.batch.photographs import LeftOut
from dreamscripts.batch.request import MOST_JOBS, Request
from dreamscripts.errors import PictureError, SettingsError
from dreamscripts.images.decoding import fitted_size
from dreamscripts.registry import SCHEDULES
from dreamscripts.runs.run_record import path_text
from dreamscripts.settings.built_from import compiled_from
from dreamscripts.settings.named_files import make_absolute, refuse_files
from dreamscripts.settings.schema import Settings

ODD = re.compile(r"[^\w.+=-]+")

Size = tuple[int, int]


@dataclass(frozen=True)
class Variant:
    """Settings that each photograph gets: a column of the page."""

    name: str
    """For the names of run folders."""
    values: Mapping[str, str]
    """What distinguishes it, to show: "settings", the keys of the grid, "seed"."""
    settings: Settings
    toml: str
    compiled: str
    """Variants with the same text use the same compiled code for pictures of the same size."""

    def work(self, size: Size) -> float:
        """Estimate the work of a dream of a photograph of this size: its passes, times their pixels."""
        table = self.settings.octaves
        sizes = SCHEDULES[table.kind].schedule.sizes_of(size, table)
        pixels = sum(height * width for height, width in sizes)
        return float(pixels * self.settings.optimizer.iterations * self.settings.optimizer.passes)


@dataclass(frozen=True)
class Planned:
    """A dream to be made."""

    photo: Path | None
    """None: it starts from noise."""
    size: Size
    """Of the picture, in pixels: height and width."""
    variant: Variant

    @property
    def id(self) -> str:
        """The same for the same photograph with the same settings, always: 16 hexadecimal digits."""
        picture = "" if self.photo is None else path_text(self.photo)
        return hashlib.sha256(f"{picture}\0{self.variant.toml}".encode()).hexdigest()[:16]

    @property
    def name(self) -> str:
        """The name that its run folder gets if no other has it."""
        stem = "" if self.photo is None else ODD.sub("-", self.photo.stem).strip("-.")
        return "-".join(filter(None, (stem, self.variant.name))) or "dream"

    @property
    def group(self) -> tuple[str, Size]:
        """The same for dreams that use the same compiled code."""
        return self.variant.compiled, self.size


def plan_variants(request: Request, overrides: Mapping[str, Any], allow_files: bool, photos: bool) -> list[Variant]:
    """Return the settings of a batch: each of the request, with each combination of its grid and its seeds.

    `overrides` are changes to all of them by the user. With `photos`, dreams start from photographs even if the
    settings start from noise. Without `allow_files`, a settings file and a jobs file may not name a model, weights or a
    guide picture. Raises SettingsError.
    """
    changes = {**request.set, **overrides}
    make_absolute(changes, request.folder or Path())
    if twice := [
        *(key for key in request.grid if key in changes),
        *(["seed"] if _has_two_seeds(request, changes) else []),
    ]:
        raise SettingsError(f"{twice[0]}: has several values to try, and another value, too; remove one of them")
    variants: list[Variant] = []
    for name in request.settings:
        found = name if request.folder is None else _beside(name, request.folder)
        for values in request.combinations():
            if len(variants) >= MOST_JOBS:
                raise SettingsError(f"these are more than {MOST_JOBS:,} combinations; use fewer values")
            with_photo = {"start": "photograph"} if photos else {}
            from_file = request.folder is not None and not allow_files
            settings = Settings.load(found, allow_files=allow_files or from_file, **with_photo, **changes, **values)
            if from_file:  # a jobs file may come from a stranger
                refuse_files(settings, overrides, name)
            settings.check_pictures(1)
            variants.append(_variant(Path(name).stem, values, settings))
    return variants


def _has_two_seeds(request: Request, changes: Mapping[str, Any]) -> bool:
    return bool(request.seeds) and ("seed" in request.grid or "seed" in changes)


def _beside(name: str, folder: Path) -> str:
    """Return the path of a settings file beside the jobs file, or the name of settings."""
    return str(folder / name) if (folder / name).is_file() else name


def _variant(name: str, values: Mapping[str, Any], settings: Settings) -> Variant:
    texts = {key: str(value) for key, value in values.items()}
    parts = [name, *(f"{key.rpartition('.')[2]}={text}" for key, text in texts.items())]
    folder, values_shown = ODD.sub("-", "-".join(parts)), {"settings": name, **texts}
    return Variant(folder, values_shown, settings, settings.to_toml(), compiled_from(settings))


def plan(photos: Sequence[Path], variants: Sequence[Variant]) -> tuple[list[Planned], list[LeftOut]]:
    """Return the dreams of each photograph, and the photographs that cannot be opened.

    Without photographs, the variants that start from noise. Raises SettingsError if there are none.
    """
    if not photos:
        for variant in variants:
            if variant.settings.start == "photograph":
                raise SettingsError(f"{variant.values['settings']}: starts from a photograph; name some photographs")
        return [Planned(None, (variant.settings.side,) * 2, variant) for variant in variants], []
    if len(photos) * len(variants) > MOST_JOBS:
        raise SettingsError(f"these are {len(photos) * len(variants):,} dreams, and {MOST_JOBS:,} is the limit")
    planned, left_out = list[Planned](), list[LeftOut]()
    for photo in photos:
        try:
            planned += _of_photo(photo, variants)
        except PictureError as error:
            left_out.append(LeftOut(str(photo), str(error).removeprefix(f"{photo}: ")))
    return planned, left_out


def _of_photo(photo: Path, variants: Sequence[Variant]) -> Iterator[Planned]:
    """Yield the dreams of a photograph. Raises PictureError if its header cannot be read."""
    sizes = {size: fitted_size(photo, size) for size in {variant.settings.size for variant in variants}}
    for variant in variants:
        yield Planned(photo, sizes[variant.settings.size], variant)
