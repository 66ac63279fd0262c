"""CT-ORG cases are read to the voxel, or refused where labels, header or anatomy are wrong."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segguided.config.classes import AnatomyClass
from segguided.data.datasets.ct_org import describe_labels
from segguided.data.datasets.sources import read_patient
from support import fixtures_ct_org as fc
from support import volume_files as vf

NAMES = ("liver", "bladder", "lungs", "kidneys", "bone")
CLASSES = tuple(AnatomyClass(name=name, label=k) for k, name in enumerate(NAMES, 1))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    fc.write_case(tmp_path / "tcia")
    return tmp_path / "tcia"


def read(root: Path, folder: Path) -> tuple[Any, Any]:
    receipt = fc.fetch(root, folder=str(folder))
    return read_patient(fc.settings(), CLASSES, fc.row(), [receipt])


@pytest.mark.parametrize("code", ["LAS", "LPS", "RAS", "RPI"])
@pytest.mark.parametrize("slope", [1, 1 / 255])
def test_image_and_mask_agree_to_the_voxel(tmp_path: Path, code: str, slope: float) -> None:
    whole = fc.write_case(tmp_path / "tcia", code=code, slope=slope)
    image, mask = read(tmp_path / "raw", tmp_path / "tcia")
    expected_xyz = np.where(whole.array_ijk == 6, 0, whole.array_ijk)  # no brain
    np.testing.assert_array_equal(mask.array_zyx.transpose(2, 1, 0), expected_xyz)
    np.testing.assert_array_equal(image.array_zyx.transpose(2, 1, 0), fc.HU[whole.array_ijk])
    np.testing.assert_allclose(image.affine, whole.affine, atol=1e-4)
    np.testing.assert_allclose(mask.affine, whole.affine, atol=1e-4)
    assert len(mask.provenance["anatomy"]) == 3
    assert "header" not in image.provenance


def test_an_identity_header_is_taken_where_the_labels_confirm_it(tmp_path: Path) -> None:
    whole = fc.write_case(tmp_path / "tcia", code="RAS", identity=True)
    image, mask = read(tmp_path / "raw", tmp_path / "tcia")
    np.testing.assert_array_equal(image.array_zyx.transpose(2, 1, 0), fc.HU[whole.array_ijk])
    np.testing.assert_array_equal(mask.array_zyx.transpose(2, 1, 0) > 0, (whole.array_ijk % 6) > 0)
    assert "spacing and positions are unknown" in image.provenance["header"]


@pytest.mark.parametrize("code", ["LPS", "LAS", "RPS", "RAI"])
def test_an_identity_header_over_other_axes_is_refused(tmp_path: Path, code: str) -> None:
    fc.write_case(tmp_path / "tcia", code=code, identity=True)
    with pytest.raises(ValueError, match=r"labels-0\.nii\.gz: expected that the .* wrong orientation"):
        read(tmp_path / "raw", tmp_path / "tcia")


def test_an_identity_header_that_no_organ_confirms_is_refused(tmp_path: Path) -> None:
    fc.write_case(tmp_path / "tcia", code="RAS", identity=True, whole=fc.labels(2, 3))
    with pytest.raises(ValueError, match=r"volume-0\.nii\.gz: the header states no real .* along z; drop"):
        read(tmp_path / "raw", tmp_path / "tcia")
    fc.write_case(tmp_path / "other", code="RAS", whole=fc.labels(2, 3))  # a stated position needs no more
    read(tmp_path / "again", tmp_path / "other")


def test_labels_beyond_ct_orgs_are_refused(tmp_path: Path) -> None:
    whole = fc.labels()
    whole.array_ijk[0, 0, 0] = 7
    folder = tmp_path / "tcia"
    fv_image = vf.Stored(np.zeros_like(whole.array_ijk), whole.affine)
    folder.mkdir()
    vf.write_nifti(folder / "volume-0.nii.gz", fv_image)
    vf.write_nifti(folder / "labels-0.nii.gz", whole)
    with pytest.raises(ValueError, match=r"labels-0\.nii\.gz: expected .* 0 to 6, got 7; is this"):
        read(tmp_path / "raw", folder)


def test_a_file_that_changed_since_its_receipt_is_refused(tmp_path: Path, folder: Path) -> None:
    receipt = fc.fetch(tmp_path / "raw", folder=str(folder))
    path = folder / "volume-0.nii.gz"
    vf.write_nifti(path, fc.image(fc.labels(4)))
    with pytest.raises(ValueError, match=rf"volume-0.nii.gz: expected .* recorded in {receipt}"):
        read_patient(fc.settings(), CLASSES, fc.row(), [receipt])
    path.unlink()
    with pytest.raises(ValueError, match=f"there is none; delete {receipt} and run the same command again"):
        read_patient(fc.settings(), CLASSES, fc.row(), [receipt])
    receipt.write_text("[]")
    with pytest.raises(ValueError, match="expected a receipt of volume and labels"):
        read_patient(fc.settings(), CLASSES, fc.row(), [receipt])


def test_a_case_is_described_for_the_choice(tmp_path: Path) -> None:
    fc.write_case(tmp_path, 3, "LAS", fc.labels(2))
    described = describe_labels(tmp_path / "labels-3.nii.gz")
    counts = {name: str((fc.labels(2).array_ijk == k).sum()) for k, name in enumerate((*NAMES, "brain"), 1)}
    assert described == {**counts, "axes": "LAS", "anatomy": "confirmed"}
    fc.write_case(tmp_path, 4, "LPS", identity=True)
    assert "wrong orientation" in describe_labels(tmp_path / "labels-4.nii.gz")["anatomy"]
