"""The whole miniature through SLURM, on a node that fails now and then: the same bytes as on this machine."""

import re
from pathlib import Path

from support.miniature import ARGUMENTS, MINIATURE, copy_repository, snakemake
from support.on_cluster import SLURM, finish, printed, start

# Of ten jobs that begin one ends nonzero, whichever it is. A script of its own, since the shell that
# submits a job would expand any variable in it.
FLAKY = """#!/bin/sh
echo "$SLURM_JOB_ID" >>"$0.begun"
[ $(($(wc -l <"$0.begun") % 10)) != 5 ] && exit
echo the node failed >&2
exit 9
"""


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
    there = copy_repository(tmp_path / "there")
    here = copy_repository(tmp_path)
    node = tmp_path / "node.sh"
    node.write_text(FLAKY)
    running = start(
        there, "all", "--configfile", MINIATURE, "--max-threads", "1", *SLURM, "--precommand", f"sh {node}"
    )
    result = snakemake(here, "all", "--configfile", MINIATURE, *ARGUMENTS)
    assert result.returncode == 0, result.stdout + result.stderr
    finish(running, there, 900)
    submitted = len(re.findall("has been submitted with SLURM jobid", printed(there)))
    failed = len(re.findall("Trying to restart", printed(there)))
    assert submitted > 30
    assert failed >= 3, "too few jobs failed: the test shows nothing"
    assert submitted < 60, "patients were not grouped"
    assert content(there) == content(here)
