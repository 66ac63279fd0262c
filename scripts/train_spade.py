"""Train the SPADE baseline on the slices of the training patients."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from segguided.cli import run
from segguided.config.models.init_from import InitFrom
from segguided.config.models.spade import SpadeModel
from segguided.data.slices import read_slices
from segguided.data.whole_patients import for_training, left_out
from segguided.files import sha256_of
from segguided.models.fine_tuning.beginning import begin_generator
from segguided.models.losses.perceptual import perceptual_on
from segguided.models.signals import channels_entry
from segguided.models.spade import Generator
from segguided.models.spade_learner import SpadeLearner, batches_of_masks, check_shareable
from segguided.training.launch import on_gpus
from segguided.training.previews import images_by
from segguided.training.run import TrainingRun, add_beginning, training_parser


def train_spade(
    slices: list[Path],
    model: SpadeModel,
    perceptual: Path | None,
    n_classes: int,
    seed: int,
    output: Path,
    checkpoint_seconds: float,
    init_from: InitFrom | None = None,
    classes: Sequence[str] = (),
) -> None:
    """Write model.safetensors, the generator, to `output`, with config.json and history.csv beside it."""
    given = read_slices(slices)
    data = for_training(given, model)
    training = TrainingRun.from_settings(data, model.training, seed, output, checkpoint_seconds)
    check_shareable(training.plan.batch_size, model.training.micro_batch_size)
    training.seed_first_weights()
    network = Generator(model.generator, n_classes, training.image_size, data.channels)
    beginning = begin_generator(network, classes, training.image_size, init_from) if init_from else None
    network = network.to(training.device)
    loss = perceptual_on(data, model.perceptual, perceptual, training.device)
    masks = batches_of_masks(data, training.device) if model.needs_statistics else None
    learner = SpadeLearner(
        network, model, loss, training.steps, training.device, masks, is_trained=bool(beginning)
    )
    description = {
        "kind": model.kind,
        "model": model.model_dump(),
        "n_classes": n_classes,
        "image_size": training.image_size,
        **channels_entry(data.channels),
        "perceptual_sha256": sha256_of(perceptual) if perceptual else None,
        **left_out(given, data),
    }
    if beginning:
        description["init_from"] = beginning
    training.train_to_files(learner, description, preview=images_by("spade_previews", learner, model, seed))


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    parser = training_parser(__doc__)
    parser.add_argument("--model", type=SpadeModel.from_json, required=True, help="model settings, JSON")
    parser.add_argument("--perceptual", type=Path, help="weights of the network of the perceptual loss")
    parser.add_argument("--n-classes", type=int, required=True, help="number of foreground classes")
    add_beginning(parser)
    return parser


if __name__ == "__main__":
    run(train_spade, command_line(), on_gpus)
