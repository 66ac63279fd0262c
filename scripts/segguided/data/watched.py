"""A child process that writes files into a folder, stopped once nothing arrives there any more."""

import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

LOOK_S = 1.0  # between two looks into the folder


class Silent(Exception):
    """Nothing arrived for too long."""


def run_watched(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], silence_s: float, longest_s: float
) -> subprocess.CompletedProcess[str]:
    """Run `command`; its exit code, and what it wrote to stderr.

    The child is killed, and what it left stays, where no byte was added to the files in `folder` for
    `silence_s` (Silent) or it is not done after `longest_s` (TimeoutError).
    """
    started = moved = time.monotonic()
    seen = _bytes_in(folder)
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment
    ) as child:
        try:
            while True:
                with suppress(subprocess.TimeoutExpired):
                    _, report = child.communicate(timeout=min(LOOK_S, silence_s / 4))
                    return subprocess.CompletedProcess(command, child.returncode, None, report)
                now, come = time.monotonic(), _bytes_in(folder)
                moved, seen = (now if come != seen else moved), come
                if now - started > longest_s:
                    raise TimeoutError
                if now - moved > silence_s:
                    raise Silent
        finally:
            child.kill()


def _bytes_in(folder: Path) -> int:
    total = 0
    for path in folder.iterdir():
        with suppress(FileNotFoundError):  # renamed since it was listed
            total += path.stat().st_size
    return total
