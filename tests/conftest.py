"""The finished miniature run, made once and shared by the tests that only look at it."""

from pathlib import Path

import pytest

from miniature import ARGUMENTS, MINIATURE, copy_repository, snakemake


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository in which the miniature has run to the end."""
    repository = copy_repository(tmp_path_factory.mktemp("finished"))
    result = snakemake(repository, "all", "applications", "--configfile", MINIATURE, *ARGUMENTS)
    assert result.returncode == 0, result.stdout + result.stderr
    return repository
