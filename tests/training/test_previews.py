"""Previews and event files: a training looks the same with and without them."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
import torch
from PIL import Image

from segguided.config.models.diffusion import DiffusionModel
from segguided.config.models.spade import SpadeModel
from segguided.data.slices import read_slices
from segguided.training.event_files import summary_writer
from segguided.training.launch import on_gpus
from segguided.training.loop import TrainingProgress
from segguided.training.preview_files import newest_preview
from segguided.training.previews import GAP, Previews, grid, preview_slices
from segguided.training.run import training_parser
from segguided.training.watching import Watch, current_watch, watched
from train_diffusion import train_diffusion
from train_spade import train_spade

DIFFUSION = DiffusionModel.model_validate(
    {
        "kind": "diffusion",
        "conditioning": "onehot",
        "prediction_type": "v_prediction",
        "unet": {"channels": (8, 8), "norm_groups": 4, "layers_per_block": 1},
        "training": {"steps": 4, "batch_size": 4, "learning_rate": 1e-3, "ema_decay": 0.9},
    }
)
SPADE = SpadeModel.model_validate(
    {
        "kind": "spade",
        "generator": {"channels": (4, 4), "modulation_channels": 4},
        "discriminator": {"channels": 4, "layers": 2, "scales": 1},
        "perceptual": {"kind": "none"},
        "losses": {"perceptual": 0},
        "training": {"steps": 4, "batch_size": 4, "ema_decay": 0.9},
    }
)


def train(model, slices, folder):
    output = folder / "model.safetensors"
    if model.kind == "spade":
        train_spade([slices], model, None, 1, 0, output, 600)
    else:
        train_diffusion([slices], model, 1, 0, output, 600)


@pytest.mark.parametrize("model", [DIFFUSION, SPADE], ids=["diffusion", "spade"])
def test_previews_change_no_byte_of_a_training(model, slices, tmp_path):
    train(model, slices, tmp_path / "plain")
    with watched(Watch(preview_every=2)):
        train(model, slices, tmp_path / "watched")
    for name in ("model.safetensors", "config.json", "history.csv"):
        assert (tmp_path / "plain" / name).read_bytes() == (tmp_path / "watched" / name).read_bytes(), name
    drawn = sorted(path.name for path in (tmp_path / "watched/previews").iterdir())
    assert drawn == ["step00000002.png", "step00000004.png"]
    assert not (tmp_path / "plain/previews").exists()
    assert newest_preview(tmp_path / "watched").name == "step00000004.png"


def test_a_preview_shows_mask_real_and_generated_image_of_each_slice(slices, tmp_path):
    data = read_slices([slices])
    shown = []
    previews = Previews(
        tmp_path, 5, data, lambda masks, names: masks * 0 + len(names), lambda *it: shown.append(it)
    )
    for step in range(1, 7):
        previews.update(TrainingProgress(step=step))
    picture = np.asarray(Image.open(tmp_path / "step00000005.png"))
    chosen = preview_slices(data)
    assert picture.shape == (3 * 16 + 2 * GAP, 8 * 16 + 7 * GAP)
    images, masks = data.batch(chosen)
    assert np.array_equal(picture[:16, :16], masks[0] * 255)
    assert np.array_equal(picture[16 + GAP : 32 + GAP, :16], images[0])
    assert (picture[-16:, -16:] == 8).all()
    assert [step for _, step in shown] == [5]


def test_the_random_numbers_of_a_preview_are_its_own(slices, tmp_path):
    previews = Previews(
        tmp_path, 1, read_slices([slices]), lambda masks, _: (torch.rand(masks.shape) * 255).byte()
    )
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    previews.update(TrainingProgress(step=1))
    assert torch.equal(torch.rand(1), expected)


def test_previews_of_steps_that_are_done_again_are_deleted(slices, tmp_path):
    for step in (2, 4, 6):
        (tmp_path / f"step{step:08d}.png").touch()
    Previews(tmp_path, 100, read_slices([slices]), lambda masks, _: masks).update(TrainingProgress(step=4))
    assert [path.name for path in tmp_path.iterdir()] == ["step00000002.png"]


def test_a_preview_that_cannot_be_written_stops_nothing(slices, tmp_path, caplog):
    (tmp_path / "previews").touch()
    previews = Previews(tmp_path / "previews", 1, read_slices([slices]), lambda masks, _: masks)
    for step in (1, 2):
        previews.update(TrainingProgress(step=step))
    assert len(caplog.records) == 1 and "training goes on" in caplog.text


def test_a_slice_without_a_class_is_previewed_only_where_there_is_no_other(slices):
    data = read_slices([slices])
    assert len(preview_slices(data)) == 8
    assert list(preview_slices(data, most=2)) == [0, 15]
    empty = data.stacks[0].masks_SHW.copy() * 0
    stack = SimpleNamespace(masks_SHW=np.concatenate([empty, data.stacks[0].masks_SHW[:2]]))
    assert set(preview_slices(SimpleNamespace(stacks=[stack]))) == {16, 17}


def test_a_grid_has_gaps_between_images_and_none_around():
    row = np.zeros((2, 3, 4), np.uint8)
    assert grid([row, row]).shape == (2 * 3 + GAP, 2 * 4 + GAP)


class Writer:
    """Keeps what a writer of event files is given."""

    calls: ClassVar = []

    def __init__(self, folder, purge_step):
        self.calls.append(("open", purge_step))

    def add_scalar(self, name, value, step):
        self.calls.append((name, value, step))

    def add_image(self, name, picture, step, dataformats):
        self.calls.append((name, picture.shape, step, dataformats))

    def flush(self):
        pass


def test_event_files_hold_the_rows_of_the_history_and_the_previews(slices, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", SimpleNamespace(SummaryWriter=Writer))
    monkeypatch.setattr(Writer, "calls", [])
    with watched(Watch(preview_every=4, tensorboard=True)):
        train(DIFFUSION, slices, tmp_path)
    _, loss = (tmp_path / "history.csv").read_text().splitlines()
    _, step, value = loss.split(",")
    opened, scalar, preview = Writer.calls
    assert opened == ("open", 1)
    assert (
        scalar[0] == "loss" and scalar[2] == int(step) and scalar[1] == pytest.approx(float(value), rel=1e-3)
    )
    assert preview == ("preview", (3 * 16 + 2 * GAP, 8 * 16 + 7 * GAP), 4, "HW")


def test_without_a_library_event_files_are_refused_before_anything_is_read(monkeypatch, tmp_path):
    for name in ("tensorboardX", "torch.utils.tensorboard"):
        monkeypatch.setitem(sys.modules, name, None)
    with (
        pytest.raises(ValueError, match="needs tensorboardX or tensorboard, and neither is installed"),
        watched(Watch(tensorboard=True)),
    ):
        pytest.fail("no training should begin")
    with pytest.raises(ValueError, match="set tensorboard: false"):
        summary_writer()


def test_samplers_of_previews_are_no_part_of_a_training():
    """Else a change of them would train all models again, and a resume file would not be continued."""
    program = (
        "import sys, train_diffusion, train_spade, train_controlnet;"
        "sys.exit(any(name.startswith('segguided.generation') for name in sys.modules))"
    )
    scripts = Path(__file__).parents[2] / "scripts"
    assert subprocess.run([sys.executable, "-c", program], cwd=scripts).returncode == 0


def test_the_launcher_takes_what_is_watched_from_the_command_line():
    seen = []
    words = ["--slices", "a", "--seed", "0", "--output", "o", "--preview-every", "7"]
    arguments = vars(training_parser("").parse_args(words))
    on_gpus(lambda **given: seen.append((current_watch(), sorted(given))), arguments)
    ((watch, given),) = seen
    assert watch == Watch(preview_every=7)
    assert "preview_every" not in given
    assert current_watch() == Watch()
