"""Label maps from the file to the classes: labels of any size; and volumes too thin or too large to slice."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segguided.config.datasets import Preparation
from segguided.data.datasets.sources import read_patient
from segguided.data.formats.volume import Volume, labels_in
from segguided.data.slicing import to_stack
from support import volume_files as vf


def settings(labels: list[int | None], kind: str = "nifti", ignore: tuple[int, ...] = ()) -> Preparation:
    folders = {"images": "x", "masks": "x"} if kind == "png" else {"folder": "x"}
    classes = [
        {"name": f"c{k}", **({} if label is None else {"label": label})} for k, label in enumerate(labels)
    ]
    source = {"kind": kind, **folders, "ignore": list(ignore)}
    window = {"kind": "window", "low": -1000, "high": 1550}
    return Preparation.model_validate(
        {"source": source, "classes": classes, "intensity": window, "image_size": 16}
    )


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.float32, np.uint8])
@pytest.mark.parametrize(
    ("labels", "ignore"),
    [
        ([1034], [517]),
        ([517, 1034], []),
        ([1034, 517], []),
        ([2, 1], []),
        ([200], [201]),
        ([65535], [65536]),
        ([16_777_216, 3], []),
    ],
)
def test_labels_reach_the_slices(tmp_path: Path, labels: list[int], ignore: list[int], dtype: Any) -> None:
    whole = vf.truth()
    numbers = np.array([0, *labels, *ignore])
    if max(numbers) > (np.iinfo(dtype).max if np.dtype(dtype).kind in "iu" else 1 << 24):
        dtype = np.uint32
    place = np.searchsorted([-999, 41], whole.array_ijk) % len(numbers)
    paths = [
        vf.write_nifti(tmp_path / "i.nii.gz", whole),
        vf.write_nifti(tmp_path / "l.nii.gz", vf.Stored(numbers[place].astype(dtype), whole.affine)),
    ]
    preparation = settings(labels, ignore=tuple(ignore))  # type: ignore[arg-type]
    image, mask = read_patient(preparation.source, preparation.classes, {"patient": "p"}, paths)
    assert mask.array_zyx.dtype == np.uint8
    expected = np.where(place <= len(labels), place, 0)
    np.testing.assert_array_equal(mask.array_zyx.transpose(2, 1, 0), expected)
    assert to_stack("p", image, mask, preparation).masks_SHW.max() == expected.max()


def test_an_image_in_place_of_the_labels(tmp_path: Path) -> None:
    """The message names only a few of the thousands of unknown labels."""
    values = np.arange(7 * 8 * 9, dtype=np.uint16).reshape(7, 8, 9) * 100
    path = vf.write_nifti(tmp_path / "i.nii", vf.Stored(values, vf.truth().affine))
    preparation = settings([1])
    with pytest.raises(ValueError, match=r"labels \[100, 200, .* and 491 more\] are outside") as caught:
        read_patient(preparation.source, preparation.classes, {"patient": "p"}, [path, path])
    assert len(str(caught.value)) < 400 + len(str(path))


@pytest.mark.parametrize(("labels", "ignore"), [([256], ()), ([1], (1034,)), ([2**32 - 1], ())])
def test_a_png_holds_no_such_label(labels: list[int | None], ignore: tuple[int, ...]) -> None:
    assert settings(labels, ignore=ignore)
    with pytest.raises(ValueError, match="a PNG mask holds values from 0 to 255, got the label"):
        settings(labels, "png", ignore)


@pytest.mark.parametrize("bad", [2**32, -1, 0, 1.5])
def test_impossible_labels(bad: Any) -> None:
    with pytest.raises(ValueError, match="label"):
        settings([bad])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32])
def test_the_labels_of_a_map(dtype: Any) -> None:
    assert labels_in(np.array([[[0, 3]], [[255, 3]]], dtype)) == [0, 3, 255]


def volume(shape: tuple[int, int, int], spacing_zyx: tuple[float, float, float]) -> tuple[Volume, Volume]:
    z, y, x = spacing_zyx
    affine = np.diag([x, y, z, 1.0])
    grey = np.linspace(-900, 900, int(np.prod(shape))).reshape(shape).astype(np.int16)
    return Volume(grey, affine), Volume(np.ones(shape, np.uint8), affine)


@pytest.mark.parametrize(
    ("shape", "spacing"),
    [
        ((2, 50, 50), (1, 1e-4, 1e2)),
        ((2, 50, 50), (1, 1e2, 1e-4)),
        ((2, 4, 4), (1, 1e-4, 9e2)),
        ((2, 600, 400), (1, 5e-3, 5)),
    ],
)
def test_a_spacing_that_needs_a_huge_square(shape: Any, spacing: Any) -> None:
    with pytest.raises(ValueError, match=r"patient p: .*fix the spacing in the file's header"):
        to_stack("p", *volume(shape, spacing), settings([1]))


@pytest.mark.parametrize("shape", [(2, 1, 64), (2, 64, 1), (2, 2, 64)])
def test_an_image_that_would_be_a_line(shape: Any) -> None:
    with pytest.raises(ValueError, match="a square of 16 pixels shows a line"):
        to_stack("p", *volume(shape, (1, 1, 1)), settings([1]))


@pytest.mark.parametrize(
    ("shape", "spacing"), [((3, 8, 64), (1, 1, 1)), ((3, 64, 6), (1, 0.8, 5)), ((1, 20, 20), (9, 0.1, 0.1))]
)
def test_long_and_coarse_slices_are_read(shape: Any, spacing: Any) -> None:
    stack = to_stack("p", *volume(shape, spacing), settings([1]))
    assert stack.images_SHW.shape == (shape[0], 16, 16) and stack.masks_SHW.any()


def test_slices_beyond_memory() -> None:
    """Small in the file, but large at the settings' image size."""
    image, mask = volume((3000, 4, 4), (1, 1, 1))
    preparation = settings([1]).model_copy(update={"image_size": 1024})
    with pytest.raises(ValueError, match=r"patient p: .*GiB"):
        to_stack("p", image, mask, preparation)
