"""One training loop for every model: seeded step by step, resumable bit for bit, stoppable by a signal.

A model brings a Learner (losses and optimisers); the loop brings batches, randomness, history, checkpoints.
All randomness is a function of (seed, step), so an interrupted run continues exactly where it stopped.
"""

import hashlib
import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode
from tqdm import tqdm

from segguided.config.models.training import Length
from segguided.data.slices import SliceSet
from segguided.files import write_table
from segguided.training import ranks
from segguided.training.attempts import Attempts
from segguided.training.checkpoint import Checkpoint, Stateful

LOG = logging.getLogger("segguided")
HistoryRow = dict[str, float]  # one row of history.csv


class Learner(Stateful, Protocol):
    """A network with its losses and optimisers: all the loop needs to know of a model."""

    def update(self, x_B: Tensor, masks_BHW: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        """One step of gradient descent on uint8 images (or what stands for them) and masks; the losses.

        Of processes that train together each gets the whole batch and draws for the whole of it, so that
        their number changes no draw; `Descent.descend` then gives each its share.
        """

    def after_epoch(self) -> HistoryRow:
        """Called at the end of each epoch (and of training); what it measured joins the history."""


@dataclass(frozen=True)
class Plan:
    """How many steps of which batch size: epochs drop their last, partial batch."""

    slices: int
    batch_size: int
    steps: int

    @classmethod
    def from_settings(cls, training: Length, slices: int) -> "Plan":
        """The plan for a dataset of `slices` slices; a smaller dataset than a batch is one batch."""
        batch_size = min(training.batch_size, slices)
        steps = training.steps or (training.epochs or 0) * (slices // batch_size)
        return cls(slices, batch_size, steps)

    @property
    def steps_per_epoch(self) -> int:
        """Full batches in one pass over the slices."""
        return self.slices // self.batch_size

    def indices(self, seed: int, step: int) -> np.ndarray:
        """Slices of the batch of `step`: a new permutation each epoch."""
        epoch, position = divmod(step, self.steps_per_epoch)
        order = _epoch_order(self.slices, seed, epoch)
        return order[position * self.batch_size : (position + 1) * self.batch_size]

    def ends_epoch(self, step: int) -> bool:
        """Whether `step` is the last of an epoch or of the run."""
        return (step + 1) % self.steps_per_epoch == 0 or step + 1 == self.steps


@lru_cache(maxsize=1)
def _epoch_order(slices: int, seed: int, epoch: int) -> np.ndarray:
    """The permutation of an epoch, drawn once and not at each of its steps."""
    return np.random.default_rng([seed, epoch]).permutation(slices)


class Batches:
    """uint8 batches on a device; the whole set stays on an accelerator if half its free memory holds it."""

    def __init__(self, slices: SliceSet, device: torch.device) -> None:
        self.slices, self.device = slices, device
        self.resident = self._upload() if self._fits() else None

    def __call__(self, indices: np.ndarray) -> tuple[Tensor, Tensor]:
        """Images and masks (B, H, W), uint8, on the device."""
        if self.resident:
            at = torch.from_numpy(indices).to(self.device)
            return self.resident[0][at], self.resident[1][at]
        images_BHW, masks_BHW = (torch.from_numpy(a) for a in self.slices.batch(indices))
        return images_BHW.to(self.device, non_blocking=True), masks_BHW.to(self.device, non_blocking=True)

    def in_order(self, batch_size: int = 64) -> Iterator[tuple[Tensor, Tensor]]:
        """Every slice once."""
        for start in range(0, len(self.slices), batch_size):
            yield self(np.arange(start, min(start + batch_size, len(self.slices))))

    def _fits(self) -> bool:
        if self.device.type != "cuda":
            return False
        image_HW = self.slices.stacks[0].images_SHW[0]
        return 2 * len(self.slices) * image_HW.size < torch.cuda.mem_get_info(self.device)[0] / 2

    def _upload(self) -> tuple[Tensor, Tensor]:
        return (
            torch.from_numpy(self.slices.images).to(self.device),
            torch.from_numpy(self.slices.masks).to(self.device),
        )


@dataclass
class TrainingProgress:
    """What the loop itself must remember between two runs."""

    step: int = 0
    sums: dict[str, Tensor] = field(default_factory=dict)  # losses of the running epoch
    summed: int = 0
    history: list[HistoryRow] = field(default_factory=list)
    flops: int | None = None  # of one step, counted on the first


@dataclass(frozen=True)
class Cost:
    """What a whole training run computed, on any number of attempts: a budget that no machine changes."""

    steps: int
    images: int  # seen, each as often as it was
    flops: int  # multiply and add of convolutions, matrix products and attention, forward and backward


def step_seed(seed: int, step: int) -> int:
    """The 63-bit seed of all randomness of one step."""
    return int.from_bytes(hashlib.blake2b(f"{seed}/{step}".encode(), digest_size=8).digest()) >> 1


def train(
    learner: Learner, batches: Batches, plan: Plan, seed: int, checkpoint: Checkpoint
) -> Iterator[TrainingProgress]:
    """Run `learner` to the end of `plan`, yielding after every step; the history grows a row an epoch.

    Continues from `checkpoint` where it fits. Raises ValueError when a loss is NaN or infinite,
    and Interrupted, its checkpoint saved, after Ctrl-C, SIGTERM or SIGUSR1.
    """
    progress = TrainingProgress(**checkpoint.load(learner))
    assert progress.step == ranks.highest(progress.step)
    if progress.step == plan.steps:  # stopped after its last step
        yield progress
    generator = torch.Generator(batches.device)
    while progress.step < plan.steps:
        torch.manual_seed(step_seed(seed, progress.step))  # dropout
        generator.manual_seed(step_seed(seed, progress.step))
        losses = _update(learner, batches(plan.indices(seed, progress.step)), generator, progress)
        progress.sums = {name: progress.sums.get(name, 0) + value for name, value in losses.items()}
        progress.summed += 1
        progress.step += 1
        if plan.ends_epoch(progress.step - 1):
            _close_epoch(progress, learner, plan)
        if checkpoint.due or progress.step == plan.steps:  # its outputs may be refused or lost
            _means(progress)  # never keep a diverged state
            checkpoint.save(learner, vars(progress))
        yield progress


def fit(
    learner: Learner,
    batches: Batches,
    plan: Plan,
    seed: int,
    checkpoint: Checkpoint,
    history: Path,
    attempts: Attempts | None = None,
) -> Cost:
    """`train` with a progress bar where a person watches and log lines elsewhere; writes history.csv.

    `attempts`, where given, is told of every step. Raises ValueError where more processes train together than
    a batch has slices.
    """
    if plan.batch_size < ranks.count():
        raise ValueError(
            f"a batch of {plan.batch_size} slices cannot be shared by {ranks.count()} GPUs; "
            f"ask for at most {plan.batch_size}"
        )
    checkpoint.listen()
    LOG.info(
        "%d slices, %d steps of batch %d on %s", plan.slices, plan.steps, plan.batch_size, batches.device
    )
    epochs = 0
    with tqdm(
        total=plan.steps, desc="training", unit="step", disable=None if ranks.is_first() else True
    ) as bar:
        for progress in train(learner, batches, plan, seed, checkpoint):
            bar.update(progress.step - bar.n)
            if attempts:
                attempts.update(progress)
            if len(progress.history) > epochs:
                epochs = len(progress.history)
                LOG.info(
                    "%s", " ".join(f"{name}={value:.6g}" for name, value in progress.history[-1].items())
                )
    if ranks.is_first():
        write_table(history, progress.history)
    return Cost(plan.steps, plan.steps * plan.batch_size, plan.steps * (progress.flops or 0))


def _update(
    learner: Learner, batch: tuple[Tensor, Tensor], generator: torch.Generator, progress: TrainingProgress
) -> dict[str, Tensor]:
    """One step; all processes' operations of a run's first step, and of it in every run, are counted."""
    if progress.flops is not None:
        return learner.update(*batch, generator)
    with FlopCounterMode(display=False) as counter:
        losses = learner.update(*batch, generator)
    progress.flops = ranks.total(counter.get_total_flops())
    return losses


def _close_epoch(progress: TrainingProgress, learner: Learner, plan: Plan) -> None:
    """Append the epoch's mean losses to the history: the one place where the device is waited for."""
    means = _means(progress)
    epoch = math.ceil(progress.step / plan.steps_per_epoch)
    progress.history.append({"epoch": epoch, "step": progress.step, **means, **learner.after_epoch()})
    progress.sums, progress.summed = {}, 0


def _means(progress: TrainingProgress) -> HistoryRow:
    means = {name: float(total) / progress.summed for name, total in progress.sums.items()}
    bad = [name for name, mean in means.items() if not math.isfinite(mean)]
    if bad:
        first = progress.step - progress.summed
        raise ValueError(
            f"{', '.join(bad)} is not a number between steps {first} and {progress.step}: training diverged; "
            "lower learning_rate, or set precision: fp32"
        )
    return means
