"""Figures 2 and 5: test masks, the images that each model generated from them, and the real images."""

from argparse import ArgumentParser
from collections.abc import Sequence

from segguided.config.figures import RANDOM, ShownMasks
from segguided.config.reserved import REAL
from segguided.figures.blocks import Block
from segguided.figures.panels import MASK, read_panels
from segguided.figures.settings import FigureDataset, ModelTitles

FIGURE2_SLICES = 4  # of each dataset; figure 5 shows others


def comparison_blocks(
    datasets: Sequence[FigureDataset],
    models: ModelTitles,
    n_slices: int,
    shown: ShownMasks,
    skip: int = 0,
) -> list[Block]:
    """A block for each dataset, of `n_slices` rows: mask, a column for each model, real image.

    `shown` says which slices; `skip` is the number of slices that another figure shows: they are left out.
    """
    columns = [(MASK, shown.title), *models, (REAL, "real image")]
    return [read_panels(dataset, n_slices, skip, shown).block(columns) for dataset in datasets]


def add_shown_masks(parser: ArgumentParser) -> ArgumentParser:
    """The parser with --shown."""
    help_text = "which test masks: settings, JSON"
    parser.add_argument("--shown", type=ShownMasks.from_json, default=RANDOM, help=help_text)
    return parser
