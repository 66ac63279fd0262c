"""DICOM series of every scanner and encoding give the truth; broken series are refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian, JPEG2000Lossless, RLELossless

from segguided.data.formats.dicom.series import read_series
from segguided.data.formats.dicom.voxels import reorder
from support import volume_files as vf
from support.refusals import series_refusal
from support.volume_files import assert_truth


@pytest.mark.parametrize(
    "syntax", [ExplicitVRLittleEndian, JPEG2000Lossless, RLELossless], ids=lambda s: s.name
)
@pytest.mark.parametrize("signed", [True, False])
def test_transfer_syntaxes(tmp_path: Path, syntax: Any, signed: bool) -> None:
    truth = vf.truth()
    # JPEG 2000 encoders refuse images below 32 pixels.
    truth = vf.Stored(
        np.pad(truth.array_ijk, ((0, 40), (0, 33), (0, 0)), constant_values=-1000), truth.affine
    )
    vf.write_dicom(
        tmp_path,
        truth,
        signed=signed,
        intercept=0 if signed else -1024,
        syntax=ExplicitVRLittleEndian if syntax == RLELossless else syntax,
        change=lambda k, dataset: dataset.compress(syntax) if syntax == RLELossless else None,
    )
    volume = read_series(tmp_path)
    assert_truth(volume, truth)
    assert volume.provenance["transfer_syntax"] == syntax


def test_a_fractional_slope_gives_float32(tmp_path: Path) -> None:
    vf.write_dicom(tmp_path, vf.truth(), slope=0.5, intercept=-0.5)
    volume = read_series(tmp_path)
    assert volume.array_zyx.dtype == np.float32
    # Half steps: -1000 is stored as -1999 and so on, all exact.
    np.testing.assert_array_equal(volume.array_zyx.transpose(2, 1, 0), vf.truth().array_ijk)


def test_mr_without_rescale_is_taken_as_stored(tmp_path: Path) -> None:
    def drop(k: int, dataset: Dataset) -> None:
        del dataset.RescaleSlope, dataset.RescaleIntercept

    vf.write_dicom(tmp_path, vf.truth(), change=drop)
    volume = read_series(tmp_path)
    assert volume.array_zyx.dtype == np.int16
    assert_truth(volume, vf.truth())


def test_a_slope_that_changes_between_slices_is_applied_to_each(tmp_path: Path) -> None:
    def halve(k: int, dataset: Dataset) -> None:
        if k == 5:
            dataset.RescaleSlope = "0.5"

    vf.write_dicom(tmp_path, vf.truth(), change=halve)
    volume = read_series(tmp_path)
    expected = vf.truth().array_ijk.transpose(2, 1, 0).astype(np.float32)
    expected[5] *= 0.5
    np.testing.assert_array_equal(volume.array_zyx, expected)


def test_unsigned_values_beyond_int16_do_not_wrap(tmp_path: Path) -> None:
    truth = vf.truth(dtype=np.int32)
    truth.array_ijk[truth.array_ijk < 0] = 0
    truth.array_ijk[0, 0, 0] = 60000
    vf.write_dicom(tmp_path, truth, signed=False)
    assert read_series(tmp_path).array_zyx[0, 0, 0] == 60000


@pytest.mark.parametrize("signed", [True, False])
def test_bits_above_bits_stored_are_not_intensity(tmp_path: Path, signed: bool) -> None:
    """Old scanners leave overlays there, or do not extend the sign."""

    def overlay(k: int, dataset: Dataset) -> None:
        dataset.BitsStored = 12
        dataset.HighBit = 11
        pixels = np.frombuffer(dataset.PixelData, "<u2") & 0x0FFF
        pixels[0] |= 0x8000
        dataset.PixelData = pixels.tobytes()

    vf.write_dicom(tmp_path, vf.truth(), signed=signed, intercept=0 if signed else -1024, change=overlay)
    assert_truth(read_series(tmp_path), vf.truth())


def test_float_pixels_may_not_be_nan(tmp_path: Path) -> None:
    def as_float(k: int, dataset: Dataset) -> None:
        pixels = np.frombuffer(dataset.PixelData, "<i2").astype("<f4")
        pixels[10] = np.nan if k == 4 else 0.25
        del dataset.PixelData, dataset.PixelRepresentation, dataset.BitsStored, dataset.HighBit
        dataset.BitsAllocated = 32
        dataset.FloatPixelData = pixels.tobytes()

    vf.write_dicom(tmp_path, vf.truth(), change=as_float)
    assert "1 voxels are NaN or infinite" in series_refusal(tmp_path)


def test_provenance_names_the_source(tmp_path: Path) -> None:
    stored = vf.stored_along(vf.truth(), vf.AXIAL_TURNED)
    vf.write_dicom(tmp_path, stored)
    provenance = dict(read_series(tmp_path).provenance)
    assert provenance.pop("series_uid") and provenance.pop("study_uid")
    # The frame of masks without a geometry: column, row, ascending slice.
    np.testing.assert_allclose(provenance.pop("stored_affine"), stored.affine, atol=1e-6)
    assert provenance == {
        "format": "dicom",
        "patient_id": "Breast_MRI_002",
        "series_description": "ax dyn pre",
        "modality": "MR",
        "manufacturer": "GE MEDICAL SYSTEMS",
        "model": "Signa HDxt",
        "transfer_syntax": "1.2.840.10008.1.2",
        "instances": 9,
    }


def test_companions_are_ignored_and_endings_do_not_matter(tmp_path: Path) -> None:
    paths = vf.write_dicom(tmp_path, vf.truth())
    paths[0].rename(paths[0].with_suffix(""))
    paths[1].rename(paths[1].with_suffix(".IMA"))
    for name in ("notes.txt", "index.json", ".DS_Store", "._slice.dcm", "LICENSE"):
        (tmp_path / name).write_bytes(b"no image")
    assert_truth(read_series(tmp_path), vf.truth())


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0], [1, 2, 0], [2, 0, 1], [1, 0, 2]])
def test_reordering_in_place_equals_indexing(order: list[int]) -> None:
    stack = np.arange(6).reshape(3, 2)
    expected = stack[order]
    reorder(stack, order)
    np.testing.assert_array_equal(stack, expected)


# --- what is refused, and the words that say why ---


def test_missing_and_empty_folder(tmp_path: Path) -> None:
    assert "there is none" in series_refusal(tmp_path / "nowhere")
    (tmp_path / "notes.txt").touch()
    assert "no DICOM files" in series_refusal(tmp_path)
    (tmp_path / "series-1").mkdir()
    assert "such as series-1" in series_refusal(tmp_path)


def test_two_series_are_named_with_their_counts(tmp_path: Path) -> None:
    vf.write_dicom(tmp_path, vf.truth(), change=lambda k, d: setattr(d, "SeriesInstanceUID", "1.2.3"))
    vf.write_dicom(
        tmp_path,
        vf.truth(),
        seed=1,
        change=lambda k, d: setattr(d, "SeriesInstanceUID", f"1.2.{3 + (k == 4)}"),
    )
    message = series_refusal(tmp_path)
    assert "1.2.3 (17 files)" in message and "1.2.4 (1 files)" in message


@pytest.mark.filterwarnings("ignore:Invalid value for VR")  # the cut ones
def test_truncation_anywhere_is_refused(tmp_path: Path) -> None:
    path = vf.write_dicom(tmp_path, vf.truth())[4]
    whole = path.read_bytes()
    for length in range(0, len(whole) - 1, 7):
        path.write_bytes(whole[:length])
        message = series_refusal(tmp_path)
        assert path.name in message and ("truncated" in message or "expected" in message), length


@pytest.mark.filterwarnings("ignore")  # pydicom warns of what it then raises for
def test_overwritten_bytes_never_end_in_a_traceback(tmp_path: Path) -> None:
    """Any byte may be wrong: the series is read, or a sentence says what is wrong."""
    paths = vf.write_dicom(tmp_path, vf.truth())
    for path in paths[3:]:
        path.unlink()
    whole = paths[1].read_bytes()
    random = np.random.default_rng(0)
    for _ in range(300):
        damaged = bytearray(whole)
        damaged[random.integers(len(whole))] = random.integers(256)
        paths[1].write_bytes(damaged)
        try:
            read_series(tmp_path)
        except ValueError as error:
            assert str(error).startswith(str(tmp_path))


def test_a_stray_file_is_not_taken_for_a_companion(tmp_path: Path) -> None:
    vf.write_dicom(tmp_path, vf.truth())[2].write_bytes(b"<html>503 Slow Down</html>")
    assert "truncated, damaged or no DICOM" in series_refusal(tmp_path)


def test_multi_frame_colour_and_undecodable_pixels(tmp_path: Path) -> None:
    vf.write_dicom(tmp_path / "a", vf.truth(), change=lambda k, d: setattr(d, "NumberOfFrames", 3))
    assert "multi-frame" in series_refusal(tmp_path / "a") and "3 frames" in series_refusal(tmp_path / "a")

    def colour(k: int, dataset: Dataset) -> None:
        dataset.SamplesPerPixel = 3
        dataset.PhotometricInterpretation = "RGB"
        dataset.PlanarConfiguration = 0
        dataset.PixelData *= 3

    vf.write_dicom(tmp_path / "b", vf.truth(), change=colour)
    assert "grey values" in series_refusal(tmp_path / "b")

    def unknown(k: int, dataset: Dataset) -> None:
        dataset.file_meta.TransferSyntaxUID = UID(
            "1.2.840.10008.1.2.4.100"
        )  # MPEG2, which pydicom cannot decode
        dataset.PixelData = b"\xfe\xff\x00\xe0\x00\x00\x00\x00\xfe\xff\xdd\xe0\x00\x00\x00\x00"
        dataset["PixelData"].is_undefined_length = True

    vf.write_dicom(tmp_path / "c", vf.truth(), syntax=ExplicitVRLittleEndian, change=unknown)
    assert "no decoder" in series_refusal(tmp_path / "c") and "MPEG2" in series_refusal(tmp_path / "c")
