"""A full or failing disk ends in one sentence, whichever library writes, and leaves the file of before."""

import errno
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from segguided.config.models.controlnet import AutoencoderSize
from segguided.data.formats.npz import write_npz
from segguided.data.slices import SliceSet, Stack
from segguided.files import atomic_path, write_text
from segguided.models.controlnet import latent
from segguided.models.controlnet.autoencoder import start_autoencoder
from segguided.training.checkpoint import Checkpoint
from segguided.training.storage import save_network

LIMIT = 20_000  # bytes


@contextmanager
def full_disk(limit: int = LIMIT) -> Iterator[None]:
    """No file may grow beyond `limit`: the kernel refuses the write, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class Weights:
    """Something to save that fits on no full disk."""

    def state_dict(self) -> dict[str, torch.Tensor]:
        return {"one": torch.zeros(3000), "two": torch.ones(30_000)}

    def load_state_dict(self, state: dict[str, torch.Tensor]) -> None:
        """Not called here."""


def save_checkpoint(path: Path) -> None:
    Checkpoint(path, "x").save(Weights(), {"step": 1})


def encode(path: Path) -> None:
    size = AutoencoderSize(channels=(4, 8), latent_channels=2, layers_per_block=1, norm_groups=4)
    pixels = np.zeros((40, 32, 32), np.uint8)
    slices = SliceSet([Stack("p", pixels, pixels, np.arange(40.0), {})])
    with latent.latent_batches(start_autoencoder(size), slices, path, torch.device("cpu")):
        pass


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("model.safetensors", lambda path: save_network(nn.Linear(100, 100), path, {})),
        ("resume.pt", save_checkpoint),
        ("p.npz", lambda path: write_npz(path, images=np.zeros(30_000, np.uint8))),
        ("table1.csv", lambda path: write_text(path, "a," * 30_000)),
        ("latents.npy", encode),
    ],
)
def test_no_room_is_one_sentence_and_leaves_nothing(
    tmp_path: Path, name: str, write: Callable[[Path], None]
) -> None:
    with full_disk(), pytest.raises(OSError, match=rf"no room to write .*{name}.*run the same command"):
        write(tmp_path / name)
    assert not list(tmp_path.iterdir())
    write(tmp_path / name)


def test_a_checkpoint_that_cannot_be_written_leaves_the_last_one(tmp_path: Path) -> None:
    path = tmp_path / "resume.pt"
    save_checkpoint(path)
    before = path.read_bytes()
    for limit in (0, 5_000, 30_000, len(before) - 10):
        with full_disk(limit), pytest.raises(OSError, match="no room to write"):
            save_checkpoint(path)
        assert [file.name for file in tmp_path.iterdir()] == ["resume.pt"]
        assert path.read_bytes() == before


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (OSError(errno.ENOSPC, "full"), "no room to write"),
        (OSError(errno.EDQUOT, "quota"), "or a quota reached"),
        (caused(RuntimeError("unexpected pos 1 vs 2"), OSError(errno.ENOSPC, "full")), "no room to write"),
        (RuntimeError("I/O error: No space left on device (os error 28)"), "no room to write"),
        (OSError(errno.EROFS, "Read-only"), "the disk is read-only: name another results folder"),
        (OSError(errno.EACCES, "Permission"), "name a results folder that you may write to"),
        (OSError(errno.EIO, "I/O"), "the disk fails: look at the system's log"),
    ],
)
def test_each_error_of_a_disk_says_what_to_do(tmp_path: Path, error: Exception, advice: str) -> None:
    with pytest.raises(OSError, match=advice) as caught, atomic_path(tmp_path / "model.safetensors"):
        raise error
    assert "model.safetensors" in str(caught.value)


@pytest.mark.parametrize(
    "error",
    [
        ValueError("bad input"),
        RuntimeError("a defect"),
        PermissionError(errno.EACCES, "Permission denied", "/raw/patient/scan.nii"),
        caused(ValueError("volume cannot be read"), PermissionError(errno.EACCES, "no", "/raw/scan.nii")),
    ],
)
def test_what_is_not_of_the_disk_stays_what_it_is(tmp_path: Path, error: Exception) -> None:
    with pytest.raises(type(error)) as caught, atomic_path(tmp_path / "p.npz"):
        raise error
    assert caught.value is error
