"""Rule write_run: run.json beside a model's weights, by which they can be used by themselves."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from segguided.app.run_facts import NamedRun, run_facts
from segguided.app.run_folder import write_run_facts
from segguided.cli import run, slices_parser
from segguided.data.slices import read_slices
from segguided.text_tables import read_lines


def write_run(
    settings: NamedRun,
    weights: Path,
    train: Sequence[Path],
    held_out_list: Path,
    test_list: Path,
    output: Path,
    completer: Path | None = None,
) -> None:
    """Write the file; the lists name the slice files of the patients that the model was not trained on."""
    lists = {"held-out": read_lines(held_out_list), "test": read_lines(test_list)}
    facts = run_facts(settings, weights, read_slices(train), lists, output, completer)
    write_run_facts(output, facts)


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    parser = slices_parser(__doc__)
    parser.add_argument(
        "--settings", type=NamedRun.from_json, required=True, help="of dataset and model, JSON"
    )
    parser.add_argument("--weights", type=Path, required=True, help="config.json beside them")
    parser.add_argument("--train", type=Path, nargs="+", required=True, help="slices that it was trained on")
    parser.add_argument("--held-out-list", type=Path, required=True, help="list of slice files")
    parser.add_argument("--test-list", type=Path, required=True, help="list of slice files")
    parser.add_argument("--completer", type=Path, help="weights of the model's mask completer")
    parser.add_argument("--output", type=Path, required=True, help="JSON to write")
    return parser


if __name__ == "__main__":
    run(write_run, command_line())
