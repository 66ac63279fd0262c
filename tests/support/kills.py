"""Runs of the miniature that are killed, again and again, and continued as a user would."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from support.miniature import ARGUMENTS, MINIATURE, environment

SAVED = "*.partial.pt"  # what a training writes while it saves
POLL_SECONDS = 0.001
SAVES_WITHIN = 120.0  # seconds
OLD_JOBS_END = 6.0  # seconds: what saves later belongs to the new run


def start(repository: Path, targets: tuple[str, ...], *, resumed: bool) -> "subprocess.Popen[bytes]":
    """Snakemake, the leader of its own group of processes; after a kill by way of resume.py."""
    how = ["scripts/resume.py"] if resumed else ["-m", "snakemake"]
    saving = ("--config", "checkpoint_seconds=0")  # after each step
    command = [sys.executable, *how, *targets, "--configfile", MINIATURE, *ARGUMENTS, *saving]
    command.append("--rerun-incomplete")
    log = (repository / "killed.log").open("ab")
    return subprocess.Popen(
        command, cwd=repository, stdout=log, stderr=log, env=environment(), start_new_session=True
    )


def killed_runs(
    repository: Path, targets: tuple[str, ...], kills: int, seed: int, longest: float
) -> Iterator[str]:
    """Start, kill and continue until `kills` kills are done, then let it finish; a sentence for each kill.

    The first kill and every second after it wait for a training that saves, the others for up to `longest` s.
    Half of them kill Snakemake (or resume.py) alone, whose jobs live on. The others kill all processes, as
    when a machine goes down. A run that is finished before its kill ends it all.
    """
    chance = random.Random(seed)
    number = 0
    while number < kills:
        process = start(repository, targets, resumed=number > 0)
        everything = chance.random() < 0.5
        moment = _wait(process, repository, chance.uniform(0.5, longest), saving=number % 2 == 0)
        if process.poll() is None:
            (os.killpg if everything else os.kill)(process.pid, signal.SIGKILL)
            process.wait()
            number += 1
            yield f"{'all' if everything else 'Snakemake'} killed {moment}"
        elif _finished(process, repository):
            return
    while not _finished(start(repository, targets, resumed=True), repository):
        pass


def _finished(process: "subprocess.Popen[bytes]", repository: Path) -> bool:
    """Whether the run is complete; not while what a killed resume.py had begun still ends."""
    if process.wait(timeout=900) == 0:
        return True
    last = (repository / "killed.log").read_text()[-3000:]
    assert "Snakemake still runs in" in last.splitlines()[-1], last
    time.sleep(2)
    return False


def _wait(process: "subprocess.Popen[bytes]", repository: Path, seconds: float, *, saving: bool) -> str:
    """Until that time is over, or a training saves; what was waited for."""
    since = time.monotonic()
    most = SAVES_WITHIN if saving else seconds
    while process.poll() is None and time.monotonic() - since < most:
        started = time.monotonic() - since > OLD_JOBS_END
        if saving and started and any((repository / "results").glob(f"*/*/*/seed*/**/{SAVED}")):
            return "while a training saved"
        time.sleep(POLL_SECONDS if saving else 0.05)
    return f"after {time.monotonic() - since:.1f} s"
