"""A job's time limit from SLURM, and a run that saves itself before it; a script stands in for squeue."""

import time
from pathlib import Path

import pytest

from segguided.cli import Interrupted
from segguided.training.checkpoint import Checkpoint
from segguided.training.wall_time import parse_left, seconds_left, stop_time


@pytest.fixture
def squeue(tmp_path, monkeypatch):
    """Answers with what is written to the returned file; job 17 runs this process."""
    answer = tmp_path / "answer"
    script = tmp_path / "squeue"
    script.write_text(f'#!/bin/sh\n[ "$2" = --jobs=17 ] || exit 1\ncat "{answer}"\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    return answer


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1-02:03:04", 93784), ("2:03:04", 7384), ("59:01", 3541), ("0:00", 0), ("UNLIMITED", None), ("", None)],
)
def test_squeue_formats(text, seconds):
    assert parse_left(text) == seconds


@pytest.mark.parametrize(("left", "margin"), [("1-00:00:00", 300), ("10:00", 60), ("0:40", 15)])
def test_margin_shrinks_with_the_job(squeue, left, margin):
    squeue.write_text(left + "\n")
    assert stop_time() - time.monotonic() == pytest.approx(parse_left(left) - margin, abs=1)


def test_outside_of_slurm_nothing_limits(squeue, monkeypatch):
    monkeypatch.delenv("SLURM_JOB_ID")
    assert seconds_left() is None
    assert stop_time() is None


def test_a_failing_squeue_is_logged_and_limits_nothing(squeue, caplog):
    squeue.unlink(missing_ok=True)
    assert stop_time() is None
    assert "squeue does not say when job 17 ends" in caplog.text


class Nothing:
    def state_dict(self):
        return {}

    def load_state_dict(self, state):
        pass


def test_a_run_stops_before_its_time_is_over_and_follows_a_raised_limit(squeue, tmp_path: Path):
    checkpoint = Checkpoint(tmp_path / "resume.pt", "x", 1e9)
    squeue.write_text("0:17\n")
    checkpoint.listen()
    assert not checkpoint.due
    checkpoint.seconds = 0
    squeue.write_text("1:00:00\n")
    checkpoint.save(Nothing(), {"step": 1})  # asks again: the site has given more time
    checkpoint.seconds = 1e9
    time.sleep(2.5)
    assert not checkpoint.due
    squeue.write_text("0:15\n")
    checkpoint.save(Nothing(), {"step": 2})
    assert checkpoint.due
    with pytest.raises(Interrupted, match="time is nearly over: saved after step 3"):
        checkpoint.save(Nothing(), {"step": 3})
    assert Checkpoint(tmp_path / "resume.pt", "x").load(Nothing()) == {"step": 3}
