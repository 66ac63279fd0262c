"""Snakemake on the test cluster: its queue and daemons, runs in the background, and their comparison."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from segguided.training.wall_time import parse_left
from support.miniature import MINIATURE, environment, in_foreground, snakemake

SCRIPT = Path(__file__).parents[1] / "slurm/cluster.sh"
# One model, trained for about ten seconds and saved every second, so that there is a middle to disturb.
ONE_MODEL = (
    "--configfile", MINIATURE, "--max-threads", "1",
    "--config", "grid={models: [segguided]}", "checkpoint_seconds=1",
    "models={segguided: {training: {steps: 800}}}",
)  # fmt: skip
SLURM = ("--profile", "slurm", "--slurm-init-seconds-before-status-checks", "2", "--latency-wait", "10")
RUN = Path("results/runs/breast-phantom/segguided/seed0")
WEIGHTS = RUN / "model.safetensors"
TRAIN = (str(WEIGHTS), *ONE_MODEL, *SLURM)
TABLES = ("results/table1.csv", "results/table2.csv")
BYTES = (*(str(RUN / name) for name in ("model.safetensors", "config.json", "history.csv")), *TABLES)


class Cluster:
    """The running cluster: its queue, and its daemons to kill."""

    def script(self, *arguments: str) -> None:
        result = subprocess.run([SCRIPT, *arguments], capture_output=True, text=True)
        if result.returncode:
            pytest.fail(f"the test cluster: {' '.join(arguments)}: {result.stderr}", pytrace=False)

    def ask(self, *command: str) -> str:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip()

    def up(self) -> bool:
        """Whether the node takes jobs."""
        try:
            state = self.ask("sinfo", "--noheader", "--format=%T")
            return state in ("idle", "mixed", "allocated", "completing")
        except (OSError, subprocess.SubprocessError):
            return False

    def jobs(self, repository: Path) -> list[str]:
        """Numbers of the running jobs that were submitted from a folder."""
        rows = self.ask("squeue", "--noheader", "--states=RUNNING", "--format=%A %Z").splitlines()
        return [row.split()[0] for row in rows if row.split()[1] == str(repository)]

    def job(self, repository: Path) -> str:
        """The number of the running job of a folder, once there is one."""
        wait_until(lambda: self.jobs(repository), f"a running job of {repository}")
        return self.jobs(repository)[0]

    def state(self, job: str) -> str:
        """SLURM's word for what a job does."""
        return self.ask("squeue", "--noheader", "--states=all", f"--jobs={job}", "--format=%T")

    def seconds_left(self, job: str) -> float:
        """Until a running job's time limit."""
        left = parse_left(self.ask("squeue", "--noheader", f"--jobs={job}", "--format=%L"))
        assert left is not None, f"job {job} has no time limit"
        return left

    @contextmanager
    def paused(self, job: str) -> Iterator[None]:
        """Meanwhile a job does nothing and cannot end, however slow this machine is."""
        self.ask("scontrol", "suspend", job)
        try:
            yield
        finally:
            self.ask("scontrol", "resume", job)


def start(repository: Path, *arguments: str) -> subprocess.Popen[str]:
    """Snakemake in the background, in a session of its own; what it prints goes to snakemake.txt."""
    with (repository / "snakemake.txt").open("a") as out:
        return in_foreground(
            [sys.executable, "-m", "snakemake", *arguments],
            cwd=repository, stdout=out, stderr=out, text=True, start_new_session=True,
            env=environment(),
        )  # fmt: skip


def printed(repository: Path) -> str:
    return (repository / "snakemake.txt").read_text()


def finish(process: subprocess.Popen[str], repository: Path, seconds: float = 600) -> None:
    """Wait for Snakemake's success."""
    try:
        code = process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        pytest.fail(f"Snakemake has not ended after {seconds} s:\n{printed(repository)[-5000:]}")
    assert code == 0, printed(repository)[-8000:]


def wait_until(condition: Callable[[], object], what: str, seconds: float = 240) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            pytest.fail(f"waited {seconds} s in vain for {what}")
        time.sleep(0.1)


def wait_for_checkpoint(repository: Path) -> None:
    wait_until((repository / RUN / "resume.pt").exists, "the first checkpoint")


def in_training(cluster: Cluster, repository: Path, *arguments: str) -> tuple[subprocess.Popen[str], str]:
    """Snakemake, and the number of its job, which has saved itself once."""
    running = start(repository, *TRAIN, *arguments)
    job = cluster.job(repository)
    wait_for_checkpoint(repository)
    return running, job


def log_of_training(repository: Path) -> str:
    return (repository / "logs/train_diffusion/breast-phantom/segguided/seed0.log").read_text()


def assert_as_undisturbed(repository: Path, reference: Path) -> None:
    """Finish the tables on this machine; model and tables are the undisturbed run's to the byte."""
    result = snakemake(repository, *TABLES, *ONE_MODEL, "--cores", "2")
    assert result.returncode == 0, result.stdout + result.stderr
    for name in BYTES:
        assert (repository / name).read_bytes() == (reference / name).read_bytes(), name
    assert not (repository / RUN / "resume.pt").exists()
