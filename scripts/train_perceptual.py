"""Train a plain encoder on the training patients, only for the feature maps of a perceptual loss."""

import argparse
from pathlib import Path

from segguided.cli import run
from segguided.config.models.perceptual import PlainEncoder
from segguided.data.slices import read_slices
from segguided.data.whole_patients import fully_annotated
from segguided.models.plain_encoder import Encoder, EncoderLearner
from segguided.models.signals import channels_entry
from segguided.training.launch import on_gpus
from segguided.training.run import CHECKPOINT_SECONDS, TrainingRun, training_parser


def train_perceptual(
    slices: list[Path],
    encoder: PlainEncoder,
    n_classes: int,
    seed: int,
    output: Path,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
) -> None:
    """Write model.safetensors of the last epoch to `output`, with config.json and history.csv beside it.

    The last epoch, because no other patient may choose one: a generative model learns from the training
    patients only.
    """
    data = fully_annotated(read_slices(slices), "training of a perceptual network")
    training = TrainingRun.from_settings(data, encoder.training, seed, output, checkpoint_seconds)
    training.seed_first_weights()
    network = Encoder(encoder, n_classes, data.channels).to(training.device)
    learner = EncoderLearner(network, encoder, training.steps, training.device)
    description = {"encoder": encoder.model_dump(), "n_classes": n_classes, **channels_entry(data.channels)}
    training.train_to_files(learner, description)


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    parser = training_parser(__doc__)
    parser.add_argument("--encoder", type=PlainEncoder.from_json, required=True, help="settings, JSON")
    parser.add_argument("--n-classes", type=int, required=True, help="number of foreground classes")
    return parser


if __name__ == "__main__":
    run(train_perceptual, command_line(), on_gpus)
