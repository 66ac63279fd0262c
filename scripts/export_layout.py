"""Write slices, real or generated, as PNG files in the layout of the paper authors' code."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from segguided.cli import run, slices_parser
from segguided.data.slices import read_generated, read_slices
from segguided.data.whole_patients import fully_annotated
from segguided.exports.command_line import FilesBySplit
from segguided.exports.png_folders import write_layout


def export_layout(slices: Mapping[str, Sequence[Path]], generated: Mapping[str, Path], receipt: Path) -> None:
    """Write the slices of each split below the folder of `receipt`, then the receipt.

    A split with a generated set shows its images in place of the real ones; one without slices is left
    out, and so are patients that are not fully annotated, because PNG masks cannot say so. Raises ValueError
    where a generated set does not belong to the slices, or to no split at all.
    """
    sets = {split: read_slices(paths) for split, paths in slices.items() if paths}
    for split, path in generated.items():
        if split not in sets:
            raise ValueError(f"--generated {split} {path}: no --slices {split} are given; name their files")
        sets[split] = sets[split].with_images(*read_generated(path, sets[split]))
    whole = {split: fully_annotated(data, "the PNG layout") for split, data in sets.items()}
    write_layout(whole, receipt)


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    parser = slices_parser(__doc__)
    parser.add_argument(
        "--slices",
        nargs="+",
        action=FilesBySplit,
        default={},
        required=True,
        help="a split and its slice files; once a split",
    )
    parser.add_argument(
        "--generated",
        nargs=2,
        action=FilesBySplit,
        default={},
        metavar=("SPLIT", "FILE"),
        help="images generated from the split's masks; once a split",
    )
    parser.add_argument("--receipt", type=Path, required=True, help="table of the files, in their folder")
    return parser


if __name__ == "__main__":
    run(export_layout, command_line())
