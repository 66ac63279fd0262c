"""Train a segmenter on real or generated images of held-out masks; a validation half selects the epoch."""

import argparse
from pathlib import Path

import torch

from segguided.cli import run
from segguided.config.models.segmenter import Segmenter
from segguided.data.halves import of_half
from segguided.data.slices import SliceSet, read_generated, read_slices
from segguided.devices import pick_device
from segguided.models.segmenter import SegmenterLearner, build_segmenter
from segguided.training.launch import on_gpus
from segguided.training.loop import Batches, Plan
from segguided.training.run import CHECKPOINT_SECONDS, train_to_files, training_parser


def train_segmenter(
    data: SliceSet,
    validation: SliceSet,
    segmenter: Segmenter,
    n_classes: int,
    seed: int,
    output: Path,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
) -> None:
    """Write model.safetensors to `output`, with config.json and history.csv beside it."""
    device = pick_device()
    plan = Plan.of(segmenter.training, len(data))
    description = {"segmenter": segmenter.model_dump(), "n_classes": n_classes, "seed": seed}
    torch.manual_seed(seed)
    network = build_segmenter(segmenter, n_classes).to(device)
    learner = SegmenterLearner(network, segmenter, plan.steps, Batches(validation, device).in_order, device)
    sets = {"train": data, "validation": validation}
    train_to_files(learner, Batches(data, device), plan, description, sets, output, checkpoint_seconds)


def parse_arguments() -> argparse.Namespace:
    """The command line of this script."""
    parser = training_parser(__doc__)
    parser.add_argument(
        "--generated", type=Path, help="generated images to train on in place of the real ones"
    )
    parser.add_argument(
        "--test", type=Path, nargs="+", required=True, help="slice files of the test patients"
    )
    parser.add_argument(
        "--halves-seed", type=int, required=True, help="draws the halves of the test patients"
    )
    parser.add_argument(
        "--segmenter", type=Segmenter.from_json, required=True, help="segmenter settings, JSON"
    )
    parser.add_argument("--classes", type=int, required=True, help="number of foreground classes")
    return parser.parse_args()


def train(a: argparse.Namespace) -> None:
    """The run, or one GPU's part in it."""
    data, test = read_slices(a.slices), read_slices(a.test)
    data = data.with_images(*read_generated(a.generated, data)) if a.generated else data
    validation = test.where(of_half(test, a.halves_seed, "validation"))
    train_segmenter(data, validation, a.segmenter, a.classes, a.seed, a.output, a.checkpoint_seconds)


def main() -> None:
    """Script body."""
    on_gpus(train, parse_arguments())


if __name__ == "__main__":
    run(main)
