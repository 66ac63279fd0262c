"""From a source and a patient's row to image and mask."""

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segguided.config.classes import AnatomyClass
from segguided.config.datasets import Preparation
from segguided.config.sources.nifti import NiftiSource
from segguided.config.sources.phantom import PhantomSource
from segguided.data.datasets import duke_masks
from segguided.data.datasets.duke_layout import write_duke_layout
from segguided.data.datasets.phantom import make_phantom
from segguided.data.datasets.sources import read_patient
from segguided.data.download.receipts import FILES, describe_files
from segguided.data.formats import nifti, nrrd
from segguided.data.formats.dicom import series as dicom
from segguided.seals import write_sealed
from support import volume_files as vf

DUKE = [
    {"name": "breast", "file": "Segmentation_{patient}_Breast.seg.nrrd", "segment": "Breast"},
    {"name": "vessels", "file": "Segmentation_{patient}_Dense_and_Vessels.seg.nrrd", "segment": "Vessels"},
    {"name": "FGT", "file": "Segmentation_{patient}_Dense_and_Vessels.seg.nrrd", "segment": "Dense"},
]
PATIENT = "Breast_MRI_002"


def classes(values: list[dict[str, Any]]) -> tuple[AnatomyClass, ...]:
    return tuple(AnatomyClass.model_validate(value) for value in values)


# NIfTI


def read_nifti(folder: Path, values: list[int], table: list[dict[str, Any]], **source: Any) -> np.ndarray:
    whole = vf.truth()
    labels = np.zeros(whole.array_ijk.shape, np.uint8)
    labels[0, 0, : len(values)] = values
    paths = [
        vf.write_nifti(folder / "image.nii.gz", whole),
        vf.write_nifti(folder / "mask.nii.gz", vf.Stored(labels, whole.affine)),
    ]
    settings = NiftiSource.model_validate({"kind": "nifti", "folder": str(folder), **source})
    image, mask = read_patient(settings, classes(table), {"patient": "p"}, paths)
    np.testing.assert_array_equal(image.array_zyx, whole.array_ijk.transpose(2, 1, 0))
    assert mask.array_zyx.dtype == np.uint8
    assert not mask.array_zyx[len(values) :].any()
    return mask.array_zyx[: len(values), 0, 0]


def test_labels_become_the_numbers_of_their_classes(tmp_path: Path) -> None:
    table = [{"name": "bone", "label": 5}, {"name": "lungs", "label": 255}, {"name": "kidneys"}]
    assert read_nifti(tmp_path, [3, 255, 5, 0], table).tolist() == [3, 2, 1, 0]


def test_ignored_labels_become_background(tmp_path: Path) -> None:
    assert read_nifti(tmp_path, [1, 6, 2], [{"name": "a"}, {"name": "b"}], ignore=[6]).tolist() == [1, 0, 2]


def test_unknown_labels_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"mask\.nii\.gz: labels \[4, 6\] are outside .*, whose labels are 1, 1034;"
    ) as caught:
        read_nifti(tmp_path, [1, 6, 4], [{"name": "1", "label": 1}, {"name": "2", "label": 1034}], ignore=[7])
    assert "give them a class with that `label`, or list them under source.ignore" in str(caught.value)


# Duke layout


def write_masks(folder: Path, swapped: bool = False, layered: bool = False) -> None:
    """Vessels and dense tissue that overlap in x = 3; the voxel value of each depends on the file."""
    whole = vf.truth()
    folder.mkdir(parents=True)
    breast, vessels, dense = (np.zeros(whole.array_ijk.shape, np.uint8) for _ in range(3))
    breast[1:6], vessels[2:4], dense[3:5] = 1, 1, 1
    vf.write_nrrd(
        folder / f"Segmentation_{PATIENT}_Breast.seg.nrrd",
        vf.Stored(breast, whole.affine),
        **vf.segment_fields(("Breast", 1, 0)),
    )
    if layered:
        both = np.stack([vessels, dense])
        fields = vf.segment_fields(("Vessels", 1, 0), ("Dense", 1, 1))
    else:
        values = (2, 1) if swapped else (1, 2)
        both = np.where(dense > 0, values[1], vessels * values[0]).astype(np.uint8)
        fields = vf.segment_fields(("Vessels", values[0], 0), ("Dense", values[1], 0))
    path = folder / f"Segmentation_{PATIENT}_Dense_and_Vessels.seg.nrrd"
    vf.write_nrrd(path, vf.Stored(both, whole.affine), **fields)


def read_duke(folder: Path, masks: Path, table: list[dict[str, Any]] | None = None) -> np.ndarray:
    if not (folder / "images").exists():
        vf.write_dicom(folder / "images", vf.truth())
    preparation = Preparation.model_validate(
        {
            "source": {"kind": "dicom", "images": str(folder), "masks": str(masks)},
            "classes": table or DUKE,
            "intensity": {"kind": "percentile", "low": 1, "high": 99},
            "image_size": 16,
        }
    )
    raw = [folder / "images", masks]
    image, mask = read_patient(preparation.source, preparation.classes, {"patient": PATIENT}, raw)
    np.testing.assert_array_equal(image.array_zyx, vf.truth().array_ijk.transpose(2, 1, 0))
    np.testing.assert_array_equal(mask.affine, image.affine)
    return mask.array_zyx[4, 4]


