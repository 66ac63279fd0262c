"""The average of a network's weights is the stated one, from the first step on."""

from itertools import pairwise

import pytest
import torch
from torch import nn

from segguided.training.averaging import WeightAverages
from segguided.training.optimisation import Descent


def averages_of(weights_T, decay):
    """The average of one scalar weight after each of its values, when it began at 1000."""
    weight = torch.tensor([1000.0], dtype=torch.float64)
    averages = WeightAverages([weight], decay)
    found = []
    for value in weights_T:
        weight.fill_(float(value))
        averages.update([weight])
        found.append(float(averages.averages[0]))
    return found


@pytest.mark.parametrize("decay", [0.5, 0.99, 0.9999])
def test_each_weight_counts_as_the_formula_says_and_the_first_weights_do_not_count(decay):
    weights_T = torch.randn(300, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = averages_of(weights_T, decay)
    for t in (1, 2, 3, 10, 300):
        shares_T = decay ** torch.arange(t - 1, -1, -1, dtype=torch.float64)
        expected = float((shares_T * weights_T[:t]).sum() / shares_T.sum())
        assert found[t - 1] == pytest.approx(expected, rel=1e-9)


def test_the_decay_in_use_is_the_stated_one():
    """After a pulse, the average falls by the decay a step, apart from the correction, which ends."""
    decay = 0.9
    found = averages_of([0.0] * 200 + [1.0] + [0.0] * 20, decay)
    ratios = [after / before for before, after in pairwise(found[200:])]
    assert ratios == pytest.approx([decay] * 20, rel=1e-6)


def test_a_descent_hands_over_the_average_of_its_weights():
    torch.manual_seed(0)
    network = nn.Linear(2, 1)
    descent = Descent(network, torch.optim.SGD(network.parameters(), lr=0.1), lambda step: 1.0, ema_decay=0.8)
    seen = []
    for _ in range(4):
        descent.descend(lambda x_BD: {"loss": network(x_BD).square().mean()}, [torch.ones(3, 2)])
        seen.append(network.weight.detach().clone())
    shares = [0.8**3, 0.8**2, 0.8, 1.0]
    expected = sum(share * weight for share, weight in zip(shares, seen, strict=True)) / sum(shares)
    descent.use_averaged_weights()
    assert torch.allclose(network.weight, expected, atol=1e-6)
    assert not torch.allclose(network.weight, seen[-1], atol=1e-3)
