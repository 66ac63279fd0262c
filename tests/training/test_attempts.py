"""attempts.json: what each attempt writes, kills, damaged files, and that it never disturbs training."""

import contextlib
import json
import logging
import subprocess
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import torch

from segguided.cli import Interrupted
from segguided.training.attempts import MOST_POINTS, Attempt, Attempts, read_attempts


@dataclass
class Steps:
    step: int = 0
    sums: dict = field(default_factory=dict)
    summed_steps: int = 0
    counts: dict = field(default_factory=lambda: {"loss": 1})
    history: list = field(default_factory=list)
    micro_batch_size: int | None = None

    def advance(self, loss):
        self.sums = {"loss": self.sums.get("loss", 0) + torch.tensor(loss)}
        self.summed_steps += 1
        self.counts = {"loss": self.summed_steps}
        self.step += 1


def record(path, **changes):
    return Attempts(
        path, **{"steps": 100, "batch_size": 4, "device": "cpu", "gpus": 0, "seconds": 0, **changes}
    )


def attempt(seconds=3600.0, **changes):
    started = datetime(2026, 1, 2, tzinfo=UTC)
    values = {"steps": 100, "batch_size": 4, "device": "A100", "gpus": 1, "host": "n1", "pid": 7}
    seen = started + timedelta(seconds=seconds)
    return Attempt(started=started, seen=seen, script="train_diffusion", **{**values, **changes})


def write(path, attempts):
    path.write_text(json.dumps([attempt.model_dump(mode="json") for attempt in attempts]))


def test_a_running_attempt_says_how_far_it_is(tmp_path, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "34")
    steps = Steps(step=40)
    with record(tmp_path / "attempts.json", gpus=2, device="A100") as attempts:
        (starting,) = read_attempts(tmp_path / "attempts.json")
        assert (starting.state, starting.step, starting.first_step) == ("running", None, None)
        for loss in (3.0, 1.0):
            steps.advance(loss)
            attempts.update(steps)
        (running,) = read_attempts(tmp_path / "attempts.json")
    assert (running.state, running.first_step, running.step, running.steps) == ("running", 40, 42, 100)
    assert running.losses == {"loss": 2.0}
    assert running.curve == [{"step": 41, "loss": 3.0}, {"step": 42, "loss": 2.0}]
    assert running.images_per_second > 0
    assert (running.slurm_job, running.gpus, running.device) == ("34", 2, "A100")
    assert running.started <= running.seen <= datetime.now(UTC)


@pytest.mark.parametrize(
    ("error", "state", "signal"),
    [
        (None, "finished", None),
        (Interrupted("SIGUSR1: saved after step 1"), "interrupted", "SIGUSR1"),
        (Interrupted("the job's time is nearly over: saved"), "interrupted", "the job's time is nearly over"),
        (KeyboardInterrupt(), "interrupted", "SIGINT"),
        (ValueError("diverged"), "failed", None),
    ],
)
def test_the_end_is_recorded(tmp_path, error, state, signal):
    steps = Steps()
    with contextlib.suppress(Interrupted, KeyboardInterrupt, ValueError):
        with record(tmp_path / "attempts.json", seconds=1e9) as attempts:
            steps.advance(1.0)
            attempts.update(steps)
            steps.advance(1.0)  # saved and stopped within a step: `update` is not called again
            if error:
                raise error
        assert error is None, "an error was swallowed"
    (ended,) = read_attempts(tmp_path / "attempts.json")
    assert (ended.state, ended.stopped_by, ended.step) == (state, signal, 2)


def test_an_attempt_that_was_killed_ends_when_it_was_last_seen_and_hours_add_up(tmp_path):
    path = tmp_path / "attempts.json"
    write(path, [attempt(1800, state="interrupted", gpus=4), attempt(3600, gpus=2)])
    with record(path):
        pass
    first, killed, own = read_attempts(path)
    assert (first.state, killed.state, own.state) == ("interrupted", "killed", "finished")
    assert killed.seen - killed.started == timedelta(hours=1)
    assert sum(past.gpu_hours for past in (first, killed, own)) == 0.5 * 4 + 1 * 2
    assert 0 < own.hours < 1


