"""Figures of ablation and sweeps: measures against models, or against the value of one setting."""

import math
from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from segguided.config.ablation import Sweep
from segguided.config.reserved import REAL
from segguided.evaluation.measures import AS_REAL, HEADINGS
from segguided.figures.blocks import DPI
from segguided.figures.fonts import style_of
from segguided.figures.legend import TEXT_POINTS

PANEL_WIDTH = 1.9  # inches
ROW_HEIGHT = 0.24
LABELS_WIDTH = 2.6  # of the models' titles
SWEEP_PANEL = 2.6  # side of a panel
LOGARITHMIC = ("kernel_unseen", "kernel_segmenter", "times_as_long")
DRAWN = (
    "dice_over_ceiling",
    "downstream_over_ceiling",
    "kernel_unseen",
    "diversity",
    "high_power",
    "times_as_long",
)
TIME = "training time to reach\nthe share of the ceiling"
COLOURS = ("tab:blue", "tab:orange", "tab:green", "tab:red", "tab:purple", "tab:brown")
MARKERS = ("o", "s", "^", "D", "v", "P")


def ablation_figure(frame: pd.DataFrame) -> Figure:
    """A row for each model, a panel for each measure, a colour for each dataset; bars: deviation of seeds."""
    models = list(dict.fromkeys(frame["model"]))
    titles = [str(frame[frame["model"] == model]["title"].iloc[0]) for model in models]
    width = LABELS_WIDTH + PANEL_WIDTH * len(DRAWN)
    figure = _figure(width, 1.3 + ROW_HEIGHT * len(models))
    panels: Sequence[Axes] = figure.subplots(1, len(DRAWN), sharey=True)
    for panel, measure in zip(panels, DRAWN, strict=True):
        for number, dataset in enumerate(dict.fromkeys(frame["dataset"])):
            _draw_models(panel, frame[frame["dataset"] == dataset], measure, models, number)
        _label(panel, measure)
        panel.grid(axis="y", color="0.9")
    panels[0].set_yticks(range(len(models)))
    for label, title in zip(panels[0].set_yticklabels(titles), titles, strict=True):
        label.set(fontsize=TEXT_POINTS, parse_math=False, **style_of(title))
    panels[0].invert_yaxis()
    _legend(figure, panels[0])
    return figure


def _draw_models(panel: Axes, frame: pd.DataFrame, measure: str, models: Sequence[str], number: int) -> None:
    rows = [models.index(model) + (number - 0.5) * 0.2 for model in frame["model"]]
    deviations = frame[f"{measure}_std"].fillna(0) if f"{measure}_std" in frame else None
    panel.errorbar(
        frame[measure],
        rows,
        xerr=deviations,
        linestyle="none",
        markersize=4,
        label=frame["dataset"].iloc[0],
        color=COLOURS[number % len(COLOURS)],
        marker=MARKERS[number % len(MARKERS)],
    )
    if measure == "times_as_long":
        for value, row, reached in zip(frame[measure], rows, frame["reached_share"], strict=True):
            if not reached:
                panel.annotate(">", (value, row), xytext=(4, -3), textcoords="offset points", fontsize=8)


def sweep_figure(frame: pd.DataFrame, sweep: Sweep) -> Figure:
    """A row of panels for each dataset, a panel for each measure; a ring: the default."""
    datasets = list(dict.fromkeys(frame["dataset"]))
    measures = [measure for measure in DRAWN if measure in frame]
    figure = _figure(SWEEP_PANEL * len(measures), SWEEP_PANEL * len(datasets) + 0.5)
    rows = figure.subplots(len(datasets), len(measures), squeeze=False)
    for dataset, panels in zip(datasets, rows, strict=True):
        of_dataset = frame[frame["dataset"] == dataset]
        for panel, measure in zip(panels, measures, strict=True):
            _draw_lines(panel, of_dataset, measure, list(sweep.lines))
            if sweep.logarithmic:
                panel.set_xscale("log")
            panel.set_xlabel(sweep.title, fontsize=TEXT_POINTS, parse_math=False)
            _label(panel, measure, axis="y")
        panels[0].set_title(dataset, fontsize=TEXT_POINTS + 2, loc="left", parse_math=False)
    _legend(figure, rows[0][0])
    return figure


def _draw_lines(panel: Axes, frame: pd.DataFrame, measure: str, lines: Sequence[str]) -> None:
    for number, line in enumerate(lines):
        points = frame[frame["line"] == line]
        colour = COLOURS[number % len(COLOURS)]
        marker = MARKERS[number % len(MARKERS)]
        panel.plot(points["value"], points[measure], color=colour, marker=marker, markersize=4, label=line)
        chosen = points[points["chosen"]]
        panel.plot(chosen["value"], chosen[measure], "o", markersize=11, markerfacecolor="none", color=colour)
    real = frame[frame["line"] == REAL][measure].iloc[0]
    if measure in LOGARITHMIC and not math.isnan(real):
        panel.axhline(max(real, 0), color="0.5", linestyle=":", linewidth=1)


def _label(panel: Axes, measure: str, axis: str = "x") -> None:
    """The measure's name on an axis, and a dotted line where real images are."""
    line = panel.axvline if axis == "x" else panel.axhline
    if measure in AS_REAL:
        line(AS_REAL[measure], color="0.5", linestyle=":", linewidth=1)
    if measure in LOGARITHMIC:
        scale = {"linthresh": 1.0} if measure != "times_as_long" else {}
        getattr(panel, f"set_{axis}scale")("symlog" if scale else "log", **scale)
    getattr(panel, f"set_{axis}label")(HEADINGS.get(measure, TIME), fontsize=TEXT_POINTS)
    panel.tick_params(labelsize=TEXT_POINTS - 1)
    panel.spines[["top", "right"]].set_visible(False)


def _legend(figure: Figure, panel: Axes) -> None:
    handles, labels = panel.get_legend_handles_labels()
    legend = figure.legend(
        handles, labels, loc="outside upper center", ncols=len(labels), fontsize=TEXT_POINTS, frameon=False
    )
    for text in legend.get_texts():
        text.set(parse_math=False, **style_of(text.get_text()))


def _figure(width: float, height: float) -> Figure:
    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    return figure
