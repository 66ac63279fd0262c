"""Dice of class maps, pooled over all pixels of a set, and its bootstrap interval over patients.

The classes that count are those that the test masks M hold, whatever is compared under them: a stray pixel of
another class changes no mean, and two models' means are always over the same classes.

Shape suffixes: S slices, H and W pixels, P patients, U resampling units, R resamples, C foreground classes,
K the C classes and their macro mean (last); a trailing 4 holds |P ∩ T|, |P|, |T| and |M| in pixels.
"""

import math
from collections.abc import Sequence

import numpy as np

from segguided.config.reserved import MACRO

INTERVAL_PERCENT = (2.5, 97.5)
LEAST_DEFINED = 0.1  # of the resamples, for an interval


def class_counts(
    prediction_SHW: np.ndarray, target_SHW: np.ndarray, n_classes: int, masks_SHW: np.ndarray | None = None
) -> np.ndarray:
    """Pixels in prediction ∩ target, prediction, target and test mask, per slice and class: (S, C, 4) int64.

    The test masks are the target unless `masks_SHW` gives them. Raises ValueError where the shapes differ or
    a value lies outside 0…n_classes.
    """
    if prediction_SHW.shape != target_SHW.shape or prediction_SHW.ndim != 3:
        raise ValueError(
            "prediction and target must have one shape (slices, height, width), "
            f"got {prediction_SHW.shape} and {target_SHW.shape}"
        )
    _check_classes(prediction_SHW, "prediction", n_classes)
    _check_classes(target_SHW, "target", n_classes)
    counts_SC4 = np.empty((len(target_SHW), n_classes, 4), dtype=np.int64)
    # Slice by slice: the joint histogram needs eight bytes a pixel, which a whole test set should not.
    for counts_C4, prediction_HW, target_HW in zip(counts_SC4, prediction_SHW, target_SHW, strict=True):
        confusion = _joint_histogram(prediction_HW, target_HW, n_classes + 1)
        of_target = confusion.sum(axis=1)
        pixels = np.stack([np.diag(confusion), confusion.sum(axis=0), of_target, of_target], axis=-1)
        counts_C4[:] = pixels[1:]  # without the background
    if masks_SHW is not None:
        counts_SC4[..., 3] = class_counts(masks_SHW, target_SHW, n_classes)[..., 1]
    return counts_SC4


def held_classes(counts_SC4: np.ndarray) -> np.ndarray:
    """Which classes the test masks hold, (C,) bool: those of every macro mean. ValueError where none is."""
    held_C = counts_SC4[..., 3].sum(axis=0) > 0
    if not held_C.any():
        raise ValueError(
            f"expected test masks that hold a class, got {len(counts_SC4)} slices of background alone, so "
            "there is nothing to measure; check the masks, the labels of the classes and the split"
        )
    return np.asarray(held_C)


def ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Quotient, NaN where the denominator is 0 or either is undefined."""
    quotient = np.full(np.broadcast_shapes(np.shape(numerator), np.shape(denominator)), np.nan)
    np.divide(numerator, denominator, out=quotient, where=np.asarray(denominator) != 0)
    return quotient


def dice_of_counts(counts_C4: np.ndarray) -> np.ndarray:
    """2|P ∩ T| / (|P| + |T|) over the last axis; NaN where a class is absent from both masks."""
    return ratio(2 * counts_C4[..., 0], counts_C4[..., 1] + counts_C4[..., 2])


def dice_under_masks(counts_C4: np.ndarray) -> np.ndarray:
    """Dice of the classes that the test masks hold; NaN of the others, even where a prediction has pixels.

    0 where neither P nor T holds a class of the masks: of what the mask asks for, nothing was found. One
    stray pixel gives the same, so the mean does not jump.
    """
    return np.where(counts_C4[..., 3] > 0, np.nan_to_num(dice_of_counts(counts_C4)), np.nan)


def pooled_dice(counts_UC4: np.ndarray) -> np.ndarray:
    """Dice per class (C,), over all pixels of all units; NaN of a class that no test mask holds."""
    return dice_under_masks(counts_UC4.sum(axis=0))


def nan_mean(dice_C: np.ndarray) -> np.ndarray:
    """Plain mean over the last axis, leaving NaN out; NaN where nothing is left."""
    return ratio(np.nansum(dice_C, axis=-1), np.isfinite(dice_C).sum(axis=-1))


def with_macro(dice_C: np.ndarray, held_C: np.ndarray) -> np.ndarray:
    """The classes' values and, last, the mean of those held: (…, C) to (…, K). NaN where one is undefined."""
    if not held_C.any():
        return np.concatenate([dice_C, np.full((*dice_C.shape[:-1], 1), np.nan)], axis=-1)
    return np.concatenate([dice_C, dice_C[..., held_C].mean(axis=-1)[..., None]], axis=-1)


