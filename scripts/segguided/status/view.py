"""All that terminal and page show, gathered from a run and its surroundings."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
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
    unknown (cannot be seen from this host), gone (nothing is alive that could finish it).
    """

    job: Job
    life: str
    progress: JobProgress | None
    slurm: QueuedJob | None
    line: str  # the last of its log
    group: tuple[Job, ...] = ()  # all jobs of its submission, if there are several
    written: int = 0  # jobs of the group whose outputs exist


@dataclass(frozen=True)
class Trouble:
    """A failed attempt, why it failed and what to do."""

    job: Job
    failure: Failure
    diagnosis: Diagnosis
    lines: str
    others: int = 0  # members of its group that did not run


@dataclass(frozen=True)
class RuleCount:
    """Jobs of one rule."""

    rule: str
    total: int
    done: int
    running: int
    queued: int  # submitted to SLURM, which has not started them
    unseen: int  # started, but cannot be seen from this host
    failed: int

    @property
    def waiting(self) -> int:
        """Jobs that were not started or wait for another attempt."""
        return max(0, self.total - self.done - self.running - self.queued - self.unseen - self.failed)


@dataclass(frozen=True)
class View:
    """A pipeline at a moment."""

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
    """The view of a folder, from its newest run and what is alive there now."""
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
    """The jobs, grouped by submission."""
    submissions: dict[str, list[Job]] = {}
    for job in jobs:
        submissions.setdefault(job.group or job.id, []).append(job)
    return list(submissions.values())


def _row(jobs: list[Job], run: Run, state: State, around: Surroundings, folder: Path) -> JobRow:
    written = [job for job in jobs if job.outputs and _exist(job.outputs, folder)]
    shown = next((job for job in reversed(jobs) if job not in written), jobs[-1])
    slurm = next((queued for queued in around.queue or () if queued.number == shown.slurm), None)
    life = _life(shown, run, state, around, slurm)
    if life in ("gone", "starting") and shown in written:
        life = ENDS_SOON if state.alive else "gone"
    return JobRow(
        job=shown,
        life=life,
        progress=progress_of(shown, folder) if life != "queued" else None,
        slurm=slurm,
        line=_last_line(shown, folder) if life != "queued" else "",
        group=tuple(jobs) if len(jobs) > 1 else (),
        written=len(written),
    )


def _exist(paths: Iterable[str], folder: Path) -> bool:
    return all((folder / path).exists() for path in paths)


def _life(job: Job, run: Run, state: State, around: Surroundings, slurm: QueuedJob | None) -> str:
    """The life of a started job as far as it can be proved, see JobRow."""
    if job.slurm:
        proof = _slurm_life(slurm) if slurm else None
        visible = around.queue is not None
        otherwise = ENDS_SOON
    else:
        submitted = run.slurm_run and not job.local  # or about to be
        proof = "running" if around.processes_of(job.rule, job.outputs) and not submitted else None
        visible = around.processes is not None
        otherwise = "starting"
    if job.state == "stopped" or (visible and not proof and not state.alive):
        return "gone"
    return proof or (otherwise if visible else "unknown")


def _slurm_life(slurm: QueuedJob) -> str:
    if slurm.waiting:
        return "queued"
    return ENDS_SOON if slurm.ending else "running"


def _last_line(job: Job, folder: Path) -> str:
    lines = [line for path in job.logs for line in tail(folder / path, 3).splitlines() if line.strip()]
    return shorten(lines[-1], 160) if lines else ""


def _rules(run: Run, rows: list[JobRow]) -> list[RuleCount]:
    """The jobs of each rule, in the order of the run's own table."""
    rules_by_life: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        life = row.life if row.life in ("queued", "unknown", "gone") else "running"
        rules_by_life[life].update(job.rule for job in row.group or (row.job,))
    done = Counter(job.rule for job in run.in_state("finished"))
    failed = Counter(job.rule for job in run.in_state("failed"))
    return [
        RuleCount(
            rule=name,
            total=total,
            done=done[name],
            running=rules_by_life["running"][name],
            queued=rules_by_life["queued"][name],
            unseen=rules_by_life["unknown"][name],
            failed=failed[name],
        )
        for name, total in run.totals.items()
    ]


def _trouble(job: Job, failure: Failure) -> Trouble:
    evidence = evidence_of(job, failure)
    diagnosis = diagnose(evidence)
    lines = shown_lines(evidence)
    if lines.strip() == f"error: {diagnosis.what}":
        lines = ""  # they would say the same again
    return Trouble(job, failure, diagnosis, lines)


def failures(run: Run, folder: Path) -> list[Trouble]:
    """The jobs that failed for good; of a group only the one that explains the failure."""
    return [_failure(jobs, folder) for jobs in _together(run.in_state("failed"))]


def _failure(jobs: list[Job], folder: Path) -> Trouble:
    """Why a submission failed: the first of its jobs that has a log of its own and no outputs."""
    unfinished = [job for job in jobs if not _exist(job.outputs, folder)]
    troubles = [_trouble(job, job.failures[-1]) for job in unfinished or jobs]
    logged = [trouble for trouble in troubles if set(trouble.failure.logs) & set(trouble.job.logs)]
    return replace((logged or troubles)[0], others=len(jobs) - 1)


def _retried(run: Run) -> list[Trouble]:
    """Failed attempts after which a job was or will be tried again, newest first."""
    troubles = []
    for job in run.jobs.values():
        retried = job.failures[:-1] if job.state == "failed" else job.failures
        troubles += [_trouble(job, failure) for failure in retried]
    return sorted(troubles, key=_when, reverse=True)[:RECENT]


def _when(trouble: Trouble) -> float:
    return trouble.failure.time


def _orphans(run: Run | None, state: State, around: Surroundings) -> list[Orphan]:
    """What works in the folder although no Snakemake waits for it."""
    if state.kind == "away":  # it is not known whether Snakemake waits for it
        return []
    return _orphans_in_queue(run, state, around) + _orphans_here(run, state, around)


def _orphans_in_queue(run: Run | None, state: State, around: Surroundings) -> list[Orphan]:
    awaited = run.slurm_run if run and state.alive else None
    names = {job.slurm: job.name for job in run.jobs.values()} if run else {}
    return [
        Orphan(f"{names.get(queued.number, queued.what)}, {queued.state.lower()}", slurm=queued.number)
        for queued in around.queue or ()
        if not awaited or queued.name != awaited
    ]


def _orphans_here(run: Run | None, state: State, around: Surroundings) -> list[Orphan]:
    started = run.in_state("started") if run else []
    awaited = {
        process.pid
        for job in started
        if state.alive or job.slurm
        for process in around.processes_of(job.rule, job.outputs)
    }
    return [
        Orphan(_described(process, started), pid=process.pid)
        for process in around.processes or ()
        if process.pid not in awaited
    ]


def _described(process: JobProcess, jobs: list[Job]) -> str:
    """The name of the job that the process works for; its script if that job is not known."""
    for job in jobs:
        if process.arguments & set(job.outputs):
            return job.name
    return next(word for word in process.arguments if word.startswith("scripts/"))
