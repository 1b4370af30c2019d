"""KeptEvaluators: networks and compiled evaluators, for the next dreams with the same loss in this process."""

from dataclasses import dataclass, field

from dreamscripts.dreams.prepare import build_evaluator, open_network
from dreamscripts.networks.network import Network
from dreamscripts.networks.tuning import Choices
from dreamscripts.objective.evaluator import Evaluator
from dreamscripts.settings.built_from import compiled_from
from dreamscripts.settings.named_files import files_of
from dreamscripts.settings.schema import Settings

MOST_SIZES = 8  # of pictures for an evaluator: it compiles and keeps its code for each


@dataclass
class _Kept:
    network: Network
    evaluator: Evaluator | None = None
    built_for: tuple[int, Choices] | None = None  # the number of pictures, and the algorithms
    pixels: int = 0  # of the largest picture
    sizes: set[tuple[int, int]] = field(default_factory=set)  # heights and widths of the largest octaves


class KeptEvaluators:
    """The networks and the evaluators of the last `most` dreams. Loading and compiling them takes seconds.

    A dream with a kept evaluator gives the same bytes as without it. An evaluator is used again only for the same loss,
    the same algorithms and a picture that is not larger. Those of settings that name a file are not kept, because the
    file may change. Only one thread may use them at a time.
    """

    def __init__(self, most: int = 3):
        self._most = most
        self._kept: dict[str, _Kept] = {}  # the least recently used comes first

    def open_network(self, settings: Settings) -> Network:
        """Return the kept network, or load it as `prepare.open_network` does. Raises NetworkError."""
        key = compiled_from(settings)
        kept = self._kept.pop(key, None) or _Kept(open_network(settings))
        if not files_of(settings):
            self._kept[key] = kept
            while len(self._kept) > self._most:
                del self._kept[next(iter(self._kept))]
        return kept.network

    def build_evaluator(
        self, network: Network, settings: Settings, height: int, width: int, *, pictures: int, choices: Choices
    ) -> Evaluator:
        """Return the kept evaluator, without its results, or build one as `prepare.build_evaluator` does.

        Raises DreamError.
        """
        kept = self._kept.get(compiled_from(settings))
        if kept is None or kept.network is not network:
            return build_evaluator(network, settings, height, width, pictures=pictures, choices=choices)
        is_full = (height, width) not in kept.sizes and len(kept.sizes) >= MOST_SIZES
        fits = kept.built_for == (pictures, choices) and height * width <= kept.pixels
        if kept.evaluator is None or is_full or not fits:
            kept.evaluator = None  # the memory of both together could be too small
            made = build_evaluator(network, settings, height, width, pictures=pictures, choices=choices)
            if made.exact is not None and made.exact != settings.tiles:  # the free memory has chosen the tiles
                return made
            kept.evaluator, kept.built_for, kept.pixels = made, (pictures, choices), height * width
            kept.sizes.clear()
        kept.sizes.add((height, width))
        kept.evaluator.reset()
        kept.evaluator.seed, kept.evaluator.settings = settings.seed, settings
        return kept.evaluator