def dice_by_class(counts_SC4: np.ndarray, class_names: Sequence[str]) -> dict[str, float]:
    """Pooled Dice of each class, then of `MACRO`: NaN of a class that no test mask holds, in no mean."""
    dice_K = with_macro(pooled_dice(counts_SC4), held_classes(counts_SC4))
    return dict(zip((*class_names, MACRO), dice_K.tolist(), strict=True))


def slice_mean_dice(counts_SC4: np.ndarray) -> np.ndarray:
    """Mean over slices of the slice's Dice (C,); a class absent from both masks is left out, never 1.

    NaN of a class that no test mask holds.
    """
    of_slices_C = np.nan_to_num(nan_mean(dice_of_counts(counts_SC4).T))
    return np.where(counts_SC4[..., 3].sum(axis=0) > 0, of_slices_C, np.nan)


def counts_per_patient(counts_SC4: np.ndarray, patients_S: np.ndarray) -> tuple[list[str], np.ndarray]:
    """The patients' names, sorted, and their summed counts (P, C, 4)."""
    if len(patients_S) != len(counts_SC4) or len(counts_SC4) == 0:
        raise ValueError(
            f"expected one patient name a slice and at least one slice, got {len(patients_S)} patient names "
            f"and {len(counts_SC4)} slices"
        )
    names, patient_of_slice = np.unique(patients_S, return_inverse=True)
    counts_PC4 = np.zeros((len(names), *counts_SC4.shape[1:]), dtype=np.int64)
    np.add.at(counts_PC4, patient_of_slice, counts_SC4)
    return [str(name) for name in names], counts_PC4


def per_patient_dice(counts_SC4: np.ndarray, patients_S: np.ndarray) -> dict[str, np.ndarray]:
    """Dice per class (C,), pooled over each patient's slices; NaN of a class that its test masks lack."""
    names, counts_PC4 = counts_per_patient(counts_SC4, patients_S)
    return dict(zip(names, dice_under_masks(counts_PC4), strict=True))


def interval_unit(patients_S: np.ndarray) -> str:
    """What the bootstrap draws: "patients", or "slices" (in contiguous blocks) where there is one patient."""
    return "patients" if len(np.unique(patients_S)) > 1 else "slices"


def bootstrap_dice(
    counts_SC4: np.ndarray, patients_S: np.ndarray, *, resamples: int, seed: int
) -> np.ndarray:
    """Pooled Dice of `resamples` bootstrap samples: (R, K), classes then macro.

    A pure function of the seed and the patients: two calls for the same slices use the same draws, which is
    what pairs two sets of predictions. NaN of a class that the masks of a resample lack, and then of the
    macro too: such a resample says nothing of that class's Dice, and its mean would be over other classes.
    """
    held_C = held_classes(counts_SC4)
    _, units_UC4 = counts_per_patient(counts_SC4, patients_S)
    n_drawn = len(units_UC4)
    if interval_unit(patients_S) == "slices":
        units_UC4, n_drawn = _blocks(counts_SC4)
    if len(units_UC4) < 2:
        return np.full((resamples, counts_SC4.shape[1] + 1), np.nan)  # one slice says nothing about spread
    equal_U = np.full(len(units_UC4), 1 / len(units_UC4))
    weights_RU = np.random.default_rng(seed).multinomial(n_drawn, equal_U, size=resamples)
    return with_macro(dice_under_masks(np.tensordot(weights_RU, units_UC4, axes=1)), held_C)


