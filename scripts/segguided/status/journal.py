"""A journal of each Snakemake run, .snakemake/segguided/TIME-PID.jsonl: one line of JSON for each event.

Snakemake's own log names neither rule nor wildcards of a starting job whose rule has a `message:`, and
`--quiet all` empties it. The events that it hands to logger plugins hold everything. A plugin would have to
be installed, so the Snakefile adds this handler to Snakemake's logger instead. It must never disturb the run.
"""

import json
import logging
import os
import re
import socket
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil

from segguided.status.tails import tail

FOLDER = Path(".snakemake/segguided")
HEARTBEAT_SECONDS = 20.0  # the file is touched that often: a sign of life that other hosts can see

SUBMITTED = re.compile(r"Job (\S+) has been submitted with SLURM jobid (\d+) \(log: (.+)\)\.")
RESTARTED = re.compile(r"Trying to restart job (\S+)\.")
SLURM_RUN = re.compile(r"SLURM run ID: (\S+)")
STOPPING = {
    "Terminating processes on user request": "SIGINT",
    "Will exit after finishing currently running jobs": "SIGTERM",
}
STATUS = re.compile(r"returned non-zero exit status (\d+)|died with <Signals\.SIG\w+: (\d+)>")
EXPECTED = "At least one job did not complete successfully"


