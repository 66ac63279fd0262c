"""What generated images of rare cases add: Dice of a segmenter that was trained with and without them.

Shape suffixes: N trainings (seeds), P patients, C classes, K the classes and their macro mean (last).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import nn

from segguided.config.reserved import MACRO
from segguided.data.slices import SliceSet
from segguided.devices import pick_device
from segguided.evaluation.comparisons import (
    PairedDifference,
    least_patients,
    on_shared_patients,
    paired_difference,
)
from segguided.evaluation.dice import class_counts, nan_mean, per_patient_dice
from segguided.evaluation.intervals import ERROR
from segguided.evaluation.prediction import predict

LEAST_TRAININGS = 3  # with and without the images; fewer are no evidence, whatever the patients' number
NOT_ASKED = "not tested: the question is the rare class"


@dataclass(frozen=True)
class RareClass:
    """The class of which images were generated, and each class's share of the held-out labelled pixels."""

    name: str
    shares_C: np.ndarray


def rare_case_rows(
    half: SliceSet,
    without: Sequence[nn.Module],
    augmented: Sequence[nn.Module],
    class_names: Sequence[str],
    rare: RareClass,
) -> list[dict[str, Any]]:
    """A row for each class: mean Dice of the patients of `half` without and with the images, the difference.

    `without` were trained on real images, `augmented` on real and generated ones, one of each for each seed.
    The question is the rare class alone, so its row has a p-value and a verdict. NaN for a class that no mask
    holds.
    """
    patients = [stack.patient for stack in half.stacks]
    real_NPK = np.stack([_patients_dice(network, half, len(class_names)) for network in without])
    augmented_NPK = np.stack([_patients_dice(network, half, len(class_names)) for network in augmented])
    shares_K = [*rare.shares_C, np.nan]
    rows = []
    for k, name in enumerate((*class_names, MACRO)):
        row = {"class": name, "rare": int(name == rare.name), "share_of_labels": shares_K[k]}
        rows.append(row | _comparison(real_NPK[..., k], augmented_NPK[..., k], patients, name == rare.name))
    return rows


def verdict(difference: PairedDifference, n_patients: int, n_trainings: int) -> str:
    """What the difference of the rare class shows, in words."""
    if n_patients == 0:
        return "no evidence: no test patient has the class"
    if n_patients == 1:
        return "no evidence: one test patient says nothing about others"
    if n_trainings < LEAST_TRAININGS:
        return f"no evidence: it takes {LEAST_TRAININGS} trainings or more, here are {n_trainings}"
    needed = least_patients(2)
    if n_patients < needed:
        return f"no evidence: it takes {needed} test patients or more, here are {n_patients}"
    interval = difference.interval
    if interval is None or interval.low <= 0 <= interval.high or difference.p_value > ERROR:
        return "no difference shown"
    return f"{'higher' if difference.mean > 0 else 'lower'} with the generated images"


def _comparison(
    real_NP: np.ndarray, augmented_NP: np.ndarray, patients: Sequence[str], is_rare: bool
) -> dict[str, Any]:
    """The columns of one class; those of the question itself stay empty where it is not the rare class."""
    difference = paired_difference(augmented_NP, real_NP)
    interval = difference.interval
    shared_real_NP, shared_augmented_NP = on_shared_patients([real_NP, augmented_NP])
    n_patients = shared_real_NP.shape[1]
    differences_P = augmented_NP.mean(axis=0) - real_NP.mean(axis=0)
    by_patient = zip(patients, differences_P, strict=True)
    return {
        "dice_real": _mean(shared_real_NP),
        "dice_real_and_generated": _mean(shared_augmented_NP),
        "difference": difference.mean,
        "difference_low": interval.low if interval else np.nan,
        "difference_high": interval.high if interval else np.nan,
        "p_value": difference.p_value if is_rare and n_patients > 1 else np.nan,
        "patients": n_patients,
        "trainings": len(real_NP),
        "patients_differences": "; ".join(f"{p} {d:+.4f}" for p, d in by_patient if np.isfinite(d)),
        "verdict": verdict(difference, n_patients, len(real_NP)) if is_rare else NOT_ASKED,
    }


def _mean(values_NP: np.ndarray) -> float:
    return float(values_NP.mean()) if values_NP.size else float("nan")


def _patients_dice(segmenter: nn.Module, half: SliceSet, n_classes: int) -> np.ndarray:
    """Each patient's Dice on its real images, (P, K); the last is the mean of the classes that it has."""
    predicted_SHW = predict(segmenter, half.images, pick_device())
    missing_SV = half.not_annotated
    counts_SC4 = class_counts(predicted_SHW, half.masks, n_classes, not_annotated_SV=missing_SV)
    dice_PC = np.stack(list(per_patient_dice(counts_SC4, half.patients).values()))
    return np.concatenate([dice_PC, nan_mean(dice_PC)[:, None]], axis=1)
