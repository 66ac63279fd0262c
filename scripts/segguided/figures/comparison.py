"""Figures 2 and 5: test masks, the images that each model generated from them, and the real images."""

from collections.abc import Sequence

from segguided.config.reserved import REAL
from segguided.figures.blocks import Block
from segguided.figures.panels import MASK, read_panels
from segguided.figures.settings import FigureDataset, ModelTitles

FIGURE2_SLICES = 4  # of each dataset; figure 5 shows others


def comparison_blocks(
    datasets: Sequence[FigureDataset], models: ModelTitles, n_slices: int, skip: int = 0
) -> list[Block]:
    """A block for each dataset, of `n_slices` rows: mask, a column for each model, real image.

    `skip` is the number of slices that another figure shows: they are left out.
    """
    columns = [(MASK, "mask"), *models, (REAL, "real image")]
    return [read_panels(dataset, n_slices, skip).block(columns) for dataset in datasets]
