"""Labels by density are right on a torso of cylinders, on each grid, and blood is no bone."""

import csv
import tarfile
from pathlib import Path

import nibabel as nib
import nrrd
import numpy as np
import pytest

from segguided.config.sources.demo_ct import DemoCtSource
from segguided.data.datasets.demo_ct import (
    BODY,
    BONE,
    LUNGS,
    Scan,
    block_mean,
    blood_on_grid,
    label_by_density,
    read_patient,
)
from segguided.data.formats.orientation import LPS_FROM_RAS
from segguided.data.formats.volume import Volume

SHAPE_MM = (180, 240, 330)  # z, y, x


class Torso:
    """A rasterised CT in HU, and the mask of each part."""

    def __init__(self, spacing: tuple[float, float, float]) -> None:
        self.spacing = spacing
        shape = [round(n / s) for n, s in zip(SHAPE_MM, spacing, strict=True)]
        z, y, x = ((np.arange(n) + 0.5) * s for n, s in zip(shape, spacing, strict=True))
        self.z, self.y, self.x = z[:, None, None], y[:, None], x - 165
        self.hu = np.random.default_rng(0).normal(0, 12, shape) - 1000
        self.body = self._fill(((self.y - 110) / 95) ** 2 + (self.x / 145) ** 2 < 1, 40)
        self.couch = self._fill((np.abs(self.y - 213) < 2.6) & (np.abs(self.x) < 120), 200)
        self._fill((np.abs(self.x - 30) < 2) & (np.abs(self.y - 205) < 6), 200)  # a strap ties them together
        self.lungs = self._fill(
            (((np.abs(self.x) - 62) / 42) ** 2 + ((self.y - 105) / 60) ** 2 < 1) & (self.z > 70), -820
        )
        self.bulla = self._fill((self.x + 70) ** 2 + (self.y - 100) ** 2 + (self.z - 120) ** 2 < 12**2, -990)
        self.trachea = self._fill((self.x**2 + (self.y - 90) ** 2 < 9**2) & (self.z > 100), -990)
        self.bowel = self._fill(
            ((self.x - 40) / 35) ** 2 + ((self.y - 80) / 30) ** 2 + ((self.z - 28) / 22) ** 2 < 1, -990
        )
        spine = self.x**2 + (self.y - 160) ** 2
        self.spine = self._fill(spine < 14**2, 450) & ~self._fill(spine < 8**2, 130)
        self.marrow = np.broadcast_to(spine < 8**2, shape)
        self.vessel = self._fill((self.x - 6) ** 2 + (self.y - 130) ** 2 < 10**2, 350)
        self.labels = label_by_density(Scan(self.hu, spacing))

    def _fill(self, where: np.ndarray, hu: float) -> np.ndarray:
        where = np.broadcast_to(where, self.hu.shape)
        self.hu[where] += hu - np.median(self.hu[where])
        return where


@pytest.fixture(scope="module", params=[(3.0, 3.0, 3.0), (5.0, 2.5, 2.5)], ids=["cubes", "thick-slices"])
def torso(request: pytest.FixtureRequest) -> Torso:
    return Torso(request.param)


def share(labels: np.ndarray, where: np.ndarray, label: int) -> float:
    return float((labels[where] == label).mean())


def test_body_is_whole_and_leaves_the_couch(torso: Torso) -> None:
    inside = torso.labels > 0
    assert 2 * (inside & torso.body).sum() / (inside.sum() + torso.body.sum()) > 0.98
    assert not inside[torso.couch].any()


def test_lungs_include_bullae_and_nothing_else(torso: Torso) -> None:
    lungs = torso.labels == LUNGS
    assert share(torso.labels, torso.lungs, LUNGS) > 0.95
    assert share(torso.labels, torso.bulla & torso.lungs, LUNGS) > 0.95
    assert (lungs & ~torso.lungs).sum() < 0.03 * lungs.sum()


