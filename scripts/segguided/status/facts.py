"""What terminal and page say of a job, in words and numbers."""

from segguided.status.progress import JobProgress
from segguided.status.run import Job
from segguided.status.view import JobRow, View
from segguided.status.words import ago, count, duration, number

LIVES = {
    "running": "runs",
    "queued": "queued",
    "starting": "starting",
    "ending": "ending",
    "unknown": "not visible from this host",
    "gone": "stopped",
}


def title_of(row: JobRow) -> str:
    """What the job does, in its rule's words."""
    return (
        f"{count(len(row.group), 'job')} in one submission" if row.group else row.job.message or row.job.name
    )


def subtitle_of(row: JobRow) -> str:
    """Rule and wildcards, or how far a group is."""
    if not row.group:
        return row.job.name
    rules = ", ".join(dict.fromkeys(job.rule for job in row.group))
    return f"{rules}; {row.written} of {len(row.group)} written"


def line_of(row: JobRow, now: float) -> str:
    """What to say of a job without numbers: the end of its log, or how long it has been running."""
    return row.line or f"since {duration(now - row.job.started)}, nothing in its log yet"


def share_of(progress: JobProgress) -> float:
    """From 0 to 1."""
    return progress.done / progress.total if progress.total else 0.0


def steps_of(progress: JobProgress) -> str:
    """`step 1,200 of 30,000`."""
    return f"{progress.unit} {progress.done:,} of {progress.total:,}"


def losses_of(progress: JobProgress) -> str:
    """`loss 0.0123`, or each of several."""
    return ", ".join(f"{name} {number(value)}" for name, value in progress.losses.items())


def speed_of(progress: JobProgress) -> str:
    """Images a second."""
    return "" if progress.images_per_second is None else f"{progress.images_per_second:,.3g} images/s"


def left_of(progress: JobProgress) -> str:
    """Time left at this attempt's own speed."""
    return "" if not progress.seconds_left else f"{duration(progress.seconds_left)} left"


def attempt_of(job: Job, progress: JobProgress | None) -> int:
    """Which attempt it is: of Snakemake's in this run, or of the training's in all runs."""
    return max(job.attempt, progress.attempts if progress else 1)


def where_of(row: JobRow, now: float) -> str:
    """What is known of node, device, attempt, last sign of life, time limit and preview."""
    facts = []
    if row.life not in ("running", "queued"):
        facts.append(LIVES[row.life])
    if row.slurm:
        facts.append(f"SLURM {row.slurm.number}" + (f" on {row.slurm.nodes}" if row.slurm.nodes else ""))
        if row.life == "running" and row.slurm.left not in ("INVALID", "UNLIMITED", "NOT_SET"):
            facts.append(f"limit in {row.slurm.left}")
    if row.progress and row.progress.device:
        facts.append(row.progress.device)
    if (attempt := attempt_of(row.job, row.progress)) > 1:
        facts.append(f"attempt {attempt}")
    if row.progress and row.life not in ("running", "ending"):
        facts.append(f"last seen {ago(now - row.progress.seen)}")
    if row.progress and row.progress.saved:
        facts.append(f"saved {ago(now - row.progress.saved)}")
    if row.progress and row.progress.preview:
        facts.append(f"preview {row.progress.preview}")
    return " · ".join(facts)


def reason_of(row: JobRow) -> str:
    """Why a job waits in SLURM's queue."""
    return f"{row.slurm.state.lower()}: {row.slurm.reason}" if row.slurm else ""


def counts_of(view: View) -> str:
    """`3 running · 2 queued · 5 waiting · 1 failed`."""
    numbers = {
        "running": sum(rule.running for rule in view.rules),
        "queued": sum(rule.queued for rule in view.rules),
        "not visible from here": sum(rule.unseen for rule in view.rules),
        "waiting": view.waiting,
        "failed": sum(rule.failed for rule in view.rules),
    }
    return " · ".join(f"{value:,} {name}" for name, value in numbers.items() if value)
