"""What a descent remembers between two runs."""

import torch
from torch import nn

from segguided.config.models.training import Training
from segguided.training.optimisation import Descent

TRAINING = Training(steps=9, batch_size=4, learning_rate=0.1, ema_decay=0.9)


def descent():
    return Descent.with_adamw(nn.Linear(3, 1), TRAINING, 9)


def test_restored_averages_live_where_the_weights_do():
    """A resume file is read on the CPU; a device without memory stands in for an accelerator."""
    saved = descent().state_dict()
    with torch.device("meta"):
        restored = descent()
    restored.load_state_dict(saved)
    assert {average.device.type for average in restored.ema.averages} == {"meta"}
