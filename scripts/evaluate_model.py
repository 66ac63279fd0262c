"""Measure one model on one dataset: its images' faithfulness (Table 1) and worth for training (Table 2)."""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from segguided.cli import run
from segguided.config.evaluation import Evaluation
from segguided.data.slices import SliceSet, read_generated, read_slices
from segguided.data.splits import in_half
from segguided.devices import pick_device
from segguided.files import write_json
from segguided.models.segmenter import load_segmenter, predict
from segguided.records import Record, faithfulness_record, quality_record


def evaluate_model(
    test: SliceSet,
    generated: SliceSet | None,
    evaluator: nn.Module,
    trained_on: nn.Module,
    halves: Mapping[str, str],
    class_names: Sequence[str],
    evaluation: Evaluation,
) -> Record:
    """The flat record of both tables; without `generated`, that of the real images (the ceiling)."""
    device = pick_device()
    seeds = {"resamples": evaluation.bootstrap_resamples, "seed": evaluation.bootstrap_seed}
    real_SHW = predict(evaluator, test.images, device)
    generated_SHW = None if generated is None else predict(evaluator, generated.images, device)
    chosen_S = in_half(test.names, test.patients, halves, "test")
    half, ceiling_SHW = test.where(chosen_S), real_SHW[np.asarray(chosen_S)]
    model_SHW = None if generated is None else predict(trained_on, half.images, device)
    return {
        **faithfulness_record(test.masks, generated_SHW, real_SHW, test.patients, class_names, **seeds),
        **quality_record(half.masks, model_SHW, ceiling_SHW, half.patients, class_names, **seeds),
    }


def parse_arguments() -> argparse.Namespace:
    """The command line of this script."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--dataset", "--model"):
        parser.add_argument(name, required=True, help="recorded in the output")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument(
        "--test", type=Path, nargs="+", required=True, help="slice files of the test patients"
    )
    parser.add_argument(
        "--generated", type=Path, help="images generated from the test masks; none: the real ones"
    )
    parser.add_argument(
        "--evaluator", type=Path, required=True, help="segmenter trained on real held-out images"
    )
    parser.add_argument(
        "--trained-on", type=Path, required=True, help="segmenter trained on the model's images"
    )
    parser.add_argument("--halves", type=json.loads, required=True, help="half of each test patient, JSON")
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
    generated = test.with_images(*read_generated(a.generated)) if a.generated else None
    evaluator, trained_on = load_segmenter(a.evaluator), load_segmenter(a.trained_on)
    record = evaluate_model(test, generated, evaluator, trained_on, a.halves, a.classes, a.evaluation)
    write_json(a.output, {"dataset": a.dataset, "model": a.model, "seed": a.seed, **record})


if __name__ == "__main__":
    run(main)
