"""The gradient descent of a network: optimiser, learning rate over the run, gradient clipping, averaging."""

import copy
import math
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import cached_property, partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

from segguided.config.models.training import AUTO, MicroBatchSize, Training
from segguided.training import ranks
from segguided.training.averaging import WeightAverages
from segguided.training.gradients import SharedGradients
from segguided.training.micro_batches import NotChosen, choose_size, least_memory

Factor = Callable[[int], float]  # step -> what the learning rate is multiplied by


class Descent:
    """The gradient descent of `network`, with all that it remembers from step to step.

    `factor` scales the learning rate at each step. `clip` is the longest gradient (None: any length),
    of each group of parameters that is `clipped_apart` (None: of all together).
    `ema_decay` averages the weights over the steps, see WeightAverages (None: no averaging).
    """

    def __init__(
        self,
        network: nn.Module,
        optimizer: torch.optim.Optimizer,
        factor: Factor,
        clip: float | None = None,
        ema_decay: float | None = None,
        clipped_apart: Sequence[Sequence[nn.Parameter]] | None = None,
    ) -> None:
        self.network = network
        self.optimizer = optimizer
        self.clip = clip
        self.parameters = list(network.parameters())
        self.clipped_apart = clipped_apart or [self.parameters]
        self.gradients = SharedGradients(self.parameters)
        self.schedule = LambdaLR(optimizer, factor)
        self.ema = WeightAverages(self.parameters, ema_decay) if ema_decay else None
        self.chosen_size: int | None = None  # what `micro_batch_size: auto` stands for
        self.chosen_memory: int | None = None  # bytes of the device it was chosen on; None: not known

    @classmethod
    def with_adamw(
        cls,
        network: nn.Module,
        training: Training,
        steps: int,
        clipped_apart: Sequence[Sequence[nn.Parameter]] | None = None,
    ) -> "Descent":
        """AdamW over `steps` steps, with a warm-up and a cosine decay."""
        optimizer = torch.optim.AdamW(
            network.parameters(),
            lr=training.learning_rate,
            weight_decay=training.weight_decay,
            fused=has_fused(network),
        )
        factor = warmup_cosine(training.warmup_steps, steps)
        return cls(network, optimizer, factor, training.gradient_clip, training.ema_decay, clipped_apart)

    @property
    def steps(self) -> int:
        """How many steps are done."""
        return int(self.schedule.last_epoch)

    def descend(
        self,
        losses_of: Callable[..., dict[str, Tensor]],
        batch: Sequence[Tensor],
        micro_batch_size: MicroBatchSize = None,
    ) -> dict[str, Tensor]:
        """One step down the gradient of the batch's mean `loss`, summed over processes and micro-batches.

        Each process takes its share of `batch` and computes it in micro-batches of at most
        `micro_batch_size` images, which fit its device (None: the whole share at once; auto: as many as fit).
        `losses_of(*micro_batch)` gives the mean losses of a micro-batch. Returns those of the whole batch,
        detached. Raises NotChosen, before anything changes, if `auto` was not tried out yet, or only on a
        device with more memory.
        """
        n_images = len(batch[0])
        if micro_batch_size == AUTO:
            if self.must_choose:
                raise NotChosen(partial(self._choose_size, losses_of, batch))
            micro_batch_size = self.chosen_size
        limit = micro_batch_size or n_images
        parts = [ranks.own_share(tensor).split(limit) for tensor in batch]
        micro_batches = list(zip(*parts, strict=True))
        means: dict[str, Tensor] = {}
        for position, micro_batch in enumerate(micro_batches, start=1):
            share = len(micro_batch[0]) / n_images
            losses = {name: value * share for name, value in losses_of(*micro_batch).items()}
            with self.gradients.summing() if position == len(micro_batches) else nullcontext():
                losses["loss"].backward()
            means = {name: value.detach() + means.get(name, 0) for name, value in losses.items()}
        self.step()
        return ranks.sum_tensors(means)

    def _choose_size(self, losses_of: Callable[..., dict[str, Tensor]], batch: Sequence[Tensor]) -> int:
        moments = [value for state in self.optimizer.state.values() for value in state.values()]
        kept = sum(value.nbytes for value in moments if isinstance(value, Tensor))
        self.chosen_size = choose_size(losses_of, batch, self.network, self.chosen_size, kept)
        self.chosen_memory = self._memory
        return self.chosen_size

    @property
    def must_choose(self) -> bool:
        """Whether `auto` must be tried out before the next step."""
        if self.chosen_size is None:
            return True
        return self.chosen_memory is not None and self._memory < self.chosen_memory

    @cached_property
    def _memory(self) -> int:
        return least_memory(self.parameters[0].device)

    def step(self) -> None:
        """One step down the gradients in the parameters' `.grad`, which are cleared."""
        if self.clip is not None:
            for parameters in self.clipped_apart:
                nn.utils.clip_grad_norm_(parameters, self.clip)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.schedule.step()
        if self.ema:
            self.ema.update(self.parameters)

    def state_dict(self) -> dict[str, Any]:
        """Weights, averages, optimiser, schedule, and the size of micro-batches with the memory it is for."""
        return {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "ema": self.ema.state_dict() if self.ema else None,
            "chosen_size": self.chosen_size,
            "chosen_memory": self.chosen_memory,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` gave."""
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.chosen_size = state["chosen_size"]
        self.chosen_memory = state.get("chosen_memory")  # earlier versions kept none
        if self.ema:
            self.ema.load_state_dict(state["ema"])

    def averaged_copy(self) -> nn.Module:
        """A copy of the network with its averaged weights, in evaluation mode; this one stays as it is."""
        network = copy.deepcopy(self.network)
        if self.ema:
            self.ema.copy_to(list(network.parameters()))
        return network.eval()

    def use_averaged_weights(self) -> nn.Module:
        """The network, its last weights replaced by the averaged ones; call it once, after training."""
        if self.ema:
            self.ema.copy_to(self.parameters)
        return self.network


class DescentLearner:
    """Base class of learners with a single descent, which is all that they remember; they add `update`."""

    cycle = 1  # steps; all are alike
    descent: Descent

    def after_epoch(self) -> dict[str, float]:
        """Nothing is measured between epochs."""
        return {}

    def state_dict(self) -> dict[str, Any]:
        """Weights, averages, optimiser and schedule of what is trained."""
        return self.descent.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` gave."""
        self.descent.load_state_dict(state)

    def averaged_copy(self) -> nn.Module:
        """A copy of the network with its averaged weights, in evaluation mode."""
        return self.descent.averaged_copy()

    def finished_network(self) -> nn.Module:
        """The network with its averaged weights."""
        return self.descent.use_averaged_weights()


def has_fused(network: nn.Module) -> bool:
    """Whether torch has fused Adam kernels for the network's device."""
    return next(network.parameters()).device.type in ("cuda", "cpu")


def warmup_cosine(warmup: int, steps: int) -> Factor:
    """A linear rise over `warmup` steps, then half a cosine down to 0 at `steps`."""

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warmup) / max(1, steps - warmup))))

    return factor


def constant_linear(share: float, steps: int) -> Factor:
    """1, and over the last `share` of `steps` a straight line down to 0."""

    def factor(step: int) -> float:
        return min(1.0, (steps - step) / (share * steps)) if share else 1.0

    return factor
