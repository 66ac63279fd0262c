"""A child process that writes files into a folder: it is stopped when no more bytes arrive there."""

import stat
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

CHECK_S = 1.0  # between two checks of the folder


class Silent(Exception):
    """Nothing, or far too little, arrived for too long."""


class TooMuch(Exception):
    """More arrived than was expected."""


@dataclass(frozen=True)
class Limits:
    """When a child process is stopped."""

    silence_s: float  # seconds in which at least `least_bytes` must arrive
    longest_s: float  # seconds for the whole run
    least_bytes: int = 1
    most_bytes: int | None = None  # that may arrive in all


def run_watched(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], limits: Limits
) -> subprocess.CompletedProcess[str]:
    """Run `command` to its end. Returns its exit code and what it wrote to stderr.

    The child is killed, and its files stay, where too few bytes are added to the files below `folder` within
    `silence_s` (raises Silent), where it is not done after `longest_s` (raises TimeoutError), and where more
    than `most_bytes` are added (raises TooMuch).
    """
    watch = _Watch(folder, limits)
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment
    ) as child:
        try:
            while True:
                with suppress(subprocess.TimeoutExpired):
                    _, report = child.communicate(timeout=min(CHECK_S, limits.silence_s / 4))
                    return subprocess.CompletedProcess(command, child.returncode, None, report)
                watch.check()
        finally:
            child.kill()


class _Watch:
    """Watches how the folder grows."""

    def __init__(self, folder: Path, limits: Limits) -> None:
        self.folder = folder
        self.limits = limits
        self.start_s = time.monotonic()
        self.progress_s = self.start_s  # when enough bytes had last arrived
        self.bytes_at_start = _bytes_below(folder)
        self.bytes_at_progress = self.bytes_at_start

    def check(self) -> None:
        """Raise Silent, TimeoutError or TooMuch where a limit is exceeded."""
        now = time.monotonic()
        present = _bytes_below(self.folder)
        if abs(present - self.bytes_at_progress) >= self.limits.least_bytes:
            self.progress_s = now
            self.bytes_at_progress = present
        if self.limits.most_bytes is not None and present - self.bytes_at_start > self.limits.most_bytes:
            raise TooMuch
        if now - self.start_s > self.limits.longest_s:
            raise TimeoutError
        if now - self.progress_s > self.limits.silence_s:
            raise Silent


def _bytes_below(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):  # renamed after it was listed
            status = path.lstat()
            total += status.st_size if stat.S_ISREG(status.st_mode) else 0
    return total
