"""Runs of the miniature that are killed, again and again, and taken up as a user would."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from miniature import ARGUMENTS, MINIATURE, environment

SAVED = "*.partial.pt"  # what a training writes while it saves
POLL_SECONDS = 0.001
SAVES_WITHIN = 120.0  # seconds


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
    """Start, kill, take up, `kills` times, then let it finish; tells of each kill, and of the end.

    The first kill and every second after it wait for a training that saves, the others for up to `longest` s.
    Half of them kill Snakemake alone, whose jobs live on, the others all its processes at once, as a machine
    that goes down. Where a run is finished before its kill, that is told.
    """
    draw = random.Random(seed)
    for number in range(kills):
        process = start(repository, targets, resumed=number > 0)
        saving, everything = number % 2 == 0, draw.random() < 0.5
        moment = _wait(process, repository, draw.uniform(0.5, longest), saving=saving)
        if process.poll() is not None:
            assert process.returncode == 0, (repository / "killed.log").read_text()[-3000:]
            yield f"finished {moment}"
            continue
        (os.killpg if everything else os.kill)(process.pid, signal.SIGKILL)
        process.wait()
        yield f"{'all' if everything else 'Snakemake'} killed {moment}"
    last = start(repository, targets, resumed=True)
    assert last.wait(timeout=900) == 0, (repository / "killed.log").read_text()[-3000:]


def _wait(process: "subprocess.Popen[bytes]", repository: Path, seconds: float, *, saving: bool) -> str:
    """Until that time is over, or a training saves; what was waited for."""
    since = time.monotonic()
    most = SAVES_WITHIN if saving else seconds
    while process.poll() is None and time.monotonic() - since < most:
        if saving and any((repository / "results").glob(f"*/*/*/seed*/**/{SAVED}")):
            return "while a training saved"
        time.sleep(POLL_SECONDS if saving else 0.05)
    return f"after {time.monotonic() - since:.1f} s"
