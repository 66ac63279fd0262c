"""The command line of the scripts that measure generated images by a segmenter."""

from argparse import ArgumentParser
from pathlib import Path

from segguided.cli import add_computing_options, slices_parser


def measuring_parser(description: str | None, output: str = "CSV to write") -> ArgumentParser:
    """A parser with --evaluator, --classes, --threads and --output, whose help is `output`."""
    parser = slices_parser(description)
    parser.add_argument("--evaluator", type=Path, required=True, help="segmenter of real held-out images")
    parser.add_argument(
        "--classes", nargs="+", required=True, help="names of the foreground classes, in order"
    )
    add_computing_options(parser)
    parser.add_argument("--output", type=Path, required=True, help=output)
    return parser


def evaluating_parser(description: str | None) -> ArgumentParser:
    """The command line of `evaluate_model`, but for its settings."""
    parser = measuring_parser(description, output="JSON to write")
    for name in ("--dataset", "--model"):
        parser.add_argument(name, required=True, help="recorded in the output")
    parser.add_argument("--seed", type=int, required=True, help="recorded in the output")
    parser.add_argument("--test", type=Path, nargs="+", required=True, help="slices of the test patients")
    parser.add_argument(
        "--train", type=Path, nargs="+", required=True, help="slices of the training patients"
    )
    parser.add_argument("--generated", type=Path, help="images of the test masks; none: the real ones")
    parser.add_argument("--repeated", type=Path, help="several images of each of some test masks")
    parser.add_argument("--run", dest="description", type=Path, help="config.json of the model's training")
    parser.add_argument(
        "--further-runs", type=Path, nargs="+", default=(), help="config.json of other networks that it needs"
    )
    parser.add_argument("--held-out", type=Path, nargs="+", help="slice files; needed for the real images")
    parser.add_argument("--trained-on", type=Path, required=True, help="segmenter of the model's images")
    return parser
