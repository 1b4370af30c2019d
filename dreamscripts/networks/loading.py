"""Load a network by name or from a file, with its weights, and cut it at layers."""

import logging
from collections.abc import Iterable
from pathlib import Path

import keras

from dreamscripts.errors import NetworkError
from dreamscripts.images.preprocessing import PREPROCESSINGS
from dreamscripts.networks.cut import cut
from dreamscripts.networks.family import check_name, family_of
from dreamscripts.networks.graph import RewriteError, maker
from dreamscripts.networks.initial_values import without_initial_values
from dreamscripts.networks.keras2 import is_by_keras2
from dreamscripts.networks.model_files import load_whole
from dreamscripts.networks.network import Network
from dreamscripts.networks.origin import read_origin
from dreamscripts.networks.plain_keras import plain_keras
from dreamscripts.networks.preprocessing_inside import preprocessing_inside
from dreamscripts.networks.rewrite.clone import rewrite
from dreamscripts.networks.rewrite.fold_batchnorm import fold_normalisation
from dreamscripts.networks.weights import fill_at_random, load_file
from dreamscripts.settings.network_names import from_here, is_model_file

log = logging.getLogger(__name__)


def load_network(
    name: str,
    weights: str | None = None,
    layers: Iterable[str] = (),
    *,
    preprocessing: str | None = None,
    seed: int = 0,
) -> Network:
    """Build a network, load its weights, and cut it at `layers`.

    `name` is a name in `family.names()` or the path of a model file, `.keras` or `.h5`. For a file, `preprocessing`
    ("caffe", "tf", "torch", "unit" or "none") is the format of its pictures. A model that preprocesses pictures
    itself does not need it, and neither does one that `dreamscripts distil` made. `weights` is "imagenet", a path,
    "random" (seeded), or None for the usual weights. Raises NetworkError.
    """
    name = from_here(name)  # shorter in messages
    check_name(name)
    if is_model_file(name):
        if weights == "imagenet":
            raise _no_imagenet(name)
        model = _weighted(build(name), weights, seed)
        preprocessing = preprocessing or _preprocessing_of_origin(name) or _found_preprocessing(name, model)
    else:
        if preprocessing is not None:
            raise NetworkError(f"{name} has its own preprocessing; remove 'preprocessing' from the settings")
        model = _from_family(name, weights, seed)
        preprocessing = family_of(name).preprocessing
    model = cut(model, layers, name)
    with plain_keras():
        # Names of layers, because `x_pre_relu` is the output of another layer.
        model = fold_normalisation(model, keep={maker(x).name for x in model.output.values()})
    model.trainable = False
    return Network(name, model, PREPROCESSINGS[preprocessing])


def build(name: str, weights: str | None = None) -> keras.Model:
    """Build the complete network called `name` without its top. Its kernels are zero.

    A model from a file keeps the weights in the file. The model is flat (networks/graph.py). `weights` has an effect
    only for a network whose structure comes from the file of its weights (googlenet): it is the path of the file, or
    None or "imagenet" for the published file.
    """
    check_name(name)
    if is_model_file(name):
        with plain_keras():
            return _load_model(Path(name))
    family = family_of(name)
    with plain_keras(), without_initial_values():
        if family.from_weights and weights not in (None, "imagenet"):
            return family.from_weights(name, weights)
        return family.build(name)


def _from_family(name: str, weights: str | None, seed: int) -> keras.Model:
    """Build a network of a family, with its weights."""
    family = family_of(name)
    if weights == "imagenet" and not family.imagenet:
        raise _no_imagenet(name)
    if weights in (None, "imagenet"):
        with plain_keras(), without_initial_values():
            return family.trained(name)
    model = build(name, weights)
    return model if family.from_weights else _weighted(model, weights, seed)


def _weighted(model: keras.Model, weights: str | None, seed: int) -> keras.Model:
    """Load the weights of a file into `model`, or random weights. None changes nothing."""
    if weights == "random":
        fill_at_random(model, seed)
    elif weights is not None:
        load_file(model, weights)
    return model


def _no_imagenet(name: str) -> NetworkError:
    return NetworkError(f"{name} has no ImageNet weights; remove 'weights' to use its own")


def _preprocessing_of_origin(name: str) -> str | None:
    """Return the preprocessing that the metadata of a distilled network names, or None for other files."""
    origin = read_origin(Path(name))
    return None if origin is None else origin["preprocessing"]


def _found_preprocessing(name: str, model: keras.Model) -> str:
    """Return the preprocessing that a model needs before its first layer. Raises NetworkError if it is unknown."""
    found = preprocessing_inside(model)
    if found is None:
        raise NetworkError(
            f'{name}: the preprocessing of this model is unknown; set preprocessing = "caffe", "tf", "torch", '
            '"unit" (0 to 1) or "none" (0 to 255) in the settings, or use --set preprocessing=tf'
        )
    log.warning('%s preprocesses its pictures itself: preprocessing = "%s"', name, found)
    return found


def _load_model(path: Path) -> keras.Model:
    """Load a model file as a flat model in float32."""
    model = load_whole(path)
    if len(model.inputs) != 1 or len(model.inputs[0].shape) != 4 or 3 not in model.inputs[0].shape[1:]:
        raise NetworkError(f"{path}: the input of this model must be one RGB picture")
    try:
        flat = rewrite(model, dtype="float32")
    except RewriteError as error:
        raise NetworkError(f"{path}: {error}") from None
    if is_by_keras2(path):
        load_file(flat, path)
    return flat
