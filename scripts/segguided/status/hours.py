"""What a pipeline cost so far: hours by rule, a training's summed over all its attempts."""

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from segguided.status.run import Job, Run
from segguided.text_tables import read_table
from segguided.training.attempts import ATTEMPTS_FILE, Attempt, read_attempts

UNTRAINED = {"slices", "raw", "data", "generated"}  # of which there may be many: no training lies below them
DEVICE = re.compile(r"^device: (.+)$", re.MULTILINE)


@dataclass
class Hours:
    """Of one rule. GPU hours are hours times GPUs; without a GPU an hour is a CPU run's."""

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
    """Trainings below `results`, and the GPU jobs that these runs finished, by rule, dearest first."""
    found: dict[str, Hours] = {}
    for attempts in trainings(folder / results):
        rule = found.setdefault(attempts[-1].script, Hours(attempts[-1].script))
        rule.add(len(attempts), 0, 1)
        rule.gpu += sum(one.gpu_hours for one in attempts)
        rule.cpu += sum(one.hours for one in attempts if not one.gpus)
    for job in _gpu_jobs(runs, set(found)):
        seconds = _seconds(folder / str(job.benchmark))
        if seconds is not None:
            rule = found.setdefault(job.rule, Hours(job.rule))
            rule.add(1, seconds / 3600, job.gpus if _had_gpu(job, folder) else 0)
    return sorted(found.values(), key=_cost, reverse=True)


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
    """Finished jobs that asked for a GPU, each file's last one; trainings keep their own record."""
    last = {
        job.benchmark: job
        for run in runs
        for job in run.in_state("finished")
        if job.gpus and job.benchmark and job.rule not in trained
    }
    return list(last.values())


def _seconds(benchmark: Path) -> float | None:
    """Wall time in a benchmark file: of the last attempt alone."""
    try:
        seconds = [float(row["s"]) for row in read_table(benchmark, needs={"s"}).rows]
        return sum(seconds) if seconds else None
    except ValueError:
        return None


def _had_gpu(job: Job, folder: Path) -> bool:
    """SLURM allocates what a job asks for; elsewhere the job's log tells what it ran on."""
    if job.slurm:
        return True
    for name in job.logs:
        try:
            found = DEVICE.search((folder / name).read_text(errors="replace"))
        except OSError:
            continue
        if found:
            return found[1] != "cpu"
    return False
