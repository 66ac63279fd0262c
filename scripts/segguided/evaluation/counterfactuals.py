"""What a counterfactual image changes: inside the edited region and outside, and whether it shows the edit.

Shape letters: M slices, H height, W width, P patients.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import nn

from segguided.data.slices import SliceSet
from segguided.devices import pick_device
from segguided.evaluation.comparisons import paired_difference
from segguided.evaluation.dice import class_counts, pooled_dice, ratio
from segguided.evaluation.prediction import predict
from segguided.generation.near_real.names import alone_of, edits_of, near_of


@dataclass(frozen=True)
class Edited:
    """The images and the edited masks (M, H, W) of one edit."""

    near: np.ndarray  # the counterfactual images
    alone: np.ndarray  # from the edited mask alone
    other: np.ndarray  # the same with another noise
    masks: np.ndarray


def images_of(edit: str, variants: Mapping[str, np.ndarray], masks: Mapping[str, np.ndarray]) -> Edited:
    """The images of one edit, from those of a whole set; `masks`: by variant, as the images."""
    near = near_of(edit)
    return Edited(variants[near], variants[alone_of(edit, 0)], variants[alone_of(edit, 1)], masks[near])


def counterfactual_rows(
    variants: Mapping[str, np.ndarray],
    masks: Mapping[str, np.ndarray],
    real: SliceSet,
    evaluator: nn.Module,
    value: int,
    class_names: Sequence[str],
) -> list[dict[str, Any]]:
    """A row for each edit of the class `value`, against the `real` images; differences in grey levels.

    change_inside, change_outside: mean absolute difference to the real image, where the masks differ and
    elsewhere; seeds_…: of two images of the edited mask alone, which differ by their noise. These are means
    over patients. ratio_outside: the first over the second; difference_outside: the first minus the second,
    with its paired 95 % interval over patients. shown: of the pixels where the masks differ, the share in
    which the evaluator finds the edited mask's value, and shown_before: on the real image. dice: of the
    edited class, pooled; dice_real: on the real images with their own masks. NaN where the class is gone.
    """
    real_predicted_MHW = predict(evaluator, real.images, pick_device())
    ceiling = pooled_dice(class_counts(real_predicted_MHW, real.masks, len(class_names)))[value - 1]
    rows = []
    for edit in edits_of(variants):
        edited = images_of(edit, variants, masks)
        predicted_MHW = predict(evaluator, edited.near, pick_device())
        differs_MHW = edited.masks != real.masks
        dice_C = pooled_dice(class_counts(predicted_MHW, edited.masks, len(class_names)))
        row: dict[str, Any] = {"edit": edit, "class": class_names[value - 1]}
        row |= _changes(edited, real, differs_MHW)
        row["shown"] = float((predicted_MHW == edited.masks)[differs_MHW].mean())
        row["shown_before"] = float((real_predicted_MHW == edited.masks)[differs_MHW].mean())
        row |= {"dice": float(dice_C[value - 1]), "dice_real": float(ceiling), "images": len(real)}
        rows.append(row)
    return rows


def _changes(edited: Edited, real: SliceSet, differs_MHW: np.ndarray) -> dict[str, Any]:
    """Changes to the real image, and between two seeds, as means over patients."""
    change_MHW = np.abs(edited.near.astype(int) - real.images)
    seeds_MHW = np.abs(edited.alone.astype(int) - edited.other)
    regions = {"inside": differs_MHW, "outside": ~differs_MHW}
    row: dict[str, Any] = {"edited_share": float(differs_MHW.mean())}
    for name, region_MHW in regions.items():
        row[f"change_{name}"] = float(_by_patient(change_MHW, region_MHW, real).mean())
        row[f"seeds_{name}"] = float(_by_patient(seeds_MHW, region_MHW, real).mean())
    row["ratio_outside"] = float(ratio(np.array(row["change_outside"]), np.array(row["seeds_outside"])))
    change_P = _by_patient(change_MHW, regions["outside"], real)
    seeds_P = _by_patient(seeds_MHW, regions["outside"], real)
    difference = paired_difference(change_P[None], seeds_P[None])
    interval = difference.interval
    row["difference_outside"] = difference.mean
    row["difference_low"] = interval.low if interval else np.nan
    row["difference_high"] = interval.high if interval else np.nan
    return row | {"patients": len(change_P)}


def _by_patient(values_MHW: np.ndarray, region_MHW: np.ndarray, slices: SliceSet) -> np.ndarray:
    """The mean over each patient's pixels in the region, (P,)."""
    patients_M = slices.patients
    return np.array(
        [
            values_MHW[patients_M == stack.patient][region_MHW[patients_M == stack.patient]].mean()
            for stack in slices.stacks
        ]
    )
