"""attempts.json beside a run's output: when each attempt began, how far it got, what it cost, why it ended.

Snakemake deletes declared outputs, logs and benchmarks before each attempt. So only an undeclared file can
keep what earlier attempts did. Nothing here may slow training down or stop it. This module does not import
torch, because status pages use it.
"""

import contextlib
import json
import logging
import math
import os
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Literal, Protocol, Self, SupportsFloat

import psutil
from pydantic import AwareDatetime, BaseModel, TypeAdapter, ValidationError

from segguided.cli import Interrupted
from segguided.files import write_text

LOG = logging.getLogger("segguided")
ATTEMPTS_FILE = "attempts.json"
SECONDS = 10.0  # between two writes
MOST_POINTS = 120  # of an attempt's loss curve

AttemptState = Literal["running", "finished", "interrupted", "failed", "killed"]
Losses = dict[str, float | None]  # None: NaN or infinite


class Attempt(BaseModel):
    """One process that trained. `seen` is when it last wrote: the end of an attempt that was killed."""

    started: AwareDatetime
    seen: AwareDatetime
    first_step: int | None = None  # None until the first step is done
    step: int | None = None
    steps: int
    batch_size: int  # of all devices together
    micro_batch_size: int | None = None  # images on a device at once, where `auto` had to find it
    images_per_second: float | None = None
    losses: Losses = {}  # means over the running epoch so far
    curve: list[Losses] = []  # the same over time, with `step`
    device: str
    gpus: int  # 0: trained on a CPU
    deterministic: bool = False  # whether CUDA's deterministic kernels were asked for
    host: str
    pid: int
    slurm_job: str | None = None
    script: str  # the rule has the same name
    state: AttemptState = "running"
    stopped_by: str | None = None  # the name of a signal, or that the job's time was over

    @property
    def hours(self) -> float:
        """Hours from the start of the process to when it last wrote."""
        return max(0.0, (self.seen - self.started).total_seconds() / 3600)

    @property
    def gpu_hours(self) -> float:
        """Hours times devices."""
        return self.hours * self.gpus


class ProgressReport(Protocol):
    """The part of training.loop.TrainingProgress that an attempt reads."""

    step: int  # steps done
    summed_steps: int  # steps in `sums`
    counts: dict[str, int]  # steps that gave each of them
    micro_batch_size: int | None

    @property
    def sums(self) -> Mapping[str, SupportsFloat]:
        """The losses of the running epoch, added up: tensors on the device."""

    @property
    def history(self) -> Sequence[Mapping[str, float]]:
        """A row for each epoch."""


_LIST = TypeAdapter(list[Attempt])


def read_attempts(path: Path) -> list[Attempt]:
    """The attempts recorded in `path`, oldest first; an empty list if there is no file.

    Raises ValueError if the file holds anything else.
    """
    try:
        return _LIST.validate_json(path.read_bytes())
    except FileNotFoundError:
        return []
    except ValidationError as error:
        raise ValueError(f"{path} is no record of attempts ({error.errors()[0]['msg']})") from None


