"""train_diffusion and train_spade with `init_from`: where they begin, and what they write of it."""

import json

import pytest
import torch
from safetensors.torch import load_file

from segguided.config.models.diffusion import DiffusionModel
from segguided.config.models.init_from import InitFrom
from segguided.config.models.spade import SpadeModel
from segguided.files import sha256_of
from train_diffusion import command_line, train_diffusion
from train_spade import train_spade

DIFFUSION = {
    "kind": "diffusion",
    "conditioning": "onehot",
    "unet": {"channels": (8, 8), "norm_groups": 4, "layers_per_block": 1},
    "training": {"steps": 2, "batch_size": 4, "learning_rate": 1e-3},
}
SPADE = {
    "kind": "spade",
    "generator": {"channels": (8, 8), "modulation_channels": 4},
    "discriminator": {"channels": 4, "layers": 2, "scales": 1},
    "perceptual": {"kind": "none"},
    "losses": {"perceptual": 0},
    "training": {"steps": 2, "batch_size": 4},
}


def train(kind, slices, output, init_from=None, rate=None):
    begin = (InitFrom(run=str(init_from), classes=("square",)), ["square"]) if init_from else ()
    if kind == "spade":
        training = {**SPADE["training"], **({"generator_learning_rate": rate} if rate else {})}
        model = SpadeModel.model_validate({**SPADE, "training": training})
        train_spade([slices], model, None, 1, 0, output, 600, *begin)
    else:
        training = {**DIFFUSION["training"], **({"learning_rate": rate} if rate else {})}
        train_diffusion(
            [slices],
            DiffusionModel.model_validate({**DIFFUSION, "training": training}),
            1,
            0,
            output,
            600,
            *begin,
        )


@pytest.mark.parametrize("kind", ["diffusion", "spade"])
def test_a_training_begins_with_the_weights_of_a_run(kind, slices, tmp_path):
    """SPADE divides them once more by their largest singular value, which is 1 up to the estimate of it."""
    weights = tmp_path / "a/model.safetensors"
    train(kind, slices, weights)
    tuned = tmp_path / "b/model.safetensors"
    train(kind, slices, tuned, weights.parent, rate=1e-12)
    before = load_file(weights)
    for name, tensor in load_file(tuned).items():
        if "running" not in name and "num_batches" not in name:
            torch.testing.assert_close(tensor, before[name], atol=0.02, rtol=0)
    written = json.loads((tmp_path / "b/config.json").read_text())["init_from"]
    assert written["run"] == str(weights.parent)
    assert written["weights_sha256"] == sha256_of(weights)
    assert written["classes"] == written["classes_before"] == ["square"]
    assert written["new_channels"] == written["left_channels"] == []
    assert "init_from" not in json.loads((tmp_path / "a/config.json").read_text())


def test_a_training_with_another_beginning_is_not_continued(slices, tmp_path, caplog):
    """The resume file of a finished training would give its weights at once."""
    for name in ("a", "b"):
        train("diffusion", slices, tmp_path / name / "model.safetensors")
    output = tmp_path / "c/model.safetensors"
    train("diffusion", slices, output)
    first = output.read_bytes()
    train("diffusion", slices, output, tmp_path / "a")
    assert "was made with other settings, code or data: starting afresh" in caplog.text
    assert output.read_bytes() != first


def test_a_fine_tuned_run_says_its_classes_itself(slices, tmp_path):
    train("diffusion", slices, tmp_path / "a/model.safetensors")
    train("diffusion", slices, tmp_path / "b/model.safetensors", tmp_path / "a")
    model = DiffusionModel.model_validate(DIFFUSION)
    third = tmp_path / "c/model.safetensors"
    train_diffusion([slices], model, 1, 0, third, 600, InitFrom(run=str(tmp_path / "b")), ["square"])
    assert third.is_file()


def test_the_command_line_takes_a_beginning(tmp_path):
    words = ["--slices", "a", "--seed", "0", "--output", "o", "--n-classes", "2"]
    words += ["--model", DiffusionModel.model_validate(DIFFUSION).training_json()]
    assert command_line().parse_args(words).init_from is None
    parsed = command_line().parse_args([*words, "--init-from", '{"run": "x"}', "--classes", "a b", "c"])
    assert parsed.init_from == InitFrom(run="x")
    assert parsed.classes == ["a b", "c"]