def test_a_process_that_trains_twice_counts_its_time_once(tmp_path):
    path = tmp_path / "attempts.json"
    for _ in range(2):
        with record(path):
            pass
    first, second = read_attempts(path)
    assert first.seen <= second.started <= second.seen


@pytest.mark.parametrize("content", ["", "[{", '{"a": 1}', '[{"step": "x"}]', b"\xff\xfe\x00"])
def test_a_damaged_record_is_set_aside_with_one_warning(tmp_path, content, caplog):
    path = tmp_path / "attempts.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"attempts\.json is no record of attempts"):
        read_attempts(path)
    with record(path) as attempts:
        attempts.update(Steps(step=1))
    assert [attempt.state for attempt in read_attempts(path)] == ["finished"]
    assert (tmp_path / "attempts.json.damaged").read_bytes() == before
    assert len(caplog.records) == 1


def test_a_record_that_cannot_be_written_warns_once_and_stops_nothing(tmp_path, caplog):
    (tmp_path / "file").touch()
    with caplog.at_level(logging.WARNING), record(tmp_path / "file" / "attempts.json") as attempts:
        for step in range(1, 4):
            attempts.update(Steps(step=step))
    assert len(caplog.records) == 1
    assert "training goes on without it" in caplog.text


def test_losses_are_read_only_when_the_file_is_written(tmp_path):
    class Loss:
        reads = 0

        def __float__(self):
            Loss.reads += 1
            return 1.0

    with record(tmp_path / "attempts.json", seconds=0.5) as attempts:
        for step in range(1, 3):
            attempts.update(Steps(step=step, sums={"loss": Loss()}, summed_steps=1))
        assert Loss.reads == 1
        time.sleep(0.6)
        attempts.update(Steps(step=201, sums={"loss": Loss()}, summed_steps=1))
        assert Loss.reads == 2


def test_a_loss_that_is_nan_is_none_and_a_closed_epoch_gives_its_row(tmp_path):
    path = tmp_path / "attempts.json"
    with record(path) as attempts:
        attempts.update(Steps(step=1, sums={"loss": torch.tensor(float("nan"))}, summed_steps=1))
        assert read_attempts(path)[0].losses == {"loss": None}
        attempts.update(Steps(step=2, history=[{"epoch": 1, "step": 2, "loss": 0.5}]))
        assert read_attempts(path)[0].losses == {"loss": 0.5}


def test_a_failed_device_does_not_hide_its_error(tmp_path):
    class Gone:
        def __float__(self):
            raise RuntimeError("CUDA error")

    with (
        pytest.raises(OSError, match="the cause"),
        record(tmp_path / "attempts.json", seconds=1e9) as attempts,
    ):
        attempts.update(Steps(step=1, sums={"loss": 1.0}, summed_steps=1))
        attempts.update(Steps(step=2, sums={"loss": Gone()}, summed_steps=1))
        raise OSError("the cause")
    assert read_attempts(tmp_path / "attempts.json")[0].state == "failed"


def test_the_curve_stays_short_and_keeps_its_last_point(tmp_path):
    path = tmp_path / "attempts.json"
    with record(path) as attempts:
        for step in range(1, 250):
            attempts.update(Steps(step=step, sums={"loss": 1.0}, summed_steps=1))
    (ended,) = read_attempts(path)
    assert len(ended.curve) <= MOST_POINTS
    steps = [point["step"] for point in ended.curve]
    assert steps == sorted(steps)
    assert (steps[-1], len(set(steps))) == (249, len(steps))


def test_reading_imports_no_torch():
    code = "import sys, segguided.training.attempts; print('torch' in sys.modules)"
    scripts = Path(__file__).parents[2] / "scripts"
    done = subprocess.run([sys.executable, "-c", code], cwd=scripts, capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr
