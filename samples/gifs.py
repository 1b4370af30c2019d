"""Make the two short films of the README: an endless zoom, and a dream over a film beside this film.

    python samples/gifs.py               # both, with VGG16, which is downloaded once (59 MB)
    python samples/gifs.py zoom --weights vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5

The film under the dream is one of `films.py`.
"""

import argparse
import time
from fractions import Fraction
from pathlib import Path

from films import Scene

from dreamscripts import Settings
from dreamscripts.dreams.films.dreamer import Dreamer
from dreamscripts.dreams.films.video import dream_video
from dreamscripts.dreams.movie import side_by_side
from dreamscripts.film_files.writing import write_film
from dreamscripts.runs.film import new_zoom, record
from dreamscripts.settings.film_tables import Video

SAMPLES = Path(__file__).parent
RATE = 12  # frames per second


def zoom(weights: str | None) -> None:
    """Zoom into a landscape, until it comes back."""
    table = {"seconds": 2.67, "fps": float(RATE), "factor": 2.5, "turn": 0.0, "loop": True, "x": 0.42, "y": 0.45}
    settings = Settings.load("menagerie", network="vgg16", weights=weights, size=280, zoom=table)
    for _ in record(new_zoom(SAMPLES / "hills.jpg", settings, SAMPLES / "hills-zoom.gif")):
        pass


def video(weights: str | None) -> None:
    """Dream over a film, and show both side by side."""
    settings = Settings.load("dreamy", network="vgg16", weights=weights, size="none")
    scene = Scene(160, 288, landscape="shore", piece="pebbles")
    frames = [scene.frame(number) for number in range(20)]
    dreamt = dream_video(frames, Dreamer(settings, *scene.size), Video())
    both = (side_by_side((frame, dream.pixels), 2, 4) for frame, dream in zip(frames, dreamt, strict=True))
    write_film(SAMPLES / "shore-video.gif", both, Fraction(RATE))


def main() -> None:
    """Make the films, and say how long each took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("film", nargs="?", choices=["zoom", "video", "both"], default="both", help="default: both")
    parser.add_argument("--weights", help="a file of VGG16's weights; default: they are downloaded")
    options = parser.parse_args()
    for make in (zoom, video):
        if options.film in (make.__name__, "both"):
            began = time.monotonic()
            make(options.weights)
            print(f"{make.__name__}: {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
