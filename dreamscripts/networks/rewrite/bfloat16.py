"""A network that computes in bfloat16, for the matrix units of GPUs."""

import keras

from dreamscripts.networks.rewrite.clone import rewrite


def in_bfloat16(model: keras.Model) -> keras.Model:
    """`model` with its layers computing in bfloat16 from weights in float32; it still takes pictures in float32."""
    return rewrite(model, dtype="mixed_bfloat16")
