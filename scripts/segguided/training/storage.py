"""Trained networks on disk: model.safetensors and, beside it, the sealed config.json that rebuilds them.

config.json holds the SHA-256 of the weights: it shows that the two belong together and are undamaged.
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

WEIGHTS_KEY = "weights_sha256"  # in config.json: the checksum of model.safetensors


def save_network(network: nn.Module, weights: Path, description: dict[str, Any]) -> None:
    """Write `network`'s weights to `weights` and `description` to the config.json beside it."""
    tensors = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    config_path(weights).unlink(missing_ok=True)  # it describes other weights
    with atomic_path(weights) as temporary:
        temporary.touch()
        mode = temporary.stat().st_mode
        save_file(tensors, temporary)
        temporary.chmod(mode)  # safetensors lets only the owner read it
    write_sealed(config_path(weights), {**description, WEIGHTS_KEY: sha256_of(weights)})


def config_path(weights: Path) -> Path:
    """The file beside `weights` that describes them."""
    return weights.with_name("config.json")


def read_description(weights: Path) -> dict[str, Any]:
    """The description that `save_network` wrote, with the SHA-256 of the weights.

    Raises ValueError if config.json is missing, damaged, or of another run.
    """
    path = config_path(weights)
    try:
        return read_sealed(path)
    except FileNotFoundError as error:
        raise ValueError(f"{path} is missing: a checkpoint needs its config.json beside it") from error


@contextmanager
def network_description(weights: Path) -> Iterator[dict[str, Any]]:
    """`read_description`, around code that rebuilds the network.

    Raises ValueError if that code finds that the description is of another kind of network.
    """
    description = read_description(weights)
    try:
        yield description
    except (KeyError, TypeError, AttributeError, ValidationError) as error:
        reason = f"no description of such a network: {type(error).__name__} {str(error).splitlines()[0]}"
        raise damaged(config_path(weights), reason) from error


def check_weights(weights: Path) -> None:
    """Raise ValueError unless the weights are those that the config.json beside them was written for."""
    if sha256_of(weights) != read_description(weights).get(WEIGHTS_KEY):
        raise damaged(weights, f"its checksum is not the one in {config_path(weights).name} beside it")


def load_weights(network: nn.Module, weights: Path, device: torch.device) -> nn.Module:
    """Fill `network` from `weights` and move it to `device`, in evaluation mode.

    Raises ValueError if the file is damaged or belongs to another config.json or architecture.
    """
    check_weights(weights)
    try:
        network.load_state_dict(load_file(weights))
    except (SafetensorError, RuntimeError) as error:
        # PyTorch's first line names the class alone, the second what differs.
        reason = " ".join(line.strip() for line in str(error).splitlines()[:2])
        raise ValueError(
            f"{weights} does not fit the network its config.json describes, or is of an older version of it, "
            f"which has to be trained again: {reason[:300]}"
        ) from error
    return network.to(device).eval()


def check_trained_on(weights: Path, slices: SliceSet) -> None:
    """Raise ValueError if a network was trained on slices that were prepared with other settings.

    Imported weights do not say how their slices were prepared, and are accepted.
    """
    check_preparation(weights, read_description(weights).get("preparation"), slices)


def seal_facts(weights: Path, slices: SliceSet) -> dict[str, str]:
    """What the seal of a generated set says: its weights, and how its slices were prepared."""
    facts = {"weights": str(read_description(weights)[WEIGHTS_KEY])}
    if slices.preparation:
        facts["preparation"] = slices.preparation
    return facts


def check_generated_with(generated: Path, config: Path) -> None:
    """Raise ValueError if a set was generated with other weights than those that `config` describes."""
    if archive_facts(generated).get("weights") != read_sealed(config).get(WEIGHTS_KEY):
        raise ValueError(f"{generated} was generated with other weights than those beside {config}; {AGAIN}")
