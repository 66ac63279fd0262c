"""The scripts train_perceptual, train_spade and generate_spade, one after the other, on small masks."""

import json

import numpy as np
import pytest
import torch

from generate_spade import generate_spade
from segguided.config.models.perceptual import PlainEncoder
from segguided.config.models.spade import AdversarialTraining, SpadeDiscriminator, SpadeGenerator, SpadeModel
from segguided.config.models.training import Training
from segguided.config.sampling import Sampling
from segguided.data.slices import Stack, read_generated, write_stack
from segguided.devices import pick_device
from segguided.models.plain_encoder import load_encoder
from segguided.models.spade_learner import SpadeLearner, check_shareable
from segguided.training import ranks
from train_perceptual import train_perceptual
from train_spade import train_spade

CPU = torch.device("cpu")
ENCODER = PlainEncoder(
    channels=(8, 16), training=Training(steps=60, batch_size=4, learning_rate=1e-2, precision="fp32")
)


def model(steps=60):
    training = {
        "steps": steps,
        "batch_size": 4,
        "generator_learning_rate": 3e-3,
        "discriminator_learning_rate": 3e-3,
    }
    return SpadeModel(
        kind="spade",
        generator=SpadeGenerator(channels=(8, 16), modulation_channels=8, norm="instance"),
        discriminator=SpadeDiscriminator(channels=8, layers=2),
        perceptual={"kind": "encoder", "encoder": ENCODER},
        first_weights="he",
        training=AdversarialTraining(**training, mirror=False, ema_decay=0.9, precision="fp32"),
    )


def sampling(batch_size=4):
    return Sampling(sampler="ddim", steps=1, batch_size=batch_size, precision="fp32")


@pytest.fixture(scope="module")
def slices(tmp_path_factory):
    """A patient of twelve squares, brighter than their ground."""
    rng = np.random.default_rng(0)
    masks_SHW = np.zeros((12, 16, 16), np.uint8)
    for mask_HW in masks_SHW:
        y, x = rng.integers(0, 8, 2)
        mask_HW[y : y + 8, x : x + 8] = 1
    path = tmp_path_factory.mktemp("slices") / "p.npz"
    images_SHW = (masks_SHW * 150 + 20 + rng.integers(0, 20, masks_SHW.shape)).astype(np.uint8)
    write_stack(path, Stack("p", images_SHW, masks_SHW, np.arange(12.0), {"classes": ["square"]}))
    return path, images_SHW, masks_SHW


@pytest.fixture(scope="module")
def perceptual(slices, tmp_path_factory):
    weights = tmp_path_factory.mktemp("perceptual") / "model.safetensors"
    train_perceptual([slices[0]], ENCODER, 1, 0, weights)
    return weights


@pytest.fixture(scope="module")
def trained(slices, perceptual, tmp_path_factory):
    weights = tmp_path_factory.mktemp("spade") / "model.safetensors"
    train_spade([slices[0]], model(), perceptual, 1, 0, weights, 1e9)
    return weights


def test_the_perceptual_network_knows_what_it_was_trained_on(slices, perceptual):
    _, images_SHW, masks_SHW = slices
    network = load_encoder(perceptual)
    with torch.no_grad():
        finest = network(torch.from_numpy(images_SHW[:, None] / 127.5 - 1).float().to(pick_device()))[0]
        predicted_SHW = network.heads[0](finest).argmax(1).cpu().numpy()
    assert (predicted_SHW == masks_SHW).mean() > 0.97
    assert "validation_loss" not in perceptual.with_name("history.csv").read_text()


def test_lost_outputs_come_back_from_the_resume_file_without_a_step(
    slices, perceptual, tmp_path, monkeypatch
):
    output = tmp_path / "model.safetensors"
    train_spade([slices[0]], model(steps=4), perceptual, 1, 0, output, 1e9)
    files = [tmp_path / name for name in ("model.safetensors", "config.json", "history.csv")]
    whole = [path.read_bytes() for path in files]
    for path in files:
        path.unlink()
    monkeypatch.setattr(SpadeLearner, "update", None)
    train_spade([slices[0]], model(steps=4), perceptual, 1, 0, output, 1e9)
    assert [path.read_bytes() for path in files] == whole


def test_training_leaves_the_generator_alone_and_what_it_cost(trained):
    names = ["attempts.json", "config.json", "history.csv", "model.safetensors", "resume.pt"]
    assert sorted(path.name for path in trained.parent.iterdir()) == names
    description = json.loads(trained.with_name("config.json").read_text())
    assert (description["kind"], description["n_classes"], description["image_size"]) == ("spade", 1, 16)
    assert (description["training"]["steps"], description["training"]["images"]) == (60, 240)
    assert description["training"]["flops"] > 1e9
    header = trained.with_name("history.csv").read_text().splitlines()[0]
    assert header == "epoch,step,adversarial,feature_matching,perceptual,discriminator"


def generate(trained, slices, output, batch_size=4):
    generate_spade(trained, sampling(batch_size), [[slices[0]]], [output], seed=0)
    return read_generated(output)


def test_images_follow_their_masks(trained, slices, tmp_path):
    images_SHW, names = generate(trained, slices, tmp_path / "set.npz")
    _, _, masks_SHW = slices
    assert len(names) == len(masks_SHW)
    assert ((images_SHW > 95) == masks_SHW).mean() > 0.9


def test_micro_batches_that_gpus_cannot_share_are_refused_before_anything_is_written(
    slices, perceptual, tmp_path, monkeypatch
):
    """A batch of 4 in micro-batches of 3: the second has one image."""
    monkeypatch.setattr(ranks, "count", lambda: 2)
    whole = model()
    parts = whole.model_copy(update={"training": whole.training.model_copy(update={"micro_batch_size": 3})})
    reason = (
        "batches of 4 slices in micro-batches of 3 have one of 1, fewer than 2 GPUs; set micro_batch_size"
    )
    with pytest.raises(ValueError, match=reason):
        train_spade([slices[0]], parts, perceptual, 1, 0, tmp_path / "run/model.safetensors", 1e9)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("batch_size", "micro_batch_size", "gpus"),
    [(4, None, 4), (5, 3, 2), (128, 16, 8), (4, 16, 4), (3, None, 4), (4, 2, 1), (4, 3, 1)],
)
def test_parts_with_an_image_for_each_gpu_can_be_shared(monkeypatch, batch_size, micro_batch_size, gpus):
    """Batches too small for the GPUs are refused for every model, by the loop."""
    monkeypatch.setattr(ranks, "count", lambda: gpus)
    check_shareable(batch_size, micro_batch_size)


def test_an_image_is_a_function_of_its_mask(trained, slices, tmp_path):
    images_SHW, _ = generate(trained, slices, tmp_path / "one.npz")
    again_SHW, _ = generate(trained, slices, tmp_path / "two.npz", batch_size=5)
    assert np.abs(images_SHW.astype(int) - again_SHW).max() <= 1


def test_a_run_does_not_continue_under_another_perceptual_network(slices, perceptual, tmp_path, caplog):
    """The two networks have the same settings; only their weights differ."""
    other_perceptual = tmp_path / "other" / "model.safetensors"
    other_perceptual.parent.mkdir()
    train_perceptual([slices[0]], ENCODER, 1, 1, other_perceptual)
    output = tmp_path / "model.safetensors"
    for weights in (perceptual, perceptual):
        train_spade([slices[0]], model(steps=2), weights, 1, 0, output, 0)
    assert "starting afresh" not in caplog.text
    train_spade([slices[0]], model(steps=2), other_perceptual, 1, 0, output, 0)
    assert "starting afresh" in caplog.text
