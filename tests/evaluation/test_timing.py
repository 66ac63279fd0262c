"""Timed trainings: where they stop, and what counts."""

import math
import time
from itertools import islice, pairwise

import numpy as np
import pytest
import torch

from segguided.config.ablation import Timing
from segguided.config.models.diffusion import DiffusionModel
from segguided.config.models.perceptual import PlainEncoder
from segguided.config.models.training import Training
from segguided.config.sampling import Sampling
from segguided.data.slices import SliceSet
from segguided.evaluation import timing
from segguided.evaluation.timing import Judge, check_steps, timed_training
from segguided.models.plain_encoder import Encoder
from segguided.models.prediction_learner import PredictionLearner
from segguided.training import optimisation
from segguided.training.micro_batches import NotChosen
from segguided.training.storage import save_network
from support.partial_sets import stack

MODEL = DiffusionModel.model_validate(
    {
        "kind": "diffusion",
        "conditioning": "onehot",
        "prediction_type": "sample",
        "unet": {"channels": (8, 16), "norm_groups": 4, "layers_per_block": 1},
        "training": {"steps": 9, "batch_size": 2, "learning_rate": 1e-3},
    }
)
SAMPLING = Sampling(sampler="ddim", steps=1, batch_size=4, precision="fp32")


class Thresholds(torch.nn.Module):
    """A segmenter whose classes are grey levels."""

    def forward(self, images_BCHW):
        level_BCHW = ((images_BCHW + 1) * 2).clamp(0, 3.99).floor()
        return torch.cat([-(level_BCHW - k).abs() for k in range(4)], 1)


def judge():
    return Judge(SliceSet([stack()]), 2, Thresholds(), 3, SAMPLING, 0)


def test_checks_come_ever_more_seldom():
    steps = list(islice(check_steps(), 12))
    assert steps[:3] == [10, 12, 15]
    assert all(later > earlier for earlier, later in pairwise(steps))
    assert np.diff(steps)[-1] > np.diff(steps)[0]


def test_the_training_that_all_are_timed_against_stops_at_a_multiple_of_its_own_steps():
    timed = timed_training(MODEL, SliceSet([stack()]), judge(), Timing(share=1.0, limit=2, masks=2), math.inf)
    assert not timed.reached
    assert timed.times_as_long == 1
    assert [steps for steps, _seconds, _share in timed.checks] == [10, 12, 15, 18]


def test_another_stops_at_a_multiple_of_that_ones_time():
    timed = timed_training(MODEL, SliceSet([stack()]), judge(), Timing(share=1.0, limit=3, masks=2), 0.05)
    assert not timed.reached
    assert timed.seconds >= 0.15
    assert timed.times_as_long == pytest.approx(timed.seconds / 0.05)


def test_one_that_reaches_the_share_stops_at_once():
    timed = timed_training(MODEL, SliceSet([stack()]), judge(), Timing(share=1e-9, limit=9, masks=2), 60)
    assert len(timed.checks) == 1 or timed.checks[-2][2] < 1e-9
    assert timed.reached == (timed.checks[-1][2] >= 1e-9)


def test_the_perceptual_loss_of_a_model_is_in_its_timed_training(tmp_path, monkeypatch):
    """The time of a training without it would be another model's."""
    encoder = PlainEncoder(channels=(4, 8), training=Training(steps=1, batch_size=1, learning_rate=1))
    weights = tmp_path / "model.safetensors"
    description = {"encoder": encoder.model_dump(), "n_classes": 3, "channels": 1}
    train = SliceSet([stack()])
    save_network(Encoder(encoder, 3), weights, description | {"preparation": train.preparation})
    losses = {"perceptual": 0.1, "perceptual_network": {"kind": "encoder", "encoder": encoder.model_dump()}}
    model = DiffusionModel.model_validate(MODEL.model_dump() | {"losses": losses})
    seen = []
    update = PredictionLearner.update
    monkeypatch.setattr(PredictionLearner, "update", lambda *batch: seen.append(update(*batch)) or seen[-1])
    stops = Timing(share=1.0, limit=2, masks=2)
    timed_training(model, train, judge(), stops, math.inf, weights)
    assert len(seen) == 18
    assert all(losses["perceptual"] > 0 for losses in seen)
    with pytest.raises(ValueError, match="its weights are None"):
        timed_training(model, train, judge(), stops, math.inf)


def test_trying_sizes_of_micro_batches_takes_no_time_of_the_training(monkeypatch):
    model = MODEL.model_copy(update={"micro_batch_size": "auto"})
    choose = optimisation.choose_size
    tried = []

    def slow(*arguments):
        tried.append(1000)  # seconds
        return choose(*arguments)

    monkeypatch.setattr(optimisation, "choose_size", slow)
    monkeypatch.setattr(timing, "perf_counter", lambda: time.perf_counter() + sum(tried))
    timed = timed_training(model, SliceSet([stack()]), judge(), Timing(share=1.0, limit=1, masks=2), math.inf)
    assert tried == [1000]
    assert 0 < timed.seconds < 1000


@pytest.mark.parametrize("chosen_before", [0, 6, 11])
def test_a_choice_at_any_step_leaves_the_seconds_before_it(chosen_before, monkeypatch):
    """On a device that computes behind Python's back: the clock goes on when it is waited for."""
    clock = {"behind": 0.0, "now": 0.0}
    choices = []
    compute = timing._step

    def wait(_device):
        clock["now"] += clock["behind"]
        clock["behind"] = 0.0

    def choose():
        wait(None)
        clock["now"] += 1000
        clock["behind"] += 500
        choices.append(1500)
        return 1

    def step(*arguments):
        if arguments[-1] == chosen_before and not choices:
            raise NotChosen(choose)
        clock["behind"] += 10
        return compute(*arguments)

    monkeypatch.setattr(timing, "_step", step)
    monkeypatch.setattr(timing, "_wait", wait)
    monkeypatch.setattr(timing, "perf_counter", lambda: clock["now"])
    timed = timed_training(MODEL, SliceSet([stack()]), judge(), Timing(share=1.0, limit=2, masks=2), math.inf)
    assert choices == [1500]
    assert [(steps, seconds) for steps, seconds, _share in timed.checks] == [
        (steps, 10.0 * steps) for steps in (10, 12, 15, 18)
    ]
