"""The numbers of a run that speak to the paper's claims, beside the paper's."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from segguided.config.reserved import MACRO, REAL
from segguided.evaluation.records import Record
from segguided.tables.claims import AtEachEnd, Claim, FromPartialMasks, ModelDifference, OfTable, SliceCount
from segguided.tables.frame import make_frame
from segguided.tables.inputs import PaperValues, TableDataset, TableSettings
from segguided.tables.layouts import LAYOUTS
from segguided.tables.pairs import make_comparisons
from segguided.text_tables import read_table

LABELS = {
    "dice_mask": "Dice(m_gen, m)",
    "dice_real": "Dice(m_gen, m_real)",
    "dice": "Dice on real images",
    "frechet_segmenter": "Fréchet distance, segmenter's features",
    "diversity": "diversity",
    "ssim": "SSIM with the real image",
    "dice_macro": "Dice of the anatomy",
    "diversity_macro": "diversity",
    "variation_macro": "variation of the anatomy (1 − Dice of two images)",
}
ABSENT = "not in the grid"
NAN = math.nan


@dataclass(frozen=True)
class ClaimNumber:
    """One number of a run; `mean` is over patients, `low` to `high` its 95 % interval. NaN: there is none."""

    claim: str
    dataset: str
    what: str
    paper: str  # as printed; empty where the paper has none
    value: float
    mean: float = NAN
    low: float = NAN
    high: float = NAN
    minus_paper: float = NAN  # where the data are the paper's
    remark: str = ""


@dataclass(frozen=True)
class RunFiles:
    """What a run left: evaluation records, and by dataset the rows of three kinds of CSV."""

    records: Sequence[Record]
    slices: Mapping[str, Mapping[str, int]]  # by split
    partial: Mapping[str, pd.DataFrame]  # none of datasets without partial masks
    similarity: Mapping[str, pd.DataFrame]


class _Run:
    """A run's tables, made once."""

    def __init__(self, files: RunFiles, settings: TableSettings, paper: PaperValues) -> None:
        self.files = files
        self.paper = paper
        self.titles = {model.name: model.title for model in settings.models} | {REAL: "real images"}
        self.datasets = settings.datasets
        self.compared = tuple(dataset for dataset in settings.datasets if dataset.paper_column)
        self.frames = {n: make_frame(layout, files.records, settings, paper) for n, layout in LAYOUTS.items()}
        self.pairs = {n: make_comparisons(LAYOUTS[n], files.records, settings) for n in (1, 2)}

    def title(self, model: str) -> str:
        return self.titles.get(model, model)

    def row(self, table: int, dataset: str, model: str) -> Mapping[str, Any] | None:
        """The row of the mean over classes; None where the grid lacks the model."""
        name = LAYOUTS[table].real_row if model == REAL else model
        frame = self.frames[table]
        found = frame[(frame["dataset"] == dataset) & (frame["model"] == name) & (frame["class"] == MACRO)]
        return None if found.empty else dict(found.iloc[0])

    def published(self, table: int, dataset: TableDataset, model: str, measure: str) -> float:
        return self.paper.get((table, dataset.paper_column or "", model, measure), NAN)


def claim_numbers(
    claims: Sequence[Claim], files: RunFiles, settings: TableSettings, paper: PaperValues
) -> list[ClaimNumber]:
    """The numbers of each claim, in the order of the claims, for each dataset that they can be had of."""
    run = _Run(files, settings, paper)
    return [
        ClaimNumber(claim=claim.name, **_plain(number))
        for claim in claims
        for numbers in claim.numbers
        for number in KINDS[numbers.kind](numbers, run)
    ]


def _plain(number: Mapping[str, Any]) -> dict[str, Any]:
    """The fields with Python's own numbers in place of NumPy's."""
    return {name: value if isinstance(value, str) else float(value) for name, value in number.items()}


def to_frame(numbers: Sequence[ClaimNumber]) -> pd.DataFrame:
    """A row for each number, as in the CSV."""
    return pd.DataFrame([asdict(number) for number in numbers], columns=list(ClaimNumber.__annotations__))


def read_numbers(path: Path) -> list[ClaimNumber]:
    """The numbers in the CSV of `to_frame`. Raises ValueError for another file."""
    fields = ClaimNumber.__annotations__
    rows = read_table(path, ",", needs=fields).rows
    return [
        ClaimNumber(**{name: _cell(row[name], kind, row.place) for name, kind in fields.items()})
        for row in rows
    ]


def _cell(text: str, kind: type, place: str) -> Any:
    if kind is str:
        return text
    try:
        return float(text or NAN)
    except ValueError:
        raise ValueError(f"{place}: expected a number, got {text!r}; correct it") from None


def printed(value: float) -> str:
    """A value of the paper's tables as it prints it; empty for none."""
    return "" if math.isnan(value) else f"{value:.4f}"


def _of_table(numbers: OfTable, run: _Run) -> Iterator[dict[str, Any]]:
    for dataset in run.compared:
        for measure in numbers.measures:
            for model in numbers.models:
                value = run.published(numbers.table, dataset, model, measure)
                stated = numbers.paper.get(dataset.paper_column or "", "")
                yield {
                    "dataset": dataset.name,
                    "what": f"{LABELS[measure]}: {run.title(model)}",
                    "paper": printed(value) or stated,
                    **_measured(run.row(numbers.table, dataset.name, model), measure, numbers.above),
                }


