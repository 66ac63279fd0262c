"""The training loop of every model: seeded at each step, resumed (on a CPU bit for bit), stopped by a signal.

A model brings a Learner (losses and optimisers). The loop brings batches, randomness, history and
checkpoints. All randomness is a function of (seed, step): an interrupted run continues exactly where it
stopped.
"""

import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode
from tqdm import tqdm

from segguided.compiling import uncompiled
from segguided.config.models.training import TrainingLength
from segguided.data.slices import SliceSet
from segguided.files import with_equal_columns, write_table
from segguided.training import ranks
from segguided.training.attempts import Attempts
from segguided.training.checkpoint import Checkpoint, Stateful
from segguided.training.micro_batches import choosing_first
from segguided.training.seeds import step_seed

LOG = logging.getLogger("segguided")
HistoryRow = dict[str, float]  # of history.csv


class Learner(Stateful, Protocol):
    """A network with its losses and optimisers: all that the loop needs to know of a model.

    One whose steps are not all alike has an attribute `cycle`: after how many it has done all that it does.
    """

    def update(
        self,
        x_B: Tensor,
        masks_BHW: Tensor,
        generator: torch.Generator,
        not_annotated_BV: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """One step of gradient descent on a batch; returns the losses, one scalar each.

        `not_annotated_BV`: which mask values are of classes that an image's patient was not annotated for,
        bool; None: every class of every image is annotated. Only learners that train on such patients look
        at it.

        `x_B` are uint8 images, or what a model learns from instead of them. When several processes train
        together, each gets the whole batch and chooses the random numbers for all of it. So the number of
        processes changes no random number; `Descent.descend` then gives each process its share.
        """

    def after_epoch(self) -> HistoryRow:
        """Called at the end of each epoch and of training; what it returns is added to the history."""


@dataclass(frozen=True)
class Plan:
    """How many steps, of which batch size. An epoch drops its last batch if that is not full."""

    slices: int  # in the training set
    batch_size: int
    steps: int
    slices_per_epoch: int | None = None  # of a plan that was made for another number of slices

    @classmethod
    def from_settings(cls, training: TrainingLength, slices: int) -> "Plan":
        """The plan for a dataset of `slices` slices; a dataset smaller than a batch is one batch."""
        batch_size = min(training.batch_size, slices)
        steps = training.steps or (training.epochs or 0) * (slices // batch_size)
        return cls(slices, batch_size, steps)

    def over(self, slices: int) -> "Plan":
        """The same steps, batches and epochs, over more slices."""
        return replace(self, slices=slices, slices_per_epoch=self.slices)

    @property
    def steps_per_epoch(self) -> int:
        """After so many steps losses are recorded, and a learner may validate: full batches in one pass."""
        return (self.slices_per_epoch or self.slices) // self.batch_size

    @property
    def steps_per_pass(self) -> int:
        """Full batches in one pass over the slices."""
        return self.slices // self.batch_size

    def indices(self, seed: int, step: int) -> np.ndarray:
        """Which slices are in the batch of `step`: each pass over them has a new random order."""
        number, position = divmod(step, self.steps_per_pass)
        order = _pass_order(self.slices, seed, number)
        return order[position * self.batch_size : (position + 1) * self.batch_size]

    def ends_epoch(self, step: int) -> bool:
        """Whether `step` is the last of an epoch or of the run."""
        return (step + 1) % self.steps_per_epoch == 0 or step + 1 == self.steps


@lru_cache(maxsize=1)
def _pass_order(slices: int, seed: int, number: int) -> np.ndarray:
    """The random order of a pass; cached, because each of its steps asks for it."""
    return np.random.default_rng([seed, number]).permutation(slices)


class Batches:
    """uint8 batches on a device. The whole set stays on the GPU if it fits in half of the free memory."""

    def __init__(self, slices: SliceSet, device: torch.device) -> None:
        self.slices = slices
        self.device = device
        self.on_device = self._upload() if self._fits() else None

    def __call__(self, indices: np.ndarray) -> tuple[Tensor, Tensor]:
        """Images (B, H, W), with several channels (B, H, W, C), and masks (B, H, W), uint8, on the device."""
        if self.on_device:
            indices_B = torch.from_numpy(indices)
            if self.device.type == "cuda":  # page-locked, so that the CPU need not wait for the device
                indices_B = indices_B.pin_memory()
            indices_B = indices_B.to(self.device, non_blocking=True)
            images_SHW, masks_SHW = self.on_device
            return images_SHW[indices_B], masks_SHW[indices_B]
        images_BHW, masks_BHW = (torch.from_numpy(array) for array in self.slices.batch(indices))
        return images_BHW.to(self.device, non_blocking=True), masks_BHW.to(self.device, non_blocking=True)

    def not_annotated(self, indices: np.ndarray) -> Tensor | None:
        """Which mask values are not annotated, (B, V) bool, see Learner; None where all slices have all."""
        flags_SV = self.slices.not_annotated
        return None if flags_SV is None else torch.from_numpy(flags_SV[indices]).to(self.device)

    def in_order(self, batch_size: int = 64) -> Iterator[tuple[Tensor, Tensor]]:
        """Batches of every slice once, in the order of the set."""
        for start in range(0, len(self.slices), batch_size):
            yield self(np.arange(start, min(start + batch_size, len(self.slices))))

    def _fits(self) -> bool:
        if self.device.type != "cuda":
            return False
        mask_HW = self.slices.stacks[0].masks_SHW[0]
        bytes_each = (1 + self.slices.channels) * mask_HW.size
        return len(self.slices) * bytes_each < torch.cuda.mem_get_info(self.device)[0] / 2

    def _upload(self) -> tuple[Tensor, Tensor]:
        return (
            torch.from_numpy(self.slices.images).to(self.device),
            torch.from_numpy(self.slices.masks).to(self.device),
        )


@dataclass
class TrainingProgress:
    """All that the loop needs to continue a run."""

    step: int = 0  # steps done
    sums: dict[str, Tensor] = field(default_factory=dict)  # losses of the running epoch
    summed_steps: int = 0  # steps in `sums`
    history: list[HistoryRow] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)  # steps that gave each of them
    flops: int = 0  # of the steps counted, the first ones
    counted_steps: int = 0
    micro_batch_size: int | None = None  # what `auto` was found to be; None where the settings give it


class Observer(Protocol):
    """What looks at a training after each step, and changes nothing of it."""

    def update(self, progress: TrainingProgress) -> None:
        """Another step is done."""


@dataclass(frozen=True)
class Cost:
    """What a whole training run computed, in any number of attempts; the same on every machine."""

    steps: int
    images: int  # seen, counted each time
    flops: int  # of convolutions, matrix products and attention, forward and backward


def train(
    learner: Learner, batches: Batches, plan: Plan, seed: int, checkpoint: Checkpoint
) -> Iterator[TrainingProgress]:
    """Train to the end of `plan` and yield after every step; each epoch adds a row to the history.

    Continues from `checkpoint` if that is of the same run. Raises ValueError when a loss is NaN or infinite.
    After Ctrl-C, SIGTERM or SIGUSR1 it saves the checkpoint and raises Interrupted.
    """
    progress = TrainingProgress(**checkpoint.load(learner))
    assert progress.step == ranks.max_over_processes(progress.step)
    if progress.step == plan.steps:  # stopped after its last step
        yield progress
    generator = torch.Generator(batches.device)
    while progress.step < plan.steps:
        indices = plan.indices(seed, progress.step)
        number = step_seed(seed, progress.step)
        step = partial(_update, learner, batches, indices, generator, number, progress)
        losses = choosing_first(step, partial(setattr, progress, "micro_batch_size"))
        for name, value in losses.items():
            progress.sums[name] = progress.sums.get(name, 0) + value
            progress.counts[name] = progress.counts.get(name, 0) + 1
        progress.summed_steps += 1
        progress.step += 1
        if plan.ends_epoch(progress.step - 1):
            _close_epoch(progress, learner, plan)
        if checkpoint.due or progress.step == plan.steps:  # the last, too: outputs may be refused or lost
            _means(progress)  # raises for a diverged state, which must not be saved
            checkpoint.save(learner, vars(progress))
        yield progress
    checkpoint.finish()


def fit(
    learner: Learner,
    batches: Batches,
    plan: Plan,
    seed: int,
    checkpoint: Checkpoint,
    history: Path,
    attempts: Attempts | None = None,
    observers: Sequence[Observer] = (),
) -> Cost:
    """`train` with a progress bar in a terminal and log lines elsewhere; writes history.csv.

    `attempts` and `observers` are updated at every step. Raises ValueError if more processes train together
    than a batch has slices.
    """
    ranks.check_shareable(plan.batch_size)
    checkpoint.listen()
    LOG.info(
        "%d slices, %d steps of batch %d on %s", plan.slices, plan.steps, plan.batch_size, batches.device
    )
    epochs = 0
    hidden = None if ranks.is_first() else True  # None: hidden unless the output is a terminal
    with tqdm(total=plan.steps, desc="training", unit="step", disable=hidden) as bar:
        for progress in train(learner, batches, plan, seed, checkpoint):
            bar.update(progress.step - bar.n)
            if attempts:
                attempts.update(progress)
            for observer in observers:
                observer.update(progress)
            if len(progress.history) > epochs:
                epochs = len(progress.history)
                row = progress.history[-1]
                LOG.info("%s", " ".join(f"{name}={value:.6g}" for name, value in row.items()))
    if ranks.is_first():
        write_table(history, with_equal_columns(progress.history))
    flops = plan.steps * progress.flops // max(1, progress.counted_steps)
    return Cost(plan.steps, plan.steps * plan.batch_size, flops)


def _update(
    learner: Learner,
    batches: Batches,
    indices: np.ndarray,
    generator: torch.Generator,
    seed: int,
    progress: TrainingProgress,
) -> dict[str, Tensor]:
    """One step. The first `cycle` ones of a run also count the operations, of all processes together."""
    torch.manual_seed(seed)  # dropout
    generator.manual_seed(seed)
    x_B, masks_BHW = batches(indices)
    not_annotated_BV = batches.not_annotated(indices)
    flags = {} if not_annotated_BV is None else {"not_annotated_BV": not_annotated_BV}
    if progress.counted_steps >= getattr(learner, "cycle", 1):
        return learner.update(x_B, masks_BHW, generator, **flags)
    with uncompiled(), FlopCounterMode(display=False) as counter:  # it cannot look into compiled code
        losses = learner.update(x_B, masks_BHW, generator, **flags)
    progress.flops += ranks.sum_over_processes(counter.get_total_flops())
    progress.counted_steps += 1
    return losses


def _close_epoch(progress: TrainingProgress, learner: Learner, plan: Plan) -> None:
    """Append the epoch's mean losses to the history: the only place that waits for the device."""
    means = _means(progress)
    epoch = math.ceil(progress.step / plan.steps_per_epoch)
    progress.history.append({"epoch": epoch, "step": progress.step, **means, **learner.after_epoch()})
    progress.sums = {}
    progress.counts = {}
    progress.summed_steps = 0


def _means(progress: TrainingProgress) -> HistoryRow:
    """Mean losses of the running epoch. Raises ValueError if one of them is NaN or infinite."""
    means = {name: float(total) / progress.counts[name] for name, total in progress.sums.items()}
    diverged = [name for name, mean in means.items() if not math.isfinite(mean)]
    if diverged:
        first = progress.step - progress.summed_steps
        raise ValueError(
            f"{', '.join(diverged)} is not a number between steps {first} and {progress.step}: "
            "training diverged; lower learning_rate, or set precision: fp32"
        )
    return means
