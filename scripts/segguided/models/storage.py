"""Trained networks on disk: model.safetensors and, beside it, the config.json that rebuilds the network."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from segguided.files import atomic_path, write_json


def save_network(network: nn.Module, weights: Path, description: dict[str, Any]) -> None:
    """Write `network`'s weights to `weights` and `description` to the config.json beside it."""
    tensors = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    with atomic_path(weights) as temporary:
        save_file(tensors, temporary)
    write_json(weights.with_name("config.json"), description)


def read_description(weights: Path) -> dict[str, Any]:
    """What `save_network` was told of the network."""
    path = weights.with_name("config.json")
    try:
        return json.loads(path.read_text())
    except FileNotFoundError as error:
        raise ValueError(f"{path} is missing: a checkpoint needs its config.json beside it") from error


def load_weights(network: nn.Module, weights: Path, device: torch.device) -> nn.Module:
    """Fill `network` from `weights` and move it to `device`, in evaluation mode.

    Raises ValueError when the file is damaged or belongs to another architecture.
    """
    try:
        network.load_state_dict(load_file(weights))
    except (SafetensorError, RuntimeError) as error:
        first = str(error).splitlines()[0]
        raise ValueError(f"{weights} does not fit the network its config.json describes: {first}") from error
    return network.to(device).eval()
