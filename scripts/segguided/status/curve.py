"""A loss curve as inline SVG, a few hundred bytes."""

import math
from collections.abc import Sequence

from markupsafe import Markup

WIDTH = 240
HEIGHT = 56
MARGIN = 3
DECADE = 10.0  # a curve whose losses span a larger factor gets a logarithmic axis

Point = tuple[float, float]


def svg(curve: Sequence[Point]) -> Markup:
    """Loss over steps, from the first known to the last; empty for fewer than two points."""
    if len(curve) < 2:
        return Markup("")
    first_step, first_loss = curve[0]
    last_step, last_loss = curve[-1]
    points = _placed(curve)
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    ground = f"{points[-1][0]:.1f},{HEIGHT} {points[0][0]:.1f},{HEIGHT}"
    title = f"loss {first_loss:.3g} at step {first_step:.0f}, {last_loss:.3g} at step {last_step:.0f}"
    return Markup(
        '<svg class="curve" viewBox="0 0 {} {}" role="img" preserveAspectRatio="none"><title>{}</title>'
        '<polygon points="{} {}"/><polyline points="{}"/></svg>'
    ).format(WIDTH, HEIGHT, title, line, ground, line)


def _placed(curve: Sequence[Point]) -> list[Point]:
    """The points of the line, in pixels."""
    begin = curve[0][0]
    end = curve[-1][0]
    heights = [_height(loss, curve) for _, loss in curve]
    low = min(heights)
    span = (max(heights) - low) or 1
    across = [(step - begin) / (end - begin) for step, _ in curve]
    return [_place(x, (height - low) / span) for x, height in zip(across, heights, strict=True)]


def _height(loss: float, curve: Sequence[Point]) -> float:
    losses = [value for _, value in curve]
    logarithmic = min(losses) > 0 and max(losses) / min(losses) > DECADE
    return math.log(loss) if logarithmic else loss


def _place(across: float, up: float) -> Point:
    return MARGIN + across * (WIDTH - 2 * MARGIN), HEIGHT - MARGIN - up * (HEIGHT - 2 * MARGIN)