class Attempts:
    """The record of this process's attempt: a context around training; call `update` after each step.

    The file is replaced after the first step and then every `seconds`. Only then losses are read, because
    reading waits for the device. If the record cannot be read or written, training goes on with one warning.
    """

    def __init__(
        self,
        path: Path,
        steps: int,
        batch_size: int,
        device: str,
        gpus: int,
        seconds: float = SECONDS,
        *,
        deterministic: bool = False,
    ) -> None:
        self.path = path
        self.seconds = seconds
        self._warned = False
        self._progress: ProgressReport | None = None
        self._previous = self._read()
        now = datetime.now(UTC)
        process_started = datetime.fromtimestamp(psutil.Process().create_time(), UTC)
        # A process that trains twice counts its time once.
        started = max([process_started, *(attempt.seen for attempt in self._previous)])
        self.current = Attempt(
            started=min(now, started),
            seen=now,
            steps=steps,
            batch_size=batch_size,
            device=device,
            gpus=gpus,
            deterministic=deterministic,
            host=socket.gethostname(),
            pid=os.getpid(),
            slurm_job=os.environ.get("SLURM_JOB_ID"),
            script=Path(sys.argv[0]).stem,
        )

    def __enter__(self) -> Self:
        """Write a first record: the process runs, but no step is done."""
        self._write()
        return self

    def update(self, progress: ProgressReport) -> None:
        """Note that another step is done; `progress` is read again at the end."""
        now = time.monotonic()
        if self._progress is None:
            self._clock = now
            self._due = now
            self.current.first_step = progress.step - 1
        self._progress = progress
        if now >= self._due:
            self._due = now + self.seconds
            self._read_progress(progress)
            self._write()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Record how the attempt ended; the error is raised again."""
        self.current.state = _ending(error)
        if self.current.state == "interrupted":
            self.current.stopped_by = _what_stopped(error)
        if self._progress:
            with contextlib.suppress(RuntimeError):  # a device that failed gives no losses
                self._read_progress(self._progress)
        self._write()

    def _read_progress(self, progress: ProgressReport) -> None:
        """Step, speed and mean losses: the only place that waits for the device."""
        current = self.current
        current.step = progress.step
        current.micro_batch_size = progress.micro_batch_size
        first = (current.first_step or 0) + 1  # the clock starts after the first step, which includes set-up
        seconds = time.monotonic() - self._clock
        if progress.step > first and seconds > 0:
            current.images_per_second = (progress.step - first) * current.batch_size / seconds
        if means := _means(progress):
            current.losses = means
            earlier_points = [point for point in current.curve if point["step"] != progress.step]
            current.curve = _thinned([*earlier_points, {"step": progress.step, **means}])

    def _read(self) -> list[Attempt]:
        """The previous attempts; one that still says it is running was killed when it last wrote."""
        try:
            previous = read_attempts(self.path)
        except (ValueError, OSError) as error:
            self._warn(error)
            with contextlib.suppress(OSError):
                self.path.replace(self.path.with_name(f"{self.path.name}.damaged"))
            return []
        for attempt in previous:
            if attempt.state == "running":
                attempt.state = "killed"
        return previous

    def _write(self) -> None:
        self.current.seen = datetime.now(UTC)
        attempts = [*self._previous, self.current]
        try:
            records = [attempt.model_dump(mode="json") for attempt in attempts]
            write_text(self.path, json.dumps(records, indent=1) + "\n")
        except (OSError, ValueError) as error:
            self._warn(error)

    def _warn(self, error: Exception) -> None:
        if not self._warned:
            LOG.warning("the record of attempts is not kept: %s; training goes on without it", error)
        self._warned = True


def _means(progress: ProgressReport) -> Losses:
    """Mean losses of the running epoch, or of the one that just ended."""
    if progress.summed_steps:
        values = {name: float(total) / progress.counts[name] for name, total in progress.sums.items()}
    elif progress.history:
        row = progress.history[-1]
        values = {name: value for name, value in row.items() if name not in ("epoch", "step")}
    else:
        return {}
    return {name: value if math.isfinite(value) else None for name, value in values.items()}


def _thinned(curve: list[Losses]) -> list[Losses]:
    """At most MOST_POINTS points: if there are more, every second one, the last included."""
    if len(curve) <= MOST_POINTS:
        return curve
    first = (len(curve) - 1) % 2
    return curve[first::2]


def _ending(error: BaseException | None) -> AttemptState:
    if error is None:
        return "finished"
    return "interrupted" if isinstance(error, Interrupted | KeyboardInterrupt) else "failed"


def _what_stopped(error: BaseException | None) -> str:
    """The first words of Interrupted: a signal's name, or that the job's time is nearly over."""
    return "SIGINT" if isinstance(error, KeyboardInterrupt) else str(error).partition(":")[0]
