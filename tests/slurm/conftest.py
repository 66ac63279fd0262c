"""A real SLURM cluster, a finished run to compare with, and copies of it with the training undone.

Nothing here is skipped: where no cluster runs, every test fails and says so.
"""

import os
import shutil
from pathlib import Path

import pytest
from filelock import FileLock

from support.miniature import copy_repository, snakemake
from support.on_cluster import ONE_MODEL, TABLES, Cluster


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """The cluster that `make test-slurm` has started; several of these tests use it at once."""
    os.environ["SLURM_CONF"] = (
        f"{os.environ.get('SEGGUIDED_CLUSTER', '/tmp/segguided-cluster')}/etc/slurm.conf"
    )
    running = Cluster()
    if not running.up():
        pytest.fail(
            "no node of the test cluster answers; start it with tests/slurm/cluster.sh", pytrace=False
        )
    return running


@pytest.fixture(scope="session")
def reference(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A run of one model to the tables, on this machine, undisturbed; it runs once for all workers."""
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "reference"
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            folder.mkdir()
            repository = copy_repository(folder)
            result = snakemake(repository, *TABLES, *ONE_MODEL, "--cores", "2")
            assert result.returncode == 0, result.stdout + result.stderr
    return folder / "repository"


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
