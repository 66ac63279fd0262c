"""Train a segmenter on real or generated images of held-out masks; validation slices select the epoch."""

import argparse
from pathlib import Path

from segguided.cli import run
from segguided.config.models.segmenter import Segmenter
from segguided.data.halves import slices_in_half
from segguided.data.slices import read_generated, read_slices
from segguided.models.segmenter_run import run_segmenter
from segguided.training.launch import on_gpus
from segguided.training.run import training_parser


def train_segmenter(
    slices: list[Path],
    generated: Path | None,
    test: list[Path],
    halves_seed: int,
    segmenter: Segmenter,
    n_classes: int,
    seed: int,
    output: Path,
    checkpoint_seconds: float,
) -> None:
    """Write model.safetensors to `output`, with config.json and history.csv beside it."""
    data = read_slices(slices)
    if generated:
        images_SHW, names = read_generated(generated, data)
        data = data.with_images(images_SHW, names)
    test_slices = read_slices(test)
    validation = test_slices.where(slices_in_half(test_slices, halves_seed, "validation"))
    run_segmenter(data, validation, segmenter, n_classes, seed, output, checkpoint_seconds)


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    parser = training_parser(__doc__)
    parser.add_argument(
        "--generated", type=Path, help="generated images to train on in place of the real ones"
    )
    parser.add_argument(
        "--test", type=Path, nargs="+", required=True, help="slice files of the test patients"
    )
    parser.add_argument("--halves-seed", type=int, required=True, help="seed that halves the test patients")
    parser.add_argument(
        "--segmenter", type=Segmenter.from_json, required=True, help="segmenter settings, JSON"
    )
    parser.add_argument("--n-classes", type=int, required=True, help="number of foreground classes")
    return parser


if __name__ == "__main__":
    run(train_segmenter, command_line(), on_gpus)
