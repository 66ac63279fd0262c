"""A miniature of the whole workflow: copies of the repository, and runs of it on four tiny phantoms."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
MINIATURE = "workflow/miniature.yaml"
ARGUMENTS = ("--profile", "workflow/profiles/demo", "--cores", "2")
PARTS = ("Snakefile", "config.yaml", "workflow", "envs", "scripts", "slurm", "profiles")


def copy_repository(folder: Path) -> Path:
    """The files a run needs, in a new folder; no results."""
    target = folder / "repository"
    target.mkdir()
    for part in PARTS:
        source = ROOT / part
        if source.is_symlink():
            (target / part).symlink_to(source.readlink())
        elif source.is_dir():
            shutil.copytree(source, target / part, ignore=shutil.ignore_patterns("__pycache__", ".*_cache"))
        else:
            shutil.copy(source, target / part)
    shutil.copy(ROOT / "tests" / "support" / "miniature.yaml", target / MINIATURE)
    shutil.copy(ROOT / "tests" / "support" / "miniature.tsv", target / "workflow/manifests/miniature.tsv")
    return target


def environment() -> dict[str, str]:
    """This process's, with this Python's commands found first, and one thread a job."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "OMP_NUM_THREADS": "1"}


def in_foreground(command: Sequence[object], **options: Any) -> "subprocess.Popen[Any]":
    """A child that tests send signals to, whatever this process does with its own.

    A job in the background (`nohup make test-slurm &`) ignores SIGINT, and its children inherit that; Python
    then installs no handler of its own.
    """
    return subprocess.Popen(list(map(str, command)), preexec_fn=_with_signals, **options)  # noqa: PLW1509


def _with_signals() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def snakemake(repository: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run snakemake in `repository` with this Python's environment."""
    command = [sys.executable, "-m", "snakemake", *map(str, arguments)]
    return subprocess.run(command, cwd=repository, capture_output=True, text=True, env=environment())


def jobs_of(result: subprocess.CompletedProcess[str]) -> dict[str, int]:
    """Job counts of each rule in a dry-run's summary."""
    table = re.search(
        r"^job +count\n[- ]+\n(.*?)^total", result.stdout + result.stderr, re.DOTALL | re.MULTILINE
    )
    if not table:
        return {}
    return {name: int(count) for name, count in re.findall(r"^(\w+) +(\d+)$", table[1], re.MULTILINE)}
