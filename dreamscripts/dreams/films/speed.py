"""How fast a zoom moves at each moment, and which keyframes of its journey count then."""

from collections.abc import Mapping, Sequence
from math import exp, log

from dreamscripts.settings.film_tables import Keyframe, Zoom


def speed_at(zoom: Zoom, seconds: float) -> tuple[float, float]:
    """Return the enlargement per second, and the degrees per second, at a moment of a zoom."""
    keyframes = zoom.keyframes or []
    factor = turn = 0.0
    for index, share in mixture(keyframes, seconds).items():
        keyframe = keyframes[index]
        factor += share * log(zoom.factor if keyframe.factor is None else keyframe.factor)
        turn += share * (zoom.turn if keyframe.turn is None else keyframe.turn)
    return (exp(factor), turn) if keyframes else (zoom.factor, zoom.turn)


def mixture(keyframes: Sequence[Keyframe], seconds: float) -> Mapping[int, float]:
    """Return {number of a keyframe: its share} at a moment. The shares are above 0, and their sum is 1."""
    passed = [index for index, keyframe in enumerate(keyframes) if keyframe.at <= seconds]
    if not passed:
        return {}
    last = passed[-1]
    if last + 1 == len(keyframes):
        return {last: 1.0}
    share = (seconds - keyframes[last].at) / (keyframes[last + 1].at - keyframes[last].at)
    return {last: 1 - share, last + 1: share} if share else {last: 1.0}
