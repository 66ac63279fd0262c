"""The segmenter learns, keeps its best epoch, and predicts independently of batches."""

import numpy as np
import pytest
import torch

from segguided.config.models.segmenter import Segmenter
from segguided.config.models.training import Training
from segguided.evaluation import prediction
from segguided.evaluation.prediction import encode, predict
from segguided.models.segmenter import SegmenterLearner, build_segmenter

CPU = torch.device("cpu")


def settings(steps=60):
    training = Training(steps=steps, batch_size=4, learning_rate=1e-2, precision="fp32")
    return Segmenter(channels=(8, 16), training=training)


def squares(n=8):
    rng = np.random.default_rng(0)
    masks_SHW = np.zeros((n, 16, 16), np.uint8)
    for mask_HW in masks_SHW:
        y, x = rng.integers(0, 8, 2)
        mask_HW[y : y + 8, x : x + 8] = 1
        mask_HW[y + 2 : y + 5, x + 2 : x + 5] = 2
    return (masks_SHW * 100 + rng.integers(0, 20, masks_SHW.shape)).astype(np.uint8), masks_SHW


@pytest.mark.parametrize(("channels", "n_classes", "size"), [((8, 16), 1, 16), ((4, 8, 16), 5, 32)])
def test_logits_have_a_channel_a_class(channels, n_classes, size):
    network = build_segmenter(settings().model_copy(update={"channels": channels}), n_classes)
    assert network(torch.zeros(2, 1, size, size)).shape == (2, n_classes + 1, size, size)


def test_paper_channels_give_the_monai_unet():
    network = build_segmenter(settings().model_copy(update={"channels": (16, 32, 64, 128, 256)}), 3)
    assert type(network).__module__.startswith("monai.")
    assert sum(p.numel() for p in network.parameters()) == 1_625_849


def test_overfits_and_keeps_the_best_epoch():
    images_SHW, masks_SHW = squares()
    images_BHW = torch.from_numpy(images_SHW)
    masks_BHW = torch.from_numpy(masks_SHW)
    torch.manual_seed(0)
    network = build_segmenter(settings(), 2)
    learner = SegmenterLearner(network, settings(), 60, lambda: iter([(images_BHW, masks_BHW)]), CPU)
    validation = []
    for _ in range(60):
        learner.update(images_BHW, masks_BHW, torch.Generator())
        validation.append(learner.after_epoch()["validation_loss"])
    learner.network.load_state_dict({k: torch.zeros_like(v) for k, v in network.state_dict().items()})
    assert (predict(learner.finished_network(), images_SHW, CPU) == masks_SHW).mean() > 0.98
    assert learner.best_loss == min(validation)


def test_prediction_does_not_depend_on_batches(monkeypatch):
    images_SHW, _ = squares(7)
    network = build_segmenter(settings(), 2)
    whole = predict(network, images_SHW, CPU)
    monkeypatch.setattr(prediction, "BATCH", 3)
    assert np.array_equal(predict(network, images_SHW, CPU), whole)


def test_features_are_the_deepest_level_averaged_over_positions():
    """As many as the last level has channels, for each image by itself, and the network is left as it was."""
    images_SHW, _ = squares(7)
    network = build_segmenter(settings().model_copy(update={"channels": (4, 8, 16)}), 2)
    features_SD = encode(network, images_SHW, CPU)
    assert features_SD.shape == (7, 16)
    assert np.allclose(encode(network, images_SHW[2:3], CPU)[0], features_SD[2], atol=1e-6)
    assert features_SD.std(axis=0).max() > 1e-4
    deepest = network.model[1].submodule[1].submodule
    assert not deepest._forward_hooks
    with torch.inference_mode():
        x_BCHW = torch.from_numpy(images_SHW)[:, None].float() / 127.5 - 1
        down = network.model[1].submodule[0](network.model[0](x_BCHW))
        assert np.allclose(deepest(down).mean((2, 3)), features_SD, atol=1e-6)
