"""Files that others wrote: tensors and JSON, read without running any code in them."""

import errno
import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

NOT_WEIGHTS = {  # beginnings of files that a browser or git saves instead of weights
    b"version https://git-lfs": "a pointer of git-lfs, not the file itself: fetch it with `git lfs pull`",
    b"<!doctype": "a web page: download the file itself",
    b"<html": "a web page: download the file itself",
    b"{": "JSON text: download the file itself",
}


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a .safetensors file or, with any other ending, of a state dict that torch saved.

    The latter is a pickle: only tensors are read from it, and no code in it is run. Raises ValueError with
    the name of the file if it is damaged or holds anything but named tensors.
    """
    _check_beginning(path)
    is_safe = path.suffix.lower() == ".safetensors"
    try:
        tensors = load_file(path) if is_safe else torch.load(path, map_location="cpu", weights_only=True)
    except SafetensorError as error:
        raise ValueError(f"{path} is damaged ({error}); get it again") from error
    except Exception as error:  # a damaged pickle may raise anything
        if isinstance(error, OSError) and error.errno != errno.EINVAL:  # EINVAL: a truncated zip
            raise
        raise ValueError(
            f"{path}: expected a file of tensors alone, got a damaged one or a pickle with code in it, which "
            "is never run; get it again or, where you trust its origin, convert it to safetensors"
        ) from error
    if not isinstance(tensors, dict) or not all(isinstance(value, Tensor) for value in tensors.values()):
        raise ValueError(
            f"{path}: expected tensors by name, got other values; save the network's state_dict() alone, or "
            "convert it to safetensors"
        )
    return tensors


def _check_beginning(path: Path) -> None:
    if not path.is_file():
        raise ValueError(
            f"{path}: expected a file of weights, but there is none; get it, or all of its folder, again"
        )
    with path.open("rb") as file:
        start = file.read(64).lstrip().lower()
    if b"\0" in start:
        return  # no text, although the header's length in a safetensors file may look like a letter
    if not start:
        raise ValueError(f"{path}: expected weights, got an empty file; get it again")
    for beginning, what in NOT_WEIGHTS.items():
        if start.startswith(beginning):
            raise ValueError(f"{path} is {what}")


def read_json(path: Path) -> dict[str, Any]:
    """The keys and values of a JSON file. Raises ValueError with the file's name if it holds none."""
    if not path.is_file():
        raise ValueError(
            f"{path}: expected a JSON file, but there is none; get it, or all of its folder, again"
        )
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:  # RecursionError: thousands of nested brackets
        raise ValueError(f"{path} is no JSON ({error}); get it again") from error
    if not isinstance(value, dict):
        raise ValueError(f"{path}: expected a section of keys with values, got {type(value).__name__}")
    return value


def unet_config(unet: Any) -> dict[str, Any]:
    """What UNet2DModel.from_config of diffusers needs to rebuild the UNet `unet`, as JSON values."""
    config: dict[str, Any] = json.loads(unet.to_json_string())
    return config
