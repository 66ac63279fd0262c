"""What several processes run in the tests of shared batches; as a program, a tiny training.

Program: sharing.py --slices FILE --seed S --gpus N --output FILE [--steps T] [--pause S] [--break-rank R]
"""

import argparse
import signal
import sys
import time
from functools import partial
from pathlib import Path
from unittest.mock import patch

import torch
from torch import nn

from segguided.cli import run
from segguided.config.models.diffusion import DiffusionModel
from segguided.config.models.perceptual import PlainEncoder
from segguided.config.models.segmenter import Segmenter
from segguided.config.models.spade import SpadeModel
from segguided.config.models.training import Training
from segguided.config.models.unet import Unet
from segguided.data.slices import SliceSet, read_slices
from segguided.models.signals import to_signal
from segguided.training import gradients, ranks
from segguided.training.launch import on_gpus
from segguided.training.loop import Plan
from segguided.training.optimisation import Descent, DescentLearner
from segguided.training.run import TrainingRun, training_parser

CPU = torch.device("cpu")
PERCEPTUAL = Path("perceptual/model.safetensors")
TRAINING = {"steps": 8, "batch_size": 5, "learning_rate": 1e-3, "ema_decay": 0.9, "precision": "fp32"}
ENCODER = PlainEncoder(channels=(4, 8), training=Training(**{**TRAINING, "ema_decay": None}))
IMAGES = {
    "segguided": {"training": {**TRAINING, "gradient_clip": 0.05}},
    "mat": {"mask_ablation": "sample", "prediction_type": "v_prediction", "min_snr_gamma": 5.0},
    "mat-of-a-batch": {"mask_ablation": "batch", "prediction_type": "sample"},
}
UNET = {"channels": (8, 16), "norm_groups": 4, "layers_per_block": 1}
# As the demo's segguided-plus: the scales of its losses are those of the whole batch.
MAPS = {
    "prediction_type": "sample",
    "losses": {
        "squared_error": 0,
        "energy_score": {"levels": 2, "blocks": 1.0, "perceptual": 0.3},
        "perceptual": 0.1,
        "perceptual_network": {"kind": "encoder", "encoder": ENCODER.model_dump()},
    },
}
MAPS_AND_TISSUES = {
    **MAPS,
    "tissues": {
        "parts": 2,
        "filter_size": 1,
        "stages": [{"cell": 4, "unet": UNET}, {"cell": 1, "unet": UNET, "copies": 2}],
    },
}
WITH_MAPS = {"maps": MAPS, "maps-in-parts": MAPS_AND_TISSUES | {"micro_batch_size": 1}}
# Their batches of 5 are shared as 3 and 2; in micro-batches of 3, as 2 and 1, then 1 and 1.
SPADES = {
    "spade": {"norm": "batch", "training": {"mirror": True}},
    "spade-in-parts": {"norm": "batch", "training": {"micro_batch_size": 3}},
    "spade-instance": {"norm": "instance", "training": {}},
}


def spade_model(norm: str, training: dict[str, object]) -> SpadeModel:
    """A tiny SPADE with a batch of 5."""
    lengths = {"steps": 4, "batch_size": 5, "ema_decay": 0.9, "mirror": False, "precision": "fp32"}
    settings = {
        "kind": "spade",
        "generator": {"channels": (8, 16), "modulation_channels": 8, "norm": norm},
        "discriminator": {"channels": 8, "layers": 2},
        "perceptual": {"kind": "encoder", "encoder": ENCODER},
        "first_weights": "he",
        "training": {**lengths, **training},
    }
    return SpadeModel.model_validate(settings)


