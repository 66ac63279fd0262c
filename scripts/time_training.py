"""Rule time_training: how long a diffusion model trains until its images reach a share of the ceiling."""

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

from segguided.cli import run
from segguided.config.ablation import Timing
from segguided.config.models.diffusion import DiffusionModel
from segguided.config.sampling import Sampling
from segguided.data.slices import read_slices
from segguided.evaluation.command_line import measuring_parser
from segguided.evaluation.prediction import load_segmenter_for
from segguided.evaluation.times import read_timed, write_timed
from segguided.evaluation.timing import Judge, timed_training


def time_training(
    dataset: str,
    model_name: str,
    model: DiffusionModel,
    sampling: Sampling,
    timing: Timing,
    train: Sequence[Path],
    test: Sequence[Path],
    evaluator: Path,
    classes: Sequence[str],
    seed: int,
    output: Path,
    against: Path | None = None,
    perceptual: Path | None = None,
) -> None:
    """Write the time.

    `against`: the timed training of the model that limits this one's time.
    `perceptual`: weights of the network of the perceptual loss, where the settings have one.
    """
    slices = read_slices(test)
    judge = Judge(slices, timing.masks, load_segmenter_for(slices, evaluator), len(classes), sampling, seed)
    reference = read_timed(against).seconds if against else math.inf
    timed = timed_training(model, read_slices(train), judge, timing, reference, perceptual)
    write_timed(output, dataset, model_name, seed, timed)


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    parser = measuring_parser(__doc__, "JSON to write")
    parser.add_argument("--dataset", required=True, help="recorded in the output")
    parser.add_argument("--model-name", required=True, help="recorded in the output")
    parser.add_argument("--model", type=DiffusionModel.from_json, required=True, help="settings, JSON")
    parser.add_argument("--sampling", type=Sampling.from_json, required=True, help="settings, JSON")
    parser.add_argument("--timing", type=Timing.from_json, required=True, help="settings, JSON")
    parser.add_argument("--train", type=Path, nargs="+", required=True, help="slices to train on")
    parser.add_argument(
        "--test", type=Path, nargs="+", required=True, help="slices whose masks are drawn from"
    )
    parser.add_argument("--seed", type=int, required=True, help="of all random choices")
    parser.add_argument("--against", type=Path, help="timed training that limits this one")
    parser.add_argument("--perceptual", type=Path, help="weights of the network of the perceptual loss")
    return parser


if __name__ == "__main__":
    run(time_training, command_line())
