"""Sizes in a header are compared with what a patient may take, before memory is taken."""

import tracemalloc

import numpy as np
import pytest

from segguided.config.datasets import Preparation
from segguided.data.formats.bounds import LARGEST_VOLUME, refuse_huge
from segguided.data.formats.volume import Volume
from segguided.data.slices import Stack
from segguided.data.slicing import to_stack


@pytest.mark.parametrize(("voxels", "each"), [(2000 * 512 * 512, 4), (LARGEST_VOLUME, 1), (0, 8)])
def test_what_scanners_make_is_let_through(voxels: int, each: int) -> None:
    refuse_huge("p.nii", voxels, each)


@pytest.mark.parametrize(
    ("voxels", "each", "text"),
    [
        (LARGEST_VOLUME + 1, 1, "4.0 GiB"),
        (10**12, 2, "1,862.6 GiB"),
        (2**62, 8, "34,359,738,368.0 GiB"),
    ],
)
def test_the_message_names_size_limit_and_remedy(voxels: int, each: int, text: str) -> None:
    with pytest.raises(ValueError) as caught:
        refuse_huge("folder/p.nii", voxels, each)
    message = str(caught.value)
    assert message.startswith("folder/p.nii: ") and "at most 4 GiB" in message and "crop" in message
    assert text in message and f"{voxels:,} voxels" in message


# A slice and the square around it


def square(spacing_yx: tuple[float, float], shape: tuple[int, int] = (16, 20)) -> Stack:
    """The slices of two planes with pixels of this height and width, in mm."""
    image = Volume(
        np.arange(2 * shape[0] * shape[1], dtype=np.int16).reshape(2, *shape),
        np.diag([spacing_yx[1], spacing_yx[0], 1, 1]),
    )
    values = {
        "source": {"kind": "nifti", "folder": "unused"},
        "classes": [{"name": "body", "label": 1}],
        "intensity": {"kind": "percentile", "low": 0.5, "high": 99.5},
        "image_size": 16,
    }
    mask = Volume(np.ones(image.array_zyx.shape, np.uint8), image.affine)
    return to_stack("p7", image, mask, Preparation.model_validate(values))


@pytest.mark.parametrize("spacing", [(1e-4, 1e2), (1e2, 1e-4), (1e-5, 1), (3000, 0.01)])
def test_a_square_of_pixels_that_no_scanner_makes_is_refused(spacing: tuple[float, float]) -> None:
    tracemalloc.start()
    with pytest.raises(ValueError) as caught:
        square(spacing)
    assert tracemalloc.get_traced_memory()[1] < 1 << 24
    tracemalloc.stop()
    message = str(caught.value)
    assert message.startswith("patient p7") and f"{spacing[1]:g} × {spacing[0]:g} mm" in message
    assert "fix the spacing" in message


@pytest.mark.parametrize("spacing", [(1, 1), (5, 0.5), (0.3, 2), (1e-3, 1e-3)])
def test_uncommon_pixels_are_squared(spacing: tuple[float, float]) -> None:
    assert square(spacing).images_SHW.shape == (2, 16, 16)
