"""Masks as .seg.nrrd and DICOM-SEG: their segments are the classes, and images come back on their grid."""

import csv

import nibabel as nib
import numpy as np
import pytest
import SimpleITK

from generate import generate
from segguided.app.label_volumes import read_label_volume
from segguided.app.run_folder import read_run
from support import volume_files as vf
from support.seg_files import write_dicom_seg, write_layered, write_seg_nrrd

AFFINE = np.array([[0.8, 0.0, 0.0, -12.5], [0.0, 0.8, 0.0, 31.25], [0.0, 0.0, 2.5, -140.0], [0, 0, 0, 1]])
PLANES = [vf.AXIAL, vf.AXIAL_DOWN, vf.AXIAL_TURNED, "RPS"]


def patient(plane):
    """Two boxes off the centre on a grid of 16 × 16 × 4 voxels; labels 1 and 2."""
    labels_xyz = np.zeros((16, 16, 4), np.uint8)
    labels_xyz[2:9, 4:12, 0:3] = 1
    labels_xyz[9:15, 10:14, 1:4] = 2
    return vf.stored_along(vf.Stored(labels_xyz, AFFINE), plane)


def masks_of(stored, names=("a", "b")):
    return {name: stored.array_ijk == value for value, name in enumerate(names, 1)}


def write(path, stored, names=("a", "b")):
    if path.name.endswith(".seg.nrrd"):
        return write_seg_nrrd(path, names, stored)
    return write_dicom_seg(path, masks_of(stored, names), stored.affine)


@pytest.fixture
def painted(monkeypatch):
    """A sampler that paints each class in a grey of its own."""
    monkeypatch.setattr(
        "segguided.app.generate.load_sampler", lambda *_: lambda masks, names, free: masks * 100
    )


def at_points(volume, points_mm):
    """Labels at places in the patient (LPS), by SimpleITK; the grey values of `painted` turned back."""
    image = SimpleITK.ReadImage(str(volume), SimpleITK.sitkFloat64)
    assert np.prod(image.GetSize()) == len(points_mm)
    greys = [image.GetPixel(image.TransformPhysicalPointToIndex(point.tolist())) for point in points_mm]
    return np.rint((np.array(greys) + 100) / 200).astype(int)


@pytest.mark.parametrize("plane", PLANES)
@pytest.mark.parametrize("name", ["s.seg.nrrd", "s.dcm"])
def test_images_lie_where_the_segments_lie(run_folder, tmp_path, painted, name, plane):
    stored = patient(plane)
    path = write(tmp_path / name, stored)
    generate(run_folder, path, tmp_path / "out")
    made = tmp_path / "out/volumes/s.nii.gz"
    index = np.indices(stored.array_ijk.shape).reshape(3, -1)
    points = (stored.affine @ np.vstack([index, np.ones(index.shape[1])]))[:3].T
    np.testing.assert_array_equal(at_points(made, points), stored.array_ijk[tuple(index)])
    image = SimpleITK.ReadImage(str(made))
    if name.endswith(".seg.nrrd"):
        given = SimpleITK.ReadImage(str(path))
        assert image.GetSize() == given.GetSize()
        for at in ((0, 0, 0), (15, 3, 2)):
            np.testing.assert_allclose(
                image.TransformIndexToPhysicalPoint(at), given.TransformIndexToPhysicalPoint(at), atol=1e-3
            )


def test_a_dicom_seg_comes_back_on_the_grid_of_its_series(run_folder, tmp_path, painted):
    """A voxel has the same index in SimpleITK's reading of the series and in the volume of images."""
    stored = patient(vf.AXIAL_DOWN)
    vf.write_dicom(tmp_path / "ct", vf.Stored(stored.array_ijk.astype(np.int16), stored.affine))
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(tmp_path / "ct")))
    series = reader.Execute()
    generate(run_folder, write(tmp_path / "s.dcm", stored), tmp_path / "out")
    made = SimpleITK.ReadImage(str(tmp_path / "out/volumes/s.nii.gz"), SimpleITK.sitkFloat64)
    assert made.GetSize() == series.GetSize()
    np.testing.assert_allclose(made.GetOrigin(), series.GetOrigin(), atol=1e-3)
    labels_kji = np.rint((SimpleITK.GetArrayFromImage(made) + 100) / 200)
    np.testing.assert_array_equal(labels_kji, SimpleITK.GetArrayFromImage(series))


