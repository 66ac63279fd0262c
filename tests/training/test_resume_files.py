"""No resume file stops a training from starting: one that does not fit is set aside."""

import logging
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from segguided.config.models.diffusion import DiffusionModel
from segguided.data.slices import Stack, write_stack
from segguided.seals import seal_archive
from segguided.training.attempts import Attempts, read_attempts
from segguided.training.checkpoint import Checkpoint
from segguided.training.resume_files import ASIDE
from train_diffusion import train_diffusion

UNET = {"channels": (8, 16), "norm_groups": 4, "layers_per_block": 1, "attention_levels": ()}
TRAINING = {"steps": 3, "batch_size": 2, "learning_rate": 1e-3, "ema_decay": 0.9, "precision": "fp32"}
MODEL = DiffusionModel.model_validate(
    {"kind": "diffusion", "conditioning": "onehot", "unet": UNET, "training": TRAINING}
)


def train(folder: Path, checkpoint_seconds: float = 1e9) -> bytes:
    """A tiny training in `folder`; its weights."""
    pixels = np.random.default_rng(0).integers(0, 2, (4, 16, 16)).astype(np.uint8)
    write_stack(folder / "p.npz", Stack("p", pixels * 200, pixels, np.arange(4.0), {}))
    output = folder / "model.safetensors"
    train_diffusion([folder / "p.npz"], MODEL, 1, 0, output, checkpoint_seconds)
    return output.read_bytes()


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    """A resume file of the training, after its second step, and the weights of the whole one."""
    folder = tmp_path_factory.mktemp("interrupted")
    whole = train(folder)
    kept = folder / "kept.pt"
    (folder / "resume.pt").unlink()  # of the whole training, kept until its outputs are accepted

    class Stopped(Exception):
        pass

    def save(self: Checkpoint, learner: Any, progress: dict[str, Any]) -> None:
        written(self, learner, progress)
        if progress["step"] == 2:
            self.path.rename(kept)
            raise Stopped

    written = Checkpoint.save
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Stopped):
        patch.setattr(Checkpoint, "save", save)
        train(folder, 0)
    return kept, whole


def rewritten(change: Callable[[Any], Any]) -> Callable[[Path], None]:
    """Rewrite the file with other content and a valid seal."""

    def write(path: Path) -> None:
        saved = change(torch.load(path, weights_only=True))
        with path.open("wb") as file:
            torch.save(saved, file)
        seal_archive(path, path, {})

    return write


def without(name: str) -> Callable[[Any], Any]:
    return lambda saved: {key: value for key, value in saved.items() if key != name}


def flipped(seed: int) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        content = bytearray(path.read_bytes())
        rng = random.Random(seed)
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        path.write_bytes(content)

    return write


def half_of_the_optimiser(saved: Any) -> Any:
    """Weights of the right shape with the optimiser of another network: noticed when half is restored."""
    saved["learner"]["descent" if "descent" in saved["learner"] else next(iter(saved["learner"]))] = {
        **next(iter(saved["learner"].values())),
        "optimizer": {"state": {}, "param_groups": []},
    }
    return saved


CHANGES: dict[str, Callable[[Path], None]] = {
    "a list": rewritten(lambda _saved: [1, 2]),
    "a tensor": rewritten(lambda _saved: torch.zeros(3)),
    "no fingerprint": rewritten(without("fingerprint")),
    "no learner": rewritten(without("learner")),
    "no progress": rewritten(without("progress")),
    "another shape": rewritten(lambda saved: {**saved, "learner": {"descent": {"network": torch.zeros(3)}}}),
    "other optimiser": rewritten(half_of_the_optimiser),
    "progress of another kind": rewritten(lambda saved: {**saved, "progress": {"epoch": 3}}),
    "another run's": rewritten(lambda saved: {**saved, "fingerprint": "another"}),
    "no archive": lambda path: path.write_bytes(b"not an archive"),
    "empty": lambda path: path.write_bytes(b""),
    "without a seal": lambda path: torch.save([1], path),
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    **{f"a flipped bit, {seed}": flipped(seed) for seed in range(8)},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_resume_file_that_does_not_fit_is_set_aside(
    tmp_path: Path,
    interrupted: tuple[Path, bytes],
    caplog: pytest.LogCaptureFixture,
    change: Callable[[Path], None],
) -> None:
    kept, whole = interrupted
    path = tmp_path / "resume.pt"
    path.write_bytes(kept.read_bytes())
    change(path)
    changed = path.read_bytes()
    with caplog.at_level(logging.INFO):
        assert train(tmp_path) == whole
    assert caplog.text.count("starting afresh") == 1
    assert "resuming" not in caplog.text
    assert path.with_name(ASIDE).read_bytes() == changed


@pytest.mark.parametrize("error", [OSError(5, "I/O error"), MemoryError(), torch.OutOfMemoryError("CUDA")])
def test_a_failing_machine_sets_no_resume_file_aside(
    tmp_path: Path, interrupted: tuple[Path, bytes], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """Else days of training would be lost because another job used the GPU's memory for a moment."""
    kept, whole = interrupted
    path = tmp_path / "resume.pt"
    path.write_bytes(kept.read_bytes())

    def fail(self: Checkpoint) -> None:
        raise error

    with monkeypatch.context() as patch, pytest.raises(type(error)):
        patch.setattr(Checkpoint, "_read", fail)
        train(tmp_path)
    assert path.read_bytes() == kept.read_bytes()
    assert not path.with_name(ASIDE).exists()
    assert train(tmp_path) == whole


def test_the_whole_resume_file_is_continued(
    tmp_path: Path, interrupted: tuple[Path, bytes], caplog: pytest.LogCaptureFixture
) -> None:
    kept, whole = interrupted
    (tmp_path / "resume.pt").write_bytes(kept.read_bytes())
    with caplog.at_level(logging.INFO):
        assert train(tmp_path) == whole
    assert "resuming after step 2" in caplog.text


@pytest.mark.parametrize(
    "text",
    ["", "{", "{}", "7", "[7]", '[{"started": "yesterday"}]', "[" * 10_000, "\0" * 50, '{"attempts": []}'],
)
def test_a_record_of_attempts_of_another_shape_stops_no_training(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    path = tmp_path / "attempts.json"
    path.write_text(text)
    with Attempts(path, 3, 2, "cpu", 0):
        pass
    assert [attempt.state for attempt in read_attempts(path)] == ["finished"]
    assert caplog.text.count("training goes on without it") == 1