class Journal(logging.Handler):
    """Follows Snakemake's events; writes them from `begin`, which only a real run reaches, to `end`."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.path: Path | None = None
        self._file: Any = None
        self._before: dict[str, Any] = {}  # fields that were known before the run began
        self._errors: deque[str] = deque(maxlen=64)
        self._makers: dict[str, str] = {}  # the id of the job that makes a file, by path
        self._ended = threading.Event()
        self._writers: dict[str, Callable[[Any], None]] = {
            "run_info": self._on_stats,
            "job_info": self._on_job,
            "job_finished": self._on_finished,
            "job_error": self._on_job_error,
            "group_info": self._on_group,
            "group_error": self._on_group_error,
            "error": self._on_error,
        }

    def begin(
        self, results: str, folder: Path = FOLDER, left_out: Sequence[str] = (), reused: int = 0
    ) -> None:
        """Open the journal of a run whose results go to `results`. If it cannot be opened, warn and go on.

        `left_out` says what the configuration leaves out, and which setting is missing; `reused` how many
        jobs earlier runs have done.
        """
        now = datetime.now()
        pid = os.getpid()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self.path = folder / f"{now:%Y-%m-%dT%H%M%S.%f}-{pid}.jsonl"
            self._file = self.path.open("a", encoding="utf-8", buffering=1)
        except OSError as error:
            self._give_up(error)
            return
        self._write(
            "begin",
            now.timestamp(),
            pid=pid,
            created=psutil.Process().create_time(),
            host=socket.gethostname(),
            command=sys.argv,
            folder=str(Path.cwd()),
            results=results,
            left_out=list(left_out),
            reused=reused,
            jobs_cpu=_jobs_cpu(),
            **self._before,
        )
        threading.Thread(target=self._beat, daemon=True, name="journal").start()

    def end(self, state: str) -> None:
        """Write how the run ended, `finished` or `failed`. The journal of a killed run has no end."""
        self._ended.set()
        own = os.times()
        self._write("end", datetime.now().timestamp(), state=state, own_cpu=own.user + own.system)

    def emit(self, record: logging.LogRecord) -> None:
        """Write what this record means. It never raises an error."""
        try:
            writer = self._writers.get(str(getattr(record, "event", None)), self._on_text)
            writer(record)
        except Exception as error:  # another version of Snakemake may have renamed a field
            self._give_up(error)

    def close(self) -> None:
        """Called by logging when the process ends."""
        self._ended.set()
        if self._file:
            self._file.close()
            self._file = None
        super().close()

    def _write(self, event: str, time: float, **fields: Any) -> None:
        if self._file:
            line = json.dumps({"event": event, "time": round(time, 3), **fields}, default=str)
            self._file.write(line + "\n")

    def _give_up(self, error: Exception) -> None:
        if self._file or isinstance(error, OSError):
            print(
                f"warning: this run's journal ends, `make status` is blind from here ({error})",
                file=sys.stderr,
            )
        self._file = None

    def _beat(self) -> None:
        while self.path and not self._ended.wait(HEARTBEAT_SECONDS):
            try:
                os.utime(self.path)
            except OSError:
                return

    def _on_stats(self, record: Any) -> None:
        self._before["stats"] = {rule: n for rule, n in record.stats.items() if rule != "total"}

    def _on_job(self, record: Any) -> None:
        self._makers.update(dict.fromkeys(record.output, str(record.jobid)))
        self._write(
            "job",
            record.created,
            id=str(record.jobid),
            rule=record.rule_name,
            wildcards=dict(record.wildcards or {}),
            message=record.rule_msg,
            output=list(record.output),
            needs=sorted({self._makers[path] for path in record.input if path in self._makers}),
            log=list(record.log),
            benchmark=record.benchmark,
            local=bool(record.local),
            gpus=_number(record.resources, "gpu"),
        )

    def _on_group(self, record: Any) -> None:
        """The ids of the group's members. Snakemake names the group by the uuid of one of them."""
        jobs = list(record.jobs)
        members = [str(job.jobid) for job in jobs]
        for job in jobs:  # the members are reported one by one, in any order
            self._makers.update(dict.fromkeys(map(str, job.output), str(job.jobid)))
        self._write("group", record.created, members=members, names=[job.uuid() for job in jobs])

    def _on_finished(self, record: Any) -> None:
        self._write("finished", record.created, id=str(record.job_id), jobs_cpu=_jobs_cpu())

    def _on_job_error(self, record: Any) -> None:
        """Keep the ends of the job's logs too: the next attempt deletes them."""
        self._write(
            "failed",
            record.created,
            id=str(record.jobid),
            message=record.rule_msg,
            status=self._status(record.shellcmd),
            logs=_tails(record.log),
            jobs_cpu=_jobs_cpu(),
        )

    def _on_group_error(self, record: Any) -> None:
        """Keep the log of the submission, which the errors of the members do not name."""
        members = [str(info["jobid"]) for info in record.job_error_info]
        self._write("group_failed", record.created, members=members, logs=_tails(record.aux_logs))

    def _status(self, command: str | None) -> int | None:
        """The exit status in the error that Snakemake printed for this command; negative: a signal."""
        for text in reversed(self._errors):
            match = STATUS.search(text)
            if command and command in text and match:
                return int(match[1]) if match[1] else -int(match[2])
        return None

    def _on_error(self, record: Any) -> None:
        text = record.getMessage()
        self._errors.append(text)
        if record.exception != "RuleException" and EXPECTED not in text:
            self._write("fatal", record.created, text=text)

    def _on_text(self, record: logging.LogRecord) -> None:
        text = record.getMessage() if record.msg else ""
        if match := SUBMITTED.search(text):
            self._write("submitted", record.created, id=match[1], slurm=match[2], log=match[3])
        elif match := RESTARTED.search(text):
            self._write("restart", record.created, id=match[1])
        elif match := SLURM_RUN.search(text):
            self._before["slurm_run"] = match[1]
        for begins, signal in STOPPING.items():
            if text.startswith(begins):
                self._write("stopping", record.created, signal=signal)


def follow(logger: logging.Logger) -> Journal:
    """A journal that listens to Snakemake's `logger` from now on."""
    journal = Journal()
    logger.addHandler(journal)
    return journal


def _tails(paths: Iterable[str]) -> dict[str, str]:
    return {str(path): text for path in paths if (text := tail(Path(path)))}


def _jobs_cpu() -> float:
    """CPU seconds of all jobs that have ended so far; of those that ran on this machine."""
    times = os.times()
    return round(times.children_user + times.children_system, 2)


def _number(resources: Any, name: str) -> int:
    """A resource as a number; 0 if it is not set or not known yet."""
    value = resources.get(name, 0)
    return value if isinstance(value, int) else 0
