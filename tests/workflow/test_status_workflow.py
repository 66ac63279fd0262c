"""Monitoring of real runs: alive, failed, killed, interrupted; and the commands that status prints go on."""

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from segguided.status.follow import Watcher
from segguided.status.journal import FOLDER
from segguided.training.attempts import read_attempts
from support.miniature import ARGUMENTS, MINIATURE, copy_repository, environment, in_foreground, snakemake

ROOT = Path(__file__).parents[2]
TRAINING = "results/runs/breast-phantom/segguided/seed0/model.safetensors"
SLICES = "results/slices/breast-phantom/tiny_1.npz"
LONG = "models={segguided: {training: {steps: 800}}}"


def begin(repository, command):
    """A command of a terminal, in a session of its own."""
    return in_foreground(
        shlex.split(command),
        cwd=repository,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment(),
        start_new_session=True,
    )


def until(condition, seconds=120):
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)
    return result


def training_row(watcher):
    """The row of the training once it has done a step."""
    rows = [row for row in watcher.look().running if row.progress and row.progress.done]
    return rows[0] if rows else None


def status(repository, *arguments):
    command = [sys.executable, "scripts/status.py", *map(str, arguments)]
    return subprocess.run(command, cwd=repository, capture_output=True, text=True)


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """A copy in which the one patient that trains is sliced."""
    repository = copy_repository(tmp_path_factory.mktemp("monitored"))
    assert "Nothing has run here yet" in status(repository).stdout
    target = "results/slices/breast-phantom/tiny_4.npz"
    result = snakemake(repository, target, "--configfile", MINIATURE, *ARGUMENTS)
    assert result.returncode == 0, result.stdout + result.stderr
    return repository


def test_a_dry_run_leaves_no_journal_and_a_quiet_run_a_whole_one(repository):
    before = sorted((repository / FOLDER).iterdir())
    snakemake(repository, "-n", "all", "--configfile", MINIATURE)
    snakemake(repository, "--lint")
    assert sorted((repository / FOLDER).iterdir()) == before
    target = "results/raw/breast-phantom/receipts/tiny_2.json"
    result = snakemake(repository, target, "--configfile", MINIATURE, "--cores", 1, "--quiet", "all")
    assert result.returncode == 0, result.stderr
    view = Watcher(repository).look()
    assert (view.state.title, view.done, view.total) == ("Finished", 1, 1)
    done = status(repository, "--html", "status.html")
    assert "Finished" in done.stdout, done.stderr
    assert "1 of 1" in (repository / "status.html").read_text()


def test_killed_and_interrupted_runs_go_on_by_the_commands_that_status_prints(repository):
    """SIGKILL, resumed; Ctrl-C; then to the end: three attempts of one training."""
    arguments = (TRAINING, "--configfile", MINIATURE, "--cores", "1", "--config", LONG)
    first, watcher = begin(repository, shlex.join(["snakemake", *arguments])), Watcher(repository)
    until(lambda: training_row(watcher))
    assert watcher.look().state.kind == "running"
    first.kill()
    first.wait()
    view = watcher.look()
    assert (view.state.kind, [row.life for row in view.running]) == ("killed", ["running"])
    locked = snakemake(repository, *arguments)
    said = locked.stdout + locked.stderr
    assert locked.returncode == 1
    assert "is locked by a Snakemake that was killed: continue with" in said
    command = view.command.text.replace(" --rerun-incomplete", "")  # the profile says that
    assert f"\n    {command}\n" in said
    assert "--unlock" not in said
    (orphan,) = view.orphans
    assert psutil.pid_exists(orphan.pid)

    second = begin(repository, view.command.text)
    until(lambda: (row := training_row(watcher)) and row.progress.attempts == 2)
    assert (watcher.look().state.kind, watcher.look().orphans) == ("running", [])
    assert not psutil.pid_exists(orphan.pid)
    os.killpg(second.pid, signal.SIGINT)
    second.wait(60)
    view = watcher.look()
    assert (view.state.kind, view.failed, view.orphans) == ("interrupted", [], [])
    third = begin(repository, view.command.text)
    assert third.wait(300) == 0
    view = watcher.look()
    assert (view.state.kind, view.done, view.total, view.command) == ("finished", 1, 1, None)
    attempts = read_attempts((repository / TRAINING).with_name("attempts.json"))
    assert [attempt.state for attempt in attempts] == ["interrupted", "interrupted", "finished"]
    assert [attempt.stopped_by for attempt in attempts] == ["SIGTERM", "SIGINT", None]
    assert attempts[2].first_step == attempts[1].step >= attempts[1].first_step == attempts[0].step > 0
    (hours,) = [row for row in view.hours if row.rule == "train_diffusion"]
    assert (hours.attempts, hours.gpu) == (3, 0) or attempts[0].gpus


@pytest.mark.parametrize("quiet", [(), ("--quiet", "all")])
def test_a_failed_run_ends_with_what_to_do(repository, quiet):
    target = repository / SLICES
    arguments = (SLICES, "--configfile", MINIATURE, "--cores", 1, *quiet)
    if not any((repository / "results/raw/breast-phantom/images").glob("tiny_1/*")):
        assert snakemake(repository, *arguments).returncode == 0
        target.unlink()
    file = next((repository / "results/raw/breast-phantom/images/tiny_1").iterdir())
    file.write_bytes(file.read_bytes()[:700])
    result = snakemake(repository, *arguments)
    assert result.returncode == 1
    said = result.stdout + result.stderr
    assert re.search(
        r"^1 job failed:\n\n  prepare_patient breast-phantom/tiny_1: \S+\.dcm is not what \S+ says: ",
        said,
        re.MULTILINE,
    )
    assert "    → fix what it names, then the same command again" in said
    view = Watcher(repository).look()
    assert [failure.diagnosis.kind for failure in view.failed] == ["input"]
    assert view.state.kind == "failed"


def test_watching_rewrites_the_page_until_ctrl_c(repository):
    page = repository / "watched.html"
    command = [sys.executable, "scripts/status.py", "--watch", "0.2", "--html", str(page)]
    process = in_foreground(
        command, cwd=repository, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    written = set()
    until(lambda: page.exists() and (written.add(page.stat().st_mtime_ns) or len(written) > 3))
    assert 'http-equiv="refresh"' in page.read_text()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (0, "")
    assert not list(repository.glob(".*.partial*"))