def test_trachea_and_bowel_gas_are_body(torso: Torso) -> None:
    assert share(torso.labels, torso.bowel, BODY) == 1
    assert share(torso.labels, torso.trachea, BODY) > 0.98


def test_bone_holds_its_marrow(torso: Torso) -> None:
    assert share(torso.labels, torso.spine, BONE) > 0.95
    assert share(torso.labels, torso.marrow, BONE) > 0.95


def test_marked_blood_is_no_bone(torso: Torso) -> None:
    marked = torso.vessel & (torso.z > 60)  # a mask that ends early: the vessel goes on below it
    labels = label_by_density(Scan(torso.hu, torso.spacing), marked)
    assert share(torso.labels, torso.vessel, BONE) > 0.5
    assert not (labels[torso.vessel] == BONE).any()
    assert share(labels, torso.spine, BONE) > 0.9


def test_small_specks_are_no_bone(torso: Torso) -> None:
    hu = torso.hu.copy()
    hu[10:12, 30:32, 30:32] = 900
    assert not (label_by_density(Scan(hu, torso.spacing))[10:12, 30:32, 30:32] == BONE).any()


def test_an_image_without_body_is_refused() -> None:
    with pytest.raises(ValueError, match="Hounsfield"):
        label_by_density(Scan(np.full((4, 16, 16), -1000.0), (3.0, 3.0, 3.0)))


def test_block_mean_averages_within_slices() -> None:
    array = np.arange(2 * 5 * 4).reshape(2, 5, 4)
    assert np.array_equal(block_mean(array, 2), array[:, :4].reshape(2, 2, 2, 2, 2).mean(axis=(2, 4)))


def grid(shape: tuple[int, int, int], origin: tuple[float, float, float], step: float = 2.0) -> Volume:
    affine = np.diag([step, step, step, 1.0])
    affine[:3, 3] = origin
    return Volume(np.ones(shape, dtype=np.uint8), affine)


def test_a_cropped_blood_mask_returns_to_its_place() -> None:
    placed = blood_on_grid([grid((2, 3, 4), (6.0, 4.0, 2.0))], grid((8, 8, 8), (0.0, 0.0, 0.0)))
    expected = np.zeros((8, 8, 8), dtype=bool)
    expected[1:3, 2:5, 3:7] = True
    assert np.array_equal(placed, expected)


