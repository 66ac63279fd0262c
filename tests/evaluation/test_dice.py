"""Dice equals MONAI's, obeys its algebra, and its bootstrap interval covers what it should."""

from typing import Any

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
from segguided.evaluation.intervals import bootstrap_dice, bootstrap_interval, interval_unit, ratio_interval
from support.noisy_masks import noisy_pair

N_CLASSES = 3
MASKS = arrays(np.uint8, (4, 6, 6), elements=st.integers(0, N_CLASSES))


def as_one_hot(mask_SHW: np.ndarray) -> torch.Tensor:
    return one_hot(torch.from_numpy(mask_SHW.astype(np.int64))[:, None], N_CLASSES + 1)


def simulated_counts(rng: np.random.Generator, n_patients: int) -> np.ndarray:
    """Patients of different size and difficulty: |P| = |T|, Dice about 0.8 and 0.5."""
    size_PC = rng.lognormal(8, 0.5, (n_patients, 2))
    overlap_PC = np.stack([rng.beta(16, 4, n_patients), rng.beta(5, 5, n_patients)], axis=-1)
    return np.stack([size_PC * overlap_PC, size_PC, size_PC, size_PC], axis=-1).astype(np.int64)


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
    patients_S = np.array(["a", "a", "b", "c"])
    counts_SC4 = class_counts(a_SHW, b_SHW, N_CLASSES)
    shuffled_SC4 = class_counts(a_SHW[order], b_SHW[order], N_CLASSES)
    np.testing.assert_array_equal(pooled_dice(counts_SC4), pooled_dice(shuffled_SC4))
    np.testing.assert_allclose(slice_mean_dice(counts_SC4), slice_mean_dice(shuffled_SC4))
    interval = bootstrap_interval(counts_SC4, patients_S, resamples=20, seed=0)
    shuffled = bootstrap_interval(shuffled_SC4, patients_S[order], resamples=20, seed=0)
    np.testing.assert_array_equal(interval, shuffled)


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


def coverage(intervals: list[tuple[np.ndarray, np.ndarray]], truth: np.ndarray | float) -> np.ndarray:
    """Share of the intervals that hold the truth."""
    return np.asarray(np.mean([(low <= truth) & (truth <= high) for low, high in intervals], axis=0))


def test_interval_covers_the_population_value() -> None:
    rng = np.random.default_rng(0)
    population_SC4 = simulated_counts(rng, 200_000)
    truth_K = with_macro(pooled_dice(population_SC4), classes_in_masks(population_SC4))
    patients_S = np.array([f"p{i:02}" for i in range(20)])
    trials = [simulated_counts(rng, 20) for _ in range(200)]
    covered_K = coverage(
        [bootstrap_interval(trial, patients_S, resamples=200, seed=i) for i, trial in enumerate(trials)],
        truth_K,
    )
    assert ((covered_K > 0.85) & (covered_K < 0.99)).all(), covered_K


def test_block_interval_covers_when_neighbouring_slices_are_alike() -> None:
    """One patient whose slice quality drifts slowly: drawing slices one by one covers far too rarely."""
    rng = np.random.default_rng(1)

    def drifting() -> np.ndarray:
        noise = rng.normal(size=120)
        drift = np.empty(120)
        drift[0] = noise[0]
        for i in range(1, 120):
            drift[i] = 0.7 * drift[i - 1] + np.sqrt(1 - 0.7**2) * noise[i]
        overlap_S = np.clip(700 + 80 * drift, 0, 1000)
        full_S = np.full(120, 1000)
        return np.stack([overlap_S, full_S, full_S, full_S], axis=-1)[:, None].astype(np.int64)

    trials = [drifting() for _ in range(200)]
    same, each = np.array(["p"] * 120), np.array([f"s{i:03}" for i in range(120)])
    blocks = coverage(
        [bootstrap_interval(t, same, resamples=200, seed=i) for i, t in enumerate(trials)], 0.7
    )[0]
    single = coverage(
        [bootstrap_interval(t, each, resamples=200, seed=i) for i, t in enumerate(trials)], 0.7
    )[0]
    assert single < 0.75, single
    assert 0.8 < blocks <= 0.99, blocks


def test_bootstrap_is_a_function_of_the_seed() -> None:
    counts_SC4 = simulated_counts(np.random.default_rng(3), 8)
    patients_S = np.array(list("aabbccdd"))
    draw: dict[str, Any] = {"resamples": 50}
    first = bootstrap_dice(counts_SC4, patients_S, seed=1, **draw)
    np.testing.assert_array_equal(first, bootstrap_dice(counts_SC4, patients_S, seed=1, **draw))
    assert not np.array_equal(first, bootstrap_dice(counts_SC4, patients_S, seed=2, **draw))


def test_resampling_equals_an_explicit_loop() -> None:
    """The weights matrix is the same as summing the chosen patients singly."""
    counts_SC4 = simulated_counts(np.random.default_rng(4), 6)
    patients_S = np.array(list("ccaabb"))
    weights_RU = np.random.default_rng(7).multinomial(3, [1 / 3] * 3, size=10)
    expected = []
    for weights_U in weights_RU:
        chosen = np.repeat(["a", "b", "c"], weights_U)
        chosen_counts = np.concatenate([counts_SC4[patients_S == patient] for patient in chosen])
        expected.append(with_macro(pooled_dice(chosen_counts), np.array([True, True])))
    np.testing.assert_allclose(bootstrap_dice(counts_SC4, patients_S, resamples=10, seed=7), expected)


def test_paired_ratio_is_narrower_than_its_unpaired_bounds() -> None:
    """A model 10 % below the ceiling in every patient has a ratio of 0.9 without any spread."""
    ceiling_SC4 = simulated_counts(np.random.default_rng(5), 10) // 10 * 10
    model_SC4 = ceiling_SC4.copy()
    model_SC4[..., 0] = ceiling_SC4[..., 0] // 10 * 9
    ceiling_SC4[..., 0] = ceiling_SC4[..., 0] // 10 * 10
    patients_S = np.array([f"p{i}" for i in range(10)])
    low_K, high_K = ratio_interval(
        model_SC4, ceiling_SC4, patients_S, classes_in_masks(ceiling_SC4), resamples=100, seed=0
    )
    np.testing.assert_allclose([low_K, high_K], 0.9, atol=1e-12)


@pytest.mark.parametrize(("patients", "unit"), [("aabb", "patients"), ("aaaa", "slices")])
def test_interval_unit(patients: str, unit: str) -> None:
    assert interval_unit(np.array(list(patients))) == unit


def test_a_single_slice_has_no_interval() -> None:
    low_K, high_K = bootstrap_interval(np.ones((1, 2, 4), int), np.array(["a"]), resamples=5, seed=0)
    assert np.isnan(low_K).all()
    assert np.isnan(high_K).all()
