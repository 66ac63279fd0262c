"""A pipeline's folder in each state a person may find it in: recorded journals, and what lived beside them.

The journals in tests/status/recorded come from real runs of the miniature, on one machine and through SLURM;
only their folder and host are renamed.
"""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from segguided.status.hours import hours_by_rule
from segguided.status.journal import FOLDER
from segguided.status.run import JournalReader, Run
from segguided.status.slurm_queue import QueuedJob, parsed
from segguided.status.surroundings import JobProcess, Surroundings
from segguided.status.view import View, view_of
from segguided.training.attempts import Attempt

RECORDED = Path(__file__).parents[1] / "status" / "recorded"
RUN = "results/runs/breast-phantom"
SLURM_RUN = "segguided_ae0402d2-8ae2-485f-b02e-acc259513ca4"


def recorded(name: str, folder: Path, lines: int | None = None) -> Run:
    """The run of a recorded journal, or of its first lines, put where Snakemake had it."""
    text = (RECORDED / f"{name}.jsonl").read_text().splitlines(keepends=True)
    path = folder / FOLDER / f"2026-11-24T180000.000000-{name}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(text[:lines]).replace("/pipeline", str(folder)))
    run = JournalReader(path).read()
    last = json.loads(text[: lines or len(text)][-1])["time"]
    os.utime(path, (last, last))
    return run


def attempt(begun: float, seconds: float, **changes: object) -> Attempt:
    """An attempt of a training that began then."""
    started = datetime.fromtimestamp(begun, UTC)
    values = {"steps": 6000, "batch_size": 4, "device": "NVIDIA A100", "gpus": 1, "host": "n1", "pid": 7}
    values |= {"script": "train_diffusion", "seen": started + timedelta(seconds=seconds), "started": started}
    return Attempt(**{**values, **changes})


def write_attempts(folder: Path, *attempts: Attempt) -> None:
    """The record of a training in a pipeline's folder."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps([attempt.model_dump(mode="json") for attempt in attempts])
    (folder / "attempts.json").write_text(text)


def curve(first: int, last: int, points: int = 40) -> list[dict[str, float]]:
    """A loss that falls."""
    steps = [first + (last - first) * i // points for i in range(1, points + 1)]
    return [{"step": step, "loss": 0.02 + 1.5 / (1 + step / 150)} for step in steps]


@dataclass(frozen=True)
class World:
    """What is seen beside the journal; by default this host sees all and nothing lives."""

    snakemake: bool | None = False
    processes: tuple[JobProcess, ...] | None = ()
    queue: tuple[QueuedJob, ...] | None = None
    commands: tuple[tuple[int, str], ...] = ()
    trouble: str | None = None
    after: float = 5.0  # seconds since the journal's last line


def view(run: Run | None, folder: Path, world: World) -> View:
    """The view of a run in such a world."""
    now = (run.path.stat().st_mtime if run else 1.8e9) + world.after
    runs = [run] if run else []
    seen = (world.snakemake, world.processes, world.queue, world.commands, world.trouble)
    around = Surroundings(now, "login1", *seen)
    return view_of(run, around, folder, hours_by_rule(folder, "results", runs))


def trainer(pid: int, model: str) -> JobProcess:
    """The process of a local training."""
    output = f"{RUN}/{model}/seed0/model.safetensors"
    return JobProcess(pid, frozenset({"python", "scripts/train_diffusion.py", "--output", output}))


def slurm_job(name: str, state: str, run: str = SLURM_RUN, reason: str = "None") -> QueuedJob:
    """A line of the queue."""
    nodes = "n1" if state == "RUNNING" else ""
    return QueuedJob(name, state, "5:34", reason, nodes, run, "train_diffusion_wildcards_x")


def nothing(folder: Path) -> View:
    """A fresh clone."""
    return view(None, folder, World())


def starting(folder: Path) -> View:
    """Snakemake plans its jobs."""
    return view(None, folder, World(commands=((77, "snakemake all"),)))


def running(folder: Path) -> View:
    """One training on this machine, two jobs to come."""
    run = recorded("killed", folder)
    begun = run.jobs["0"].started + 5
    now = attempt(begun, 80, first_step=0, step=1500, losses={"loss": 0.136}, images_per_second=80.0)
    now.curve = curve(0, 1500)
    write_attempts(folder / RUN / "segguided/seed0", now)
    return view(run, folder, World(True, (trainer(22185, "segguided"),), after=90))


def orphaned(folder: Path) -> View:
    """The same after SIGKILL of Snakemake; its training goes on."""
    running(folder)
    lock = folder / ".snakemake/locks/0.input.lock"
    incomplete = folder / ".snakemake/incomplete/abc"
    for path in (lock, incomplete):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return view(recorded("killed", folder), folder, World(False, (trainer(22185, "segguided"),), after=90))


def killed(folder: Path) -> View:
    """The same when nothing lives any more, but the lock."""
    orphaned(folder)
    return view(recorded("killed", folder), folder, World(after=90))


def interrupted(folder: Path) -> View:
    """Ctrl-C."""
    return view(recorded("interrupted", folder), folder, World())


def finished(folder: Path) -> View:
    """Everything is done."""
    return view(recorded("finished", folder), folder, World())


def failed(folder: Path) -> View:
    """Three jobs failed twice: bad input, a defect, SIGKILL."""
    return view(recorded("failed", folder), folder, World())


def group_failed(folder: Path) -> View:
    """A SLURM job of six failed at one of them."""
    return view(recorded("group", folder), folder, World(queue=()))


def _slurm_attempts(folder: Path, run: Run) -> None:
    begun = run.begun + 20
    first = attempt(begun, 1800, gpus=2, first_step=0, step=1800, state="interrupted", stopped_by="SIGUSR1")
    first.curve = curve(0, 1800)
    second = attempt(begun + 1900, 600, gpus=2, first_step=1800, step=2600, slurm_job="18")
    second.curve = curve(1800, 2600)
    second.losses = {"loss": 0.102}
    second.images_per_second = 5.3
    write_attempts(folder / RUN / "segguided/seed0", first, second)


def retrying(folder: Path) -> View:
    """SLURM: time was up twice, memory ran out twice, a job queues; Snakemake lives."""
    run = recorded("slurm", folder, lines=31)
    _slurm_attempts(folder, run)
    waits = slurm_job("17", "PENDING", reason="Resources")
    queue = (slurm_job("18", "RUNNING"), slurm_job("19", "RUNNING"), waits)
    return view(run, folder, World(True, queue=queue))


def slurm_orphaned(folder: Path) -> View:
    """SLURM after SIGKILL of Snakemake: its queue as it was then."""
    run = recorded("slurm", folder)
    queue = tuple(parsed((RECORDED / "squeue.txt").read_text(), Path("/pipeline")))
    return view(run, folder, World(False, queue=queue))


def away(folder: Path) -> View:
    """Snakemake ran on another host, and was silent for an hour."""
    run = recorded("slurm", folder, lines=31)
    return view(run, folder, World(None, None, None, after=3600))


SCENES: dict[str, Callable[[Path], View]] = {
    "nothing": nothing,
    "starting": starting,
    "running": running,
    "retrying": retrying,
    "finished": finished,
    "failed": failed,
    "group_failed": group_failed,
    "interrupted": interrupted,
    "orphaned": orphaned,
    "slurm_orphaned": slurm_orphaned,
    "killed": killed,
    "away": away,
}


def scene(name: str, folder: Path) -> View:
    """The view of a scene in a fresh folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return SCENES[name](folder)
