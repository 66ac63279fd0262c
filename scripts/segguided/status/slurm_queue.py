"""Snakemake's jobs in SLURM's queue, recognised by the folder they were submitted from."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from segguided.status.run import journals

FORMAT = "%A|%T|%L|%r|%N|%Z|%j|%k"  # the comment is last because it may hold any character
# Snakemake names its jobs by the id of its run, after the profile's slurm-jobname-prefix.
NAME = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
PATIENCE_SECONDS = 60.0
SLURM_LOGS = Path(".snakemake/slurm_logs")  # the executor makes it before it submits the first job
NO_CLUSTER = (
    "Could not establish a configuration source"  # SLURM's client is installed, but there is no cluster
)


@dataclass(frozen=True)
class QueuedJob:
    """A job that waits, runs or ends."""

    number: str
    state: str  # SLURM's word
    left: str  # until its time limit
    reason: str  # why it waits
    nodes: str
    name: str  # of the Snakemake run
    what: str  # rule and wildcards, as Snakemake comments its jobs

    @property
    def ending(self) -> bool:
        """Cancelled or done, but not yet gone from its node."""
        return self.state in ("COMPLETING", "STAGE_OUT")

    @property
    def waiting(self) -> bool:
        """Not on a node, or not yet again."""
        return not self.ending and self.state not in ("RUNNING", "SUSPENDED", "STOPPED", "SIGNALING")


def queued_jobs(folder: Path, patience: float = PATIENCE_SECONDS) -> list[QueuedJob] | None:
    """This user's jobs that a Snakemake submitted from `folder`; None if there is no SLURM cluster.

    For a folder that never submitted a job, squeue is not asked: it takes a minute if the controller is down.
    Raises OSError if the queue cannot be read within `patience` seconds.
    """
    if not _has_submitted(folder):
        return None
    command = ["squeue", "--me", "--noheader", f"--format={FORMAT}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=patience, check=False)
    except FileNotFoundError:
        return None
    except subprocess.TimeoutExpired:
        raise OSError(f"squeue does not answer within {patience:.0f} s; try again when it does") from None
    if NO_CLUSTER in done.stderr:
        return None
    if done.returncode:
        said = " ".join(done.stderr.split()) or f"exit status {done.returncode}"
        raise OSError(f"squeue does not tell which jobs still run ({said}); try again when it does")
    return parsed(done.stdout, folder)


def parsed(text: str, folder: Path) -> list[QueuedJob]:
    """The jobs among the lines of squeue that Snakemake submitted from `folder`."""
    jobs = []
    for line in text.splitlines():
        number, state, left, reason, nodes, place, name, what = line.split("|", 7)
        if NAME.search(name) and Path(place).resolve() == folder.resolve():
            what = what.removeprefix("rule_")
            jobs.append(QueuedJob(number, state, left, reason, nodes, name, what))
    return jobs


def _has_submitted(folder: Path) -> bool:
    """Whether SLURM's executor ever ran in `folder`: by its logs, or a run's journal."""
    if (folder / SLURM_LOGS).exists():
        return True
    for path in journals(folder):
        with path.open("rb") as journal:
            if b'"slurm_run"' in journal.readline():
                return True
    return False
