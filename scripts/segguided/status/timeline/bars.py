"""The jobs of a run over time, from its journal: start, end, CPU time, stage, and the critical path."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path

from segguided.status.journal import FOLDER
from segguided.status.run import Job, JournalReader, Run, journals
from segguided.text_tables import read_table

# By the beginnings of rules' names, the first that fits.
STAGES = {
    "download, prepare": ("fetch_", "write_phantom", "prepare_", "list_", "split_", "choose_", "repeat_"),
    "segment": ("train_segmenter", "train_augmented"),
    "train": ("train_", "import_"),
    "generate": ("generate_", "translate_", "gather_"),
    "measure": ("evaluate_", "measure_", "time_"),
    "tables, figures, files": ("make_", "draw_", "write_", "pair_", "export_"),
}
OTHER = "other"
COMPUTING = ("segment", "train", "generate", "measure")
PICTURE_RULE = "draw_run"  # it draws while it runs itself


@dataclass(frozen=True)
class Bar:
    """A job that was started; times are seconds since 1970.

    `submitted` and `start` differ where the job waited in a queue. `cpu`: seconds; None where nobody counted.
    """

    job: Job
    submitted: float
    start: float
    end: float
    cpu: float | None

    @property
    def seconds(self) -> float:
        """How long it worked."""
        return self.end - self.start

    @property
    def done(self) -> bool:
        """Whether it made its files."""
        return self.job.state == "finished"

    @property
    def stage(self) -> str:
        """The stage of the pipeline that its rule belongs to."""
        return stage_of(self.job.rule)


@dataclass(frozen=True)
class Timeline:
    """A run's jobs, the first started first. `path`: the critical path; empty where it is not known."""

    run: Run
    bars: list[Bar]
    path: list[Bar]
    end: float

    @property
    def wall(self) -> float:
        """Seconds from the run's begin to its end, or to its last sign of life."""
        return self.end - self.run.begun

    @property
    def jobs_at_once(self) -> float:
        """How many jobs worked at once, as a mean over the run."""
        return _sum(bar.seconds for bar in self.bars) / self.wall if self.wall else 0.0

    @property
    def cpu(self) -> float:
        """CPU seconds of the jobs."""
        return _sum(bar.cpu or 0.0 for bar in self.bars)

    @property
    def share_outside_computing(self) -> float:
        """The share of the CPU time that neither trained nor generated nor measured; 0 of nothing."""
        outside = _sum(bar.cpu or 0.0 for bar in self.bars if bar.stage not in COMPUTING)
        return outside / self.cpu if self.cpu else 0.0

    @property
    def never_started(self) -> int:
        """Jobs of the run's plan that were not started, those without files left out."""
        planned = sum(count for rule, count in self.run.totals.items() if stage_of(rule) != OTHER)
        planned -= self.run.totals.get(PICTURE_RULE, 0)
        return max(0, planned - len(self.bars))


def stage_of(rule: str) -> str:
    """The stage of a rule."""
    for stage, beginnings in STAGES.items():
        if rule.startswith(beginnings):
            return stage
    return OTHER


def newest_timeline(folder: Path, results: str | None) -> Timeline:
    """The newest run in a pipeline's folder that started jobs; with `results`, of those that write there.

    Raises ValueError where there is none.
    """
    for path in reversed(journals(folder)):
        run = JournalReader(path).read()
        if results is None or Path(run.results) == Path(results):
            timeline = timeline_of(run, folder)
            if timeline.bars:
                return timeline
    writes = f" that writes to {results}" if results else ""
    raise ValueError(
        f"{folder / FOLDER}: expected the journal of a run{writes} and started a job, found none; "
        "run snakemake first, without --no-hooks, or name another folder or other results"
    )


def timeline_of(run: Run, folder: Path) -> Timeline:
    """The timeline of a run; jobs without files, as `all`, and the job that draws it are left out."""
    end = run.ended if run.ended is not None else max(run.path.stat().st_mtime, run.begun)
    jobs = [job for job in run.jobs.values() if job.outputs and job.rule != PICTURE_RULE]
    bars = sorted((_bar(job, folder, end) for job in jobs), key=_start)
    return Timeline(run, bars, critical_path(bars), end)


def _start(bar: Bar) -> float:
    return bar.start


def _bar(job: Job, folder: Path, run_end: float) -> Bar:
    end = job.ended if job.ended is not None and job.state != "waiting" else max(run_end, job.started)
    if not job.slurm or job.state != "finished":
        return Bar(job, job.started, job.started, end, job.cpu)
    seconds, cpu, written = _benchmark(folder / str(job.benchmark))
    if not job.started <= written:  # of an earlier run, or missing
        return Bar(job, job.started, job.started, end, None)
    end = min(end, written)  # the jobs of a group are reported together
    return Bar(job, job.started, max(job.started, end - seconds), end, cpu)


def _benchmark(path: Path) -> tuple[float, float | None, float]:
    """Seconds, CPU seconds and time of writing of a benchmark file; the time is NaN if it cannot be read."""
    try:
        row = read_table(path, needs={"s", "cpu_time"}).rows[-1]
        cpu = float(row["cpu_time"]) if row["cpu_time"] not in ("NA", "-") else None
        return float(row["s"]), cpu, path.stat().st_mtime
    except (ValueError, OSError, IndexError):
        return math.nan, None, math.nan


def critical_path(bars: Sequence[Bar]) -> list[Bar]:
    """The chain of finished jobs, each needing the one before, that worked longest; the first job first.

    However many cores there are, the run cannot take less time. Empty where a journal does not tell what jobs
    need.
    """
    done = {bar.job.id: bar for bar in bars if bar.done}
    if not done or any(bar.job.needs is None for bar in done.values()):
        return []
    graph = {name: [need for need in bar.job.needs or () if need in done] for name, bar in done.items()}
    seconds: dict[str, float] = {}
    before: dict[str, str | None] = {}
    for name in TopologicalSorter(graph).static_order():
        before[name] = max(graph[name], key=seconds.__getitem__, default=None)
        seconds[name] = done[name].seconds + seconds.get(before[name] or "", 0.0)
    path = []
    last: str | None = max(seconds, key=seconds.__getitem__)
    while last is not None:
        path.append(done[last])
        last = before[last]
    return path[::-1]


def _sum(values: Iterable[float]) -> float:
    return math.fsum(values)
