"""Edits of masks: what each one changes, and which masks allow it."""

import numpy as np
import pytest

from segguided.config.experiments import EDITS, Counterfactuals
from segguided.data.slices import SliceSet, Stack
from segguided.generation.near_real.counterfactuals import edit_masks
from segguided.generation.near_real.edits import Editor, surroundings_of

ROWS, COLUMNS = np.indices((32, 32)) - 15.5


def body(radius=5.0, row=0.0):
    """An organ (2) of some radius in a body (1), with a vessel (3) beside the organ."""
    mask_HW = (np.hypot(ROWS, COLUMNS) < 14).astype(np.uint8)
    mask_HW[np.hypot(ROWS - row, COLUMNS) < radius] = 2
    mask_HW[14:18, 22:24] = 3
    return mask_HW


MASK = body()
EDITOR = Editor(2, 1, 2.0, np.stack([body(4, 4), body(1.5), body(5, 1)]))


def test_a_removed_class_becomes_its_surroundings():
    assert surroundings_of([MASK], 2, 3) == 1
    assert np.array_equal(EDITOR.edited(MASK, "remove"), np.where(MASK == 2, 1, MASK))


def test_it_grows_and_shrinks_by_the_distance_inside_its_surroundings():
    grown, shrunk = EDITOR.edited(MASK, "grow"), EDITOR.edited(MASK, "shrink")
    offsets = np.argwhere(np.ones_like(MASK))[:, None] - np.argwhere(MASK == 2)
    near = (np.hypot(*offsets.transpose(2, 0, 1)).min(axis=1) <= 2).reshape(MASK.shape)
    assert np.array_equal(grown == 2, near & (MASK != 3))
    assert np.array_equal(grown == 3, MASK == 3), "another class stays"
    assert ((shrunk == 2) <= (MASK == 2)).all()
    assert abs((shrunk == 2).sum() - np.pi * 9) < 8, "two pixels of five are gone"
    wide = Editor(2, 1, 20.0, EDITOR.donors_DHW)
    assert wide.edited(MASK, "shrink") is None, "nothing would be left"
    assert ((wide.edited(MASK, "grow") == 0) == (MASK == 0)).all()


def test_it_moves_twice_as_far_where_most_of_it_fits():
    moved = EDITOR.edited(MASK, "move")
    rows, columns = np.nonzero(moved == 2)
    distance = np.hypot(rows.mean() - 15.5, columns.mean() - 15.5)
    assert 3.5 < distance < 4.7
    assert (moved == 2).sum() == (MASK == 2).sum(), "all of it fits"
    assert Editor(2, 1, 8.0, EDITOR.donors_DHW).edited(MASK, "move") is None, "most of it would be outside"


def test_it_is_taken_from_the_most_similar_mask_that_has_enough_of_it():
    assert np.array_equal(EDITOR.edited(MASK, "other") == 2, body(5, 1) == 2)
    small = Editor(2, 1, 2.0, np.stack([body(1.5), body(0)]))
    assert small.edited(MASK, "other") is None


@pytest.mark.parametrize("edit", EDITS)
def test_masks_without_the_class_and_of_it_alone_allow_no_edit(edit):
    assert EDITOR.edited(body(0), edit) is None
    assert EDITOR.edited(np.full_like(MASK, 2), edit) is None


def slices(*masks, patient="p"):
    masks_SHW = np.stack(masks)
    return SliceSet([Stack(patient, masks_SHW * 80, masks_SHW, np.arange(float(len(masks))), {})])


DONORS = slices(body(5, 1), patient="q")


def test_masks_that_allow_each_edit_are_chosen():
    settings = Counterfactuals(masks=9, distance=2 / 32)
    edited = edit_masks(slices(MASK, body(0), body(1.5), body(6)), DONORS, 2, 3, settings)
    assert edited.slices.names == ["p_slice_0", "p_slice_3"], "one lacks the class, one would lose it"
    assert list(edited.masks) == list(EDITS)
    assert np.array_equal(edited.masks["grow"][0], EDITOR.edited(MASK, "grow"))


def test_a_class_that_no_mask_holds_or_allows_is_one_sentence():
    settings = Counterfactuals(masks=9, distance=2 / 32)
    with pytest.raises(
        ValueError, match=r"hold class 2, .* none does; name another one in applications\.counter"
    ):
        edit_masks(slices(body(0)), DONORS, 2, 3, settings)
    expected = (
        r"allows each edit of class 2, but of 1 masks as many allow: remove 1, grow 1, shrink 0, .*; lower"
    )
    with pytest.raises(ValueError, match=expected):
        edit_masks(slices(body(1.8)), DONORS, 2, 3, settings)
