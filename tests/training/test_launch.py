"""Processes that share each batch: the same losses and weights as alone; signals, faults, resuming.

Two processes on the CPU (gloo) train every model that can be shared; three train a tiny network through what
may happen to them.
"""

import csv
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from safetensors.numpy import load_file

from segguided.data.slices import Stack, write_stack
from segguided.training import ranks
from segguided.training.attempts import read_attempts
from segguided.training.checkpoint import Checkpoint
from segguided.training.launch import on_gpus
from segguided.training.loop import Plan, fit
from segguided.training.storage import read_description
from support.miniature import in_foreground
from support.sharing import IMAGES, PERCEPTUAL, SPADES, WITH_MAPS, train_a_spade, train_all

# Without a GPU, the processes compute on the CPU; with GPUs, each needs one.
pytestmark = pytest.mark.skipif(
    0 < torch.accelerator.device_count() < 3, reason="needs three GPUs, or none at all"
)
ROOT = Path(__file__).parents[2]
STAGES = ("stages/autoencoder", "stages/latent", "stages")
RESULTS = ("model.safetensors", "config.json", "history.csv")


def write_slices(path, n=12):
    rng = np.random.default_rng(0)
    masks_SHW = rng.integers(0, 3, (n, 16, 16)).astype(np.uint8)
    images_SHW = (masks_SHW * 90 + rng.integers(0, 30, masks_SHW.shape)).astype(np.uint8)
    write_stack(path, Stack("p", images_SHW, masks_SHW, np.arange(float(n)), {"classes": ["a", "b"]}))


def rows(path):
    with path.open() as file:
        return list(csv.reader(file))


def description(folder):
    """What config.json says of a run, without the checksum of its weights, which rounding changes."""
    return {**read_description(folder / "model.safetensors"), "weights_sha256": None}


@pytest.fixture(scope="module")
def alone_and_shared(tmp_path_factory):
    """Every shareable training by one process and by two: batches of 5, by the latent stages in parts."""
    alone, shared = (tmp_path_factory.mktemp("runs") / name for name in ("alone", "shared"))
    write_slices(alone / "p.npz")
    train_all(alone)
    shutil.copytree(alone, shared, ignore=shutil.ignore_patterns("resume.pt"))
    on_gpus(train_all, {"folder": shared, "gpus": 2, "threads": 2})
    return alone, shared


@pytest.mark.parametrize("name", [*IMAGES, "segmenter", *STAGES, "perceptual", *SPADES, *WITH_MAPS])
def test_two_processes_compute_the_losses_and_weights_of_one(alone_and_shared, name):
    alone, shared = (folder / name for folder in alone_and_shared)
    times = [(folder / "model.safetensors").stat().st_mtime_ns for folder in (alone, shared)]
    assert times[0] < times[1]
    assert description(alone) == description(shared)
    assert rows(alone / "history.csv")[0] == rows(shared / "history.csv")[0]
    losses = [np.array(rows(folder / "history.csv")[1:], float) for folder in (alone, shared)]
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)
    weights_alone, weights_shared = (load_file(folder / "model.safetensors") for folder in (alone, shared))
    assert weights_alone.keys() == weights_shared.keys()
    # A normalisation or a softmax may cancel a bias: its gradient is rounding error, yet Adam takes steps.
    for key in (key for key in weights_alone if key.endswith(".weight")):
        difference = np.abs(weights_alone[key] - weights_shared[key])
        assert difference.max() < 3e-4, f"{key}: a third of one of eight steps"
        assert difference.mean() < 1e-6, key
    for key in (key for key in weights_alone if key.endswith(".running_var")):
        np.testing.assert_allclose(weights_alone[key], weights_shared[key], rtol=1e-4, err_msg=key)


def test_a_spade_of_two_processes_stops_and_continues_on_two_or_one(alone_and_shared, tmp_path):
    """On two to the same bytes: batch statistics and spectral norms are saved as well. On one to rounding."""
    alone, shared = alone_and_shared
    on_two, on_one = tmp_path / "two", tmp_path / "one"
    for name in ("p.npz", PERCEPTUAL, PERCEPTUAL.with_name("config.json")):
        (on_two / name).parent.mkdir(exist_ok=True)
        shutil.copy(alone / name, on_two / name)
    arguments = {"folder": on_two, "name": "spade", "threads": 2, "gpus": 2}
    with pytest.raises(SystemExit) as stop:
        on_gpus(train_a_spade, {**arguments, "stops_after": 2})
    assert stop.value.code == 75
    assert saved_step(on_two / "spade") == 2
    shutil.copytree(on_two, on_one)
    on_gpus(train_a_spade, arguments)
    for name in RESULTS:
        assert (on_two / "spade" / name).read_bytes() == (shared / "spade" / name).read_bytes(), name
    train_a_spade(on_one, "spade")
    losses = [np.array(rows(folder / "spade/history.csv")[1:], float) for folder in (alone, on_one)]
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)


