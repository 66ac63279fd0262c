"""A run folder with a tiny model, its run.json, and the test masks as files."""

import json

import numpy as np
import pytest

from generate_diffusion import generate_diffusion
from segguided.app.run_facts import NamedRun
from segguided.data.formats.png import write_grey
from segguided.data.slices import read_slices
from segguided.text_tables import read_lines
from support.on_gpu import deterministic_kernels
from support.tiny_sets import small_sampling, tiny_denoiser, write_two_sets
from write_run import write_run

__all__ = ["deterministic_kernels"]


def settings(**changes):
    values = {
        "dataset": "tiny",
        "model": "mine",
        "title": "My model",
        "kind": "diffusion",
        "seed": 3,
        "classes": [
            {"name": "a", "title": "Fibroglandular tissue", "color": "red", "label": 7},
            {"name": "b", "color": "blue", "label": 9},
        ],
        "image_size": 16,
        "intensity": {"kind": "window", "low": -100, "high": 410},
        "interpolation": "triangle",
        "sampling": small_sampling().model_dump(mode="json"),
    }
    return NamedRun.from_json(json.dumps(values | changes))


@pytest.fixture
def run_folder(tmp_path):
    """The folder of a run; beside it `set.npz`, what the pipeline generates for the test masks."""
    folder = tmp_path / "run"
    folder.mkdir()
    _, paths = write_two_sets(tiny_denoiser(), folder)
    for name in ("held-out", "test"):
        (tmp_path / f"{name}.txt").write_text("".join(f"{path}\n" for path in paths))
    assert read_lines(tmp_path / "test.txt")
    lists = (tmp_path / "held-out.txt", tmp_path / "test.txt")
    write_run(settings(), folder / "model.safetensors", paths, *lists, folder / "run.json")
    generate_diffusion(folder / "model.safetensors", small_sampling(), [paths], [tmp_path / "set.npz"], 3)
    return folder


@pytest.fixture
def png_masks(run_folder, tmp_path):
    """The test masks as PNG label maps named by their ids."""
    slices = read_slices([run_folder / "qq.npz", run_folder / "p.npz"])
    for name, mask_HW in zip(slices.names, slices.masks, strict=True):
        write_grey(tmp_path / "masks" / f"{name}.png", np.ascontiguousarray(mask_HW))
    return tmp_path / "masks"
