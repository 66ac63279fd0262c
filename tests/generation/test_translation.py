"""Masks in the class values of another dataset, and slices that both datasets show."""

from pathlib import Path

import numpy as np
import pytest

from segguided.data.slices import SliceSet
from segguided.generation.translation import (
    files_of_same_patients,
    in_target_classes,
    shared_slices,
    with_mask_values,
)
from support.partial_sets import CLASSES, stack


def test_mask_values_follow_class_names_and_an_unknown_class_is_named():
    slices = SliceSet([stack()])
    renamed = in_target_classes(slices, CLASSES, ("c", "a", "b"))
    table = {0: 0, 1: 2, 2: 3, 3: 1}
    assert all(np.array_equal(renamed.masks == table[k], slices.masks == k) for k in table)
    with pytest.raises(ValueError, match="masks hold b, but the model knows no class of that name"):
        in_target_classes(slices, CLASSES, ("a", "c"))
    with pytest.raises(ValueError, match="masks hold class 2, class 3, but the model knows no class"):
        with_mask_values(slices, [1, 0, 0], 3)
    with pytest.raises(ValueError, match=r"expected a value for each class .* got 2, but masks hold 3;"):
        with_mask_values(slices, [1, 2], 3)
    assert in_target_classes(SliceSet([stack(n=2)]), CLASSES, ("a", "x")).masks.max() == 1, (
        "absent classes may lack"
    )


@pytest.mark.parametrize(("values", "shown"), [([300, 2, 3], "300"), ([1, -1, 4], "-1, 4")])
def test_values_that_the_model_does_not_know_are_refused(values, shown):
    with pytest.raises(
        ValueError, match=f"expected values from 0 to 3, the classes of the model, got {shown};"
    ):
        with_mask_values(SliceSet([stack()]), values, 3)


def test_only_patients_of_both_modalities_are_compared():
    is_shared, images = shared_slices(SliceSet([stack("p"), stack("q")]), SliceSet([stack("q")]))
    assert is_shared.tolist() == [False] * 6 + [True] * 6
    assert np.array_equal(images, stack("q").images_SHW)
    theirs = [Path(f"t1/{patient}.npz") for patient in "ropq"]
    assert files_of_same_patients(theirs, [Path("t2/p.npz"), Path("t2/q.npz")]) == theirs[2:]
