"""DICOM orientation: every plane comes back in LPS, slices in the order of their positions, without gaps."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from pydicom.dataset import Dataset

from segguided.data.formats.dicom.series import read_series
from segguided.data.formats.volume import Volume
from support import volume_files as vf
from support.refusals import series_refusal
from support.volume_files import assert_truth

PLANES = (vf.AXIAL, vf.AXIAL_DOWN, vf.AXIAL_TURNED, vf.SAGITTAL, vf.CORONAL)


def simpleitk_volume(folder: Path) -> Volume:
    """The series as ITK reads and orients it: an implementation that shares no code with ours."""
    names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder))
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(names)
    image = sitk.DICOMOrient(reader.Execute(), "LPS")
    affine = np.eye(4)
    affine[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    return Volume(sitk.GetArrayFromImage(image), affine)


@pytest.mark.parametrize("tilt", [0, 10])
@pytest.mark.parametrize("plane", PLANES)
@pytest.mark.parametrize("signed", [True, False], ids=["GE", "Siemens"])
def test_every_plane_gives_the_truth_and_agrees_with_itk(
    tmp_path: Path, plane: str, tilt: int, signed: bool
) -> None:
    truth = vf.truth(tilt)
    vf.write_dicom(tmp_path, vf.stored_along(truth, plane), signed=signed, intercept=0 if signed else -1024)
    volume = read_series(tmp_path)
    assert volume.array_zyx.dtype == np.int16
    assert_truth(volume, truth)
    itk = simpleitk_volume(tmp_path)
    np.testing.assert_array_equal(volume.array_zyx, itk.array_zyx)
    np.testing.assert_allclose(volume.affine, itk.affine, atol=1e-4)


@pytest.mark.parametrize("code", vf.ALL_ORIENTATIONS)
def test_all_48_ways_to_store_the_patient(tmp_path: Path, code: str) -> None:
    vf.write_dicom(tmp_path, vf.stored_along(vf.truth(), code))
    assert_truth(read_series(tmp_path), vf.truth())


def test_names_really_scramble_the_slices(tmp_path: Path) -> None:
    paths = vf.write_dicom(tmp_path, vf.stored_along(vf.truth(), vf.AXIAL_DOWN))
    assert sorted(paths) not in (paths, paths[::-1])


def test_a_tilted_gantry_keeps_its_shear(tmp_path: Path) -> None:
    sheared = vf.truth()
    sheared.affine[1, 2] = 0.6
    vf.write_dicom(tmp_path, vf.stored_along(sheared, vf.AXIAL_DOWN))
    assert_truth(read_series(tmp_path), sheared)


def test_a_missing_slice_is_located(tmp_path: Path) -> None:
    vf.write_dicom(tmp_path, vf.stored_along(vf.truth(), vf.AXIAL_DOWN))[3].unlink()
    message = series_refusal(tmp_path)
    assert "between -130.00 and -125.00 mm (1 missing)" in message


def test_duplicate_positions_name_both_files(tmp_path: Path) -> None:
    first = vf.write_dicom(tmp_path, vf.truth())
    second = vf.write_dicom(tmp_path, vf.truth(), seed=1)
    for path in second[:6] + second[7:]:
        path.unlink()
    message = series_refusal(tmp_path)
    assert first[6].name in message and second[6].name in message and "(duplicate slice)" in message


@pytest.mark.parametrize("axis", [2, 1], ids=["along", "sideways"])
def test_uneven_steps(tmp_path: Path, axis: int) -> None:
    def shift(k: int, dataset: Dataset) -> None:
        if k == 4:
            dataset.ImagePositionPatient[axis] += 0.3

    vf.write_dicom(tmp_path, vf.truth(), change=shift)
    message = series_refusal(tmp_path)
    assert "spacing is uneven" in message and "0.3 mm" in message


def test_rounded_positions_are_even_enough(tmp_path: Path) -> None:
    stored = vf.truth()
    stored.affine[2, 2] = 1 / 3

    def rounded(k: int, dataset: Dataset) -> None:
        dataset.ImagePositionPatient = [f"{float(v):.2f}" for v in dataset.ImagePositionPatient]

    vf.write_dicom(tmp_path, stored, change=rounded)
    assert read_series(tmp_path).spacing_zyx_mm[0] == pytest.approx(1 / 3, abs=0.002)


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("Columns", 6),
        ("ImageOrientationPatient", [0, 1, 0, 0, 0, -1]),
        ("PixelSpacing", [0.5, 0.9]),
    ],
)
def test_slices_that_differ(tmp_path: Path, keyword: str, value: Any) -> None:
    def differ(k: int, dataset: Dataset) -> None:
        if k == 4:
            setattr(dataset, keyword, value)

    vf.write_dicom(tmp_path, vf.truth(), change=differ)
    message = series_refusal(tmp_path)
    assert keyword in message and "another acquisition" in message


@pytest.mark.parametrize(
    "keyword",
    ["ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "Rows", "SeriesInstanceUID"],
)
def test_missing_attributes_are_named(tmp_path: Path, keyword: str) -> None:
    paths = vf.write_dicom(tmp_path, vf.truth(), change=lambda k, d: delattr(d, keyword) if k == 4 else None)
    message = series_refusal(tmp_path)
    assert f"{keyword} is missing" in message and paths[4].name in message


def test_impossible_orientation_and_position(tmp_path: Path) -> None:
    vf.write_dicom(
        tmp_path / "a",
        vf.truth(),
        change=lambda k, d: setattr(d, "ImageOrientationPatient", [1, 0, 0, 1, 0, 0]),
    )
    assert "perpendicular" in series_refusal(tmp_path / "a")
    vf.write_dicom(tmp_path / "b", vf.truth(), change=lambda k, d: setattr(d, "ImagePositionPatient", [1, 2]))
    assert "3 finite number(s) as ImagePositionPatient" in series_refusal(tmp_path / "b")


@pytest.mark.parametrize(
    ("axis", "position", "words"), [(1, "7e11", "not invertible"), (2, "1e5", "expected voxels of")]
)
def test_a_step_that_no_scanner_makes(tmp_path: Path, axis: int, position: str, words: str) -> None:
    """Of two slices, so that the step is even."""

    def move(k: int, dataset: Dataset) -> None:
        if k == 1:
            dataset.ImagePositionPatient[axis] = position

    for path in vf.write_dicom(tmp_path, vf.truth(), change=move)[2:]:
        path.unlink()
    message = series_refusal(tmp_path)
    assert message.startswith(f"{tmp_path}: ") and words in message


def test_one_slice_is_no_series(tmp_path: Path) -> None:
    for path in vf.write_dicom(tmp_path, vf.truth())[1:]:
        path.unlink()
    assert "at least 2 slices" in series_refusal(tmp_path)
