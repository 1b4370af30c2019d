"""Diversity: a penalty on the similarity of the pictures in a batch."""

from dreamscripts.backends.lazy_keras import ops
from dreamscripts.losses.named import LayerPenalty, penalty
from dreamscripts.losses.regions import Regions, Tensor
from dreamscripts.losses.term import Features


@penalty("diversity", on="layer", compares=True)
class Diversity(LayerPenalty):
    """The similarity of the pictures in a batch, measured in one layer, times their activation. One picture has none.

    Similarity is the cosine between the Gram matrices, averaged over the other pictures (Olah et al. 2017, "Feature
    Visualization"). It is multiplied by |E| / N, the mean activation of the N pictures, because activations of layers
    differ by orders of magnitude. The gradient of this factor is not used. With weight 1, the penalty of a picture that
    is identical to the others is as large as this mean. Pictures that are identical at the start stay identical.
    """

    @property
    def has_sums(self) -> bool:
        """Whether the activation is a sum over positions, as the Gram matrices are."""
        return self.term.tileable

    def sums(self, x: Tensor, features: Features, regions: Regions) -> Tensor:
        """Return (N, c·c + 1): the Gram matrix of each picture, and the activation E of the batch."""
        region = regions[self.term.layer]
        f = region.core(features[self.term.layer])
        count, height, width, channels = ops.shape(f)
        flat = ops.reshape(f, (count, height * width, channels))
        grams = ops.reshape(ops.matmul(ops.transpose(flat, (0, 2, 1)), flat), (count, channels * channels))
        activation = self.term.activation(self.term.chosen(features), region)
        return ops.concatenate([grams, ops.broadcast_to(activation, (count, 1))], axis=1)

    def of_sums(self, sums: Tensor) -> Tensor:
        """Return the similarity times |E| / N, summed over the N pictures."""
        grams, activation = sums[:, :-1], ops.abs(ops.stop_gradient(sums[0, -1]))
        grams = grams / ops.sqrt(ops.sum(ops.square(grams), axis=1, keepdims=True) + 1e-20)
        similarity = ops.sum(ops.square(ops.sum(grams, axis=0))) - ops.sum(ops.square(grams))
        count = ops.shape(sums)[0]
        others = ops.cast(ops.maximum(count - 1, 1), "float32")
        return activation / ops.cast(count, "float32") * similarity / others
