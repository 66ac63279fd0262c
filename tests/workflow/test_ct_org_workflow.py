"""CT-ORG through the workflow: dry-run without data, and from a mirror to slices that agree to the voxel."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from segguided.data.slices import read_stack
from segguided.files import sha256_of
from support import fixtures_ct_org as fc
from support.loopback import serving
from support.miniature import copy_repository, jobs_of, snakemake

SLICES = "results/slices/ct-organ/ct-org-000.npz"


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_repository(tmp_path_factory.mktemp("ct-org"))


def configure(to: Path, **source: str | None) -> Path:
    """The shipped dataset with another source, at the size of the case made here."""
    path = to / "change.yaml"
    dataset = {"source": source, "image_size": 32}
    grid = {"datasets": ["ct-organ"], "models": ["unconditional"]}
    path.write_text(yaml.safe_dump({"grid": grid, "datasets": {"ct-organ": dataset}}))
    return path


def test_the_papers_patients_dry_run_without_data(fresh: Path) -> None:
    result = snakemake(
        fresh, "-n", "results/data/ct-organ/splits.csv", "--config", "grid={datasets: [ct-organ]}"
    )
    assert result.returncode == 0, result.stdout + result.stderr
    fetched = {"fetch_volume": 40, "prepare_patient": 40}
    assert jobs_of(result) == {**fetched, "list_split": 3, "split_dataset": 1}


def test_without_source_a_run_ends_in_one_sentence_with_the_choices(fresh: Path, tmp_path: Path) -> None:
    change = configure(tmp_path, folder=None, mirror=None)
    result = snakemake(fresh, SLICES, "--configfile", change, "--cores", 1)
    assert result.returncode == 1
    expected = "error: volume-0.nii.gz has no folder to come from and no mirror is named: either get"
    assert (result.stdout + result.stderr).count(expected) == 1
    assert not (fresh / SLICES).exists()


def test_a_local_file_that_changes_is_noticed(fresh: Path, tmp_path: Path) -> None:
    case = tmp_path / "tcia"
    fc.write_case(case, 7)
    change = configure(tmp_path, folder=str(case), mirror=None)
    receipt = "results/raw/ct-organ/receipts/ct-org-007.json"
    arguments = (receipt, "--configfile", change, "--cores", 1)
    result = snakemake(fresh, *arguments)
    assert result.returncode == 0, result.stdout + result.stderr
    assert not list((fresh / "results/raw/ct-organ").rglob("*.nii.gz"))
    fc.write_case(case, 7, whole=fc.labels(6))
    result = snakemake(fresh, *arguments)
    assert result.returncode == 1
    record = "results/raw/ct-organ/sha256/ct-org-007.sha256"
    assert f"error: {case}/volume-7.nii.gz: expected the SHA-256" in result.stdout + result.stderr
    assert f"recorded in {record}" in result.stdout + result.stderr


def test_from_the_mirror_to_slices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With faults on the way; a second run finds nothing to do."""
    repository = copy_repository(tmp_path)
    whole = fc.write_case(tmp_path / "served", code="LAS")
    pins = [sha256_of(tmp_path / "served" / f"{part}-0.nii.gz") for part in ("volume", "labels")]
    table = repository / "workflow/manifests/ct-org.tsv"
    names = [f"ct-org-{case:03}\t{case}\t\t\t{split}" for case, split in ((1, "held-out"), (2, "test"))]
    first = "\t".join(["ct-org-000", "0", *pins, "train"])
    table.write_text("\n".join(["patient\tcase\tsha256_volume\tsha256_labels\tsplit", first, *names]) + "\n")
    with serving(monkeypatch) as server:
        for part, below in (("volume", "volumes"), ("labels", "labels")):
            data = (tmp_path / "served" / f"{part}-0.nii.gz").read_bytes()
            server.files[f"/{below}/{part}-0.nii.gz"] = data
        server.faults = [500, "cut"]
        change = configure(tmp_path, folder=None, mirror=server.url)
        result = snakemake(repository, SLICES, "--configfile", change, "--cores", 1)
        assert result.returncode == 0, result.stdout + result.stderr
        assert [asked is not None for asked in server.ranges] == [False, False, True, False]
    for mirror in (server.url, "https://another.example/ct-org"):
        change = configure(tmp_path, folder=None, mirror=mirror)
        again = snakemake(repository, "-n", SLICES, "--configfile", change)
        assert "Nothing to be done" in again.stdout + again.stderr
    stack = read_stack(repository / SLICES)
    labels_zyx = np.pad(whole.array_ijk.transpose(2, 1, 0), ((0, 0), (2, 2), (0, 0)))  # to a square
    np.testing.assert_array_equal(stack.masks_SHW, np.where(labels_zyx == 6, 0, labels_zyx))
    inside = np.s_[:, 2:-2]  # the padding is black as air is
    grey = np.rint(np.clip((fc.HU + 1000) * (255 / 1600), 0, 255))
    np.testing.assert_array_equal(stack.images_SHW[inside], grey[labels_zyx[inside]])
    assert len(stack.provenance["mask"]["anatomy"]) == 3
