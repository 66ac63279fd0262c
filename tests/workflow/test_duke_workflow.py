"""The breast MRI through Snakemake: from series on a local S3 server to slices and splits."""

import csv
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest
import yaml

from segguided.data.datasets.duke_layout import write_duke_layout
from segguided.data.datasets.phantom import make_phantom
from support.miniature import ARGUMENTS, copy_repository, jobs_of, snakemake
from support.s3_stand_in import StandIn, serve

SPLITS = {
    "Breast_MRI_002": "held-out-or-test",
    "Breast_MRI_006": "train",
    "Breast_MRI_018": "held-out-or-test",
}
TARGET = "results/data/breast-mri/splits.csv"


def write_table(path: Path, rows: list[dict[str, str]]) -> None:
    lines = ["\t".join(rows[0]), *("\t".join(row.values()) for row in rows)]
    path.write_text("\n".join(lines) + "\n")


def settings(repository: Path, endpoint: str, manifest: str = "own.tsv") -> Path:
    """A configuration for three tiny patients on the server `endpoint`."""
    dataset = {"source": {"endpoint": endpoint}, "manifest": manifest, "image_size": 64}
    grid = {"datasets": ["breast-mri"], "models": ["unconditional"]}
    path = repository / "own.yaml"
    path.write_text(yaml.safe_dump({"grid": grid, "datasets": {"breast-mri": dataset}}))
    return path


def own_rows(stand_in: StandIn, repository: Path) -> list[dict[str, str]]:
    """Three phantoms in place of the Duke data: series on the server, masks in the folder of config.yaml."""
    rows = []
    for patient, split in SPLITS.items():
        write_duke_layout(make_phantom(patient, seed=0, size=32, slices=5), patient, repository / "made")
        files = sorted((repository / "made/images" / patient).iterdir())
        rows.append(
            {
                "patient": patient,
                "series_uid": str(pydicom.dcmread(files[0]).SeriesInstanceUID),
                "series_url": stand_in.upload(f"uuid-of-{patient}", files),
                "instances": str(len(files)),
                "size_MB": f"{sum(path.stat().st_size for path in files) / 1e6:.6f}",
                "paper_split": split,
            }
        )
    masks = repository / "data/duke-masks/Supplement-v3/Segmentation_Masks_NRRD"
    shutil.copytree(repository / "made/Segmentation_Masks_NRRD", masks)
    return rows


@pytest.fixture(scope="module")
def fetched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, StandIn]]:
    """A copy of the repository in which three patients were fetched, sliced and split."""
    repository = copy_repository(tmp_path_factory.mktemp("duke"))
    with serve() as stand_in:
        write_table(repository / "own.tsv", own_rows(stand_in, repository))
        stand_in.faults["list"] = [0.3] * 3
        config = settings(repository, stand_in.endpoint)
        result = snakemake(
            repository, TARGET, "--configfile", config, *ARGUMENTS, "--resources", "download=1"
        )
        assert result.returncode == 0, result.stdout + result.stderr
        (repository / "run.log").write_text(result.stdout + result.stderr)
        yield repository, stand_in


def test_series_become_slices_and_splits(fetched: tuple[Path, StandIn]) -> None:
    repository, stand_in = fetched
    with (repository / TARGET).open() as file:
        rows = list(csv.DictReader(file))
    assert {row["patient"]: row["split"] for row in rows}["Breast_MRI_006"] == "train"
    assert sorted(row["split"] for row in rows) == ["held-out", "test", "train"]
    assert all(int(row[f"pixels_{name}"]) > 0 for row in rows for name in ("breast", "vessels", "FGT"))
    assert len([name for name in stand_in.sent if name != "list"]) >= 15


def test_downloads_share_a_limit(fetched: tuple[Path, StandIn]) -> None:
    """Two cores, but one download at a time; where the user says nothing, four."""
    log = (fetched[0] / "run.log").read_text()
    events = re.findall(r"(Downloading) the series|(Finished) jobid: \d+ \(Rule: fetch_series\)", log)
    assert ["".join(event) for event in events] == ["Downloading", "Finished"] * 3
    profile = yaml.safe_load((fetched[0] / "workflow/profiles/default/config.yaml").read_text())
    assert profile["resources"]["download"] == 4


def test_the_authors_halves_fetch_and_slice_nothing_again(fetched: tuple[Path, StandIn]) -> None:
    repository, stand_in = fetched
    with (repository / "own.tsv").open() as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    rows[0]["paper_split"] = "test"
    rows[2]["paper_split"] = "held-out"
    write_table(repository / "theirs.tsv", rows)
    config = settings(repository, stand_in.endpoint, "theirs.tsv")
    result = snakemake(repository, "-n", TARGET, "--configfile", config)
    assert result.returncode == 0, result.stdout + result.stderr
    assert jobs_of(result) == {"list_split": 2, "split_dataset": 1}


def test_another_server_reruns_nothing(fetched: tuple[Path, StandIn]) -> None:
    repository, _ = fetched
    config = settings(repository, "http://127.0.0.1:9")
    result = snakemake(repository, "-n", TARGET, "--configfile", config)
    assert result.returncode == 0, result.stdout + result.stderr
    assert jobs_of(result) == {}


def test_without_a_network_one_sentence_says_what_could_not_be_reached(
    fetched: tuple[Path, StandIn], tmp_path: Path
) -> None:
    repository = copy_repository(tmp_path)
    shutil.copytree(fetched[0] / "data", repository / "data")
    shutil.copy(fetched[0] / "own.tsv", repository)
    config = settings(repository, "http://127.0.0.1:9")
    target = "results/data/breast-mri/overview.png"
    result = snakemake(repository, target, "--configfile", config, *ARGUMENTS)
    assert result.returncode == 1
    errors = set(re.findall("^ *(error: .*)$", result.stdout + result.stderr, re.MULTILINE))
    images = "results/raw/breast-mri/images"
    assert errors <= {
        "error: http://127.0.0.1:9 cannot be reached; run the same command again with a network connection, "
        "name another server of the bucket as source.endpoint, or put the series' files into "
        f"{images}/{patient} by hand"
        for patient in SPLITS
    }
    assert errors
    assert not list((repository / "results").rglob("*.npz"))


def test_as_shipped_it_asks_for_the_masks_before_it_downloads_anything(tmp_path: Path) -> None:
    repository = copy_repository(tmp_path)
    target = "results/data/breast-mri/overview.png"
    nowhere = 'datasets={breast-mri: {source: {endpoint: "http://127.0.0.1:9"}}}'
    result = snakemake(repository, target, "--config", nowhere)
    assert result.returncode == 1
    output = result.stdout + result.stderr
    assert "error: data/duke-masks: expected the folder of the masks, but there is none; download" in output
    assert "; besides, http://127.0.0.1:9 cannot be reached; run the same command again with" in output
    assert not (repository / "results/raw/breast-mri/images").exists()


def test_a_dry_run_of_the_paper_needs_no_data(tmp_path: Path) -> None:
    repository = copy_repository(tmp_path)
    result = snakemake(repository, "-n", "all", "--config", "grid={datasets: [breast-mri]}")
    assert result.returncode == 0, result.stdout + result.stderr
    jobs = jobs_of(result)
    assert jobs["fetch_series"] == jobs["prepare_patient"] == 100
    assert "write_phantom" not in jobs
