"""The notes below the tables: what a number means, what its interval rests on, and when to distrust it.

A note is a text, or a function of the table's rows that returns the texts which hold for them.
"""

from collections.abc import Callable, Sequence

import pandas as pd

from segguided.config.reserved import MACRO
from segguided.evaluation.records import NEAR_ZERO

Note = Callable[[pd.DataFrame], list[str]]
RANKS = "Best model in bold; second best, of three or more, underlined"
POOLED = "Dice is pooled over all pixels of the set, then averaged over classes."
RATIO = (
    "ratio: Dice over the ceiling row's. A value above the ceiling means that the set is easier than "
    "reality, not better."
)
PAPER = "paper: the published value, for the paper's own dataset and scale; difference: ours minus it."
TRAINING = (
    "training: floating-point operations (a multiplication and an addition are two) of all of a "
    "model's training, forward and backward, counted on one step of each stage; images: how many it "
    "was shown, repetitions included. Pre-trained weights come free."
)


def several_seeds(remark: str = "") -> Note:
    """The note of a table over several seeds, which may end in a `remark`."""

    def note(frame: pd.DataFrame) -> list[str]:
        n_seeds = frame["seeds"].max()
        text = f"Mean ± standard deviation over {n_seeds} seeds"
        return [f"{text}; {remark}." if remark else f"{text}."] if n_seeds > 1 else []

    return note


def ceilings(row: str, column: str) -> Note:
    """Which classes enter no mean, and whose numbers say nothing, by the rows of the ceiling."""

    def note(frame: pd.DataFrame) -> list[str]:
        by_dataset = frame[frame["model"] == row].groupby("dataset", sort=False)
        return [text for dataset, rows in by_dataset for text in _ceiling_notes(str(dataset), rows, column)]

    return note


def _ceiling_notes(dataset: str, rows: pd.DataFrame, column: str) -> list[str]:
    by_class = rows.set_index("class")
    dice = by_class[column].drop(MACRO)
    texts = []
    if dice.isna().any():
        texts.append(
            f"{dataset}: no test mask holds {_listed(dice[dice.isna()].index)}, so there is nothing to "
            f"measure; the mean of every row is over {_listed(dice[dice.notna()].index)}."
        )
    low = dice[dice.round(4) < NEAR_ZERO]
    if not low.empty:
        numbers = [f"{name} ({value:.4f})" for name, value in low.items()]
        texts.append(
            f"{dataset}: the ceiling of {_listed(numbers)} is near 0, for the segmenter all but misses "
            "it on real images: its Dice says nothing about any model, and there is no ratio to it. The "
            "mean of every row holds it; the ratio of means is over the other classes."
        )
    return texts


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)


def features(frame: pd.DataFrame) -> list[str]:
    """What the distances are measured on."""
    counts = _per_dataset(frame, lambda row: str(row["n_features"]))
    return [
        "Features: the deepest level of the segmenter trained on real held-out images, averaged over "
        f"positions ({counts}). Lower is closer."
    ]


def few_images(frame: pd.DataFrame) -> list[str]:
    """What few images do to the Fréchet distance, and in which datasets they are too few."""
    text = "Few images bias the Fréchet distance upward: compare rows of equal numbers."
    few = frame[frame[["n_generated", "n_real"]].min(axis=1) <= frame["n_features"]]
    if few.empty:
        return [text]
    return [
        f"{text} In {_listed(few['dataset'].unique())} a set has no more images than features, so its "
        "covariance has not full rank: the Fréchet distance only orders models there."
    ]


def kernel(frame: pd.DataFrame) -> list[str]:
    """What the kernel distance is, and over which subsets."""
    first = frame.iloc[0]
    sizes = sorted({*frame["kernel_subset_size"].agg(["min", "max"])})
    end = "." if frame["seeds"].max() > 1 else "; ± standard deviation over the subsets."
    return [
        "Kernel distance: unbiased squared MMD under the kernel (x·y/D + 1)³ of D features, mean over "
        f"{first['kernel_subsets']} random subsets (seed {first['kernel_seed']}) of "
        f"{' to '.join(map(str, sizes))} images, half the smaller set at most{end}"
    ]


def _per_dataset(frame: pd.DataFrame, phrase: Callable[["pd.Series[float]"], str]) -> str:
    firsts = frame.groupby("dataset", sort=False).first()
    return "; ".join(f"{dataset}: {phrase(row)}" for dataset, row in firsts.iterrows())
