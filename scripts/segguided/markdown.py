"""Tables 1 and 2 as Markdown that also reads well in a terminal: aligned pipes, notes below."""

import math
import textwrap
from collections.abc import Callable, Sequence

import pandas as pd

from segguided.records import MACRO
from segguided.tables import CEILING_ROW, LAYOUTS, Measure, TableNumber

FEW_PATIENTS = 8  # below, the 95 % interval covered 81 to 86 % in simulation
LINE_WIDTH = 110


def to_markdown(number: TableNumber, frame: pd.DataFrame) -> str:
    """The whole page: macro means beside the paper's, values per class, notes."""
    layout = LAYOUTS[number]
    parts = [f"## Table {number}: {layout.title}", _macro_table(frame, layout.measures)]
    for measure in layout.measures:
        for dataset in frame["dataset"].unique():
            parts += [f"{measure.label} per class, {dataset}:", _class_table(frame, dataset, measure)]
    return "\n\n".join([*parts, _notes(number, frame)]) + "\n"


def pipe_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table whose pipes are aligned."""
    widths = [max(len(row[i]) for row in (header, *rows)) for i in range(len(header))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in (header, *rows)
    ]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])


def _macro_table(frame: pd.DataFrame, measures: Sequence[Measure]) -> str:
    """Rows: dataset and model; for each measure the Dice, its ratio to the ceiling and the paper's value."""
    header = ["dataset", "model"]
    for measure in measures:
        header += [measure.label, "ratio", "paper"]
    rows = []
    macro = frame[frame["class"] == MACRO]
    for _, row in macro.iterrows():
        cells = [row["dataset"], row["model"]]
        for measure in measures:
            ratio = _number(row[f"{measure.column}_ratio_to_ceiling"], 2)
            cells += [_dice(row, measure.column), ratio, _number(row[f"{measure.column}_paper"], 4)]
        rows.append(cells)
    return pipe_table(header, rows)


def _class_table(frame: pd.DataFrame, dataset: str, measure: Measure) -> str:
    """Rows: models; columns: classes."""
    here = frame[(frame["dataset"] == dataset) & (frame["class"] != MACRO)]
    classes = list(here["class"].unique())
    rows = []
    for model, of_model in here.groupby("model", sort=False):
        by_class = of_model.set_index("class")
        cells = [_dice(by_class.loc[name], measure.column) for name in classes]
        if any(cells):
            rows.append([str(model), *cells])
    return pipe_table(["model", *classes], rows)


def _number(value: float, decimals: int) -> str:
    return "" if math.isnan(value) else f"{value:.{decimals}f}"


def _dice(row: "pd.Series[float]", column: str) -> str:
    """Dice, ± over seeds where there are several, and the interval: `0.9027 ± 0.0021 [0.880, 0.921]`."""
    value, std, low, high = (row[column + part] for part in ("", "_std", "_low", "_high"))
    spread = "" if math.isnan(std) else f" ± {std:.4f}"
    interval = "" if math.isnan(low) else f" [{low:.3f}, {high:.3f}]"
    return _number(value, 4) + spread + interval


def _notes(number: TableNumber, frame: pd.DataFrame) -> str:
    about = {
        1: (
            "m: input mask; m_gen and m_real: masks that a segmenter trained on real held-out images "
            f"predicts on the generated and on the real image. The row `{CEILING_ROW}` is Dice(m_real, m)."
        ),
        2: f"The row `{CEILING_ROW}` is the segmenter trained on real held-out images.",
    }
    notes = [
        about[number] + " Dice is pooled over all pixels of the set, then averaged over classes.",
        "In brackets a 95 % bootstrap interval: " + _per_dataset(frame, _unit_phrase) + ".",
        (
            "ratio: Dice over the ceiling row's; its interval, on the same resamples, is in the CSV. A value "
            "above the ceiling means that the set is easier than reality, not better."
        ),
    ]
    if frame["seeds"].max() > 1:
        notes.append(
            f"Mean ± standard deviation over {frame['seeds'].max()} seeds; interval bounds are means too."
        )
    if any(frame[f"{m.column}_paper"].notna().any() for m in LAYOUTS[number].measures):
        notes.append("paper: the published value, for the paper's own dataset and scale.")
    return "\n".join(textwrap.fill(f"- {note}", LINE_WIDTH, subsequent_indent="  ") for note in notes)


def _per_dataset(frame: pd.DataFrame, phrase: Callable[["pd.Series[float]"], str]) -> str:
    firsts = frame.groupby("dataset", sort=False).first()
    return "; ".join(f"{dataset}: {phrase(row)}" for dataset, row in firsts.iterrows())


def _unit_phrase(row: "pd.Series[float]") -> str:
    if row["interval_unit"] == "slices":
        return f"blocks of neighbouring slices of the one patient ({row['slices']} slices)"
    few = " (few: the interval is too narrow)" if row["patients"] < FEW_PATIENTS else ""
    return f"{row['patients']} patients drawn with replacement{few}"
