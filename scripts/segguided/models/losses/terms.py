"""Terms of a loss, by name."""

from typing import Any

import torch
from torch import Tensor


def mean_terms(terms: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    """The mean of each term over the predictions of an image."""
    return {name: torch.stack([of_one[name] for of_one in terms]).mean() for name in terms[0]}


def adversarial_losses() -> Any:
    """The module with the losses of a discriminator, imported where there is one."""
    from segguided.models.losses import adversarial  # noqa: PLC0415 - MONAI, which it needs, takes two seconds

    return adversarial
