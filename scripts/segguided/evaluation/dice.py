"""Dice of class maps, pooled over all pixels of a set.

Only classes that the test masks M hold count, whatever is compared. So a stray pixel of another class changes
no mean, and the means of two models are always over the same classes.

Shape suffixes: S slices, H and W pixels, P patients, U units (slices or patients), C foreground classes, K
the C classes and their macro mean (last), V values that a mask can have; a trailing 4 holds |P ∩ T|, |P|, |T|
and |M| in pixels.
"""

from collections.abc import Sequence

import numpy as np

from segguided.config.reserved import MACRO


def class_counts(
    prediction_SHW: np.ndarray,
    target_SHW: np.ndarray,
    n_classes: int,
    masks_SHW: np.ndarray | None = None,
    not_annotated_SV: np.ndarray | None = None,
) -> np.ndarray:
    """Pixels in prediction ∩ target, prediction, target and test mask, per slice and class: (S, C, 4) int64.

    The test masks are the target unless `masks_SHW` gives them. `not_annotated_SV`: the classes that each
    slice is not annotated for, bool; None: each is for all. Such a class counts 0, and pixels that the
    prediction (or a predicted target) gives to it count for no class, because they may be right.
    Raises ValueError where the shapes differ or a value lies outside 0…n_classes.
    """
    if prediction_SHW.shape != target_SHW.shape or prediction_SHW.ndim != 3:
        raise ValueError(
            "prediction and target must have one shape (slices, height, width), "
            f"got {prediction_SHW.shape} and {target_SHW.shape}"
        )
    _check_classes(prediction_SHW, "prediction", n_classes)
    _check_classes(target_SHW, "target", n_classes)
    counts_SC4 = np.empty((len(target_SHW), n_classes, 4), dtype=np.int64)
    # Slice by slice: the joint histogram needs eight bytes for each pixel, too many for a whole test set.
    for s, counts_C4 in enumerate(counts_SC4):
        confusion = _joint_histogram(prediction_SHW[s], target_SHW[s], n_classes + 1)
        in_mask = confusion.sum(axis=1)
        if not_annotated_SV is not None:
            is_unknown_V = not_annotated_SV[s, : n_classes + 1]
            in_mask[is_unknown_V] = 0
            confusion[is_unknown_V] = 0
            confusion[:, is_unknown_V] = 0
        in_both = np.diag(confusion)
        in_prediction = confusion.sum(axis=0)
        in_target = confusion.sum(axis=1)
        pixels = np.stack([in_both, in_prediction, in_target, in_mask], axis=-1)
        counts_C4[:] = pixels[1:]  # without the background
    if masks_SHW is not None:
        of_masks_SC4 = class_counts(masks_SHW, masks_SHW, n_classes, None, not_annotated_SV)
        counts_SC4[..., 3] = of_masks_SC4[..., 3]
    return counts_SC4


def classes_in_masks(counts_SC4: np.ndarray) -> np.ndarray:
    """Which classes the test masks hold, (C,) bool: every macro mean is over these.

    Raises ValueError where the masks hold no class.
    """
    present_C = counts_SC4[..., 3].sum(axis=0) > 0
    if not present_C.any():
        raise ValueError(
            f"expected test masks that hold a class, got {len(counts_SC4)} slices of background alone, so "
            "there is nothing to measure; check the masks, the labels of the classes and the split"
        )
    return np.asarray(present_C)


def ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Quotient, NaN where the denominator is 0 or either is undefined."""
    quotient = np.full(np.broadcast_shapes(np.shape(numerator), np.shape(denominator)), np.nan)
    np.divide(numerator, denominator, out=quotient, where=np.asarray(denominator) != 0)
    return quotient


def dice_of_counts(counts_C4: np.ndarray) -> np.ndarray:
    """2|P ∩ T| / (|P| + |T|), from the counts of the last axis; NaN where both masks lack a class."""
    return ratio(2 * counts_C4[..., 0], counts_C4[..., 1] + counts_C4[..., 2])


def dice_under_masks(counts_C4: np.ndarray) -> np.ndarray:
    """Dice of the classes that the test masks hold; NaN of the others, even where a prediction has pixels.

    0 where neither P nor T has a class that the masks hold: the class is missing in both. A single stray
    pixel gives 0 too, so the mean does not jump.
    """
    return np.where(counts_C4[..., 3] > 0, np.nan_to_num(dice_of_counts(counts_C4)), np.nan)


def pooled_dice(counts_UC4: np.ndarray) -> np.ndarray:
    """Dice per class (C,), over all pixels of all units; NaN of a class that no test mask holds."""
    return dice_under_masks(counts_UC4.sum(axis=0))


def nan_mean(dice_C: np.ndarray) -> np.ndarray:
    """Mean over the last axis without the NaN; NaN where nothing is left."""
    return ratio(np.nansum(dice_C, axis=-1), np.isfinite(dice_C).sum(axis=-1))


def with_macro(dice_C: np.ndarray, present_C: np.ndarray) -> np.ndarray:
    """The classes' values and, last, the mean of those present: (…, C) to (…, K). NaN if one of them is."""
    if not present_C.any():
        return np.concatenate([dice_C, np.full((*dice_C.shape[:-1], 1), np.nan)], axis=-1)
    return np.concatenate([dice_C, dice_C[..., present_C].mean(axis=-1)[..., None]], axis=-1)


def dice_by_class(counts_SC4: np.ndarray, class_names: Sequence[str]) -> dict[str, float]:
    """Pooled Dice of each class and of `MACRO`; a class that no test mask holds is NaN and in no mean."""
    dice_K = with_macro(pooled_dice(counts_SC4), classes_in_masks(counts_SC4))
    return dict(zip((*class_names, MACRO), dice_K.tolist(), strict=True))


def slice_mean_dice(counts_SC4: np.ndarray) -> np.ndarray:
    """Mean over slices of the slice's Dice (C,); slices whose masks both lack a class do not count for it.

    NaN of a class that no test mask holds.
    """
    mean_C = np.nan_to_num(nan_mean(dice_of_counts(counts_SC4).T))
    return np.where(counts_SC4[..., 3].sum(axis=0) > 0, mean_C, np.nan)


def counts_per_patient(counts_SC4: np.ndarray, patients_S: np.ndarray) -> tuple[list[str], np.ndarray]:
    """The patients' names, sorted, and their summed counts (P, C, 4)."""
    if len(patients_S) != len(counts_SC4) or len(counts_SC4) == 0:
        raise ValueError(
            "expected one patient name for each slice and at least one slice, "
            f"got {len(patients_S)} patient names and {len(counts_SC4)} slices"
        )
    names, patient_of_slice = np.unique(patients_S, return_inverse=True)
    counts_PC4 = np.zeros((len(names), *counts_SC4.shape[1:]), dtype=np.int64)
    np.add.at(counts_PC4, patient_of_slice, counts_SC4)
    return [str(name) for name in names], counts_PC4


def per_patient_dice(counts_SC4: np.ndarray, patients_S: np.ndarray) -> dict[str, np.ndarray]:
    """Dice per class (C,), pooled over each patient's slices; NaN of a class that its test masks lack."""
    names, counts_PC4 = counts_per_patient(counts_SC4, patients_S)
    return dict(zip(names, dice_under_masks(counts_PC4), strict=True))


def _check_classes(mask_SHW: np.ndarray, role: str, n_classes: int) -> None:
    if not np.issubdtype(mask_SHW.dtype, np.integer):
        raise ValueError(f"{role} must be an integer class map, got dtype {mask_SHW.dtype}")
    outside = mask_SHW[(mask_SHW < 0) | (mask_SHW > n_classes)]
    if outside.size:
        raise ValueError(
            f"class outside the table: {role} holds the value {outside.max()} ({outside.size} such pixels), "
            f"but only 0 (background) and classes 1…{n_classes} are defined; add the class or fix the mask"
        )


def _joint_histogram(prediction_HW: np.ndarray, target_HW: np.ndarray, n_values: int) -> np.ndarray:
    """Pixels with target value i and prediction value j, at [i, j]."""
    joint = target_HW.astype(np.int64).ravel() * n_values + prediction_HW.ravel()
    return np.bincount(joint, minlength=n_values**2).reshape(n_values, n_values)
