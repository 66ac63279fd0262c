"""On which device and in which precision a network runs."""

import contextlib
import logging
from functools import cache

import torch

from segguided.config.models.training import Precision

LOG = logging.getLogger("segguided")
UNLIMITED = 2**62  # bytes


def pick_device() -> torch.device:
    """The current accelerator (CUDA, ROCm, MPS …) where there is one, the CPU elsewhere."""
    accelerator = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    device = accelerator or torch.device("cpu")
    _log_once(device)
    return device


@cache
def _log_once(device: torch.device) -> None:
    """Log the device, once a process: only the log shows whether a job's hours are GPU hours."""
    LOG.info("device: %s", device_name(device))


def device_name(device: torch.device) -> str:
    """The GPU's product name; for other devices their kind, such as cpu."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def total_memory(device: torch.device) -> int:
    """Bytes of a CUDA GPU's memory, used or not; UNLIMITED of a device that has no size known here."""
    return torch.cuda.get_device_properties(device).total_memory if device.type == "cuda" else UNLIMITED


def computes_bf16(device: torch.device) -> bool:
    """Whether the device multiplies bf16 natively; where it does not, autocast is slower than fp32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":
        return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return False


def autocast(device: torch.device, precision: Precision) -> contextlib.AbstractContextManager[None]:
    """bf16 autocast for `bf16`, and for `auto` where the device has it; weights stay fp32."""
    enabled = precision == "bf16" or (precision == "auto" and computes_bf16(device))
    return torch.autocast(device.type, torch.bfloat16, enabled=enabled)
