"""What is alive: processes on this host, jobs in SLURM's queue. A log cannot prove that a job still runs."""

import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from segguided.status.leftovers import SCRIPT, processes, still_runs
from segguided.status.run import Run
from segguided.status.slurm_queue import QueuedJob, queued_jobs

SQUEUE_SECONDS = 10.0  # a display waits no longer for it
QUESTIONS = {"-n", "--dry-run", "--dryrun", "--lint", "--unlock", "--summary", "--help", "--version"}


@dataclass(frozen=True)
class JobProcess:
    """A process that runs one of the pipeline's scripts in its folder."""

    pid: int
    arguments: frozenset[str]


@dataclass(frozen=True)
class Surroundings:
    """What is seen at a moment; a field is None if it cannot be known from this host."""

    now: float
    host: str
    snakemake: bool | None  # whether the run's Snakemake is alive
    processes: tuple[JobProcess, ...] | None
    queue: tuple[QueuedJob, ...] | None
    commands: tuple[tuple[int, str], ...] = ()  # Snakemakes of this folder that this run does not explain
    trouble: str | None = None  # why squeue did not answer

    def processes_of(self, rule: str, outputs: list[str]) -> list[JobProcess]:
        """The processes that run a rule's script for these outputs."""
        script = f"scripts/{rule}.py"
        return [
            process
            for process in self.processes or ()
            if script in process.arguments and process.arguments & set(outputs)
        ]


def look(folder: Path, run: Run | None) -> Surroundings:
    """Look at this host's processes, and at SLURM's queue if there is one."""
    host = socket.gethostname()
    here = run is None or run.host == host
    queue, trouble = _queue(folder)
    masters, jobs = processes(folder)
    return Surroundings(
        now=time.time(),
        host=host,
        snakemake=still_runs(run.pid, run.created) if run and here else None,
        processes=tuple(_scripts(jobs)) if here else None,
        queue=queue,
        commands=tuple(_starting(masters, run)),
        trouble=trouble,
    )


def _queue(folder: Path) -> tuple[tuple[QueuedJob, ...] | None, str | None]:
    """The queue, or why it is not known; both None if no run of this folder used SLURM."""
    try:
        jobs = queued_jobs(folder, SQUEUE_SECONDS)
    except OSError as error:
        return None, str(error)
    return None if jobs is None else tuple(jobs), None


def _scripts(jobs: list[psutil.Process]) -> Iterator[JobProcess]:
    for process in jobs:
        words = _words(process)
        if any(SCRIPT.fullmatch(word) for word in words):
            yield JobProcess(process.pid, frozenset(words))


def _starting(masters: list[psutil.Process], run: Run | None) -> Iterator[tuple[int, str]]:
    """Snakemakes that are about to run something."""
    for process in masters:
        words = _words(process)
        if words and not QUESTIONS & set(words) and not (run and process.pid == run.pid):
            yield process.pid, " ".join(words[1:])


def _words(process: psutil.Process) -> list[str]:
    """A process's command line; empty if it ended meanwhile."""
    try:
        words: list[str] = process.cmdline()
    except psutil.Error:
        return []
    return words
