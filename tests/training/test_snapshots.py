"""Checkpoints that are written while training goes on: same bytes, whole or absent, same errors."""

import signal
import threading

import pytest
import torch
from torch import nn

from segguided.cli import Interrupted
from segguided.config.models.training import Training
from segguided.training import checkpoint as module
from segguided.training.checkpoint import INTERVAL, Checkpoint
from segguided.training.optimisation import Descent
from segguided.training.snapshots import is_on_gpu, snapshot

TRAINING = Training(steps=9, batch_size=4, learning_rate=0.1, ema_decay=0.9)


@pytest.fixture
def as_on_a_gpu(monkeypatch):
    """States on the CPU are copied and written in the background, as those on a GPU."""
    monkeypatch.setattr(module, "is_on_gpu", lambda state: True)


@pytest.fixture
def slow_disk(monkeypatch):
    """torch.save waits until the disk is let go; `begun` says that it waits."""
    disk = threading.Event()
    disk.begun = threading.Event()
    write = torch.save

    def save(state, file):
        file.write(b"half")
        disk.begun.set()
        assert disk.wait(30)
        file.seek(0)
        write(state, file)

    monkeypatch.setattr(torch, "save", save)
    return disk


def descent(steps=2):
    torch.manual_seed(0)
    made = Descent.with_adamw(nn.Linear(3, 1), TRAINING, 9)
    advance(made, steps)
    return made


def advance(made, steps):
    for _ in range(steps):
        made.descend(lambda x_BC: {"loss": made.network(x_BC).square().mean()}, [torch.ones(4, 3)])


def progress(step=2):
    return {"step": step, "history": [], "sums": {"loss": torch.tensor(0.5)}}


def test_the_file_has_the_bytes_of_one_written_at_once(tmp_path, monkeypatch):
    content = []
    for background in (False, True):
        monkeypatch.setattr(module, "is_on_gpu", lambda state, background=background: background)
        checkpoint = Checkpoint(tmp_path / "resume.pt", "same")
        checkpoint.save(descent(), progress())
        checkpoint.finish()
        content.append((tmp_path / "resume.pt").read_bytes())
    assert content[0] == content[1]


def test_later_steps_do_not_reach_a_file_that_is_being_written(as_on_a_gpu, slow_disk, tmp_path):
    made, seen = descent(), progress()
    before = [p.detach().clone() for p in made.network.parameters()]
    checkpoint = Checkpoint(tmp_path / "resume.pt", "same")
    checkpoint.save(made, seen)
    assert slow_disk.begun.wait(30)
    assert not (tmp_path / "resume.pt").exists()  # it is whole or absent
    advance(made, 3)
    seen["step"] = 5
    seen["history"].append({"epoch": 1})
    seen["sums"]["loss"] += 1
    slow_disk.set()
    checkpoint.finish()
    restored = descent(0)
    again = Checkpoint(tmp_path / "resume.pt", "same").load(restored)
    assert again == progress()
    assert all(torch.equal(a, b) for a, b in zip(restored.network.parameters(), before, strict=True))
    assert [path.name for path in tmp_path.iterdir()] == ["resume.pt"]


def advanced_during_a_save(slow_disk, folder):
    """A training of three steps, and its checkpoint, which still writes the second."""
    made = descent()
    checkpoint = Checkpoint(folder / "resume.pt", "same")
    checkpoint.save(made, progress())
    threading.Timer(0.2, slow_disk.set).start()
    advance(made, 1)
    return made, checkpoint


def test_a_save_waits_for_the_one_before(as_on_a_gpu, slow_disk, tmp_path):
    made, checkpoint = advanced_during_a_save(slow_disk, tmp_path)
    checkpoint.save(made, progress(3))
    checkpoint.finish()
    assert Checkpoint(tmp_path / "resume.pt", "same").load(descent(0))["step"] == 3


def test_a_stop_leaves_the_last_step_in_the_file(as_on_a_gpu, slow_disk, tmp_path):
    made, checkpoint = advanced_during_a_save(slow_disk, tmp_path)
    checkpoint._on_signal(15, None)
    assert checkpoint.due
    with pytest.raises(Interrupted, match="SIGTERM: saved after step 3"):
        checkpoint.save(made, progress(3))
    assert Checkpoint(tmp_path / "resume.pt", "same").load(descent(0))["step"] == 3


@pytest.mark.parametrize("where", ["due", "save", "finish"])
def test_a_full_disk_is_the_same_sentence_and_leaves_the_last_file(where, as_on_a_gpu, tmp_path, monkeypatch):
    made = descent()
    checkpoint = Checkpoint(tmp_path / "resume.pt", "same")
    checkpoint.save(made, progress())
    checkpoint.finish()
    before = (tmp_path / "resume.pt").read_bytes()

    def full(state, file):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", full)
        checkpoint.save(made, progress(3))
        checkpoint._background._thread.shutdown()  # it has ended
    with pytest.raises(OSError, match=r"no room to write .*resume\.pt"):
        if where == "due":
            _ = checkpoint.due
        elif where == "save":
            checkpoint.save(made, progress(4))
        else:
            checkpoint.finish()
    assert (tmp_path / "resume.pt").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["resume.pt"]


def test_what_shared_memory_still_does():
    whole = torch.arange(6.0)
    state = {"whole": whole, "part": whole[2:4], "same": [whole], "step": 3}
    copied = snapshot(state)
    copied["whole"][2] = 9
    assert copied["part"].tolist() == [9, 3]
    assert copied["same"][0] is copied["whole"]
    assert whole[2] == 2
    assert copied["step"] == 3


def test_an_order_of_memory_is_kept():
    weight = torch.randn(2, 3, 4, 4).contiguous(memory_format=torch.channels_last)
    copied = snapshot({"weight": weight})["weight"]
    assert copied.stride() == weight.stride()
    assert torch.equal(copied, weight)


def test_on_a_cpu_nothing_is_copied(tmp_path):
    assert not is_on_gpu(descent().state_dict())
    checkpoint = Checkpoint(tmp_path / "resume.pt", "same")
    checkpoint._reason = INTERVAL
    checkpoint.save(descent(), progress())
    assert (tmp_path / "resume.pt").exists()  # at once


def test_an_earlier_error_does_not_cost_the_last_state(as_on_a_gpu, tmp_path, monkeypatch, caplog):
    path = tmp_path / "resume.pt"
    checkpoint = Checkpoint(path, {}, 600)
    learner = Descent.with_adamw(nn.Linear(2, 2), TRAINING, 9)
    write = Checkpoint._write

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Checkpoint, "_write", full)
    checkpoint._reason = INTERVAL
    checkpoint.save(learner, {"step": 1})
    monkeypatch.setattr(Checkpoint, "_write", write)
    checkpoint._reason = signal.SIGTERM
    with pytest.raises(Interrupted):
        checkpoint.save(learner, {"step": 2})
    assert torch.load(path, weights_only=True)["progress"]["step"] == 2
    assert "an earlier checkpoint was not written" in caplog.text
