"""Compiled networks: the same as the plain ones, and the plain ones where a compiler fails or errs.

torch's own tracing stands for its compiler of kernels, which takes minutes.
"""

import argparse
import copy
import logging

import pytest
import torch
from torch import nn

from segguided import compiling as module
from segguided.cli import add_computing_options
from segguided.compiling import Compiling, compile_network, compiling, uncompiled
from segguided.computing import computing
from segguided.models.denoiser import build_denoiser
from segguided.models.prediction_learner import make_learner
from support.tiny_models import diffusion_model

CPU = torch.device("cpu")


class Counting(nn.Module):
    """Two layers that count how often Python runs them: compiled code does not."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(4, 8), nn.Linear(8, 3)
        self.runs = 0

    def forward(self, x_BC):
        self.runs += 1
        return self.second(self.first(x_BC).tanh())


@pytest.fixture
def network():
    torch.manual_seed(0)
    return Counting()


@pytest.fixture
def says(caplog):
    caplog.set_level(logging.INFO, "segguided")
    return lambda: " ".join(record.message for record in caplog.records)


@pytest.fixture(autouse=True)
def backend(monkeypatch):
    """A backend that hands a network's operations to `compiled`, and says that this machine can compile."""
    torch._dynamo.reset()
    monkeypatch.setattr(module, "_obstacle", lambda device: "")

    def choose(replaced):
        monkeypatch.setattr(
            nn.Module,
            "compile",
            lambda network, **_: setattr(network, "_compiled_call_impl", replaced(network)),
        )

    return choose


def gradients(network, x_BC):
    network.zero_grad()
    network(x_BC).square().mean().backward()
    return [p.grad.clone() for p in network.parameters()]


def compiled_copy(network, choice=Compiling.ALWAYS, calls=10):
    other = copy.deepcopy(network)
    with compiling(choice):
        compile_network(other, calls)
    return other


def test_without_a_context_nothing_is_compiled(network):
    compile_network(network, 10**9)
    assert network._compiled_call_impl is None


def test_auto_compiles_nothing_on_a_cpu(network):
    assert compiled_copy(network, Compiling.AUTO, 10**9)._compiled_call_impl is None


@pytest.mark.parametrize(
    ("calls", "same_bits", "compiled"), [(1999, False, False), (2000, False, True), (2000, True, False)]
)
def test_auto_compiles_for_a_gpu_what_runs_long_enough_and_need_not_repeat_its_bits(
    calls, same_bits, compiled, monkeypatch
):
    monkeypatch.setattr(torch, "are_deterministic_algorithms_enabled", lambda: same_bits)
    for choice in (Compiling.AUTO, Compiling.CHANNELS_LAST):
        with compiling(choice):
            assert module._pays(torch.device("cuda"), calls) is compiled
            assert not module._pays(torch.device("cpu"), calls)


def test_right_code_is_used(network, backend, says):
    backend(lambda network: network._call_impl)
    other, x_BC = compiled_copy(network), torch.randn(5, 4)
    for mine, theirs in zip(gradients(network, x_BC), gradients(other, x_BC), strict=True):
        assert torch.equal(mine, theirs)
    assert "compiling Counting" in says()
    assert "uncompiled" not in says()


def test_code_with_wrong_gradients_is_not_used(network, backend, says):
    """As torch 2.13's for a UNet on a CPU: the right result, and no gradient for the coarser levels."""

    def without_the_first_layers_gradient(network):
        def call(x_BC):
            return network.second(network.first(x_BC).tanh().detach())

        return call

    backend(without_the_first_layers_gradient)
    other, x_BC = compiled_copy(network), torch.randn(5, 4)
    for mine, theirs in zip(gradients(network, x_BC), gradients(other, x_BC), strict=True):
        assert torch.equal(mine, theirs)
    assert "Counting runs uncompiled: its compiled gradients are" in says()


