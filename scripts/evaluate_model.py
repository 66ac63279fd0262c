"""Measure one model on one dataset: faithfulness, worth for training, distance to real images."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from segguided.cli import framed, slices_parser
from segguided.config.evaluation import Evaluation
from segguided.data.halves import of_half
from segguided.data.slices import SliceSet, read_generated, read_slices
from segguided.devices import pick_device
from segguided.evaluation.distances import distance_record
from segguided.evaluation.prediction import encode, predict
from segguided.evaluation.records import Record, faithfulness_record, quality_record, read_training_cost
from segguided.models.segmenter import load_segmenter
from segguided.seals import write_sealed
from segguided.training.storage import check_generated_with, check_trained_on


def evaluate_model(
    test: SliceSet,
    generated: SliceSet | None,
    held_out: SliceSet | None,
    evaluator: nn.Module,
    trained_on: nn.Module,
    class_names: Sequence[str],
    evaluation: Evaluation,
) -> Record:
    """The flat record of Tables 1 to 3; without `generated`, that of the real images (the ceiling).

    Table 3 compares the generated or else the held-out images to the test images.
    """
    device = pick_device()
    seeds = {"resamples": evaluation.bootstrap_resamples, "seed": evaluation.bootstrap_seed}
    real_SHW = predict(evaluator, test.images, device)
    generated_SHW = None if generated is None else predict(evaluator, generated.images, device)
    chosen_S = of_half(test, evaluation.halves_seed, "test")
    half, ceiling_SHW = test.where(chosen_S), real_SHW[np.asarray(chosen_S)]
    model_SHW = None if generated is None else predict(trained_on, half.images, device)
    compared = generated or held_out
    if compared is None:
        raise ValueError(
            "the real images' record needs --held-out slices, to compare them to the test slices"
        )
    return {
        **faithfulness_record(test.masks, generated_SHW, real_SHW, test.patients, class_names, **seeds),
        **quality_record(half.masks, model_SHW, ceiling_SHW, half.patients, class_names, **seeds),
        **distance_record(
            encode(evaluator, compared.images, device),
            encode(evaluator, test.images, device),
            subsets=evaluation.kernel_subsets,
            subset_size=evaluation.kernel_subset_size,
            seed=evaluation.kernel_seed,
        ),
    }


def parse_arguments() -> argparse.Namespace:
    """The command line of this script."""
    parser = slices_parser(__doc__)
    for name in ("--dataset", "--model"):
        parser.add_argument(name, required=True, help="recorded in the output")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument(
        "--test", type=Path, nargs="+", required=True, help="slice files of the test patients"
    )
    parser.add_argument(
        "--generated", type=Path, help="images generated from the test masks; none: the real ones"
    )
    parser.add_argument("--run", type=Path, help="config.json of the model's training; none: the real images")
    parser.add_argument("--held-out", type=Path, nargs="+", help="slice files; needed for the real images")
    parser.add_argument(
        "--evaluator", type=Path, required=True, help="segmenter trained on real held-out images"
    )
    parser.add_argument(
        "--trained-on", type=Path, required=True, help="segmenter trained on the model's images"
    )
    parser.add_argument("--classes", nargs="+", required=True, help="names of the foreground classes")
    parser.add_argument("--evaluation", type=Evaluation.from_json, required=True, help="settings, JSON")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, required=True, help="JSON to write")
    return parser.parse_args()


def main() -> None:
    """Script body."""
    a = parse_arguments()
    torch.set_num_threads(a.threads)
    test = read_slices(a.test)
    generated = test.with_images(*read_generated(a.generated, test)) if a.generated else None
    held_out = read_slices(a.held_out) if a.held_out else None
    for segmenter in (a.evaluator, a.trained_on):
        check_trained_on(segmenter, test)
    if a.generated and a.run:
        check_generated_with(a.generated, a.run)
    evaluator, trained_on = (load_segmenter(path) for path in (a.evaluator, a.trained_on))
    record = evaluate_model(test, generated, held_out, evaluator, trained_on, a.classes, a.evaluation)
    record |= read_training_cost(a.run) if a.run else {}
    write_sealed(a.output, {"dataset": a.dataset, "model": a.model, "seed": a.seed, **record})


if __name__ == "__main__":
    framed(main)
