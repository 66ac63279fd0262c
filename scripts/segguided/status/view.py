"""All that a status display shows, gathered from a run and its surroundings, whatever the display."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from segguided.status.diagnosis import Diagnosis, diagnose, evidence_of, shown_lines
from segguided.status.hours import Hours
from segguided.status.progress import JobProgress, progress_of
from segguided.status.run import Failure, Job, Run
from segguided.status.slurm_queue import QueuedJob
from segguided.status.state import Command, Orphan, State, next_command, state_of
from segguided.status.surroundings import JobProcess, Surroundings
from segguided.status.tails import shorten, tail

RECENT = 20  # retried failures to show
ENDS_SOON = "ending"


@dataclass(frozen=True)
class JobRow:
    """A job that was started and has not ended as far as Snakemake knows, or a group of such jobs.

    `life`: running (something proves it), queued (in SLURM), starting, ending (Snakemake will notice soon),
    unknown (cannot be seen from this host), gone (nothing lives that could finish it).
    """

    job: Job
    life: str
    progress: JobProgress | None
    slurm: QueuedJob | None
    line: str  # the last of its log
    group: tuple[Job, ...] = ()  # all of its submission, where that is more than one
    written: int = 0  # jobs of the group whose outputs exist


@dataclass(frozen=True)
class Trouble:
    """A failed attempt and what to make of it."""

    job: Job
    failure: Failure
    diagnosis: Diagnosis
    lines: str
    others: int = 0  # members of its group that were not reached


@dataclass(frozen=True)
class RuleCount:
    """Jobs of one rule."""

    rule: str
    total: int
    done: int
    running: int
    queued: int  # submitted to SLURM, which has not started them
    unseen: int  # started, but not visible from this host
    failed: int

    @property
    def waiting(self) -> int:
        """Jobs that were not started, or wait for another attempt."""
        return max(0, self.total - self.done - self.running - self.queued - self.unseen - self.failed)


@dataclass(frozen=True)
class View:
    """A moment of a pipeline."""

    now: float
    folder: Path
    run: Run | None
    state: State
    command: Command | None
    rules: list[RuleCount] = field(default_factory=list)
    running: list[JobRow] = field(default_factory=list)
    queued: list[JobRow] = field(default_factory=list)
    unseen: list[JobRow] = field(default_factory=list)
    gone: list[JobRow] = field(default_factory=list)
    failed: list[Trouble] = field(default_factory=list)
    retried: list[Trouble] = field(default_factory=list)
    orphans: list[Orphan] = field(default_factory=list)
    hours: list[Hours] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def done(self) -> int:
        """Finished jobs."""
        return sum(rule.done for rule in self.rules)

    @property
    def total(self) -> int:
        """Jobs of the run."""
        return sum(rule.total for rule in self.rules)

    @property
    def waiting(self) -> int:
        """Jobs that were not started."""
        return sum(rule.waiting for rule in self.rules)


def view_of(run: Run | None, around: Surroundings, folder: Path, hours: Iterable[Hours] = ()) -> View:
    """Everything, from the newest run of a folder and what lives there now."""
    state = state_of(run, around)
    orphans = _orphans(run, state, around)
    command = next_command(run, state, orphans, folder)
    notes = [around.trouble] if around.trouble else []
    if run is None:
        return View(around.now, folder, run, state, command, orphans=orphans, hours=list(hours), notes=notes)
    notes += run.left_out
    rows = [_row(jobs, run, state, around, folder) for jobs in _together(run.in_state("started", "stopped"))]
    return View(
        now=around.now,
        folder=folder,
        run=run,
        state=state,
        command=command,
        rules=_rules(run, rows),
        running=[row for row in rows if row.life in ("running", "starting", ENDS_SOON)],
        queued=[row for row in rows if row.life == "queued"],
        unseen=[row for row in rows if row.life == "unknown"],
        gone=[row for row in rows if row.life == "gone"],
        failed=failures(run, folder),
        retried=_retried(run),
        orphans=orphans,
        hours=list(hours),
        notes=notes,
    )


def _together(jobs: list[Job]) -> list[list[Job]]:
    """The jobs, those of one submission together."""
    found: dict[str, list[Job]] = {}
    for job in jobs:
        found.setdefault(job.group or job.id, []).append(job)
    return list(found.values())


def _row(jobs: list[Job], run: Run, state: State, around: Surroundings, folder: Path) -> JobRow:
    written = [job for job in jobs if job.outputs and all((folder / path).exists() for path in job.outputs)]
    shown = next((job for job in reversed(jobs) if job not in written), jobs[-1])
    slurm = next((one for one in around.queue or () if one.number == shown.slurm), None)
    life = _life(shown, run, state, around, slurm)
    if life in ("gone", "starting") and shown in written:
        life = ENDS_SOON if state.alive else "gone"
    line = _last_line(shown, folder) if life != "queued" else ""
    progress = progress_of(shown, folder) if life != "queued" else None
    return JobRow(shown, life, progress, slurm, line, tuple(jobs) if len(jobs) > 1 else (), len(written))


def _life(job: Job, run: Run, state: State, around: Surroundings, slurm: QueuedJob | None) -> str:
    """What can be proved of a started job, see JobRow."""
    if job.slurm:
        proof = _slurm_life(slurm) if slurm else None
        visible, otherwise = around.queue is not None, ENDS_SOON
    else:
        submitted = run.slurm_run and not job.local  # or about to be
        proof = "running" if around.processes_of(job.rule, job.outputs) and not submitted else None
        visible, otherwise = around.processes is not None, "starting"
    if job.state == "stopped" or (visible and not proof and not state.alive):
        return "gone"
    return proof or (otherwise if visible else "unknown")


def _slurm_life(slurm: QueuedJob) -> str:
    return "queued" if slurm.waiting else ENDS_SOON if slurm.ending else "running"


def _last_line(job: Job, folder: Path) -> str:
    lines = [line for path in job.logs for line in tail(folder / path, 3).splitlines() if line.strip()]
    return shorten(lines[-1], 160) if lines else ""


def _rules(run: Run, rows: list[JobRow]) -> list[RuleCount]:
    """In the order of the run's own table, which lists what comes first first."""
    running, queued, unseen, gone = (Counter[str]() for _ in range(4))
    lives = {"queued": queued, "unknown": unseen, "gone": gone}
    for row in rows:
        lives.get(row.life, running).update(job.rule for job in row.group or (row.job,))
    done = Counter(job.rule for job in run.in_state("finished"))
    failed = Counter(job.rule for job in run.in_state("failed"))
    return [
        RuleCount(name, total, done[name], running[name], queued[name], unseen[name], failed[name])
        for name, total in run.totals.items()
    ]


