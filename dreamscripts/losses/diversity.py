"""Diversity: a penalty on pictures of a batch that are alike to a layer."""

from dataclasses import dataclass

from keras import ops

from dreamscripts.losses.layers import LayerTerm
from dreamscripts.losses.regions import WHOLE


@dataclass(frozen=True)
class Diversity:
    """How alike the pictures of a batch are to a layer, times their excitement.

    Alike is the cosine between the Gram matrices of their features, averaged over the other pictures (Olah et al.
    2017, "Feature Visualization"). Times the batch's mean excitement |E|, which counts as a constant here, because
    layers differ by orders of magnitude: at weight 1 others just like it cost a picture as much as it has gained.
    Pictures that are equal to begin with stay so.
    """

    term: LayerTerm

    @property
    def name(self) -> str:
        return f"diversity of {self.term.layer}"

    def __call__(self, x, features, parts):
        part = parts.get(self.term.layer, WHOLE)
        sums = part.summed(self.sums(features, parts))
        grams, gained = sums[:, :-1], ops.abs(ops.stop_gradient(sums[0, -1]))
        grams = grams / ops.sqrt(ops.sum(ops.square(grams), axis=1, keepdims=True) + 1e-20)
        alike = ops.sum(ops.square(ops.sum(grams, axis=0))) - ops.sum(ops.square(grams))
        count = ops.shape(sums)[0]
        others = ops.cast(ops.maximum(count - 1, 1), "float32")
        return part.once(gained / ops.cast(count, "float32") * alike / others)

    def sums(self, features, parts):
        """(N, c·c + 1): the Gram matrix of each picture, and E. Both are sums over positions, which the term is not."""
        part = parts.get(self.term.layer, WHOLE)
        f = part.owned(features[self.term.layer])
        count, height, width, channels = ops.shape(f)
        flat = ops.reshape(f, (count, height * width, channels))
        grams = ops.reshape(ops.matmul(ops.transpose(flat, (0, 2, 1)), flat), (count, channels * channels))
        excitement = self.term.excitement(self.term.chosen(features), part)
        return ops.concatenate([grams, ops.broadcast_to(excitement, (count, 1))], axis=1)
