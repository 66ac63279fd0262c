"""Rule draw_translation: images of a modality, their masks, and another modality's images of these masks."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from segguided.cli import run, slices_parser
from segguided.config.reserved import REAL
from segguided.data.slices import read_slices
from segguided.figures.blocks import Block, Column, draw_blocks, save_figure
from segguided.figures.panels import MASK, Panels, read_panels
from segguided.figures.settings import FigureDataset
from segguided.generation.translation import IMAGE, MATCHED, files_of_same_patients
from segguided.generation.variants import read_variants

STARTS = {IMAGE: "from the noised image", MATCHED: "from the noised image, grey values matched"}


def draw_translation(
    source: FigureDataset,
    target: str,
    own: Sequence[Path],
    n_slices: int,
    png: Path,
    from_images: Path | None = None,
) -> None:
    """Write the picture; `source.generated` holds the translated set under the name `target`.

    `own` are slice files of the target modality; where they have the same patients, a last column shows them.
    `from_images`: the images that start from the source's own, which get a column each.
    """
    columns = [(REAL, source.name), (MASK, "mask"), (target, f"as {target}, from the mask alone")]
    panels = read_panels(source, n_slices)
    block = panels.block(columns)
    if from_images:
        started = _started_columns(from_images, source, panels)
        block = Block(block.title, [*block.columns, *started], block.colours)
    same_patients = files_of_same_patients(own, source.slices)
    if same_patients:
        measured = source.model_copy(update={"slices": tuple(same_patients), "generated": {}})
        last = read_panels(measured, n_slices).block([(REAL, f"{target}, measured")]).columns
        block = Block(block.title, [*block.columns, *last], block.colours)
    save_figure(draw_blocks([block]), png)


def _started_columns(path: Path, source: FigureDataset, panels: Panels) -> list[Column]:
    """The same slices' images that start from the noised image, and from the matched one."""
    variants, slices = read_variants(path, read_slices(source.slices))
    rows = [slices.names.index(name) for name in panels.names]
    return [Column(title, [variants[variant][row] for row in rows]) for variant, title in STARTS.items()]


def command_line() -> argparse.ArgumentParser:
    """The command line of this script."""
    parser = slices_parser(__doc__)
    parser.add_argument("--source", type=FigureDataset.from_json, required=True, help="masks' dataset, JSON")
    parser.add_argument("--target", required=True, help="name of the target modality's dataset")
    parser.add_argument(
        "--own", type=Path, nargs="*", default=[], help="target slices; shown are the same patients'"
    )
    parser.add_argument("--from-images", type=Path, help="those that start from the source's images")
    parser.add_argument("--n-slices", type=int, default=4)
    parser.add_argument("--png", type=Path, required=True)
    return parser


if __name__ == "__main__":
    run(draw_translation, command_line())
