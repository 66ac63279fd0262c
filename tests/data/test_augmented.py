"""Generated images beside the real ones."""

import numpy as np
import pytest

from segguided.data.augmented import with_generated
from segguided.data.slices import SliceSet
from segguided.generation.rare import generate_rare_cases
from support.partial_sets import CLASSES, grey_of_class, stack


def test_generated_images_join_the_real_ones_under_their_masks():
    slices = SliceSet([stack("p"), stack("q")])
    images, ids = generate_rare_cases(grey_of_class, slices, 3, len(CLASSES), 6, batch_size=4)
    joined = with_generated(slices, images, ids)
    assert len(joined) == len(slices) + 6
    generated = joined.stacks[0]
    assert generated.patient == "generated"
    assert np.array_equal(generated.images_SHW, generated.masks_SHW * 50)
    with pytest.raises(ValueError, match="nobody_slice_0, which is no mask of these slices"):
        with_generated(slices, np.zeros((1, 8, 8), np.uint8), ["nobody_slice_0/0"])