def _measured(row: Mapping[str, Any] | None, measure: str, above: float | None) -> dict[str, Any]:
    """A cell of a table with the mean over patients; Table 3's columns are such means themselves."""
    if row is None:
        return {"value": NAN, "remark": ABSENT}
    mean = f"{measure}_patients_mean" if f"{measure}_patients_mean" in row else measure
    value = float(row[measure])
    return {
        "value": value,
        "mean": float(row[mean]) if mean != measure else NAN,
        "low": float(row.get(f"{mean}_low", NAN)),
        "high": float(row.get(f"{mean}_high", NAN)),
        "minus_paper": float(row.get(f"{measure}_minus_paper", NAN)),
        "remark": "" if above is None or math.isnan(value) else _beside(value, above),
    }


def _beside(value: float, above: float) -> str:
    return f"{'above' if value > above else 'not above'} {above}"


def _difference(numbers: ModelDifference, run: _Run) -> Iterator[dict[str, Any]]:
    """Differences of means over patients. The paper's are of its pooled values; it gives no interval."""
    for dataset in run.compared:
        for measure in numbers.measures:
            for other in numbers.others:
                published = [
                    run.published(numbers.table, dataset, name, measure) for name in (numbers.model, other)
                ]
                difference = published[0] - published[1]
                yield {
                    "dataset": dataset.name,
                    "what": f"{LABELS[measure]}: {run.title(numbers.model)} − {run.title(other)}",
                    "paper": "" if math.isnan(difference) else f"{difference:+.4f}".replace("-", "−"),
                    **_pair(run, numbers.table, dataset.name, measure, numbers.model, other),
                }


def _pair(run: _Run, table: int, dataset: str, measure: str, model: str, other: str) -> dict[str, Any]:
    column = f"{measure}_patients_mean"
    if other == REAL:
        row = run.row(table, dataset, model)
        if row is None:
            return {"value": NAN, "remark": ABSENT}
        to_ceiling = f"{column}_minus_ceiling"
        low, high = (float(row.get(f"{to_ceiling}_{end}", NAN)) for end in ("low", "high"))
        return {"value": float(row.get(to_ceiling, NAN)), "low": low, "high": high}
    pairs = run.pairs[table]
    pairs = pairs[(pairs["dataset"] == dataset) & (pairs["measure"] == column)]
    for first, second, sign in ((model, other, 1.0), (other, model, -1.0)):
        found = pairs[(pairs["model"] == first) & (pairs["other"] == second)]
        if not found.empty:
            row = dict(found.iloc[0])
            ends = sorted((sign * row["low"], sign * row["high"]))
            return {
                "value": sign * row["difference"],
                "low": ends[0],
                "high": ends[1],
                "remark": row["verdict"],
            }
    return {"value": NAN, "remark": ABSENT}


def _slices(numbers: SliceCount, run: _Run) -> Iterator[dict[str, Any]]:
    for dataset in run.compared:
        if dataset.paper_column in numbers.paper:
            yield {
                "dataset": dataset.name,
                "what": f"slices, {numbers.split}",
                "paper": numbers.paper[dataset.paper_column],
                "value": float(run.files.slices[dataset.name].get(numbers.split, 0)),
            }


def _partial(numbers: FromPartialMasks, run: _Run) -> Iterator[dict[str, Any]]:
    """Of each model and set of kept classes: the kept ones' Dice, and how much each free class varies."""
    for dataset, written in run.files.partial.items():
        # An area or a variation that is undefined is written as nan, which read_csv takes for a text.
        frame = written.astype(dict.fromkeys(("ratio_to_full", "variation", "area"), float))
        full = frame[frame["kept"] == "all"].set_index(["model", "class"])
        for (model, kept), rows in frame[frame["kept"] != "all"].groupby(["model", "kept"], sort=False):
            begins = f"{run.title(model)}, {kept.replace('+', ' and ')} kept:"
            overall = rows[rows["class"] == MACRO].iloc[0]
            yield {
                "dataset": dataset,
                "what": f"{begins} Dice of the kept, over that with the full mask",
                "paper": "",
                "value": float(overall["ratio_to_full"]),
            }
            for _, row in rows[rows["role"] == "free"].iterrows():
                before = full.loc[(model, row["class"]), "variation"]
                yield {
                    "dataset": dataset,
                    "what": f"{begins} variation of the free {row['class']} (1 − Dice of two images)",
                    "paper": "",
                    "value": float(row["variation"]),
                    "remark": f"{before:.2f} with the full mask; {row['area']:.2f} of the true area",
                }


def _similarity(numbers: AtEachEnd, run: _Run) -> Iterator[dict[str, Any]]:
    for dataset, frame in run.files.similarity.items():
        if numbers.column not in frame:
            continue
        for _, row in frame.iloc[[0, -1]].iterrows():
            yield {
                "dataset": dataset,
                "what": f"{LABELS[numbers.column]}, λ = {row['lambda']:g}",
                "paper": "",
                "value": float(row[numbers.column]),
            }


KINDS: dict[str, Callable[[Any, _Run], Iterator[dict[str, Any]]]] = {
    "table": _of_table,
    "difference": _difference,
    "slices": _slices,
    "partial": _partial,
    "similarity": _similarity,
}