@pytest.mark.parametrize("form", [{}, {"swapped": True}, {"layered": True}])
def test_dense_tissue_wins_in_each_form_of_the_file(tmp_path: Path, form: dict[str, bool]) -> None:
    write_masks(tmp_path / "masks" / PATIENT, **form)
    assert read_duke(tmp_path, tmp_path / "masks").tolist() == [0, 1, 2, 3, 3, 1, 0]


def test_a_class_without_segment_takes_every_marked_voxel_of_its_file(tmp_path: Path) -> None:
    write_masks(tmp_path / "masks" / PATIENT)
    table = [DUKE[0], {"name": "tissue", "file": DUKE[1]["file"]}]
    assert read_duke(tmp_path, tmp_path / "masks", table).tolist() == [0, 1, 2, 2, 2, 1, 0]


@pytest.mark.parametrize(
    "below", ["", "Supplement-v3", "manifest-1/Duke-Breast-Cancer-MRI-Supplement-v3/3D/data"]
)
def test_masks_are_found_below_the_named_folder(tmp_path: Path, below: str) -> None:
    root = tmp_path / "masks"
    write_masks(root / below / "Segmentation_Masks_NRRD" / PATIENT)
    (root / "other" / PATIENT).mkdir(parents=True)
    (root / "readme.txt").touch()
    assert read_duke(tmp_path, root).max() == 3


def test_finding_masks_lists_no_patients_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "a" / "Segmentation_Masks_NRRD"
    for k in range(50):
        (root / f"P{k}" / "deep").mkdir(parents=True)
    listed: list[Path] = []
    original = duke_masks._folders
    monkeypatch.setattr(duke_masks, "_folders", lambda folder: listed.append(folder) or original(folder))
    assert duke_masks.mask_folder(tmp_path, "P49") == root / "P49"
    with pytest.raises(ValueError, match="no folder of masks for patient P50, neither there nor in a"):
        duke_masks.mask_folder(tmp_path, "P50")
    assert set(listed) == {tmp_path, tmp_path / "a"}


def test_the_older_masks_are_refused_by_name(tmp_path: Path) -> None:
    old = tmp_path / "Duke-Breast-Cancer-MRI-Supplement-v2" / "Segmentation_Masks_NRRD"
    write_masks(old / PATIENT)
    for masks in (tmp_path, old.parent, old):
        with pytest.raises(ValueError, match=r"holds the older 2-D masks .*name the folder of Supplement-v3"):
            read_duke(tmp_path / "series", masks)
    write_masks(tmp_path / "Supplement-v3" / "Segmentation_Masks_NRRD" / PATIENT)
    assert read_duke(tmp_path / "series", tmp_path).max() == 3  # both are side by side


def test_missing_folders_and_files(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"absent: expected the folder of the masks, but there is none; correct"
    ):
        read_duke(tmp_path, tmp_path / "absent")
    (tmp_path / "masks" / PATIENT).mkdir(parents=True)
    with pytest.raises(ValueError, match=rf"Segmentation_{PATIENT}_Breast\.seg\.nrrd: expected an NRRD file"):
        read_duke(tmp_path, tmp_path / "masks")


def test_a_phantom_is_read_through_its_receipt(tmp_path: Path) -> None:
    phantom = make_phantom("phantom_001", seed=0, size=32, slices=4)
    files = write_duke_layout(phantom, "phantom_001", tmp_path)
    write_sealed(tmp_path / "receipts" / "phantom_001.json", {FILES: describe_files(files, tmp_path)})
    row, raw = {"patient": "phantom_001"}, [tmp_path / "receipts" / "phantom_001.json"]
    source = PhantomSource(kind="phantom", size=32, slices=4)
    image, mask = read_patient(source, classes(DUKE), row, raw)
    np.testing.assert_array_equal(mask.array_zyx, phantom.labels_zyx)
    np.testing.assert_array_equal(image.array_zyx, phantom.image_zyx)


def test_reading_a_patient_takes_the_memory_of_image_mask_and_a_mask_file(tmp_path: Path) -> None:
    """And, beside these, only the memory to unzip a slice."""
    shape, affine = (256, 256, 48), vf.truth().affine
    vf.write_dicom(tmp_path / "images" / PATIENT, vf.Stored(np.zeros(shape, np.int16), affine))
    folder = tmp_path / "Segmentation_Masks_NRRD" / PATIENT
    folder.mkdir(parents=True)
    for name, *segments in (
        ("Breast", ("Breast", 1, 0)),
        ("Dense_and_Vessels", ("Dense", 1, 0), ("Vessels", 2, 0)),
    ):
        path = folder / f"Segmentation_{PATIENT}_{name}.seg.nrrd"
        vf.write_nrrd(path, vf.Stored(np.ones(shape, np.uint8), affine), **vf.segment_fields(*segments))
    source, raw = PhantomSource(kind="phantom"), [tmp_path / "receipts" / "p.json"]
    write_sealed(raw[0], {FILES: describe_files((tmp_path / "images" / PATIENT).iterdir(), tmp_path)})
    read_patient(source, classes(DUKE), {"patient": PATIENT}, raw)  # imports take memory that stays
    tracemalloc.start()
    image, _ = read_patient(source, classes(DUKE), {"patient": PATIENT}, raw)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert image.array_zyx.dtype == np.int16
    assert peak < 2 * image.array_zyx.nbytes + 2.5e6


def test_the_readers_share_a_check_for_finite_numbers() -> None:
    from segguided.data.formats import volume

    assert dicom.check_finite is nifti.check_finite is nrrd.check_finite is volume.check_finite  # type: ignore[attr-defined]
