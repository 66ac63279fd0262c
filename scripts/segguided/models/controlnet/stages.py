"""What the three training stages of latent diffusion share: the stages before and their cost."""

from collections.abc import Mapping
from dataclasses import asdict
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
        """Raises ValueError where the UNet was trained on another autoencoder's latents."""
        self.autoencoder, self.latent = autoencoder, latent
        check_weights(autoencoder)
        with network_description(autoencoder) as first:
            self.costs = {"autoencoder": dict(first["training"])}
        with network_description(latent) as told:
            self._latent, trained_on = told, told["autoencoder_sha256"]
            self.costs["latent"] = dict(told["training"])  # what each of them computed
            self.process = LatentStage.model_validate(told["stage"]).settings
            self.scaling_factor: float = told["scaling_factor"]
        if trained_on != sha256_of(autoencoder):
            raise ValueError(
                f"{latent} was trained on the latents of another autoencoder than {autoencoder}; "
                "run train_latent_diffusion again"
            )

    def load(self, device: torch.device) -> tuple[AutoencoderKL, LatentDenoiser]:
        """The trained autoencoder and UNet."""
        return load_autoencoder(self.autoencoder, device), load_latent_denoiser(self.latent, device)

    def description(self) -> dict[str, Any]:
        """What the final config.json tells of the first two stages."""
        start = self._latent["stage"]["start"]
        return {
            "init": start if start.get("kind") == "pretrained" else {"kind": "scratch"},
            "autoencoder_sha256": self._latent["autoencoder_sha256"],
            "latent_sha256": sha256_of(self.latent),
            "latent": self.process.model_dump(),
        }


def total_cost(stages: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    """The costs of all stages, added up and one by one."""
    total = {name: sum(stage[name] for stage in stages.values()) for name in asdict(Cost(0, 0, 0))}
    return {"training": total, "stages": {name: dict(cost) for name, cost in stages.items()}}