def _trouble(job: Job, failure: Failure) -> Trouble:
    evidence = evidence_of(job, failure)
    diagnosis, lines = diagnose(evidence), shown_lines(evidence)
    return Trouble(job, failure, diagnosis, "" if lines.strip() == f"error: {diagnosis.what}" else lines)


def failures(run: Run, folder: Path) -> list[Trouble]:
    """Jobs that failed for good; of a group only those that explain it."""
    found = []
    for jobs in _together(run.in_state("failed")):
        members = [job for job in jobs if not all((folder / path).exists() for path in job.outputs)] or jobs
        troubles = [_trouble(job, job.failures[-1]) for job in members]
        told = [one for one in troubles if any(path in one.job.logs for path in one.failure.logs)]
        first = (told or troubles)[0]
        others = len(jobs) - 1
        found.append(Trouble(first.job, first.failure, first.diagnosis, first.lines, others))
    return found


def _retried(run: Run) -> list[Trouble]:
    """Failed attempts after which a job was or will be tried again, newest first."""
    found = []
    for job in run.jobs.values():
        again = job.failures[:-1] if job.state == "failed" else job.failures
        found += [_trouble(job, failure) for failure in again]
    return sorted(found, key=_when, reverse=True)[:RECENT]


def _when(trouble: Trouble) -> float:
    return trouble.failure.time


def _orphans(run: Run | None, state: State, around: Surroundings) -> list[Orphan]:
    """What works in the folder without a Snakemake that waits for it."""
    if state.kind == "away":  # nobody knows whether Snakemake waits for them
        return []
    alive = state.alive
    queue = [one for one in around.queue or () if not (alive and run and one.name == run.slurm_run)]
    names = {job.slurm: job.name for job in run.jobs.values()} if run else {}
    found = [
        Orphan(f"{names.get(one.number, one.what)}, {one.state.lower()}", slurm=one.number) for one in queue
    ]
    started = run.in_state("started") if run else []
    expected = {
        p.pid for job in started for p in around.processes_of(job.rule, job.outputs) if alive or job.slurm
    }
    for process in around.processes or ():
        if process.pid not in expected:
            found.append(Orphan(_described(process, started), pid=process.pid))
    return found


def _described(process: JobProcess, jobs: list[Job]) -> str:
    """The job that the process works for, or its script."""
    for job in jobs:
        if process.arguments & set(job.outputs):
            return job.name
    return next(one for one in process.arguments if one.startswith("scripts/"))
