"""Trained networks on disk: model.safetensors and, beside it, the sealed config.json that rebuilds them.

config.json holds the SHA-256 of the weights, so that the two belong together and damage of either is found.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from segguided.data.slices import SliceSet, check_preparation
from segguided.files import atomic_path, sha256_of
from segguided.seals import AGAIN, archive_facts, damaged, read_sealed, write_sealed

WEIGHTS = "weights_sha256"  # in config.json: of the file model.safetensors


def save_network(network: nn.Module, weights: Path, description: dict[str, Any]) -> None:
    """Write `network`'s weights to `weights` and `description` to the config.json beside it."""
    tensors = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    config_path(weights).unlink(missing_ok=True)  # it would tell of other weights
    with atomic_path(weights) as temporary:
        temporary.touch()
        mode = temporary.stat().st_mode
        save_file(tensors, temporary)
        temporary.chmod(mode)  # safetensors makes it for its owner alone
    write_sealed(config_path(weights), {**description, WEIGHTS: sha256_of(weights)})


def config_path(weights: Path) -> Path:
    """The file beside `weights` that describes them."""
    return weights.with_name("config.json")


def read_description(weights: Path) -> dict[str, Any]:
    """What `save_network` was told of the network, and the SHA-256 of its weights.

    Raises ValueError where config.json is missing, damaged, or another run's.
    """
    path = config_path(weights)
    try:
        return read_sealed(path)
    except FileNotFoundError as error:
        raise ValueError(f"{path} is missing: a checkpoint needs its config.json beside it") from error


@contextmanager
def network_description(weights: Path) -> Iterator[dict[str, Any]]:
    """`read_description`, around what builds the network. ValueError where it tells of no such network."""
    description = read_description(weights)
    try:
        yield description
    except (KeyError, TypeError, AttributeError, ValidationError) as error:
        reason = f"no description of such a network: {type(error).__name__} {str(error).splitlines()[0]}"
        raise damaged(config_path(weights), reason) from error


def check_weights(weights: Path) -> None:
    """Raise ValueError where a file of weights is not the one that its config.json was written for."""
    if sha256_of(weights) != read_description(weights).get(WEIGHTS):
        raise damaged(weights, f"its checksum is not the one in {config_path(weights).name} beside it")


def load_weights(network: nn.Module, weights: Path, device: torch.device) -> nn.Module:
    """Fill `network` from `weights` and move it to `device`, in evaluation mode.

    Raises ValueError when the file is damaged or belongs to another config.json or architecture.
    """
    check_weights(weights)
    try:
        network.load_state_dict(load_file(weights))
    except (SafetensorError, RuntimeError) as error:
        first = str(error).splitlines()[0]
        raise ValueError(f"{weights} does not fit the network its config.json describes: {first}") from error
    return network.to(device).eval()


def check_trained_on(weights: Path, slices: SliceSet) -> None:
    """Raise ValueError where a network was trained on slices prepared by other settings than `slices`.

    Imported weights do not tell.
    """
    check_preparation(weights, read_description(weights).get("preparation"), slices)


def seal_facts(weights: Path, slices: SliceSet) -> dict[str, str]:
    """What the seal of a generated set says: its weights, and how its slices were prepared."""
    facts = {"weights": str(read_description(weights)[WEIGHTS])}
    return facts | ({"preparation": slices.preparation} if slices.preparation else {})


def check_generated_with(generated: Path, config: Path) -> None:
    """Raise ValueError where a set was generated with other weights than those that `config` describes."""
    if archive_facts(generated).get("weights") != read_sealed(config).get(WEIGHTS):
        raise ValueError(f"{generated} was generated with other weights than those beside {config}; {AGAIN}")
