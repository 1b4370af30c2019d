"""Open the teacher and the student of a recipe, and check that they fit together."""

from dataclasses import dataclass, replace
from pathlib import Path

from dreamscripts.errors import NetworkError
from dreamscripts.networks.layers import describe_layers
from dreamscripts.networks.loading import build, load_network
from dreamscripts.networks.network import Network
from dreamscripts.networks.origin import read_origin
from dreamscripts.networks.weights import load_file
from dreamscripts.settings.network_names import is_model_file
from dreamscripts.settings.recipe import WIDTH, Recipe
from dreamscripts.training.student import narrow, narrowed
from dreamscripts.training.taught_layers import taught_layers

SMALLEST, LARGEST = 64, 96  # pixels, the sides of training pictures if the recipe does not say
POSITIONS = 8  # along a side of the deepest layer, where the sides allow it


@dataclass(frozen=True)
class Pair:
    """A teacher and a student, whose outputs are the taught layers, {layer: features}.

    A student that `is_new` has batch normalisation. `width` is its width.
    """

    teacher: Network
    student: Network
    is_new: bool
    width: float

    @property
    def layers(self) -> list[str]:
        """The taught layers, in order from the input."""
        return list(self.teacher.model.output)


def open_pair(recipe: Recipe) -> Pair:
    """Load the teacher, choose the taught layers, and make or load the student. Raises NetworkError."""
    whole = build(recipe.network, recipe.weights)
    layers = taught_layers(whole, recipe.network, recipe.layers, recipe.until)
    teacher = load_network(recipe.network, recipe.weights, layers, preprocessing=recipe.preprocessing, seed=recipe.seed)
    width = WIDTH if recipe.width is None else recipe.width
    if recipe.student is None:
        model = narrow(teacher, width, recipe.seed, normalised=True)
        return Pair(teacher, replace(teacher, name="the student", model=model), True, width)
    if recipe.student.endswith(".npz"):
        model = narrow(teacher, width, recipe.seed, normalised=False)
        load_file(model, recipe.student)
        return Pair(teacher, replace(teacher, name=recipe.student, model=model), False, width)
    student = _load(recipe.student, teacher, layers)
    _check_fit(teacher, student, recipe.width)
    return Pair(teacher, student, False, width)


def _load(name: str, teacher: Network, layers: list[str]) -> Network:
    """Load a student, whose weights can be trained."""
    known = not is_model_file(name) or read_origin(Path(name)) is not None
    student = load_network(name, layers=layers, preprocessing=None if known else teacher.preprocessing.name)
    student.model.trainable = True
    return student


def _check_fit(teacher: Network, student: Network, width: float | None) -> None:
    """Raise NetworkError if a student does not fit its teacher, or does not have the given width."""
    if student.preprocessing != teacher.preprocessing:
        raise NetworkError(
            f"{student.name} takes its pictures as '{student.preprocessing.name}', but {teacher.name} as "
            f"'{teacher.preprocessing.name}'; use another --student"
        )
    strides = [{layer.name: layer.stride for layer in describe_layers(network.model)} for network in (teacher, student)]
    for layer, output in teacher.model.output.items():
        if strides[0].get(layer) != strides[1].get(layer):
            raise NetworkError(
                f"{student.name}: its layer '{layer}' has the stride {strides[1].get(layer)}, but that of "
                f"{teacher.name} has {strides[0].get(layer)}; use another --student"
            )
        channels = student.model.output[layer].shape[student.channel_axis]
        expected = channels if width is None else narrowed(output.shape[teacher.channel_axis], width)
        if channels != expected:
            raise NetworkError(
                f"{student.name}: its layer '{layer}' has {channels} channels, but --width {width:g} means {expected}; "
                "remove --width"
            )


def side_of_pictures(teacher: Network, wanted: int | None, smallest: int = SMALLEST, largest: int = LARGEST) -> int:
    """Return the side in pixels of square pictures for a teacher: the wanted one, or one that its stride needs.

    It is raised to what the teacher accepts. Raises NetworkError if the teacher does not accept squares.
    """
    if teacher.only_size:
        height, width = teacher.only_size
        if height != width:
            raise NetworkError(f"{teacher.name}: takes pictures of {width}×{height} only, but training needs squares")
        return height
    strides = [layer.stride for layer in describe_layers(teacher.model) if layer.name in teacher.model.output]
    side = wanted or min(largest, max(smallest, POSITIONS * int(max(strides))))
    side = max(side, teacher.least_side or side)
    return teacher.extended_size(side, side)[0]
