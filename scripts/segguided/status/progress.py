"""How far a job is: of a training its attempts.json says it, of a generation the lines of its log."""

import re
from dataclasses import dataclass
from pathlib import Path

from segguided.status.run import Job
from segguided.status.tails import tail
from segguided.training.attempts import ATTEMPTS_FILE, Attempt, Losses, read_attempts
from segguided.training.preview_files import PREVIEWS, newest_preview

GENERATED = re.compile(r"^generated (\d+) of (\d+) images$", re.MULTILINE)
CLOCKS_DIFFER = 120.0  # seconds, between hosts
CLOCK_TICKS = 2.0  # seconds, on one host


@dataclass(frozen=True)
class JobProgress:
    """Numbers of a running or stopped job; None where they are not known (yet)."""

    done: int
    total: int
    unit: str  # step or image
    images_per_second: float | None
    seconds_left: float | None
    losses: Losses
    curve: tuple[tuple[float, float], ...]  # step and first loss, over all attempts of this training
    attempts: int  # including this one
    device: str | None
    seen: float  # last sign of life
    saved: float | None  # when what is needed to resume was last written
    preview: str | None = None  # path of the newest preview image of a training


def progress_of(job: Job, folder: Path) -> JobProgress | None:
    """The progress of a started job; None if it is not known."""
    return _training(job, folder) or _generation(job, folder)


def _record_of(job: Job, folder: Path) -> list[Attempt]:
    """The attempts of a training; none for other jobs or a damaged record."""
    if not job.outputs:
        return []
    try:
        return read_attempts((folder / job.outputs[0]).with_name(ATTEMPTS_FILE))
    except (ValueError, OSError):
        return []


def _is_of(last: Attempt, job: Job) -> bool:
    """Whether the last attempt of a record is of this start of the job, which may not train yet."""
    if last.script != job.rule:
        return False
    if job.slurm and last.slurm_job:
        return job.slurm == last.slurm_job
    slack = CLOCK_TICKS if job.local else CLOCKS_DIFFER
    return last.started.timestamp() > job.started - slack


def _training(job: Job, folder: Path) -> JobProgress | None:
    attempts = _record_of(job, folder)
    if not attempts or not _is_of(attempts[-1], job):
        return None
    last = attempts[-1]
    speed = last.images_per_second
    left = None
    if speed and last.step is not None:
        left = (last.steps - last.step) * last.batch_size / speed
    return JobProgress(
        done=last.step or 0,
        total=last.steps,
        unit="step",
        images_per_second=speed,
        seconds_left=left,
        losses=last.losses,
        curve=curve_of(attempts),
        attempts=len(_since_finished(attempts)),
        device=f"{last.gpus} × {last.device}" if last.gpus > 1 else last.device,
        seen=last.seen.timestamp(),
        saved=_written(folder / job.outputs[0]),
        preview=_preview(job.outputs[0], folder),
    )


def _since_finished(attempts: list[Attempt]) -> list[Attempt]:
    """The attempts of the training that is not finished, or of the last one that is."""
    start = max((n for n, attempt in enumerate(attempts[:-1], 1) if attempt.state == "finished"), default=0)
    return attempts[start:]


def curve_of(attempts: list[Attempt]) -> tuple[tuple[float, float], ...]:
    """Step and first loss over the attempts that led to the last one; a fresh start begins a new curve."""
    points: dict[float, float] = {}
    for attempt in attempts:
        first = attempt.first_step
        if first is None:
            continue
        points = {step: loss for step, loss in points.items() if step <= first}
        for point in attempt.curve:
            step, *losses = point.values()
            if step is not None and losses and losses[0] is not None:
                points[step] = losses[0]
    return tuple(sorted(points.items()))


def _preview(output: str, folder: Path) -> str | None:
    """The newest preview beside a training's output, as a path from the pipeline's folder."""
    run = Path(output).parent
    newest = newest_preview(folder / run)
    return str(run / PREVIEWS / newest.name) if newest else None


def _written(output: Path) -> float | None:
    try:
        return output.with_name("resume.pt").stat().st_mtime
    except OSError:
        return None


def _generation(job: Job, folder: Path) -> JobProgress | None:
    """The progress of the set that a job generates now: it generates one after the other."""
    for name in job.logs:
        path = folder / name
        counts = [(int(done), int(total)) for done, total in GENERATED.findall(tail(path, lines=1000))]
        if counts:
            return _of_set(job, counts, path.stat().st_mtime)
    return None


def _of_set(job: Job, counts: list[tuple[int, int]], seen: float) -> JobProgress:
    """The progress by the counts of images in a log, which was last written at `seen`."""
    done, total = counts[-1]
    finished = sum(number for number, of in counts[:-1] if number == of)
    speed = (finished + done) / max(seen - job.started, 1)
    return JobProgress(
        done=done,
        total=total,
        unit="image",
        images_per_second=speed,
        seconds_left=(total - done) / speed,
        losses={},
        curve=(),
        attempts=job.attempt,
        device=None,
        seen=seen,
        saved=None,
    )
