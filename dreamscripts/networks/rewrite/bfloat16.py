"""Convert networks to bfloat16, for the matrix units of GPUs."""

import keras

from dreamscripts.networks.rewrite.clone import rewrite


def in_bfloat16(model: keras.Model) -> keras.Model:
    """Copy `model` with layers that compute in bfloat16. Weights and pictures stay float32."""
    return rewrite(model, dtype="mixed_bfloat16")
