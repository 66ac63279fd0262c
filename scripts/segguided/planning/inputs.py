"""Input files that Snakemake cannot work with are refused before any job runs."""

import os
import shlex
import time
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

TOLERANCE_S = 2.0  # file systems round; jobs take longer
SHOWN = 3
UNSAFE = frozenset("'\"\\`$")  # characters that Snakemake does not quote in a cluster's commands


def refuse_future(paths: Iterable[str], now: float | None = None) -> None:
    """Raise ValueError if one of the files is dated later than `now`, in seconds (None: the time of now).

    Snakemake refuses outputs that are older than an input. It does so after the job, and deletes them.
    """
    seconds = time.time() if now is None else now
    dated = sorted(((_date(path), path) for path in paths), reverse=True)
    late = [(date, path) for date, path in dated if date > seconds + TOLERANCE_S]
    if not late:
        return
    date, path = late[0]
    shown = " ".join(shlex.quote(path) for _, path in late[:SHOWN])
    more = f" and {len(late) - SHOWN} more" if len(late) > SHOWN else ""
    raise ValueError(
        f"{path} is dated in the future ({_clock(date)}; it is {_clock(seconds)}), so Snakemake would delete "
        "what is made from it; correct the clock that is wrong, or date the files anew: "
        f"touch {shown}{more}"
    )


def refuse_unquoted(paths: Iterable[str]) -> None:
    """Raise ValueError for a path with a character that the shell of a cluster's job would act on."""
    for path in paths:
        unsafe = sorted(UNSAFE & set(path))
        if unsafe:
            raise ValueError(
                f"{path}: on a cluster Snakemake hands the names of inputs to a shell, which acts on "
                f"{' '.join(unsafe)}; rename the folder or file, or run on one machine"
            )


def _date(path: str) -> float:
    """When a file changed, in seconds; of a link the later of its own and its target's time; 0 for none."""
    try:
        return max(os.lstat(path).st_mtime, Path(path).stat().st_mtime)
    except OSError:
        return 0.0


def _clock(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds):%Y-%m-%d %H:%M:%S}"
