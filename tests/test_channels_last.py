"""Norms and convolutions that keep the channels_last order: torch's own, to rounding."""

import copy

import pytest
import torch
from torch import nn
from torch._dynamo.backends.common import aot_autograd
from torch.nn import functional

from segguided import compiling as module
from segguided.channels_last import ChannelsLast, group_norm
from segguided.compiling import FUSED, Compiling, compile_network, compiling
from segguided.config.models.training import Training
from segguided.models.decoder import ModulatedBlock
from segguided.models.denoiser import build_denoiser
from segguided.training.optimisation import Descent
from support.tiny_models import diffusion_model

TRAINING = Training(steps=4, batch_size=2, learning_rate=1e-3, ema_decay=0.9)
ORDERS = [torch.contiguous_format, torch.channels_last]
aten = torch.ops.aten


def with_gradients(norm, groups, tensors, direction_NC):
    x_NC, weight_C, bias_C = (tensor.detach().requires_grad_() for tensor in tensors)
    normed_NC = norm(x_NC, groups, weight_C, bias_C, 1e-5)
    return normed_NC, *torch.autograd.grad(normed_NC, (x_NC, weight_C, bias_C), direction_NC)


def example(mean=0.0, size=(9, 7)):
    torch.manual_seed(0)
    x_NC = mean + torch.randn(3, 12, *size, dtype=torch.float64) * torch.rand(12, *(1,) * len(size))
    weight_C, bias_C = torch.randn(2, 12, dtype=torch.float64)
    return (x_NC, weight_C, bias_C), torch.randn_like(x_NC)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("mean", [0, 1e3])
@pytest.mark.parametrize("groups", [1, 4, 12])
def test_group_norm_and_its_gradients_are_torchs(groups, mean, order):
    tensors, direction_NC = example(mean)
    theirs = with_gradients(functional.group_norm, groups, tensors, direction_NC)
    ordered = (tensors[0].contiguous(memory_format=order), *tensors[1:])
    ours = with_gradients(group_norm, groups, ordered, direction_NC.contiguous(memory_format=order))
    assert ours[0].is_contiguous(memory_format=order)
    assert ours[1].is_contiguous(memory_format=order)
    for mine, right in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, right, rtol=0, atol=1e-10)


def test_group_norm_of_sequences_without_weights_is_torchs():
    (x_NCL, _, _), _ = example(size=(50,))
    torch.testing.assert_close(group_norm(x_NCL, 4), functional.group_norm(x_NCL, 4), rtol=0, atol=1e-10)


@pytest.mark.parametrize("order", ORDERS)
def test_a_mean_far_above_the_deviation_costs_fp32_no_more_than_the_rounding_of_the_image(order):
    """torch's own for this order on a CPU errs by more than the whole result (torch 2.13)."""
    tensors, direction_NC = example(1e3)
    tensors = [tensor.float() for tensor in tensors]
    exact = with_gradients(
        functional.group_norm, 4, [tensor.double() for tensor in tensors], direction_NC.float().double()
    )
    ordered = (tensors[0].contiguous(memory_format=order), *tensors[1:])
    for mine, right in zip(with_gradients(group_norm, 4, ordered, direction_NC.float()), exact, strict=True):
        assert (mine - right).abs().max() < 1e-3 * right.abs().max()


def test_under_autocast_the_result_is_fp32():
    """As CUDA's autocast gives it."""
    (x_NC, weight_C, bias_C), _ = example()
    with torch.autocast("cpu", torch.bfloat16):
        assert group_norm(x_NC.bfloat16(), 4, weight_C.float(), bias_C.float()).dtype == torch.float32
    assert group_norm(x_NC.bfloat16(), 4).dtype == torch.bfloat16


