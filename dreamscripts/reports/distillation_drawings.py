"""Draw the agreement of a student with its teacher as SVG, for a web page: bars by layer, and curves over time."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from dreamscripts.reports.labels import escape

WIDTH, HEIGHT = 360, 200  # of the curves, in pixels of a narrow page
LEFT, RIGHT, TOP, BOTTOM = 28, 8, 8, 24  # margins around the axes
TICKS = (1, 2, 5, 10, 20, 30, 60, 120, 240, 480, 960, 1920)  # minutes between two ticks
DEEPEST, FIRST = 310, 190  # hues of the colours, in degrees


def colour(index: int, count: int) -> str:
    """Return the colour of a layer: from turquoise for the first to purple for the deepest, readable on any ground."""
    share = index / max(1, count - 1)
    return f"hsl({FIRST + share * (DEEPEST - FIRST):.0f} 60% 52%)"


def bar(cosine: float, before: float | None, paint: str) -> str:
    """Return a bar for a cosine, from 0 to 1, with a line at the cosine before the training."""
    width = 100 * min(1.0, max(0.0, cosine))
    mark = ""
    if before is not None:
        place = 100 * min(1.0, max(0.0, before))
        mark = f'<path class="before" d="M{place:.1f} 0V10" vector-effect="non-scaling-stroke"/>'
    return (
        '<svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="whole" width="100" height="10"/><rect width="{width:.1f}" height="10" fill="{paint}"/>'
        f"{mark}</svg>"
    )


def curves(minutes: Sequence[float], cosines: Mapping[str, Sequence[float]]) -> str:
    """Return the agreement of each layer over time, in minutes. There is at least one moment."""
    longest = max(minutes[-1], 1e-3)
    lowest = min(0.0, min(min(values) for values in cosines.values()))
    highest = max(0.1, max(max(values) for values in cosines.values()))

    def x(minute: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * minute / longest

    def y(cosine: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (highest - cosine) / (highest - lowest)

    step = next((step for step in (0.02, 0.05, 0.1, 0.2) if (highest - lowest) / step <= 6), 0.2)
    parts = []
    for i in range(int(lowest / step), int(highest / step) + 1):
        parts.append(f'<path class="grid" d="M{LEFT} {y(i * step):.1f}H{WIDTH - RIGHT}"/>')
        parts.append(f'<text x="{LEFT - 4}" y="{y(i * step) + 3:.1f}" text-anchor="end">{i * step:.2g}</text>')
    apart = next((tick for tick in TICKS if longest / tick <= 6), TICKS[-1]) if longest >= 1 else longest
    for i in range(int(longest / apart + 1e-9) + 1):
        anchor = "middle" if x(i * apart) < WIDTH - RIGHT - 20 else "end"
        unit = " min" if i else ""
        parts.append(
            f'<text x="{x(i * apart):.1f}" y="{HEIGHT - 6}" text-anchor="{anchor}">{i * apart:.2g}{unit}</text>'
        )
    for index, values in enumerate(cosines.values()):
        points = [(x(minute), y(value)) for minute, value in zip(minutes, values, strict=True)]
        line = "".join(f"M{a[0]:.1f} {a[1]:.1f}L{b[0]:.1f} {b[1]:.1f}" for a, b in pairwise(points))
        paint = colour(index, len(cosines))
        parts.append(f'<path class="curve" stroke="{paint}" d="{line}"/>')
        parts.append(f'<circle cx="{points[-1][0]:.1f}" cy="{points[-1][1]:.1f}" r="2.2" fill="{paint}"/>')
    text = "The agreement of each layer over time; the table of all numbers is below."
    head = f'<svg class="curves" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(text)}">'
    return head + "".join(parts) + "</svg>"