def test_code_with_wrong_results_is_not_used(network, backend, says):
    backend(lambda network: lambda x_BC: network._call_impl(x_BC) + 1)
    other, x_BC = compiled_copy(network), torch.randn(5, 4)
    with torch.inference_mode():
        assert torch.equal(other(x_BC), network(x_BC))
    assert "its compiled results are" in says()


def test_in_bf16_code_may_be_as_far_from_fp32_as_the_plain_network(backend, says):
    """Here it is nearer: fp32 itself."""
    torch.manual_seed(0)
    deep = nn.Sequential(
        *(layer for _ in range(12) for layer in (nn.Linear(32, 32), nn.BatchNorm1d(32), nn.ReLU()))
    )

    def in_fp32(network):
        def call(x_BC):
            with torch.autocast("cpu", enabled=False):
                return network._call_impl(x_BC)

        return call

    backend(in_fp32)
    other = compiled_copy(deep)
    with torch.autocast("cpu", torch.bfloat16):
        other(torch.randn(8, 32))
    assert "uncompiled" not in says()


def test_a_compiler_that_fails_leaves_the_plain_network(network, backend, says):
    def fails(network):
        def call(x_BC):
            raise RuntimeError("ptxas is missing\nand much more")

        return call

    backend(fails)
    other, x_BC = compiled_copy(network), torch.randn(5, 4)
    assert torch.equal(other(x_BC), network(x_BC))
    assert "Counting runs uncompiled: ptxas is missing" in says()
    assert "much more" not in says()


def test_a_machine_without_a_compiler_says_so(network, says, monkeypatch):
    monkeypatch.setattr(module, "_obstacle", lambda device: "no C++ compiler")
    assert compiled_copy(network)._compiled_call_impl is None
    assert "networks are not compiled: no C++ compiler" in says()


def test_uncompiled_runs_the_plain_network(network, backend):
    backend(lambda network: lambda x_BC: network.second(network.first(x_BC).tanh()))
    other, x_BC = compiled_copy(network), torch.randn(5, 4)
    other(x_BC)
    before = other.runs
    other(x_BC)
    assert other.runs == before
    with uncompiled():
        other(x_BC)
    assert other.runs == before + 1


def test_copies_and_files_know_nothing_of_it(network, backend):
    backend(lambda network: network._call_impl)
    other = compiled_copy(network)
    assert copy.deepcopy(other)._compiled_call_impl is None
    assert other.state_dict().keys() == network.state_dict().keys()


def test_a_command_line_says_whether(network):
    parser = argparse.ArgumentParser()
    add_computing_options(parser)
    assert parser.parse_args([]).compile == Compiling.NEVER
    assert parser.parse_args(["--compile", "2"]).compile == Compiling.AUTO
    assert parser.parse_args(["--compile", "3"]).compile == Compiling.CHANNELS_LAST
    threads = torch.get_num_threads()
    with computing(threads, deterministic=False, choice=Compiling.ALWAYS):
        assert module._pays(CPU, 0)
    assert not module._pays(CPU, 0)


def traced(network):
    """The network as torch traces it, forward and backward."""
    return torch.compile(network._call_impl, backend="aot_eager", dynamic=False)


def test_a_training_compiled_by_torch_is_the_plain_one(backend, says):
    backend(traced)
    weights = []
    for choice in (Compiling.NEVER, Compiling.ALWAYS):
        torch.manual_seed(0)
        model = diffusion_model(
            conditioning="onehot", precision="fp32"
        )  # in bf16 the plain one rounds elsewhere
        with compiling(choice):
            network = build_denoiser(model, 2, 16)
            learner = make_learner(network, model, 3, CPU)
        images_BHW = torch.randint(0, 256, (2, 16, 16), dtype=torch.uint8)
        masks_BHW = torch.randint(0, 3, (2, 16, 16), dtype=torch.uint8)
        for step in range(3):
            learner.update(images_BHW, masks_BHW, torch.Generator().manual_seed(step))
        weights.append(nn.utils.parameters_to_vector(network.parameters()))
    torch.testing.assert_close(*weights)
    assert "compiling MaskedDenoiser" in says()
    assert "uncompiled" not in says()
