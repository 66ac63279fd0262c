"""The whole miniature through SLURM, on a node that fails now and then: the same bytes as on this machine."""

import re
from pathlib import Path

from miniature import ARGUMENTS, MINIATURE, copy_repository, snakemake
from on_cluster import SLURM, finish, printed, start

# Of ten jobs one ends nonzero, by its number in SLURM: a later attempt is another job.
FLAKY = "if [ $((SLURM_JOB_ID % 10)) = 5 ]; then echo the node failed >&2; exit 9; fi"


def content(repository: Path) -> dict[str, bytes]:
    """Every result; without what tells when and where it was made."""
    results = repository / "results"
    return {
        str(path.relative_to(results)): path.read_bytes()
        for path in sorted(results.rglob("*"))
        if path.is_file() and path.name != "attempts.json"
    }


def test_a_flaky_cluster_gives_the_bytes_of_one_machine(cluster, tmp_path):
    (tmp_path / "there").mkdir()
    there, here = copy_repository(tmp_path / "there"), copy_repository(tmp_path)
    running = start(
        there, "all", "--configfile", MINIATURE, "--max-threads", "1", *SLURM, "--precommand", FLAKY
    )
    result = snakemake(here, "all", "--configfile", MINIATURE, *ARGUMENTS)
    assert result.returncode == 0, result.stdout + result.stderr
    finish(running, there, 900)
    submitted = len(re.findall("has been submitted with SLURM jobid", printed(there)))
    failed = len(re.findall("Trying to restart", printed(there)))
    assert submitted > 30
    assert failed >= 1, "no job failed: the test shows nothing"
    assert submitted < 60, "patients were not grouped"
    assert content(there) == content(here)
