"""The finished miniature run, made once and shared by the tests that only look at it."""

import os
from pathlib import Path

import pytest

from support.miniature import ARGUMENTS, MINIATURE, copy_repository, snakemake

for name in ("NO_PROXY", "no_proxy"):  # the servers of the tests are on this machine
    os.environ[name] = "127.0.0.1,localhost"


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository in which the miniature has run to the end."""
    repository = copy_repository(tmp_path_factory.mktemp("finished"))
    result = snakemake(repository, "all", "applications", "--configfile", MINIATURE, *ARGUMENTS)
    assert result.returncode == 0, result.stdout + result.stderr
    return repository
