"""Generated images and their new masks beside the real ones."""

import numpy as np
import pytest

from segguided.data.augmented import RareSet, read_rare_set, with_generated
from segguided.data.formats.npz import write_npz
from segguided.data.slices import SliceSet
from support.partial_sets import stack


def test_generated_images_join_the_real_ones_with_their_own_masks():
    slices = SliceSet([stack("p"), stack("q")])
    masks_NHW = np.full((2, 8, 8), 3, np.uint8)
    rare = RareSet(masks_NHW * 50, masks_NHW, ["p_slice_4/0", "q_slice_5/0"], 3, np.ones(3) / 3)
    joined = with_generated(slices, rare)
    assert len(joined) == len(slices) + 2
    generated = joined.stacks[0]
    assert generated.patient == "generated"
    assert np.array_equal(generated.masks_SHW, masks_NHW)
    assert generated.names == rare.names


def test_a_set_without_masks_is_refused(tmp_path):
    images_NHW = np.zeros((1, 8, 8), np.uint8)
    write_npz(tmp_path / "set.npz", images=images_NHW, names=np.array(["p_slice_0/0"]))
    with pytest.raises(ValueError, match="the rare class and shares beside the images, got float64"):
        read_rare_set(tmp_path / "set.npz", SliceSet([stack()]))