def percentile_interval(samples_RK: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper 95 % percentile bounds, (K,) each; undefined samples are left out.

    So an interval is conditional: that of a class on the resamples whose masks hold it (at least 63 % of them
    where one patient does), that of the macro on those that hold all its classes. NaN where fewer than
    LEAST_DEFINED of the resamples are left, too few for a percentile.
    """
    bounds = np.full((samples_RK.shape[1], 2), np.nan)
    for k, samples_R in enumerate(samples_RK.T):
        defined = samples_R[np.isfinite(samples_R)]
        if defined.size and defined.size >= LEAST_DEFINED * samples_R.size:
            bounds[k] = np.percentile(defined, INTERVAL_PERCENT)
    return bounds[:, 0], bounds[:, 1]


def bootstrap_interval(
    counts_SC4: np.ndarray, patients_S: np.ndarray, *, resamples: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """95 % percentile interval of the pooled Dice, resampling patients: lower and upper bounds, (K,) each."""
    return percentile_interval(bootstrap_dice(counts_SC4, patients_S, resamples=resamples, seed=seed))


def ratio_interval(
    counts_SC4: np.ndarray,
    ceiling_SC4: np.ndarray,
    patients_S: np.ndarray,
    over_C: np.ndarray,
    *,
    resamples: int,
    seed: int,
) -> tuple[np.ndarray, np.ndarray]:
    """95 % interval of Dice over the ceiling's Dice, both from the same resamples: bounds (K,) each.

    The macro's is of the means over the classes `over_C` of both.
    """
    dice_RK = bootstrap_dice(counts_SC4, patients_S, resamples=resamples, seed=seed)
    ceiling_RK = bootstrap_dice(ceiling_SC4, patients_S, resamples=resamples, seed=seed)
    means = (with_macro(values_RK[:, :-1], over_C) for values_RK in (dice_RK, ceiling_RK))
    return percentile_interval(ratio(*means))


def _blocks(counts_SC4: np.ndarray) -> tuple[np.ndarray, int]:
    """Every run of about √S neighbours, the first slice following the last, and how many make up S slices.

    Neighbouring slices are alike; drawing them one by one would give an interval that is far too narrow.
    """
    n_slices = len(counts_SC4)
    length = round(math.sqrt(n_slices))
    blocks_UC4 = sum(np.roll(counts_SC4, -shift, axis=0) for shift in range(length))
    return np.asarray(blocks_UC4), math.ceil(n_slices / length)


def _check_classes(mask_SHW: np.ndarray, role: str, n_classes: int) -> None:
    if not np.issubdtype(mask_SHW.dtype, np.integer):
        raise ValueError(f"{role} must be an integer class map, got dtype {mask_SHW.dtype}")
    outside = mask_SHW[(mask_SHW < 0) | (mask_SHW > n_classes)]
    if outside.size:
        raise ValueError(
            f"class outside the table: {role} holds the value {outside.max()} ({outside.size} such pixels), "
            f"but only 0 (background) and classes 1…{n_classes} are defined; add the class or mend the mask"
        )


def _joint_histogram(prediction_HW: np.ndarray, target_HW: np.ndarray, n_values: int) -> np.ndarray:
    """Pixels with target value i and prediction value j, at [i, j]."""
    joint = target_HW.astype(np.int64).ravel() * n_values + prediction_HW.ravel()
    return np.bincount(joint, minlength=n_values**2).reshape(n_values, n_values)