@pytest.mark.parametrize("statistics", [False, True])
def test_instance_norm_is_torchs_with_running_statistics_too(statistics):
    (x_NC, _, _), _ = example()
    norm = nn.InstanceNorm2d(12, affine=True, track_running_stats=statistics).double()
    other = copy.deepcopy(norm)
    with ChannelsLast():
        ours = other(x_NC)
    torch.testing.assert_close(ours, norm(x_NC), rtol=0, atol=1e-10)
    for mine, theirs in zip(other.buffers(), norm.buffers(), strict=True):
        assert torch.equal(mine, theirs)


def graphs_of(network, *inputs):
    """The operations of a network's compiled forward and backward pass."""
    graphs = []

    def keep(graph, _inputs):
        graphs.append(graph.graph)
        return graph.forward

    def call(*arguments):
        with ChannelsLast():
            return network(*arguments)

    torch._dynamo.reset()
    compiled = torch.compile(call, backend=aot_autograd(fw_compiler=keep), fullgraph=True)
    compiled(*inputs).square().mean().backward()
    return graphs


def test_a_unet_turns_no_image_between_the_memory_orders():
    """diffusers' UNet itself calls `contiguous`, and its attention sees images as sequences."""
    model = diffusion_model(conditioning="onehot")
    unet = build_denoiser(model, 2, 16).unet.train()
    x_BCHW = torch.randn(2, unet.config["in_channels"], 16, 16).contiguous(memory_format=torch.channels_last)
    forward, backward = graphs_of(lambda x_BCHW: unet(x_BCHW, torch.tensor([1, 2])).sample, x_BCHW)
    convolutions = [node for node in forward.nodes if node.target == aten.convolution.default]
    gradients = [node for node in backward.nodes if node.target == aten.convolution_backward.default]
    assert len(convolutions) == len(gradients) > 10
    images = [*convolutions, *(node.args[1] for node in gradients)]
    # A part of what was concatenated has gaps between its pixels.
    images += [node.args[0] for node in gradients if node.args[0].target != aten.slice.Tensor]
    assert [node for node in images if not is_channels_last(node)] == []
    assert aten.native_group_norm.default not in {node.target for node in forward.nodes}
    assert [node for node in forward.nodes if is_turned(node)] == []
    assert aten._unsafe_index_put.default not in {node.target for node in backward.nodes}


def is_channels_last(node):
    return node.meta["val"].is_contiguous(memory_format=torch.channels_last)


def is_turned(node):
    """Whether an operation copies an image, not weights, into the other order."""
    if node.target != aten.clone.default or node.meta["val"].dim() != 4:
        return False
    source = node.args[0]
    return source.op != "placeholder" and node.meta["val"].stride() != source.meta["val"].stride()


def test_doubled_images_are_interpolates():
    x_NC = torch.randn(2, 3, 4, 5, dtype=torch.float64, requires_grad=True)
    direction_NC = torch.randn(2, 3, 8, 10, dtype=torch.float64)
    plain = functional.interpolate(x_NC, scale_factor=2.0, mode="nearest")
    with ChannelsLast():
        ours = functional.interpolate(x_NC, scale_factor=2.0, mode="nearest")
        halved = functional.interpolate(x_NC, size=(2, 2))
    assert torch.equal(ours, plain)
    assert torch.equal(halved, functional.interpolate(x_NC, size=(2, 2)))
    (mine,), (right,) = (torch.autograd.grad(y, x_NC, direction_NC) for y in (ours, plain))
    torch.testing.assert_close(mine, right)


def test_a_decoders_block_is_the_plain_one():
    torch.manual_seed(0)
    block = ModulatedBlock(8, 4).double()
    x_BCHW = torch.randn(2, 8, 6, 6).double().contiguous(memory_format=torch.channels_last)
    maps_BMHW = torch.randn(2, 4, 6, 6).double()
    with ChannelsLast():
        ours = block(x_BCHW, maps_BMHW)
    assert ours.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(ours, block(x_BCHW, maps_BMHW), rtol=0, atol=1e-10)


