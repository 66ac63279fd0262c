"""Image and mask agree to the voxel, from the files of every fixture to the slices that are written.

The object is chiral and each grey value has one label: a flip, shift or swap of either would show.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.uid import ImplicitVRLittleEndian, JPEG2000Lossless, JPEGLSLossless

from prepare_patient import prepare_patient
from segguided.config.datasets import Preparation
from segguided.data.slices import read_stack
from support import volume_files as vf
from support.rtstruct_files import write_rtstruct
from support.seg_files import write_dicom_seg

SIZE = 48  # pixels; JPEG 2000 encoders refuse images below 32
PATIENT = "Breast_MRI_002"
BREAST = f"Segmentation_{PATIENT}_Breast.seg.nrrd"
TISSUES = f"Segmentation_{PATIENT}_Dense_and_Vessels.seg.nrrd"
LABEL_OF = {-1000: 0, 40: 1, 300: 2, -500: 3, vf.MARKER: 3}  # breast, vessels, FGT
TABLES: dict[str, list[dict[str, Any]]] = {
    "dicom": [
        {"name": "breast", "file": BREAST, "segment": "Breast"},
        {"name": "vessels", "file": TISSUES, "segment": "Vessels"},
        {"name": "FGT", "file": TISSUES, "segment": "Dense"},
    ],
    "nifti": [{"name": "breast", "label": 1}, {"name": "vessels", "label": 5}, {"name": "FGT", "label": 3}],
}


def whole(affine: np.ndarray | None = None) -> vf.Stored:
    """The object away from the centre of square slices; the output has their size: no pixel is resampled."""
    array_xyz = np.full((SIZE, SIZE, 9), -1000, np.int16)
    array_xyz[12:19, 5:13] = vf.truth().array_ijk
    own = np.diag([0.75, 0.75, 2.5, 1.0])
    own[:3, 3] = [-12.5, 31.25, -140.0]
    return vf.Stored(array_xyz, own if affine is None else affine)


def labels_of(values: np.ndarray) -> np.ndarray:
    return np.vectorize(LABEL_OF.__getitem__, otypes=[np.uint8])(values)


def assert_agreement(folder: Path, kind: str, *raw: Path) -> None:
    """The slices equal the truth, and each grey value has its label."""
    source = {"dicom": {"images": "unused", "masks": "unused"}, "nifti": {"folder": "unused"}}[kind]
    preparation = Preparation.model_validate(
        {
            "source": {"kind": kind, **source},
            "classes": TABLES[kind],
            "intensity": {"kind": "window", "low": -1000, "high": 1550},  # 10 to a grey value
            "image_size": SIZE,
        }
    )
    prepare_patient({"patient": PATIENT}, preparation, raw, folder / "slices.npz")
    stack = read_stack(folder / "slices.npz")
    truth_zyx = whole().array_ijk.transpose(2, 1, 0)
    np.testing.assert_array_equal(stack.images_SHW, (truth_zyx + 1000) // 10)
    np.testing.assert_array_equal(stack.masks_SHW, labels_of(truth_zyx))
    np.testing.assert_array_equal(stack.masks_SHW, labels_of(stack.images_SHW * np.int16(10) - 1000))


def write_masks(folder: Path, form: str, stored_as: str, geometry: bool) -> None:
    """A file for the breast, and one for the tissues in it: usual or swapped values, or a layer each."""
    folder.mkdir(parents=True)
    stored = vf.stored_along(whole(), stored_as)
    label_ijk = labels_of(stored.array_ijk)
    vessels = (label_ijk == 2).astype(np.uint8)
    dense = (label_ijk == 3).astype(np.uint8)
    names = {"usual": ("Vessels", "Dense"), "swapped": ("Dense", "Vessels"), "layered": ("Dense", "Vessels")}[
        form
    ]
    masks = {"Vessels": vessels, "Dense": dense}
    if form == "layered":
        both = np.stack([masks[name] for name in names])
        segments = [(name, 1, layer) for layer, name in enumerate(names)]
    else:
        both = sum(masks[name] * np.uint8(value) for value, name in enumerate(names, 1))
        segments = [(name, value, 0) for value, name in enumerate(names, 1)]
    none: dict[str, Any] = (
        {} if geometry else {"space": None, "space_of_directions": None, "space_of_origin": None}
    )
    breast = vf.Stored((label_ijk > 0).astype(np.uint8), stored.affine)
    vf.write_nrrd(folder / BREAST, breast, **vf.segment_fields(("Breast", 1, 0)), **none)
    vf.write_nrrd(folder / TISSUES, vf.Stored(both, stored.affine), **vf.segment_fields(*segments), **none)


@pytest.mark.parametrize("geometry", [True, False], ids=["placed", "placeless"])
@pytest.mark.parametrize("form", ["usual", "swapped", "layered"])
@pytest.mark.parametrize("plane", [vf.AXIAL, vf.AXIAL_DOWN, vf.AXIAL_TURNED])
@pytest.mark.parametrize("signed", [True, False], ids=["GE", "Siemens"])
@pytest.mark.parametrize(
    "syntax",
    [ImplicitVRLittleEndian, JPEG2000Lossless, JPEGLSLossless],
    ids=["implicit", "JPEG2000", "JPEG-LS"],
)
def test_dicom_and_seg_nrrd(
    tmp_path: Path, syntax: Any, signed: bool, plane: str, form: str, geometry: bool
) -> None:
    """Masks on the series' own grid, or without a geometry: column, row, slice from the feet up."""
    intercept = 0 if signed else -1024
    stored = vf.stored_along(whole(), plane)
    paths = vf.write_dicom(tmp_path / "images", stored, signed=signed, intercept=intercept, syntax=syntax)
    assert sorted(paths) not in (paths, paths[::-1])  # names scramble the slices
    upwards = plane if geometry else plane.replace("I", "S")
    write_masks(tmp_path / "masks" / PATIENT, form, upwards, geometry)
    assert_agreement(tmp_path, "dicom", tmp_path / "images", tmp_path / "masks")


