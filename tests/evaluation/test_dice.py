"""Dice equals MONAI's and obeys its algebra."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from monai.metrics.meandice import DiceMetric, compute_dice
from monai.networks.utils import one_hot

from segguided.evaluation.dice import (
    class_counts,
    classes_in_masks,
    dice_of_counts,
    per_patient_dice,
    pooled_dice,
    slice_mean_dice,
    with_macro,
)
from support.noisy_masks import noisy_pair

N_CLASSES = 3
MASKS = arrays(np.uint8, (4, 6, 6), elements=st.integers(0, N_CLASSES))


def as_one_hot(mask_SHW: np.ndarray) -> torch.Tensor:
    return one_hot(torch.from_numpy(mask_SHW.astype(np.int64))[:, None], N_CLASSES + 1)


@pytest.mark.parametrize("absent", [None, 3])
@pytest.mark.parametrize("seed", [0, 1])
def test_equals_monai_per_slice(seed: int, absent: int | None) -> None:
    prediction_SHW, target_SHW = noisy_pair(seed, absent=absent)
    # MONAI's ignore_empty looks at the target alone and gives NaN; ours is NaN only where both are empty.
    metric = DiceMetric(include_background=False, reduction="none", ignore_empty=True)
    theirs = np.asarray(metric(as_one_hot(prediction_SHW), as_one_hot(target_SHW)))
    ours = dice_of_counts(class_counts(prediction_SHW, target_SHW, N_CLASSES))
    in_target = np.stack([(target_SHW == c).any(axis=(1, 2)) for c in range(1, N_CLASSES + 1)], axis=-1)
    np.testing.assert_allclose(ours[in_target], theirs[in_target], rtol=1e-6)
    assert np.isnan(theirs[~in_target]).all()
    in_either = in_target | np.stack([(prediction_SHW == c).any(axis=(1, 2)) for c in (1, 2, 3)], axis=-1)
    assert (ours[in_either & ~in_target] == 0).all()
    assert np.isnan(ours[~in_either]).all()


def test_equals_monai_pooled_volume() -> None:
    prediction_SHW, target_SHW = noisy_pair(2, absent=None)
    prediction, target = (as_one_hot(mask).permute(1, 0, 2, 3)[None] for mask in (prediction_SHW, target_SHW))
    theirs = compute_dice(prediction, target, include_background=False).numpy()[0]
    counts_SC4 = class_counts(prediction_SHW, target_SHW, N_CLASSES)
    np.testing.assert_allclose(pooled_dice(counts_SC4), theirs, rtol=1e-6)
    np.testing.assert_allclose(
        with_macro(pooled_dice(counts_SC4), classes_in_masks(counts_SC4))[-1], theirs.mean(), rtol=1e-6
    )


def test_slice_mean_equals_monai_where_every_slice_holds_the_class() -> None:
    prediction_SHW, target_SHW = noisy_pair(3, absent=None)
    metric = DiceMetric(include_background=False, reduction="mean_batch")
    metric(as_one_hot(prediction_SHW), as_one_hot(target_SHW))
    ours = slice_mean_dice(class_counts(prediction_SHW, target_SHW, N_CLASSES))
    np.testing.assert_allclose(ours[0], np.asarray(metric.aggregate())[0], rtol=1e-6)


def test_hand_computed() -> None:
    target_SHW = np.array([[[1, 1], [2, 0]], [[1, 0], [0, 0]]])
    prediction_SHW = np.array([[[1, 0], [2, 2]], [[0, 0], [0, 0]]])
    counts_SC4 = class_counts(prediction_SHW, target_SHW, 3)
    assert counts_SC4[0].tolist() == [[1, 1, 2, 2], [1, 2, 1, 1], [0, 0, 0, 0]]
    np.testing.assert_allclose(pooled_dice(counts_SC4), [2 / 4, 2 / 3, np.nan])
    np.testing.assert_allclose(slice_mean_dice(counts_SC4), [(2 / 3 + 0) / 2, 2 / 3, np.nan])
    np.testing.assert_allclose(
        with_macro(pooled_dice(counts_SC4), classes_in_masks(counts_SC4))[-1], (2 / 4 + 2 / 3) / 2
    )


@settings(max_examples=50, deadline=None)
@given(MASKS, MASKS)
def test_symmetric_and_between_0_and_1(a_SHW: np.ndarray, b_SHW: np.ndarray) -> None:
    direct, swapped = (
        dice_of_counts(class_counts(*pair, N_CLASSES).sum(axis=0))
        for pair in ((a_SHW, b_SHW), (b_SHW, a_SHW))
    )
    np.testing.assert_array_equal(direct, swapped)
    assert ((direct[np.isfinite(direct)] >= 0) & (direct[np.isfinite(direct)] <= 1)).all()


@settings(max_examples=50, deadline=None)
@given(MASKS)
def test_identity_is_one_and_absent_is_nan(mask_SHW: np.ndarray) -> None:
    dice_C = pooled_dice(class_counts(mask_SHW, mask_SHW, N_CLASSES))
    present_C = np.isin(np.arange(1, N_CLASSES + 1), mask_SHW)
    assert (dice_C[present_C] == 1).all()
    assert np.isnan(dice_C[~present_C]).all()


@settings(max_examples=50, deadline=None)
@given(MASKS)
def test_disjoint_is_zero(mask_SHW: np.ndarray) -> None:
    shifted_SHW = np.where(mask_SHW > 0, mask_SHW % N_CLASSES + 1, 0)
    dice_C = pooled_dice(class_counts(shifted_SHW, mask_SHW, N_CLASSES))
    assert (dice_C[np.isfinite(dice_C)] == 0).all()


@settings(max_examples=50, deadline=None)
@given(MASKS, MASKS, st.permutations(range(4)))
def test_order_of_slices_changes_nothing(a_SHW: np.ndarray, b_SHW: np.ndarray, order: list[int]) -> None:
    assume(b_SHW.any())
    counts_SC4 = class_counts(a_SHW, b_SHW, N_CLASSES)
    shuffled_SC4 = class_counts(a_SHW[order], b_SHW[order], N_CLASSES)
    np.testing.assert_array_equal(pooled_dice(counts_SC4), pooled_dice(shuffled_SC4))
    np.testing.assert_allclose(slice_mean_dice(counts_SC4), slice_mean_dice(shuffled_SC4))


def test_per_patient_is_pooled_within_the_patient() -> None:
    prediction_SHW, target_SHW = noisy_pair(4, absent=None)
    patients_S = np.array(["b", "a", "a", "b", "a", "b"])
    per_patient = per_patient_dice(class_counts(prediction_SHW, target_SHW, N_CLASSES), patients_S)
    assert list(per_patient) == ["a", "b"]
    of_a = patients_S == "a"
    alone = pooled_dice(class_counts(prediction_SHW[of_a], target_SHW[of_a], N_CLASSES))
    np.testing.assert_array_equal(per_patient["a"], alone)


@pytest.mark.parametrize(
    ("prediction", "target", "message"),
    [
        (np.zeros((2, 4, 4), int), np.zeros((2, 4, 5), int), r"one shape.*\(2, 4, 4\) and \(2, 4, 5\)"),
        (np.zeros((4, 4), int), np.zeros((4, 4), int), r"slices, height, width"),
        (
            np.full((1, 2, 2), 4),
            np.zeros((1, 2, 2), int),
            r"outside the table: prediction .*value 4 \(4 such.*1…3",
        ),
        (np.zeros((1, 2, 2), int), np.full((1, 2, 2), -1), r"outside the table: target .*value -1"),
        (np.zeros((1, 2, 2)), np.zeros((1, 2, 2), int), r"integer class map, got dtype float64"),
    ],
)
def test_rejects(prediction: np.ndarray, target: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        class_counts(prediction, target, N_CLASSES)


@pytest.mark.parametrize("n_slices", [0, 3])
def test_rejects_slices_without_patient(n_slices: int) -> None:
    with pytest.raises(ValueError, match="one patient name for each slice and at least one slice"):
        per_patient_dice(np.ones((n_slices, 1, 4), int), np.array(["a"] * (2 * n_slices)))
