"""The batch norm that processes share: in one process it is torch's, in outputs, gradients and statistics.

That several processes together compute what one does, test_launch shows with SPADE.
"""

from datetime import timedelta

import pytest
import torch
import torch.distributed as dist
from torch import nn

from segguided.training import ranks
from segguided.training.batch_norms import SharedBatchNorm, separate_batch_norms, share_batch_norms


def maps(dtype=torch.float32):
    """Maps (5, 3, 6, 6), far from 0, as wide as they are far, and constant."""
    x_BCHW = torch.randn(5, 3, 6, 6, generator=torch.Generator().manual_seed(0))
    x_BCHW *= torch.tensor([1.0, 50.0, 0.0]).view(1, 3, 1, 1)
    return (x_BCHW + torch.tensor([500.0, 50.0, 2.0]).view(1, 3, 1, 1)).to(dtype)


def passed(norm, x_BCHW):
    """Two passes; the last one's output and its input's gradient along a random direction."""
    norm(x_BCHW.flip(0) / 2)
    x_BCHW = x_BCHW.clone().requires_grad_()
    normalised_BCHW = norm(x_BCHW)
    direction = torch.randn(x_BCHW.shape, generator=torch.Generator().manual_seed(1)).to(x_BCHW.dtype)
    return normalised_BCHW.detach(), torch.autograd.grad(normalised_BCHW, x_BCHW, direction)[0]


@pytest.mark.parametrize(("dtype", "rounding"), [(torch.float32, 1e-4), (torch.bfloat16, 2e-2)])
def test_alone_it_is_torchs_batch_norm(dtype, rounding):
    torchs = nn.BatchNorm2d(3, affine=False)
    ours = SharedBatchNorm(3, affine=False)
    for expected, computed in zip(passed(torchs, maps(dtype)), passed(ours, maps(dtype)), strict=True):
        assert computed.dtype == dtype
        torch.testing.assert_close(computed[:, :2], expected[:, :2], rtol=rounding, atol=rounding)
        assert computed[:, 2].isfinite().all()
    assert ours.state_dict().keys() == torchs.state_dict().keys()
    for name, expected in torchs.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(ours.eval()(maps()), torchs.eval()(maps()))


@pytest.fixture
def group():
    """The one process of a group."""
    ranks.join(0, 1, dist.HashStore(), timedelta(minutes=1))
    yield
    ranks.leave()


@pytest.mark.usefixtures("group")
def test_a_network_shares_its_norms_and_takes_them_back_with_what_they_know():
    network = nn.Sequential(nn.Conv2d(1, 3, 3), nn.Sequential(nn.BatchNorm2d(3, eps=0.1, affine=False)))
    network(torch.randn(2, 1, 6, 6))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    for change, kind in ((share_batch_norms, SharedBatchNorm), (separate_batch_norms, nn.BatchNorm2d)):
        change(network)
        assert type(network[1][0]) is kind
        assert network[1][0].eps == 0.1
        assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_a_process_that_trains_alone_keeps_torchs_norms():
    network = nn.Sequential(nn.BatchNorm2d(3))
    norm = network[0]
    share_batch_norms(network)
    separate_batch_norms(network)
    assert network[0] is norm
