"""New masks: none is a copy, nothing folds, classes stay in their surroundings, areas in the real range."""

from functools import cache

import numpy as np
import pytest
from scipy.ndimage import label

from segguided.config.experiments import AllowedChanges
from segguided.data.datasets.phantom import make_phantom
from segguided.generation.mask_validity import RealMasks, border_shares, borders
from segguided.generation.new_masks import (
    LEAST_DETERMINANT,
    deform,
    displacement,
    least_determinant,
    make_new_mask,
    paste,
    without_class,
)

VESSELS = 2
CHANGES = AllowedChanges(deformation=0.03, combine=0.5, mirror=True)


@cache
def real_masks() -> RealMasks:
    """Every slice of two phantoms whose mask holds vessels."""
    masks = [make_phantom(name, 0, 64, 12).labels_zyx for name in ("p", "q")]
    named = [(f"{name}_slice_{i}", mask) for name, stack in zip("pq", masks, strict=True)
             for i, mask in enumerate(stack) if (mask == VESSELS).any()]  # fmt: skip
    return RealMasks(np.stack([mask for _, mask in named]), [name for name, _ in named], VESSELS, 3)


@cache
def new_masks(seed=0, copies=3):
    real = real_masks()
    rows = [(row, copy) for row in range(len(real.names)) for copy in range(copies)]
    made = {place: make_new_mask(real, place[0], CHANGES, seed, place[1]) for place in rows}
    return {place: new for place, new in made.items() if new is not None}


def test_nearly_every_source_gives_valid_masks_and_some_have_another_masks_vessels():
    made = new_masks()
    assert len(made) > 0.9 * 3 * len(real_masks().names)
    assert 0.05 < np.mean([new.donor is not None for new in made.values()]) < 0.5
    assert all(real_masks().allows(new.mask_HW) for new in made.values())


def test_none_is_a_copy_and_no_two_are_alike():
    known = {mask_HW.tobytes() for mask_HW in real_masks().masks_MHW}
    made = [np.ascontiguousarray(new.mask_HW).tobytes() for new in new_masks().values()]
    assert not known & set(made)
    assert len(set(made)) == len(made)


def test_seed_mask_and_copy_decide_a_mask_whatever_was_made_before():
    again = make_new_mask(real_masks(), 5, CHANGES, 0, 1)
    assert np.array_equal(again.mask_HW, new_masks()[5, 1].mask_HW)
    for other in ((5, CHANGES, 1, 1), (5, CHANGES, 0, 2)):
        assert not np.array_equal(make_new_mask(real_masks(), *other).mask_HW, again.mask_HW)


def test_vessels_touch_the_background_no_more_than_in_real_masks():
    real = real_masks()
    largest = border_shares(real.borders_of_masks).max(axis=0)
    for new in new_masks().values():
        assert border_shares(borders(new.mask_HW, 4))[VESSELS, 0] <= largest[VESSELS, 0]
    assert real.surroundings == 1, "vessels lie in the breast"


@pytest.mark.parametrize("deformation", [0.01, 0.03, 0.1])
def test_a_displacement_never_folds(deformation):
    for seed in range(20):
        moved = displacement(64, deformation, np.random.default_rng(seed))
        assert least_determinant(moved) >= LEAST_DETERMINANT
        assert moved.std() <= deformation * 64 * 1.001


def test_the_measure_of_folding_finds_a_fold_and_a_stretch():
    rows = np.indices((16, 16))[0].astype(float)
    zero = np.zeros((16, 16))
    assert least_determinant(np.stack([-2 * rows, zero])) == -1, "rows in reverse order"
    assert least_determinant(np.stack([0.5 * rows, zero])) == 1.5


def test_a_disc_stays_one_disc_and_its_ring_a_ring():
    rows, columns = np.indices((64, 64)) - 31.5
    radius = np.hypot(rows, columns)
    mask = np.where(radius < 10, 2, np.where(radius < 18, 1, 0)).astype(np.uint8)
    for seed in range(30):
        moved = deform(mask, 0.03, np.random.default_rng(seed))
        assert [label(moved == value, np.ones((3, 3)))[1] for value in (0, 1, 2)] == [1, 1, 1]
        assert borders(moved, 3)[0, 2] == 0, "the ring still lies between"
        assert not np.array_equal(moved, mask)


def test_a_region_is_pasted_only_where_its_surroundings_are():
    mask = np.zeros((8, 8), np.uint8)
    mask[:, :6] = 1
    mask[2:4, 2:4] = 2
    assert np.array_equal(without_class(mask, 2), np.where(mask == 2, 1, mask))
    inside = np.zeros((8, 8), bool)
    inside[5:7, 1:3] = True
    pasted = paste(without_class(mask, 2), inside, 2, 1)
    assert np.array_equal(pasted == 2, inside)
    assert paste(without_class(mask, 2), np.roll(inside, 5, axis=1), 2, 1) is None


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda mask: mask, "a copy"),
        (lambda mask: np.where(mask == VESSELS, 1, mask), "without the rare class"),
        (lambda mask: np.where(mask == 0, 1, mask), "a breast larger than any"),
        (lambda mask: np.where(mask == 1, VESSELS, mask), "more vessels than in any"),
    ],
)
def test_what_no_patient_has_is_refused(change, why):
    assert not real_masks().allows(change(real_masks().masks_MHW[5]).astype(np.uint8)), why
