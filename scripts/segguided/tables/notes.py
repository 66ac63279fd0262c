"""The notes below the tables: what a number means, what its interval rests on, and when to distrust it."""

from collections.abc import Callable, Sequence

import pandas as pd

from segguided.config.reserved import MACRO
from segguided.evaluation.records import NEAR_ZERO
from segguided.tables.dice import CEILING_ROW, LAYOUTS
from segguided.tables.distance import REFERENCE_ROW

FEW_PATIENTS = 8  # below, the 95 % interval covered 81 to 86 % in simulation
RANKS = "Best model in bold; second best, of three or more, underlined"


def dice_notes(number: int, table: pd.DataFrame) -> tuple[str, ...]:
    """Notes of Tables 1 and 2, from all their rows."""
    frame = table[table["class"] == MACRO]
    about = {
        1: (
            "m: input mask; m_gen and m_real: masks that a segmenter trained on real held-out images "
            f"predicts on the generated and on the real image. The row {CEILING_ROW} is Dice(m_real, m)."
        ),
        2: f"The row {CEILING_ROW} is the segmenter trained on real held-out images.",
    }
    notes = [
        about[number] + " Dice is pooled over all pixels of the set, then averaged over classes.",
        "In brackets a 95 % bootstrap interval: " + _per_dataset(frame, _unit_phrase) + ".",
        (
            "ratio: Dice over the ceiling row's; its interval, on the same resamples, is in the CSV. A value "
            "above the ceiling means that the set is easier than reality, not better."
        ),
        f"{RANKS}; the ceiling takes no place.",
        *_class_notes(table[table["model"] == CEILING_ROW], LAYOUTS[number].measures[0].column),
    ]
    if frame["seeds"].max() > 1:
        notes.append(
            f"Mean ± standard deviation over {frame['seeds'].max()} seeds; interval bounds are means too."
        )
    if any(frame[f"{m.column}_paper"].notna().any() for m in LAYOUTS[number].measures):
        notes.append(
            "paper: the published value, for the paper's own dataset and scale; difference: ours minus it."
        )
    return (*notes, *_training_note(frame))


def _class_notes(ceilings: pd.DataFrame, column: str) -> list[str]:
    """Which classes enter no mean, and whose numbers say nothing, by the ceiling rows of a table."""
    notes = []
    for dataset, rows in ceilings.groupby("dataset", sort=False):
        by_class = rows.set_index("class")
        dice = by_class[column].drop(MACRO)
        if dice.isna().any():
            notes.append(
                f"{dataset}: no test mask holds {_listed(dice[dice.isna()].index)}, so there is nothing to "
                f"measure; the mean of every row is over {_listed(dice[dice.notna()].index)}."
            )
        low = dice[dice.round(4) < NEAR_ZERO]
        if not low.empty:
            numbers = [f"{name} ({value:.4f})" for name, value in low.items()]
            notes.append(
                f"{dataset}: the ceiling of {_listed(numbers)} is near 0, for the segmenter all but misses "
                "it on real images: its Dice says nothing about any model, and there is no ratio to it. The "
                "mean of every row holds it; the ratio of means is over the other classes."
            )
        bounds = by_class[f"{column}_low"]
        if pd.isna(bounds[MACRO]) and bounds.notna().any():
            notes.append(f"{dataset}: no interval of the mean, for too few resamples hold all its classes.")
    return notes


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)


def distance_notes(frame: pd.DataFrame) -> tuple[str, ...]:
    """Notes of Table 3, with the paper's caution against such distances."""
    first, several = frame.iloc[0], frame["seeds"].max() > 1
    sizes = " to ".join(str(size) for size in sorted({*frame["kernel_subset_size"].agg(["min", "max"])}))
    notes = [
        (
            "Features: the deepest level of the segmenter trained on real held-out images, averaged over "
            f"positions ({_per_dataset(frame, lambda row: str(row['n_features']))}). Lower is closer."
        ),
        (
            "Such distances miss anatomical realism: images can have the features of real ones and an "
            "impossible anatomy. Tables 1 and 2 measure anatomy."
        ),
        (
            f"The row {REFERENCE_ROW} compares real held-out to real test images: what two sets of real "
            "patients score. Its images trained the segmenter; the models' masks are the test patients' own."
        ),
        "Few images bias the Fréchet distance upward: compare rows of equal numbers." + _rank_warning(frame),
        (
            f"Kernel distance: unbiased squared MMD under the kernel (x·y/D + 1)³ of D features, mean over "
            f"{first['kernel_subsets']} random subsets (seed {first['kernel_seed']}) of {sizes} images, half "
            "the smaller set at most" + ("." if several else "; ± standard deviation over the subsets.")
        ),
        f"{RANKS}; the real images take no place.",
    ]
    if several:
        notes.append(
            f"Mean ± standard deviation over {frame['seeds'].max()} seeds; the kernel distance's deviation "
            "over subsets is in the CSV."
        )
    return (*notes, *_training_note(frame))


def _rank_warning(frame: pd.DataFrame) -> str:
    few = frame[frame[["n_generated", "n_real"]].min(axis=1) <= frame["n_features"]]
    if few.empty:
        return ""
    names = ", ".join(few["dataset"].unique())
    return (
        f" In {names} a set has no more images than features, so its covariance has not full rank: "
        "the Fréchet distance only orders models there."
    )


def _training_note(frame: pd.DataFrame) -> list[str]:
    if frame["training_tflop"].isna().all():
        return []
    return [
        (
            "training: floating-point operations (a multiplication and an addition are two) of all of a "
            "model's training, forward and backward, counted on one step of each stage; images: how many it "
            "was shown, repetitions included. Pre-trained weights come free."
        )
    ]


def _per_dataset(frame: pd.DataFrame, phrase: Callable[["pd.Series[float]"], str]) -> str:
    firsts = frame.groupby("dataset", sort=False).first()
    return "; ".join(f"{dataset}: {phrase(row)}" for dataset, row in firsts.iterrows())


def _unit_phrase(row: "pd.Series[float]") -> str:
    if row["interval_unit"] == "slices":
        return f"blocks of neighbouring slices of the one patient ({row['slices']} slices)"
    few = " (few: the interval is too narrow)" if row["patients"] < FEW_PATIENTS else ""
    return f"{row['patients']} patients drawn with replacement{few}"
