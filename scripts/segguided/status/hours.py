"""What a pipeline cost so far: hours by rule, a training's summed over all its attempts."""

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from segguided.status.run import Job, Run
from segguided.text_tables import read_table
from segguided.training.attempts import ATTEMPTS_FILE, Attempt, read_attempts

UNTRAINED = {"slices", "raw", "data", "generated"}  # large folders without trainings
DEVICE = re.compile(r"^device: (.+)$", re.MULTILINE)


@dataclass
class Hours:
    """The hours of one rule. GPU hours are hours times GPUs; `cpu` are the hours of runs without a GPU."""

    rule: str
    jobs: int = 0
    attempts: int = 0
    gpu: float = 0.0
    cpu: float = 0.0

    def add(self, attempts: int, hours: float, gpus: int) -> None:
        """Count one more job."""
        self.jobs += 1
        self.attempts += attempts
        self.gpu += hours * gpus
        self.cpu += 0 if gpus else hours


def hours_by_rule(folder: Path, results: str, runs: Iterable[Run]) -> list[Hours]:
    """The hours by rule of the trainings below `results` and of the GPU jobs that these runs finished.

    The rule that cost most is the first.
    """
    by_rule: dict[str, Hours] = {}
    for attempts in trainings(folder / results):
        script = attempts[-1].script
        rule = by_rule.setdefault(script, Hours(script))
        rule.add(len(attempts), 0, 1)
        rule.gpu += sum(attempt.gpu_hours for attempt in attempts)
        rule.cpu += sum(attempt.hours for attempt in attempts if not attempt.gpus)
    for job in _gpu_jobs(runs, set(by_rule)):
        seconds = _seconds(folder / str(job.benchmark))
        if seconds is not None:
            rule = by_rule.setdefault(job.rule, Hours(job.rule))
            rule.add(1, seconds / 3600, job.gpus if _had_gpu(job, folder) else 0)
    return sorted(by_rule.values(), key=_cost, reverse=True)


def _cost(hours: Hours) -> tuple[float, float]:
    return hours.gpu, hours.cpu


def trainings(results: Path) -> Iterator[list[Attempt]]:
    """The attempts of each training below a folder; records that cannot be read are left out."""
    for place, folders, files in os.walk(results):
        folders[:] = [name for name in folders if name not in UNTRAINED]
        if ATTEMPTS_FILE in files:
            try:
                attempts = read_attempts(Path(place) / ATTEMPTS_FILE)
            except (ValueError, OSError):
                continue
            if attempts:
                yield attempts


def _gpu_jobs(runs: Iterable[Run], trained: set[str]) -> list[Job]:
    """Finished jobs that asked for a GPU, for each benchmark file the last one; not trainings."""
    last = {
        job.benchmark: job
        for run in runs
        for job in run.in_state("finished")
        if job.gpus and job.benchmark and job.rule not in trained
    }
    return list(last.values())


def _seconds(benchmark: Path) -> float | None:
    """Wall time in a benchmark file, which is that of the last attempt alone; None if it cannot be read."""
    try:
        seconds = [float(row["s"]) for row in read_table(benchmark, needs={"s"}).rows]
        return sum(seconds) if seconds else None
    except ValueError:
        return None


def _had_gpu(job: Job, folder: Path) -> bool:
    """Whether a job ran on a GPU: in SLURM it got what it asked for, elsewhere its log says the device."""
    if job.slurm:
        return True
    for name in job.logs:
        try:
            device = DEVICE.search((folder / name).read_text(errors="replace"))
        except OSError:
            continue
        if device:
            return device[1] != "cpu"
    return False
