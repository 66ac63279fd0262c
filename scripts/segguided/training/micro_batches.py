"""`micro_batch_size: auto`: as many images at once as the device's memory holds, found by trying."""

import gc
import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

from segguided.compiling import uncompiled
from segguided.devices import device_name, total_memory
from segguided.training import ranks

LOG = logging.getLogger("segguided")
# Bytes that are kept free in a trial for each byte of weights that are trained: Adam's two moments, gradients
# of earlier parts, and the three sets of gradients that are compared where a network is compiled.
RESERVED = 6
Losses = dict[str, Tensor]
LossesOf = Callable[..., Losses]


class NotChosen(Exception):
    """No error: a descent was asked for a step and does not know its micro-batches, or not on this device.

    Nothing is computed or changed. After `choose`, which gives the size, the step can be asked for again.
    """

    def __init__(self, choose: Callable[[], int]) -> None:
        super().__init__("the size of micro-batches is not chosen yet; call choose, then repeat the step")
        self.choose = choose


def choosing_first(
    step: Callable[[], Losses],
    note: Callable[[int], None] | None = None,
    around: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> Losses:
    """`step()`; if the size of its micro-batches must be chosen first, that is done, and `note` called.

    The choice is made within `around()`. `step` must seed its random numbers itself, for it is called again
    then.
    """
    try:
        return step()
    except NotChosen as unknown:
        # Uncompiled are the first step and the check of compiled code, too, which need the most memory.
        with around(), uncompiled():
            size = unknown.choose()
        if note:
            note(size)
    return step()


def choose_size(
    losses_of: LossesOf,
    batch: Sequence[Tensor],
    network: nn.Module,
    earlier: int | None = None,
    moments: int = 0,
) -> int:
    """The largest part of this process's share of the batch whose gradients fit the device's memory.

    The share itself, or else a half of it, a quarter and so on, rounded up; the smallest that any process
    finds. On a CPU the share. `earlier`: what was found on a device with more memory, and is tried first.
    `moments`: bytes of the optimiser's moments, where they are in memory already. Weights, buffers and random
    numbers stay as they are. Raises ValueError if not even one image fits.
    """
    share = -(-len(batch[0]) // ranks.count())
    own = [ranks.own_share(tensor) for tensor in batch]
    size = min(share, earlier or share)
    if may_run_out(batch[0].device):
        while size and not _fits([tensor[:size] for tensor in own], losses_of, network, moments):
            size = -(-size // 2) if size > 1 else 0
    size = -ranks.max_over_processes(-size)
    if not size:
        raise ValueError(
            "micro_batch_size is auto, but not even one image fits the memory of "
            f"{device_name(batch[0].device)}; use a GPU with more memory, or a smaller network"
        )
    before = f"; {earlier} were chosen on a device with more memory" if earlier else ""
    LOG.info("micro_batch_size: auto: %d of %d images at once%s", size, share, before)
    return size


def least_memory(device: torch.device) -> int:
    """Bytes of the smallest memory among the devices of the processes that train together."""
    return -ranks.max_over_processes(-total_memory(device))


def may_run_out(device: torch.device) -> bool:
    """Whether too large a batch raises OutOfMemoryError; a CPU's process would be killed."""
    return device.type != "cpu"


def _fits(micro_batch: Sequence[Tensor], losses_of: LossesOf, network: nn.Module, moments: int) -> bool:
    """Whether the gradients of a micro-batch can be computed beside all that a step keeps."""
    buffers = [buffer.clone() for buffer in network.buffers()]
    device = micro_batch[0].device
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        fits = _can_descend(micro_batch, losses_of, network, moments)
    for buffer, before in zip(network.buffers(), buffers, strict=True):
        buffer.copy_(before)
    for parameter in network.parameters():
        parameter.grad = None
    gc.collect()  # an error's traceback keeps what did not fit
    if device.type == "cuda":
        torch.cuda.empty_cache()
    return fits


def _can_descend(
    micro_batch: Sequence[Tensor], losses_of: LossesOf, network: nn.Module, moments: int
) -> bool:
    trained = sum(p.nbytes for p in network.parameters() if p.requires_grad)
    try:
        spare = max(0, RESERVED * trained - moments)
        reserved = torch.empty(spare, dtype=torch.uint8, device=micro_batch[0].device)
        losses_of(*micro_batch)["loss"].backward()
        del reserved
    except RuntimeError as error:  # also those of cuDNN, cuBLAS and other devices
        if not any(words in str(error).lower() for words in ("out of memory", "alloc_failed")):
            raise
        return False
    return True
