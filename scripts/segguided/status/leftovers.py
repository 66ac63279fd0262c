"""Jobs that outlive a killed Snakemake. They would overwrite what a new one makes, or delete it at their end.

A SIGKILL, a lost login node or a power cut leaves them running. They are recognised by the folder where they
run: SLURM jobs that Snakemake named, and processes of this machine that run one of its scripts.
"""

import os
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from segguided.status.slurm_queue import QueuedJob, queued_jobs

SCRIPT = re.compile(r"scripts/(?!status|resume)\w+\.py")  # the scripts of rules
SAME_START = 2.0  # seconds between two readings of the time when a process began
PATIENCE = 120.0  # seconds for cancelled jobs to end: SLURM kills them after KillWait, 30 s by default


def still_runs(pid: int, created: float) -> bool:
    """Whether the process of this id that began at `created` runs on this machine.

    Its id may belong to another process by now, which began later.
    """
    try:
        process = psutil.Process(pid)
        same = abs(process.create_time() - created) < SAME_START
        return same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def processes(folder: Path) -> tuple[list[psutil.Process], list[psutil.Process]]:
    """Snakemakes in `folder` on this machine, and processes of their jobs; not this one and its parents."""
    family = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    masters: list[psutil.Process] = []
    jobs: list[psutil.Process] = []
    for process in psutil.process_iter():
        try:
            words = process.cmdline()
            place = process.cwd()
        except psutil.Error:  # ended meanwhile, or another user's
            continue
        if process.pid in family or Path(place) != folder.resolve():
            continue
        if any(Path(word).name == "snakemake" for word in words[:3]):
            (jobs if "--mode" in words else masters).append(process)
        elif any(SCRIPT.fullmatch(word) for word in words[:3]):
            jobs.append(process)
    return masters, jobs


def refusal(folder: Path) -> str | None:
    """Why no Snakemake should start in `folder`, in a sentence; None if one may start.

    Jobs that are about to end are waited for.
    """
    jobs = _remaining(folder, lambda queued: not all(job.ending for job in queued))
    if not jobs:
        return None
    shown = ", ".join(f"{job.number} ({job.what})" for job in jobs[:5]) + (", …" if len(jobs) > 5 else "")
    return (
        f"{len(jobs)} SLURM jobs of an earlier Snakemake still run or wait in {folder}: {shown}; they would "
        "overwrite or delete what this one makes; end them and continue with `python scripts/resume.py` "
        "and the same arguments"
    )


def clear(folder: Path) -> list[str]:
    """End what a killed Snakemake left in `folder`, and wait until it has ended. Returns what was ended.

    Raises ValueError if Snakemake itself still runs here, or if jobs do not end.
    """
    masters, local = processes(folder)
    if masters:
        raise ValueError(
            f"Snakemake still runs in {folder} (process {masters[0].pid}); let it finish or press Ctrl-C"
        )
    jobs = queued_jobs(folder) or []
    if jobs:
        subprocess.run(["scancel", *(job.number for job in jobs)], check=True)
    for process in local:
        process.terminate()
    _, stubborn = psutil.wait_procs(local, timeout=60)
    for process in stubborn:
        process.kill()
    remaining = _remaining(folder, lambda _: False)
    if remaining:
        raise ValueError(
            f"SLURM job {remaining[0].number} was cancelled {PATIENCE:.0f} s ago and has not ended; wait "
            "until squeue shows it no more, then give this command again"
        )
    cancelled = [f"SLURM job {job.number} ({job.what})" for job in jobs]
    return cancelled + [f"process {process.pid}" for process in local]


def _remaining(folder: Path, decided: Callable[[list[QueuedJob]], bool]) -> list[QueuedJob]:
    """The queue's jobs. It asks until there are none, or `decided` is true of them, or the time is over."""
    end = time.monotonic() + PATIENCE
    while (jobs := queued_jobs(folder) or []) and not decided(jobs) and time.monotonic() < end:
        time.sleep(1)
    return jobs
