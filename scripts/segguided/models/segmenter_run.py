"""The training run of a segmenter, on slices that its script has chosen."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from torch import Tensor

from segguided.config.models.segmenter import Segmenter
from segguided.data.slices import SliceSet
from segguided.data.spread import evenly_spread
from segguided.models.segmenter import SegmenterLearner, build_segmenter
from segguided.models.signals import channels_entry
from segguided.training.loop import Batches, Plan
from segguided.training.run import CHECKPOINT_SECONDS, TrainingRun


def run_segmenter(
    data: SliceSet,
    validation: SliceSet | None,
    segmenter: Segmenter,
    n_classes: int,
    seed: int,
    output: Path,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    planned_slices: int | None = None,
) -> None:
    """Train on `data` and write the files of a training run.

    The epoch with the lowest loss on `validation` is kept; without `validation`, the last one. With
    `planned_slices`, the training has the steps, batches and validations of one on so many slices.
    """
    plan = Plan.from_settings(segmenter.training, planned_slices or len(data))
    training = TrainingRun.from_plan(data, plan.over(len(data)), seed, output, checkpoint_seconds)
    training.seed_first_weights()
    network = build_segmenter(segmenter, n_classes, data.channels).to(training.device)
    if validation is not None and segmenter.validation_slices:
        validation = evenly_spread(validation, segmenter.validation_slices)
    validation_batches = None
    if validation is not None:
        validation_batches = partial(batches_in_order, Batches(validation, training.device))
    learner = SegmenterLearner(network, segmenter, training.steps, validation_batches, training.device)
    description = {
        "segmenter": segmenter.model_dump(),
        "n_classes": n_classes,
        **channels_entry(data.channels),
    }
    training.train_to_files(learner, description, validation=validation)


def batches_in_order(batches: Batches, batch_size: int = 64) -> Iterator[list[Tensor]]:
    """Images and masks of every slice once; where patients lack annotations, which classes they lack, too."""
    for start in range(0, len(batches.slices), batch_size):
        indices = np.arange(start, min(start + batch_size, len(batches.slices)))
        not_annotated_BV = batches.not_annotated(indices)
        yield [*batches(indices), *([] if not_annotated_BV is None else [not_annotated_BV])]
