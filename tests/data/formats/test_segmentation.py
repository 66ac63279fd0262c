"""DICOM-SEG and .seg.nrrd as label maps: every voxel at its place in the patient, or one sentence."""

from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK

from segguided.data.formats import nrrd
from segguided.data.formats.dicom import segmentation as dicom_seg
from support import volume_files as vf
from support.generated_volumes import assert_same_patient
from support.refusals import refusal
from support.seg_files import write_dicom_seg, write_layered, write_seg_nrrd

TRUTH = vf.truth()
PLANES = [vf.AXIAL, vf.AXIAL_DOWN, vf.AXIAL_TURNED, vf.SAGITTAL, vf.CORONAL]
GREY = {"body": 40, "ell": 300, "hole": -500}


def masks_of(stored: vf.Stored) -> dict[str, np.ndarray]:
    return {name: stored.array_ijk == grey for name, grey in GREY.items()}


def labels_of(stored: vf.Stored) -> np.ndarray:
    return sum((mask * np.uint8(k) for k, mask in enumerate(masks_of(stored).values(), 1)))


def slices_with_segments(stored: vf.Stored) -> vf.Stored:
    """From the first slice (k) that holds a segment to the last: a DICOM-SEG has no frames of others."""
    held = np.flatnonzero(labels_of(stored).any((0, 1)))
    affine = stored.affine.copy()
    affine[:3, 3] += affine[:3, 2] * held[0]
    return vf.Stored(stored.array_ijk[:, :, held[0] : held[-1] + 1], affine)


def assert_stored_grid(volume, labels_ijk, affine) -> None:
    """The provenance states the file's own voxels, from which `labels` was turned to LPS."""
    assert volume.provenance["stored_shape"] == list(labels_ijk.shape)
    np.testing.assert_allclose(volume.provenance["stored_affine"], affine, atol=1e-6)


@pytest.mark.parametrize("plane", PLANES)
@pytest.mark.parametrize("kind", ["BINARY", "LABELMAP", "FRACTIONAL"])
def test_dicom_seg_of_every_plane_gives_the_truth(tmp_path: Path, plane: str, kind: str) -> None:
    stored = vf.stored_along(TRUTH, plane)
    path = write_dicom_seg(tmp_path / "s.dcm", masks_of(stored), stored.affine, kind)
    read = dicom_seg.read_segmentation(path)
    assert read.names == list(GREY)
    held = slices_with_segments(stored)
    assert_same_patient(read.labels, labels_of(held), held.affine)


@pytest.mark.parametrize("plane", [vf.AXIAL, vf.AXIAL_DOWN])
def test_slices_ascend_as_in_simpleitks_reader_of_the_series(tmp_path: Path, plane: str) -> None:
    stored = slices_with_segments(vf.stored_along(TRUTH, plane))
    vf.write_dicom(tmp_path / "ct", stored)
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(tmp_path / "ct")))
    image = reader.Execute()
    path = write_dicom_seg(tmp_path / "s.dcm", masks_of(stored), stored.affine)
    affine = np.array(dicom_seg.read_segmentation(path).labels.provenance["stored_affine"])
    for index in ((0, 0, 0), (6, 0, 3), (2, 7, 6)):
        place = image.TransformIndexToPhysicalPoint(index)
        np.testing.assert_allclose((affine @ [*index, 1])[:3], place, atol=1e-4)


def test_an_oblique_dicom_seg_with_slices_missing_between_its_frames(tmp_path: Path) -> None:
    truth = vf.truth(20)
    masks = masks_of(truth)
    masks["body"] = masks["body"].copy()
    for mask in masks.values():
        mask[:, :, 4:6] = False
    read = dicom_seg.read_segmentation(write_dicom_seg(tmp_path / "s.dcm", masks, truth.affine))
    expected = sum(mask * np.uint8(k) for k, mask in enumerate(masks.values(), 1))
    assert_same_patient(read.labels, expected[:, :, 1:8], slices_with_segments(truth).affine)
    assert not read.labels.array_zyx[3:5].any() and read.labels.array_zyx[2].any()


@pytest.mark.parametrize("plane", PLANES)
def test_seg_nrrd_of_every_plane_gives_the_truth(tmp_path: Path, plane: str) -> None:
    stored = vf.stored_along(TRUTH, plane)
    labels = vf.Stored(labels_of(stored), stored.affine)
    read = nrrd.read_segmentation(write_seg_nrrd(tmp_path / "s.seg.nrrd", list(GREY), labels))
    assert read.names == list(GREY)
    assert_same_patient(read.labels, labels.array_ijk, labels.affine)
    assert_stored_grid(read.labels, labels.array_ijk, labels.affine)
    layered = nrrd.read_segmentation(write_layered(tmp_path / "l.seg.nrrd", masks_of(stored), stored.affine))
    np.testing.assert_array_equal(layered.labels.array_zyx, read.labels.array_zyx)


