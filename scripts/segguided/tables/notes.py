"""The notes below the tables: what a number means, what its interval rests on, and when to distrust it.

A note is a text, or a function of the table's rows that returns the texts which hold for them.
"""

from collections.abc import Callable, Sequence

import pandas as pd

from segguided.config.reserved import MACRO
from segguided.evaluation.records import NEAR_ZERO

Note = Callable[[pd.DataFrame], list[str]]
POOLED = "Dice is pooled over all pixels of the set, then averaged over classes."
NO_INTERVAL = (
    "Where no interval holds, the patients' values are in round brackets; of more than four, the lowest and "
    "the highest."
)
RATIO = (
    "ratio: Dice over the ceiling row's. A value above the ceiling means that the set is easier than "
    "reality, not better."
)
PATIENTS_MEAN = (
    "mean of patients: Dice of each test patient, over the classes of its masks, then the mean over "
    "patients; − ceiling: its difference to the ceiling's, on the same patients. Intervals and "
    "comparisons are of this mean, not of the pooled Dice."
)
TRAINING = (
    "training: floating-point operations (a multiplication and an addition are two) of all of a "
    "model's training, forward and backward, counted on one step of each stage; images: how many it "
    "was shown, repetitions included. Pre-trained weights come free."
)

DIVERSITY = (
    "diversity: how much images of one mask, from other noise, vary inside the classes, over how much real "
    "patients vary where both show the class. 0: the mask decides the image; 1: as real patients. White "
    "noise adds nothing to it. More than 1 is no better than 1; values above 1.5 count as 1.5."
)
SPECTRUM = (
    "high power: the power spectrum between a half and all of the highest frequency, over that of the real "
    "images (below 1: blurred; above 1: noisy); spectrum: root mean square difference over all frequencies."
)


def paper(frame: pd.DataFrame) -> list[str]:
    """For which datasets the paper's values are for the same data, and for which they are not."""
    published = [name for name in frame.columns if name.endswith("_paper") and "_minus_" not in name]
    shown = frame[frame[published].notna().any(axis=1)]
    if shown.empty:
        return []
    differences = [name.replace("_paper", "_minus_paper") for name in published]
    is_same = shown[differences].notna().any(axis=1)
    same = list(shown.loc[is_same, "dataset"].unique())
    other = list(shown.loc[~is_same, "dataset"].unique())
    text = "paper: the published value"
    if same:
        text += f"; {_listed(same)}: for the same dataset, difference: ours minus it"
    if other:
        text += f"; {_listed(other)}: for other data, so it is no target and there is no difference to it"
    return [f"{text}."]


def intervals(frame: pd.DataFrame) -> list[str]:
    """Over what the intervals of means over patients are, and what is shown where there is none."""
    phrases = [
        f"{dataset}: {_interval_phrase(rows)}" for dataset, rows in frame.groupby("dataset", sort=False)
    ]
    texts = ["In brackets a 95 % interval of the mean of patients: " + "; ".join(phrases) + "."]
    for column in _means(frame):
        several = frame[f"{column}_patient_values"].astype(str).str.contains("; ")
        if (several & frame[f"{column}_low"].isna()).any():
            return [*texts, NO_INTERVAL]
    return texts


def _interval_phrase(rows: pd.DataFrame) -> str:
    n_patients = rows["patients"].iloc[0]
    if n_patients > 1:
        return f"{n_patients} patients"
    if any(rows[f"{column}_low"].notna().any() for column in _means(rows)):
        return "one patient, so it is over blocks of this patient's slices and says nothing about others"
    return "one patient, so there is none and nothing follows about other patients"


def _means(frame: pd.DataFrame) -> list[str]:
    """The columns of means over patients."""
    ending = "_patient_values"
    return [name.removesuffix(ending) for name in frame.columns if name.endswith(ending)]


def standings(number: int) -> Note:
    """What bold means in the table of this number, and why a dataset has no best model."""

    def note(frame: pd.DataFrame) -> list[str]:
        text = (
            "In bold the best model, underlined the second best: only where its difference to every other "
            "model, on the same patients, stands after correction for all pairs of models (Holm). All pairs "
            f"are in table{number}_comparisons.csv"
        )
        by_dataset = frame.groupby("dataset", sort=False)
        return [
            ". ".join([text, *(line for name, rows in by_dataset for line in _none_best(name, rows))]) + "."
        ]

    return note


def _none_best(dataset: object, rows: pd.DataFrame) -> list[str]:
    """Why this dataset has no best model; each reason once, for a table may rank several columns."""
    columns = [name for name in rows.columns if name.endswith("_no_best")]
    reasons = {reason: None for name in columns for reason in rows[name].dropna().unique()}
    return [f"{dataset}: none is best, for {reason}" for reason in reasons]


def seeds(frame: pd.DataFrame) -> list[str]:
    """Whether intervals include the variance of training."""
    n_seeds = frame["seeds"].max()
    if n_seeds > 1:
        return [
            f"Mean ± standard deviation over {n_seeds} seeds. Intervals and comparisons include the variance "
            "of training."
        ]
    return [
        "One seed: each model was trained once. Nothing here includes the variance of training, so another "
        "training of the same model may change any order."
    ]


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
    counts = _per_dataset(frame, lambda row: f"{row['n_features_unseen']} and {row['n_features_segmenter']}")
    return [
        "Unseen features: a convolutional network with random weights, and classical textures; no model is "
        "trained through them. Segmenter's features: the deepest level of the segmenter trained on real "
        f"held-out images, averaged over positions. Their numbers: {counts}. Distances: lower is closer."
    ]


def neighbours(frame: pd.DataFrame) -> list[str]:
    """What precision, recall, density and coverage are, and over how many images."""
    counts = _per_dataset(frame, lambda row: f"{row['n_generated']} and {row['n_real']}")
    return [
        "precision, density: generated images near real ones; recall, coverage: real images near generated "
        f"ones; near is within the distance of the {frame['neighbours'].iloc[0]}th nearest neighbour. "
        f"Generated and real images: {counts}."
    ]


def few_images(frame: pd.DataFrame) -> list[str]:
    """What few images do to the Fréchet distance, and in which datasets they are too few."""
    text = "Few images bias the Fréchet distance upward: compare rows of equal numbers."
    n_features = frame[["n_features_unseen", "n_features_segmenter"]].max(axis=1)
    few = frame[frame[["n_generated", "n_real"]].min(axis=1) <= n_features]
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
