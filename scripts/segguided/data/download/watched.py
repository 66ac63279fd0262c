"""A child process that writes files into a folder, stopped once nothing arrives there any more."""

import stat
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

LOOK_S = 1.0  # between two looks into the folder


class Silent(Exception):
    """Nothing, or far too little, arrived for too long."""


class TooMuch(Exception):
    """More arrived than was to come."""


@dataclass(frozen=True)
class Limits:
    """What a child is held to."""

    silence_s: float  # that may pass with fewer than least_bytes
    longest_s: float  # for all of it
    least_bytes: int = 1
    most_bytes: int | None = None  # that may be added to the folder


def run_watched(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], limits: Limits
) -> subprocess.CompletedProcess[str]:
    """Run `command`; its exit code, and what it wrote to stderr.

    The child is killed, and what it left stays, where too few bytes were added to the files below `folder`
    for `silence_s` (Silent), where it is not done after `longest_s` (TimeoutError), and where more than
    `most_bytes` were added (TooMuch).
    """
    watch = _Watch(folder, limits)
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment
    ) as child:
        try:
            while True:
                with suppress(subprocess.TimeoutExpired):
                    _, report = child.communicate(timeout=min(LOOK_S, limits.silence_s / 4))
                    return subprocess.CompletedProcess(command, child.returncode, None, report)
                watch.look()
        finally:
            child.kill()


class _Watch:
    """Sees how the folder grows."""

    def __init__(self, folder: Path, limits: Limits) -> None:
        self.folder, self.limits = folder, limits
        self.started = self.moved = time.monotonic()
        self.first = self.seen = _bytes_below(folder)

    def look(self) -> None:
        """Raise what is to be said of the folder."""
        now, come = time.monotonic(), _bytes_below(self.folder)
        if abs(come - self.seen) >= self.limits.least_bytes:
            self.moved, self.seen = now, come
        if self.limits.most_bytes is not None and come - self.first > self.limits.most_bytes:
            raise TooMuch
        if now - self.started > self.limits.longest_s:
            raise TimeoutError
        if now - self.moved > self.limits.silence_s:
            raise Silent


def _bytes_below(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):  # renamed since it was listed
            status = path.lstat()
            total += status.st_size if stat.S_ISREG(status.st_mode) else 0
    return total
