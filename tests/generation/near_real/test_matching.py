"""Grey values of one contrast exchanged for another's, class by class and rank by rank."""

import re

import numpy as np
import pytest

from segguided.data.slices import SliceSet, Stack
from segguided.generation.near_real.matching import exchange_table, matched


def patient(name, masks_SHW, images_SHW):
    return Stack(name, images_SHW.astype(np.uint8), masks_SHW, np.arange(float(len(masks_SHW))), {})


def test_in_each_class_the_order_stays_and_the_values_are_those_of_the_reference():
    masks_SHW = np.zeros((1, 16, 16), np.uint8)
    masks_SHW[:, :8] = 1
    ramp_SHW = np.arange(256).reshape(1, 16, 16)
    target = patient("r", masks_SHW, np.where(masks_SHW == 1, 100 + ramp_SHW // 2, 10))
    for source in (255 - ramp_SHW, ramp_SHW):
        result = matched(SliceSet([patient("p", masks_SHW, source)]), SliceSet([target]), 1)
        in_class, outside = result.images[masks_SHW == 1], result.images[masks_SHW == 0]
        assert (outside == 10).all(), "outside all classes too"
        assert np.array_equal(np.sort(in_class), np.sort(target.images_SHW[masks_SHW == 1]))
        assert (np.diff(in_class[np.argsort(source[masks_SHW == 1])].astype(int)) >= 0).all()
    assert result.names == ["p_slice_0"]
    assert np.array_equal(result.masks, masks_SHW)


def test_each_patient_is_matched_by_itself():
    masks_SHW = np.ones((2, 8, 8), np.uint8)
    images_SHW = np.arange(128).reshape(2, 8, 8)
    slices = SliceSet([patient("p", masks_SHW, images_SHW), patient("q", masks_SHW, images_SHW + 90)])
    first, second = np.split(
        matched(slices, SliceSet([patient("r", masks_SHW, images_SHW + 50)]), 1).images, 2
    )
    assert np.array_equal(first, second)
    assert np.array_equal(first, images_SHW + 50)


def test_the_average_patient_varies_as_one_patient_does_not_as_all_together():
    masks_SHW = np.ones((1, 8, 8), np.uint8)
    narrow_SHW = np.arange(64).reshape(1, 8, 8) // 16  # 0…3
    reference = SliceSet([patient("r", masks_SHW, narrow_SHW), patient("s", masks_SHW, narrow_SHW + 200)])
    result = matched(SliceSet([patient("p", masks_SHW, 3 * narrow_SHW)]), reference, 1)
    assert np.array_equal(result.images, narrow_SHW + 100)


def test_a_class_that_either_side_lacks_keeps_its_values():
    counts_L = np.array([0, 2, 0, 1])
    assert np.array_equal(exchange_table(counts_L, np.zeros((2, 256), int)), range(4))
    assert np.array_equal(exchange_table(0 * counts_L, np.ones((2, 256), int)), range(4))


def test_mask_values_that_are_no_class_are_one_sentence():
    images_SHW = np.arange(128).reshape(2, 8, 8)
    fine = SliceSet([patient("p", np.ones((2, 8, 8), np.uint8), images_SHW)])
    masks_SHW = np.zeros((2, 8, 8), np.uint8)
    masks_SHW[0, 0], masks_SHW[1, :2] = 9, 3
    above = SliceSet([patient("q", masks_SHW, images_SHW)])
    words = "expected masks with values from 0 to 2, the model's number of classes, but those of the slices "
    for slices, reference, role in ((above, fine, "to be matched"), (fine, above, "to match them with")):
        with pytest.raises(ValueError, match=re.escape(f"{words}{role} hold 3, 9; give each class a value")):
            matched(slices, reference, 2)


def test_constant_images_become_the_median():
    masks_SHW = np.zeros((1, 16, 16), np.uint8)
    target = patient("r", masks_SHW, np.arange(256).reshape(1, 16, 16))
    result = matched(SliceSet([patient("p", masks_SHW, np.full((1, 16, 16), 77))]), SliceSet([target]), 1)
    assert np.unique(result.images).tolist() == [127]
