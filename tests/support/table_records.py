"""Evaluation records with known numbers, and tables made from them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from segguided.evaluation.records import mean_entries
from segguided.tables.frame import make_frame
from segguided.tables.inputs import TableSettings, read_paper_values
from segguided.tables.layouts import LAYOUTS

PAPER = Path(__file__).parents[2] / "workflow" / "paper_values.tsv"


CLASSES = {"phantom": ("breast", "BV"), "ct": ("liver", "bone")}


SETTINGS = TableSettings.model_validate(
    {
        "datasets": [
            {"name": "phantom", "paper_column": "breast-mri", "classes": CLASSES["phantom"]},
            {"name": "ct", "classes": CLASSES["ct"]},
        ],
        "models": [{"name": "segguided", "title": "Ours (STD)"}, {"name": "spade", "title": "SPADE"}],
    }
)


PATIENTS = {"phantom": tuple(f"p{k}" for k in range(6)), "ct": ("c0",)}


DICE = {"segguided": 0.8, "spade": 0.7, "real": 0.9}


TRAINING = {
    "segguided": {"training.flops": 4_165_000_000_000, "training.images": 2800, "training.steps": 700},
    "spade": {"training.flops": 900_000_000_000, "training.images": 1200, "training.steps": 300},
}


def patient_values(mean: float, patients: Sequence[str]) -> list[float]:
    """A value for each patient, 0.04 from the first to the last; their mean is `mean`."""
    return [mean + offset for offset in np.linspace(-0.02, 0.02, len(patients)) if len(patients) > 1] or [
        mean
    ]


def likeness(dataset: str, model: str, seed: int) -> dict[str, Any]:
    """Table 3's values, which rise with the Dice, and by a hundredth for each seed."""
    value = DICE[model] + 0.01 * seed + 0.001  # no mean is a tie for rounding
    patients = PATIENTS[dataset]
    of_patients = dict(zip(patients, patient_values(value, patients), strict=True))
    entries: dict[str, Any] = {"n_generated": 12 if model == "real" else 24, "n_real": 24, "neighbours": 5}
    entries |= {"kernel_subsets": 100, "kernel_subset_size": 12, "kernel_seed": 0, "patients": len(patients)}
    means = ["spectrum.high_power", "spectrum.distance"]
    for name in ("unseen", "segmenter"):
        entries |= {f"frechet.{name}": value, f"kernel.{name}": DICE[model] / 100}
        entries |= {f"kernel_std.{name}": 0.002, f"n_features.{name}": 16}
        means += [f"{share}.{name}" for share in ("precision", "recall", "density", "coverage")]
    if model != "real":
        means += [f"diversity.{name}" for name in ("outside", "macro", *CLASSES[dataset])]
    for mean in means:
        entries |= mean_entries(mean, of_patients)
    return {f"likeness.{key}": number for key, number in entries.items()}


def record(dataset: str, model: str, seed: int = 0) -> dict[str, Any]:
    """A record whose macro Dice is DICE plus a hundredth for each seed, as is the mean over its patients."""
    comparisons = {"faithfulness": ["ceiling"], "quality": ["ceiling"]}
    if model != "real":
        comparisons = {"faithfulness": ["ceiling", "mask", "real"], "quality": ["ceiling", "model"]}
    entries: dict[str, Any] = {"dataset": dataset, "model": model, "seed": seed}
    for evaluation, of_evaluation in comparisons.items():
        patients = PATIENTS[dataset]
        entries |= {f"{evaluation}.patients": len(patients), f"{evaluation}.slices": 24}
        for comparison in of_evaluation:
            dice = (0.9 if comparison == "ceiling" else DICE[model]) + 0.01 * seed
            values = {"dice": dice, "slice_mean": dice}
            values |= {} if comparison == "ceiling" else {"ratio": dice / 0.9}
            of_patients = dict(zip(patients, patient_values(dice, patients), strict=True))
            for name in (*CLASSES[dataset], "macro"):
                prefix = f"{evaluation}.{comparison}"
                entries |= {f"{prefix}.{statistic}.{name}": value for statistic, value in values.items()}
                entries |= mean_entries(f"{prefix}.patients_mean.{name}", of_patients)
    return entries | likeness(dataset, model, seed) | ({} if model == "real" else TRAINING[model])


def records(*seeds: int) -> list[dict[str, Any]]:
    return [record(d, m, seed) for d in CLASSES for m in DICE for seed in seeds or (0,)]


def frame(number: int = 1, *seeds: int) -> pd.DataFrame:
    return make_frame(LAYOUTS[number], records(*seeds), SETTINGS, read_paper_values(PAPER))


def distance_frame(*seeds: int) -> pd.DataFrame:
    return frame(3, *seeds)
