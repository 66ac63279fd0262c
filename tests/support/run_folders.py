"""Run folders of every kind of model, trained for a step or two by the pipeline's own scripts."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from generate_controlnet import generate_controlnet
from generate_diffusion import generate_diffusion
from generate_regression import generate_regression
from generate_spade import generate_spade
from import_model import import_model
from segguided.config.models.diffusion import DiffusionModel
from segguided.config.models.regression import RegressionModel
from segguided.config.models.spade import SpadeModel
from segguided.config.sampling import Sampling
from support.completers import tiny_completer
from support.foreign_unet import foreign, imported
from support.latent_stages import Stages
from support.tiny_models import TINY
from train_completer import train_completer
from train_diffusion import train_diffusion
from train_regression import train_regression
from train_spade import train_spade

SEED = 3
TRAINING = {"steps": 2, "batch_size": 2, "learning_rate": 1e-3, "precision": "fp32"}
DDIM = Sampling(sampler="ddim", steps=3, timestep_spacing="trailing", batch_size=4, precision="fp32")
RENOISE = DDIM.model_copy(update={"sampler": "renoise", "steps": 1})
PLUS = {
    "kind": "diffusion",
    "conditioning": "onehot_free",
    "mask_ablation": "sample",
    "prediction_type": "sample",
    "decoder": {"channels": (4, 8), "modulation_channels": 4},
    "losses": {"energy_score": {"levels": 2}},
    "training": TRAINING,
}
SPADE_TRAINING = {
    "steps": 2,
    "batch_size": 2,
    "precision": "fp32",
    "mirror": False,
    "generator_learning_rate": 1e-3,
    "discriminator_learning_rate": 1e-3,
}


def train_plus(slices: Path, weights: Path) -> None:
    """segguided-plus, and its completer in the folder `completer` beside the weights."""
    train_diffusion([slices], DiffusionModel.model_validate(PLUS), 2, SEED, weights, 0.0)
    completer = weights.parent / "completer/model.safetensors"
    train_completer([slices], tiny_completer(2), 2, False, SEED, completer, 0.0)


def train_mat(slices: Path, weights: Path) -> None:
    """A mask-ablated diffusion model without a completer."""
    model = DiffusionModel.model_validate(
        {
            "kind": "diffusion",
            "conditioning": "onehot",
            "prediction_type": "epsilon",
            "unet": TINY.model_dump(),
            "mask_ablation": "sample",
            "training": TRAINING,
        }
    )
    train_diffusion([slices], model, 2, SEED, weights, 0.0)


SPADE = {
    "kind": "spade",
    "generator": {"channels": (8, 16), "modulation_channels": 8, "norm": "instance"},
    "discriminator": {"channels": 8, "layers": 2, "scales": 2},
    "perceptual": {"kind": "none"},
    "first_weights": "he",
    "training": SPADE_TRAINING,
}


def train_a_spade(slices: Path, weights: Path) -> None:
    """SPADE without a perceptual loss."""
    train_spade([slices], SpadeModel.model_validate(SPADE), None, 2, SEED, weights, 0.0)


def train_a_mask_ablated_spade(slices: Path, weights: Path) -> None:
    """The same with mask ablation."""
    model = SpadeModel.model_validate({**SPADE, "mask_ablation": "sample"})
    train_spade([slices], model, None, 2, SEED, weights, 0.0)


def train_a_regression(slices: Path, weights: Path) -> None:
    """The control."""
    settings = {"conditioning": "onehot", "unet": TINY.model_dump(), "training": TRAINING}
    model = RegressionModel.model_validate({"kind": "regression", **settings})
    train_regression([slices], model, 2, SEED, weights, 0.0)


def train_a_controlnet(slices: Path, weights: Path) -> None:
    """All three stages in the run's folder."""
    stages = Stages(weights.parent, steps=2)
    stages.slices = slices
    for stage in ("autoencoder", "latent", "control"):
        stages.train(stage)


def import_foreign(_slices: Path, weights: Path) -> None:
    """A UNet2DModel of diffusers with random weights."""
    foreign(weights.parent / "theirs")
    import_model(imported(weights.parent / "theirs"), 2, 16, SEED, weights)


Train = Callable[[Path, Path], None]
# By a name of ours: the kind in run.json, its training, the script that generates its sets, and its sampling.
KINDS: dict[str, tuple[str, Train, Callable[..., None], Sampling]] = {
    "segguided-plus": ("diffusion", train_plus, generate_diffusion, RENOISE),
    "mat": ("diffusion", train_mat, generate_diffusion, DDIM),
    "imported": ("imported", import_foreign, generate_diffusion, DDIM),
    "spade": ("spade", train_a_spade, generate_spade, DDIM),
    "mat-spade": ("spade", train_a_mask_ablated_spade, generate_spade, DDIM),
    "regression": ("regression", train_a_regression, generate_regression, DDIM),
    "controlnet": ("controlnet", train_a_controlnet, generate_controlnet, DDIM),
}


def square_masks(count: int) -> np.ndarray:
    """(N, 16, 16): a square of class 1 with one of class 2 in it, elsewhere in each mask."""
    masks_NHW = np.zeros((count, 16, 16), np.uint8)
    for number, mask_HW in enumerate(masks_NHW):
        y, x = divmod(number, 4)
        mask_HW[y : y + 9, x : x + 9] = 1
        mask_HW[y + 3 : y + 6, x + 3 : x + 6] = 2
    return masks_NHW
