"""Dice of class maps, pooled over all pixels of a set, and its bootstrap interval over patients.

Shape suffixes: S slices, H and W pixels, P patients, U resampling units, R resamples, C foreground classes,
K the C classes and their macro mean (last); a trailing 3 holds |P ∩ T|, |P| and |T| in pixels.
"""

import math

import numpy as np

INTERVAL_PERCENT = (2.5, 97.5)


def class_counts(prediction_SHW: np.ndarray, target_SHW: np.ndarray, n_classes: int) -> np.ndarray:
    """Pixels in prediction ∩ target, prediction and target, per slice and class 1…n_classes: (S, C, 3) int64.

    Raises ValueError where the shapes differ or a value lies outside 0…n_classes.
    """
    if prediction_SHW.shape != target_SHW.shape or prediction_SHW.ndim != 3:
        raise ValueError(
            "prediction and target must have one shape (slices, height, width), "
            f"got {prediction_SHW.shape} and {target_SHW.shape}"
        )
    _check_classes(prediction_SHW, "prediction", n_classes)
    _check_classes(target_SHW, "target", n_classes)
    counts_SC3 = np.empty((len(target_SHW), n_classes, 3), dtype=np.int64)
    # Slice by slice: the joint histogram needs eight bytes a pixel, which a whole test set should not.
    for counts_C3, prediction_HW, target_HW in zip(counts_SC3, prediction_SHW, target_SHW, strict=True):
        confusion = _joint_histogram(prediction_HW, target_HW, n_classes + 1)
        pixels = np.stack([np.diag(confusion), confusion.sum(axis=0), confusion.sum(axis=1)], axis=-1)
        counts_C3[:] = pixels[1:]  # without the background
    return counts_SC3


def ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Quotient, NaN where the denominator is 0 or either is undefined."""
    quotient = np.full(np.broadcast_shapes(np.shape(numerator), np.shape(denominator)), np.nan)
    np.divide(numerator, denominator, out=quotient, where=np.asarray(denominator) != 0)
    return quotient


def dice_of_counts(counts_C3: np.ndarray) -> np.ndarray:
    """2|P ∩ T| / (|P| + |T|) over the last axis; NaN where a class is absent from both masks."""
    return ratio(2 * counts_C3[..., 0], counts_C3[..., 1] + counts_C3[..., 2])


def pooled_dice(counts_UC3: np.ndarray) -> np.ndarray:
    """Dice per class (C,), over all pixels of all units; NaN where a class is absent from both masks."""
    return dice_of_counts(counts_UC3.sum(axis=0))


def nan_mean(dice_C: np.ndarray) -> np.ndarray:
    """Plain mean over the last axis, leaving NaN out; NaN where nothing is left."""
    return ratio(np.nansum(dice_C, axis=-1), np.isfinite(dice_C).sum(axis=-1))


def with_macro(dice_C: np.ndarray) -> np.ndarray:
    """The classes' values and, last, their macro mean: (…, C) to (…, K)."""
    return np.concatenate([dice_C, nan_mean(dice_C)[..., None]], axis=-1)


def slice_mean_dice(counts_SC3: np.ndarray) -> np.ndarray:
    """Mean over slices of the slice's Dice (C,); a class absent from both masks is left out, never 1."""
    return nan_mean(dice_of_counts(counts_SC3).T)


def counts_per_patient(counts_SC3: np.ndarray, patients_S: np.ndarray) -> tuple[list[str], np.ndarray]:
    """The patients' names, sorted, and their summed counts (P, C, 3)."""
    if len(patients_S) != len(counts_SC3) or len(counts_SC3) == 0:
        raise ValueError(
            f"expected one patient name a slice and at least one slice, got {len(patients_S)} patient names "
            f"and {len(counts_SC3)} slices"
        )
    names, patient_of_slice = np.unique(patients_S, return_inverse=True)
    counts_PC3 = np.zeros((len(names), *counts_SC3.shape[1:]), dtype=np.int64)
    np.add.at(counts_PC3, patient_of_slice, counts_SC3)
    return [str(name) for name in names], counts_PC3


def per_patient_dice(counts_SC3: np.ndarray, patients_S: np.ndarray) -> dict[str, np.ndarray]:
    """Dice per class (C,), pooled over each patient's slices."""
    names, counts_PC3 = counts_per_patient(counts_SC3, patients_S)
    return dict(zip(names, dice_of_counts(counts_PC3), strict=True))


def interval_unit(patients_S: np.ndarray) -> str:
    """What the bootstrap draws: "patients", or "slices" (in contiguous blocks) where there is one patient."""
    return "patients" if len(np.unique(patients_S)) > 1 else "slices"


def bootstrap_dice(
    counts_SC3: np.ndarray, patients_S: np.ndarray, *, resamples: int, seed: int
) -> np.ndarray:
    """Pooled Dice of `resamples` bootstrap samples: (R, K), classes then macro.

    A pure function of the seed and the patients: two calls for the same slices use the same draws, which is
    what pairs two sets of predictions.
    """
    _, units_UC3 = counts_per_patient(counts_SC3, patients_S)
    n_drawn = len(units_UC3)
    if interval_unit(patients_S) == "slices":
        units_UC3, n_drawn = _blocks(counts_SC3)
    if len(units_UC3) < 2:
        return np.full((resamples, counts_SC3.shape[1] + 1), np.nan)  # one slice says nothing about spread
    equal_U = np.full(len(units_UC3), 1 / len(units_UC3))
    weights_RU = np.random.default_rng(seed).multinomial(n_drawn, equal_U, size=resamples)
    return with_macro(dice_of_counts(np.tensordot(weights_RU, units_UC3, axes=1)))


def percentile_interval(samples_RK: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper 95 % percentile bounds, (K,) each; undefined samples are left out."""
    bounds = np.full((samples_RK.shape[1], 2), np.nan)
    for k, samples_R in enumerate(samples_RK.T):
        defined = samples_R[np.isfinite(samples_R)]
        if defined.size:
            bounds[k] = np.percentile(defined, INTERVAL_PERCENT)
    return bounds[:, 0], bounds[:, 1]


def bootstrap_interval(
    counts_SC3: np.ndarray, patients_S: np.ndarray, *, resamples: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """95 % percentile interval of the pooled Dice, resampling patients: lower and upper bounds, (K,) each."""
    return percentile_interval(bootstrap_dice(counts_SC3, patients_S, resamples=resamples, seed=seed))


def ratio_interval(
    counts_SC3: np.ndarray, ceiling_SC3: np.ndarray, patients_S: np.ndarray, *, resamples: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """95 % interval of Dice over the ceiling's Dice, both from the same resamples: bounds (K,) each."""
    dice_RK = bootstrap_dice(counts_SC3, patients_S, resamples=resamples, seed=seed)
    ceiling_RK = bootstrap_dice(ceiling_SC3, patients_S, resamples=resamples, seed=seed)
    return percentile_interval(ratio(dice_RK, ceiling_RK))


def _blocks(counts_SC3: np.ndarray) -> tuple[np.ndarray, int]:
    """Every run of about √S neighbours, the first slice following the last, and how many make up S slices.

    Neighbouring slices are alike; drawing them one by one would give an interval that is far too narrow.
    """
    n_slices = len(counts_SC3)
    length = round(math.sqrt(n_slices))
    blocks_UC3 = sum(np.roll(counts_SC3, -shift, axis=0) for shift in range(length))
    return np.asarray(blocks_UC3), math.ceil(n_slices / length)


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
