"""The first two stages of latent diffusion, as stage 3 needs them: their networks, settings and cost."""

from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL

from segguided.config.models.controlnet import LatentStage
from segguided.files import sha256_of
from segguided.models.controlnet.autoencoder import load_autoencoder
from segguided.models.controlnet.latent import LatentDenoiser, load_latent_denoiser
from segguided.training.loop import Cost
from segguided.training.storage import check_weights, network_description


class EarlierStages:
    """The two stages before the ControlNet, by the weights they wrote."""

    def __init__(self, autoencoder: Path, latent: Path) -> None:
        """Raises ValueError where the UNet was trained on the latents of another autoencoder."""
        self.autoencoder = autoencoder
        self.latent = latent
        check_weights(autoencoder)
        with network_description(autoencoder) as description:
            self.costs = {"autoencoder": dict(description["training"])}
        with network_description(latent) as description:
            self._latent_description = description
            self.costs["latent"] = dict(description["training"])
            self.diffusion = LatentStage.model_validate(description["stage"]).settings
            self.scaling_factor: float = description["scaling_factor"]
            trained_on = description["autoencoder_sha256"]
        if trained_on != sha256_of(autoencoder):
            raise ValueError(
                f"{latent} was trained on the latents of another autoencoder than {autoencoder}; "
                "run train_latent_diffusion again"
            )

    def load(self, device: torch.device) -> tuple[AutoencoderKL, LatentDenoiser]:
        """The trained autoencoder and UNet."""
        return load_autoencoder(self.autoencoder, device), load_latent_denoiser(self.latent, device)

    def description(self) -> dict[str, Any]:
        """What the final config.json says of the first two stages."""
        start = self._latent_description["stage"]["start"]
        return {
            "init": start if start.get("kind") == "pretrained" else {"kind": "scratch"},
            "autoencoder_sha256": self._latent_description["autoencoder_sha256"],
            "latent_sha256": sha256_of(self.latent),
            "latent": self.diffusion.model_dump(),
        }

    def cost_entry(self, control: Cost) -> dict[str, Any]:
        """What the final config.json says of the cost: of each stage, and of all together."""
        return total_cost({**self.costs, "control": asdict(control)})


def total_cost(stages: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    """The costs of all stages, added up and each by itself."""
    total = {field.name: sum(stage[field.name] for stage in stages.values()) for field in fields(Cost)}
    return {"training": total, "stages": {name: dict(cost) for name, cost in stages.items()}}
