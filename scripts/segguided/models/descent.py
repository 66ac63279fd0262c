"""One network's optimiser: AdamW, warm-up and cosine decay, gradient clipping, weight averaging."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

from segguided.config.models import Training


class Descent:
    """The optimiser state of `network` over `steps` steps."""

    def __init__(self, network: nn.Module, training: Training, steps: int) -> None:
        self.network, self.clip = network, training.gradient_clip
        parameters = list(network.parameters())
        self.optimizer = torch.optim.AdamW(
            parameters,
            lr=training.learning_rate,
            weight_decay=training.weight_decay,
            fused=parameters[0].device.type in ("cuda", "cpu"),
        )
        warmup = training.warmup_steps

        def factor(step: int) -> float:
            if step < warmup:
                return (step + 1) / warmup
            return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warmup) / max(1, steps - warmup))))

        self.schedule = LambdaLR(self.optimizer, factor)
        self.ema = _averages(parameters, training.ema_decay) if training.ema_decay else None

    def descend(self, loss: Tensor) -> None:
        """One step down the gradient of `loss`."""
        loss.backward()
        self._step()

    def descend_in_parts(
        self,
        losses_of: Callable[..., dict[str, Tensor]],
        batch: Sequence[Tensor],
        part_size: int | None,
    ) -> dict[str, Tensor]:
        """One step down the gradient of the batch's mean `loss`, summed over parts that fit the device.

        `losses_of(*part)` gives means over a part; returned are those of the batch, detached. None: one part.
        """
        size = len(batch[0])
        means: dict[str, Tensor] = {}
        for start in range(0, size, part_size or size):
            part = [tensor[start : start + (part_size or size)] for tensor in batch]
            share = len(part[0]) / size
            losses = {name: value * share for name, value in losses_of(*part).items()}
            losses["loss"].backward()
            means = {name: value.detach() + means.get(name, 0) for name, value in losses.items()}
        self._step()
        return means

    def _step(self) -> None:
        nn.utils.clip_grad_norm_(self.network.parameters(), self.clip)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.schedule.step()
        if self.ema:
            self.ema.step(self.network.parameters())

    def state_dict(self) -> dict[str, Any]:
        """Weights, averages, optimiser and schedule."""
        return {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "ema": self.ema.state_dict() if self.ema else None,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` gave."""
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        if self.ema:
            self.ema.load_state_dict(state["ema"])

    def averaged(self) -> nn.Module:
        """The network with its averaged weights in place of the last ones; call it once, after training."""
        if self.ema:
            self.ema.copy_to(self.network.parameters())
        return self.network


def _averages(parameters: list[nn.Parameter], decay: float) -> Any:
    from diffusers.training_utils import EMAModel  # noqa: PLC0415 - over a second, and segmenters need none

    return EMAModel(parameters, decay=decay, use_ema_warmup=True, power=0.75, foreach=True)
