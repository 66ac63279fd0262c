"""Training on real or on generated images; the validation half alone selects the epoch."""

import csv

import numpy as np
import pytest
import torch

from segguided.config.models.segmenter import Augmentation, Segmenter
from segguided.config.models.training import Training
from segguided.data.slices import SliceSet, Stack
from segguided.data.spread import evenly_spread
from segguided.evaluation.prediction import predict
from segguided.models.segmenter import SegmenterLearner, build_segmenter
from segguided.models.segmenter_run import run_segmenter
from segguided.training.storage import load_weights, read_description

CPU = torch.device("cpu")


def settings(steps=80, augmentation=None):
    training = Training(steps=steps, batch_size=4, learning_rate=1e-2, precision="fp32")
    return Segmenter(channels=(8, 16), training=training, augmentation=augmentation)


def patient(name, n=10, seed=0):
    rng = np.random.default_rng(seed)
    masks_SHW = np.zeros((n, 16, 16), np.uint8)
    for mask_HW in masks_SHW:
        y, x = rng.integers(0, 6, 2)
        mask_HW[y : y + 9, x : x + 9] = 1
    noise = rng.integers(0, 30, masks_SHW.shape)
    return Stack(name, (masks_SHW * 150 + noise).astype(np.uint8), masks_SHW, np.arange(float(n)), {})


def trained(folder, data, validation, segmenter):
    run_segmenter(data, validation, segmenter, 1, 0, folder / "model.safetensors")
    return load_weights(build_segmenter(segmenter, 1), folder / "model.safetensors", CPU)


@pytest.mark.parametrize("augmentation", [None, Augmentation()])
def test_learns_the_held_out_patients_and_leaves_its_files(tmp_path, augmentation):
    data = SliceSet([patient("p"), patient("q", seed=1)])
    validation = SliceSet([patient("v", seed=2)])
    network = trained(tmp_path, data, validation, settings(augmentation=augmentation))
    unseen = patient("t", seed=3)
    assert (predict(network, unseen.images_SHW, CPU) == unseen.masks_SHW).mean() > 0.95
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "attempts.json",
        "config.json",
        "history.csv",
        "model.safetensors",
        "resume.pt",
    ]
    assert read_description(tmp_path / "model.safetensors")["n_classes"] == 1


def test_lost_outputs_come_back_from_the_resume_file_without_a_step(tmp_path, monkeypatch):
    """Also the weights of the best epoch, which are not the last."""
    data = SliceSet([patient("p")])
    validation = SliceSet([patient("v", seed=2)])
    trained(tmp_path, data, validation, settings(steps=12))
    files = [tmp_path / name for name in ("model.safetensors", "config.json", "history.csv")]
    whole = [path.read_bytes() for path in files]
    for path in files:
        path.unlink()
    monkeypatch.setattr(SegmenterLearner, "update", None)
    trained(tmp_path, data, validation, settings(steps=12))
    assert [path.read_bytes() for path in files] == whole


def test_generated_images_take_the_real_ones_place(tmp_path):
    """Images in which the object is dark teach a segmenter that finds nothing in real ones."""
    real = SliceSet([patient("p")])
    inverted = real.with_images(255 - real.images, real.names)
    unseen = patient("t", seed=3)
    network = trained(tmp_path, inverted, SliceSet([patient("v", seed=2)]).with_images(
        255 - patient("v", seed=2).images_SHW, [f"v_slice_{i}" for i in range(10)]
    ), settings())  # fmt: skip
    assert (predict(network, 255 - unseen.images_SHW, CPU) == unseen.masks_SHW).mean() > 0.95
    assert (predict(network, unseen.images_SHW, CPU) == unseen.masks_SHW).mean() < 0.6


def test_some_evenly_spread_slices_may_choose_the_epoch(tmp_path):
    data = SliceSet([patient("p")])
    validation = SliceSet([patient("v", seed=2)])
    few = settings(steps=4).model_copy(update={"validation_slices": 3})
    trained(tmp_path / "few", data, validation, few)
    chosen = evenly_spread(validation, 3)
    assert len(chosen) == 3
    trained(tmp_path / "these", data, chosen, settings(steps=4))
    losses = [(tmp_path / name / "history.csv").read_text() for name in ("few", "these")]
    assert losses[0] == losses[1]


def test_the_kept_epoch_is_that_of_the_lowest_validation_loss(tmp_path):
    """Validation masks that contradict the training masks are fitted best before training has an effect."""
    contrary = patient("v", seed=2)
    contrary = Stack("v", contrary.images_SHW, 1 - contrary.masks_SHW, contrary.positions_S, {})
    trained(tmp_path, SliceSet([patient("p", n=8)]), SliceSet([contrary]), settings(steps=40))
    with (tmp_path / "history.csv").open() as file:
        losses = [float(row["validation_loss"]) for row in csv.DictReader(file)]
    assert len(losses) == 20
    kept = load_weights(build_segmenter(settings(), 1), tmp_path / "model.safetensors", CPU)
    assert losses[0] == min(losses)
    assert (predict(kept, patient("p").images_SHW, CPU) == patient("p").masks_SHW).mean() < 0.95