def overlapping() -> dict[str, np.ndarray]:
    masks = masks_of(TRUTH)
    masks["ell"] = masks["ell"].copy()
    masks["ell"][tuple(np.argwhere(masks["body"])[0])] = True
    return masks


def test_overlapping_segments_are_named(tmp_path: Path) -> None:
    path = write_dicom_seg(tmp_path / "s.dcm", overlapping(), TRUTH.affine)
    words = "the segments body and ell overlap in 1 voxels"
    assert words in refusal(path, dicom_seg.read_segmentation)
    path = write_layered(tmp_path / "s.seg.nrrd", overlapping(), TRUTH.affine)
    assert words in refusal(path, nrrd.read_segmentation)


def test_two_segments_of_one_name(tmp_path: Path) -> None:
    masks = {name.replace("ell", "Body "): mask for name, mask in masks_of(TRUTH).items()}
    path = write_dicom_seg(tmp_path / "s.dcm", masks, TRUTH.affine)
    assert "2 segments are named body" in refusal(path, dicom_seg.read_segmentation)


def unevenly(dataset: pydicom.Dataset) -> None:
    position = dataset.PerFrameFunctionalGroupsSequence[0].PlanePositionSequence[0]
    position.ImagePositionPatient = vf.ds_text(np.array([-12.5, 31.25, -139.0]))


def nameless(dataset: pydicom.Dataset) -> None:
    del dataset.SegmentSequence[1].SegmentLabel


def in_part(dataset: pydicom.Dataset) -> None:
    dataset.MaximumFractionalValue = 2


def huge(dataset: pydicom.Dataset) -> None:
    dataset.Rows = dataset.Columns = 65_000


def without(*keywords: str):
    def change(dataset: pydicom.Dataset) -> None:
        for keyword in keywords:
            delattr(dataset, keyword)

    return change


@pytest.mark.parametrize(
    ("kind", "change", "words"),
    [
        ("BINARY", unevenly, "one evenly spaced volume"),
        ("BINARY", nameless, "segment 2 has none"),
        ("FRACTIONAL", in_part, "are there in part (SegmentationType FRACTIONAL); export it as BINARY"),
        ("BINARY", huge, "GiB"),
        ("BINARY", without("SegmentSequence"), "truncated, damaged or no DICOM"),
        ("BINARY", without("SharedFunctionalGroupsSequence"), "truncated, damaged or no DICOM"),
        ("BINARY", without("PixelData"), "truncated, damaged or no DICOM"),
        ("BINARY", without("SegmentationType"), "truncated, damaged or no DICOM"),
    ],
)
def test_dicom_segs_that_cannot_be_used(tmp_path: Path, kind: str, change, words: str) -> None:
    path = write_dicom_seg(tmp_path / "s.dcm", masks_of(TRUTH), TRUTH.affine, kind, change)
    assert words in refusal(path, dicom_seg.read_segmentation)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.95])
def test_truncated_files(tmp_path: Path, share: float) -> None:
    path = vf.cut(write_dicom_seg(tmp_path / "s.dcm", masks_of(TRUTH), TRUTH.affine), share)
    assert "damaged" in refusal(path, dicom_seg.read_segmentation)
    labels = vf.Stored(labels_of(TRUTH), TRUTH.affine)
    path = vf.cut(write_seg_nrrd(tmp_path / "s.seg.nrrd", list(GREY), labels), share)
    assert "damaged" in refusal(path, nrrd.read_segmentation)


def test_files_of_another_kind(tmp_path: Path) -> None:
    slice_path = vf.write_dicom(tmp_path / "ct", TRUTH)[0]
    assert "got MR Image Storage" in refusal(slice_path, dicom_seg.read_segmentation)
    assert "there is none" in refusal(tmp_path / "s.dcm", dicom_seg.read_segmentation)
    labels = vf.Stored(labels_of(TRUTH), TRUTH.affine)
    path = vf.write_nrrd(tmp_path / "s.seg.nrrd", labels)
    assert "its header names none" in refusal(path, nrrd.read_segmentation)
    path = write_seg_nrrd(tmp_path / "s.seg.nrrd", ["body", "ell"], labels)
    assert "the value 3, which belongs to none of its segments body, ell" in refusal(
        path, nrrd.read_segmentation
    )
    path = vf.write_nrrd(
        path, labels, None, space_of_directions=None, space_of_origin=None, **vf.segment_fields(("a", 1, 0))
    )
    assert "left and right are unknown" in refusal(path, nrrd.read_segmentation)
