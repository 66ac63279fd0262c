"""A loss curve as inline SVG, a few hundred bytes."""

import math
from collections.abc import Sequence

from markupsafe import Markup

WIDTH, HEIGHT, MARGIN = 240, 56, 3
DECADE = 10.0  # losses that span more are drawn on a logarithmic axis

Point = tuple[float, float]


def svg(curve: Sequence[Point]) -> Markup:
    """Loss over steps, from the first known to the last; nothing where there are fewer than two points."""
    if len(curve) < 2:
        return Markup("")
    begin, end = curve[0][0], curve[-1][0]
    points = [(step, _height(loss, curve)) for step, loss in curve]
    low, high = min(y for _, y in points), max(y for _, y in points)
    drawn = [_place((step - begin) / (end - begin), (y - low) / ((high - low) or 1)) for step, y in points]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in drawn)
    ground = f"{drawn[-1][0]:.1f},{HEIGHT} {drawn[0][0]:.1f},{HEIGHT}"
    first, last = curve[0], curve[-1]
    told = f"loss {first[1]:.3g} at step {first[0]:.0f}, {last[1]:.3g} at step {last[0]:.0f}"
    return Markup(
        '<svg class="curve" viewBox="0 0 {} {}" role="img" preserveAspectRatio="none"><title>{}</title>'
        '<polygon points="{} {}"/><polyline points="{}"/></svg>'
    ).format(WIDTH, HEIGHT, told, line, ground, line)


def _height(loss: float, curve: Sequence[Point]) -> float:
    losses = [value for _, value in curve]
    spans = min(losses) > 0 and max(losses) / min(losses) > DECADE
    return math.log(loss) if spans else loss


def _place(across: float, up: float) -> Point:
    return MARGIN + across * (WIDTH - 2 * MARGIN), HEIGHT - MARGIN - up * (HEIGHT - 2 * MARGIN)
