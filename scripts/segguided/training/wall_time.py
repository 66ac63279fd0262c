"""When a SLURM job's time is over: a training run saves itself before that, because no signal reaches it.

SLURM signals only the job's own child, a Snakemake process that waits for its rule to end.
"""

import logging
import os
import re
import shutil
import subprocess
import time

LOG = logging.getLogger("segguided")
TIME_LEFT = re.compile(r"(?:(?:(\d+)-)?(\d+):)?(\d+):(\d+)")  # squeue's %L: [[days-]hours:]minutes:seconds
LONGEST_MARGIN = 300.0  # seconds
SHORTEST_MARGIN = 15.0


def stop_time() -> float | None:
    """The `time.monotonic()` at which to save and stop; None if nothing limits this process.

    Five minutes before the end of the SLURM job; where a tenth of the time left is less, that, and at
    least 15 seconds. The site may raise the limit while the job runs: ask again to follow it.
    """
    left = seconds_left()
    if left is None:
        return None
    return time.monotonic() + left - max(SHORTEST_MARGIN, min(LONGEST_MARGIN, left / 10))


def seconds_left() -> float | None:
    """Seconds until SLURM ends this process's job; None outside of a job, or if it has no limit."""
    job = os.environ.get("SLURM_JOB_ID")
    squeue = shutil.which("squeue")
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
            "squeue does not say when job %s ends (%s): at its limit the last checkpoint counts", job, error
        )
        return None
    return parse_left(answer.strip())


def parse_left(text: str) -> float | None:
    """Seconds in squeue's "1-02:03:04"; None for UNLIMITED and anything else that is no time."""
    match = TIME_LEFT.fullmatch(text)
    if not match:
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)
