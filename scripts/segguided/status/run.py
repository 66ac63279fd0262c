"""A Snakemake run, read from its journal: jobs, their attempts, and how the run ended."""

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from segguided.status.journal import FOLDER

# waiting: for its next attempt. stopped: by Ctrl-C, which is no failure.
JobState = Literal["started", "waiting", "finished", "failed", "stopped"]
ABSENT: Any = Field(default=None)


class _Line(BaseModel):
    """What a line of a journal may hold, and of which type each value is. Only event and time are in each."""

    model_config = ConfigDict(strict=True)

    event: str
    time: float
    pid: int = ABSENT
    created: float = ABSENT
    host: str = ABSENT
    command: list[str] = ABSENT
    folder: str = ABSENT
    results: str = ABSENT
    stats: dict[str, int] = ABSENT
    reused: int = ABSENT
    slurm_run: str | None = ABSENT
    id: str = ABSENT
    rule: str = ABSENT
    wildcards: dict[str, str] = ABSENT
    message: str | None = ABSENT
    output: list[str] = ABSENT
    needs: list[str] = ABSENT
    log: list[str] | str = ABSENT
    benchmark: str | None = ABSENT
    local: bool = ABSENT
    gpus: int = ABSENT
    members: list[str] = ABSENT
    names: list[str] = ABSENT
    status: int | None = ABSENT
    logs: dict[str, str] = ABSENT
    slurm: str = ABSENT
    signal: str = ABSENT
    text: str = ABSENT
    state: str = ABSENT
    jobs_cpu: float = ABSENT
    own_cpu: float = ABSENT


@dataclass(frozen=True)
class Failure:
    """A failed attempt of a job, with the ends of its logs at that time."""

    time: float
    attempt: int
    message: str | None  # of the executor
    status: int | None  # exit status; negative: a signal
    logs: dict[str, str]


@dataclass
class Job:
    """A job that was started at least once."""

    id: str
    rule: str
    wildcards: dict[str, str]
    message: str | None
    outputs: list[str]
    logs: list[str]
    benchmark: str | None
    local: bool
    gpus: int  # how many it asks for
    started: float
    attempt: int = 1
    state: JobState = "started"
    ended: float | None = None
    slurm: str | None = None  # SLURM's id of the running attempt
    slurm_log: str | None = None
    group: str | None = None
    failures: list[Failure] = field(default_factory=list)
    needs: list[str] | None = None  # the jobs of this run whose files it reads; None: an old journal
    cpu: float | None = None  # CPU seconds of its attempts that ended, where this machine ran it

    @property
    def name(self) -> str:
        """Rule and wildcards, these as in the names of its files."""
        values = [f"seed{value}" if name == "seed" else value for name, value in self.wildcards.items()]
        return f"{self.rule} {'/'.join(values)}".strip()


@dataclass
class Run:
    """All that a journal says."""

    path: Path
    begun: float = 0.0
    pid: int = 0
    created: float = 0.0  # when the process began: a later process may have the same id
    host: str = ""
    command: list[str] = field(default_factory=list)
    folder: str = ""
    results: str = "results"
    left_out: list[str] = field(default_factory=list)  # figures and applications, each with the setting
    totals: dict[str, int] = field(default_factory=dict)  # jobs to run, by rule
    reused: int = 0  # jobs that earlier runs have done
    own_cpu: float | None = None  # CPU seconds of Snakemake itself, known at the end
    slurm_run: str | None = None  # the name of its SLURM jobs
    jobs: dict[str, Job] = field(default_factory=dict)
    members: dict[str, list[str]] = field(default_factory=dict)  # of a group, by each of its names
    group_logs: dict[str, dict[str, str]] = field(default_factory=dict)  # of a failed submission, by member
    stopping: str | None = None  # the signal that asked it to stop
    fatal: list[str] = field(default_factory=list)
    ended: float | None = None
    end: str | None = None  # finished or failed; None: it still runs, or was killed

    def named(self, name: str) -> list[Job]:
        """The job with this id, or all jobs of the group with this name."""
        ids = self.members.get(name, [name])
        return [self.jobs[job] for job in ids if job in self.jobs]

    def in_state(self, *states: JobState) -> list[Job]:
        """The jobs in any of these states, in the order in which they were first started."""
        return [job for job in self.jobs.values() if job.state in states]


