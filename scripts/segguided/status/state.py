"""What happened to Snakemake itself, and the exact command to go on."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from segguided.status.run import Run
from segguided.status.surroundings import Surroundings
from segguided.status.words import ago, count, duration, moment

Kind = Literal[
    "none", "starting", "running", "stopping", "finished", "failed", "interrupted", "killed", "away"
]
SILENT_SECONDS = 180.0  # without a heartbeat: nine are missed


@dataclass(frozen=True)
class State:
    """`title` in a few words, `detail` in a sentence or two."""

    kind: Kind
    title: str
    detail: str

    @property
    def alive(self) -> bool:
        """Whether Snakemake is alive, as far as can be known."""
        return self.kind in ("running", "stopping")


@dataclass(frozen=True)
class Command:
    """A command to type in the pipeline's folder, and what it is for."""

    text: str
    why: str


@dataclass(frozen=True)
class Orphan:
    """Something that works in the folder although no Snakemake waits for it."""

    what: str
    slurm: str | None = None
    pid: int | None = None


def state_of(run: Run | None, around: Surroundings) -> State:
    """The state of the newest run. Its process decides if that can be seen from here."""
    if run is None or (around.commands and not around.snakemake):
        return _nothing(around)
    if run.end == "finished":
        took = duration((run.ended or run.begun) - run.begun)
        return State("finished", "Finished", f"{moment(run.ended)}, after {took}. Every job is done.")
    if run.end:
        return _ended(run)
    if around.snakemake is None:
        return _elsewhere(run, around.now)
    if around.snakemake:
        return _running(run, around.now)
    return _ended(run) if run.fatal or run.stopping == "SIGINT" else _killed(run)


def _killed(run: Run) -> State:
    title = "Snakemake was killed"
    detail = (
        f"Its process {run.pid} on {run.host} is gone without a word since about {moment(_touched(run))}: "
        "killed, or the machine went down. Results that are finished are whole."
    )
    return State("killed", title, detail)


def _nothing(around: Surroundings) -> State:
    if around.commands:
        pid, command = around.commands[0]
        detail = f"Process {pid} plans its jobs or is about to: {command}"
        return State("starting", "Snakemake is starting", detail)
    return State("none", "Nothing has run here yet", "Start a run in this folder, and this page follows it.")


def _running(run: Run, now: float) -> State:
    since = f"Since {moment(run.begun)} ({duration(now - run.begun)}), process {run.pid} on {run.host}."
    if run.stopping:
        title = f"Stopping after {run.stopping}"
        return State("stopping", title, f"No job is started any more; those that run are waited for. {since}")
    return State("running", "Running", since)


def _ended(run: Run) -> State:
    if run.stopping == "SIGINT":
        return _interrupted(run)
    failed = len(run.in_state("failed"))
    if run.stopping and not failed:
        detail = f"{moment(run.ended)}: it was told to ({run.stopping}); running jobs were finished first."
        return State("interrupted", "Stopped on request", detail)
    detail = f"{moment(run.ended or _touched(run))}. "
    if failed:
        detail += f"{count(failed, 'job')} failed for good."
    else:
        detail += " ".join((run.fatal or ["No job failed."])[-1].split())[:600]
    return State("failed", "Stopped with errors", detail)


def _interrupted(run: Run) -> State:
    when = moment(run.ended or _touched(run))
    return State(
        "interrupted", "Interrupted", f"{when}, by Ctrl-C. Trainings continue from their last checkpoint."
    )


def _elsewhere(run: Run, now: float) -> State:
    """The state of a run on another host, judged by the time of its journal."""
    silent = now - _touched(run)
    if silent < SILENT_SECONDS:
        kind: Kind = "stopping" if run.stopping else "running"
        detail = f"On {run.host}, process {run.pid}; last sign of life {ago(silent)}."
        return State(kind, "Running" if kind == "running" else f"Stopping after {run.stopping}", detail)
    title = f"No sign of life for {duration(silent)}"
    detail = (
        f"It ran on {run.host}, process {run.pid}; look there whether it lives before anything is restarted."
    )
    return State("away", title, detail)


def _touched(run: Run) -> float:
    try:
        return run.path.stat().st_mtime
    except OSError:
        return run.begun


def next_command(run: Run | None, state: State, orphans: list[Orphan], folder: Path) -> Command | None:
    """What to type to go on; None while all is well, or if it is not known to be safe."""
    if run is None or state.kind not in ("failed", "interrupted", "killed"):
        return None
    words = run.command[1:]
    if any((folder / ".snakemake/incomplete").glob("*")) and "--rerun-incomplete" not in words:
        words = [*words, "--rerun-incomplete"]
    goes_on = "goes on: finished jobs stay, trainings continue from their last checkpoint"
    if state.kind == "killed" or orphans:
        why = (
            f"ends what still runs in this folder (trainings on this machine save), unlocks it, and {goes_on}"
        )
        return Command(shlex.join(["python", "scripts/resume.py", *words]), why)
    return Command(shlex.join(["snakemake", *words]), goes_on)