class Runs:
    """Runs of the tiny training below one folder."""

    def __init__(self, folder):
        self.folder = folder
        write_slices(folder / "p.npz")

    def start(self, name, *options, gpus=3):
        command = [
            sys.executable, str(ROOT / "tests/support/sharing.py"),
            "--slices", str(self.folder / "p.npz"), "--seed", "0", "--gpus", str(gpus),
            "--output", str(self.folder / name / "model.safetensors"), *options,
        ]  # fmt: skip
        environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'scripts'}{os.pathsep}{ROOT / 'tests'}"}
        return in_foreground(command, stderr=subprocess.PIPE, text=True, env=environment)

    def start_saving(self, name):
        """Start, and come back when it has saved after a step of its own."""
        path = self.folder / name / "resume.pt"
        before = path.stat().st_mtime_ns if path.exists() else 0
        process = self.start(name, "--checkpoint-seconds", "0", "--pause", "0.3")
        while process.poll() is None and not (path.exists() and path.stat().st_mtime_ns > before):
            time.sleep(0.001)
        return process

    def bytes_of(self, name):
        return [(self.folder / name / file).read_bytes() for file in RESULTS]


def parts_of(process):
    """The processes that share the batches."""
    return [
        child
        for child in psutil.Process(process.pid).children()
        if any("spawn_main" in part for part in child.cmdline())
    ]


def finished(process):
    _, errors = process.communicate(timeout=120)
    return process.returncode, errors


def saved_step(folder):
    return torch.load(folder / "resume.pt", weights_only=True)["progress"]["step"]


def test_three_processes_survive_what_happens_and_end_in_the_same_bytes(tmp_path):
    """SIGUSR1 to all through their parent, SIGTERM to one of them, one killed, the parent killed."""
    runs = Runs(tmp_path)
    assert finished(runs.start("whole"))[0] == 0

    process = runs.start_saving("run")
    process.send_signal(signal.SIGUSR1)
    code, errors = finished(process)
    step = saved_step(tmp_path / "run")
    assert code == 75
    assert errors.splitlines()[-1].startswith(f"SIGUSR1: saved after step {step} in")
    assert errors.count("saved after") == 1
    assert "Traceback" not in errors

    process = runs.start_saving("run")
    parts_of(process)[2].send_signal(signal.SIGTERM)
    code, errors = finished(process)
    assert code == 75
    assert f"resuming after step {step}" in errors
    assert f"SIGTERM: saved after step {saved_step(tmp_path / 'run')} in" in errors.splitlines()[-1]

    process = runs.start_saving("run")
    parts = parts_of(process)
    since = time.monotonic()
    parts[1].kill()
    code, errors = finished(process)
    assert time.monotonic() - since < 12
    assert code == 1
    assert "error: process 2 of 3 was killed by SIGKILL" in errors.splitlines()[-1]
    assert "Traceback" not in errors
    assert not any(part.is_running() for part in parts)

    process = runs.start_saving("run")
    parts = parts_of(process)
    process.kill()
    process.communicate()
    assert not psutil.wait_procs(parts, timeout=20)[1], "without their parent they save and end"

    shutil.copytree(tmp_path / "run", tmp_path / "other")
    assert finished(runs.start("run"))[0] == 0
    assert runs.bytes_of("run") == runs.bytes_of("whole")
    assert saved_step(tmp_path / "run") == 40, "kept until its outputs are accepted"
    attempts = read_attempts(tmp_path / "run/attempts.json")  # the first process's alone
    assert [attempt.stopped_by for attempt in attempts[:2]] == ["SIGUSR1", "SIGTERM"]
    assert (len(attempts), attempts[-1].state, attempts[0].step) == (5, "finished", step)

    code, errors = finished(runs.start("other", gpus=1))
    assert code == 0
    assert "resuming after step" in errors
    assert description(tmp_path / "other") == description(tmp_path / "whole")
    whole, on_one_gpu = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "other"))
    assert all(np.allclose(whole[key], on_one_gpu[key], atol=1e-4) for key in whole)


def test_a_defect_in_one_process_ends_all_with_one_traceback(tmp_path):
    code, errors = finished(Runs(tmp_path).start("run", "--break-rank", "1"))
    assert code == 1
    assert errors.count("Traceback") == 1
    assert "RuntimeError: broken on request" in errors


def test_bad_input_ends_all_with_one_sentence(tmp_path):
    runs = Runs(tmp_path)
    (tmp_path / "p.npz").write_bytes(b"no slices")
    code, errors = finished(runs.start("run"))
    assert code == 1
    assert errors.count("is damaged") == 1
    assert "Traceback" not in errors


@pytest.mark.parametrize(
    ("gpus", "reason"),
    [
        (0, "expected one GPU or more, got --gpus 0"),
        (4, r"4 GPUs were asked for, but 2 can be seen \(CUDA_VISIBLE_DEVICES=0,3\); ask for fewer"),
    ],
)
def test_gpus_that_are_not_there_are_refused(monkeypatch, gpus, reason):
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
    monkeypatch.setattr(torch.accelerator, "device_count", lambda: 2)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,3")
    with pytest.raises(ValueError, match=reason):
        on_gpus(train_all, {"gpus": gpus, "threads": 1})


def test_a_batch_smaller_than_the_processes_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(ranks, "count", lambda: 3)
    with pytest.raises(ValueError, match="a batch of 2 slices cannot be shared by 3 GPUs; ask for at most 2"):
        fit(None, None, Plan(4, 2, 9), 0, Checkpoint(tmp_path / "resume.pt", "x"), tmp_path / "history.csv")
