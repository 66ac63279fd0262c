"""Draws a run: a row for each rule, a bar for each job, and the critical path through them."""

import textwrap
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke

from segguided.figures.blocks import DPI
from segguided.figures.fonts import style_of
from segguided.shown import printable
from segguided.status.timeline.bars import OTHER, STAGES, Bar, Timeline
from segguided.status.timeline.summary import path_in_words, summary

COLOURS = dict(
    zip(
        (*STAGES, OTHER),
        ("#8da0cb", "#e78ac3", "#d95f02", "#1b9e77", "#e6ab02", "#a6761d", "#999999"),
        strict=True,
    )
)
WIDTH = 11.0  # inches, as all lengths here
LABELS = 1.9  # width of the rules' names
LANE = 0.17  # height of a lane of bars; less where there are many
BAR = 0.86  # height of a bar, as a share of its lane
LANES_HEIGHT = 14.0  # of all bars together, at most
ROW = 0.2  # height of a rule's row, at least
LINE = 0.17  # height of a line of text
POINTS = 8.5
CHARACTERS = 150  # a line of text
NAMED_SHARE = 0.03  # of the run: bars of the critical path as long as this show their wildcards


def timeline_figure(timeline: Timeline) -> Figure:
    """The picture of a run, with its totals above and its critical path below."""
    rows = _rows(timeline.bars)
    lane = min(LANE, LANES_HEIGHT / sum(map(len, rows.values())))
    heights = {rule: max(ROW, lane * len(lanes) + 0.04) for rule, lanes in rows.items()}
    above = _lines(summary(timeline))
    below = _lines([path_in_words(timeline)])
    top = LINE * (len(above) + 2) + 0.15
    bottom = LINE * (len(below) + 3)
    height = sum(heights.values())
    figure = Figure(figsize=(WIDTH, top + height + bottom), dpi=DPI)
    FigureCanvasAgg(figure)
    whole = figure.get_figheight()
    axes = figure.add_axes((LABELS / WIDTH, bottom / whole, (WIDTH - LABELS - 0.2) / WIDTH, height / whole))
    places = _draw_rows(axes, timeline, rows, heights, lane)
    _draw_path(axes, timeline, places, lane * BAR)
    _draw_text(figure, above, (whole - LINE) / whole, whole)
    _draw_text(figure, below, LINE * len(below) / whole, whole)
    _legend(figure, timeline, (bottom + height + 0.04) / whole)
    return figure


def _rows(bars: Sequence[Bar]) -> dict[str, list[list[Bar]]]:
    """For each rule its lanes: bars that do not overlap share one. Rules in the order of their starts."""
    rows: dict[str, list[list[Bar]]] = defaultdict(list)
    for bar in bars:
        lanes = rows[bar.job.rule]
        free = next((lane for lane in lanes if lane[-1].end <= bar.submitted), None)
        if free is None:
            lanes.append([bar])
        else:
            free.append(bar)
    return dict(rows)


