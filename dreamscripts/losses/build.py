"""The loss of a settings file: a weighted sum of terms."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from keras import ops

from dreamscripts.errors import PictureError, SettingsError
from dreamscripts.images.files import open_picture
from dreamscripts.images.resizing import fit
from dreamscripts.losses.diversity import Diversity
from dreamscripts.losses.layers import MEASURES, LayerGuide, selection
from dreamscripts.losses.priors import Continuity, ImageL2, TotalVariation
from dreamscripts.losses.regions import Part
from dreamscripts.losses.term import Term
from dreamscripts.networks.layers import fixed_size
from dreamscripts.networks.network import Network
from dreamscripts.settings.schema import Settings


@dataclass(frozen=True)
class Loss:
    """A weighted sum of terms."""

    terms: tuple[tuple[float, Term], ...]

    @property
    def names(self) -> list[str]:
        """The names of the terms, in the order of what a call gives."""
        return [term.name for _, term in self.terms]

    @property
    def variables(self) -> list:
        """The Keras variables that the terms read."""
        return [variable for _, term in self.terms for variable in getattr(term, "variables", [])]

    @property
    def undivided(self) -> list[Diversity]:
        """The terms that are no sums over positions, each of another layer."""
        return [term for _, term in self.terms if isinstance(term, Diversity)]

    def __call__(self, x, features, parts: Mapping[str, Part] = MappingProxyType({})):
        """The weighted terms, as a tensor (n,); the loss is their sum, and that of a picture the sum over its parts."""
        return ops.stack([weight * term(x, features, parts) for weight, term in self.terms])


def build_loss(settings: Settings, network: Network) -> Loss:
    """The loss that a settings file describes over the features of `network`; what weighs nothing is left out.

    Raises SettingsError where a layer has not the channels named, and PictureError for a guide that cannot be read.
    """
    depths = {name: tensor.shape[network.channel_axis] for name, tensor in network.model.output.items()}
    guide = None
    weighted = []
    for layer, feature in settings.features.items():
        if feature.channels and max(feature.channels) >= depths[layer]:
            raise SettingsError(
                f"{network.name}: {layer} has channels 0 to {depths[layer] - 1}, and no {max(feature.channels)}"
            )
        measure = feature.measure or settings.measure
        if measure == "guide":
            guide = guide or _guide_features(settings, network)
            chosen = guide[layer]
            if feature.channels:
                chosen = chosen @ selection(feature.channels, depths[layer])
            term = LayerGuide(layer, feature.channels, chosen)
        else:
            term = MEASURES[measure](layer, feature.channels)
        weighted.append((feature.weight, term))
        weighted.append((feature.weight * settings.penalties.diversity, Diversity(term)))
    penalties = settings.penalties
    weighted += [
        (penalties.continuity, Continuity()),
        (penalties.dream_l2, ImageL2()),
        (penalties.total_variation, TotalVariation()),
    ]
    return Loss(tuple((weight, term) for weight, term in weighted if weight))


def _guide_features(settings: Settings, network: Network) -> dict:
    """{layer: (positions, c)} of the guide picture, as arrays."""
    picture = fit(open_picture(settings.guide.picture), settings.guide.size)
    if (only := fixed_size(network.model)) and only != picture.shape[:2]:
        height, width = only
        raise PictureError(
            f"{settings.guide.picture}: {network.name} takes pictures of {width}×{height} only: "
            f"crop the guide to {width}:{height} and set guide.size = {max(only)}"
        )
    if not network.fits(*picture.shape[:2]):
        raise PictureError(
            f"{settings.guide.picture}: at guide.size = {settings.guide.size} the guide is too small for "
            f"{network.name}, which needs {network.least_side} pixels a side"
        )
    x = network.preprocessing.normalise(picture).astype("float32")
    features = network.features(ops.convert_to_tensor(x[None]))
    return {name: ops.convert_to_numpy(f).reshape(-1, f.shape[-1]) for name, f in features.items()}
