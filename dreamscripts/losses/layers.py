"""The measures of a layer: formulas for its activation.

F are the layer's features (N, h, w, c). Their size may change from pass to pass. Measures enter the loss with a minus
sign.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

from dreamscripts.backends.lazy_keras import ops
from dreamscripts.losses.named import LayerTerm, measure
from dreamscripts.losses.regions import Region, Regions, Tensor, sum_of_squares
from dreamscripts.losses.term import Features, Term


@measure("l2")
class LayerL2(LayerTerm):
    """Σ F² / (h·w·c), as in the Keras examples.

    The sum omits a border of 2 positions, where padding causes artefacts. The divisor includes it.
    """

    tileable = True
    edge = 2

    def activation(self, f: Tensor, region: Region) -> Tensor:
        return sum_of_squares(region.core(f, self.edge)) / region.size(f)


@measure("mean")
class LayerMean(LayerTerm):
    """The mean of F, as in the TensorFlow tutorial and for single channels in the feature-visualisation notebook."""

    tileable = True

    def activation(self, f: Tensor, region: Region) -> Tensor:
        return ops.sum(region.core(f)) / region.size(f)


@measure("mean_square")
class LayerMeanSquare(LayerTerm):
    """The mean of F², as in the feature-visualisation notebook."""

    tileable = True

    def activation(self, f: Tensor, region: Region) -> Tensor:
        return sum_of_squares(region.core(f)) / region.size(f)


@measure("energy")
class LayerEnergy(LayerTerm):
    """½ Σ F², as in the DeepDream notebook. Its gradient with respect to F is F."""

    tileable = True

    def activation(self, f: Tensor, region: Region) -> Tensor:
        return sum_of_squares(region.core(f)) / 2


@measure("neuron")
class LayerNeuron(LayerTerm):
    """The mean over the channels of F at the middle position, to show the pattern that activates this position."""

    tileable = True

    def activation(self, f: Tensor, region: Region) -> Tensor:
        return ops.sum(region.middle(f)) / f.shape[-1]


@measure("guide")
@dataclass(frozen=True)
class LayerGuide(LayerTerm):
    """Σ over positions of the largest dot product of F with a feature of the guide picture.

    Its gradient with respect to F is this guide feature at each position, as in the DeepDream notebook.
    `guide` (positions, c) are the features of the guide picture.
    """

    guide: Any = None
    tileable = True
    guided: ClassVar[bool] = True

    def activation(self, f: Tensor, region: Region) -> Tensor:
        flat = ops.reshape(region.core(f), (-1, f.shape[-1]))
        return ops.sum(ops.max(ops.matmul(flat, ops.transpose(self.guide)), axis=1))


@dataclass(frozen=True)
class LayerDirections(Term):
    """For each picture of a batch, the mean over positions of F · d. d (c,) is the direction of this picture.

    The value is the sum over the pictures, with a minus sign. `directions` is a Keras variable (N, c), so that a
    gallery can change the channels without compiling again.
    """

    layer: str
    directions: Any
    tileable = True

    @property
    def name(self) -> str:  # type: ignore[override]
        """The layer."""
        return self.layer

    @property
    def layers(self) -> tuple[str, ...]:  # type: ignore[override]
        """The layer."""
        return (self.layer,)

    @property
    def variables(self) -> list[Any]:  # type: ignore[override]
        """The directions."""
        return [self.directions]

    def __call__(self, x: Tensor, features: Features, regions: Regions) -> Tensor:
        region, f = regions[self.layer], features[self.layer]
        return -ops.sum(ops.sum(region.core(f), axis=(1, 2)) / region.positions(f) * self.directions)
