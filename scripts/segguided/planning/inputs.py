"""Input files that would make Snakemake delete what is made from them, told before anything is made."""

import os
import shlex
import time
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

TOLERANCE_S = 2.0  # file systems round; jobs take longer
SHOWN = 3
UNSAFE = frozenset("'\"\\`$")  # Snakemake's own quoting of a cluster's commands leaves these to the shell


def refuse_future(paths: Iterable[str], now: float | None = None) -> None:
    """Raise ValueError where one of the files that exist is dated later than `now`.

    Snakemake refuses outputs that are older than an input: only after the job, and then it deletes them.
    """
    at = time.time() if now is None else now
    dated = sorted(((_date(path), path) for path in paths), reverse=True)
    late = [(date, path) for date, path in dated if date > at + TOLERANCE_S]
    if late:
        latest, first = late[0]
        shown = " ".join(shlex.quote(path) for _, path in late[:SHOWN])
        more = f" and {len(late) - SHOWN} more" if len(late) > SHOWN else ""
        raise ValueError(
            f"{first} is dated in the future ({_told(latest)}; it is {_told(at)}), so Snakemake would delete "
            "what is made from it; correct the clock that is wrong, or date the files anew: "
            f"touch {shown}{more}"
        )


def refuse_unquoted(paths: Iterable[str]) -> None:
    """Raise ValueError for a path that a cluster's job could not be told: its shell would act on it."""
    for path in paths:
        if found := sorted(UNSAFE & set(path)):
            raise ValueError(
                f"{path}: on a cluster Snakemake hands the names of inputs to a shell, which acts on "
                f"{' '.join(found)}; rename the folder or file, or run on one machine"
            )


def _date(path: str) -> float:
    """Its own and, of a link, the file's; 0 for none."""
    try:
        return max(os.lstat(path).st_mtime, Path(path).stat().st_mtime)
    except OSError:
        return 0.0


def _told(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds):%Y-%m-%d %H:%M:%S}"
