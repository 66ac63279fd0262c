"""What the config.json of a run says of its network, for trainings that begin with its weights."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from segguided.config.models.unet import Unet
from segguided.models.foreign import unet_config


def channels_of_run(description: Mapping[str, Any]) -> int:
    """How many channels the images of a run have."""
    imported = description.get("unet")
    return int(imported["out_channels"] if imported else description.get("channels", 1))


def unet_of_run(description: Mapping[str, Any]) -> dict[str, Any] | None:
    """The diffusers configuration of a run's UNet; None where it has none."""
    if "unet" in description:  # imported
        return dict(description["unet"])
    settings = description["model"].get("unet")
    if not settings:
        return None
    from segguided.models.denoiser import build_unet  # noqa: PLC0415 - SPADE does not wait for diffusers

    with torch.device("meta"):
        unet = Unet.model_validate(settings)
        return unet_config(build_unet(unet, 1, description["image_size"], channels_of_run(description)))


def described_run(folder: Path, description: Mapping[str, Any]) -> tuple[str, str, int, str | None]:
    """Network, conditioning, inputs of noise and prediction type of a run."""
    kind = description.get("kind")
    if kind == "spade":
        return "spade", "onehot", 0, None
    if kind not in ("diffusion", "imported"):
        raise ValueError(
            f"init_from: {folder} is a {kind} model; expected one of kind diffusion, imported or spade"
        )
    if description.get("tissues"):
        raise ValueError(
            f"init_from: {folder} was trained with tissues, which each training divides anew; begin with a "
            "run without them"
        )
    model = description["model"]
    network = "decoder" if model.get("decoder") else "unet"
    noise_inputs = 1 if (model.get("losses") or {}).get("energy_score") else 0
    return network, model["conditioning"], noise_inputs, model["prediction_type"]
