"""Networks that torch.compile turns into fused kernels, and the plain network where that fails or errs.

Compilers err in silence: torch 2.13 compiles diffusers' UNet for CPUs to code with the right images and with
gradients of zero below its finest level. So the first call compares gradients with the plain network's.
"""

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from segguided.channels_last import ChannelsLast

LOG = logging.getLogger("segguided")
Call = Callable[..., Any]
# On an H100, compiling the paper's UNet takes one to two minutes, and saves 0.1 s of each later call.
ENOUGH_CALLS = 2000
CACHE = "TORCHINDUCTOR_CACHE_DIR"
TOLERANCE = 0.05  # of the length of all gradients, or results; wrong code errs by its own size
OF_A_WEIGHT = 0.3  # a single weight's gradient is a smaller sum, so rounding shows more
NOTABLE = 0.01  # share of all gradients' length from which a weight's is compared
# Of Inductor's: so much may be computed again where it is used, instead of once into memory. Its own limits
# store the norms' results in fp32, which is slower than a few more operations.
FUSED = {"realize_reads_threshold": 20, "realize_acc_reads_threshold": 40, "realize_opcount_threshold": 300}
ROUNDED = 1.5  # in bf16, compiled gradients may be so many times as far from fp32's as the plain ones are


class Compiling(IntEnum):
    """Whether networks are compiled."""

    NEVER = 0
    ALWAYS = 1
    AUTO = 2  # on a CUDA GPU, where a run calls its network so often that it pays
    CHANNELS_LAST = 3  # as AUTO, and they compute in channels_last order


_chosen: ContextVar[Compiling] = ContextVar("compiling", default=Compiling.NEVER)
_plain: ContextVar[bool] = ContextVar("plain", default=False)


@contextmanager
def compiling(choice: Compiling) -> Iterator[None]:
    """A context in which `compile_network` does as `choice` says."""
    token = _chosen.set(choice)
    try:
        yield
    finally:
        _chosen.reset(token)


@contextmanager
def uncompiled() -> Iterator[None]:
    """A context in which compiled networks run as they are."""
    token = _plain.set(True)
    try:
        yield
    finally:
        _plain.reset(token)


def compile_network(network: nn.Module, calls: int) -> None:
    """Let later calls of `network` run compiled code, where the context asks for it.

    `calls`: how often this run will call it. Weights and `state_dict` stay as they are, and copies are plain.
    Compiled sums are rounded elsewhere, so results differ from the plain network's in the last bits. Where
    this machine cannot compile, or the compiled code errs, a log line says so, and the network runs as it is.
    """
    device = next(network.parameters()).device
    if not _pays(device, calls):
        return
    reason = _obstacle(device)
    if reason:
        LOG.warning("networks are not compiled: %s", reason)
        return
    LOG.info("compiling %s: its first step takes a minute or two", type(network).__name__)
    if _chosen.get() == Compiling.CHANNELS_LAST:
        torch.backends.cudnn.benchmark = not torch.are_deterministic_algorithms_enabled()
        compiled = torch.compile(_in_channels_last(network), dynamic=False, options=dict(FUSED))
    else:
        network.compile(dynamic=False)
        compiled = network._compiled_call_impl
    assert compiled is not None
    network._compiled_call_impl = _Checked(network, compiled)


def _in_channels_last(network: nn.Module) -> Call:
    """The network's plain call, to be traced: with convolutions and norms that keep the order."""

    def call(*arguments: Any, **named: Any) -> Any:
        with ChannelsLast():
            return network._call_impl(*arguments, **named)

    return call


def _pays(device: torch.device, calls: int) -> bool:
    choice = _chosen.get()
    if choice in (Compiling.AUTO, Compiling.CHANNELS_LAST):
        same_bits = torch.are_deterministic_algorithms_enabled()  # not tried with compiled code
        return device.type == "cuda" and calls >= ENOUGH_CALLS and not same_bits
    return choice == Compiling.ALWAYS