def _draw_rows(
    axes: Axes,
    timeline: Timeline,
    rows: dict[str, list[list[Bar]]],
    heights: dict[str, float],
    lane_height: float,
) -> dict[str, float]:
    """Draw all bars; returns the height of each job's middle, in inches from the top."""
    unit, name = _unit(timeline.wall)
    places: dict[str, float] = {}
    top = 0.0
    for number, (rule, lanes) in enumerate(rows.items()):
        height = heights[rule]
        if number % 2:
            axes.axhspan(top, top + height, color="0.96", zorder=0)
        y = top + (height - lane_height * len(lanes)) / 2 + lane_height / 2
        for lane in lanes:
            for bar in lane:
                _draw_bar(axes, bar, timeline.run.begun, unit, y, lane_height * BAR)
                places[bar.job.id] = y
            y += lane_height
        jobs = sum(map(len, lanes))
        text = printable(rule) if jobs == 1 else f"{printable(rule)} ({jobs})"
        style: dict[str, Any] = {"fontsize": POINTS, "parse_math": False, **style_of(text)}
        place = (-0.008, top + height / 2)
        axes.text(*place, text, transform=axes.get_yaxis_transform(), ha="right", va="center", **style)
        top += height
    axes.set(xlim=(0, timeline.wall / unit or 1), ylim=(top, 0), yticks=[])
    axes.set_xlabel(f"{name} since the run began", fontsize=POINTS, labelpad=2)
    axes.tick_params(labelsize=POINTS, pad=2)
    axes.grid(axis="x", color="0.85", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    return places


def _unit(seconds: float) -> tuple[float, str]:
    if seconds < 180:
        return 1, "seconds"
    return (60, "minutes") if seconds < 3 * 3600 else (3600, "hours")


def _draw_bar(axes: Axes, bar: Bar, begun: float, unit: float, y: float, height: float) -> None:
    left = (bar.start - begun) / unit
    colour = COLOURS[bar.stage]
    if bar.start > bar.submitted:
        axes.plot([(bar.submitted - begun) / unit, left], [y, y], color=colour, linewidth=0.8)
    style: dict[str, Any] = {"facecolor": colour, "edgecolor": colour}
    if not bar.done:
        style = {"facecolor": "white", "edgecolor": colour, "hatch": "/////"}
    axes.barh(y, bar.seconds / unit, left=left, height=height, linewidth=0.6, **style)
    for failure in bar.job.failures:
        axes.plot((failure.time - begun) / unit, y, "x", color="red", markersize=5, zorder=5)


def _draw_path(axes: Axes, timeline: Timeline, places: dict[str, float], height: float) -> None:
    """A black frame around each job of the critical path, and a line from one to the next."""
    unit, _ = _unit(timeline.wall)
    begun = timeline.run.begun
    for bar in timeline.path:
        y = places[bar.job.id]
        axes.barh(
            y, bar.seconds / unit, left=(bar.start - begun) / unit, height=height,
            facecolor="none", edgecolor="black", linewidth=1.1, zorder=4,
        )  # fmt: skip
        if bar.seconds >= NAMED_SHARE * timeline.wall:
            _name(axes, bar, (bar.start - begun) / unit, (bar.end - begun) / unit, y)
    for bar, following in pairwise(timeline.path):
        end = (bar.end - begun) / unit
        next_start = (following.start - begun) / unit
        xs = [end, end, next_start]
        ys = [places[bar.job.id], places[following.job.id], places[following.job.id]]
        axes.plot(xs, ys, color="black", linewidth=0.8, zorder=3)


def _name(axes: Axes, bar: Bar, start: float, end: float, y: float) -> None:
    """The wildcards of a job, over its bar; towards the middle of the picture where the bar is too short."""
    text = printable(bar.job.name.removeprefix(f"{bar.job.rule} "))
    right = start > axes.get_xlim()[1] / 2
    style: dict[str, Any] = {"fontsize": 7, "parse_math": False, **style_of(text)}
    style |= {"va": "center", "ha": "right" if right else "left", "zorder": 6}
    style["path_effects"] = [withStroke(linewidth=2, foreground="white", alpha=0.8)]
    offset = (-3 if right else 3, -0.5)
    axes.annotate(text, (end if right else start, y), offset, textcoords="offset points", **style)


def _lines(paragraphs: Sequence[str]) -> list[str]:
    return [
        line
        for text in paragraphs
        for line in textwrap.wrap(printable(text), CHARACTERS, break_on_hyphens=False)
    ]


def _draw_text(figure: Figure, lines: Sequence[str], top: float, height: float) -> None:
    """Lines one below the other, from the height `top`, a share of the figure's `height` in inches."""
    for number, line in enumerate(lines):
        style: dict[str, Any] = {"fontsize": POINTS, "parse_math": False, **style_of(line)}
        figure.text(0.01, top - number * LINE / height, line, va="center", **style)


def _legend(figure: Figure, timeline: Timeline, bottom: float) -> None:
    handles = list(_handles(timeline))
    figure.legend(
        handles=handles, loc="lower left", bbox_to_anchor=(0.0, bottom), ncols=len(handles), frameon=False,
        fontsize=POINTS, borderpad=0.2, handlelength=1.4, columnspacing=1.2, handletextpad=0.5,
    )  # fmt: skip


def _handles(timeline: Timeline) -> Iterator[Patch | Line2D]:
    """What occurs in the picture."""
    stages = {bar.stage for bar in timeline.bars}
    yield from (Patch(color=colour, label=stage) for stage, colour in COLOURS.items() if stage in stages)
    if timeline.path:
        yield Patch(facecolor="none", edgecolor="black", label="critical path")
    if not all(bar.done for bar in timeline.bars):
        yield Patch(facecolor="white", edgecolor="0.4", hatch="/////", label="not finished")
    if any(bar.job.failures for bar in timeline.bars):
        yield Line2D([], [], color="red", marker="x", linestyle="none", label="failed attempt")
    if any(bar.start > bar.submitted for bar in timeline.bars):
        yield Line2D([], [], color="0.4", linewidth=0.8, label="in the queue")
