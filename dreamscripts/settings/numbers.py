"""The numbers in settings, with their ranges."""

from typing import Annotated

from pydantic import AfterValidator, Field

SMALLEST, LARGEST = 1e-30, 1e30


def _within_float32(value: float) -> float:
    if value and not SMALLEST <= abs(value) <= LARGEST:
        raise ValueError(f"should be 0, or from {SMALLEST:g} to {LARGEST:g}, because networks compute in float32")
    return value


def _not_zero(factor: float) -> float:
    if not factor:
        raise ValueError("a channel with the factor 0 has no effect: omit the channel")
    return factor


Float32 = Annotated[float, Field(allow_inf_nan=False), AfterValidator(_within_float32)]
Weight = Annotated[Float32, Field(ge=0)]
Factor = Annotated[Float32, AfterValidator(_not_zero)]
Channel = Annotated[int, Field(ge=0, lt=1_000_000)]
Side = Annotated[int, Field(ge=1, le=20_000)]
