"""What lives: real processes of this machine, and squeue as it answers or does not."""

import os
import subprocess
import sys
import time

import psutil
import pytest

from segguided.status.journal import FOLDER
from segguided.status.slurm_queue import SLURM_LOGS
from segguided.status.surroundings import look
from support.status_scenes import recorded


@pytest.fixture
def start(tmp_path):
    """Start a process in the folder with these arguments; killed at the end."""
    started = []

    def run(script, *arguments, cwd=tmp_path):
        path = cwd / script
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("import time; time.sleep(60)")
        process = subprocess.Popen([sys.executable, script, *arguments], cwd=cwd)
        started.append(process)
        while script not in psutil.Process(process.pid).cmdline():  # between fork and exec
            time.sleep(0.01)
        return process

    yield run
    for process in started:
        process.kill()
        process.wait()


def no_slurm(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))


def squeue(folder, text):
    """A squeue that does what `text` says, and a folder whose jobs went to SLURM."""
    (folder / SLURM_LOGS).mkdir(parents=True)
    path = folder / "bin" / "squeue"
    path.parent.mkdir()
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return f"{path.parent}{os.pathsep}{os.environ['PATH']}"


def test_the_scripts_of_this_folder_are_found_by_rule_and_output(start, tmp_path, monkeypatch):
    no_slurm(monkeypatch, tmp_path)
    mine = start("scripts/train_spade.py", "--output", "results/a/model.safetensors")
    start("scripts/train_spade.py", "--output", "results/a/model.safetensors", cwd=tmp_path / "other")
    start("scripts/status.py", "--watch")
    around = look(tmp_path, None)
    assert [process.pid for process in around.processes] == [mine.pid]
    assert around.processes_of("train_spade", ["results/a/model.safetensors", "x"])
    assert not around.processes_of("train_spade", ["results/b/model.safetensors"])
    assert not around.processes_of("train_diffusion", ["results/a/model.safetensors"])
    mine.kill()
    os.waitid(os.P_PID, mine.pid, os.WEXITED | os.WNOWAIT)
    assert not look(tmp_path, None).processes  # also while nobody has waited for it


def test_snakemake_lives_as_long_as_its_very_process(start, tmp_path, monkeypatch):
    no_slurm(monkeypatch, tmp_path)
    process = start("snakemake", "all")
    run = recorded("killed", tmp_path)
    run.host = os.uname().nodename
    run.pid = process.pid
    run.created = psutil.Process(process.pid).create_time()
    around = look(tmp_path, run)
    assert around.snakemake
    assert not around.commands
    run.created -= 3600  # its id was given to another process
    assert look(tmp_path, run).snakemake is False
    run.created += 3600
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # the kill takes a moment
    assert look(tmp_path, run).snakemake is False


def test_nothing_is_known_of_another_hosts_processes(tmp_path, monkeypatch):
    no_slurm(monkeypatch, tmp_path)
    around = look(tmp_path, recorded("killed", tmp_path))
    assert (around.snakemake, around.processes) == (None, None)


@pytest.mark.parametrize(
    ("arguments", "is_seen"), [(("all",), True), (("-n", "all"), False), (("--mode", "remote"), False)]
)
def test_a_snakemake_that_is_only_asked_is_not_one_that_starts(
    start, tmp_path, monkeypatch, arguments, is_seen
):
    no_slurm(monkeypatch, tmp_path)
    start("snakemake", *arguments)
    assert bool(look(tmp_path, None).commands) == is_seen


@pytest.mark.parametrize(
    ("script", "trouble"),
    [
        ("echo 'slurm_load_jobs error: Unable to contact slurm controller' >&2; exit 1", "Unable to contact"),
        ("exit 3", "exit status 3"),
    ],
)
def test_a_squeue_that_fails_is_told(tmp_path, monkeypatch, script, trouble):
    monkeypatch.setenv("PATH", squeue(tmp_path, script))
    around = look(tmp_path, None)
    assert around.queue is None
    assert trouble in around.trouble


def test_a_client_without_a_cluster_is_no_slurm(tmp_path, monkeypatch):
    said = "squeue: fatal: Could not establish a configuration source"
    monkeypatch.setenv("PATH", squeue(tmp_path, f"echo '{said}' >&2; exit 1"))
    around = look(tmp_path, None)
    assert (around.queue, around.trouble) == (None, None)


def test_without_squeue_there_is_nothing_to_tell(tmp_path, monkeypatch):
    no_slurm(monkeypatch, tmp_path)
    around = look(tmp_path, None)
    assert (around.queue, around.trouble) == (None, None)


def test_an_empty_queue_is_known_to_be_empty(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", squeue(tmp_path, "true"))
    assert look(tmp_path, None).queue == ()


def test_a_folder_without_slurm_jobs_does_not_wait_for_a_controller_that_is_down(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", squeue(tmp_path, "sleep 60"))
    (tmp_path / SLURM_LOGS).rmdir()
    began = time.monotonic()
    around = look(tmp_path, None)
    assert (around.queue, around.trouble) == (None, None)
    assert time.monotonic() - began < 5


def test_a_journal_that_tells_of_slurm_is_enough_to_ask_the_queue(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", squeue(tmp_path, "true"))
    (tmp_path / SLURM_LOGS).rmdir()
    journal = tmp_path / FOLDER / "2026-01-01T000000.000000-1.jsonl"
    journal.parent.mkdir(parents=True)
    journal.write_text('{"event": "begin", "slurm_run": "segguided_x"}\n')
    assert look(tmp_path, None).queue == ()