@pytest.mark.parametrize(
    "mask",
    [
        grid((2, 2, 2), (1.0, 0.0, 0.0)),
        grid((2, 2, 2), (0.0, 0.0, 0.0), step=1.0),
        grid((9, 2, 2), (0.0, 0.0, 0.0)),
    ],
    ids=["between voxels", "other spacing", "larger"],
)
def test_a_blood_mask_on_another_grid_is_refused(mask: Volume) -> None:
    with pytest.raises(ValueError, match="another grid"):
        blood_on_grid([mask], grid((8, 8, 8), (0.0, 0.0, 0.0)))


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package with one torso as .nrrd, the same as .nii.gz with other axes, and a cropped blood mask."""
    folder = tmp_path_factory.mktemp("package")
    torso = Torso((5.0, 1.25, 1.25))
    lps = np.diag([1.25, 1.25, 5.0, 1.0])
    lps[:3, 3] = -165, -120, 30
    image_xyz = np.rint(torso.hu).astype(np.int16).transpose(2, 1, 0)
    header = {"space": "left-posterior-superior", "space directions": lps[:3, :3], "space origin": lps[:3, 3]}
    nrrd.write(str(folder / "ct.nrrd"), image_xyz, header)
    nib.save(nib.as_closest_canonical(nib.Nifti1Image(image_xyz, LPS_FROM_RAS @ lps)), folder / "ct.nii.gz")
    cropped, corner = torso.vessel.transpose(2, 1, 0)[100:200, 60:120], lps.copy()
    corner[:3, 3] += (100 * 1.25, 60 * 1.25, 0)
    nib.save(nib.Nifti1Image(cropped.astype(np.uint8), LPS_FROM_RAS @ corner), folder / "blood.nii.gz")
    path = folder / "package.tar.gz"
    with tarfile.open(path, "w:gz", compresslevel=1) as tar:
        for name in ("ct.nrrd", "ct.nii.gz", "blood.nii.gz"):
            tar.add(folder / name, f"package-1/{name}")
    return path


def test_a_patient_is_equal_from_either_format(archive: Path) -> None:
    by_format = [
        read_patient(archive, {"member": f"package-1/ct.{end}", "blood": ""}) for end in ("nrrd", "nii.gz")
    ]
    (image, labels), (again, labels_again) = by_format
    assert image.array_zyx.shape == labels.array_zyx.shape == (36, 96, 132)
    assert (image.array_zyx.dtype, labels.array_zyx.dtype) == (np.int16, np.uint8)
    assert image.spacing_zyx_mm == pytest.approx((5.0, 2.5, 2.5))
    assert image.affine[:3, 3] == pytest.approx((-165 + 0.625, -120 + 0.625, 30))
    assert np.array_equal(image.array_zyx, again.array_zyx)
    assert np.allclose(image.affine, again.affine, atol=1e-3)
    assert np.array_equal(labels.array_zyx, labels_again.array_zyx)
    assert set(np.unique(labels.array_zyx)) == {0, BODY, LUNGS, BONE}


def test_a_vessel_of_the_column_blood_is_no_bone(archive: Path) -> None:
    row = {"member": "package-1/ct.nii.gz", "blood": "package-1/blood.nii.gz"}
    _, marked = read_patient(archive, row)
    _, unmarked = read_patient(archive, {**row, "blood": ""})
    vessel = np.s_[:, 45:52, 68:73]
    assert not (marked.array_zyx[vessel] == BONE).any()
    assert (unmarked.array_zyx[vessel] == BONE).any()


def test_some_slices_are_labelled_as_in_the_whole_volume(archive: Path) -> None:
    row = {"member": "package-1/ct.nrrd", "blood": "package-1/blood.nii.gz"}
    for whole, part in zip(
        read_patient(archive, row), read_patient(archive, row | {"slices": "10-12"}), strict=True
    ):
        assert np.array_equal(part.array_zyx, whole.array_zyx[10:13])
        assert part.affine[:3, 3] == pytest.approx(whole.affine[:3, 3] + (0, 0, 10 * 5.0))
    with pytest.raises(ValueError, match="has '40-50', but the volume has slices 0 to 35; correct it"):
        read_patient(archive, row | {"slices": "40-50"})


@pytest.mark.parametrize("cell", ["3", "5-4", "-5", "a-b", "1-2-3", "١-٢"])
def test_a_cell_that_names_no_slices_is_refused(cell: str) -> None:
    row = {"package": "p", "member": "m", "slices": cell}
    with pytest.raises(ValueError, match=r"^table.tsv: the column slices has .* such as 0-35"):
        DemoCtSource(kind="demo-ct").check_rows([row], "table.tsv")


def test_another_file_type_is_refused(archive: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as tar:
        tar.add(archive, "ct.zip")
    with pytest.raises(ValueError, match=r"ct.zip: expected a .nrrd"):
        read_patient(tmp_path / "a.tar.gz", {"member": "ct.zip"})


def test_the_patient_table_gives_version_and_checksum_of_each_package() -> None:
    table = Path(__file__).parents[3] / "workflow" / "manifests" / "ct-torso.tsv"
    lines = [line for line in table.read_text().splitlines() if not line.startswith("#")]
    rows = list(csv.DictReader(lines, delimiter="\t"))
    assert sorted(row["split"] for row in rows) == ["held-out", "test", "train", "train"]
    for row in rows:
        assert len(row["sha256"]) == 64
        assert "==" in row["package"]
        folder = row["package"].lower().replace("==", "-")
        assert all(
            m.startswith(f"{folder}/") for m in [row["member"], *filter(None, row["blood"].split(";"))]
        )