@cache
def _obstacle(device: torch.device) -> str:
    """Why this machine cannot compile for `device`, in one line; empty: it can."""
    os.environ.setdefault(CACHE, str(cache_folder()))
    try:
        torch.compile(lambda x: (x * 2).sin().sum())(torch.ones(64, device=device))
    except Exception as error:  # whatever a missing compiler, driver or library raises
        return _first_line(error)
    return ""


def cache_folder() -> Path:
    """Where compiled kernels are kept, so that a job that continues need not compile again."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "segguided" / "compiled"


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


@dataclass
class _Checked:
    """A network's compiled call, and its plain one until the first call has shown that they agree."""

    network: nn.Module
    compiled: Call
    seen: set[bool] = field(default_factory=set)  # with gradients, without: two programs

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        if _plain.get():
            return self.network._call_impl(*arguments, **named)
        if torch.is_grad_enabled() not in self.seen:
            self.seen.add(torch.is_grad_enabled())
            reason = self._fault(arguments, named)
            if reason:
                LOG.warning("%s runs uncompiled: %s", type(self.network).__name__, reason)
                self.compiled = self.network._call_impl
        return self.compiled(*arguments, **named)

    def _fault(self, arguments: Sequence[Any], named: dict[str, Any]) -> str:
        """What is wrong with the compiled call, in one line; empty: nothing.

        In bf16 both calls round, each in its own way. Where they differ, fp32 says which is right.
        """
        trained = [p for p in self.network.parameters() if p.requires_grad and torch.is_grad_enabled()]
        plain = _results(self.network._call_impl, trained, arguments, named)
        try:
            compiled = _results(self.compiled, trained, arguments, named)
            error = _difference(compiled, plain)
            if error <= 1:
                return ""
            with torch.autocast(plain[0].device.type, enabled=False):
                exact = _results(self.network._call_impl, trained, arguments, named)
        except Exception as failure:  # whatever the compiler, or too little memory, raises
            return _first_line(failure)
        of_compiled, of_plain = _difference(compiled, exact), _difference(plain, exact)
        if of_compiled <= max(1, ROUNDED * of_plain):
            return ""
        kind = "gradients" if trained else "results"
        return (
            f"its compiled {kind} are {of_compiled:.1f} times as far from fp32's as they may be, "
            f"the plain ones {of_plain:.1f} times (torch {torch.__version__})"
        )


def _results(
    call: Call, trained: Sequence[nn.Parameter], arguments: Sequence[Any], named: dict[str, Any]
) -> list[Tensor]:
    """Gradients of `trained` along one random direction of the call's result; without any, the result."""
    result = _only_tensor(call(*arguments, **named)).float()
    if not trained:
        return [result]
    generator = torch.Generator(result.device).manual_seed(0)
    direction = torch.randn(result.shape, generator=generator, device=result.device)
    gradients = torch.autograd.grad(result, trained, direction, allow_unused=True)
    return [torch.zeros_like(p) if g is None else g for p, g in zip(trained, gradients, strict=True)]


def _only_tensor(result: Any) -> Tensor:
    """The tensor that a network returns, bare or as diffusers' `sample`."""
    tensor = getattr(result, "sample", result)
    if not isinstance(tensor, Tensor):
        raise TypeError(f"a compiled network must return a tensor, got {type(result).__name__}")
    return tensor


def _difference(tensors: Sequence[Tensor], right: Sequence[Tensor]) -> float:
    """How far the tensors are from the right ones, in units of what rounding may do: above 1 is too far."""
    lengths = torch.stack([tensor.norm() for tensor in right])
    errors = torch.stack([(a - b).norm() for a, b in zip(tensors, right, strict=True)])
    total = float(errors.norm() / lengths.norm())
    notable = lengths > NOTABLE * lengths.norm()
    LOG.info("compiled: %.2g of the length of all", total)
    return max(total / TOLERANCE, float((errors / lengths)[notable].max()) / OF_A_WEIGHT)
