"""Files that others wrote: tensors and JSON, read without running anything, damage told in one sentence."""

import errno
import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

NOT_WEIGHTS = {  # how files begin that a browser or git saves in place of weights
    b"version https://git-lfs": "a pointer of git-lfs, not the file itself: fetch it with `git lfs pull`",
    b"<!doctype": "a web page: download the file itself",
    b"<html": "a web page: download the file itself",
    b"{": "JSON text: download the file itself",
}


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a .safetensors file or, for any other ending, of a state dict that torch saved.

    The latter is a pickle: nothing but tensors is read from it, and no code is run. Raises ValueError, which
    names the file, for damage and for anything else than tensors by name.
    """
    _check_beginning(path)
    is_safe = path.suffix.lower() == ".safetensors"
    try:
        tensors = load_file(path) if is_safe else torch.load(path, map_location="cpu", weights_only=True)
    except SafetensorError as error:
        raise ValueError(f"{path} is damaged ({error}); get it again") from error
    except Exception as error:  # a broken pickle ends in whatever its last opcode trips over
        if isinstance(error, OSError) and error.errno != errno.EINVAL:  # torch's for a zip file cut short
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
        return  # no text: the length of a safetensors header may look like a letter
    if not start:
        raise ValueError(f"{path}: expected weights, got an empty file; get it again")
    for beginning, what in NOT_WEIGHTS.items():
        if start.startswith(beginning):
            raise ValueError(f"{path} is {what}")


def read_json(path: Path) -> dict[str, Any]:
    """The section of keys and values in a JSON file. Raises ValueError, with its name, where it is none."""
    if not path.is_file():
        raise ValueError(
            f"{path}: expected a JSON file, but there is none; get it, or all of its folder, again"
        )
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:  # the latter: a thousand brackets
        raise ValueError(f"{path} is no JSON ({error}); get it again") from error
    if not isinstance(value, dict):
        raise ValueError(f"{path}: expected a section of keys with values, got {type(value).__name__}")
    return value
