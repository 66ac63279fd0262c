"""Rule evaluate_model: a model's faithfulness, worth for training and distance to the real images."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from segguided.cli import run
from segguided.config.evaluation import Evaluation
from segguided.data.slices import read_generated, read_slices
from segguided.evaluation.command_line import evaluating_parser
from segguided.evaluation.model_record import model_record
from segguided.evaluation.prediction import load_segmenter_for
from segguided.evaluation.records import read_training_cost
from segguided.seals import write_sealed
from segguided.training.storage import check_generated_with


def evaluate_model(
    dataset: str,
    model: str,
    seed: int,
    test: Sequence[Path],
    train: Sequence[Path],
    generated: Path | None,
    repeated: Path | None,
    description: Path | None,
    held_out: Sequence[Path] | None,
    evaluator: Path,
    trained_on: Path,
    classes: Sequence[str],
    evaluation: Evaluation,
    output: Path,
    further_runs: Sequence[Path] = (),
) -> None:
    """Write the record of Tables 1 to 3 as JSON; without `generated`, that of the real images."""
    slices = read_slices(test)
    shown = slices.with_images(*read_generated(generated, slices)) if generated else None
    reference = read_slices(held_out) if held_out else None
    for path in filter(None, (generated, repeated)):
        if description:
            check_generated_with(path, description)
    segmenters = (load_segmenter_for(slices, evaluator), load_segmenter_for(slices, trained_on))
    record = model_record(
        slices, shown, repeated, read_slices(train), reference, *segmenters, classes, evaluation
    )
    record |= read_training_cost(description, further_runs) if description else {}
    write_sealed(output, {"dataset": dataset, "model": model, "seed": seed, **record})


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    parser = evaluating_parser(__doc__)
    parser.add_argument("--evaluation", type=Evaluation.from_json, required=True, help="settings, JSON")
    return parser


if __name__ == "__main__":
    run(evaluate_model, command_line())
