"""Diversity: what counts as variation between images of one mask, and what does not."""

from dataclasses import replace

import numpy as np
import pytest

from segguided.data.slices import SliceSet, Stack
from segguided.evaluation.likeness.diversity import diversity_record
from segguided.evaluation.likeness.units import units_of

CLASSES = ("left", "right")
LEVELS = {"r1": (90, 140), "r2": (110, 160), "r3": (130, 180)}  # of both classes, in three real patients


def masks(n=6):
    """Two bars, which are higher from slice to slice, on a ground of 16 rows more."""
    masks_SHW = np.zeros((n, 32, 32), np.uint8)
    for row, mask_HW in enumerate(masks_SHW):
        mask_HW[4 : 12 + 2 * row, 2:14] = 1
        mask_HW[4 : 12 + 2 * row, 18:30] = 2
    return masks_SHW


def patient(name, levels):
    masks_SHW = masks()
    images_SHW = np.array([20, *levels], np.uint8)[masks_SHW]
    return Stack(name, images_SHW, masks_SHW, np.arange(6.0), {})


REAL = SliceSet([patient(name, levels) for name, levels in LEVELS.items()])
TEST = SliceSet([patient("p", (100, 150)), patient("q", (120, 170))])


def measure(images_KMHW, test=TEST):
    return diversity_record(np.asarray(images_KMHW), test, REAL, CLASSES, units_of(test))


def noise(std, shape, seed=0):
    return np.random.default_rng(seed).normal(0, std, shape)


def test_one_image_for_each_mask_has_no_diversity():
    record = measure([TEST.images] * 3)
    assert record["likeness.diversity.left"] == record["likeness.diversity.macro"] == 0
    assert record["likeness.diversity.macro.patient.p"] == 0


def test_images_of_other_real_patients_have_the_diversity_of_real_patients():
    others = [np.concatenate([REAL.stacks[k].images_SHW] * 2) for k in range(3)]
    record = measure(others)
    # Levels 90, 110, 130 differ more among themselves than from the test patients' 100 and 120.
    assert record["likeness.diversity.left"] == pytest.approx(np.sqrt(800 / (1100 / 3)), rel=1e-6)
    test = SliceSet([replace(patient("p", LEVELS["r1"])), replace(patient("q", LEVELS["r3"]))])
    same_range = diversity_record(np.asarray(others), test, REAL, CLASSES, units_of(test))
    assert 0.8 < same_range["likeness.diversity.macro"] < 1.2


def test_white_noise_adds_no_diversity_and_blotches_do():
    base_MHW = TEST.images.astype(float)
    noisy = [base_MHW + noise(12, base_MHW.shape, seed) for seed in range(3)]
    assert measure(noisy)["likeness.diversity.macro"] < 0.1
    cells = [noise(12, (len(TEST), 8, 8), seed).repeat(4, 1).repeat(4, 2) for seed in range(3)]
    blotched = measure([base_MHW + blotches for blotches in cells])["likeness.diversity.macro"]
    assert blotched > 0.5
    both = [base_MHW + blotches + noise(12, base_MHW.shape, 9 + k) for k, blotches in enumerate(cells)]
    assert measure(both)["likeness.diversity.macro"] == pytest.approx(blotched, rel=0.15)


def test_variation_of_one_class_is_seen_in_that_class_alone():
    brighter = TEST.images.astype(float) + 10 * (TEST.masks == 2)
    record = measure([TEST.images, brighter])
    assert record["likeness.diversity.left"] == 0
    assert record["likeness.diversity.right"] > 0.4
    assert record["likeness.diversity.macro"] == pytest.approx(record["likeness.diversity.right"] / 2)


def test_where_real_patients_do_not_vary_nothing_is_compared_to_them():
    """The ground is 20 in every patient."""
    assert measure([TEST.images, TEST.images])["likeness.diversity.outside"] is None


def test_a_class_that_a_patient_lacks_is_undefined_for_that_patient_alone():
    bare = TEST.stacks[1]
    bare = replace(bare, masks_SHW=np.where(bare.masks_SHW == 2, 0, bare.masks_SHW))
    test = SliceSet([TEST.stacks[0], bare])
    record = measure([test.images, test.images + np.uint8(10)], test)
    assert record["likeness.diversity.right.patient.q"] is None
    assert record["likeness.diversity.right"] == record["likeness.diversity.right.patient.p"] > 0
    assert record["likeness.diversity.macro.patient.q"] == record["likeness.diversity.left.patient.q"]


def test_the_only_patient_has_blocks_with_a_gap_between_them():
    rows = units_of(SliceSet([patient("p", (100, 150))]))
    assert [np.flatnonzero(chosen_S).tolist() for chosen_S in rows.values()] == [[0, 1], [3, 4]]
    assert list(rows) == ["block.0", "block.1"]


def test_a_patient_is_not_compared_to_itself():
    test = SliceSet([replace(REAL.stacks[0])])
    images_KMHW = np.stack([test.images + np.uint8(9), test.images])
    alone = diversity_record(images_KMHW, test, SliceSet(REAL.stacks[:2]), CLASSES, units_of(test))
    assert alone["likeness.diversity.left"] == pytest.approx(9 / 20, rel=1e-6)
