"""Measure how well dreams follow the motion of films, and how fast they are.

    python samples/film_numbers.py                          # all numbers, some minutes on two cores
    python samples/film_numbers.py ghosts --landscape sky   # one part, on another film
    python samples/film_numbers.py flicker --save numbers   # keep a sheet of frames, and strips of a row over time

The films are those of `films.py`, whose true motion is known. Numbers of frames are means over the last two thirds of a
film. Differences are in pixel values, 0..255.

flicker   the mean difference between a frame and the last frame moved by the true motion, where both show the same
          thing, less that of the film itself. Beside it, films that are dreamt frame by frame, and films whose frames
          are blended with the last dream, by 0.5 (DeepDreamVideo) and 0.85 (pytorch-deepdream), without motion. Ratios
          to blends are ratios of flicker per change, where change is the mean change of a frame by the dream.
ghosts    the change of places that were covered in the frame before, relative to a dream of this frame alone, and the
          correlation of this change with the last frame's change at the same place.
drift     the largest change of a channel's mean since the first frame, over a zoom and over a film without motion.
share     the share of a frame's time that it takes to find the motion and to move the dream.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from films import Scene
from PIL import Image

from dreamscripts.dreams.films.dreamer import Dreamer
from dreamscripts.dreams.films.journey import Journey
from dreamscripts.dreams.films.motion import find_motion, luma_of
from dreamscripts.dreams.films.video import dream_video
from dreamscripts.dreams.films.zoom import dream_zoom
from dreamscripts.settings.film_tables import Video, Zoom
from dreamscripts.settings.schema import Settings

BLENDS = {"blend 0.5": 0.5, "blend 0.85": 0.85}
SHOWN = 10  # frames on a sheet


class Films:
    """A film, and the dreams of it. Each is made when it is needed first, with its seconds per frame."""

    def __init__(self, settings: Settings, scene: Scene, count: int):
        self.scene, self.seconds = scene, {}
        self._settings, self._frames = settings, [scene.frame(number) for number in range(count)]
        self._made = {"film": self._frames}
        self._dreamer = None

    @property
    def dreamer(self) -> Dreamer:
        if self._dreamer is None:
            self._dreamer = Dreamer(self._settings, *self.scene.size)
            self._dreamer.dream(self._frames[0].astype(np.float32))  # compiles
        return self._dreamer

    def __getitem__(self, name: str) -> list[np.ndarray]:
        """Return the frames, uint8 (H, W, 3), of "film", "ours", "alone" or one of BLENDS."""
        if name not in self._made:
            made, times = [], []
            started, frames = time.perf_counter(), self._dreamt(name)
            for frame in frames:
                made.append(frame)
                times.append(time.perf_counter() - started)
                started = time.perf_counter()
            self._made[name], self.seconds[name] = made, float(np.mean(times[1:]))  # the first is a whole dream
        return self._made[name]

    def _dreamt(self, name: str) -> Iterator[np.ndarray]:
        dreamer = self.dreamer
        if name == "ours":
            yield from (frame.pixels for frame in dream_video(self._frames, dreamer, self._settings.video or Video()))
            return
        share, last = BLENDS.get(name, 0.0), None
        for frame in self._frames:
            start = frame if last is None else share * last + (1 - share) * frame
            last = np.rint(dreamer.dream(start.astype(np.float32)))
            yield last.astype(np.uint8)

    def late(self) -> range:
        """Return the numbers of the last two thirds of the frames."""
        return range(max(1, len(self._frames) // 3), len(self._frames))

    def changes(self, name: str) -> list[np.ndarray]:
        """Return what the dream changed in each frame: float32 (H, W, 3)."""
        return [dreamt.astype(np.float32) - frame for dreamt, frame in zip(self[name], self._frames, strict=True)]

    def change(self, name: str) -> float:
        changes = self.changes(name)
        return float(np.mean([np.abs(changes[number]).mean() for number in self.late()]))

    def flicker(self, name: str) -> float:
        return self._unsteadiness(name) - self._unsteadiness("film")

    def _unsteadiness(self, name: str) -> float:
        frames, found = self[name], []
        for number in self.late():
            motion = self.scene.motion(number)
            difference = np.abs(frames[number] - motion.moved(frames[number - 1].astype(np.float32))).mean(-1)
            found.append(difference[motion.trust > 0].mean())
        return float(np.mean(found))


def flicker(films: Films) -> None:
    ours, alone = films.flicker("ours"), films.flicker("alone")
    for name in ("ours", "alone", *BLENDS):
        found = films.flicker(name), films.change(name), films.seconds[name]
        print("{:<12} flicker {:5.2f}, change {:5.2f}, {:.3f} seconds per frame".format(name, *found), flush=True)
    report("flicker / frame by frame", ours / alone, 0.25)
    for name in BLENDS:
        report(f"flicker / {name}", ours / films.change("ours") * films.change(name) / films.flicker(name), 0.15)
    report("seconds / frame by frame", films.seconds["ours"] / films.seconds["alone"], 0.25)


def ghosts(films: Films) -> None:
    ours, alone = films.changes("ours"), films.changes("alone")
    here = {number: films.scene.uncovered(number) for number in films.late()}

    def gathered(changes: list[np.ndarray], back: int = 0) -> np.ndarray:
        return np.concatenate([changes[number - back][places] for number, places in here.items()])

    report("change / frame by frame, uncovered", np.abs(gathered(ours)).mean() / np.abs(gathered(alone)).mean(), 1.2)
    last = gathered(ours, back=1)
    report("correlation with the last change", correlation(gathered(ours), last), 0.1)
    print(f"    (a frame dreamt alone: {correlation(gathered(alone), last):.3f})")


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


def drift(films: Films, settings: Settings, zoomed: int, still: int) -> None:
    picture = films["film"][0]
    frames = (frame.pixels for frame in dream_video([picture] * still, films.dreamer, settings.video or Video()))
    report(f"drift over {still} frames without motion", largest_drift(frames), 3)
    zoom = (settings.zoom or Zoom()).model_copy(update={"seconds": zoomed / 30, "fps": 30.0})
    frames = dream_zoom(picture.astype(np.float32), Journey(settings, *films.scene.size), zoom)
    report(f"drift over {zoomed} frames of a zoom", largest_drift(frame.pixels for frame in frames), 3)


def largest_drift(frames: Iterator[np.ndarray]) -> float:
    means = np.array([frame.mean((0, 1)) for frame in frames])
    return float(np.abs(means - means[0]).max())


def share(settings: Settings, options: dict) -> None:
    films = Films(settings, Scene(360, 640, **options), 13)
    frames = films["film"]
    lumas, added = [luma_of(frame) for frame in frames], frames[0].astype(np.float32)
    found = []
    for now, before in zip(lumas[1:], lumas, strict=False):
        started = time.perf_counter()
        motion = find_motion(now, before)
        for moved in (added, before.astype(np.float32), added[..., 0]):  # the dream, the luma, and what is new
            motion.moved(moved)
        found.append(time.perf_counter() - started)
    _ = films["ours"]
    print(f"motion {np.median(found):.3f} of {films.seconds['ours']:.3f} seconds per frame at 640×360")
    report("share of motion", float(np.median(found)) / films.seconds["ours"], 0.15)


def report(what: str, found: float, most: float) -> None:
    print(f"{what:<40} {found:8.3f}   at most {most:<5g} {'' if found <= most else 'MISSED'}", flush=True)


def save(films: Films, folder: Path) -> None:
    """Save a sheet of frames and a strip of the middle row over time, for the film and each dream of it."""
    folder.mkdir(parents=True, exist_ok=True)
    names = ("film", "ours", "alone", *BLENDS)
    numbers = np.linspace(0, len(films["film"]) - 1, SHOWN).round().astype(int)
    sheet = np.vstack([np.hstack([films[name][number] for number in numbers]) for name in names])
    Image.fromarray(sheet).save(folder / "sheet.png")
    middle = films.scene.size[0] // 2
    strips = [np.repeat([frame[middle] for frame in films[name]], 4, axis=0) for name in names]
    Image.fromarray(np.hstack(strips)).save(folder / "strips.png")
    Image.fromarray(np.hstack([films[name][-1] for name in names])).save(folder / "last.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parts = ("flicker", "ghosts", "drift", "share")
    parser.add_argument("parts", nargs="*", default="all", choices=[*parts, "all"], metavar="PART")
    parser.add_argument("--settings", default="dreamy")
    parser.add_argument("--network", default="pocket")
    parser.add_argument("--size", type=int, default=384, help="width of the frames in pixels; the height is 9/16 of it")
    parser.add_argument("--frames", type=int, default=40, help="length of the films for flicker and ghosts")
    parser.add_argument("--zoom-frames", type=int, default=300)
    parser.add_argument("--still-frames", type=int, default=100)
    parser.add_argument("--landscape", default="hills", help="name of a sample picture")
    parser.add_argument("--piece", default="pebbles", help="name of the sample picture of the piece that moves")
    parser.add_argument("--save", type=Path, metavar="FOLDER", help="save frames of the films for flicker")
    arguments = parser.parse_args()
    settings = Settings.load(arguments.settings, network=arguments.network)
    options = {"landscape": arguments.landscape, "piece": arguments.piece}
    films = Films(settings, Scene(arguments.size * 9 // 16, arguments.size, **options), arguments.frames)
    measures: dict[str, Callable[[], None]] = {
        "flicker": lambda: flicker(films),
        "ghosts": lambda: ghosts(films),
        "drift": lambda: drift(films, settings, arguments.zoom_frames, arguments.still_frames),
        "share": lambda: share(settings, options),
    }
    for part in parts if "all" in arguments.parts else arguments.parts:
        measures[part]()
    if arguments.save:
        save(films, arguments.save)


if __name__ == "__main__":
    main()
