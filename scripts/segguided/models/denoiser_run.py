"""The training run of a MaskedDenoiser, with the loss of a diffusion model or of the control."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol, TypeVar

import torch

from segguided.config.models.diffusion import DiffusionModel
from segguided.config.models.init_from import InitFrom
from segguided.config.models.regression import RegressionModel
from segguided.data.slices import SliceSet, read_slices
from segguided.data.whole_patients import for_training, left_out
from segguided.models.denoiser import MaskedDenoiser
from segguided.models.fine_tuning.beginning import begin_denoiser
from segguided.models.signals import channels_entry
from segguided.models.tissues.division import choose_division
from segguided.training.loop import Batches
from segguided.training.previews import PreviewedLearner, images_by
from segguided.training.run import FinishedLearner, TrainingRun

Model = TypeVar("Model", DiffusionModel, RegressionModel)


class DenoiserLearner(FinishedLearner, PreviewedLearner, Protocol):
    """What trains a denoiser."""


def run_denoiser(
    network_of: Callable[..., MaskedDenoiser],
    learner_of: Callable[..., DenoiserLearner],
    slices: list[Path],
    model: Model,
    n_classes: int,
    seed: int,
    output: Path,
    checkpoint_seconds: float,
    init_from: InitFrom | None = None,
    classes: Sequence[str] = (),
    perceptual: Callable[[SliceSet, torch.device], dict[str, Any]] | None = None,
    made_of: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Train on the slice files and write model.safetensors, with config.json and history.csv beside it.

    `network_of` gives the network, from settings and the numbers of classes, pixels a side and channels, and
    the division of the classes where the settings have tissues;
    `learner_of` what trains it, from network, settings, number of steps and device, and what `perceptual`
    gives by name, from the training slices and the device. `made_of`: further entries of config.json.
    `init_from`: trained weights to begin with; `classes` are then the names of the classes.
    """
    given = read_slices(slices)
    data = for_training(given, model)
    training = TrainingRun.from_settings(data, model.training, seed, output, checkpoint_seconds)
    training.seed_first_weights()
    channels = training.data.channels
    tissues = model.tissues if isinstance(model, DiffusionModel) else None
    division = choose_division(data, n_classes, tissues) if tissues else None
    divided: dict[str, Any] = {"division": division} if division else {}
    network = network_of(model, n_classes, training.image_size, channels, **divided)
    beginning: dict[str, Any] = {}
    if init_from and isinstance(model, DiffusionModel):
        beginning = {"init_from": begin_denoiser(network, model, classes, training.image_size, init_from)}
    network = network.to(training.device)
    further = perceptual(data, training.device) if perceptual else {}
    learner = learner_of(network, model, training.steps, training.device, **further)
    description = {
        "kind": model.kind,
        "model": model.model_dump(),
        "n_classes": n_classes,
        "image_size": training.image_size,
        **channels_entry(channels),
        **beginning,
        **made_of,
        **({"tissues": division.to_entry()} if division else {}),
        **left_out(given, data),
    }
    preview = images_by(f"{model.kind}_previews", learner, model, seed)
    batches = Batches(division.divide(training.data), training.device) if division else None
    training.train_to_files(learner, description, batches=batches, preview=preview)
