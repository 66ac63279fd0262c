"""Rule draw_translation: images of a modality, their masks, and another modality's images of these masks."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from segguided.cli import run, slices_parser
from segguided.config.reserved import REAL
from segguided.figures.blocks import Block, draw_blocks, save_figure
from segguided.figures.panels import MASK, read_panels
from segguided.figures.settings import FigureDataset
from segguided.generation.translation import files_of_same_patients


def draw_translation(
    source: FigureDataset, target: str, own: Sequence[Path], n_slices: int, png: Path
) -> None:
    """Write the picture; `source.generated` holds the translated set under the name `target`.

    `own` are slice files of the target modality; where they have the same patients, a last column shows them.
    """
    columns = [(REAL, source.name), (MASK, "mask"), (target, f"drawn as {target}")]
    block = read_panels(source, n_slices).block(columns)
    same_patients = files_of_same_patients(own, source.slices)
    if same_patients:
        measured = source.model_copy(update={"slices": tuple(same_patients), "generated": {}})
        last = read_panels(measured, n_slices).block([(REAL, f"{target}, measured")]).columns
        block = Block(block.title, [*block.columns, *last], block.colours)
    save_figure(draw_blocks([block]), png)


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    parser = slices_parser(__doc__)
    parser.add_argument("--source", type=FigureDataset.from_json, required=True, help="masks' dataset, JSON")
    parser.add_argument("--target", required=True, help="name of the target modality's dataset")
    parser.add_argument(
        "--own", type=Path, nargs="*", default=[], help="target slices; shown are the same patients'"
    )
    parser.add_argument("--n-slices", type=int, default=4)
    parser.add_argument("--png", type=Path, required=True)
    return parser


if __name__ == "__main__":
    run(draw_translation, command_line())
