"""When a SLURM job's time is over: a training run saves itself before, since no signal of SLURM reaches it.

SLURM signals only the job's own child, a Snakemake process that waits for its rule to end.
"""

import logging
import os
import re
import shutil
import subprocess
import time

LOG = logging.getLogger("segguided")
LEFT = re.compile(r"(?:(?:(\d+)-)?(\d+):)?(\d+):(\d+)")  # squeue's %L: [[days-]hours:]minutes:seconds
LONGEST_MARGIN, SHORTEST_MARGIN = 300.0, 15.0  # seconds


def stop_time() -> float | None:
    """The `time.monotonic()` at which to save and stop; None where nothing limits this process.

    Five minutes before the end of the SLURM job, less in a job of under an hour. A limit that the site raises
    while the job runs is followed, where this is asked again.
    """
    left = seconds_left()
    if left is None:
        return None
    return time.monotonic() + left - max(SHORTEST_MARGIN, min(LONGEST_MARGIN, left / 10))


def seconds_left() -> float | None:
    """Seconds until SLURM ends this process's job; None outside of one, or where it has no limit."""
    job, squeue = os.environ.get("SLURM_JOB_ID"), shutil.which("squeue")
    if not job or not squeue:
        return None
    try:
        answer = subprocess.run(
            [squeue, "--noheader", f"--jobs={job}", "--format=%L"],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        LOG.warning(
            "squeue does not tell when job %s ends (%s): at its limit the last checkpoint counts", job, error
        )
        return None
    return parse_left(answer.strip())


def parse_left(text: str) -> float | None:
    """Seconds in squeue's "1-02:03:04"; None for UNLIMITED and whatever else is no time."""
    match = LEFT.fullmatch(text)
    if not match:
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)