@pytest.fixture
def as_on_a_gpu(monkeypatch):
    """Networks are compiled as for a GPU; torch's own tracing stands for its compiler of kernels."""
    torch._dynamo.reset()
    compile_with = torch.compile

    def traced(function, *, dynamic, options):
        assert options == FUSED
        return compile_with(function, backend="aot_eager", dynamic=dynamic, fullgraph=True)

    monkeypatch.setattr(module, "_obstacle", lambda device: "")
    monkeypatch.setattr(module, "_pays", lambda device, calls: module._chosen.get() != Compiling.NEVER)
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", False)
    monkeypatch.setattr(torch, "compile", traced)


def test_a_network_compiled_as_for_a_gpu_has_the_plain_ones_gradients(as_on_a_gpu, caplog):
    torch.manual_seed(0)
    network = build_denoiser(diffusion_model(conditioning="onehot"), 2, 16).double()
    x_BCHW = torch.randn(2, 1, 16, 16, dtype=torch.float64)
    masks_BHW = torch.randint(0, 3, (2, 16, 16), dtype=torch.uint8)
    gradients = []
    for choice in (Compiling.NEVER, Compiling.CHANNELS_LAST):
        with compiling(choice):
            compile_network(network, 1)
        for _ in range(2):  # the first call compares, the second does not
            network.zero_grad()
            network(x_BCHW, torch.tensor([1, 2]), masks_BHW).square().mean().backward()
        gradients.append([p.grad for p in network.parameters()])
    assert network._compiled_call_impl is not None
    for plain, mine in zip(*gradients, strict=True):
        torch.testing.assert_close(mine, plain, rtol=0, atol=1e-10)
    assert "uncompiled" not in caplog.text


def descent_of_a_compiled_network():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 8, 3), nn.GroupNorm(2, 8), nn.SiLU(), nn.Conv2d(8, 1, 3))
    descent = Descent.with_adamw(network, TRAINING, 4)
    with compiling(Compiling.CHANNELS_LAST):
        compile_network(network, 4)
    return descent


def train(descent, steps):
    for step in steps:
        x_BCHW = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(step))
        descent.descend(lambda x_BCHW: {"loss": descent.network(x_BCHW).square().mean()}, [x_BCHW])
    return nn.utils.parameters_to_vector(descent.network.parameters())


def test_it_continues_as_if_it_had_not_been_interrupted(as_on_a_gpu, tmp_path):
    undisturbed = train(descent_of_a_compiled_network(), range(4))
    first = descent_of_a_compiled_network()
    train(first, range(2))
    torch.save(first.state_dict(), tmp_path / "resume.pt")
    second = descent_of_a_compiled_network()
    second.load_state_dict(torch.load(tmp_path / "resume.pt", weights_only=True))
    assert torch.equal(train(second, range(2, 4)), undisturbed)


def test_weights_optimiser_and_averages_keep_their_order(as_on_a_gpu):
    """So files of weights have the same bytes as without."""
    descent = descent_of_a_compiled_network()
    train(descent, range(2))
    state = descent.state_dict()
    tensors = [*state["network"].values(), *state["ema"]["averages"]]
    tensors += [value for moments in state["optimizer"]["state"].values() for value in moments.values()]
    assert len(tensors) == 30
    assert all(tensor.is_contiguous() for tensor in tensors)


def test_the_benchmark_of_convolutions_stays_off_where_bits_must_repeat(as_on_a_gpu, monkeypatch):
    with compiling(Compiling.CHANNELS_LAST):
        monkeypatch.setattr(torch, "are_deterministic_algorithms_enabled", lambda: True)
        compile_network(nn.Linear(2, 2), 1)
        assert not torch.backends.cudnn.benchmark
        monkeypatch.setattr(torch, "are_deterministic_algorithms_enabled", lambda: False)
        compile_network(nn.Linear(2, 2), 1)
        assert torch.backends.cudnn.benchmark


def test_inductor_knows_the_limits_that_are_set():
    torch._dynamo.reset()
    assert torch.compile(lambda x: x + 1, options=dict(FUSED)) is not None
