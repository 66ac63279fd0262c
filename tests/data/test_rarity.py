"""Which class is rare, by its pixels over all slices."""

import numpy as np
import pytest

from segguided.data.rarity import rarest, rarest_class, shares


def test_a_small_class_and_one_that_few_slices_show_are_rare_alike():
    masks_SHW = np.zeros((10, 8, 8), np.uint8)
    masks_SHW[:, :4] = 1
    masks_SHW[:, 4, :3] = 2  # 3 pixels in each of ten slices
    masks_SHW[0, 5:] = 3  # 24 pixels in one slice
    assert rarest_class(masks_SHW, 3) == 3
    masks_SHW[1, 5:] = 3
    assert rarest_class(masks_SHW, 3) == 2
    assert shares(masks_SHW, 3).tolist() == [320 / 398, 30 / 398, 48 / 398]


def test_a_class_that_no_mask_holds_is_not_rare_but_absent():
    assert rarest({"a": 5, "b": 0, "c": 2, "d": 2}) == "c"
    assert rarest({"a": 0}) is None
    with pytest.raises(ValueError, match="3 held-out masks are all background"):
        rarest_class(np.zeros((3, 8, 8), np.uint8), 2)