class JournalReader:
    """Reads a journal, and later only what was added since."""

    def __init__(self, path: Path) -> None:
        self.run = Run(path)
        self._offset = 0
        self._group_of: dict[str, str] = {}  # by member
        self._jobs_cpu = 0.0  # of all jobs that ended so far

    def read(self) -> Run:
        """The run as it is now. An incomplete last line is left for the next time."""
        for entry in self._entries():
            handler = getattr(self, f"_on_{entry.get('event')}", None)
            if handler:
                with contextlib.suppress(KeyError):  # a journal of another version may lack a field
                    handler(entry)
        return self.run

    def _entries(self) -> Iterator[Mapping[str, Any]]:
        with self.run.path.open("rb") as file:
            file.seek(self._offset)
            for line in file:
                if not line.endswith(b"\n"):
                    return
                self._offset += len(line)
                try:
                    entry = json.loads(line)
                except (ValueError, RecursionError):  # written while the disk was full
                    continue
                if _is_of_a_journal(entry):
                    yield entry

    def _on_begin(self, entry: Mapping[str, Any]) -> None:
        run = self.run
        run.begun = entry["time"]
        run.pid = entry["pid"]
        run.created = entry["created"]
        run.host = entry["host"]
        run.command = entry["command"]
        run.folder = entry["folder"]
        run.results = entry["results"]
        run.totals = entry.get("stats", {})
        run.slurm_run = entry.get("slurm_run")
        run.left_out = entry.get("left_out", [])
        run.reused = entry.get("reused", 0)
        self._jobs_cpu = entry.get("jobs_cpu", 0.0)

    def _on_job(self, entry: Mapping[str, Any]) -> None:
        name = entry["id"]
        before = self.run.jobs.get(name)
        self.run.jobs[name] = Job(
            id=name,
            rule=entry["rule"],
            wildcards=entry["wildcards"],
            message=entry["message"],
            outputs=entry["output"],
            logs=entry["log"],
            benchmark=entry["benchmark"],
            local=entry["local"],
            gpus=entry["gpus"],
            started=entry["time"],
            attempt=before.attempt + 1 if before else 1,
            group=self._group_of.get(name),
            failures=before.failures if before else [],
            needs=entry.get("needs"),
            cpu=before.cpu if before else None,
        )

    def _on_group(self, entry: Mapping[str, Any]) -> None:
        for name in entry["names"]:
            self.run.members[name] = entry["members"]
        self._group_of.update(dict.fromkeys(entry["members"], entry["names"][0]))

    def _on_submitted(self, entry: Mapping[str, Any]) -> None:
        for job in self.run.named(entry["id"]):
            job.slurm = entry["slurm"]
            job.slurm_log = entry["log"]

    def _on_finished(self, entry: Mapping[str, Any]) -> None:
        self._count_cpu(entry)
        for job in self.run.named(entry["id"]):
            job.state = "finished"
            job.ended = entry["time"]

    def _on_group_failed(self, entry: Mapping[str, Any]) -> None:
        self.run.group_logs.update(dict.fromkeys(entry["members"], entry["logs"]))

    def _count_cpu(self, entry: Mapping[str, Any]) -> None:
        """Give what the sum has grown by to the job that ended; jobs that end at once may swap some of it."""
        total = entry.get("jobs_cpu")
        if total is None:
            return
        used = max(0.0, total - self._jobs_cpu)
        self._jobs_cpu = total
        jobs = [job for job in self.run.named(entry["id"]) if not job.slurm]
        for job in jobs:
            job.cpu = (job.cpu or 0.0) + used / len(jobs)

    def _on_failed(self, entry: Mapping[str, Any]) -> None:
        self._count_cpu(entry)
        for job in self.run.named(entry["id"]):
            logs = {**self.run.group_logs.get(job.id, {}), **entry["logs"]}
            job.ended = entry["time"]
            if self.run.stopping == "SIGINT":
                job.state = "stopped"
                continue
            job.state = "failed"
            job.failures.append(Failure(entry["time"], job.attempt, entry["message"], entry["status"], logs))

    def _on_restart(self, entry: Mapping[str, Any]) -> None:
        for job in self.run.named(entry["id"]):
            job.state = "waiting"

    def _on_stopping(self, entry: Mapping[str, Any]) -> None:
        self.run.stopping = entry["signal"]

    def _on_fatal(self, entry: Mapping[str, Any]) -> None:
        self.run.fatal.append(entry["text"])

    def _on_end(self, entry: Mapping[str, Any]) -> None:
        self.run.end = entry["state"]
        self.run.ended = entry["time"]
        self.run.own_cpu = entry.get("own_cpu")
        if entry["state"] == "finished":  # with `--quiet progress` Snakemake does not report each job
            for job in self.run.in_state("started"):
                job.state = "finished"
                job.ended = entry["time"]


def _is_of_a_journal(entry: Any) -> bool:
    """Whether a line is from a journal: a foreign file must not stop the page."""
    try:
        _Line.model_validate(entry)
    except ValidationError:
        return False
    return True


def journals(folder: Path) -> list[Path]:
    """The journals of the runs in a pipeline's folder, oldest first."""
    return sorted((folder / FOLDER).glob("*.jsonl"))
