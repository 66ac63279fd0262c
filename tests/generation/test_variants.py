"""Sets with several images a mask: labels, and what comes back from a file."""

import numpy as np
import pytest

from segguided.data.slices import SliceSet
from segguided.generation.partial_masks import slices_of_several_classes
from segguided.generation.variants import read_variants, with_class_names, write_variants
from support.partial_sets import CLASSES, stack


def test_values_of_conditions_become_class_names_in_the_same_order():
    variants = {name: np.full((1, 2, 2), k) for k, name in enumerate(("all/0", "2/0", "3+1/0", "3+1/1"))}
    named = with_class_names(variants, CLASSES)
    assert list(named) == ["all/0", "b/0", "c+a/0", "c+a/1"]
    assert [int(images.max()) for images in named.values()] == [0, 1, 2, 3]


def test_variants_come_back_by_label_with_their_slices(tmp_path):
    slices = SliceSet([stack()])
    chosen = slices_of_several_classes(slices, 2)
    written = {"0.25": np.full((2, 8, 8), 1, np.uint8), "1": np.full((2, 8, 8), 2, np.uint8)}
    write_variants(tmp_path / "set.npz", written, chosen.names)
    variants, slices_read = read_variants(tmp_path / "set.npz", slices)
    assert list(variants) == list(written)
    assert all(np.array_equal(variants[label], written[label]) for label in written)
    assert slices_read.names == chosen.names
    with pytest.raises(ValueError, match="do not belong to these slices' masks"):
        read_variants(tmp_path / "set.npz", slices.where([i == 2 for i in range(6)]))
