"""Phantoms: anatomy that the masks promise, and files that read back as the patient they were drawn from."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pydicom
import pytest

from segguided.config.sources.phantom import PhantomSource
from segguided.data.datasets.duke_layout import traits_of, write_duke_layout
from segguided.data.datasets.phantom import Phantom, make_phantom
from segguided.data.formats import nrrd
from segguided.data.formats.dicom import series as dicom
from segguided.files import sha256_of
from write_phantom import write_phantom

PATIENTS = [f"phantom_{n:03d}" for n in range(1, 15)]


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return make_phantom("phantom_001", seed=0, size=64, slices=12)


def test_is_a_function_of_seed_and_patient_alone(phantom: Phantom) -> None:
    again = make_phantom("phantom_001", seed=0, size=64, slices=12)
    assert np.array_equal(again.image_zyx, phantom.image_zyx)
    for other in (make_phantom("phantom_002", 0, 64, 12), make_phantom("phantom_001", 1, 64, 12)):
        assert (other.labels_zyx != phantom.labels_zyx).mean() > 0.01


def test_vessels_and_dense_tissue_lie_in_the_breast_and_overlap(phantom: Phantom) -> None:
    assert phantom.image_zyx.dtype == np.uint16
    assert not (phantom.vessels_zyx & ~phantom.breast_zyx).any()
    assert not (phantom.dense_zyx & ~phantom.breast_zyx).any()
    both = phantom.vessels_zyx & phantom.dense_zyx
    assert both.any()
    assert (phantom.labels_zyx[both] == 3).all()


def test_vessels_are_brightest_and_fat_is_darkest(phantom: Phantom) -> None:
    fat, vessel, dense = (np.median(phantom.image_zyx[phantom.labels_zyx == k]) for k in (1, 2, 3))
    assert vessel > 1.4 * dense > 1.4 * 1.4 * fat


def test_the_breasts_lie_on_both_sides_and_to_the_front(phantom: Phantom) -> None:
    _, y, x = np.nonzero(phantom.breast_zyx)
    assert 0.35 < (x < 32).mean() < 0.65
    assert np.quantile(y, 0.9) < 0.6 * 64


@pytest.mark.parametrize("patient", PATIENTS[:5])
def test_most_slices_of_the_demo_size_hold_every_class(patient: str) -> None:
    labels = make_phantom(patient, seed=0, size=96, slices=24).labels_zyx
    breast = [slice_yx for slice_yx in labels if (slice_yx > 0).sum() > 100]
    assert len(breast) >= 12
    assert np.mean([all((one == k).sum() >= 8 for k in (1, 2, 3)) for one in breast]) > 0.6


def test_vessels_are_at_least_two_pixels_thick() -> None:
    vessels = make_phantom("phantom_001", seed=0, size=96, slices=24).vessels_zyx
    wide = vessels[:, 1:, 1:] & vessels[:, :-1, 1:] & vessels[:, 1:, :-1] & vessels[:, :-1, :-1]
    covered = np.zeros_like(vessels)
    for dy in (0, 1):
        for dx in (0, 1):
            covered[:, dy : dy + 95, dx : dx + 95] |= wide
    assert covered.sum() > 0.85 * vessels.sum()


def test_the_demo_patients_show_every_trait() -> None:
    traits = [traits_of(patient) for patient in PATIENTS]
    for name in ("siemens", "turned", "from_head", "swapped", "layered"):
        assert {getattr(one, name) for one in traits} == {False, True}, name


def whole(mask: nrrd.SegmentMask) -> np.ndarray:
    return np.stack([mask.plane(z) for z in range(len(mask.labels_zyx))])


@pytest.mark.parametrize("patient", PATIENTS)
def test_written_patients_read_back(patient: str, tmp_path: Path) -> None:
    drawn = make_phantom(patient, seed=0, size=40, slices=6)
    write_duke_layout(drawn, patient, tmp_path)
    image = dicom.read_series(tmp_path / "images" / patient)
    masks = tmp_path / "Segmentation_Masks_NRRD" / patient
    read = partial(nrrd.read_segments, reference=image)
    (breast,) = read(masks / f"Segmentation_{patient}_Breast.seg.nrrd", [None])
    vessels, dense = read(masks / f"Segmentation_{patient}_Dense_and_Vessels.seg.nrrd", ["Vessels", "Dense"])
    seen = drawn.vessels_zyx if traits_of(patient).layered else drawn.vessels_zyx & ~drawn.dense_zyx
    assert np.array_equal(image.array_zyx, drawn.image_zyx)
    assert np.allclose(image.affine, drawn.affine, atol=1e-3)
    assert np.array_equal(whole(breast), drawn.breast_zyx)
    assert np.array_equal(whole(dense), drawn.dense_zyx)
    assert np.array_equal(whole(vessels), seen)


def test_neither_names_nor_instance_numbers_follow_z(tmp_path: Path) -> None:
    patient = next(p for p in PATIENTS if traits_of(p).from_head)
    write_duke_layout(make_phantom(patient, seed=0, size=40, slices=8), patient, tmp_path)
    slices = [pydicom.dcmread(p) for p in sorted((tmp_path / "images" / patient).iterdir())]
    by_name = [float(s.ImagePositionPatient[2]) for s in slices]
    by_number = [
        float(s.ImagePositionPatient[2]) for s in sorted(slices, key=lambda s: int(s.InstanceNumber))
    ]
    assert by_name != sorted(by_name)
    assert by_number == sorted(by_number, reverse=True)


@pytest.mark.parametrize("siemens", [False, True])
def test_the_maker_decides_the_sign(siemens: bool, phantom: Phantom, tmp_path: Path) -> None:
    patient = next(p for p in PATIENTS if traits_of(p).siemens == siemens)
    write_duke_layout(phantom, patient, tmp_path)
    one = pydicom.dcmread(next((tmp_path / "images" / patient).iterdir()))
    assert one.PixelRepresentation == (0 if siemens else 1)
    assert one.Manufacturer.startswith("SIEMENS" if siemens else "GE")
    assert one.file_meta.TransferSyntaxUID == pydicom.uid.ImplicitVRLittleEndian
    assert one.PatientID == patient


def test_receipt_lists_every_file_and_rewriting_changes_no_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = PhantomSource(kind="phantom", size=32, slices=4)
    texts = []
    for folder in ("first", "second"):
        # Another moment: neither NRRD comments nor gzip headers may tell it.
        monkeypatch.setattr("time.time", lambda folder=folder: 1e9 if folder == "first" else 2e9)
        receipt = tmp_path / folder / "receipts" / "phantom_003.json"
        write_phantom("phantom_003", settings, receipt)
        texts.append(receipt.read_text())
    assert texts[0] == texts[1]
    listed = json.loads(texts[0])["files"]
    assert [entry["file"] for entry in listed] == sorted(entry["file"] for entry in listed)
    on_disk = [p for p in (tmp_path / "first").rglob("*") if p.is_file() and p.suffix != ".json"]
    assert len(on_disk) == len(listed) == 6
    for entry in listed:
        path = tmp_path / "first" / entry["file"]
        assert (path.stat().st_size, sha256_of(path)) == (entry["bytes"], entry["sha256"])
        assert b"generated by" not in path.read_bytes()