def write_dicom_masks(folder: Path, form: str, stored_as: str, tables: list[dict[str, Any]]) -> None:
    """All classes in one file: frames on the series' grid, or a contour around each row of voxels."""
    folder.mkdir(parents=True)
    stored = vf.stored_along(whole(), stored_as)
    label_ijk = labels_of(stored.array_ijk)
    masks = {"Breast": label_ijk > 0, "Vessels": label_ijk == 2, "Dense": label_ijk == 3}
    path = folder / tables[0]["file"]
    if form == "seg":
        write_dicom_seg(path, masks, stored.affine)
    else:
        contours = {name: contours_of(mask, stored.affine) for name, mask in masks.items()}
        write_rtstruct(path, contours)


def contours_of(mask_ijk: np.ndarray, affine: np.ndarray) -> list[np.ndarray]:
    """A rectangle in mm around each run of voxels along i."""
    contours = []
    for j, k in np.argwhere(mask_ijk.any(axis=0)):
        edges = np.diff(np.pad(mask_ijk[:, j, k].astype(int), 1))
        for first, end in zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1), strict=True):
            i = np.array([first - 0.5, end - 0.5, end - 0.5, first - 0.5])
            corners = np.stack([i, j + np.array([-0.5, -0.5, 0.5, 0.5]), np.full(4, k), np.ones(4)])
            contours.append((affine @ corners)[:3].T)
    return contours


@pytest.mark.parametrize("form", ["seg", "rtstruct"])
@pytest.mark.parametrize("plane", [vf.AXIAL, vf.AXIAL_DOWN, vf.AXIAL_TURNED])
def test_dicom_and_dicom_masks(tmp_path: Path, plane: str, form: str, monkeypatch: Any) -> None:
    """Overlapping segments: where two classes hold a voxel, the later one counts."""
    table = [{**row, "file": f"{form}.dcm"} for row in TABLES["dicom"]]
    monkeypatch.setitem(TABLES, "dicom", table)
    vf.write_dicom(tmp_path / "images", vf.stored_along(whole(), plane))
    write_dicom_masks(tmp_path / "masks" / PATIENT, form, plane, table)
    assert_agreement(tmp_path, "dicom", tmp_path / "images", tmp_path / "masks")


@pytest.mark.parametrize("slope", [1, 0.3333333], ids=["whole", "scaled"])
@pytest.mark.parametrize("labels_as", ["LAS", "LPS", "RAS"])
@pytest.mark.parametrize("image_as", ["LAS", "LPS", "RAS"])
def test_nifti(tmp_path: Path, image_as: str, labels_as: str, slope: float) -> None:
    """Labels as whole numbers or scaled floats, with axes of their own."""
    image = vf.write_nifti(tmp_path / "image.nii.gz", vf.stored_along(whole(), image_as))
    label_xyz = np.array([0, 1, 5, 3], np.int16)[labels_of(whole().array_ijk)]
    stored = vf.stored_along(vf.Stored(label_xyz, whole().affine), labels_as)
    assert_agreement(
        tmp_path, "nifti", image, vf.write_nifti(tmp_path / "labels.nii.gz", stored, slope=slope)
    )


@pytest.mark.parametrize("slope", [1, 0.3333333], ids=["whole", "scaled"])
def test_nifti_with_an_identity_affine(tmp_path: Path, slope: float) -> None:
    """It means axes to the right, front and head, as NIfTI defines."""
    ras = np.diag([-1.0, -1.0, 1.0, 1.0])
    array_ijk = vf.stored_along(whole(), "RAS").array_ijk
    image = vf.write_nifti(tmp_path / "image.nii.gz", vf.Stored(array_ijk, ras))
    label_ijk = np.array([0, 1, 5, 3], np.int16)[labels_of(array_ijk)]
    labels = vf.write_nifti(tmp_path / "labels.nii.gz", vf.Stored(label_ijk, ras), slope=slope)
    assert_agreement(tmp_path, "nifti", image, labels)
