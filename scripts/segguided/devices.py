"""Where and in which precision a network runs."""

import contextlib

import torch

from segguided.config.models import Precision


def pick_device() -> torch.device:
    """The current accelerator (CUDA, ROCm, MPS …) where there is one, the CPU elsewhere."""
    accelerator = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    return accelerator or torch.device("cpu")


def computes_bf16(device: torch.device) -> bool:
    """Whether the device multiplies bf16 natively: elsewhere autocast is emulated and slower than fp32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":
        return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return False


def autocast(device: torch.device, precision: Precision) -> contextlib.AbstractContextManager[None]:
    """bf16 autocast for `bf16`, and for `auto` where the device has it; weights stay fp32."""
    enabled = precision == "bf16" or (precision == "auto" and computes_bf16(device))
    return torch.autocast(device.type, torch.bfloat16, enabled=enabled)
