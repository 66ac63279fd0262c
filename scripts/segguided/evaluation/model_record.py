"""All numbers of Tables 1 to 3 for one model on one dataset, measured from slices by segmenters.

Shape suffixes: S slices, H and W pixels.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from torch import nn

from segguided.config.evaluation import Evaluation
from segguided.data.halves import slices_in_half
from segguided.data.slices import SliceSet
from segguided.devices import pick_device
from segguided.evaluation.likeness.record import likeness_record, repeats_record
from segguided.evaluation.prediction import encode, predict
from segguided.evaluation.records import Record, faithfulness_record, quality_record


def model_record(
    test: SliceSet,
    generated: SliceSet | None,
    repeated: Path | None,
    train: SliceSet,
    held_out: SliceSet | None,
    evaluator: nn.Module,
    trained_on: nn.Module,
    class_names: Sequence[str],
    evaluation: Evaluation,
) -> Record:
    """The flat record of Tables 1 to 3; without `generated`, that of the real images (the ceiling).

    Tables 1 and 3 are measured on all slices of `test`, or as Table 2 on the measuring half of them:
    `evaluation.measuring_half_only` decides. `evaluator` is the segmenter trained on real held-out images,
    `trained_on` the segmenter trained on the model's images. Table 3 compares the generated images to the
    test images; without generated images, the held-out ones. Its diversity is that of the images in the file
    `repeated`, against the variation between `train` and test patients. Raises ValueError where both
    `generated` and `held_out` are missing.
    """
    half_S = slices_in_half(test, evaluation.halves_seed, "test")
    repeatable = test
    if evaluation.measuring_half_only:
        test = test.where(half_S)
        generated = generated.where(half_S) if generated else None
        half_S = [True] * len(test)
    compared = generated or held_out
    if compared is None:
        raise ValueError(
            "the real images' record needs --held-out slices, to compare them to the test slices"
        )
    device = pick_device()
    real_SHW = predict(evaluator, test.images, device)
    generated_SHW = None if generated is None else predict(evaluator, generated.images, device)
    half = test.where(half_S)
    ceiling_SHW = real_SHW[np.asarray(half_S)]
    model_SHW = None if generated is None else predict(trained_on, half.images, device)
    record = {
        **faithfulness_record(
            test.masks, generated_SHW, real_SHW, test.patients, class_names, test.not_annotated
        ),
        **quality_record(half.masks, model_SHW, ceiling_SHW, half.patients, class_names, half.not_annotated),
        **likeness_record(
            test, compared, train, lambda images_SHW: encode(evaluator, images_SHW, device), evaluation
        ),
    }
    if repeated:
        record |= repeats_record(repeated, repeatable, test, train, class_names)
    return record
