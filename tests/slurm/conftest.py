"""A real SLURM cluster, a finished run to compare with, and copies of it with the training undone.

Nothing here is skipped: where SLURM cannot be installed every test fails, and says why.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from miniature import copy_repository, snakemake
from on_cluster import ONE_MODEL, TABLES, Cluster


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    os.environ["SLURM_CONF"] = (
        f"{os.environ.get('SEGGUIDED_CLUSTER', '/tmp/segguided-cluster')}/etc/slurm.conf"
    )
    running = Cluster()
    running.script("start")
    yield running
    running.script("stop")


@pytest.fixture(scope="session")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one model to the tables, on this machine, undisturbed."""
    repository = copy_repository(tmp_path_factory.mktemp("reference"))
    result = snakemake(repository, *TABLES, *ONE_MODEL, "--cores", "2")
    assert result.returncode == 0, result.stdout + result.stderr
    return repository


@pytest.fixture
def untrained(reference: Path, tmp_path: Path) -> Path:
    """The reference without its model and what was made with it."""
    repository = tmp_path / "repository"
    shutil.copytree(reference, repository, symlinks=True)
    for name in (
        "runs",
        "generated",
        "segmenters/breast-phantom/segguided",
        "metrics/breast-phantom/segguided",
    ):
        shutil.rmtree(repository / "results" / name)
    for name in TABLES:
        (repository / name).unlink()
    return repository
