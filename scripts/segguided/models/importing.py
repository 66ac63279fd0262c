"""A UNet2DModel from a plain diffusers folder, such as the checkpoints that the paper's authors publish."""

import json
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from diffusers import UNet2DModel
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from segguided.config.imported import ImportedModel
from segguided.models.denoiser import build_unet
from segguided.models.masks import MaskEncoder

UNET, SCHEDULER = Path("unet", "config.json"), Path("scheduler", "scheduler_config.json")
WEIGHTS = Path("unet", "diffusion_pytorch_model.safetensors")
# The attention layers of diffusers before 0.15.
RENAMED = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}


def read_unet(model: ImportedModel, n_classes: int, image_size: int) -> UNet2DModel:
    """The UNet of a diffusers folder with its weights, in float32.

    Raises ValueError where the folder, its configuration or weights are missing or damaged, or do not fit the
    model's conditioning and schedule or the dataset's image size.
    """
    folder = Path(model.folder)
    root = folder / UNET.parent if (folder / UNET.parent).is_dir() else folder
    if not root.is_dir():
        raise ValueError(
            f"{folder}: expected a folder with {UNET} and its weights, but there is none; correct `folder`"
        )
    channels = 1 + MaskEncoder(model.conditioning, n_classes).channels
    unet = _build(root / UNET.name, model, channels, image_size)
    _check(unet, root, model.conditioning, channels, image_size)
    _check_scheduler(root.parent / SCHEDULER, model)
    path = _weights(root)
    tensors = {_renamed(name): tensor for name, tensor in _load(path).items()}
    try:
        unet.load_state_dict(tensors)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(
            f"{path} does not fit the UNet that {root / UNET.name} describes: {reason}"
        ) from error
    unet.register_to_config(sample_size=image_size)
    return unet


def config_of(unet: UNet2DModel) -> dict[str, Any]:
    """What UNet2DModel.from_config needs to build `unet` again, as JSON values."""
    config: dict[str, Any] = json.loads(unet.to_json_string())
    return config


def _build(path: Path, model: ImportedModel, channels: int, image_size: int) -> UNet2DModel:
    if not path.is_file():
        if model.unet is None:
            raise ValueError(
                f"{path}: expected the UNet's diffusers configuration, but there is none; add it, or "
                "describe the architecture in the model's settings as `unet`"
            )
        return build_unet(model.unet, channels, image_size)
    config = _read_json(path)
    name = config.get("_class_name", UNet2DModel.__name__)
    if name != UNet2DModel.__name__:
        raise ValueError(f"{path} describes a {name}, expected a {UNet2DModel.__name__}")
    try:
        return UNet2DModel.from_config(config)
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} describes no UNet that diffusers can build: {error}") from error


def _check(unet: UNet2DModel, root: Path, conditioning: str, channels: int, image_size: int) -> None:
    config, levels = unet.config, len(unet.config.block_out_channels)
    got = config.in_channels, config.out_channels
    if got != (channels, 1):
        raise ValueError(
            f"{root}: the UNet takes {got[0]} channels and gives {got[1]}, but conditioning: {conditioning} "
            f"needs {channels} and 1 (a grey image{', its mask' if channels > 1 else ''}); change "
            "conditioning (index255 takes 2, none 1), or import another model"
        )
    if config.class_embed_type or config.num_class_embeds:
        raise ValueError(
            f"{root}: the UNet wants class labels, which nothing here gives; import another model"
        )
    sizes = {config.sample_size} if isinstance(config.sample_size, int) else set(config.sample_size or ())
    if sizes - {image_size}:
        raise ValueError(
            f"{root}: the UNet was made for images of {config.sample_size} pixels, but the dataset's "
            f"image_size is {image_size}; change image_size"
        )
    if image_size % (1 << (levels - 1)):
        raise ValueError(
            f"{root}: the UNet halves images {levels - 1} times, but the dataset's image_size is "
            f"{image_size}; choose a multiple of {1 << (levels - 1)}"
        )


def _check_scheduler(path: Path, model: ImportedModel) -> None:
    """A scheduler beside the UNet says how it was trained; other settings would give noise, silently."""
    if not path.is_file():
        return
    stated, schedule = _read_json(path), model.schedule
    expected = {
        "prediction_type": model.prediction_type,
        "num_train_timesteps": schedule.timesteps,
        "beta_start": schedule.beta_start,
        "beta_end": schedule.beta_end,
        "beta_schedule": "linear",
    }
    for key, value in expected.items():
        if stated.get(key, value) != value:
            raise ValueError(
                f"{path} states {key} {stated[key]}, but the model's settings say {value}; make them agree"
            )


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is no JSON ({error}); get it again") from error
    if not isinstance(value, dict):
        raise ValueError(f"{path}: expected a section of keys with values, got {type(value).__name__}")
    return value


def _weights(root: Path) -> Path:
    """The one file of weights: safetensors where there is one, else a .bin."""
    for ending in (".safetensors", ".bin"):
        found = sorted(path for path in root.iterdir() if path.suffix == ending)
        if len(found) > 1:
            usual = [path for path in found if path.stem == WEIGHTS.stem]
            if not usual:
                raise ValueError(
                    f"{root}: expected one file of weights, got {', '.join(path.name for path in found)}; "
                    f"call the wanted one {WEIGHTS.stem}{ending}"
                )
            found = usual
        if found:
            return found[0]
    raise ValueError(f"{root}: expected the weights as {WEIGHTS.name}, found none; add them")


def _load(path: Path) -> dict[str, Tensor]:
    """Tensors by name. A .bin is a pickle: nothing but tensors is read from it."""
    try:
        tensors = (
            load_file(path)
            if path.suffix == ".safetensors"
            else torch.load(path, map_location="cpu", weights_only=True)
        )
    except SafetensorError as error:
        raise ValueError(f"{path} is damaged ({error}); get it again") from error
    except (UnpicklingError, RuntimeError, EOFError) as error:
        raise ValueError(
            f"{path}: expected a file of tensors alone, got a damaged one or a pickle with code in it, which "
            "is never run; where you trust its origin, convert it to safetensors"
        ) from error
    if not isinstance(tensors, dict) or not all(isinstance(value, Tensor) for value in tensors.values()):
        raise ValueError(f"{path}: expected tensors by name, got other values; convert it to safetensors")
    return tensors


def _renamed(name: str) -> str:
    parts = name.split(".")
    if "attentions" in parts[:-2]:
        parts[-2] = RENAMED.get(parts[-2], parts[-2])
    return ".".join(parts)
