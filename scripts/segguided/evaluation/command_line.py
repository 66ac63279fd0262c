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
