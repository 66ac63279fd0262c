"""The three training scripts of the latent diffusion baseline on a dozen tiny slices, one stage at a time."""

from pathlib import Path

import numpy as np
import pytest

from segguided.config.models.controlnet import AutoencoderStage, ControlTraining, LatentStage
from segguided.data.slices import Stack, write_stack
from segguided.training.resume_files import discard_resume_files
from train_autoencoder import train_autoencoder
from train_controlnet import train_controlnet
from train_latent_diffusion import train_latent_diffusion

TRAINING = {"steps": 6, "batch_size": 4, "learning_rate": 1e-3, "ema_decay": 0.9, "precision": "fp32"}
SCRATCH_VAE = {
    "channels": [4, 8], "latent_channels": 2, "layers_per_block": 1, "norm_groups": 4, "attention": False
}  # fmt: skip
SCRATCH_UNET = {"channels": [8, 8], "layers_per_block": 1, "norm_groups": 4}


class Stages:
    """The three stages below `folder`, from scratch or from a pretrained pipeline."""

    def __init__(
        self,
        folder: Path,
        source: Path | None = None,
        micro_batch_size: int | None = None,
        **training: object,
    ) -> None:
        settings = {"micro_batch_size": micro_batch_size, "training": {**TRAINING, **training}}
        pretrained = {"kind": "pretrained", "source": str(source)}
        self.folder = folder
        self.slices = folder / "p.npz"
        self.autoencoder_stage = AutoencoderStage.model_validate(
            {
                "start": pretrained if source else SCRATCH_VAE,
                "settings": {"kl_weight": 0, **settings},
            }
        )
        self.latent_stage = LatentStage.model_validate(
            {"start": pretrained if source else SCRATCH_UNET, "settings": settings}
        )
        self.control = ControlTraining.model_validate(
            {"conditioning": "onehot", "hint_channels": [4, 8], "sd_locked": False, **settings}
        )
        if not self.slices.exists():
            write_stack(self.slices, stack())

    def weights(self, stage: str) -> Path:
        """Where a stage writes."""
        return self.folder / ("" if stage == "control" else stage) / "model.safetensors"

    def train(self, stage: str) -> Path:
        """Run one stage's script; the stages before must have run."""
        output = self.weights(stage)
        autoencoder = self.weights("autoencoder")
        latent = self.weights("latent")
        if stage == "autoencoder":
            train_autoencoder([self.slices], self.autoencoder_stage, 0, output, 0.0)
        elif stage == "latent":
            train_latent_diffusion([self.slices], autoencoder, self.latent_stage, 0, output, 0.0)
        else:
            train_controlnet([self.slices], autoencoder, latent, self.control, 2, 0, output, 0.0)
        return output


def stack() -> Stack:
    """Twelve slices of 16 × 16 with two classes."""
    masks_SHW = np.random.default_rng(0).integers(0, 3, (12, 16, 16)).astype(np.uint8)
    return Stack("p", masks_SHW * 90 + 20, masks_SHW, np.arange(12.0), {"classes": ["a", "b"]})


def interrupted_then_resumed(
    stages: Stages, stage: str, learner: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stage that is interrupted at its fourth step and run again writes the same bytes as the first run."""
    output = stages.train(stage)
    files = {name: output.with_name(name) for name in ("model.safetensors", "config.json", "history.csv")}
    whole = {name: path.read_bytes() for name, path in files.items()}
    _delete(files)
    discard_resume_files(output)
    update = learner.update  # type: ignore[attr-defined]
    steps = []

    def interrupted_update(self, x_B, masks_BHW, generator):
        steps.append(1)
        if len(steps) == 4:
            raise KeyboardInterrupt
        return update(self, x_B, masks_BHW, generator)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(learner, "update", interrupted_update)
        stages.train(stage)
    left = {path.name for path in output.parent.iterdir() if path.is_file()}
    assert left - {"p.npz"} == {"resume.pt", "attempts.json"}
    stages.train(stage)
    assert {name: path.read_bytes() for name, path in files.items()} == whole
    _delete(files)
    with monkeypatch.context() as patched:
        patched.setattr(learner, "update", None)  # no step is repeated
        stages.train(stage)
    assert {name: path.read_bytes() for name, path in files.items()} == whole


def _delete(files):
    for path in files.values():
        path.unlink()