@pytest.mark.parametrize("name", ["s.seg.nrrd", "s.dcm"])
def test_names_decide_not_numbers_or_capitals(run_folder, tmp_path, name):
    facts = read_run(run_folder).facts
    path = write(tmp_path / name, patient(vf.AXIAL), ("B", " A "))
    volume = read_label_volume(path, facts, ())
    expected = np.array([0, 2, 1])[patient(vf.AXIAL).array_ijk]
    np.testing.assert_array_equal(volume.array_zyx.transpose(2, 1, 0), expected)


def test_a_dicom_seg_needs_no_ending_and_kinds_may_be_mixed(run_folder, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    write(folder / "one.dcm", patient(vf.AXIAL))
    write(folder / "two.seg.nrrd", patient(vf.AXIAL))
    labels = np.array([0, 7, 9], np.uint8)[patient(vf.AXIAL).array_ijk]
    nib.save(nib.Nifti1Image(labels, np.diag([-1, -1, 1, 1]) @ AFFINE), folder / "three.nii.gz")
    generate(run_folder, folder, tmp_path / "out")
    with (tmp_path / "out/manifest.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["mask_id"] for row in rows] == [
        f"{name}_slice_{z}" for name in ("one", "three", "two") for z in range(4)
    ]
    assert {path.name for path in (tmp_path / "out/volumes").iterdir()} == {
        "one.nii.gz", "two.nii.gz", "three.nii.gz"
    }  # fmt: skip
    nameless = folder / "one.dcm"
    nameless = nameless.rename(tmp_path / "1.2.840.1")
    generate(run_folder, nameless, tmp_path / "out2")
    assert (tmp_path / "out2/volumes/1.2.840.1.nii.gz").is_file()


def overlapping():
    masks = masks_of(patient(vf.AXIAL))
    return masks | {"b": masks["b"] | masks["a"]}


@pytest.mark.parametrize(
    ("write_file", "words"),
    [
        (lambda path: write(path / "s.dcm", patient(vf.AXIAL), ("a", "tumour")), "its segment tumour is no"),
        (
            lambda path: write(path / "s.seg.nrrd", patient(vf.AXIAL), ("a", "tumour")),
            "its segment tumour is no class of the model, which knows a, b; rename it, or leave it out",
        ),
        (
            lambda path: write_dicom_seg(path / "s.dcm", {"a": patient(vf.AXIAL).array_ijk > 0}, AFFINE),
            r"none is named b \(there are a\); rename it, or say with --absent b that there is none",
        ),
        (
            lambda path: write(path / "s.dcm", patient(vf.AXIAL), ("a", "fibroglandular Tissue")),
            "the segments a and fibroglandular Tissue are one class, a; keep one of them",
        ),
        (lambda path: write_dicom_seg(path / "s.dcm", overlapping(), AFFINE), "the segments a and b overlap"),
        (lambda path: write_layered(path / "s.seg.nrrd", overlapping(), AFFINE), "a and b overlap in 168"),
        (lambda path: (path / "s.dcm").write_bytes(b"no DICOM"), "it is truncated, damaged or no DICOM"),
        (lambda path: (path / "s.seg.nrrd").write_bytes(b"no NRRD"), "of an unknown form"),
        (
            lambda path: vf.write_dicom(path, vf.truth()),
            "expected a DICOM segmentation, got MR Image Storage",
        ),
    ],
)
def test_segmentations_that_cannot_be_used_are_refused(run_folder, tmp_path, write_file, words):
    folder = tmp_path / "mine"
    folder.mkdir()
    write_file(folder)
    with pytest.raises(ValueError, match=words) as caught:
        generate(run_folder, folder, tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["s.seg.nrrd", "s.dcm"])
def test_a_segment_may_have_the_title_of_its_class(run_folder, tmp_path, name):
    facts = read_run(run_folder).facts
    named = read_label_volume(write(tmp_path / f"named-{name}", patient(vf.AXIAL)), facts, ())
    path = write(tmp_path / name, patient(vf.AXIAL), ("fibroglandular TISSUE", "B"))
    np.testing.assert_array_equal(read_label_volume(path, facts, ()).array_zyx, named.array_zyx)


def test_a_class_may_be_absent_or_free(run_folder, tmp_path, caplog):
    path = write_dicom_seg(tmp_path / "s.dcm", {"a": patient(vf.AXIAL).array_ijk > 0}, AFFINE)
    generate(run_folder, path, None, absent=["b"], check=True)
    generate(run_folder, path, None, free=["b"], check=True)
    assert "no mask has the class" not in caplog.text
