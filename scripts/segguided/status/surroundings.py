"""What lives: processes on this host, jobs in SLURM's queue. No log ever proves that a job still runs."""

import re
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from segguided.status.run import Run

QUEUE_FORMAT = "%A|%T|%M|%L|%r|%N|%Z|%j|%k"  # the comment last: it may hold anything
RUN_NAME = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")  # how Snakemake's SLURM jobs are named
QUEUE_SECONDS = 20
SCRIPT = re.compile(r"scripts/(?!status)\w+\.py")
# Options of a Snakemake that runs no job, or that one of SLURM's jobs started.
QUESTIONS = {
    "-n",
    "--dry-run",
    "--dryrun",
    "--lint",
    "--unlock",
    "--summary",
    "--target-jobs",
    "--help",
    "--version",
}
SNAKEMAKE = re.compile(r"(^|/)snakemake(/__main__\.py)?$")


@dataclass(frozen=True)
class Process:
    """A process that runs one of the pipeline's scripts in its folder."""

    pid: int
    arguments: frozenset[str]
    python: bool  # itself, and not the shell or the timer around it


@dataclass(frozen=True)
class SlurmJob:
    """A line of squeue."""

    id: str
    state: str
    elapsed: str
    left: str  # until its time limit
    reason: str  # why it waits
    nodes: str
    name: str
    comment: str  # rule and wildcards

    @property
    def life(self) -> str:
        """running, ending or queued."""
        if self.state in ("COMPLETING", "STAGE_OUT"):
            return "ending"
        return "running" if self.state in ("RUNNING", "SUSPENDED", "STOPPED", "SIGNALING") else "queued"


@dataclass(frozen=True)
class Surroundings:
    """An observation at one moment; None where nothing can be known from this host."""

    now: float
    host: str
    snakemake: bool | None  # whether the run's Snakemake lives
    processes: tuple[Process, ...] | None
    queue: tuple[SlurmJob, ...] | None
    commands: tuple[tuple[int, str], ...] = ()  # Snakemakes of this folder that this run does not explain
    trouble: str | None = None  # why squeue did not answer

    def processes_of(self, rule: str, outputs: list[str]) -> list[Process]:
        """The processes that run a rule's script for these outputs."""
        script = f"scripts/{rule}.py"
        return [p for p in self.processes or () if script in p.arguments and p.arguments & set(outputs)]


def look(folder: Path, run: Run | None) -> Surroundings:
    """Look at this host's processes, and at SLURM's queue where there is one."""
    host = socket.gethostname()
    here = run is None or run.host == host
    queue, trouble = _queue(folder)
    scripts, commands = _processes(folder)
    return Surroundings(
        now=time.time(),
        host=host,
        snakemake=_lives(run) if run and here else None,
        processes=tuple(scripts) if here else None,
        queue=queue,
        commands=tuple((pid, command) for pid, command in commands if run is None or pid != run.pid),
        trouble=trouble,
    )


def _lives(run: Run) -> bool:
    """Whether the very process that began the journal is alive; its id may belong to another one by now."""
    try:
        process = psutil.Process(run.pid)
        same = abs(process.create_time() - run.created) < 2
        return same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _processes(folder: Path) -> tuple[list[Process], list[tuple[int, str]]]:
    """What runs one of the pipeline's scripts in this folder; the Snakemakes that a person started there."""
    scripts, commands = [], []
    for process in psutil.process_iter(["cmdline", "cwd", "status"]):
        arguments = process.info["cmdline"] or []
        if process.info["cwd"] != str(folder) or process.info["status"] == psutil.STATUS_ZOMBIE:
            continue
        if any(SCRIPT.fullmatch(one) for one in arguments):
            python = Path(arguments[0]).name.startswith("python")
            scripts.append(Process(process.pid, frozenset(arguments), python))
        elif any(SNAKEMAKE.search(one) for one in arguments[:4]) and not QUESTIONS & set(arguments):
            commands.append((process.pid, " ".join(arguments[1:])))
    return scripts, commands


def _queue(folder: Path) -> tuple[tuple[SlurmJob, ...] | None, str | None]:
    """SLURM's jobs of this folder; None and a reason where squeue is there but does not answer."""
    command = ["squeue", "--me", "--noheader", f"--format={QUEUE_FORMAT}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=QUEUE_SECONDS, check=False)
    except FileNotFoundError:
        return None, None
    except subprocess.TimeoutExpired:
        return None, f"squeue did not answer within {QUEUE_SECONDS} s"
    if done.returncode:
        return None, f"squeue: {' '.join(done.stderr.split()) or f'exit status {done.returncode}'}"
    return parse_queue(done.stdout, folder), None


def parse_queue(text: str, folder: Path) -> tuple[SlurmJob, ...]:
    """The lines of squeue that are Snakemake jobs of this folder."""
    found = []
    for line in text.splitlines():
        job, state, elapsed, left, reason, nodes, work, name, comment = line.split("|", 8)
        if work == str(folder) and RUN_NAME.search(name):
            found.append(SlurmJob(job, state, elapsed, left, reason, nodes, name, comment))
    return tuple(found)
