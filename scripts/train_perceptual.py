"""Train a segmenter on the training patients' slices, for the feature maps of a perceptual loss alone."""

import argparse
from dataclasses import asdict
from pathlib import Path

import torch

from segguided.checkpoint import Checkpoint, fingerprint
from segguided.cli import run
from segguided.config.models import Segmenter
from segguided.data.slices import read_slices
from segguided.devices import pick_device
from segguided.models.segmenter import SegmenterLearner, build_segmenter
from segguided.models.storage import save_network
from segguided.training import Batches, Plan, fit


def train_perceptual(
    slices: list[Path], segmenter: Segmenter, n_classes: int, seed: int, output: Path
) -> None:
    """Write model.safetensors of the last epoch to `output`, with config.json and history.csv beside it.

    No other patient chooses the epoch: a generative model may learn from the training patients only.
    """
    data, device = read_slices(slices), pick_device()
    plan = Plan.of(segmenter.training, len(data))
    description = {"segmenter": segmenter.model_dump(), "n_classes": n_classes, "seed": seed}
    torch.manual_seed(seed)
    network = build_segmenter(segmenter, n_classes).to(device)
    learner = SegmenterLearner(network, segmenter, plan.steps, None, device)
    checkpoint = Checkpoint(output.with_name("resume.pt"), fingerprint(description, {"train": data}))
    cost = fit(learner, Batches(data, device), plan, seed, checkpoint, output.with_name("history.csv"))
    save_network(learner.finished(), output, description | {"training": asdict(cost)})
    checkpoint.remove()


def parse_arguments() -> argparse.Namespace:
    """The command line of this script."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--slices", type=Path, nargs="+", required=True, help="slice files of the training patients"
    )
    parser.add_argument(
        "--segmenter", type=Segmenter.from_json, required=True, help="segmenter settings, JSON"
    )
    parser.add_argument("--classes", type=int, required=True, help="number of foreground classes")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, required=True, help="model.safetensors to write")
    return parser.parse_args()


def main() -> None:
    """Script body."""
    a = parse_arguments()
    torch.set_num_threads(a.threads)
    train_perceptual(a.slices, a.segmenter, a.classes, a.seed, a.output)


if __name__ == "__main__":
    run(main)
