"""Train a segmenter on real held-out images together with generated images of rare cases."""

import argparse
from pathlib import Path

from segguided.cli import run
from segguided.config.models.segmenter import Segmenter
from segguided.data.augmented import read_rare_set, with_generated
from segguided.data.halves import slices_in_half
from segguided.data.slices import read_slices
from segguided.models.segmenter_run import run_segmenter
from segguided.training.launch import on_gpus
from segguided.training.run import training_parser


def train_augmented(
    slices: list[Path],
    generated: Path,
    test: list[Path],
    halves_seed: int,
    segmenter: Segmenter,
    n_classes: int,
    seed: int,
    output: Path,
    checkpoint_seconds: float,
) -> None:
    """Write model.safetensors to `output`, with config.json and history.csv beside it.

    Steps, schedule, batches and validation are those of the training on the real images alone.
    """
    real = read_slices(slices)
    data = with_generated(real, read_rare_set(generated, real))
    test_slices = read_slices(test)
    validation = test_slices.where(slices_in_half(test_slices, halves_seed, "validation"))
    run_segmenter(data, validation, segmenter, n_classes, seed, output, checkpoint_seconds, len(real))


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    parser = training_parser(__doc__)
    parser.add_argument("--generated", type=Path, required=True, help="set of rare cases")
    parser.add_argument("--test", type=Path, nargs="+", required=True, help="slices of the test patients")
    parser.add_argument("--halves-seed", type=int, required=True, help="seed that halves the test patients")
    parser.add_argument("--segmenter", type=Segmenter.from_json, required=True, help="settings, JSON")
    parser.add_argument("--n-classes", type=int, required=True, help="number of foreground classes")
    return parser


if __name__ == "__main__":
    run(train_augmented, command_line(), on_gpus)