def train_all(folder: Path) -> None:
    """Run every training that several processes can share, each into its own folder below `folder`.

    If there are weights already, the latent stages are trained again from last to first, and SPADE before its
    perceptual network: each builds on the old weights of what comes before it.
    """
    from segguided.models.segmenter_run import run_segmenter
    from support.latent_stages import Stages  # heavy, and the program needs none of it
    from train_diffusion import train_diffusion
    from train_perceptual import train_perceptual

    slices = folder / "p.npz"
    unet = Unet(channels=(8, 16), norm_groups=4, layers_per_block=1)

    def train_diffusions(models: dict[str, dict[str, object]], perceptual: Path | None = None) -> None:
        for name, changes in models.items():
            settings = {
                "kind": "diffusion",
                "conditioning": "onehot",
                "unet": unet,
                "training": TRAINING,
                **changes,
            }
            model = DiffusionModel.model_validate(settings)
            output = folder / name / "model.safetensors"
            train_diffusion([slices], model, 2, 3, output, 1e9, perceptual=perceptual)

    train_diffusions(IMAGES)
    data = read_slices([slices])
    training = Training(**{**TRAINING, "ema_decay": None})
    segmenter = Segmenter(channels=(4, 8), augmentation={}, training=training)
    validation = SliceSet(data.stacks)
    run_segmenter(data, validation, segmenter, 2, 3, folder / "segmenter/model.safetensors")
    stages = Stages(folder / "stages", micro_batch_size=2, **TRAINING)
    built = stages.weights("control").exists()
    for stage in ("control", "latent", "autoencoder") if built else ("autoencoder", "latent", "control"):
        stages.train(stage)
    train_spades = partial(_train_spades, folder)
    train_maps = partial(train_diffusions, WITH_MAPS, folder / PERCEPTUAL)
    train_encoder = partial(train_perceptual, [slices], ENCODER, 2, 3, folder / PERCEPTUAL)
    of_encoder = (train_spades, train_maps)
    for train_next in (*of_encoder, train_encoder) if built else (train_encoder, *of_encoder):
        train_next()


def _train_spades(folder: Path) -> None:
    for name in SPADES:
        train_a_spade(folder, name)


def train_a_spade(folder: Path, name: str, stops_after: int | None = None) -> None:
    """Train the SPADE `name` against discriminators whose verdicts exceed 1 from the start.

    Below 1, the hinge loss has no gradient at a discriminator's last bias but for rounding errors, and Adam's
    steps would make these as large as any other. After step `stops_after`, the first process gets SIGTERM.
    """
    from segguided.models import spade_learner
    from train_spade import train_spade

    initialise = spade_learner.initialise

    def initialise_sure(network, first_weights):
        initialise(network, first_weights)
        for discriminator in getattr(network, "scales", []):
            discriminator.final_conv.conv.weight.data *= 20

    update = spade_learner.SpadeLearner.update
    steps: list[int] = []

    def update_and_stop(self, images_BHW, masks_BHW, generator):
        steps.append(1)
        if len(steps) == stops_after and ranks.is_first():
            signal.raise_signal(signal.SIGTERM)
        return update(self, images_BHW, masks_BHW, generator)

    with (
        patch.object(spade_learner, "initialise", initialise_sure),
        patch.object(spade_learner.SpadeLearner, "update", update_and_stop),
    ):
        output = folder / name / "model.safetensors"
        model = spade_model(**SPADES[name])
        train_spade([folder / "p.npz"], model, folder / PERCEPTUAL, 2, 3, output, 1e9)


class TinyLearner(DescentLearner):
    """Finds masks in noisy images, and fails on request; one of its weights is not used."""

    def __init__(self, steps: int, pause: float, breaks: bool) -> None:
        self.network = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.Tanh(), nn.Conv2d(8, 1, 3, padding=1))
        self.network.register_parameter("unused", nn.Parameter(torch.zeros(3)))
        self.descent = Descent.with_adamw(
            self.network, Training(steps=steps, batch_size=4, learning_rate=1e-3), steps
        )
        self.pause = pause
        self.breaks = breaks
        self.updates = 0

    def update(self, images_BHW, masks_BHW, generator):
        self.updates += 1
        time.sleep(self.pause)
        if self.breaks and self.updates == 3:
            raise RuntimeError("broken on request")
        x_B1HW = to_signal(images_BHW)
        noise_B1HW = torch.randn(x_B1HW.shape, generator=generator)

        def losses_of(x, masks, noise):
            return {"loss": (self.network(x + noise)[:, 0] - masks.float()).square().mean()}

        return self.descent.descend(losses_of, [x_B1HW, masks_BHW, noise_B1HW], 1)


def train(
    slices: list[Path],
    steps: int,
    pause: float,
    break_rank: int | None,
    seed: int,
    output: Path,
    checkpoint_seconds: float,
) -> None:
    """Train the tiny network."""
    data = read_slices(slices)
    torch.manual_seed(seed)
    learner = TinyLearner(steps, pause, breaks=ranks.rank() == break_rank)
    plan = Plan(len(data), 4, steps)
    TrainingRun(data, plan, CPU, seed, output, checkpoint_seconds).train_to_files(learner, {})


def command_line() -> argparse.ArgumentParser:
    parser = training_parser(__doc__)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--pause", type=float, default=0, help="in each step")
    parser.add_argument("--break-rank", type=int)
    return parser


if Path(sys.argv[0]).name == "sharing.py":  # in the processes that a program starts, too
    gradients.BUCKET_BYTES = 100  # one bucket a weight

if __name__ == "__main__":
    run(train, command_line(), on_gpus)
