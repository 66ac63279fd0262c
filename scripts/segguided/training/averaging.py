"""The exponential moving average of a network's weights, with Adam's bias correction (Kingma & Ba 2015)."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


class WeightAverages:
    """After t steps, Σ_i d^(t−i) · w_i / Σ_i d^(t−i) of the weights w_i after step i = 1…t, with d = `decay`.

    The decay is the stated one from the first step on. The weights from before any step are not in it.
    """

    def __init__(self, parameters: Sequence[Tensor], decay: float) -> None:
        self.decay = decay
        self.steps = 0
        self.averages = [parameter.detach().clone() for parameter in parameters]

    @torch.no_grad()
    def update(self, parameters: Sequence[Tensor]) -> None:
        """Take in the weights after one more step. Their share is 1 / Σ_i d^(t−i) = (1 − d) / (1 − d^t)."""
        self.steps += 1
        share = (1 - self.decay) / (1 - self.decay**self.steps)
        torch._foreach_lerp_(self.averages, list(parameters), share)

    @torch.no_grad()
    def copy_to(self, parameters: Sequence[Tensor]) -> None:
        """Replace the parameters by their averages."""
        for parameter, average in zip(parameters, self.averages, strict=True):
            parameter.copy_(average)

    def state_dict(self) -> dict[str, Any]:
        """The averages and the number of steps."""
        return {"steps": self.steps, "averages": self.averages}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` gave, on the device of the present averages."""
        self.steps = state["steps"]
        for average, saved in zip(self.averages, state["averages"], strict=True):
            average.copy_(saved)
