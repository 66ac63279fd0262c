"""Training with a stopwatch: how long until the images reach a share of the ceiling.

The learning rate stays as it is after the warm-up, because how long the training will be is not known.
Shape letters: M masks, H height, W width.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter

import numpy as np
import torch
from torch import Tensor, nn

from segguided.config.ablation import Timing
from segguided.config.models.diffusion import DiffusionModel
from segguided.config.sampling import Sampling
from segguided.data.slices import SliceSet
from segguided.data.whole_patients import for_training, fully_annotated
from segguided.devices import device_name, pick_device
from segguided.evaluation.dice import class_counts, classes_in_masks, nan_mean, pooled_dice
from segguided.evaluation.prediction import predict
from segguided.evaluation.times import Check, TimedTraining
from segguided.generation.diffusion import make_sampler
from segguided.generation.partial_masks import slices_of_several_classes
from segguided.generation.sets import generate_images
from segguided.models.denoiser import DiffusionLearner, MaskedDenoiser, build_denoiser
from segguided.models.losses.perceptual import perceptual_on
from segguided.models.prediction_learner import PredictionLearner, make_learner
from segguided.models.tissues.division import choose_division
from segguided.training.loop import Batches, Plan
from segguided.training.micro_batches import choosing_first
from segguided.training.seeds import step_seed

ENDLESS = 10**9  # steps: half a cosine of this length stays at 1
FIRST_CHECK = 10  # steps
GROWTH = 1.2  # of the steps from check to check, so a time is known to a sixth


@dataclass(frozen=True)
class Judge:
    """What a training's images are compared with: masks of `slices` and the real images of these masks."""

    slices: SliceSet
    masks: int  # of those with two classes or more, evenly spread
    segmenter: nn.Module
    n_classes: int
    sampling: Sampling
    seed: int

    def share_of_ceiling(self, network: MaskedDenoiser, model: DiffusionModel) -> float:
        """Macro Dice of generated images with their masks, over that of the real images."""
        chosen = slices_of_several_classes(fully_annotated(self.slices, "timing"), self.masks)
        sampler = make_sampler(network, model, self.sampling, self.seed)
        generated_MHW = generate_images(sampler, chosen, self.sampling.batch_size)
        return self._dice(generated_MHW, chosen) / self._dice(chosen.images, chosen)

    def _dice(self, images_MHW: np.ndarray, chosen: SliceSet) -> float:
        predicted_MHW = predict(self.segmenter, images_MHW, pick_device())
        counts_MC4 = class_counts(predicted_MHW, chosen.masks, self.n_classes)
        return float(nan_mean(pooled_dice(counts_MC4)[classes_in_masks(counts_MC4)]))


def timed_training(
    model: DiffusionModel,
    train: SliceSet,
    judge: Judge,
    timing: Timing,
    reference: float,
    perceptual: Path | None = None,
) -> TimedTraining:
    """Train `model` until its images reach a share of the ceiling.

    `perceptual`: weights of the network of its perceptual loss, where it has one; its training is not timed.
    `reference`: the seconds of the training that all are timed against; at `timing.limit` times that, this
    one stops. Infinity: this is the one; it stops at `timing.limit` times the steps of its settings.
    """
    device = pick_device()
    train = for_training(train, model)
    torch.manual_seed(judge.seed)
    size = train.stacks[0].masks_SHW.shape[-1]
    tissues = model.tissues
    division = choose_division(train, judge.n_classes, tissues) if tissues else None
    network = build_denoiser(model, judge.n_classes, size, train.channels, division).to(device)
    seen = division.divide(train) if division else train
    loss = perceptual_on(train, model.perceptual, perceptual, device)  # its weights draw numbers, too
    learner = make_learner(network, model, ENDLESS, device, loss)
    plan = Plan.from_settings(model.training, len(train))
    checks = list(_checks(learner, model, Batches(seen, device), plan, judge, timing, reference))
    seconds = checks[-1][1]
    return TimedTraining(
        share=timing.share,
        reached=checks[-1][2] >= timing.share,
        seconds=seconds,
        times_as_long=1.0 if math.isinf(reference) else seconds / reference,
        device=device_name(device),
        checks=checks,
    )


def _checks(
    learner: DiffusionLearner | PredictionLearner,
    model: DiffusionModel,
    batches: Batches,
    plan: Plan,
    judge: Judge,
    timing: Timing,
    reference: float,
) -> Iterator[Check]:
    """Train, and judge the averaged weights ever more seldom; what that takes does not count.

    Nor does the choice of `micro_batch_size: auto`, before whichever step.
    """
    limit = timing.limit * reference
    most_steps = ENDLESS if limit < math.inf else timing.limit * plan.steps
    seconds = 0.0
    done = 0
    start = 0.0

    @contextmanager
    def stopped_clock() -> Iterator[None]:
        nonlocal start
        _wait(batches.device)
        stopped = perf_counter()
        yield
        _wait(batches.device)
        start += perf_counter() - stopped

    for steps in check_steps():
        start = perf_counter()
        while done < min(steps, most_steps) and seconds + perf_counter() - start < limit:
            step = partial(_step, learner, batches, plan, judge.seed, done)
            choosing_first(step, around=stopped_clock)
            done += 1
        _wait(batches.device)
        seconds += perf_counter() - start
        share = judge.share_of_ceiling(learner.averaged_copy(), model)
        yield done, seconds, share
        if share >= timing.share or seconds >= limit or done == most_steps:
            return


def _step(
    learner: DiffusionLearner | PredictionLearner, batches: Batches, plan: Plan, seed: int, step: int
) -> dict[str, Tensor]:
    """The same step as that of the training loop."""
    generator = torch.Generator(batches.device)
    torch.manual_seed(step_seed(seed, step))
    generator.manual_seed(step_seed(seed, step))
    indices = plan.indices(seed, step)
    x_B, masks_BHW = batches(indices)
    return learner.update(x_B, masks_BHW, generator, batches.not_annotated(indices))


def check_steps() -> Iterator[int]:
    """After how many steps images are judged: 10, 12, 15, …"""
    steps = FIRST_CHECK
    while True:
        yield steps
        steps = math.ceil(steps * GROWTH)


def _wait(device: torch.device) -> None:
    """A GPU computes behind Python's back."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
