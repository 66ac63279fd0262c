"""The training run of an auxiliary segmenter, on given slices."""

from pathlib import Path

import torch

from segguided.config.models.segmenter import Segmenter
from segguided.data.slices import SliceSet
from segguided.devices import pick_device
from segguided.models.segmenter import SegmenterLearner, build_segmenter
from segguided.training.loop import Batches, Plan
from segguided.training.run import CHECKPOINT_SECONDS, train_to_files


def run_segmenter(
    data: SliceSet,
    validation: SliceSet,
    segmenter: Segmenter,
    n_classes: int,
    seed: int,
    output: Path,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
) -> None:
    """Train on `data`, keep the epoch that is best on `validation`; write the files of a training run."""
    device = pick_device()
    plan = Plan.from_settings(segmenter.training, len(data))
    description = {"segmenter": segmenter.model_dump(), "n_classes": n_classes, "seed": seed}
    torch.manual_seed(seed)
    network = build_segmenter(segmenter, n_classes).to(device)
    learner = SegmenterLearner(network, segmenter, plan.steps, Batches(validation, device).in_order, device)
    sets = {"train": data, "validation": validation}
    train_to_files(learner, Batches(data, device), plan, description, sets, output, checkpoint_seconds)
